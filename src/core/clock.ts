// Time. The only place that sets timers, so that a test can drive all of it.

declare function setTimeout(run: () => void, ms: number): unknown
declare function clearTimeout(timer: unknown): void
declare const performance: { now(): number }

/** Stops a timer; harmless when it has run already. */
export type Cancel = () => void

export interface Clock {
  /** Milliseconds that never jump or run backwards. For everything but stamps. */
  now(): number
  /** Milliseconds since the epoch, as far as this machine knows. For stamps only. */
  wall(): number
  /** Runs once after `ms`. Does not keep the process alive. */
  after(ms: number, run: () => void): Cancel
}

/** The clock of the machine. */
export class SystemClock implements Clock {
  now(): number {
    return performance.now()
  }

  wall(): number {
    return Date.now()
  }

  after(ms: number, run: () => void): Cancel {
    const timer = setTimeout(run, ms)
    ;(timer as { unref?: () => void }).unref?.()
    return () => clearTimeout(timer)
  }
}

/** A clock that stands still until it is told to go on: `advance` runs what falls due, in its order. */
export class TestClock implements Clock {
  #now = 0
  #wall: number
  #timers = new Set<{ at: number; run: () => void }>()

  constructor(wall = 1_700_000_000_000) {
    this.#wall = wall
  }

  now(): number {
    return this.#now
  }

  wall(): number {
    return this.#wall + this.#now
  }

  /** How many timers are set: none may be left at the end of a test. */
  get pending(): number {
    return this.#timers.size
  }

  after(ms: number, run: () => void): Cancel {
    const timer = { at: this.#now + Math.max(0, ms), run }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  /** Lets `ms` pass. Promise callbacks get their turn after every timer. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await settle()
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (!due) break
      this.#timers.delete(due)
      this.#now = Math.max(this.#now, due.at)
      due.run()
    }
    this.#now = end
  }
}

/** Lets the promise callbacks that are ready run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await null
}
