// What Marlin says, line by line (facts A4): `ok`, which answers a line, and everything else, which does not.

import type { Json } from '#device'

export type Line =
  /** The oldest line was taken. Temperatures may come with it. */
  | { is: 'ok'; heat: Heat | undefined }
  /** It wants this line, and those after it, again. */
  | { is: 'resend'; number: number }
  /** It is at something long: nobody should think that it is gone. */
  | { is: 'busy'; with: string }
  /** It has nothing to do. */
  | { is: 'wait' }
  /** It has started. */
  | { is: 'start' }
  /** `isHalted`: nothing more is done before a restart, or before it is unlocked. */
  | { is: 'error'; text: string; isHalted: boolean }
  | { is: 'unknown'; command: string }
  | { is: 'firmware'; fields: Record<string, string> }
  | { is: 'capability'; name: string; isOn: boolean }
  | { is: 'heat'; heat: Heat }
  | { is: 'position'; position: Record<string, number> }
  | { is: 'setting'; code: string; values: Record<string, number> }
  /** `echo:…`, `//…`, and whatever newer firmware says. */
  | { is: 'info'; text: string }
  /** Nothing that Marlin could have said: another speed, or another machine. */
  | { is: 'noise' }

/** By heater, degrees. */
export type Heat = Record<string, { now: number; target: number }>

/** Complaints about a line's number or checksum: the `Resend:` that follows is what counts. */
const LINE_ERROR = /checksum|line number/i
const HALTED = /halted|kill\(\)|stopped|shutdown/i

/** What a line means. */
export function readLine(text: string): Line {
  const line = text.trim()
  if (/[^\x20-\x7e\t°]/.test(line)) return { is: 'noise' }
  if (/^ok\b/.test(line)) return { is: 'ok', heat: readHeat(line) }
  const resend = /^Resend: ?(\d{1,9})$/.exec(line)
  if (resend) return { is: 'resend', number: Number(resend[1]) }
  const busy = /^(?:echo:\s*)?busy: ?(.*)$/.exec(line)
  if (busy) return { is: 'busy', with: busy[1] as string }
  if (line === 'wait') return { is: 'wait' }
  if (line === 'start') return { is: 'start' }
  const error = /^(?:Error:|!! ?)(.*)$/.exec(line)
  if (error) return readError(error[1] as string)
  const unknown = /^echo:\s*Unknown command: "?([^"]*)"?/.exec(line)
  if (unknown) return { is: 'unknown', command: unknown[1] as string }
  return readReport(line) ?? { is: 'info', text: line.replace(/^(echo:|\/\/)\s*/, '') }
}

function readError(text: string): Line {
  if (LINE_ERROR.test(text)) return { is: 'info', text }
  return { is: 'error', text, isHalted: HALTED.test(text) }
}

function readReport(line: string): Line | undefined {
  if (line.startsWith('FIRMWARE_NAME:')) return { is: 'firmware', fields: readFields(line) }
  const capability = /^Cap:([A-Z0-9_]+):([01])$/.exec(line)
  if (capability) return { is: 'capability', name: capability[1] as string, isOn: capability[2] === '1' }
  const setting = /^(?:echo:)?\s*([GM]\d+)((?: [A-Z]-?[\d.]+)+)$/.exec(line)
  if (setting)
    return {
      is: 'setting',
      code: setting[1] as string,
      values: readLetters(setting[2] as string, /([A-Z])(-?[\d.]+)/g),
    }
  if (/^X:-?[\d.]/.test(line)) {
    const position = readLetters((line.split('Count')[0] as string).toLowerCase(), /\b([a-z]):(-?[\d.]+)/g)
    return { is: 'position', position }
  }
  const heat = readHeat(line)
  return heat && { is: 'heat', heat }
}

/** `T:201.0 /202.0 B:60.1 /60.0 T1:…`, with more after it. */
function readHeat(line: string): Heat | undefined {
  const heat: Heat = {}
  for (const [, letter, now, target] of line.matchAll(/(?:^|\s)(T\d?|B|C): ?(-?[\d.]+) ?\/ ?(-?[\d.]+)/g)) {
    heat[heaterOf(letter as string)] = { now: Number(now), target: Number(target) }
  }
  return Object.keys(heat).length > 0 ? heat : undefined
}

function heaterOf(letter: string): string {
  if (letter === 'B') return 'bed'
  if (letter === 'C') return 'chamber'
  const number = letter.slice(1)
  return number === '' || number === '0' ? 'hotend' : `hotend${number}`
}

/** `FIRMWARE_NAME:Marlin 2.1 PROTOCOL_VERSION:1.0 …`: a value goes on until the next name. */
function readFields(line: string): Record<string, string> {
  const fields = [...line.matchAll(/([A-Z_]{4,}):(.*?)(?=\s+[A-Z_]{4,}:|\s*$)/g)]
  return Object.fromEntries(fields.map(([, name, value]) => [name as string, value as string]))
}

function readLetters(text: string, pattern: RegExp): Record<string, number> {
  return Object.fromEntries(
    [...text.matchAll(pattern)].map(([, letter, value]) => [letter as string, Number(value)]),
  )
}

/** As it is reported. */
export function firmwareOf(fields: Record<string, string>, capabilities: Record<string, boolean>): Json {
  return {
    name: fields.FIRMWARE_NAME ?? null,
    machine: fields.MACHINE_TYPE ?? null,
    uuid: fields.UUID ?? null,
    capabilities,
  }
}
