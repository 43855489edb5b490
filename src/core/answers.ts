// The open transactions (spec §4): who asked, who was triggered and has not answered yet. Every entry ends with an answer,
// a time-out or the death of who should have answered; a table that is not empty in the end is a bug.

import { Deadlines } from './deadlines.ts'
import type { Dispatch, Json } from './dispatch.ts'
import type { Env } from './env.ts'
import { Outbound } from './outbound.ts'
import { STATUS } from './status.ts'

/** Who has asked: a channel, or a caller in this process. */
export interface Asker {
  /** Transactions open for this asker, counted here. */
  open: number
  /** Takes an ANSWER. `final`: no other will come. */
  answered(out: Outbound, final: boolean): void
  /**
   * All who were triggered have answered or are past their time. `quiet`: nobody has said so, but nothing has come from
   * a host for long.
   */
  ended(transaction: string, quiet?: boolean): void
  /**
   * Of an asker whose answers are protected: whether it waits for more. Only it can tell what is an answer, for hosts on
   * the way may make some up.
   */
  holds?(): boolean
  /**
   * Of an asker who can ask another host: told in the place of `answered` that this one can't be asked. `unreachable`:
   * nothing of it has got there; `lost`: nobody knows, the connection went.
   */
  failed?(code: Failure, out: Outbound): void
}

export type Failure = 'unreachable' | 'lost'

/** Who has been triggered. */
export interface Answerer {
  /** What it has still to answer, by triggering id. */
  triggerings: Map<string, Triggering>
}

export interface Transaction {
  id: string
  asker: Asker
  triggered: number
  /** Triggerings without an answer, and 1 more until all have been triggered. */
  pending: number
  triggerings: Triggering[]
}

export interface Triggering {
  id: string
  transaction: Transaction
  answerer: Answerer
}

/** A host that has triggered us: it takes one answer, the first, under the triggering id that it has given. */
export class OneAnswer implements Asker {
  #host: Asker
  #triggering: string
  #given = false

  constructor(host: Asker, triggering: string) {
    this.#host = host
    this.#triggering = triggering
  }

  get open(): number {
    return this.#host.open
  }

  set open(count: number) {
    this.#host.open = count
  }

  answered(out: Outbound): void {
    if (this.#given) return
    this.#host.answered(out.renamed(this.#triggering), true)
    this.#given = true
  }

  ended(): void {}
}

/** An ANSWER that this engine makes itself. `third`: the triggering id, or a fresh one where nobody was triggered. */
export function makeAnswer(
  env: Env,
  status: number,
  transaction: string,
  body?: Json,
  third = env.random.uuid(),
): Outbound {
  const dispatch: Dispatch = {
    method: 'ANSWER',
    resource: [status, transaction, third],
    timestamp: env.clock.wall(),
  }
  if (body !== undefined) dispatch.body = body
  return new Outbound(dispatch, env.clock, false)
}

export class Answers {
  #env: Env
  #open: Deadlines<Transaction>

  constructor(env: Env, timeout: number) {
    this.#env = env
    this.#open = new Deadlines(env.clock, timeout, (transaction) => this.#timeout(transaction))
  }

  /** Open transactions. */
  get size(): number {
    return this.#open.size
  }

  open(asker: Asker, id: string): Transaction {
    const transaction: Transaction = { id, asker, triggered: 0, pending: 1, triggerings: [] }
    asker.open++
    this.#open.start(transaction)
    return transaction
  }

  /** Somebody is about to be triggered. */
  trigger(transaction: Transaction, answerer: Answerer): Triggering {
    const triggering = { id: this.#env.random.uuid(), transaction, answerer }
    transaction.triggered++
    transaction.pending++
    transaction.triggerings.push(triggering)
    answerer.triggerings.set(triggering.id, triggering)
    return triggering
  }

  /** All have been triggered. If that was nobody the asker is told 404. */
  sealed(transaction: Transaction, { method, resource }: Dispatch): void {
    if (transaction.triggered > 0) return this.#settle(transaction)
    this.#free(transaction)
    const message = `nothing here answers ${method} ${JSON.stringify(resource).slice(0, 200)}`
    transaction.asker.answered(makeAnswer(this.#env, STATUS.NOT_FOUND, transaction.id, { message }), true)
  }

  /**
   * The answer of who was triggered. `false`: it has been given before, or its time is over.
   * @throws when it can't be encoded: then it is still to be given.
   */
  answer(triggering: Triggering, out: Outbound): boolean {
    const { transaction, answerer, id } = triggering
    if (!answerer.triggerings.delete(id)) return false
    try {
      transaction.asker.answered(out, false)
    } catch (error) {
      answerer.triggerings.set(id, triggering)
      throw error
    }
    this.#settle(transaction)
    return true
  }

  /** An ANSWER has come from who may have been triggered. `false`: nothing like it is open there. */
  take(answerer: Answerer, out: Outbound): boolean {
    const resource = out.dispatch.resource as [number, string, string?]
    const [, transaction, id] = resource
    const open = answerer.triggerings
    // The two-element form of quirks mode has no triggering id.
    const triggering = id ? open.get(id) : [...open.values()].find((it) => it.transaction.id === transaction)
    if (!triggering || triggering.transaction.id !== transaction) return false
    resource[2] = triggering.id
    return this.answer(triggering, out)
  }

  /** The engine answers in the place of who was triggered. */
  fail(triggering: Triggering, status: number, body: Json): void {
    this.answer(triggering, makeAnswer(this.#env, status, triggering.transaction.id, body, triggering.id))
  }

  /** Who was triggered is gone: all that it owes is answered 502. */
  gone(answerer: Answerer): void {
    const body = { message: 'the subscriber went away before it answered' }
    for (const triggering of [...answerer.triggerings.values()])
      this.fail(triggering, STATUS.BAD_GATEWAY, body)
  }

  /** Nobody will answer any more: all that is open is answered 502. */
  close(): void {
    for (const transaction of this.#open.items()) {
      this.#failAll(transaction, STATUS.BAD_GATEWAY, { message: 'the engine stopped before the answer' })
    }
  }

  #timeout(transaction: Transaction): void {
    this.#failAll(transaction, STATUS.TIMEOUT, { message: 'no answer in time', code: 'timeout' })
  }

  #failAll({ triggerings }: Transaction, status: number, body: Json): void {
    for (const triggering of triggerings) {
      if (triggering.answerer.triggerings.has(triggering.id)) this.fail(triggering, status, body)
    }
  }

  #settle(transaction: Transaction): void {
    if (--transaction.pending > 0) return
    this.#free(transaction)
    transaction.asker.ended(transaction.id)
  }

  #free(transaction: Transaction): void {
    this.#open.stop(transaction)
    transaction.asker.open--
  }
}
