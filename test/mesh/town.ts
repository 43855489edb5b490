// Engines of one process that meet in a memory hub, on a clock that the test drives: replicas of a service that count what
// they do, and engines that balance.

import type { Rule } from '../../src/core/access.ts'
import type { BalancerInside } from '../../src/core/balancer.ts'
import { TestClock } from '../../src/core/clock.ts'
import type { Hop, Json } from '../../src/core/dispatch.ts'
import { Door, type DoorOptions } from '../../src/core/door.ts'
import { Meters } from '../../src/core/meters.ts'
import type { Handler, Owner } from '../../src/core/owner.ts'
import { type Answer, AnswerStream } from '../../src/core/stream.ts'
import type { Listening, Transport } from '../../src/core/transport.ts'
import { Mesh, type MeshOptions } from '../../src/mesh/index.ts'
import { type MemoryPair, memoryHub } from '../../src/transports/memory.ts'

const OPEN: Rule[] = [{ method: ['*'], resource: ['...'] }]

export type Address = Exclude<Hop, string>

export interface NodeOptions extends Omit<DoorOptions, 'transports' | 'balancer'>, MeshOptions {}

export class Town {
  readonly clock = new TestClock()
  readonly hub = memoryHub()
  readonly nodes: Node[] = []
  readonly asked: AnswerStream[] = []
  #ids = 0

  /** A node that listens under its name. */
  async node(name: string, options: NodeOptions = {}): Promise<Node> {
    const node = new Node(this, name, options)
    this.nodes.push(node)
    await node.open()
    return node
  }

  /** A node that serves `docs`. */
  async replica(name: string, options: NodeOptions = {}): Promise<Replica> {
    const node = new Replica(this, name, options)
    this.nodes.push(node)
    await node.open()
    return node
  }

  uuid(): string {
    return `00000000-0000-4000-8000-${(++this.#ids).toString(16).padStart(12, '0')}`
  }

  /** Lets time pass. */
  pass(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  /** Ends all. Nothing may be left. */
  async end(): Promise<void> {
    await this.pass(60_000)
    const counted = this.asked.filter(({ open }) => open !== 0)
    if (counted.length > 0) throw new Error(`${counted.length} questions count as open still`)
    const left = this.nodes.map(
      ({ name, engine, mesh }) => [name, { ...engine.sizes, ...mesh.sizes }] as const,
    )
    for (const node of this.nodes) await node.close()
    await this.pass(1000)
    for (const [name, { transactions, relays, bounds, legs, open }] of left) {
      const sizes = { transactions, relays, bounds, legs, open }
      if (Object.values(sizes).some((size) => size !== 0))
        throw new Error(`left in ${name}: ${JSON.stringify(sizes)}`)
    }
    for (const { name, engine, mesh } of this.nodes) {
      const sizes = Object.entries({ ...engine.sizes, ...mesh.sizes }).filter(([, size]) => size > 0)
      if (sizes.length > 0) throw new Error(`left in ${name} after its end: ${JSON.stringify(sizes)}`)
    }
    if (this.clock.pending > 0) throw new Error(`${this.clock.pending} timers are left`)
  }
}

let seeds = 1

/** Lets a test do what only the guard can: hand in a dispatch whose author is known. */
class OpenMesh extends Mesh {
  inside!: BalancerInside

  override attach(inside: BalancerInside): void {
    this.inside = inside
    super.attach(inside)
  }
}

export class Node {
  readonly name: string
  readonly at: Address
  readonly engine: Door
  readonly mesh: OpenMesh
  readonly meters = new Meters()
  readonly lines: string[] = []
  readonly town: Town
  protected own: Owner
  #nobody = { subscriptions: new Map(), triggerings: new Map(), trigger() {} }
  #dialed: MemoryPair[] = []
  #listening: Listening | undefined

  constructor(town: Town, name: string, { services, announce, peers, ...options }: NodeOptions) {
    this.town = town
    this.name = name
    this.at = [name, 1, 'memory']
    this.mesh = new OpenMesh({ services, announce, peers })
    let seed = seeds++ * 7919
    const fraction = () => {
      seed = (seed * 16807) % 2147483647
      return seed / 2147483647
    }
    const write = (level: string) => (text: string) => void this.lines.push(`${level}: ${text}`)
    const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
    const env = { clock: town.clock, log, meters: this.meters, random: { uuid: () => town.uuid(), fraction } }
    const transports = [this.#transport(town)]
    this.engine = new Door(env, { access: OPEN, ...options, name, transports, balancer: this.mesh }, 'memory')
    this.own = this.engine.own('engine')
    this.mesh.expose(this.own, () => this.drained())
  }

  async open(): Promise<void> {
    this.#listening = await this.engine.listen('memory', { address: this.name, port: 1 })
    this.mesh.start()
  }

  counted(meter: string): number {
    return this.meters.read()[meter] ?? 0
  }

  /** Asks the service `docs` from this process. */
  ask(
    method: string,
    { to = ['docs'], ...options }: { to?: Hop[]; body?: Json; expires?: number } = {},
  ): Promise<Answer[]> {
    const dispatch = { method, resource: ['docs', 'page'], timestamp: this.town.clock.wall(), ...options }
    return this.say({ ...dispatch, to })
  }

  /** Gives a dispatch with an answer to the engine. Resolves with all answers when it has ended. */
  async say(dispatch: Parameters<Door['dispatch']>[0]): Promise<Answer[]> {
    const { engine, town } = this
    const stream = new AnswerStream(town.clock, undefined, undefined, true)
    const inside = engine as unknown as { dispatch(...it: [typeof dispatch, AnswerStream, object]): void }
    inside.dispatch({ token: [town.uuid()], ...dispatch }, stream, this.#nobody)
    town.asked.push(stream)
    return stream.all()
  }

  /** The process is gone: every connection breaks, nobody listens. */
  async kill(): Promise<void> {
    await this.#listening?.close()
    for (const pair of this.#pairs()) pair.cut('killed')
    await this.engine.close(0)
  }

  /** Nothing comes through any more, though no connection breaks. */
  freeze(): void {
    for (const pair of this.#pairs()) pair.hold()
  }

  thaw(): void {
    for (const pair of this.#pairs()) pair.flow()
  }

  async close(): Promise<void> {
    await this.#listening?.close()
    await this.engine.close(0)
  }

  protected drained(): void {}

  #pairs(): MemoryPair[] {
    const { pairs } = this.town.hub
    return pairs.filter((pair) => pair.name === `${this.name}:1` || this.#dialed.includes(pair))
  }

  #transport({ hub }: Town): Transport {
    const transport = hub.transport()
    return {
      ...transport,
      dial: async (...it) => {
        const channel = await transport.dial(...it)
        const pair = hub.pairs.at(-1)
        if (pair) this.#dialed.push(pair)
        return channel
      },
    }
  }
}

/** Serves `["docs", …]`, and tells how full it is. */
export class Replica extends Node {
  /** Every dispatch that was carried out, by method. */
  readonly done: { method: string; body: Json | undefined }[] = []
  /** How it answers. */
  serve: Handler = () => this.name
  saturation: { [name: string]: Json } = { saturation: 0.2, state: 'ok', cause: 'cpu', draining: false }
  #stop: (() => void) | undefined

  constructor(town: Town, name: string, options: NodeOptions) {
    super(town, name, options)
    const docs = this.engine.own('docs')
    for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']) {
      docs.handle(method, ['...'], (request) => {
        this.done.push({ method, body: request.dispatch.body })
        return this.serve(request)
      })
    }
    this.own.handle('GET', ['saturation'], () => this.saturation)
  }

  override async open(): Promise<void> {
    await super.open()
    const tick = () => {
      this.report()
      this.#stop = this.town.clock.after(1000, tick)
    }
    tick()
  }

  /** Reports at once. */
  report(change: { [name: string]: Json } = {}): void {
    this.saturation = { ...this.saturation, ...change }
    this.own.report(['saturation'], this.saturation)
  }

  override async kill(): Promise<void> {
    this.#stop?.()
    await super.kill()
  }

  override async close(): Promise<void> {
    this.#stop?.()
    await super.close()
  }

  protected override drained(): void {
    this.report({ draining: true })
  }
}

/** Status and body of every answer. */
export function told(answers: Answer[]): [number, Json | undefined][] {
  return answers.map(({ status, body }) => [status, body])
}

export function codeOf([answer]: Answer[]): Json | undefined {
  const { body } = answer ?? {}
  return typeof body === 'object' && body !== null && !Array.isArray(body) ? body.code : undefined
}

/** Two replicas and an engine that balances. */
export async function pair(
  service: NonNullable<MeshOptions['services']>[string] = {},
  options: NodeOptions = {},
) {
  const town = new Town()
  const one = await town.replica('one')
  const two = await town.replica('two')
  const replicas = [one.at, two.at]
  const relay = await town.node('relay', { services: { docs: { replicas, ...service } }, ...options })
  return { town, one, two, relay }
}

/** A promise to be looked at: what it has become, `undefined` while it has not. */
export function watch<T>(promise: Promise<T>): { value: T | undefined } {
  const seen: { value: T | undefined } = { value: undefined }
  promise.then((value) => {
    seen.value = value
  })
  return seen
}
