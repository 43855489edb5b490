// What a verified dispatch is: an answer, an event, something of this room's own, or a request, and then whether its
// author may ask that (spec B8, B9).

import type { Dispatch, Element, Json } from '../core/dispatch.ts'
import { STATUS } from '../core/status.ts'
import { answerVia } from './answer.ts'
import type { Arrived, From, Opened, Result, Way } from './arrived.ts'
import type { Content } from './content.ts'
import { askId } from './describe.ts'
import { answerOf, fail, failTo } from './fail.ts'
import { isHandshake, takeHandshake } from './handshake.ts'
import { takeEvent } from './heard.ts'
import { KEY_LENGTH } from './keys.ts'
import { chain, type Maybe } from './maybe.ts'
import { takeAnswer } from './replies.ts'
import type { Verdict } from './rights.ts'
import type { Room } from './room.ts'
import { readBytes } from './sec.ts'

const MAC = KEY_LENGTH

export function sort(room: Room, arrived: Arrived): Maybe<Result> {
  const { content, isPublic, mode } = arrived
  const { dispatch, extras } = content
  if (extras.nch !== undefined && !isPublic) learnChallenge(room, arrived, extras.nch)
  if (dispatch.method === 'ANSWER') return takeAnswer(room, arrived)
  if (extras.re !== undefined) return fail(room, arrived.outer, arrived.from, 'shape')
  if (isPublic) return takePublic(room, arrived)
  if (extras.sub !== undefined) return takeEvent(room, arrived)
  if (isHandshake(content) && mode === 'sign') return takeHandshake(room, arrived)
  return takeRequest(room, arrived)
}

/** A key that we don't know asks to be paired (R17). `undefined`: it does not, or not here and now. */
export function knock(
  room: Room,
  { outer, from, content, way }: { outer: Dispatch; from: From; content: Content; way: Way | undefined },
  kid: Uint8Array,
  ref: () => Maybe<Uint8Array>,
): Maybe<Result> | undefined {
  const { method, resource, body } = content.dispatch
  const isPair =
    method === 'POST' && resource?.length === 2 && resource[0] === 'sec' && resource[1] === 'pair'
  if (!isPair || !room.pairing.isOpen || !way) return undefined
  const said = typeof body === 'object' && body !== null && !Array.isArray(body) ? body.mac : undefined
  const mac = readBytes(room.provider, said, MAC, MAC)
  if (!mac) return fail(room, outer, from, 'shape')
  return chain(room.pairing.knock(kid, mac), (isHeard) => {
    const { candidate } = room.pairing
    if (!isHeard || !candidate) return failTo(room, outer, from, 'right', { way, ref })
    const transaction = outer.token?.[0]
    if (!transaction) return { kind: 'pairing', candidate, reply: undefined }
    const answer = answerOf(room, outer, transaction, STATUS.ACKNOWLEDGE)
    return chain(ref(), (bytes) =>
      chain(answerVia(room, way, bytes, answer), (reply) => ({ kind: 'pairing' as const, candidate, reply })),
    )
  })
}

/** Verified, and yet perhaps old: nothing in it is bound to us (R11). */
function takePublic(room: Room, arrived: Arrived): Maybe<Result> {
  const { content, peer, signed, outer, from } = arrived
  if (isStatement(content.dispatch)) return takeStatement(room, arrived)
  if (!signed || content.extras.sub?.length === 2 || content.dispatch.endpoint)
    return fail(room, outer, from, 'stray')
  const b = room.provider.toText(signed.b)
  const standing = room.publics.take(peer.text, b, signed.n)
  if (standing.kind === 'seen') return fail(room, outer, from, 'replay', peer.text)
  if (standing.kind === 'new') return takeRequest(room, { ...arrived, stale: standing.stale })
  if (!room.publics.hold(peer.text, b, signed.n, arrived)) return fail(room, outer, from, 'full')
  const isAsking = peer.query !== undefined && room.env.clock.now() - peer.query.at < QUERY
  if (isAsking) return { kind: 'failed', failure: 'full', reply: undefined, close: false }
  return { kind: 'ask', author: peer.id, query: askId(room, peer) }
}

const QUERY = 5000

/** Of what waited, each that is new is a request now. */
export function takeHeld(room: Room, arrived: Arrived, b: string, n: number): Maybe<Result> | undefined {
  const standing = room.publics.take(arrived.peer.text, b, n)
  return standing.kind === 'new' ? takeRequest(room, { ...arrived, stale: standing.stale }) : undefined
}

function isStatement({ method, resource }: Dispatch): boolean {
  return method === 'PUT' && resource?.length === 2 && resource[0] === 'sec' && resource[1] === 'trust'
}

function takeStatement(room: Room, arrived: Arrived): Maybe<Result> {
  const { content, outer, from, peer, way, ref } = arrived
  return chain(room.trust.accept(peer.text, content.dispatch.body), (outcome) => {
    if (!outcome.done) {
      room.env.log.warn(`a statement of ${peer.id} about keys was refused: ${outcome.reason}`)
      return failTo(room, outer, from, 'statement', { way, ref })
    }
    if (outcome.changed) enforce(room)
    const transaction = content.dispatch.token?.[0]
    if (!transaction || !way) return { kind: 'learned', author: peer.id, what: 'trust' }
    const body = { changed: outcome.changed }
    const answer = answerOf(room, outer, transaction, STATUS.OK, body)
    return chain(ref(), (bytes) =>
      chain(answerVia(room, way, bytes, answer), (reply) =>
        reply ? { kind: 'reply' as const, reply } : fail(room, outer, from, 'stray'),
      ),
    )
  })
}

/** What is not trusted any more ends now, open contexts and subscriptions included. */
export function enforce({ trust, contexts, feeds, peers, publics, challenges, replay }: Room): void {
  const isKnown = (key: string) => trust.find(key) !== undefined
  for (const key of contexts.keys()) if (!isKnown(key)) contexts.end(key)
  for (const feed of feeds.all()) if (!isKnown(feed.peer.text)) feeds.remove(feed)
  for (const table of [peers, replay, publics, challenges]) table.tick(isKnown)
}

function takeRequest(room: Room, arrived: Arrived): Maybe<Result> {
  const { content, entry, peer, mode, isPublic, outer, from, way, ref } = arrived
  const { dispatch, extras } = content
  const { method, resource, endpoint, token } = dispatch
  const about = (resource ?? endpoint?.resource ?? []) as Element[]
  const isFresh = (seconds: number) =>
    extras.ch !== undefined && room.challenges.isFresh(peer.text, about, extras.ch, seconds)
  const isOwnBusiness = method === 'RELEASE' || (method === 'GET' && isId(resource))
  const verdict: Verdict = isOwnBusiness
    ? { kind: 'granted' }
    : room.trust.judge(entry, { method, resource, endpoint, mode, isPublic }, isFresh)
  const back = { way, ref }
  switch (verdict.kind) {
    case 'denied':
      return failTo(room, outer, from, 'right', back)
    case 'modes':
      return failTo(room, outer, from, 'mode', back, { modes: verdict.modes })
    case 'fresh': {
      // Only for those who would be allowed: others learn nothing and leave nothing behind.
      const ch = room.challenges.issue(peer.text, about)
      return failTo(room, outer, from, 'challenge', back, { ch, fresh: verdict.seconds })
    }
    case 'granted':
  }
  if (method === 'BIND' && mode !== 'ctx' && !isPublicBind(room, arrived)) {
    return failTo(room, outer, from, 'mode', back, { modes: ['ctx'] })
  }
  if (token?.[0] && !room.replay.begin(peer.text, token[0]))
    return fail(room, outer, from, 'replay', peer.text)
  if (extras.ch !== undefined) room.challenges.use(peer.text, about, extras.ch)
  return requestOf(arrived)
}

/** R8: in `sign` only what everybody may hear. */
function isPublicBind({ trust }: Room, { entry, mode, content }: Arrived): boolean {
  const { endpoint } = content.dispatch
  const asked = { method: 'BIND', endpoint, mode, isPublic: true }
  return mode === 'sign' && trust.judge(entry, asked, () => false).kind === 'granted'
}

function requestOf(arrived: Arrived): Opened {
  const { content, outer, entry, mode, isPublic, stale, ref } = arrived
  const { dispatch } = content
  const life = Math.min(dispatch.expires ?? Infinity, outer.expires ?? Infinity)
  return {
    kind: 'request',
    // A relay can only shorten the life (design §9.12).
    dispatch: life === Infinity ? dispatch : { ...dispatch, expires: life },
    author: entry.id,
    name: entry.name,
    mode,
    isPublic,
    stale,
    hop: outer,
    chan: content.extras.via,
    ref,
    arrived,
  }
}

function isId(resource: Element[] | undefined): boolean {
  return resource?.length === 2 && resource[0] === 'sec' && resource[1] === 'id'
}

function learnChallenge({ provider }: Room, { peer }: Arrived, nch: Json): void {
  const ch = readBytes(provider, nch, 16, 16)
  if (ch) peer.ch = ch
}
