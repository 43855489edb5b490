// An HTTP server that slow, endless and malformed requests can't hold up: its bounds, and who is let go first.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../core/clock.ts'
import { LIMITS, type Limits } from '../core/limits.ts'
import type { Meters } from '../core/meters.ts'

export interface HttpServerOptions {
  clock: Clock
  limits?: Limits
  meters?: Meters
  /** Milliseconds for the whole head of a request. */
  headTime?: number
  /** Milliseconds for a whole request, its body included. */
  requestTime?: number
  /** What a connection is answering at present. */
  answering(socket: Duplex): ServerResponse | undefined
  handle(request: IncomingMessage, response: ServerResponse): void
}

const HEAD_BYTES = 16 << 10
const HEAD_TIME = 10_000
const REQUEST_TIME = 30_000
/** Milliseconds that a connection may rest between two requests. */
const REST = 10_000
/** Of all connections, so many may not have said yet what they want; from then on the oldest goes, if it is that old. */
const SILENT_SHARE = 0.25
const SILENT_TIME = 1000

interface HttpError extends Error {
  code?: string
}

/** It does not listen yet. */
export function httpServer(options: HttpServerOptions): Server {
  const { limits = LIMITS, meters, headTime = HEAD_TIME, requestTime = REQUEST_TIME, handle } = options
  const server = createServer({
    maxHeaderSize: HEAD_BYTES,
    headersTimeout: Math.min(headTime, requestTime),
    requestTimeout: requestTime,
    keepAliveTimeout: REST,
    connectionsCheckingInterval: Math.min(2000, headTime / 2),
    noDelay: true,
  })
  // Of headers that are not counted, one that matters could be left out without a word. Bytes bound them.
  server.maxHeadersCount = 0
  server.maxConnections = limits.channels
  server.on('drop', () => meters?.count('drop.connection'))
  const speaks = watchSilent(
    server,
    options.clock,
    Math.max(1, Math.floor(limits.channels * SILENT_SHARE)),
    meters,
  )
  const take = (request: IncomingMessage, response: ServerResponse) => {
    speaks(request.socket)
    handle(request, response)
  }
  server.on('request', take)
  server.on('checkContinue', take)
  server.on('upgrade', ({ socket }) => speaks(socket))
  server.on('clientError', (error: HttpError, socket) => {
    meters?.count('refused.http')
    if (!socket.writable || options.answering(socket)?.headersSent) return void socket.destroy()
    const [status, message] = explain(error)
    const body = `${JSON.stringify({ message })}\n`
    const head = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close`
    socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${body}`, () => socket.destroy())
  })
  return server
}

/**
 * Lets the oldest of those go that have connected and said nothing, when there are too many.
 * @returns what to call with those that speak
 */
function watchSilent(
  server: Server,
  clock: Clock,
  most: number,
  meters: Meters | undefined,
): (socket: Socket) => void {
  const silent = new Map<Socket, number>()
  server.on('connection', (socket) => {
    silent.set(socket, clock.now())
    socket.once('close', () => silent.delete(socket))
    if (silent.size <= most) return
    const [oldest, since] = silent.entries().next().value as [Socket, number]
    if (clock.now() - since < SILENT_TIME) return
    meters?.count('drop.silent')
    oldest.destroy()
  })
  return (socket) => void silent.delete(socket)
}

function explain({ code, message }: HttpError): [status: string, message: string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['431 Request Header Fields Too Large', `more than ${HEAD_BYTES} bytes of headers`]
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return ['413 Payload Too Large', 'too much in the extensions of a chunk']
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', 'the request did not come in time']
    default:
      return ['400 Bad Request', `this is no HTTP request: ${message}`]
  }
}
