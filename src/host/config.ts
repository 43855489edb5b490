// The configuration (design §7): found, read, checked against its schema, and made into what the program works with.
// Everything wrong in a file is said at once, with its place.

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Element, Hop, Json } from '../core/dispatch.ts'
import type { Mode } from '../core/endpoint.ts'
import { LIMITS, type Limits } from '../core/limits.ts'
import { DEFAULTS } from '../core/options.ts'
import type { ListenAt } from '../core/transport.ts'
import { checkNode, type Report, writePath } from './config-check.ts'
import { checkMeaning, findDuplicates } from './config-meaning.ts'
import { at, type Problem, parseText, toValue } from './config-text.ts'
import type { WrittenMqtt } from './embedded.ts'
import { type HistorySettings, toHistory, type WrittenHistory } from './history.ts'
import type { WrittenHomeAssistant } from './homeassistant.ts'
import { type BrokerConfig, brokerAt, type MqttConfig, toBroker, toMqtt } from './mqtt.ts'
import { type SaturationSettings, toSettings, type WrittenSaturation } from './saturation/index.ts'
import { configSchema, type FORMATS, LABELS, type LEVELS, LISTEN, milliseconds } from './schema.ts'
import type { Profiles } from './schema-devices.ts'
import { type Address, type ServiceConfig, toServices, type WrittenService } from './services.ts'

export interface Config {
  /** The file it comes from; `undefined`: there is none, so all is as by default. */
  file: string | undefined
  name: string
  listen: Listen
  mode: Mode
  /** Milliseconds. */
  answerTimeout: number
  devices: Record<string, DeviceConfig>
  /** `source` as `kernel`, `hci1`, `unix:/path`, `tcp:host:port` or `serial:/path@baud`. */
  bluetooth: { source: string }
  forward: { allow: Hop[] }
  hosts: Record<string, Hop[]>
  services: Record<string, ServiceConfig>
  /** Names that this engine serves for others. */
  announce: string[]
  peers: Address[]
  mqtt: MqttConfig
  history: HistorySettings
  /** `undefined`: nothing said, so loopback is open and all else closed. */
  access: AccessRule[] | undefined
  http: { origins: string[]; hosts: string[] }
  limits: Limits
  saturation: SaturationSettings
  log: { level: (typeof LEVELS)[number]; format: (typeof FORMATS)[number] }
  /** An absolute path. */
  state: string | undefined
  /** An absolute path; `undefined`: there is no file that it could stand beside. */
  trust: string | undefined
}

/** What may be done without a key. */
export interface AccessRule {
  method: string[]
  resource: Element[]
  /** The listeners for which it holds; default: all. */
  listen?: Label[]
}

export type Label = (typeof LABELS)[number]

export interface Listen {
  tcp?: ListenAt
  tcps?: ListenAt
  http?: ListenAt
  /** The broker of `mqtt`. */
  mqtt?: ListenAt
  /** Absolute paths. There whenever `tcps` is. */
  tls?: { key: string; cert: string }
}

export interface DeviceConfig {
  profile: string
  /** Of a Bluetooth device. */
  address?: string
  /** Of a serial one: a path or `usb:vendor:product[:serial]`, and bits per second. */
  port?: string
  speed?: number
  /** Of what is behind a broker, if it is not the one of `mqtt`. */
  broker?: BrokerConfig
  simulated: boolean
  /** What it says for the settings of the profile itself, without their defaults. */
  settings: Record<string, Json>
}

export interface LoadOptions {
  /** What `--config` says. */
  argument?: string
  profiles: Profiles
  /** Default: the folder of the process. */
  cwd?: string
  /** Default: from the disk. */
  read?: (path: string) => Uint8Array
}

/** A section of `Config` that is one thing to a reload. */
export type Section = Exclude<keyof Config, 'file' | 'listen' | 'devices'>

/** What a reload has to touch. */
export interface Difference {
  sections: Section[]
  /** Listeners to be opened, closed, or both. */
  listen: Exclude<keyof Listen, 'tls'>[]
  devices: { added: string[]; removed: string[]; changed: string[] }
}

const MOST_PROBLEMS = 20
const TRUST = 'trust.json'
const SYSTEM_FILE = '/etc/hormiga/hormiga.json'

/** A configuration that can't be used. The message has a line for each problem. */
export class ConfigError extends Error {
  readonly file: string
  /** At most 20. */
  readonly problems: Problem[]

  constructor(file: string, problems: Problem[], more = 0) {
    const lines = problems.map(({ line, column, path, message }) => {
      return `${file}:${line}:${column}: ${path ? `${path}: ` : ''}${message}`
    })
    if (more > 0) lines.push(`${file}: and ${more} more`)
    super(lines.join('\n'))
    this.name = 'ConfigError'
    this.file = file
    this.problems = problems
  }
}

/**
 * Reads the file that `--config` names, else ./hormiga.json, else /etc/hormiga/hormiga.json; with none of them, defaults.
 * @throws {ConfigError} with everything that is wrong
 */
export function loadConfig(options: LoadOptions): Config {
  const { argument, profiles, cwd = process.cwd(), read = readFileSync } = options
  const files =
    argument === undefined ? [resolve(cwd, 'hormiga.json'), SYSTEM_FILE] : [resolve(cwd, argument)]
  for (const file of files) {
    const bytes = readIfThere(file, read, argument !== undefined)
    if (bytes) return readConfig(decode(file, bytes), file, profiles)
  }
  return toConfig({}, undefined)
}

/**
 * Makes a configuration of a text.
 * @throws {ConfigError} with everything that is wrong
 */
export function readConfig(text: string, file: string, profiles: Profiles): Config {
  // Editors of other systems put a mark before the first letter.
  const plain = text.replace(/^\uFEFF/, '')
  const parsed = parseText(plain)
  if ('problem' in parsed) throw new ConfigError(file, [parsed.problem])
  const { root } = parsed
  const problems: Problem[] = []
  let more = 0
  const wrong = new Set<unknown>()
  const report: Report = (node, path, message) => {
    wrong.add(path[0])
    if (problems.length >= MOST_PROBLEMS) more++
    else problems.push(at(plain, node.offset, writePath(path), message))
  }
  findDuplicates(root, [], report, (offset) => at(plain, offset, '', '').line)
  checkNode(root, configSchema(profiles), [], report)
  checkMeaning(root, profiles, (section) => !wrong.has(section), report)
  problems.sort((a, b) => a.line - b.line || a.column - b.column)
  if (problems.length > 0) throw new ConfigError(file, problems, more)
  return toConfig(toValue(root) as Written, file)
}

/** What is not the same in two configurations. */
export function difference(before: Config, after: Config): Difference {
  const sections = (Object.keys(after) as (keyof Config)[]).filter((key): key is Section => {
    return (
      key !== 'file' && key !== 'listen' && key !== 'devices' && !isDeepStrictEqual(before[key], after[key])
    )
  })
  const has = (config: Config) => (name: string) => Object.hasOwn(config.devices, name)
  const kept = Object.keys(after.devices).filter(has(before))
  const same = (name: string) => isDeepStrictEqual(before.devices[name], after.devices[name])
  return {
    sections,
    listen: LABELS.filter((label) => {
      const isTls = label === 'tcps' && !isDeepStrictEqual(before.listen.tls, after.listen.tls)
      return !isDeepStrictEqual(before.listen[label], after.listen[label]) || isTls
    }),
    devices: {
      added: Object.keys(after.devices).filter((name) => !has(before)(name)),
      removed: Object.keys(before.devices).filter((name) => !has(after)(name)),
      changed: kept.filter((name) => !same(name)),
    },
  }
}

function readIfThere(
  file: string,
  read: (path: string) => Uint8Array,
  isAsked: boolean,
): Uint8Array | undefined {
  try {
    return read(file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && !isAsked) return undefined
    const why = code === 'ENOENT' ? 'there is no such file' : `it can't be read: ${message}`
    throw new ConfigError(file, [{ line: 1, column: 1, path: '', message: why }])
  }
}

function decode(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new ConfigError(file, [
      { line: 1, column: 1, path: '', message: 'it is no UTF-8: save it as UTF-8' },
    ])
  }
}

/** The file as it is written, after it was checked. */
interface Written {
  name?: string
  listen?: Partial<Record<Exclude<Label, 'mqtt'>, string | false>> & Pick<Listen, 'tls'> & { mqtt?: boolean }
  mode?: Mode
  answerTimeout?: string | number
  devices?: Record<string, WrittenDevice>
  bluetooth?: { source?: string }
  forward?: { allow?: Hop[] }
  hosts?: Record<string, Hop[]>
  services?: Record<string, WrittenService>
  announce?: string[]
  peers?: Address[]
  mqtt?: WrittenMqtt & WrittenHomeAssistant & { realm?: string }
  history?: WrittenHistory
  access?: AccessRule[]
  http?: Partial<Config['http']>
  limits?: Partial<Limits>
  saturation?: WrittenSaturation
  log?: Partial<Config['log']>
  state?: string
  trust?: string
}

type WrittenDevice = Partial<BrokerConfig> & {
  profile: string
  address?: string
  port?: string
  speed?: number
  simulated?: boolean
  [setting: string]: unknown
}

function toConfig(written: Written, file: string | undefined): Config {
  const absolute = (path: string) => resolve(dirname(file ?? '.'), path)
  const mqtt = toMqtt(written.mqtt ?? {}, absolute)
  return {
    file,
    name: written.name ?? DEFAULTS.name,
    listen: toListen(written.listen ?? LISTEN, mqtt, absolute),
    mode: written.mode ?? DEFAULTS.mode,
    answerTimeout: milliseconds(written.answerTimeout ?? DEFAULTS.answerTimeout),
    devices: Object.fromEntries(
      Object.entries(written.devices ?? {}).map(([name, device]) => [name, toDevice(device, absolute)]),
    ),
    bluetooth: { source: 'kernel', ...written.bluetooth },
    forward: { allow: [], ...written.forward },
    hosts: written.hosts ?? {},
    services: toServices(written.services ?? {}, milliseconds),
    announce: written.announce ?? [],
    peers: written.peers ?? [],
    mqtt,
    history: toHistory(written.history ?? {}),
    access: written.access,
    http: { origins: [], hosts: [], ...written.http },
    limits: { ...LIMITS, ...written.limits },
    saturation: toSettings(written.saturation ?? {}, milliseconds),
    log: { level: 'info', format: 'auto', ...written.log },
    state: written.state === undefined ? undefined : absolute(written.state),
    trust: file === undefined && written.trust === undefined ? undefined : absolute(written.trust ?? TRUST),
  }
}

function toDevice(written: WrittenDevice, absolute: (path: string) => string): DeviceConfig {
  const { profile, address, port, speed, broker, user, passwordFile, tls, ...more } = written
  const { simulated = false, ...settings } = more
  return {
    profile,
    ...(address && { address }),
    ...(port && { port }),
    ...(speed && { speed }),
    ...(broker && { broker: toBroker({ broker, user, passwordFile, tls }, absolute) }),
    simulated,
    settings: settings as Record<string, Json>,
  }
}

function toListen(
  written: NonNullable<Written['listen']>,
  { broker }: MqttConfig,
  absolute: (path: string) => string,
): Listen {
  const listen: Listen = {}
  for (const label of ['tcp', 'tcps', 'http'] as const) {
    const text = written[label]
    if (text) listen[label] = readAddress(text)
  }
  if (written.mqtt && broker) listen.mqtt = brokerAt(broker)
  if (written.tls) {
    const paths = Object.entries(written.tls).map(([name, path]) => [name, absolute(path)])
    listen.tls = Object.fromEntries(paths) as Listen['tls']
  }
  return listen
}

/** `host:port`, an IPv6 address in brackets. */
function readAddress(text: string): ListenAt {
  const colon = text.lastIndexOf(':')
  return { address: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) }
}
