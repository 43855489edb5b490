// The trust file (spec B9): read strictly, so that a slip never widens what a key may do.

import type { Hop, Json } from '../core/dispatch.ts'
import { kidOf } from './did.ts'
import { keyFault } from './keys.ts'
import { SUITE } from './labels.ts'
import { type Right, readRight } from './rights.ts'

const KEYS = 10_000
const RIGHTS = 256
const HOPS = 16

const ADDRESS = /^[A-Za-z0-9._:-]{1,255}$/
const HOST = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/
const TRANSPORT = /^[a-z]{1,16}$/

/** A key that somebody has vouched for. */
export interface KeyData {
  /** did:key */
  id: string
  kid: Uint8Array
  name: string
  rights: Right[]
  /** May grant, revoke and rotate for others. */
  isIssuer: boolean
  /** How that engine is reached: what is written into `to`. */
  at?: Hop[]
}

export interface Revocation {
  id: string
  /** What the key has stated with this serial or a higher one is void as well (R4). */
  from: number
}

export interface TrustFile {
  keys: KeyData[]
  /** What anybody may do without a key. */
  anonymous: Right[]
  revoked: Revocation[]
  /** No statement with a lower one is taken. */
  serial: number
  epoch: number
}

/** Trusts nobody; anybody may ask who we are. */
export const NO_TRUST: TrustFile = readTrust({ v: 1, keys: [] }, 'default')

/**
 * @param where the file, for people.
 * @throws {Error} that says where, what was found and what is allowed.
 */
export function readTrust(value: Json, where: string): TrustFile {
  const file = objectAt(value, where)
  only(file, ['v', 'keys', 'anonymous', 'revoked', 'serial', 'epoch'], where)
  if (file.v !== 1) throw new Error(`${where}: "v" must be 1`)
  const keys = listAt(file.keys ?? [], `${where}: keys`, KEYS).map((key, i) =>
    readKey(key, `${where}: keys[${i}]`),
  )
  const ids = new Set<string>()
  for (const { id } of keys) {
    if (ids.has(id)) throw new Error(`${where}: ${id} stands there twice: put all its rules into one entry`)
    ids.add(id)
  }
  const anonymous = file.anonymous ?? [{ method: ['GET'], resource: ['sec', 'id'] }]
  return {
    keys,
    anonymous: readRights(anonymous, `${where}: anonymous`),
    revoked: listAt(file.revoked ?? [], `${where}: revoked`, KEYS).map((it, i) =>
      readRevocation(it, `${where}: revoked[${i}]`),
    ),
    serial: countAt(file.serial ?? 0, `${where}: serial`),
    epoch: countAt(file.epoch ?? 0, `${where}: epoch`),
  }
}

export function readRights(value: Json, where: string): Right[] {
  return listAt(value, where, RIGHTS).map((right, i) => readRight(right, `${where}[${i}]`))
}

/** A did:key, or `{id, from}`. */
export function readRevocation(value: Json, where: string): Revocation {
  if (typeof value === 'string') return { id: readId(value, where).id, from: 0 }
  const entry = objectAt(value, where)
  only(entry, ['id', 'from'], where)
  return { id: readId(entry.id, `${where}.id`).id, from: countAt(entry.from ?? 0, `${where}.from`) }
}

/** A key that may be taken at all (B3). */
export function readId(value: Json | undefined, where: string): { id: string; kid: Uint8Array } {
  const kid = typeof value === 'string' ? kidOf(value) : undefined
  if (!kid) throw new Error(`${where}: must be a did:key of an Ed25519 key: did:key:z6Mk…`)
  const fault = keyFault(kid)
  if (fault) throw new Error(`${where}: this key can't be trusted: ${fault}`)
  return { id: value as string, kid }
}

export function readName(value: Json | undefined, where: string): string {
  if (typeof value !== 'string' || value === '' || value.length > 64) {
    throw new Error(`${where}: must be a name of 1 to 64 letters`)
  }
  return value
}

export function objectAt(value: Json | undefined, where: string): { [name: string]: Json } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${where}: must be an object`)
  return value
}

export function only(value: { [name: string]: Json }, known: string[], where: string): void {
  for (const name in value) {
    if (!known.includes(name))
      throw new Error(`${where}: "${name}" is unknown; known are ${known.join(', ')}`)
  }
}

export function countAt(value: Json | undefined, where: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Error(`${where}: must count from 0`)
  return value as number
}

export function listAt(value: Json, where: string, most: number): Json[] {
  if (!Array.isArray(value) || value.length > most)
    throw new Error(`${where}: must be a list of at most ${most}`)
  return value
}

function readKey(value: Json, where: string): KeyData {
  const entry = objectAt(value, where)
  only(entry, ['id', 'name', 'suites', 'issuer', 'allow', 'at'], where)
  const suites = entry.suites ?? [SUITE]
  if (!Array.isArray(suites) || !suites.includes(SUITE)) {
    throw new Error(`${where}.suites: must have ${SUITE} in it, the only suite that is spoken here`)
  }
  return {
    ...readId(entry.id, `${where}.id`),
    name: readName(entry.name, `${where}.name`),
    rights: readRights(entry.allow ?? [], `${where}.allow`),
    isIssuer: readIssuer(entry.issuer, `${where}.issuer`),
    ...(entry.at !== undefined && { at: readHops(entry.at, `${where}.at`) }),
  }
}

/** In the form of `to`: relays first, the engine itself last. */
function readHops(value: Json, where: string): Hop[] {
  const hops = listAt(value, where, HOPS)
  if (hops.length === 0)
    throw new Error(`${where}: must have at least one hop; leave it out if there is none`)
  return hops.map((hop, i) => {
    if (isHop(hop)) return hop
    const form = 'an address, a port and a transport, such as ["192.168.1.20", 33333, "tcp"], or a host name'
    throw new Error(`${where}[${i}]: must be ${form}`)
  })
}

function isHop(hop: Json): hop is Hop & Json {
  if (typeof hop === 'string') return HOST.test(hop)
  if (!Array.isArray(hop) || hop.length !== 3) return false
  const [address, port, transport] = hop
  if (typeof address !== 'string' || !ADDRESS.test(address)) return false
  if (!Number.isInteger(port) || (port as number) < 1 || (port as number) > 65_535) return false
  return typeof transport === 'string' && TRANSPORT.test(transport)
}

/** Depth 0 issues nothing; deeper than 1 is not offered. */
function readIssuer(value: Json | undefined, where: string): boolean {
  if (value === undefined) return false
  const issuer = objectAt(value, where)
  only(issuer, ['depth'], where)
  if (issuer.depth !== 0 && issuer.depth !== 1) throw new Error(`${where}.depth: must be 0 or 1`)
  return issuer.depth === 1
}
