// Both ends of subscriptions (spec B8, R8): the feeds that we serve, and the watches that we keep on others.

import type { Dispatch, Element, Endpoint } from '../core/dispatch.ts'
import { type Pattern, readEndpoint } from '../core/endpoint.ts'
import { JstpError, STATUS } from '../core/status.ts'
import type { Peer } from './peers.ts'
import { type Mode, reaches } from './rights.ts'
import { Window } from './window.ts'

const FEEDS = 10_000
const WATCHES = 10_000
const AUTHORS = 64

/** Without an event for so long a beat is sent, so that silence means something. */
export const BEAT = 30_000
/** Without a beat for so long the subscription is stale. */
export const SILENCE = 55_000

/** The resource of an event that says nothing but that all is well. */
export const BEAT_RESOURCE: Element[] = ['sec', 'beat']

/** A subscription that a peer has here. */
export interface Feed {
  peer: Peer
  /** base64url of the ref of its BIND. */
  ref: string
  /** Where it wants its events, 16 random bytes as text; none in `sign`. */
  chan: string | undefined
  mode: Mode
  pattern: Pattern
  /** The counter of the next event. */
  next: number
  /** When the last one was sent. */
  at: number
  /** The engine's own: by which way the events go. */
  channel: string
}

/** A subscription that we have at a peer. */
export interface Watch {
  peer: Peer
  ref: string
  chan: string | undefined
  mode: Mode
  pattern: Pattern
  endpoint: Endpoint
  /** The counter of the last event. */
  last: number
  /** When something was heard. */
  at: number
  isStale: boolean
  /** What was heard of third parties, by author and start. */
  origins: Map<string, Window>
}

export class Feeds {
  #feeds = new Map<string, Feed>()

  get size(): number {
    return this.#feeds.size
  }

  /** @throws {JstpError} 500 when there are too many. */
  add(feed: Feed): void {
    if (this.#feeds.size >= FEEDS) {
      throw new JstpError(STATUS.FAILED, `more than ${FEEDS} protected subscriptions`, { code: 'full' })
    }
    this.#feeds.set(`${feed.peer.text} ${feed.ref}`, feed)
  }

  /** What a RELEASE of that peer is about. */
  find(peer: Peer, endpoint: Endpoint, chan: string | undefined): Feed | undefined {
    const { id } = patternOf(endpoint)
    for (const feed of this.#feeds.values()) {
      if (feed.peer.text === peer.text && feed.pattern.id === id && feed.chan === chan) return feed
    }
    return undefined
  }

  has({ peer, ref }: Feed): boolean {
    return this.#feeds.has(`${peer.text} ${ref}`)
  }

  remove({ peer, ref }: Feed): void {
    this.#feeds.delete(`${peer.text} ${ref}`)
  }

  all(): Feed[] {
    return [...this.#feeds.values()]
  }
}

export class Watches {
  #watches = new Map<string, Watch>()

  get size(): number {
    return this.#watches.size
  }

  /** A new BIND of the same endpoint takes the place of the one before; a second try stands beside the first. */
  add(watch: Watch, isAgain: boolean): void {
    const before = this.bound(watch.peer, watch.endpoint)
    if (before && !isAgain) this.remove(before)
    if (this.#watches.size >= WATCHES) {
      throw new JstpError(STATUS.FAILED, `more than ${WATCHES} protected subscriptions`, { code: 'full' })
    }
    this.#watches.set(`${watch.peer.text} ${watch.ref}`, watch)
  }

  find(peer: Peer, ref: string): Watch | undefined {
    return this.#watches.get(`${peer.text} ${ref}`)
  }

  bound(peer: Peer, endpoint: Endpoint): Watch | undefined {
    const { id } = patternOf(endpoint)
    for (const watch of this.#watches.values()) {
      if (watch.peer.text === peer.text && watch.pattern.id === id) return watch
    }
    return undefined
  }

  /** One of the tries was answered: the others have come to nothing. */
  keep(watch: Watch): void {
    for (const other of this.#watches.values()) {
      const isSame = other.peer.text === watch.peer.text && other.pattern.id === watch.pattern.id
      if (isSame && other !== watch) this.remove(other)
    }
  }

  remove({ peer, ref }: Watch): void {
    this.#watches.delete(`${peer.text} ${ref}`)
  }

  all(): Watch[] {
    return [...this.#watches.values()]
  }
}

export function isBeat({ method, resource }: Dispatch): boolean {
  return method === 'PUT' && resource?.length === 2 && resource[0] === 'sec' && resource[1] === 'beat'
}

/** Whether an event is one that was asked for. */
export function isAsked({ pattern }: Watch | Feed, { method, resource }: Dispatch): boolean {
  return (
    (pattern.method === '*' || pattern.method === method) && reaches(pattern.steps, resource as Element[])
  )
}

/** Notes what a third party has signed. `false`: heard before, or too many authors to tell. */
export function markOrigin({ origins }: Watch, key: string, n: number): boolean {
  const window = origins.get(key) ?? new Window()
  if (!origins.has(key) && origins.size >= AUTHORS) return false
  origins.set(key, window)
  return window.mark(n)
}

export function patternOf(endpoint: Endpoint): Pattern {
  return readEndpoint(endpoint, 'quirks')
}
