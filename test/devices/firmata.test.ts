// Firmata (facts A2): the recorded bytes, pins by name and by number, what is lost on the way, stops.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import firmata from '../../devices/firmata/device.ts'
import { type Message, Parser, say } from '../../devices/firmata/protocol.ts'
import { FirmataSimulator } from '../../devices/firmata/simulator.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { type Link, simulatedLink, startDevice } from '../../src/device/index.ts'
import { bytes, FakeOwner, pass, SILENT, TestClock } from '../device/rig.ts'

const PINS = {
  led: { pin: 13, mode: 'output' },
  button: { pin: 2, mode: 'pullup' },
  light: { pin: 'A0', mode: 'analog' },
  fan: { pin: 9, mode: 'pwm' },
  arm: { pin: 10, mode: 'servo', min: 600, max: 2300 },
}

async function table(pins: Json = PINS) {
  const clock = new TestClock()
  const board = new FirmataSimulator(clock)
  board.drifts = false
  const owner = new FakeOwner('robot')
  const errors: string[] = []
  const inner = simulatedLink(board, clock)
  const written: string[] = []
  const link: Link = {
    ...inner,
    write(bytes) {
      written.push(Buffer.from(bytes).toString('hex'))
      return inner.write(bytes)
    },
  }
  const device = startDevice({
    name: 'robot',
    profile: firmata,
    link,
    owner,
    clock,
    log: { ...SILENT, error: (text) => errors.push(String(text)) },
    answerTimeout: 10_000,
    options: { pins },
  })
  await clock.advance(4000)
  const answer = (method: string, point: string, body?: Json, id?: string) =>
    pass(clock, owner.ask(method, point, body, { id }))
  const clear = async () => {
    await device.close()
    await clock.advance(20_000)
    if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`)
  }
  return { clock, board, owner, device, errors, written, answer, clear }
}

function read(hex: string, piece = 1000): { messages: Message[]; broken: number } {
  const messages: Message[] = []
  let broken = 0
  const parser = new Parser(
    (message) => messages.push(message),
    () => broken++,
  )
  const all = bytes(hex)
  for (let at = 0; at < all.length; at += piece) parser.add(all.subarray(at, at + piece))
  return { messages, broken }
}

test('the recorded bytes are understood, however they are cut', () => {
  for (const piece of [1, 3, 1000]) {
    const boot =
      'f90205f07902055300740061006e0064006100720064004600690072006d006100740061002e0069006e006f00f7'
    assert.equal(read(boot, piece).messages, [
      { is: 'version', major: 2, minor: 5 },
      { is: 'firmware', major: 2, minor: 5, name: 'StandardFirmata.ino' },
    ])
    const mapping = read(`f06a${'7f'.repeat(14)}000102030405f7`, piece).messages[0]
    assert.equal(mapping?.is === 'mapping' && mapping.channels.slice(12), [
      undefined,
      undefined,
      0,
      1,
      2,
      3,
      4,
      5,
    ])
    assert.equal(read('f06c7f7f00010b010101040e7f00010b0101010308040e7ff7', piece).messages, [
      {
        is: 'capability',
        pins: [
          {},
          {},
          { input: 1, pullup: 1, output: 1, servo: 14 },
          { input: 1, pullup: 1, output: 1, pwm: 8, servo: 14 },
        ],
      },
    ])
    assert.equal(read('f06e0d0101f7', piece).messages, [{ is: 'pin', pin: 13, mode: 'output', value: 1 }])
    assert.equal(read('f06e0a043a02f7', piece).messages, [{ is: 'pin', pin: 10, mode: 'servo', value: 314 }])
    assert.equal(read('e00004', piece).messages, [{ is: 'analog', channel: 0, value: 512 }])
    assert.equal(read('900000910601', piece).messages, [
      { is: 'digital', port: 0, bits: 0 },
      { is: 'digital', port: 1, bits: 134 },
    ])
    assert.equal(read('f077210000000000f7', piece).messages, [
      { is: 'i2c', address: 33, register: 0, bytes: [0] },
    ])
  }
})

test('what can not be is left out and counted; the next message is understood', () => {
  for (const junk of [
    '0102',
    'f7',
    'f06c0001f7',
    'f06c00f7',
    'f06c007f00010b017ff7',
    'f0f7',
    'f06e0df7',
    '90',
    'f04200',
    'f079f7',
    'c001',
  ]) {
    const { messages, broken } = read(`${junk}e00004`)
    assert.equal(messages.at(-1), { is: 'analog', channel: 0, value: 512 }, junk)
    assert.ok(broken > 0, junk)
  }
  const { messages } = read(`f079${'01'.repeat(20_000)}f7f90205`)
  assert.equal(messages, [{ is: 'version', major: 2, minor: 5 }])
})

test('what the host says is as it was recorded', () => {
  for (const [said, hex] of [
    [say.mode(13, 'output'), 'f40d01'],
    [say.askPin(13), 'f06d0df7'],
    [say.mode(14, 'analog'), 'f40e02'],
    [say.sampling(100), 'f07a6400f7'],
    [say.reportDigital(0), 'd001'],
    [[...say.i2cBegin(), ...say.i2cRead(0x21, undefined, 1)], 'f0780000f7f07621080100f7'],
    [say.i2cRead(0x21, 0, 1), 'f076210800000100f7'],
    [say.analog(9, 64), 'e94000'],
    [say.analog(44, 200), 'f06f2c480100f7'],
    [say.servo(9, 544, 2400), 'f0700920046012f7'],
  ] as const) {
    assert.is(Buffer.from(said).toString('hex'), hex)
  }
})

test('a board says what it has: every pin is a resource, named ones are typed', async () => {
  const { owner, device, answer, clear } = await table()
  assert.equal((await answer('GET', 'state')).body.value, 'ready')
  assert.equal((await answer('GET', 'firmware')).body.value, {
    name: 'StandardFirmata.ino',
    version: '2.5',
    protocol: '2.5',
  })
  const { points } = device.shape()
  assert.equal(points.arm?.range, [0, 180])
  assert.is(points.arm?.unit, '°')
  assert.equal(points.light?.methods, ['GET'])
  assert.equal(points['pin/3']?.fields?.mode?.values, ['input', 'pullup', 'output', 'pwm', 'servo'])
  assert.is(points['pin/13'], undefined)
  assert.is(points['pin/0'], undefined)
  assert.equal((await answer('GET', 'pin/3')).body.value, { mode: 'output', value: false })
  assert.is((await answer('GET', 'pin/13')).status, 404)
  assert.ok(owner.handlers.has('PUT pin/3'))
  await clear()
})

test("digital, PWM and servo by name; the answer is the board's own word", async () => {
  const { board, owner, answer, clear } = await table()
  assert.equal(await answer('PUT', 'led', 'on', 'a'), { status: 200, body: true } as never)
  assert.is(board.pins[13]?.state, 1)
  assert.equal(await answer('PUT', 'fan', 64, 'b'), { status: 200, body: 64 } as never)
  assert.equal(board.pins[9], { mode: 3, state: 64 })
  assert.is((await answer('GET', 'arm')).body.value, null)
  await answer('PUT', 'arm', 90, 'c')
  assert.equal(board.pins[10], { mode: 4, state: 90 })
  assert.ok(board.taken.includes('f0700a5804' + '7c11f7'), 'its own pulses')
  assert.equal(owner.reported('arm'), [null, 90])
  assert.is((await answer('PUT', 'arm', 181, 'd')).body.code, 'range')
  assert.is((await answer('PUT', 'fan', 256, 'e')).body.code, 'range')
  assert.is((await answer('PUT', 'button', true, 'f')).status, 404)
  await clear()
})

test('pins by number: mode and value, one or both; another pin of the port stays as it is', async () => {
  const { board, answer, clear } = await table({})
  assert.equal((await answer('PUT', 'pin/12', { value: true }, 'a')).body, { mode: 'output', value: true })
  assert.equal((await answer('PUT', 'pin/13', { value: true }, 'b')).body, { mode: 'output', value: true })
  assert.is(board.pins[12]?.state, 1)
  assert.equal((await answer('PUT', 'pin/9', { mode: 'pwm', value: 200 }, 'c')).body, {
    mode: 'pwm',
    value: 200,
  })
  assert.equal((await answer('PUT', 'pin/2', { mode: 'input' }, 'd')).body, { mode: 'input', value: false })
  const refused = await answer('PUT', 'pin/2', { value: true }, 'e')
  assert.match(refused.body.message as string, /can be read, not set/)
  assert.is((await answer('PUT', 'pin/2', { mode: 'pwm' }, 'f')).body.code, 'range')
  assert.is((await answer('PUT', 'pin/9', { value: 300 }, 'g')).body.code, 'range')
  assert.is((await answer('PUT', 'pin/9', { value: true }, 'h')).body.code, 'range')
  await clear()
})

test('inputs are reported when they change, and hear again what was lost', async () => {
  const { board, owner, clock, clear } = await table()
  assert.is(owner.reported('button').at(-1), true)
  board.drive(2, false)
  await clock.advance(10)
  assert.is(owner.reported('button').at(-1), false)
  board.levels.set(2, true)
  await clock.advance(3000)
  assert.is(owner.reported('button').at(-1), true)
  await clear()
})

test('§9.5 analog values flow only while somebody wants them', async () => {
  const { board, owner, answer, clock, written, clear } = await table()
  await clock.advance(15_000)
  assert.ok(!written.some((hex) => hex.includes('c001')))
  board.analog[0] = 700
  assert.is((await answer('GET', 'light')).body.value, 700)
  assert.ok(written.some((hex) => hex.includes('c001')))
  await clock.advance(15_000)
  assert.ok(written.some((hex) => hex.startsWith('c000')))
  const reports = owner.reported('light').length
  board.analog[0] = 100
  await clock.advance(2000)
  assert.is(owner.reported('light').length, reports)
  owner.bound.add('light')
  await clock.advance(1000)
  assert.is(owner.reported('light').at(-1), 100)
  await clear()
})

test('§9.6 a byte that is lost on the way: 504, never a wrong answer; setting it again is good', async () => {
  const { board, answer, owner, clock, clear } = await table()
  board.loses = (byte) => byte === 0x91
  const lost = await answer('PUT', 'led', true, 'a')
  assert.is(lost.status, 504)
  assert.is(lost.body.code, 'unconfirmed')
  assert.is(owner.reported('led').at(-1), false)
  board.loses = (byte) => byte === 0x6d
  assert.is((await answer('PUT', 'led', true, 'b')).body.code, 'uncertain')
  board.loses = () => false
  await clock.advance(30_000)
  assert.is(owner.reported('led').at(-1), true)
  assert.is((await answer('PUT', 'led', false, 'c')).body as never, false)
  await clear()
})

test('§9.10 stop overtakes what waits, brings all to rest, and is confirmed by the board', async () => {
  const { board, owner, answer, clock, clear } = await table()
  await answer('PUT', 'led', true, 'a')
  await answer('PUT', 'fan', 255, 'b')
  await answer('PUT', 'arm', 90, 'c')
  const waiting = Array.from({ length: 20 }, (_, at) => owner.ask('PUT', 'fan', at + 1, { id: `w${at}` }))
  const stopped = await pass(clock, owner.ask('POST', 'stop'))
  assert.equal(stopped, { status: 200, body: { confirmed: true } } as never)
  const answers = await Promise.all(waiting)
  assert.ok(answers.slice(1).every(({ body }) => body.code === 'busy'))
  await clock.advance(5000)
  assert.ok(board.pins.slice(0, 14).every(({ mode, state }) => (mode !== 4 && state === 0) || mode === 11))
  assert.is(owner.reported('arm').at(-1), null)
  assert.equal(await answer('PUT', 'arm', 45, 'z'), { status: 200, body: 45 } as never)
  assert.equal(board.pins[10], { mode: 4, state: 45 })
  await answer('PUT', 'pin/12', { value: true }, 'y')
  assert.is(board.pins[13]?.state, 0, 'what was high stays low')
  await clear()
})

test('stop while the board is still starting resets its pins', async () => {
  const { board, owner, clock, written, clear } = await table()
  board.reset()
  await clock.advance(1901)
  const stopped = await pass(clock, owner.ask('POST', 'stop'))
  assert.is(stopped.status, 200)
  assert.ok(written.includes('ff'))
  await clear()
})

test('a board that restarts is met again; nothing is driven that was driven before', async () => {
  const { board, owner, answer, clock, clear } = await table()
  await answer('PUT', 'arm', 90, 'a')
  board.reset()
  await clock.advance(100)
  await clock.advance(3000)
  assert.equal(owner.reported('state').slice(-2), ['starting', 'ready'])
  assert.is(owner.reported('arm').at(-1), null)
  assert.equal(board.pins[2]?.mode, 11)
  assert.equal((await answer('PUT', 'led', true, 'b')).status, 200)
  await clear()
})

test('I2C: registers are read and written, a chip that is not there is named', async () => {
  const { board, answer, clear } = await table()
  const read = await answer('POST', 'i2c', { address: 0x48, register: 2, read: 3 }, 'a')
  assert.equal(read.body, { bytes: [6, 9, 12] })
  assert.equal((await answer('POST', 'i2c', { address: 0x48, write: [5, 200, 7] }, 'b')).body, {
    confirmed: false,
  })
  assert.equal([...(board.chips.get(0x48) ?? [])].slice(5, 7), [200, 7])
  const absent = await answer('POST', 'i2c', { address: 0x21, read: 1 }, 'c')
  assert.is(absent.body.code, 'device')
  assert.match(absent.body.message as string, /nothing answers at the I2C address 33/)
  assert.is((await answer('POST', 'i2c', { address: 0x48 }, 'd')).body.code, 'range')
  assert.is((await answer('POST', 'i2c', { address: 0x48, write: [256] }, 'e')).body.code, 'range')
  assert.equal((await answer('GET', 'pin/18')).body.value, { mode: 'i2c', value: null })
  await clear()
})

test('a configuration that can not be is told', async () => {
  await table({ stop: { pin: 3, mode: 'output' } }).then(
    () => assert.unreachable(),
    (error) => assert.match(error.message, /"stop" is a point and an action/),
  )
  await table({ led: { pin: 3, mode: 'lamp' } }).then(
    () => assert.unreachable(),
    (error) => assert.match(error.message, /lamp/),
  )
  const { errors, answer, clear } = await table({
    far: { pin: 40, mode: 'output' },
    dim: { pin: 2, mode: 'pwm' },
    one: { pin: 14, mode: 'analog' },
    two: { pin: 'A0', mode: 'analog' },
  })
  assert.is(errors.length, 3)
  assert.is((await answer('PUT', 'dim', 3, 'a')).body.code, 'device')
  assert.is((await answer('GET', 'dim')).body.value, null)
  await clear()
})

test.run()
