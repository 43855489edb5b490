// WebSocket in Node (spec §6): one dispatch a message; text is JSON, binary is CBOR. Shares its port with HTTP. Who may
// connect from a web page: design §9.15.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { RawData, WebSocket, WebSocketServer } from 'ws'
import { cborCodec } from '../codec/cbor.ts'
import { jsonCodec } from '../codec/json.ts'
import type { Channel } from '../core/channel.ts'
import { type Cancel, type Clock, SystemClock } from '../core/clock.ts'
import { LIMITS, type Limits } from '../core/limits.ts'
import type { Meters } from '../core/meters.ts'
import type { Accept, Codec, Frame, Pipe, Transport } from '../core/transport.ts'
import { type Certificates, CLOSING, dialed, FULL, listenOn, place } from './sockets.ts'
import { Turns } from './turns.ts'

const JSON_NAME = 'jstp.json'
const CBOR_NAME = 'jstp.cbor'
/** Close codes of RFC 6455 §7.4.1. */
const NORMAL = 1000
/** How often a quiet channel is asked whether it lives. */
const PING = 30_000
/** Bytes of a close reason (RFC 6455 §5.5). */
const REASON = 123

export interface WsOptions {
  clock?: Clock
  limits?: Limits
  meters?: Meters
  /** What we speak where we dial. Where we listen, the other side decides. */
  encoding?: 'json' | 'cbor'
  /** The engine's own name: pages may come from `name` and `name.local`. */
  name?: string
  /** Other origins whose pages may connect, e.g. `https://panel.example`. */
  origins?: string[]
  /** Other names by which this machine may be called. */
  hosts?: string[]
}

/** JSTP over WebSocket, on a port of its own when it listens. */
export function ws(options: WsOptions = {}): Transport {
  return transport('ws', options, {}, () => createServer(explain))
}

/** JSTP over WebSocket and TLS with ordinary certificates. */
export function wss(options: WsOptions & Certificates = {}): Transport {
  const { key, cert, ca } = options
  return transport('wss', options, { ca }, async () => {
    if (!key || !cert)
      throw new Error('To listen by wss a key and a certificate are needed: set both, in PEM')
    const https = await import('node:https')
    return https.createServer({ key, cert }, explain)
  })
}

/**
 * Takes the WebSocket upgrades to `/` of an HTTP server.
 * @returns what stops it; channels stay.
 */
export function attachWs(server: Server, accept: Accept, options: WsOptions = {}, label = 'ws'): () => void {
  const shared = share(label, options)
  const { limits, meters } = shared
  const handleProtocols = (offered: Set<string>) => choose([...offered]) ?? false
  const settings = { noServer: true, perMessageDeflate: false, maxPayload: limits.frame, handleProtocols }
  let sockets: WebSocketServer | undefined
  const upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => {})
    const refusal = refuse(request, options)
    if (refusal) {
      meters?.count('refused.upgrade')
      return turnAway(stream, refusal)
    }
    if (sockets && sockets.clients.size >= limits.channels) {
      meters?.count('drop.connection')
      return turnAway(stream, {
        status: '503 Service Unavailable',
        message: 'Too many channels are open here',
      })
    }
    take(request, stream, head).catch((error: Error) => {
      turnAway(stream, {
        status: '500 Internal Server Error',
        message: `Not possible here: ${error.message}`,
      })
    })
  }
  const take = async (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const { remoteAddress, remotePort } = request.socket
    const remote = place(remoteAddress ?? 'unknown', remotePort ?? 0)
    const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
    const codec = choose(offered) === CBOR_NAME ? (await shared.cbor()).replyCbor : shared.json
    // Loaded when somebody comes: 1 MB less for who is only asked by other ways.
    const { WebSocketServer } = await import('ws')
    sockets ??= new WebSocketServer(settings)
    sockets.handleUpgrade(request, stream, head, (socket) =>
      open({ socket, stream, remote, codec }, accept, shared),
    )
  }
  server.on('upgrade', upgrade)
  return () => server.off('upgrade', upgrade)
}

/** Why a request may not come in by this name or from that page; `undefined`: it may. For upgrades and for plain HTTP. */
export function refuseOrigin({ headers }: IncomingMessage, options: WsOptions): string | undefined {
  const host = (headers.host ?? '').toLowerCase()
  const name = hostname(host)
  if (!isOwnName(name, options)) return `This engine is not called "${name}". Set http.hosts if it should be`
  const origin = headers.origin?.toLowerCase()
  if (origin === undefined || options.origins?.some((allowed) => allowed.toLowerCase() === origin))
    return undefined
  if (origin === `http://${host}` || origin === `https://${host}`) return undefined
  return `Pages from ${origin} may not connect here. Set http.origins if they should`
}

/** A WebSocket that is open. */
interface Connection {
  socket: WebSocket
  stream: Duplex
  remote: string
  codec: Codec
}

/** The codecs of channels that read both kinds of messages. */
interface Codecs {
  replyJson: Codec
  replyCbor: Codec
}

interface Refusal {
  status: string
  message: string
}

/** What every channel of a transport shares. */
interface Shared {
  label: string
  clock: Clock
  limits: Limits
  meters: Meters | undefined
  json: Codec
  turns: Turns
  /** Loaded when the first channel needs it. */
  cbor(): Promise<Codecs>
}

function share(label: string, { clock = new SystemClock(), limits = LIMITS, meters }: WsOptions): Shared {
  const json = jsonCodec(limits)
  let loading: Promise<Codecs> | undefined
  const load = async () => {
    const cbor = await cborCodec(limits)
    return { replyJson: reading(json, json, cbor), replyCbor: reading(cbor, json, cbor) }
  }
  const cbor = () => {
    loading ??= load()
    return loading
  }
  return { label, clock, limits, meters, json, turns: new Turns(), cbor }
}

function transport(
  label: string,
  options: WsOptions,
  trust: { ca?: string },
  serve: () => Server | Promise<Server>,
): Transport {
  const shared = share(label, options)
  return {
    label,
    async listen(at, accept) {
      const server = await serve()
      server.maxConnections = shared.limits.channels
      server.on('drop', () => shared.meters?.count('drop.connection'))
      attachWs(server, accept, options, label)
      return listenOn(server, at, 'listen.http')
    },
    async dial(address, port, accept, signal) {
      const isCbor = options.encoding === 'cbor'
      const codec = isCbor ? (await shared.cbor()).replyCbor : shared.json
      // An engine that knows no subprotocols speaks JSON, but would not take an offer of some.
      const protocols = isCbor ? [CBOR_NAME] : []
      const where = place(address, port)
      const { WebSocket } = await import('ws')
      const socket = new WebSocket(`${label}://${where}/`, protocols, {
        ...trust,
        perMessageDeflate: false,
        maxPayload: shared.limits.frame,
      })
      let stream: Duplex
      socket.once('upgrade', (response: IncomingMessage) => {
        stream = response.socket
      })
      return dialed(socket, {
        ready: 'open',
        signal,
        where: `${where} by ${label}`,
        giveUp: () => socket.terminate(),
        take: () => open({ socket, stream, remote: where, codec }, accept, shared),
      })
    },
  }
}

/** Makes a channel of an open WebSocket. */
function open({ socket, stream, remote, codec }: Connection, accept: Accept, shared: Shared): Channel {
  const pipe = new WsPipe(socket, stream, remote, shared)
  const channel = accept(pipe, codec)
  let readsBinary = codec !== shared.json
  /** What arrives while CBOR is being loaded. */
  let waiting: Frame[] | undefined

  function take(frame: Frame): void {
    pipe.isAlive = true
    if (waiting) waiting.push(frame)
    else if (typeof frame !== 'string' && !readsBinary) void loadCbor(frame)
    else if (!pipe.isClosing) channel.receive(frame)
  }

  async function loadCbor(first: Frame): Promise<void> {
    waiting = [first]
    socket.pause()
    try {
      channel.codec = (await shared.cbor()).replyJson
      readsBinary = true
      const frames = waiting
      waiting = undefined
      frames.forEach(take)
    } catch (error) {
      channel.garbage(`CBOR, which can't be read here: ${(error as Error).message}`)
      pipe.close('no CBOR here')
    }
    socket.resume()
  }

  const { read, leave } = shared.turns.join<Frame>({
    take,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  })
  socket.on('message', (data: RawData, isBinary: boolean) =>
    read(isBinary ? (data as Buffer) : data.toString()),
  )
  socket.on('pong', () => {
    pipe.isAlive = true
  })
  socket.on('error', (error: Error & { code?: string }) => {
    if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') channel.oversize('')
    else if (error.code?.startsWith('WS_ERR_')) channel.garbage(error.message)
  })
  stream.on('drain', () => {
    if (pipe.drained()) channel.drained()
  })
  socket.on('close', (code, reason) => {
    leave()
    pipe.stop()
    channel.end(reason.toString() || `it is closed (code ${code})`)
  })
  return channel
}

/** A WebSocket as a pipe. Messages of one tick go out in one write. */
class WsPipe implements Pipe {
  readonly transport: string
  readonly remote: string
  isClosing = false
  /** Something has come since the last ping. */
  isAlive = true
  #socket: WebSocket
  #stream: Duplex
  #clock: Clock
  #timer: Cancel
  #isCorked = false
  #isFull = false

  constructor(socket: WebSocket, stream: Duplex, remote: string, { label, clock }: Shared) {
    this.transport = label
    this.remote = remote
    this.#socket = socket
    this.#stream = stream
    this.#clock = clock
    this.#timer = clock.after(PING, () => this.#ping())
  }

  write(frame: Frame): boolean {
    if (this.isClosing) return true
    if (!this.#isCorked) this.#cork()
    this.#socket.send(frame, ignore)
    if (this.#stream.writableLength > FULL) {
      this.#uncork()
      this.#isFull ||= this.#stream.writableNeedDrain && this.#stream.writableLength > FULL
    }
    return !this.#isFull
  }

  /** Whether it was full, and is not any more. */
  drained(): boolean {
    const wasFull = this.#isFull
    this.#isFull = false
    return wasFull
  }

  close(reason: string, code = NORMAL): void {
    if (this.isClosing) return
    this.isClosing = true
    this.#timer()
    this.#socket.close(code, cut(reason))
    this.#uncork()
    this.#timer = this.#clock.after(CLOSING, () => this.#socket.terminate())
  }

  /** It is closed. */
  stop(): void {
    this.isClosing = true
    this.#timer()
  }

  #ping(): void {
    if (!this.isAlive) return this.#socket.terminate()
    this.isAlive = false
    this.#socket.ping(undefined, undefined, ignore)
    this.#timer = this.#clock.after(PING, () => this.#ping())
  }

  #cork(): void {
    this.#isCorked = true
    this.#stream.cork()
    process.nextTick(() => this.#uncork())
  }

  #uncork(): void {
    if (!this.#isCorked) return
    this.#isCorked = false
    this.#stream.uncork()
  }
}

/** What fails in sending is told by `close`. */
function ignore(): void {}

function cut(reason: string): string {
  return new TextDecoder().decode(Buffer.from(reason).subarray(0, REASON)).replace(/\ufffd+$/, '')
}

function refuse(request: IncomingMessage, options: WsOptions): Refusal | undefined {
  const [path] = (request.url ?? '').split('?')
  if (path !== '/') return { status: '404 Not Found', message: `JSTP is spoken at /, not at ${path}` }
  const message = refuseOrigin(request, options)
  return message === undefined ? undefined : { status: '403 Forbidden', message }
}

function turnAway(stream: Duplex, { status, message }: Refusal): void {
  const body = Buffer.from(`${message}\n`)
  const head = [
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
  ]
  stream.end(Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${head.join('\r\n')}\r\n\r\n`), body]))
}

/** The first subprotocol that we know. */
function choose(offered: string[]): string | undefined {
  return offered.find((name) => name === JSON_NAME || name === CBOR_NAME)
}

/** Answers those who come by plain HTTP. */
function explain(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, {
    Upgrade: 'websocket',
    Connection: 'Upgrade, close',
    'Content-Type': 'text/plain',
  })
  response.end('This port speaks JSTP over WebSocket: connect to it with ws://, not http://\n')
}

/** Without the port, and IPv6 without its brackets. */
function hostname(host: string): string {
  const bracketed = /^\[(.*)\](:\d+)?$/.exec(host)?.[1]
  return bracketed ?? host.replace(/:\d+$/, '')
}

function isOwnName(host: string, { name, hosts = [] }: WsOptions): boolean {
  if (isIP(host) > 0 || host === 'localhost' || host.endsWith('.localhost')) return true
  const own = name ? [name, `${name}.local`, ...hosts] : hosts
  return own.some((other) => other.toLowerCase() === host)
}

/** Text is JSON and binary is CBOR, whatever we answer in. Only frames of the codec's own kind can be passed on as they are. */
function reading(codec: Codec, json: Codec, cbor: Codec): Codec {
  return {
    ...codec,
    decode: (frame) => {
      const reader = typeof frame === 'string' ? json : cbor
      if (reader === codec) return reader.decode(frame)
      const { headers, version, fault, slip } = reader.decode(frame)
      return { headers, version, fault, slip, plain: false }
    },
  }
}
