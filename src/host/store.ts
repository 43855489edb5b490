// What must outlive a restart: small files in one folder (design §7). A power cut at any moment leaves the old content or
// the new one; a torn file is never read as good; and the card is not written to death.

import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/env.ts'
import type { Meters } from '../core/meters.ts'
import { type Disk, realDisk } from './disk.ts'

/** Why the store did not do what it was asked. */
export class StoreError extends Error {
  /**
   * - `unusable` the folder can't be made or written
   * - `torn` neither the file nor its last good copy can be trusted
   * - `budget` the bytes of this day are used up
   * - `busy` too many writes wait
   * - `timeout` the disk has not answered in time; the write may still happen
   * - `failed` the disk says no
   */
  readonly code: 'unusable' | 'torn' | 'budget' | 'busy' | 'timeout' | 'failed'

  constructor(code: StoreError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.code = code
  }
}

export interface Place {
  /** What `--state` says. */
  argument?: string
  /** What the configuration says. */
  config?: string
  env: Record<string, string | undefined>
  isRoot: boolean
}

export interface StoreOptions {
  directory: string
  clock: Clock
  log: Log
  meters: Meters
  /** Bytes that may be written in a day; default: 20 MB. */
  cap?: number
  disk?: Disk
}

export interface StoreStatus {
  directory: string
  /** Bytes written in this day of the process. */
  written: number
  cap: number
  /** Writes refused for the cap since the start. */
  refused: number
}

const DAY = 86_400_000
const CAP = 20_000_000
/** Flash is written in blocks: a file of one byte costs as much as one of 4,096. */
const BLOCK = 4096
const WAITING = 64
const DEADLINE = 10_000
const NAME = /^[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)*$/
const HEAD = /^hormiga 1 (\d{1,15}) ([0-9a-f]{64})\n/
/** Longer than any head. */
const HEAD_BYTES = 128

/**
 * The folder for state: `--state`, else the configuration, else systemd's, else /var/lib/hormiga (root) or XDG's.
 * @throws {StoreError} `unusable` when nothing tells where
 */
export function chooseDirectory({ argument, config, env, isRoot }: Place): string {
  if (argument !== undefined) return argument
  if (config !== undefined) return config
  const [systemd] = (env.STATE_DIRECTORY ?? '').split(':')
  if (systemd) return systemd
  if (isRoot) return '/var/lib/hormiga'
  // XDG: a path that is not absolute counts as none.
  if (env.XDG_STATE_HOME?.startsWith('/')) return join(env.XDG_STATE_HOME, 'hormiga')
  if (env.HOME) return join(env.HOME, '.local/state/hormiga')
  throw new StoreError('unusable', 'there is no home folder to keep state in: give one with --state DIR')
}

/**
 * Makes the folder, for its owner only, and checks that it can be written.
 * @throws {StoreError} `unusable`, saying what to do
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { directory, clock, disk = realDisk } = options
  try {
    await inTime(clock, directory, makeUsable(directory, disk))
  } catch (error) {
    throw new StoreError(
      'unusable',
      `the state folder ${directory} can't be used: ${(error as Error).message}. Give another with --state DIR or ` +
        `"state" in the configuration, or make it writable: sudo install -d -m 700 -o "$USER" ${directory}. ` +
        'Without it, what is learned and paired is lost at every restart',
      { cause: error },
    )
  }
  return new Store({ ...options, disk })
}

export class Store {
  #directory: string
  #disk: Disk
  #clock: Clock
  #log: Log
  #meters: Meters
  #cap: number
  #day = -1
  #written = 0
  #refused = 0
  #waiting = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor({ directory, disk = realDisk, clock, log, meters, cap = CAP }: StoreOptions) {
    this.#directory = directory
    this.#disk = disk
    this.#clock = clock
    this.#log = log
    this.#meters = meters
    this.#cap = cap
  }

  get status(): StoreStatus {
    this.#turnDay()
    return {
      directory: this.#directory,
      written: this.#written,
      cap: this.#cap,
      refused: this.#refused,
    }
  }

  /**
   * The content as it was written last, or the one before if the last write was cut short; `undefined`: never written.
   * @throws {StoreError} `torn` or `failed`
   */
  async read(name: string): Promise<Uint8Array | undefined> {
    const path = this.#path(name)
    const read = this.#last.then(() => this.#readGood(path))
    return inTime(this.#clock, path, read)
  }

  /**
   * Resolves when the content would survive a power cut. Writes happen in their order.
   * @throws {StoreError} `budget`, `busy`, `timeout` or `failed`; then the content is the old one, after a timeout either.
   */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(name)
    const content = seal(bytes)
    if (this.#waiting >= WAITING) {
      this.#meters.count('store.busy')
      throw new StoreError(
        'busy',
        `${WAITING} writes wait for the disk of ${this.#directory}: ${name} is not written`,
      )
    }
    this.#spend(name, content.length)
    this.#waiting++
    const write = this.#last.then(() => this.#replace(path, content))
    const settled = write.catch(() => {}).then(() => void this.#waiting--)
    this.#last = settled
    await inTime(this.#clock, path, write)
  }

  #path(name: string): string {
    if (!NAME.test(name) || name.endsWith('.tmp'))
      throw new TypeError(
        `"${name}" is no name for a state file: use a-z, 0-9, "-" and ".", not ".tmp" at its end`,
      )
    return join(this.#directory, name)
  }

  async #readGood(path: string): Promise<Uint8Array | undefined> {
    const current = await this.#load(path)
    if (current && current !== 'torn') return current
    const previous = await this.#load(`${path}~`)
    if (!current && !previous) return undefined
    if (current === 'torn') this.#meters.count('store.torn')
    if (previous && previous !== 'torn') {
      this.#log.warn(`${path} is ${current ?? 'missing'}: the copy before it, ${path}~, is used`)
      return previous
    }
    throw new StoreError(
      'torn',
      `${path} is damaged, and there is no good copy of it. Put one back from a backup, or remove ${path} and ${path}~ to start anew`,
    )
  }

  /** New content beside the old, safe on the disk before it takes its place; the old one stays as `name~`. */
  async #replace(path: string, content: Uint8Array): Promise<void> {
    try {
      await this.#disk.writeSynced(`${path}.tmp`, content)
      const current = await this.#load(path)
      // Only a good one may push out the good one before it.
      if (current && current !== 'torn') await this.#disk.rename(path, `${path}~`)
      await this.#disk.rename(`${path}.tmp`, path)
      await this.#disk.syncFolder(this.#directory)
    } catch (error) {
      throw new StoreError(
        'failed',
        `${path} can't be written: ${(error as Error).message}. Check the disk: df ${this.#directory}`,
        { cause: error },
      )
    }
  }

  async #load(path: string): Promise<Uint8Array | 'torn' | undefined> {
    try {
      const content = await this.#disk.read(path)
      return content && (open(content) ?? 'torn')
    } catch (error) {
      throw new StoreError('failed', `${path} can't be read: ${(error as Error).message}`, { cause: error })
    }
  }

  #turnDay(): void {
    const day = Math.floor(this.#clock.now() / DAY)
    if (day === this.#day) return
    this.#day = day
    this.#written = 0
  }

  #spend(name: string, length: number): void {
    this.#turnDay()
    const cost = Math.ceil(length / BLOCK) * BLOCK
    if (this.#written + cost > this.#cap) {
      this.#refused++
      this.#meters.count('store.refused')
      const message = `${name} is not written: the ${this.#cap} bytes that the card may take in a day are used up`
      this.#log.warn(message)
      throw new StoreError('budget', message)
    }
    this.#written += cost
    this.#meters.count('store.written', cost)
  }
}

/** A card that hangs must not hang whoever waits for it. */
function inTime<T>(clock: Clock, path: string, work: Promise<T>): Promise<T> {
  return new Promise((done, fail) => {
    const cancel = clock.after(DEADLINE, () => {
      const message = `${path}: the disk has not answered in ${DEADLINE / 1000} s. Check the card: dmesg | tail`
      fail(new StoreError('timeout', message))
    })
    work.then(done, fail).finally(cancel)
  })
}

async function makeUsable(directory: string, disk: Disk): Promise<void> {
  const first = await disk.makeFolder(directory)
  if (first !== undefined) await disk.syncFolder(dirname(first))
  await disk.checkWritable(directory)
}

/** Puts before the bytes a line with their length and checksum. */
function seal(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`hormiga 1 ${bytes.length} ${digest(bytes)}\n`), bytes])
}

/** The bytes, if they are all there and unchanged. */
function open(content: Uint8Array): Uint8Array | undefined {
  const start = Buffer.from(content.subarray(0, HEAD_BYTES)).toString('latin1')
  const [head, length, sum] = HEAD.exec(start) ?? []
  if (head === undefined) return undefined
  const bytes = content.subarray(head.length)
  return bytes.length === Number(length) && digest(bytes) === sum ? bytes : undefined
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
