// time limit: 40 s
// The Bluetooth bridge as a device sees it: a link over real HCI bytes to a device of its own process.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LinkError } from '../../src/device/link.ts'
import { adapterOn, bench, closeAdapters, record, TARGET } from '../ble/bench.ts'
import { type Air, type Device, SERVICE, startAir, startDevice, until } from '../ble/lab.ts'

let air: Air
let device: Device

test.before(async () => {
  air = await startAir()
  device = await startDevice(air)
})

test.after(async () => {
  await device.stop()
  air.stop()
})

test.after.each(async () => {
  await closeAdapters()
  await device.order({ answer: true, refuse: 0, drop: 'no', greet: '' })
})

async function refusal(work: Promise<unknown>): Promise<LinkError> {
  const error = await work.then(
    () => undefined,
    (error) => error,
  )
  assert.instance(error, LinkError)
  return error as LinkError
}

test('a scan hears the device with its name, service and address', async () => {
  const adapter = adapterOn(air.path, bench())
  const stop = new AbortController()
  const heard = await new Promise<import('../../src/bridges/ble/index.ts').Advert>((found) => {
    adapter.scan((advert) => advert.services.length && found(advert), stop.signal)
  })
  stop.abort()
  assert.is(heard.address, device.address)
  assert.is(heard.name, 'cafetera')
  assert.equal(heard.services, [SERVICE])
  assert.ok(heard.connectable)
  await adapter.close()
  assert.is(adapter.status().state, 'closed')
})

test('a link comes up, confirms writes, and gives notifications in their order', async () => {
  const adapter = adapterOn(air.path, bench())
  const link = adapter.link(TARGET)
  const seen = record(link)
  await until('up', () => seen.ups())
  assert.is(adapter.status().slots.used, 1)

  const writes = ['01', '0202', '030303'].map((hex) => link.write(Buffer.from(hex, 'hex')))
  await Promise.all(writes)
  await until('the writes', () => device.writes.length >= 3)
  assert.equal(device.writes.splice(0), ['01', '0202', '030303'])

  const sent = Array.from({ length: 50 }, (_, index) => `ee${index.toString(16).padStart(2, '0')}`)
  await device.order({ send: sent })
  await until('notifications', () => seen.data().length >= 53)
  assert.equal(
    seen.data().filter((hex) => hex.startsWith('ee')),
    sent,
  )
  assert.equal(seen.downs(), [])

  await link.close()
  await until('the device to notice', () => device.seen.disconnect)
  assert.is(adapter.status().slots.used, 0)
  assert.is((await refusal(link.write(Uint8Array.of(1)))).code, 'offline')
  await adapter.close()
})

test('a write the device refuses is `refused` with its reason, and the link goes on', async () => {
  const adapter = adapterOn(air.path, bench())
  const link = adapter.link(TARGET)
  const seen = record(link)
  await until('up', () => seen.ups())
  await device.order({ refuse: 0x0e })
  const error = await refusal(link.write(Uint8Array.of(1)))
  assert.is(error.code, 'refused')
  assert.match(error.message, 'unlikely error')
  assert.not(error.uncertain)
  // noble stops for good after this one, were it not told another reason.
  await device.order({ refuse: 0x04 })
  assert.is((await refusal(link.write(Uint8Array.of(2)))).code, 'refused')
  await device.order({ refuse: 0 })
  await link.write(Uint8Array.of(3))
  assert.equal(seen.downs(), [])
  await adapter.close()
})

test('a write nobody answers is `timeout`, the link falls and comes up again by itself', async () => {
  const adapter = adapterOn(air.path, bench(10))
  const link = adapter.link(TARGET)
  const seen = record(link)
  await until('up', () => seen.ups())
  await device.order({ answer: false })
  const [first, second] = await Promise.all([
    refusal(link.write(Uint8Array.of(1))),
    refusal(link.write(Uint8Array.of(2))),
  ])
  assert.is(first.code, 'timeout')
  assert.is(second.code, 'offline', 'what waited behind it was not sent')
  await until('down', () => seen.downs().length)
  assert.match(seen.downs()[0] ?? '', 'did not answer a write within 5 s')
  assert.is((await refusal(link.write(Uint8Array.of(3)))).code, 'offline')
  await device.order({ answer: true })
  await until('up again', () => seen.ups() === 2)
  assert.is(adapter.status().recovery.rung, 'disconnect')
  await link.write(Uint8Array.of(4))
  await adapter.close()
})

test('a link closed while its useless connection is being ended does not make the controller suspect', async () => {
  const adapter = adapterOn(air.path, bench(10))
  const link = adapter.link(TARGET)
  record(link)
  await until('up', () => link.state === 'up')
  await device.order({ answer: false })
  assert.is((await refusal(link.write(Uint8Array.of(1)))).code, 'timeout')
  await link.close()
  await new Promise((go) => setTimeout(go, 700))
  assert.equal(adapter.status().recovery.counts, { disconnect: 2 })
  assert.is(adapter.status().state, 'ready')
})

test('a device that ends the connection in mid-write: `lost`, then up again', async () => {
  const adapter = adapterOn(air.path, bench(10))
  const link = adapter.link(TARGET)
  const seen = record(link)
  await until('up', () => seen.ups())
  device.writes.length = 0
  await device.order({ drop: 'write' })
  const [first, second] = await Promise.all([
    refusal(link.write(Uint8Array.of(1))),
    refusal(link.write(Uint8Array.of(2))),
  ])
  assert.is(first.code, 'lost')
  assert.ok(first.uncertain)
  assert.is(second.code, 'offline')
  assert.match(seen.downs()[0] ?? '', 'the device ended the connection')
  await until('up again', () => seen.ups() === 2)
  await link.write(Uint8Array.of(3))
  await until('the write', () => device.writes.includes('03'))
  assert.equal(device.writes, ['01', '03'], 'nothing was sent twice, nothing was kept for later')
  await adapter.close()
})

test('a write longer than a packet arrives whole; without response it is cut to what a packet holds', async () => {
  const adapter = adapterOn(air.path, bench())
  const link = adapter.link(TARGET)
  record(link)
  await until('up', () => link.state === 'up')
  device.writes.length = 0
  const long = Buffer.alloc(400, 7)
  await link.write(long)
  await until('the bytes', () => device.writes.join('').length >= 800)
  assert.is(device.writes.splice(0).join(''), long.toString('hex'))
  await link.close()

  const bold = adapter.link({ ...TARGET, write: 'without-response' })
  record(bold)
  await until('up', () => bold.state === 'up')
  await bold.write(long)
  await until('the bytes', () => device.writes.join('').length >= 800)
  assert.is(device.writes.join(''), long.toString('hex'))
  assert.ok(device.writes.length > 1)
  await adapter.close()
})

test('a device without the service of the profile says what it has', async () => {
  const adapter = adapterOn(air.path, bench())
  const seen = record(adapter.link({ ...TARGET, service: '180f' }))
  await until('down', () => seen.downs().length)
  assert.match(seen.downs()[0] ?? '', `no service 0000180f-0000-1000-8000-00805f9b34fb`)
  assert.match(seen.downs()[0] ?? '', SERVICE)
  await adapter.close()
})

test('the second engine is told that the device is occupied, and gets it when the first lets go', async () => {
  const first = adapterOn(air.path, bench(10))
  const one = first.link(TARGET)
  const firstSeen = record(one)
  await until('up', () => firstSeen.ups())
  const second = adapterOn(air.path, bench(10))
  const two = second.link(TARGET)
  const secondSeen = record(two)
  await until('down', () => secondSeen.downs().length)
  assert.match(secondSeen.downs()[0] ?? '', 'occupied')
  assert.is(two.state, 'waiting')
  assert.equal(firstSeen.downs(), [], 'the first did not notice')
  await one.close()
  await until('up', () => secondSeen.ups())
  await first.close()
  await second.close()
})

test('closing in any state leaves nothing on the radio', async () => {
  const env = bench(10)
  const adapter = adapterOn(air.path, env)
  for (const state of ['waiting', 'searching', 'found', 'connecting', 'preparing', 'up'] as const) {
    const link = adapter.link(TARGET)
    record(link)
    await until(state, () => link.state === state || link.state === 'up')
    await link.close()
    assert.is(link.state, 'closed')
    assert.is(adapter.status().slots.used, 0, `after closing when ${state}`)
    assert.equal(adapter.status().links, [])
  }
  assert.equal(env.complaints, [])
  await adapter.close()
})

test('more devices than slots: the one too many waits for a free one', async () => {
  const other = await startDevice(air, { name: 'otra' })
  const adapter = adapterOn(air.path, bench(10), 1)
  const one = adapter.link({ ...TARGET, address: device.address })
  const two = adapter.link({ ...TARGET, address: other.address })
  const firstSeen = record(one)
  await until('up', () => firstSeen.ups())
  const secondSeen = record(two)
  await until('down', () => secondSeen.downs().length)
  assert.match(secondSeen.downs()[0] ?? '', 'All 1 Bluetooth connections are in use')
  await one.close()
  await until('up', () => secondSeen.ups())
  await adapter.close()
  await other.stop()
})

test('what a device says the moment it is subscribed to comes after `up`', async () => {
  await device.order({ greet: 'cafe' })
  const adapter = adapterOn(air.path, bench())
  const seen = record(adapter.link(TARGET))
  await until('the greeting', () => seen.data().length)
  assert.equal(seen.told, ['up', 'data cafe'])
})

test('the simulated coffee machine answers over the air as it does in the simulator', async () => {
  const machine = await startDevice(air, { name: 'ecam', simulator: 'devices/delonghi-ecam/simulator.ts' })
  const adapter = adapterOn(air.path, bench())
  const link = adapter.link({ ...TARGET, address: machine.address })
  const seen = record(link)
  await until('up', () => seen.ups())
  // Monitor V2 and its reply: 19 bytes and more, in notifications of 20.
  await link.write(Buffer.from('0d05750fda25', 'hex'))
  const reply = await until('the reply', () => seen.data().join('').length >= 38 && seen.data().join(''))
  assert.is(reply.slice(0, 2), 'd0')
  assert.is(reply.slice(4, 8), '750f')
  await adapter.close()
  await machine.stop()
})

test.run()
