// The part of CBOR that the serial link carries (B3): definite lengths, no tags, no byte strings. Small enough for the
// other end to be a microcontroller; what it sends is not trusted, so everything is bounded.

import type { Json } from '../../../core/dispatch.ts'

/** How deep arrays and maps may nest. */
const DEPTH = 16
const TEXT = new TextDecoder('utf-8', { fatal: true })
/** The largest integer: the other end has 32 bits, with a sign. */
const MOST = 0x7fffffff

/** A value that can't be said, or bytes that mean nothing. */
export class CborError extends Error {}

/**
 * Numbers that aren't integers of 32 bits go as 32-bit floats.
 * @throws {CborError} for integers that neither can hold, floats beyond 3.4e38 and too deep nesting
 */
export function cborEncode(value: Json): Uint8Array {
  const out: number[] = []
  put(out, value, 0)
  return Uint8Array.from(out)
}

/** @throws {CborError} when it isn't exactly one value of this part of CBOR */
export function cborDecode(bytes: Uint8Array): Json {
  const reader = new Reader(bytes)
  const value = reader.value(0)
  if (!reader.isAtEnd) throw new CborError('something follows the value')
  return value
}

function put(out: number[], value: Json, depth: number): void {
  if (depth > DEPTH) throw new CborError(`nested more than ${DEPTH} deep`)
  if (value === null || typeof value === 'boolean') out.push(value === null ? 0xf6 : value ? 0xf5 : 0xf4)
  else if (typeof value === 'number') putNumber(out, value)
  else if (typeof value === 'string') putText(out, value)
  else if (Array.isArray(value)) {
    putHead(out, 4, value.length)
    for (const item of value) put(out, item, depth + 1)
  } else {
    const entries = Object.entries(value)
    putHead(out, 5, entries.length)
    for (const [key, item] of entries) {
      putText(out, key)
      put(out, item, depth + 1)
    }
  }
}

function putNumber(out: number[], value: number): void {
  const isShort = value <= MOST && value >= -MOST - 1
  if (Number.isInteger(value) && isShort && !Object.is(value, -0)) {
    return value < 0 ? putHead(out, 1, -1 - value) : putHead(out, 0, value)
  }
  const float = Math.fround(value)
  if (Number.isInteger(value) && !isShort && float !== value && shortest(float) !== value) {
    throw new CborError(`${value} does not fit into 32 bits with a sign`)
  }
  const view = new DataView(new ArrayBuffer(4))
  view.setFloat32(0, value)
  if (!Number.isFinite(view.getFloat32(0))) throw new CborError(`${value} does not fit into a 32-bit float`)
  out.push(0xfa, ...new Uint8Array(view.buffer))
}

function putText(out: number[], text: string): void {
  const bytes = new TextEncoder().encode(text)
  putHead(out, 3, bytes.length)
  out.push(...bytes)
}

function putHead(out: number[], major: number, value: number): void {
  const type = major << 5
  if (value < 24) out.push(type | value)
  else if (value < 0x100) out.push(type | 24, value)
  else if (value < 0x10000) out.push(type | 25, value >> 8, value & 0xff)
  else out.push(type | 26, value >> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff)
}

class Reader {
  #bytes: Uint8Array
  #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  value(depth: number): Json {
    if (depth > DEPTH) throw new CborError(`nested more than ${DEPTH} deep`)
    const first = this.#bytes[this.#take(1)] as number
    const major = first >> 5
    const info = first & 31
    if (major === 7) return this.#simple(info)
    const head = this.#head(info)
    switch (major) {
      case 0:
        return head
      case 1:
        return -1 - head
      case 3:
        return this.#text(head)
      case 4:
        return this.#times(head, () => this.value(depth + 1))
      case 5:
        return Object.fromEntries(this.#times(head, () => [this.#key(), this.value(depth + 1)]))
      default:
        throw new CborError(`byte strings and tags are not of this link (0x${first.toString(16)})`)
    }
  }

  /** Keys are text; whole numbers are taken too, for they save bytes. */
  #key(): string {
    const key = this.value(DEPTH)
    if (typeof key === 'string' || typeof key === 'number') return String(key)
    throw new CborError('a key is neither text nor a number')
  }

  /** An item takes a byte at least: a count that can't be true is refused before room is made for it. */
  #times<T>(count: number, read: () => T): T[] {
    if (count > this.#bytes.length - this.#at) throw new CborError('it ends too early')
    return Array.from({ length: count }, read)
  }

  #text(length: number): string {
    const at = this.#take(length)
    try {
      return TEXT.decode(this.#bytes.subarray(at, at + length))
    } catch {
      throw new CborError('a text is not UTF-8')
    }
  }

  #head(info: number): number {
    if (info < 24) return info
    if (info === 24) return this.#view.getUint8(this.#take(1))
    if (info === 25) return this.#view.getUint16(this.#take(2))
    if (info === 26) return this.#view.getUint32(this.#take(4))
    throw new CborError(info === 31 ? 'a length is not given' : 'a number has more than 32 bits')
  }

  #simple(info: number): Json {
    if (info === 20 || info === 21) return info === 21
    if (info === 22 || info === 23) return null
    if (info === 26) return finite(shortest(this.#view.getFloat32(this.#take(4))))
    if (info === 27) return finite(this.#view.getFloat64(this.#take(8)))
    throw new CborError(`the simple value ${info} is not of this link`)
  }

  #take(count: number): number {
    const at = this.#at
    if (count > this.#bytes.length - at) throw new CborError('it ends too early')
    this.#at += count
    return at
  }
}

/** The shortest number with the same 32 bits: 21.1 comes back as 21.1. */
function shortest(float: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const candidate = Number(float.toPrecision(digits))
    if (Math.fround(candidate) === float) return candidate
  }
  return float
}

/** JSON has no other numbers: what isn't one is no value. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
