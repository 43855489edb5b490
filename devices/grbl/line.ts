// What Grbl 1.1 says, line by line (facts A3): answers, which count, and messages, which never do.

/** One line from the controller. */
export type Line =
  | { is: 'ok' }
  | { is: 'error'; code: number }
  | { is: 'alarm'; code: number }
  | ({ is: 'status' } & Status)
  | { is: 'setting'; number: number; value: number }
  | { is: 'banner'; version: string }
  /** `[MSG:…]`: `Reset to continue`, `Caution: Unlocked`, … */
  | { is: 'message'; text: string }
  /** `[VER:…]`, `[GC:…]`, … and whatever newer firmware says. */
  | { is: 'info'; text: string }

export type Axes = { x: number; y: number; z: number }

/** `<Idle|MPos:0.000,0.000,0.000|FS:0,0>`. What a report leaves out is undefined. */
export interface Status {
  state: State
  /** It holds, but has not come to rest yet (`Hold:1`). */
  isBraking?: true
  /** Of the machine, mm. */
  machine?: Axes
  /** Of the workpiece, mm. */
  work?: Axes
  /** Of the workpiece's zero, mm. */
  offset?: Axes
  /** mm/min */
  feed?: number
  /** Turns per minute. */
  spindle?: number
  /** Percent. */
  overrides?: { feed: number; rapid: number; spindle: number }
}

export const STATES = {
  Idle: 'idle',
  Run: 'running',
  Hold: 'holding',
  Jog: 'jogging',
  Alarm: 'alarm',
  Door: 'door',
  Check: 'checking',
  Home: 'homing',
  Sleep: 'sleeping',
} as const
export type State = (typeof STATES)[keyof typeof STATES]

/** What a line means; `undefined`: nothing. */
export function readLine(text: string): Line | undefined {
  const line = text.trim()
  if (line === '') return undefined
  if (line === 'ok') return { is: 'ok' }
  const coded = /^(error|ALARM):(\d{1,3})$/.exec(line)
  if (coded) return { is: coded[1] === 'error' ? 'error' : 'alarm', code: Number(coded[2]) }
  const banner = /^Grbl (\S+) \[/.exec(line)
  if (banner) return { is: 'banner', version: banner[1] as string }
  const setting = /^\$(\d{1,3})=(-?[\d.]+)$/.exec(line)
  if (setting) return { is: 'setting', number: Number(setting[1]), value: Number(setting[2]) }
  const message = /^\[MSG:(.*)\]$/.exec(line)
  if (message) return { is: 'message', text: message[1] as string }
  return (line.startsWith('<') && readStatus(line)) || { is: 'info', text: line }
}

function readStatus(line: string): Line | undefined {
  if (!line.endsWith('>')) return undefined
  const [name = '', ...fields] = line.slice(1, -1).split('|')
  const state = STATES[name.split(':')[0] as keyof typeof STATES]
  if (!state) return undefined
  const status: Line & { is: 'status' } = { is: 'status', state }
  if (name === 'Hold:1') status.isBraking = true
  for (const field of fields) {
    const [key, values = ''] = field.split(':')
    const numbers = values.split(',').map(Number)
    if (numbers.some((number) => !Number.isFinite(number))) continue
    const [first = 0, second = 0, third = 0] = numbers
    if (key === 'MPos') status.machine = { x: first, y: second, z: third }
    else if (key === 'WPos') status.work = { x: first, y: second, z: third }
    else if (key === 'WCO') status.offset = { x: first, y: second, z: third }
    else if (key === 'FS') Object.assign(status, { feed: first, spindle: second })
    else if (key === 'F') status.feed = first
    else if (key === 'Ov') status.overrides = { feed: first, rapid: second, spindle: third }
  }
  return status
}

const ERRORS: Record<number, string> = {
  1: 'a letter is missing before a number',
  2: 'a number is missing or wrong',
  3: 'it does not know this $ command',
  4: 'a negative value where there must be none',
  5: 'homing is switched off ($22)',
  8: 'this is possible only when it is idle',
  9: 'it is locked after an alarm, or jogging: unlock or home it first',
  10: 'soft limits need homing ($22)',
  11: 'the line is too long',
  15: 'the jog would leave the machine',
  16: 'a jog without a feed rate, or with something else in it',
  20: 'it does not know this G or M code',
  21: 'two codes of one line exclude each other',
  22: 'no feed rate (F) has been given yet',
  24: 'two codes of one line need the axes',
  25: 'a letter twice in one line',
  26: 'axes are missing',
  33: 'an arc that is none',
}

/** What an `error:N` means, for people. */
export function errorText(code: number): string {
  return ERRORS[code] ?? `Grbl refuses it (error ${code})`
}

const ALARMS: Record<number, string> = {
  1: 'a limit switch was hit: the position is lost, home it',
  2: 'the move would leave the machine: nothing has moved',
  3: 'it was reset while moving: the position is lost, home it',
  4: 'the probe was touched before it began',
  5: 'the probe touched nothing',
  6: 'homing failed: it was reset',
  7: 'homing failed: a door was opened',
  8: 'homing failed: the switch is not let go ($27)',
  9: 'homing failed: no switch was found',
  10: 'homing failed: no second switch was found',
}

export function alarmText(code: number): string {
  return ALARMS[code] ?? `alarm ${code}`
}
