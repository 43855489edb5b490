// A subscription at one host that is there whenever the host is: what it reports, and whether it can be reached.

import type { Asker, Triggering } from '../core/answers.ts'
import type { Cancel } from '../core/clock.ts'
import type { Dispatch, Endpoint } from '../core/dispatch.ts'
import type { Env } from '../core/env.ts'
import type { Outbound } from '../core/outbound.ts'
import { STATUS } from '../core/status.ts'
import type { Subscriber, Subscription } from '../core/subscription.ts'

/** Milliseconds before it is tried again: the first time, doubled each time; the most; and where it was refused. */
const FIRST = 250
const MOST = 10_000
const REFUSED = 60_000

export interface WatchOptions {
  env: Env
  endpoint: Endpoint
  send(dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void
  release(subscription: Subscription): void
  /** The host is there. `refused`: the status with which it refused to be watched. */
  onUp(refused?: number): void
  onDown(): void
  onReport(dispatch: Dispatch): void
}

export class Watch implements Subscriber {
  readonly subscriptions = new Map<string, Subscription>()
  readonly triggerings = new Map<string, Triggering>()
  #options: WatchOptions
  #try = 0
  #tries = 0
  #retry: Cancel | undefined

  constructor(options: WatchOptions) {
    this.#options = options
  }

  start(): void {
    const { env, endpoint, send } = this.#options
    const turn = ++this.#try
    const asker: Asker = {
      open: 0,
      answered: (out) => turn === this.#try && this.#answered(out),
      ended() {},
      failed: () => turn === this.#try && this.lost(),
    }
    const dispatch = { method: 'BIND', endpoint, observe: true, timestamp: env.clock.wall() }
    send({ ...dispatch, token: [env.random.uuid()] }, asker, this)
  }

  trigger({ dispatch }: Outbound): void {
    this.#options.onReport(dispatch)
  }

  lost(): void {
    this.#options.onDown()
    this.#later(Math.min(MOST, FIRST * 2 ** this.#tries++))
  }

  close(): void {
    this.#try++
    this.#retry?.()
    for (const subscription of [...this.subscriptions.values()]) this.#options.release(subscription)
  }

  #answered({ dispatch }: Outbound): void {
    const status = dispatch.resource?.[0] as number
    if (status < 400) {
      this.#tries = 0
      return this.#options.onUp()
    }
    for (const subscription of [...this.subscriptions.values()]) this.#options.release(subscription)
    if (status === STATUS.TIMEOUT || status === STATUS.BAD_GATEWAY) return this.lost()
    this.#options.onUp(status)
    this.#later(REFUSED)
  }

  #later(ms: number): void {
    const { clock, random } = this.#options.env
    this.#retry?.()
    this.#retry = clock.after(ms * (0.8 + 0.4 * random.fraction()), () => this.start())
  }
}
