// Who we are (spec B7, R1, R18): the id query, open to all, and its answer, which is believed only of a key that is
// pinned already.

import type { Dispatch, Json } from '../core/dispatch.ts'
import { STATUS } from '../core/status.ts'
import type { Arrived, Result } from './arrived.ts'
import { equal } from './bytes.ts'
import { CHALLENGE_LENGTH } from './challenges.ts'
import { contentOf } from './content.ts'
import { nameOfExchange } from './keys.ts'
import { SUITE } from './labels.ts'
import { chain, type Maybe } from './maybe.ts'
import type { Peer } from './peers.ts'
import { signed, signedOuter } from './protect.ts'
import type { Room } from './room.ts'
import { readBytes } from './sec.ts'

const NONCE = 16
const KEY = 32
const ID = ['sec', 'id']

/** Asks a peer who it is. In clear: nothing of it is secret, and the answer is bound to the nonce. */
export function askId(room: Room, peer: Peer): Dispatch {
  const { env, provider } = room
  const nonce = provider.toText(provider.random(NONCE))
  const transaction = env.random.uuid()
  peer.query = { nonce, transaction, at: env.clock.now() }
  return { method: 'GET', resource: ID, timestamp: env.clock.wall(), token: [transaction], body: { nonce } }
}

/** Whether it is an id query in clear. */
export function isIdQuery({ method, resource }: Dispatch): boolean {
  return method === 'GET' && resource?.length === 2 && resource[0] === 'sec' && resource[1] === 'id'
}

/** What we say about ourselves. Also the body for those who ask under protection. */
export function describe({ provider, prekeys, challenges, self }: Room): { [name: string]: Json } {
  return {
    kid: provider.toText(self.kid),
    x: provider.toText(prekeys.current.exchange.publicKey),
    k: prekeys.current.name,
    ch: provider.toText(challenges.current),
    s: [SUITE],
  }
}

/** The answer to an id query. `undefined`: no sensible query, or too many of them. */
export function answerId(room: Room, query: Dispatch): Maybe<Dispatch | undefined> {
  const { env, provider, describing } = room
  const transaction = query.token?.[0]
  const body = query.body
  const nonce = typeof body === 'object' && body !== null && !Array.isArray(body) ? body.nonce : undefined
  if (!transaction || !readBytes(provider, nonce, NONCE, NONCE)) return undefined
  if (!describing.take('')) return undefined
  const third = query.token?.[1] ?? env.random.uuid()
  const answer: Dispatch = {
    method: 'ANSWER',
    resource: [STATUS.OK, transaction, third],
    timestamp: env.clock.wall(),
    token: [],
    body: { nonce: nonce as Json, ...describe(room) },
  }
  return chain(signed(room, undefined, contentOf(answer, {})), ({ sec }) => signedOuter(answer, sec))
}

/** The answer of a pinned key to our own query. */
export function learnId(room: Room, arrived: Arrived): Maybe<Result | undefined> {
  const { provider, env } = room
  const { peer, content } = arrived
  const { body, resource } = content.dispatch
  const { query } = peer
  if (!query || typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  if (body.nonce !== query.nonce || resource?.[1] !== query.transaction || resource[0] !== STATUS.OK)
    return undefined
  const kid = readBytes(provider, body.kid, KEY, KEY)
  const x = readBytes(provider, body.x, KEY, KEY)
  const ch = readBytes(provider, body.ch, CHALLENGE_LENGTH, CHALLENGE_LENGTH)
  if (!kid || !x || !ch || !equal(kid, peer.kid) || !Array.isArray(body.s) || !body.s.includes(SUITE))
    return undefined
  return chain(nameOfExchange(provider, x), (k): Result | undefined => {
    if (peer.query !== query || body.k !== provider.toText(k)) return undefined
    peer.query = undefined
    peer.prekey = { x, k }
    peer.ch = ch
    env.meters.count('sec.learned')
    return { kind: 'learned', author: peer.id, what: 'id' }
  })
}
