// Shelly (C5). It has no discovery: the first generation answers `announce`, the second tells by `online` and
// `events/rpc` that it is there and is asked by RPC. Properties are what it has spoken of.

import { DISCOVERY, type Family, type Property, type Publication } from './declaration.ts'
import { at, type Data, isData, type Message, type Payload, text } from './payload.ts'
import { wordGate } from './reading.ts'
import type { Registry } from './registry.ts'
import { componentsOf, gen1Property } from './shelly-parts.ts'
import { below, matches } from './topics.ts'

const GEN1 = 'shellies'
const DEVICES = 2000
const PARTS = 128
const MAC = /[0-9A-Fa-f]{12}$/
/** What a device of the second generation calls itself unless it is told otherwise. */
const OWN_NAME = /^shelly[a-z0-9]+-[0-9a-f]{12}$/

/** A device, with the properties that it has spoken of so far. */
interface Known {
  mac: string
  info: Data
  properties: Map<string, Property>
  retained: boolean
}

/**
 * `own`: the topic under which answers to our questions come. `allow`: filters of topics where a second generation may
 * be that has a name of its own.
 */
export function shelly(
  registry: Registry,
  replied: (tag: number, error?: string) => void,
  own: string,
  allow: string[] = [],
): Family {
  const known = new Map<string, Known>()

  const prefixOf = (topic: string) => {
    const prefix = /^(.*?)\/(?:online|events\/rpc|rpc|status\/[^/]+)$/.exec(topic)?.[1]
    if (!prefix || prefix.startsWith(`${GEN1}/`)) return undefined
    const isOwn = allow.some((filter) => filter !== '#' && matches(filter, topic))
    return OWN_NAME.test(prefix) || isOwn ? prefix : undefined
  }

  const meet = (name: string, mac: string, retained: boolean): Known | undefined => {
    const device = known.get(name)
    if (device) return device
    if (known.size >= DEVICES) {
      registry.refusals.add('limit', name, `more than ${DEVICES} devices`)
      return undefined
    }
    const fresh = { mac, info: {}, properties: new Map(), retained }
    known.set(name, fresh)
    return fresh
  }

  const declare = (topic: string, name: string, { mac, info, properties, retained }: Known) =>
    registry.declare({
      source: 'shelly',
      key: topic,
      identities: [mac],
      about: {
        name: text(info.name) ?? name,
        manufacturer: 'Shelly',
        model: text(info.model) ?? text(info.app),
        version: text(info.ver) ?? text(info.fw_ver),
      },
      availability: [
        { mode: 'all', gates: [wordGate(`${topic}/online`, { on: 'true', off: 'false' }, true)] },
      ],
      properties: [...properties.values()],
      retained,
    })

  /** Adds what is new of it; true if there was any. */
  const learn = (device: Known, properties: Property[]) => {
    const fresh = properties.filter(({ id }) => !device.properties.has(id) && device.properties.size < PARTS)
    for (const property of fresh) device.properties.set(property.id, property)
    return fresh.length > 0
  }

  const readGen1 = ({ topic, retained }: Message, payload: Payload) => {
    const [name = '', ...rest] = (below(GEN1, topic) ?? '').split('/')
    const isAnnounced = topic === `${GEN1}/announce` || rest.join('/') === 'announce'
    if (isAnnounced) {
      const id = text(at(payload.json, ['id']), 64)
      const mac = text(at(payload.json, ['mac']), 17)
      if (!id || !mac || !/^[\w-]+$/.test(id))
        return registry.refusals.add('json', topic, '"id" and "mac" are needed')
      const device = meet(id, mac, retained)
      if (!device) return
      device.info = payload.object ?? {}
      return declare(`${GEN1}/${id}`, id, device)
    }
    const device = known.get(name)
    const property = device && gen1Property(`${GEN1}/${name}`, rest)
    if (device && property && learn(device, [property])) declare(`${GEN1}/${name}`, name, device)
  }

  /** A status, whole or only what has changed (`NotifyStatus`). */
  const overlay = (prefix: string, status: Data, retained: boolean) => {
    const mac = MAC.exec(prefix)?.[0] ?? known.get(prefix)?.mac
    const device = mac && meet(prefix, mac, retained)
    if (!device) return
    const parts = componentsOf(prefix, own, status)
    if (
      learn(
        device,
        parts.map(({ property }) => property),
      ) ||
      !registry.has(prefix)
    )
      declare(prefix, prefix, device)
    for (const { property, value } of parts) {
      if (value !== undefined) registry.value(prefix, property.id, value, retained)
    }
  }

  const readEvents = (prefix: string, payload: Payload) => {
    const params = at(payload.json, ['params'])
    const source = text(at(payload.json, ['src']), 64)
    if (!isData(params)) return registry.refusals.add('json', `${prefix}/events/rpc`, '"params" are needed')
    // The name tells the hardware address where the topic doesn't.
    const mac = source && MAC.exec(source)?.[0]
    if (mac) meet(prefix, mac, false)
    if (at(payload.json, ['method']) !== 'NotifyEvent') return overlay(prefix, params, false)
    const events = Array.isArray(params.events) ? params.events.filter(isData).slice(0, 16) : []
    for (const event of events) {
      const component = text(event.component, 32)
      if (component?.includes(':')) overlay(prefix, { [component]: { event: event.event ?? null } }, false)
    }
  }

  const readReply = (payload: Payload) => {
    const id = at(payload.json, ['id'])
    const error = at(payload.json, ['error'])
    const result = at(payload.json, ['result'])
    const source = text(at(payload.json, ['src']), 64)
    if (typeof id === 'number')
      return replied(
        id,
        error === undefined ? undefined : (text(at(error, ['message'])) ?? 'no reason given'),
      )
    // Our questions carry their subject in their id.
    const [question, prefix = ''] = text(id)?.split(' ') ?? []
    if (!isData(result) || !source || !prefixOf(`${prefix}/rpc`)) return
    if (question === 'status') overlay(prefix, result, false)
    else if (question === 'info') {
      const device = meet(prefix, text(result.mac, 17) ?? MAC.exec(source)?.[0] ?? '', false)
      if (!device) return
      device.info = result
      declare(prefix, prefix, device)
    }
  }

  const question = (prefix: string, id: string, method: string): Publication => ({
    topic: `${prefix}/rpc`,
    payload: JSON.stringify({ id: `${id} ${prefix}`, src: own, method }),
    qos: 1,
  })

  return {
    filters: [
      `${GEN1}/#`,
      '+/online',
      '+/events/rpc',
      ...allow
        .filter((filter) => filter.endsWith('/#'))
        .flatMap((filter) => [`${filter.slice(0, -1)}online`, `${filter.slice(0, -1)}events/rpc`]),
      `${own}/rpc`,
    ],
    covers: [`${GEN1}/#`],
    claims(topic) {
      if (topic === `${own}/rpc` || topic.startsWith(`${GEN1}/`)) return DISCOVERY
      return /\/(online|events\/rpc)$/.test(topic) && prefixOf(topic) ? DISCOVERY : 0
    },
    read(message, payload) {
      const { topic } = message
      if (topic.startsWith(`${GEN1}/`)) return readGen1(message, payload)
      if (topic === `${own}/rpc`) return message.retained ? undefined : readReply(payload)
      const prefix = prefixOf(topic)
      if (!prefix) return
      if (topic.endsWith('/events/rpc')) readEvents(prefix, payload)
      else if (payload.text === 'true') {
        registry.effect({ do: 'publish', ...question(prefix, 'info', 'Shelly.GetDeviceInfo') })
        registry.effect({ do: 'publish', ...question(prefix, 'status', 'Shelly.GetStatus') })
      }
    },
    ask: () => [{ topic: `${GEN1}/command`, payload: 'announce', qos: 1 }],
  }
}
