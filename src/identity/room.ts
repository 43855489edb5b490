// All that one identity holds while it lives: handed from function to function, so that no module keeps state. Every
// table in it is bounded; nothing of it but `trust` and `prekeys` outlives the process.

import type { Json } from '../core/dispatch.ts'
import type { Env } from '../core/env.ts'
import type { Arrived } from './arrived.ts'
import { Budget } from './budget.ts'
import { Challenges } from './challenges.ts'
import { Contexts } from './contexts.ts'
import { didOf } from './did.ts'
import { Feeds, Watches } from './feeds.ts'
import { type Encoding, jsonText } from './json-text.ts'
import { type Pairing, pairing } from './pairing.ts'
import { Peers } from './peers.ts'
import type { Prekeys } from './prekeys.ts'
import type { Provider, Signer } from './provider.ts'
import { Publics } from './publics.ts'
import { Replay } from './replay.ts'
import { Requests } from './requests.ts'
import type { Trust } from './trust.ts'

const IDS = { rate: 20, burst: 40 }
const SCRATCH = 16 << 10

export interface Settings {
  /** Counters of a context that may be out of order: 64 up to 1024. */
  window: number
  /** Bytes to a multiple of which content is padded; itself a multiple of 64. */
  bucket: number
  /** Bytes of `p` or `ct`. */
  most: number
  /** Public-key operations per second and at once, per connection. */
  verify: { rate: number; burst: number }
  /** Bad dispatches after which a connection is closed that is no relay. */
  bad: number
  /** What becomes of public events whose author can't be asked. */
  unconfirmed: 'drop' | 'accept'
}

export const SETTINGS: Settings = {
  window: 64,
  bucket: 64,
  most: 1 << 20,
  verify: { rate: 200, burst: 400 },
  bad: 1000,
  unconfirmed: 'drop',
}

export interface RoomOptions {
  env: Env
  provider: Provider
  signer: Signer
  trust: Trust
  prekeys: Prekeys
  settings?: Partial<Settings>
  /** Reads `p` that is CBOR; without it such content is refused. */
  cbor?: Encoding
}

export interface Room {
  env: Env
  provider: Provider
  signer: Signer
  /** Our own key: as text and as did:key. */
  self: { kid: Uint8Array; text: string; id: string }
  trust: Trust
  prekeys: Prekeys
  settings: Settings
  json: Encoding
  cbor: Encoding | undefined
  /** This start of the engine, and how much it has signed. */
  start: { b: Uint8Array; next: number }
  peers: Peers
  contexts: Contexts
  challenges: Challenges
  replay: Replay
  requests: Requests
  feeds: Feeds
  watches: Watches
  publics: Publics<Arrived>
  verifying: Budget
  describing: Budget
  pairing: Pairing
  /** Bad dispatches by connection. */
  bad: Map<string, number>
  /** The same by the key that they claimed to come from: of trusted keys only. */
  blamed: Map<string, number>
  /** Counters of what is published, by resource. */
  streams: Map<string, number>
  /** Where content is padded before it is sealed. */
  scratch: Uint8Array
  encoder: { encodeInto(text: string, target: Uint8Array): { written: number } }
}

export function makeRoom({ env, provider, signer, trust, prekeys, settings, cbor }: RoomOptions): Room {
  const { clock } = env
  const all = { ...SETTINGS, ...settings }
  const challenges = new Challenges(provider, clock)
  const text = provider.toText(signer.kid)
  const mayAct = (key: string) => {
    const entry = trust.find(key)
    return entry !== undefined && trust.mayAct(entry)
  }
  return {
    env,
    provider,
    signer,
    self: { kid: signer.kid, text, id: didOf(signer.kid) },
    trust,
    prekeys,
    settings: all,
    json: jsonText(),
    cbor,
    start: { b: provider.random(8), next: 0 },
    peers: new Peers(provider),
    contexts: new Contexts(clock, mayAct),
    challenges,
    replay: new Replay(challenges, all.window),
    requests: new Requests(),
    feeds: new Feeds(),
    watches: new Watches(),
    publics: new Publics(clock),
    verifying: new Budget(clock, all.verify.rate, all.verify.burst),
    describing: new Budget(clock, IDS.rate, IDS.burst),
    pairing: pairing(provider, clock, signer.kid, trust),
    bad: new Map(),
    blamed: new Map(),
    streams: new Map(),
    scratch: new Uint8Array(SCRATCH),
    encoder: new TextEncoder(),
  }
}

/** The next `b` and `n` of what we sign: no pair is ever used twice. */
export function nextCount({ start }: Room): { b: Uint8Array; n: number } {
  return { b: start.b, n: start.next++ }
}

/** Reads protected content by its first byte. `undefined`: it is none. */
export function decode({ json, cbor }: Room, bytes: Uint8Array): Json | undefined {
  const first = bytes[0] ?? 0
  const isText = first === 0x7b || first === 0x5b
  const encoding = isText ? json : first >= 0x80 && first <= 0xbf ? cbor : undefined
  try {
    return encoding?.decode(bytes)
  } catch {
    return undefined
  }
}

/** A did:key that is trusted, as a peer. */
export function peerOf({ trust, peers }: Room, key: string) {
  const entry = trust.named(key)
  return entry && peers.get(entry)
}
