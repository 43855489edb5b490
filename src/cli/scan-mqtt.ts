// `scan mqtt`: what is behind a broker, how it would become resources, and what would be refused and why.

import { StartError } from '../app/failure.ts'
import { knownProfiles } from '../app/profiles.ts'
import { programName, quote } from '../app/program.ts'
import type { MapperSettings, Scan } from '../bridges/mqtt/index.ts'
import type { Json } from '../core/dispatch.ts'
import { type Config, ConfigError, loadConfig } from '../host/config.ts'
import { type MqttConfig, readCredentials } from '../host/mqtt.ts'
import { nodeEnv } from '../index.ts'
import { type Arguments, readDuration, UsageError } from './args.ts'
import { told } from './own.ts'
import { harmless } from './print.ts'

/** What is asked, and as whom. */
interface Target {
  /** The device of the configuration whose settings these are. */
  name: string | undefined
  at: MqttConfig & { broker: string }
  settings: Omit<MapperSettings, 'name'>
}

const PROFILE = 'mqtt-discovery'
const MOST = 10_000
const VALUE = 60

export async function scanMqtt({ options, lists, rest }: Arguments): Promise<number> {
  if (rest.length > 1) throw new UsageError(`"${rest[1]}" is too much: one broker at a time`)
  const {
    config,
    user,
    'password-file': passwordFile,
    ca,
    time,
  } = options as Record<string, string | undefined>
  const most = time === undefined ? MOST : readDuration(time)
  const target = await findTarget(rest[0], config)
  const { name, settings } = target
  const at = {
    ...target.at,
    ...(user && { user }),
    ...(passwordFile && { passwordFile }),
    ...(ca && { tls: { ca } }),
  }
  const allow = [...(settings.allow ?? []), ...(lists.allow ?? [])]
  const found = await scan(at, { ...settings, allow }, most)
  process.stdout.write(
    options.json
      ? `${harmless({ broker: at.broker, ...(found as unknown as { [key: string]: Json }) })}\n`
      : scanText(found, { name, broker: at.broker, most, program: programName() }),
  )
  return 0
}

/** @throws {StartError} why nothing can be known of it */
async function scan(at: Target['at'], settings: Target['settings'], most: number): Promise<Scan> {
  const bridge = await import('../bridges/mqtt/index.ts')
  const warn = (text: string) => void process.stderr.write(`hormiga: ${text}\n`)
  const env = nodeEnv({ debug() {}, info() {}, warn, error: warn })
  // An id of its own, for one that a running engine uses would end that one's connection.
  const id = `scan-${env.random.uuid().slice(0, 8)}`
  const credentials = told(() => readCredentials(at))
  const broker = new bridge.Broker({ url: at.broker, ...credentials, clientId: `h-${id}` }, env)
  // Timers of the engine keep no process alive.
  const alive = setInterval(() => {}, 1 << 30)
  try {
    return await bridge.scanMqtt({ ...settings, name: id, broker, env, most })
  } catch (error) {
    const { message } = error as Error
    const hint = /user or password/.test(message) ? ': give them with --user NAME --password-file FILE' : ''
    throw new StartError(`${message}${hint}`)
  } finally {
    clearInterval(alive)
  }
}

/** The broker that is named, else the one of the configuration, with all that it says of it. */
async function findTarget(named: string | undefined, file: string | undefined): Promise<Target> {
  if (named !== undefined && /^mqtts?:\/\/|[.:]/.test(named))
    return { name: undefined, at: { broker: url(named) }, settings: {} }
  const config = await readConfig(file)
  const devices = Object.entries(config.devices).filter(([, { profile }]) => profile === PROFILE)
  const names = devices.map(([name]) => name)
  if (named === undefined && names.length > 1)
    throw new UsageError(`the configuration has several brokers: say which, ${names.join(', ')}, or a URL`)
  const [name, device] = devices.find(([name]) => name === (named ?? names[0])) ?? []
  if (named !== undefined && !device) return { name: undefined, at: { broker: url(named) }, settings: {} }
  const at = device?.broker ?? config.mqtt
  if (at.broker === undefined)
    throw new UsageError(
      'say which broker: hormiga scan mqtt mqtt://192.168.1.5 (the configuration has none)',
    )
  return { name, at: at as Target['at'], settings: (device?.settings ?? {}) as Target['settings'] }
}

async function readConfig(argument: string | undefined): Promise<Config> {
  try {
    return loadConfig({ argument, profiles: knownProfiles() })
  } catch (error) {
    if (error instanceof ConfigError) throw new StartError(error.message)
    throw error
  }
}

/** `mqtt://192.168.1.5` of `192.168.1.5`. @throws {UsageError} */
function url(text: string): string {
  const whole = /^[a-z]+:\/\//i.test(text) ? text : `mqtt://${text}`
  const { protocol, username, password, hostname } = URL.canParse(whole) ? new URL(whole) : NONE
  if (username || password)
    throw new UsageError('a command line can be read by others: give --user NAME and --password-file FILE')
  if (!/^mqtts?:$/.test(protocol) || !hostname)
    throw new UsageError(`"${text}" is no broker: write mqtt://HOST:1883, or mqtts://HOST:8883 with TLS`)
  return whole
}

const NONE = { protocol: '', username: '', password: '', hostname: '' }

interface Shown {
  name: string | undefined
  broker: string
  most: number
  program: string
}

/** A scan for people. */
export function scanText(scan: Scan, { name = 'sensores', broker, most, program }: Shown): string {
  const devices = Object.entries(scan.devices)
  const refusals = Object.values(scan.counts).reduce((sum, count) => sum + count, 0)
  const spoken = scan.version === 5 ? '5' : '3.1.1'
  const lines = [`${broker} (MQTT ${spoken}): ${devices.length} devices, ${refusals} refusals`]
  if (!scan.complete)
    lines.push(`(it was still telling more after ${most / 1000} s: --time 60s waits longer)`)
  for (const [id, { about, online, properties }] of devices) {
    const { name, manufacturer, model, source } = about
    const who = [name, [manufacturer, model].filter(Boolean).join(' '), `by ${source}`].filter(Boolean)
    lines.push('', `${id}  ${who.map(plain).join(', ')}${online ? '' : ', offline'}`)
    lines.push(
      ...table(Object.entries(properties).map(([property, it]) => [property, kindOf(it), ...saidOf(it)])),
    )
  }
  if (refusals > 0) {
    const counts = Object.entries(scan.counts).map(([reason, count]) => `${reason} ${count}`)
    lines.push('', `refused: ${counts.join(', ')}`)
    lines.push(...scan.refused.map(({ topic, message }) => `  ${plain(topic)}: ${plain(message)}`))
    if (scan.refused.length < refusals) lines.push('  (each once, and only the first of many)')
  }
  return `${lines.join('\n')}\n${advice(scan, { name, broker, program })}`
}

function advice({ devices }: Scan, { name, broker, program }: Omit<Shown, 'most'>): string {
  const points = Object.entries(devices).flatMap(([id, { properties }]) =>
    Object.entries(properties).map(([property, { value }]) => ({ at: `${id}/${property}`, value })),
  )
  const first = points.find(({ value }) => value !== undefined) ?? points[0]
  if (!first)
    return (
      '\nNothing tells of itself there. Zigbee2MQTT, Tasmota, ESPHome, Homie and Home Assistant discovery do so by retained\n' +
      'topics; a Shelly when it is on. Other topics are named in the configuration: see the README.\n'
    )
  const device = JSON.stringify({ profile: PROFILE, broker })
  return (
    `\nin the configuration: "devices": { "${name}": ${device} }, then:\n` +
    `  ${program} get ${quote(`${name}/${first.at}`)}\n  ${program} bind ${quote(`${name}/...`)}\n`
  )
}

/** `number °C, -20 to 60` */
function kindOf({ type, unit, range, values, event }: { [key: string]: Json | undefined }): string {
  const words = [[type].flat().join('|'), unit].filter(Boolean).map(plain).join(' ')
  const bounds = Array.isArray(range) ? `, ${range.join(' to ')}` : ''
  const list = Array.isArray(values) ? `, ${values.map(plain).join(' ')}` : ''
  return `${event ? 'event, ' : ''}${words}${bounds}${shorten(list)}`
}

/** Its methods, and the value that it has. */
function saidOf({ methods, value, retained }: { [key: string]: Json | undefined }): [string, string] {
  const heard = value === undefined ? '–' : `${shorten(harmless(value))}${retained ? ' (retained)' : ''}`
  return [(methods as string[]).join(' '), heard]
}

function table(rows: string[][]): string[] {
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => (row[column] as string).length)))
  return rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd())
}

/** What strangers call themselves, for a terminal. */
function plain(text: Json | undefined): string {
  return harmless(String(text)).slice(1, -1).replaceAll('\\"', '"')
}

function shorten(text: string): string {
  return text.length > VALUE ? `${text.slice(0, VALUE - 1)}…` : text
}
