// Questions by HTTP: one connection is one channel, and its requests are asked one after the other.

import type { Channel } from '../core/channel.ts'
import type { Clock } from '../core/clock.ts'
import type { Dispatch, Json } from '../core/dispatch.ts'
import type { Meters } from '../core/meters.ts'
import { Outbound } from '../core/outbound.ts'
import { STATUS } from '../core/status.ts'
import type { Accept, Codec, Decoded, Frame, Pipe } from '../core/transport.ts'
import type { Reply } from './http-reply.ts'

/** A dispatch that is to be answered. */
export interface Question {
  transaction: string
  /** A frame, or what would be read in one. */
  asked: string | Decoded
  reply: Reply
}

export interface ExchangeShared {
  accept: Accept
  codec: Codec
  clock: Clock
  meters: Meters | undefined
}

export class Exchange implements Pipe {
  readonly transport = 'http'
  readonly remote: string
  readonly #shared: ExchangeShared
  #channel: Channel
  #question: Question | undefined
  #isAnswered = false
  /** Looks since something has come. */
  #looks = 0
  #hangUp: () => void

  /** `hangUp`: the engine wants to be rid of this connection; what was said must still get there. */
  constructor(shared: ExchangeShared, remote: string, hangUp: () => void) {
    this.#shared = shared
    this.remote = remote
    this.#hangUp = hangUp
    this.#channel = shared.accept(this, { ...shared.codec, decode: (frame) => this.#decode(frame) })
    // Of an answer mostly the body is needed, and no text of it: it is taken before it is made one.
    this.#channel.answered = (out) => this.#take(out)
    this.#channel.ended = (transaction) => this.#ended(transaction)
  }

  /** `false`: there are too many channels, or the engine stops. */
  get isOpen(): boolean {
    return !this.#channel.closed
  }

  /** One at a time. */
  ask(question: Question): void {
    this.#question = question
    this.#isAnswered = false
    this.#looks = 0
    this.#channel.receive(typeof question.asked === 'string' ? question.asked : '')
  }

  /** Hands over a dispatch that nobody waits for. */
  tell(frame: string): void {
    this.#channel.receive(frame)
  }

  /** Nothing else than answers is wanted here. */
  write(): boolean {
    this.#shared.meters?.count('drop.http')
    return true
  }

  /** The engine closes it. */
  close(reason: string): void {
    const question = this.#question
    if (question) this.#give(question, STATUS.BAD_GATEWAY, { message: reason })
    this.#hangUp()
  }

  /** The connection is gone. */
  gone(): void {
    this.#question = undefined
    this.#channel.end('the connection is closed')
  }

  /** To be called now and then. `most`: how often, with nothing come in between, before the question is over. */
  look(most: number): void {
    const question = this.#question
    if (!question || ++this.#looks <= most) return
    this.#give(question, STATUS.TIMEOUT, { message: 'no answer in time', code: 'timeout' })
    // What is still open there must not be taken for an answer to the next question.
    if (this.#channel.open > 0) this.#hangUp()
  }

  /** Most questions are short and ours: to write and read them would take as long as to answer them. */
  #decode(frame: Frame): Decoded {
    const asked = this.#question?.asked
    return typeof asked === 'object' ? asked : this.#shared.codec.decode(frame)
  }

  #take(out: Outbound): void {
    const question = this.#question
    const [status, transaction] = out.dispatch.resource ?? []
    if (!question || transaction !== question.transaction) return this.#shared.meters?.count('drop.http')
    if (status === STATUS.NO_MORE_ANSWERS) return this.#end(question)
    question.reply.answered(out)
    this.#isAnswered = true
    this.#looks = 0
    // One who was not triggered gives the only answer: nothing is open then.
    if (this.#channel.open === 0) this.#end(question)
  }

  #ended(transaction: string): void {
    const question = this.#question
    if (question?.transaction === transaction) this.#end(question)
  }

  /** Ends it; with an answer of ours where nobody has given one. */
  #give(question: Question, status: number, body: Json): void {
    const { transaction, reply } = question
    const { clock } = this.#shared
    const resource = [status, transaction, transaction]
    const dispatch: Dispatch = { method: 'ANSWER', resource, timestamp: clock.wall(), body }
    if (!this.#isAnswered) reply.answered(new Outbound(dispatch, clock, false))
    this.#end(question)
  }

  #end(question: Question): void {
    this.#question = undefined
    question.reply.ended()
  }
}
