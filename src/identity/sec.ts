// The `sec` header (spec B5): its three shapes, read strictly. Text or bytes are taken in either encoding; what is
// unknown, missing, of another length or not canonical is refused before any cryptography.

import type { Json } from '../core/dispatch.ts'
import { MAX_COUNT, SUITE, VERSION } from './labels.ts'
import type { Provider } from './provider.ts'

export interface SignSec {
  m: 'sign'
  /** Which use of the key the signature is for. */
  label: 'sign'
  kid: Uint8Array
  aud: Uint8Array | undefined
  b: Uint8Array
  n: number
  ch: Uint8Array | undefined
  p: Uint8Array
  sig: Uint8Array
}

export interface SealSec {
  m: 'seal'
  k: Uint8Array
  enc: Uint8Array
  ct: Uint8Array
}

export interface CtxSec {
  m: 'ctx'
  i: Uint8Array
  n: number
  ct: Uint8Array
}

export type Sec = SignSec | SealSec | CtxSec

/** `shape` is a 400, `suite` the 401 of an unknown `v`, `m` or `s` (spec B11). */
export type SecFault = 'shape' | 'suite'

/** The bytes that each field must have; 0: any number. */
const LENGTHS: Record<string, number> = {
  kid: 32,
  aud: 32,
  b: 8,
  ch: 16,
  p: 0,
  sig: 64,
  k: 8,
  enc: 32,
  ct: 0,
  i: 8,
}

const FIELDS = {
  sign: { must: ['kid', 'b', 'p', 'sig'], may: ['aud', 'ch'], isCounted: true },
  seal: { must: ['k', 'enc', 'ct'], may: [], isCounted: false },
  ctx: undefined,
}

/** @param most bytes of `p` or `ct`. */
export function readSec(provider: Provider, value: unknown, most: number): Sec | SecFault {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isBytes(value)) return 'shape'
  const sec = value as Record<string, unknown>
  const { v, m, s } = sec
  if (!Number.isSafeInteger(v) || typeof m !== 'string') return 'shape'
  if (v !== VERSION || !Object.hasOwn(FIELDS, m)) return 'suite'
  if (m === 'ctx') return readCtx(provider, sec, most)
  if (s !== SUITE) return Number.isSafeInteger(s) ? 'suite' : 'shape'
  const { must, may, isCounted } = FIELDS[m as 'sign' | 'seal']
  const read: Record<string, unknown> = m === 'sign' ? { m, label: m } : { m }
  let fields = 3
  if (isCounted) {
    if (!isCount(sec.n)) return 'shape'
    read.n = sec.n
    fields++
  }
  for (const name of must) {
    const bytes = readBytes(provider, sec[name], LENGTHS[name] as number, most)
    if (!bytes) return 'shape'
    read[name] = bytes
    fields++
  }
  for (const name of may) {
    if (!Object.hasOwn(sec, name)) continue
    const bytes = readBytes(provider, sec[name], LENGTHS[name] as number, most)
    if (!bytes) return 'shape'
    read[name] = bytes
    fields++
  }
  return Object.keys(sec).length === fields ? (read as unknown as Sec) : 'shape'
}

/** The one that comes all the time. */
function readCtx(provider: Provider, sec: Record<string, unknown>, most: number): CtxSec | SecFault {
  const { n } = sec
  if (!isCount(n) || Object.keys(sec).length !== 5) return 'shape'
  const i = readBytes(provider, sec.i, 8, most)
  const ct = readBytes(provider, sec.ct, 0, most)
  return i && ct ? { m: 'ctx', i, n, ct } : 'shape'
}

/** `binary`: byte strings, for CBOR; else base64url, which is right in both. */
export function writeSec(provider: Provider, sec: Sec, binary = false): Json {
  const { m } = sec
  const write = (bytes: Uint8Array) => (binary ? bytes : provider.toText(bytes)) as unknown as Json
  if (m === 'ctx') return { v: VERSION, m, i: write(sec.i), n: sec.n, ct: write(sec.ct) }
  if (m === 'seal') {
    return { v: VERSION, m, s: SUITE, k: write(sec.k), enc: write(sec.enc), ct: write(sec.ct) }
  }
  const { kid, aud, b, n, ch, p, sig } = sec
  return {
    v: VERSION,
    m,
    s: SUITE,
    kid: write(kid),
    ...(aud && { aud: write(aud) }),
    b: write(b),
    n,
    ...(ch && { ch: write(ch) }),
    p: write(p),
    sig: write(sig),
  }
}

/** Bytes of a certain length from text or bytes. */
export function readBytes(
  provider: Provider,
  value: unknown,
  length: number,
  most: number,
): Uint8Array | undefined {
  const bytes = decode(provider, value, length || most)
  if (!bytes) return undefined
  return (length === 0 ? bytes.length > 0 && bytes.length <= most : bytes.length === length)
    ? bytes
    : undefined
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_COUNT
}

function decode(provider: Provider, value: unknown, most: number): Uint8Array | undefined {
  if (isBytes(value)) return value
  if (typeof value !== 'string' || value.length > Math.ceil((most * 4) / 3)) return undefined
  return provider.fromText(value)
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}
