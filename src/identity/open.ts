// From an outer dispatch to what it holds, in the order of spec B7: shape → key known → aud → challenge → window (peek)
// → signature/AEAD → window (mark) → rights. Where everything is immediate all of it is one step; where it is not, the
// mark asks again.

import type { Dispatch } from '../core/dispatch.ts'
import type { Arrived, From, Result, Way } from './arrived.ts'
import { equal } from './bytes.ts'
import { type Content, readContent } from './content.ts'
import { contextRef } from './context.ts'
import { fail, failTo } from './fail.ts'
import type { FailureName } from './failures.ts'
import { KEY_LENGTH, nameOfExchange, strictVerifier } from './keys.ts'
import { signInput } from './labels.ts'
import { chain, each, type Maybe, once } from './maybe.ts'
import { agrees, fitsBatch } from './outer.ts'
import { unpad } from './padding.ts'
import { decode, type Room } from './room.ts'
import { type CtxSec, readBytes, readSec, type SealSec, type SignSec } from './sec.ts'
import { openSeal, refOf, type Statement } from './sign-seal.ts'
import { knock, sort } from './sort.ts'

const USUAL = new Set([
  ...['protocol', 'method', 'resource', 'endpoint', 'timestamp', 'token', 'to', 'from', 'body'],
  ...['hops', 'expires', 'sec'],
])

/** Opens an outer dispatch that has a `sec`. Several results only where several dispatches shared one ciphertext. */
export function openOuter(room: Room, outer: Dispatch, from: From): Maybe<Result[]> {
  const sec = hasTwins(outer) ? 'shape' : readSec(room.provider, outer.sec, room.settings.most)
  if (typeof sec === 'string') return [fail(room, outer, from, sec)]
  if (sec.m === 'ctx') return openContext(room, outer, from, sec)
  const one = sec.m === 'sign' ? openSigned(room, outer, from, sec) : openSealed(room, outer, from, sec)
  return chain(one, (result) => [result])
}

function openContext(room: Room, outer: Dispatch, from: From, sec: CtxSec): Maybe<Result[]> {
  const { contexts, trust, provider } = room
  const context = contexts.find(textOf(outer, 'i', sec.i, room))
  if (!context) return [fail(room, outer, from, 'context')]
  const { peer, window } = context
  const entry = trust.find(peer.text)
  if (!entry) {
    contexts.end(peer.text)
    return [fail(room, outer, from, 'context')]
  }
  if (!window.peek(sec.n)) return [fail(room, outer, from, 'replay', peer.text)]
  const padded = context.receive.open(sec.n, sec.ct)
  if (!padded) {
    contexts.failed(context)
    return [fail(room, outer, from, 'sealed', peer.text)]
  }
  if (!context.confirmed) contexts.confirm(context)
  const p = unpad(padded)
  const value = p && decode(room, p)
  const way: Way = { mode: 'ctx', context }
  const arrive = (content: Content, item: number): Arrived => ({
    content,
    outer,
    from,
    entry,
    peer,
    mode: 'ctx',
    isPublic: false,
    stale: false,
    way,
    ref: once(() => contextRef(provider, context, context.receive, sec.n, item)),
    sealedTo: undefined,
    signed: undefined,
    input: undefined,
  })
  if (Array.isArray(value)) {
    const contents = value.map(readContent)
    const isFine = contents.length > 0 && contents.every((it) => it !== undefined && fitsBatch(outer, it))
    if (!isFine) return [fail(room, outer, from, 'shape', peer.text)]
    window.mark(sec.n)
    return each(contents as Content[], (content) => sort(room, arrive(content, contents.indexOf(content))))
  }
  const content = readContent(value)
  if (!content || !agrees(outer, content, 'ctx')) return [fail(room, outer, from, 'shape', peer.text)]
  // Marked only now: whoever bends the outer copy and is faster does not use up the place of the real one.
  window.mark(sec.n)
  return chain(sort(room, arrive(content, 0)), (result) => [result])
}

function openSigned(room: Room, outer: Dispatch, from: From, sec: SignSec): Maybe<Result> {
  const content = readContent(decode(room, sec.p))
  if (!content || !agrees(outer, content, 'sign')) return fail(room, outer, from, 'shape')
  const way: Way = { mode: 'sign', kid: sec.kid }
  return verify(room, {
    outer,
    from,
    content,
    statement: sec,
    mode: 'sign',
    way,
    sealedTo: undefined,
    signed: sec,
  })
}

/** R6: budget, `k`, open, then as if it had been signed only. */
function openSealed(room: Room, outer: Dispatch, from: From, sec: SealSec): Maybe<Result> {
  const { provider, prekeys, requests, verifying, self } = room
  const name = provider.toText(sec.k)
  if (!verifying.take(from.channel)) return fail(room, outer, from, 'budget')
  const oneTime = requests.sealedTo(name)?.rk
  const key = oneTime ?? prekeys.find(name)
  if (!key) return fail(room, outer, from, 'prekey')
  return chain(openSeal(provider, key.exchange, self.kid, sec), (statement) => {
    if (!statement) return fail(room, outer, from, 'sealed')
    const content = readContent(decode(room, statement.p))
    if (!content || !agrees(outer, content, 'seal')) return fail(room, outer, from, 'shape')
    // A one-time key is for the answer that it was made for.
    if (oneTime && content.dispatch.method !== 'ANSWER') return fail(room, outer, from, 'stray')
    const rk =
      content.extras.rk === undefined
        ? undefined
        : readBytes(provider, content.extras.rk, KEY_LENGTH, KEY_LENGTH)
    if (content.extras.rk !== undefined && !rk) return fail(room, outer, from, 'shape')
    const seen = { outer, from, content, statement, mode: 'seal' as const, sealedTo: name, signed: undefined }
    if (!rk) return verify(room, { ...seen, way: undefined })
    return chain(nameOfExchange(provider, rk), (k) =>
      verify(room, { ...seen, way: { mode: 'seal', kid: statement.kid, to: { x: rk, k } } }),
    )
  })
}

interface Seen extends Pick<Arrived, 'outer' | 'from' | 'content' | 'mode' | 'way' | 'sealedTo' | 'signed'> {
  statement: Statement
}

/** A signature stands for it, whoever's that is. */
function verify(room: Room, seen: Seen): Maybe<Result> {
  const { outer, from, content, statement, mode } = seen
  const { provider, trust, self, replay, peers } = room
  const { kid, aud, b, n } = statement
  if (equal(kid, self.kid)) return fail(room, outer, from, 'reflected')
  const text = textOf(outer, 'kid', kid, room)
  const start = textOf(outer, 'b', b, room)
  const known = trust.find(text)
  const problem = problemOf(room, seen, text)
  const isCounted = aud !== undefined && !problem
  if (problem === 'stray') return fail(room, outer, from, 'stray')
  if (isCounted && !replay.peek(text, start, n)) return fail(room, outer, from, 'replay', text)
  if (mode === 'sign' && !room.verifying.take(from.channel)) return fail(room, outer, from, 'budget')
  const input = signInput(statement)
  const verifier = known ? peers.get(known).verifier : strictVerifier(provider, kid)
  return chain(verifier.verify(input, statement.sig), (isGood) => {
    if (!isGood) return fail(room, outer, from, 'signature', known && text)
    const ref = once(() => refOf(provider, input))
    if (problem === 'key') {
      const paired = knock(room, seen, kid, ref)
      if (paired) return paired
    }
    if (problem) {
      const more = problem === 'challenge' ? { ch: provider.toText(room.challenges.current) } : undefined
      return failTo(room, outer, from, problem, { way: seen.way, ref }, more)
    }
    // While a page waited for the signature the key may have been revoked, or the same have come twice.
    const entry = trust.find(text)
    if (!entry) return fail(room, outer, from, 'stray')
    if (isCounted && !replay.mark(text, start, n)) return fail(room, outer, from, 'replay', text)
    const { way, sealedTo, signed } = seen
    const peer = peers.get(entry)
    const isPublic = aud === undefined
    return sort(room, {
      content,
      outer,
      from,
      entry,
      peer,
      mode,
      isPublic,
      stale: false,
      way,
      ref,
      sealedTo,
      signed,
      input,
    })
  })
}

/** A field of `sec` as text: as it came, for that was checked to be canonical. What was sealed is not found there. */
function textOf({ sec }: Dispatch, name: string, bytes: Uint8Array, { provider }: Room): string {
  const text = (sec as { [name: string]: unknown })[name]
  return typeof text === 'string' ? text : provider.toText(bytes)
}

/** What would be said of it if the signature is good. */
function problemOf(room: Room, { content, statement, mode }: Seen, text: string): FailureName | undefined {
  const { trust, peers, self, challenges, watches } = room
  const { aud, ch } = statement
  const { dispatch, extras } = content
  const entry = trust.find(text)
  if (!entry) return 'key'
  if (aud && !equal(aud, self.kid)) return 'audience'
  if (!aud || dispatch.method === 'ANSWER') return undefined
  if (extras.sub !== undefined) {
    // R8: only an event of a known subscription needs no challenge, and what is no such event is nothing.
    const [ref, count] = extras.sub
    const watch = typeof ref === 'string' ? watches.find(peers.get(entry), ref) : undefined
    return watch && watch.mode === mode && (count as number) > watch.last ? undefined : 'stray'
  }
  return ch && challenges.accepts(ch) ? undefined : 'challenge'
}

/** B2: the same name twice but for case, beside `sec`. Few have any name that is not known. */
function hasTwins(outer: Dispatch): boolean {
  for (const name in outer) if (!USUAL.has(name)) return areTwins(Object.keys(outer))
  return false
}

function areTwins(names: string[]): boolean {
  return new Set(names.map((name) => name.toLowerCase())).size < names.length
}
