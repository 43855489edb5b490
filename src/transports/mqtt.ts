// JSTP over an MQTT broker (design §6, §9.22-24): the broker carries, and learns nothing but who speaks with whom. A hop such as
// ["broker.local",1883,"mqtt"] is followed by the name of an engine.

import { jsonCodec } from '../codec/json.ts'
import type { Channel } from '../core/channel.ts'
import type { Env } from '../core/env.ts'
import { LIMITS, type Limits } from '../core/limits.ts'
import type { Accept, Listening, Transport } from '../core/transport.ts'
import type { LinkSettings } from './mqtt-link.ts'
import type { Node, Presence } from './mqtt-node.ts'
import type { Target } from './mqtt-way.ts'
import { place } from './sockets.ts'

export type { Presence } from './mqtt-node.ts'

export interface MqttOptions {
  env: Env
  limits?: Limits
  /** `R`: engines of other realms at the same broker are not met. */
  realm?: string
  /** `N`, our own: 32 hex digits. */
  node: string
  /** A name for this run of the program. */
  boot: string
  presence: Presence
  /** Milliseconds. */
  answerTimeout: number
  /** Whom a name stands for; `undefined`: nobody. */
  resolve(name: string): Target | undefined
  /** What a broker wants to know of us; asked for at every broker, for only one may know the password. */
  credentials?(host: string, port: number): Pick<LinkSettings, 'user' | 'password' | 'ca'>
  /** A connection of ours: what may be done over it is said here. */
  admit?(channel: Channel): void
  /** An engine that we have something bound at is another run than before: what is protected has to be bound again. */
  renewed?(node: string): void
  /** Numbers of the services that we take new conversations for. */
  services?: string[]
}

export interface MqttTransport extends Transport {
  /** Takes new conversations for these services, and for no others, wherever it listens. */
  share(services: string[]): void
  /** Waits until every broker that we have left knows it. */
  closed(): Promise<void>
}

/** Milliseconds for what is still to be said before we leave, and between looks whether it is. */
const LEAVING = 1000
const STEP = 20
/** Given up after as much as the engine itself waits for a host. */
const PATIENCE = 1.15

/** JSTP over a broker by `mqtt`, with TLS by `mqtts`. Nodes of both are apart. */
export function mqtt(options: MqttOptions, label: 'mqtt' | 'mqtts' = 'mqtt'): MqttTransport {
  const { env, limits = LIMITS, realm = 'home', node, boot, presence, answerTimeout } = options
  const codec = jsonCodec(limits)
  const nodes = new Map<string, Node>()
  const leaving = new Set<Promise<void>>()
  let services = options.services ?? []

  const nodeAt = async (host: string, port: number): Promise<Node> => {
    // Loaded when the first broker is wanted.
    const { Node } = await import('./mqtt-node.ts')
    const where = place(host, port)
    const known = nodes.get(where)
    if (known) return known
    const link = { host, port, isTls: label === 'mqtts', ...options.credentials?.(host, port) }
    const made = new Node({ env, limits, codec, realm, node, boot, presence, link, where, label }, () => {
      if (nodes.get(where) === made) nodes.delete(where)
      const { closed } = made
      if (!closed) return
      leaving.add(closed)
      closed.finally(() => leaving.delete(closed)).catch(() => {})
    })
    nodes.set(where, made)
    return made
  }

  const listening = new Set<Node>()
  return {
    label,
    share(now) {
      services = now
      for (const it of listening) it.share(now)
    },
    async closed() {
      for (let turn = 0; turn < LEAVING / STEP && nodes.size > 0; turn++) {
        await new Promise<void>((resolve) => void env.clock.after(STEP, resolve))
      }
      await Promise.allSettled(leaving)
    },
    /** At a broker: it goes on trying while there is none. What is listened to is the inbox, so that is the address. */
    async listen({ address, port }, accept: Accept): Promise<Listening> {
      const at = await nodeAt(address, port)
      at.serve(accept, services)
      at.stay()
      listening.add(at)
      return {
        address: node,
        port: 0,
        async close() {
          if (!listening.delete(at)) return
          at.unserve()
          at.leave()
        },
      }
    },
    async dial(address, port, accept, signal) {
      const { Dialed } = await import('./mqtt-dialed.ts')
      const at = await nodeAt(address, port)
      const where = `${place(address, port)} by ${label}`
      const aborted = new Promise<never>((_, reject) => {
        const give = () =>
          reject(new Error(`Can't reach ${where}: it took too long, or nobody needs it any more`))
        signal.addEventListener('abort', give, { once: true })
        if (signal.aborted) give()
      })
      const joining = at.join()
      joining.catch(() => {})
      try {
        await Promise.race([joining, aborted])
      } catch (error) {
        // What comes too late is for nobody.
        if (signal.aborted) joining.then(() => at.leave()).catch(() => {})
        throw error
      }
      const pipe = new Dialed(at, {
        resolve: options.resolve,
        patience: answerTimeout * PATIENCE,
        renewed: (peer) => options.renewed?.(peer),
      })
      pipe.channel = accept(pipe, codec)
      options.admit?.(pipe.channel)
      return pipe.channel
    },
  }
}
