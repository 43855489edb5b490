// Somebody on the wire who does everything that a relay without keys can do, at random, and by a seed: so that what has gone
// wrong once goes wrong again.

import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import { writeSec } from '../../src/identity/sec.ts'
import { makeSign } from '../../src/identity/sign-seal.ts'
import { node, now, range, utf8 } from '../identity/kit.ts'
import type { Meddle } from './relays-kit.ts'

/** Stands in everything that is made up. */
export const FORGED = 'forged'

const KEPT = 500
const STATUSES = [100, 101, 200, 400, 401, 403, 404, 406, 409, 500, 502, 504, 505]
const HINTS: Json[] = [
  { sec: 'context', note: FORGED },
  { sec: 'prekey', note: FORGED },
  { sec: 'challenge', ch: node.toText(range(1, 16)), note: FORGED },
  { sec: 'required', modes: ['sign'], note: FORGED },
]

type Sec = Record<string, Json>
type Way = Parameters<Meddle>[1]

export class Evil {
  isEvil = true
  /** How often it has done what. */
  readonly done = { altered: 0, replayed: 0, delayed: 0, reordered: 0, dropped: 0, forged: 0, mixed: 0 }
  #kept: { line: string; isBack: boolean }[] = []
  #held: { line: string; way: Way } | undefined
  #seed: number
  #own = now(node.signer(range(0x99, 32)))

  constructor(seed: number) {
    this.#seed = seed
  }

  readonly meddle: Meddle = (line, way) => {
    if (!this.isEvil) {
      const held = this.#held
      this.#held = undefined
      if (held) held.way.send(held.line, held.way.isBack)
      return [line]
    }
    this.#keep(line, way.isBack)
    const what = this.#upTo(100)
    if (what < 60) return [line]
    if (what < 68) return this.#alter(line)
    if (what < 76) return this.#replay(line, way)
    if (what < 81) return this.#delay(line, way)
    if (what < 86) return this.#reorder(line, way)
    if (what < 89) return this.#drop()
    if (what < 94) return this.#mix(line)
    return this.#forge(line, way)
  }

  /** Mulberry32. */
  #fraction(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0
    let word = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed)
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32
  }

  #upTo(count: number): number {
    return Math.floor(this.#fraction() * count)
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#upTo(items.length)] as T
  }

  #keep(line: string, isBack: boolean): void {
    if (this.#kept.length < KEPT) this.#kept.push({ line, isBack })
    else this.#kept[this.#upTo(KEPT)] = { line, isBack }
  }

  #drop(): string[] {
    this.done.dropped++
    return []
  }

  #delay(line: string, { isBack, send }: Way): string[] {
    this.done.delayed++
    setTimeout(() => send(line, isBack), this.#upTo(300))
    return []
  }

  #reorder(line: string, way: Way): string[] {
    this.done.reordered++
    const held = this.#held
    this.#held = { line, way }
    if (held) held.way.send(held.line, held.way.isBack)
    return []
  }

  /** Whatever has passed before, either way, to either side. */
  #replay(line: string, { isBack, send }: Way): string[] {
    const times = 1 + this.#upTo(3)
    for (let i = 0; i < times; i++) {
      this.done.replayed++
      const old = this.#upTo(4) === 0 ? { line, isBack } : this.#pick(this.#kept)
      send(old.line, this.#upTo(8) === 0 ? !old.isBack : old.isBack)
    }
    return [line]
  }

  /** The altered one goes before or in the place of the real one. */
  #alter(line: string): string[] {
    this.done.altered++
    const bent = this.#upTo(20) === 0 ? this.#bendBytes(line) : this.#bend(JSON.parse(line) as Dispatch)
    return this.#upTo(2) === 0 ? [bent] : [bent, line]
  }

  #bendBytes(line: string): string {
    const at = this.#upTo(line.length)
    return line.slice(0, at) + String.fromCharCode(33 + this.#upTo(90)) + line.slice(at + 1)
  }

  #bend(frame: Dispatch): string {
    const bent = { ...frame } as { [name: string]: Json }
    const sec = frame.sec as Sec | undefined
    const changes: (() => void)[] = [
      () => (bent.method = this.#pick(['GET', 'PUT', 'POST', 'DELETE', 'BIND', 'ANSWER'])),
      () => (bent.timestamp = this.#upTo(2 ** 31)),
      () => (bent.resource = ['lamp', 'on']),
      () => (bent.token = [node.toText(node.random(8))]),
      () => (bent.token = []),
      () => (bent.body = { id: this.#upTo(3000), mark: FORGED }),
      () => (bent.from = [FORGED]),
      () => (bent.expires = this.#upTo(3)),
      () => (bent.hops = this.#upTo(20)),
      () => (bent.SEC = FORGED),
      () => (bent.re = FORGED),
      () => (bent.to = [['127.0.0.1', 1, 'tcp']]),
      () => delete bent.sec,
      () => delete bent.token,
    ]
    if (sec) for (const name of Object.keys(sec)) changes.push(() => (bent.sec = this.#bendSec(sec, name)))
    const { resource } = frame
    if (frame.method === 'ANSWER' && resource) {
      changes.push(() => (bent.resource = [this.#pick(STATUSES), ...resource.slice(1)]))
    }
    this.#pick(changes)()
    return JSON.stringify(bent)
  }

  #bendSec(sec: Sec, name: string): Json {
    const { [name]: value, ...rest } = sec
    if (this.#upTo(10) === 0) return rest
    if (name === 'm') return { ...sec, m: this.#pick(['sign', 'seal', 'ctx', 'none']) }
    if (typeof value === 'number') return { ...sec, [name]: value + this.#upTo(5) - 2 }
    const bytes = Buffer.from(value as string, 'base64url')
    const at = this.#upTo(bytes.length)
    bytes[at] = (bytes[at] as number) ^ (1 << this.#upTo(8))
    return { ...sec, [name]: bytes.toString('base64url') }
  }

  /** The protection, or one field of it, of something else that has passed. */
  #mix(line: string): string[] {
    this.done.mixed++
    const frame = JSON.parse(line) as Dispatch
    const other = JSON.parse(this.#pick(this.#kept).line) as Dispatch
    const [sec, foreign] = [frame.sec, other.sec] as (Sec | undefined)[]
    if (!sec || !foreign) return [line]
    const name = this.#pick(Object.keys(foreign))
    const mixed = this.#upTo(2) === 0 ? foreign : { ...sec, [name]: foreign[name] as Json }
    return [JSON.stringify({ ...frame, sec: mixed }), line]
  }

  /** Said by nobody: answers, events, ids, hints, commands, in clear and under its own key. */
  #forge(line: string, { send }: Way): string[] {
    this.done.forged++
    const frame = JSON.parse(line) as Dispatch
    const transaction = frame.token?.[0] ?? frame.resource?.[1]
    const head = { protocol: ['JSTP', '0.6'], timestamp: 1, token: [] as string[] }
    const say = (it: object, isBack: boolean) => send(JSON.stringify({ ...head, ...it }), isBack)
    const answer = (status: number, body: Json) =>
      say({ method: 'ANSWER', resource: [status, transaction, FORGED], body }, true)
    const chan = frame.endpoint?.resource?.[1] ?? frame.resource?.[1]
    const command = { method: 'PUT', resource: ['lamp', 'on'], body: { id: this.#upTo(3000), mark: FORGED } }
    const made: (() => void)[] = [
      () => answer(this.#pick(STATUSES), { message: FORGED }),
      () => answer(401, this.#pick(HINTS)),
      () => say({ method: 'POST', resource: ['sealed', chan], body: { n: 1e6, mark: FORGED } }, true),
      () => say({ method: 'PUT', resource: ['lamp', 'tick'], body: { n: 1e6, mark: FORGED } }, true),
      () => say(command, false),
      () => say({ ...command, token: [node.toText(node.random(8))] }, false),
      () => say(this.#signed(command, frame.sec as Sec | undefined), false),
      () => say(this.#signed(this.#identity(transaction as string), frame.sec as Sec | undefined), true),
      () => say({ method: 'RELEASE', endpoint: { method: 'POST', resource: ['sealed', chan] } }, false),
      () => say({ method: 'GET', resource: ['sec', 'id'], token: [FORGED], body: {} }, false),
    ]
    this.#pick(made)()
    return [line]
  }

  #identity(transaction: string) {
    const text = () => node.toText(node.random(32))
    const body = { nonce: text(), kid: text(), x: text(), k: text(), ch: text(), s: [1] }
    return { method: 'ANSWER', resource: [200, transaction, FORGED], body }
  }

  /** By its own key, or with its signature under somebody else's name. */
  #signed(frame: { method: string; resource: Json[]; body: Json }, like: Sec | undefined): object {
    const p = utf8(JSON.stringify({ ...frame, resource: frame.resource.slice(0, 2), timestamp: 1 }))
    const aud = typeof like?.aud === 'string' ? node.fromText(like.aud) : undefined
    const ch = typeof like?.ch === 'string' ? node.fromText(like.ch) : undefined
    const { sec } = now(makeSign(this.#own, { aud, b: node.random(8), n: this.#upTo(100), ch, p }))
    const kid = typeof like?.kid === 'string' && this.#upTo(2) === 0 ? { kid: like.kid } : {}
    return { ...frame, sec: { ...(writeSec(node, sec) as object), ...kid } }
  }
}
