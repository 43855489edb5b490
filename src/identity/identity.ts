// The door of this room: what an engine calls. One object per identity; README.md says how the pieces fit together.

import type { Dispatch, Json } from '../core/dispatch.ts'
import { transactionOf } from '../core/dispatch.ts'
import { JstpError, STATUS } from '../core/status.ts'
import { answerTo, beatFor, eventFor, subscribed } from './answer.ts'
import type { Answered, From, Opened, Result } from './arrived.ts'
import { contentOf, refuseReserved } from './content.ts'
import { answerId, askId, describe, isIdQuery } from './describe.ts'
import { fail } from './fail.ts'
import { BEAT, type Feed, SILENCE, type Watch } from './feeds.ts'
import { beginHandshake } from './handshake.ts'
import { chain, each, Lanes, type Maybe } from './maybe.ts'
import { openOuter } from './open.ts'
import type { Peer } from './peers.ts'
import { dummyTime, inContext, type Protected, protectTo, signed, signedOuter } from './protect.ts'
import { judgeUnprotected } from './replies.ts'
import { NEVER_TRIED, type Pending } from './requests.ts'
import { judge, type Mode } from './rights.ts'
import { makeRoom, peerOf, type Room, type RoomOptions } from './room.ts'
import { refOf } from './sign-seal.ts'
import { enforce, takeHeld } from './sort.ts'
import type { Outcome } from './trust.ts'
import type { TrustFile } from './trust-file.ts'

const IN_FLIGHT = 5000
const LANE = 1000
const STREAMS = 10_000

export interface Target {
  /** did:key, or the name in the trust store. */
  key: string
  /** Default `ctx`. */
  mode?: Mode
  /** Byte strings in `sec`: for a CBOR connection. */
  binary?: boolean
  /** Bytes of content, if less than the setting is wanted. */
  most?: number
}

export class Identity {
  #room: Room
  #lanes = new Lanes(LANE)

  constructor(options: RoomOptions) {
    this.#room = makeRoom(options)
  }

  /** Our own did:key. */
  get id(): string {
    return this.#room.self.id
  }

  /** The did:key of a name in the trust store, or of a key that is trusted. */
  idOf(key: string): string | undefined {
    return this.#room.trust.named(key)?.id
  }

  /** Whether something of that connection is still being opened. */
  isBusy(channel: string): boolean {
    return this.#lanes.size > 0 && this.#lanes.isBusy(`in ${channel}`)
  }

  /** To open the pairing window, and to say yes. */
  get pairing() {
    return this.#room.pairing
  }

  /** Entries of every table, for `["sec","stats"]` and for tests. */
  get sizes(): Record<string, number> {
    const { peers, contexts, replay, requests, feeds, watches, publics, verifying, blamed, bad } = this.#room
    return {
      peers: peers.size,
      contexts: contexts.size,
      windows: replay.size,
      requests: requests.size,
      feeds: feeds.size,
      watches: watches.size,
      publics: publics.size,
      budgets: verifying.size,
      blamed: blamed.size,
      bad: bad.size,
    }
  }

  /** The body of an answer to `GET ["sec","id"]` that came under protection. */
  describe(): { [name: string]: Json } {
    return describe(this.#room)
  }

  /**
   * Protects a dispatch. `dispatch.to` becomes the outer `to`.
   * @throws {JstpError} 401 when the key is not pinned: towards a key nothing is ever sent in clear; 400 for misuse.
   */
  protect(dispatch: Dispatch, { key, mode = 'ctx', binary, most }: Target): Maybe<Protected> {
    const peer = this.#peer(key)
    const result = this.#lanes.run(`out ${peer.text}`, () =>
      protectTo(this.#room, dispatch, { peer, mode, binary, most }),
    )
    if (result === undefined)
      throw new JstpError(STATUS.FAILED, 'too much waits to be protected', { code: 'full' })
    return result
  }

  /**
   * Protects again what was refused for want of a challenge or of a stronger mode, or what a hint allows to repeat. An
   * answer to the first try counts still: the hint may have been made up.
   */
  again(pending: Pending, binary?: boolean): Maybe<Protected> {
    const { peer, mode, dispatch, tries, ch } = pending
    return protectTo(this.#room, dispatch, { peer, mode: pending.raise ?? mode, binary }, tries + 1, ch)
  }

  /** Several dispatches in one ciphertext. None of them may want an answer, bind or release. */
  protectAll(dispatches: Dispatch[], { key, binary, most }: Target): Protected {
    const peer = this.#peer(key)
    if (dispatches.some((it) => transactionOf(it) || it.endpoint || it.method === 'ANSWER')) {
      throw new JstpError(STATUS.BAD_DISPATCH, 'what shares a ciphertext can want no answer, bind or release')
    }
    const context = this.#room.contexts.best(peer.text)
    if (!context) return { kind: 'need', need: 'context' }
    const contents = dispatches.map((it) => contentOf(it, {}))
    const { sec } = inContext(this.#room, context, contents, binary, most)
    const outer: Dispatch = {
      method: 'POST',
      resource: ['sealed'],
      timestamp: dummyTime(this.#room),
      token: [],
      sec,
    }
    const renew = this.#room.contexts.isAging(context)
    return { kind: 'outer', outer, pending: undefined, watch: undefined, renew }
  }

  /** Signs an event for everybody. */
  publish(dispatch: Dispatch, binary?: boolean): Maybe<Dispatch> {
    const { streams } = this.#room
    const name = JSON.stringify(dispatch.resource)
    const count = streams.get(name) ?? 0
    if (count === 0 && streams.size >= STREAMS) streams.delete(streams.keys().next().value as string)
    streams.set(name, count + 1)
    const content = contentOf(dispatch, { sub: [count] })
    return chain(signed(this.#room, undefined, content, undefined, binary), ({ sec }) =>
      signedOuter(dispatch, sec),
    )
  }

  /** Signs a statement about keys, to be sent to whom it concerns. */
  state(body: Json, binary?: boolean): Maybe<Dispatch> {
    const { env } = this.#room
    const token = [env.random.uuid()]
    const dispatch = { method: 'PUT', resource: ['sec', 'trust'], timestamp: env.clock.wall(), token, body }
    return chain(signed(this.#room, undefined, contentOf(dispatch, {}), undefined, binary), ({ sec }) =>
      signedOuter(dispatch, sec),
    )
  }

  /** Signs a statement about keys as a question to that engine, so that its answer can be believed. */
  stateTo(dispatch: Dispatch, key: string): Maybe<Protected> {
    const peer = this.#peer(key)
    const room = this.#room
    return chain(signed(room, undefined, contentOf(dispatch, {})), ({ sec, input }) =>
      chain(refOf(room.provider, input), (bytes) => {
        const transaction = transactionOf(dispatch) as string
        const ref = room.provider.toText(bytes)
        const pending: Pending = { ...NEVER_TRIED, peer, ref, transaction, mode: 'sign', dispatch }
        room.requests.open(pending)
        return {
          kind: 'outer' as const,
          outer: signedOuter(dispatch, sec),
          pending,
          watch: undefined,
          renew: false,
        }
      }),
    )
  }

  /**
   * What must be sent to learn what `protect` needs: an id query in clear, or a handshake. `open` takes the answer and
   * says `learned`. `undefined`: it is on its way already.
   */
  begin(key: string, need: 'id' | 'context'): Maybe<Dispatch | undefined> {
    const peer = this.#peer(key)
    const since = this.#room.env.clock.now() - IN_FLIGHT
    if (need === 'context' && peer.ch) {
      return peer.handshake && peer.handshake.at > since ? undefined : beginHandshake(this.#room, peer)
    }
    return peer.query && peer.query.at > since ? undefined : askId(this.#room, peer)
  }

  /** What a dispatch from a channel is. Results of one channel come in the order of their dispatches. */
  open(outer: Dispatch, from: From): Maybe<Result[]> {
    const result = this.#lanes.run(`in ${from.channel}`, () =>
      outer.sec === undefined ? this.#openClear(outer, from) : this.#openProtected(outer, from),
    )
    return result ?? [fail(this.#room, outer, from, 'full')]
  }

  /** Protects an answer like its request. `undefined`: nobody is left who could read it. */
  answer(request: Opened, answer: Dispatch, binary?: boolean): Maybe<Dispatch | undefined> {
    return answerTo(this.#room, request, answer, binary)
  }

  /** No more answers are wanted: the engine's transaction has ended. */
  close(pending: Pending): void {
    this.#room.requests.end(pending)
  }

  /** The engine has carried out a BIND. Its events go through `event`. */
  subscribed(request: Opened): Maybe<Feed> {
    return subscribed(this.#room, request)
  }

  /** The feed that a RELEASE is about. */
  feedOf({ arrived, dispatch, chan }: Opened): Feed | undefined {
    return dispatch.endpoint && this.#room.feeds.find(arrived.peer, dispatch.endpoint, chan)
  }

  /** Whether a feed still stands: it ends with its context, and with the trust in its key. */
  isServed(feed: Feed): boolean {
    return this.#room.feeds.has(feed)
  }

  /** Ends a feed: released, or its way is gone. */
  unsubscribed(feed: Feed): void {
    this.#room.feeds.remove(feed)
  }

  /** No more events are wanted. */
  unwatch(watch: Watch): void {
    this.#room.watches.remove(watch)
  }

  /** An event for one subscriber. `undefined`: it must not hear it. `origin`: the request that has triggered it. */
  event(feed: Feed, dispatch: Dispatch, origin?: Opened, binary?: boolean): Maybe<Dispatch | undefined> {
    return eventFor(this.#room, feed, dispatch, origin, binary)
  }

  /** Whether anybody may do that, without a key. */
  anonymous(dispatch: Dispatch): boolean {
    const { method, resource, endpoint } = dispatch
    const asked = { method, resource, endpoint, mode: 'sign' as const, isPublic: false }
    return judge(this.#room.trust.anonymous, asked, () => false).kind === 'granted'
  }

  /** The owner has replaced the trust file, or something was revoked, paired or reset. Acts at once. */
  retrust(file?: TrustFile): void {
    if (file) this.#room.trust.reload(file)
    enforce(this.#room)
  }

  /**
   * The list of an issuer, as the body of its authentic answer: to be asked for at start and every 6 h (B9). Acts at once.
   */
  revocations({ pending, dispatch }: Answered): Maybe<Outcome> {
    return chain(this.#room.trust.accept(pending.peer.text, dispatch.body), (outcome) => {
      if (outcome.done) this.#room.trust.fetched()
      enforce(this.#room)
      return outcome
    })
  }

  /** A connection is gone. */
  gone(channel: string): void {
    const { verifying, bad, feeds } = this.#room
    verifying.forget(channel)
    bad.delete(channel)
    for (const feed of feeds.all()) if (feed.channel === channel) feeds.remove(feed)
  }

  /**
   * To be called every 5 s. `beats` are to be sent on their channels, `stale` are subscriptions that have gone silent,
   * `renew` are keys with which a handshake should begin, `late` are public events whose author can't be asked.
   */
  tick(): Maybe<{
    beats: { channel: string; outer: Dispatch }[]
    stale: Watch[]
    renew: string[]
    late: Result[]
  }> {
    const room = this.#room
    const now = room.env.clock.now()
    room.prekeys.tick()
    room.trust.tick()
    room.contexts.tick()
    enforce(room)
    const silent = room.watches.all().filter((watch) => !watch.isStale && now - watch.at >= SILENCE)
    for (const watch of silent) watch.isStale = true
    const renew = new Set<string>()
    for (const { peer, mode } of room.watches.all()) {
      const context = mode === 'ctx' ? room.contexts.best(peer.text) : undefined
      if (mode === 'ctx' && (!context || room.contexts.isAging(context))) renew.add(peer.id)
    }
    const overdue = room.publics.overdue()
    const accepted = room.settings.unconfirmed === 'accept' ? overdue : []
    const late = each(accepted, (arrived) => this.#late(arrived))
    const quiet = room.feeds.all().filter((feed) => now - feed.at >= BEAT)
    const beats = each(quiet, (feed) =>
      chain(beatFor(room, feed), (outer) => ({ channel: feed.channel, outer })),
    )
    return chain(late, (results) =>
      chain(beats, (all) => ({
        beats: all.filter((it): it is { channel: string; outer: Dispatch } => it.outer !== undefined),
        stale: silent,
        renew: [...renew],
        late: results.filter((it) => it !== undefined),
      })),
    )
  }

  /** @throws {JstpError} 401: towards a key that is not pinned nothing is ever sent. */
  #peer(key: string): Peer {
    const peer = peerOf(this.#room, key)
    if (peer) return peer
    throw new JstpError(STATUS.UNAUTHORIZED, `the key ${key} is not in the trust store: add it first`)
  }

  #openClear(outer: Dispatch, from: From): Maybe<Result[]> {
    try {
      refuseReserved(outer)
    } catch {
      return [fail(this.#room, outer, from, 'shape')]
    }
    if (isIdQuery(outer)) {
      return chain(answerId(this.#room, outer), (reply) =>
        reply ? [{ kind: 'reply', reply }] : [fail(this.#room, outer, from, 'budget')],
      )
    }
    if (outer.method !== 'ANSWER') return [{ kind: 'clear' }]
    return [judgeUnprotected(this.#room, outer, from) ?? { kind: 'clear' }]
  }

  #openProtected(outer: Dispatch, from: From): Maybe<Result[]> {
    return chain(openOuter(this.#room, outer, from), (results) => {
      const [first] = results
      if (first?.kind !== 'learned' || first.what !== 'id' || outer.method !== 'ANSWER') return results
      return chain(this.#released(first.author, outer), (held) => [...results, ...held])
    })
  }

  /** The author has said where it stands: what waited for that goes on. */
  #released(author: string, outer: Dispatch): Maybe<Result[]> {
    const room = this.#room
    const peer = peerOf(room, author)
    const { b, n } = outer.sec as { b: string | Uint8Array; n: number }
    const start = typeof b === 'string' ? b : room.provider.toText(b)
    const waiting = peer ? room.publics.heard(peer.text, start, n) : []
    const results = each(waiting, (it) => takeHeld(room, it.item, it.b, it.n) as Maybe<Result>)
    return chain(results, (all) => all.filter((it) => it !== undefined))
  }

  /** By policy: delivered, and marked. */
  #late(arrived: Parameters<typeof takeHeld>[1]): Maybe<Result> {
    const { signed } = arrived
    const b = this.#room.provider.toText(signed?.b as Uint8Array)
    this.#room.publics.heard(arrived.peer.text, b, signed?.n as number)
    return takeHeld(this.#room, arrived, b, signed?.n as number) as Maybe<Result>
  }
}
