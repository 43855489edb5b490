// heavy
// time limit: 180 s
// The whole way, in real time: the engine, the real serial port, a terminal, a cable that damages bytes, and our firmware as
// Debian compiles it, on an emulated ATmega328P.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SerialLink, startSerialNode } from '../../src/bridges/serial/index.ts'
import { SystemClock } from '../../src/core/clock.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { type Env, SILENT } from '../../src/core/env.ts'
import { Meters } from '../../src/core/meters.ts'
import { Engine } from '../../src/index.ts'
import { run, workFolder } from './bench.ts'
import { noisyCable } from './host.ts'
import { clockHz, Uno } from './uno.ts'

const folder = workFolder('engine')
test.after(() => rmSync(folder, { recursive: true, force: true }))

/** Makes a terminal, says its name on standard error, and carries bytes between it and standard input and output. */
const relay = `
import os, pty, select, sys, tty
master, slave = pty.openpty()
tty.setraw(slave)
print(os.ttyname(slave), file=sys.stderr, flush=True)
while True:
    ready, _, _ = select.select([0, master], [], [])
    for end in ready:
        data = os.read(end, 4096)
        if not data: sys.exit()
        os.write(master if end == 0 else 1, data)
`

type Answer = [status: number, body: Json | undefined]

class Stage {
  uno: Uno
  noise = 0
  isCut = false
  engine: Engine
  node: ReturnType<typeof startSerialNode>
  #relay: ChildProcessWithoutNullStreams
  #timer: NodeJS.Timeout
  #seed = 0

  constructor(uno: Uno, relay: ChildProcessWithoutNullStreams, path: string) {
    this.uno = uno
    this.#relay = relay
    const there = this.#cable()
    const back = this.#cable()
    relay.stdout.on('data', (bytes: Buffer) => {
      uno.send(Buffer.from([...bytes].flatMap(there)))
    })
    let out: number[] = []
    uno.onByte = (byte) => out.push(...back(byte))
    let then = performance.now()
    this.#timer = setInterval(() => {
      const now = performance.now()
      // After a stall of this machine the chip is not made to hurry.
      uno.run((Math.min(now - then, 20) * clockHz) / 1000)
      then = now
      if (out.length > 0) relay.stdin.write(Buffer.from(out))
      out = []
    }, 1)
    const env: Env = {
      clock: new SystemClock(),
      log: SILENT,
      meters: new Meters(),
      random: { fraction: Math.random, uuid: () => crypto.randomUUID() },
    }
    this.engine = new Engine({ env, name: 'taller', answerTimeout: 5000 })
    this.node = startSerialNode({
      name: 'robot',
      link: new SerialLink({ port: path, speed: 115200 }, env),
      speed: 115200,
      owner: this.engine.own('robot'),
      env,
      answerTimeout: 5000,
    })
  }

  async ask(method: string, at: string, body?: Json): Promise<Answer> {
    for await (const { status, body: said } of this.engine.ask(method, at, { body })) return [status, said]
    return [0, undefined]
  }

  async until(state: string, ms: number): Promise<void> {
    for (const end = performance.now() + ms; this.node.status().state !== state; await sleep(20)) {
      const { cause } = this.node.status()
      assert.ok(performance.now() < end, `not ${state} within ${ms} ms: ${cause}`)
    }
  }

  async close(): Promise<void> {
    await this.node.close()
    clearInterval(this.#timer)
    this.#relay.kill('SIGKILL')
  }

  #cable() {
    let noise = -1
    let damage = noisyCable(0, 0)
    return (byte: number) => {
      if (this.isCut) return []
      if (noise !== this.noise) {
        noise = this.noise
        damage = noisyCable(noise, ++this.#seed)
      }
      return damage(byte)
    }
  }
}

async function withRobot(use: (stage: Stage) => Promise<void>): Promise<void> {
  const out = join(folder, 'robot')
  run('extras/build', ['avr', 'robot', out])
  const child = spawn('python3', ['-c', relay])
  const [path] = (await once(createInterface({ input: child.stderr }), 'line')) as [string]
  const stage = new Stage(new Uno(readFileSync(`${out}.hex`, 'utf8')), child, path)
  try {
    await stage.until('up', 8000)
    await use(stage)
  } finally {
    await stage.close()
  }
}

test('the robot is there by itself: catalogue, GET, PUT, POST, limits, reports', async () => {
  await withRobot(async (stage) => {
    const { uno, node, engine } = stage
    const keys = node.entries.map(({ key }) => key)
    assert.equal(keys, ['motor/0', 'motor/1', 'servo', 'distance', 'stop', 'button', 'stats'])
    const heard: (Json | undefined)[] = []
    engine.bind('PUT#robot/motor/0', ({ dispatch }) => {
      heard.push(dispatch.body)
    })
    assert.equal(await stage.ask('PUT', 'robot/servo', 45), [200, 45])
    assert.is(uno.pulse, 1009)
    assert.is((await stage.ask('PUT', 'robot/servo', 181))[0], 400)
    assert.equal(await stage.ask('PUT', 'robot/motor/0', 60), [200, 60])
    assert.is(uno.motors[0], 153)
    assert.equal(await stage.ask('POST', 'robot/stop', null), [200, true])
    assert.equal(uno.motors, [0, 0])
    await sleep(1500)
    assert.is(heard.at(-1), 0)
    assert.is((await stage.ask('PUT', 'robot/motor/0', 60))[0], 400)
  })
})

test('3 % damaged bytes both ways, 300 requests: no wrong answer, no command doubled, every failure a 504', async () => {
  await withRobot(async (stage) => {
    stage.noise = 0.03
    let good = 0
    let failed = 0
    let last = 90
    const begun = performance.now()
    for (let n = 0; n < 300; n++) {
      const angle = (n * 37) % 181
      const [status, body] =
        n % 3 === 2 ? await stage.ask('GET', 'robot/servo') : await stage.ask('PUT', 'robot/servo', angle)
      if (status !== 200) {
        assert.is(status, 504, JSON.stringify(body))
        failed++
        continue
      }
      if (n % 3 === 2) assert.is((body as { value: Json }).value, last, `request ${n}`)
      else {
        assert.is(body, angle, `request ${n}`)
        last = angle
        good++
      }
    }
    const seconds = (performance.now() - begun) / 1000
    stage.noise = 0
    await stage.until('up', 5000)
    const [, stats] = await stage.ask('GET', 'robot/stats')
    const { commands } = (stats as { value: { commands: number } }).value
    console.log(
      `note: 300 requests over a cable with 3 % noise: ${good} commands and ${commands} effects, ${failed} answered 504, ` +
        `${(300 / seconds).toFixed(0)} a second`,
    )
    assert.ok(commands >= good && commands <= good + failed, `${commands} effects of ${good} commands`)
    assert.ok(failed < 10, `${failed} of 300 failed`)
  })
})

test('the board is reset in mid-command, and the cable goes: back by itself, motors off within the limit', async () => {
  await withRobot(async (stage) => {
    const { uno } = stage
    await stage.ask('PUT', 'robot/motor/0', 80)
    const pending = stage.ask('PUT', 'robot/servo', 10)
    await sleep(1)
    uno.reset()
    const [status] = await pending
    assert.ok(status === 200 || status === 504, String(status))
    await stage.until('up', 5000)
    assert.equal(uno.motors, [0, 0])
    assert.equal(await stage.ask('PUT', 'robot/motor/0', 80), [200, 80])
    stage.isCut = true
    const cutAt = performance.now()
    while (uno.motors[0] !== 0 && performance.now() - cutAt < 8000) await sleep(20)
    const took = performance.now() - cutAt
    assert.ok(took < 6000, `motors off after ${took} ms`)
    stage.isCut = false
    await stage.until('up', 10_000)
    assert.is((await stage.ask('GET', 'robot/motor/0'))[0], 200)
  })
})

test.run()
