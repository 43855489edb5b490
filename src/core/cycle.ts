// The dispatch cycle (spec §3): every dispatch, from a channel or from this process, comes through here, and one place
// decides: refuse, answer, send on, bind, or trigger.

import { checkAccess, checkLoad, EXPIRED, isOpaque } from './admission.ts'
import { type Answers, type Asker, makeAnswer } from './answers.ts'
import type { Balancer } from './balancer.ts'
import type { Bindings } from './bindings.ts'
import type { Channel } from './channel.ts'
import { type Dispatch, type Element, type Hop, transactionOf } from './dispatch.ts'
import type { Env } from './env.ts'
import type { Forwarder } from './forward.ts'
import type { Guard } from './guard.ts'
import type { Limits } from './limits.ts'
import { examine, type Rules } from './morphology.ts'
import { Outbound } from './outbound.ts'
import type { Origin } from './owner.ts'
import type { Properties } from './property.ts'
import type { Remote } from './remote.ts'
import { checkName, type Routes, route } from './route.ts'
import { JstpError, STATUS } from './status.ts'
import type { Subscriber, Subscription } from './subscription.ts'
import type { Decoded, Frame } from './transport.ts'

const SOURCE_LENGTH = 65_536

/** The tables of an engine. */
export interface CycleParts {
  env: Env
  rules: Rules
  limits: Limits
  routes: Routes
  answers: Answers
  bindings: Bindings
  owners: Properties
  forwarder: Forwarder
  guard: Guard | undefined
  balancer: Balancer | undefined
}

export class Cycle {
  /** No new work is taken. */
  draining = false
  /** Dispatches that came by, ANSWERs left out. */
  count = 0
  #env: Env
  #rules: Rules
  #limits: Limits
  #routes: Routes
  #answers: Answers
  #bindings: Bindings
  #owners: Properties
  #forwarder: Forwarder
  #guard: Guard | undefined
  #balancer: Balancer | undefined

  constructor(parts: CycleParts) {
    this.#env = parts.env
    this.#rules = parts.rules
    this.#limits = parts.limits
    this.#routes = parts.routes
    this.#answers = parts.answers
    this.#bindings = parts.bindings
    this.#owners = parts.owners
    this.#forwarder = parts.forwarder
    this.#guard = parts.guard
    this.#balancer = parts.balancer
  }

  /** What a channel has received. */
  received(channel: Channel, decoded: Decoded, frame: Frame): void {
    const verdict = examine(decoded, this.#rules)
    if ('status' in verdict) {
      const source = frame.length > SOURCE_LENGTH ? null : decoded.headers
      const { status, message, transaction } = verdict
      return this.#tell(channel, transaction, new JstpError(status, message, { source }))
    }
    const { dispatch, version, repaired } = verdict
    channel.version = version
    channel.heard = true
    if ((dispatch.hops ?? 0) > this.#limits.hops) return this.#env.meters.count('drop.hops')
    const source = repaired ? undefined : { codec: channel.codec.name, version, frame, decoded }
    const out = new Outbound(dispatch, this.#env.clock, true, source)
    if (dispatch.method === 'ANSWER') this.#answered(channel, out)
    else this.#process(out, channel, channel.askerOf(dispatch), channel)
  }

  /** From inside this process. */
  dispatch(dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void {
    this.#process(new Outbound(dispatch, this.#env.clock, false), undefined, asker, subscriber)
  }

  /** What somebody has asked under protection, whose rights have been checked. */
  perform(dispatch: Dispatch, origin: Origin, asker: Asker, subscriber: Subscriber): void {
    this.#try(dispatch, asker, (out) => this.#carryOut(out, origin, asker, subscriber))
  }

  /** What has turned out to be not protected. */
  admit(dispatch: Dispatch, channel: Channel): void {
    const asker = channel.askerOf(dispatch)
    this.#try(dispatch, asker, (out) => this.#admit(out, channel, asker))
  }

  #process(out: Outbound, channel: Channel | undefined, asker: Asker, subscriber: Subscriber): void {
    const { dispatch } = out
    this.count++
    try {
      if (channel && this.draining)
        throw new JstpError(STATUS.BAD_GATEWAY, 'this engine is stopping', { code: 'draining' })
      if (channel) checkLoad(channel, dispatch, this.#limits.transactions)
      if (dispatch.to) this.#forward(out, channel, asker, subscriber)
      else if (!channel) this.#carryOut(out, undefined, asker, subscriber)
      else if (this.#guard?.concerns(dispatch, channel) && !channel.remote?.expects(dispatch)) {
        this.#guard.received(dispatch, channel)
      } else this.#admit(out, channel, asker)
    } catch (error) {
      this.#refuse(error, dispatch, asker)
    }
  }

  /** What the guard hands on has come from a channel as well. */
  #try(dispatch: Dispatch, asker: Asker, work: (out: Outbound) => void): void {
    try {
      work(new Outbound(dispatch, this.#env.clock, true))
    } catch (error) {
      this.#refuse(error, dispatch, asker)
    }
  }

  /** Goes on with what no key vouches for. */
  #admit(out: Outbound, channel: Channel, asker: Asker): void {
    checkAccess(channel, out.dispatch, this.#guard)
    this.#carryOut(out, channel.origin, asker, channel, channel.remote)
  }

  #carryOut(
    out: Outbound,
    origin: Origin | undefined,
    asker: Asker,
    subscriber: Subscriber,
    remote?: Remote,
  ): void {
    if (out.dispatch.endpoint) this.#subscribe(out.dispatch, asker, subscriber)
    else this.#trigger(out, origin, asker, subscriber, remote)
  }

  #forward(out: Outbound, channel: Channel | undefined, asker: Asker, subscriber: Subscriber): void {
    const { to = [], ...dispatch } = out.dispatch
    if (channel && !isOpaque(out.dispatch)) checkAccess(channel, out.dispatch, this.#guard)
    const [balancer, routes] = [this.#balancer, this.#routes]
    const hop = to[0] as Hop
    const rest = to.length > 1 ? { to: to.slice(1) } : undefined
    if (typeof hop === 'string' && hop !== routes.name && balancer?.serves(hop)) {
      checkName(hop, routes, channel !== undefined)
      const hops = channel && { hops: (dispatch.hops ?? 0) + 1 }
      return balancer.send(hop, { ...dispatch, ...rest, ...hops } as Dispatch, asker, subscriber)
    }
    const target = route(hop, routes, channel !== undefined)
    const onward = new Outbound({ ...dispatch, ...rest } as Dispatch, this.#env.clock, channel !== undefined)
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

  #trigger(
    out: Outbound,
    origin: Origin | undefined,
    asker: Asker,
    by: Subscriber,
    remote: Remote | undefined,
  ): void {
    const id = transactionOf(out.dispatch)
    const transaction = id === undefined ? undefined : this.#answers.open(asker, id)
    for (const subscription of this.#find(out.dispatch, remote)) {
      const { subscriber, observe } = subscription
      if (subscriber === by || subscriber.subscriptions.size === 0) continue // gone meanwhile
      const isAsked = transaction && !observe
      const triggering = isAsked ? this.#answers.trigger(transaction, subscriber) : undefined
      subscriber.trigger(out, subscription, triggering, origin)
    }
    if (transaction) this.#answers.sealed(transaction, out.dispatch)
  }

  /** What comes from a host through which it was bound goes there only (design §9.4). */
  #find(dispatch: Dispatch, remote: Remote | undefined): Subscription[] {
    const { method } = dispatch
    const resource = dispatch.resource as Element[]
    if (remote?.expects(dispatch)) return remote.table.match(method, resource)
    return this.#owners.find(method, resource) ?? this.#bindings.table.match(method, resource)
  }

  #answered(channel: Channel, out: Outbound): void {
    if (this.#answers.take(channel, out)) return
    if (channel.remote && this.#forwarder.answer(channel.remote, out)) return
    this.#env.meters.count('answer.unknown')
    const [status, transaction] = out.dispatch.resource as [number, string]
    const isFinal = status === STATUS.NOT_ACCEPTABLE || status === STATUS.NO_MORE_ANSWERS
    if (!isFinal) this.#tell(channel, transaction, STATUS.NOT_ACCEPTABLE)
  }

  /** A dispatch has waited on a channel for longer than it had to live. */
  expired(channel: Channel, token: string[] | undefined): void {
    this.#env.meters.count('drop.expired')
    const [transaction, id] = token ?? []
    const triggering = channel.triggerings.get(id ?? '')
    if (triggering) this.#answers.fail(triggering, STATUS.TIMEOUT, EXPIRED)
    else if (channel.remote && transaction) this.#forwarder.expired(channel.remote, transaction)
  }

  #refuse(error: unknown, dispatch: Dispatch, asker: Asker): void {
    if (!(error instanceof JstpError)) throw error
    this.#env.meters.count(`refused.${error.status}`)
    this.#tell(asker, transactionOf(dispatch), error)
  }

  /** An answer that the engine makes itself; none where none was asked for. */
  #tell(asker: Asker, id: string | undefined, what: number | JstpError): void {
    if (!id) return
    const { status, body } = typeof what === 'number' ? { status: what, body: undefined } : what
    asker.answered(makeAnswer(this.#env, status, id, body), true)
  }
}
