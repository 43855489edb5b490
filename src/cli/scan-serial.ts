// `scan serial`: which ports there are, under names that stay, who has them, and what is plugged in there.

import { knownProfiles } from '../app/profiles.ts'
import { programName, quote } from '../app/program.ts'
import type { Asked, PortInfo } from '../bridges/serial/index.ts'
import type { Json } from '../core/dispatch.ts'
import { loadConfig } from '../host/config.ts'
import { nodeEnv } from '../index.ts'
import { type Arguments, readDuration, UsageError } from './args.ts'
import { harmless } from './print.ts'

/** What is told of a port. */
export interface Seen extends PortInfo {
  /** The device of the configuration that has this port. */
  device?: string
  /** Why it can't be opened now, and what to do about it. */
  obstacle?: string
  asked?: Asked
}

/** Milliseconds to ask one port: every speed is tried. */
const MOST = 6000

export async function scanSerial({ options, rest }: Arguments): Promise<number> {
  const { config, time } = options as Record<string, string | undefined>
  const most = time === undefined ? MOST : readDuration(time)
  if (rest.length > 0 && !options.ask) {
    throw new UsageError(`to ask what is at ${rest[0]}: hormiga scan serial ${rest[0]} --ask`)
  }
  const serial = Object.keys(knownProfiles()).filter((name) => knownProfiles()[name]?.medium === 'serial')
  const ports = await look(rest, await configured(config))
  // Of those that are named a lock is only found by trying: a program that has it open may share it.
  if (options.ask) await ask(rest.length > 0 ? ports : ports.filter(({ obstacle }) => !obstacle), most)
  process.stdout.write(
    options.json
      ? `${harmless({ ports: ports as unknown as Json[], profiles: serial })}\n`
      : scanText(ports, { serial, isAsked: options.ask === true, program: programName() }),
  )
  return rest.length > 0 && ports.some(({ asked }) => !asked?.profile) ? 1 : 0
}

/** The ports of this machine, or those that are named. */
async function look(named: string[], devices: Map<string, string>): Promise<Seen[]> {
  const { findPort, listPorts, obstacle } = await import('../bridges/serial/index.ts')
  const all = await listPorts()
  const ports: Seen[] = []
  for (const name of named.length > 0 ? named : all.map(({ id }) => id)) {
    const known = all.find(({ id, path }) => id === name || path === name)
    const port: Seen = { id: name, path: name, ...known }
    try {
      const { path } = await findPort(name)
      if (!known) port.path = path
      port.obstacle = await obstacle(path)
    } catch (error) {
      port.obstacle = (error as Error).message
    }
    port.device = devices.get(port.id) ?? devices.get(port.path)
    ports.push(port)
  }
  return ports
}

/** Which device has which port. A configuration that can't be read is the matter of `hormiga check`. */
async function configured(argument: string | undefined): Promise<Map<string, string>> {
  const { findPort } = await import('../bridges/serial/index.ts')
  const devices = new Map<string, string>()
  try {
    for (const [name, { port }] of Object.entries(
      loadConfig({ argument, profiles: knownProfiles() }).devices,
    )) {
      if (port === undefined) continue
      devices.set(port, name)
      const found = await findPort(port).catch(() => undefined)
      if (found) devices.set(found.path, name)
    }
  } catch {
    return devices
  }
  return devices
}

/** One after the other: boards restart when they are opened, and that takes power. */
async function ask(ports: Seen[], most: number): Promise<void> {
  const { askPort } = await import('../bridges/serial/index.ts')
  const env = nodeEnv({ debug() {}, info() {}, warn() {}, error() {} })
  // Timers of the engine keep no process alive.
  const alive = setInterval(() => {}, 1 << 30)
  try {
    for (const port of ports) port.asked = await askPort(port.path, env, most)
  } finally {
    clearInterval(alive)
  }
}

interface Shown {
  /** The profiles for serial devices. */
  serial: string[]
  isAsked: boolean
  program: string
}

/** A scan for people. */
export function scanText(ports: Seen[], { serial, isAsked, program }: Shown): string {
  if (ports.length === 0) {
    return (
      'No serial port is there. Is the board plugged in, and does its cable carry data? Many only charge.\n' +
      'What the kernel says of it: sudo dmesg | tail\n'
    )
  }
  const lines: string[] = []
  for (const port of ports) {
    const { id, path, title, vendor, product, obstacle } = port
    const usb = vendor && `usb:${vendor}:${product}${port.serial ? `:${port.serial}` : ''}`
    lines.push(plain(id))
    const about = [title, usb, path === id ? '' : path].filter((word) => word !== undefined && word !== '')
    if (about.length > 0) lines.push(`  ${about.map((word) => plain(String(word))).join(', ')}`)
    if (port.device) lines.push(`  the device "${plain(port.device)}" of the configuration`)
    if (obstacle) lines.push(`  ${plain(obstacle)}`)
    if (port.asked) lines.push(...askedLines(port.asked))
  }
  return `${lines.join('\n')}\n${advice(ports, { serial, isAsked, program })}`
}

function askedLines({ profile, name, speed, entries, cause }: Asked): string[] {
  if (!profile) return [`  ${plain(cause ?? '')}`]
  if (!entries) return [`  says of itself that it is for the profile ${profile}`]
  const rows = entries.map(({ key, methods, canBind, isEvent, unit, range }) => {
    const said = [...methods, ...(canBind ? ['BIND'] : [])].join(' ')
    const kind = [isEvent && 'event', unit, range?.join(' to ')].filter(Boolean).join(', ')
    return [plain(key), said, plain(kind)] as const
  })
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => (row[column] as string).length)))
  return [
    `  ${profile}: "${plain(name ?? '')}" at ${speed} bit/s, ${rows.length} resources`,
    ...rows.map(([key, said, kind]) =>
      `    ${key.padEnd(widths[0] as number)}  ${said.padEnd(widths[1] as number)}  ${kind}`.trimEnd(),
    ),
  ]
}

function advice(ports: Seen[], { serial, isAsked, program }: Shown): string {
  const free = ports.filter(({ device, obstacle, asked }) => !device && (!obstacle || asked?.profile))
  const known = free.find(({ asked }) => asked?.profile)
  const [first] = known ? [known] : free
  if (!first) return ''
  const profile = known?.asked?.profile
  const device = JSON.stringify({ profile: profile ?? serial[0], port: first.id })
  const which = profile
    ? ''
    : `\nThe profile is what its firmware speaks: ${serial.join(', ')}.${isAsked ? '' : ` What answers: ${program} scan serial --ask\n(that opens the ports; boards restart, so not while a machine works)`}\n`
  const point = first.asked?.entries?.find(({ methods }) => methods.includes('GET'))?.key
  const get = point ? `, then:\n  ${program} get ${quote(`robot/${point}`)}\n` : '\n'
  return `${which}\nin the configuration: "devices": { "robot": ${device} }${get}`
}

/** What boards call themselves, for a terminal. */
function plain(text: string): string {
  return harmless(text).slice(1, -1).replaceAll('\\"', '"')
}
