// What the parts of the picture have in common: the frame that they are drawn into, words and colours for states.

import type { Disk, EngineView, Share, State } from './top-model.ts'
import {
  clean,
  duration,
  flow,
  type Line,
  lengthOf,
  number,
  type Paint,
  type Piece,
  percent,
  timeOfDay,
  widthOf,
} from './top-text.ts'

export interface Frame {
  /** Cells. */
  width: number
  /** Lines; `Infinity`: as many as it takes. */
  height: number
  color: boolean
  /** By the clock of this process, as `heardAt` is. */
  now: number
  /** Milliseconds since the epoch. */
  wall: number
  /** What ends it, told in the first line. */
  hint?: string
}

/** Below that many cells in a line only the most telling is told. */
export const NARROW = 60
/** Cells of a bar, at most. */
export const BAR = 30
/** Cells of `100 %` and the space before it. */
export const NUMBER = 6
/** Milliseconds up to which figures are of now. */
export const FRESH = 2500
/** Disks and interfaces of one engine. */
export const ITEMS = 3

export const STATES: Record<State, Paint> = { ok: 'green', warning: 'yellow', critical: 'red' }

/** What may be told; `false`: it is not known, or is as always. */
export type Fact = string | false

/** `critical: disk /data`, and how old that is where it isn't of now. */
export function stateOf({ figures, heardAt, offline }: EngineView, { now, wall }: Frame): Line {
  if (offline) return [[`offline since ${timeOfDay(offline.since, wall)}`, 'red']]
  if (!figures || heardAt === undefined) return [['asking …', 'dim']]
  const { state, cause, saturation, draining } = figures
  const why = state === 'ok' ? saturation !== undefined && `${percent(saturation)} full` : cause
  const line: Line = [[why ? `${state}: ${why}` : state, STATES[state]]]
  if (draining) line.push([', draining', 'yellow'])
  const age = now - heardAt
  if (age > FRESH) line.push([` ${duration(age)} ago`, 'yellow'])
  return line
}

export function dotOf({ figures, offline }: EngineView): Piece {
  if (offline) return ['○', 'red']
  return figures ? ['●', STATES[figures.state]] : ['○', 'dim']
}

/** Left and right in one line; the right one stays whole. */
export function spread(left: Line, right: Line, width: number): Line {
  const gap = width - lengthOf(left) - lengthOf(right)
  if (gap >= 1) return [...left, ' '.repeat(gap), ...right]
  return gap < 0 && lengthOf(left) > width / 2 ? left : [...left, ' ', ...right]
}

/** As many of them behind a line as there is room for. */
export function withFacts(line: Line, facts: Fact[], width: number, gap: number, paint: Paint): Line {
  const room = width - lengthOf(line) - gap
  const [text] = flow(told(facts), room)
  if (text !== undefined && widthOf(clean(text)) <= room) line.push(' '.repeat(gap), [text, paint])
  return line
}

/** A disk is full when its space is, or its table of inodes. */
export function fillOf({ used = 0, inodes = 0 }: Disk): number {
  return Math.max(used, inodes)
}

export function fullest(disk: Disk): Share {
  return disk.used === undefined ? disk : { used: fillOf(disk), state: disk.state }
}

export function most<T>(items: T[], weight: (item: T) => number): T[] {
  return [...items].sort((a, b) => weight(b) - weight(a)).slice(0, ITEMS)
}

export function paintOf(state: State, ok: Paint): Paint {
  return state === 'ok' ? ok : STATES[state]
}

export function told(facts: Fact[]): string[] {
  return facts.filter((fact): fact is string => fact !== false && fact !== '')
}

export function count(value: number, what: string): string {
  return `${number(value)} ${what}${value === 1 ? '' : 's'}`
}
