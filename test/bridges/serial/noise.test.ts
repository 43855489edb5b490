// A bad cable: bytes lost, changed and made up in both directions. No answer is wrong and nothing is done twice.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../../src/core/dispatch.ts'
import { type Answer, pass, type Rig, rig, seeded } from './kit.ts'

interface Tally {
  good: number
  failed: number
}

/** Asks one after the other, or `together` at a time; checks every answer. */
async function exchange(
  robot: Rig,
  requests: number,
  together: number,
  random: () => number,
): Promise<Tally> {
  const tally = { good: 0, failed: 0 }
  let counted = 0
  const counts = new Set<Json>()
  const check = (answer: Answer, right: (body: Json) => boolean) => {
    if (answer.status === 200) {
      tally.good++
      return assert.ok(right(answer.body), `wrong answer ${JSON.stringify(answer)}`)
    }
    tally.failed++
    const { code, message } = answer.body as { code: string; message: string }
    assert.ok(answer.status === 504 || code === 'not-executed' || code === 'offline', JSON.stringify(answer))
    assert.ok(message.length > 10)
  }
  const one = async (at: number): Promise<void> => {
    const kind = Math.floor(random() * 3)
    if (kind === 0) {
      const value = Math.floor(random() * 1000)
      return check(await robot.owner.ask('GET', 'sq', value), (body) => body === value ** 2)
    }
    if (kind === 1) {
      const angle = Math.floor(random() * 181)
      const answer = await robot.owner.ask('PUT', 'servo/3', angle, `servo ${at} ${robot.clock.now()}`)
      return check(answer, (body) => body === angle)
    }
    counted++
    const answer = await robot.owner.ask('POST', 'count', null, `count ${at} ${robot.clock.now()}`)
    check(answer, (body) => typeof body === 'number' && !counts.has(body))
    if (answer.status === 200) counts.add(answer.body)
  }
  for (let at = 0; at < requests; at += together) {
    await pass(robot.clock, Promise.all(Array.from({ length: together }, (_, more) => one(at + more))))
  }
  const done = robot.mcu.effects.filter((effect) => effect === 'count').length
  assert.ok(done >= counts.size && done <= counted, `${done} counted for ${counts.size} to ${counted}`)
  assert.is(robot.mcu.values.get('count'), done)
  return tally
}

for (const window of [1, 3]) {
  test(`3 % of all bytes damaged, window ${window}: no wrong answer, no doubled command, failures explained`, async () => {
    const robot = await rig({ seed: 6, prepare: ({ mcu }) => (mcu.window = window) })
    robot.cable.noise = 0.03
    const tally = await exchange(robot, 300, window, seeded(window))
    assert.ok(tally.good >= 285, `${tally.good} good, ${tally.failed} failed`)
    assert.ok((robot.node.status().counters.damaged ?? 0) > 50)
    await robot.clear()
  })
}

test('whatever the damage and the window, with restarts in between', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 0x7fffffff }),
      fc.constantFrom(0.001, 0.005, 0.01, 0.03, 0.1),
      fc.constantFrom(1, 2, 3),
      fc.integer({ min: 0, max: 2 }),
      async (seed, noise, window, restarts) => {
        const robot = await rig({ seed, prepare: ({ mcu }) => (mcu.window = window) })
        robot.cable.noise = noise
        const random = seeded(seed)
        for (let part = 0; part <= restarts; part++) {
          await exchange(robot, 9, window, random)
          robot.mcu.values.set('count', 0)
          robot.mcu.effects.length = 0
          if (part < restarts) robot.mcu.start()
        }
        await robot.clear()
      },
    ),
    { numRuns: 60, seed: 6 },
  )
})

test('sessions that break in mid-command never double a command', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 0x7fffffff }),
      fc.constantFrom(1, 3),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3000 })), {
        minLength: 1,
        maxLength: 4,
      }),
      async (seed, window, cuts) => {
        const robot = await rig({ seed, prepare: ({ mcu }) => (mcu.window = window) })
        const asked = Array.from({ length: 6 }, (_, at) => robot.owner.ask('POST', 'count', null, `c${at}`))
        for (const [after, during] of cuts) {
          await robot.clock.advance(after)
          robot.cable.isCut = true
          await robot.clock.advance(during)
          robot.cable.isCut = false
        }
        const answers = await Promise.all(asked.map((answer) => pass(robot.clock, answer)))
        const good = answers.filter(({ status }) => status === 200).map(({ body }) => body)
        const done = robot.mcu.effects.length
        assert.is(new Set(good).size, good.length)
        assert.ok(good.length <= done && done <= 6, `${done} done, ${good.length} answered`)
        await robot.clear()
      },
    ),
    { numRuns: 60, seed: 6 },
  )
})

test.run()
