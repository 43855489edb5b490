// A microcontroller on a cable that damages bytes, and the device of the engine at its other end.

import type { SpeedLink } from '../../../src/bridges/serial/node.ts'
import {
  type SerialNode,
  type SerialNodeOptions,
  startSerialNode,
} from '../../../src/bridges/serial/start.ts'
import { type Clock, TestClock } from '../../../src/core/clock.ts'
import type { Dispatch, Element, Json } from '../../../src/core/dispatch.ts'
import { type Env, SILENT } from '../../../src/core/env.ts'
import { Meters } from '../../../src/core/meters.ts'
import type { Handler, Owner } from '../../../src/core/owner.ts'
import { JstpError } from '../../../src/core/status.ts'
import { LinkError, type LinkEvents } from '../../../src/device/link.ts'
import { Mcu } from './mcu.ts'

export { Mcu, TestClock }

/** Numbers from 0 up to 1 that are the same in every run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000
  }
}

export function environment(clock: Clock, seed = 1, log: Env['log'] = SILENT): Env {
  const random = seeded(seed)
  return { clock, log, meters: new Meters(), random: { fraction: random, uuid: () => 'uuid' } }
}

/** Both ends of a serial cable, with the time that bytes take, and with damage. */
export class Cable {
  readonly mcu: Mcu
  readonly link: SpeedLink
  /** Of all bytes, how many are lost, changed or made up. */
  noise = 0
  speed = 115200
  isPlugged = true
  /** Nothing gets through; nothing does at this speed. */
  isCut = false
  deadSpeed: number | undefined
  bytes = 0
  #clock: TestClock
  #random: () => number
  #events: LinkEvents | undefined
  #free = [0, 0]

  constructor(clock: TestClock, seed = 1) {
    this.#clock = clock
    this.#random = seeded(seed)
    this.mcu = new Mcu(clock, (bytes) => this.#carry(1, bytes, (late) => this.#toHost(late)))
    this.link = {
      open: (events) => {
        this.#events = events
        clock.after(0, () => this.isPlugged && events.up())
      },
      write: (bytes) => {
        if (!this.isPlugged) return Promise.reject(new LinkError('offline', 'unplugged'))
        this.#carry(0, bytes, (late) => this.mcu.take(late))
        return Promise.resolve()
      },
      speed: async (speed) => {
        this.speed = speed
      },
      close: async () => {
        this.#events = undefined
      },
    }
  }

  unplug(): void {
    this.isPlugged = false
    this.#events?.down('it was unplugged')
  }

  plug(): void {
    this.isPlugged = true
    this.speed = 115200
    this.#events?.up()
  }

  #toHost(bytes: Uint8Array): void {
    if (this.isPlugged) this.#events?.data(bytes)
  }

  #carry(way: 0 | 1, bytes: Uint8Array, arrive: (bytes: Uint8Array) => void): void {
    this.bytes += bytes.length
    const isHeard = this.speed === this.mcu.speed
    const damaged = this.#damage(isHeard ? bytes : bytes.map((byte) => (byte * 7 + 3) & 0xff))
    const start = Math.max(this.#clock.now(), this.#free[way] as number)
    const end = start + (bytes.length * 10_000) / this.speed
    this.#free[way] = end
    if (!this.isCut && this.speed !== this.deadSpeed)
      this.#clock.after(end - this.#clock.now(), () => arrive(damaged))
  }

  #damage(bytes: Uint8Array): Uint8Array {
    if (this.noise === 0) return bytes
    return Uint8Array.from(
      [...bytes].flatMap((byte) => {
        if (this.#random() >= this.noise) return [byte]
        const kind = Math.floor(this.#random() * 3)
        if (kind === 0) return []
        if (kind === 1) return [byte ^ (1 << Math.floor(this.#random() * 8))]
        return [byte, Math.floor(this.#random() * 256)]
      }),
    )
  }
}

export interface Answer {
  status: number
  body: Json
}

/** An owner without an engine: patterns by their depth. */
export class PatternOwner implements Owner {
  readonly root = 'robot'
  readonly reports: { path: string; value: Json; event: boolean }[] = []
  readonly bound = new Set<string>()
  readonly handlers = new Map<string, Handler>()
  closed = false

  handle(method: string, point: Element[], handler: Handler): void {
    this.handlers.set(`${method} ${point.length}`, handler)
  }

  report(point: Element[], value: Json, options: { event?: boolean } = {}): void {
    this.reports.push({ path: point.join('/'), value, event: options.event ?? false })
  }

  watched(point: Element[]): boolean {
    return this.bound.has(point.join('/'))
  }

  close(): void {
    this.closed = true
  }

  async ask(method: string, path: string, body?: Json, id?: string): Promise<Answer> {
    const point = path ? path.split('/') : []
    const handler = this.handlers.get(`${method} ${point.length}`)
    if (!handler) return { status: 404, body: null }
    const resource = [this.root, ...point]
    const dispatch: Dispatch = { method, resource, timestamp: 0, body, token: id ? [id] : [] }
    try {
      return { status: 200, body: (await handler({ dispatch, params: {}, answer: () => {} })) ?? null }
    } catch (error) {
      if (error instanceof JstpError) return { status: error.status, body: error.body }
      throw error
    }
  }
}

export interface Rig {
  clock: TestClock
  cable: Cable
  mcu: Mcu
  owner: PatternOwner
  node: SerialNode
  /** Asks and lets time pass until it is answered. */
  answer(method: string, path: string, body?: Json, id?: string): Promise<Answer>
  clear(): Promise<void>
}

/** A robot that is plugged in, and known. */
export async function rig(
  setup: Partial<SerialNodeOptions> & { seed?: number; prepare?(cable: Cable): void; wait?: number } = {},
): Promise<Rig> {
  const clock = new TestClock()
  const cable = new Cable(clock, setup.seed)
  const owner = new PatternOwner()
  setup.prepare?.(cable)
  cable.mcu.start()
  const node = startSerialNode({
    name: 'robot',
    link: cable.link,
    speed: 115200,
    owner,
    env: environment(clock, setup.seed),
    answerTimeout: 10_000,
    ...setup,
  })
  await clock.advance(setup.wait ?? 500)
  return {
    clock,
    cable,
    mcu: cable.mcu,
    owner,
    node,
    answer: (...asked) => pass(clock, owner.ask(...asked)),
    async clear() {
      await node.close()
      cable.mcu.isDead = true
      cable.mcu.stop()
      await clock.advance(3000)
      if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`)
    },
  }
}

/** Lets time pass until a promise has settled. */
export async function pass<T>(clock: TestClock, promise: Promise<T>, ms = 30_000): Promise<T> {
  let settled = false
  const mark = () => {
    settled = true
  }
  promise.then(mark, mark)
  for (let passed = 0; passed < ms && !settled; passed += 1) await clock.advance(1)
  if (!settled) throw new Error(`not settled after ${ms} ms`)
  return promise
}
