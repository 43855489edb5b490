// How a failure becomes something to say, or silence (spec B11, R6).

import type { Dispatch, Json } from '../core/dispatch.ts'
import { answerVia } from './answer.ts'
import type { From, Result, Way } from './arrived.ts'
import { type Case, FAILURES, type FailureName } from './failures.ts'
import { chain, type Maybe } from './maybe.ts'
import type { Room } from './room.ts'

/** What counts as a bad dispatch of its connection. */
const BAD = new Set<FailureName>(['shape', 'signature', 'sealed', 'replay', 'reflected'])

const BLAMED = 1000

/** The same text whether or not there is such a resource. */
const DENIED = 'this key has no right to that'

/** Where a protected answer goes, once a signature was verified. */
export interface Back {
  way: Way | undefined
  ref(): Maybe<Uint8Array>
}

/** A failure that is told in clear, or to nobody. */
export function fail(room: Room, outer: Dispatch, from: From, failure: FailureName, key?: string) {
  const close = blame(room, from, failure, key)
  const { status, say, sec }: Case = FAILURES[failure]
  const transaction = transactionIn(outer)
  const reply =
    say === 'plain' && transaction && outer.method !== 'ANSWER'
      ? answerOf(room, outer, transaction, status, sec === undefined ? undefined : { sec })
      : undefined
  return { kind: 'failed' as const, failure, reply, close }
}

/** A failure that is told as the request came: only after its signature was verified. */
export function failTo(
  room: Room,
  outer: Dispatch,
  from: From,
  failure: FailureName,
  { way, ref }: Back,
  more: { [name: string]: Json } = {},
): Maybe<Result> {
  const close = blame(room, from, failure)
  const { status, sec }: Case = FAILURES[failure]
  const transaction = transactionIn(outer)
  const failed = (reply: Dispatch | undefined) => ({ kind: 'failed' as const, failure, reply, close })
  if (!way || !transaction || outer.method === 'ANSWER') return failed(undefined)
  const body = sec === undefined ? { message: DENIED, ...more } : { sec, ...more }
  const answer = answerOf(room, outer, transaction, status, body)
  return chain(ref(), (bytes) => chain(answerVia(room, way, bytes, answer), failed))
}

/** An ANSWER that is not protected. */
export function answerOf(
  room: Room,
  outer: Dispatch,
  transaction: string,
  status: number,
  body?: Json,
): Dispatch {
  const { env } = room
  const third = outer.token?.[1] ?? env.random.uuid()
  const resource = [status, transaction, third]
  const answer: Dispatch = { method: 'ANSWER', resource, timestamp: env.clock.wall(), token: [] }
  if (body !== undefined) answer.body = body
  return answer
}

/** Counts it. True when the connection has done enough of it. */
function blame(room: Room, { channel, isRelay }: From, failure: FailureName, key?: string): boolean {
  room.env.meters.count(`sec.${failure}`)
  if (!BAD.has(failure)) return false
  if (key !== undefined && (room.blamed.has(key) || room.blamed.size < BLAMED)) {
    room.blamed.set(key, (room.blamed.get(key) ?? 0) + 1)
  }
  if (isRelay) return false
  const count = (room.bad.get(channel) ?? 0) + 1
  room.bad.set(channel, count)
  return count >= room.settings.bad
}

function transactionIn({ token }: Dispatch): string | undefined {
  const id = Array.isArray(token) ? token[0] : undefined
  return typeof id === 'string' && id !== '' ? id : undefined
}
