// The microcontroller through a real engine: resources, reports and failures as any client sees them.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startSerialNode } from '../../../src/bridges/serial/index.ts'
import type { Json } from '../../../src/core/dispatch.ts'
import { Engine } from '../../../src/index.ts'
import { Cable, environment, pass, TestClock } from './kit.ts'

async function stage() {
  const clock = new TestClock()
  const cable = new Cable(clock)
  const env = environment(clock)
  env.random.uuid = () => crypto.randomUUID()
  const engine = new Engine({ env, name: 'taller', answerTimeout: 1000 })
  const node = startSerialNode({
    name: 'robot',
    link: cable.link,
    speed: 115200,
    owner: engine.own('robot'),
    env,
    answerTimeout: 1000,
  })
  cable.mcu.start()
  await clock.advance(500)
  const first = async (method: string, at: string, body?: Json): Promise<[number, Json | undefined]> => {
    for await (const answer of engine.ask(method, at, { body })) return [answer.status, answer.body]
    return [0, undefined]
  }
  const ask = (method: string, at: string, body?: Json) => pass(clock, first(method, at, body))
  return { clock, cable, engine, node, ask }
}

test('§9.5 the root, a point with a number in its path, a PUT, a POST', async () => {
  const { node, ask, cable } = await stage()
  const [status, root] = await ask('GET', 'robot')
  assert.is(status, 200)
  assert.is((root as Record<string, Json>).online, true)
  assert.equal(await ask('PUT', 'robot/servo/3', 30), [200, 30])
  assert.is(((await ask('GET', 'robot/servo/3'))[1] as Record<string, Json>).value, 30)
  assert.equal(await ask('POST', 'robot/count', null), [200, 1])
  assert.equal(cable.mcu.effects, ['servo/3=30', 'count'])
  assert.is((await ask('GET', 'robot/nothing'))[0], 404)
  assert.is((await ask('PUT', 'robot/servo/3', 999))[0], 400)
  await node.close()
  cable.mcu.stop()
})

test('§9.3 whoever binds gets what changes', async () => {
  const { node, engine, clock, cable } = await stage()
  const heard: (Json | undefined)[] = []
  engine.bind('PUT#robot/adc/0', ({ dispatch }) => {
    heard.push(dispatch.body)
  })
  await clock.advance(1000)
  for (const value of [100, 100, 101]) {
    cable.mcu.happen('adc/0', value)
    await clock.advance(150)
  }
  assert.equal(heard, [512, 100, 101])
  await node.close()
  cable.mcu.stop()
})

test('§9.6 without an answer: 504 within the time of the engine', async () => {
  const { node, cable, ask, clock } = await stage()
  cable.mcu.isDead = true
  const before = clock.now()
  const [status, body] = await ask('PUT', 'robot/motor', 5)
  assert.is(status, 504)
  assert.is((body as Record<string, Json>).code, 'uncertain')
  assert.ok(clock.now() - before < 1000)
  await node.close()
  cable.mcu.stop()
})

test.run()
