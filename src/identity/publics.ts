// What is signed for nobody in particular (spec B7, R11): no challenge binds it, so the author is asked once per start
// how far it has counted. Until it says so, what came waits.

import type { Clock } from '../core/clock.ts'
import { Window } from './window.ts'

const HELD = 64
const PATIENCE = 10_000
const AUTHORS = 1000

export type Standing =
  /** It may be delivered; `stale`: it may have been held back for any time. */
  | { kind: 'new'; stale: boolean }
  | { kind: 'seen' }
  /** The author is to be asked. */
  | { kind: 'unknown' }

interface Author {
  b: string
  /** Up to here it may be old. */
  floor: number
  window: Window
}

interface Waiting<T> {
  b: string
  n: number
  item: T
}

/** @template T what waits. */
export class Publics<T> {
  #clock: Clock
  #authors = new Map<string, Author>()
  #held = new Map<string, { since: number; waiting: Waiting<T>[] }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#authors.size + this.#held.size
  }

  /** Takes a counter whose signature was verified. */
  take(key: string, b: string, n: number): Standing {
    const author = this.#authors.get(key)
    if (author?.b !== b) return { kind: 'unknown' }
    if (!author.window.mark(n)) return { kind: 'seen' }
    return { kind: 'new', stale: n <= author.floor }
  }

  /** Waits until the author is heard. `false`: as many wait as may. */
  hold(key: string, b: string, n: number, item: T): boolean {
    const held = this.#held.get(key) ?? { since: this.#clock.now(), waiting: [] }
    if (held.waiting.length >= HELD || (!this.#held.has(key) && this.#held.size >= AUTHORS)) return false
    held.waiting.push({ b, n, item })
    this.#held.set(key, held)
    return true
  }

  /** The author has said where it stands; what waited comes back, and is to be taken. What is of another start is dropped. */
  heard(key: string, b: string, n: number): Waiting<T>[] {
    const author = this.#authors.get(key)
    if (author?.b !== b) {
      if (!author && this.#authors.size >= AUTHORS)
        this.#authors.delete(this.#authors.keys().next().value as string)
      this.#authors.set(key, { b, floor: n, window: new Window(1024) })
    }
    const { waiting = [] } = this.#held.get(key) ?? {}
    this.#held.delete(key)
    return waiting.filter((it) => it.b === b)
  }

  /** What has waited too long: the author can't be reached. */
  overdue(): T[] {
    const now = this.#clock.now()
    const late: T[] = []
    for (const [key, { since, waiting }] of this.#held) {
      if (now - since < PATIENCE) continue
      this.#held.delete(key)
      late.push(...waiting.map(({ item }) => item))
    }
    return late
  }

  tick(isKnown: (key: string) => boolean): void {
    for (const table of [this.#authors, this.#held]) {
      for (const key of table.keys()) if (!isKnown(key)) table.delete(key)
    }
  }
}
