// Requests and replies over a link that carries one at a time: most important first, each with a deadline.

import type { Cancel, Clock } from '../core/clock.ts'
import { LinkError } from './link.ts'

/** What waits in line at most; drivers ask one thing after the other, so that it never gets near. */
const LIMIT = 64

/** From first to last. `stop` does not wait in line at all. */
export const PRIORITY = { stop: 3, command: 2, poll: 1, background: 0 } as const

export interface Ask<Reply> {
  bytes: Uint8Array
  priority: (typeof PRIORITY)[keyof typeof PRIORITY]
  /** Whether a frame is the reply to this. Without it: no reply is expected, it ends when the bytes are confirmed. */
  match?(reply: Reply): boolean
  /** Milliseconds to wait for the reply, from the moment that the bytes are confirmed. */
  timeout: number
  /** How to write, e.g. `command.write`; else the link's. */
  write?(bytes: Uint8Array): Promise<void>
}

interface Open<Reply> {
  ask: Ask<Reply>
  resolve(reply: Reply | undefined): void
  reject(error: unknown): void
  cancel: Cancel
}

export class Exchange<Reply> {
  #clock: Clock
  #write: (bytes: Uint8Array) => Promise<void>
  #queue: Open<Reply>[] = []
  /** Written and not replied to. One, and what went past the line. */
  #open = new Set<Open<Reply>>()

  constructor(clock: Clock, write: (bytes: Uint8Array) => Promise<void>) {
    this.#clock = clock
    this.#write = write
  }

  /** @throws {LinkError} what the write failed with; `timeout`: no reply; `lost`: the link went down before it came */
  ask(ask: Ask<Reply>): Promise<Reply | undefined> {
    return new Promise((resolve, reject) => {
      const open: Open<Reply> = { ask, resolve, reject, cancel: () => {} }
      if (ask.priority === PRIORITY.stop) return void this.#start(open)
      if (this.#queue.length >= LIMIT) {
        return reject(new LinkError('offline', `${LIMIT} requests wait for the device; none more is taken`))
      }
      // After the last one that matters as much.
      const at = this.#queue.findIndex((other) => other.ask.priority < ask.priority)
      this.#queue.splice(at < 0 ? this.#queue.length : at, 0, open)
      this.#next()
    })
  }

  /** A frame has arrived. Says whether it was waited for. */
  take(reply: Reply): boolean {
    for (const open of this.#open) {
      if (!open.ask.match?.(reply)) continue
      this.#end(open)
      open.resolve(reply)
      return true
    }
    return false
  }

  /** The link is gone: nothing that waits will come. */
  fail(): void {
    const written = [...this.#open]
    const waiting = this.#queue.splice(0)
    for (const open of written) {
      this.#end(open)
      open.reject(new LinkError('lost', 'the link broke before the reply came'))
    }
    for (const open of waiting) open.reject(new LinkError('offline', 'the link broke before it was sent'))
  }

  #next(): void {
    if (this.#open.size > 0) return
    const open = this.#queue.shift()
    if (open) void this.#start(open)
  }

  async #start(open: Open<Reply>): Promise<void> {
    const { ask } = open
    this.#open.add(open)
    try {
      await (ask.write ?? this.#write)(ask.bytes)
    } catch (error) {
      this.#end(open)
      return open.reject(error)
    }
    if (!this.#open.has(open)) return // replied to, or failed, while the confirmation was on its way
    if (!ask.match) {
      this.#end(open)
      return open.resolve(undefined)
    }
    open.cancel = this.#clock.after(ask.timeout, () => {
      this.#end(open)
      open.reject(new LinkError('timeout', `no reply within ${Math.round(ask.timeout)} ms`))
    })
  }

  #end(open: Open<Reply>): void {
    open.cancel()
    this.#open.delete(open)
    this.#next()
  }
}
