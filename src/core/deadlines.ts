// Things that all have the same time to live: one timer and one list in order of age serve any number of them.

import type { Cancel, Clock } from './clock.ts'

export class Deadlines<T> {
  #clock: Clock
  #ms: number
  #expire: (item: T) => void
  /** When each falls due; oldest first, since all have the same time. */
  #due = new Map<T, number>()
  #timer: Cancel | undefined

  constructor(clock: Clock, ms: number, expire: (item: T) => void) {
    this.#clock = clock
    this.#ms = ms
    this.#expire = expire
  }

  get size(): number {
    return this.#due.size
  }

  /** Gives an item its whole time, also when it has some left. */
  start(item: T): void {
    this.#due.delete(item)
    this.#due.set(item, this.#clock.now() + this.#ms)
    this.#timer ??= this.#clock.after(this.#ms, () => this.#sweep())
  }

  /** All that have time left, oldest first. */
  items(): T[] {
    return [...this.#due.keys()]
  }

  stop(item: T): void {
    if (this.#due.delete(item) && this.#due.size === 0) this.clear()
  }

  clear(): void {
    this.#due.clear()
    this.#timer?.()
    this.#timer = undefined
  }

  #sweep(): void {
    this.#timer = undefined
    const now = this.#clock.now()
    const expired: T[] = []
    for (const [item, due] of this.#due) {
      if (due > now) {
        this.#timer = this.#clock.after(due - now, () => this.#sweep())
        break
      }
      expired.push(item)
    }
    for (const item of expired) {
      if (this.#due.delete(item)) this.#expire(item)
    }
  }
}
