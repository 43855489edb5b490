// An engine with an HTTP face on a port of this machine, whose time the test holds; and clients of every kind.

import { once } from 'node:events'
import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
} from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Rule } from '../../src/core/access.ts'
import { Access } from '../../src/core/access.ts'
import type { Binding } from '../../src/core/asking.ts'
import { TestClock } from '../../src/core/clock.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { Door, type DoorOptions } from '../../src/core/door.ts'
import { SILENT } from '../../src/core/env.ts'
import { LIMITS, type Limits } from '../../src/core/limits.ts'
import { Meters } from '../../src/core/meters.ts'
import type { Handler } from '../../src/core/owner.ts'
import { HttpFace } from '../../src/transports/http.ts'
import { httpServer } from '../../src/transports/http-server.ts'
import type { WsOptions } from '../../src/transports/ws.ts'

const PATIENCE = 5000

export interface KitOptions extends Pick<DoorOptions, 'mode' | 'transports' | 'forward'> {
  /** What strangers may do; without it everything. */
  access?: Rule[]
  limits?: Partial<Limits>
  trusted?: WsOptions
  /** As many as channels, else. */
  connections?: number
  /** Milliseconds of real time. */
  headTime?: number
  requestTime?: number
}

export interface Answered {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** `undefined`: it is none. */
  json: Json | undefined
}

export interface Sent {
  headers?: Record<string, string>
  body?: Json
  /** Sent as it is. */
  text?: string
}

export class HttpKit {
  readonly clock: TestClock
  readonly meters: Meters
  readonly engine: Door
  readonly port: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #bindings: Binding[] = []

  private constructor(engine: Door, server: Server, clock: TestClock, meters: Meters) {
    this.engine = engine
    this.clock = clock
    this.meters = meters
    this.#server = server
    this.port = (server.address() as AddressInfo).port
  }

  static async start(options: KitOptions = {}): Promise<HttpKit> {
    const clock = new TestClock()
    const meters = new Meters()
    let count = 0
    const uuid = () => `00000000-0000-4000-8000-${(++count).toString(16).padStart(12, '0')}`
    const env = { clock, meters, log: SILENT, random: { uuid, fraction: () => 0.5 } }
    const limits = { ...LIMITS, ...options.limits }
    const { mode, transports = [], forward } = options
    const engine = new Door(env, { name: 'own', mode, transports, forward, limits }, 'tcp')
    const access = options.access && new Access(options.access)
    const accept = (...[pipe, codec]: Parameters<ReturnType<Door['acceptor']>>) => {
      const channel = engine.acceptor('127.0.0.1')(pipe, codec)
      channel.access = access
      return channel
    }
    const face = new HttpFace({
      accept,
      clock,
      limits,
      meters,
      answerTimeout: engine.answerTimeout,
      trusted: { name: 'own', ...options.trusted },
      uuid,
      page: ({ url }, response) => {
        if (url === '/page') response.end('a page')
        return url === '/page'
      },
    })
    const { headTime, requestTime } = options
    const { answering, handle } = face
    const bounds = { ...limits, channels: options.connections ?? limits.channels }
    const server = httpServer({ clock, limits: bounds, meters, answering, handle, headTime, requestTime })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new HttpKit(engine, server, clock, meters)
  }

  /** Binds in the engine, until the end of the test. */
  readonly bind = async (at: string, handler: Handler): Promise<void> => {
    this.#bindings.push(await this.engine.bind(at, handler))
  }

  /** One request on a connection of its own, and its whole response. */
  readonly ask = async (method: string, path: string, sent: Sent = {}): Promise<Answered> =>
    whole(await this.begin(method, path, sent))

  /** The head of a response. */
  readonly begin = async (
    method: string,
    path: string,
    { headers = {}, body, text }: Sent = {},
  ): Promise<IncomingMessage> => {
    const content = text ?? (body === undefined ? undefined : JSON.stringify(body))
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const length = content === undefined ? {} : { 'content-length': String(Buffer.byteLength(content)) }
    const request = httpRequest({
      host: '127.0.0.1',
      port: this.port,
      method,
      path,
      headers: { ...type, ...length, ...headers },
      agent: false,
    })
    request.on('error', () => {})
    request.on('socket', (socket) => this.#sockets.add(socket as Socket))
    request.end(content)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return response
  }

  /** POSTs a dispatch; protocol and timestamp are added. */
  readonly dispatch = (dispatch: object, headers: Record<string, string> = {}): Promise<Answered> => {
    const text = JSON.stringify({ protocol: ['JSTP', '0.6'], timestamp: 1, ...dispatch })
    return this.ask('POST', '/', { text, headers: { 'content-type': 'application/jstp+json', ...headers } })
  }

  /** An event stream that is open. */
  readonly stream = async (path: string): Promise<Events> =>
    new Events(await this.begin('GET', path, { headers: { accept: 'text/event-stream' } }))

  /** A bare connection. */
  readonly raw = (): Raw => {
    const raw = new Raw(connect(this.port, '127.0.0.1'))
    this.#sockets.add(raw.socket)
    return raw
  }

  readonly counted = (meter: string): number => this.meters.read()[meter] ?? 0

  /** Waits, in real time, until something is so. */
  readonly until = async (what: string, isTrue: () => boolean): Promise<void> => {
    for (const end = Date.now() + PATIENCE; !isTrue(); await pause(5)) {
      if (Date.now() > end) throw new Error(`waited ${PATIENCE} ms in vain: ${what}`)
    }
  }

  /** Everything is closed, and nothing is left behind. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
    await pause(5)
    for (const binding of this.#bindings) binding.release()
    await this.clock.advance(60_000)
    await this.until('no channel is left', () => this.engine.sizes.channels === 0)
    assert.equal(this.engine.sizes, { channels: 0, subscriptions: 0, transactions: 0, relays: 0 })
    assert.is(this.clock.pending, 0, 'no timer is left')
  }
}

/** A bare connection: what it has got so far. */
export class Raw {
  readonly socket: Socket
  got = ''
  isClosed = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.got += text
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
    })
  }

  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (const end = Date.now() + PATIENCE; ; await pause(5)) {
      const found = pattern.exec(this.got)
      if (found) return found
      if (Date.now() > end) throw new Error(`it never said ${pattern}: ${this.got}`)
    }
  }

  async closed(): Promise<void> {
    if (!this.isClosed) await once(this.socket, 'close')
  }
}

/** What an event stream has brought. */
export class Events {
  readonly response: IncomingMessage
  /** Dispatches that were not taken yet. */
  readonly heard: { [name: string]: Json }[] = []
  /** Comments, which keep it alive. */
  beats = 0
  isOver = false

  constructor(response: IncomingMessage) {
    this.response = response
    let rest = ''
    response.setEncoding('utf8').on('data', (part: string) => {
      const blocks = (rest + part).split('\n\n')
      rest = blocks.pop() as string
      for (const block of blocks) {
        // A carriage return ends a line as well.
        const [line = ''] = block.split(/\r\n?|\n/)
        if (line.startsWith('data: ')) this.heard.push(JSON.parse(line.slice(6)))
        else this.beats++
      }
    })
    response.on('error', () => {})
    response.on('close', () => {
      this.isOver = true
    })
  }

  readonly next = async (): Promise<{ [name: string]: Json }> => {
    for (const end = Date.now() + PATIENCE; this.heard.length === 0; await pause(5)) {
      if (Date.now() > end) throw new Error('no event came')
    }
    return this.heard.shift() as { [name: string]: Json }
  }
}

export async function whole(response: IncomingMessage): Promise<Answered> {
  let text = ''
  for await (const part of response.setEncoding('utf8')) text += part
  let json: Json | undefined
  try {
    json = JSON.parse(text)
  } catch {}
  return { status: response.statusCode as number, headers: response.headers, text, json }
}

/** A test with a kit that leaves nothing behind. */
export function bench(title: string, run: (kit: HttpKit) => Promise<void>, options: KitOptions = {}): void {
  test(title, async () => {
    const kit = await HttpKit.start(options)
    try {
      await run(kit)
    } finally {
      await kit.stop()
    }
  })
}
