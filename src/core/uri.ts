// JSTP URIs (spec §7): `jstp:METHOD#pattern#address:port:transport,name//element/element;from,from`.

import type { Element, Hop } from './dispatch.ts'
import { JstpError, STATUS } from './status.ts'

export interface Uri {
  /** In upper case; `undefined` where the URI names none. */
  method: string | undefined
  /** The method pattern of a BIND or RELEASE. */
  pattern: string | undefined
  to: Hop[]
  resource: Element[]
  from: string[]
}

const SCHEME = /^jstp:/i
const MAX = 8192

/**
 * Reads a URI; `jstp:` may be left out. Elements are strings: a URI has no types.
 * @throws {JstpError} 400, saying what is wrong where.
 */
export function parseUri(text: string, defaultTransport = 'tcp'): Uri {
  if (text.length > MAX) throw bad(text, `it is longer than ${MAX} letters`)
  const parts = text.replace(SCHEME, '').split('#')
  const rest = parts.pop() as string
  if (parts.length > 2) throw bad(text, 'only METHOD#pattern# may stand before the address')
  const [method, pattern] = parts.map((part) => decode(part, text).toUpperCase())
  if (parts.some((part) => part === '')) throw bad(text, 'an empty method')
  const [addresses, path] = splitAddresses(rest)
  const [resourceText = '', ...fromTexts] = path.split(';')
  const resource = resourceText
    .replace(/^\//, '')
    .split('/')
    .map((part) => decode(part, text))
  if (resource.length === 1 && resource[0] === '') throw bad(text, 'no resource, such as "cafetera/state"')
  const from = fromTexts.join(';')
  return {
    method,
    pattern,
    to:
      addresses === '' ? [] : addresses.split(',').map((part) => parseAddress(part, text, defaultTransport)),
    resource,
    from: from === '' ? [] : from.split(',').map((part) => decode(part, text)),
  }
}

/** The URI of these parts. Reading it again gives the same, elements as strings; only empty ones can't be written. */
export function formatUri({
  method,
  pattern,
  to = [],
  resource,
  from = [],
}: Partial<Uri> & { resource: Element[] }): string {
  const head = [method, pattern]
    .filter((part) => part !== undefined)
    .map((part) => `${encode(part)}#`)
    .join('')
  const addresses = to.length > 0 ? `${to.map(formatAddress).join(',')}//` : ''
  const tail = from.length > 0 ? `;${from.map(encode).join(',')}` : ''
  return `jstp:${head}${addresses}${resource.map((element) => encode(String(element))).join('/')}${tail}`
}

function splitAddresses(rest: string): [addresses: string, path: string] {
  const at = rest.indexOf('//')
  return at === -1 ? ['', rest] : [rest.slice(0, at), rest.slice(at + 2)]
}

/** `host:port:transport`, `host:port`, `[::1]:port` or the name of a virtual host. */
function parseAddress(part: string, text: string, defaultTransport: string): Hop {
  const [, bracketed, plain, port, transport] =
    /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?(?::([A-Za-z]+))?$/.exec(part) ?? []
  const address = bracketed ?? plain
  if (address === undefined) throw bad(text, `"${part}" is no address: write host:port:transport, or a name`)
  if (port === undefined) {
    if (transport !== undefined)
      throw bad(text, `"${part}" has a transport and no port: write host:port:transport`)
    return decode(address, text)
  }
  if (Number(port) < 1 || Number(port) > 65535)
    throw bad(text, `the port of "${part}" must be from 1 to 65535`)
  return [decode(address, text), Number(port), (transport ?? defaultTransport).toLowerCase()]
}

function formatAddress(hop: Hop): string {
  if (typeof hop === 'string') return encodeURIComponent(hop.toWellFormed())
  const [address, port, transport] = hop
  return `${address.includes(':') ? `[${encode(address)}]` : encode(address)}:${port}:${transport}`
}

function decode(part: string, text: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw bad(text, `"${part}" is not percent-encoded UTF-8`)
  }
}

/** Leaves readable what means nothing in a URI of ours: `*`, `...`, `:name` and the backslash of a literal. */
function encode(part: string): string {
  return encodeURIComponent(part.toWellFormed()).replace(/%3A/g, ':').replace(/%5C/g, '\\')
}

function bad(text: string, why: string): JstpError {
  return new JstpError(STATUS.BAD_DISPATCH, `"${text.slice(0, 200)}" is no JSTP URI: ${why}`)
}
