// The product on the bench: an Env whose clock can run faster than the wall, and a link that writes down what it is told.

import { BleAdapter, type BleTarget, parseSource } from '../../src/bridges/ble/index.ts'
import { type Clock, SystemClock } from '../../src/core/clock.ts'
import type { Env } from '../../src/core/env.ts'
import { Meters } from '../../src/core/meters.ts'
import type { Link } from '../../src/device/link.ts'
import { CHARACTERISTIC, SERVICE } from './lab.ts'

/** Time that runs `factor` times faster: deadlines of seconds take milliseconds. */
class HurriedClock implements Clock {
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

  after(ms: number, run: () => void) {
    return this.#clock.after(ms / this.#factor, run)
  }
}

export interface Bench extends Env {
  meters: Meters
  /** Warnings and errors logged so far. */
  complaints: string[]
}

export function bench(clock: Clock | number = 1): Bench {
  const complaints: string[] = []
  const complain = (text: string) => void complaints.push(text)
  return {
    clock: typeof clock === 'number' ? new HurriedClock(clock) : clock,
    log: { debug() {}, info() {}, warn: complain, error: complain },
    random: { uuid: () => '00000000-0000-4000-8000-000000000000', fraction: () => 0.5 },
    meters: new Meters(),
    complaints,
  }
}

const adapters: BleAdapter[] = []

/** An adapter whose controller is behind a unix socket. */
export function adapterOn(path: string, env: Env, maxLinks?: number): BleAdapter {
  const adapter = new BleAdapter({ source: parseSource(`unix:${path}`), maxLinks }, env)
  adapters.push(adapter)
  return adapter
}

/** For `after.each`: a failed test must not hold the device. */
export async function closeAdapters(): Promise<void> {
  await Promise.all(adapters.splice(0).map((adapter) => adapter.close()))
}

export const TARGET: BleTarget = {
  match: { service: SERVICE },
  service: SERVICE,
  characteristic: CHARACTERISTIC,
  write: 'with-response',
}

/** Opens a link and keeps what it says, in order: `up`, `data <hex>`, `down <cause>`. */
export function record(link: Link): { told: string[]; ups(): number; data(): string[]; downs(): string[] } {
  const told: string[] = []
  link.open({
    up: () => told.push('up'),
    data: (bytes) => told.push(`data ${Buffer.from(bytes).toString('hex')}`),
    down: (cause) => told.push(`down ${cause}`),
  })
  const all = (kind: string) =>
    told.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1))
  return {
    told,
    ups: () => told.filter((line) => line === 'up').length,
    data: () => all('data'),
    downs: () => all('down'),
  }
}
