// One engine of those that serve a name: the way to it, and what is known of it.

import type { Asker } from '../core/answers.ts'
import type { BalancerInside } from '../core/balancer.ts'
import type { Channel } from '../core/channel.ts'
import type { Dispatch, Hop, Json } from '../core/dispatch.ts'
import type { Subscriber } from '../core/subscription.ts'
import type { Candidate, Standing, Weighed } from './choose.ts'
import { type Report, readReport } from './report.ts'

/** Milliseconds: without a word about whether it is there it counts as away; the same after a failure, and in silence. */
const UNHEARD = 2000
const FAILED = 1000
const SILENT = 5000
/** Reports that are kept, to know again what another replica repeats. */
const RECENT = 128

export class Replica implements Candidate, Weighed {
  readonly name: string
  readonly way: Exclude<Hop, string> | Channel
  open = 0
  weight = 1
  /** Subscriptions that we hold there for others. */
  bound = 0
  /** Dispatches of others that it was given. */
  given = 0
  /** Nothing new for it: it has said so, or we want it to end. */
  isLeaving = false
  /** A scale hook has brought it. */
  isExtra = false
  /** It has been there once. */
  wasUp = false
  /** What it has reported to our subscribers, the last at the end. */
  readonly recent: Dispatch[] = []
  /** What comes behind the way in `to`. */
  #behind: Hop[]
  #inside: BalancerInside
  #report: Report = readReport(null)
  #reportAt: number | undefined
  #link: 'unknown' | 'up' | 'down' = 'unknown'
  #since: number | undefined
  #failedAt = Number.NEGATIVE_INFINITY

  /** `behind`: what the way leads to is no engine, and needs this name to find one. */
  constructor(inside: BalancerInside, name: string, way: Replica['way'], behind?: string) {
    this.#inside = inside
    this.#behind = behind === undefined ? [] : [behind]
    this.name = name
    this.way = way
  }

  get saturation(): number | undefined {
    return this.#report.saturation
  }

  get load(): number | undefined {
    return this.#report.load
  }

  get state(): Report['state'] {
    return this.#report.state
  }

  get isDraining(): boolean {
    return this.isLeaving || this.#report.draining
  }

  /** A subscription is better held elsewhere. */
  get mustBeLeft(): boolean {
    return this.standing === 'draining' || this.standing === 'away'
  }

  get standing(): Standing {
    if (this.#isAway()) return 'away'
    if (this.isDraining) return 'draining'
    return this.#report.full ? 'full' : 'good'
  }

  /** For `["engine","services"]`. */
  get status(): Json {
    const { name, standing, state, saturation = null, weight, open, bound, given } = this
    return {
      at: name,
      standing,
      state,
      saturation,
      weight: Math.round(weight * 1000) / 1000,
      open,
      bound,
      given,
    }
  }

  /** Asks whether it is there begin now. */
  watched(): void {
    this.#since = this.#inside.env.clock.now()
  }

  /** Nobody asks any more whether it is there. */
  unwatched(): void {
    this.#since = undefined
    this.#link = 'unknown'
    this.#reportAt = undefined
  }

  up(): void {
    this.#link = 'up'
    this.#failedAt = Number.NEGATIVE_INFINITY
    this.wasUp = true
  }

  down(): void {
    if (this.#link === 'up') this.isLeaving = false // what comes back has not been told to leave
    this.#link = 'down'
    this.#reportAt = undefined
    this.#report = readReport(null)
  }

  /** It could not be asked just now. */
  failed(): void {
    this.#failedAt = this.#inside.env.clock.now()
  }

  /** Takes in a report of its saturation. Returns the seconds since the last one. */
  heard(body: Json | undefined): number {
    const now = this.#inside.env.clock.now()
    const seconds = (now - (this.#reportAt ?? now)) / 1000
    this.#report = readReport(body)
    this.#reportAt = now
    this.up()
    return seconds
  }

  /** Its hop is put before the ones that are still to go. */
  send(dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void {
    const { way } = this
    if (!Array.isArray(way)) return this.#inside.through(way, dispatch, asker, subscriber)
    this.#inside.dispatch(
      { ...dispatch, to: [way, ...this.#behind, ...(dispatch.to ?? [])] },
      asker,
      subscriber,
    )
  }

  /** One of our subscribers gets this from here. */
  remember(dispatch: Dispatch): void {
    if (this.recent.at(-1) === dispatch) return
    this.recent.push(dispatch)
    if (this.recent.length > RECENT) this.recent.shift()
  }

  #isAway(): boolean {
    const now = this.#inside.env.clock.now()
    if (this.#link === 'down' || now - this.#failedAt < FAILED) return true
    if (this.#link === 'unknown') return this.#since !== undefined && now - this.#since >= UNHEARD
    return this.#reportAt !== undefined && now - this.#reportAt >= SILENT
  }
}
