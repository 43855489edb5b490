// What was taken already (spec B7, R3, R10): a window per author and start of its engine, and the transaction ids that
// were carried out. Nothing of it is written to the card.

import type { Challenges } from './challenges.ts'
import { Window } from './window.ts'

const STARTS = 64
const DEAD = 2
const TRANSACTIONS = 1024

interface Start {
  window: Window
  /** The challenge's rotations when it was marked last. */
  marked: number
}

export class Replay {
  #challenges: Challenges
  #size: number
  #keys = new Map<string, Map<string, Start>>()
  #done = new Map<string, Set<string>>()

  constructor(challenges: Challenges, size: number) {
    this.#challenges = challenges
    this.#size = size
  }

  /** Windows that are kept. */
  get size(): number {
    let size = 0
    for (const starts of this.#keys.values()) size += starts.size
    return size
  }

  /** Whether a counter could be taken. */
  peek(key: string, b: string, n: number): boolean {
    const starts = this.#keys.get(key)
    const start = starts?.get(b)
    if (start) return start.window.peek(n)
    if (!starts || starts.size < STARTS) return true
    this.#sweep(starts)
    return starts.size < STARTS
  }

  /** Takes a counter. `false`: taken already, or no room for another start: none is ever pushed out. */
  mark(key: string, b: string, n: number): boolean {
    if (!this.peek(key, b, n)) return false
    const starts = this.#keys.get(key) ?? new Map<string, Start>()
    const start = starts.get(b) ?? { window: new Window(this.#size), marked: 0 }
    start.marked = this.#challenges.rotations
    starts.set(b, start)
    this.#keys.set(key, starts)
    return start.window.mark(n)
  }

  /** Notes a transaction that is carried out. `false`: it was before (R3). */
  begin(key: string, transaction: string): boolean {
    const done = this.#done.get(key) ?? new Set<string>()
    if (done.has(transaction)) return false
    if (done.size >= TRANSACTIONS) done.delete(done.values().next().value as string)
    done.add(transaction)
    this.#done.set(key, done)
    return true
  }

  /** Drops what is dead anyway, and all of the keys that `isKnown` denies. */
  tick(isKnown: (key: string) => boolean): void {
    for (const [key, starts] of this.#keys) {
      this.#sweep(starts)
      if (starts.size === 0) this.#keys.delete(key)
    }
    for (const key of this.#done.keys()) if (!isKnown(key)) this.#done.delete(key)
  }

  #sweep(starts: Map<string, Start>): void {
    const { rotations } = this.#challenges
    for (const [b, { marked }] of starts) if (rotations - marked >= DEAD) starts.delete(b)
  }
}
