// One question under protection, from the first try to the last answer (spec B8, B11). An answer that is not authentic is
// shown as that and ends nothing.

import { type Asker, makeAnswer } from '../core/answers.ts'
import type { Dispatch } from '../core/dispatch.ts'
import type { Protection } from '../core/guard.ts'
import { Outbound } from '../core/outbound.ts'
import { JstpError, STATUS } from '../core/status.ts'
import type { Subscriber } from '../core/subscription.ts'
import type { Answered, Result } from './arrived.ts'
import { attempt, type Client, NOBODY, UNASKED } from './client.ts'
import type { Maybe } from './maybe.ts'
import type { Protected } from './protect.ts'
import type { Pending } from './requests.ts'

/** Rounds of learning for one question; each brings it nearer, so that more would be a host that leads us about. */
const ROUNDS = 5

export interface AskedOptions {
  dispatch: Dispatch
  protection: Protection
  asker: Asker
  /** How it is protected the first time, if not as the protection says. */
  make?: () => Maybe<Protected>
  /** Of a BIND: who gets what comes of it. */
  subscriber?: Subscriber
  /** It is about to be sent, for the first time or again. */
  onSend?: () => void
  /** An authentic answer, before the asker has it. */
  onAnswer?: (answer: Answered) => void
}

export class Asked implements Asker {
  open = 0
  #client: Client
  #options: AskedOptions
  #next: () => Maybe<Protected>
  #pending: Pending | undefined
  #rounds = 0
  #isOver = false
  #isAnswered = false
  /** A hint has said that it may have been lost, and it is not one to repeat (R3). */
  #isUncertain = false

  constructor(client: Client, options: AskedOptions) {
    this.#client = client
    this.#options = options
    this.#next = options.make ?? (() => client.identity.protect(options.dispatch, options.protection))
  }

  start(): void {
    this.#client.asked.add(this)
    attempt(
      this.#client.inside,
      this.#next,
      (made) => this.#made(made),
      (error) => this.#fail(error),
    )
  }

  /** Nobody waits for it any more. */
  stop(): void {
    this.#isOver = true
    this.#client.asked.delete(this)
    if (this.#pending) this.#client.identity.close(this.#pending)
  }

  /** The engine that it went to is another run now: what it got no answer to is uncertain, unless it answers still. */
  renewed(author: string): void {
    if (this.#client.identity.idOf(this.#options.protection.key) === author) this.#isUncertain = true
  }

  holds(): boolean {
    return !this.#isOver
  }

  answered(out: Outbound, final: boolean): void {
    if (this.#isOver) return
    if (!final) return this.#client.open(out.dispatch, this.#options.dispatch.to, (it) => this.#take(it))
    // Our own engine says so.
    this.stop()
    this.#options.asker.answered(out, true)
  }

  ended(transaction: string, quiet?: boolean): void {
    if (this.#isOver) return
    this.stop()
    if (this.#isAnswered) return this.#options.asker.ended(transaction, quiet)
    this.#fail(
      this.#isUncertain
        ? new JstpError(STATUS.BAD_GATEWAY, 'nobody can say whether it was carried out', {
            code: 'uncertain',
          })
        : new JstpError(STATUS.TIMEOUT, 'no authentic answer came in time', { code: 'timeout' }),
    )
  }

  #made(made: Protected): void {
    if (this.#isOver) return
    const { dispatch, protection, subscriber = NOBODY, onSend } = this.#options
    const { key } = protection
    if (made.kind === 'need') {
      if (++this.#rounds > ROUNDS)
        return this.#fail(new JstpError(STATUS.BAD_GATEWAY, `${key} asks for ever more`))
      return this.#client.need(key, made.need, dispatch.to, (failure) =>
        failure ? this.#fail(failure) : this.start(),
      )
    }
    onSend?.()
    this.#pending = made.pending
    this.#client.inside.dispatch(made.outer, made.pending ? this : UNASKED, subscriber)
    if (!made.pending) this.stop()
    if (made.renew) this.#client.learn(key, 'context', dispatch.to)
  }

  #take(result: Result): void {
    if (this.#isOver) return
    const { asker, dispatch } = this.#options
    const { env } = this.#client.inside
    switch (result.kind) {
      case 'answer':
        // Whoever is on the way may bring the answer to another question that has the same transaction id.
        if (result.pending.dispatch !== dispatch) return
        if (result.retry) return this.#again(result.pending)
        return this.#answer(result)
      case 'doubtful':
        return asker.answered(new Outbound({ ...result.dispatch, authentic: false }, env.clock, false), false)
      case 'hint':
        if (result.need === undefined) return this.#again(result.pending)
        this.#isUncertain = !result.again
        return this.#client.need(this.#options.protection.key, result.need, dispatch.to, (failure) => {
          if (!failure && result.again) this.#again(result.pending)
        })
    }
  }

  #answer(answer: Answered): void {
    const { asker, dispatch, onAnswer } = this.#options
    const { clock } = this.#client.inside.env
    this.#isAnswered = true
    onAnswer?.(answer)
    if (answer.status === STATUS.NO_MORE_ANSWERS) return this.ended(dispatch.token?.[0] as string)
    const isSingle = dispatch.endpoint !== undefined
    if (isSingle) this.stop()
    asker.answered(new Outbound(answer.dispatch, clock, false), isSingle)
  }

  #again(pending: Pending): void {
    if (this.#isOver) return
    this.#next = () => this.#client.identity.again(pending)
    this.start()
  }

  #fail({ status, body }: JstpError): void {
    this.stop()
    const { asker, dispatch } = this.#options
    const transaction = dispatch.token?.[0]
    if (transaction) asker.answered(makeAnswer(this.#client.inside.env, status, transaction, body), true)
  }
}
