// One security context (spec B6): its keys, its two directions, its counters. In RAM only. Nothing here decides whom to
// trust; contexts.ts decides how long it lives.

import { concat, writeCount } from './bytes.ts'
import { hkdf } from './hkdf.ts'
import { LABEL, refInput, SUITE } from './labels.ts'
import { chain, type Maybe } from './maybe.ts'
import type { Peer } from './peers.ts'
import type { Aead, Exchange, Provider } from './provider.ts'
import { Window } from './window.ts'

const LENGTH = 88
const MOST = 2 ** 32

/** Keys of both directions, by who sends. A is who began. */
export interface Keys {
  th: Uint8Array
  kAB: Uint8Array
  kBA: Uint8Array
  ivAB: Uint8Array
  ivBA: Uint8Array
}

export interface Context {
  peer: Peer
  /** Whether we began it. */
  isInitiator: boolean
  th: Uint8Array
  /** `i` under which we receive, as text: the key of the table. */
  id: string
  send: Direction
  receive: Direction
  window: Window
  /** Milliseconds of the monotonic clock. */
  created: number
  /** Someone may be spoken to: the other side has proven that it has the keys. */
  confirmed: boolean
  /** When it ends because there is a newer one. */
  retires: number
  /** Opens that failed. */
  failed: number
}

/** One direction: its key, its nonces, its authenticated data. */
export class Direction {
  readonly i: Uint8Array
  readonly text: string
  #aead: Aead
  #iv: DataView
  #nonce = new Uint8Array(12)
  #view = new DataView(this.#nonce.buffer)
  #aad = new Uint8Array(33)
  #next = 0

  constructor(provider: Provider, key: Uint8Array, iv: Uint8Array, i: Uint8Array) {
    this.i = i
    this.text = provider.toText(i)
    this.#aead = provider.aead(key)
    const copy = Uint8Array.from(iv)
    this.#iv = new DataView(copy.buffer)
    this.#nonce.set(copy)
    this.#aad.set(LABEL.data)
    this.#aad[16] = SUITE
    this.#aad.set(i, 17)
  }

  /** Dispatches sent so far: the `n` of the next one. */
  get next(): number {
    return this.#next
  }

  /** Whether the counter has come to its end. */
  get isUsedUp(): boolean {
    return this.#next >= MOST
  }

  /** Takes the next counter: no way leads to the same nonce twice. */
  seal(plain: Uint8Array): { n: number; ct: Uint8Array } {
    if (this.isUsedUp) throw new Error('the counter of a security context is used up: make a new one')
    const n = this.#next++
    this.#set(n)
    return { n, ct: this.#aead.seal(this.#nonce, this.#aad, plain) }
  }

  open(n: number, ct: Uint8Array): Uint8Array | undefined {
    this.#set(n)
    return this.#aead.open(this.#nonce, this.#aad, ct)
  }

  /** Leaves out what has been sent: for fixed vectors. */
  skipTo(n: number): void {
    if (n < this.#next) throw new Error('a counter never goes back')
    this.#next = n
  }

  #set(n: number): void {
    const high = Math.floor(n / 2 ** 32)
    this.#view.setUint32(4, this.#iv.getUint32(4) ^ high)
    this.#view.setUint32(8, this.#iv.getUint32(8) ^ (n % 2 ** 32))
    writeCount(this.#aad, 25, n)
  }
}

/** The keys from both signed halves. `undefined`: the other ephemeral key is no key. */
export function deriveKeys(
  provider: Provider,
  inputA: Uint8Array,
  inputB: Uint8Array,
  own: Exchange,
  other: Uint8Array,
): Maybe<Keys | undefined> {
  return chain(provider.sha256(inputA), (a) =>
    chain(provider.sha256(inputB), (b) =>
      chain(provider.sha256(concat(LABEL.th, a, b)), (th) =>
        chain(own.derive(other), (secret) => {
          if (!secret) return undefined
          return chain(hkdf(provider, secret, th, LABEL.keys, LENGTH), (okm) => ({
            th,
            kAB: okm.slice(0, 32),
            kBA: okm.slice(32, 64),
            ivAB: okm.slice(64, 76),
            ivBA: okm.slice(76, 88),
          }))
        }),
      ),
    ),
  )
}

/** @param iA,iB under which A and B receive. */
export function makeContext(
  provider: Provider,
  peer: Peer,
  isInitiator: boolean,
  { th, kAB, kBA, ivAB, ivBA }: Keys,
  iA: Uint8Array,
  iB: Uint8Array,
  options: { now: number; window: number },
): Context {
  const toB = new Direction(provider, kAB, ivAB, iB)
  const toA = new Direction(provider, kBA, ivBA, iA)
  const [send, receive] = isInitiator ? [toB, toA] : [toA, toB]
  return {
    peer,
    isInitiator,
    th,
    id: receive.text,
    send,
    receive,
    window: new Window(options.window),
    created: options.now,
    confirmed: isInitiator,
    retires: Infinity,
    failed: 0,
  }
}

/** The ref of an item that came or went in a context (R2). */
export function contextRef(
  provider: Provider,
  { th }: Context,
  { i }: Direction,
  n: number,
  item: number,
): Maybe<Uint8Array> {
  return chain(provider.sha256(refInput(th, i, n, item)), (hash) => hash.slice(0, 16))
}
