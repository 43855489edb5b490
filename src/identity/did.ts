// How a key is written for people (spec B3): did:key in files and tools, a short fingerprint to compare by eye.

import { chain, type Maybe } from './maybe.ts'
import type { Provider } from './provider.ts'

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const PREFIX = 'did:key:z'
const ED25519 = [0xed, 0x01]
const LONGEST = 64

export function didOf(kid: Uint8Array): string {
  return PREFIX + base58(Uint8Array.of(...ED25519, ...kid))
}

/** @returns the key; `undefined` where the text is not the did:key of an Ed25519 key. */
export function kidOf(did: string): Uint8Array | undefined {
  if (!did.startsWith(PREFIX) || did.length > LONGEST) return undefined
  const bytes = fromBase58(did.slice(PREFIX.length))
  if (bytes?.length !== 34 || bytes[0] !== ED25519[0] || bytes[1] !== ED25519[1]) return undefined
  return bytes.slice(2)
}

/** 16 characters for people to compare, in groups of four: `0A1B-…`. */
export function fingerprint(provider: Provider, kid: Uint8Array): Maybe<string> {
  return chain(provider.sha256(kid), (hash) => {
    let bits = 0n
    for (const byte of hash.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte)
    let text = ''
    for (let i = 15; i >= 0; i--) text += CROCKFORD.charAt(Number((bits >> BigInt(5 * i)) & 31n))
    return text.replace(/(.{4})(?=.)/g, '$1-')
  })
}

function base58(bytes: Uint8Array): string {
  let number = 0n
  for (const byte of bytes) number = (number << 8n) | BigInt(byte)
  let text = ''
  for (; number > 0n; number /= 58n) text = BASE58.charAt(Number(number % 58n)) + text
  return '1'.repeat(bytes.findIndex((byte) => byte !== 0)) + text
}

function fromBase58(text: string): Uint8Array | undefined {
  let number = 0n
  for (const letter of text) {
    const digit = BASE58.indexOf(letter)
    if (digit < 0) return undefined
    number = number * 58n + BigInt(digit)
  }
  const bytes: number[] = []
  for (; number > 0n; number >>= 8n) bytes.unshift(Number(number & 255n))
  return Uint8Array.from(bytes)
}
