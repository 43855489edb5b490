// Our own prekeys (spec B3): what others seal to. The current one, and the one before it for those who have not heard.

import type { Json } from '../core/dispatch.ts'
import { nameOfExchange } from './keys.ts'
import { chain, type Maybe } from './maybe.ts'
import type { Exchange, Provider } from './provider.ts'

const WEEK = 7 * 86_400_000
const SECRET = 32

export interface Prekey {
  exchange: Exchange
  /** Its name: the first 8 bytes of SHA-256. */
  k: Uint8Array
  /** `k` as text. */
  name: string
}

export interface Prekeys {
  readonly current: Prekey
  /** By name as text. */
  find(name: string): Prekey | undefined
  /** To be called now and then. */
  tick(): void
}

/** How they are kept on disk. */
export interface StoredPrekeys {
  v: 1
  /** The secret bytes as base64url, and the milliseconds of uptime when each was made. */
  current: { secret: string; made: number }
  previous?: { secret: string; made: number }
}

export function makePrekey(provider: Provider, secret?: Uint8Array): Maybe<Prekey> {
  return chain(provider.exchange(secret), (exchange) =>
    chain(nameOfExchange(provider, exchange.publicKey), (k) => ({ exchange, k, name: provider.toText(k) })),
  )
}

/** One that lives as long as the process: for pages. */
export function lastingPrekeys(provider: Provider): Maybe<Prekeys> {
  return chain(makePrekey(provider), (current) => ({
    current,
    find: (name) => (name === current.name ? current : undefined),
    tick() {},
  }))
}

/**
 * Prekeys that are replaced after 7 days of uptime and forgotten 7 days later. Only where the provider is immediate.
 * @param save writes them down; called at once with the first.
 */
export function rotatingPrekeys(
  provider: Provider,
  stored: StoredPrekeys | undefined,
  uptime: () => number,
  save: (stored: StoredPrekeys) => void,
): Prekeys {
  const read = (secret: string) => makePrekey(provider, provider.fromText(secret)) as Prekey
  const fresh = () => ({ secret: provider.toText(provider.random(SECRET)), made: uptime() })
  let kept: StoredPrekeys = stored ?? { v: 1, current: fresh() }
  let current = read(kept.current.secret)
  let previous = kept.previous && read(kept.previous.secret)
  if (!stored) save(kept)
  return {
    get current() {
      return current
    },
    find: (name) => (name === current.name ? current : name === previous?.name ? previous : undefined),
    tick() {
      const age = uptime() - kept.current.made
      if (age < WEEK) return
      // Twice as old: what was the current one has had its second week already.
      const { current: last } = kept
      kept = age < 2 * WEEK ? { v: 1, current: fresh(), previous: last } : { v: 1, current: fresh() }
      previous = kept.previous && current
      current = read(kept.current.secret)
      save(kept)
    },
  }
}

/** @throws {Error} when it is not what was kept. */
export function readPrekeys(provider: Provider, value: Json, where: string): StoredPrekeys {
  const stored = value as unknown as StoredPrekeys
  const isFine = (it: StoredPrekeys['current'] | undefined) =>
    typeof it?.secret === 'string' &&
    provider.fromText(it.secret)?.length === SECRET &&
    Number.isFinite(it.made)
  if (
    stored?.v === 1 &&
    isFine(stored.current) &&
    (stored.previous === undefined || isFine(stored.previous))
  ) {
    return stored
  }
  throw new Error(`${where}: no prekeys can be read from it; remove it and new ones are made`)
}
