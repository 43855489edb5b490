// What the engine asks of whoever protects its dispatches (src/identity), and what that may ask of the engine. The core
// knows nothing of keys: only where what is protected goes in and out.

import type { Asker } from './answers.ts'
import type { Callback } from './callback.ts'
import type { Channel } from './channel.ts'
import type { Dispatch, Hop, Json } from './dispatch.ts'
import type { Env } from './env.ts'
import type { Origin, Owner } from './owner.ts'
import type { Subscriber } from './subscription.ts'

/** For whom a dispatch of ours is protected, and how. */
export interface Protection {
  /** did:key, or a name in the trust store. */
  key: string
  /** Default `ctx`: in a security context; `seal`: one shot; `sign`: readable. */
  mode?: 'ctx' | 'seal' | 'sign'
}

export interface Guard {
  /** More for the body of a 401: what would be needed. */
  readonly required: { [name: string]: Json }
  /** Called once, by the engine that it guards. */
  attach(inside: Inside): void
  /** Whether the trust store allows it to everybody. */
  allows(dispatch: Dispatch): boolean
  /** Whether only the guard can say what this dispatch is, that has come for us. */
  concerns(dispatch: Dispatch, channel: Channel): boolean
  /** Takes such a dispatch. */
  received(outer: Dispatch, channel: Channel): void
  /** A channel has ended. */
  gone(channel: Channel): void
  /** How that key is reached, if the trust store says so. */
  routeOf(key: string): Hop[] | undefined
  /** Asks under protection. Never throws: what goes wrong is an answer. */
  ask(dispatch: Dispatch, protection: Protection, asker: Asker): void
  /** Binds under protection. Returns what releases it. */
  bind(
    dispatch: Dispatch,
    protection: Protection,
    asker: Asker,
    callback: Callback,
    onState?: (state: BindState) => void,
  ): () => void
  close(): void
}

/** `stale`: nothing was heard for a minute, or the way is gone; it is bound again by itself. */
export type BindState = 'bound' | 'stale'

/** The engine, from the inside. */
export interface Inside {
  env: Env
  /** Milliseconds. */
  answerTimeout: number
  own(root: string): Owner
  /** Sends on, or carries out, what comes from this process. */
  dispatch(dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void
  /** Carries out what somebody has asked under protection; his rights have been checked. */
  perform(dispatch: Dispatch, origin: Origin, asker: Asker, subscriber: Subscriber): void
  /** Goes on with a dispatch that turned out to be not protected. */
  admit(dispatch: Dispatch, channel: Channel): void
  /** A subscriber wants nothing any more. */
  releaseAll(subscriber: Subscriber): void
}
