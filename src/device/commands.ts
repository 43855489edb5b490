// A command with a physical effect is executed once, however often it arrives (design §9.7): a repeat of one that is
// open, or was answered in the last five minutes, gets the same answer.

import type { Clock } from '../core/clock.ts'
import type { Json } from '../core/dispatch.ts'
import { transactionOf } from '../core/dispatch.ts'
import type { Request } from '../core/owner.ts'
import { JstpError, STATUS } from '../core/status.ts'
import { canonical } from './values.ts'

/** Milliseconds that an answer is kept. */
const KEEP = 300_000
/** Commands kept for one device. */
const LIMIT = 4096

type Answer = Promise<Json | void>

interface Kept {
  content: string
  answer: Answer
  /** When it is forgotten: never while it is open. */
  until: number
}

export class Commands {
  #clock: Clock
  #limit: number
  /** The answered ones in the order in which they will be forgotten. */
  #kept = new Map<string, Kept>()

  constructor(clock: Clock, limit = LIMIT) {
    this.#clock = clock
    this.#limit = limit
  }

  get size(): number {
    return this.#kept.size
  }

  /**
   * Executes it, unless it is a repeat. Without a transaction id nothing can be told to be one.
   * @param reached asked at the end: only what may have had an effect is kept
   * @throws {JstpError} 400 same author and transaction id, other content; 500 `full`
   */
  run(request: Request, point: string, execute: () => Answer, reached: () => boolean): Answer {
    const { method, body } = request.dispatch
    const id = transactionOf(request.dispatch)
    if (id === undefined) return execute()
    const content = digest(canonical([method, point, body ?? null]))
    // Without an author, a client that has reconnected must still be recognised: by what it asks for.
    const key = digest(canonical(request.author ? ['author', request.author, id] : ['content', id, content]))
    this.#forget()
    const kept = this.#kept.get(key)
    if (kept) {
      if (kept.content === content) return kept.answer
      throw new JstpError(
        STATUS.BAD_DISPATCH,
        `the transaction id "${id.slice(0, 60)}" was used for another command less than 5 minutes ago; use a new one`,
        { code: 'repeated' },
      )
    }
    if (this.#kept.size >= this.#limit) {
      throw new JstpError(
        STATUS.FAILED,
        `not executed: ${this.#limit} commands of the last 5 minutes are remembered so that none is executed twice, ` +
          'and there is no room for one more; try again in some minutes',
        { code: 'full' },
      )
    }
    const entry: Kept = { content, answer: execute(), until: Infinity }
    this.#kept.set(key, entry)
    const settled = () => {
      this.#kept.delete(key)
      if (!reached()) return
      entry.until = this.#clock.now() + KEEP
      this.#kept.set(key, entry)
    }
    entry.answer.then(settled, settled)
    return entry.answer
  }

  #forget(): void {
    const now = this.#clock.now()
    for (const [key, { until }] of this.#kept) {
      if (until === Infinity) continue
      if (until > now) return
      this.#kept.delete(key)
    }
  }
}

/**
 * 128 bits that stand for a text of any length, so that long ids and bodies take no room. It tells repeats apart, it
 * does not stop forgers: that is what authors and their signatures are for.
 */
function digest(text: string): string {
  const lanes = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x5be0cd19]
  const primes = [0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f, 0x165667b1]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    for (let lane = 0; lane < 4; lane++) {
      const mixed = Math.imul((lanes[lane] ?? 0) ^ code, primes[lane] ?? 0)
      lanes[lane] = (mixed << 13) | (mixed >>> 19)
    }
  }
  return lanes.map((lane, at) => finish(lane ^ (lanes[(at + 1) % 4] ?? 0) ^ text.length)).join('-')
}

function finish(lane: number): string {
  let mixed = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return ((mixed ^ (mixed >>> 16)) >>> 0).toString(36)
}
