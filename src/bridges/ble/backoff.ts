// How long to wait before the next try: 2 s, 5 s, 15 s, then 60 s, each a little earlier or later than its neighbours'.

import type { Env } from '../../core/env.ts'

const STEPS_MS = [2_000, 5_000, 15_000, 60_000]
const JITTER = 0.2
const HELD_MS = 30_000

export class Backoff {
  #env: Pick<Env, 'clock' | 'random'>
  #tries = 0
  #goodSince: number | undefined

  constructor(env: Pick<Env, 'clock' | 'random'>) {
    this.#env = env
  }

  /** Failures in a row. */
  get tries(): number {
    return this.#tries
  }

  /** It works now. Only when that has lasted 30 s does the next failure start from the first step again. */
  good(): void {
    this.#goodSince = this.#env.clock.now()
  }

  /** It failed: the milliseconds to wait. */
  next(): number {
    if (this.#goodSince !== undefined && this.#env.clock.now() - this.#goodSince >= HELD_MS) this.#tries = 0
    this.#goodSince = undefined
    const step = STEPS_MS[Math.min(this.#tries++, STEPS_MS.length - 1)] as number
    return step * (1 + JITTER * (2 * this.#env.random.fraction() - 1))
  }
}
