// The keys on disk (spec B3, R9, R13): one folder for the owner only, one process at a time, one board. Secret bytes
// never leave this file but into the provider, and never stand in an error.

import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Json } from '../core/dispatch.ts'
import { type FileFacts, type KeyDisk, realKeyDisk, replaceFile } from './key-disk.ts'
import { LockedError, takeLock } from './key-lock.ts'
import { type Prekeys, readPrekeys, rotatingPrekeys } from './prekeys.ts'
import type { Signer } from './provider.ts'
import { freshKey, nodeProvider, signerOf } from './provider-node.ts'
import { type Learned, readLearned } from './trust.ts'

const HOUR = 3_600_000
const IDENTITY = 'identity.pem'
const BOARD = 'board'
const PREKEYS = 'prekeys.json'
const UPTIME = 'uptime'
const LEARNED = 'learned.json'
const LOCK = 'lock'
const FILES = [IDENTITY, BOARD, PREKEYS, UPTIME, LEARNED]

const SERIALS = ['/proc/device-tree/serial-number', '/sys/class/dmi/id/product_uuid']
const NO_SERIAL = 'none'

/** How often, and after how many milliseconds, another process that makes the key right now is waited for. */
const TURNS = 50
const TURN = 20

export interface Keystore {
  signer: Signer
  prekeys: Prekeys
  /** Milliseconds that this identity was up, over all boots (R13). Counts on while the machine is suspended or not, as the clock does. */
  uptime(): number
  /** What was learned about other keys. */
  learned: Learned | undefined
  saveLearned(learned: Learned): void
  /** To be called at least once an hour. */
  tick(): void
  /** Gives the folder back. */
  close(): void
}

export interface KeystoreOptions {
  /** `/var/lib/hormiga/keys` */
  folder: string
  /** Milliseconds, monotonic. */
  now(): number
  /** What tells this board from others; `undefined`: it has nothing like that. */
  serial?: string
  disk?: KeyDisk
  /** Default: who runs this process. */
  user?: number
  /** Told when something can't be written later on: then only the next start would notice. Default: it is thrown. */
  failed?(error: Error): void
}

/** What the key alone needs. */
export type SignerOptions = Pick<KeystoreOptions, 'folder' | 'serial' | 'disk' | 'user'>

/**
 * Opens the key folder, and makes the keys if there are none.
 * @throws {Error} that says what is wrong with the folder and what to do about it. Keys are never replaced on their own.
 */
export function openKeystore({
  folder,
  now,
  serial,
  disk = realKeyDisk,
  user = self(),
  failed = (error) => {
    throw error
  },
}: KeystoreOptions): Keystore {
  enter({ folder, disk, user })
  const release = takeLock(disk, `${folder}/${LOCK}`, folder)
  let isOpen = false
  const write = (run: () => void) => {
    try {
      run()
    } catch (error) {
      if (!isOpen) throw error
      failed(error as Error)
    }
  }
  const keep = (name: string, value: Json) =>
    write(() => replaceFile(disk, folder, name, Buffer.from(JSON.stringify(value))))
  try {
    for (const name of FILES) checkFile(disk.look(`${folder}/${name}`), `${folder}/${name}`, user)
    const signer = signerOf(openIdentity(disk, folder, serial ?? NO_SERIAL))
    const uptime = countUptime(disk, folder, now, write)
    const stored = readJson(disk, folder, PREKEYS)
    const prekeys = rotatingPrekeys(
      nodeProvider,
      stored === undefined ? undefined : readPrekeys(nodeProvider, stored, `${folder}/${PREKEYS}`),
      uptime.read,
      (kept) => keep(PREKEYS, kept as unknown as Json),
    )
    const known = readJson(disk, folder, LEARNED)
    isOpen = true
    return {
      signer,
      prekeys,
      uptime: uptime.read,
      learned: known === undefined ? undefined : readLearned(known, `${folder}/${LEARNED}`),
      saveLearned: (learned) => keep(LEARNED, learned as unknown as Json),
      tick() {
        uptime.tick()
        prekeys.tick()
      },
      close: () => write(release),
    }
  } catch (error) {
    release()
    throw error
  }
}

/**
 * The key alone, made if there is none: no lock, so that several processes may sign with it at once. Each has a start value
 * of its own, so they don't end each other's contexts as long as they make none: `seal` and `sign` only.
 * @throws {Error} as `openKeystore`
 */
export function openSigner({ folder, serial, disk = realKeyDisk, user = self() }: SignerOptions): Signer {
  enter({ folder, disk, user })
  for (const name of [IDENTITY, BOARD]) checkFile(disk.look(`${folder}/${name}`), `${folder}/${name}`, user)
  const open = () => signerOf(openIdentity(disk, folder, serial ?? NO_SERIAL))
  for (let turn = 1; !disk.look(`${folder}/${IDENTITY}`); turn++) {
    try {
      const release = takeLock(disk, `${folder}/${LOCK}`, folder)
      try {
        return open()
      } finally {
        release()
      }
    } catch (error) {
      if (!(error instanceof LockedError) || turn === TURNS) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TURN)
    }
  }
  return open()
}

/** The public key of a folder, if it has one: only looked at, so whose it is does not matter. */
export function peekKid(folder: string, disk: KeyDisk = realKeyDisk): Uint8Array | undefined {
  return disk.look(`${folder}/${IDENTITY}`)
    ? signerOf(readKey(text(disk, folder, IDENTITY), `${folder}/${IDENTITY}`)).kid
    : undefined
}

/** A key in a file of its own (PKCS#8, PEM). @throws {Error} when it is none, or others could read it. */
export function readKeyFile(path: string, disk: KeyDisk = realKeyDisk, user = self()): Signer {
  const facts = disk.look(path)
  if (!facts) throw new Error(`there is no ${path}`)
  checkFile(facts, path, user)
  return signerOf(readKey(Buffer.from(disk.read(path)).toString('utf8'), path))
}

/** Makes a key in a file of its own. @throws {Error} if there is something already. */
export function makeKeyFile(path: string, disk: KeyDisk = realKeyDisk): Signer {
  if (disk.look(path)) throw new Error(`${path} is there already: keys are never replaced`)
  const { privateKey } = freshKey('ed25519')
  disk.create(path, pemOf(privateKey))
  return signerOf(privateKey)
}

/** The 32 secret bytes of a key folder: to open what was sealed to it, and for nothing else. @throws {Error} without a key */
export function readSeed(folder: string, disk: KeyDisk = realKeyDisk, user = self()): Uint8Array {
  const path = `${folder}/${IDENTITY}`
  const facts = disk.look(path)
  if (!facts) throw new Error(`there is no key in ${folder}`)
  checkFile(facts, path, user === 0 ? facts.owner : user)
  const { d } = readKey(text(disk, folder, IDENTITY), path).export({ format: 'jwk' })
  return Buffer.from(d as string, 'base64url')
}

/** Says that the key of this folder belongs to this board from now on. */
export function writeBoard(folder: string, serial = NO_SERIAL, disk: KeyDisk = realKeyDisk): void {
  replaceFile(disk, folder, BOARD, Buffer.from(`${serial}\n`))
}

/** The serial number of this board, where it has one. */
export function boardSerial(): string | undefined {
  for (const path of SERIALS) {
    try {
      const serial = readFileSync(path, 'latin1').replace(/[^\x21-\x7e]/g, '')
      if (serial) return serial
    } catch {
      // another kind of machine, or not ours to read
    }
  }
  return undefined
}

/** The board is written down first: a key without one was brought here from elsewhere. */
function openIdentity(disk: KeyDisk, folder: string, serial: string): KeyObject {
  const path = `${folder}/${IDENTITY}`
  if (!disk.look(path)) {
    replaceFile(disk, folder, BOARD, Buffer.from(`${serial}\n`))
    const { privateKey } = freshKey('ed25519')
    replaceFile(disk, folder, IDENTITY, pemOf(privateKey))
    return privateKey
  }
  const board = disk.look(`${folder}/${BOARD}`) ? text(disk, folder, BOARD).trim() : undefined
  if (board !== serial) {
    const found = board === undefined ? 'an unknown board' : `the board ${board}`
    throw new Error(
      `${path} belongs to ${found}, and this is ${serial}: two boards with one identity would be taken for each other. ` +
        `If this card was copied, remove ${folder} and a new identity is made; if the board was replaced, ` +
        `write ${serial} into ${folder}/${BOARD}`,
    )
  }
  return readKey(text(disk, folder, IDENTITY), path)
}

function readKey(pem: string, path: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    throw new Error(`${path} is no private key: put back a copy, or remove it and a new identity is made`)
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new Error(`${path} is a key of another kind than Ed25519: put back a copy, or remove it`)
  }
  return key
}

function pemOf(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'pem', type: 'pkcs8' }))
}

/** R13: written every hour, and each boot counts as an hour at least, so that it never stands still. */
function countUptime(disk: KeyDisk, folder: string, now: () => number, write: (run: () => void) => void) {
  const stored = disk.look(`${folder}/${UPTIME}`) ? Number(text(disk, folder, UPTIME)) : 0
  if (!Number.isFinite(stored) || stored < 0) {
    throw new Error(`${folder}/${UPTIME} is no number of milliseconds: remove it, and it counts from 0`)
  }
  const start = now()
  const base = stored + HOUR
  const save = (value: number) =>
    write(() => replaceFile(disk, folder, UPTIME, Buffer.from(String(Math.floor(value)))))
  let saved = base
  save(base)
  const read = () => base + (now() - start)
  return {
    read,
    tick() {
      if (read() - saved < HOUR) return
      saved = read()
      save(saved)
    },
  }
}

function enter({ folder, disk, user }: { folder: string; disk: KeyDisk; user: number }): void {
  makeLasting(disk, folder)
  checkFolder(disk.look(folder), folder, user)
}

/** A key in a folder that a power cut takes away would be lost with it. */
function makeLasting(disk: KeyDisk, folder: string): void {
  const parents: string[] = []
  for (let at = folder; !disk.look(at); at = dirname(at)) parents.unshift(dirname(at))
  if (parents.length > 0) disk.makeFolder(folder)
  for (const parent of parents) disk.syncFolder(parent)
}

function self(): number {
  return process.getuid?.() ?? 0
}

function checkFolder(facts: FileFacts | undefined, path: string, user: number): void {
  if (facts?.kind !== 'folder') throw new Error(`${path} is no folder of its own (a link?): remove it`)
  checkAccess(facts, path, user, '700')
}

function checkFile(facts: FileFacts | undefined, path: string, user: number): void {
  if (!facts) return
  if (facts.kind !== 'file')
    throw new Error(`${path} is no plain file (a link?): keys are never read through links`)
  checkAccess(facts, path, user, '600')
}

function checkAccess({ owner, mode }: FileFacts, path: string, user: number, wanted: string): void {
  if (owner !== user)
    throw new Error(`${path} belongs to user ${owner}, not to ${user} who runs this: chown ${user} ${path}`)
  if ((mode & 0o077) !== 0) throw new Error(`${path} can be read by others: chmod ${wanted} ${path}`)
}

function readJson(disk: KeyDisk, folder: string, name: string): Json | undefined {
  if (!disk.look(`${folder}/${name}`)) return undefined
  try {
    return JSON.parse(text(disk, folder, name)) as Json
  } catch {
    throw new Error(`${folder}/${name} is no JSON: remove it, and what it held is made anew`)
  }
}

function text(disk: KeyDisk, folder: string, name: string): string {
  return Buffer.from(disk.read(`${folder}/${name}`)).toString('utf8')
}
