// The protected content as JSON text (spec B5): the bytes that were verified are the bytes that are parsed, so whatever
// two parsers might read in two ways is refused.

import type { Json } from '../core/dispatch.ts'

const NESTING = 64
const PROTO = '__proto__'

/** How the protected content is written and read. The engine may hand in a second one for CBOR. */
export interface Encoding {
  encode(content: Json): Uint8Array
  /** @throws {Error} when it is anything but one well-formed value. */
  decode(bytes: Uint8Array): Json
}

export function jsonText(): Encoding {
  const encoder = new TextEncoder()
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  return {
    encode: (content) => encoder.encode(JSON.stringify(content)),
    decode(bytes) {
      const text = decoder.decode(bytes)
      const value = JSON.parse(text) as Json
      const pairs = inspect(value, 1)
      if (colonsIn(text) !== pairs && pairsIn(text) !== pairs)
        throw new Error('a key is there twice in one object')
      return value
    },
  }
}

/**
 * Counts the pairs of all objects.
 * @throws {Error} on what must not be there, whatever the encoding.
 */
export function inspect(value: Json, depth: number): number {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Error('a number is too big')
  if (typeof value !== 'object' || value === null) return 0
  if (depth > NESTING) throw new Error(`nested deeper than ${NESTING}`)
  let pairs = 0
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) pairs += inspect(value[i] as Json, depth + 1)
    return pairs
  }
  for (const name in value) {
    if (name === PROTO) throw new Error(`a key called ${PROTO}`)
    pairs += 1 + inspect(value[name] as Json, depth + 1)
  }
  return pairs
}

function colonsIn(text: string): number {
  let colons = 0
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) colons++
  return colons
}

/** The pairs that the text has: its colons outside of strings. */
function pairsIn(text: string): number {
  let pairs = 0
  for (let at = 0; at < text.length; at++) {
    const letter = text.charCodeAt(at)
    if (letter === 0x3a) pairs++
    if (letter !== 0x22) continue
    at++
    while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1
  }
  return pairs
}
