// Whole engines with keys, in one process: they meet at a hub, over relays that can hold, change and record what passes.

import { randomUUID } from 'node:crypto'
import { TestClock } from '../../src/core/clock.ts'
import type { Hop } from '../../src/core/dispatch.ts'
import { Door, type DoorOptions } from '../../src/core/door.ts'
import type { Log } from '../../src/core/env.ts'
import { Meters } from '../../src/core/meters.ts'
import type { Accept, Frame, Pipe, Transport } from '../../src/core/transport.ts'
import { formatUri } from '../../src/core/uri.ts'
import { didOf } from '../../src/identity/did.ts'
import { Guard, type GuardOptions } from '../../src/identity/guard.ts'
import { lastingPrekeys } from '../../src/identity/prekeys.ts'
import type { Signer } from '../../src/identity/provider.ts'
import type { RightData } from '../../src/identity/rights.ts'
import type { Settings } from '../../src/identity/room.ts'
import { Trust } from '../../src/identity/trust.ts'
import { readTrust } from '../../src/identity/trust-file.ts'
import { type MemoryHub, memoryHub } from '../../src/transports/memory.ts'
import { node, range } from './kit.ts'
import { fileOf, type Known, SEEDS } from './parties.ts'

/** What a relay makes of a frame that it passes on: `[frame]` as it is, `[]` nothing, several. */
export type Tamper = (frame: Frame) => Frame[]

export interface EngineOfOptions extends DoorOptions {
  knows?: Known[]
  anonymous?: RightData[]
  settings?: Partial<Settings>
  guard?: never
  tamper?: Tamper
  port?: number
  more?: Partial<GuardOptions>
}

export interface Party {
  engine: Door
  guard: Guard
  signer: Signer
  id: string
  meters: Meters
  lines: string[]
  /** Where it listens. */
  hop: Hop
}

/** One place where engines meet. */
export class Town {
  readonly clock = new TestClock()
  readonly hub: MemoryHub = memoryHub()
  #engines: Door[] = []
  #port = 0

  /** An engine that listens, with the key of that seed. */
  async engine(seed: number, options: EngineOfOptions = {}): Promise<Party> {
    const { knows = [], anonymous, settings, tamper, more, ...door } = options
    const signer = await node.signer(range(seed, 32))
    const trust = new Trust(node, signer.kid, {
      file: readTrust(fileOf(knows, anonymous), 'trust.json'),
      uptime: () => this.clock.now(),
    })
    const guard = new Guard({
      provider: node,
      signer,
      trust,
      prekeys: await lastingPrekeys(node),
      settings,
      ...more,
    })
    const { engine, meters, lines, hop } = await this.plain({ ...door, tamper }, guard)
    return { engine, guard, signer, id: didOf(signer.kid), meters, lines, hop }
  }

  /** The same machine, started again: nothing that was in memory is there. */
  async reboot({ engine, hop }: Party, seed: number, options: EngineOfOptions): Promise<Party> {
    await engine.close(0)
    await this.settle()
    return this.engine(seed, { ...options, port: hop[1] as number })
  }

  /** An engine without a key: a relay, as good or as bad as `tamper`. */
  async plain({ tamper, port = ++this.#port, ...door }: EngineOfOptions = {}, guard?: Guard) {
    const meters = new Meters()
    const lines: string[] = []
    const tell = (level: string) => (text: string) => void lines.push(`${level}: ${text}`)
    const log: Log = { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') }
    const env = {
      clock: this.clock,
      meters,
      log,
      random: { uuid: () => randomUUID() as string, fraction: () => 0.5 },
    }
    const transports = [tampered(this.hub.transport(), tamper)]
    const forward = { allow: [1, 2, 3, 4, 5, 6, 7, 8, 9].map((port): Hop => ['localhost', port, 'memory']) }
    const engine = new Door(env, { transports, guard, forward, ...door }, 'memory')
    await engine.listen('memory', { address: 'localhost', port })
    this.#engines.push(engine)
    return { engine, meters, lines, hop: ['localhost', port, 'memory'] as Hop }
  }

  /** Lets all that is immediate happen. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
  }

  async advance(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1000) {
      await this.clock.advance(Math.min(1000, ms - passed))
      await this.settle()
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.close(0)))
  }
}

/** Two engines that allow each other everything, and one relay between them. */
export async function town(options: { a?: EngineOfOptions; b?: EngineOfOptions; tamper?: Tamper } = {}) {
  const place = new Town()
  const kid = async (seed: number) => (await node.signer(range(seed, 32))).kid
  const [keyA, keyB] = [await kid(SEEDS.a), await kid(SEEDS.b)]
  const b = await place.engine(SEEDS.b, { name: 'b', knows: [{ key: keyA, name: 'a' }], ...options.b })
  const relay = await place.plain({ name: 'relay', tamper: options.tamper })
  const a = await place.engine(SEEDS.a, { name: 'a', knows: [{ key: keyB, name: 'b' }], ...options.a })
  /** From A: through the relay, or at once. */
  const far = [relay.hop, b.hop]
  const near = [b.hop]
  return { place, a, b, relay, far, near }
}

/** A URI with these hosts. */
export function uriOf(to: Hop[], path: string): string {
  return formatUri({ to, resource: path.split('/') })
}

function tampered(transport: Transport, tamper: Tamper | undefined): Transport {
  if (!tamper) return transport
  const wrap =
    (accept: Accept): Accept =>
    (pipe, codec) =>
      accept(new TamperedPipe(pipe, tamper), codec)
  return {
    ...transport,
    listen: (at, accept) =>
      transport.listen?.(at, wrap(accept)) as ReturnType<NonNullable<Transport['listen']>>,
    dial: (address, port, accept, signal) => transport.dial(address, port, wrap(accept), signal),
  }
}

class TamperedPipe implements Pipe {
  readonly transport: string
  readonly remote: string
  #pipe: Pipe
  #tamper: Tamper

  constructor(pipe: Pipe, tamper: Tamper) {
    this.transport = pipe.transport
    this.remote = pipe.remote
    this.#pipe = pipe
    this.#tamper = tamper
  }

  write(frame: Frame): boolean {
    let isFree = true
    for (const it of this.#tamper(frame)) isFree = this.#pipe.write(it)
    return isFree
  }

  close(reason: string, code?: number): void {
    this.#pipe.close(reason, code)
  }
}
