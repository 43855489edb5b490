// The door for web pages with a key of their own: all of `hormiga/browser`, and what protects its dispatches. A page
// imports from one of the two doors, not from both.
//
//   import { Engine, Guard, openIdentity } from 'hormiga/browser/identity'
//   const identity = await openIdentity()
//   const engine = new Engine({ guard: new Guard(identity) })
//   const { body } = await engine.get('cafetera', { key: 'cocina' }).first()

import { SystemClock } from './core/clock.ts'
import type { Hop, Json } from './core/dispatch.ts'
import { didOf, fingerprint, kidOf } from './identity/did.ts'
import { type Idb, type Locks, openWebKeystore } from './identity/keystore-web.ts'
import { readPairCode } from './identity/pairing.ts'
import { lastingPrekeys, type Prekeys } from './identity/prekeys.ts'
import type { Provider, Signer } from './identity/provider.ts'
import { type WebCrypto, webProvider } from './identity/provider-web.ts'
import { readLearned, Trust } from './identity/trust.ts'
import { readTrust } from './identity/trust-file.ts'

export * from './browser.ts'
export { Guard } from './identity/guard.ts'

declare const crypto: WebCrypto
declare const indexedDB: Idb
declare const navigator: { locks: Locks }

const PINNED = 'pinned'
const LEARNED = 'learned'

/** A key, and what people compare of it. */
export interface Shown {
  /** did:key */
  id: string
  fingerprint: string
}

/** The key of this page, and the engines that it has pinned: kept by the browser for the page's origin. */
export interface PageIdentity extends Shown {
  provider: Provider
  signer: Signer
  trust: Trust
  prekeys: Prekeys
  /**
   * Pins the engine that has made this code, under a name for `key`: the first half of pairing. Show its fingerprint: the
   * same must stand at the engine.
   * @param at how the engine is reached, if a `key` alone shall say so. @throws {Error} when it is no code.
   */
  pin(code: string, name: string, at?: Hop[]): Promise<Shown>
  /** Unpins it: what it says counts for nothing any more. */
  forget(name: string): Promise<void>
  /** Gives the identity back, for another tab. Close the engine first. */
  close(): void
}

export interface PageIdentityOptions {
  /** Whose key, where pages of one origin shall have several. Default `hormiga`. */
  name?: string
}

/** How a pinned engine is kept: an entry of a trust file. */
type Pin = { id: string; name: string; allow: Json[]; at?: Hop[] }

/**
 * The identity of this page: made at the first call, and the same in every later visit.
 * @throws {Error} on a page that came neither over https nor from localhost, when another tab speaks with the same key, or
 * when the browser keeps nothing; it says what to do.
 */
export async function openIdentity({ name = 'hormiga' }: PageIdentityOptions = {}): Promise<PageIdentity> {
  const provider = webProvider(crypto)
  const clock = new SystemClock()
  const { locks } = navigator
  const { signer, read, write, uptime, tick, close } = await openWebKeystore({
    provider,
    indexedDb: indexedDB,
    locks,
    clock,
    name,
  })
  try {
    let pins = ((await read(PINNED)) ?? []) as Pin[]
    const known = await read(LEARNED)
    const trust = new Trust(provider, signer.kid, {
      file: fileOf(pins),
      learned: known === undefined ? undefined : readLearned(known as Json, 'what this page has learned'),
      uptime,
      // What can't be written is written with the next change.
      save: (learned) => void write(LEARNED, learned).catch(() => undefined),
    })
    const keep = async (changed: Pin[]) => {
      const file = fileOf(changed)
      await write(PINNED, changed)
      pins = changed
      trust.reload(file)
    }
    const id = didOf(signer.kid)
    return {
      id,
      fingerprint: await fingerprint(provider, signer.kid),
      provider,
      signer,
      trust,
      prekeys: { ...(await lastingPrekeys(provider)), tick },
      async pin(code, as, at) {
        const read = readPairCode(provider, code)
        const kid = read && kidOf(read.id)
        if (!kid || read.id === id) throw new Error(`"${code}" is no code of pairing of another engine`)
        const others = pins.filter((it) => it.id !== read.id && it.name !== as)
        await keep([...others, { id: read.id, name: as, allow: [], ...(at && { at }) }])
        return { id: read.id, fingerprint: await fingerprint(provider, kid) }
      },
      forget: (as) => keep(pins.filter((it) => it.name !== as)),
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

/** @throws {Error} when a key, a name or a hop is none. */
function fileOf(pins: Pin[]) {
  return readTrust({ v: 1, keys: pins as Json[] }, 'what this page has pinned')
}
