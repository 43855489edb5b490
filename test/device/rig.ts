// An owner without an engine, and a link without a medium, for the tests of devices.

import { TestClock } from '../../src/core/clock.ts'
import type { Dispatch, Element, Json } from '../../src/core/dispatch.ts'
import type { Log } from '../../src/core/env.ts'
import type { Handler, Owner } from '../../src/core/owner.ts'
import { JstpError } from '../../src/core/status.ts'
import { type Link, LinkError, type LinkEvents } from '../../src/device/index.ts'

export interface Answer {
  status: number
  body: Record<string, Json>
}

export interface Report {
  point: string
  value: Json
  event: boolean
}

/** Answers as the engine would: what a handler returns is 200, what it throws its status. */
export class FakeOwner implements Owner {
  readonly root: string
  readonly reports: Report[] = []
  readonly handlers = new Map<string, Handler>()
  /** Points that somebody is bound to. */
  readonly bound = new Set<string>()
  closed = false

  constructor(root = 'cafetera') {
    this.root = root
  }

  handle(method: string, point: Element[], handler: Handler): void {
    this.handlers.set(`${method} ${point.join('/')}`, handler)
  }

  report(point: Element[], value: Json, options: { event?: boolean } = {}): void {
    this.reports.push({ point: point.join('/'), value, event: options.event ?? false })
  }

  watched(point: Element[]): boolean {
    return this.bound.has(point.join('/'))
  }

  close(): void {
    this.closed = true
  }

  /** The values that were reported for a point, in order. */
  reported(point: string): Json[] {
    return this.reports.flatMap((report) => (report.point === point ? [report.value] : []))
  }

  async ask(
    method: string,
    point: string,
    body?: Json,
    from: { id?: string; author?: string; channel?: string } = {},
  ): Promise<Answer> {
    const handler = this.handlers.get(`${method} ${point}`)
    if (!handler) return { status: 404, body: {} }
    const dispatch: Dispatch = {
      method,
      resource: [this.root, ...(point ? point.split('/') : [])],
      timestamp: 0,
      body,
      token: from.id ? [from.id] : [],
    }
    try {
      const { author, channel } = from
      const answer = await handler({ dispatch, params: {}, author, channel, answer: () => {} })
      return { status: 200, body: answer as Record<string, Json> }
    } catch (error) {
      if (error instanceof JstpError)
        return { status: error.status, body: error.body as Record<string, Json> }
      return { status: 500, body: { message: String(error) } }
    }
  }
}

/** A link that the test holds in its hand. */
export class HandLink implements Link {
  readonly written: Uint8Array[] = []
  /** What the next writes do instead of being confirmed. */
  outcome: () => Promise<void> = () => Promise.resolve()
  events: LinkEvents | undefined
  connected = false
  closed = false

  open(events: LinkEvents): void {
    this.events = events
  }

  write(bytes: Uint8Array): Promise<void> {
    if (!this.connected) return Promise.reject(new LinkError('offline', 'not connected'))
    this.written.push(bytes)
    return this.outcome()
  }

  async close(): Promise<void> {
    this.closed = true
  }

  up(): void {
    this.connected = true
    this.events?.up()
  }

  down(cause = 'gone'): void {
    this.connected = false
    this.events?.down(cause)
  }
}

export const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Lets time pass until a promise has settled. */
export async function pass<T>(clock: TestClock, promise: Promise<T>, ms = 30_000): Promise<T> {
  let settled = false
  const mark = () => {
    settled = true
  }
  promise.then(mark, mark)
  for (let passed = 0; passed < ms && !settled; passed += 10) await clock.advance(10)
  if (!settled) throw new Error(`not settled after ${ms} ms`)
  return promise
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

export function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

export { TestClock }
