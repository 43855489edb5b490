// The page is one more JSTP peer: an engine of its own, and one connection to the engine that has sent it. What goes over
// that connection can be watched, and whether it is there is always known.

import { Engine, formatUri, JstpError, STATUS } from '../browser.ts'
import type { AskOptions, BindOptions } from '../core/asking.ts'
import type { Dispatch, Element, Hop, Json } from '../core/dispatch.ts'
import type { Guard } from '../core/guard.ts'
import type { Handler } from '../core/owner.ts'
import { browserWs, type Socket } from '../transports/browser-ws.ts'

export interface Said {
  status: number
  body: Json | undefined
}

/** Text that went over the connection. */
export interface Wire {
  at: number
  isOut: boolean
  text: string
}

/** Milliseconds without a word after which the engine is asked whether it is there, and what it has to answer. */
const QUIET = 5000
const PATIENCE = 4000
/** Milliseconds between two tries to bind anew, where the engine was not there at the start. */
const AGAIN = 2000
/** A command may take as long as the engine's own deadline (10 s), and a little for the way. */
const DEADLINE = 15_000
const BACKOFF = { first: 400, most: 4000 }

export interface ClientOptions {
  /** Told when the connection is there, and when it is lost. */
  onLink(isOpen: boolean): void
  onWire(wire: Wire): void
}

export class Client {
  /** Where it is: `["192.168.1.20", 8080, "ws"]`. */
  readonly hop: Hop
  isOpen = false
  #options: ClientOptions
  #engine: Engine
  #socket: WebSocket | undefined
  #protection: Pick<AskOptions & BindOptions, 'key'> = {}
  #unprotect: () => void = () => {}
  #heardAt = 0
  #isAsking = false

  constructor(options: ClientOptions, { protocol, hostname, port }: Location) {
    this.#options = options
    const isTls = protocol === 'https:'
    const address = hostname.replace(/^\[|\]$/g, '')
    this.hop = [address, Number(port) || (isTls ? 443 : 80), isTls ? 'wss' : 'ws']
    this.#engine = this.#open()
    setInterval(() => this.#check(), 1000)
    addEventListener('online', () => this.probe())
    addEventListener('offline', () => this.probe())
    document.addEventListener('visibilitychange', () => !document.hidden && this.probe())
  }

  get isProtected(): boolean {
    return this.#protection.key !== undefined
  }

  /** From now on all is protected for that key. `end`: called when it is no more. */
  protect(guard: Guard, key: string, end: () => void): void {
    void this.#engine.close(0)
    this.#protection = { key }
    this.#unprotect = end
    this.#engine = this.#open(guard)
  }

  /** As it began: without a key. */
  async unprotect(): Promise<void> {
    if (!this.isProtected) return
    await this.#engine.close(0)
    this.#unprotect()
    this.#protection = {}
    this.#engine = this.#open()
  }

  /** Never throws: what goes wrong on the way is an answer too. `hops`: behind the engine. */
  async ask(method: string, resource: Element[], body?: Json, hops: Hop[] = []): Promise<Said> {
    this.#tell(true, { method, resource, body })
    const said = await this.#ask(method, resource, body, hops)
    this.#tell(false, { method: 'ANSWER', resource: [said.status], body: said.body })
    return said
  }

  async #ask(method: string, resource: Element[], body: Json | undefined, hops: Hop[]): Promise<Said> {
    try {
      // A URI would make text of numbers.
      const headers = { to: [this.hop, ...hops] as Json[] }
      const options = { body, headers, deadline: DEADLINE, ...this.#protection }
      const { status, body: said } = await this.#engine.ask(method, resource, options).first()
      return { status, body: said }
    } catch (error) {
      const { status = STATUS.BAD_GATEWAY, message, details } = error as JstpError
      return { status, body: { ...details, message } }
    }
  }

  /** Calls the handler for all that is reported there, for ever: through every loss of the connection. */
  async watch(resource: Element[], handler: (dispatch: Dispatch) => void): Promise<void> {
    const at = formatUri({ method: 'PUT', to: [this.hop], resource })
    const take: Handler = ({ dispatch }) => {
      this.#tell(false, dispatch)
      handler(dispatch)
    }
    for (;;) {
      try {
        await this.#engine.bind(at, take, { observe: true, ...this.#protection })
        return
      } catch (error) {
        if (error instanceof JstpError && error.status < 500) throw error
        await new Promise((resolve) => setTimeout(resolve, AGAIN))
      }
    }
  }

  /** Asks whether the engine is there: now, for somebody wants to know. */
  async probe(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    const before = this.#heardAt
    const stop = setTimeout(() => this.#heardAt === before && this.#drop(), PATIENCE)
    await this.ask('GET', ['engine', 'clock'])
    clearTimeout(stop)
    this.#isAsking = false
  }

  /** What was sealed on the wire, as it was before. */
  #tell(isOut: boolean, dispatch: object): void {
    if (this.#protection.key) this.#options.onWire({ at: Date.now(), isOut, text: JSON.stringify(dispatch) })
  }

  /** It is not there, whatever the browser believes: that may take it a while. */
  #drop(): void {
    this.#socket?.close()
    this.isOpen = false
    this.#options.onLink(false)
  }

  #check(): void {
    if (this.isOpen && !document.hidden && performance.now() - this.#heardAt > QUIET) void this.probe()
  }

  #open(guard?: Guard): Engine {
    const connect = (url: string) => this.#connect(url)
    const transports = [browserWs('ws', { connect }), browserWs('wss', { connect })]
    return new Engine({ name: 'page', transports, backoff: BACKOFF, guard })
  }

  #connect(url: string): Socket {
    const socket = new WebSocket(url)
    const { onWire, onLink } = this.#options
    const send = socket.send.bind(socket)
    socket.send = (text) => {
      onWire({ at: Date.now(), isOut: true, text: text as string })
      send(text)
    }
    socket.addEventListener('message', ({ data }) => {
      this.#heardAt = performance.now()
      if (typeof data === 'string') onWire({ at: Date.now(), isOut: false, text: data })
    })
    socket.addEventListener('open', () => {
      this.#socket = socket
      this.#heardAt = performance.now()
      this.isOpen = true
      onLink(true)
    })
    socket.addEventListener('close', () => {
      if (this.#socket && this.#socket !== socket) return
      this.isOpen = false
      onLink(false)
    })
    return socket
  }
}
