// heavy
// time limit: 120 s
// The whole way, in real time: the engine, the real serial port, a terminal, and the unmodified StandardFirmata on an emulated
// ATmega328P, driven through JSTP: digital, analog, PWM, servo, I2C, stop.

import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import firmata from '../../devices/firmata/device.ts'
import { SerialLink } from '../../src/bridges/serial/index.ts'
import { SystemClock } from '../../src/core/clock.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { type Env, SILENT } from '../../src/core/env.ts'
import { Meters } from '../../src/core/meters.ts'
import { startDevice } from '../../src/device/index.ts'
import { Engine } from '../../src/index.ts'
import { Board } from '../bridges/serial/pty.ts'
import { clockHz } from '../firmware/uno.ts'
import { FirmataUno, type Version } from './firmata-uno.ts'

const MS = clockHz / 1000

const PINS = {
  led: { pin: 13, mode: 'output' },
  light: { pin: 'A0', mode: 'analog' },
  fan: { pin: 9, mode: 'pwm' },
  arm: { pin: 10, mode: 'servo' },
}

type Answer = [status: number, body: Json | undefined]

class Stage {
  readonly uno: FirmataUno
  readonly engine: Engine
  readonly device: ReturnType<typeof startDevice>
  #timer: NodeJS.Timeout

  constructor(uno: FirmataUno, port: Board, pins: Json) {
    this.uno = uno
    port.heard = (bytes) => this.uno.send(bytes)
    let out: number[] = []
    this.uno.onByte = (byte) => out.push(byte)
    let then = performance.now()
    this.#timer = setInterval(() => {
      const now = performance.now()
      // After a stall of this machine the chip is not made to hurry.
      this.uno.run(Math.min(now - then, 20) * MS)
      then = now
      if (out.length > 0) port.say(Buffer.from(out))
      out = []
    }, 1)
    const env: Env = {
      clock: new SystemClock(),
      log: SILENT,
      meters: new Meters(),
      random: { fraction: Math.random, uuid: () => crypto.randomUUID() },
    }
    const { clock, log } = env
    this.engine = new Engine({ env, name: 'taller', answerTimeout: 5000 })
    this.device = startDevice({
      name: 'robot',
      profile: firmata,
      link: new SerialLink(
        { port: port.id, speed: firmata.link.medium === 'serial' ? firmata.link.speed : 0 },
        env,
      ),
      owner: this.engine.own('robot'),
      clock,
      log,
      answerTimeout: 5000,
      options: { pins },
    })
  }

  async ask(method: string, at: string, body?: Json): Promise<Answer> {
    for await (const { status, body: said } of this.engine.ask(method, at, { body })) return [status, said]
    return [0, undefined]
  }

  async value(at: string): Promise<Json> {
    const [, body] = await this.ask('GET', at)
    return (body as { value: Json }).value
  }

  async until(what: string, is: () => Promise<boolean> | boolean, ms = 10_000): Promise<void> {
    for (const end = performance.now() + ms; !(await is()); await sleep(20)) {
      assert.ok(performance.now() < end, `not within ${ms} ms: ${what}`)
    }
  }

  /** What a pin does in the chip's next `ms`, at once. */
  watch(pin: number, ms: number) {
    return this.uno.watch(pin, ms, (ms) => this.uno.run(ms * MS))
  }

  async close(): Promise<void> {
    await this.device.close()
    clearInterval(this.#timer)
  }
}

async function withBoard(version: Version, pins: Json, use: (stage: Stage) => Promise<void>): Promise<void> {
  const uno = new FirmataUno(version)
  const port = new Board()
  await port.plug()
  const stage = new Stage(uno, port, pins)
  try {
    await stage.until('the board is ready', async () => (await stage.ask('GET', 'robot/state'))[0] === 200)
    await stage.until('the board is ready', async () => (await stage.value('robot/state')) === 'ready')
    await use(stage)
    assert.is(stage.uno.overruns, 0)
    assert.is(stage.device.status().counters.broken, undefined)
  } finally {
    await stage.close()
    await port.end()
  }
}

for (const version of ['2.5', '2.4'] as const) {
  test(`StandardFirmata ${version}, driven through JSTP: digital, analog, PWM, servo`, async () => {
    await withBoard(version, PINS, async (stage) => {
      const { uno, engine } = stage
      assert.equal(await stage.value('robot/firmware'), {
        name: 'StandardFirmata.ino',
        version,
        protocol: version,
      })
      const heard: Json[] = []
      engine.bind('PUT#robot/pin/2', ({ dispatch }) => {
        heard.push(dispatch.body ?? null)
      })

      assert.equal(await stage.ask('PUT', 'robot/led', true), [200, true])
      assert.is(uno.isHigh(13), true)
      assert.equal(await stage.ask('PUT', 'robot/pin/12', { value: true }), [
        200,
        { mode: 'output', value: true },
      ])
      assert.equal(await stage.ask('PUT', 'robot/led', false), [200, false])
      assert.is(uno.isHigh(13), false)
      assert.is(uno.isHigh(12), true)
      assert.is((await stage.ask('PUT', 'robot/led', 7))[0], 400)

      assert.equal(await stage.ask('PUT', 'robot/pin/2', { mode: 'input' }), [
        200,
        { mode: 'input', value: false },
      ])
      uno.drive(2, true)
      await stage.until('a report', () => JSON.stringify(heard.at(-1)) === '{"mode":"input","value":true}')
      uno.drive(2, false)
      await stage.until('a report', () => JSON.stringify(heard.at(-1)) === '{"mode":"input","value":false}')

      uno.volts(0, 2.5)
      await stage.until('the value', async () => (await stage.value('robot/light')) === 512)
      uno.volts(0, 1.25)
      await stage.until('the next value', async () => (await stage.value('robot/light')) === 256)

      assert.equal(await stage.ask('PUT', 'robot/fan', 64), [200, 64])
      assert.ok(Math.abs(stage.watch(9, 200).duty - 64 / 255) < 0.01)
      assert.equal(await stage.ask('PUT', 'robot/arm', 90), [200, 90])
      await sleep(50)
      const { pulses, us } = stage.watch(10, 200)
      assert.ok(pulses >= 9 && Math.abs(us - 1472) < 3, `${pulses} pulses of ${us} µs`)
      assert.equal(await stage.ask('PUT', 'robot/arm', 0), [200, 0])
      await sleep(50)
      assert.ok(Math.abs(stage.watch(10, 100).us - 544) < 3)
      assert.is((await stage.ask('PUT', 'robot/arm', 181))[0], 400)

      assert.equal(await stage.ask('PUT', 'robot/led', true), [200, true])
      assert.equal(await stage.ask('POST', 'robot/stop'), [200, { confirmed: true }])
      assert.is(uno.isHigh(13), false)
      assert.is(stage.watch(9, 50).pulses, 0)
      assert.is(stage.watch(10, 100).pulses, 0)
      assert.is(await stage.value('robot/arm'), null)
      if (version === '2.5') await busAndMany(stage)
    })
  })
}

/** I2C, and 300 commands one after the other. */
async function busAndMany(stage: Stage): Promise<void> {
  const { uno } = stage
  assert.equal(await stage.ask('POST', 'robot/i2c', { address: 0x48, register: 2, read: 4 }), [
    200,
    { bytes: [6, 9, 12, 15] },
  ])
  assert.equal(await stage.ask('POST', 'robot/i2c', { address: 0x48, write: [5, 200, 7] }), [
    200,
    { confirmed: false },
  ])
  const [status, body] = await stage.ask('POST', 'robot/i2c', { address: 0x21, read: 1 })
  assert.is(status, 400)
  assert.is((body as { code: Json }).code, 'device')
  assert.equal([...uno.registers.slice(5, 7)], [200, 7])

  await stage.ask('PUT', 'robot/pin/11', { mode: 'pwm' })
  const begun = performance.now()
  for (let n = 0; n < 300; n++) {
    const value = (n * 7) % 256
    assert.equal(await stage.ask('PUT', 'robot/pin/11', { value }), [200, { mode: 'pwm', value }])
  }
  const seconds = (performance.now() - begun) / 1000
  console.log(`note: StandardFirmata, emulated: ${(300 / seconds).toFixed(0)} confirmed PUTs a second`)
  const pending = Array.from({ length: 50 }, (_, n) => stage.ask('PUT', 'robot/pin/11', { value: 100 + n }))
  const stopping = performance.now()
  assert.equal(await stage.ask('POST', 'robot/stop'), [200, { confirmed: true }])
  console.log(
    `note: stop before 50 waiting commands: confirmed after ${(performance.now() - stopping).toFixed(0)} ms`,
  )
  const answers = await Promise.all(pending)
  assert.ok(answers.some(([status]) => status === 400))
  assert.is(stage.watch(11, 50).pulses, 0)
}

test.run()
