// The engine's side of protected requests: what is opened is carried out for its author, and what goes back to him, answers
// and events, is protected as he has asked.

import { type Asker, makeAnswer, type Triggering } from '../core/answers.ts'
import type { Channel } from '../core/channel.ts'
import type { Dispatch } from '../core/dispatch.ts'
import type { Inside } from '../core/guard.ts'
import { Outbound } from '../core/outbound.ts'
import type { Origin } from '../core/owner.ts'
import { STATUS } from '../core/status.ts'
import type { Subscriber, Subscription } from '../core/subscription.ts'
import type { Opened, Result } from './arrived.ts'
import { attempt, UNASKED } from './client.ts'
import type { Feed } from './feeds.ts'
import type { Identity } from './identity.ts'
import type { Candidate } from './pairing.ts'

const BAD = 1008

/** Protects the answers to one request. */
class ProtectedAsker implements Asker {
  #identity: Identity
  #inside: Inside
  #request: Opened
  #outer: Asker

  constructor(identity: Identity, inside: Inside, request: Opened, outer: Asker) {
    this.#identity = identity
    this.#inside = inside
    this.#request = request
    this.#outer = outer
  }

  get open(): number {
    return this.#outer.open
  }

  set open(count: number) {
    this.#outer.open = count
  }

  answered(out: Outbound, final: boolean): void {
    const { env } = this.#inside
    attempt(
      this.#inside,
      () => this.#identity.answer(this.#request, out.dispatch),
      (outer) => outer && this.#outer.answered(new Outbound(outer, env.clock, false), final),
      ({ status, body }) => {
        // Too long to be protected, say: the asker must be told that at least.
        const [, id] = out.dispatch.resource as [number, string]
        if (out.dispatch.resource?.[0] !== status) this.answered(makeAnswer(env, status, id, body), final)
      },
    )
  }

  /** Said under protection to the asker, and in clear to the relays on the way. */
  ended(transaction: string, quiet?: boolean): void {
    if (quiet) return
    const { env } = this.#inside
    attempt(
      this.#inside,
      () =>
        this.#identity.answer(this.#request, makeAnswer(env, STATUS.NO_MORE_ANSWERS, transaction).dispatch),
      (outer) => {
        if (outer) this.#outer.answered(new Outbound(outer, env.clock, false), true)
        this.#outer.ended(transaction)
      },
      () => this.#outer.ended(transaction),
    )
  }
}

/** What one author has bound over one channel. */
class Follower implements Subscriber {
  readonly subscriptions = new Map<string, Subscription>()
  readonly triggerings = new Map<string, Triggering>()
  readonly channel: Channel
  readonly feeds = new Map<string, Feed>()
  #identity: Identity
  #inside: Inside

  constructor(identity: Identity, inside: Inside, channel: Channel) {
    this.#identity = identity
    this.#inside = inside
    this.channel = channel
  }

  trigger({ dispatch }: Outbound, { pattern }: Subscription, _none?: Triggering, origin?: Origin): void {
    const feed = this.feeds.get(pattern.id)
    if (!feed || !dispatch.resource) return
    const { clock, meters } = this.#inside.env
    attempt(
      this.#inside,
      () => this.#identity.event(feed, dispatch, origin?.proof as Opened | undefined),
      (outer) => outer && this.channel.send(new Outbound(outer, clock, false)),
      () => meters.count('drop.event'),
    )
  }

  /** Notes where the events of a pattern go from now on. */
  follow(feed: Feed): void {
    const before = this.feeds.get(feed.pattern.id)
    if (before) this.#identity.unsubscribed(before)
    this.feeds.set(feed.pattern.id, feed)
  }

  unfollow(feed: Feed): void {
    this.#identity.unsubscribed(feed)
    if (this.feeds.get(feed.pattern.id) === feed) this.feeds.delete(feed.pattern.id)
  }
}

export class Served {
  /** Told when a key has shown the code of a pairing. */
  onPairing: ((candidate: Candidate) => void) | undefined
  #identity: Identity
  #inside: Inside
  #channels = new Map<string, Map<string, Follower>>()

  constructor(identity: Identity, inside: Inside) {
    this.#identity = identity
    this.#inside = inside
  }

  received(outer: Dispatch, channel: Channel): void {
    const isRelay = channel.remote !== undefined || outer.hops !== undefined || outer.from !== undefined
    attempt(
      this.#inside,
      () => this.#identity.open(outer, { channel: channel.id, isRelay }),
      (results) => {
        for (const result of results) this.#take(result, outer, channel)
      },
      () => this.#inside.env.meters.count('sec.failed'),
    )
  }

  gone(channel: Channel): void {
    for (const follower of this.#channels.get(channel.id)?.values() ?? []) this.#inside.releaseAll(follower)
    this.#channels.delete(channel.id)
    this.#identity.gone(channel.id)
  }

  /** Says to quiet subscribers that all is well; ends what was withdrawn. */
  tick(beats: { channel: string; outer: Dispatch }[], late: Result[]): void {
    const { clock } = this.#inside.env
    for (const { channel, outer } of beats) this.#channelOf(channel)?.send(new Outbound(outer, clock, false))
    for (const result of late) {
      const channel = result.kind === 'request' ? this.#channelOf(result.arrived.from.channel) : undefined
      if (channel && result.kind === 'request') this.#take(result, result.hop, channel)
    }
    for (const followers of this.#channels.values()) {
      for (const follower of followers.values()) {
        for (const feed of [...follower.feeds.values()]) {
          if (!this.#identity.isServed(feed)) this.#release(follower, feed)
        }
      }
    }
  }

  #channelOf(id: string): Channel | undefined {
    const [follower] = this.#channels.get(id)?.values() ?? []
    return follower?.channel
  }

  #take(result: Result, outer: Dispatch, channel: Channel): void {
    const { env } = this.#inside
    const back = (reply: Dispatch | undefined) => {
      if (reply) channel.askerOf(outer).answered(new Outbound(reply, env.clock, false), true)
    }
    switch (result.kind) {
      case 'request':
        return this.#carryOut(result, outer, channel)
      case 'clear':
        return this.#inside.admit(outer, channel)
      case 'reply':
        return back(result.reply)
      case 'failed':
        back(result.reply)
        if (result.close) channel.close('too many dispatches that are not what they claim to be', BAD)
        return
      case 'ask':
        return channel.send(new Outbound(result.query, env.clock, false))
      case 'pairing': {
        const { id, fingerprint } = result.candidate
        env.log.warn(`a key wants to be paired: ${fingerprint} (${id})`)
        back(result.reply)
        return this.onPairing?.(result.candidate)
      }
    }
  }

  #carryOut(request: Opened, outer: Dispatch, channel: Channel): void {
    const { dispatch, author, stale } = request
    const asker = new ProtectedAsker(this.#identity, this.#inside, request, channel.askerOf(outer))
    const origin: Origin = { channel: channel.id, author, ...(stale && { stale: true }), proof: request }
    if (dispatch.method === 'BIND') return this.#bind(request, origin, asker, channel)
    const follower = this.#followerOf(channel, author)
    if (dispatch.method !== 'RELEASE')
      return this.#inside.perform(dispatch, origin, asker, follower ?? channel)
    const feed = this.#identity.feedOf(request)
    if (feed) follower?.unfollow(feed)
    this.#inside.perform(dispatch, origin, asker, follower ?? channel)
  }

  #bind(request: Opened, origin: Origin, asker: Asker, channel: Channel): void {
    const { author, dispatch } = request
    const follower = this.#followerOf(channel, author) ?? this.#newFollower(channel, author)
    attempt(
      this.#inside,
      () => this.#identity.subscribed(request),
      (feed) => {
        follower.follow(feed)
        // What is pushed wants no answers: who binds like that only watches.
        this.#inside.perform({ ...dispatch, observe: true }, origin, asker, follower)
        if (!follower.subscriptions.has(feed.pattern.id)) follower.unfollow(feed)
      },
      ({ status, body }) => {
        const id = dispatch.token?.[0]
        if (id) asker.answered(makeAnswer(this.#inside.env, status, id, body), true)
      },
    )
  }

  #followerOf(channel: Channel, author: string): Follower | undefined {
    return this.#channels.get(channel.id)?.get(author)
  }

  #newFollower(channel: Channel, author: string): Follower {
    const follower = new Follower(this.#identity, this.#inside, channel)
    const followers = this.#channels.get(channel.id) ?? new Map<string, Follower>()
    this.#channels.set(channel.id, followers.set(author, follower))
    return follower
  }

  #release(follower: Follower, feed: Feed): void {
    follower.unfollow(feed)
    const endpoint = follower.subscriptions.get(feed.pattern.id)?.endpoint
    if (!endpoint) return
    const { clock } = this.#inside.env
    this.#inside.perform({ method: 'RELEASE', endpoint, timestamp: clock.wall() }, {}, UNASKED, follower)
  }
}
