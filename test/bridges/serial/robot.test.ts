// A microcontroller becomes resources (design §3, §9; firmware-bridge/LINK.md).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../../src/core/dispatch.ts'
import { type Answer, pass, rig } from './kit.ts'

const code = ({ body }: Answer) => (body as { code?: Json }).code

test('the catalogue becomes resources by itself, in pages', async () => {
  const robot = await rig()
  assert.is(robot.node.status().state, 'up')
  assert.equal(
    robot.node.entries.map(({ key }) => key),
    ['led', 'servo/3', 'motor', 'count', 'stop', 'adc/0', 'button', 'broken', 'sq'],
  )
  const servo = await robot.answer('GET', 'servo/3')
  assert.equal(servo, {
    status: 200,
    body: { value: 90, unit: 'deg', age: 0, retained: false, online: true },
  })
  assert.equal(await robot.answer('PUT', 'servo/3', 45, 'a'), { status: 200, body: 45 })
  assert.is(((await robot.answer('GET', '')).body as Record<string, Json>)['servo/3'], 45)
  assert.equal(robot.mcu.effects, ['servo/3=45'])
  assert.equal((await robot.answer('GET', 'sq', 12)).body, 144)
  await robot.clear()
})

test('§9.5 the root is read when it is asked for: what a stop has changed, and no event by looking', async () => {
  const robot = await rig()
  await robot.answer('PUT', 'motor', 50, 'a')
  await robot.answer('POST', 'stop', null, 'b')
  robot.mcu.values.set('adc/0', 3)
  const [root, same] = await Promise.all([robot.answer('GET', ''), robot.answer('GET', '')])
  assert.equal(root, same)
  const state = { ...((root as Answer).body as Record<string, Json>) }
  delete state.age
  assert.equal(state, {
    online: true,
    state: 'up',
    led: false,
    'servo/3': 90,
    motor: 0,
    count: 0,
    'adc/0': 3,
    button: 0,
    broken: null,
    sq: 0,
  })
  assert.is(robot.owner.reports.filter(({ event }) => event).length, 0)
  robot.cable.isCut = true
  const before = robot.clock.now()
  assert.is((await robot.answer('GET', '')).status, 200)
  assert.ok(robot.clock.now() - before <= 2000)
  await robot.clear()
})

test('the directory lists what it has, with units, ranges and what is urgent', async () => {
  const robot = await rig()
  const [, servo, , , stop, , button] = robot.node.describe()
  assert.equal(servo, {
    resource: ['robot', 'servo', 3],
    methods: ['GET', 'PUT', 'BIND'],
    description: 'servo/3 of the microcontroller',
    unit: 'deg',
    range: [0, 180],
  })
  assert.is(stop?.urgent, true)
  assert.is(button?.event, true)
  await robot.clear()
})

test('what is not in the catalogue is 404, also a method', async () => {
  const robot = await rig()
  assert.is((await robot.answer('GET', 'nothing')).status, 404)
  assert.is((await robot.answer('PUT', 'adc/0', 1)).status, 404)
  assert.is((await robot.answer('GET', 'a/b/c')).status, 404)
  await robot.clear()
})

test('§9.6 a body out of range is refused before a byte goes out, naming range and unit', async () => {
  const robot = await rig()
  const before = robot.cable.bytes
  const answer = await robot.answer('PUT', 'servo/3', 181)
  assert.is(answer.status, 400)
  assert.is(code(answer), 'range')
  assert.match((answer.body as { message: string }).message, /0 to 180 deg/)
  assert.is((await robot.answer('PUT', 'servo/3', 'left')).status, 400)
  assert.is((await robot.answer('PUT', 'servo/3')).status, 400)
  assert.is(robot.cable.bytes, before)
  await robot.clear()
})

test('§9.6 what the microcontroller refuses is told with its own words', async () => {
  const robot = await rig()
  const answer = await robot.answer('POST', 'broken', null, 'a')
  assert.equal(answer, { status: 400, body: { message: 'it is broken', code: 'device', status: 400 } })
  await robot.clear()
})

test('a body that does not fit into a frame is refused', async () => {
  const robot = await rig()
  const answer = await robot.answer('PUT', 'led', 'x'.repeat(100))
  assert.is(answer.status, 400)
  assert.match((answer.body as { message: string }).message, /takes 92/)
  assert.equal(robot.mcu.effects, [])
  await robot.clear()
})

test('§9.5 it reports only what somebody is bound to, on change, and events at every occurrence', async () => {
  const robot = await rig()
  robot.mcu.happen('adc/0', 1)
  await robot.clock.advance(1000)
  assert.equal(robot.owner.reports, [])
  robot.owner.bound.add('adc/0').add('button')
  await robot.clock.advance(1000)
  assert.is(robot.mcu.bound, 2)
  for (const value of [7, 7, 8]) {
    robot.mcu.happen('adc/0', value)
    await robot.clock.advance(150)
  }
  for (const value of [1, 1]) robot.mcu.happen('button', value)
  await robot.clock.advance(1000)
  assert.equal(robot.owner.reports, [
    { path: 'adc/0', value: 1, event: false },
    { path: 'adc/0', value: 7, event: false },
    { path: 'adc/0', value: 8, event: false },
    { path: 'button', value: { value: 1, seq: 1 }, event: true },
    { path: 'button', value: { value: 1, seq: 2 }, event: true },
  ])
  robot.owner.bound.clear()
  await robot.clock.advance(10_000)
  assert.is(robot.mcu.bound, 0)
  await robot.clear()
})

test('what can not be bound is sampled while somebody is bound', async () => {
  const robot = await rig()
  robot.owner.bound.add('count')
  await robot.clock.advance(1000)
  robot.mcu.values.set('count', 5)
  await robot.clock.advance(2000)
  assert.equal(robot.owner.reports.at(-1), { path: 'count', value: 5, event: false })
  await robot.clear()
})

test('bindings are made again in every session, also of the same boot', async () => {
  const robot = await rig()
  robot.owner.bound.add('adc/0')
  await robot.clock.advance(1000)
  robot.cable.isCut = true
  await robot.clock.advance(7000)
  assert.is(robot.node.status().state, 'silent')
  robot.cable.isCut = false
  await robot.clock.advance(2000)
  assert.is(robot.node.status().state, 'up')
  assert.is(robot.mcu.bound, 1)
  await robot.clear()
})

test('§9.7 a repeated transaction id is executed once', async () => {
  const robot = await rig()
  assert.equal((await robot.answer('POST', 'count', null, 'a')).body, 1)
  assert.equal((await robot.answer('POST', 'count', null, 'a')).body, 1)
  assert.equal((await robot.answer('POST', 'count', null, 'b')).body, 2)
  assert.equal(robot.mcu.effects, ['count', 'count'])
  await robot.clear()
})

test('silence: the motors stop within 5 s at the far end, and it is told here', async () => {
  const robot = await rig()
  await robot.answer('PUT', 'motor', 50, 'a')
  robot.cable.isCut = true
  await robot.clock.advance(5100)
  assert.is(robot.mcu.safe, 1)
  assert.is(robot.mcu.values.get('motor'), 0)
  await robot.clock.advance(1500)
  const { state, cause } = robot.node.status()
  assert.is(state, 'silent')
  assert.match(cause, /nothing/)
  const answer = await robot.answer('PUT', 'motor', 50, 'b')
  assert.is(answer.status, 500)
  assert.is(code(answer), 'offline')
  await robot.clear()
})

test('without anything to say it stays alive: the far end hears a PING in time, also while it talks itself', async () => {
  const robot = await rig()
  await robot.answer('PUT', 'motor', 50, 'a')
  robot.owner.bound.add('adc/0')
  for (let second = 0; second < 60; second++) {
    robot.mcu.happen('adc/0', second)
    await robot.clock.advance(1000)
  }
  assert.is(robot.mcu.safe, 0)
  assert.is(robot.node.status().state, 'up')
  await robot.clear()
})

test('unplugged: at once offline; plugged in again: at once there', async () => {
  const robot = await rig()
  await robot.answer('GET', 'servo/3')
  robot.cable.unplug()
  assert.is(robot.node.status().state, 'down')
  const gone = await robot.answer('PUT', 'led', true, 'a')
  assert.is(code(gone), 'offline')
  const retained = (await robot.answer('GET', 'servo/3')) as { body: Record<string, Json> }
  assert.is(retained.body.value, 90)
  assert.is(retained.body.retained, true)
  assert.is(retained.body.online, false)
  robot.cable.plug()
  await robot.clock.advance(300)
  assert.is(robot.node.status().state, 'up')
  await robot.clear()
})

test('LINK 3 a restart in mid-command: GET, PUT and DELETE are asked again, a POST is answered 504', async () => {
  for (const [method, path, body, status] of [
    ['PUT', 'servo/3', 10, 200],
    ['GET', 'servo/3', undefined, 200],
    ['POST', 'count', null, 504],
  ] as const) {
    const robot = await rig()
    robot.mcu.isDead = true
    const asked = robot.owner.ask(method, path, body, 'a')
    await robot.clock.advance(20)
    robot.mcu.isDead = false
    robot.mcu.start()
    const answer = await pass(robot.clock, asked)
    assert.is(answer.status, status, method)
    if (status === 504) assert.is(code(answer), 'uncertain')
    assert.equal(robot.mcu.effects, method === 'PUT' ? ['servo/3=10'] : [])
    await robot.clear()
  }
})

test('LINK "Once only": an answer that is lost with its session is asked for again, and nothing is done twice', async () => {
  for (const window of [1, 3]) {
    const robot = await rig({ prepare: ({ mcu }) => (mcu.window = window) })
    const asked = robot.owner.ask('POST', 'count', null, 'a')
    // It has arrived; the answer does not, nor anything after it.
    await robot.clock.advance(1)
    robot.cable.isCut = true
    await robot.clock.advance(3000)
    robot.cable.isCut = false
    const answer = await pass(robot.clock, asked)
    assert.equal(answer, { status: 200, body: 1 })
    assert.equal(robot.mcu.effects, ['count'])
    await robot.clear()
  }
})

test('with a window of 3, what may have been done is not done again after a lost session', async () => {
  const robot = await rig({ prepare: ({ mcu }) => (mcu.window = 3) })
  const asked = ['a', 'b', 'c'].map((id) => robot.owner.ask('POST', 'count', null, id))
  await robot.clock.advance(1)
  robot.cable.isCut = true
  await robot.clock.advance(3000)
  robot.cable.isCut = false
  const answers = await Promise.all(asked.map((answer) => pass(robot.clock, answer)))
  const good = answers.filter(({ status }) => status === 200)
  assert.ok(robot.mcu.effects.length <= 3)
  for (const answer of answers) if (answer.status !== 200) assert.is(code(answer), 'uncertain')
  assert.ok(good.length <= robot.mcu.effects.length)
  await robot.clear()
})

test('a stop overtakes what waits, which is then not executed', async () => {
  const robot = await rig()
  const moves = [10, 20, 30, 40].map((value) => robot.owner.ask('PUT', 'motor', value, `m${value}`))
  const stopped = robot.owner.ask('POST', 'stop', null, 's')
  assert.is((await pass(robot.clock, stopped)).status, 200)
  const answers = await Promise.all(moves)
  assert.equal(
    answers.map(({ status }) => status),
    [200, 500, 500, 500],
  )
  assert.is(code(answers[1] as Answer), 'not-executed')
  assert.equal(robot.mcu.effects, ['motor=10', 'stop'])
  await robot.clear()
})

test('a stop does not wait for a command that is not taken: it gets round it within 0.3 s', async () => {
  const robot = await rig()
  robot.mcu.refusals = 1000
  const move = robot.owner.ask('PUT', 'motor', 50, 'm')
  await robot.clock.advance(200)
  const before = robot.clock.now()
  assert.is((await robot.answer('POST', 'stop', null, 's')).status, 200)
  assert.ok(robot.clock.now() - before < 300, `${robot.clock.now() - before} ms`)
  assert.is(code(await pass(robot.clock, move)), 'uncertain')
  assert.equal(robot.mcu.effects, ['stop'])
  await robot.clear()
})

test('every stop is executed, also with the same transaction id', async () => {
  const robot = await rig()
  await robot.answer('POST', 'stop', null, 'a')
  await robot.answer('POST', 'stop', null, 'a')
  assert.equal(robot.mcu.effects, ['stop', 'stop'])
  await robot.clear()
})

test('a stop is tried as long as there is a port, when anything else is refused', async () => {
  const robot = await rig()
  robot.cable.isCut = true
  await robot.clock.advance(7000)
  const move = await robot.answer('PUT', 'motor', 5, 'm')
  assert.is(code(move), 'offline')
  const stop = robot.owner.ask('POST', 'stop', null, 's')
  await robot.clock.advance(1000)
  robot.cable.isCut = false
  assert.is((await pass(robot.clock, stop)).status, 200)
  assert.equal(robot.mcu.effects, ['stop'])
  await robot.clear()
})

test('LINK 9 a microcontroller that is not ready is waited for, and nothing is lost', async () => {
  const robot = await rig()
  robot.mcu.refusals = 20
  assert.equal((await robot.answer('POST', 'count', null, 'a')).body, 1)
  assert.is(robot.node.status().counters['session.lost'], undefined)
  assert.equal(robot.mcu.effects, ['count'])
  await robot.clear()
})

test('a flood is refused, not queued without end, and a stop still gets through', async () => {
  const robot = await rig()
  const moves = Array.from({ length: 100 }, (_, at) => robot.owner.ask('PUT', 'motor', at, `m${at}`))
  assert.is((await robot.answer('POST', 'stop', null, 's')).status, 200)
  const answers = await Promise.all(moves)
  assert.ok(answers.filter((answer) => code(answer) === 'busy').length >= 60)
  assert.is(robot.mcu.effects.at(-1), 'stop')
  await robot.clear()
})

test('another firmware after a restart: its catalogue is read anew', async () => {
  const robot = await rig()
  robot.mcu.rows.splice(0, 2)
  robot.mcu.start()
  await robot.clock.advance(1000)
  assert.is((await robot.answer('GET', 'servo/3')).status, 404)
  assert.equal((await robot.answer('PUT', 'motor', 7, 'a')).body, 7)
  assert.equal(robot.mcu.effects, ['motor=7'])
  await robot.clear()
})

test.run()
