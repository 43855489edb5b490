// What a channel may do when no key vouches for it (design §9.15): a listener on loopback is open, any other denies all
// that its rules don't allow.

import type { Dispatch, Element, Endpoint } from './dispatch.ts'
import { contains, type Pattern, readEndpoint } from './endpoint.ts'
import { Table } from './table.ts'

/** Allows these methods on resources that match; BIND too, if the endpoint is contained in the pattern. */
export interface Rule {
  method: string[]
  resource: Element[]
}

/** Whether one of the rules allows it. RELEASE and ANSWER need no right: they can only end what was allowed. */
export function permits(rules: Rule[], dispatch: Dispatch): boolean {
  const { method, resource, endpoint } = dispatch
  if (method === 'RELEASE' || method === 'ANSWER') return true
  return rules.some((rule) => {
    if (!rule.method.some((allowed) => allowed === '*' || allowed.toUpperCase() === method)) return false
    return endpoint ? covers(rule, endpoint) : matches(rule, resource as Element[])
  })
}

function patternOf(resource: Element[]): Pattern {
  return readEndpoint({ method: '*', resource }, 'quirks')
}

function covers(rule: Rule, endpoint: Endpoint): boolean {
  return contains(patternOf(rule.resource), patternOf(endpoint.resource))
}

function matches(rule: Rule, resource: Element[]): boolean {
  const table = new Table<true>()
  table.add(patternOf(rule.resource), true)
  return table.match('*', resource).length > 0
}

/** Whether an address is this machine's own loopback. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(address)
}
