// What the security extension needs of a platform (spec B4): the primitives, nothing else. Immediate in Node, with
// promises in a page, except for the AEAD and the random numbers, which are immediate everywhere.

import type { Maybe } from './maybe.ts'

export interface Provider {
  /** For people: `node`, `web`. */
  readonly name: string
  random(length: number): Uint8Array
  sha256(bytes: Uint8Array): Maybe<Uint8Array>
  /** HMAC-SHA-256; the key may be empty. */
  hmac(key: Uint8Array, bytes: Uint8Array): Maybe<Uint8Array>
  /** An Ed25519 key pair of 32 secret bytes, or a fresh one. */
  signer(seed?: Uint8Array): Maybe<Signer>
  /** Use `strictVerifier` of keys.ts: this one alone does not refuse weak keys. */
  verifier(kid: Uint8Array): Verifier
  /** An X25519 key pair of 32 secret bytes, or a fresh one. */
  exchange(secret?: Uint8Array): Maybe<Exchange>
  /** ChaCha20-Poly1305 under one key. */
  aead(key: Uint8Array): Aead
  /** base64url, canonical (see base64url.ts). */
  toText(bytes: Uint8Array): string
  fromText(text: string): Uint8Array | undefined
}

export interface Signer {
  /** The public key: 32 bytes. */
  readonly kid: Uint8Array
  sign(bytes: Uint8Array): Maybe<Uint8Array>
}

export interface Verifier {
  verify(bytes: Uint8Array, signature: Uint8Array): Maybe<boolean>
}

export interface Exchange {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 32 bytes; `undefined`: the other key makes a secret that is all zero, or is none. */
  derive(publicKey: Uint8Array): Maybe<Uint8Array | undefined>
}

export interface Aead {
  /** Ciphertext and tag. Nonce and aad may be overwritten afterwards. */
  seal(nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array
  /** `undefined`: not sealed with these. */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
}
