// The gateway (spec §5): sends dispatches on to other hosts over pooled connections and keeps the way back for their
// answers and subscriptions.

import { type Asker, makeAnswer } from './answers.ts'
import type { Channel } from './channel.ts'
import { Deadlines } from './deadlines.ts'
import { type Dispatch, type Endpoint, transactionOf } from './dispatch.ts'
import { type Mode, readEndpoint } from './endpoint.ts'
import type { Env } from './env.ts'
import { Outbound } from './outbound.ts'
import { type Backoff, type Relay, Remote } from './remote.ts'
import { nameOf, type Target } from './route.ts'
import { STATUS } from './status.ts'
import { type Subscriber, type Subscription, subscribe, unsubscribe } from './subscription.ts'

const PATIENCE = 1.15 // times the answer timeout, so that the host's own 504 comes first (design §9.13)
const POOL = 1000

export interface ForwarderOptions {
  mode: Mode
  answerTimeout: number
  backoff: Backoff
  dial(remote: Remote, signal: AbortSignal): Promise<Channel>
}

export class Forwarder {
  #env: Env
  #options: ForwarderOptions
  #pool = new Map<string, Remote>()
  #relays: Deadlines<Relay>

  constructor(env: Env, options: ForwarderOptions) {
    this.#env = env
    this.#options = options
    this.#relays = new Deadlines(env.clock, options.answerTimeout * PATIENCE, (relay) => this.#quiet(relay))
  }

  /** Answers that are waited for. */
  get size(): number {
    return this.#relays.size
  }

  /** Sends a dispatch, its first hop taken off, to a target. */
  send(target: Target, out: Outbound, asker: Asker, subscriber: Subscriber): void {
    const { dispatch } = out
    const id = transactionOf(dispatch)
    const remote = this.#remote(target, id)
    if (!remote) return this.#refuse(asker, id, 'too many hosts are connected')
    const { method } = dispatch
    let subscription: Subscription | undefined
    if (method === 'BIND') subscription = this.#bind(remote, dispatch, subscriber)
    if (method === 'RELEASE' && !this.#release(remote, dispatch, asker, subscriber)) return
    let relay: Relay | undefined
    if (id) {
      const single = method === 'BIND' || method === 'RELEASE'
      relay = { id, asker, remote, single, answered: false, subscription }
      asker.open++
      this.#relays.start(relay)
    }
    remote.send(out, dispatch.token, relay)
  }

  /** An ANSWER has come from a host. `false`: nobody waits for it. */
  answer(remote: Remote, out: Outbound): boolean {
    const [status, transaction] = out.dispatch.resource as [number, string]
    const relay = remote.relays.get(transaction)
    if (!relay) return false
    relay.answered = true
    if (status === STATUS.NO_MORE_ANSWERS) {
      this.#free(relay)
      relay.asker.ended(relay.id)
    } else {
      if (relay.single) this.#finish(relay, status)
      else this.#relays.start(relay)
      relay.asker.answered(out, relay.single)
    }
    return true
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
    const endpoint = remote?.released(subscription)
    if (!remote || !endpoint) return
    const dispatch = { method: 'RELEASE', endpoint, timestamp: this.#env.clock.wall(), token: [] }
    remote.channel?.send(new Outbound(dispatch, this.#env.clock, false))
  }

  close(): void {
    for (const remote of [...this.#pool.values()]) remote.close()
    this.#relays.clear()
  }

  /** The pooled connection; another one to the same target while that transaction id is in use on it. */
  #remote(target: Target, id: string | undefined): Remote | undefined {
    const name = nameOf(target)
    for (let turn = 1; ; turn++) {
      const key = turn === 1 ? name : `${name}#${turn}`
      const known = this.#pool.get(key)
      if (known && !(id && known.relays.has(id))) return known
      if (known) continue
      if (this.#pool.size >= POOL) return undefined
      const { backoff } = this.#options
      const remote: Remote = new Remote(target, key, this.#env, backoff, {
        dial: (it) => this.#dial(it),
        failed: (relay, status, message) => this.#fail(relay, status, { message }),
        idle: (it) => void this.#pool.delete(it.key),
      })
      this.#pool.set(key, remote)
      return remote
    }
  }

  async #dial(remote: Remote): Promise<Channel> {
    const abort = new AbortController()
    const ms = this.#options.answerTimeout
    const cancel = this.#env.clock.after(ms, () => abort.abort(new Error(`no connection within ${ms} ms`)))
    try {
      return await this.#options.dial(remote, abort.signal)
    } finally {
      cancel()
    }
  }

  #bind(remote: Remote, dispatch: Dispatch, subscriber: Subscriber): Subscription | undefined {
    const endpoint = dispatch.endpoint as Endpoint
    const pattern = readEndpoint(endpoint, this.#options.mode)
    const { table, key: via } = remote
    const subscription = { endpoint, pattern, subscriber, observe: dispatch.observe === true, table, via }
    if (!subscribe(subscription)) return undefined
    remote.bound(subscription, dispatch)
    return subscription
  }

  /** `false`: the host need not be told, and the asker has its answer. */
  #release(remote: Remote, dispatch: Dispatch, asker: Asker, subscriber: Subscriber): boolean {
    const pattern = readEndpoint(dispatch.endpoint as Endpoint, this.#options.mode)
    const subscription = unsubscribe(subscriber, remote.key, pattern)
    if (!subscription || remote.released(subscription)) return true
    const id = transactionOf(dispatch)
    if (id) asker.answered(makeAnswer(this.#env, STATUS.OK, id), true)
    return false
  }

  /** A single answer has come: a BIND that was refused is not bound. */
  #finish(relay: Relay, status: number): void {
    this.#free(relay)
    const { subscription } = relay
    if (subscription && status >= 400) {
      unsubscribe(subscription.subscriber, subscription.via, subscription.pattern)
      relay.remote.released(subscription)
    }
  }

  /** Nothing more has come for some time. A BIND stays: hosts before 0.6 never confirm one. */
  #quiet(relay: Relay): void {
    const { answered, asker, id, remote, single } = relay
    const isOld = remote.channel !== undefined && remote.channel.version !== '0.6'
    this.#free(relay)
    if (answered) {
      if (isOld) asker.ended(id)
    } else if (single && isOld)
      asker.answered(makeAnswer(this.#env, STATUS.OK, id, { confirmed: false }), true)
    else {
      const message = `${nameOf(remote.target)} did not answer in time`
      asker.answered(makeAnswer(this.#env, STATUS.TIMEOUT, id, { message, code: 'timeout' }), true)
    }
  }

  #fail(relay: Relay, status: number, body: { message: string; [key: string]: string | boolean }): void {
    if (relay.remote.relays.get(relay.id) !== relay) return
    if (relay.single) this.#finish(relay, status)
    else this.#free(relay)
    relay.asker.answered(makeAnswer(this.#env, status, relay.id, body), true)
  }

  #refuse(asker: Asker, id: string | undefined, message: string): void {
    if (id) asker.answered(makeAnswer(this.#env, STATUS.BAD_GATEWAY, id, { message }), true)
    else this.#env.meters.count('drop.unreachable')
  }

  #free(relay: Relay): void {
    this.#relays.stop(relay)
    relay.remote.relays.delete(relay.id)
    relay.asker.open--
  }
}
