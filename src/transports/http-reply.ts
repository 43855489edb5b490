// What goes back over HTTP: the answers to one request (design §9.16), and what is refused before it is asked.

import type { ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'
import type { Dispatch } from '../core/dispatch.ts'
import type { Outbound } from '../core/outbound.ts'
import { JstpError, STATUS } from '../core/status.ts'
import type { Codec } from '../core/transport.ts'
import { type Form, hasBody, JSTP } from './http-body.ts'

/** Milliseconds for a client that is still sending to read why it may stop. */
const LINGER = 1000

/** Answers that wait for a good one. */
const MOST_WAITING = 100

export const TYPES: Record<Form, string> = {
  json: 'application/json',
  lines: 'application/x-ndjson',
  events: 'text/event-stream',
}

export type Headers = { [name: string]: string }

/** May not even say that it has no body. */
const EMPTY = 204

/** `length`: bytes of the body, if they are known. */
export function head(
  response: ServerResponse,
  status: number,
  type: string,
  headers?: Headers,
  length?: number,
): void {
  // Nothing keeps it, and nobody guesses what it is.
  const all: Headers = {
    'Content-Type': type,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  }
  if (length !== undefined) all['Content-Length'] = String(length)
  if (status === STATUS.UNAUTHORIZED) all['WWW-Authenticate'] = 'JSTP'
  response.writeHead(status, headers ? Object.assign(all, headers) : all)
}

/** Ends a response. `text`: JSON, or nothing. */
export function say(response: ServerResponse, status: number, text: string, headers?: Headers): void {
  const body = text === '' ? '' : `${text}\n`
  head(response, status, TYPES.json, headers, status === EMPTY ? undefined : Buffer.byteLength(body))
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

/** Says why not. A client that is still sending is not read any further: it has a second to see that. */
export function refuse(response: ServerResponse, error: unknown, clock: Clock, headers?: Headers): void {
  if (response.headersSent || response.destroyed) return void response.destroy()
  const { status, body } =
    error instanceof JstpError ? error : new JstpError(STATUS.FAILED, 'this request could not be read')
  const text = JSON.stringify(body)
  if (!hasBody(response.req) || response.req.complete) return say(response, status, text, headers)
  head(response, status, TYPES.json, { Connection: 'close', ...headers }, Buffer.byteLength(text))
  response.write(text)
  const cancel = clock.after(LINGER, () => response.destroy())
  response.once('close', cancel)
}

/** Takes the answers to one request. */
export interface Reply {
  /** @throws when it can't be written: then it is still to be given. */
  answered(out: Outbound): void
  /** No other will come. */
  ended(): void
}

export interface ReplyOptions {
  form: Form
  /** Writes whole dispatches. Without it one answer is its bare body, and several are `{status, body}`. */
  codec: Codec | undefined
  /** Bytes of all answers. */
  limit: number
  /** Some did not fit. */
  dropped(): void
}

/** An answer as JSON: the dispatch, or its body, '' for none. */
interface Written {
  status: number
  text: string
}

export function replyTo(response: ServerResponse, options: ReplyOptions): Reply {
  return options.form === 'json' ? new Gathered(response, options) : new Flowing(response, options)
}

/** One line of a stream of events, or of JSON. A line end inside of it would end the event. */
export function lineOf(text: string, form: Form): string {
  const line = text.includes('\r') ? text.replaceAll('\r', ' ') : text
  return form === 'events' ? `data: ${line}\n\n` : `${line}\n`
}

/** All at once, in the end. */
class Gathered implements Reply {
  #response: ServerResponse
  #options: ReplyOptions
  #answers: Written[] = []
  #length = 0
  #lost = 0

  constructor(response: ServerResponse, options: ReplyOptions) {
    this.#response = response
    this.#options = options
  }

  answered(out: Outbound): void {
    const answer = write(out, this.#options.codec)
    if (this.#answers.length > 0 && this.#length + answer.text.length > this.#options.limit) {
      this.#lost++
      return this.#options.dropped()
    }
    this.#length += answer.text.length
    this.#answers.push(answer)
  }

  ended(): void {
    const [first, second] = this.#answers
    const { codec } = this.#options
    if (first && !second && !codec && this.#lost === 0)
      return say(this.#response, httpStatus(first.status), first.text)
    const items = this.#answers.map((answer) => itemOf(answer, codec))
    if (this.#lost > 0) items.push(this.#loss())
    const type = codec && { 'Content-Type': JSTP }
    say(this.#response, chooseStatus(this.#answers), `[${items}]`, type)
  }

  #loss(): string {
    const message = `${this.#lost} more answers did not fit into ${this.#options.limit} bytes: accept NDJSON`
    return JSON.stringify({ status: STATUS.BAD_GATEWAY, body: { message } })
  }
}

/** One line each, as they come. Until one is good they wait, for the first good one gives the status. */
class Flowing implements Reply {
  #response: ServerResponse
  #options: ReplyOptions
  #waiting: Written[] = []

  constructor(response: ServerResponse, options: ReplyOptions) {
    this.#response = response
    this.#options = options
  }

  answered(out: Outbound): void {
    const answer = write(out, this.#options.codec)
    this.#waiting.push(answer)
    if (answer.status < 400 || this.#waiting.length > MOST_WAITING) this.#flush()
  }

  ended(): void {
    this.#flush()
    this.#response.end()
  }

  #flush(): void {
    const { form, codec, limit } = this.#options
    if (!this.#response.headersSent) head(this.#response, chooseStatus(this.#waiting), TYPES[form])
    for (const answer of this.#waiting.splice(0)) {
      this.#response.write(lineOf(itemOf(answer, codec), form))
    }
    if (this.#response.writableLength <= limit) return
    this.#options.dropped()
    this.#response.destroy()
  }
}

function write(out: Outbound, codec: Codec | undefined): Written {
  const { body } = out.dispatch
  const text = codec ? (out.frame(codec, '0.6') as string) : body === undefined ? '' : JSON.stringify(body)
  return { status: statusOf(out.dispatch), text }
}

function itemOf({ status, text }: Written, codec: Codec | undefined): string {
  if (codec) return text
  return text === '' ? `{"status":${status}}` : `{"status":${status},"body":${text}}`
}

export function statusOf({ resource }: Dispatch): number {
  return resource?.[0] as number
}

/** The first below 400, else the first (design §9.16). An Acknowledge counts only where it is all. */
function chooseStatus(answers: Written[]): number {
  const later = answers.filter(({ status }) => status !== STATUS.ACKNOWLEDGE)
  const all = later.length > 0 ? later : answers
  const chosen = all.find(({ status }) => status < 400) ?? all[0]
  return httpStatus(chosen?.status ?? STATUS.TIMEOUT)
}

/** What is no status for HTTP is 502 (spec §9.8). */
export function httpStatus(status: number): number {
  return status >= 200 && status <= 599 ? status : STATUS.BAD_GATEWAY
}
