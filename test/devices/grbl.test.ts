// Grbl (facts A3): the recorded dialogue, jobs by character counting, stops and alarms.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import grbl from '../../devices/grbl/device.ts'
import { checkJob } from '../../devices/grbl/gcode.ts'
import { readLine } from '../../devices/grbl/line.ts'
import { ROOM, Sender } from '../../devices/grbl/sender.ts'
import { GrblSimulator } from '../../devices/grbl/simulator.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { type Link, simulatedLink, startDevice } from '../../src/device/index.ts'
import { FakeOwner, pass, SILENT, TestClock } from '../device/rig.ts'

async function table() {
  const clock = new TestClock()
  const mill = new GrblSimulator(clock)
  const owner = new FakeOwner('mill')
  const inner = simulatedLink(mill, clock)
  const written: string[] = []
  const link: Link = {
    ...inner,
    write(bytes) {
      written.push(Buffer.from(bytes).toString('latin1'))
      return inner.write(bytes)
    },
  }
  const device = startDevice({
    name: 'mill',
    profile: grbl,
    link,
    owner,
    clock,
    log: SILENT,
    answerTimeout: 10_000,
  })
  await clock.advance(2000)
  const answer = (method: string, point: string, body?: Json, id?: string) =>
    pass(clock, owner.ask(method, point, body, { id }))
  const clear = async () => {
    await device.close()
    await clock.advance(20_000)
    if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`)
  }
  return { clock, mill, owner, device, written, answer, clear }
}

const progress = (owner: FakeOwner) => owner.reported('progress').at(-1) as Record<string, Json>
const squares = (lines: number) => [
  'G21',
  'G90',
  'F2500',
  ...Array.from({ length: lines }, (_, at) => `G1 X${(at % 7) / 10} Y${(at % 5) / 10}`),
]

test('the recorded dialogue is understood', () => {
  assert.equal(readLine('ok\r'), { is: 'ok' })
  assert.equal(readLine('error:22'), { is: 'error', code: 22 })
  assert.equal(readLine('ALARM:1'), { is: 'alarm', code: 1 })
  assert.equal(readLine("Grbl 1.1h ['$' for help]"), { is: 'banner', version: '1.1h' })
  assert.equal(readLine('[MSG:Reset to continue]'), { is: 'message', text: 'Reset to continue' })
  assert.equal(readLine('$110=500.000'), { is: 'setting', number: 110, value: 500 })
  assert.equal(readLine('[VER:1.1h.20190830:]'), { is: 'info', text: '[VER:1.1h.20190830:]' })
  assert.equal(readLine('<Idle|MPos:0.000,0.000,0.000|FS:0,0|WCO:0.000,0.000,0.000>'), {
    is: 'status',
    state: 'idle',
    machine: { x: 0, y: 0, z: 0 },
    feed: 0,
    spindle: 0,
    offset: { x: 0, y: 0, z: 0 },
  })
  assert.equal(readLine('<Run|MPos:2.248,0.000,0.000|FS:360,0|Ov:120,100,100>'), {
    is: 'status',
    state: 'running',
    machine: { x: 2.248, y: 0, z: 0 },
    feed: 360,
    spindle: 0,
    overrides: { feed: 120, rapid: 100, spindle: 100 },
  })
  assert.is((readLine('<Hold:0|MPos:2.248,0.000,0.000|FS:0,0>') as { state: string }).state, 'holding')
  assert.is((readLine('<Hold:1|MPos:0.000,0.000,0.000|FS:0,0>') as { isBraking: boolean }).isBraking, true)
  assert.is(readLine('<Idle|MPos:0.0')?.is, 'info')
  assert.is(readLine(''), undefined)
})

test('G-code is checked before anything moves, and the line that is wrong is named', () => {
  assert.equal(checkJob('g21 (mm)\n\nG1 X1.5 F300 ; cut\r\n%\nx2'), ['G21', 'G1X1.5F300', 'X2'])
  for (const [job, why] of [
    ['G1 X', /line 1 .* is no letter with a number/],
    ['G21\nG999', /line 2 .* does not know G999/],
    ['G1 X1', /line 1 .* no feed rate/],
    [`G1 X${'1'.repeat(100)}`, /103 characters/],
    ['G10 L2 P1 X0', /memory/],
    ['$X', /\$ commands/],
    ['G1 X1 X2 F1', /X comes twice/],
    ['G1 Q1 F1', /letter Q/],
    ['G0 X1!', /is no letter/],
    ['(half', /comment/],
    ['', /empty/],
  ] as const) {
    assert.throws(() => checkJob(job), why)
  }
})

test('character counting: never more than 127 bytes in flight, one answer for one line', () => {
  const flying: number[] = []
  const sender = new Sender((text) => flying.push(text.length))
  let most = 0
  let at = 0
  sender.follow(() => (at < 300 ? { text: 'X'.repeat(1 + (at++ % 40)), answered() {} } : undefined))
  while (flying.length > 0 && at <= 300) {
    most = Math.max(
      most,
      flying.reduce((sum, bytes) => sum + bytes, 0),
    )
    flying.shift()
    sender.take(undefined)
  }
  assert.is(at, 300)
  assert.ok(most <= ROOM && most > 90, `${most}`)
  assert.is(sender.take(undefined), false)
})

test('a line that waits for room is not sent when its job has ended', () => {
  const sent: string[] = []
  const sender = new Sender((text) => sent.push(text))
  sender.follow(() => ({ text: 'X'.repeat(60), answered() {} }))
  assert.is(sent.length, 2)
  sender.follow(() => undefined)
  sender.take(undefined)
  sender.take(undefined)
  assert.is(sent.length, 2)
})

test('a job of 300 lines: 0 errors, no byte too many, done when the machine stands', async () => {
  const { owner, mill, answer, clock, clear } = await table()
  assert.is((await answer('POST', 'job', { lines: squares(300) }, 'j')).status, 200)
  while (progress(owner).state === 'running') await clock.advance(100)
  assert.equal(progress(owner), { state: 'done', lines: 303, sent: 303, done: 303 })
  assert.is(mill.overflow, 0)
  assert.ok(mill.fullest <= ROOM, `${mill.fullest}`)
  assert.equal(
    mill.executed.slice(0, -1),
    squares(300).map((line) => line.replaceAll(' ', '')),
  )
  await clock.advance(3000)
  assert.is(owner.reported('state').at(-1), 'idle')
  await clear()
})

test('the same job twice with one transaction id is run once; another while it runs is refused', async () => {
  const { mill, answer, clock, clear } = await table()
  await answer('POST', 'job', { lines: 'G1 X50 F600' }, 'j')
  await answer('POST', 'job', { lines: 'G1 X50 F600' }, 'j')
  const busy = await answer('POST', 'job', { lines: 'G1 X1 F600' }, 'k')
  assert.is(busy.status, 400)
  assert.is(busy.body.code, 'busy')
  await clock.advance(10_000)
  assert.equal(mill.executed, ['G1X50F600', 'G4P0.01'])
  await clear()
})

for (const line of [1, 20, 150, 290]) {
  test(`hold, resume and stop at line ${line}: nothing moves after the stop, the position stays known`, async () => {
    const { owner, mill, answer, clock, clear } = await table()
    await answer('POST', 'job', { lines: squares(300) }, 'j')
    while ((progress(owner).done as number) < line) await clock.advance(20)
    assert.is((await answer('POST', 'hold')).status, 200)
    await clock.advance(500)
    assert.is(owner.reported('state').at(-1), 'holding')
    const held = mill.position
    await clock.advance(1000)
    assert.equal(mill.position, held)
    assert.is((await answer('POST', 'resume', undefined, 'r')).status, 200)
    await clock.advance(10)
    const stopped = await answer('POST', 'stop')
    assert.equal(stopped, { status: 200, body: { confirmed: true } } as never)
    const { length } = mill.executed
    const rest = mill.position
    await clock.advance(5000)
    assert.equal(mill.position, rest)
    assert.is(mill.executed.length, length)
    assert.is(progress(owner).state, 'stopped')
    assert.is(owner.reported('state').at(-1), 'idle')
    assert.is(mill.overflow, 0)
    await clear()
  })
}

test('§9.10 an alarm in mid-job: it is stopped and explained; a reset is heard only when it asks for one', async () => {
  const { owner, mill, answer, clock, clear } = await table()
  await answer('POST', 'job', { lines: squares(300) }, 'j')
  await clock.advance(500)
  mill.hitLimit()
  await clock.advance(10)
  assert.is(progress(owner).state, 'failed')
  assert.match(progress(owner).cause as string, /limit switch/)
  assert.match(JSON.stringify(owner.reported('alarm')), /"code":1/)
  const stop = owner.ask('POST', 'stop')
  await clock.advance(200)
  assert.is(mill.resets, 1)
  assert.equal((await pass(clock, stop)).body, { confirmed: true } as never)
  assert.is(mill.resets, 2)
  await clock.advance(2500)
  assert.is(owner.reported('state').at(-1), 'alarm')
  const refused = await answer('POST', 'job', { lines: 'G0 X1' }, 'k')
  assert.is(refused.body.code, 'alarm')
  assert.is((await answer('POST', 'unlock', undefined, 'u')).status, 200)
  await clock.advance(2500)
  assert.is((await answer('POST', 'job', { lines: 'G0 X1' }, 'l')).status, 200)
  await clear()
})

test('a restart in mid-job: it has failed, and what was sent is not sent again', async () => {
  const { owner, mill, answer, clock, clear } = await table()
  await answer('POST', 'job', { lines: squares(300) }, 'j')
  await clock.advance(500)
  const { length } = mill.executed
  mill.restart()
  await clock.advance(5000)
  assert.is(progress(owner).state, 'failed')
  assert.is(mill.executed.length, length)
  await clear()
})

test('settings are read, and written one at a time', async () => {
  const { mill, answer, written, clear } = await table()
  const read = await answer('GET', 'settings')
  assert.equal(read.body.value, { 100: 250, 110: 500, 130: 200 })
  const set = await answer('PATCH', 'settings', { 110: 600, 100: 200 }, 's')
  assert.is(set.status, 200)
  assert.equal(
    written.filter((text) => text.includes('=')),
    ['$100=200\n', '$110=600\n'],
  )
  assert.is(mill.overflow, 0)
  await clear()
})

test('jog, override, and what the controller refuses', async () => {
  const { owner, mill, answer, clock, written, clear } = await table()
  assert.is((await answer('POST', 'jog', { x: 1.5, feed: 600 }, 'a')).status, 200)
  await clock.advance(3000)
  assert.equal(mill.position, [1.5, 0, 0])
  assert.is((await answer('POST', 'jog', { feed: 600 }, 'b')).status, 400)
  assert.is((await answer('POST', 'override', { feed: 123 }, 'c')).status, 200)
  assert.ok(written.includes('\x91\x91\x93\x93\x93'))
  await clock.advance(2500)
  assert.equal(owner.reported('overrides').at(-1), { feed: 123, rapid: 100, spindle: 100 })
  const home = await answer('POST', 'home', undefined, 'd')
  assert.is(home.status, 400)
  assert.match(home.body.message as string, /homing is switched off/)
  await clear()
})

test.run()
