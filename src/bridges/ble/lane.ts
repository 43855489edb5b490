// Operations one after another, each with a deadline. Whoever waits is told when it is all over.

import type { Clock } from '../../core/clock.ts'
import { LinkError } from '../../device/link.ts'

const MAX_WAITING = 32

/** Settles as `work` does, or rejects with what `late` makes after `ms`. The work itself goes on: cancel it if you can. */
export function deadline<T>(clock: Clock, ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(late()))
    work.then(resolve, reject).finally(cancel)
  })
}

interface Operation {
  start(): void
  reject(error: Error): void
}

/** A queue of at most 32 operations of which one runs. */
export class Lane {
  #clock: Clock
  #running: Operation | undefined
  #waiting: Operation[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Runs `work` when its turn comes; the deadline counts from then. */
  run<T>(ms: number, late: () => Error, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(
        new LinkError('refused', `${MAX_WAITING} operations are waiting already: send less often`),
      )
    }
    return new Promise<T>((resolve, reject) => {
      const operation: Operation = {
        reject,
        start: () => {
          this.#running = operation
          deadline(this.#clock, ms, work(), late)
            .then(resolve, reject)
            .finally(() => this.#ended(operation))
        },
      }
      this.#waiting.push(operation)
      this.#next()
    })
  }

  /** Rejects all of it: what runs with `running`, what has not begun with `waiting`. */
  clear(running: Error, waiting: Error): void {
    this.#running?.reject(running)
    this.#running = undefined
    for (const operation of this.#waiting.splice(0)) operation.reject(waiting)
  }

  #ended(operation: Operation): void {
    if (this.#running !== operation) return
    this.#running = undefined
    this.#next()
  }

  #next(): void {
    if (!this.#running) this.#waiting.shift()?.start()
  }
}
