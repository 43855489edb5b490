// What is known of the engine: the last value of every resource, and the latest numbers of those that are numbers. Who
// shows something is told at most ten times a second, however often it changes.

import type { Json } from '../core/dispatch.ts'

/** One list of numbers over time. */
export interface Series {
  /** Seconds since the epoch. */
  times: number[]
  values: number[]
}

export type Listener = (value: Json | undefined) => void

const FLUSH = 100
/** Between the names of numbers inside values, in keys: no name has it. */
export const INSIDE = '\u001f'

/** Numbers that are kept: of each series, and how many series. */
const SAMPLES = 1800
const SERIES = 200
/** Seconds between two samples that are kept; of what comes in between the last one counts. */
const GRAIN = 1
const DEPTH = 3

export class Store {
  readonly series = new Map<string, Series>()
  /** How far back each was asked for, in seconds. */
  readonly reached = new Map<string, number>()
  #values = new Map<string, Json>()
  #listeners = new Map<string, Set<Listener>>()
  #dirty = new Set<string>()
  #timer: ReturnType<typeof setTimeout> | undefined

  get(key: string): Json | undefined {
    return this.#values.get(key)
  }

  /** `isData`: its numbers are kept too, whether or not they have changed. */
  set(key: string, value: Json, isData = false): void {
    this.#values.set(key, value)
    if (isData) this.#sample(key, value, 0)
    this.touch(key)
  }

  /** Who shows this shows it again. */
  touch(key: string): void {
    if (!this.#listeners.has(key)) return
    this.#dirty.add(key)
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH)
  }

  /** Told now, and at every change. Returns what ends it. */
  on(key: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, listeners.add(listener))
    listener(this.#values.get(key))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) this.#listeners.delete(key)
    }
  }

  /** Puts what was before the page came in front of what it has seen itself. */
  prepend(key: string, { times, values }: Series): void {
    const series = this.#seriesOf(key)
    if (!series) return
    const first = series.times[0] ?? Number.POSITIVE_INFINITY
    const older = times.findIndex((time) => time >= first - GRAIN)
    const count = older < 0 ? times.length : older
    series.times.unshift(...times.slice(0, count))
    series.values.unshift(...values.slice(0, count))
    this.touch(key)
  }

  #sample(key: string, value: Json, depth: number): void {
    if (typeof value === 'number') return this.#add(key, value)
    if (depth === DEPTH || typeof value !== 'object' || value === null || Array.isArray(value)) return
    for (const [name, item] of Object.entries(value))
      this.#sample(`${key}${INSIDE}${name}`, item as Json, depth + 1)
  }

  #add(key: string, value: number): void {
    const series = this.#seriesOf(key)
    if (!series) return
    const { times, values } = series
    const now = Date.now() / 1000
    const last = times.length - 1
    if (last > 0 && now - (times[last - 1] as number) < GRAIN) {
      times[last] = now
      values[last] = value
      return
    }
    times.push(now)
    values.push(value)
    if (times.length <= SAMPLES) return
    times.splice(0, SAMPLES / 10)
    values.splice(0, SAMPLES / 10)
  }

  #seriesOf(key: string): Series | undefined {
    const known = this.series.get(key)
    if (known || this.series.size >= SERIES) return known
    const series = { times: [], values: [] }
    this.series.set(key, series)
    return series
  }

  #flush(): void {
    this.#timer = undefined
    const dirty = [...this.#dirty]
    this.#dirty.clear()
    for (const key of dirty)
      for (const listener of this.#listeners.get(key) ?? []) listener(this.#values.get(key))
  }
}
