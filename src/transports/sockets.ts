// What tcp and ws have in common: to listen, to dial, and to say why that does not work and what helps.

import type { EventEmitter } from 'node:events'
import { isIPv6, type Server } from 'node:net'
import type { ListenAt, Listening } from '../core/transport.ts'

/** Bytes that may wait in a socket before `write` says that it is full. */
export const FULL = 64 << 10

/** How long a closing connection may take to send what it has, in ms. */
export const CLOSING = 2000

/** Texts in PEM. */
export interface Certificates {
  /** Needed to listen. */
  key?: string
  cert?: string
  /** Whom to trust when we dial; without it, the authorities that Node knows. */
  ca?: string
}

/** Where a listener of this machine is reached from this machine: one on all addresses, by loopback. */
export function fromHere(address: string): string {
  return { '0.0.0.0': '127.0.0.1', '::': '::1' }[address] ?? address
}

/** Starts a server listening. `key`: what to set in the configuration to listen elsewhere. */
export function listenOn(server: Server, at: ListenAt, key: string): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => reject(listenError(error, at, key))
    server.once('error', refuse)
    server.listen(at.port, at.address, () => {
      server.off('error', refuse)
      // What happens later to one connection is told to that connection.
      server.on('error', () => {})
      const { port } = server.address() as { port: number }
      resolve({
        address: at.address,
        port,
        close: async () => {
          if (server.listening) server.close()
        },
      })
    })
  })
}

/** Starts a server listening on a unix socket. From its first moment only the owner may write to it, so only he connects. */
export function listenOnPath(server: Server, path: string): Promise<Listening> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const mask = process.umask(0o177)
    try {
      server.listen(path, () => {
        server.off('error', reject)
        server.on('error', () => {})
        resolve({
          address: path,
          port: 0,
          close: async () => {
            if (server.listening) server.close()
          },
        })
      })
    } finally {
      process.umask(mask)
    }
  })
}

/** How to wait for something dialed. */
export interface Dialing<T> {
  /** The event that says that it can be used. */
  ready: string
  signal: AbortSignal
  /** For people: `192.168.1.20:33333 by tcp`. */
  where: string
  /** Gives it up. */
  giveUp(): void
  /** Makes the result, before anything can arrive. */
  take(): T
}

/** Waits until what was dialed can be used. Rejects with a reason for people. */
export function dialed<T>(source: EventEmitter, dialing: Dialing<T>): Promise<T> {
  const { ready, signal, where } = dialing
  return new Promise((resolve, reject) => {
    const settle = () => {
      signal.removeEventListener('abort', abort)
      source.off(ready, succeed)
      source.off('error', fail)
    }
    const succeed = () => {
      settle()
      resolve(dialing.take())
    }
    const fail = (error: Error) => {
      settle()
      dialing.giveUp()
      reject(dialError(error, where))
    }
    const abort = () =>
      fail(new Error('it took too long, or nobody needs it any more', { cause: signal.reason }))
    // One that was given up may fail once more.
    source.on('error', () => {})
    source.on('error', fail)
    source.once(ready, succeed)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
  })
}

/** `192.168.1.20:33333`, `[::1]:33333` */
export function place(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`
}

function listenError(error: NodeJS.ErrnoException, { address, port }: ListenAt, key: string): Error {
  const where = place(address, port)
  return new Error(`Can't listen on ${where}: ${listenCause(error, { address, port }, key)}`, {
    cause: error,
  })
}

function listenCause(
  { code, message }: NodeJS.ErrnoException,
  { address, port }: ListenAt,
  key: string,
): string {
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} is in use by another program (another hormiga?). Stop that one, or set another port in ${key}`
    case 'EACCES':
      return `ports below 1024 are for programs with rights. Set a port from 1024 up in ${key}`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `this machine has no address ${address}. Set one of its own in ${key}, 0.0.0.0 for all of them`
    default:
      return `${message}. What it listens on is set in ${key}`
  }
}

function dialError(error: Error, where: string): Error {
  // Node tries every address of a name; what the first one said is as good as any.
  const first = (
    error instanceof AggregateError ? (error.errors[0] as Error) : error
  ) as NodeJS.ErrnoException
  return new Error(`Can't reach ${where}: ${dialCause(first)}`, { cause: error })
}

function dialCause({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'nobody listens there. Is the engine running, and is the port right?'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'nobody knows that name. Is it written right, and is there a network?'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return 'there is no way to that address now. Is the host up, and in this network?'
    case 'ECONNRESET':
    case 'EPIPE':
      return 'the other side hung up. Does it speak the same, with or without TLS?'
    default:
      return isCertificateProblem(code)
        ? `its certificate is not accepted (${message}). Give the certificate of its authority as \`ca\``
        : message
  }
}

function isCertificateProblem(code: string | undefined): boolean {
  return code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO/.test(code)
}
