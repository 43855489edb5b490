// The door for programs: ask, bind, read reports, own a root, listen. The same in Node and in a browser.

import { Access, isLoopback, type Rule } from './access.ts'
import type { Asker } from './answers.ts'
import {
  type AskOptions,
  type At,
  type Binding,
  type BindOptions,
  isUnconfirmed,
  type Maker,
  makeAsk,
  makeBind,
  refusal,
} from './asking.ts'
import { Callback } from './callback.ts'
import type { Dispatch } from './dispatch.ts'
import { CoreEngine } from './engine.ts'
import type { Env } from './env.ts'
import type { EngineOptions } from './options.ts'
import type { Handler } from './owner.ts'
import { nameOf } from './route.ts'
import { JstpError, STATUS } from './status.ts'
import { AnswerStream, Stream } from './stream.ts'
import type { Accept, ListenAt, Listening } from './transport.ts'

export interface DoorOptions extends EngineOptions {
  /** What others may do, everywhere; default: everything on loopback, nothing elsewhere. */
  access?: Rule[]
}

/** For a dispatch without a transaction id: never told anything. */
const UNASKED: Asker = { open: 0, answered() {}, ended() {} }
const DRAIN = 5000
const DRAIN_STEP = 20

export class Door extends CoreEngine {
  #access: Access | undefined
  #closed = new Access([])
  #listening: Listening[] = []
  #nobody: Callback
  #maker: Maker

  constructor(env: Env, options: DoorOptions, defaultTransport: string) {
    super(env, options)
    this.#access = options.access && new Access(options.access)
    this.#nobody = new Callback(env, this.answers, () => {})
    this.#maker = { transport: defaultTransport, wall: () => env.clock.wall(), guard: options.guard }
  }

  get(at: At, options?: AskOptions): AnswerStream {
    return this.ask('GET', at, options)
  }

  post(at: At, options?: AskOptions): AnswerStream {
    return this.ask('POST', at, options)
  }

  put(at: At, options?: AskOptions): AnswerStream {
    return this.ask('PUT', at, options)
  }

  patch(at: At, options?: AskOptions): AnswerStream {
    return this.ask('PATCH', at, options)
  }

  delete(at: At, options?: AskOptions): AnswerStream {
    return this.ask('DELETE', at, options)
  }

  /**
   * Sends a dispatch and reads its answers: `for await`, `.first()` or `.all()`.
   * @throws {JstpError} 400 when `at` is no URI.
   */
  ask(method: string, at: At, options: AskOptions = {}): AnswerStream {
    const dispatch = makeAsk(this.#maker, method, at, options)
    dispatch.token = [options.transaction ?? this.env.random.uuid()]
    const { deadline, signal, key, mode } = options
    const stream = new AnswerStream(this.env.clock, deadline, signal, dispatch.to !== undefined)
    if (signal?.aborted) return stream
    if (key === undefined) this.dispatch(dispatch, stream, this.#nobody)
    else this.guard?.ask(dispatch, { key, mode }, stream)
    return stream
  }

  /** Sends a dispatch that nobody needs to answer. */
  send(method: string, at: At, options: Omit<AskOptions, 'signal' | 'deadline' | 'transaction'> = {}): void {
    const dispatch = makeAsk(this.#maker, method, at, options)
    const { key, mode } = options
    if (key === undefined) this.dispatch(dispatch, UNASKED, this.#nobody)
    else this.guard?.ask(dispatch, { key, mode }, UNASKED)
  }

  /**
   * Calls the handler for every dispatch that matches: `GET#clima/:city`, `cafetera/...`, or a URI with hosts. What it
   * returns is the answer. The method pattern is `*` unless it is given.
   * @throws {JstpError} when it is refused, with the status.
   */
  async bind(at: At, handler: Handler, options: BindOptions = {}): Promise<Binding> {
    const callback = new Callback(this.env, this.answers, handler)
    const { signal, key, mode, onState } = options
    let unbind = () => this.releaseAll(callback)
    const release = () => {
      signal?.removeEventListener('abort', release)
      unbind()
    }
    const dispatch = makeBind(this.#maker, at, options)
    dispatch.token = [this.env.random.uuid()]
    signal?.addEventListener('abort', release)
    const stream = new AnswerStream(this.env.clock, undefined, signal)
    if (signal?.aborted) unbind = () => {}
    else if (key === undefined || !this.guard) this.dispatch(dispatch, stream, callback)
    else unbind = this.guard.bind(dispatch, { key, mode }, stream, callback, onState)
    const { status, body } = await stream.first().catch((error) => {
      release()
      throw error
    })
    if (status >= 400 && status !== STATUS.TIMEOUT) {
      release()
      throw refusal(status, body)
    }
    return { confirmed: status === STATUS.OK && !isUnconfirmed(body), release }
  }

  /**
   * Reads what is dispatched to a pattern with `for await`, as an observer, until the signal aborts. Only `bind` sees the
   * BINDs and RELEASEs of others.
   */
  reports(at: At, options: Omit<BindOptions, 'observe'> = {}): Stream<Dispatch> {
    const abort = new AbortController()
    const stream = new Stream<Dispatch>(() => {
      options.signal?.removeEventListener('abort', stop)
      abort.abort()
    })
    const stop = () => void stream.return()
    if (options.signal?.aborted) stop()
    options.signal?.addEventListener('abort', stop)
    const push: Handler = ({ dispatch }) => {
      if (dispatch.resource) stream.push(dispatch)
    }
    this.bind(at, push, { ...options, signal: abort.signal, observe: true }).catch((error) =>
      stream.end(abort.signal.aborted ? undefined : error),
    )
    return stream
  }

  /**
   * Listens. On loopback everybody may do everything, elsewhere nobody may do anything, unless `access` says otherwise.
   * @throws when the address can't be had, saying why.
   */
  async listen(transport: string, at: ListenAt): Promise<Listening> {
    const carrier = this.transports.get(transport)
    if (!carrier?.listen)
      throw new JstpError(STATUS.UNKNOWN_TRANSPORT, `this engine can't listen by "${transport}"`)
    const listening = await carrier.listen(at, this.acceptor(at.address))
    this.listens(transport, listening)
    this.#listening.push(listening)
    return listening
  }

  /** What a listener at that address hands its connections to. */
  acceptor(address: string): Accept {
    const access = this.accessFor(address)
    if (access?.isClosed) {
      this.env.log.warn(
        `${address} is not loopback: without "access" in the configuration nobody may do anything there`,
      )
    }
    return (pipe, codec) => this.accept(pipe, codec, access)
  }

  /** Makes an address known as our own. */
  listens(transport: string, { address, port }: ListenAt): void {
    const isEvery = address === '0.0.0.0' || address === '::'
    const local = isEvery || isLoopback(address) ? ['localhost', '127.0.0.1', '::1'] : []
    for (const own of [address, ...local]) this.routes.selves.add(nameOf({ transport, address: own, port }))
  }

  /** Takes no new work, lets what is open be answered for up to `grace` ms, then closes all. */
  async close(grace = DRAIN): Promise<void> {
    this.drain()
    await Promise.all(this.#listening.splice(0).map((listening) => listening.close()))
    const end = this.env.clock.now() + grace
    while (this.sizes.transactions > 0 && this.env.clock.now() < end) await this.#pause()
    this.shut('this engine stops')
  }

  protected override accessFor(address: string): Access | undefined {
    return this.#access ?? (isLoopback(address) ? undefined : this.#closed)
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.env.clock.after(DRAIN_STEP, resolve))
  }
}
