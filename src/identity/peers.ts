// What we know of those we trust, beside their rights: what a client has learned from them, and what is under way.

import { strictVerifier } from './keys.ts'
import type { Exchange, Provider, Verifier } from './provider.ts'
import type { Entry } from './trust.ts'

export interface Peer {
  kid: Uint8Array
  /** base64url of the key. */
  text: string
  /** did:key */
  id: string
  verifier: Verifier
  /** Its prekey, and the name of that. */
  prekey: { x: Uint8Array; k: Uint8Array } | undefined
  /** The challenge that it wants in requests. */
  ch: Uint8Array | undefined
  query: Query | undefined
  handshake: Handshake | undefined
  /** When an unsigned hint was followed last. */
  hinted: number
}

/** An id query that is not answered yet. */
export interface Query {
  nonce: string
  transaction: string
  at: number
}

/** Our half of a handshake that is not answered yet. */
export interface Handshake {
  own: Exchange
  i: Uint8Array
  input: Uint8Array
  ref: string
  transaction: string
  at: number
}

export class Peers {
  #provider: Provider
  #peers = new Map<string, Peer>()

  constructor(provider: Provider) {
    this.#provider = provider
  }

  get size(): number {
    return this.#peers.size
  }

  /** Only for keys that are trusted: strangers leave nothing behind. */
  get({ kid, text, id }: Entry): Peer {
    const known = this.#peers.get(text)
    if (known) return known
    const peer: Peer = {
      kid,
      text,
      id,
      verifier: strictVerifier(this.#provider, kid),
      prekey: undefined,
      ch: undefined,
      query: undefined,
      handshake: undefined,
      hinted: -Infinity,
    }
    this.#peers.set(text, peer)
    return peer
  }

  tick(isKnown: (key: string) => boolean): void {
    for (const key of this.#peers.keys()) if (!isKnown(key)) this.#peers.delete(key)
  }
}
