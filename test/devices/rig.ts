// A coffee machine on a table: the device, its simulator, and a log of every frame between them.

import ecam from '../../devices/delonghi-ecam/device.ts'
import { fromHost } from '../../devices/delonghi-ecam/frame.ts'
import { type EcamSimulator, simulator } from '../../devices/delonghi-ecam/simulator.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { type Device, type Link, simulatedLink, startDevice } from '../../src/device/index.ts'
import { type Answer, FakeOwner, hex, pass, SILENT, TestClock } from '../device/rig.ts'

export interface Table {
  clock: TestClock
  owner: FakeOwner
  machine: EcamSimulator
  device: Device
  /** Frames to the machine, with the time. */
  written: { at: number; frame: string; payload: Uint8Array }[]
  /** Frames that ask for a drink to be made. */
  brews(): string[]
  stops(): string[]
  ask(
    method: string,
    point: string,
    body?: Json,
    from?: { id?: string; author?: string; channel?: string },
  ): Promise<Answer>
  /** Asks and lets time pass until it is answered. */
  answer(method: string, point: string, body?: Json, from?: { id?: string; author?: string }): Promise<Answer>
  /** Ends it and tells whether anything was left behind. */
  clear(): Promise<void>
}

export interface Setup {
  /** On, hot, and all recipes read. Default: true. */
  ready?: boolean
  answerTimeout?: number
  options?: Record<string, Json>
  /** Between the device and the machine. */
  wrap?(link: Link): Link
}

export async function table(setup: Setup = {}): Promise<Table> {
  const clock = new TestClock()
  const machine = simulator(clock)
  const owner = new FakeOwner()
  const written: Table['written'] = []
  const inner = simulatedLink(machine, clock)
  const spied: Link = {
    ...inner,
    write(bytes) {
      written.push({ at: clock.now(), frame: hex(bytes), payload: fromHost(bytes) ?? new Uint8Array() })
      return inner.write(bytes)
    },
  }
  if (setup.ready !== false) machine.warm()
  const device = startDevice({
    name: 'cafetera',
    profile: ecam,
    link: setup.wrap ? setup.wrap(spied) : spied,
    owner,
    clock,
    log: SILENT,
    answerTimeout: setup.answerTimeout ?? 10_000,
    options: setup.options,
  })
  if (setup.ready !== false) await clock.advance(10_000)
  const drinks = (trigger: number) => () =>
    written.flatMap(({ payload, frame }) => (payload[0] === 0x83 && payload[3] === trigger ? [frame] : []))
  const rig: Table = {
    clock,
    owner,
    machine,
    device,
    written,
    brews: drinks(1),
    stops: drinks(2),
    ask: (...args) => owner.ask(...args),
    answer: (...args) => pass(clock, owner.ask(...args)),
    async clear() {
      await device.close()
      await clock.advance(20_000)
      if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`)
    },
  }
  return rig
}
