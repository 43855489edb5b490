// heavy
// time limit: 180 s
// Our firmware behind a real port, as any client of the engine sees it: what it has, what it does over a bad cable, and what
// becomes of it when it is reset, goes to another speed, or the cable is out.

import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import { run, workFolder } from './bench.ts'
import { type Stage, type StageOptions, withStage } from './stage.ts'
import { clockHz } from './uno.ts'

const folder = workFolder('engine')
test.after(() => rmSync(folder, { recursive: true, force: true }))

async function withRobot(options: StageOptions, use: (stage: Stage) => Promise<void>): Promise<void> {
  const out = join(folder, 'robot')
  run('extras/build', ['avr', 'robot', out])
  await withStage(readFileSync(`${out}.hex`, 'utf8'), options, use)
}

/** Commands that had an effect since the chip was started. */
async function effectsOf(stage: Stage): Promise<number> {
  const [status, body] = await stage.ask('GET', 'robot/stats')
  assert.is(status, 200)
  return (body as { value: { commands: number } }).value.commands
}

/** Requests, one after the other; how many a second. */
async function rateOf(stage: Stage, count: number): Promise<number> {
  const begun = performance.now()
  for (let n = 0; n < count; n++) assert.is((await stage.ask('GET', 'robot/servo'))[0], 200)
  return Math.round((count / (performance.now() - begun)) * 1000)
}

test('the robot is there by itself: catalogue, GET, PUT, POST, limits, BIND', async () => {
  await withRobot({ speed: 115_200 }, async (stage) => {
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
    await stage.poll('the report of the stop', () => heard.at(-1) === 0)
    assert.is((await stage.ask('PUT', 'robot/motor/0', 60))[0], 400)
    const [, root] = await stage.ask('GET', 'robot')
    assert.is((root as Record<string, Json>).servo, 45)
    assert.is((root as Record<string, Json>).stop, true)
    console.log(`note: ${await rateOf(stage, 100)} requests a second at 115200, one after the other`)
  })
})

test('3 % damaged bytes both ways, 300 requests in frames of at most 32 bytes: no wrong answer, no command doubled, every failure an explained 504', async () => {
  await withRobot({ speed: 115_200 }, async (stage) => {
    stage.noise = 0.03
    stage.longest = 0
    let good = 0
    let failed = 0
    // What the angle may be: a command without an answer may have been executed.
    let angles: Json[] = [90]
    const begun = performance.now()
    for (let n = 0; n < 300; n++) {
      const angle = (n * 37) % 181
      const kind = n % 4
      const [status, body] = await (kind === 0
        ? stage.ask('GET', 'robot/servo')
        : kind === 1
          ? stage.ask('POST', 'robot/stop', null)
          : stage.ask('PUT', 'robot/servo', angle))
      if (status !== 200) {
        assert.is(status, 504, JSON.stringify(body))
        const { code, message } = body as { code: string; message: string }
        assert.ok(['timeout', 'uncertain'].includes(code) && message.length > 20, JSON.stringify(body))
        failed++
        if (kind > 1) angles.push(angle)
        continue
      }
      if (kind === 0) assert.ok(angles.includes((body as { value: Json }).value), `request ${n}`)
      else {
        assert.is(body, kind === 1 ? true : angle, `request ${n}`)
        if (kind > 1) angles = [angle]
        good++
      }
    }
    const seconds = (performance.now() - begun) / 1000
    const { longest } = stage
    stage.noise = 0
    await stage.until('up', 10_000)
    const effects = await effectsOf(stage)
    const { damaged, repeated } = stage.node.status().counters
    console.log(
      `note: 300 requests over a cable with 3 % noise: ${good} commands and ${effects} effects, ${failed} answered 504, ` +
        `${damaged} damaged frames seen and ${repeated} repeats by the host, frames up to ${longest} B, ${(300 / seconds).toFixed(0)} a second`,
    )
    assert.ok(effects >= good && effects <= good + failed, `${effects} effects of ${good} commands`)
    assert.ok(longest <= 32, `a frame of ${longest} bytes`)
    assert.ok((damaged ?? 0) > 20, 'the cable was quieter than it should be')
    assert.ok(failed < 10, `${failed} of 300 failed`)
  })
})

test('the chip is reset in the middle of a command, and between its effect and its answer: never done twice in a boot', async () => {
  await withRobot({ speed: 115_200 }, async (stage) => {
    const { uno } = stage
    for (const [isExecuted, angle, pulse] of [
      [false, 10, 647],
      [true, 20, 750.5],
    ] as const) {
      assert.equal(await stage.ask('PUT', 'robot/motor/0', 80), [200, 80])
      const { sent, givenAt } = stage
      const pending = stage.ask('PUT', 'robot/servo', angle)
      await stage.at(
        () =>
          isExecuted
            ? stage.sent > sent && uno.pulse === pulse
            : stage.givenAt > givenAt && uno.cpu.cycles - stage.givenAt > 5 * uno.cyclesPerByte,
        () => uno.reset(),
      )
      assert.equal(uno.motors, [0, 0])
      // It is idempotent, and so asked again.
      assert.equal(await pending, [200, angle])
      await stage.until('up', 10_000)
      assert.is(await effectsOf(stage), 1)
      assert.equal(uno.motors, [0, 0])
    }
  })
})

test('the session breaks between the effect of a command and its answer: the answer comes in the next one, without a second effect', async () => {
  await withRobot({ speed: 115_200 }, async (stage) => {
    const { uno, sent } = stage
    await stage.ask('PUT', 'robot/motor/0', 80)
    const pending = stage.ask('PUT', 'robot/servo', 20)
    await stage.at(
      () => stage.sent > sent && uno.pulse === 750.5,
      () => {
        stage.isCut = true
      },
    )
    await stage.poll('the session is lost', () => (stage.node.status().counters['session.lost'] ?? 0) > 0)
    stage.isCut = false
    assert.equal(await pending, [200, 20])
    assert.is(await effectsOf(stage), 2)
    assert.is(uno.motors[0], 204)
  })
})

test('the speed is changed to 1 M in the session; an engine that starts anew finds the chip at whatever speed it has', async () => {
  await withRobot({ fast: 1_000_000 }, async (stage) => {
    const { uno } = stage
    assert.is(uno.cyclesPerByte, 160)
    for (let angle = 0; angle < 50; angle++) {
      assert.equal(await stage.ask('PUT', 'robot/servo', angle), [200, angle])
    }
    console.log(`note: ${await rateOf(stage, 100)} requests a second at 1000000, one after the other`)
    await stage.restart({})
    await stage.until('up', 15_000)
    assert.is(((await stage.ask('GET', 'robot/servo'))[1] as { value: Json }).value, 49)
    assert.is(await effectsOf(stage), 50)
  })
})

test('the cable is out: motors off within 5 s, told here as silent, and back by itself', async () => {
  await withRobot({ speed: 115_200 }, async (stage) => {
    const { uno } = stage
    assert.equal(await stage.ask('PUT', 'robot/motor/0', 80), [200, 80])
    stage.isCut = true
    const cutAt = uno.cpu.cycles
    await stage.poll('motors off', () => uno.motors[0] === 0, 20_000)
    const ms = ((uno.cpu.cycles - cutAt) / clockHz) * 1000
    console.log(`note: motors off ${ms.toFixed(0)} ms of the chip's time after the cable is out`)
    // The chip is looked at every 20 ms.
    assert.ok(ms <= 5050, `after ${ms} ms`)
    await stage.until('silent', 10_000)
    assert.is((await stage.ask('PUT', 'robot/motor/0', 80))[0], 500)
    stage.isCut = false
    await stage.until('up', 10_000)
    assert.is(((await stage.ask('GET', 'robot/motor/0'))[1] as { value: Json }).value, 0)
  })
})

test.run()
