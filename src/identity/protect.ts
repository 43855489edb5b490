// From a dispatch to the outer one (spec B2, B5): what goes into which protection, and what still shows.

import type { Dispatch, Element, Endpoint, Json } from '../core/dispatch.ts'
import { JstpError, STATUS } from '../core/status.ts'
import { contentOf, type Extras } from './content.ts'
import { type Context, contextRef } from './context.ts'
import type { Watch } from './feeds.ts'
import { patternOf } from './feeds.ts'
import { chain, type Maybe } from './maybe.ts'
import { paddedLength } from './padding.ts'
import type { Peer } from './peers.ts'
import { makePrekey } from './prekeys.ts'
import type { Pending } from './requests.ts'
import type { Mode } from './rights.ts'
import { nextCount, type Room } from './room.ts'
import { writeSec } from './sec.ts'
import { makeSeal, makeSign, refOf } from './sign-seal.ts'

const CHAN = 16

/** To whom, and how. */
export interface To {
  peer: Peer
  mode: Mode
  /** Byte strings instead of base64url in `sec`: only for a CBOR connection. */
  binary?: boolean
  /** Bytes of content, where less than the setting is wanted: 60 kB if the first hop is an old engine. */
  most?: number
}

export type Protected =
  | {
      kind: 'outer'
      outer: Dispatch
      /** What an answer is matched by; close it when no more is wanted. */
      pending: Pending | undefined
      watch: Watch | undefined
      /** Its context ages: a new handshake should begin, while this one still works. */
      renew: boolean
    }
  /** First this must be learned: call `begin` and send what it gives. */
  | { kind: 'need'; need: 'id' | 'context' }

/** Protects a dispatch that asks, tells, binds or releases. `dispatch.to` becomes the outer `to`. */
export function protectTo(room: Room, dispatch: Dispatch, to: To, tries = 0, ch?: string): Maybe<Protected> {
  const { peer, mode } = to
  const { endpoint } = dispatch
  if (endpoint && mode === 'seal') throw misuse('a subscription is made in a context ("ctx"), not sealed')
  if (dispatch.method === 'ANSWER') throw misuse('an ANSWER is made by answer(), bound to what it answers')
  const isBind = dispatch.method === 'BIND'
  const chan = endpoint && mode === 'ctx' ? chanFor(room, peer, isBind, endpoint) : undefined
  const extras: Extras = { ...(chan && { via: chan }), ...(ch && { ch }) }
  return chain(send(room, dispatch, to, extras, chan), (sent) => {
    if ('need' in sent) return { kind: 'need', need: sent.need }
    const { outer, context, rk } = sent
    const renew = context !== undefined && room.contexts.isAging(context)
    const transaction = dispatch.token?.[0]
    if (!transaction && !endpoint)
      return { kind: 'outer', outer, pending: undefined, watch: undefined, renew }
    return chain(sent.ref(), (bytes) => {
      const ref = room.provider.toText(bytes)
      const pending = transaction
        ? { peer, ref, transaction, mode, context, rk, dispatch, tries, ch: undefined, raise: undefined }
        : undefined
      if (pending) room.requests.open(pending)
      const watch = isBind
        ? watchFor(room, peer, ref, chan, mode, endpoint as Endpoint, tries > 0)
        : undefined
      if (dispatch.method === 'RELEASE') {
        const bound = room.watches.bound(peer, endpoint as Endpoint)
        if (bound) room.watches.remove(bound)
      }
      return { kind: 'outer', outer, pending, watch, renew }
    })
  })
}

interface Sent {
  outer: Dispatch
  ref(): Maybe<Uint8Array>
  context: Context | undefined
  rk: Pending['rk']
}

function send(
  room: Room,
  dispatch: Dispatch,
  to: To,
  extras: Extras,
  chan: string | undefined,
): Maybe<Sent | { need: 'id' | 'context' }> {
  const { peer, mode, binary, most } = to
  if (mode === 'ctx') {
    const context = room.contexts.best(peer.text)
    if (!context) return { need: 'context' }
    const { sec, n } = inContext(room, context, contentOf(dispatch, extras), binary, most)
    const outer = outerOf(room, dispatch, sec, chan)
    return {
      outer,
      ref: () => contextRef(room.provider, context, context.send, n, 0),
      context,
      rk: undefined,
    }
  }
  if (!peer.ch || (mode === 'seal' && !peer.prekey)) return { need: 'id' }
  if (mode === 'sign') {
    const content = contentOf(dispatch, extras)
    return chain(signed(room, peer.kid, content, peer.ch, binary, most), ({ sec, input }) => ({
      outer: signedOuter(dispatch, sec),
      ref: () => refOf(room.provider, input),
      context: undefined,
      rk: undefined,
    }))
  }
  return chain(dispatch.token?.[0] ? makePrekey(room.provider) : undefined, (rk) => {
    const all = rk ? { ...extras, rk: room.provider.toText(rk.exchange.publicKey) } : extras
    const prekey = peer.prekey as NonNullable<Peer['prekey']>
    const sealing = sealed(room, peer.kid, prekey, contentOf(dispatch, all), peer.ch, binary, most)
    return chain(sealing, (made) => {
      if (!made) return { need: 'id' as const }
      const outer = outerOf(room, dispatch, made.sec, chan)
      return { outer, ref: () => refOf(room.provider, made.input), context: undefined, rk }
    })
  })
}

/** Seals one content, or a list of them, in a context. */
export function inContext(room: Room, context: Context, content: Json, binary = false, most?: number) {
  const { provider } = room
  const { n, ct } = context.send.seal(pack(room, content, most))
  const { i, text } = context.send
  const sec = binary
    ? writeSec(provider, { m: 'ctx', i, n, ct }, true)
    : { v: 1, m: 'ctx', i: text, n, ct: provider.toText(ct) }
  return { sec, n }
}

/** Signs content for somebody, or for nobody in particular. */
export function signed(
  room: Room,
  aud: Uint8Array | undefined,
  content: Json,
  ch?: Uint8Array,
  binary = false,
  most?: number,
): Maybe<{ sec: Json; input: Uint8Array }> {
  const p = room.json.encode(content)
  checkLength(room, p.length, most)
  return chain(makeSign(room.signer, { aud, ...nextCount(room), ch, p }), ({ sec, input }) => ({
    sec: writeSec(room.provider, sec, binary),
    input,
  }))
}

/** `undefined`: what it should be sealed to is no key. */
export function sealed(
  room: Room,
  aud: Uint8Array,
  to: { x: Uint8Array; k: Uint8Array },
  content: Json,
  ch?: Uint8Array,
  binary = false,
  most?: number,
): Maybe<{ sec: Json; input: Uint8Array } | undefined> {
  const { provider, signer, settings } = room
  const p = room.json.encode(content)
  checkLength(room, p.length, most)
  return chain(makeSeal(provider, signer, { aud, ...nextCount(room), ch, p }, to, settings.bucket), (made) =>
    made ? { sec: writeSec(provider, made.sec, binary), input: made.input } : undefined,
  )
}

/** What shows of something signed: what stands in it as well, and must be equal to it. */
export function signedOuter(
  { to, resource, endpoint, method, timestamp, token, expires }: Dispatch,
  sec: Json,
) {
  const outer: Dispatch = { method: method.toUpperCase(), timestamp, token: token?.slice(0, 1) ?? [], sec }
  if (endpoint) outer.endpoint = endpoint
  else outer.resource = resource
  if (to) outer.to = to
  if (expires !== undefined) outer.expires = expires
  return outer
}

/** A stamp that tells no more than the second. */
export function dummyTime({ env }: Room): number {
  return Math.floor(env.clock.wall() / 1000) * 1000
}

/** What shows of something hidden: that it goes there. */
function outerOf(room: Room, dispatch: Dispatch, sec: Json, chan: string | undefined): Dispatch {
  const { to, token, expires, method, endpoint } = dispatch
  const resource: Element[] = chan ? ['sealed', chan] : ['sealed']
  const timestamp = dummyTime(room)
  const outer: Dispatch = endpoint
    ? { method, endpoint: { method: 'POST', resource }, timestamp, token: token?.slice(0, 1) ?? [], sec }
    : { method: 'POST', resource, timestamp, token: token?.slice(0, 1) ?? [], sec }
  if (to) outer.to = to
  if (expires !== undefined) outer.expires = expires
  return outer
}

/** A RELEASE goes the way of its BIND. */
function chanFor(room: Room, peer: Peer, isBind: boolean, endpoint: Endpoint): string {
  const bound = isBind ? undefined : room.watches.bound(peer, endpoint)
  return bound?.chan ?? room.provider.toText(room.provider.random(CHAN))
}

function watchFor(
  room: Room,
  peer: Peer,
  ref: string,
  chan: string | undefined,
  mode: Mode,
  endpoint: Endpoint,
  isAgain: boolean,
): Watch {
  const at = room.env.clock.now()
  const watch: Watch = {
    peer,
    ref,
    chan,
    mode,
    pattern: patternOf(endpoint),
    endpoint,
    last: -1,
    at,
    isStale: false,
    origins: new Map(),
  }
  room.watches.add(watch, isAgain)
  return watch
}

/** Content as text, padded, in the scratch buffer: to be sealed before the next one is packed. */
function pack(room: Room, content: Json, most: number | undefined): Uint8Array {
  const { bucket } = room.settings
  const text = JSON.stringify(content)
  const need = paddedLength(text.length * 3, bucket)
  const buffer = need <= room.scratch.length ? room.scratch : new Uint8Array(need)
  const { written } = room.encoder.encodeInto(text, buffer)
  checkLength(room, written, most)
  const length = paddedLength(written, bucket)
  buffer.fill(0, written, length)
  buffer[written] = 1
  return buffer.subarray(0, length)
}

function checkLength({ settings }: Room, length: number, most = settings.most): void {
  // Signature, head and padding have to fit as well.
  if (length > most - 1024)
    throw misuse(`the content has ${length} bytes, at most ${most - 1024} can be protected`)
}

function misuse(message: string): JstpError {
  return new JstpError(STATUS.BAD_DISPATCH, message)
}
