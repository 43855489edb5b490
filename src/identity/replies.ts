// Answers that come back (spec B8, R1, R3, R16): which count, and what the others may do.

import type { Dispatch, Json } from '../core/dispatch.ts'
import { STATUS } from '../core/status.ts'
import type { Answered, Arrived, From, Result } from './arrived.ts'
import { CHALLENGE_LENGTH } from './challenges.ts'
import { isObject } from './content.ts'
import { learnId } from './describe.ts'
import { fail } from './fail.ts'
import { finishHandshake } from './handshake.ts'
import { chain, type Maybe } from './maybe.ts'
import type { Pending } from './requests.ts'
import type { Mode } from './rights.ts'
import type { Room } from './room.ts'
import { readBytes } from './sec.ts'

/** Of those that are not protected: what may be shown as doubtful. */
const DOUBTFUL = new Set([400, 404, 405, 409, 502, 503, 504, 505, 506])

const HINT_PAUSE = 2000

/** From the weakest to the strongest. */
const STRENGTH: Mode[] = ['sign', 'seal', 'ctx']

/** What may be sent twice (R3). */
const HARMLESS = new Set(['GET', 'BIND'])

/** An authentic ANSWER: to what is open, in the protection that it was asked in, or it is nothing. */
export function takeAnswer(room: Room, arrived: Arrived): Maybe<Result> {
  const { content, isPublic, peer, mode, outer, from } = arrived
  const { re } = content.extras
  if (isPublic) {
    return re === undefined
      ? chain(learnId(room, arrived), (learned) => learned ?? fail(room, outer, from, 'stray'))
      : fail(room, outer, from, 'stray')
  }
  if (re === undefined) return fail(room, outer, from, 'stray')
  if (mode === 'sign' && peer.handshake?.ref === re) {
    learnFrom(room, arrived)
    return finishHandshake(room, arrived)
  }
  const pending = room.requests.find(peer, re)
  if (!pending || !isOwnProtection(arrived, pending)) return fail(room, outer, from, 'stray')
  const [status, transaction] = content.dispatch.resource as [number, string]
  if (transaction !== pending.transaction) return fail(room, outer, from, 'stray')
  const retry = status === STATUS.UNAUTHORIZED && pending.tries === 0 && learnFrom(room, arrived, pending)
  if (pending.dispatch.method === 'BIND') {
    const watch = room.watches.find(peer, pending.ref)
    if (watch && status >= 400) room.watches.remove(watch)
    else if (watch) room.watches.keep(watch)
  }
  return answeredOf(arrived, pending, retry)
}

function answeredOf({ content, outer, entry, mode }: Arrived, pending: Pending, retry: boolean): Answered {
  const [status, transaction] = content.dispatch.resource as [number, string]
  const third = outer.resource?.[2] ?? ''
  const dispatch = { ...content.dispatch, resource: [status, transaction, third] }
  return { kind: 'answer', dispatch, status, author: entry.id, mode, pending, retry }
}

/** R1: ctx in the same context or one that came after it, seal to the one-time key, sign for us. */
function isOwnProtection({ mode, way, sealedTo }: Arrived, pending: Pending): boolean {
  if (mode !== pending.mode) return false
  if (mode === 'seal') return pending.rk !== undefined && pending.rk.name === sealedTo
  if (mode === 'sign') return true
  const asked = pending.context
  return way?.mode === 'ctx' && asked !== undefined && way.context.created >= asked.created
}

/** Takes the challenge or the mode out of an authentic 401. True: trying again makes sense. */
function learnFrom({ provider }: Room, { content, peer }: Arrived, pending?: Pending): boolean {
  const { body } = content.dispatch
  if (!isObject(body)) return false
  if (body.sec === 'required') return pending !== undefined && raise(pending, body.modes)
  if (body.sec !== 'challenge') return false
  const ch = readBytes(provider, body.ch, CHALLENGE_LENGTH, CHALLENGE_LENGTH)
  if (!ch) return false
  if (body.fresh === undefined) peer.ch = ch
  else if (pending) pending.ch = provider.toText(ch)
  return true
}

/** R19: to a stronger mode, never to a weaker one. */
function raise(pending: Pending, modes: Json | undefined): boolean {
  const stronger = STRENGTH.slice(STRENGTH.indexOf(pending.mode) + 1)
  pending.raise = stronger.findLast((mode) => Array.isArray(modes) && modes.includes(mode))
  return pending.raise !== undefined
}

/** An ANSWER without `sec`. `undefined`: it is about nothing that we have asked under protection. */
export function judgeUnprotected(room: Room, answer: Dispatch, from: From): Result | undefined {
  const [status, transaction] = answer.resource as [number, string]
  const pending = room.requests.about(transaction)[0]
  if (!pending) return undefined
  if (status === STATUS.UNAUTHORIZED) return hint(room, answer, pending) ?? fail(room, answer, from, 'stray')
  if (status === STATUS.ACKNOWLEDGE || DOUBTFUL.has(status))
    return { kind: 'doubtful', dispatch: answer, pending }
  return fail(room, answer, from, 'stray')
}

/** Closes nothing, and is followed at most every 2 s: whoever is on the way may have made it up. */
function hint({ env, contexts }: Room, { body }: Dispatch, pending: Pending): Result | undefined {
  const said = isObject(body) ? body.sec : undefined
  const { peer, dispatch, tries, mode } = pending
  const isFitting = (said === 'context' && mode === 'ctx') || (said === 'prekey' && mode === 'seal')
  if (!isFitting) return undefined
  const now = env.clock.now()
  const again = HARMLESS.has(dispatch.method) && tries === 0
  // A newer context than the one that it went out in: the hint before this one has brought it, and it serves all.
  const newest = mode === 'ctx' ? contexts.best(peer.text) : undefined
  if (again && newest && newest !== pending.context) return { kind: 'hint', pending, need: undefined, again }
  if (now - peer.hinted < HINT_PAUSE && !(again && peer.handshake)) return undefined
  peer.hinted = now
  return { kind: 'hint', pending, need: said === 'context' ? 'context' : 'id', again }
}
