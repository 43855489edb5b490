// The parts of the Bluetooth bridge that need no radio: framing, names of things, queues, and the kernel's many ways of
// having no adapter.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { matches, readAdvert } from '../../src/bridges/ble/advert.ts'
import { Backoff } from '../../src/bridges/ble/backoff.ts'
import { H4Splitter } from '../../src/bridges/ble/h4.ts'
import { BleAdapter } from '../../src/bridges/ble/index.ts'
import { type NativeSocket, openKernel } from '../../src/bridges/ble/kernel.ts'
import { Lane } from '../../src/bridges/ble/lane.ts'
import type { PortFault } from '../../src/bridges/ble/port.ts'
import { formatSource, parseSource } from '../../src/bridges/ble/source.ts'
import { normaliseUuid } from '../../src/bridges/ble/uuid.ts'
import { TestClock } from '../../src/core/clock.ts'
import { JstpError } from '../../src/core/status.ts'
import { bench, record, TARGET } from '../ble/bench.ts'
import { hex } from '../ble/fake-controller.ts'

const PACKETS = [
  '040e0401030c00',
  '043e0c02010000563412a0500000c8',
  '02402009000500040001080d000a',
  '0413050140000100',
].map(hex)

test('H4: whole, joined, split anywhere, byte by byte: the same packets', () => {
  const all = Buffer.concat(PACKETS)
  for (let size = 1; size <= all.length; size++) {
    const splitter = new H4Splitter()
    const got: Buffer[] = []
    for (let at = 0; at < all.length; at += size) got.push(...splitter.push(all.subarray(at, at + size)))
    assert.equal(got, PACKETS, `in pieces of ${size}`)
    assert.is(splitter.garbage, 0)
  }
})

test('H4: stray bytes before a packet are counted; more than 16 and the framing is lost until a reset is answered', () => {
  const splitter = new H4Splitter()
  const [reset, advert] = PACKETS as [Buffer, Buffer]
  assert.equal(splitter.push(Buffer.concat([hex('00ff00'), advert])), [advert])
  assert.is(splitter.garbage, 3)
  assert.equal(splitter.push(Buffer.alloc(40)), [])
  assert.ok(splitter.lost)
  assert.equal(splitter.push(advert), [], 'nothing is believed')
  splitter.hunt()
  assert.not(splitter.lost)
  assert.equal(splitter.push(Buffer.concat([advert, hex('04'), reset.subarray(0, 3)])), [])
  assert.equal(splitter.push(Buffer.concat([reset.subarray(3), advert])), [reset, advert])
})

test('H4: a data packet that claims more than 4 KiB is garbage, not a reason to wait for it', () => {
  const splitter = new H4Splitter()
  splitter.push(hex('024000ffff'))
  assert.ok(splitter.garbage > 0)
})

test('sources are read and written in the same form; others are told the forms', () => {
  for (const text of [
    'kernel',
    'hci1',
    'unix:/tmp/bt-server-le',
    'tcp:127.0.0.1:4000',
    'tcp:[::1]:4000',
    'serial:/dev/ttyUSB0@1000000',
  ]) {
    assert.is(formatSource(parseSource(text)), text)
  }
  assert.equal(parseSource('serial:/dev/ttyACM0'), { kind: 'serial', path: '/dev/ttyACM0', baud: 115_200 })
  for (const text of [
    '',
    'hci',
    'usb',
    'unix:tmp',
    'tcp:host',
    'tcp:host:0',
    'tcp:host:70000',
    'serial:',
    'kernel:1',
  ]) {
    assert.throws(
      () => parseSource(text),
      (error: Error) => error instanceof JstpError && error.message.includes('tcp:127'),
    )
  }
})

test('a UUID in any form is one', () => {
  const battery = '0000180f-0000-1000-8000-00805f9b34fb'
  for (const text of [
    '180f',
    '180F',
    '0x180f',
    '0000180f',
    battery,
    battery.toUpperCase(),
    battery.replaceAll('-', ''),
  ]) {
    assert.is(normaliseUuid(text), battery)
  }
  assert.is(normaliseUuid('ffe'), '00000ffe-0000-1000-8000-00805f9b34fb')
  for (const text of ['', 'xyz', '123456789', battery.slice(1)])
    assert.throws(() => normaliseUuid(text), 'no Bluetooth UUID')
})

test('an advertisement matches by address, or by all that the profile asks for', () => {
  const from = { localName: 'D1550', serviceUuids: ['ffe', TARGET.service.replaceAll('-', '')] }
  const advert = readAdvert('00:a0:50:12:34:56', 'public', true, from, -60)
  const target = (rest: object) => ({ ...TARGET, ...rest })
  assert.ok(matches(TARGET, advert))
  assert.ok(matches(target({ match: { service: '0FFE', name: /^D15/, addressPrefix: '00:A0:50' } }), advert))
  assert.not(matches(target({ match: { service: '0FFE', name: 'D155' } }), advert))
  assert.not(matches(target({ match: { addressPrefix: '00:A0:51' } }), advert))
  assert.not(matches(target({ match: {} }), advert))
  assert.not(matches(target({ match: [] }), advert))
  assert.ok(matches(target({ match: [{ name: 'no' }, { name: 'D1550' }] }), advert))
  assert.ok(matches(target({ address: '00-A0-50-12-34-56', match: { name: 'no' } }), advert))
  assert.not(matches(target({ address: '00:a0:50:12:34:57' }), advert))
  const data = { serviceData: [{ uuid: TARGET.characteristic.replaceAll('-', ''), data: Buffer.of(1) }] }
  assert.ok(matches(TARGET, readAdvert('00:a0:50:12:34:56', 'public', true, data, -60)), 'as service data')
})

test('backoff: 2, 5, 15, 60 s; from the first again only after 30 good seconds', async () => {
  const clock = new TestClock()
  const backoff = new Backoff(bench(clock))
  assert.equal(
    [1, 2, 3, 4, 5].map(() => backoff.next()),
    [2_000, 5_000, 15_000, 60_000, 60_000],
  )
  backoff.good()
  await clock.advance(29_000)
  assert.is(backoff.next(), 60_000)
  backoff.good()
  await clock.advance(30_000)
  assert.is(backoff.next(), 2_000)
})

test('a lane runs one after another, stops at a deadline, and holds no more than 32', async () => {
  const clock = new TestClock()
  const late: string[] = []
  const lane: Lane = new Lane(clock, (error) => {
    late.push(error.message)
    lane.clear(new Error('lost'), new Error('offline'))
  })
  const ran: number[] = []
  const run = (number: number, work = Promise.resolve()) =>
    lane.run(
      1_000,
      () => new Error('late'),
      () => {
        ran.push(number)
        return work
      },
    )
  await Promise.all([run(1), run(2)])
  const never = new Promise<void>(() => {})
  const outcomes = Promise.allSettled([
    run(3, never),
    ...Array.from({ length: 33 }, (_, index) => run(4 + index)),
  ])
  await clock.advance(1_000)
  const messages = (await outcomes).map((outcome) => (outcome as PromiseRejectedResult).reason.message)
  assert.equal(ran, [1, 2, 3], 'what waited behind a late one never begins')
  assert.equal([messages[0], messages[1], messages[32]], ['late', 'offline', 'offline'])
  assert.match(messages[33], '32 operations are waiting')
  assert.equal(late, ['late'])
  await run(5)
  assert.is(clock.pending, 0)
})

// The kernel.

interface Fake {
  adapters?: string[]
  rfkill?: { soft?: string; hard?: string }
  native?: () => never
  up?: boolean
  open?: string
  bind?: string
}

function machine({ adapters = ['hci0'], rfkill, native, up = true, open, bind }: Fake) {
  const sys = mkdtempSync(join(tmpdir(), 'sys-'))
  for (const name of adapters) mkdirSync(join(sys, 'class/bluetooth', name), { recursive: true })
  if (rfkill) {
    const folder = join(sys, 'class/rfkill/rfkill0')
    mkdirSync(folder, { recursive: true })
    for (const [file, text] of Object.entries({ type: 'bluetooth', soft: '0', hard: '0', ...rfkill })) {
      writeFileSync(join(folder, file), `${text}\n`)
    }
  }
  const state = {
    up,
    device: -1,
    sent: [] as Buffer[],
    stopped: false,
    on: {} as Record<string, (it: never) => void>,
  }
  class Native implements NativeSocket {
    constructor() {
      if (open) throw errno(open)
    }
    bindRaw(device: number) {
      if (bind) throw errno(bind)
      state.device = device
      return device
    }
    setFilter() {}
    isDevUp() {
      return state.up
    }
    start() {}
    stop() {
      state.stopped = true
    }
    write(packet: Buffer) {
      state.sent.push(packet)
    }
    on(event: string, run: (it: never) => void) {
      state.on[event] = run
    }
    removeAllListeners() {}
  }
  return {
    machine: { sys, native: native ?? (() => Native) },
    state,
    remove: () => rmSync(sys, { recursive: true }),
  }
}

function errno(code: string): Error {
  return Object.assign(new Error(code), { code })
}

test('kernel: everything that can be missing has its own message, which says what to do', () => {
  const notBuilt = () => {
    throw errno('MODULE_NOT_FOUND')
  }
  const cases: [Fake, string][] = [
    [{ native: notBuilt }, 'npm rebuild @abandonware/bluetooth-hci-socket'],
    [{ adapters: [] }, 'No Bluetooth adapter (there is none): plug one in'],
    [{ adapters: ['hci0', 'hci0:64'], open: 'EAFNOSUPPORT' }, 'modprobe bluetooth'],
    [{ rfkill: { soft: '1' } }, 'rfkill unblock bluetooth'],
    [{ rfkill: { hard: '1' } }, 'hardware switch'],
    [{ up: false }, 'bluetoothctl power on'],
    [{ bind: 'EPERM' }, 'CAP_NET_RAW'],
    [{ bind: 'ENODEV' }, 'plug it in again'],
  ]
  for (const [fake, text] of cases) {
    const { machine: computer, remove } = machine(fake)
    const events = { packet() {}, fault() {} }
    assert.throws(
      () => openKernel({ kind: 'kernel' }, events, bench(), computer),
      (error: Error) =>
        error.message.includes(text) || assert.unreachable(`"${error.message}" lacks "${text}"`),
    )
    remove()
  }
  const { machine: computer, remove } = machine({ adapters: ['hci0', 'hci2'] })
  assert.throws(
    () => openKernel({ kind: 'kernel', device: 1 }, { packet() {}, fault() {} }, bench(), computer),
    'No Bluetooth adapter hci1 (there is hci0, hci2)',
  )
  remove()
})

test('kernel: packets go both ways; an adapter switched off, or a write without the right, is a fault', async () => {
  for (const [what, text] of [
    ['down', 'was switched off'],
    ['EPERM', 'CAP_NET_RAW'],
  ]) {
    const clock = new TestClock()
    const { machine: computer, state, remove } = machine({})
    const packets: Buffer[] = []
    const faults: PortFault[] = []
    const events = {
      packet: (packet: Buffer) => packets.push(packet),
      fault: (fault: PortFault) => faults.push(fault),
    }
    const port = openKernel({ kind: 'kernel' }, events, bench(clock), computer)
    assert.is(state.device, 0)
    assert.is(port.reset, undefined, 'the kernel owns the controller')
    port.write(Uint8Array.of(1, 2))
    assert.equal(state.sent, [Buffer.of(1, 2)])
    state.on.data?.(Buffer.of(4) as never)
    assert.equal(packets, [Buffer.of(4)])
    await clock.advance(3_000)
    assert.equal(faults, [])
    if (what === 'down') {
      state.up = false
      await clock.advance(1_000)
    } else state.on.error?.(errno('EPERM') as never)
    assert.match(faults[0]?.message ?? '', text as string)
    assert.ok(state.stopped)
    assert.is(clock.pending, 0)
    remove()
  }
})

test('a source of no use: the engine lives, the link is told, and the timers end with the adapter', async () => {
  const clock = new TestClock()
  const adapter = new BleAdapter({ source: parseSource('serial:/dev/ttyUSB0@115200') }, bench(clock))
  const seen = record(adapter.link(TARGET))
  await clock.advance(1)
  assert.match(seen.downs()[0] ?? '', 'needs the serial bridge')
  await clock.advance(60_000)
  assert.ok((adapter.status().recovery.counts.reopen ?? 0) >= 3)
  assert.is(seen.downs().length, 1, 'the same cause is told once')
  await adapter.close()
  assert.is(clock.pending, 0)
})

test.run()
