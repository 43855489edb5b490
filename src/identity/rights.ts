// What a key may do (spec B9, R15). Any rule that matches grants, there is no rule that denies; when in doubt: no.

import type { Element, Endpoint, Json } from '../core/dispatch.ts'
import { contains, keyOf, type Pattern, readEndpoint, type Step } from '../core/endpoint.ts'

export type Mode = 'sign' | 'seal' | 'ctx'

export const MODES: readonly Mode[] = ['sign', 'seal', 'ctx']

/** A rule as it stands in a file or a grant. */
export interface RightData {
  method: string[]
  resource: Element[]
  /** Absent: any. */
  modes?: Mode[]
  /** Seconds that a one-time challenge may be old. */
  fresh?: number
  /** Holds also for what is signed for nobody in particular. */
  public?: boolean
  /** The methods that a BIND may be told of; `["PUT"]` if absent. */
  events?: string[]
}

export interface Right {
  data: RightData
  pattern: Pattern
  events: string[]
}

/** What is asked for. */
export interface Asked {
  method: string
  resource?: Element[]
  endpoint?: Endpoint
  mode: Mode
  /** Signed without `aud`. */
  isPublic: boolean
}

export type Verdict =
  | { kind: 'granted' }
  /** A one-time challenge is wanted. */
  | { kind: 'fresh'; seconds: number }
  /** It would be allowed in these modes. */
  | { kind: 'modes'; modes: Mode[] }
  | { kind: 'denied' }

/** Never covered by `*`. */
const EXPLICIT = new Set(['BIND', 'RELEASE', 'ANSWER'])

const METHODS = 32
const ELEMENTS = 64
const YEAR = 366 * 86_400

const FIELDS = new Set(['method', 'resource', 'modes', 'fresh', 'public', 'events'])

/** @param where for people, e.g. `trust.json: keys[0].allow[1]`. @throws {Error} that says what is wrong and what may be. */
export function readRight(value: Json | undefined, where: string): Right {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${where}: must be an object`)
  for (const name in value) {
    if (!FIELDS.has(name)) throw new Error(`${where}.${name}: unknown; known are ${[...FIELDS].join(', ')}`)
  }
  const { modes, fresh, resource, public: isPublic } = value
  const method = readMethods(value.method, `${where}.method`)
  const events = value.events === undefined ? undefined : readMethods(value.events, `${where}.events`)
  if (!isResource(resource)) throw new Error(`${where}.resource: must be a list of 1 to ${ELEMENTS} elements`)
  if (modes !== undefined && !isModes(modes)) {
    throw new Error(`${where}.modes: must be a list of ${MODES.join(', ')}`)
  }
  if (fresh !== undefined && !(typeof fresh === 'number' && fresh > 0 && fresh <= YEAR)) {
    throw new Error(`${where}.fresh: must be a number of seconds above 0`)
  }
  if (isPublic !== undefined && typeof isPublic !== 'boolean') {
    throw new Error(`${where}.public: must be true or false`)
  }
  return makeRight({
    method,
    resource,
    ...(modes && { modes: modes as Mode[] }),
    ...(fresh !== undefined && { fresh: fresh as number }),
    ...(isPublic !== undefined && { public: isPublic }),
    ...(events && { events }),
  })
}

export function makeRight(data: RightData): Right {
  const { resource, events = ['PUT'] } = data
  return { data, pattern: readEndpoint({ method: '*', resource }, 'quirks'), events }
}

/** RELEASE is for who has bound: it needs no right. */
export function judge(rights: Right[], asked: Asked, isFresh: (seconds: number) => boolean): Verdict {
  let fresh: number | undefined
  let modes: Mode[] | undefined
  for (const right of rights) {
    if (!concerns(right, asked)) continue
    const { data } = right
    if (asked.isPublic && data.public !== true) continue
    if (data.modes && !data.modes.includes(asked.mode))
      modes = [...new Set([...(modes ?? []), ...data.modes])]
    else if (data.fresh !== undefined && !isFresh(data.fresh)) fresh = Math.max(fresh ?? 0, data.fresh)
    else return { kind: 'granted' }
  }
  if (fresh !== undefined) return { kind: 'fresh', seconds: fresh }
  return modes ? { kind: 'modes', modes } : { kind: 'denied' }
}

/** Whether an event may be pushed to a subscriber that listens in that mode: asked again for each one. */
export function mayHear(rights: Right[], method: string, resource: Element[], mode: Mode): boolean {
  return rights.some(
    ({ data, pattern, events }) =>
      data.method.includes('BIND') &&
      (!data.modes || data.modes.includes(mode)) &&
      (mode !== 'sign' || data.public === true) &&
      (events.includes('*') || events.includes(method)) &&
      reaches(pattern.steps, resource),
  )
}

/** Whether a right gives nothing that one of these does not give. */
export function isWithin(outer: Right[], inner: Right): boolean {
  return outer.some((right) => {
    const wide = right.data
    const narrow = inner.data
    const methods = narrow.method.every(
      (method) => wide.method.includes(method) || (wide.method.includes('*') && !EXPLICIT.has(method)),
    )
    if (!methods || !holds(right.pattern, inner.pattern)) return false
    if (wide.modes && !narrow.modes?.every((mode) => wide.modes?.includes(mode))) return false
    if (wide.fresh !== undefined && !(narrow.fresh !== undefined && narrow.fresh <= wide.fresh)) return false
    if (narrow.public === true && wide.public !== true) return false
    return right.events.includes('*') || inner.events.every((event) => right.events.includes(event))
  })
}

/** Whether a pattern matches a resource; `sec` only where it is named. */
export function reaches(steps: Step[], resource: Element[]): boolean {
  return (resource[0] !== 'sec' || namesSec(steps)) && matches(steps, resource)
}

function concerns({ data, pattern, events }: Right, { method, resource, endpoint }: Asked): boolean {
  const isNamed = data.method.includes(method) || (data.method.includes('*') && !EXPLICIT.has(method))
  if (!isNamed) return false
  if (!endpoint) return resource !== undefined && reaches(pattern.steps, resource)
  const heard = endpoint.method.toUpperCase()
  if (!(events.includes('*') || events.includes(heard))) return false
  return holds(pattern, readEndpoint({ method: '*', resource: endpoint.resource }, 'quirks'))
}

function holds(outer: Pattern, inner: Pattern): boolean {
  return (!namesSec(inner.steps) || namesSec(outer.steps)) && contains(outer, inner)
}

function namesSec([first]: Step[]): boolean {
  return first?.kind === 'literal' && first.key === 'sec'
}

/** An ellipsis is tried as short as possible first, and only the last one is ever tried again: no blow-up. */
function matches(steps: Step[], resource: Element[]): boolean {
  let step = 0
  let at = 0
  let retryStep = -1
  let retryAt = 0
  while (at < resource.length) {
    const here = steps[step]
    if (here?.kind === 'any') {
      retryStep = ++step
      retryAt = at
    } else if (here && (here.kind === 'one' || here.key === keyOf(resource[at] as Element))) {
      step++
      at++
    } else if (retryStep >= 0) {
      step = retryStep
      at = ++retryAt
    } else return false
  }
  while (steps[step]?.kind === 'any') step++
  return step === steps.length
}

function readMethods(value: Json | undefined, where: string): string[] {
  const isList = Array.isArray(value) && value.length > 0 && value.length <= METHODS
  if (
    !isList ||
    !value.every((method) => typeof method === 'string' && /^([A-Za-z]{1,32}|\*)$/.test(method))
  ) {
    throw new Error(`${where}: must be a list of methods, such as ["GET", "BIND"] or ["*"]`)
  }
  return value.map((method) => String(method).toUpperCase())
}

function isResource(value: Json | undefined): value is Element[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > ELEMENTS) return false
  return value.every((element) => typeof element !== 'object' || element === null)
}

function isModes(value: Json): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((mode) => MODES.includes(mode as Mode))
}
