// The protected content `p` (spec B2, B5, R5): what of a dispatch goes in, what must never stand in it, and the dispatch
// that is rebuilt from it alone.

import type { Dispatch, Element, Endpoint, Json } from '../core/dispatch.ts'
import { JstpError, STATUS } from '../core/status.ts'

const RESOURCE = 64
const ID_LENGTH = 256

/** Set by this room only. */
const RESERVED = new Set(['re', 'sub', 'nch', 'ch', 'rk', 'via', 'orig'])

/** Of the outer dispatch only: relays change them, or they say what `aud` and the key say. */
const OUTER = new Set(['protocol', 'to', 'host', 'from', 'referer', 'hops', 'sec'])

const NATIVE = new Set(['method', 'resource', 'endpoint', 'timestamp', 'token', 'body'])

/** The longest reserved name. */
const SHORT = 4

/** The longest reserved, outer or native name: a longer one can be none of them. */
const LONGEST = 9

/** What this room adds. All binary values as base64url. */
export interface Extras {
  /** The ref of the dispatch answered. */
  re?: string
  /** An event: the ref of the BIND and a counter; of a public one the counter alone. */
  sub?: [ref: string, count: number] | [count: number]
  /** The channel that the subscriber chose for its events. */
  via?: string
  /** A one-time key for the sealed answer. */
  rk?: string
  /** The current challenge of who sends this. */
  nch?: string
  /** A one-time challenge, given back (R12). */
  ch?: string
  /** The `sec` of the author of what triggered this. */
  orig?: Json
}

export interface Content {
  /** As it was protected: no `to`, no `from`, no third element in an ANSWER. */
  dispatch: Dispatch
  extras: Extras
}

/** A map, and no list. */
export function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A header that only this room may set (R5), if there is one. Every dispatch that comes in is asked. */
export function findReserved(headers: { [name: string]: unknown }): string | undefined {
  for (const name in headers) {
    // The short names that nearly all have, first: this is most of what a key costs those who use none.
    if (name.length > SHORT || name === 'body' || name === 'from' || name === 'to' || name === 'hops')
      continue
    if (RESERVED.has(name.toLowerCase())) return name
  }
  return undefined
}

/** @throws {JstpError} 400 when a dispatch uses a name that only this room may set (R5). */
export function refuseReserved(headers: { [name: string]: unknown }): void {
  const name = findReserved(headers)
  if (name === undefined) return
  const message = `the header "${name}" is reserved: it stands only inside protected content`
  throw new JstpError(STATUS.BAD_DISPATCH, message)
}

/** What is protected of a dispatch. @throws {JstpError} 400 for reserved names. */
export function contentOf(dispatch: Dispatch, extras: Extras): { [name: string]: Json } {
  refuseReserved(dispatch)
  const { method, resource, endpoint, timestamp, token, body } = dispatch
  const content: { [name: string]: Json | undefined } = { method: method.toUpperCase() }
  if (endpoint) content.endpoint = endpoint as unknown as Json
  else content.resource = method === 'ANSWER' ? (resource as Element[]).slice(0, 2) : resource
  if (extras.re !== undefined) content.re = extras.re
  content.timestamp = timestamp
  if (token?.[0] && method !== 'ANSWER') content.token = [token[0]]
  if (body !== undefined) content.body = body
  for (const name in dispatch) {
    if (!NATIVE.has(name) && !OUTER.has(name.toLowerCase())) content[name] = dispatch[name]
  }
  for (const name in extras) if (name !== 're') content[name] = extras[name as keyof Extras] as Json
  return content as { [name: string]: Json }
}

/** `undefined`: not a dispatch that may be protected. Takes the object over. */
export function readContent(value: Json | undefined): Content | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const extras: Extras = {}
  for (const name in value) {
    if (NATIVE.has(name)) continue
    if (!isFineName(name)) return undefined
    if (!RESERVED.has(name)) continue
    ;(extras as Record<string, Json | undefined>)[name] = value[name]
    delete value[name]
  }
  const dispatch = value as unknown as Dispatch
  return isDispatch(dispatch) && isFineExtras(extras) ? { dispatch, extras } : undefined
}

/** Native and reserved names in lower case only, so that no name can stand twice; nothing that belongs outside. */
function isFineName(name: string): boolean {
  if (name.length > LONGEST) return true
  const lower = name.toLowerCase()
  if (OUTER.has(lower)) return false
  return name === lower || !(NATIVE.has(lower) || RESERVED.has(lower))
}

function isDispatch({
  method,
  resource,
  endpoint,
  timestamp,
  token,
  expires,
  observe,
  event,
}: Dispatch): boolean {
  if (typeof method !== 'string' || method === '' || method !== method.toUpperCase()) return false
  if (typeof timestamp !== 'number') return false
  if (expires !== undefined && !(typeof expires === 'number' && expires >= 0)) return false
  if (!isFlag(observe) || !isFlag(event) || !isToken(token)) return false
  if (method === 'BIND' || method === 'RELEASE') return resource === undefined && isEndpoint(endpoint)
  if (endpoint !== undefined || !isResource(resource)) return false
  if (method === 'ANSWER') return token === undefined && isAnswer(resource)
  return resource[0] !== 'sealed'
}

function isResource(list: unknown): list is Element[] {
  if (!Array.isArray(list) || list.length === 0 || list.length > RESOURCE) return false
  return list.every((element) => typeof element !== 'object' || element === null)
}

function isEndpoint(endpoint: Endpoint | undefined): boolean {
  if (typeof endpoint !== 'object' || endpoint === null || Array.isArray(endpoint)) return false
  const { method, resource } = endpoint
  return (
    typeof method === 'string' &&
    method !== '' &&
    isResource(resource) &&
    resource[0] !== 'sealed' &&
    isPair(endpoint)
  )
}

function isPair(value: object): boolean {
  return Object.keys(value).length === 2
}

function isAnswer([status, transaction, ...rest]: Element[]): boolean {
  const isStatus = Number.isInteger(status) && (status as number) >= 100 && (status as number) < 600
  return isStatus && isId(transaction) && rest.length === 0
}

function isToken(token: unknown): boolean {
  if (token === undefined) return true
  return Array.isArray(token) && token.length <= 1 && token.every(isId)
}

function isId(id: unknown): boolean {
  return typeof id === 'string' && id !== '' && id.length <= ID_LENGTH
}

function isFlag(value: unknown): boolean {
  return value === undefined || typeof value === 'boolean'
}

function isFineExtras({ re, sub, via, rk, nch, ch, orig }: Extras): boolean {
  const isText = (value: unknown) => value === undefined || (typeof value === 'string' && value.length <= 64)
  if (![re, via, rk, nch, ch].every(isText)) return false
  if (orig !== undefined && (typeof orig !== 'object' || orig === null || sub === undefined)) return false
  if (sub === undefined) return true
  if (!Array.isArray(sub) || ![1, 2].includes(sub.length)) return false
  const isCounted = Number.isSafeInteger(sub.at(-1)) && (sub.at(-1) as number) >= 0
  return isCounted && (sub.length === 1 || isText(sub[0]))
}
