// Values as Home Assistant reads and writes them. What it sends is a stranger's text: it becomes a value only here.

import type { Json } from '../../../core/dispatch.ts'
import { isData } from '../payload.ts'

/** What Home Assistant shows as unknown. */
export const UNKNOWN = 'None'
export const ON = 'ON'
export const OFF = 'OFF'
export const PRESS = 'PRESS'

/** Letters of a state in Home Assistant, and of a text that it sends. */
export const LETTERS = 255

const DECIMAL = /^[+-]?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,2})?$/

export function showBoolean(value: Json): string {
  return typeof value === 'boolean' ? (value ? ON : OFF) : UNKNOWN
}

export function showNumber(value: Json): string {
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : UNKNOWN
}

/** Only what is on the list: Home Assistant takes no other state of an enumeration. */
export function showChoice(value: Json, values: (string | number)[]): string {
  return values.includes(value as string) ? String(value) : UNKNOWN
}

export function showText(value: Json): string {
  if (value === null || value === '') return UNKNOWN
  return clip(typeof value === 'string' ? value : JSON.stringify(value))
}

/** Lists as their words, where they have words; else how many there are. */
export function showList(value: Json): string {
  if (!Array.isArray(value)) return UNKNOWN
  const areWords = value.every((one) => typeof one === 'string' || typeof one === 'number')
  return areWords ? clip(value.join(', ') || 'none') : String(value.length)
}

/** Something is on the list: a problem. */
export function showAlarms(value: Json): string {
  return Array.isArray(value) ? (value.length > 0 ? ON : OFF) : UNKNOWN
}

/** An occurrence: `{ value, seq }`, of one of some types. What has no type of its own is of the type of its point. */
export function showEvent(report: Json, types: string[]): string {
  const value = isData(report) ? (report.value ?? null) : report
  const type = types.includes(String(value)) ? String(value) : (types.at(-1) as string)
  const more = isData(value) ? value : { value }
  return JSON.stringify({ ...more, event_type: type, ...(isData(report) && { seq: report.seq ?? null }) })
}

/** @throws {Error} why it can't be */
export function readBoolean(payload: string): Json {
  if (payload !== ON && payload !== OFF) throw new Error(`"${ON}" or "${OFF}" is expected`)
  return payload === ON
}

/** @throws {Error} why it can't be */
export function readNumber(payload: string, whole: boolean): Json {
  const value = DECIMAL.test(payload) ? Number(payload) : Number.NaN
  if (!Number.isFinite(value)) throw new Error('a decimal number is expected')
  if (whole && !Number.isSafeInteger(value)) throw new Error('a whole number is expected')
  return value
}

/** The value that is written like this. @throws {Error} why it can't be */
export function readChoice(payload: string, values: (string | number)[]): string | number {
  const value = values.find((one) => String(one) === payload)
  if (value === undefined)
    throw new Error(`one of ${clip(values.join(', ') || 'nothing so far')} is expected`)
  return value
}

/** @throws {Error} why it can't be */
export function readText(payload: string): Json {
  if (payload.length > LETTERS || /\p{Cc}/u.test(payload)) {
    throw new Error(`at most ${LETTERS} letters without control letters are expected`)
  }
  return payload
}

/** @throws {Error} why it can't be */
export function readPress(payload: string): void {
  if (payload !== PRESS) throw new Error(`"${PRESS}" is expected`)
}

export function clip(text: string): string {
  const letters = [...text]
  return letters.length > LETTERS ? `${letters.slice(0, LETTERS - 1).join('')}…` : text
}
