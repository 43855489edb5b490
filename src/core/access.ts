// What a channel may do when no key vouches for it (design §9.15): a listener on loopback is open, any other denies all
// that its rules don't allow.

import type { Dispatch, Element } from './dispatch.ts'
import { contains, type Pattern, readEndpoint } from './endpoint.ts'
import { Table } from './table.ts'

/** The root of all that is about keys: no wildcard reaches it. */
const KEYS = 'sec'

/** Allows these methods on resources that match; BIND too, if the endpoint is contained in the pattern. */
export interface Rule {
  method: string[]
  resource: Element[]
}

/** Rules, read once for all the channels that they hold for: they are asked about every dispatch. */
export class Access {
  #rules: { methods: Set<string>; pattern: Pattern; root: Element | undefined }[]
  #table = new Table<Set<string>>()

  constructor(rules: Rule[]) {
    this.#rules = rules.map(({ method, resource }) => {
      const methods = new Set(method.map((allowed) => allowed.toUpperCase()))
      return { methods, pattern: patternOf(resource), root: resource[0] }
    })
    for (const { methods, pattern } of this.#rules) this.#table.add(pattern, methods)
  }

  /** Whether nothing at all is allowed. */
  get isClosed(): boolean {
    return this.#rules.length === 0
  }

  /** Whether one of the rules allows it. RELEASE and ANSWER need no right: they can only end what was allowed. */
  permits({ method, resource, endpoint }: Dispatch): boolean {
    if (method === 'RELEASE' || method === 'ANSWER') return true
    const allowed = (methods: Set<string>) => methods.has(method) || methods.has('*')
    const isOfKeys = (resource ?? endpoint?.resource)?.[0] === KEYS
    if (!endpoint && !isOfKeys) return this.#table.match('*', resource as Element[]).some(allowed)
    const asked = patternOf(endpoint?.resource ?? (resource as Element[]))
    return this.#rules.some(
      ({ methods, pattern, root }) =>
        allowed(methods) && (!isOfKeys || root === KEYS) && contains(pattern, asked),
    )
  }
}

function patternOf(resource: Element[]): Pattern {
  return readEndpoint({ method: '*', resource }, 'quirks')
}

/** Whether an address is this machine's own loopback. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(address)
}
