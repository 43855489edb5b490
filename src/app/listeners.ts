// Where the engine listens: tcp, tcps, and http with WebSocket on "/" (design §9.16). A reload opens and closes only what
// has changed.

import { readFileSync } from 'node:fs'
import type { Channel } from '../core/channel.ts'
import type { Env } from '../core/env.ts'
import type { Accept, ListenAt, Listening, Transport } from '../core/transport.ts'
import type { Config, Label, Listen } from '../host/config.ts'
import { LABELS } from '../host/schema.ts'
import { listenOn, place } from '../transports/sockets.ts'
import { tcp, tcps } from '../transports/tcp.ts'
import { attachWs, type WsOptions } from '../transports/ws.ts'
import type { Assets } from './assets.ts'
import { BROKER, type HostEngine } from './engine.ts'
import { answerPage, type Pages } from './pages.ts'

/** What a listener that is open needs to be changed later. */
interface Open {
  at: Listening
  /** For people. */
  shown: ListenAt
  /** Channels that came in by it. */
  channels: Set<Channel>
  /** Asks the engine again what may be done. */
  admit(): void
}

export class Listeners {
  /** What plain HTTP shows. */
  pages: Pages = {}
  /** What the page is made of; without it there is none. */
  assets: Assets | undefined
  #engine: HostEngine
  #env: Env
  /** What the broker is reached by. */
  #broker: Transport | undefined
  #open = new Map<Label, Open>()
  /** Kept, for its lists are read at every connection. */
  #wsOptions: WsOptions

  constructor(engine: HostEngine, env: Env, config: Config, broker?: Transport) {
    this.#engine = engine
    this.#broker = broker
    this.#env = env
    this.#wsOptions = { clock: env.clock, limits: config.limits, meters: env.meters, name: config.name }
    this.adopt(config)
  }

  /** Where it listens, by the label that a hop needs: `{ "tcp": "127.0.0.1:33333" }`. */
  get addresses(): Record<string, string> {
    return Object.fromEntries(
      [...this.#open].map(([label, { shown }]) => [labelOf(label), place(shown.address, shown.port)]),
    )
  }

  /** The address that a listener has in fact. */
  at(label: Label): ListenAt | undefined {
    return this.#open.get(label)?.at
  }

  /** @throws when it can't be had, saying why and what to do */
  async open(label: Label, { listen, limits }: Config): Promise<void> {
    const at = listen[label]
    if (!at) return
    const channels = new Set<Channel>()
    // Whoever comes through a broker on this machine may be anywhere.
    const from = label === 'mqtt' ? BROKER : at.address
    let accept: Accept = this.#engine.acceptorOf(label, from)
    const take: Accept = (pipe, codec) => {
      const channel = accept(pipe, codec)
      // Those that are closed are let go now and then.
      if (channels.size > 2 * this.#engine.sizes.channels + 16) {
        for (const known of channels) if (known.closed) channels.delete(known)
      }
      channels.add(channel)
      return channel
    }
    const shared = { clock: this.#env.clock, limits, meters: this.#env.meters }
    const listening = await {
      tcp: () => tcp(shared).listen?.(at, take),
      tcps: () => tcps({ ...shared, ...readCertificates(listen) }).listen?.(at, take),
      http: () => this.#serve(at, take),
      mqtt: () => this.#broker?.listen?.(at, take),
    }[label]()
    const admit = () => {
      accept = this.#engine.acceptorOf(label, from)
      for (const channel of channels) channel.access = this.#engine.rulesOf(label, from)
    }
    const shown = label === 'mqtt' ? at : (listening as Listening)
    this.#open.set(label, { at: listening as Listening, shown, channels, admit })
    this.#tell()
    this.#env.log.info(`listening on ${place(at.address, shown.port)} by ${label}`)
  }

  /** Takes over who may do what, for channels that are open too. */
  adopt({ http }: Config): void {
    Object.assign(this.#wsOptions, http)
    for (const { admit } of this.#open.values()) admit()
  }

  /** Closes a listener; its channels stay. */
  async shut(label: Label): Promise<void> {
    const open = this.#open.get(label)
    this.#open.delete(label)
    this.#tell()
    await open?.at.close()
  }

  async close(): Promise<void> {
    await Promise.all(LABELS.map((label) => this.shut(label)))
  }

  #tell(): void {
    this.#engine.listensOnly([...this.#open].map(([label, { at }]) => [labelOf(label), at]))
  }

  async #serve(at: ListenAt, take: Accept): Promise<Listening> {
    // Not loaded where it is not spoken.
    const [{ HttpFace }, { httpServer }] = await Promise.all([
      import('../transports/http.ts'),
      import('../transports/http-server.ts'),
    ])
    const { name, answerTimeout, limits } = this.#engine
    const { clock, meters, random } = this.#env
    const access = () => this.#engine.rulesOf('http', at.address)
    const face = new HttpFace({
      accept: take,
      clock,
      limits,
      meters,
      answerTimeout,
      trusted: this.#wsOptions,
      uuid: random.uuid,
      page: (request, response) =>
        answerPage(request, response, { name, pages: this.pages, assets: this.assets, access }),
    })
    const server = httpServer({ clock, limits, meters, answering: face.answering, handle: face.handle })
    attachWs(server, take, this.#wsOptions)
    const listening = await listenOn(server, at, 'listen.http')
    return {
      ...listening,
      async close() {
        await listening.close()
        server.closeIdleConnections()
      },
    }
  }
}

/** WebSocket on the HTTP port is `ws` in a hop. */
function labelOf(label: Label): string {
  return label === 'http' ? 'ws' : label
}

function readCertificates({ tls }: Listen): { key: string; cert: string } {
  if (!tls) throw new Error('listen.tcps needs a key: give listen.tls')
  return { key: readPem('key', tls.key), cert: readPem('cert', tls.cert) }
}

function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`listen.tls.${name}: ${(error as Error).message}`, { cause: error })
  }
}
