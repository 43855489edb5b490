// The identity of a page (spec B3, R9, R13): a key pair whose private half can't be taken out of the browser, and what
// belongs to it, in IndexedDB. One tab at a time speaks with it.

import type { Clock } from '../core/clock.ts'
import type { Signer } from './provider.ts'
import type { KeyPair, WebProvider } from './provider-web.ts'

const STORE = 'keys'
const IDENTITY = 'identity'
const UPTIME = 'uptime'

/** How often the uptime is written; so much at least counts each time that the page is loaded. */
const MINUTE = 60_000

/** How long the page before, or another tab, may take to be gone. A reload needs some of it. */
const TURN = 2000

interface IdbRequest {
  result: unknown
  error: unknown
  onsuccess: (() => void) | null
  onerror: (() => void) | null
  onupgradeneeded?: (() => void) | null
}

interface IdbStore {
  get(key: string): IdbRequest
  add(value: unknown, key: string): IdbRequest
  put(value: unknown, key: string): IdbRequest
}

interface IdbDatabase {
  createObjectStore(name: string): unknown
  transaction(name: string, mode: 'readonly' | 'readwrite'): { objectStore(name: string): IdbStore }
  close(): void
}

/** `globalThis.indexedDB` */
export interface Idb {
  open(name: string, version: number): IdbRequest
}

/** `navigator.locks` */
export interface Locks {
  request(name: string, options: { signal: AbortSignal }, held: () => Promise<void>): Promise<unknown>
}

export interface WebKeystore {
  signer: Signer
  /** What was kept under that name. */
  read(name: string): Promise<unknown>
  write(name: string, value: unknown): Promise<void>
  /** Milliseconds that pages with this identity were open, over all loads (R13). */
  uptime(): number
  /** To be called now and then. */
  tick(): void
  /** Gives the identity back, for another tab. */
  close(): void
}

export interface WebKeystoreOptions {
  provider: WebProvider
  indexedDb: Idb
  locks: Locks
  clock: Clock
  /** Whose key, where a page has several. */
  name: string
}

/**
 * Opens the identity kept under that name, or makes one.
 * @throws {Error} when another tab speaks with it, or the browser keeps nothing for this page.
 */
export async function openWebKeystore(options: WebKeystoreOptions): Promise<WebKeystore> {
  const { provider, indexedDb, locks, clock, name } = options
  const leave = await takeTurn(locks, clock, name)
  let database: IdbDatabase | undefined
  try {
    database = await openDatabase(indexedDb, name)
    const store = storeIn(database)
    const signer = await signerIn(store, provider)
    const uptime = await countUptime(store, clock)
    return {
      signer,
      ...store,
      ...uptime,
      close() {
        database?.close()
        leave()
      },
    }
  } catch (error) {
    database?.close()
    leave()
    throw error
  }
}

/** The identity kept under that name, or a new one. Two tabs that start at once end with the same. */
export async function openWebSigner(
  provider: WebProvider,
  indexedDb: Idb,
  name = 'hormiga',
): Promise<Signer> {
  const database = await openDatabase(indexedDb, name)
  try {
    return await signerIn(storeIn(database), provider)
  } finally {
    database.close()
  }
}

/** Contexts are one per key: two tabs would end those of each other (R9). */
function takeTurn(locks: Locks, clock: Clock, name: string): Promise<() => void> {
  const wait = new AbortController()
  const cancel = clock.after(TURN, () => wait.abort())
  return new Promise((resolve, reject) => {
    const hold = () =>
      new Promise<void>((leave) => {
        cancel()
        resolve(leave)
      })
    locks.request(`hormiga ${name}`, { signal: wait.signal }, hold).catch(() => {
      const fix = 'close it and load this page again, or give this page a key of its own (name)'
      reject(new Error(`another tab speaks with the key "${name}" already: ${fix}`))
    })
  })
}

async function openDatabase(indexedDb: Idb, name: string): Promise<IdbDatabase> {
  try {
    const opening = indexedDb.open(name, 1)
    opening.onupgradeneeded = () => void (opening.result as IdbDatabase).createObjectStore(STORE)
    return (await done(opening)) as IdbDatabase
  } catch (cause) {
    const fix = 'allow this site to store data, and use no private window'
    throw new Error(`the browser keeps no key for this page (${(cause as Error).message}): ${fix}`, { cause })
  }
}

function storeIn(database: IdbDatabase) {
  const at = (mode: 'readonly' | 'readwrite') => database.transaction(STORE, mode).objectStore(STORE)
  return {
    read: (name: string): Promise<unknown> => done(at('readonly').get(name)),
    /** Fails if there is something under that name. */
    add: async (name: string, value: unknown): Promise<void> =>
      void (await done(at('readwrite').add(value, name))),
    write: async (name: string, value: unknown): Promise<void> =>
      void (await done(at('readwrite').put(value, name))),
  }
}

type Store = ReturnType<typeof storeIn>

async function signerIn({ read, add }: Store, provider: WebProvider): Promise<Signer> {
  const known = (await read(IDENTITY)) as KeyPair | undefined
  if (known) return provider.signerOf(known)
  const fresh = await provider.generatePair()
  // `add` fails where another tab was faster: then its key is ours.
  await add(IDENTITY, fresh).catch(() => undefined)
  const kept = (await read(IDENTITY)) as KeyPair | undefined
  if (!kept) throw new Error('the browser keeps no key for this page: is there no room left for its data?')
  return provider.signerOf(kept)
}

async function countUptime({ read, write }: Store, clock: Clock) {
  const start = clock.now()
  const stored = await read(UPTIME)
  const base = (typeof stored === 'number' ? stored : 0) + MINUTE
  const uptime = () => base + (clock.now() - start)
  let saved = base
  await write(UPTIME, base)
  return {
    uptime,
    tick() {
      if (uptime() - saved < MINUTE) return
      saved = uptime()
      // What is lost is made up for at the next minute.
      write(UPTIME, saved).catch(() => undefined)
    },
  }
}

function done(request: IdbRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
