// JSON on the wire (spec §6): one text is one frame. A frame that needs no change is passed on as it came.

import type { Dispatch, Json, Version } from '../core/dispatch.ts'
import type { Limits } from '../core/limits.ts'
import { LIMITS } from '../core/limits.ts'
import type { Codec, Decoded, Frame, Tail } from '../core/transport.ts'
import { fromWire, isVersion, toWire } from './versions.ts'

/** Where a transaction id is looked for in a frame that can't be parsed. */
const TRANSACTION = /"token"\s*:\s*\[\s*"([^"\\]{1,128})"/

const SPACE = 32

/** Bytes that one call can take as arguments. */
const CHUNK = 8192

export function jsonCodec({ nesting }: Pick<Limits, 'nesting'> = LIMITS): Codec {
  return {
    name: 'json',
    decode: (frame) => decode(text(frame), nesting),
    stem,
    reuse: (frame) => text(frame).slice(0, -1),
    close,
  }
}

function decode(frame: string, nesting: number): Decoded {
  if (opensMore(frame, nesting) && depth(frame) > nesting) return tooDeep(frame, nesting)
  const wire: unknown = JSON.parse(frame)
  if (typeof wire !== 'object' || wire === null || Array.isArray(wire)) throw new Error('JSON, but no object')
  const named = fromWire(wire as { [name: string]: Json })
  return new Text(frame, named, count(wire))
}

/** Whether a frame is plain is found out only for those that are to be passed on. */
class Text implements Decoded {
  readonly headers: { [name: string]: Json }
  readonly version: string | undefined
  readonly fault: string | undefined
  readonly slip: string | undefined
  #frame: string
  #pairs: number
  #plain: boolean | undefined

  constructor(frame: string, named: Decoded, pairs: number) {
    this.headers = named.headers
    this.version = named.version
    this.fault = Number.isNaN(pairs) ? 'A number is too big for JSON' : named.fault
    this.slip = named.slip
    this.#frame = frame
    this.#pairs = pairs
    this.#plain = named.plain && this.fault === undefined && named.slip === undefined ? undefined : false
  }

  get plain(): boolean {
    this.#plain ??= isPlain(this.headers, this.version) && isClean(this.#frame, this.#pairs)
    return this.#plain
  }
}

function isPlain(headers: { [name: string]: Json }, version: string | undefined): boolean {
  if (!isVersion(version)) return false
  const { protocol, method, resource, endpoint, timestamp, token, to, from, body, hops, expires } = headers
  if (to !== undefined || endpoint !== undefined || hops !== undefined || expires !== undefined) return false
  if (typeof method !== 'string' || method !== method.toUpperCase() || typeof timestamp !== 'number')
    return false
  if (!Array.isArray(resource) || resource.length === 0) return false
  if (method === 'ANSWER' && resource.length !== 3) return false
  if (!Array.isArray(protocol) || protocol[0] !== 'JSTP') return false
  if (!protocol.every((part) => typeof part === 'string')) return false
  if (version === '0.6') return token === undefined && from !== null
  return Array.isArray(token) && token.length === 0 && Array.isArray(from) && body !== undefined
}

/**
 * Whether the text can stand for its headers: cut at the end to add some, in one line (a line end is harmless in a
 * WebSocket message, but not on TCP), and with no key twice, which two engines could read in two ways. Every pair has a
 * colon: if there are no more colons than pairs came out, none was lost. One in a string looks like a pair too many:
 * then it is written anew.
 */
function isClean(frame: string, pairs: number): boolean {
  if (!frame.startsWith('{"') || !frame.endsWith('}') || frame.includes('\n')) return false
  let colons = 0
  for (let at = frame.indexOf(':'); at >= 0; at = frame.indexOf(':', at + 1)) colons++
  return colons === pairs
}

/** The pairs of all objects in a value; not a number if a number in it has overflown. */
function count(value: object): number {
  let pairs = 0
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) pairs += countItem(value[i] as Json)
  } else {
    for (const name in value) pairs += 1 + countItem((value as { [name: string]: Json })[name] as Json)
  }
  return pairs
}

function countItem(item: Json): number {
  if (typeof item === 'string') return 0
  if (typeof item === 'number') return item === Infinity || item === -Infinity ? Number.NaN : 0
  return typeof item === 'object' && item !== null ? count(item) : 0
}

/**
 * A stem of 0.4/0.5 begins with a space, which says that its `token` is still to be written; a reused one has it
 * already.
 */
function stem(dispatch: Dispatch, version: Version): Frame {
  const wire = toWire(dispatch, version)
  if (hasBytes(wire.sec)) wire.sec = withoutBytes(wire.sec as Json)
  const whole = JSON.stringify(wire)
  return version === '0.6' ? whole.slice(0, -1) : `{ ${whole.slice(1, -1)}`
}

function hasBytes(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (value instanceof Uint8Array) return true
  for (const name in value) if (hasBytes((value as { [name: string]: unknown })[name])) return true
  return false
}

/** Byte strings of CBOR, which only `sec` may have, are base64url in JSON (RFC 8949 §6.1, spec B5). */
function withoutBytes(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  const bytes: unknown = value
  if (bytes instanceof Uint8Array) return base64url(bytes)
  if (Array.isArray(value)) return value.map(withoutBytes)
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutBytes(item)]))
}

function base64url(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += CHUNK)
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK))
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function close(stem: Frame, tail: Tail, version: Version): Frame {
  const start = text(stem)
  const { token = [], hops, expires } = tail
  const hasToken = version !== '0.6' && start.charCodeAt(1) !== SPACE
  if (hasToken && token.length > 0)
    throw new Error('A frame that is passed on as it came takes no transaction id')
  let end = ''
  if (token.length > 0 || (version !== '0.6' && !hasToken)) end += `,"token":${JSON.stringify(token)}`
  if (hops !== undefined) end += `,"hops":${hops}`
  if (expires !== undefined) end += `,"expires":${expires}`
  end += '}'
  return start + end
}

function text(frame: Frame): string {
  if (typeof frame !== 'string') throw new Error('Bytes where JSON text was expected')
  return frame
}

/** Whether there are more than `count` lists and objects: far cheaper than `depth`, and mostly enough. */
function opensMore(frame: string, count: number): boolean {
  if (frame.length <= count) return false
  let open = 0
  for (const bracket of ['[', '{']) {
    for (let at = frame.indexOf(bracket); at >= 0; at = frame.indexOf(bracket, at + 1)) {
      if (++open > count) return true
    }
  }
  return false
}

/** Without recursion, and before parsing: `JSON.parse` would do it, but whoever walks the result would break. */
function depth(frame: string): number {
  let deepest = 0
  let open = 0
  for (let at = 0; at < frame.length; at++) {
    const c = frame.charCodeAt(at)
    if (c === 0x22) {
      at = endOfString(frame, at)
    } else if (c === 0x5b || c === 0x7b) {
      open++
      if (open > deepest) deepest = open
    } else if (c === 0x5d || c === 0x7d) {
      open--
    }
  }
  return deepest
}

function endOfString(frame: string, start: number): number {
  for (let at = frame.indexOf('"', start + 1); at >= 0; at = frame.indexOf('"', at + 1)) {
    let slashes = 0
    while (frame.charCodeAt(at - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return at
  }
  return frame.length
}

function tooDeep(frame: string, nesting: number): Decoded {
  const transaction = TRANSACTION.exec(frame)?.[1]
  const headers: { [name: string]: Json } = transaction === undefined ? {} : { token: [transaction] }
  return {
    headers,
    version: undefined,
    fault: `Nested deeper than ${nesting} lists and objects`,
    plain: false,
  }
}
