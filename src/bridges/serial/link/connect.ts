// How a session is looked for: a reset every 150 ms, at one speed after the other (LINK.md, Session and Speed).

import type { Cancel, Clock } from '../../../core/clock.ts'

/** All speeds that the link may have, in the order in which they are tried. */
export const SPEEDS = [115200, 500000, 250000, 1000000, 57600, 38400, 9600]

/** Milliseconds from one reset to the next, and when there was no answer for long. */
const EVERY = 150
const SELDOM = 1000
/** Milliseconds at one speed: at the first after opening (boards restart then), at the first later on, at any other. */
const BOOTING = 2000
const FIRST = 480
const OTHER = 160
/** Rounds after which it is looked for with less zeal. */
const EAGER = 4

export interface Seeker {
  reset(): void
  /** Resolves when the next byte goes out at this speed. */
  speed(speed: number): Promise<void>
}

export class Connect {
  #clock: Clock
  #seeker: Seeker
  #speeds: number[] = []
  #speed = 0
  #timers: Cancel[] = []
  #run = 0

  constructor(clock: Clock, seeker: Seeker) {
    this.#clock = clock
    this.#seeker = seeker
  }

  /**
   * @param speeds to be tried, first things first
   * @param speed at which the port is now
   * @param isBooting the port has just been opened
   */
  start(speeds: number[], speed: number, isBooting: boolean): void {
    this.stop()
    this.#speeds = speeds
    this.#speed = speed
    void this.#slot(this.#run, 0, 0, isBooting)
  }

  stop(): void {
    this.#run++
    for (const cancel of this.#timers.splice(0)) cancel()
  }

  async #slot(run: number, round: number, at: number, isBooting: boolean): Promise<void> {
    const speed = this.#speeds[at] as number
    if (speed !== this.#speed) {
      this.#speed = speed
      await this.#seeker.speed(speed)
      if (run !== this.#run) return
    }
    const isEager = round < EAGER
    const ms = at > 0 ? OTHER : isBooting ? BOOTING : isEager ? FIRST : 2 * SELDOM
    const isOnly = this.#speeds.length === 1
    this.#timers = [
      this.#clock.after(ms, () => {
        const isLast = at === this.#speeds.length - 1
        void this.#slot(run, isLast ? round + 1 : round, isLast ? 0 : at + 1, false)
      }),
    ]
    this.#reset(run, isEager ? EVERY : SELDOM, isOnly || at === 0 ? ms : 0)
  }

  /** Now, and as long as there is time for an answer. */
  #reset(run: number, every: number, left: number): void {
    if (run !== this.#run) return
    this.#seeker.reset()
    if (left <= every) return
    this.#timers.push(this.#clock.after(every, () => this.#reset(run, every, left - every)))
  }
}
