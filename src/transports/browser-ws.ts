// WebSocket in a page (spec §6): dials only, and speaks JSON. Runs where there is no Node.

import { jsonCodec } from '../codec/json.ts'
import type { Channel } from '../core/channel.ts'
import { type Cancel, type Clock, SystemClock } from '../core/clock.ts'
import { LIMITS, type Limits } from '../core/limits.ts'
import type { Frame, Pipe, Transport } from '../core/transport.ts'

/** Bytes that may wait in the browser before `write` says that it is full. */
const FULL = 64 << 10

/** A browser does not say when it has sent something: how often we look, in ms. */
const LOOK = 20

/** The only codes that a page may give (besides 1000) are 3000–4999; ours become 3000 + what they would be after 1000. */
const NORMAL = 1000
const PRIVATE = 3000

/** Bytes of a close reason (RFC 6455 §5.5); a character takes three at most. */
const REASON = 40

/** What we use of a browser's WebSocket. */
export interface Socket {
  readonly bufferedAmount: number
  onopen: unknown
  onmessage: unknown
  onclose: unknown
  onerror: unknown
  send(text: string): void
  close(code?: number, reason?: string): void
}

export interface BrowserWsOptions {
  clock?: Clock
  limits?: Limits
  /** Makes a WebSocket; default: the browser's own. */
  connect?: (url: string) => Socket
}

declare const WebSocket: new (url: string) => Socket

export function browserWs(label: 'ws' | 'wss', options: BrowserWsOptions = {}): Transport {
  const { clock = new SystemClock(), limits = LIMITS, connect = (url) => new WebSocket(url) } = options
  const codec = jsonCodec(limits)
  return {
    label,
    dial(address, port, accept, signal) {
      const where = `${address.includes(':') ? `[${address}]` : address}:${port}`
      return new Promise((resolve, reject) => {
        const socket = connect(`${label}://${where}/`)
        const giveUp = (cause: string) => {
          signal.removeEventListener('abort', abort)
          detach(socket)
          socket.close()
          reject(new Error(`Can't reach ${where} by ${label}: ${cause}`))
        }
        const abort = () => giveUp('it took too long, or nobody needs it any more')
        socket.onerror = () => {}
        // A browser tells a page nothing about the cause.
        socket.onclose = () =>
          giveUp('is the engine running there, and does it let this page connect (http.origins)?')
        socket.onopen = () => {
          signal.removeEventListener('abort', abort)
          const pipe = new BrowserPipe(socket, label, where, clock)
          const channel = accept(pipe, codec)
          attach(pipe, channel, socket, limits)
          resolve(channel)
        }
        signal.addEventListener('abort', abort, { once: true })
        if (signal.aborted) abort()
      })
    },
  }
}

function attach(pipe: BrowserPipe, channel: Channel, socket: Socket, { frame: limit }: Limits): void {
  pipe.onDrained = () => channel.drained()
  socket.onmessage = ({ data }: { data: unknown }) => {
    if (pipe.isClosing) return
    if (typeof data !== 'string') channel.garbage('A binary message on a channel that speaks JSON')
    else if (data.length > limit) channel.oversize(data.slice(0, FULL))
    else channel.receive(data)
  }
  socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
    pipe.stop()
    channel.end(reason || `it is closed (code ${code})`)
  }
}

function detach(socket: Socket): void {
  socket.onopen = null
  socket.onmessage = null
  socket.onclose = null
}

class BrowserPipe implements Pipe {
  readonly transport: string
  readonly remote: string
  isClosing = false
  onDrained: () => void = () => {}
  #socket: Socket
  #clock: Clock
  #look: Cancel | undefined

  constructor(socket: Socket, label: string, remote: string, clock: Clock) {
    this.transport = label
    this.remote = remote
    this.#socket = socket
    this.#clock = clock
  }

  write(frame: Frame): boolean {
    if (this.isClosing) return true
    this.#socket.send(frame as string)
    if (this.#look) return false
    if (this.#socket.bufferedAmount <= FULL) return true
    this.#wait()
    return false
  }

  close(reason: string, code = NORMAL): void {
    if (this.isClosing) return
    this.stop()
    this.#socket.close(code === NORMAL ? NORMAL : PRIVATE + code - NORMAL, reason.slice(0, REASON))
  }

  /** It is closing, or closed. */
  stop(): void {
    this.isClosing = true
    this.#look?.()
  }

  #wait(): void {
    this.#look = this.#clock.after(LOOK, () => {
      this.#look = undefined
      if (this.#socket.bufferedAmount > FULL) this.#wait()
      else this.onDrained()
    })
  }
}
