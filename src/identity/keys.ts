// Which keys and signatures are taken at all (spec B3, B4, R20): strict RFC 8032 whatever the platform would let through.

import { equal } from './bytes.ts'
import { chain } from './maybe.ts'
import type { Provider, Verifier } from './provider.ts'

export const KEY_LENGTH = 32
export const SIGNATURE_LENGTH = 64

/** The y of the eight points of small order, little-endian; the highest bit is the sign of x. */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map(fromHex)

/** 2^255 - 19, and the order of the base point. */
const P = fromHex('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f')
const L = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')

/** Why a public key must never be taken; `undefined`: it may. */
export function keyFault(kid: Uint8Array): string | undefined {
  if (kid.length !== KEY_LENGTH) return `a key has ${KEY_LENGTH} bytes, not ${kid.length}`
  const y = Uint8Array.from(kid)
  y[31] = (y[31] as number) & 0x7f
  if (!isBelow(y, P)) return 'its encoding is not canonical'
  if (SMALL_ORDER.some((small) => equal(small, y)))
    return 'it is a point of small order: anybody can sign for it'
  return undefined
}

/** Verifies as RFC 8032 says, with s < L, and never under a weak key. */
export function strictVerifier(provider: Provider, kid: Uint8Array): Verifier {
  if (keyFault(kid)) return { verify: () => false }
  const inner = provider.verifier(kid)
  return {
    verify: (bytes, signature) =>
      signature.length === SIGNATURE_LENGTH &&
      isBelow(signature.subarray(32), L) &&
      inner.verify(bytes, signature),
  }
}

/** The name of a prekey or one-time key: the first 8 bytes of its SHA-256. */
export function nameOfExchange(provider: Provider, publicKey: Uint8Array) {
  return chain(provider.sha256(publicKey), (hash) => hash.slice(0, 8))
}

function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference < 0
  }
  return false
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
