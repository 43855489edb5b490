// LINK.md, Speed: found at any of the list, changed within a session, and back when it does not work.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { rig, seeded } from './kit.ts'

test('11 it is found at every speed of the list', async () => {
  for (const speed of [115200, 500000, 250000, 1000000, 57600, 38400, 9600]) {
    const robot = await rig({
      speed: undefined,
      wait: 4500,
      prepare: ({ mcu }) => {
        mcu.startSpeed = speed
      },
    })
    assert.is(robot.node.status().state, 'up', `${speed}`)
    assert.is(robot.cable.speed, speed)
    assert.equal((await robot.answer('GET', 'sq', 3)).body, 9)
    await robot.clear()
  }
})

test('11 a board that needs 1.5 s to boot is found at the first speed', async () => {
  const robot = await rig({
    speed: undefined,
    wait: 1600,
    prepare: ({ mcu }) => {
      mcu.isDead = true
    },
  })
  assert.is(robot.cable.speed, 115200)
  robot.mcu.isDead = false
  await robot.clock.advance(300)
  assert.is(robot.node.status().state, 'up')
  await robot.clear()
})

test('12 a session goes on at the faster speed', async () => {
  const robot = await rig({ fast: 500000 })
  assert.is(robot.cable.speed, 500000)
  assert.is(robot.mcu.speed, 500000)
  assert.equal((await robot.answer('GET', 'sq', 3)).body, 9)
  await robot.clear()
})

test('12 a speed that the board does not have: it stays as it is', async () => {
  const robot = await rig({ fast: 1000000, wait: 4000 })
  assert.is(robot.cable.speed, 115200)
  assert.is(robot.node.status().state, 'up')
  assert.is(robot.node.status().counters['speed.refused'], 1)
  await robot.clear()
})

test('12 the OK is lost every time: both end at the old speed, and it works', async () => {
  const robot = await rig({
    fast: 500000,
    wait: 6000,
    prepare: ({ mcu }) => {
      mcu.isMute = true
    },
  })
  assert.is(robot.node.status().state, 'up')
  assert.is(robot.cable.speed, 115200)
  assert.equal((await robot.answer('GET', 'sq', 3)).body, 9)
  await robot.clear()
})

test('12 nothing gets through at the new speed: both go back', async () => {
  const robot = await rig({
    fast: 500000,
    wait: 4000,
    prepare: (cable) => {
      cable.deadSpeed = 500000
    },
  })
  assert.is(robot.node.status().state, 'up')
  assert.is(robot.cable.speed, 115200)
  assert.is(robot.mcu.speed, 115200)
  assert.equal((await robot.answer('GET', 'sq', 3)).body, 9)
  await robot.clear()
})

test('a restart at the fast speed: it is found again where it starts, within a second', async () => {
  const robot = await rig({ fast: 500000 })
  robot.mcu.start()
  const asked = robot.owner.ask('PUT', 'servo/3', 5, 'a')
  let answered = false
  void asked.then(() => {
    answered = true
  })
  const start = robot.clock.now()
  while (!answered && robot.clock.now() - start < 10_000) await robot.clock.advance(10)
  assert.is((await asked).status, 200)
  assert.equal(robot.mcu.effects, ['servo/3=5'])
  assert.is(robot.cable.speed, 500000)
  await robot.clear()
})

test('another device at the port: after 3 s it is told what may be wrong, and asked less often', async () => {
  const robot = await rig({
    wait: 3500,
    prepare: ({ mcu }) => {
      mcu.isDead = true
    },
  })
  const { state, cause } = robot.node.status()
  assert.is(state, 'silent')
  assert.match(cause, /no firmware with our link answers at 115200 baud: is it flashed/)
  await robot.clock.advance(30_000)
  const before = robot.cable.bytes
  await robot.clock.advance(10_000)
  assert.ok(robot.cable.bytes - before <= 12 * 8, `${robot.cable.bytes - before} bytes in 10 s`)
  await robot.clear()
})

test('noise from the first byte on: it comes up all the same', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const robot = await rig({
      seed,
      fast: seeded(seed)() < 0.5 ? 500000 : undefined,
      wait: 15_000,
      prepare: (cable) => {
        cable.noise = 0.02
      },
    })
    assert.is(robot.node.status().state, 'up', `seed ${seed}`)
    await robot.clear()
  }
})

test.run()
