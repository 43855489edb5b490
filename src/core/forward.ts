// The gateway (spec §5): sends dispatches on to other hosts over pooled connections and keeps the way back for their
// answers and subscriptions.

import { type Asker, type Failure, makeAnswer } from './answers.ts'
import type { Channel } from './channel.ts'
import { Deadlines } from './deadlines.ts'
import { type Dispatch, type Endpoint, transactionOf } from './dispatch.ts'
import { type Mode, type Pattern, readEndpoint } from './endpoint.ts'
import type { Env } from './env.ts'
import { Outbound } from './outbound.ts'
import { isSameQuestion, Pool, type PoolOptions } from './pool.ts'
import type { Relay, Remote } from './remote.ts'
import { nameOf, type Target } from './route.ts'
import { STATUS } from './status.ts'
import { type Subscriber, type Subscription, subscribe, unsubscribe } from './subscription.ts'

const PATIENCE = 1.15 // times the answer timeout, so that the host's own 504 comes first (design §9.13)

export interface ForwarderOptions extends PoolOptions {
  mode: Mode
  /** The most that one subscriber may have. */
  subscriptions: number
}

export class Forwarder {
  #env: Env
  #options: ForwarderOptions
  #pool: Pool
  #relays: Deadlines<Relay>

  constructor(env: Env, options: ForwarderOptions) {
    this.#env = env
    this.#options = options
    this.#pool = new Pool(env, options, (relay, status, message) => {
      const code = relay.sent ? 'lost' : 'unreachable'
      this.#fail(relay, status, { message, code }, code)
    })
    this.#relays = new Deadlines(env.clock, options.answerTimeout * PATIENCE, (relay) => this.#quiet(relay))
  }

  /** Answers that are waited for. */
  get size(): number {
    return this.#relays.size
  }

  /** Sends a dispatch, its first hop taken off, to a target. */
  send(target: Target, out: Outbound, asker: Asker, subscriber: Subscriber): void {
    const { dispatch } = out
    if (dispatch.method === 'RELEASE') return this.#release(target, out, asker, subscriber)
    const pattern = dispatch.endpoint && this.#read(dispatch)
    const id = transactionOf(dispatch)
    const remote = this.#pool.find(target, id, asker)
    if (!remote) return this.#refuse(asker, id, 'too many connections are open')
    const subscription = pattern && this.#bind(remote, dispatch, pattern, subscriber)
    this.#relay(remote, out, asker, subscription)
  }

  /** Sends to who has opened this channel to us. */
  through(channel: Channel, out: Outbound, asker: Asker, subscriber: Subscriber): void {
    if (channel.closed) return this.#refuse(asker, transactionOf(out.dispatch), 'the connection is gone')
    this.send(this.#pool.of(channel).target, out, asker, subscriber)
  }

  #relay(remote: Remote, out: Outbound, asker: Asker, subscription?: Subscription): void {
    const { token, endpoint } = out.dispatch
    const id = transactionOf(out.dispatch)
    let relay: Relay | undefined
    if (id && isSameQuestion(remote.relays.get(id), asker)) {
      relay = remote.relays.get(id) as Relay
      relay.subscription = subscription
      this.#relays.start(relay)
    } else if (id) {
      const single = endpoint !== undefined
      relay = { id, asker, remote, single, sent: false, answered: false, subscription }
      asker.open++
      this.#relays.start(relay)
    }
    remote.send(out, token, relay)
  }

  /** An ANSWER has come from a host. `false`: nobody waits for it. */
  answer(remote: Remote, out: Outbound): boolean {
    const resource = out.dispatch.resource as [number, string, string?]
    const [status, transaction] = resource
    const relay = remote.relays.get(transaction)
    if (!relay) return false
    relay.answered = true
    resource[2] ??= this.#env.random.uuid() // the two-element form of quirks mode is never sent
    if (relay.asker.holds) this.#held(relay, out)
    else if (status === STATUS.NO_MORE_ANSWERS) {
      this.#free(relay)
      // One that is protected must arrive as it is.
      if (out.dispatch.sec) relay.asker.answered(out, true)
      else relay.asker.ended(relay.id)
    } else {
      if (relay.single) this.#finish(relay, status >= 400 && status !== STATUS.TIMEOUT)
      else this.#relays.start(relay)
      relay.asker.answered(out, relay.single)
    }
    return true
  }

  /** Whatever comes for who waits for protected answers is for him to judge: it ends nothing by itself. */
  #held(relay: Relay, out: Outbound): void {
    relay.asker.answered(out, false)
    if (relay.asker.holds?.()) this.#relays.start(relay)
    else this.#free(relay)
  }

  /** A dispatch has outlived its time on the way out. */
  expired(remote: Remote, transaction: string): void {
    const relay = remote.relays.get(transaction)
    if (relay)
      this.#fail(relay, STATUS.TIMEOUT, { message: 'expired before it could be sent on', expired: true })
  }

  /** A subscriber is gone, or wants something no longer that it had bound through a host. */
  released(subscription: Subscription): void {
    const remote = this.#pool.get(subscription.via)
    const bound = remote?.released(subscription)
    if (!remote?.live || !bound) return
    const { endpoint, to } = bound
    const dispatch = { method: 'RELEASE', endpoint, to, timestamp: this.#env.clock.wall() }
    remote.send(new Outbound(dispatch, this.#env.clock, false), [], undefined)
  }

  close(): void {
    this.#pool.close()
    this.#relays.clear()
  }

  /** The same endpoint at another engine behind that host is another subscription. */
  #read({ endpoint, to }: Dispatch): Pattern {
    const pattern = readEndpoint(endpoint as Endpoint, this.#options.mode)
    return to ? { ...pattern, id: `${pattern.id} ${JSON.stringify(to)}` } : pattern
  }

  #bind(
    remote: Remote,
    dispatch: Dispatch,
    pattern: Pattern,
    subscriber: Subscriber,
  ): Subscription | undefined {
    const { table, key: via } = remote
    const endpoint = dispatch.endpoint as Endpoint
    const subscription = { endpoint, pattern, subscriber, observe: dispatch.observe === true, table, via }
    const isNew = subscribe(subscription, this.#options.subscriptions)
    if (isNew) remote.bound(subscription, dispatch)
    if (dispatch.observe && remote.isToAnswer(pattern)) delete dispatch.observe
    return isNew ? subscription : undefined
  }

  /** Only what this subscriber has bound; the host is told when nobody else here has bound the same. */
  #release(target: Target, out: Outbound, asker: Asker, subscriber: Subscriber): void {
    const pattern = this.#read(out.dispatch)
    const id = transactionOf(out.dispatch)
    const remote = this.#pool.boundThrough(target, pattern, subscriber)
    const subscription = remote && unsubscribe(subscriber, remote.key, pattern)
    const isLive = remote?.live
    if (subscription && remote.released(subscription) && isLive) {
      if (!id || !remote.relays.has(id)) return this.#relay(remote, out, asker)
      remote.send(out, [], undefined)
    }
    const status = subscription ? STATUS.OK : STATUS.NOT_ACCEPTABLE
    if (id) asker.answered(makeAnswer(this.#env, status, id), true)
  }

  /** A single answer has come: a BIND that was refused is not bound. One that is late, here or further on, is. */
  #finish(relay: Relay, refused: boolean): void {
    this.#free(relay)
    const { subscription } = relay
    if (subscription && refused) {
      unsubscribe(subscription.subscriber, subscription.via, subscription.pattern)
      relay.remote.released(subscription)
    }
  }

  /** Nothing more has come for some time. A BIND stays: hosts before 0.6 never confirm one. */
  #quiet(relay: Relay): void {
    const { answered, asker, id, remote, single } = relay
    const isOld = remote.channel !== undefined && remote.channel.version !== '0.6'
    this.#free(relay)
    if (answered) asker.ended(id, !isOld)
    else if (single && isOld) asker.answered(makeAnswer(this.#env, STATUS.OK, id, { confirmed: false }), true)
    else {
      const message = `${nameOf(remote.target)} did not answer in time`
      asker.answered(makeAnswer(this.#env, STATUS.TIMEOUT, id, { message, code: 'timeout' }), true)
    }
  }

  #fail(relay: Relay, status: number, body: { [key: string]: string | boolean }, code?: Failure): void {
    if (relay.remote.relays.get(relay.id) !== relay) return
    if (relay.single) this.#finish(relay, true)
    else this.#free(relay)
    this.#tell(relay.asker, makeAnswer(this.#env, status, relay.id, body), code)
  }

  #tell(asker: Asker, out: Outbound, code: Failure | undefined): void {
    if (code && asker.failed) asker.failed(code, out)
    else asker.answered(out, true)
  }

  #refuse(asker: Asker, id: string | undefined, message: string): void {
    const code = 'unreachable'
    if (id) this.#tell(asker, makeAnswer(this.#env, STATUS.BAD_GATEWAY, id, { message, code }), code)
    else this.#env.meters.count('drop.unreachable')
  }

  #free(relay: Relay): void {
    this.#relays.stop(relay)
    relay.remote.relays.delete(relay.id)
    relay.asker.open--
  }
}
