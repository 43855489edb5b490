// Whom this engine trusts with what (spec B9): the file of its owner, and what was learned since from issuers, from
// rotations and by pairing. Default deny. A change acts at once: everybody asks here again for every dispatch.

import type { Json } from '../core/dispatch.ts'
import { didOf } from './did.ts'
import { strictVerifier } from './keys.ts'
import { chain, type Maybe } from './maybe.ts'
import type { Provider } from './provider.ts'
import { type Asked, isWithin, judge, makeRight, type Right, type RightData, type Verdict } from './rights.ts'
import { type Grant, type RevocationList, type Rotation, readStatement, rotationInput } from './statements.ts'
import { type KeyData, type Revocation, readId, readRights, type TrustFile } from './trust-file.ts'

const DAY = 86_400_000
const ROTATION = 30 * DAY
const STALE = 24 * 3_600_000
const GRANTS = 1000
const ROTATIONS = 1000
const PAIRED = 100

/** A key as it stands now. */
export interface Entry extends KeyData {
  /** base64url of the key: what tables go by. */
  text: string
}

/** What was learned: kept on disk by whoever is handed it. */
export interface Learned {
  v: 1
  grants: { issuer: string; sub: string; name: string; allow: RightData[]; serial: number; epoch: number }[]
  rotations: { by: string; old: string; new: string; serial: number; at: number; now: boolean }[]
  /** The last list of each issuer. */
  revoked: { issuer: string; id: string; from: number }[]
  paired: { id: string; name: string; allow: RightData[] }[]
  /** By issuer: the highest serial, and the statement that had it. */
  serials: Record<string, { serial: number; body: string }>
  epoch: number
  /** Milliseconds of uptime when the revocations were last fetched. */
  checked: number
}

export interface TrustOptions {
  file: TrustFile
  learned?: Learned
  /** Milliseconds of uptime over all boots (R13). */
  uptime(): number
  /** Called after every change of what was learned. */
  save?(learned: Learned): void
  /** What keys may do when revocations could not be fetched for 24 h of uptime. */
  onStale?: 'keep' | 'readonly' | 'deny'
}

export type Outcome = { done: true; changed: boolean } | { done: false; reason: string }

export class Trust {
  #provider: Provider
  #own: string
  #options: TrustOptions
  #learned: Learned
  #entries = new Map<string, Entry>()
  /** By did:key and by name. */
  #named = new Map<string, Entry>()

  /** @throws {Error} when the own key stands in the file: who trusts itself obeys its own echo. */
  constructor(provider: Provider, own: Uint8Array, options: TrustOptions) {
    this.#provider = provider
    this.#own = didOf(own)
    this.#options = options
    this.#learned = options.learned ?? nothingLearned()
    if (options.file.keys.some(({ id }) => id === this.#own)) {
      throw new Error(`${this.#own} is the key of this engine itself: take it out of the trust file`)
    }
    this.#rebuild()
  }

  get size(): number {
    return this.#entries.size
  }

  get learned(): Learned {
    return this.#learned
  }

  get epoch(): number {
    return Math.max(this.#options.file.epoch, this.#learned.epoch)
  }

  get anonymous(): Right[] {
    return this.#options.file.anonymous
  }

  /** A key that is trusted now, by its base64url. */
  find(text: string): Entry | undefined {
    return this.#entries.get(text)
  }

  /** By did:key or by name. */
  named(name: string): Entry | undefined {
    return this.#named.get(name)
  }

  entries(): Entry[] {
    return [...this.#entries.values()]
  }

  /** Whether the key may do anything but read: its contexts live shorter (R7). */
  mayAct({ rights }: Entry): boolean {
    return rights.some(({ data }) => data.method.some((method) => method !== 'GET' && method !== 'BIND'))
  }

  judge(entry: Entry, asked: Asked, isFresh: (seconds: number) => boolean): Verdict {
    if (this.isStale) {
      const { onStale = 'keep' } = this.#options
      if (onStale === 'deny') return { kind: 'denied' }
      if (onStale === 'readonly' && asked.method !== 'GET' && asked.method !== 'BIND')
        return { kind: 'denied' }
    }
    return judge(entry.rights, asked, isFresh)
  }

  /** Revocations could be withheld: nobody who may revoke was reached for a day. */
  get isStale(): boolean {
    const { file, uptime } = this.#options
    return file.keys.some(({ isIssuer }) => isIssuer) && uptime() - this.#learned.checked > STALE
  }

  /** An issuer was asked for its list, and its answer was authentic. */
  fetched(): void {
    this.#learned.checked = this.#options.uptime()
    this.#options.save?.(this.#learned)
  }

  /** The owner has replaced the file. */
  reload(file: TrustFile): void {
    this.#options = { ...this.#options, file }
    this.#rebuild()
  }

  /** To be called now and then: rotated keys end after 30 days. */
  tick(): void {
    if (this.#learned.rotations.some((it) => !it.now && this.#isOver(it.at))) this.#rebuild()
  }

  /** Takes serials of an issuer from 0 again: a local decision of the owner (R14). */
  resetSerial(issuer: string): void {
    delete this.#learned.serials[issuer]
    this.#changed()
  }

  /** Somebody at this machine has confirmed a new key. */
  pair(kid: Uint8Array, name: string, rights: Right[]): Outcome {
    if (this.#learned.paired.length >= PAIRED) return refuse(`${PAIRED} keys were paired already: remove one`)
    const { id } = readId(didOf(kid), 'paired key')
    if (id === this.#own) return refuse('that is the key of this engine itself')
    this.#learned.paired = this.#learned.paired.filter((it) => it.id !== id)
    this.#learned.paired.push({ id, name, allow: rights.map(({ data }) => data) })
    return this.#changed()
  }

  /**
   * A statement about keys whose signature by `by` has been verified.
   * @param by base64url of the key. @param body as it was signed.
   */
  accept(by: string, body: Json | undefined): Maybe<Outcome> {
    const signer = this.find(by)
    if (!signer) return refuse('the key is not known')
    let statement: ReturnType<typeof readStatement>
    try {
      statement = readStatement(body)
    } catch (error) {
      return refuse((error as Error).message)
    }
    const text = JSON.stringify(body)
    const last = this.#learned.serials[signer.id]
    if (last && last.serial === statement.serial && last.body === text) return { done: true, changed: false }
    if (statement.serial < this.#options.file.serial || (last && statement.serial <= last.serial)) {
      return refuse('the serial is not above the one that is known')
    }
    if (statement.kind === 'rotation') return this.#rotate(signer, statement, text)
    if (!signer.isIssuer) return refuse('the key is no issuer')
    if (statement.epoch < this.epoch) return refuse('the epoch is over')
    const outcome =
      statement.kind === 'grant' ? this.#grant(signer, statement) : this.#revoke(signer, statement)
    return outcome.done ? this.#stated(signer, statement.serial, text) : outcome
  }

  #grant(issuer: Entry, { sub, name, rights, serial, epoch }: Grant): Outcome {
    if (sub === this.#own || sub === issuer.id) return refuse('a grant is for another key')
    if (this.#options.file.keys.some(({ id }) => id === sub))
      return refuse('the key stands in the trust file')
    if (!rights.every((right) => isWithin(issuer.rights, right))) return refuse('more than the issuer has')
    const grants = this.#learned.grants.filter((it) => it.issuer !== issuer.id || it.sub !== sub)
    if (grants.length >= GRANTS) return refuse(`${GRANTS} grants are kept already`)
    grants.push({ issuer: issuer.id, sub, name, allow: rights.map(({ data }) => data), serial, epoch })
    this.#learned.grants = grants
    return { done: true, changed: true }
  }

  #revoke(issuer: Entry, { revoked, epoch }: RevocationList): Outcome {
    const others = this.#learned.revoked.filter((it) => it.issuer !== issuer.id)
    this.#learned.revoked = [...others, ...revoked.map((it) => ({ issuer: issuer.id, ...it }))]
    this.#learned.epoch = Math.max(this.#learned.epoch, epoch)
    return { done: true, changed: true }
  }

  #rotate(signer: Entry, rotation: Rotation, text: string): Maybe<Outcome> {
    const old = this.named(rotation.old)
    if (!old || old.id !== rotation.old) return refuse('the old key is not known')
    if (rotation.new === this.#own || this.#base().has(rotation.new))
      return refuse('the new key is known already')
    const isSelf = signer.id === old.id
    if (isSelf && (rotation.now || old.isIssuer))
      return refuse('this rotation needs the signature of an issuer')
    if (!isSelf && !signer.isIssuer) return refuse('the key is no issuer')
    if (!isSelf && !old.rights.every((right) => isWithin(signer.rights, right))) {
      return refuse('more than the issuer has')
    }
    if (this.#learned.rotations.length >= ROTATIONS) return refuse(`${ROTATIONS} rotations are kept already`)
    const proof = this.#provider.fromText(rotation.proof) ?? new Uint8Array(0)
    const { old: from, new: to, now, serial } = rotation
    const input = rotationInput(rotation.oldKid, rotation.newKid, serial)
    const verifier = strictVerifier(this.#provider, rotation.newKid)
    return chain(verifier.verify(input, proof), (isGood) => {
      if (!isGood) return refuse('the new key has not signed it')
      const known = this.#learned.serials[signer.id]
      if (known && serial <= known.serial) return refuse('the serial is not above the one that is known')
      this.#learned.rotations.push({
        by: signer.id,
        old: from,
        new: to,
        serial,
        now,
        at: this.#options.uptime(),
      })
      return this.#stated(signer, serial, text)
    })
  }

  #stated(signer: Entry, serial: number, body: string): Outcome {
    this.#learned.serials[signer.id] = { serial, body }
    return this.#changed()
  }

  #changed(): Outcome {
    this.#rebuild()
    this.#options.save?.(this.#learned)
    return { done: true, changed: true }
  }

  #isOver(at: number): boolean {
    return this.#options.uptime() - at >= ROTATION
  }

  #rebuild(): void {
    this.#entries.clear()
    const gone = this.#gone()
    for (const entry of this.#base(gone).values()) {
      if (!gone.has(entry.id)) this.#entries.set(entry.text, entry)
    }
    this.#named.clear()
    for (const entry of this.#entries.values()) {
      for (const name of [entry.id, entry.name]) if (!this.#named.has(name)) this.#named.set(name, entry)
    }
  }

  /** Every key that was ever vouched for, with its rights, but for what revoked keys have granted since. */
  #base(gone = new Map<string, number>()): Map<string, Entry> {
    const base = new Map<string, Entry>()
    const add = (key: Omit<KeyData, 'kid'>) => {
      const { kid } = readId(key.id, 'key')
      base.set(key.id, { ...key, kid, text: this.#provider.toText(kid) })
    }
    for (const { id, name, allow } of this.#learned.paired) {
      add({ id, name, rights: allow.map(makeRight), isIssuer: false })
    }
    for (const key of this.#options.file.keys) add(key)
    for (const grant of this.#learned.grants) {
      const issuer = base.get(grant.issuer)
      const isVoid = grant.epoch < this.epoch || grant.serial >= (gone.get(grant.issuer) ?? Infinity)
      if (!issuer?.isIssuer || isVoid) continue
      const rights = grant.allow.map(makeRight).filter((right) => isWithin(issuer.rights, right))
      const known = base.get(grant.sub)
      if (known) known.rights = [...known.rights, ...rights]
      else add({ id: grant.sub, name: grant.name, rights, isIssuer: false })
    }
    for (const { old, new: fresh } of this.#learned.rotations) {
      const before = base.get(old)
      if (before) add({ ...before, id: fresh })
    }
    return base
  }

  /** The keys that are revoked, with all that they have rotated to; the number is the serial from which on (R4). */
  #gone(): Map<string, number> {
    const gone = new Map<string, number>()
    const add = ({ id, from }: Revocation) => gone.set(id, Math.min(from, gone.get(id) ?? Infinity))
    this.#options.file.revoked.forEach(add)
    this.#learned.revoked.forEach(add)
    for (const { by, old, new: fresh, serial } of this.#learned.rotations) {
      if (by === old && serial >= (gone.get(old) ?? Infinity)) add({ id: fresh, from: 0 })
    }
    for (const { old, now, at } of this.#learned.rotations) {
      if (now || this.#isOver(at)) gone.set(old, gone.get(old) ?? Infinity)
    }
    return gone
  }
}

/** What was learned, from disk. @throws {Error} when it is not what this wrote. */
export function readLearned(value: Json, where: string): Learned {
  const learned = value as unknown as Learned
  const lists = [learned.grants, learned.rotations, learned.revoked, learned.paired]
  if (learned.v !== 1 || !lists.every(Array.isArray) || typeof learned.serials !== 'object') {
    throw new Error(`${where}: not what an engine has learned about keys; remove it to forget all of it`)
  }
  for (const { allow } of [...learned.grants, ...learned.paired]) readRights(allow as unknown as Json, where)
  return learned
}

export function nothingLearned(): Learned {
  return {
    v: 1,
    grants: [],
    rotations: [],
    revoked: [],
    paired: [],
    serials: Object.create(null),
    epoch: 0,
    checked: 0,
  }
}

function refuse(reason: string): Outcome {
  return { done: false, reason }
}
