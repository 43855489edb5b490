// time limit: 60 s
// The Bluetooth bridge when its controller, or the cable to it, misbehaves: faults are injected into real HCI bytes.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { adapterOn, bench, closeAdapters, record, TARGET } from '../ble/bench.ts'
import { type Air, type Device, startAir, startDevice, until } from '../ble/lab.ts'
import { Cable } from '../ble/proxy.ts'

const LE_CREATE_CONNECTION = 0x200d
const LE_CANCEL = 0x200e
const RESET = 0x0c03

let air: Air
let device: Device
let cable: Cable

test.before(async () => {
  air = await startAir()
})

test.before.each(async () => {
  cable = new Cable(air)
  device = await startDevice(air)
})

test.after.each(async () => {
  cable.heal()
  await closeAdapters()
  await cable.unplug()
  await device.stop()
})

test.after(() => {
  air.stop()
  console.log('note: not run on a kernel adapter: all Bluetooth tests use btvirt behind a unix socket')
})

/** A link that is up through the cable. */
async function upOverCable(speed = 10) {
  await cable.plug()
  const env = bench(speed)
  const adapter = adapterOn(cable.path, env)
  const link = adapter.link(TARGET)
  const seen = record(link)
  await until('up', () => seen.ups())
  return { env, adapter, link, seen }
}

/** btvirt tells nobody when a controller is reset; a real device would notice the silence. */
async function noticeSilence() {
  await device.stop()
  device = await startDevice(air)
}

const opcode = (packet: Buffer) => (packet[0] === 1 ? packet.readUInt16LE(1) : -1)
const isConnectionComplete = (packet: Buffer) =>
  packet[0] === 4 && packet[1] === 0x3e && (packet[3] === 0x01 || packet[3] === 0x0a)
const isAttWrite = (packet: Buffer) => packet[0] === 2 && packet[9] === 0x12
const disconnected = (handle: number) => Buffer.from([4, 5, 4, 0, handle & 0xff, handle >> 8, 0x08])

test('packets that come split into single bytes, and joined, are the same packets', async () => {
  cable.toHost = (packet) => [...packet].map((byte) => Buffer.of(byte))
  const { link, seen, adapter } = await upOverCable()
  await link.write(Uint8Array.of(1))
  await until('the echo', () => seen.data().length)
  let kept: Buffer[] = []
  cable.toHost = (packet) => {
    kept.push(packet)
    if (kept.length < 4) return null
    const joined = Buffer.concat(kept)
    kept = []
    return [joined.subarray(0, 7), joined.subarray(7)]
  }
  await device.order({
    send: Array.from({ length: 40 }, (_, index) => `aa${index.toString(16).padStart(2, '0')}`),
  })
  await until('all of them', () => seen.data().length >= 41)
  assert.is(seen.data().at(-1), 'aa27')
  assert.equal(seen.downs(), [])
  assert.is(adapter.status().recovery.rung, 'none')
})

test('a few stray bytes are counted and stepped over', async () => {
  const { link, seen, env } = await upOverCable()
  cable.inject(Buffer.from('0000ff', 'hex'))
  await link.write(Uint8Array.of(1))
  assert.equal(seen.downs(), [])
  assert.is(env.meters.read()['ble.garbage'], 3)
})

test('bytes that make no sense: the controller is reset, and the link comes up again', async () => {
  const { link, seen, adapter } = await upOverCable()
  const resets: Buffer[] = []
  cable.toController = (packet) => {
    if (opcode(packet) === RESET) resets.push(packet)
    return packet
  }
  cable.inject(Buffer.alloc(5_000, 0x5a))
  await until('down', () => seen.downs().length)
  assert.match(seen.downs()[0] ?? '', 'make no sense')
  await until('ready', () => adapter.status().state === 'ready')
  assert.is(adapter.status().recovery.rung, 'reset')
  assert.is(resets.length, 1)
  assert.is(cable.plugged, 1)
  await noticeSilence()
  await until('up again', () => seen.ups() === 2)
  await link.write(Uint8Array.of(1))
})

test('the connection breaks in mid-write: `lost`, a late notification is dropped, then up again', async () => {
  const { link, seen, adapter } = await upOverCable()
  let handle = 0
  cable.toController = (packet) => {
    if (!isAttWrite(packet)) return packet
    handle = packet.readUInt16LE(1) & 0xfff
    return null
  }
  const outcome = link.write(Uint8Array.of(1)).then(
    () => 'confirmed',
    (error) => error.code,
  )
  await until('the write', () => handle)
  const notification = Buffer.from([2, handle, 0x20, 8, 0, 4, 0, 4, 0, 0x1b, 3, 0, 0xbb])
  cable.inject(Buffer.concat([disconnected(handle), notification]))
  assert.is(await outcome, 'lost')
  assert.match(seen.downs()[0] ?? '', 'went silent')
  cable.heal()
  await noticeSilence()
  await until('up again', () => seen.ups() === 2)
  await link.write(Uint8Array.of(2))
  await until('the echo', () => seen.data().length)
  assert.equal(seen.data(), ['02'])
  assert.is(adapter.status().recovery.rung, 'none')
})

test('a connection nobody answers is cancelled, told as occupied, and tried again', async () => {
  await cable.plug()
  let cancelled = 0
  cable.toController = (packet) => {
    if (opcode(packet) === LE_CANCEL) {
      cancelled++
      cable.inject(Buffer.from(`040e04010e2000043e1301020000${'00'.repeat(15)}`, 'hex'))
      return null
    }
    if (opcode(packet) !== LE_CREATE_CONNECTION) return packet
    cable.inject(Buffer.from('040f0400010d20', 'hex'))
    return null
  }
  const adapter = adapterOn(cable.path, bench(20))
  const seen = record(adapter.link(TARGET))
  await until('down', () => seen.downs().length)
  assert.match(seen.downs()[0] ?? '', 'occupied')
  assert.is(cancelled, 1)
  assert.is(adapter.status().recovery.rung, 'cancel')
  cable.heal()
  await until('up', () => seen.ups())
  assert.is(adapter.status().recovery.counts.reset, undefined)
})

test('a controller that does not even cancel is reset', async () => {
  await cable.plug()
  cable.toHost = (packet) => (isConnectionComplete(packet) ? null : packet)
  const adapter = adapterOn(cable.path, bench(20))
  const seen = record(adapter.link(TARGET))
  await until('down', () => seen.downs().length)
  assert.match(seen.downs()[0] ?? '', 'does not give up a connection')
  assert.equal(adapter.status().recovery.counts, { cancel: 1, reset: 1 })
  cable.heal()
  await noticeSilence()
  await until('up', () => seen.ups())
  assert.is(cable.plugged, 1)
})

test('a controller that answers nothing at all is reset, then its source reopened', async () => {
  const { adapter, seen } = await upOverCable(20)
  cable.toController = () => null
  const observer = new AbortController()
  adapter.scan(() => {}, observer.signal)
  await until('reopen', () => adapter.status().recovery.counts.reopen)
  assert.is(adapter.status().recovery.counts.reset, 1)
  assert.match(seen.downs()[0] ?? '', 'does not answer command')
  cable.heal()
  await noticeSilence()
  await until('up again', () => seen.ups() === 2)
  assert.ok(cable.plugged >= 2)
  observer.abort()
})

test('the adapter is pulled out and comes back: links fall with the cause and rise by themselves', async () => {
  const { link, seen, adapter } = await upOverCable(20)
  await device.order({ answer: false })
  const outcome = link.write(Uint8Array.of(1)).catch((error) => error.code)
  await cable.unplug()
  assert.is(await outcome, 'lost')
  await until('failed', () => adapter.status().state === 'failed')
  assert.match(seen.downs()[0] ?? '', /is gone.*: plug it in or start it again/)
  const offline = await link.write(Uint8Array.of(2)).catch((error) => error.code)
  assert.is(offline, 'offline')
  await noticeSilence()
  await cable.plug()
  await until('up again', () => seen.ups() === 2)
  await link.write(Uint8Array.of(3))
})

test('no adapter at the start: the engine lives, says what to do, and uses it when it appears', async () => {
  const env = bench(20)
  const adapter = adapterOn(cable.path, env)
  const seen = record(adapter.link(TARGET))
  await until('down', () => seen.downs().length)
  assert.match(
    seen.downs()[0] ?? '',
    `No Bluetooth controller at unix:${cable.path} (ENOENT): start what serves it`,
  )
  await until('another try', () => (adapter.status().recovery.counts.reopen ?? 0) >= 2)
  assert.is(env.complaints.length, 1, 'the same trouble is logged once')
  await cable.plug()
  await until('up', () => seen.ups())
})

test('short and senseless packets do no harm', async () => {
  const { link, seen, env } = await upOverCable()
  for (const hex of [
    '040500',
    '043e00',
    '043e0102',
    '040e00',
    '040f0100',
    '041300',
    '02000000 00',
    '0441',
    '04',
  ]) {
    cable.inject(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
  }
  cable.inject(Buffer.from('00', 'hex'))
  await new Promise((go) => setTimeout(go, 50))
  assert.ok((env.meters.read()['ble.malformed'] ?? 0) >= 3)
  await noticeSilence()
  await until('up in the end', () => seen.ups() >= 1 && link.state === 'up')
})

test('100,000 strangers leave memory flat, and the link works among them', async () => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const { link, adapter, seen } = await upOverCable(1)
  const observer = new AbortController()
  let heard = 0
  adapter.scan(() => heard++, observer.signal)
  await until('listening', () => adapter.status().doing?.what === 'listening for advertisements')

  const heapAfter = async (from: number, to: number) => {
    for (let at = from; at < to; at += 500) {
      const reports = Array.from({ length: Math.min(500, to - at) }, (_, index) => stranger(at + index))
      if (!cable.inject(Buffer.concat(reports))) await cable.drained()
    }
    await until('all of them heard', () => heard >= to, 20_000)
    gc()
    return process.memoryUsage().heapUsed
  }
  const early = await heapAfter(0, 10_000)
  const late = await heapAfter(10_000, 100_000)
  console.log(`note: heap after 10,000 strangers ${mib(early)}, after 100,000 ${mib(late)}`)
  assert.ok(late - early < 1_000_000, `the heap grew by ${late - early} bytes`)
  assert.ok(adapter.status().known <= 512)
  await link.write(Uint8Array.of(1))
  assert.equal(seen.downs(), [])
  observer.abort()
})

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** A non-connectable advertisement from a random address, with a name. */
function stranger(number: number): Buffer {
  const report = Buffer.from('043e19020103010000000000c00d0c09737472616e6765722d3030c8', 'hex')
  report[2] = report.length - 3
  report.writeUInt32LE(number, 7)
  return report
}

test.run()
