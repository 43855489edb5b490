// Events that come in (spec B8, R8): of a subscription that is known, each once, in order, gaps told, third parties
// verified.

import type { Dispatch, Json } from '../core/dispatch.ts'
import type { Arrived, Result } from './arrived.ts'
import { equal } from './bytes.ts'
import { readContent } from './content.ts'
import { fail } from './fail.ts'
import { isAsked, isBeat, markOrigin, type Watch } from './feeds.ts'
import { signInput } from './labels.ts'
import { chain, type Maybe } from './maybe.ts'
import { decode, type Room } from './room.ts'
import { readSec } from './sec.ts'

export function takeEvent(room: Room, arrived: Arrived): Maybe<Result> {
  const { content, peer, mode, outer, from, entry } = arrived
  const { dispatch, extras } = content
  const [ref, count] = extras.sub as [string, number]
  const watch = room.watches.find(peer, ref)
  const isOurs = watch !== undefined && watch.mode === mode && extras.via === watch.chan && !dispatch.token
  if (!isOurs) return fail(room, outer, from, 'stray')
  if (count <= watch.last) return fail(room, outer, from, 'replay', peer.text)
  const beat = isBeat(dispatch) && dispatch.body === undefined
  if (!beat && !isAsked(watch, dispatch)) return fail(room, outer, from, 'stray')
  return chain(authorOf(room, arrived, watch), (author) => {
    if (!author) return fail(room, outer, from, 'signature', peer.text)
    if (count <= watch.last) return fail(room, outer, from, 'replay', peer.text)
    const gap = count - watch.last - 1
    watch.last = count
    watch.at = room.env.clock.now()
    watch.isStale = false
    return { kind: 'event', dispatch, author, server: entry.id, watch, gap, isBeat: beat }
  })
}

/** did:key of who has made it; `undefined`: an `orig` that does not hold. */
function authorOf(
  room: Room,
  { content, entry, peer, from }: Arrived,
  watch: Watch,
): Maybe<string | undefined> {
  const { orig } = content.extras
  if (orig === undefined) return entry.id
  const { provider, trust, peers, settings } = room
  const sec = readSec(provider, orig, settings.most)
  if (typeof sec === 'string' || sec.m !== 'sign') return undefined
  const key = provider.toText(sec.kid)
  const author = trust.find(key)
  if (sec.aud !== undefined && !equal(sec.aud, peer.kid)) return undefined
  const inner = readContent(decode(room, sec.p))
  if (!inner || !isSameEvent(inner.dispatch, content.dispatch)) return undefined
  if (inner.extras.sub?.length === 2 || inner.extras.re !== undefined) return undefined
  // Of a key that is not known here (or our own, come back to us) the server's word is all that counts.
  if (!author) return entry.id
  if (!room.verifying.take(from.channel)) return undefined
  return chain(peers.get(author).verifier.verify(signInput(sec), sec.sig), (isGood) => {
    if (!isGood || !markOrigin(watch, `${key} ${provider.toText(sec.b)}`, sec.n)) return undefined
    return author.id
  })
}

/** Equal in all that its author has said; the server may only have let it grow older. */
function isSameEvent(origin: Dispatch, event: Dispatch): boolean {
  const { token: _, expires: life = Infinity, ...said } = origin
  const { token: __, expires: left = Infinity, ...pushed } = event
  return left <= life && isSame(said as Json, pushed as Json)
}

function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  const [left, right] = [a, b] as unknown as Record<string, Json>[]
  return names.every((name) => Object.hasOwn(b, name) && isSame(left?.[name], right?.[name]))
}
