// How much work strangers can cause (spec B11, R18): so many public-key operations a second, per connection.

import type { Clock } from '../core/clock.ts'

interface Bucket {
  left: number
  at: number
}

export class Budget {
  #clock: Clock
  #rate: number
  #burst: number
  #buckets = new Map<string, Bucket>()

  /** @param rate operations per second. @param burst operations at once. */
  constructor(clock: Clock, rate: number, burst: number) {
    this.#clock = clock
    this.#rate = rate
    this.#burst = burst
  }

  get size(): number {
    return this.#buckets.size
  }

  /** `false`: spent. */
  take(key: string): boolean {
    const now = this.#clock.now()
    const bucket = this.#buckets.get(key) ?? { left: this.#burst, at: now }
    bucket.left = Math.min(this.#burst, bucket.left + ((now - bucket.at) * this.#rate) / 1000)
    bucket.at = now
    this.#buckets.set(key, bucket)
    if (bucket.left < 1) return false
    bucket.left--
    return true
  }

  /** The connection is gone. */
  forget(key: string): void {
    this.#buckets.delete(key)
  }
}
