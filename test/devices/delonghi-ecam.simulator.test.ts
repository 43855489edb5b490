// The simulated machine against the fact sheet: replies byte for byte, notifications of 20 bytes, the course of things.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Assembler, toMachine } from '../../devices/delonghi-ecam/frame.ts'
import { simulator } from '../../devices/delonghi-ecam/simulator.ts'
import { REQUEST, request } from '../../devices/delonghi-ecam/tables.ts'
import { bytes, hex, TestClock } from '../device/rig.ts'
import { CAPTURED } from './delonghi-ecam.frames.ts'

const MONITOR = hex(toMachine(request(REQUEST.monitor)))

function bench(options: { speed?: number } = {}) {
  const clock = new TestClock()
  const machine = simulator(clock, options)
  const pieces: Uint8Array[] = []
  const gone: string[] = []
  machine.connect({ data: (piece) => pieces.push(piece), gone: (cause) => gone.push(cause) })
  /** The whole frame that comes back. */
  const ask = async (frame: string): Promise<string> => {
    pieces.length = 0
    machine.write(bytes(frame))
    await clock.advance(30)
    return pieces.map(hex).join('')
  }
  /** Every different status frame within `ms`. */
  const watch = async (ms: number): Promise<string[]> => {
    const seen: string[] = []
    for (const end = clock.now() + ms; clock.now() < end; await clock.advance(20)) {
      const frame = await ask(MONITOR)
      if (seen.at(-1) !== frame) seen.push(frame)
    }
    return seen
  }
  return { clock, machine, pieces, gone, ask, watch }
}

test('replies are those of the sheet, byte for byte', async () => {
  const { ask, machine } = bench()
  machine.warm()
  const cases = [
    ['0d07a6f001011504', 'd012a6f00101010028020308001b0419014413'],
    ['0d06b0f0010a32', 'd025b0f001010014002800b4020003050800000118010101190101011b0004041c0000001532'],
    ['0d07a6f001022567', 'd010a6f001020100b402031b041901c34a'],
    ['0d06b0f0023a51', 'd021b0f00201006400b400f00200030518010101190101011b0004041c0000004cf1'],
    ['0d07a6f0010775c2', 'd017a6f001070100410900be02030c001b0419011c02a2cd'],
    [
      '0d06b0f0076af4',
      'd02cb0f007010014004100b409003c00be03840200030518010101190101010c0000001c0002001b000404d03c',
    ],
    ['0d07a6f001101714', 'd00ea6f001100f00fa19011c01e259'],
    ['0d06b0f0100822', 'd019b0f0100f001400fa01a418010101190101011c00010054c6'],
    ['0d06a9f001d7c0', 'd007a9f001003b3c'],
    [hex(toMachine([0xa9, 0xf0, 2])), 'd007a9f002006e6f'],
    [hex(toMachine([0xa9, 0xf0, 3])), 'd007a9f003005d5e'],
    [hex(toMachine([0xa9, 0xf0, 4])), 'd007a9f00401d4e8'],
    [MONITOR, 'd012750f010500000007000000000000009d61'],
    ['0d0d83f00101010028020302c59f', 'd00783f0010064d9'],
    ['0d07e2f0071ef811', ''],
    ['0d07840f03025640', ''],
    ['0d0575f0c4d6', ''], // a wrong CRC
  ]
  for (const [question = '', reply] of cases) assert.is(await ask(question), reply, question)
})

test('the starts of the maker’s app brew too, each drink once', async () => {
  for (const [frame, beverage] of [
    ['0d1183f00101010028020308000000068ffc', 1],
    ['0d0f83f00201010067020200000677ff', 2],
    ['0d0d83f010010f00fa1c010604b4', 16],
  ] as const) {
    const { machine, ask } = bench()
    assert.is(await ask(frame), '', 'off: ignored')
    machine.warm()
    assert.is(await ask(frame), 'd00783f0010064d9')
    assert.is(await ask(frame), '', 'busy: ignored')
    assert.equal(
      machine.drinks.map((drink) => drink.beverage),
      [beverage],
    )
  }
})

test('notifications have 20 bytes at most', async () => {
  const { machine, pieces, ask } = bench()
  machine.warm()
  await ask('0d06b0f0076af4')
  assert.equal(
    pieces.map(({ length }) => length),
    [20, 20, 5],
  )
})

test('start-up, standby and rinse show captured frames, in the captured order', async () => {
  const { machine, watch, clock, ask } = bench()
  assert.is(await ask(MONITOR), 'd012750f01010000000003640000000000d696')
  machine.press()
  const seen = await watch(12_000)
  const captured = new Set(CAPTURED.map(({ frame }) => frame))
  assert.equal(
    seen.filter((frame) => captured.has(frame)),
    [
      'd012750f01010000000003640000000000d696',
      'd012750f01010000000101000000000000a81f',
      'd012750f010300000001050800000000006271',
      'd012750f01030000000105610000000000758b',
      'd012750f010100000001076400000000005083',
      'd012750f010500000007000000000000009d61',
    ],
  )
  machine.set({ accessory: 2 })
  machine.rinse()
  const rinse = await watch(2000)
  for (const frame of ['d012750f020001000008020000000000003d0d', 'd012750f020201000008054300000000008653']) {
    assert.ok(rinse.includes(frame), frame)
  }
  await clock.advance(5000)
  machine.cleanMilk()
  const cleaning = (await watch(3000)).map((frame) => frame.slice(0, 24))
  assert.ok(cleaning.includes('d012750f04050100000c030d'), cleaning.join())
})

test('a tank that is out, a tank that is empty, a milk drink: as captured', async () => {
  const { machine, ask, watch } = bench()
  machine.warm()
  machine.removeTank()
  assert.is(await ask(MONITOR), 'd012750f01150000000700000000000000aa31')
  machine.returnTank()
  machine.set({ water: 0 })
  assert.is(await ask(MONITOR), 'd012750f014500010007000000000000002f64')
  machine.fill()
  machine.set({ accessory: 2 })
  assert.is(await ask('0d1083f007010100410900be0203028f4a'), 'd00783f0010064d9')
  const seen = await watch(10_000)
  for (const frame of [
    'd012750f02040100000a02000000000000bf7f',
    'd012750f0200010040070e640000000000b0c4',
    'd012750f02040100400700000000000000d621',
  ]) {
    assert.ok(seen.includes(frame), frame)
  }
  machine.press()
  machine.removeTank()
  await watch(3000)
  machine.set({ accessory: 1 })
  machine.clear('clean-knob')
  machine.press()
  await watch(500)
  assert.is((await ask(MONITOR)).slice(0, 24), 'd012750f0111000000010000', 'it waits for the tank')
})

test('a warm machine starts faster, and speed makes everything faster', async () => {
  const time = async (options: { speed?: number }, cold: boolean) => {
    const { machine, clock, ask } = bench(options)
    machine.warm()
    machine.press()
    await clock.advance(cold ? 3_600_000 : 2000)
    const from = clock.now()
    machine.press()
    while ((await ask(MONITOR)) !== 'd012750f010500000007000000000000009d61') await clock.advance(20)
    return clock.now() - from
  }
  const cold = await time({}, true)
  assert.ok((await time({}, false)) < cold - 3000)
  assert.ok((await time({ speed: 10 }, true)) < cold / 5)
})

test('the grounds container and the beans have an end', async () => {
  const { machine, ask, watch } = bench({ speed: 50 })
  machine.warm()
  machine.set({ beans: 1000, water: 10_000 })
  for (let cup = 0; cup < 14; cup++) {
    assert.is(await ask('0d0d83f00101010028020302c59f'), 'd00783f0010064d9')
    await watch(400)
  }
  assert.is(await ask('0d0d83f00101010028020302c59f'), '', 'the container is full')
  assert.is(machine.drinks.length, 14)
  machine.set({ grounds: 0, beans: 5 })
  assert.is(await ask('0d0d83f00101010028020302c59f'), '', 'no beans')
})

test('it vanishes, and is back after its time; a corrupt frame, a mute machine', async () => {
  const { machine, clock, gone, ask } = bench()
  machine.corrupt()
  assert.is(new Assembler().push(bytes(await ask(MONITOR))), undefined)
  assert.ok(new Assembler().push(bytes(await ask(MONITOR))))
  machine.mute()
  assert.is(await ask(MONITOR), '')
  machine.mute(false)
  machine.vanish('now', 1000)
  assert.is(gone.length, 1)
  const carrier = { data() {}, gone() {} }
  assert.is(machine.connect(carrier), false)
  await clock.advance(1000)
  assert.is(machine.connect(carrier), true)
  machine.close()
  assert.is(clock.pending, 0)
})

test.run()
