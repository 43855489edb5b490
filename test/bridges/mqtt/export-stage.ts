// A coffee machine that is exported to a Home Assistant, with a broker in memory and a clock of our own.

import * as assert from 'uvu/assert'
import ecam from '../../../devices/delonghi-ecam/device.ts'
import { type EcamSimulator, simulator } from '../../../devices/delonghi-ecam/simulator.ts'
import { TestClock } from '../../../src/core/clock.ts'
import type { Env } from '../../../src/core/env.ts'
import { Meters } from '../../../src/core/meters.ts'
import { FakeBroker, HomeAssistant, House, NODE } from './export-kit.ts'

export const CONFIG = `homeassistant/device/hormiga-${NODE}/cafetera/config`
export const BASE = `hormiga/${NODE}`

export interface Stage {
  clock: TestClock
  house: House
  broker: FakeBroker
  machine: EcamSimulator
  home: ReturnType<House['export']>
  assistant: HomeAssistant
  meters: Meters
  lines: string[]
  /** Home Assistant hears all that has been published since. */
  pass(ms?: number): Promise<void>
}

export async function stage(options: { only?: string[] } = {}): Promise<Stage> {
  const clock = new TestClock()
  const meters = new Meters()
  const lines: string[] = []
  const note = (text: string) => void lines.push(text)
  const log = { debug: note, info: note, warn: note, error: note }
  const env: Env = { clock, log, random: { uuid: () => crypto.randomUUID(), fraction: () => 0 }, meters }
  const house = new House(env)
  const machine = simulator(clock)
  machine.warm()
  house.add('cafetera', ecam, machine)
  const broker = new FakeBroker()
  const assistant = new HomeAssistant((topic, payload) => broker.say(topic, payload))
  const home = house.export(broker, { only: options.only })
  let heard = 0
  const pass = async (ms = 0) => {
    for (let left = ms; left >= 0; left -= 100) {
      await clock.advance(Math.min(100, Math.max(left, 0)))
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
      for (; heard < broker.log.length; heard++) {
        const { topic, payload } = broker.log[heard] as (typeof broker.log)[number]
        assistant.hear(topic, payload)
      }
    }
  }
  await pass(10_000)
  broker.up()
  await pass(100)
  return { clock, house, broker, machine, home, assistant, meters, lines, pass }
}

export async function end({ home, house, clock, pass }: Stage): Promise<void> {
  const closing = home.close()
  await pass(1500)
  await closing
  await house.close()
  await pass(20_000)
  assert.is(clock.pending, 0, 'timers are left')
}
