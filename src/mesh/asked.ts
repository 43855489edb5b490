// One question to a service, from the first replica to the last answer (design §5, §9.18): asked elsewhere when that can't
// do it twice, else answered 502 `uncertain`. Whoever asks gets exactly one end.

import { type Asker, type Failure, makeAnswer } from '../core/answers.ts'
import type { Cancel } from '../core/clock.ts'
import type { Dispatch, Json } from '../core/dispatch.ts'
import type { Outbound } from '../core/outbound.ts'
import { STATUS } from '../core/status.ts'
import type { Subscriber } from '../core/subscription.ts'
import type { Replica } from './replica.ts'
import type { Service } from './service.ts'

/** As in core/forward: a host's own 504 comes first. */
const PATIENCE = 1.15

export class Asked {
  readonly asker: Asker
  #service: Service
  #dispatch: Dispatch
  #subscriber: Subscriber
  #transaction: string
  #tried = new Set<Replica>()
  #attempt: Attempt | undefined
  #since: number
  #deadline: Cancel | undefined
  #isAnswered = false
  /** It may have been carried out by one whose answer is lost. */
  #isUncertain = false

  constructor(
    service: Service,
    dispatch: Dispatch,
    transaction: string,
    asker: Asker,
    subscriber: Subscriber,
  ) {
    this.asker = asker
    this.#service = service
    this.#dispatch = dispatch
    this.#transaction = transaction
    this.#subscriber = subscriber
    this.#since = service.inside.env.clock.now()
  }

  /** Asks the best replica that has not been asked yet. */
  start(): void {
    const { clock } = this.#service.inside.env
    const { expires } = this.#dispatch
    const held = clock.now() - this.#since
    if (expires !== undefined && held >= expires)
      return this.#fail(STATUS.TIMEOUT, 'expired', { expired: true })
    const replica = this.#service.pick(this.#tried)
    if (!replica) return this.#exhausted()
    this.#tried.add(replica)
    this.#attempt = new Attempt(this, replica)
    const dispatch = expires === undefined ? this.#dispatch : { ...this.#dispatch, expires: expires - held }
    replica.send(dispatch, this.#attempt, this.#subscriber)
  }

  answered(attempt: Attempt, out: Outbound, final: boolean): void {
    if (attempt !== this.#attempt) return
    if (!this.#isAnswered && isDraining(out)) return this.#refused(attempt)
    this.#isAnswered = true
    this.#deadline?.()
    if ((out.dispatch.resource?.[0] as number) >= STATUS.OK) attempt.done()
    if (final) this.#end()
    this.asker.answered(out, final)
  }

  ended(attempt: Attempt, transaction: string, quiet: boolean | undefined): void {
    if (attempt !== this.#attempt) return
    this.#end()
    this.asker.ended(transaction, quiet)
  }

  failed(attempt: Attempt, code: Failure): void {
    if (attempt !== this.#attempt) return
    attempt.replica.failed()
    if (code === 'lost') this.#isUncertain = true
    const mayRepeat = code === 'unreachable' || this.#service.retry.has(this.#dispatch.method)
    if (mayRepeat && !this.#isAnswered) this.#again(attempt)
    else this.#exhausted()
  }

  /** It takes no new work, so nothing of it was done. */
  #refused(attempt: Attempt): void {
    this.#service.left(attempt.replica)
    this.#again(attempt)
  }

  #again(attempt: Attempt): void {
    attempt.done()
    this.#attempt = undefined
    const { env, answerTimeout } = this.#service.inside
    const left = this.#since + answerTimeout * PATIENCE - env.clock.now()
    if (left <= 0) return this.#late()
    env.meters.count('mesh.retry')
    this.#deadline ??= env.clock.after(left, () => this.#late())
    this.start()
  }

  #late(): void {
    const code = this.#isUncertain ? 'uncertain' : 'timeout'
    this.#fail(STATUS.TIMEOUT, `no replica of "${this.#service.name}" answered in time`, { code })
  }

  /** Nobody is left who may be asked. */
  #exhausted(): void {
    const code = this.#isUncertain ? 'uncertain' : 'unreachable'
    const why = this.#isUncertain
      ? 'the connection was lost: nobody can say whether it was carried out'
      : `no replica of "${this.#service.name}" can be reached`
    this.#service.inside.env.meters.count(`mesh.${code}`)
    this.#fail(STATUS.BAD_GATEWAY, why, { code })
  }

  #fail(status: number, message: string, details: { [key: string]: Json }): void {
    this.#end()
    const { env } = this.#service.inside
    this.asker.answered(makeAnswer(env, status, this.#transaction, { message, ...details }), true)
  }

  #end(): void {
    this.#attempt?.done()
    this.#attempt = undefined
    this.#deadline?.()
  }
}

/** The question as one replica has it. What comes after another was asked is for nobody. */
class Attempt implements Asker {
  readonly replica: Replica
  #asked: Asked
  #isOpen = true

  constructor(asked: Asked, replica: Replica) {
    this.#asked = asked
    this.replica = replica
    replica.open++
    replica.given++
  }

  get open(): number {
    return this.#asked.asker.open
  }

  set open(count: number) {
    this.#asked.asker.open = count
  }

  answered(out: Outbound, final: boolean): void {
    this.#asked.answered(this, out, final)
  }

  ended(transaction: string, quiet?: boolean): void {
    this.#asked.ended(this, transaction, quiet)
  }

  failed(code: Failure): void {
    this.#asked.failed(this, code)
  }

  /** The replica has answered, or never will. */
  done(): void {
    if (this.#isOpen) this.replica.open--
    this.#isOpen = false
  }
}

/** A host says that it takes no new work. */
export function isDraining({ dispatch: { resource, body } }: Outbound): boolean {
  const code = typeof body === 'object' && body !== null && !Array.isArray(body) ? body.code : undefined
  return resource?.[0] === STATUS.BAD_GATEWAY && code === 'draining'
}
