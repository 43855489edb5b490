// From what a program says (a URI, a body, a key) to the dispatch that it means.

import type { Dispatch, Element, Endpoint, Hop, Json } from './dispatch.ts'
import type { BindState, Guard, Protection } from './guard.ts'
import { JstpError, STATUS } from './status.ts'
import { parseUri } from './uri.ts'

/** A resource of this engine as a list, or a JSTP URI: `cafetera/state`, `jstp:GET#pi:33333:tcp//cafetera`. */
export type At = string | Element[]

export interface AskOptions {
  body?: Json
  /** Gives up waiting; the dispatch may have been carried out all the same. */
  signal?: AbortSignal
  /** Milliseconds after which the stream of answers ends. Without: when the engine says that no more can come. */
  deadline?: number
  /** Milliseconds after which nobody may carry it out any more. */
  expires?: number
  /** The transaction id, for a command that is repeated on purpose; default: a fresh one. */
  transaction?: string
  /** Extension headers. */
  headers?: { [name: string]: Json }
  /** Protects it for that key: a did:key, or a name in the trust store. Without hosts in the URI it goes where the trust store says. */
  key?: string
  /** With `key`: how. Default `ctx`. */
  mode?: Protection['mode']
}

export interface BindOptions {
  signal?: AbortSignal
  /** To be triggered, but never waited for. */
  observe?: boolean
  /** Protects it, and what comes of it, for that key, as in `AskOptions`. It is bound again by itself when it has fallen silent. */
  key?: string
  mode?: Protection['mode']
  /** With `key`: told when it is bound, and when nothing was heard for a minute. */
  onState?: (state: BindState) => void
}

export interface Binding {
  /** `false`: a host that never confirms a BIND, or has not in time. */
  confirmed: boolean
  release(): void
}

const NOT_ASKED = new Set(['BIND', 'RELEASE', 'ANSWER'])

/** What a dispatch is made with. */
export interface Maker {
  transport: string
  wall(): number
  guard: Guard | undefined
}

/** @throws {JstpError} 400 when it is no URI, or no method to ask with. */
export function makeAsk(
  { transport, wall, guard }: Maker,
  method: string,
  at: At,
  { body, expires, headers, key }: AskOptions,
): Dispatch {
  if (NOT_ASKED.has(method.toUpperCase())) {
    throw new JstpError(
      STATUS.BAD_DISPATCH,
      `${method} can't be asked: use bind() and the release() it returns`,
    )
  }
  const uri = typeof at === 'string' ? parseUri(at, transport) : { to: [] as Hop[], resource: at }
  const dispatch: Dispatch = {
    ...headers,
    method: method.toUpperCase(),
    resource: uri.resource,
    timestamp: wall(),
  }
  const to = wayTo(uri.to, key, guard)
  if (to.length > 0) dispatch.to = to
  if (body !== undefined) dispatch.body = body
  if (expires !== undefined) dispatch.expires = expires
  return dispatch
}

/** @throws {JstpError} 400 when it is no URI. */
export function makeBind({ transport, wall, guard }: Maker, at: At, { observe, key }: BindOptions): Dispatch {
  const { to, endpoint } = endpointOf(at, transport)
  const dispatch: Dispatch = { method: 'BIND', endpoint, timestamp: wall() }
  const way = wayTo(to, key, guard)
  if (way.length > 0) dispatch.to = way
  if (observe) dispatch.observe = true
  return dispatch
}

function endpointOf(at: At, transport: string): { to: Hop[]; endpoint: Endpoint } {
  if (typeof at !== 'string') return { to: [], endpoint: { method: '*', resource: at } }
  const { method, pattern, to, resource } = parseUri(at, transport)
  return { to, endpoint: { method: pattern ?? (method === 'BIND' ? '*' : (method ?? '*')), resource } }
}

/** Where the URI says, else where the trust store says that the key is. */
function wayTo(to: Hop[], key: string | undefined, guard: Guard | undefined): Hop[] {
  if (key === undefined) return to
  if (!guard)
    throw new JstpError(STATUS.BAD_DISPATCH, 'this engine has no key of its own, so nothing can be protected')
  const way = to.length > 0 ? to : (guard.routeOf(key) ?? [])
  if (way.length > 0) return way
  throw new JstpError(
    STATUS.BAD_DISPATCH,
    `where is ${key}? Put its hosts into the URI, or "at" beside its key in the trust file`,
  )
}

/** What a refusal of a BIND throws. */
export function refusal(status: number, body: Json | undefined): JstpError {
  const { message, ...details } = (typeof body === 'object' && !Array.isArray(body) && body) || {}
  const why = details.sec === undefined ? '' : `: ${details.sec}`
  return new JstpError(status, String(message ?? `refused${why}`), details)
}

export function isUnconfirmed(body: Json | undefined): boolean {
  return typeof body === 'object' && body !== null && !Array.isArray(body) && body.confirmed === false
}
