// Bytes in, values out, and back: no link, no clock. Vectors are those of the fact sheet.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Assembler, crc, fromHost, toHost, toMachine } from '../../devices/delonghi-ecam/frame.ts'
import { decodeNames } from '../../devices/delonghi-ecam/machine.ts'
import { startPayload, stopPayload } from '../../devices/delonghi-ecam/recipes.ts'
import { decodeStatistics } from '../../devices/delonghi-ecam/settings.ts'
import { blockers, decodeStatus, derive, isPouring, type Status } from '../../devices/delonghi-ecam/status.ts'
import { ACCESSORIES, ALARMS, REQUEST, request, SWITCHES } from '../../devices/delonghi-ecam/tables.ts'
import { bytes, hex } from '../device/rig.ts'
import { CAPTURED } from './delonghi-ecam.frames.ts'

const STANDBY = 'd012750f000000000000036400000000009080'

function read(frame: string): Status {
  const payload = new Assembler().push(bytes(frame))
  assert.ok(payload, frame)
  const status = decodeStatus(payload as Uint8Array)
  assert.ok(status, frame)
  return status as Status
}

/** The frames whose decoding differs from the sheet. */
function wrong(): string[] {
  return CAPTURED.filter((captured) => {
    const status = read(captured.frame)
    const { word, progress, frame: _frame, ...expected } = captured
    const derived = derive(status)
    const seen = { ...status, word: derived.state, progress: derived.progress }
    return (
      JSON.stringify(seen, Object.keys(seen).sort()) !==
      JSON.stringify({ ...expected, word, progress }, Object.keys(seen).sort())
    )
  }).map(({ frame }) => frame)
}

test('all 52 captured frames decode as the sheet says', () => {
  assert.is(CAPTURED.length, 52)
  assert.equal(wrong(), [])
})

test('§9.33 every entry of the mapper that the captures cover turns them red when it is changed', () => {
  const flags = (table: ({ name: string } | undefined)[], of: 'switches' | 'alarms') => {
    const covered = new Set(CAPTURED.flatMap((captured) => captured[of]))
    for (const flag of table) {
      if (!flag || !covered.has(flag.name)) continue
      const { name } = flag
      flag.name = 'mutant'
      assert.ok(wrong().length > 0, `${of} ${name}`)
      flag.name = name
    }
    return covered.size
  }
  assert.is(flags(SWITCHES, 'switches'), 7)
  assert.is(flags(ALARMS, 'alarms'), 6)
  for (const [at, name] of ACCESSORIES.entries()) {
    if (name === 'chocolate-jug') continue
    ;(ACCESSORIES as unknown as string[])[at] = 'mutant'
    assert.ok(wrong().length > 0, name)
    ;(ACCESSORIES as unknown as string[])[at] = name
  }
  // A reminder that were an alarm, and an alarm that were a reminder.
  for (const name of ['descale', 'empty-water-tank', 'grounds-container-full']) {
    const flag = ALARMS.find((alarm) => alarm.name === name)
    if (!flag) throw new Error(name)
    const { remedy } = flag
    flag.remedy = remedy ? undefined : 'mutant'
    assert.ok(wrong().length > 0, name)
    flag.remedy = remedy
  }
  assert.equal(wrong(), [])
})

test('alarms without a capture, bits 16 to 31, doors', () => {
  const cases: [frame: string, alarms: string[], switches: string[], state: string, progress: number][] = [
    ['d012750f0105000200070000000000000043eb', ['grounds-container-full'], [], 'alarm', 0],
    ['d012750f01050020000700000000000000a46c', ['beans-empty'], [], 'alarm', 0],
    ['d012750f01050006000700000000000000eede', ['grounds-container-full', 'descale'], [], 'alarm', 0],
    ['d012750f01050000000706280000000000040e', [], [], 'brewing', 40],
    ['d012750f010500000007086400000000005775', [], [], 'brewing', 100],
    ['d012750f01052000000700000000000000371b', [], ['door-open'], 'ready', 0],
    ['d012750f01050000000700000200000000d9e2', ['bean-hopper-absent'], [], 'alarm', 0],
    ['d012750f010100000001021400000000006cb8', [], [], 'starting', 20],
  ]
  for (const [frame, alarms, switches, state, progress] of cases) {
    const status = read(frame)
    assert.equal(status.alarms, alarms, frame)
    for (const name of switches) assert.ok(status.switches.includes(name), frame)
    assert.equal(derive(status), { state, progress }, frame)
  }
  assert.equal(blockers(read('d012750f01052000000700000000000000371b')), [
    { name: 'door-open', remedy: 'close the door' },
  ])
})

test('every state has its word (§9.8); bit 11 hides bits 2 and 9', () => {
  const state = (code: number, step = 0) =>
    derive({ accessory: 'none', switches: [], alarms: [], state: code, step, percent: 0 }).state
  const words = {
    0: 'off',
    1: 'starting',
    2: 'stopping',
    3: 'unknown',
    4: 'descaling',
    5: 'brewing',
    6: 'starting',
    7: 'ready',
    8: 'cleaning',
    9: 'unknown',
    10: 'brewing',
    11: 'brewing',
    12: 'cleaning',
    16: 'brewing',
    255: 'unknown',
  }
  for (const [code, word] of Object.entries(words)) assert.is(state(Number(code)), word, code)
  assert.is(state(7, 1), 'brewing')
  const all = decodeStatus(Uint8Array.from([0x75, 0x0f, 9, 0xff, 0xff, 0, 0, 7, 0, 200, 0, 0, 0, 0, 0]))
  assert.is(all?.accessory, undefined, 'an accessory that is not known')
  assert.is(all?.percent, 100)
  assert.not(all?.switches.includes('motor-down'))
  assert.not(all?.switches.includes('chocolate-tank'))
  assert.ok(all?.switches.includes('motor-up'))
})

test('a reminder does not block; any other alarm and an unknown one does', () => {
  const status = (alarms: string[]): Status => ({
    accessory: 'none',
    switches: [],
    alarms,
    state: 7,
    step: 0,
    percent: 0,
  })
  assert.equal(blockers(status(['descale', 'replace-water-filter', 'service', 'clean-knob'])), [])
  const blocking = ALARMS.map(({ name }) => name).filter((name) => blockers(status([name])).length > 0)
  assert.is(blocking.length, 28)
  assert.ok(blocking.includes('alarm-31'))
})

test('the last step, finished or cancelled, still counts as brewing but pours no more', () => {
  const done = read('d012750f0200010040070e640000000000b0c4')
  assert.is(derive(done).state, 'brewing')
  assert.is(isPouring(done), false)
  assert.is(isPouring(read('d012750f010500000007040000000000005ca7')), true)
})

test('Monitor V1: alarms, state and switches at their other places', () => {
  const payload = Uint8Array.from([0x70, 0x0f, 0x05, 0x20, 0, 0, 7, 0x05, 0x20, 0, 0])
  assert.equal(decodeStatus(payload), {
    accessory: undefined,
    switches: ['water-spout', 'motor-down', 'door-open'],
    alarms: ['empty-water-tank', 'descale', 'tank-in-position'],
    state: 7,
    step: 0,
    percent: 0,
  })
  assert.is(decodeStatus(Uint8Array.from([0x75, 0x0f, 1])), undefined, 'too short')
  assert.is(decodeStatus(Uint8Array.from([0x83, 0xf0, 1, 0])), undefined)
})

test('a frame with a wrong CRC is no frame', () => {
  const assembler = new Assembler()
  assert.is(assembler.push(bytes('d012750f0105000200070000000000000043d0')), undefined)
  assert.is(assembler.broken, 1)
  for (let byte = 0; byte < 19; byte++) {
    for (let bit = 0; bit < 8; bit++) {
      const frame = bytes(STANDBY)
      frame[byte] = (frame[byte] ?? 0) ^ (1 << bit)
      assert.is(new Assembler().push(frame), undefined, `byte ${byte} bit ${bit}`)
    }
  }
})

test('minimal frames', () => {
  for (const frame of ['d0040a1916', 'd0050a14f09d', 'd0060a141e1a3c']) {
    const payload = new Assembler().push(bytes(frame))
    assert.is(hex(payload as Uint8Array), frame.slice(4, -4))
    assert.is(hex(toHost(payload as Uint8Array)), frame)
  }
  assert.is(new Assembler().push(bytes('d003191600')), undefined, 'a length below 4 is none')
})

test('cut anywhere, with garbage before and after: one frame out', () => {
  const expected = STANDBY.slice(4, -4)
  const garbage = bytes('010203')
  for (let cut = 0; cut <= 19; cut++) {
    const pieces = [garbage, bytes(STANDBY).slice(0, cut), bytes(STANDBY).slice(cut), garbage]
    const assembler = new Assembler()
    const out = pieces.flatMap((piece) => assembler.push(piece) ?? [])
    assert.equal(out.map(hex), [expected], `cut at ${cut}`)
    assert.is(assembler.waiting, 0)
    // Glued to the garbage too.
    const glued = new Assembler()
    const both = [
      Uint8Array.from([...garbage, ...bytes(STANDBY).slice(0, cut)]),
      Uint8Array.from([...bytes(STANDBY).slice(cut), ...garbage]),
    ]
    assert.equal(both.flatMap((piece) => glued.push(piece) ?? []).map(hex), [expected])
  }
  const byByte = new Assembler()
  const out = [...bytes(`0d0401d0${STANDBY}`)].flatMap((byte) => byByte.push(Uint8Array.of(byte)) ?? [])
  assert.equal(out.map(hex), [], 'a start byte in the garbage waits for its length first')
  assert.ok(byByte.waiting > 0)
})

test('it finds its way after a false start, and never keeps more than a frame and a piece', () => {
  const hidden = new Assembler()
  assert.ok(hidden.push(bytes(`d014${STANDBY}`)), 'a frame inside what looked like one')
  assert.is(hidden.broken, 1)
  const assembler = new Assembler()
  assembler.push(bytes('d0ff'))
  let frames = 0
  let most = 0
  for (let poll = 0; poll < 20; poll++) {
    if (assembler.push(bytes(STANDBY))) frames++
    most = Math.max(most, assembler.waiting)
  }
  assert.ok(frames >= 5, `${frames} frames`)
  assert.ok(most <= 256, `${most} bytes`)
  const noise = new Assembler()
  let seed = 1
  for (let piece = 0; piece < 5000; piece++) {
    const random = Uint8Array.from({ length: 20 }, () => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff
      return (seed >> 16) % 5 === 0 ? 0xd0 : seed >> 8
    })
    noise.push(random)
    assert.ok(noise.waiting <= 256)
  }
  noise.reset()
  assert.ok(noise.push(bytes(STANDBY)))
})

const COMMANDS: [payload: number[], frame: string][] = [
  [request(REQUEST.power, 2, 1), '0d07840f02015512'],
  [request(REQUEST.power, 1, 1), '0d07840f01010041'],
  [request(REQUEST.recipe, 1, 1), '0d07a6f001011504'],
  [request(REQUEST.recipe, 1, 2), '0d07a6f001022567'],
  [request(REQUEST.recipe, 1, 7), '0d07a6f0010775c2'],
  [request(REQUEST.recipe, 1, 16), '0d07a6f001101714'],
  [request(REQUEST.limits, 1), '0d06b0f0010a32'],
  [request(REQUEST.limits, 2), '0d06b0f0023a51'],
  [request(REQUEST.limits, 7), '0d06b0f0076af4'],
  [request(REQUEST.limits, 16), '0d06b0f0100822'],
  [request(REQUEST.profileNames, 1, 3), '0d07a4f00103d82e'],
  [request(REQUEST.selectProfile, 1), '0d06a9f001d7c0'],
  [request(REQUEST.setTime, 7, 30), '0d07e2f0071ef811'],
  [request(REQUEST.readParameter, 0, 0x5f, 3), '0d08950f005f0300eb'],
  [request(REQUEST.statistics, 0, 100, 10), '0d08a20f00640a2397'],
  [request(REQUEST.statistics, 0, 110, 10), '0d08a20f006e0acc5c'],
  [request(REQUEST.statistics, 0x0b, 0xb8, 10), '0d08a20f0bb80a832c'],
  [request(REQUEST.statistics, 0x0c, 0x05, 4), '0d08a20f0c05048f23'],
  [request(REQUEST.writeParameter, 0, 0x32, 0, 0, 0, 2), '0d0b900f0032000000022a8a'],
  [request(REQUEST.writeParameter, 0, 0x3e, 0, 0, 0, 4), '0d0b900f003e00000004c167'],
  [request(REQUEST.writeParameter, 0, 0x3f, 0, 0, 0, 0x99), '0d0b900f003f000000993922'],
  [startPayload(1, { coffee: 40, strength: 3 }), '0d0d83f00101010028020302c59f'],
  [startPayload(2, { coffee: 180, strength: 4 }), '0d0d83f002010100b40204021dd0'],
  [startPayload(7, { strength: 3, milk: 190, coffee: 65 }), '0d1083f007010100410900be0203028f4a'],
  [startPayload(16, { water: 250 }), '0d0b83f010010f00fa02aa66'],
  ...[
    [1, '0d0883f00102069de1'],
    [2, '0d0883f0020206c4b1'],
    [3, '0d0883f0030206f381'],
    [4, '0d0883f00402067611'],
    [5, '0d0883f00502064121'],
    [6, '0d0883f00602061871'],
    [7, '0d0883f00702062f41'],
    [16, '0d0883f0100206e9b2'],
    [17, '0d0883f0110206de82'],
  ].map(([number, frame]): [number[], string] => [stopPayload(number as number), frame as string]),
  // The starts of the maker's app: other ingredients, other mode, same frame.
  ...[
    '0d1183f00101010028020308000000068ffc',
    '0d0f83f00201010067020200000677ff',
    '0d0f83f003010100a00203000006187f',
    '0d0f83f004010100280202000006ab53',
    '0d0d83f00501010078000006c47e',
    '0d1283f0060101002802030f006e000006478b',
    '0d0d83f010010f00fa1c010604b4',
    '0d0d83f011010903841c0106c07b',
  ].map((frame): [number[], string] => [[...bytes(frame.slice(4, -4))], frame]),
]

test('commands, byte for byte', () => {
  for (const [payload, frame] of COMMANDS) {
    assert.is(hex(toMachine(payload)), frame)
    assert.equal([...(fromHost(bytes(frame)) ?? [])], payload)
  }
  assert.is(fromHost(bytes('0d0575f0c4d5'))?.length, 2, "longshot's other monitor")
  assert.is(fromHost(bytes('0d0575f0c4d6')), undefined)
  assert.is(fromHost(bytes('0d0675f0c4d5')), undefined)
  assert.is(hex(toMachine(request(REQUEST.monitor))).slice(0, 8), '0d05750f')
  assert.is(crc(new Uint8Array()), 0x1d0f)
})

test('names of profiles, and statistics with gaps', () => {
  const block = (name: string, icon: number) => {
    const codes = Array.from({ length: 10 }, (_, at) => [0, name.charCodeAt(at) || 0]).flat()
    return [...codes, icon]
  }
  const payload = Uint8Array.from([
    164,
    240,
    ...block('Matt', 3),
    ...block('Mia', 8),
    ...block('PROFILE 3', 3),
  ])
  assert.equal(decodeNames(payload), [
    { number: 1, name: 'Matt', icon: 3 },
    { number: 2, name: 'Mia', icon: 8 },
    { number: 3, name: 'PROFILE 3', icon: 3 },
  ])
  const statistics = decodeStatistics(bytes('a20f006900000002006a0002cec0006c'))
  assert.equal(
    [...statistics],
    [
      [105, 2],
      [106, 184_000],
    ],
  )
})

test.run()
