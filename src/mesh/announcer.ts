// Tells other engines which names this one serves, over connections that are kept (design §6): so they can send here, also
// where they could not connect to us.

import type { Asker } from '../core/answers.ts'
import type { BalancerInside } from '../core/balancer.ts'
import type { Dispatch, Hop } from '../core/dispatch.ts'
import type { Subscriber } from '../core/subscription.ts'
import { Watch } from './watch.ts'

export const ANNOUNCE = ['engine', 'announce']
const NOBODY: Subscriber = { subscriptions: new Map(), triggerings: new Map(), trigger() {} }

export class Announcer {
  #inside: BalancerInside
  #peers: Exclude<Hop, string>[]
  #names: string[]
  #watches: Watch[] = []

  constructor(inside: BalancerInside, peers: Exclude<Hop, string>[], names: string[]) {
    this.#inside = inside
    this.#peers = peers
    this.#names = names
  }

  start(): void {
    this.#watches = this.#peers.map((peer) => this.#keep(peer))
    for (const watch of this.#watches) watch.start()
  }

  /** This engine serves nothing any more; the connections stay for what is still to be answered. */
  withdraw(): void {
    this.#names = []
    for (const peer of this.#peers) this.#announce(peer)
  }

  close(): void {
    for (const watch of this.#watches) watch.close()
  }

  /** A subscription keeps the connection, and comes back with it. */
  #keep(peer: Exclude<Hop, string>): Watch {
    const { env, release } = this.#inside
    const place = peer.slice(0, 2).join(':')
    return new Watch({
      env,
      endpoint: { method: 'PUT', resource: ANNOUNCE },
      send: (dispatch, asker, subscriber) =>
        this.#inside.dispatch({ ...dispatch, to: [peer] }, asker, subscriber),
      release,
      onUp: (refused) => {
        if (refused === undefined) this.#announce(peer)
        else
          env.log.warn(
            `${place} does not let us bind ["engine","announce"] (${refused}): it needs BIND and POST there`,
          )
      },
      onDown: () => env.log.info(`${place} is away: nothing can be announced there`),
      onReport() {},
    })
  }

  #announce(peer: Exclude<Hop, string>): void {
    const { env } = this.#inside
    const names = this.#names
    const asker: Asker = {
      open: 0,
      answered: ({ dispatch: { resource, body } }) => {
        const status = resource?.[0] as number
        if (status < 400)
          return env.log.info(`announced to ${peer[0]}:${peer[1]}: ${names.join(', ') || 'nothing'}`)
        env.log.warn(`${peer[0]}:${peer[1]} does not take ${names.join(', ')} from us (${status})`, { body })
      },
      ended() {},
    }
    const dispatch: Dispatch = {
      method: 'POST',
      resource: ANNOUNCE,
      timestamp: env.clock.wall(),
      body: { names },
    }
    this.#inside.dispatch({ ...dispatch, to: [peer], token: [env.random.uuid()] }, asker, NOBODY)
  }
}
