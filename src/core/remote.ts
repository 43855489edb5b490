// A host that we dial: one pooled connection to one target, what waits for it, what was bound through it. It comes back
// by itself as long as something is bound, and binds all of it again.

import type { Asker } from './answers.ts'
import type { Channel } from './channel.ts'
import type { Cancel } from './clock.ts'
import type { Dispatch } from './dispatch.ts'
import type { Pattern } from './endpoint.ts'
import type { Env } from './env.ts'
import { Outbound } from './outbound.ts'
import { nameOf, type Target } from './route.ts'
import { STATUS } from './status.ts'
import { type Subscription, unsubscribe } from './subscription.ts'
import { Table } from './table.ts'

/** What may wait for a connection: dispatches, and the bytes of all. */
const WAITING = 1000
const WAITING_BYTES = 1 << 20
const IDLE = 300_000

export interface Backoff {
  /** Milliseconds before the first new try; doubled each time. */
  first: number
  most: number
}

/** The way back for the answers of a dispatch that was sent on. */
export interface Relay {
  id: string
  asker: Asker
  remote: Remote
  /** BIND and RELEASE have one answer, others may have many. */
  single: boolean
  /** Handed to a connection. */
  sent: boolean
  answered: boolean
  /** For a BIND: what it has bound. */
  subscription: Subscription | undefined
}

export interface RemoteEvents {
  /** Connects, within the engine's deadline. */
  dial(remote: Remote): Promise<Channel>
  /** A relay can't be served. */
  failed(relay: Relay, status: number, message: string): void
  /** Nothing needs it any more. */
  idle(remote: Remote): void
}

interface Waiting {
  out: Outbound
  token: string[] | undefined
  relay: Relay | undefined
}

export class Remote {
  readonly target: Target
  /** Its key in the pool, and the `via` of what is bound through it. */
  readonly key: string
  channel: Channel | undefined
  /** The host has connected to us: only it can do so again. */
  isTheirs = false
  readonly table = new Table<Subscription>()
  /** By transaction id. */
  readonly relays = new Map<string, Relay>()
  #env: Env
  #backoff: Backoff
  #events: RemoteEvents
  #bound = new Map<Subscription, Dispatch>()
  /** Something has been bound over this connection; its reports may still be under way when it is released. */
  #subscribed = false
  #waiting: Waiting[] = []
  #bytes = 0
  #dialing = false
  #tries = 0
  #retry: Cancel | undefined
  #idle: Cancel | undefined
  #closed = false

  constructor(target: Target, key: string, env: Env, backoff: Backoff, events: RemoteEvents) {
    this.target = target
    this.key = key
    this.#env = env
    this.#backoff = backoff
    this.#events = events
  }

  /** Sends now, or when connected: what is to be sent is a reason to try at once. */
  send(out: Outbound, token: string[] | undefined, relay: Relay | undefined): void {
    if (relay) this.relays.set(relay.id, relay)
    if (this.channel) {
      this.#hand(this.channel, out, token, relay)
      return this.rest()
    }
    this.#bytes += JSON.stringify(out.dispatch).length
    if (this.#waiting.length >= WAITING || this.#bytes > WAITING_BYTES)
      return this.#refuse(relay, 'does not connect, and too much waits for it')
    this.#waiting.push({ out, token, relay })
    void this.#connect()
  }

  /** Remembers a BIND that goes through here, to be sent again after a new connection. */
  bound(subscription: Subscription, dispatch: Dispatch): void {
    this.#bound.set(subscription, dispatch)
    this.#subscribed = true
  }

  /** Whether somebody who has bound it here is to answer: to the host all who have are one subscriber. */
  isToAnswer({ id }: Pattern): boolean {
    return [...this.#bound.keys()].some(({ pattern, observe }) => pattern.id === id && !observe)
  }

  /** Returns what has bound it if nobody else here has bound the same, so that the host is to be told. */
  released(subscription: Subscription): Dispatch | undefined {
    const dispatch = this.#bound.get(subscription)
    this.#bound.delete(subscription)
    this.rest()
    const isShared = [...this.#bound.keys()].some(({ pattern }) => pattern.id === subscription.pattern.id)
    return isShared ? undefined : dispatch
  }

  /** Connected, or about to be. */
  get live(): boolean {
    return this.channel !== undefined || this.#dialing
  }

  /**
   * Whether it is for those who have bound through here, and for nobody else: a report, or a dispatch that has been given
   * a triggering id. With a transaction id alone the host asks us.
   */
  expects({ resource, token, to }: Dispatch): boolean {
    return this.#subscribed && resource !== undefined && !to && token?.length !== 1
  }

  /** The connection is gone. */
  lost(channel: Channel): void {
    this.channel = undefined
    const mute = !channel.heard && channel.garbageCount > 0
    const status = mute ? STATUS.NOT_SPEAKING : STATUS.BAD_GATEWAY
    const message = `${nameOf(this.target)} ${mute ? 'does not speak JSTP' : 'closed the connection'}`
    for (const relay of [...this.relays.values()]) this.#events.failed(relay, status, message)
    this.#fail('closed the connection') // who waits has been told so: nothing may be sent after that
    this.#forget()
    if (this.#closed || this.isTheirs || this.#bound.size === 0) return this.close()
    if (channel.heard) this.#tries = 0 // one that only lets us in and out again is not tried more often
    this.#later()
  }

  /** Those who want to be told look for another host themselves. */
  #forget(): void {
    for (const subscription of [...this.#bound.keys()]) {
      const { subscriber, pattern } = subscription
      if (!subscriber.lost || !this.#bound.delete(subscription)) continue
      unsubscribe(subscriber, this.key, pattern)
      subscriber.lost()
    }
  }

  /** Closes the connection some time after the last need for it. */
  rest(): void {
    this.#idle?.()
    this.#idle = undefined
    if (this.#bound.size > 0 || this.#closed || this.isTheirs) return
    if (this.#retry) return this.close()
    this.#idle = this.#env.clock.after(IDLE, () => (this.#inUse ? this.rest() : this.close()))
  }

  /** Answers are under way, or the host asks or has bound something here. */
  get #inUse(): boolean {
    const { open = 0, subscriptions } = this.channel ?? {}
    return this.relays.size > 0 || open > 0 || (subscriptions?.size ?? 0) > 0
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#idle?.()
    this.#retry?.()
    this.channel?.close('no longer needed')
    this.#fail('closed')
    this.#events.idle(this)
  }

  async #connect(): Promise<void> {
    if (this.#dialing || this.#closed) return
    this.#retry?.()
    this.#retry = undefined
    this.#dialing = true
    try {
      const channel = await this.#events.dial(this)
      if (this.#closed) channel.close('no longer needed')
      else if (!channel.closed) this.#connected(channel)
      else if (!this.#retry) this.#unreachable('the connection was closed at once')
    } catch (error) {
      this.#unreachable((error as Error).message)
    } finally {
      this.#dialing = false
    }
  }

  #connected(channel: Channel): void {
    this.channel = channel
    this.#subscribed = this.#bound.size > 0
    const waiting = this.#takeWaiting()
    const sent = new Set(waiting.map(({ out }) => out.dispatch))
    const bound = [...this.#bound].filter(([, dispatch]) => !sent.has(dispatch))
    for (const [{ subscriber }, dispatch] of bound) {
      if (!subscriber.rebind) channel.send(new Outbound({ ...dispatch, token: [] }, this.#env.clock, false))
    }
    for (const { out, token, relay } of waiting) this.#hand(channel, out, token, relay)
    for (const [{ subscriber }] of bound) subscriber.rebind?.()
    this.rest()
  }

  #hand(channel: Channel, out: Outbound, token?: string[], relay?: Relay): void {
    if (relay) relay.sent = true
    channel.send(out, token)
  }

  #unreachable(reason: string): void {
    this.#env.log.info(`${nameOf(this.target)} can't be reached: ${reason}`)
    this.#fail(`can't be reached: ${reason}`)
    if (this.#bound.size === 0) this.close()
    else this.#later()
  }

  #fail(reason: string): void {
    for (const { relay } of this.#takeWaiting()) this.#refuse(relay, reason)
  }

  #takeWaiting(): Waiting[] {
    this.#bytes = 0
    return this.#waiting.splice(0)
  }

  #refuse(relay: Relay | undefined, reason: string): void {
    if (relay) this.#events.failed(relay, STATUS.BAD_GATEWAY, `${nameOf(this.target)} ${reason}`)
    else this.#env.meters.count('drop.unreachable')
  }

  #later(): void {
    const { first, most } = this.#backoff
    const ms =
      Math.min(most, first * 2 ** Math.min(this.#tries++, 16)) * (0.8 + 0.4 * this.#env.random.fraction())
    this.#retry?.()
    this.#retry = this.#env.clock.after(ms, () => void this.#connect())
  }
}
