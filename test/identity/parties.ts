// Engines without an engine: identities that know each other, and a wire between them that tests can hold, copy and bend.

import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Dispatch, Element, Json } from '../../src/core/dispatch.ts'
import { Meters } from '../../src/core/meters.ts'
import type { Answered, Heard, Opened, Result } from '../../src/identity/arrived.ts'
import { didOf } from '../../src/identity/did.ts'
import { Identity } from '../../src/identity/identity.ts'
import type { Encoding } from '../../src/identity/json-text.ts'
import { lastingPrekeys } from '../../src/identity/prekeys.ts'
import type { Protected } from '../../src/identity/protect.ts'
import type { Provider, Signer } from '../../src/identity/provider.ts'
import type { Mode, RightData } from '../../src/identity/rights.ts'
import type { Settings } from '../../src/identity/room.ts'
import { type Learned, Trust } from '../../src/identity/trust.ts'
import { readTrust } from '../../src/identity/trust-file.ts'
import { node, range } from './kit.ts'

export interface Known {
  key: Uint8Array
  name: string
  allow?: RightData[]
  issuer?: boolean
}

export interface PartyOptions {
  provider?: Provider
  clock?: TestClock
  knows?: Known[]
  anonymous?: RightData[]
  settings?: Partial<Settings>
  learned?: Learned
  onStale?: 'keep' | 'readonly' | 'deny'
  cbor?: Encoding
}

export interface Party {
  identity: Identity
  signer: Signer
  trust: Trust
  meters: Meters
  clock: TestClock
  saved: Learned[]
  id: string
}

/** Everything but `sec`, in any mode. */
export const ALL: RightData[] = [
  { method: ['*'], resource: ['...'] },
  { method: ['BIND'], resource: ['...'], events: ['*'] },
]

/** Every way to protect a dispatch. */
export const MODES = ['sign', 'seal', 'ctx'] as const

/** The identities of the tests: 32 bytes that count up from here. */
export const SEEDS = { a: 0x00, b: 0x20, c: 0x40, d: 0x60, e: 0x80 } as const

export async function kidOfSeed(seed: number): Promise<Uint8Array> {
  return (await node.signer(range(seed, 32))).kid
}

export async function party(seed: number, options: PartyOptions = {}): Promise<Party> {
  const { provider = node, clock = new TestClock(), knows = [], anonymous, settings, onStale, cbor } = options
  const signer = await provider.signer(range(seed, 32))
  const meters = new Meters()
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const env = { clock, meters, log, random: { uuid: randomUUID, fraction: () => 0.5 } }
  const file = readTrust(fileOf(knows, anonymous), 'trust.json')
  const saved: Learned[] = []
  const save = (learned: Learned) => void saved.push(structuredClone(learned))
  const trust = new Trust(provider, signer.kid, {
    file,
    learned: options.learned,
    uptime: () => clock.now(),
    save,
    onStale,
  })
  const prekeys = await lastingPrekeys(provider)
  const identity = new Identity({ env, provider, signer, trust, prekeys, settings, cbor })
  return { identity, signer, trust, meters, clock, saved, id: didOf(signer.kid) }
}

export function fileOf(knows: Known[], anonymous?: RightData[]): Json {
  const keys = knows.map(({ key, name, allow = ALL, issuer }) => ({
    id: didOf(key),
    name,
    allow,
    ...(issuer && { issuer: { depth: 1 } }),
  }))
  return { v: 1, keys, ...(anonymous && { anonymous }) } as unknown as Json
}

/** Two parties who allow each other everything. */
export async function pair(
  options: { a?: PartyOptions; b?: PartyOptions } = {},
): Promise<{ a: Party; b: Party }> {
  const clock = new TestClock()
  const [keyA, keyB] = [await kidOfSeed(SEEDS.a), await kidOfSeed(SEEDS.b)]
  const a = await party(SEEDS.a, { clock, knows: [{ key: keyB, name: 'b' }], ...options.a })
  const b = await party(SEEDS.b, { clock, knows: [{ key: keyA, name: 'a' }], ...options.b })
  return { a, b }
}

export function wire(outer: Dispatch): Dispatch {
  return JSON.parse(JSON.stringify(outer)) as Dispatch
}

export async function openAll(
  to: Party,
  outer: Dispatch,
  channel = 'c1',
  isRelay = false,
): Promise<Result[]> {
  return to.identity.open(wire(outer), { channel, isRelay })
}

export async function open(to: Party, outer: Dispatch, channel = 'c1', isRelay = false): Promise<Result> {
  const results = await openAll(to, outer, channel, isRelay)
  assert.is(results.length, 1)
  return results[0] as Result
}

/** One question and its answer about each other. */
export async function introduce(a: Party, b: Party): Promise<void> {
  const query = (await a.identity.begin(b.id, 'id')) as Dispatch
  const reply = await open(b, query, a.id)
  assert.is(reply.kind, 'reply')
  const learned = await open(a, (reply as { reply: Dispatch }).reply, b.id)
  assert.equal(learned, { kind: 'learned', author: b.id, what: 'id' })
}

/** Introduction and handshake; then one dispatch, so that both sides may speak. */
export async function meet(a: Party, b: Party): Promise<void> {
  await introduce(a, b)
  const hello = (await a.identity.begin(b.id, 'context')) as Dispatch
  const reply = await open(b, hello, a.id)
  assert.is(reply.kind, 'reply', JSON.stringify(reply))
  const learned = await open(a, (reply as { reply: Dispatch }).reply, b.id)
  assert.equal(learned, { kind: 'learned', author: b.id, what: 'context' })
  await open(b, (await protect(a, b, telling(['hello']), 'ctx')).outer, a.id)
}

export async function protect(from: Party, to: Party, dispatch: Dispatch, mode: Mode) {
  const made = await from.identity.protect(dispatch, { key: to.id, mode })
  assert.is(made.kind, 'outer', JSON.stringify(made))
  return made as Extract<Protected, { kind: 'outer' }>
}

/** A dispatch that wants no answer. */
export function telling(resource: Element[], body: Json = { on: true }, method = 'PUT'): Dispatch {
  return { method, resource, timestamp: 1764037200123, token: [], body }
}

export function asking(resource: Element[], body: Json = { on: true }, method = 'PUT'): Dispatch {
  return { ...telling(resource, body, method), token: [randomUUID()] }
}

export function binding(resource: Element[], method = 'PUT'): Dispatch {
  return { method: 'BIND', endpoint: { method, resource }, timestamp: 1764037200123, token: [randomUUID()] }
}

/** The answer that an engine would make. */
export function answering({ dispatch }: Opened, status = 200, body: Json = { done: true }): Dispatch {
  const resource = [status, dispatch.token?.[0] as string, randomUUID()]
  return { method: 'ANSWER', resource, timestamp: 1764037200456, body }
}

export function asRequest(result: Result | undefined): Opened {
  assert.is(result?.kind, 'request', JSON.stringify(result))
  return result as Opened
}

export function asAnswer(result: Result | undefined): Answered {
  assert.is(result?.kind, 'answer', JSON.stringify(result))
  return result as Answered
}

export function asEvent(result: Result | undefined): Heard {
  assert.is(result?.kind, 'event', JSON.stringify(result))
  return result as Heard
}

/** It failed like that; returns what is said about it. */
export function asFailure(result: Result | undefined, failure: string): Dispatch | undefined {
  assert.is(result?.kind, 'failed', `${failure} expected: ${JSON.stringify(result)}`)
  assert.is((result as { failure: string }).failure, failure)
  return (result as { reply?: Dispatch }).reply
}

/** Nothing of it may reach an application. */
export function isDelivered(results: Result[]): boolean {
  return results.some(({ kind }) => kind === 'request' || kind === 'answer' || kind === 'event')
}

/** A BIND that the other side has carried out. */
export async function subscribe(a: Party, b: Party, endpoint: Element[], mode: Mode = 'ctx', method = 'PUT') {
  const made = await protect(a, b, binding(endpoint, method), mode)
  const request = asRequest(await open(b, made.outer, a.id))
  const feed = await b.identity.subscribed(request)
  const answer = (await b.identity.answer(request, answering(request))) as Dispatch
  asAnswer(await open(a, answer, b.id))
  return { feed, watch: made.watch, request, bind: made.outer }
}
