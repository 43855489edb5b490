// What waits for a channel that does not read (design §2, back-pressure): bounded in bytes, newest report of a resource
// wins, oldest reports go first when it is full, then events; what is firm never goes.

import type { Outbound } from './outbound.ts'
import type { Frame } from './transport.ts'

export interface Waiting {
  frame: Frame
  token: string[] | undefined
  /** What it came from, if that has a time to live: then it may have expired, or the time left has to be written. */
  mortal: Outbound | undefined
}

export class Queue {
  #limit: number
  #dropped: (kind: 'report' | 'event') => void
  #bytes = 0
  #count = 0
  /** In the order of sending. The key of a report is its emitter and resource, so that a newer one takes its place. */
  #waiting = new Map<string | number, Waiting>()
  #reports = new Set<string | number>()
  #events = new Set<string | number>()

  constructor(limit: number, dropped: (kind: 'report' | 'event') => void) {
    this.#limit = limit
    this.#dropped = dropped
  }

  get size(): number {
    return this.#waiting.size
  }

  /** Bytes, as near as a string's length tells. */
  get bytes(): number {
    return this.#bytes
  }

  /** `false`: no room, and nothing that may be dropped for it. */
  push(out: Outbound, token: string[] | undefined, frame: Frame): boolean {
    const { kind, dispatch } = out
    const key = kind === 'report' ? JSON.stringify([dispatch.from, dispatch.resource]) : this.#count++
    const older = this.#waiting.get(key)
    if (older) {
      this.#bytes -= older.frame.length
      this.#dropped('report')
    }
    const mortal = dispatch.expires === undefined ? undefined : out
    this.#waiting.set(key, { frame: compact(frame), token, mortal })
    this.#bytes += frame.length
    if (kind === 'report') this.#reports.add(key)
    if (kind === 'event') this.#events.add(key)
    while (this.#bytes > this.#limit && this.#waiting.size > 1) if (!this.#dropOldest()) return false
    return true
  }

  shift(): Waiting | undefined {
    const first = this.#waiting.entries().next()
    return first.done ? undefined : this.#take(first.value[0])
  }

  clear(): void {
    this.#waiting.clear()
    this.#reports.clear()
    this.#events.clear()
    this.#bytes = 0
  }

  #dropOldest(): boolean {
    for (const [kind, keys] of [
      ['report', this.#reports],
      ['event', this.#events],
    ] as const) {
      const oldest = keys.values().next()
      if (oldest.done) continue
      this.#take(oldest.value)
      this.#dropped(kind)
      return true
    }
    return false
  }

  #take(key: string | number): Waiting | undefined {
    const entry = this.#waiting.get(key)
    if (!entry) return undefined
    this.#waiting.delete(key)
    this.#reports.delete(key)
    this.#events.delete(key)
    this.#bytes -= entry.frame.length
    return entry
  }
}

/** A copy: a string or bytes cut out of a chunk would keep the whole chunk in memory for as long as they wait. */
function compact(frame: Frame): Frame {
  return typeof frame === 'string' ? `\n${frame}`.slice(1) : new Uint8Array(frame) // a Buffer's slice is a view
}
