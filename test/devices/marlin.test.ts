// Marlin (facts A4): jobs with line numbers over a bad cable, stops with and without the emergency parser.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import marlin from '../../devices/marlin/device.ts'
import { type MarlinOptions, MarlinSimulator } from '../../devices/marlin/simulator.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { type Link, simulatedLink, startDevice } from '../../src/device/index.ts'
import { seeded } from '../bridges/serial/kit.ts'
import { FakeOwner, pass, SILENT, TestClock } from '../device/rig.ts'

async function table(options: MarlinOptions = {}) {
  const clock = new TestClock()
  const printer = new MarlinSimulator(clock, options)
  const owner = new FakeOwner('printer')
  const inner = simulatedLink(printer, clock)
  const written: string[] = []
  const link: Link = {
    ...inner,
    write(bytes) {
      written.push(Buffer.from(bytes).toString('latin1'))
      return inner.write(bytes)
    },
  }
  const device = startDevice({
    name: 'printer',
    profile: marlin,
    link,
    owner,
    clock,
    log: SILENT,
    answerTimeout: 10_000,
  })
  await clock.advance(3000)
  const answer = (method: string, point: string, body?: Json, id?: string) =>
    pass(clock, owner.ask(method, point, body, { id }))
  const clear = async () => {
    await device.close()
    await clock.advance(20_000)
    if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`)
  }
  const until = async (what: string, is: () => boolean, ms = 120_000) => {
    for (let passed = 0; !is(); passed += 20) {
      if (passed > ms) throw new Error(`not within ${ms} ms: ${what}; ${JSON.stringify(device.status())}`)
      await clock.advance(20)
    }
  }
  return { clock, printer, owner, device, written, answer, until, clear }
}

const progress = (owner: FakeOwner) => owner.reported('progress').at(-1) as Record<string, Json>
const state = (owner: FakeOwner) => owner.reported('state').at(-1)
const squares = (lines: number) => [
  'G90',
  ...Array.from({ length: lines - 1 }, (_, at) => `G1 X${(at % 7) / 10} Y${(at % 5) / 10} F2500`),
]
/** What the machine did of a job. */
const moves = (printer: MarlinSimulator) => printer.executed.filter((line) => /^G(1|90)\b/.test(line))

test('it is met: what it is and can, temperatures, position; the directory says how stop gets there', async () => {
  for (const parser of [true, false]) {
    const { owner, device, answer, clear } = await table({ parser })
    assert.is(state(owner), 'idle')
    const { value } = (await answer('GET', 'firmware')).body as { value: Record<string, Json> }
    assert.is(value.machine, '3D Printer')
    assert.equal(value.capabilities, { EEPROM: true, AUTOREPORT_TEMP: true, EMERGENCY_PARSER: parser })
    assert.is(device.shape().actions.stop?.stop, parser ? 'immediate' : 'queued')
    assert.equal((await answer('GET', 'temperatures')).body.value, {
      hotend: { now: 21, target: 0 },
      bed: { now: 21, target: 0 },
    })
    assert.equal((await answer('GET', 'position')).body.value, { x: 0, y: 0, z: 0, e: 0 })
    await clear()
  }
  assert.is(marlin.actions.stop?.stop, 'queued')
})

for (const options of [{ parser: true }, { parser: false, okAfterResend: false }]) {
  const name = options.parser ? 'with the emergency parser' : 'without it'
  test(`a job of 300 lines, ${name}: 0 errors, one line in flight, done when the machine stands`, async () => {
    const { owner, printer, device, answer, until, clear } = await table(options)
    assert.is((await answer('POST', 'job', { lines: squares(300) }, 'j')).status, 200)
    await until('the end', () => progress(owner).state !== 'running')
    assert.equal(progress(owner), { state: 'done', lines: 300, sent: 300, done: 300 })
    assert.equal(moves(printer), squares(300))
    assert.is(printer.overflow, 0)
    assert.is(printer.fullest, 1)
    assert.equal(device.status().counters, {})
    assert.is(state(owner), 'idle')
    await clear()
  })

  test(`300 lines over a cable that damages bytes and loses answers, ${name}: every line once, in order`, async () => {
    const { owner, printer, device, answer, until, clear } = await table(options)
    const random = seeded(7)
    // One byte of a line at most: Marlin's checksum does not see two that are changed alike.
    let isHurt = false
    printer.damages = (byte) => {
      isHurt = isHurt && byte !== 10
      const fate = random()
      if (isHurt || fate > 0.01) return byte
      isHurt = true
      return fate < 0.003 ? undefined : byte ^ (1 << Math.floor(random() * 7))
    }
    printer.swallows = (line) => line === 'ok' && random() < 0.02
    assert.is((await answer('POST', 'job', { lines: squares(300) }, 'j')).status, 200)
    await until('the end', () => progress(owner).state !== 'running', 600_000)
    printer.damages = (byte) => byte
    printer.swallows = () => false
    assert.equal(progress(owner), { state: 'done', lines: 300, sent: 300, done: 300 })
    assert.equal(moves(printer), squares(300))
    assert.is(printer.overflow, 0)
    assert.ok((device.status().counters.resend ?? 0) > 10)
    await clear()
  })

  for (const line of [1, 20, 150, 290]) {
    test(`hold, resume and stop at line ${line}, ${name}: nothing moves after the stop`, async () => {
      const { owner, printer, answer, until, clock, clear } = await table(options)
      await answer('POST', 'job', { lines: squares(300) }, 'j')
      await until('the line', () => (progress(owner).done as number) >= line)
      assert.equal((await answer('POST', 'hold')).body, { confirmed: true })
      assert.is(state(owner), 'holding')
      const held = printer.executed.length
      await clock.advance(3000)
      assert.is(
        moves(printer).length,
        moves({ executed: printer.executed.slice(0, held) } as MarlinSimulator).length,
      )
      assert.is((await answer('POST', 'resume', undefined, 'r')).status, 200)
      await clock.advance(100)
      assert.equal((await answer('POST', 'stop')).body, { confirmed: true })
      const { length } = moves(printer)
      const rest = printer.position
      const { lost } = printer
      assert.is((await answer('POST', 'job', { lines: 'G1 X5 F3000' }, 'too soon')).body.code, 'busy')
      await clock.advance(5000)
      assert.equal(printer.position, rest)
      assert.is(moves(printer).length, length)
      assert.is(progress(owner).state, 'stopped')
      assert.is(state(owner), 'idle')
      assert.is(printer.lost, lost)
      assert.is((await answer('POST', 'job', { lines: 'G1 X5 F3000' }, 'k')).status, 200)
      await until('another job', () => progress(owner).state === 'done')
      assert.is(printer.position[0], 5)
      await clear()
    })
  }

  test(`stop in a long move, in a wait for heat, in a dwell, ${name}`, async () => {
    for (const [lines, ms] of [
      ['G1 X200 F600\nG1 X0 F600', 300],
      ['M109 S200\nG1 X100 F600', 300],
    ] as const) {
      const { owner, printer, answer, clock, clear } = await table(options)
      await answer('POST', 'job', { lines }, 'j')
      await clock.advance(2000)
      const begun = clock.now()
      assert.equal((await answer('POST', 'stop')).body, { confirmed: true })
      assert.ok(clock.now() - begun < ms, `${clock.now() - begun} ms`)
      const rest = printer.position
      await clock.advance(20_000)
      assert.equal(printer.position, rest)
      assert.is(progress(owner).state, 'stopped')
      await clear()
    }
    const { owner, printer, answer, clock, clear } = await table(options)
    await answer('POST', 'job', { lines: 'G4 P60000\nG1 X100 F600' }, 'j')
    await clock.advance(1000)
    assert.equal((await answer('POST', 'stop')).body, { confirmed: false })
    await clock.advance(90_000)
    assert.equal(printer.position, [0, 0, 0, 0])
    assert.is(state(owner), 'idle')
    await clear()
  })
}

test('a line that is wanted again after a stop is not sent again', async () => {
  const { owner, printer, answer, until, written, clock, clear } = await table()
  await answer('POST', 'job', { lines: squares(300) }, 'j')
  await until('the line', () => (progress(owner).done as number) >= 50)
  printer.damages = (byte) => (byte === 71 ? 70 : byte)
  await clock.advance(200)
  const before = written.length
  assert.equal((await answer('POST', 'stop')).body, { confirmed: true })
  assert.ok(before > 0 && !written.slice(before).some((text) => text.includes('G')))
  assert.is(progress(owner).state, 'stopped')
  await clear()
})

test('a stop whose first lines are lost is sent again, and gets there with a number', async () => {
  for (const lost of [2, 100]) {
    const { owner, printer, answer, until, clock, clear } = await table({ parser: false })
    const long = Array.from({ length: 40 }, (_, at) => `G1 X${at % 2 === 0 ? 100 : 0} F600`)
    await answer('POST', 'job', { lines: long }, 'j')
    await until('the line', () => (progress(owner).done as number) >= 17)
    let count = 0
    let isStart = true
    let isLost = false
    printer.damages = (byte) => {
      if (byte === 10) isLost = false
      else if (isStart && byte === 77) isLost = count++ < lost
      isStart = byte === 10
      return isLost ? undefined : byte
    }
    const begun = clock.now()
    await answer('POST', 'stop')
    if (lost === 2) assert.ok(clock.now() - begun < 3500, `${clock.now() - begun} ms`)
    await clock.advance(lost === 2 ? 0 : 15_000)
    const { position } = printer
    const { length } = moves(printer)
    await clock.advance(45_000)
    assert.equal(printer.position, position)
    assert.is(moves(printer).length, length)
    assert.is(state(owner), 'idle')
    await clear()
  }
})

test('a stop that the cable damages is repeated until it is heard', async () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const { owner, printer, answer, until, clock, clear } = await table({ parser: seed % 2 === 0 })
    const random = seeded(seed)
    await answer('POST', 'job', { lines: squares(300) }, 'j')
    await until('the line', () => (progress(owner).done as number) >= 50)
    printer.damages = (byte) => (random() < 0.05 ? byte ^ 0x01 : byte)
    const stopping = owner.ask('POST', 'stop')
    await clock.advance(9000)
    const { status } = await stopping
    assert.is(status, 200)
    printer.damages = (byte) => byte
    await until('rest', () => state(owner) === 'idle')
    const rest = printer.position
    await clock.advance(5000)
    assert.equal(printer.position, rest)
    assert.is(progress(owner).state, 'stopped')
    await clear()
  }
})

test('the same job twice with one transaction id is run once; another while it runs is refused', async () => {
  const { printer, owner, answer, until, clear } = await table()
  await answer('POST', 'job', { lines: 'G1 X50 F600' }, 'j')
  await answer('POST', 'job', { lines: 'G1 X50 F600' }, 'j')
  assert.is((await answer('POST', 'job', { lines: 'G1 X1 F600' }, 'k')).body.code, 'busy')
  await until('the end', () => progress(owner).state === 'done')
  assert.equal(moves(printer), ['G1 X50 F600'])
  await clear()
})

test('an error in mid-job: stopped and explained, everything else refused until it has restarted', async () => {
  const { owner, printer, answer, until, clock, clear } = await table()
  await answer('POST', 'job', { lines: squares(300) }, 'j')
  await until('the line', () => (progress(owner).done as number) >= 30)
  printer.fail('Heating failed, system stopped! Heater_ID: 0')
  await clock.advance(100)
  assert.is(progress(owner).state, 'failed')
  assert.match(progress(owner).cause as string, /Heating failed/)
  assert.match(JSON.stringify(owner.reported('alarm')), /Heating failed/)
  assert.is(state(owner), 'alarm')
  const { length } = printer.executed
  const refused = await answer('POST', 'job', { lines: 'G1 X1 F600' }, 'k')
  assert.is(refused.body.code, 'alarm')
  assert.match(refused.body.message as string, /restart it/)
  printer.restart()
  await clock.advance(4000)
  assert.is(state(owner), 'idle')
  assert.ok(moves(printer).length <= length)
  await clear()
})

test('kill switches everything off, past everything; a restart in mid-job fails it', async () => {
  const { owner, printer, answer, clock, clear } = await table()
  await answer('PATCH', 'targets', { hotend: 200 }, 't')
  await answer('POST', 'job', { lines: 'G4 P60000' }, 'j')
  await clock.advance(1000)
  assert.equal((await answer('POST', 'kill')).body, { confirmed: true })
  assert.is(state(owner), 'alarm')
  printer.restart()
  await clock.advance(4000)
  await answer('POST', 'job', { lines: squares(300) }, 'k')
  await clock.advance(2000)
  const done = moves(printer).length
  printer.restart()
  await clock.advance(5000)
  assert.is(progress(owner).state, 'failed')
  assert.match(progress(owner).cause as string, /restarted/)
  assert.is(moves(printer).length, done)
  await clear()
})

test('a move that the machine does not know ends the job; another command does not', async () => {
  const { owner, printer, answer, until, clear } = await table()
  await answer('POST', 'job', { lines: 'M73 P10\nG1 X1 F600\nG29\nG1 X2 F600' }, 'j')
  await until('the end', () => progress(owner).state !== 'running')
  assert.is(progress(owner).state, 'failed')
  assert.match(progress(owner).cause as string, /does not know G29/)
  assert.equal(moves(printer), ['G1 X1 F600'])
  await clear()
})

test('targets, settings, save, home', async () => {
  const { owner, printer, answer, clock, until, clear } = await table()
  assert.is((await answer('PATCH', 'targets', { hotend: 400 }, 'a')).body.code, 'range')
  assert.equal((await answer('PATCH', 'targets', { hotend: 60, bed: 50 }, 'b')).status, 200)
  assert.equal(owner.reported('targets').at(-1), { hotend: 60, bed: 50 })
  await clock.advance(20_000)
  assert.equal(owner.reported('temperatures').at(-1), {
    hotend: { now: 60, target: 60 },
    bed: { now: 50, target: 50 },
  })
  assert.equal((await answer('GET', 'settings')).body.value, {
    M92: { X: 80, Y: 80, Z: 400, E: 93 },
    M203: { X: 300, Y: 300, Z: 5, E: 25 },
  })
  assert.is((await answer('PATCH', 'settings', { M92: { E: 'x' } }, 'c')).body.code, 'range')
  assert.is((await answer('PATCH', 'settings', { M92: { E: 95.5 } }, 'd')).status, 200)
  assert.ok(printer.executed.includes('M92 E95.5'))
  assert.is((await answer('POST', 'save', undefined, 'e')).status, 200)
  assert.ok(printer.executed.includes('M500'))
  const home = answer('POST', 'home', { axes: 'xy' }, 'f')
  assert.equal((await home).body, { done: false })
  assert.is(state(owner), 'homing')
  await until('home', () => state(owner) === 'idle')
  assert.ok(printer.executed.includes('G28 X Y'))
  await clear()
})

test('a board that was running already, and one that says nothing', async () => {
  const clock = new TestClock()
  const printer = new MarlinSimulator(clock)
  printer.connect({ data() {}, gone() {} })
  await clock.advance(2000)
  printer.restart = () => {}
  const owner = new FakeOwner('printer')
  const device = startDevice({
    name: 'printer',
    profile: marlin,
    link: simulatedLink(printer, clock),
    owner,
    clock,
    log: SILENT,
    answerTimeout: 10_000,
  })
  await clock.advance(6000)
  assert.is(state(owner), 'idle')
  printer.swallows = () => true
  await clock.advance(60_000)
  assert.is(device.status().state, 'silent')
  assert.is((await owner.ask('POST', 'job', { lines: 'G1 X1' })).body.code, 'offline')
  printer.swallows = () => false
  await clock.advance(60_000)
  assert.is(device.status().state, 'up')
  await device.close()
  await clock.advance(20_000)
  assert.is(clock.pending, 0)
})

test.run()
