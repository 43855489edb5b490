// A connection of ours to a broker, as a pipe: every frame goes to the engine whose name comes first in its `to`.

import type { Channel } from '../core/channel.ts'
import type { Frame, Pipe } from '../core/transport.ts'
import { type Heading, readHeading } from './mqtt-envelope.ts'
import type { Node } from './mqtt-node.ts'
import { type Target, Way } from './mqtt-way.ts'

export interface DialedOptions {
  /** `undefined`: the name stands for nobody. */
  resolve(name: string): Target | undefined
  /** Milliseconds that somebody waits for an answer. */
  patience: number
  renewed(node: string): void
}

/** Milliseconds without a broker after which this connection is over. */
const LOST = 30_000
/** Conversations with those that serve one name: the broker deals them out, and each question goes where fewest are open. */
const MEMBERS = 4

export class Dialed implements Pipe {
  readonly transport: string
  readonly remote: string
  channel: Channel | undefined
  #node: Node
  #options: DialedOptions
  #ways = new Map<string, Way>()
  #isFull = false
  #isClosing = false
  #isOver = false
  #watch: () => void

  constructor(node: Node, options: DialedOptions) {
    this.#node = node
    this.#options = options
    this.transport = node.options.label
    this.remote = node.options.where
    this.#watch = this.#lookLater(undefined)
  }

  write(frame: Frame): boolean {
    if (this.#isClosing || typeof frame !== 'string') return true
    const heading = readHeading(frame)
    const way = this.#wayTo(heading)
    if (typeof way !== 'string') {
      way.write(heading)
      this.#isFull ||= way.isFull
    } else if (heading.id !== undefined && heading.method !== 'ANSWER') {
      this.#answer(heading.id, 502, { message: way, code: 'unreachable' })
    } else this.#node.options.env.meters.count('drop.mqtt')
    return !this.#isFull
  }

  close(_reason: string): void {
    if (this.#isClosing) return
    this.#isClosing = true
    for (const way of [...this.#ways.values()]) way.close()
    this.#rest()
  }

  #wayTo({ name, method }: Heading): Way | string {
    if (name === undefined)
      return 'a broker is no engine: give the name of one behind it in `to`, such as [["broker.local",1883,"mqtt"],"cocina"]'
    const known = this.#ways.get(name)
    if (known) return known
    const target = this.#options.resolve(name)
    if (!target)
      return `no key of the trust file has the name ${JSON.stringify(name)}: only engines that are trusted are found at a broker`
    if ('node' in target) return this.#begin(name, name, target)
    return this.#member(name, target, method === 'BIND' || method === 'RELEASE')
  }

  /** One of those that serve it. Subscriptions are all at the first, so that they are found again. */
  #member(name: string, target: Target, isFirst: boolean): Way {
    const keys = Array.from({ length: isFirst ? 1 : MEMBERS }, (_, i) => `${name}\n${i}`)
    const missing = keys.find((key) => !this.#ways.has(key))
    const ways = keys.flatMap((key) => this.#ways.get(key) ?? [])
    const [best] = ways.toSorted((one, other) => one.open - other.open)
    // Another one is begun only when all have something to do.
    if (best && (missing === undefined || best.open === 0)) return best
    return this.#begin(missing as string, name, target)
  }

  #begin(key: string, name: string, target: Target): Way {
    const way = new Way(this.#node, {
      name,
      target,
      patience: this.#options.patience,
      receive: (frame) => this.channel?.receive(frame),
      answer: (id, status, body) => this.#answer(id, status, body),
      drained: () => this.#drained(),
      renewed: (node) => this.#options.renewed(node),
      gone: () => {
        if (this.#ways.get(key) === way) this.#ways.delete(key)
        this.#drained()
        this.#rest()
      },
    })
    this.#ways.set(key, way)
    return way
  }

  #drained(): void {
    if (!this.#isFull || [...this.#ways.values()].some((way) => way.isFull)) return
    this.#isFull = false
    this.channel?.drained()
  }

  /** Answers in the place of the other engine; never while the core is in the middle of asking. */
  #answer(
    id: string,
    status: number,
    body: { [name: string]: string | boolean | number | null | object },
  ): void {
    const { codec, env } = this.#node.options
    const say = (resource: [number, string, string], body?: object) => {
      const dispatch = { method: 'ANSWER', resource, timestamp: env.clock.wall(), ...(body && { body }) }
      this.channel?.receive(codec.close(codec.stem(dispatch as never, '0.6'), {}, '0.6'))
    }
    env.meters.count('mqtt.answered')
    queueMicrotask(() => {
      say([status, id, env.random.uuid()], body)
      say([101, id, env.random.uuid()])
    })
  }

  #lookLater(since: number | undefined): () => void {
    const { clock } = this.#node.options.env
    return clock.after(1000, () => {
      const now = clock.now()
      const down = this.#node.isUp ? undefined : (since ?? now)
      for (const [key, way] of [...this.#ways]) if (key.includes('\n') && way.isSpent) way.finish()
      // A way that was stuck may hold up nobody any more.
      this.#drained()
      if (down !== undefined && now - down >= LOST) return this.#lost()
      this.#watch = this.#lookLater(down)
    })
  }

  #lost(): void {
    const { where, label } = this.#node.options
    const reason = `the broker ${where} can't be reached by ${label}: ${this.#node.link.cause}`
    for (const way of [...this.#ways.values()]) way.fail(reason)
    // After what was said of the questions.
    queueMicrotask(() => this.close(reason))
  }

  #rest(): void {
    if (!this.#isClosing || this.#ways.size > 0 || this.#isOver) return
    this.#isOver = true
    this.#watch()
    this.#node.leave()
    this.channel?.end('it is closed')
  }
}
