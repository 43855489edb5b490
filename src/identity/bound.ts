// A subscription under protection (spec B8, R8): what comes is opened and handed to the callbacks of this process. When
// nothing is heard any more, or there is a new connection, it is bound again by itself.

import { type Asker, makeAnswer, type Triggering } from '../core/answers.ts'
import type { Callback } from '../core/callback.ts'
import type { Cancel } from '../core/clock.ts'
import type { Dispatch, Endpoint } from '../core/dispatch.ts'
import type { Pattern } from '../core/endpoint.ts'
import type { BindState, Protection } from '../core/guard.ts'
import { Outbound } from '../core/outbound.ts'
import type { Origin } from '../core/owner.ts'
import type { Subscriber, Subscription } from '../core/subscription.ts'
import type { Result } from './arrived.ts'
import { Asked } from './asked.ts'
import { attempt, type Client, UNASKED } from './client.ts'
import { patternOf, type Watch } from './feeds.ts'

const FIRST = 1000
const MOST = 60_000

interface Listener {
  callback: Callback
  onState?: (state: BindState) => void
}

export interface BoundOptions {
  dispatch: Dispatch
  protection: Protection
  /** Nobody listens any more. */
  ended(): void
}

export class Bound implements Subscriber {
  readonly subscriptions = new Map<string, Subscription>()
  readonly triggerings = new Map<string, Triggering>()
  #client: Client
  #options: BoundOptions
  #pattern: Pattern
  #listeners = new Set<Listener>()
  /** Those who wait for it to be bound. */
  #waiting: { asker: Asker; transaction: string }[] = []
  #asked: Asked | undefined
  #isBound = false
  #wasBound = false
  #tries = 0
  #retry: Cancel | undefined

  constructor(client: Client, options: BoundOptions) {
    this.#client = client
    this.#options = options
    this.#pattern = patternOf(options.dispatch.endpoint as Endpoint)
  }

  /** Somebody wants what comes. Returns what ends that. */
  add(listener: Listener, asker: Asker, transaction: string): () => void {
    this.#listeners.add(listener)
    if (this.#isBound) {
      asker.answered(makeAnswer(this.#client.inside.env, 200, transaction), true)
      listener.onState?.('bound')
    } else {
      this.#waiting.push({ asker, transaction })
      if (!this.#asked) this.#bind()
    }
    return () => this.#remove(listener)
  }

  trigger(
    { dispatch }: Outbound,
    _subscription: Subscription,
    _triggering?: Triggering,
    origin?: Origin,
  ): void {
    this.#client.open(dispatch, this.#options.dispatch.to, (result) => this.#take(result, origin?.channel))
  }

  /** There is a new connection. */
  rebind(): void {
    this.#silent()
    this.#bind()
  }

  /** Looks whether one of these has gone silent. */
  check(stale: Watch[]): void {
    const { key } = this.#options.protection
    const id = this.#client.identity.idOf(key)
    const isStale = stale.some((watch) => watch.peer.id === id && watch.pattern.id === this.#pattern.id)
    if (!isStale || !this.#isBound) return
    this.#client.inside.env.log.warn(`nothing was heard of ${key} for a minute: binding again`)
    this.rebind()
  }

  /** Renews the context that it lives in, if that is with this key. */
  renew(author: string): void {
    const { protection, dispatch } = this.#options
    if (this.#client.identity.idOf(protection.key) === author)
      this.#client.learn(author, 'context', dispatch.to)
  }

  /** That engine has started anew, and knows nothing of this any more. */
  renewed(author: string): void {
    const { protection } = this.#options
    if (this.#isBound && this.#client.identity.idOf(protection.key) === author) this.rebind()
  }

  close(): void {
    this.#retry?.()
    this.#asked?.stop()
  }

  #bind(): void {
    this.#retry?.()
    this.#asked?.stop()
    const { env } = this.#client.inside
    const { dispatch, protection } = this.#options
    const token = [env.random.uuid()]
    const asked: Asked = new Asked(this.#client, {
      dispatch: { ...dispatch, timestamp: env.clock.wall(), token },
      protection,
      asker: { open: 0, answered: (out) => this.#asked === asked && this.#answered(out), ended() {} },
      subscriber: this,
      // Where events were to go before is of no use any more.
      onSend: () => this.#client.inside.releaseAll(this),
    })
    this.#asked = asked
    asked.start()
  }

  #answered(out: Outbound): void {
    const { dispatch } = out
    const status = dispatch.resource?.[0] as number
    if (dispatch.authentic === false) return this.#tell(out)
    this.#asked = undefined
    if (status < 400) {
      this.#isBound = true
      this.#wasBound = true
      this.#tries = 0
      this.#tell(out, true)
      for (const { onState } of this.#listeners) onState?.('bound')
    } else if (this.#wasBound) this.#later(status)
    else {
      this.#tell(out, true)
      this.#listeners.clear()
      this.#end()
    }
  }

  /** Tells those who wait. */
  #tell({ dispatch }: Outbound, isLast = false): void {
    const { env } = this.#client.inside
    for (const { asker, transaction } of isLast ? this.#waiting.splice(0) : this.#waiting) {
      const [status = null, , third = null] = dispatch.resource ?? []
      const mine = { ...dispatch, resource: [status, transaction, third] }
      asker.answered(new Outbound(mine, env.clock, false), isLast)
    }
  }

  #silent(): void {
    if (!this.#isBound) return
    this.#isBound = false
    for (const { onState } of this.#listeners) onState?.('stale')
  }

  #later(status: number): void {
    const { env } = this.#client.inside
    const ms = Math.min(MOST, FIRST * 2 ** this.#tries++) * (0.8 + 0.4 * env.random.fraction())
    const { key } = this.#options.protection
    env.log.info(`${key} does not bind (${status}); once more in ${Math.round(ms / 1000)} s`)
    this.#retry = env.clock.after(ms, () => this.#bind())
  }

  #take(result: Result, channel: string | undefined): void {
    const { clock } = this.#client.inside.env
    const hand = (dispatch: Dispatch, origin: Origin) => {
      const out = new Outbound(dispatch, clock, false)
      for (const { callback } of [...this.#listeners])
        callback.trigger(out, { pattern: this.#pattern }, undefined, { channel, ...origin })
    }
    if (result.kind === 'event' && !result.isBeat) {
      const { dispatch, author, server, gap } = result
      hand(dispatch, { author, ...(server !== author && { server }), ...(gap > 0 && { missed: gap }) })
    } else if (result.kind === 'request' && result.isPublic) {
      hand(result.dispatch, { author: result.author, ...(result.stale && { stale: true }) })
    }
  }

  #remove(listener: Listener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return
    const { dispatch, protection } = this.#options
    const { inside, identity } = this.#client
    const release: Dispatch = {
      ...dispatch,
      method: 'RELEASE',
      timestamp: inside.env.clock.wall(),
      // An old gateway gives one to a RELEASE without; then it would not be the same outside as inside.
      token: [inside.env.random.uuid()],
    }
    attempt(
      inside,
      () => identity.protect(release, protection),
      (made) => {
        if (made.kind === 'outer') {
          inside.dispatch(made.outer, UNASKED, this)
          if (made.pending) identity.close(made.pending)
        }
        this.#end()
      },
      () => this.#end(),
    )
  }

  #end(): void {
    this.close()
    this.#client.inside.releaseAll(this)
    this.#options.ended()
  }
}
