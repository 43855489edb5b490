// An engine without its door: its tables, and the channels that come and go. What becomes of a dispatch is in cycle.ts.

import type { Access } from './access.ts'
import { Answers, type Asker } from './answers.ts'
import type { Balancer, BalancerInside } from './balancer.ts'
import { Bindings } from './bindings.ts'
import { Channel, type ChannelEvents, type ChannelStatus } from './channel.ts'
import { Cycle } from './cycle.ts'
import type { Dispatch, Version } from './dispatch.ts'
import type { Env } from './env.ts'
import { Forwarder } from './forward.ts'
import type { Guard } from './guard.ts'
import { LIMITS, type Limits } from './limits.ts'
import { DEFAULTS, type EngineOptions, routesOf } from './options.ts'
import { Outbound } from './outbound.ts'
import type { Owner } from './owner.ts'
import { Properties } from './property.ts'
import type { Remote } from './remote.ts'
import type { Routes } from './route.ts'
import { type Subscriber, type Subscription, unsubscribe } from './subscription.ts'
import type { Codec, Pipe, Transport } from './transport.ts'

export abstract class CoreEngine {
  readonly name: string
  readonly answerTimeout: number
  readonly limits: Limits
  protected readonly env: Env
  protected readonly routes: Routes
  protected readonly transports: Map<string, Transport>
  /** The answers that callbacks of this process give. */
  protected readonly answers: Answers
  protected readonly guard: Guard | undefined
  #balancer: Balancer | undefined
  #cycle: Cycle
  #bindings: Bindings
  #forwarder: Forwarder
  #owners: Properties
  #channels = new Set<Channel>()
  #channelCount = 0
  #events: ChannelEvents = {
    received: (channel, decoded, frame) => this.#cycle.received(channel, decoded, frame),
    expired: (channel, token) => this.#cycle.expired(channel, token),
    ended: (channel) => this.#ended(channel),
  }

  constructor(env: Env, options: EngineOptions) {
    const { name, mode, answerTimeout, backoff, speak, transports } = { ...DEFAULTS, ...options }
    this.env = env
    this.name = name
    this.answerTimeout = answerTimeout
    this.limits = { ...LIMITS, ...options.limits }
    this.transports = new Map(transports.map((transport) => [transport.label, transport]))
    this.routes = routesOf({ ...options, name, transports })
    this.answers = new Answers(env, answerTimeout)
    const { answers, limits, routes } = this
    const { subscriptions } = limits
    const rules = { mode, limits, wall: () => env.clock.wall() }
    const bindings = new Bindings(env, mode, subscriptions)
    const owners = new Properties({ env, answers, engine: name, table: bindings.table })
    const dial = (remote: Remote, signal: AbortSignal) => this.#dial(remote, speak, signal)
    const forwarder = new Forwarder(env, { mode, answerTimeout, backoff, dial, subscriptions })
    const { guard, balancer } = options
    this.#bindings = bindings
    this.#owners = owners
    this.#forwarder = forwarder
    this.#cycle = new Cycle({
      env,
      rules,
      limits,
      routes,
      answers,
      bindings,
      owners,
      forwarder,
      guard,
      balancer,
    })
    this.guard = guard
    this.#balancer = balancer
    const inside: BalancerInside = {
      env,
      answerTimeout,
      own: (root) => owners.own(root),
      dispatch: (dispatch, asker, subscriber) => this.#cycle.dispatch(dispatch, asker, subscriber),
      perform: (dispatch, origin, asker, by) => this.#cycle.perform(dispatch, origin, asker, by),
      admit: (dispatch, channel) => this.#cycle.admit(dispatch, channel),
      releaseAll: (subscriber) => this.releaseAll(subscriber),
      mode,
      subscriptions,
      channel: (id) => [...this.#channels].find((channel) => channel.id === id),
      through: (channel, dispatch, asker, by) =>
        forwarder.through(channel, new Outbound(dispatch, env.clock, false), asker, by),
      release: (subscription) => this.#drop(subscription),
    }
    guard?.attach(inside)
    balancer?.attach(inside)
  }

  /** Entries in every table: all 0 when nobody is connected and nothing is under way. */
  get sizes(): Record<'channels' | 'subscriptions' | 'transactions' | 'relays', number> {
    return {
      channels: this.#channels.size,
      subscriptions: this.#bindings.table.size,
      transactions: this.answers.size,
      relays: this.#forwarder.size,
    }
  }

  /** Dispatches so far, from channels and from here. */
  get dispatches(): number {
    return this.#cycle.count
  }

  channels(): ChannelStatus[] {
    return [...this.#channels].map(({ status }) => status)
  }

  /** Takes a root: from now on only the owner answers there, and only its reports go out. */
  own(root: string): Owner {
    return this.#owners.own(root)
  }

  /** A new connection. `access`: what it may do, `undefined` everything. */
  protected accept(pipe: Pipe, codec: Codec, access: Access | undefined): Channel {
    const channel = new Channel(`c${++this.#channelCount}`, pipe, codec, this.env, this.limits, this.#events)
    channel.access = access
    this.#channels.add(channel)
    if (this.#channels.size > this.limits.channels) {
      this.env.meters.count('refused.channel')
      channel.close(`no more than ${this.limits.channels} channels`, 1013)
    }
    return channel
  }

  /** What may be done over connections with that address; `undefined`: everything. */
  protected abstract accessFor(address: string): Access | undefined

  /** No new work is taken from now on. */
  protected drain(): void {
    this.#cycle.draining = true
  }

  /** A dispatch from inside this process. */
  protected dispatch(dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void {
    this.#cycle.dispatch(dispatch, asker, subscriber)
  }

  /** Somebody wants nothing any more. */
  protected releaseAll(subscriber: Subscriber): void {
    for (const subscription of [...subscriber.subscriptions.values()]) this.#drop(subscription)
    this.answers.gone(subscriber)
  }

  /** Closes every channel; what is open is answered 502 where somebody is left to be told. */
  protected shut(reason: string): void {
    this.guard?.close()
    this.#balancer?.close()
    this.#forwarder.close()
    this.answers.close()
    for (const channel of [...this.#channels]) channel.close(reason, 1001)
  }

  async #dial(remote: Remote, speak: Version, signal: AbortSignal): Promise<Channel> {
    const { transport, address, port } = remote.target
    const accept = (pipe: Pipe, codec: Codec) =>
      Object.assign(this.accept(pipe, codec, this.accessFor(address)), { remote, version: speak })
    return await (this.transports.get(transport) as Transport).dial(address, port, accept, signal)
  }

  #ended(channel: Channel): void {
    this.#channels.delete(channel)
    this.releaseAll(channel)
    this.guard?.gone(channel)
    this.#balancer?.gone(channel)
    channel.remote?.lost(channel)
  }

  #drop(subscription: Subscription): void {
    if (subscription.via === '') return this.#bindings.drop(subscription)
    unsubscribe(subscription.subscriber, subscription.via, subscription.pattern)
    this.#forwarder.released(subscription)
    this.#balancer?.released(subscription)
  }
}
