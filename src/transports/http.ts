// HTTP for clients without sockets, and for curl (spec §6, §9.8; design §9.16): method is method, path is resource, JSON is
// body, the status of the ANSWER is the status; a whole dispatch is POSTed to /. Whoever comes is a stranger, with the access
// of the listener.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { jsonCodec } from '../codec/json.ts'
import type { Cancel, Clock } from '../core/clock.ts'
import type { Json } from '../core/dispatch.ts'
import { LIMITS, type Limits } from '../core/limits.ts'
import type { Meters } from '../core/meters.ts'
import { JstpError, STATUS } from '../core/status.ts'
import type { Accept, Codec, Decoded } from '../core/transport.ts'
import { Bodies, type Form, formFor, hasBody, JSTP, typeOf } from './http-body.ts'
import { Exchange, type ExchangeShared, type Question } from './http-exchange.ts'
import { Mailboxes } from './http-poll.ts'
import { refuse, replyTo, say } from './http-reply.ts'
import { openStream } from './http-stream.ts'
import { readTarget, type Target } from './http-target.ts'
import { checkSender, preflight } from './http-visitor.ts'
import { place } from './sockets.ts'
import type { WsOptions } from './ws.ts'

/** Names a channel that is polled; `new` opens one. */
const CHANNEL = 'jstp-channel'
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const ALLOWED = METHODS.join(', ')
const TOO_BIG = 413
const WRONG_TYPE = 415
const HEAD_FLOOD = 431
const MOST_HEADERS = 100
/** Times the answer timeout, so that what the engine says of those that don't answer comes first. */
const PATIENCE = 1.25
/** Milliseconds between two looks at what is open. */
const LONGEST_PAUSE = 15_000
/** Milliseconds for a client to read its answer. */
const STUCK = 60_000
/** Requests of one connection that may wait for the one before them. */
const MOST_WAITING = 32
const ID = /^[\x21-\x7e]{1,128}$/

export interface HttpOptions {
  accept: Accept
  clock: Clock
  limits?: Limits
  meters?: Meters
  /** The engine's, in milliseconds. */
  answerTimeout: number
  /** Whom to let in, by Origin and Host. */
  trusted: WsOptions
  uuid(): string
  /** Answers what is a page and no resource; asked only where there is no body to read. `false`: it is none. */
  page?(request: IncomingMessage, response: ServerResponse): boolean
}

/** A connection: its channel, and the requests that wait for the one under way. */
interface Line {
  exchange: Exchange | undefined
  current: ServerResponse | undefined
  waiting: ServerResponse[]
  /** It is closed when that one is over. */
  isLast: boolean
  /** Since when its answer waits for the client to read it. */
  endedAt: number | undefined
}

/** The HTTP face of an engine, for one listener. */
export class HttpFace {
  readonly #options: HttpOptions
  readonly #limits: Limits
  readonly #codec: Codec
  readonly #bodies: Bodies
  readonly #shared: ExchangeShared
  readonly #mailboxes: Mailboxes
  readonly #lines = new Map<Duplex, Line>()
  readonly #pause: number
  readonly #patience: number
  #looking: Cancel | undefined

  constructor(options: HttpOptions) {
    const { accept, clock, limits = LIMITS, meters, answerTimeout } = options
    const codec = jsonCodec(limits)
    this.#options = options
    this.#limits = limits
    this.#codec = codec
    this.#bodies = new Bodies(limits.frame)
    this.#shared = { accept, codec, clock, meters }
    this.#pause = Math.min(answerTimeout / 4, LONGEST_PAUSE)
    this.#patience = Math.ceil((answerTimeout * PATIENCE) / this.#pause)
    this.#mailboxes = new Mailboxes({ accept, codec, clock, meters })
  }

  /** What a connection is answering at present. */
  readonly answering = (socket: Duplex): ServerResponse | undefined => this.#lines.get(socket)?.current

  /** Takes a request of a server. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request
    const line = this.#lineOf(socket)
    if (line.current === undefined) return this.#begin(line, response)
    if (line.waiting.length >= MOST_WAITING) return void socket.destroy()
    line.waiting.push(response)
  }

  #lineOf(socket: Duplex): Line {
    const known = this.#lines.get(socket)
    if (known) return known
    const line: Line = {
      exchange: undefined,
      current: undefined,
      waiting: [],
      isLast: false,
      endedAt: undefined,
    }
    this.#lines.set(socket, line)
    this.#looking ??= this.#options.clock.after(this.#pause, () => this.#look())
    socket.once('close', () => {
      this.#lines.delete(socket)
      line.waiting = []
      line.exchange?.gone()
    })
    return line
  }

  /** One timer for all: who waits for an answer that does not come, and who does not read the one that has come. */
  #look(): void {
    this.#looking = undefined
    const now = this.#options.clock.now()
    for (const line of this.#lines.values()) {
      line.exchange?.look(this.#patience)
      if (!line.current?.writableEnded) line.endedAt = undefined
      else if (line.endedAt === undefined) line.endedAt = now
      else if (now - line.endedAt > STUCK) {
        line.endedAt = now
        this.#options.meters?.count('drop.slow-channel')
        line.current.destroy()
      }
    }
    if (this.#lines.size > 0) this.#looking = this.#options.clock.after(this.#pause, () => this.#look())
  }

  /** The next one begins when this one is over: in their order, as on any channel. */
  #begin(line: Line, response: ServerResponse): void {
    line.current = response
    response.on('close', () => {
      line.current = undefined
      line.endedAt = undefined
      const { socket } = response.req
      if (line.isLast) return socket.destroySoon()
      // Nobody is there any more to be told what the next ones would do.
      if (socket.destroyed) return
      const next = line.waiting.shift()
      if (next) this.#begin(line, next)
    })
    try {
      this.#take(line, response.req, response)
    } catch (error) {
      this.#refuse(response, error)
    }
  }

  #take(line: Line, request: IncomingMessage, response: ServerResponse): void {
    const { trusted, page } = this.#options
    if (request.rawHeaders.length > 2 * MOST_HEADERS)
      throw new JstpError(HEAD_FLOOD, `more than ${MOST_HEADERS} headers`)
    const { method = '', url = '' } = request
    const [path = ''] = url.split('?', 1)
    checkSender(request, response, trusted)
    if (method === 'OPTIONS') return preflight(request, response, ALLOWED)
    if (!hasBody(request) && page?.(request, response)) return
    if (!METHODS.includes(method)) return this.#refuseMethod(response, ALLOWED)
    if (path === '/') return this.#takeDispatch(line, request, response)
    const asked = readTarget(url)
    const form = formOf(request)
    if (method === 'GET' && form === 'events') return this.#bind(response, asked)
    if (!hasBody(request)) return this.#ask(line, response, asked, form)
    if (asked.body !== undefined)
      throw new JstpError(STATUS.BAD_DISPATCH, 'a query and a body: one of them is the body of the dispatch')
    const { resource } = asked
    this.#read(request, response, (text) =>
      this.#ask(line, response, { resource, body: checked(text) }, form),
    )
  }

  /** One resource. */
  #ask(line: Line, response: ServerResponse, { resource, body }: Target, form: Form): void {
    const request = response.req
    const transaction = this.#transactionFor(request)
    const method = request.method === 'HEAD' ? 'GET' : (request.method as string)
    // The token comes first: it must be found in one that is nested too deeply. No spread: it would take longer than all checks.
    const headers = {
      protocol: ['JSTP', '0.6'],
      token: [transaction],
      timestamp: this.#options.clock.wall(),
      method,
      resource,
    }
    const asked = body === undefined ? { headers, version: '0.6', plain: false } : this.#frame(headers, body)
    this.#question(line, response, { transaction, asked, form, whole: false })
  }

  /** A dispatch with a body of which the JSON is known. @throws {JstpError} 413 */
  #frame(headers: object, body: string): string {
    const frame = `${JSON.stringify(headers).slice(0, -1)},"body":${body}}`
    if (Buffer.byteLength(frame) <= this.#limits.frame) return frame
    throw new JstpError(TOO_BIG, `a dispatch of more than ${this.#limits.frame} bytes`)
  }

  #bind(response: ServerResponse, { resource, body }: Target): void {
    if (body !== undefined || hasBody(response.req))
      throw new JstpError(STATUS.BAD_DISPATCH, 'an event stream takes no query and no body')
    const transaction = this.#options.uuid()
    const frame = JSON.stringify({
      protocol: ['JSTP', '0.6'],
      token: [transaction],
      timestamp: this.#options.clock.wall(),
      method: 'BIND',
      endpoint: { method: '*', resource },
      observe: true,
    })
    this.#stream(response, { frame, transaction, form: 'events', whole: false })
  }

  /** At `/`: a whole dispatch, or what has come for a channel. */
  #takeDispatch(line: Line, request: IncomingMessage, response: ServerResponse): void {
    const { method } = request
    const name = request.headers[CHANNEL] as string | undefined
    if (method === 'POST') {
      if (typeOf(request) !== JSTP)
        throw new JstpError(
          WRONG_TYPE,
          `a dispatch is POSTed here as Content-Type: ${JSTP}; a resource has a path`,
        )
      return this.#read(request, response, (text) => this.#dispatch(line, response, text, name))
    }
    if (name === undefined || (method !== 'GET' && method !== 'DELETE'))
      return this.#refuseMethod(response, 'GET, POST')
    const box = this.#mailbox(name)
    if (method === 'GET') return box.poll(response)
    box.hangUp('its client has closed it')
    say(response, 204, '')
  }

  #dispatch(line: Line, response: ServerResponse, text: string, name: string | undefined): void {
    const { headers } = this.#decode(text)
    if (name !== undefined) return this.#post(response, text, name)
    const transaction = transactionIn(headers)
    const method = String(headers.method).toUpperCase()
    if (transaction === undefined && method !== 'BIND') {
      this.#exchangeOf(line, response).tell(text)
      return say(response, 202, '')
    }
    const form = formOf(response.req)
    if (method !== 'BIND')
      return this.#question(line, response, {
        transaction: transaction as string,
        asked: text,
        form,
        whole: true,
      })
    if (form === 'json' || transaction === undefined)
      throw new JstpError(
        STATUS.BAD_DISPATCH,
        'a BIND needs a token, and a way back: Accept: text/event-stream, or Jstp-Channel: new and polls',
      )
    this.#stream(response, { frame: text, transaction, form, whole: true })
  }

  /** Whatever comes back is for the polls. */
  #post(response: ServerResponse, text: string, name: string): void {
    if (name !== 'new') {
      this.#mailbox(name).receive(text)
      return say(response, 202, '')
    }
    const id = this.#options.uuid()
    const box = this.#mailboxes.open(id, remoteOf(response.req))
    if (!box.isOpen) throw new JstpError(STATUS.NOT_SPEAKING, 'there are too many channels: try again later')
    box.receive(text)
    say(response, 202, '', { 'Jstp-Channel': id })
  }

  #mailbox(name: string) {
    const box = this.#mailboxes.find(name)
    if (box) return box
    throw new JstpError(
      STATUS.NOT_FOUND,
      'no such channel: nobody has polled it for a minute. Open a new one',
    )
  }

  #question(
    line: Line,
    response: ServerResponse,
    { transaction, asked, form, whole }: Omit<Question, 'reply'> & { form: Form; whole: boolean },
  ): void {
    const exchange = this.#exchangeOf(line, response)
    const dropped = () => this.#options.meters?.count('drop.answer')
    const codec = whole ? this.#codec : undefined
    const reply = replyTo(response, { form, codec, limit: 4 * this.#limits.frame, dropped })
    exchange.ask({ transaction, asked, reply })
  }

  #stream(
    response: ServerResponse,
    stream: { frame: string; transaction: string; form: Exclude<Form, 'json'>; whole: boolean },
  ): void {
    openStream(response, { ...this.#shared, remote: remoteOf(response.req), ...stream })
  }

  /** The channel of a connection. @throws {JstpError} 503 when there are too many. */
  #exchangeOf(line: Line, response: ServerResponse): Exchange {
    const { socket } = response.req
    line.exchange ??= new Exchange(this.#shared, remoteOf(response.req), () => hangUp(line, socket))
    if (line.exchange.isOpen) return line.exchange
    throw new JstpError(
      STATUS.NOT_SPEAKING,
      'there are too many channels, or the engine stops: try again later',
    )
  }

  #read(request: IncomingMessage, response: ServerResponse, take: (text: string) => void): void {
    this.#bodies
      .read(request, response)
      .then((text) => response.destroyed || take(text))
      .catch((error) => this.#refuse(response, error))
  }

  #decode(text: string): Decoded {
    try {
      return this.#codec.decode(text)
    } catch (error) {
      throw new JstpError(STATUS.BAD_DISPATCH, `this is no dispatch: ${(error as Error).message}`)
    }
  }

  /** A client that repeats a command says so with its own id. @throws {JstpError} 400 */
  #transactionFor({ headers }: IncomingMessage): string {
    const id = headers['idempotency-key'] as string | undefined
    if (id === undefined) return this.#options.uuid()
    if (ID.test(id)) return id
    throw new JstpError(STATUS.BAD_DISPATCH, 'an Idempotency-Key has 1 to 128 letters, digits and signs')
  }

  #refuseMethod(response: ServerResponse, allow: string): void {
    const error = new JstpError(STATUS.UNKNOWN_METHOD, `not by ${response.req.method}: use ${allow}`)
    refuse(response, error, this.#options.clock, { Allow: allow })
  }

  #refuse(response: ServerResponse, error: unknown): void {
    this.#options.meters?.count('refused.http')
    refuse(response, error, this.#options.clock)
  }
}

function formOf({ method, headers }: IncomingMessage): Form {
  return method === 'HEAD' ? 'json' : formFor(headers.accept)
}

/** JSON that is written into a dispatch as it is must be one value, and nothing more. @throws {JstpError} 400 */
function checked(text: string): string {
  try {
    JSON.parse(text)
    return text
  } catch (error) {
    throw new JstpError(STATUS.BAD_DISPATCH, `the body is no JSON: ${(error as Error).message}`)
  }
}

/** @throws {JstpError} 400: it could not even be answered. */
function transactionIn({ token = [] }: { [name: string]: Json }): string | undefined {
  const isList = Array.isArray(token) && token.every((id) => typeof id === 'string')
  if (isList) return (token[0] as string | undefined) || undefined
  throw new JstpError(
    STATUS.BAD_DISPATCH,
    '"token" must be [], [transactionId] or [transactionId, triggeringId]',
  )
}

/** Of a connection that the engine has closed: what is said at present must still get there. */
function hangUp(line: Line, socket: Socket): void {
  line.isLast = true
  if (line.current) line.current.shouldKeepAlive = false
  else socket.destroySoon()
}

function remoteOf({ socket }: IncomingMessage): string {
  return place(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0)
}
