// BIND and RELEASE (spec §3): the subscriptions of this engine's own table, and those who watch them come and go.

import type { Dispatch, Endpoint } from './dispatch.ts'
import { type Mode, readEndpoint } from './endpoint.ts'
import type { Env } from './env.ts'
import { Outbound } from './outbound.ts'
import { type Subscriber, type Subscription, subscribe, unsubscribe } from './subscription.ts'
import { Table } from './table.ts'

export class Bindings {
  readonly table = new Table<Subscription>()
  #env: Env
  #mode: Mode
  #limit: number

  /** `limit`: subscriptions of one subscriber. */
  constructor(env: Env, mode: Mode, limit: number) {
    this.#env = env
    this.#mode = mode
    this.#limit = limit
  }

  /** @throws {JstpError} 400: an illegal pattern, or too many subscriptions. */
  bind(dispatch: Dispatch, subscriber: Subscriber): boolean {
    const endpoint = dispatch.endpoint as Endpoint
    const pattern = readEndpoint(endpoint, this.#mode)
    const observe = dispatch.observe === true
    subscribe({ endpoint, pattern, subscriber, observe, table: this.table, via: '' }, this.#limit)
    return true
  }

  /** `false`: nothing was bound. */
  release(dispatch: Dispatch, subscriber: Subscriber): boolean {
    const pattern = readEndpoint(dispatch.endpoint as Endpoint, this.#mode)
    return unsubscribe(subscriber, '', pattern) !== undefined
  }

  /** A subscriber is gone. */
  drop(subscription: Subscription): void {
    const { subscriber, endpoint, pattern } = subscription
    unsubscribe(subscriber, '', pattern)
    this.tell({ method: 'RELEASE', endpoint, timestamp: this.#env.clock.wall() }, subscriber)
  }

  /** Tells the watchers, all but the one who did it. They get no token and are never waited for (§9.2). */
  tell({ method, endpoint, timestamp, protocol }: Dispatch, by: Subscriber): void {
    const found = this.table.match(method, (endpoint as Endpoint).resource)
    if (found.length === 0) return
    const out = new Outbound({ protocol, method, endpoint, timestamp }, this.#env.clock, true)
    for (const subscription of found) {
      if (subscription.subscriber !== by) subscription.subscriber.trigger(out, subscription)
    }
  }
}
