// Where a dispatch with `to` goes (spec §5): to ourselves, to another host, or nowhere. Decides only, does nothing.

import type { Hop } from './dispatch.ts'
import { JstpError, STATUS } from './status.ts'

export interface Target {
  address: string
  port: number
  /** The label of the transport. */
  transport: string
}

export interface Routes {
  /** The name of this engine. */
  name: string
  /** Where this engine listens, as `nameOf` writes it. */
  selves: Set<string>
  /** Where strangers may be forwarded to. An address may start with `*`: `*.lan`. */
  allow: Hop[]
  /** Virtual host names. */
  hosts: Record<string, Hop[]>
  /** Transports that can dial. */
  transports: Set<string>
}

/** A target in one word, e.g. `tcp:127.0.0.1:33333`. */
export function nameOf({ address, port, transport }: Target): string {
  return `${transport}:${address}:${port}`
}

/**
 * Decides about one hop. `undefined`: it is ourselves.
 * @throws {JstpError} 409, 506 or 502 (spec §4, §9.4).
 */
export function route(hop: Hop, routes: Routes, stranger: boolean): Target | undefined {
  if (typeof hop === 'string') return routeName(hop, routes, stranger)
  const target = targetOf(hop)
  checkTransport(target, routes)
  if (routes.selves.has(nameOf(target))) return undefined
  if (stranger && !routes.allow.some((allowed) => allows(allowed, target))) {
    throw new JstpError(STATUS.NO_FORWARDING, `this engine does not forward to ${nameOf(target)} for you`)
  }
  return target
}

function routeName(name: string, routes: Routes, stranger: boolean): Target | undefined {
  if (name === routes.name) return undefined
  checkName(name, routes, stranger)
  const known = Object.hasOwn(routes.hosts, name) ? routes.hosts[name]?.[0] : undefined
  if (known === undefined) throw new JstpError(STATUS.BAD_GATEWAY, `no host is known by the name "${name}"`)
  if (typeof known === 'string') throw new JstpError(STATUS.BAD_GATEWAY, `the host "${name}" has no address`)
  const target = targetOf(known)
  checkTransport(target, routes)
  return routes.selves.has(nameOf(target)) ? undefined : target
}

/** @throws {JstpError} 506 when a stranger may not be forwarded there. */
export function checkName(name: string, { allow }: Routes, stranger: boolean): void {
  if (stranger && !allow.includes(name)) {
    throw new JstpError(STATUS.NO_FORWARDING, `this engine does not forward to "${name}" for you`)
  }
}

function targetOf([address, port, transport]: Exclude<Hop, string>): Target {
  return { address, port, transport: transport.toLowerCase() }
}

function checkTransport({ transport }: Target, { transports }: Routes): void {
  if (transports.has(transport)) return
  const known = [...transports].sort().join(', ')
  throw new JstpError(
    STATUS.UNKNOWN_TRANSPORT,
    `unknown transport "${transport.slice(0, 40)}", known are: ${known}`,
  )
}

function allows(allowed: Hop, { address, port, transport }: Target): boolean {
  if (typeof allowed === 'string') return false
  const [pattern, allowedPort, label] = allowed
  const isAddress = pattern.startsWith('*') ? address.endsWith(pattern.slice(1)) : address === pattern
  return isAddress && allowedPort === port && label === transport
}
