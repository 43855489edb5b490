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
  #onLate: (error: Error) => void
  #running: Operation | undefined
  #waiting: Operation[] = []

  /** `onLate` is called when an operation has run into its deadline, before the next one begins. */
  constructor(clock: Clock, onLate: (error: Error) => void) {
    this.#clock = clock
    this.#onLate = onLate
  }

  /** Runs `work` when its turn comes; the deadline counts from then, and rejects with what `late` makes. */
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
          let tooLate: Error | undefined
          this.#running = operation
          deadline(this.#clock, ms, work(), () => {
            tooLate = late()
            return tooLate
          })
            .then(resolve, reject)
            .finally(() => this.#ended(operation, tooLate))
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

  #ended(operation: Operation, tooLate: Error | undefined): void {
    if (this.#running !== operation) return
    this.#running = undefined
    if (tooLate) this.#onLate(tooLate)
    this.#next()
  }

  #next(): void {
    if (!this.#running) this.#waiting.shift()?.start()
  }
}
