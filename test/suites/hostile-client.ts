// Somebody with a key that nobody trusts, who sends as much as an engine takes, of all that is bad in every way (spec T20).

import { once } from 'node:events'
import { connect } from 'node:net'
import { WebSocket } from 'ws'
import type { Json } from '../../src/core/dispatch.ts'
import { writeSec } from '../../src/identity/sec.ts'
import { makeSign } from '../../src/identity/sign-seal.ts'
import { node, now, range, utf8 } from '../identity/kit.ts'

const CONNECTIONS = 4
/** As many are made; then they are sent again and again. */
const POOL = 4000
const CHUNK = 50
const HEAD = '{"protocol":["JSTP","0.6"],"timestamp":1,'

export type Kind = (typeof KINDS)[number]
export const KINDS = [
  'rubbish',
  'forged',
  'stranger',
  'sealed',
  'context',
  'id',
  'handshake',
  'clear',
] as const

/** @param known the key of somebody who is trusted. @param ch the challenge of the engine. */
export function makeBad(kind: Kind, known: Uint8Array, engine: Uint8Array, ch: Uint8Array): string {
  const text = (length: number) => node.toText(node.random(length))
  const line = (headers: object) => JSON.stringify(headers).slice(1, -1)
  const sealed = (sec: Json) => line({ method: 'POST', resource: ['sealed'], sec })
  const put = { method: 'PUT', resource: ['lamp', 'on'], timestamp: 1, body: true }
  switch (kind) {
    case 'rubbish':
      return sealed({ v: 1, m: 'ctx', i: text(8), n: -1, ct: text(64), more: text(300) })
    case 'forged': {
      const p = utf8(JSON.stringify(put))
      const sec = {
        m: 'sign',
        label: 'sign',
        kid: known,
        aud: engine,
        b: node.random(8),
        n: 1,
        ch,
        p,
      } as const
      return line({ ...put, timestamp: undefined, sec: writeSec(node, { ...sec, sig: node.random(64) }) })
    }
    case 'stranger':
      return line({ ...put, timestamp: undefined, sec: signedBy(put, engine, ch) })
    case 'handshake': {
      const hello = {
        method: 'POST',
        resource: ['sec', 'context'],
        timestamp: 1,
        body: { e: text(32), i: text(8), s: [1] },
      }
      return line({ ...hello, timestamp: undefined, sec: signedBy(hello, engine, ch) })
    }
    case 'sealed':
      return sealed({ v: 1, m: 'seal', s: 1, k: text(8), enc: text(32), ct: text(336) })
    case 'context':
      return sealed({ v: 1, m: 'ctx', i: text(8), n: 5, ct: text(208) })
    case 'id':
      return line({ method: 'GET', resource: ['sec', 'id'], body: { nonce: text(16) } })
    case 'clear':
      return line({ ...put, timestamp: undefined })
  }
}

const own = now(node.signer(range(0x99, 32)))

function signedBy(content: object, aud: Uint8Array, ch: Uint8Array): Json {
  const p = utf8(JSON.stringify({ ...content, token: ['x'] }))
  return writeSec(node, now(makeSign(own, { aud, b: node.random(8), n: 1, ch, p })).sec)
}

export type Label = 'tcp' | 'ws'

/** One connection of an attacker. */
interface Link {
  readonly isOpen: boolean
  /** Resolves when more can be sent. */
  send(dispatches: string[]): Promise<unknown>
  close(): void
}

/** One who attacks over several connections; one that is closed is opened again. */
export class Attacker {
  sent = 0
  /** How often it was thrown out. */
  closed = 0
  #pool: string[]
  #label: Label
  #port: number
  #links: Link[] = []

  constructor(label: Label, port: number, known: Uint8Array, engine: Uint8Array, ch: Uint8Array) {
    this.#label = label
    this.#port = port
    this.#pool = Array.from({ length: POOL }, (_, i) =>
      makeBad(KINDS[i % KINDS.length] as Kind, known, engine, ch),
    )
  }

  async attack(count: number): Promise<void> {
    const end = this.sent + count
    const one = async (index: number) => {
      while (this.sent < end) {
        const link = await this.#link(index)
        const next = () => `${HEAD}${this.#pool[this.sent++ % POOL]},"token":["x"]}`
        await link.send(Array.from({ length: CHUNK }, next))
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => one(index)))
  }

  close(): void {
    for (const link of this.#links) link.close()
  }

  async #link(index: number): Promise<Link> {
    const known = this.#links[index]
    if (known?.isOpen) return known
    if (known) this.closed++
    const link = await (this.#label === 'tcp' ? dialTcp(this.#port) : dialWs(this.#port))
    this.#links[index] = link
    return link
  }
}

async function dialTcp(port: number): Promise<Link> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  await Promise.race([once(socket, 'connect'), once(socket, 'close')])
  return {
    get isOpen() {
      return socket.writable
    },
    async send(dispatches) {
      if (socket.write(dispatches.map((it) => `${it}\n`).join(''))) return
      await Promise.race([once(socket, 'drain'), once(socket, 'close')])
    },
    close: () => socket.destroy(),
  }
}

async function dialWs(port: number): Promise<Link> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`)
  socket.on('error', () => {})
  await Promise.race([once(socket, 'open'), once(socket, 'close')])
  return {
    get isOpen() {
      return socket.readyState === WebSocket.OPEN
    },
    async send(dispatches) {
      const [last = '', ...rest] = dispatches.toReversed()
      for (const it of rest) socket.send(it, () => {})
      // Told when it has left this process.
      await new Promise((resolve) => socket.send(last, resolve))
    },
    close: () => socket.terminate(),
  }
}
