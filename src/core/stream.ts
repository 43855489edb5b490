// What a caller in this process reads: answers as they come, reports as they come, in bounded buffers.

import type { Asker } from './answers.ts'
import type { Cancel, Clock } from './clock.ts'
import type { Dispatch, Json } from './dispatch.ts'
import type { Outbound } from './outbound.ts'
import { JstpError, STATUS } from './status.ts'

/** An answer to what was asked. */
export interface Answer {
  status: number
  body: Json | undefined
  /** The whole ANSWER, with its extension headers. */
  dispatch: Dispatch
  /** Not protected although the question was: somebody on the way may have made it up. The question stays open. */
  authentic?: false
}

const BUFFER = 1000
/** After an answer that may be the only one, e.g. from a host that sends no 101. */
const LINGER = 300
const SINGLE = new Set<number>([400, 401, 403, 404, 405, 406, 409, 502, 503, 505, 506])

interface Reader<T> {
  resolve(result: IteratorResult<T>): void
  reject(error: unknown): void
}

/** A bounded buffer that is read with `for await`. When it is full the oldest item is lost, and counted. */
export class Stream<T> implements AsyncIterableIterator<T> {
  lost = 0
  #items: T[] = []
  #readers: Reader<T>[] = []
  #error: unknown
  #ended = false
  #stop: () => void

  /** `stop`: the reader wants no more. */
  constructor(stop: () => void = () => {}) {
    this.#stop = stop
  }

  /** Nothing more is taken. */
  get over(): boolean {
    return this.#ended
  }

  push(value: T): void {
    if (this.#ended) return
    const reader = this.#readers.shift()
    if (reader) return reader.resolve({ value, done: false })
    this.#items.push(value)
    if (this.#items.length > BUFFER) {
      this.#items.shift()
      this.lost++
    }
  }

  /** No more will come. What has come can still be read; then the error, if there is one, is thrown once. */
  end(error?: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    for (const { resolve, reject } of this.#readers.splice(0)) this.next().then(resolve, reject)
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#items.length > 0) return Promise.resolve({ value: this.#items.shift() as T, done: false })
    if (!this.#ended) return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }))
    const error = this.#error
    this.#error = undefined
    return error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error)
  }

  return(): Promise<IteratorResult<T>> {
    this.end()
    this.#stop()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

/** The answers to one dispatch. Ends when no more can come. */
export class AnswerStream extends Stream<Answer> implements Asker {
  open = 0
  #clock: Clock
  #linger: Cancel | undefined
  #deadline: Cancel | undefined
  #unhook: Cancel | undefined
  #remote: boolean

  /**
   * @param deadline milliseconds after which it ends in any case.
   * @param remote the answers come from a host, which may not say that they were all.
   */
  constructor(clock: Clock, deadline?: number, signal?: AbortSignal, remote = false) {
    super()
    this.#clock = clock
    this.#remote = remote
    if (deadline !== undefined) this.#deadline = clock.after(deadline, () => this.end())
    const abort = () => this.end(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    this.#unhook = () => signal?.removeEventListener('abort', abort)
    if (signal?.aborted) abort()
  }

  /** The first answer; one that is not authentic only where no other came. @throws {JstpError} 504: none in time. */
  async first(): Promise<Answer> {
    let doubtful: Answer | undefined
    let { value, done } = await this.next()
    while (!done && value.authentic === false) {
      doubtful = value
      ;({ value, done } = await this.next())
    }
    this.end()
    if (done && doubtful) return doubtful
    if (done) throw new JstpError(STATUS.TIMEOUT, 'no answer came in time', { code: 'timeout' })
    return value
  }

  /** All answers. */
  async all(): Promise<Answer[]> {
    const answers: Answer[] = []
    for await (const answer of this) answers.push(answer)
    return answers
  }

  answered({ dispatch }: Outbound, final: boolean): void {
    if (this.over) return
    const status = dispatch.resource?.[0] as number
    if (dispatch.authentic === false) {
      return this.push({ status, body: dispatch.body, dispatch, authentic: false })
    }
    this.push({ status, body: dispatch.body, dispatch })
    if (final) return this.end()
    if (!this.#remote) return
    const version = dispatch.protocol?.[1]
    const isOld = version !== undefined && version !== '0.6'
    if (isOld || SINGLE.has(status)) {
      this.#linger?.()
      this.#linger = this.#clock.after(LINGER, () => this.end())
    }
  }

  ended(): void {
    this.end()
  }

  override end(error?: unknown): void {
    this.#linger?.()
    this.#deadline?.()
    this.#unhook?.()
    super.end(error)
  }
}
