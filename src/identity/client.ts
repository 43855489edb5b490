// Our side of protected questions: what must be known of a key is learned first, once for all who wait for it; what comes
// back is opened in the order in which it comes.

import type { Asker } from '../core/answers.ts'
import type { Dispatch, Hop, Json } from '../core/dispatch.ts'
import type { Inside } from '../core/guard.ts'
import type { Outbound } from '../core/outbound.ts'
import { JstpError, STATUS } from '../core/status.ts'
import type { Subscriber } from '../core/subscription.ts'
import type { Result } from './arrived.ts'
import type { Identity } from './identity.ts'
import type { Maybe } from './maybe.ts'

const WAITING = 10_000

/** Steps to a context: an id, a challenge, and once more if a relay is in the way. */
const ROUNDS = 4

type Need = 'id' | 'context'

interface Waiter {
  what: Need
  to: Hop[] | undefined
  rounds: number
  done(failure?: JstpError): void
}

/** Never told anything. */
export const UNASKED: Asker = { open: 0, answered() {}, ended() {} }

/** Binds nothing. */
export const NOBODY: Subscriber = { subscriptions: new Map(), triggerings: new Map(), trigger() {} }

/** Hands on what is immediate or comes later; `fail` is told of a `JstpError`, anything else is a bug. */
export function attempt<T>(
  { env }: Inside,
  work: () => Maybe<T>,
  take: (value: T) => void,
  fail: (error: JstpError) => void,
): void {
  const failed = (error: unknown) => {
    if (error instanceof JstpError) return fail(error)
    const message = error instanceof Error ? error.message : String(error)
    env.log.error(`protecting or opening a dispatch failed: ${message}`, { error })
    fail(new JstpError(STATUS.FAILED, message))
  }
  let value: Maybe<T>
  try {
    value = work()
  } catch (error) {
    return failed(error)
  }
  if (value instanceof Promise) value.then(take).catch(failed)
  else take(value)
}

export class Client {
  readonly identity: Identity
  readonly inside: Inside
  /** Questions that are open. */
  readonly asked = new Set<{ renewed(author: string): void }>()
  #waiting = new Map<string, Set<Waiter>>()
  #count = 0

  constructor(identity: Identity, inside: Inside) {
    this.identity = identity
    this.inside = inside
  }

  /** Calls back when that is known of the key, or with the reason why it can't be. */
  need(key: string, what: Need, to: Hop[] | undefined, done: (failure?: JstpError) => void): void {
    const author = this.identity.idOf(key)
    if (author === undefined) {
      return done(new JstpError(STATUS.UNAUTHORIZED, `the key ${key} is not in the trust store any more`))
    }
    if (this.#count >= WAITING) {
      return done(new JstpError(STATUS.FAILED, 'too much waits to be protected', { code: 'full' }))
    }
    const waiting = this.#waiting.get(author) ?? new Set()
    this.#waiting.set(author, waiting)
    const waiter: Waiter = {
      what,
      to,
      rounds: 0,
      done: (failure) => {
        if (!waiting.delete(waiter)) return
        this.#count--
        if (waiting.size === 0) this.#waiting.delete(author)
        cancel()
        done(failure)
      },
    }
    const late = () =>
      waiter.done(
        new JstpError(STATUS.TIMEOUT, `${key} did not say who it is: no answer in time`, { code: 'timeout' }),
      )
    const cancel = this.inside.env.clock.after(this.inside.answerTimeout, late)
    waiting.add(waiter)
    this.#count++
    this.learn(author, what, to)
  }

  /** Sends what must be sent to learn that, unless it is on its way already. */
  learn(author: string, what: Need, to: Hop[] | undefined): void {
    const send = (query: Dispatch | undefined) => query && this.#send(query, author, to)
    attempt(
      this.inside,
      () => this.identity.begin(author, what),
      send,
      (error) => this.#failed(author, error),
    )
  }

  /** Opens what has come from there. What is about keys is dealt with here, everything else is handed on. */
  open(outer: Dispatch, to: Hop[] | undefined, take: (result: Result) => void): void {
    const from = { channel: JSON.stringify(to ?? []), isRelay: true }
    const results = (all: Result[]) => {
      for (const result of all) {
        if (result.kind === 'learned') this.#learned(result.author, result.what, to)
        else if (result.kind === 'refused') this.#failed(result.author, refusalOf(result))
        else if (result.kind === 'ask') this.#send(result.query, result.author, to)
        else take(result)
      }
    }
    attempt(
      this.inside,
      () => this.identity.open(outer, from),
      results,
      () => this.inside.env.meters.count('sec.failed'),
    )
  }

  #send(query: Dispatch, author: string, to: Hop[] | undefined): void {
    let isOver = false
    const learner: Asker = {
      open: 0,
      holds: () => !isOver,
      answered: ({ dispatch }: Outbound, final) => {
        // Our own engine has no way to it; anybody else's word is opened.
        if (final) {
          isOver = true
          this.#failed(author, refusalOf({ status: dispatch.resource?.[0] as number, body: dispatch.body }))
        } else {
          this.open(dispatch, to, () => {})
          isOver = this.#waiting.get(author) === undefined
        }
      },
      ended() {
        isOver = true
      },
    }
    this.inside.dispatch(to ? { ...query, to } : query, learner, NOBODY)
  }

  /** Wakes who waited for that. Who waits for a context needs one step more after an id or a challenge. */
  #learned(author: string, what: string, to: Hop[] | undefined): void {
    const waiters = [...(this.#waiting.get(author) ?? [])]
    for (const waiter of waiters) {
      const isMore = waiter.what === 'context' && what !== 'context'
      if (!isMore) waiter.done()
      else if (++waiter.rounds < ROUNDS) this.learn(author, 'context', waiter.to)
    }
    if (what === 'context' && !waiters.some((waiter) => waiter.what === 'context')) this.#confirm(author, to)
  }

  /** The other side keeps a new context only once something has come in it: here nobody has anything to say yet. */
  #confirm(key: string, to: Hop[] | undefined): void {
    const { env } = this.inside
    const dispatch = { method: 'GET', resource: ['sec', 'id'], timestamp: env.clock.wall(), to }
    attempt(
      this.inside,
      () => this.identity.protect(dispatch, { key }),
      (made) => made.kind === 'outer' && this.inside.dispatch(made.outer, UNASKED, NOBODY),
      () => env.meters.count('sec.failed'),
    )
  }

  #failed(author: string, failure: JstpError): void {
    for (const { done } of [...(this.#waiting.get(author) ?? [])]) done(failure)
  }
}

function refusalOf({ status, body }: { status: number; body: Json | undefined }): JstpError {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
  const { message = 'refused', ...details } = isObject ? body : {}
  return new JstpError(status, String(message), details)
}
