// The robot that isn't there (`simulated: true`, the demo), as the engine sees it.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { simulatedRobot } from '../../../src/bridges/serial/simulator/index.ts'
import { startSerialNode } from '../../../src/bridges/serial/start.ts'
import type { Json } from '../../../src/core/dispatch.ts'
import { environment, PatternOwner, pass, TestClock } from './kit.ts'

async function robot(fast?: number) {
  const clock = new TestClock()
  const owner = new PatternOwner()
  const link = simulatedRobot(clock)
  const env = environment(clock)
  const node = startSerialNode({ name: 'robot', link, fast, owner, env, answerTimeout: 10_000 })
  await clock.advance(500)
  assert.is(node.status().state, 'up')
  const ask = (method: string, path: string, body?: Json, id?: string) =>
    pass(clock, owner.ask(method, path, body, id))
  return { clock, owner, link, node, ask }
}

test('two motors, a servo, a distance that changes as it drives, a stop', async () => {
  const { clock, node, ask } = await robot()
  assert.equal(
    node.entries.map(({ key }) => key),
    ['motor/0', 'motor/1', 'servo', 'distance', 'stop', 'button', 'stats'],
  )
  assert.equal(await ask('PUT', 'servo', 90, 'a'), { status: 200, body: 90 })
  assert.is((await ask('PUT', 'servo', 181, 'b')).status, 400)
  await ask('PUT', 'motor/0', 100, 'c')
  await ask('PUT', 'motor/1', 100, 'd')
  await clock.advance(1000)
  const { value } = (await ask('GET', 'distance')).body as { value: number }
  assert.ok(value > 450 && value < 500, `${value} mm after a second at 0.5 mm a ms`)
  assert.equal(await ask('POST', 'stop', null, 'e'), { status: 200, body: true })
  const refused = await ask('PUT', 'motor/0', 10, 'f')
  assert.equal(refused, { status: 400, body: { message: 'stopped', code: 'device', status: 400 } })
  assert.is((await ask('PUT', 'stop', false, 'g')).body, false)
  assert.is((await ask('PUT', 'motor/0', -10, 'h')).body, -10)
  assert.equal(((await ask('GET', 'stats')).body as { value: Json }).value, { commands: 6 })
  await node.close()
  assert.is(clock.pending, 0)
})

test('who is bound hears how far the wall is', async () => {
  const { clock, owner, node, ask } = await robot()
  owner.bound.add('distance')
  await ask('PUT', 'motor/0', 50, 'a')
  await clock.advance(2000)
  const distances = owner.reports
    .filter(({ path }) => path === 'distance')
    .map(({ value }) => value as number)
  assert.ok(distances.length > 5, String(distances))
  assert.equal(
    distances,
    distances.toSorted((a, b) => b - a),
  )
  await node.close()
})

test('another speed, and silence: the motors are off after 5 s', async () => {
  const { clock, link, node, ask } = await robot(500_000)
  await ask('PUT', 'motor/0', 50, 'a')
  const { write } = link
  link.write = async () => {}
  await clock.advance(5000)
  link.write = write
  await clock.advance(3000)
  assert.is(node.status().state, 'up')
  assert.is(((await ask('GET', 'motor/0')).body as { value: number }).value, 0)
  await node.close()
  assert.is(clock.pending, 0)
})

test.run()
