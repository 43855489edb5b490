// What issuers and keys state about keys (spec B9, R4, R14): grants, revocations, rotations. All travel as
// `PUT ["sec","trust"]`, signed, for nobody in particular; they differ by the fields of their body.

import type { Json } from '../core/dispatch.ts'
import { concat, writeCount } from './bytes.ts'
import { LABEL } from './labels.ts'
import type { Right } from './rights.ts'
import {
  countAt,
  listAt,
  objectAt,
  only,
  type Revocation,
  readId,
  readName,
  readRevocation,
  readRights,
} from './trust-file.ts'

const REVOCATIONS = 10_000
const TEXT = 256 << 10

export interface Grant {
  kind: 'grant'
  sub: string
  kid: Uint8Array
  name: string
  rights: Right[]
  serial: number
  epoch: number
}

/** The whole list of an issuer: it takes the place of its earlier one. */
export interface RevocationList {
  kind: 'revocations'
  revoked: Revocation[]
  serial: number
  epoch: number
}

export interface Rotation {
  kind: 'rotation'
  old: string
  new: string
  oldKid: Uint8Array
  newKid: Uint8Array
  /** Old ends now, not after 30 days: only by an issuer. */
  now: boolean
  /** The signature of the new key, base64url. */
  proof: string
  serial: number
}

export type TrustStatement = Grant | RevocationList | Rotation

/** @throws {Error} when the body is none of the three. */
export function readStatement(body: Json | undefined): TrustStatement {
  const value = objectAt(body, 'statement')
  if (JSON.stringify(value).length > TEXT) throw new Error(`statement: longer than ${TEXT} letters`)
  const serial = countAt(value.serial, 'serial')
  if (value.sub !== undefined) {
    only(value, ['sub', 'name', 'allow', 'epoch', 'serial'], 'grant')
    const { id: sub, kid } = readId(value.sub, 'grant: sub')
    const rights = readRights(value.allow ?? [], 'grant: allow')
    const name = readName(value.name, 'grant: name')
    return { kind: 'grant', sub, kid, name, rights, serial, epoch: countAt(value.epoch, 'grant: epoch') }
  }
  if (value.revoked !== undefined) {
    only(value, ['revoked', 'epoch', 'serial'], 'revocations')
    const list = listAt(value.revoked, 'revoked', REVOCATIONS)
    const revoked = list.map((entry, i) => readRevocation(entry, `revoked[${i}]`))
    return { kind: 'revocations', revoked, serial, epoch: countAt(value.epoch, 'revocations: epoch') }
  }
  only(value, ['old', 'new', 'now', 'proof', 'serial'], 'rotation')
  const old = readId(value.old, 'rotation: old')
  const fresh = readId(value.new, 'rotation: new')
  if (value.now !== undefined && typeof value.now !== 'boolean')
    throw new Error('rotation: now: must be true or false')
  if (typeof value.proof !== 'string')
    throw new Error('rotation: proof: must be the signature of the new key')
  return {
    kind: 'rotation',
    old: old.id,
    new: fresh.id,
    oldKid: old.kid,
    newKid: fresh.kid,
    now: value.now === true,
    proof: value.proof,
    serial,
  }
}

/** What the new key of a rotation signs: under a label of its own, so that it can stand for nothing else (R4). */
export function rotationInput(old: Uint8Array, fresh: Uint8Array, serial: number): Uint8Array {
  const count = new Uint8Array(8)
  writeCount(count, 0, serial)
  return concat(LABEL.rotation, old, fresh, count)
}
