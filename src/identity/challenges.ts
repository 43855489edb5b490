// Freshness without a clock (spec B7, R12): the challenge that a request must carry, and the one-time challenges of
// rules with `fresh`. Monotonic time only.

import type { Clock } from '../core/clock.ts'
import type { Element } from '../core/dispatch.ts'
import { equal } from './bytes.ts'
import type { Provider } from './provider.ts'

export const CHALLENGE_LENGTH = 16
const PERIOD = 600_000
const ONE_TIME = 16

interface Issued {
  ch: string
  /** The resource that it was issued for. */
  about: string
  at: number
}

export class Challenges {
  #provider: Provider
  #clock: Clock
  #current: Uint8Array
  #previous: Uint8Array | undefined
  #since: number
  #rotations = 0
  #issued = new Map<string, Issued[]>()

  constructor(provider: Provider, clock: Clock) {
    this.#provider = provider
    this.#clock = clock
    this.#current = provider.random(CHALLENGE_LENGTH)
    this.#since = clock.now()
  }

  get current(): Uint8Array {
    this.#turn()
    return this.#current
  }

  /** How often it was replaced: what windows are dropped by (R10). */
  get rotations(): number {
    this.#turn()
    return this.#rotations
  }

  /** Keys that hold one-time challenges. */
  get size(): number {
    return this.#issued.size
  }

  accepts(ch: Uint8Array): boolean {
    this.#turn()
    return equal(ch, this.#current) || (this.#previous !== undefined && equal(ch, this.#previous))
  }

  /** A one-time challenge for one key and one resource; at most 16 per key are out, the oldest gives way. */
  issue(key: string, resource: Element[]): string {
    const list = this.#issued.get(key) ?? []
    if (list.length >= ONE_TIME) list.shift()
    const ch = this.#provider.toText(this.#provider.random(CHALLENGE_LENGTH))
    list.push({ ch, about: JSON.stringify(resource), at: this.#clock.now() })
    this.#issued.set(key, list)
    return ch
  }

  /** Whether it was issued to that key for that resource, no longer ago than that. */
  isFresh(key: string, resource: Element[], ch: string, seconds: number): boolean {
    const about = JSON.stringify(resource)
    const issued = this.#issued.get(key)?.find((it) => it.ch === ch && it.about === about)
    return issued !== undefined && this.#clock.now() - issued.at <= seconds * 1000
  }

  /** Once used it is void, and so are those issued before it for that resource. */
  use(key: string, resource: Element[], ch: string): void {
    const list = this.#issued.get(key)
    const about = JSON.stringify(resource)
    const at = list?.findIndex((it) => it.ch === ch && it.about === about) ?? -1
    if (!list || at < 0) return
    const rest = list.filter((it, i) => i > at || it.about !== about)
    if (rest.length > 0) this.#issued.set(key, rest)
    else this.#issued.delete(key)
  }

  tick(isKnown: (key: string) => boolean): void {
    for (const key of this.#issued.keys()) if (!isKnown(key)) this.#issued.delete(key)
  }

  #turn(): void {
    const periods = Math.floor((this.#clock.now() - this.#since) / PERIOD)
    if (periods < 1) return
    this.#since += periods * PERIOD
    this.#rotations += periods
    this.#previous = periods === 1 ? this.#current : undefined
    this.#current = this.#provider.random(CHALLENGE_LENGTH)
  }
}
