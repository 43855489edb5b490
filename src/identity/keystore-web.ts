// The identity of a page (spec B3): a key pair whose private half can't be taken out of the browser, in IndexedDB.

import type { Signer } from './provider.ts'
import type { KeyPair, WebProvider } from './provider-web.ts'

const STORE = 'keys'
const IDENTITY = 'identity'

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

/** The identity kept under that name, or a new one. Two tabs that start at once end with the same. */
export async function openWebSigner(
  provider: WebProvider,
  indexedDb: Idb,
  name = 'hormiga',
): Promise<Signer> {
  const opening = indexedDb.open(name, 1)
  opening.onupgradeneeded = () => void (opening.result as IdbDatabase).createObjectStore(STORE)
  const database = (await done(opening)) as IdbDatabase
  try {
    const store = (mode: 'readonly' | 'readwrite') => database.transaction(STORE, mode).objectStore(STORE)
    const read = () => done(store('readonly').get(IDENTITY)) as Promise<KeyPair | undefined>
    const known = await read()
    if (known) return await provider.signerOf(known)
    const fresh = await provider.generatePair()
    // `add` fails where another tab was faster: then its key is ours.
    await done(store('readwrite').add(fresh, IDENTITY)).catch(() => undefined)
    return await provider.signerOf((await read()) ?? fresh)
  } finally {
    database.close()
  }
}

function done(request: IdbRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
