// noble behind its guards, with a controller in memory: what a broken or hostile device can say, and what noble leaves
// behind. Every promise settles, nothing loops, nothing grows.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { loadNoble } from '../../src/bridges/ble/noble.ts'
import { Radio } from '../../src/bridges/ble/radio.ts'
import { TestClock } from '../../src/core/clock.ts'
import { LinkError } from '../../src/device/link.ts'
import { adapterOn, bench, record } from '../ble/bench.ts'
import { ADDRESS, answerAtt, FakeController, HANDLE, hex, KEY } from '../ble/fake-controller.ts'
import { until } from '../ble/lab.ts'

const TARGET = { match: {}, service: '180f', characteristic: '2A19', write: 'with-response' } as const

/** Until everything in memory has been said. */
const settle = () => new Promise<void>((done) => setImmediate(done))

async function started() {
  const env = bench(new TestClock())
  const controller = new FakeController()
  const adverts: string[] = []
  const data: string[] = []
  const downs: string[] = []
  const radio = new Radio(
    controller,
    {
      advert: ({ address }) => adverts.push(address),
      data: (_key, bytes) => data.push(bytes.toString('hex')),
      down: (_key, why) => downs.push(why),
    },
    env,
    (key) => key === KEY,
  )
  controller.onPacket((packet) => radio.packet(packet))
  await radio.start()
  return { env, controller, radio, adverts, data, downs }
}

async function connected() {
  const all = await started()
  await all.radio.scan('full')
  all.controller.advertise()
  await settle()
  await all.radio.connect(KEY)
  const found = await all.radio.discover(KEY, TARGET)
  await all.radio.subscribe(KEY, found)
  return { ...all, found }
}

const code = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error) => (error instanceof LinkError ? error.code : String(error)),
  )

test('it starts, hears, connects, discovers, subscribes, reads, writes, gives notifications and ends', async () => {
  const { radio, controller, found, adverts, data, downs } = await connected()
  assert.is(radio.address, '06:05:04:03:02:01')
  assert.equal(adverts, [ADDRESS])
  assert.equal(found, { service: '180f', characteristic: '2a19', properties: ['write', 'notify'] })
  assert.equal(await radio.read(KEY, found), Uint8Array.of(0x64))
  await radio.write(KEY, found, Uint8Array.of(1, 2), true)
  assert.is(controller.requests.at(-1), '1203000102')
  controller.tell('1b 0300 beef')
  await settle()
  assert.equal(data, ['0102', 'beef'])
  await radio.disconnect(KEY)
  assert.is(downs.length, 1)
  await radio.disconnect(KEY)
})

test('a UUID with a leading zero, which noble gives as three digits, is found', async () => {
  const { radio, controller } = await connected()
  controller.att = (request) =>
    request[0] === 0x10 && request[1] === 1 ? '11 06 0100 0500 fe0f' : answerAtt(request)
  const found = await radio.discover(KEY, { ...TARGET, service: '0x0FFE' })
  assert.is(found.service, 'ffe')
})

test('lists of parts with no length, which noble reads for ever, are dropped', async () => {
  for (const request of [0x10, 0x08]) {
    const { radio, controller, env } = await connected()
    controller.att = (asked) =>
      asked[0] === request ? `${request === 0x10 ? '11' : '09'} 00 0100 0500 0f18` : answerAtt(asked)
    const outcome = code(radio.discover(KEY, TARGET))
    await settle()
    assert.is(env.meters.read()['ble.malformed'], 1)
    controller.disconnect(0x13)
    assert.is(await outcome, 'lost')
  }
})

test('an MTU below the least, with which a long write never ends, counts as the least; above what was asked, as that', async () => {
  for (const [said, piece] of [
    ['0100', 18],
    ['ffff', 251],
  ] as const) {
    const { radio, controller } = await started()
    controller.att = (request) => (request[0] === 0x02 ? `03 ${said}` : answerAtt(request))
    await radio.scan('full')
    controller.advertise()
    await settle()
    await radio.connect(KEY)
    const found = await radio.discover(KEY, TARGET)
    await radio.write(KEY, found, new Uint8Array(600), true)
    const first = controller.requests.find((request) => request.startsWith('16')) ?? ''
    assert.is(first.length / 2 - 5, piece)
  }
})

test('a refused part of a long write is `refused`, and the rest is never executed', async () => {
  const { radio, controller, found } = await connected()
  controller.att = (request) => (request[0] === 0x16 ? '01 16 0300 09' : answerAtt(request))
  assert.is(await code(radio.write(KEY, found, new Uint8Array(100), true)), 'refused')
  await settle()
  assert.not.ok(controller.requests.some((request) => request.startsWith('1801')))
})

test('a refused subscription says why', async () => {
  const { radio, controller, found } = await connected()
  controller.att = (request) => (request[0] === 0x12 ? '01 12 0400 03' : answerAtt(request))
  const error = await radio.subscribe(KEY, found).catch((error) => error)
  assert.is(error.code, 'refused')
  assert.match(error.message, 'writing is not permitted')
})

test('a device that wants to be paired is named as that', async () => {
  const { radio, controller, found } = await connected()
  controller.att = (request) => (request[0] === 0x12 ? '01 12 0300 05' : answerAtt(request))
  const outcome = code(radio.write(KEY, found, Uint8Array.of(1), true))
  await settle()
  assert.match(radio.hint(KEY) ?? '', 'bluetoothctl pair')
  controller.disconnect(0x13)
  assert.is(await outcome, 'lost')
  assert.is(radio.hint(KEY), undefined)
})

test('reads, writes and discoveries are `lost` when the connection ends, and nothing is rejected unheard', async () => {
  const unheard: unknown[] = []
  const note = (error: unknown) => unheard.push(error)
  process.on('unhandledRejection', note)
  const { radio, controller, found } = await connected()
  controller.att = () => null
  for (const begin of [
    () => radio.read(KEY, found),
    () => radio.write(KEY, found, Uint8Array.of(1), true),
    () => radio.discover(KEY, TARGET),
    () => radio.subscribe(KEY, found),
  ]) {
    const outcome = code(begin())
    // In the same breath: noble's data writer finds its connection gone.
    controller.disconnect(0x08)
    assert.is(await outcome, 'lost')
    await settle()
    controller.att = answerAtt
    await radio.connect(KEY)
    await radio.discover(KEY, TARGET)
    controller.att = () => null
  }
  process.off('unhandledRejection', note)
  assert.equal(unheard, [])
})

test('notifications for a connection that is over go nowhere', async () => {
  const { controller, data, env } = await connected()
  controller.disconnect(0x13)
  controller.tell('1b 0300 01')
  await settle()
  assert.equal(data, [])
  assert.is(env.meters.read()['ble.malformed'], undefined)
})

test('fragments that never become a packet are not kept', async () => {
  const controller = new FakeController()
  const options = { env: bench(), pinned: () => true, refused() {} }
  const { hci, packet } = loadNoble({ ...options, port: controller })
  controller.onPacket(packet)
  await settle()
  controller.write(hex('010d2019'.padEnd(58, '0')))
  const fragment = (flags: number, body: string) => {
    const bytes = hex(body)
    controller.inject(Buffer.concat([Buffer.of(2, HANDLE, flags, bytes.length, 0), bytes]))
  }
  const kept = async () => {
    await settle()
    return Object.keys(hci._handleBuffers).length
  }
  fragment(0x20, '0a00 0400 1b')
  assert.is(await kept(), 1)
  fragment(0x10, '00'.repeat(200))
  assert.is(await kept(), 0, 'longer than it said')
  fragment(0x20, '0a00 0400 1b')
  controller.disconnect(0x13)
  fragment(0x10, '00')
  assert.is(await kept(), 0, 'its connection is over')
})

test('a pairing that is not there, an echo, a notification too short: noble goes on', async () => {
  const { controller, radio, found, env } = await connected()
  for (const att of ['1b', '1b 03', '01', '03', '', '1d 0300 05', '02 1700', 'ff']) controller.tell(att)
  await settle()
  assert.ok(env.meters.read()['ble.malformed'])
  await radio.write(KEY, found, Uint8Array.of(1), true)
})

test('of all the addresses ever heard 512 are remembered, and never without the pinned one', async () => {
  const { controller, radio } = await connected()
  for (let count = 0; count < 2_000; count++) {
    const address = Buffer.alloc(6)
    address.writeUInt32LE(count, 0)
    controller.event('3e', `02 01 03 01 ${address.toString('hex')} 00 c8`)
  }
  await settle()
  assert.is(radio.known, 512)
  await radio.disconnect(KEY)
  await radio.connect(KEY)
})

test("other programs' connections on the same adapter are left alone", async () => {
  const { controller, radio, downs, env } = await connected()
  const before = controller.requests.length
  controller.event('3e', '01 00 4100 00 00 bbbbbbbbbbbb 2800 0000 9001 00')
  controller.event('05', '00 4100 13')
  await settle()
  assert.is(controller.requests.length, before, 'nothing is said on it')
  assert.equal(downs, [])
  assert.is(env.meters.read()['ble.malformed'], undefined)
  await radio.disconnect(KEY)
})

test('five links are held at once, each gets its own bytes, and a sixth waits', async () => {
  const controller = new FakeController()
  const folder = mkdtempSync(join(tmpdir(), 'controller-'))
  const stop = await controller.serve(join(folder, 'hci'))
  const adapter = adapterOn(join(folder, 'hci'), bench())
  const numbers = [0, 1, 2, 3, 4, 5]
  const links = numbers.map((number) =>
    adapter.link({ ...TARGET, address: `00:a0:50:12:34:${(0x56 + number).toString(16)}` }),
  )
  const seen = links.map(record)
  await until('listening', () => adapter.status().doing?.what === 'listening for advertisements')
  for (const number of numbers) controller.advertise(number)
  await until('five up', () => seen.filter(({ ups }) => ups()).length === 5)
  await until('the sixth told', () => /All 5 Bluetooth connections/.test(seen[5]?.downs()[0] ?? ''))
  for (let round = 0; round < 10; round++) {
    await Promise.all(links.slice(0, 5).map((link, index) => link.write(Uint8Array.of(index, round))))
  }
  await until('all echoes', () => seen.slice(0, 5).every(({ data }) => data().length >= 10))
  for (const [index, { data }] of seen.slice(0, 5).entries()) {
    assert.ok(
      data()
        .slice(-10)
        .every((hex) => hex.startsWith(`0${index}`)),
    )
  }
  controller.disconnect(0x13, 2)
  await until('the sixth up', () => seen[5]?.ups())
  assert.is(adapter.status().slots.used, 5)
  assert.equal(
    seen.map(({ downs }) => downs().length),
    [0, 0, 1, 0, 0, 1],
  )
  await adapter.close()
  stop()
  rmSync(folder, { recursive: true })
})

test('a controller without Low Energy says so', async () => {
  const controller = new FakeController()
  controller.mute.add(0x1001)
  const radio = new Radio(controller, { advert() {}, data() {}, down() {} }, bench(), () => false)
  controller.onPacket((packet) => radio.packet(packet))
  const outcome = radio.start().catch((error) => error.message)
  controller.event('0e', '01 0110 00 05 0000 05 0f00 0000')
  assert.match(await outcome, 'knows no Low Energy')
})

test('a radio leaves no listener on the process', async () => {
  const before = ['exit', 'SIGINT'].map((event) => process.listenerCount(event))
  const { radio } = await connected()
  radio.end()
  assert.equal(
    ['exit', 'SIGINT'].map((event) => process.listenerCount(event)),
    before,
  )
})

test.run()
