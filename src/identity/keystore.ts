// The keys on disk (spec B3, R9, R13): one folder for the owner only, one process at a time, one board. Secret bytes
// never leave this file but into the provider, and never stand in an error.

import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Json } from '../core/dispatch.ts'
import { type FileFacts, type KeyDisk, realKeyDisk, replaceFile } from './key-disk.ts'
import { takeLock } from './key-lock.ts'
import { type Prekeys, readPrekeys, rotatingPrekeys } from './prekeys.ts'
import type { Signer } from './provider.ts'
import { nodeProvider, signerOf } from './provider-node.ts'
import { type Learned, readLearned } from './trust.ts'

const HOUR = 3_600_000
const IDENTITY = 'identity.pem'
const BOARD = 'board'
const PREKEYS = 'prekeys.json'
const UPTIME = 'uptime'
const LEARNED = 'learned.json'
const FILES = [IDENTITY, BOARD, PREKEYS, UPTIME, LEARNED]

const SERIALS = ['/proc/device-tree/serial-number', '/sys/class/dmi/id/product_uuid']
const NO_SERIAL = 'none'

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
}

/**
 * Opens the key folder, and makes the keys if there are none.
 * @throws {Error} that says what is wrong with the folder and what to do about it. Keys are never replaced on their own.
 */
export function openKeystore({
  folder,
  now,
  serial,
  disk = realKeyDisk,
  user = process.getuid?.() ?? 0,
}: KeystoreOptions): Keystore {
  if (!disk.look(folder)) disk.makeFolder(folder)
  checkFolder(disk.look(folder), folder, user)
  const release = takeLock(disk, folder)
  try {
    for (const name of FILES) checkFile(disk.look(`${folder}/${name}`), `${folder}/${name}`, user)
    const signer = signerOf(openIdentity(disk, folder, serial ?? NO_SERIAL))
    const uptime = countUptime(disk, folder, now)
    const stored = readJson(disk, folder, PREKEYS)
    const prekeys = rotatingPrekeys(
      nodeProvider,
      stored === undefined ? undefined : readPrekeys(nodeProvider, stored, `${folder}/${PREKEYS}`),
      uptime.read,
      (kept) => writeJson(disk, folder, PREKEYS, kept as unknown as Json),
    )
    const known = readJson(disk, folder, LEARNED)
    return {
      signer,
      prekeys,
      uptime: uptime.read,
      learned: known === undefined ? undefined : readLearned(known, `${folder}/${LEARNED}`),
      saveLearned: (learned) => writeJson(disk, folder, LEARNED, learned as unknown as Json),
      tick() {
        uptime.tick()
        prekeys.tick()
      },
      close: release,
    }
  } catch (error) {
    release()
    throw error
  }
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
    const { privateKey } = generateKeyPairSync('ed25519')
    replaceFile(disk, folder, IDENTITY, Buffer.from(privateKey.export({ format: 'pem', type: 'pkcs8' })))
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
  let key: KeyObject
  try {
    key = createPrivateKey(text(disk, folder, IDENTITY))
  } catch {
    throw new Error(`${path} is no private key: put back a copy, or remove it and a new identity is made`)
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new Error(`${path} is a key of another kind than Ed25519: put back a copy, or remove it`)
  }
  return key
}

/** R13: written every hour, and each boot counts as an hour at least, so that it never stands still. */
function countUptime(disk: KeyDisk, folder: string, now: () => number) {
  const stored = disk.look(`${folder}/${UPTIME}`) ? Number(text(disk, folder, UPTIME)) : 0
  if (!Number.isFinite(stored) || stored < 0) {
    throw new Error(`${folder}/${UPTIME} is no number of milliseconds: remove it, and it counts from 0`)
  }
  const start = now()
  const base = stored + HOUR
  const save = (value: number) => replaceFile(disk, folder, UPTIME, Buffer.from(String(Math.floor(value))))
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

function writeJson(disk: KeyDisk, folder: string, name: string, value: Json): void {
  replaceFile(disk, folder, name, Buffer.from(JSON.stringify(value)))
}

function text(disk: KeyDisk, folder: string, name: string): string {
  return Buffer.from(disk.read(`${folder}/${name}`)).toString('utf8')
}
