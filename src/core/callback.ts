// A function in this process that is triggered: its value, its error or its `answer` becomes the ANSWER (spec §4).

import { type Answerer, type Answers, makeAnswer, type Triggering } from './answers.ts'
import type { Json } from './dispatch.ts'
import { paramsOf } from './endpoint.ts'
import type { Env } from './env.ts'
import type { Outbound } from './outbound.ts'
import type { Handler, Origin, Request } from './owner.ts'
import { JstpError, STATUS } from './status.ts'
import type { Subscriber, Subscription } from './subscription.ts'

export class Callback implements Subscriber, Answerer {
  readonly subscriptions = new Map<string, Subscription>()
  readonly triggerings = new Map<string, Triggering>()
  #env: Env
  #answers: Answers
  #handler: Handler

  constructor(env: Env, answers: Answers, handler: Handler) {
    this.#env = env
    this.#answers = answers
    this.#handler = handler
  }

  trigger(
    out: Outbound,
    { pattern }: Pick<Subscription, 'pattern'>,
    triggering?: Triggering,
    origin?: Origin,
  ): void {
    const { dispatch } = out
    const answer = (status: number, body?: Json) => {
      if (!triggering) return
      this.#answers.answer(
        triggering,
        makeAnswer(this.#env, status, triggering.transaction.id, body, triggering.id),
      )
    }
    const request: Request = {
      dispatch,
      params: paramsOf(pattern, resourceOf(out)),
      channel: origin?.channel,
      author: origin?.author,
      server: origin?.server,
      missed: origin?.missed,
      stale: origin?.stale,
      answer,
    }
    try {
      const result = this.#handler(request)
      if (result instanceof Promise) {
        result
          .then((body) => answer(STATUS.OK, body ?? undefined))
          .catch((error) => this.#failed(error, request))
      } else if (triggering) answer(STATUS.OK, result as Json | undefined)
    } catch (error) {
      this.#failed(error, request)
    }
  }

  #failed(error: unknown, { dispatch, answer }: Request): void {
    if (error instanceof JstpError) return answer(error.status, error.body)
    const message = error instanceof Error ? error.message : String(error)
    this.#env.log.error(`a callback for ${dispatch.method} failed: ${message}`, {
      error,
      resource: dispatch.resource,
    })
    answer(STATUS.FAILED, { message })
  }
}

/** BIND and RELEASE have no resource; their watchers are told of the one in the endpoint. */
function resourceOf({ dispatch }: Outbound) {
  return dispatch.resource ?? dispatch.endpoint?.resource ?? []
}
