// Answers, bound to what they answer (spec B8, R1), and events, bound to the subscription (R8).

import type { Dispatch, Element, Json } from '../core/dispatch.ts'
import type { Opened, Way } from './arrived.ts'
import { contentOf, type Extras } from './content.ts'
import { BEAT_RESOURCE, type Feed, isAsked, patternOf } from './feeds.ts'
import { chain, type Maybe } from './maybe.ts'
import { dummyTime, inContext, sealed, signed, signedOuter } from './protect.ts'
import { mayHear } from './rights.ts'
import type { Room } from './room.ts'
import { writeSec } from './sec.ts'

/**
 * Protects an ANSWER as the request was. `undefined`: it can't be told any more, because the context is gone, or it was
 * sealed without a key for the answer.
 * @param answer `[status, transaction id, triggering id]` as resource.
 */
export function answerTo(room: Room, { arrived }: Opened, answer: Dispatch, binary = false) {
  const { way } = arrived
  if (!way) return undefined
  return chain(arrived.ref(), (ref) => answerVia(room, way, ref, answer, binary))
}

export function answerVia(
  room: Room,
  way: Way,
  ref: Uint8Array,
  answer: Dispatch,
  binary = false,
): Maybe<Dispatch | undefined> {
  const { provider } = room
  const re = provider.toText(ref)
  const resource = answer.resource as Element[]
  if (way.mode === 'ctx') {
    const context = way.context.send.isUsedUp
      ? room.contexts.best(way.context.peer.text)
      : successor(room, way)
    if (!context) return undefined
    return sealedAnswer(room, resource, inContext(room, context, contentOf(answer, { re }), binary).sec)
  }
  const content = contentOf(answer, { re, nch: provider.toText(room.challenges.current) })
  if (way.mode === 'seal') {
    return chain(sealed(room, way.kid, way.to, content, undefined, binary), (made) =>
      made ? sealedAnswer(room, resource, made.sec) : undefined,
    )
  }
  return chain(signed(room, way.kid, content, undefined, binary), ({ sec }) =>
    signedOuter({ ...answer, token: [] }, sec),
  )
}

/** The context itself while it lives, else the newest of that peer. */
function successor({ contexts }: Room, { context }: Extract<Way, { mode: 'ctx' }>) {
  return contexts.find(context.id) ?? contexts.best(context.peer.text)
}

/** Always a 200, whatever it is inside. */
function sealedAnswer(room: Room, resource: Element[], sec: Json): Dispatch {
  return {
    method: 'ANSWER',
    resource: [200, ...resource.slice(1)],
    timestamp: dummyTime(room),
    token: [],
    sec,
  }
}

/** Notes a subscription that the engine has made for a BIND. Its events go out by `event`. */
export function subscribed(room: Room, { arrived, dispatch, chan }: Opened): Maybe<Feed> {
  const { peer, mode, from } = arrived
  return chain(arrived.ref(), (bytes) => {
    const feed: Feed = {
      peer,
      ref: room.provider.toText(bytes),
      chan,
      mode,
      pattern: patternOf(dispatch.endpoint as NonNullable<Dispatch['endpoint']>),
      next: 0,
      at: room.env.clock.now(),
      channel: from.channel,
    }
    room.feeds.add(feed)
    return feed
  })
}

/**
 * An event for one subscriber. `undefined`: it must not hear it, or not any more.
 * @param origin what has triggered it, where that came protected.
 */
export function eventFor(
  room: Room,
  feed: Feed,
  dispatch: Dispatch,
  origin?: Opened,
  binary = false,
): Maybe<Dispatch | undefined> {
  const entry = room.trust.find(feed.peer.text)
  if (!entry) return end(room, feed)
  const { method, resource } = dispatch
  if (!isAsked(feed, dispatch) || !mayHear(entry.rights, method, resource as Element[], feed.mode))
    return undefined
  const signedBy = origin?.arrived.signed
  const orig = signedBy && writeSec(room.provider, signedBy)
  return push(room, feed, dispatch, orig ? { orig } : {}, binary)
}

/** Says that all is well, so that silence means something. */
export function beatFor(room: Room, feed: Feed, binary = false): Maybe<Dispatch | undefined> {
  if (!room.trust.find(feed.peer.text)) return end(room, feed)
  const beat = { method: 'PUT', resource: BEAT_RESOURCE, timestamp: room.env.clock.wall() }
  return push(room, feed, beat, {}, binary)
}

function push(
  room: Room,
  feed: Feed,
  event: Dispatch,
  more: Extras,
  binary: boolean,
): Maybe<Dispatch | undefined> {
  const dispatch = event.token || event.to ? unaddressed(event) : event
  const context = feed.mode === 'ctx' ? room.contexts.best(feed.peer.text) : undefined
  if (feed.mode === 'ctx' && !context) return end(room, feed)
  const extras: Extras = { sub: [feed.ref, feed.next++], ...(feed.chan && { via: feed.chan }), ...more }
  feed.at = room.env.clock.now()
  const content = contentOf(dispatch, extras)
  if (!context) {
    return chain(signed(room, feed.peer.kid, content, undefined, binary), ({ sec }) =>
      signedOuter(dispatch, sec),
    )
  }
  const { sec } = inContext(room, context, content, binary)
  const resource = ['sealed', feed.chan as string]
  return { method: 'POST', resource, timestamp: dummyTime(room), token: [], sec }
}

/** An event wants no answer, and goes where the subscriber is. */
function unaddressed({ token, to, ...event }: Dispatch): Dispatch {
  return event as Dispatch
}

function end(room: Room, feed: Feed): undefined {
  room.feeds.remove(feed)
  return undefined
}
