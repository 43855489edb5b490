// HKDF-SHA-256 (RFC 5869) over the HMAC of the platform.

import { concat } from './bytes.ts'
import { chain, type Maybe } from './maybe.ts'
import type { Provider } from './provider.ts'

const HASH = 32
const LONGEST = 255 * HASH

export function extract(provider: Provider, salt: Uint8Array, ikm: Uint8Array): Maybe<Uint8Array> {
  return provider.hmac(salt, ikm)
}

/** @throws {RangeError} beyond 8,160 bytes. */
export function expand(
  provider: Provider,
  prk: Uint8Array,
  info: Uint8Array,
  length: number,
): Maybe<Uint8Array> {
  if (length > LONGEST)
    throw new RangeError(`HKDF makes no more than ${LONGEST} bytes, ${length} were asked for`)
  const made: Uint8Array[] = []
  const go = (last: Uint8Array): Maybe<Uint8Array> => {
    if (made.length * HASH >= length) return concat(...made).subarray(0, length)
    return chain(provider.hmac(prk, concat(last, info, Uint8Array.of(made.length + 1))), (block) => {
      made.push(block)
      return go(block)
    })
  }
  return go(new Uint8Array(0))
}

export function hkdf(
  provider: Provider,
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Maybe<Uint8Array> {
  return chain(extract(provider, salt, ikm), (prk) => expand(provider, prk, info, length))
}
