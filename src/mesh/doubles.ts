// While a subscription moves from one replica to another all of them may report the same. Of dispatches that are equal each
// is handed on as often as the replica that has sent most of them has sent it.

import type { Dispatch } from '../core/dispatch.ts'

/** Dispatches that are compared at most; the oldest are forgotten. */
const MOST = 4096

/** How often equal dispatches were handed on, and how often each has sent them. */
interface Seen {
  handed: number
  sent: Map<object, number>
}

export class Doubles {
  /** By what makes two equal. */
  #seen: Map<string, Seen> | undefined

  /** Begins to compare. `recent`: what `from` has sent lately. */
  begin(from: object, recent: readonly Dispatch[]): void {
    if (this.#seen) return
    this.#seen = new Map()
    for (const dispatch of recent) this.isDouble(from, dispatch)
  }

  end(): void {
    this.#seen = undefined
  }

  isDouble(from: object, dispatch: Dispatch): boolean {
    if (!this.#seen) return false
    const key = keyOf(dispatch)
    const seen = this.#seen.get(key) ?? { handed: 0, sent: new Map() }
    this.#seen.set(key, seen)
    const sent = (seen.sent.get(from) ?? 0) + 1
    seen.sent.set(from, sent)
    if (sent <= seen.handed) return true
    seen.handed = sent
    if (this.#seen.size > MOST) {
      const [oldest] = this.#seen.keys()
      this.#seen.delete(oldest as string)
    }
    return false
  }
}

function keyOf({ method, resource, endpoint, timestamp, body }: Dispatch): string {
  return JSON.stringify([method, resource, endpoint, timestamp, body])
}
