// A page with a key: what a test wants to know of it. The door is the one that is built; the rest is the source.

import { openIdentity, type PageIdentity } from '../../src/browser-identity.ts'
import { didOf } from '../../src/identity/did.ts'
import { type Idb, openWebSigner } from '../../src/identity/keystore-web.ts'
import { type WebCrypto, webProvider } from '../../src/identity/provider-web.ts'

declare const indexedDB: { open(name: string): IdbRequest }

interface IdbRequest {
  result: { transaction(store: string): { objectStore(store: string): { get(key: string): IdbRequest } } }
  onsuccess: () => void
}

interface CryptoKey {
  type: string
  extractable: boolean
}

let identity: PageIdentity

const app = {
  async open(name?: string): Promise<{ id: string; fingerprint: string }> {
    identity = await openIdentity({ name })
    return { id: identity.id, fingerprint: identity.fingerprint }
  },

  close: () => identity.close(),

  /** Why it can't be opened. */
  refusal: (name?: string): Promise<string> =>
    openIdentity({ name }).then(
      () => '',
      (error) => String(error),
    ),

  pin: (code: string, name: string) => identity.pin(code, name),

  forget: (name: string) => identity.forget(name),

  trusted: () =>
    identity.trust.entries().map(({ id, name, rights }) => ({ id, name, rights: rights.length })),

  uptime: async () => Math.floor((await kept('hormiga', 'uptime')) as number),

  /** Twice at once, below the lock that is one tab's. */
  async race(name: string): Promise<string[]> {
    const idb = indexedDB as unknown as Idb
    const web = webProvider(crypto as unknown as WebCrypto)
    const signers = await Promise.all([openWebSigner(web, idb, name), openWebSigner(web, idb, name)])
    return signers.map(({ kid }) => didOf(kid))
  },

  /** What a thief in the page could take of the private half. */
  async takeOut(name: string) {
    const { privateKey } = (await kept(name, 'identity')) as { privateKey: CryptoKey }
    const formats = ['pkcs8', 'jwk', 'raw'].map((format) =>
      crypto.subtle.exportKey(format as 'jwk', privateKey as never).then(
        () => `${format} was exported`,
        (error: Error) => error.name,
      ),
    )
    return { type: privateKey.type, extractable: privateKey.extractable, formats: await Promise.all(formats) }
  },

  /** From now on the browser is one that can't do that. */
  break(what: 'storage' | 'Ed25519' | 'X25519'): void {
    const refuse = () => {
      throw new Error('not in this browser')
    }
    if (what === 'storage') {
      Object.defineProperty(globalThis, 'indexedDB', { value: { open: refuse } })
      return
    }
    const { subtle } = crypto
    const generateKey = subtle.generateKey.bind(subtle) as (
      algorithm: { name: string },
      ...rest: unknown[]
    ) => unknown
    const patched = async (algorithm: { name: string }, ...rest: unknown[]) =>
      algorithm.name === what ? refuse() : generateKey(algorithm, ...rest)
    Object.defineProperty(subtle, 'generateKey', { value: patched })
  },
}

async function kept(database: string, key: string): Promise<unknown> {
  const { result } = await done(indexedDB.open(database))
  return (await done(result.transaction('keys').objectStore('keys').get(key))).result
}

function done(request: IdbRequest): Promise<IdbRequest> {
  return new Promise((resolve) => {
    request.onsuccess = () => resolve(request)
  })
}

Object.assign(globalThis, { app })
