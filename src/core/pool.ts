// The connections to other hosts, one for each target and more where two askers use the same transaction id (design
// §9.13), and those that hosts have made to us.

import type { Asker } from './answers.ts'
import type { Channel } from './channel.ts'
import type { Pattern } from './endpoint.ts'
import type { Env } from './env.ts'
import { type Backoff, type Relay, Remote, type RemoteEvents } from './remote.ts'
import { nameOf, type Target } from './route.ts'
import { keyIn, type Subscriber } from './subscription.ts'

const MOST = 1000
const SIBLINGS = 16

export interface PoolOptions {
  answerTimeout: number
  backoff: Backoff
  dial(remote: Remote, signal: AbortSignal): Promise<Channel>
}

export class Pool {
  #env: Env
  #options: PoolOptions
  #failed: RemoteEvents['failed']
  #remotes = new Map<string, Remote>()

  constructor(env: Env, options: PoolOptions, failed: RemoteEvents['failed']) {
    this.#env = env
    this.#options = options
    this.#failed = failed
  }

  /** By the `via` of what is bound through it. */
  get(key: string): Remote | undefined {
    return this.#remotes.get(key)
  }

  /** Another one to the same target while somebody else's transaction has that id. `undefined`: too many. */
  find(target: Target, id: string | undefined, asker: Asker): Remote | undefined {
    const name = nameOf(target)
    for (let turn = 1; turn <= SIBLINGS; turn++) {
      const key = turn === 1 ? name : `${name}#${turn}`
      const known = this.#remotes.get(key)
      const relay = known && id ? known.relays.get(id) : undefined
      if (known && (!relay || isSameQuestion(relay, asker))) return known
      if (known?.isTheirs) return undefined
      if (known) continue
      if (this.#remotes.size >= MOST) return undefined
      const remote = this.#add(target, key)
      remote.rest()
      return remote
    }
    return undefined
  }

  /** To who has opened this channel. */
  of(channel: Channel): Remote {
    if (channel.remote) return channel.remote
    const target = { address: channel.id, port: 0, transport: 'channel' }
    const remote = this.#add(target, nameOf(target))
    remote.isTheirs = true
    remote.channel = channel
    channel.remote = remote
    return remote
  }

  boundThrough(target: Target, pattern: Pattern, { subscriptions }: Subscriber): Remote | undefined {
    const name = nameOf(target)
    for (const remote of this.#remotes.values()) {
      if (nameOf(remote.target) === name && subscriptions.has(keyIn(remote.key, pattern))) return remote
    }
    return undefined
  }

  close(): void {
    for (const remote of [...this.#remotes.values()]) remote.close()
  }

  #add(target: Target, key: string): Remote {
    const remote: Remote = new Remote(target, key, this.#env, this.#options.backoff, {
      dial: (it) => this.#dial(it),
      failed: this.#failed,
      idle: (it) => void this.#remotes.delete(it.key),
    })
    this.#remotes.set(key, remote)
    return remote
  }

  async #dial(remote: Remote): Promise<Channel> {
    const abort = new AbortController()
    const ms = this.#options.answerTimeout
    const cancel = this.#env.clock.after(ms, () => abort.abort(new Error(`no connection within ${ms} ms`)))
    try {
      return await this.#options.dial(remote, abort.signal)
    } finally {
      cancel()
    }
  }
}

/** What is protected again is one question still. */
export function isSameQuestion(relay: Relay | undefined, asker: Asker): boolean {
  return relay?.asker === asker && asker.holds !== undefined
}
