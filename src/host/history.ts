// The last hours of every number that is reported (issue 7): in memory, bounded, for charts that start full.
// `GET ["engine","history", …resource]`.

import type { Clock } from '../core/clock.ts'
import type { Element, Json } from '../core/dispatch.ts'
import type { Meters } from '../core/meters.ts'
import type { Owner, Request } from '../core/owner.ts'
import { JstpError, STATUS } from '../core/status.ts'
import { type Bucket, Series } from './history-series.ts'
import type { Schema } from './schema.ts'

export interface HistorySettings {
  /** How long something is remembered, and how long a step is; milliseconds. */
  keep: number
  step: number
  /** Numbers that are remembered. */
  series: number
  /** Whether it outlives a restart. */
  save: boolean
}

/** As it is written, after the schema has been checked. */
export interface WrittenHistory {
  hours?: number
  step?: number
  series?: number
  save?: boolean
}

const DEFAULTS = { hours: 6, step: 10, series: 200, save: false }
const HOUR = 3_600_000
/** Steps of one answer: more make a chart no better, and a frame has an end. */
const MOST = 5000
/** Numbers below each other inside one value. */
const DEPTH = 4

export const HISTORY_POINTS = {
  history: {
    type: 'object',
    description:
      'The last hours of numbers: GET it for what there is, GET ["engine","history", …resource] for one',
  },
} as const

export const historySchema: Schema = {
  description: 'How much of the past of numbers is remembered, in memory.',
  type: 'object',
  properties: {
    hours: { description: 'How long.', type: 'number', minimum: 0, maximum: 168, default: DEFAULTS.hours },
    step: {
      description: 'Seconds of one step.',
      type: 'number',
      minimum: 1,
      maximum: 3600,
      default: DEFAULTS.step,
    },
    series: {
      description: 'How many numbers.',
      type: 'integer',
      minimum: 0,
      maximum: 10_000,
      default: DEFAULTS.series,
    },
    save: {
      description: 'Whether it outlives a restart; costs at most 2 MB of writing a day.',
      type: 'boolean',
      default: DEFAULTS.save,
    },
  },
  additionalProperties: false,
}

export function toHistory(written: WrittenHistory): HistorySettings {
  const { hours, step, series, save } = { ...DEFAULTS, ...written }
  return { keep: hours * HOUR, step: step * 1000, series, save }
}

/** What of the past outlives a restart; ages in steps before now. */
export type Saved = [resource: Element[], buckets: [age: number, mean: number, min: number, max: number][]][]

export class History {
  readonly settings: HistorySettings
  #clock: Pick<Clock, 'now'>
  #meters: Meters
  #series = new Map<string, Series>()

  constructor(settings: HistorySettings, clock: Pick<Clock, 'now'>, meters: Meters) {
    this.settings = settings
    this.#clock = clock
    this.#meters = meters
  }

  /** Takes in a report: a number, or the numbers inside an object. */
  record(resource: Element[], value: Json, depth = 0): void {
    if (typeof value === 'number') this.#add(resource, value)
    else if (typeof value === 'object' && value !== null && !Array.isArray(value) && depth < DEPTH) {
      for (const [name, inner] of Object.entries(value))
        this.record([...resource, name], inner as Json, depth + 1)
    }
  }

  /** The numbers that are remembered of a resource and below it. */
  list(resource: Element[]): Element[][] {
    return [...this.#series.keys()]
      .map((key) => JSON.parse(key) as Element[])
      .filter((known) => resource.every((element, index) => known[index] === element))
  }

  /**
   * The past of one number, oldest first; the first may be older than `since`, for it held until then. Each list has one
   * entry for a step in which it was heard. Ages are milliseconds.
   * @returns `undefined`: nothing is remembered of it
   */
  read(resource: Element[], since = this.settings.keep, step = this.settings.step) {
    const series = this.#series.get(JSON.stringify(resource))
    if (!series) return undefined
    const wide = Math.max(
      1,
      Math.round(step / this.settings.step),
      Math.ceil(since / this.settings.step / MOST),
    )
    const now = this.#now()
    const columns = {
      step: wide * this.settings.step,
      age: [] as number[],
      mean: [] as number[],
      min: [] as number[],
      max: [] as number[],
    }
    for (const { at, mean, min, max } of widened(
      series.read(now - Math.ceil(since / this.settings.step)),
      wide,
    )) {
      columns.age.push(Math.round(this.#clock.now() - at * this.settings.step))
      columns.mean.push(round(mean))
      columns.min.push(round(min))
      columns.max.push(round(max))
    }
    return columns
  }

  /** All of it, for a file. */
  save(): Saved {
    const now = this.#now()
    return [...this.#series].map(([key, series]) => [
      JSON.parse(key),
      [...series.read(Number.NEGATIVE_INFINITY)].map(({ at, mean, min, max }) => [
        now - at,
        round(mean),
        round(min),
        round(max),
      ]),
    ])
  }

  /** Takes back what was saved `ms` ago. What was reported since then stays as it is. */
  restore(saved: Saved, ms: number): void {
    const now = this.#now() - Math.round(ms / this.settings.step)
    for (const [resource, buckets] of saved) {
      const key = JSON.stringify(resource)
      if (this.#series.has(key) || this.#series.size >= this.settings.series) continue
      const series = new Series(this.#most)
      for (const [age, mean, min, max] of buckets) series.append({ at: now - age, mean, min, max })
      this.#series.set(key, series)
    }
  }

  get #most(): number {
    return Math.max(1, Math.ceil(this.settings.keep / this.settings.step))
  }

  #now(): number {
    return Math.floor(this.#clock.now() / this.settings.step)
  }

  #add(resource: Element[], value: number): void {
    if (!Number.isFinite(value)) return
    const key = JSON.stringify(resource)
    let series = this.#series.get(key)
    if (!series) {
      if (this.#series.size >= this.settings.series || this.settings.keep === 0) {
        this.#meters.count('history.dropped')
        return
      }
      series = new Series(this.#most)
      this.#series.set(key, series)
    }
    series.add(this.#now(), value)
  }
}

/** Answers for the owner of `engine`. */
export function exposeHistory(owner: Owner, history: History): void {
  owner.handle('GET', ['history'], () => summary(history, []))
  owner.handle('GET', ['history', '...'], ({ dispatch }: Request) => {
    const resource = (dispatch.resource ?? []).slice(2)
    const { since, step } = wishes(dispatch.body)
    const read = history.read(resource, since, step)
    if (read) return read
    if (history.list(resource).length > 0) return summary(history, resource)
    const message = `nothing is remembered of ${JSON.stringify(resource).slice(0, 200)}: only numbers that were reported are; GET ["engine","history"] lists them`
    throw new JstpError(STATUS.NOT_FOUND, message)
  })
}

function summary(history: History, resource: Element[]): Json {
  const { keep, step, series } = history.settings
  return { keep, step, most: series, series: history.list(resource) }
}

/** @throws {JstpError} 400 */
function wishes(body: Json | undefined): { since?: number; step?: number } {
  if (body === undefined || body === null) return {}
  const known = typeof body === 'object' && !Array.isArray(body) ? body : { body }
  for (const [name, value] of Object.entries(known)) {
    const isRight = ['since', 'step'].includes(name) && typeof value === 'number' && value > 0
    if (isRight) continue
    const message = `${name}: ${JSON.stringify(value).slice(0, 60)} can't be: the body is { "since": ms ago, "step": ms }, both can be left out`
    throw new JstpError(STATUS.BAD_DISPATCH, message, { code: 'range' })
  }
  return known
}

/** Joins `wide` steps into one. */
function* widened(buckets: Iterable<Bucket>, wide: number): Generator<Bucket> {
  let joined: (Bucket & { count: number }) | undefined
  for (const bucket of buckets) {
    const at = Math.floor(bucket.at / wide) * wide
    if (joined?.at === at) {
      joined.count++
      joined.mean += (bucket.mean - joined.mean) / joined.count
      joined.min = Math.min(joined.min, bucket.min)
      joined.max = Math.max(joined.max, bucket.max)
      continue
    }
    if (joined) yield joined
    joined = { ...bucket, at, count: 1 }
  }
  if (joined) yield joined
}

/** As much as a Float32 knows. */
function round(value: number): number {
  return Number(value.toPrecision(7))
}
