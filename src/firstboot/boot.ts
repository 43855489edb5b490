// First boot: reads the settings on the card, applies what is right in them, takes the secrets off the card, and remembers
// what it has read. The power may go at any point: nothing is remembered before it is done, so the next start does it again,
// and doing it twice is the same as doing it once. A start with nothing new on the card writes nothing.

import { createHash } from 'node:crypto'
import type { Profiles } from '../host/schema-devices.ts'
import { type Checked, CONFIG, configFrom, configOf, firstConfig, isUntouched } from './engine.ts'
import { type Machine, replaceFile } from './machine.ts'
import { reportText } from './report.ts'
import { readPreseed, readSettings, type Settings } from './settings.ts'
import { withoutSecrets } from './strip.ts'
import { applySettings, hostNameOf, type Kind, kindOf, type Part, type Told } from './system.ts'
import { LONGEST, readToml, type Table } from './toml.ts'

export const STATE = '/var/lib/hormiga-firstboot/state.json'
export const SETTINGS = 'hormiga.toml'
export const PRESEED = 'rpi-preseed.toml'
/** A whole configuration of the engine, instead of `[engine]`. */
export const CONFIG_ON_CARD = 'hormiga/hormiga.json'
export const REPORT = 'hormiga-report.txt'

const LONGEST_CONFIG = 1 << 20
const LONGEST_STATE = 1 << 16
const MOST_PROBLEMS = 30

export interface BootOptions {
  machine: Machine
  /** Where the card's boot partition is mounted: `/boot/firmware`. */
  card: string
  profiles: Profiles
}

export interface Outcome extends Told {
  /** `false`: all that is on the card was taken over before. */
  isNew: boolean
}

/** What was read, and what came of it. */
interface State {
  /** SHA-256 of each file on the card, as it was left there. */
  files: Record<string, string>
  /** SHA-256 of the configuration that we have written. */
  engine?: string
  problems: string[]
}

interface CardFile {
  name: string
  bytes: Uint8Array
  most: number
  table?: Table
  settings?: Settings
}

export async function firstBoot({ machine, card, profiles }: BootOptions): Promise<Outcome> {
  const kind = await kindOf(machine)
  const state = await readState(machine)
  const { files, unread } = await readCard(machine, card, kind)
  if (state && isSame(state.files, files)) return { isNew: false, done: [], problems: state.problems }

  const settings = merge(files.flatMap(parse))
  const { parts, ...told } = await applySettings(machine, kind, settings)
  const isWhole = told.problems.length + unread.length === 0
  told.problems.unshift(...unread, ...settings.problems)
  const engine = await setEngine(machine, { settings, files, profiles, state, told })
  told.problems.splice(MOST_PROBLEMS)

  try {
    await withWritable(machine, card, async () => {
      for (const file of files) await stripFile(machine, card, file, parts)
      await replaceFile(machine, `${card}/${REPORT}`, reportText({ ...told, notes: settings.notes }))
    })
  } catch (error) {
    told.problems.push(
      `passwords may still be on the card, which can't be written: ${(error as Error).message}`,
    )
    return { isNew: true, ...told }
  }
  // What the system would not do now it may do at the next start.
  const next: State = { files: isWhole ? sumsOf(files) : {}, engine, problems: told.problems }
  await replaceFile(machine, STATE, JSON.stringify(next), { mode: 0o600 }).catch((error: Error) => {
    told.problems.push(`the next start does all this again: ${error.message}`)
  })
  return { isNew: true, ...told }
}

async function readState(machine: Machine): Promise<State | undefined> {
  try {
    const bytes = await machine.read(STATE, LONGEST_STATE)
    const state = bytes && (JSON.parse(Buffer.from(bytes).toString('utf8')) as State)
    return state?.files && Array.isArray(state.problems) ? state : undefined
  } catch {
    // A state that can't be read is none: everything is done again.
    return undefined
  }
}

/** @returns `unread`: what is there and can't be read; the next start tries again */
async function readCard(
  machine: Machine,
  card: string,
  kind: Kind,
): Promise<{ files: CardFile[]; unread: string[] }> {
  // Elsewhere another program looks after Imager's file.
  const names = kind === 'appliance' ? [PRESEED, SETTINGS, CONFIG_ON_CARD] : [SETTINGS, CONFIG_ON_CARD]
  const files: CardFile[] = []
  const unread: string[] = []
  for (const name of names) {
    const most = name === CONFIG_ON_CARD ? LONGEST_CONFIG : LONGEST
    try {
      const bytes = await machine.read(`${card}/${name}`, most)
      if (bytes) files.push({ name, bytes, most })
    } catch (error) {
      unread.push(`${name}: it can't be read: ${(error as Error).message}`)
    }
  }
  return { files, unread }
}

function parse(file: CardFile): Settings[] {
  if (file.name === CONFIG_ON_CARD) return []
  const read = readToml(file.bytes)
  if ('problem' in read) return [{ problems: [`${file.name}: ${read.problem}`], notes: [] }]
  file.table = read.table
  file.settings = file.name === PRESEED ? readPreseed(read.table) : readSettings(read.table)
  return [file.settings]
}

/** Of two files our own counts. */
function merge(all: Settings[]): Settings {
  const merged: Settings = { problems: [], notes: [] }
  for (const settings of all) {
    const given = Object.entries(settings).filter(([, value]) => value !== undefined)
    Object.assign(merged, Object.fromEntries(given), {
      problems: [...merged.problems, ...settings.problems],
      notes: [...merged.notes, ...settings.notes],
    })
  }
  return merged
}

interface EngineOptions {
  settings: Settings
  files: CardFile[]
  profiles: Profiles
  state: State | undefined
  told: Told
}

/**
 * Writes the engine's configuration where there is a new one, and tells the engine. Without one on the card, or with a wrong
 * one, it is that of a first boot, and that is only written where nobody has written another.
 * @returns the SHA-256 of what we have written, now or earlier
 */
async function setEngine(machine: Machine, options: EngineOptions): Promise<string | undefined> {
  const { settings, state, profiles, told } = options
  const name = await hostNameOf(machine)
  const wanted = configGiven(options, name)
  if (wanted && 'problems' in wanted) told.problems.push(...wanted.problems)
  const text = wanted && 'text' in wanted ? wanted.text : undefined
  const present = await machine.read(CONFIG, LONGEST_CONFIG)
  try {
    if (text !== undefined) {
      if (state?.engine === sha256(text)) return state.engine
      await writeConfig(machine, text)
      told.done.push(`the engine's configuration is that of ${settings.engine ? SETTINGS : CONFIG_ON_CARD}`)
      return sha256(text)
    }
    const isOurs =
      !present ||
      state?.engine === sha256(present) ||
      isUntouched(Buffer.from(present).toString('utf8'), profiles)
    const first = firstConfig(name)
    if (!isOurs || (state?.engine !== undefined && wanted)) return state?.engine
    await writeConfig(machine, first)
    told.done.push(
      `the engine's configuration is that of a first boot: its page is at http://${name}.local:8080/`,
    )
    return sha256(first)
  } catch (error) {
    told.problems.push(`${CONFIG}: ${(error as Error).message}`)
    return state?.engine
  }
}

function configGiven({ settings, files, profiles }: EngineOptions, name: string): Checked | undefined {
  const whole = files.find((file) => file.name === CONFIG_ON_CARD)
  if (whole && settings.engine) {
    return { problems: [`${SETTINGS}: engine: ${CONFIG_ON_CARD} is there too: keep one of them`] }
  }
  if (settings.engine) return configOf(settings.engine, name, profiles)
  if (!whole) return undefined
  if (whole.bytes.length > whole.most)
    return { problems: [`${whole.name}: it is larger than ${whole.most} bytes`] }
  return configFrom(whole.bytes, whole.name, profiles)
}

async function writeConfig(machine: Machine, text: string): Promise<void> {
  await replaceFile(machine, CONFIG, text)
  // Not yet running, it reads it when it starts.
  await machine.run(['systemctl', '--no-block', 'try-restart', 'hormiga.service'])
}

/** What was not taken over keeps its secrets, for its owner must still put it right. */
async function stripFile(machine: Machine, card: string, file: CardFile, parts: Part[]): Promise<void> {
  const { name, table, settings } = file
  if (!table || !settings) return
  const used = ['connect']
  if (settings.wifi && parts.includes('wifi')) used.push('wifi', 'wlan')
  if (settings.user && parts.includes('user')) used.push('user')
  const stripped = withoutSecrets(table, used)
  if (stripped === undefined) return
  await replaceFile(machine, `${card}/${name}`, stripped, { wipe: true })
  file.bytes = Buffer.from(stripped)
}

/** The card is mounted read-only, so that a power cut finds it whole; for a moment it is not. */
async function withWritable(machine: Machine, card: string, work: () => Promise<void>): Promise<void> {
  const mounts = Buffer.from((await machine.read('/proc/self/mounts', 1 << 20)) ?? '').toString('utf8')
  const mount = mounts.split('\n').findLast((line) => line.split(' ')[1] === card)
  const isReadOnly = mount?.split(' ')[3]?.split(',').includes('ro') ?? false
  if (isReadOnly) await machine.run(['mount', '-o', 'remount,rw', card])
  try {
    await work()
  } finally {
    if (isReadOnly) await machine.run(['mount', '-o', 'remount,ro', card])
  }
}

function isSame(sums: Record<string, string>, files: CardFile[]): boolean {
  const now = sumsOf(files)
  const names = Object.keys(now)
  return names.length === Object.keys(sums).length && names.every((name) => sums[name] === now[name])
}

function sumsOf(files: CardFile[]): Record<string, string> {
  return Object.fromEntries(files.map(({ name, bytes }) => [name, sha256(bytes)]))
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
