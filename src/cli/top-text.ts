// Text for a terminal, in cells: what others have said is made harmless, measured and cut to fit; numbers become short.

import type { Json } from '../core/dispatch.ts'

export type Paint = 'green' | 'yellow' | 'red' | 'cyan' | 'dim' | 'bold'

/** A part of a line: text in one colour. */
export type Piece = string | readonly [text: string, ...paints: Paint[]]

export type Line = Piece[]

const CODES: Record<Paint, number> = { green: 32, yellow: 33, red: 31, cyan: 36, dim: 2, bold: 1 }

/** Letters of a text that are looked at. */
const MOST = 1000
/** Controls, marks of direction, joiners, letters that are none, line ends: nothing of this may reach a terminal. */
const HARMFUL = /[\p{C}\p{Zl}\p{Zp}]/gu
/** What changes how the letter before it looks, and by how many cells depends on the terminal. */
const SELECTORS = /[\u{FE00}-\u{FE0F}\u{1F3FB}-\u{1F3FF}]/gu
const NOTHING = /[\p{Mn}\p{Me}\u{1160}-\u{11FF}\u{D7B0}-\u{D7FB}]/u
/** East Asian width W and F (UAX #11), in ranges. */
const WIDE =
  /[\u{1100}-\u{115F}\u{2E80}-\u{303E}\u{3041}-\u{3247}\u{3250}-\u{4DBF}\u{4E00}-\u{A4CF}\u{A960}-\u{A97F}\u{AC00}-\u{D7A3}\u{F900}-\u{FAFF}\u{FE10}-\u{FE19}\u{FE30}-\u{FE6F}\u{FF01}-\u{FF60}\u{FFE0}-\u{FFE6}\u{16FE0}-\u{18D08}\u{1AFF0}-\u{1B2FB}\u{1F200}-\u{1F265}\u{20000}-\u{3FFFD}\p{Emoji_Presentation}]/u
const FLAGS = /[\u{1F1E6}-\u{1F1FF}]/u

/** The same without what could steer the terminal, or has no width that all agree about. */
export function clean(text: string): string {
  return text.slice(0, MOST).toWellFormed().normalize('NFC').replace(HARMFUL, '').replace(SELECTORS, '')
}

/** Cells of a text that is clean. */
export function widthOf(text: string): number {
  let width = 0
  for (const letter of text) width += cellsOf(letter)
  return width
}

/** At most that many cells; what is cut ends with `…`. */
export function clip(text: string, width: number): string {
  const all = clean(text)
  if (widthOf(all) <= width) return all
  let cut = ''
  let left = width - 1
  for (const letter of all) {
    left -= cellsOf(letter)
    if (left < 0) break
    cut += letter
  }
  return width < 1 ? '' : `${cut}…`
}

/** Exactly that many cells. */
export function fit(text: string, width: number, side: 'left' | 'right' = 'left'): string {
  const cut = clip(text, width)
  const space = ' '.repeat(Math.max(0, width - widthOf(cut)))
  return side === 'left' ? cut + space : space + cut
}

/** What a line is on the terminal: never wider than that. */
export function draw(line: Line, width: number, color: boolean): string {
  let left = width
  let text = ''
  for (const piece of line) {
    const [all, ...paints] = typeof piece === 'string' ? [piece] : piece
    const cut = clip(all, left)
    left -= widthOf(cut)
    const isPainted = color && paints.length > 0 && cut !== ''
    text += isPainted ? `\u001b[${paints.map((paint) => CODES[paint]).join(';')}m${cut}\u001b[0m` : cut
  }
  return color ? text : text.trimEnd()
}

/** Cells of a whole line. */
export function lengthOf(line: Line): number {
  return line.reduce(
    (sum, piece) => sum + widthOf(clean(typeof piece === 'string' ? piece : (piece[0] as string))),
    0,
  )
}

/** As many to a line as fit, with `between` between them. */
export function flow(parts: string[], width: number, between = ' · '): string[] {
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.at(-1)
    const both = `${last}${between}${part}`
    if (last !== undefined && widthOf(clean(both)) <= width) lines[lines.length - 1] = both
    else lines.push(part)
  }
  return lines
}

/** Full from the left as far as the ratio goes; something that is not nothing shows. */
export function bar(ratio: number, width: number): [full: string, empty: string] {
  const cells = Math.max(ratio > 0.005 ? 1 : 0, Math.round(Math.min(1, ratio) * width))
  const full = Math.min(width, cells)
  return ['█'.repeat(full), '░'.repeat(width - full)]
}

export function percent(ratio: number | undefined): string {
  return ratio === undefined ? '–' : `${Math.round(ratio * 100)} %`
}

/** Three digits: `0.92`, `12.3`, `850`, `12.3k`. */
export function number(value: number): string {
  const [scaled, unit] = scale(value)
  return `${scaled}${unit}`
}

/** `812 B`, `1.23 MB`, in steps of 1000. */
export function bytes(value: number): string {
  const [scaled, unit] = scale(value)
  return `${scaled} ${unit}B`
}

/** `12 s`, `5 min`, `3 h`, `2 days`. */
export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} days`
}

/** `14:03:59` here; with the day if it is not today's. */
export function timeOfDay(wall: number, now: number): string {
  const [date, today] = [new Date(wall), new Date(now)]
  const time = date.toTimeString().slice(0, 8)
  if (date.toDateString() === today.toDateString()) return time
  return `${date.getDate()}.${date.getMonth() + 1}. ${time.slice(0, 5)}`
}

/** One line of JSON; what it escapes not by itself but a terminal would obey is escaped too. */
export function jsonLine(value: Json | object): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function cellsOf(letter: string): number {
  if (letter < '\u0300') return 1
  if (NOTHING.test(letter)) return 0
  return WIDE.test(letter) && !FLAGS.test(letter) ? 2 : 1
}

function scale(value: number): [digits: string, unit: string] {
  let scaled = value
  let unit = 0
  while (Math.abs(scaled) >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1000
    unit++
  }
  const digits = Math.abs(scaled) >= 99.95 ? 0 : Math.abs(scaled) >= 9.995 ? 1 : 2
  return [Number(scaled.toFixed(digits)).toString(), UNITS[unit] as string]
}

const UNITS = ['', 'k', 'M', 'G', 'T', 'P']
