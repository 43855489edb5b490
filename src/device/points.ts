// The last known value of every point, since when, and whether it is from before the link broke.

import type { Clock } from '../core/clock.ts'
import type { Json } from '../core/dispatch.ts'
import type { Owner } from '../core/owner.ts'
import { elementsOf, type Shape } from './profile.ts'
import { canonical } from './values.ts'

interface Known {
  value: Json
  /** `value` as text, to tell a change. */
  text: string
  heardAt: number
  session: number
  /** Occurrences of an event so far. */
  seq: number
}

/** What a GET of a point answers (design §9.5). `age` in ms, null: never heard. */
export type Reading = {
  value: Json
  unit: string | null
  age: number | null
  /** The link has been down since it was heard: it may no longer be true. */
  retained: boolean
  online: boolean
}

export class Points {
  #shape: () => Shape
  #owner: Owner
  #clock: Clock
  #known = new Map<string, Known>()
  #session = 0

  /** `shape`: what the thing has at present. */
  constructor(shape: () => Shape, owner: Owner, clock: Clock) {
    this.#shape = shape
    this.#owner = owner
    this.#clock = clock
  }

  /** Keeps a value and reports it if it has changed, or if it is an event. */
  set(point: string, value: Json): void {
    const described = this.#shape().points[point]
    if (!described) throw new Error(`there is no point "${point}"`)
    const text = canonical(value)
    const before = this.#known.get(point)
    const seq = (before?.seq ?? 0) + 1
    this.#known.set(point, { value, text, heardAt: this.#clock.now(), session: this.#session, seq })
    if (described.event) this.#owner.report(elementsOf(point), { value, seq }, { event: true })
    else if (before?.text !== text) this.#owner.report(elementsOf(point), value)
  }

  /** The link is down: values stay, marked as retained. The state of what can't be heard is unknown. */
  lose(): void {
    this.#session++
    const state = this.#known.get('state')
    if (!state || state.value === 'unknown') return
    this.#known.set('state', { ...state, value: 'unknown', text: canonical('unknown') })
    this.#owner.report(['state'], 'unknown')
  }

  knows(point: string): boolean {
    return this.#known.has(point)
  }

  read(point: string, online: boolean): Reading {
    const known = this.#known.get(point)
    return {
      value: known?.value ?? null,
      unit: this.#shape().points[point]?.unit ?? null,
      age: known ? Math.round(this.#clock.now() - known.heardAt) : null,
      retained: known !== undefined && known.session !== this.#session,
      online,
    }
  }

  /** The values of all points that can be read; null: not known yet. */
  all(): Record<string, Json> {
    const values: Record<string, Json> = {}
    for (const [name, { methods }] of Object.entries(this.#shape().points)) {
      if (methods.includes('GET')) values[name] = this.#known.get(name)?.value ?? null
    }
    return values
  }

  /** Whether anybody is bound to a point. */
  watched(): boolean {
    return Object.keys(this.#shape().points).some((point) => this.#owner.watched(elementsOf(point)))
  }
}
