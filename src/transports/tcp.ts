// TCP, TLS and unix sockets (spec §6): one dispatch a line, or CBOR items one after the other; the first byte that a connection brings
// tells which.

import { connect, createServer, isIP, type Server, type Socket } from 'node:net'
import { cborCodec, startsCbor } from '../codec/cbor.ts'
import { splitItems } from '../codec/items.ts'
import { jsonCodec } from '../codec/json.ts'
import { splitLines } from '../codec/lines.ts'
import type { Channel } from '../core/channel.ts'
import { type Cancel, type Clock, SystemClock } from '../core/clock.ts'
import { LIMITS, type Limits } from '../core/limits.ts'
import type { Meters } from '../core/meters.ts'
import type { Accept, Codec, Frame, ListenAt, Listening, Pipe, Transport } from '../core/transport.ts'
import { type Certificates, CLOSING, dialed, FULL, listenOn, listenOnPath, place } from './sockets.ts'
import { Turns } from './turns.ts'

const KEEP_ALIVE = 30_000
const HANDSHAKE = 10_000

export interface TcpOptions {
  clock?: Clock
  limits?: Limits
  meters?: Meters
  /** What we speak where we dial. Where we listen, the other side decides. */
  encoding?: 'json' | 'cbor'
}

/** JSTP over TCP. */
export function tcp(options: TcpOptions = {}): Transport {
  return transport('tcp', options, {
    serve: (settings, connected) => createServer(settings, connected),
    dial: (target) => connect(target),
    ready: 'connect',
  })
}

/** JSTP over TLS with ordinary certificates. Node's TLS takes 1 MB: it is loaded when it is used. */
export function tcps(options: TcpOptions & Certificates = {}): Transport {
  const { key, cert, ca } = options
  return transport('tcps', options, {
    serve: async (settings, connected) => {
      if (!key || !cert)
        throw new Error('To listen by tcps a key and a certificate are needed: set both, in PEM')
      const { createServer } = await import('node:tls')
      return createServer({ ...settings, key, cert, handshakeTimeout: HANDSHAKE }, connected)
    },
    async dial(target) {
      const { connect } = await import('node:tls')
      return connect({ ...target, ca, servername: nameFor(target.host) })
    },
    ready: 'secureConnect',
  })
}

/** As by TCP, over a unix socket that only its owner can reach: the address is a path, and the port says nothing. */
export function unix(options: TcpOptions = {}): Transport {
  return transport('unix', options, {
    serve: (settings, connected) => createServer(settings, connected),
    listen: (server, { address }) => listenOnPath(server, address),
    dial: ({ host }) => connect(host),
    ready: 'connect',
  })
}

interface SocketSettings {
  noDelay: true
  keepAlive: true
  keepAliveInitialDelay: number
}

/** Where they differ. */
interface Sockets {
  serve(settings: SocketSettings, connected: (socket: Socket) => void): Server | Promise<Server>
  listen?(server: Server, at: ListenAt): Promise<Listening>
  dial(target: SocketSettings & { host: string; port: number }): Socket | Promise<Socket>
  /** The event that says that a dialed socket can be used. */
  ready: 'connect' | 'secureConnect'
}

/** What every connection of a transport shares. */
interface Shared {
  label: string
  clock: Clock
  limits: Limits
  json: Codec
  turns: Turns
  /** Loaded when the first connection needs it. */
  cbor(): Promise<Codec>
}

const SETTINGS: SocketSettings = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE,
}

function transport(label: string, options: TcpOptions, sockets: Sockets): Transport {
  const { clock = new SystemClock(), limits = LIMITS, meters, encoding = 'json' } = options
  let cbor: Promise<Codec> | undefined
  const shared: Shared = {
    label,
    clock,
    limits,
    json: jsonCodec(limits),
    turns: new Turns(),
    cbor: () => {
      cbor ??= cborCodec(limits)
      return cbor
    },
  }
  return {
    label,
    async listen(at, accept) {
      const server = await sockets.serve(SETTINGS, (socket) => open(socket, shared.json, accept, shared))
      server.maxConnections = limits.channels
      server.on('drop', () => meters?.count('drop.connection'))
      return sockets.listen?.(server, at) ?? listenOn(server, at, 'listen.tcp')
    },
    async dial(address, port, accept, signal) {
      const codec = encoding === 'cbor' ? await shared.cbor() : shared.json
      const socket = await sockets.dial({ ...SETTINGS, host: address, port })
      return dialed(socket, {
        ready: sockets.ready,
        signal,
        where: `${place(address, port)} by ${label}`,
        giveUp: () => socket.destroy(),
        take: () => open(socket, codec, accept, shared),
      })
    },
  }
}

/** Makes a channel of a connected socket. */
function open(socket: Socket, codec: Codec, accept: Accept, shared: Shared): Channel {
  const pipe = new SocketPipe(socket, shared)
  const channel = accept(pipe, codec)
  let take = codec.name === 'cbor' ? items(channel, pipe, shared) : first

  function first(chunk: Uint8Array): void {
    if (startsCbor(chunk[0] as number)) return void loadCbor(chunk)
    take = lines(channel, pipe, shared)
    take(chunk)
  }

  async function loadCbor(chunk: Uint8Array): Promise<void> {
    const waiting = [chunk]
    take = (more) => void waiting.push(more)
    socket.pause()
    try {
      channel.codec = await shared.cbor()
    } catch (error) {
      take = () => {}
      channel.garbage(`CBOR, which can't be read here: ${(error as Error).message}`)
      pipe.close('no CBOR here')
      return
    }
    take = items(channel, pipe, shared)
    for (const it of waiting) take(it)
    socket.resume()
  }

  const { read, leave } = shared.turns.join<Uint8Array>({
    take: (piece) => take(piece),
    cut: (chunk, length) => [chunk.subarray(0, length), chunk.subarray(length)],
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  })
  socket.on('data', read)
  socket.on('close', leave)
  socket.on('drain', () => {
    if (pipe.drained()) channel.drained()
  })
  pipe.onGone = (reason) => channel.end(reason)
  return channel
}

function lines(channel: Channel, pipe: SocketPipe, { limits }: Shared): (chunk: Uint8Array) => void {
  return splitLines(limits.frame, {
    line: (text) => {
      if (!pipe.isClosing) channel.receive(text)
    },
    garbage: (reason) => channel.garbage(reason),
    oversize: (start) => channel.oversize(start),
  })
}

function items(channel: Channel, pipe: SocketPipe, { limits }: Shared): (chunk: Uint8Array) => void {
  return splitItems(limits.frame, {
    item: (bytes) => {
      if (!pipe.isClosing) channel.receive(bytes)
    },
    malformed: (reason) => {
      channel.garbage(reason)
      pipe.close(reason)
    },
    oversize: (start) => channel.oversize(start),
  })
}

/** A socket as a pipe. Frames of one tick go out in one write. */
class SocketPipe implements Pipe {
  readonly transport: string
  readonly remote: string
  isClosing = false
  /** Told once, when nothing more can arrive. */
  onGone: (reason: string) => void = () => {}
  #socket: Socket
  #clock: Clock
  #lines = ''
  #items: Uint8Array[] = []
  #waiting = 0
  #isScheduled = false
  #isFull = false
  #failure: string | undefined
  #isGone = false
  #deadline: Cancel | undefined

  constructor(socket: Socket, { label, clock }: Shared) {
    this.transport = label
    this.remote = place(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0)
    this.#socket = socket
    this.#clock = clock
    socket.on('error', (error) => {
      this.#failure = error.message
    })
    socket.on('end', () => {
      this.#gone('the other side has closed it')
      this.close('')
    })
    socket.on('close', () => {
      this.#deadline?.()
      this.isClosing = true
      this.#gone('it is closed')
    })
  }

  write(frame: Frame): boolean {
    if (this.isClosing) return true
    if (typeof frame === 'string') {
      if (this.#items.length > 0) this.#flush()
      this.#lines += `${frame}\n`
    } else {
      if (this.#lines !== '') this.#flush()
      this.#items.push(frame)
    }
    this.#waiting += frame.length
    if (this.#waiting > FULL) this.#flush()
    else if (!this.#isScheduled) this.#schedule()
    this.#isFull ||= this.#socket.writableNeedDrain && this.#socket.writableLength > FULL
    return !this.#isFull
  }

  /** Whether it was full, and is not any more. */
  drained(): boolean {
    const wasFull = this.#isFull
    this.#isFull = false
    return wasFull
  }

  close(_reason: string): void {
    if (this.isClosing) return
    this.#flush()
    this.isClosing = true
    this.#socket.end()
    this.#deadline = this.#clock.after(CLOSING, () => this.#socket.destroy())
  }

  #schedule(): void {
    this.#isScheduled = true
    process.nextTick(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#waiting === 0 || this.isClosing) return
    this.#waiting = 0
    const lines = this.#lines
    const items = this.#items
    this.#lines = ''
    this.#items = []
    // A string that has to wait would keep every chunk in memory that its lines were cut out of.
    if (lines !== '') this.#socket.write(this.#socket.writableLength > 0 ? Buffer.from(lines) : lines)
    else this.#socket.write(items.length === 1 ? (items[0] as Uint8Array) : Buffer.concat(items))
  }

  #gone(reason: string): void {
    if (this.#isGone) return
    this.#isGone = true
    this.onGone(this.#failure ?? reason)
  }
}

/** A name for TLS to ask for. Addresses have none. */
function nameFor(host: string): string {
  return isIP(host) > 0 ? '' : host
}
