// What the tests over real relays share: engines with keys on real sockets, the reference implementation as a gateway, and
// wires between them that keep, or change, every byte.

import { type ChildProcess, fork } from 'node:child_process'
import { connect, createServer, type Server, type Socket } from 'node:net'
import machine from '../../devices/delonghi-ecam/device.ts'
import { simulator } from '../../devices/delonghi-ecam/simulator.ts'
import { type Cancel, type Clock, SystemClock } from '../../src/core/clock.ts'
import type { Dispatch, Hop } from '../../src/core/dispatch.ts'
import type { Env } from '../../src/core/env.ts'
import { simulatedLink } from '../../src/device/simulate.ts'
import { startDevice } from '../../src/device/start.ts'
import { didOf } from '../../src/identity/did.ts'
import { Guard, type GuardOptions } from '../../src/identity/guard.ts'
import type { Prekeys } from '../../src/identity/prekeys.ts'
import { lastingPrekeys } from '../../src/identity/prekeys.ts'
import type { Signer } from '../../src/identity/provider.ts'
import type { Settings } from '../../src/identity/room.ts'
import { Trust } from '../../src/identity/trust.ts'
import { readTrust } from '../../src/identity/trust-file.ts'
import { type DoorOptions, Engine, formatUri, nodeEnv } from '../../src/index.ts'
import { node, range } from '../identity/kit.ts'
import { fileOf, type Known } from '../identity/parties.ts'

const LOCAL = '127.0.0.1'
const PEER = 'test/interop/peer.cjs'
const PATIENCE = 10_000

export interface KeyedOptions extends DoorOptions {
  knows?: Known[]
  settings?: Partial<Settings>
  more?: Partial<GuardOptions>
  env?: Env
}

export interface Keyed {
  engine: Engine
  guard: Guard
  signer: Signer
  id: string
  hop: Hop
  counted(meter: string): number
}

/** The key of a seed: 32 bytes that count up from it. */
export function signerOf(seed: number): Signer {
  return node.signer(range(seed, 32)) as Signer
}

/** An engine with the key of that seed; it listens on a free port of the loopback. */
export async function startKeyed(seed: number, options: KeyedOptions = {}): Promise<Keyed> {
  const { knows = [], settings, more, env = nodeEnv(), ...door } = options
  const signer = signerOf(seed)
  const trust = new Trust(node, signer.kid, {
    file: readTrust(fileOf(knows), 'trust.json'),
    uptime: () => env.clock.now(),
  })
  const prekeys = lastingPrekeys(node) as Prekeys
  const guard = new Guard({ provider: node, signer, trust, prekeys, settings, ...more })
  const { engine, hop } = await startPlain({ env, guard, answerTimeout: 5000, ...door })
  const counted = (meter: string) => env.meters.read()[meter] ?? 0
  return { engine, guard, signer, id: didOf(signer.kid), hop, counted }
}

/** A clock that runs so many times as fast as that of the machine. */
class FastClock implements Clock {
  #clock = new SystemClock()
  #factor: number

  constructor(factor: number) {
    this.#factor = factor
  }

  now(): number {
    return this.#clock.now() * this.#factor
  }

  wall(): number {
    return this.#clock.wall()
  }

  after(ms: number, run: () => void): Cancel {
    return this.#clock.after(ms / this.#factor, run)
  }
}

export function fastEnv(factor: number): Env {
  return { ...nodeEnv(), clock: new FastClock(factor) }
}

/** An engine that listens on a free port. */
export async function startPlain(options: ConstructorParameters<typeof Engine>[0] = {}) {
  const engine = new Engine(options)
  const { port } = await engine.listen('tcp', { address: LOCAL, port: 0 })
  return { engine, hop: [LOCAL, port, 'tcp'] as Hop }
}

/** The simulated coffee machine as `/cafetera`: warm, and several times as fast as a real one. */
export async function startCoffee({ engine }: Keyed, speed = 4) {
  const clock = new SystemClock()
  const works = simulator(clock, { speed })
  works.warm()
  const device = startDevice({
    name: 'cafetera',
    profile: machine,
    link: simulatedLink(works, clock),
    owner: engine.own('cafetera'),
    clock,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    answerTimeout: 5000,
  })
  const state = async () => ((await engine.get('cafetera').first()).body as { state: string }).state
  const until = (wanted: string) => eventually(wanted, async () => (await state()) === wanted)
  await until('ready')
  return { until, close: () => device.close() }
}

/** The reference implementation, in a process of its own. */
export async function startGateway(): Promise<{ hop: Hop; stop(): void; child: ChildProcess }> {
  const ports = [await freePort(), await freePort()]
  const child = fork(PEER, ports.map(String))
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('exit', (code) => reject(new Error(`jstp has ended with ${code}`)))
  })
  return { hop: [LOCAL, ports[0] as number, 'tcp'], stop: () => void child.kill(), child }
}

/** What of a frame goes on, and when: `[frame]` as it is. Called for each line of either direction. */
export type Meddle = (
  line: string,
  way: { isBack: boolean; send(line: string, isBack: boolean): void },
) => string[]

/** A wire between two engines: it keeps all bytes of both directions, and may meddle with the lines. */
export class Wire {
  readonly hop: Hop
  meddle: Meddle | undefined
  #server: Server
  #chunks: Buffer[] = []
  #sockets = new Set<Socket>()

  private constructor(server: Server, port: number) {
    this.#server = server
    this.hop = [LOCAL, port, 'tcp']
  }

  static async to(hop: Hop, meddle?: Meddle): Promise<Wire> {
    const [address, port] = hop as unknown as [string, number]
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, LOCAL, resolve))
    const wire = new Wire(server, (server.address() as { port: number }).port)
    wire.meddle = meddle
    server.on('connection', (near) => wire.#join(near, connect(port, address)))
    return wire
  }

  /** All that has passed. */
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  forget(): void {
    this.#chunks = []
  }

  /** Breaks all that is connected. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): void {
    this.#server.close()
    this.cut()
  }

  #join(near: Socket, far: Socket): void {
    const send = (line: string, isBack: boolean) => {
      const to = isBack ? near : far
      if (to.writable) to.write(`${line}\n`)
    }
    for (const [from, other, isBack] of [
      [near, far, false],
      [far, near, true],
    ] as const) {
      this.#sockets.add(from)
      from.setNoDelay(true)
      let rest = ''
      from.on('data', (chunk: Buffer) => {
        this.#chunks.push(chunk)
        if (!this.meddle) return void other.write(chunk)
        const lines = (rest + chunk.toString('utf8')).split('\n')
        rest = lines.pop() as string
        for (const line of lines) for (const it of this.meddle(line, { isBack, send })) send(it, isBack)
      })
      from.on('error', () => {})
      from.on('close', () => {
        this.#sockets.delete(from)
        other.destroy()
      })
    }
  }
}

/** A URI with these hosts. */
export function uriOf(to: Hop[], path: string): string {
  return formatUri({ to, resource: path.split('/') })
}

/** The frames in recorded lines. */
export function framesIn(bytes: Buffer): Dispatch[] {
  return bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as Dispatch)
}

/** Every text in a value, names included. */
export function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(textsIn)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, item]) => [name, ...textsIn(item)])
}

export async function eventually(what: string, isTrue: () => boolean | Promise<boolean>, ms = PATIENCE) {
  for (const end = Date.now() + ms; !(await isTrue()); await pause(10)) {
    if (Date.now() > end) throw new Error(`never: ${what}`)
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, LOCAL, resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
