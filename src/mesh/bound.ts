// One subscription to a service: bound at one replica, moved to another when that dies or is to end (design §5). A live one
// is left only when the other has confirmed, and both are heard for a while, so that nothing falls between them.

import { type Asker, makeAnswer, type Triggering } from '../core/answers.ts'
import type { Cancel } from '../core/clock.ts'
import type { Dispatch } from '../core/dispatch.ts'
import { Outbound } from '../core/outbound.ts'
import type { Origin } from '../core/owner.ts'
import { STATUS } from '../core/status.ts'
import { type Subscriber, type Subscription, unsubscribe } from '../core/subscription.ts'
import { isDraining } from './asked.ts'
import { Doubles } from './doubles.ts'
import type { Replica } from './replica.ts'
import type { Service } from './service.ts'

/** Milliseconds for which both are heard, for they need not report at the same moment. */
const OVERLAP = 2000
/** Milliseconds for which what they report is compared: a report may have been under way for long. */
const COMPARED = 30_000
/** Before all replicas are tried again: the first time, doubled each time; and the most. */
const FIRST = 250
const MOST = 10_000

export class Bound {
  readonly subscriber: Subscriber
  #service: Service
  #subscription: Subscription
  #dispatch: Dispatch
  #current: Leg | undefined
  #next: Leg | undefined
  #old = new Set<Leg>()
  #tried = new Set<Replica>()
  /** Those who wait to hear that it is bound. */
  #waiting: { asker: Asker; transaction: string }[] = []
  #doubles = new Doubles()
  #wasBound = false
  #tries = 0
  #retry: Cancel | undefined
  #settling: Cancel | undefined
  #isOver = false

  constructor(service: Service, subscription: Subscription, dispatch: Dispatch) {
    this.#service = service
    this.#subscription = subscription
    this.subscriber = subscription.subscriber
    this.#dispatch = dispatch
  }

  /** Binds, or binds again what may have other headers now. */
  bind(dispatch: Dispatch, asker: Asker, transaction: string | undefined): void {
    this.#dispatch = dispatch
    if (this.#current) return this.#current.replica.send(dispatch, asker, this.#current)
    if (transaction !== undefined) {
      this.#waiting.push({ asker, transaction })
      asker.open++
    }
    if (!this.#next && !this.#retry) this.#go()
  }

  /** This replica is to end, or nothing is heard of it. */
  leave(replica: Replica): void {
    if (this.#current?.replica !== replica || this.#next || this.#retry) return
    this.#go()
  }

  /** Nobody wants it any more. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#retry?.()
    this.#settling?.()
    for (const leg of [this.#current, this.#next, ...this.#old]) if (leg) this.#release(leg)
    this.#service.bounds.delete(this.#subscription)
    const { env } = this.#service.inside
    this.#tell(makeAnswer(env, STATUS.BAD_GATEWAY, '', { message: 'released before it was bound' }))
  }

  // Called by the legs

  confirmed(leg: Leg, out: Outbound): void {
    if (this.#isOver || leg !== this.#next) return this.#release(leg)
    this.#next = undefined
    this.#arrive(leg)
    this.#tell(out)
  }

  /** A replica has answered that it does not bind. */
  refused(leg: Leg, out: Outbound): void {
    this.#release(leg)
    if (this.#isOver || leg !== this.#next) return
    this.#next = undefined
    const isTimeout = out.dispatch.resource?.[0] === STATUS.TIMEOUT
    if (isDraining(out)) this.#service.left(leg.replica)
    else if (!this.#wasBound && !isTimeout) return this.#fail(out)
    if (isTimeout) this.#tell(out) // it may be bound later: so does any host
    this.#go()
  }

  failed(leg: Leg): void {
    this.#release(leg)
    if (this.#isOver || leg !== this.#next) return
    leg.replica.failed()
    this.#next = undefined
    this.#go()
  }

  lost(leg: Leg): void {
    this.#release(leg)
    this.#old.delete(leg)
    if (leg !== this.#current) return
    leg.replica.failed()
    this.#current = undefined
    if (!this.#isOver && !this.#next && !this.#retry) this.#go(leg.replica)
  }

  take(leg: Leg, out: Outbound, triggering?: Triggering, origin?: Origin): void {
    if (this.#isOver) return
    if (!triggering) {
      if (this.#doubles.isDouble(leg.replica, out.dispatch))
        return this.#service.inside.env.meters.count('mesh.double')
      leg.replica.remember(out.dispatch)
    }
    this.subscriber.trigger(out, this.#subscription, triggering, origin)
  }

  /** Tries the best replica that was not tried yet. `from`: the one that it came from. */
  #go(from = this.#current?.replica): void {
    if (from) {
      this.#tried.add(from)
      this.#doubles.begin(from, from.recent)
    }
    const replica = this.#service.pick(this.#tried)
    if (!replica || (this.#current && replica.standing !== 'good')) return this.#exhausted()
    const known = [...this.#old].find((leg) => leg.replica === replica)
    if (known) {
      this.#arrive(known) // it has been left just now, and is bound there still
      return this.#tell(makeAnswer(this.#service.inside.env, STATUS.OK, ''))
    }
    this.#tried.add(replica)
    this.#next = new Leg(this, replica)
    const token = [this.#service.inside.env.random.uuid()]
    replica.send({ ...this.#dispatch, token }, this.#next, this.#next)
  }

  /** From now on it is held there. */
  #arrive(leg: Leg): void {
    const { env } = this.#service.inside
    if (this.#wasBound) env.meters.count('mesh.moved')
    if (this.#current) this.#old.add(this.#current)
    this.#old.delete(leg)
    this.#current = leg
    this.#wasBound = true
    this.#tries = 0
    this.#tried.clear()
    this.#settling?.()
    this.#settling = env.clock.after(OVERLAP, () => this.#settle())
  }

  /** None is left to try. Whoever waits is told; what never was bound is given up then. */
  #exhausted(): void {
    this.#tried.clear()
    if (this.#waiting.length === 0) return this.#later()
    const { env } = this.#service.inside
    const message = `no replica of "${this.#service.name}" can be reached`
    const out = makeAnswer(env, STATUS.BAD_GATEWAY, '', { message, code: 'unreachable' })
    env.meters.count('mesh.unreachable')
    if (!this.#wasBound) return this.#fail(out)
    this.#tell(out)
    this.#later()
  }

  #later(): void {
    const { clock, random } = this.#service.inside.env
    const ms = Math.min(MOST, FIRST * 2 ** this.#tries++) * (0.8 + 0.4 * random.fraction())
    this.#retry?.()
    this.#retry = clock.after(ms, () => {
      this.#retry = undefined
      if (!this.#next && (!this.#current || this.#current.replica.mustBeLeft)) this.#go()
    })
  }

  /** The one that was left has said what it had to say. */
  #settle(): void {
    this.#settling = this.#service.inside.env.clock.after(COMPARED - OVERLAP, () => {
      this.#settling = undefined
      this.#doubles.end()
    })
    for (const leg of this.#old) this.#release(leg)
    this.#old.clear()
  }

  #fail(out: Outbound): void {
    this.#tell(out)
    unsubscribe(this.subscriber, this.#subscription.via, this.#subscription.pattern)
    this.end()
  }

  #tell({ dispatch }: Outbound): void {
    const { env } = this.#service.inside
    const [status = null] = dispatch.resource ?? []
    for (const { asker, transaction } of this.#waiting.splice(0)) {
      const resource = [status, transaction, env.random.uuid()]
      asker.open--
      asker.answered(new Outbound({ ...dispatch, resource }, env.clock, false), true)
    }
  }

  #release(leg: Leg): void {
    leg.end((subscription) => this.#service.inside.release(subscription))
  }
}

/** The subscription as one replica has it. What it triggers is answered by the subscriber himself. */
class Leg implements Subscriber, Asker {
  readonly subscriptions = new Map<string, Subscription>()
  readonly triggerings: Map<string, Triggering>
  readonly replica: Replica
  open = 0
  #bound: Bound
  #isOver = false

  constructor(bound: Bound, replica: Replica) {
    this.#bound = bound
    this.replica = replica
    this.triggerings = bound.subscriber.triggerings
    replica.bound++
  }

  trigger(out: Outbound, _subscription: Subscription, triggering?: Triggering, origin?: Origin): void {
    this.#bound.take(this, out, triggering, origin)
  }

  lost(): void {
    this.#bound.lost(this)
  }

  answered(out: Outbound): void {
    const status = out.dispatch.resource?.[0] as number
    if (status < 400) this.#bound.confirmed(this, out)
    else this.#bound.refused(this, out)
  }

  ended(): void {}

  failed(): void {
    this.#bound.failed(this)
  }

  end(release: (subscription: Subscription) => void): void {
    if (!this.#isOver) this.replica.bound--
    this.#isOver = true
    for (const subscription of [...this.subscriptions.values()]) release(subscription)
  }
}
