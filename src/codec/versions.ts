// Header names and habits of JSTP 0.4, 0.5 and 0.6 (spec §1, §1.1, §1.2): the only room that knows the older ones.

import type { Dispatch, Json, Version } from '../core/dispatch.ts'
import type { Decoded } from '../core/transport.ts'

const NATIVE = ['protocol', 'method', 'resource', 'endpoint', 'timestamp', 'token', 'to', 'from', 'body']

/** From a native header in lower case, of whatever version, to its name in 0.6. */
const NAMES = new Map([...NATIVE.map((name) => [name, name] as const), ['host', 'to'], ['referer', 'from']])

/** All but the extensions that are passed on untouched: those of `Tail` differ from receiver to receiver. */
const APART = new Set([...NATIVE, 'hops', 'expires'])

type Headers = { [name: string]: Json }

/**
 * Gives the headers of a decoded frame their names of 0.6. Older names are read from a peer of any version. `wire` may
 * become part of the result. Here `plain` says only that every name is written as the declared version writes it.
 */
export function fromWire(wire: Headers): Decoded {
  let isOld = false
  let hasExtensions = false
  for (const name in wire) {
    switch (name) {
      case 'protocol':
      case 'method':
      case 'resource':
      case 'endpoint':
      case 'timestamp':
      case 'token':
      case 'to':
      case 'from':
      case 'body':
        break
      case 'host':
      case 'referer':
        isOld = true
        break
      default:
        if (NAMES.has(name.toLowerCase())) return fromAnyCase(wire)
        hasExtensions = true
    }
  }
  if (isOld) return fromOld(wire, hasExtensions)
  const version = versionOf(wire)
  return {
    headers: wire,
    version,
    plain: version === '0.6' || (wire.to === undefined && wire.from === undefined),
  }
}

/**
 * The headers of a dispatch in the names of a version, without those of `Tail`. A 0.4/0.5 peer gets `referer` and `body`
 * in any case, because `jstp@1.1.5` reads them unasked (spec §1.2).
 */
export function toWire(dispatch: Dispatch, version: Version): Headers {
  const { method, resource, endpoint, timestamp, to, from, body } = dispatch
  const implementation = Array.isArray(dispatch.protocol) ? dispatch.protocol.slice(2) : []
  const wire: Headers = { protocol: ['JSTP', version, ...implementation], method }
  const isOld = version !== '0.6'
  if (resource !== undefined) wire.resource = resource
  if (endpoint !== undefined) wire.endpoint = endpoint
  wire.timestamp = timestamp
  if (to !== undefined && to.length > 0) wire[isOld ? 'host' : 'to'] = to
  if (isOld) wire.referer = asList(from)
  else if (from !== undefined) wire.from = from
  if (isOld) wire.body = body ?? null
  else if (body !== undefined) wire.body = body
  for (const name in dispatch) {
    const value = dispatch[name]
    if (!APART.has(name) && value !== undefined) set(wire, name, value)
  }
  return wire
}

/** Whether the core and this room speak a version. */
export function isVersion(version: string | undefined): version is Version {
  return version === '0.6' || version === '0.5' || version === '0.4'
}

/** Native headers one by one: on this path every 0.4/0.5 dispatch goes, and a loop over the names costs more. */
function fromOld(wire: Headers, hasExtensions: boolean): Decoded {
  const headers: Headers = {}
  if (wire.protocol !== undefined) headers.protocol = wire.protocol
  if (wire.method !== undefined) headers.method = wire.method
  if (wire.resource !== undefined) headers.resource = wire.resource
  if (wire.endpoint !== undefined) headers.endpoint = wire.endpoint
  if (wire.timestamp !== undefined) headers.timestamp = wire.timestamp
  if (wire.token !== undefined) headers.token = wire.token
  const to = newer(wire.to, wire.host)
  if (to !== undefined) headers.to = to
  const from = newer(wire.from, wire.referer)
  if (from !== undefined) headers.from = from
  if (wire.body !== undefined) headers.body = wire.body
  if (hasExtensions) {
    for (const name in wire) if (!NAMES.has(name)) set(headers, name, wire[name] as Json)
  }
  const version = versionOf(wire)
  const plain = version !== '0.6' && wire.to === undefined && wire.from === undefined
  return { headers, version, slip: slipOfBoth(wire), plain }
}

/** The newer of two names counts, unless there is nothing under it. */
function newer(value: Json | undefined, older: Json | undefined): Json | undefined {
  return older === undefined || (value !== undefined && value !== null) ? value : older
}

/** The same header twice, but for case, is a fault: nobody can tell which one counts (spec §9.3). */
function fromAnyCase(wire: Headers): Decoded {
  const lowered: Headers = {}
  let fault: string | undefined
  for (const name in wire) {
    const lower = NAMES.has(name.toLowerCase()) ? name.toLowerCase() : name
    if (lowered[lower] !== undefined && NAMES.has(lower))
      fault ??= `The header ${lower} is there twice, in different case`
    set(lowered, lower, wire[name] as Json)
  }
  return { ...fromWire(lowered), fault, plain: false }
}

function slipOfBoth({ host, to, referer, from }: Headers): string | undefined {
  if (host !== undefined && to !== undefined)
    return 'Both host and to are there: they are one header, send one'
  if (referer !== undefined && from !== undefined) {
    return 'Both referer and from are there: they are one header, send one'
  }
  return undefined
}

function versionOf(headers: Headers): string | undefined {
  const { protocol } = headers
  const version = Array.isArray(protocol) ? protocol[1] : undefined
  return typeof version === 'string' ? version : undefined
}

function asList(from: Json | undefined): Json[] {
  if (Array.isArray(from)) return from
  return from === undefined || from === null ? [] : [from]
}

/** Sets an own property, whatever its name: plain assignment to `__proto__` would change what the object is. */
function set(headers: Headers, name: string, value: Json): void {
  if (name !== '__proto__') headers[name] = value
  else Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true })
}
