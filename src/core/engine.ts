// The dispatch cycle (spec §3): every dispatch, from a channel or from this process, comes through here, and one place
// decides: refuse, answer, send on, bind, or trigger.

import type { Access } from './access.ts'
import { Answers, type Asker, makeAnswer } from './answers.ts'
import { Bindings } from './bindings.ts'
import { Channel, type ChannelEvents, type ChannelStatus } from './channel.ts'
import { type Dispatch, type Element, type Hop, transactionOf, type Version } from './dispatch.ts'
import { type Key, keyOf } from './endpoint.ts'
import type { Env } from './env.ts'
import { Forwarder } from './forward.ts'
import { LIMITS, type Limits } from './limits.ts'
import { examine, type Rules } from './morphology.ts'
import { DEFAULTS, type EngineOptions, routesOf } from './options.ts'
import { Outbound } from './outbound.ts'
import type { Owner } from './owner.ts'
import { Property } from './property.ts'
import type { Remote } from './remote.ts'
import { type Routes, route } from './route.ts'
import { JstpError, STATUS } from './status.ts'
import { type Subscriber, type Subscription, unsubscribe } from './subscription.ts'
import type { Codec, Decoded, Frame, Pipe, Transport } from './transport.ts'

const SOURCE_LENGTH = 65_536
const EXPIRED = { message: 'expired on its way', expired: true }

export abstract class CoreEngine {
  readonly name: string
  readonly answerTimeout: number
  readonly limits: Limits
  protected readonly env: Env
  protected readonly routes: Routes
  protected readonly transports: Map<string, Transport>
  /** The answers that callbacks of this process give. */
  protected readonly answers: Answers
  /** No new work is taken. */
  protected draining = false
  #rules: Rules
  #bindings: Bindings
  #forwarder: Forwarder
  #owners = new Map<Key, Property>()
  #channels = new Set<Channel>()
  #channelCount = 0
  #events: ChannelEvents = {
    received: (channel, decoded, frame) => this.#received(channel, decoded, frame),
    expired: (channel, token) => this.#expired(channel, token),
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
    this.#rules = { mode, limits: this.limits, wall: () => env.clock.wall() }
    const { subscriptions } = this.limits
    this.#bindings = new Bindings(env, mode, subscriptions)
    const dial = (remote: Remote, signal: AbortSignal) => this.#dial(remote, speak, signal)
    this.#forwarder = new Forwarder(env, { mode, answerTimeout, backoff, dial, subscriptions })
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

  channels(): ChannelStatus[] {
    return [...this.#channels].map(({ status }) => status)
  }

  /** Takes a root: from now on only the owner answers there, and only its reports go out. */
  own(root: string): Owner {
    if (this.#owners.has(root))
      throw new JstpError(STATUS.BAD_DISPATCH, `the root "${root}" has an owner already`)
    const { env, answers, name: engine } = this
    const gone = () => void this.#owners.delete(root)
    const property = new Property(root, { env, answers, engine, table: this.#bindings.table, gone })
    this.#owners.set(root, property)
    return property
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

  /** A dispatch from inside this process. */
  protected dispatch(dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void {
    this.#process(new Outbound(dispatch, this.env.clock, false), undefined, asker, subscriber)
  }

  /** Somebody wants nothing any more. */
  protected releaseAll(subscriber: Subscriber): void {
    for (const subscription of [...subscriber.subscriptions.values()]) this.#drop(subscription)
    this.answers.gone(subscriber)
  }

  /** Closes every channel; what is open is answered 502 where somebody is left to be told. */
  protected shut(reason: string): void {
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

  #received(channel: Channel, decoded: Decoded, frame: Frame): void {
    const verdict = examine(decoded, this.#rules)
    if ('status' in verdict) {
      const source = frame.length > SOURCE_LENGTH ? null : decoded.headers
      const { status, message, transaction } = verdict
      return this.#tell(channel, transaction, new JstpError(status, message, { source }))
    }
    const { dispatch, version, repaired } = verdict
    channel.version = version
    channel.heard = true
    if ((dispatch.hops ?? 0) > this.limits.hops) return this.env.meters.count('drop.hops')
    const source = repaired ? undefined : { codec: channel.codec.name, version, frame, decoded }
    const out = new Outbound(dispatch, this.env.clock, true, source)
    if (dispatch.method === 'ANSWER') this.#answered(channel, out)
    else this.#process(out, channel, channel.askerOf(dispatch), channel)
  }

  #process(out: Outbound, channel: Channel | undefined, asker: Asker, subscriber: Subscriber): void {
    const { dispatch } = out
    try {
      if (channel) this.#check(channel, dispatch)
      if (dispatch.to) this.#forward(out, channel, asker, subscriber)
      else if (dispatch.endpoint) this.#subscribe(dispatch, asker, subscriber)
      else this.#trigger(out, channel, asker)
    } catch (error) {
      if (!(error instanceof JstpError)) throw error
      this.env.meters.count(`refused.${error.status}`)
      this.#tell(asker, transactionOf(dispatch), error)
    }
  }

  /** What a dispatch from outside must not do. */
  #check(channel: Channel, dispatch: Dispatch): void {
    const { transactions } = this.limits
    if (this.draining) throw new JstpError(STATUS.BAD_GATEWAY, 'this engine is stopping')
    if (dispatch.expires === 0) throw new JstpError(STATUS.TIMEOUT, EXPIRED.message, EXPIRED)
    if (channel.open >= transactions && transactionOf(dispatch)) {
      throw new JstpError(STATUS.BAD_DISPATCH, `more than ${transactions} transactions open on this channel`)
    }
    if (!channel.access || channel.access.permits(dispatch) || channel.remote?.expects(dispatch)) return
    const message = `${dispatch.method} is not allowed here without a key: see "access" in the configuration`
    throw new JstpError(STATUS.UNAUTHORIZED, message)
  }

  #forward(out: Outbound, channel: Channel | undefined, asker: Asker, subscriber: Subscriber): void {
    const { to = [], ...dispatch } = out.dispatch
    const target = route(to[0] as Hop, this.routes, channel !== undefined)
    const rest = to.length > 1 ? { to: to.slice(1) } : undefined
    const onward = new Outbound({ ...dispatch, ...rest } as Dispatch, this.env.clock, channel !== undefined)
    if (target) this.#forwarder.send(target, onward, asker, subscriber)
    else this.#process(onward, channel, asker, subscriber)
  }

  #subscribe(dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void {
    const isBind = dispatch.method === 'BIND'
    const done = isBind
      ? this.#bindings.bind(dispatch, subscriber)
      : this.#bindings.release(dispatch, subscriber)
    this.#tell(asker, transactionOf(dispatch), done ? STATUS.OK : STATUS.NOT_ACCEPTABLE)
    if (done) this.#bindings.tell(dispatch, subscriber)
  }

  #trigger(out: Outbound, channel: Channel | undefined, asker: Asker): void {
    const id = transactionOf(out.dispatch)
    const transaction = id === undefined ? undefined : this.answers.open(asker, id)
    for (const subscription of this.#find(out.dispatch, channel)) {
      const { subscriber, observe } = subscription
      if (subscriber === channel || subscriber.subscriptions.size === 0) continue // gone meanwhile
      const isAsked = transaction && !observe
      const triggering = isAsked ? this.answers.trigger(transaction, subscriber) : undefined
      subscriber.trigger(out, subscription, triggering, channel?.id)
    }
    if (transaction) this.answers.sealed(transaction, out.dispatch)
  }

  /** What comes from a host through which it was bound goes there only (design §9.4). */
  #find(dispatch: Dispatch, channel: Channel | undefined): Subscription[] {
    const { method } = dispatch
    const resource = dispatch.resource as Element[]
    if (channel?.remote?.expects(dispatch)) return channel.remote.table.match(method, resource)
    const owner = this.#owners.get(keyOf(resource[0] as Element))
    return owner ? owner.find(method, resource) : this.#bindings.table.match(method, resource)
  }

  #answered(channel: Channel, out: Outbound): void {
    if (this.answers.take(channel, out)) return
    if (channel.remote && this.#forwarder.answer(channel.remote, out)) return
    this.env.meters.count('answer.unknown')
    const [status, transaction] = out.dispatch.resource as [number, string]
    const isFinal = status === STATUS.NOT_ACCEPTABLE || status === STATUS.NO_MORE_ANSWERS
    if (!isFinal) this.#tell(channel, transaction, STATUS.NOT_ACCEPTABLE)
  }

  #expired(channel: Channel, token: string[] | undefined): void {
    this.env.meters.count('drop.expired')
    const [transaction, id] = token ?? []
    const triggering = channel.triggerings.get(id ?? '')
    if (triggering) this.answers.fail(triggering, STATUS.TIMEOUT, EXPIRED)
    else if (channel.remote && transaction) this.#forwarder.expired(channel.remote, transaction)
  }

  #ended(channel: Channel): void {
    this.#channels.delete(channel)
    this.releaseAll(channel)
    channel.remote?.lost(channel)
  }

  #drop(subscription: Subscription): void {
    if (subscription.via === '') return this.#bindings.drop(subscription)
    unsubscribe(subscription.subscriber, subscription.via, subscription.pattern)
    this.#forwarder.released(subscription)
  }

  /** An answer that the engine makes itself; none where none was asked for. */
  #tell(asker: Asker, id: string | undefined, what: number | JstpError): void {
    if (!id) return
    const { status, body } = typeof what === 'number' ? { status: what, body: undefined } : what
    asker.answered(makeAnswer(this.env, status, id, body), true)
  }
}
