// What the engine asks of whoever chooses among several hosts of one name (src/mesh), and what that may ask of the engine.
// The core knows nothing of choosing: only that such a name in `to` is not for it.

import type { Asker } from './answers.ts'
import type { Channel } from './channel.ts'
import type { Dispatch } from './dispatch.ts'
import type { Mode } from './endpoint.ts'
import type { Inside } from './guard.ts'
import type { Subscriber, Subscription } from './subscription.ts'

export interface Balancer {
  /** Called once, by the engine that it chooses for. */
  attach(inside: BalancerInside): void
  /** Whether that name stands for hosts of which one is to be chosen. */
  serves(name: string): boolean
  /**
   * Sends to one of them. The name is off `to` already; who asks may forward there.
   * @throws {JstpError} when it is refused.
   */
  send(name: string, dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void
  /** A subscriber is gone; this is one of its subscriptions, perhaps of ours. */
  released(subscription: Subscription): void
  /** A channel has ended. */
  gone(channel: Channel): void
  close(): void
}

/** The engine, from the inside. */
export interface BalancerInside extends Inside {
  mode: Mode
  /** The most subscriptions that one subscriber may have. */
  subscriptions: number
  channel(id: string): Channel | undefined
  /** Sends to the engine that has opened this channel to us. */
  through(channel: Channel, dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void
  /** Ends a subscription; its host is told. */
  release(subscription: Subscription): void
}
