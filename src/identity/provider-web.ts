// The primitives of a page: WebCrypto, and ChaCha20-Poly1305, which it lacks, from @noble/ciphers (spec B3, B14).

import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { fromText, toText } from './base64url.ts'
import { concat } from './bytes.ts'
import type { Aead, Exchange, Provider, Signer, Verifier } from './provider.ts'

/** What WebCrypto gives: opaque here. */
export type Key = object

export interface KeyPair {
  privateKey: Key
  publicKey: Key
}

/** The part of `crypto.subtle` that is used. */
export interface Subtle {
  digest(algorithm: string, bytes: Uint8Array): Promise<ArrayBuffer>
  generateKey(algorithm: { name: string }, extractable: boolean, uses: string[]): Promise<KeyPair>
  importKey(
    format: string,
    key: Uint8Array | { [name: string]: unknown },
    algorithm: { name: string; hash?: string },
    extractable: boolean,
    uses: string[],
  ): Promise<Key>
  exportKey(format: string, key: Key): Promise<unknown>
  sign(algorithm: { name: string }, key: Key, bytes: Uint8Array): Promise<ArrayBuffer>
  verify(algorithm: { name: string }, key: Key, signature: Uint8Array, bytes: Uint8Array): Promise<boolean>
  deriveBits(algorithm: { name: string; public: Key }, key: Key, bits: number): Promise<ArrayBuffer>
}

export interface WebCrypto {
  subtle: unknown
  getRandomValues(bytes: Uint8Array): Uint8Array
}

export interface WebProvider extends Provider {
  /** A key pair whose private half never leaves the browser, to be kept in IndexedDB. */
  generatePair(): Promise<KeyPair>
  signerOf(pair: KeyPair): Promise<Signer>
}

const ED25519 = { name: 'Ed25519' }
const X25519 = { name: 'X25519' }
const HMAC = { name: 'HMAC', hash: 'SHA-256' }
const PKCS8 = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65]
const PKCS8_END = [0x04, 0x22, 0x04, 0x20]
const NO_KEY = new Uint8Array(32)

/**
 * @param crypto `globalThis.crypto`
 * @throws {Error} on a page that came neither over https nor from localhost: there it has no `subtle`.
 */
export function webProvider(crypto: WebCrypto): WebProvider {
  if (!crypto.subtle) {
    const why =
      'this page has no WebCrypto: browsers give it only to pages that come over https or from localhost'
    throw new Error(`${why}. Serve the page over TLS, or open it as http://localhost:PORT/`)
  }
  const subtle = crypto.subtle as Subtle
  const signerOf = async ({ privateKey, publicKey }: KeyPair): Promise<Signer> => ({
    kid: await rawOf(subtle, publicKey),
    sign: async (bytes) => new Uint8Array(await subtle.sign(ED25519, privateKey, bytes)),
  })
  const generatePair = () => generate(subtle, ED25519, ['sign', 'verify'])
  return {
    name: 'web',
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    sha256: async (bytes) => new Uint8Array(await subtle.digest('SHA-256', bytes)),
    hmac: (key, bytes) => hmac(subtle, key, bytes),
    signer: async (seed) => {
      const uses = { private: ['sign'], public: ['verify'] }
      return signerOf(seed ? await pairOf(subtle, ED25519, 0x70, seed, uses) : await generatePair())
    },
    generatePair,
    signerOf,
    verifier: (kid) => verifierOf(subtle, kid),
    exchange: async (secret) => {
      const uses = { private: ['deriveBits'], public: [] }
      return exchangeOf(
        subtle,
        secret
          ? await pairOf(subtle, X25519, 0x6e, secret, uses)
          : await generate(subtle, X25519, ['deriveBits']),
      )
    },
    aead: aeadOf,
    toText,
    fromText,
  }
}

/** A browser that is some years old knows neither curve. */
async function generate(subtle: Subtle, algorithm: { name: string }, uses: string[]): Promise<KeyPair> {
  try {
    return await subtle.generateKey(algorithm, false, uses)
  } catch (cause) {
    throw new Error(`this browser's WebCrypto has no ${algorithm.name}: a newer version of it is needed`, {
      cause,
    })
  }
}

/** An empty key is the same as one of zeros, and WebCrypto takes no empty one. */
async function hmac(subtle: Subtle, key: Uint8Array, bytes: Uint8Array): Promise<Uint8Array> {
  const imported = await subtle.importKey('raw', key.length > 0 ? key : NO_KEY, HMAC, false, ['sign'])
  return new Uint8Array(await subtle.sign({ name: 'HMAC' }, imported, bytes))
}

async function rawOf(subtle: Subtle, key: Key): Promise<Uint8Array> {
  return new Uint8Array((await subtle.exportKey('raw', key)) as ArrayBuffer)
}

/** From secret bytes. WebCrypto tells the public half only of a key that may be exported. */
async function pairOf(
  subtle: Subtle,
  algorithm: { name: string },
  oid: number,
  secret: Uint8Array,
  uses: { private: string[]; public: string[] },
): Promise<KeyPair> {
  const der = concat(Uint8Array.from([...PKCS8, oid, ...PKCS8_END]), secret)
  const open = await subtle.importKey('pkcs8', der, algorithm, true, uses.private)
  const { kty, crv, x } = (await subtle.exportKey('jwk', open)) as Record<string, unknown>
  return {
    privateKey: await subtle.importKey('pkcs8', der, algorithm, false, uses.private),
    publicKey: await subtle.importKey('jwk', { kty, crv, x }, algorithm, true, uses.public),
  }
}

/** The key is imported once, at its first use. A key that is no point verifies nothing. */
function verifierOf(subtle: Subtle, kid: Uint8Array): Verifier {
  let key: Promise<Key> | undefined
  return {
    async verify(bytes, signature) {
      try {
        key ??= subtle.importKey('raw', kid, ED25519, false, ['verify'])
        return await subtle.verify(ED25519, await key, signature, bytes)
      } catch {
        return false
      }
    },
  }
}

async function exchangeOf(subtle: Subtle, { privateKey, publicKey }: KeyPair): Promise<Exchange> {
  return {
    publicKey: await rawOf(subtle, publicKey),
    async derive(other) {
      try {
        const key = await subtle.importKey('raw', other, X25519, false, [])
        const secret = new Uint8Array(await subtle.deriveBits({ ...X25519, public: key }, privateKey, 256))
        return secret.every((byte) => byte === 0) ? undefined : secret
      } catch {
        return undefined // browsers refuse points of small order
      }
    },
  }
}

function aeadOf(key: Uint8Array): Aead {
  return {
    seal: (nonce, aad, plain) => chacha20poly1305(key, nonce, aad).encrypt(plain),
    open(nonce, aad, sealed) {
      try {
        return chacha20poly1305(key, nonce, aad).decrypt(sealed)
      } catch {
        return undefined
      }
    },
  }
}
