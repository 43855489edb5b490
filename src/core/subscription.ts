// Who wants what: one subscriber, one endpoint.

import type { Answerer, Triggering } from './answers.ts'
import type { Endpoint } from './dispatch.ts'
import type { Pattern } from './endpoint.ts'
import type { Outbound } from './outbound.ts'
import type { Origin } from './owner.ts'
import { JstpError, STATUS } from './status.ts'
import type { Table } from './table.ts'

/** A channel, or a callback in this process. */
export interface Subscriber extends Answerer {
  /** What it has bound, by table and pattern: see `keyIn`. */
  readonly subscriptions: Map<string, Subscription>
  /** Takes a dispatch that matches. With a triggering an answer is expected. */
  trigger(out: Outbound, subscription: Subscription, triggering?: Triggering, origin?: Origin): void
  /** What it has bound through a host must be bound anew, by itself: a protected BIND can't be sent twice. */
  rebind?(): void
  /** The connection to a host through which it was bound is gone, and so is what it had bound there. */
  lost?(): void
}

export interface Subscription {
  endpoint: Endpoint
  /** The endpoint, read. */
  pattern: Pattern
  subscriber: Subscriber
  /** Triggered, but never waited for (design §9.2). */
  observe: boolean
  /** Where it stands: the engine's own table, or that of a remote host through which it was made. */
  table: Table<Subscription>
  /** The name of that table. */
  via: string
}

/** One subscriber binds one endpoint once, here and through each host. */
export function keyIn(via: string, pattern: Pattern): string {
  return via === '' ? pattern.id : `${via} ${pattern.id}`
}

/**
 * Binds. Binding again changes only whether it observes. `true`: it is new.
 * @param limit subscriptions of one subscriber, wherever they stand.
 * @throws {JstpError} 400 over the limit.
 */
export function subscribe(subscription: Subscription, limit = Number.POSITIVE_INFINITY): boolean {
  const { subscriber, pattern, table, via } = subscription
  const key = keyIn(via, pattern)
  const known = subscriber.subscriptions.get(key)
  if (known) {
    known.observe = subscription.observe
    return false
  }
  if (subscriber.subscriptions.size >= limit) {
    throw new JstpError(STATUS.BAD_DISPATCH, `more than ${limit} subscriptions on this channel`)
  }
  subscriber.subscriptions.set(key, subscription)
  table.add(pattern, subscription)
  return true
}

/** Releases. `undefined`: nothing was bound. */
export function unsubscribe(subscriber: Subscriber, via: string, pattern: Pattern): Subscription | undefined {
  const key = keyIn(via, pattern)
  const subscription = subscriber.subscriptions.get(key)
  if (!subscription) return undefined
  subscriber.subscriptions.delete(key)
  subscription.table.remove(pattern, subscription)
  return subscription
}
