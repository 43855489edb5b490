// CBOR on the wire (spec §9.7): plain maps with no tags, one item after the other over TCP (RFC 8742). cbor-x reads
// and writes; what it would accept, rename or overwrite in silence is refused here.

import type { Encoder } from 'cbor-x'
import type { Dispatch, Json, Version } from '../core/dispatch.ts'
import type { Limits } from '../core/limits.ts'
import { LIMITS } from '../core/limits.ts'
import type { Codec, Decoded, Frame, Tail } from '../core/transport.ts'
import { ItemScanner } from './items.ts'
import { fromWire, toWire } from './versions.ts'

const MAP = 5
const OPEN_MAP = 0xbf
const BREAK = 0xff

/** Where a transaction id is looked for in a frame that can't be decoded: `token`, a list, a text. */
const TRANSACTION = /etoken[\x81\x82\x9f](?:x([\s\S])|([a-w]))/

/** How much of a frame that can't be decoded is looked at. */
const START = 4096

/** cbor-x gives this name to a key `__proto__`. */
const RENAMED_PROTO = '__proto_'

const PROTO = 'A key called __proto__, which CBOR can not carry here'

type Headers = { [name: string]: Json }

/** Whether a first byte means CBOR: no JSON text begins like that. */
export function startsCbor(byte: number): boolean {
  return byte >> 5 === MAP
}

/** Loads cbor-x, which takes some 50 ms; so this is called when the first channel needs it. */
export async function cborCodec({ nesting }: Pick<Limits, 'nesting'> = LIMITS): Promise<Codec> {
  const { Encoder } = await import('cbor-x')
  const library = new Encoder({
    useRecords: false,
    mapsAsObjects: true,
    variableMapSize: true,
    int64AsNumber: true,
    tagUint8Array: false,
    copyBuffers: true,
  } as ConstructorParameters<typeof Encoder>[0])
  return {
    name: 'cbor',
    decode: (frame) => decode(library, bytesOf(frame), nesting),
    stem: (dispatch, version) => stem(library, dispatch, version),
    reuse: () => {
      throw new Error('CBOR frames are never plain')
    },
    close: (stem, tail, version) => close(library, bytesOf(stem), tail, version),
  }
}

function decode(library: Encoder, frame: Uint8Array, nesting: number): Decoded {
  if (!startsCbor(frame[0] ?? 0)) throw new Error('CBOR, but no map')
  const scanner = new ItemScanner(nesting)
  const end = scanner.scan(frame)
  if (end < 0) throw new Error('CBOR cut short')
  if (end < frame.length) throw new Error('Bytes left over after the CBOR map')
  if (scanner.fault !== undefined) {
    return { headers: salvage(frame), version: undefined, fault: scanner.fault, plain: false }
  }
  const wire = library.decode(frame) as Headers
  const found: Found = { pairs: 0, fault: undefined }
  for (const name in wire) {
    found.pairs++
    if (name === RENAMED_PROTO) found.fault = PROTO
    inspect(wire[name], found, name === 'sec')
  }
  const named = fromWire(wire)
  const fault =
    found.fault ?? (found.pairs === scanner.pairs ? named.fault : 'A key is there twice in one map')
  return { ...named, fault, plain: false }
}

interface Found {
  pairs: number
  fault: string | undefined
}

/** Looks for what CBOR can say and JSON can't, and counts pairs: where cbor-x returns fewer, keys were equal. */
function inspect(value: unknown, found: Found, isSec: boolean): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) found.fault ??= 'A number that is not finite'
  } else if (value === undefined) {
    found.fault ??= 'An undefined value'
  } else if (Array.isArray(value)) {
    for (const item of value) inspect(item, found, isSec)
  } else if (value instanceof Uint8Array) {
    if (!isSec) found.fault ??= 'A byte string outside sec'
  } else if (typeof value === 'object' && value !== null) {
    for (const name in value) {
      found.pairs++
      if (name === RENAMED_PROTO) found.fault ??= PROTO
      inspect((value as Headers)[name], found, isSec)
    }
  }
}

/** The transaction id, so that the sender can be told. */
function salvage(frame: Uint8Array): Headers {
  const text = String.fromCharCode(...frame.subarray(0, START))
  const match = TRANSACTION.exec(text)
  if (!match) return {}
  const length = match[1] === undefined ? (match[2] as string).charCodeAt(0) - 0x60 : match[1].charCodeAt(0)
  const start = match.index + match[0].length
  return { token: [text.slice(start, start + length)] }
}

/** An indefinite map without its end, so that `close` can add to it. */
function stem(library: Encoder, dispatch: Dispatch, version: Version): Frame {
  const { sec, ...open } = toWire(dispatch, version)
  const wire = isJson(open) ? open : (JSON.parse(JSON.stringify(open)) as Headers)
  if (sec !== undefined) wire.sec = sec
  const pairs = pairsOf(library, wire)
  const bytes = new Uint8Array(1 + pairs.length)
  bytes[0] = OPEN_MAP
  bytes.set(pairs, 1)
  return bytes
}

function close(library: Encoder, stem: Uint8Array, tail: Tail, version: Version): Frame {
  const { token = [], hops, expires } = tail
  const more: Headers = {}
  if (token.length > 0 || version !== '0.6') more.token = token
  if (hops !== undefined) more.hops = hops
  if (expires !== undefined) more.expires = expires
  const pairs = pairsOf(library, more)
  const bytes = new Uint8Array(stem.length + pairs.length + 1)
  bytes.set(stem)
  bytes.set(pairs, stem.length)
  bytes[bytes.length - 1] = BREAK
  return bytes
}

/** A map as cbor-x writes it, without its head. */
function pairsOf(library: Encoder, headers: Headers): Uint8Array {
  const map = library.encode(headers)
  const info = (map[0] as number) & 31
  return map.subarray(info < 24 ? 1 : 1 + (1 << (info - 24)))
}

/** Whether JSON would carry a value as it is; else it decides what becomes of `undefined`, NaN or a Date. */
function isJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object') return typeof value === 'string' || typeof value === 'boolean'
  if (value === null) return true
  if (Array.isArray(value)) return value.every(isJson)
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  for (const name in value) if (!isJson((value as Headers)[name])) return false
  return true
}

function bytesOf(frame: Frame): Uint8Array {
  if (typeof frame === 'string') throw new Error('Text where CBOR was expected')
  return frame
}
