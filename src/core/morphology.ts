// What a dispatch must look like (spec §1): judges the headers that a codec has read. Strict mode refuses every slip,
// quirks mode repairs what can be repaired.

import type { Dispatch, Element, Endpoint, Hop, Json, Version } from './dispatch.ts'
import type { Mode } from './endpoint.ts'
import type { Limits } from './limits.ts'
import { JstpError, STATUS } from './status.ts'
import type { Decoded } from './transport.ts'

const REGULAR = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
const VERSIONS = new Set<string>(['0.4', '0.5', '0.6'])
const SUBSCRIPTION = new Set(['BIND', 'RELEASE'])
const OPTIONAL = new Set('token to from endpoint timestamp hops expires observe event'.split(' '))
const ID_LENGTH = 256

/** A dispatch that may be processed, or the status and the reason why not. */
export type Verdict =
  | { dispatch: Dispatch; version: Version; repaired: boolean }
  | { status: number; message: string; transaction: string | undefined }

export interface Rules {
  mode: Mode
  limits: Limits
  /** Stands in for a missing timestamp. */
  wall(): number
}

type Headers = Decoded['headers']

/** Judges and, in quirks mode, repairs. The headers become the dispatch: they are changed in place. */
export function examine(decoded: Decoded, rules: Rules): Verdict {
  const { headers } = decoded
  const transaction = transactionIn(headers)
  try {
    if (decoded.fault) throw bad(decoded.fault)
    const strict = rules.mode === 'strict'
    if (strict && decoded.slip) throw bad(decoded.slip)
    const version = checkVersion(headers, decoded.version, strict)
    const repaired = checkHeaders(headers, rules, strict)
    return {
      dispatch: headers as unknown as Dispatch,
      version: version.name,
      repaired: repaired || version.repaired,
    }
  } catch (error) {
    if (!(error instanceof JstpError)) throw error
    return { status: error.status, message: error.message, transaction }
  }
}

function isId(id: Json | undefined): boolean {
  return typeof id === 'string' && id.length <= ID_LENGTH
}

function transactionIn({ token }: Headers): string | undefined {
  const id = Array.isArray(token) ? token[0] : undefined
  return isId(id) && id !== '' ? (id as string) : undefined
}

function checkVersion(
  headers: Headers,
  declared: string | undefined,
  strict: boolean,
): { name: Version; repaired: boolean } {
  const { protocol } = headers
  if (protocol === undefined || protocol === null) {
    if (strict) throw bad('"protocol" is missing: it must be ["JSTP", version]')
    delete headers.protocol
    return { name: '0.6', repaired: true }
  }
  const isList = Array.isArray(protocol) && protocol.every((part) => typeof part === 'string')
  if (!isList || declared === undefined || !/^jstp$/i.test(protocol[0] as string)) {
    throw bad('"protocol" must be ["JSTP", version, ...implementation strings]')
  }
  if (!VERSIONS.has(declared))
    throw bad(`version ${declared} is not spoken here, 0.4 to 0.6 are`, STATUS.VERSION)
  return { name: declared as Version, repaired: protocol[0] !== 'JSTP' }
}

/** Returns whether anything was repaired. */
function checkHeaders(headers: Headers, rules: Rules, strict: boolean): boolean {
  const { limits } = rules
  let repaired = strict ? false : dropNulls(headers)
  repaired = checkMethod(headers) || repaired
  repaired = checkTimestamp(headers, rules, strict) || repaired
  if (headers.token !== undefined) repaired = checkToken(headers, strict) || repaired
  if (headers.to !== undefined) repaired = checkTo(headers, limits, strict) || repaired
  const method = headers.method as string
  if (SUBSCRIPTION.has(method)) repaired = checkSubscription(headers, limits, strict) || repaired
  else repaired = checkRegular(headers, limits, strict) || repaired
  if (method === 'ANSWER') repaired = checkAnswer(headers, strict) || repaired
  else if (strict && !REGULAR.has(method) && !SUBSCRIPTION.has(method)) {
    throw bad(`unknown method ${method.slice(0, 40)}`, STATUS.UNKNOWN_METHOD)
  }
  checkExtensions(headers)
  return repaired
}

function dropNulls(headers: Headers): boolean {
  let dropped = false
  for (const name in headers) {
    if (headers[name] !== null || !OPTIONAL.has(name)) continue
    delete headers[name]
    dropped = true
  }
  return dropped
}

function checkMethod(headers: Headers): boolean {
  const { method } = headers
  if (typeof method !== 'string' || method === '') throw bad('"method" must be a string such as "GET"')
  if (REGULAR.has(method)) return false
  const upper = method.toUpperCase()
  headers.method = upper
  return upper !== method
}

function checkTimestamp(headers: Headers, rules: Rules, strict: boolean): boolean {
  const { timestamp } = headers
  if (typeof timestamp === 'number') return false
  if (timestamp === undefined && !strict) {
    headers.timestamp = rules.wall()
    return true
  }
  throw bad('"timestamp" must be a number of milliseconds since the epoch')
}

function checkToken(headers: Headers, strict: boolean): boolean {
  const { token } = headers
  const isList = Array.isArray(token) && token.length <= 2
  const isEmpty = isList && token[0] === ''
  if (!isList || !token.every(isId) || (isEmpty && strict)) {
    throw bad(
      `"token" must be [], [transactionId] or [transactionId, triggeringId], ${ID_LENGTH} letters each at most`,
    )
  }
  if (isEmpty) headers.token = []
  return isEmpty
}

function checkTo(headers: Headers, limits: Limits, strict: boolean): boolean {
  const { to } = headers
  if (!Array.isArray(to) || to.length > limits.hops)
    throw bad(`"to" must be a list of at most ${limits.hops} hops`)
  const hops = to.map((hop) => readHop(hop, strict))
  if (hops.length > 0) headers.to = hops as Json
  else delete headers.to
  return true
}

function readHop(hop: Json, strict: boolean): Hop {
  if (typeof hop === 'string' && hop !== '') return hop
  const [address, port, transport = strict ? undefined : 'tcp', ...more] = Array.isArray(hop) ? hop : []
  const isNamed = typeof address === 'string' && address !== '' && more.length === 0
  if (isNamed && port === undefined && !strict) return address
  const number = typeof port === 'string' && /^\d{1,5}$/.test(port) && !strict ? Number(port) : port
  const isPort = Number.isInteger(number) && (number as number) > 0 && (number as number) < 65_536
  if (isNamed && isPort && typeof transport === 'string') return [address, number as number, transport]
  throw bad('a hop in "to" must be [address, port from 1 to 65535, transport] or a name')
}

function checkSubscription(headers: Headers, limits: Limits, strict: boolean): boolean {
  const endpoint = headers.endpoint as Endpoint | undefined
  if (
    typeof endpoint !== 'object' ||
    endpoint === null ||
    typeof endpoint.method !== 'string' ||
    !endpoint.method
  ) {
    throw bad('a BIND or RELEASE needs an "endpoint" of {method, resource}')
  }
  checkElements(endpoint.resource, 'the resource of "endpoint"', limits)
  if (headers.resource === undefined) return false
  if (strict) throw bad('a BIND or RELEASE has no "resource": it belongs into "endpoint"')
  delete headers.resource
  return true
}

function checkRegular(headers: Headers, limits: Limits, strict: boolean): boolean {
  checkElements(headers.resource, '"resource"', limits)
  if (headers.endpoint === undefined) return false
  if (strict) throw bad('only BIND and RELEASE have an "endpoint"')
  delete headers.endpoint
  return true
}

function checkElements(list: Json | undefined, where: string, limits: Limits): void {
  const isList = Array.isArray(list) && list.length > 0 && list.length <= limits.resource
  if (isList && list.every((element) => typeof element !== 'object' || element === null)) return
  throw bad(`${where} must be a list of 1 to ${limits.resource} strings, numbers, booleans or nulls`)
}

function checkAnswer(headers: Headers, strict: boolean): boolean {
  if (headers.to !== undefined) {
    if (strict) throw bad('an ANSWER has no "to": it goes back the way the question came')
    delete headers.to
  }
  const resource = headers.resource as Element[]
  const [status, transaction, triggering] = resource
  const isCode = (code: Element | undefined) =>
    Number.isInteger(code) && (code as number) >= 100 && (code as number) < 600
  if (
    isCode(status) &&
    typeof transaction === 'string' &&
    typeof triggering === 'string' &&
    resource.length === 3
  ) {
    return false
  }
  if (!strict && resource.length === 2 && typeof status === 'string' && isCode(transaction)) {
    headers.resource = [transaction as number, status]
    return true
  }
  throw bad('the "resource" of an ANSWER must be [status, transactionId, triggeringId]')
}

function checkExtensions({ hops, expires, observe, event }: Headers): void {
  const isFlag = (value: Json | undefined) => value === undefined || typeof value === 'boolean'
  const isCount = hops === undefined || (Number.isInteger(hops) && (hops as number) >= 0)
  const isTime = expires === undefined || (typeof expires === 'number' && expires >= 0)
  if (isCount && isTime && isFlag(observe) && isFlag(event)) return
  throw bad('"hops" must count from 0, "expires" be the ms of life left, "observe" and "event" true or false')
}

function bad(message: string, status: number = STATUS.BAD_DISPATCH): JstpError {
  return new JstpError(status, message)
}
