// What is signed and authenticated beside the content (spec B5): labels that keep one use of a key apart from another.

import { ascii, concat, writeCount, writeWord } from './bytes.ts'

export const SUITE = 1
export const VERSION = 1
export const MAX_COUNT = Number.MAX_SAFE_INTEGER

const LABEL_LENGTH = 16

/** `JSTP-SEC/1 x`, filled with zeros to 16 bytes. */
function label(name: string): Uint8Array {
  const bytes = new Uint8Array(LABEL_LENGTH)
  bytes.set(ascii(`JSTP-SEC/1 ${name}`))
  return bytes
}

export const LABEL = {
  sign: label('sign'),
  seal: label('seal'),
  th: label('th'),
  keys: label('keys'),
  data: label('data'),
  ref: label('ref'),
  /** The new key's signature in a rotation statement (R4). */
  rotation: label('rot'),
  /** The code's MAC in a request to pair (R17). */
  pair: label('pair'),
} as const

/** What a signature stands for. */
export interface Signed {
  label: 'sign' | 'seal'
  kid: Uint8Array
  aud: Uint8Array | undefined
  /** 8 random bytes per start of the engine. */
  b: Uint8Array
  n: number
  ch: Uint8Array | undefined
  /** The protected content. */
  p: Uint8Array
}

/** SIG_IN */
export function signInput({ label: name, kid, aud, b, n, ch, p }: Signed): Uint8Array {
  const bytes = new Uint8Array(118 + p.length)
  bytes.set(LABEL[name])
  bytes[16] = SUITE
  bytes[17] = (aud ? 1 : 0) | (ch ? 2 : 0)
  bytes.set(kid, 18)
  if (aud) bytes.set(aud, 50)
  bytes.set(b, 82)
  writeCount(bytes, 90, n)
  if (ch) bytes.set(ch, 98)
  writeWord(bytes, 114, p.length)
  bytes.set(p, 118)
  return bytes
}

/** `info` of what is sealed to the prekey `k` of `aud`. */
export function sealInfo(aud: Uint8Array, k: Uint8Array): Uint8Array {
  return concat(LABEL.seal, Uint8Array.of(SUITE), aud, k)
}

/** What the ref of one item in a context is the hash of (R2). */
export function refInput(th: Uint8Array, i: Uint8Array, n: number, item: number): Uint8Array {
  const bytes = new Uint8Array(68)
  bytes.set(LABEL.ref)
  bytes.set(th, 16)
  bytes.set(i, 48)
  writeCount(bytes, 56, n)
  writeWord(bytes, 64, item)
  return bytes
}
