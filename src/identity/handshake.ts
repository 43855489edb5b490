// The handshake (spec B6): both sides sign both ephemeral keys and each other's name. One round trip.

import type { Dispatch, Json } from '../core/dispatch.ts'
import { STATUS } from '../core/status.ts'
import type { Arrived, Result } from './arrived.ts'
import { type Content, contentOf, isObject } from './content.ts'
import { deriveKeys, makeContext } from './context.ts'
import { fail } from './fail.ts'
import { SUITE } from './labels.ts'
import { chain, type Maybe } from './maybe.ts'
import type { Peer } from './peers.ts'
import { nextCount, type Room } from './room.ts'
import { readBytes, writeSec } from './sec.ts'
import { makeSign, refOf } from './sign-seal.ts'

const CONTEXT = ['sec', 'context']
const I_LENGTH = 8
const KEY = 32

/** Our half. `undefined`: the peer's challenge is not known yet. */
export function beginHandshake(room: Room, peer: Peer): Maybe<Dispatch | undefined> {
  const { provider, env } = room
  const { ch } = peer
  if (!ch) return undefined
  const i = freshId(room)
  return chain(provider.exchange(), (own) => {
    const transaction = env.random.uuid()
    const body = { e: provider.toText(own.publicKey), i: provider.toText(i), s: [SUITE] }
    const dispatch: Dispatch = {
      method: 'POST',
      resource: CONTEXT,
      timestamp: env.clock.wall(),
      token: [transaction],
      body,
    }
    const p = room.json.encode(contentOf(dispatch, {}))
    const signing = { aud: peer.kid, ...nextCount(room), ch, p }
    return chain(makeSign(room.signer, signing), ({ sec, input }) =>
      chain(refOf(provider, input), (ref) => {
        peer.handshake = { own, i, input, ref: provider.toText(ref), transaction, at: env.clock.now() }
        return { ...dispatch, sec: writeSec(provider, sec) }
      }),
    )
  })
}

export function isHandshake({ dispatch }: Content): boolean {
  const { method, resource } = dispatch
  return method === 'POST' && resource?.length === 2 && resource[0] === 'sec' && resource[1] === 'context'
}

/** Their half has come, signed for us and with our challenge: answers with ours. */
export function takeHandshake(room: Room, arrived: Arrived): Maybe<Result> {
  const { provider, env } = room
  const { content, outer, peer, input } = arrived
  const transaction = content.dispatch.token?.[0]
  const theirs = readHalf(room, content.dispatch.body, true)
  if (!theirs || !transaction || arrived.mode !== 'sign' || !input)
    return fail(room, arrived.outer, arrived.from, 'shape')
  const i = freshId(room)
  return chain(provider.exchange(), (own) => {
    const body = { e: provider.toText(own.publicKey), i: provider.toText(i), s: SUITE }
    const dispatch: Dispatch = {
      method: 'ANSWER',
      resource: [STATUS.OK, transaction],
      timestamp: env.clock.wall(),
      body,
    }
    return chain(arrived.ref(), (ref) => {
      const p = room.json.encode(contentOf(dispatch, { re: provider.toText(ref) }))
      const signing = { aud: peer.kid, ...nextCount(room), ch: undefined, p }
      return chain(makeSign(room.signer, signing), (made) =>
        chain(deriveKeys(provider, input, made.input, own, theirs.e), (keys): Result => {
          if (!keys) return fail(room, arrived.outer, arrived.from, 'shape') as Result
          const options = { now: env.clock.now(), window: room.settings.window }
          const context = makeContext(provider, peer, false, keys, theirs.i, i, options)
          if (!room.contexts.add(context)) return fail(room, arrived.outer, arrived.from, 'full') as Result
          const third = outer.token?.[1] ?? env.random.uuid()
          const resource = [STATUS.OK, transaction, third]
          return {
            kind: 'reply',
            reply: { ...dispatch, resource, token: [], sec: writeSec(provider, made.sec) },
          }
        }),
      )
    })
  })
}

/** Their half, in the answer to ours. */
export function finishHandshake(room: Room, arrived: Arrived): Maybe<Result> {
  const { provider, env } = room
  const { content, peer, input } = arrived
  const { dispatch } = content
  const { handshake } = peer
  const [status, transaction] = dispatch.resource as [number, string]
  if (!handshake || handshake.transaction !== transaction || !input) {
    return fail(room, arrived.outer, arrived.from, 'stray')
  }
  peer.handshake = undefined
  const theirs = status === STATUS.OK ? readHalf(room, dispatch.body, false) : undefined
  if (!theirs) {
    const isChallenge = isObject(dispatch.body) && dispatch.body.sec === 'challenge'
    if (isChallenge) return { kind: 'learned', author: peer.id, what: 'challenge' }
    return { kind: 'refused', author: peer.id, status, body: dispatch.body }
  }
  return chain(deriveKeys(provider, handshake.input, input, handshake.own, theirs.e), (keys): Result => {
    if (!keys) return fail(room, arrived.outer, arrived.from, 'shape') as Result
    const options = { now: env.clock.now(), window: room.settings.window }
    const context = makeContext(provider, peer, true, keys, handshake.i, theirs.i, options)
    if (!room.contexts.add(context)) return fail(room, arrived.outer, arrived.from, 'full') as Result
    return { kind: 'learned', author: peer.id, what: 'context' }
  })
}

function readHalf(room: Room, body: Json | undefined, isFirst: boolean) {
  if (!isObject(body)) return undefined
  const { e, i, s, ...more } = body
  const key = readBytes(room.provider, e, KEY, KEY)
  const id = readBytes(room.provider, i, I_LENGTH, I_LENGTH)
  const isSuite = isFirst ? Array.isArray(s) && s.includes(SUITE) : s === SUITE
  return key && id && isSuite && Object.keys(more).length === 0 ? { e: key, i: id } : undefined
}

/** One under which no other context of ours receives. */
function freshId({ provider, contexts }: Room): Uint8Array {
  for (;;) {
    const i = provider.random(I_LENGTH)
    if (!contexts.has(provider.toText(i))) return i
  }
}
