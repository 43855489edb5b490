// What is wrong in a configuration that no schema can say.

import type { Node } from 'jsonc-parser'
import type { Element } from '../core/dispatch.ts'
import { readEndpoint } from '../core/endpoint.ts'
import { type Path, propertyOf, type Report } from './config-check.ts'
import { toValue } from './config-text.ts'
import { findEmbeddedProblems, type WrittenMqtt } from './embedded.ts'
import { findHomeAssistantProblems, type WrittenHomeAssistant } from './homeassistant.ts'
import { findProblems, type WrittenSaturation } from './saturation/index.ts'
import { milliseconds } from './schema.ts'
import type { Profiles } from './schema-devices.ts'
import { findServiceProblems, type WrittenService } from './services.ts'

const LONGEST_WAIT = 3_600_000

/** The same key twice, in any object: the second is told, with the line of the first. */
export function findDuplicates(
  node: Node,
  path: Path,
  report: Report,
  lineOf: (offset: number) => number,
): void {
  const seen = new Map<unknown, Node>()
  for (const [index, child] of (node.children ?? []).entries()) {
    if (node.type === 'array') findDuplicates(child, [...path, index], report, lineOf)
    const [key, value] = node.type === 'object' ? (child.children ?? []) : []
    if (!key || !value) continue
    const at = [...path, key.value as string]
    const first = seen.get(key.value)
    if (first) {
      const lines = `lines ${lineOf(first.offset)} and ${lineOf(key.offset)}`
      report(key, at, `it is there twice, on ${lines}: keep one of them`)
    } else seen.set(key.value, key)
    findDuplicates(value, at, report, lineOf)
  }
}

/** What no schema can say. Looks only at sections whose shape is right. */
export function checkMeaning(
  root: Node,
  profiles: Profiles,
  isRight: (section: string) => boolean,
  report: Report,
): void {
  const section = (name: string) => (isRight(name) ? propertyOf(root, name)?.children?.[1] : undefined)
  const listen = section('listen')
  const tcps = propertyOf(listen, 'tcps')
  if (tcps?.children?.[1]?.value && !propertyOf(listen, 'tls')) {
    const message = 'it needs a key: write "tls": { "key": "key.pem", "cert": "cert.pem" } beside it'
    report(tcps, ['listen', 'tcps'], message)
  }
  const atBroker = propertyOf(listen, 'mqtt')
  if (atBroker?.children?.[1]?.value === true && isRight('mqtt') && !propertyOf(section('mqtt'), 'broker')) {
    const message = 'it needs a broker: write "mqtt": { "broker": "mqtt://localhost:1883" } at the top'
    report(atBroker, ['listen', 'mqtt'], message)
  }
  const timeout = section('answerTimeout')
  const ms = timeout ? milliseconds(timeout.value) : 1
  if (timeout && (ms < 1 || ms > LONGEST_WAIT)) {
    report(timeout, ['answerTimeout'], `found ${JSON.stringify(timeout.value)}; allowed: from 1 ms to 1 h`)
  }
  if (isRight('mqtt'))
    checkDevices(section('devices'), propertyOf(section('mqtt'), 'broker') !== undefined, profiles, report)
  const saturation = section('saturation')
  for (const { path, message } of saturation ? findProblems(toValue(saturation) as WrittenSaturation) : []) {
    const place = path.reduce<Node | undefined>(
      (node, name) => propertyOf(node, name)?.children?.[1],
      saturation,
    )
    report(place ?? (saturation as Node), ['saturation', ...path], message)
  }
  const services = section('services')
  const names = {
    hosts: (section('hosts')?.children ?? []).map((entry) => entry.children?.[0]?.value as string),
    name: section('name')?.value as string | undefined,
  }
  const written = (services ? toValue(services) : {}) as Record<string, WrittenService>
  for (const { path, message } of findServiceProblems(written, names)) {
    report(propertyOf(services, path[0] as string) as Node, ['services', ...path], message)
  }
  const mqtt = section('mqtt')
  for (const { path, message } of mqtt ? findEmbeddedProblems(toValue(mqtt) as WrittenMqtt, written) : []) {
    const parent = path[0] === 'mqtt' ? mqtt : services
    report(propertyOf(parent, path[1] as string) as Node, path, message)
  }
  const shown = mqtt && isRight('devices') ? (toValue(mqtt) as WrittenHomeAssistant) : {}
  const known = (section('devices')?.children ?? []).map((entry) => entry.children?.[0]?.value as string)
  for (const { path, message } of findHomeAssistantProblems(shown, known))
    report(propertyOf(mqtt, 'homeassistant') as Node, path, message)
  section('access')?.children?.forEach((rule, index) => {
    const resource = propertyOf(rule, 'resource')?.children?.[1]
    if (!resource) return
    try {
      readEndpoint({ method: '*', resource: toValue(resource) as Element[] }, 'strict')
    } catch (error) {
      report(resource, ['access', index, 'resource'], (error as Error).message)
    }
  })
}

/** What a device needs so that it can be reached. */
function checkDevices(
  devices: Node | undefined,
  hasBroker: boolean,
  profiles: Profiles,
  report: Report,
): void {
  for (const entry of devices?.children ?? []) {
    const [key, device] = entry.children as [Node, Node]
    const has = (setting: string) => propertyOf(device, setting)?.children?.[1]?.value
    const medium = profiles[has('profile')]?.medium
    const path = ['devices', key.value as string]
    if (medium === 'serial' && !has('port') && !has('simulated')) {
      report(
        key,
        path,
        'it needs a port: write "port": "/dev/serial/by-id/…" (what there is: hormiga scan serial)',
      )
    }
    if (medium !== 'mqtt' || has('broker')) continue
    if (!hasBroker) {
      report(key, path, 'it needs a broker: write "mqtt": { "broker": "mqtt://localhost:1883" } at the top')
    }
    for (const name of ['user', 'passwordFile', 'tls']) {
      const setting = propertyOf(device, name)
      if (setting) report(setting, [...path, name], 'it belongs to a broker: write "broker" beside it')
    }
  }
}
