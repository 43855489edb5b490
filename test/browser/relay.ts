// What stands between a page and its engine: passes on every message of a WebSocket, and keeps a copy of all of them.

import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'

export interface Relay {
  readonly port: number
  /** All that has passed, both ways. */
  readonly seen: string[]
  /** What is sent on of a message; default: the message. */
  pass: (text: string, to: 'engine' | 'page') => string[]
  /** Where the engine is from now on. */
  to(port: number): void
  close(): Promise<void>
}

export async function startRelay(): Promise<Relay> {
  const options = { perMessageDeflate: false }
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options })
  await new Promise((done) => server.once('listening', done))
  let target = 0
  server.on('connection', (page, { headers }) => {
    const engine = new WebSocket(`ws://127.0.0.1:${target}/`, { origin: headers.origin, ...options })
    const opened = new Promise((done) => engine.once('open', done))
    const copy = async (data: unknown, to: 'engine' | 'page') => {
      const text = String(data)
      relay.seen.push(text)
      await opened
      const other = to === 'page' ? page : engine
      for (const it of relay.pass(text, to)) other.send(it)
    }
    page.on('message', (data) => copy(data, 'engine'))
    engine.on('message', (data) => copy(data, 'page'))
    page.on('close', () => engine.close())
    engine.on('close', () => page.close())
    engine.on('error', () => page.close())
  })
  const relay: Relay = {
    port: (server.address() as AddressInfo).port,
    seen: [],
    pass: (text) => [text],
    to(port) {
      target = port
    },
    async close() {
      for (const page of server.clients) page.terminate()
      await new Promise((done) => server.close(done))
    },
  }
  return relay
}

/** Whether a text stands in what has passed: as it is, or in anything that reads as base64url. */
export function shows(seen: string[], secret: string): boolean {
  return seen.some(
    (text) =>
      text.includes(secret) ||
      (text.match(/[A-Za-z0-9_-]{16,}/g) ?? []).some((word) =>
        Buffer.from(word, 'base64url').toString('latin1').includes(secret),
      ),
  )
}
