// needs dist
// time limit: 150 s
// `/cafetera` when something is not there: the machine, a second one, the adapter; or somebody else holds it. The engine
// says why and what to do (`["engine","devices"]`), refuses at once (design §9.6), and works when it comes.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { adapterOn, bench, closeAdapters, record, TARGET } from '../ble/bench.ts'
import { CAFETERA, closeKitchens, drinks, eventually, Kitchen, startMachine } from '../ble/kitchen.ts'
import { type Air, type Device, startAir, until } from '../ble/lab.ts'
import { Cable } from '../ble/proxy.ts'

const ESPRESSO = { recipe: 'espresso' }
const SPEED = 4

let air: Air
let machine: Device

test.before(async () => {
  air = await startAir()
  machine = await startMachine(air, { speed: SPEED })
})

test.before.each(() => machine.ask('warm'))

test.after.each(async () => {
  await closeKitchens()
  await closeAdapters()
})

test.after(async () => {
  await machine.stop()
  air.stop()
})

/** What every question says of a device that isn't there. */
async function isOffline(kitchen: Kitchen, device = 'cafetera'): Promise<void> {
  const root = await kitchen.ask('GET', device)
  assert.is(root.status, 200)
  assert.is(root.body.online, false)
  for (const [method, point, body] of [
    ['POST', 'brew', ESPRESSO],
    ['POST', 'stop', undefined],
    ['PUT', 'power', true],
  ] as const) {
    const told = await kitchen.ask(method, `${device}/${point}`, body)
    assert.is(told.status, 500, `${method} ${point}`)
    assert.is(told.body.code, 'offline')
    assert.ok(told.ms < 1000, `${told.ms} ms`)
  }
}

/** Makes an espresso. */
async function brews(kitchen: Kitchen): Promise<void> {
  const before = await drinks(machine)
  await kitchen.until('ready')
  const { status, body } = await kitchen.ask('POST', 'cafetera/brew', ESPRESSO)
  assert.is(status, 200, JSON.stringify(body))
  assert.is(await drinks(machine), before + 1)
  await eventually('it brewing', async () => (await kitchen.get('cafetera')).progress > 0)
  await kitchen.until('ready')
}

test('the adapter is missing at the start: the engine is up and says what to do; it appears: it works', async () => {
  const cable = new Cable(air)
  const kitchen = await Kitchen.open(cable.path)
  const cause = await kitchen.cause(/No Bluetooth controller/)
  assert.match(cause, `No Bluetooth controller at unix:${cable.path} (ENOENT): start what serves it`)
  assert.match(cause, 'bluetooth.source')
  assert.is((await kitchen.get('engine/bluetooth')).state, 'failed')
  assert.is((await kitchen.get('engine/devices')).cafetera.lastSeen, null)
  await isOffline(kitchen)
  await cable.plug()
  await kitchen.until('ready')
  assert.is((await kitchen.get('engine/bluetooth')).state, 'ready')
  await brews(kitchen)
  await kitchen.close()
  await cable.unplug()
})

test('another central holds the machine: it is called occupied, and it works when that one lets go', async () => {
  const phone = adapterOn(air.path, bench())
  const held = record(phone.link(TARGET))
  await until('the phone to have it', () => held.ups())
  const kitchen = await Kitchen.open(air.path)
  assert.match(await kitchen.cause(/not heard/), 'occupied: another app, phone or engine is connected to it')
  await isOffline(kitchen)
  assert.equal(held.downs(), [], 'the other one is left alone')
  await phone.close()
  await kitchen.until('ready')
  await brews(kitchen)
})

test('of two machines one is absent: it says so, and the other works all the while', async () => {
  const otra = { ...CAFETERA, address: '00:a0:50:12:34:56' }
  const cafetera = { ...CAFETERA, address: machine.address }
  const kitchen = await Kitchen.open(air.path, { devices: { otra, cafetera } })
  await brews(kitchen)
  await isOffline(kitchen, 'otra')
  const { cafetera: since } = await kitchen.get('engine/devices')
  assert.match(await kitchen.cause(/not heard/, { device: 'otra' }), '(00:a0:50:12:34:56) was not heard')
  await isOffline(kitchen, 'otra')
  await brews(kitchen)
  const { cafetera: now } = await kitchen.get('engine/devices')
  assert.is(now.since, since.since, 'its link has held')
  assert.is(now.state, 'up')
})

test('the machine vanishes for good: 200 and offline, 500 at once, and why; it comes back: online', async () => {
  const kitchen = await Kitchen.open(air.path)
  await brews(kitchen)
  const seen = await kitchen.watch()
  await machine.stop()
  await eventually('it to be offline', async () => !(await kitchen.get('cafetera')).online)
  assert.is((await kitchen.get('cafetera/state')).value, 'unknown')
  assert.is((await kitchen.get('cafetera/power')).retained, true)
  await isOffline(kitchen)
  const cause = await kitchen.cause(/not heard/)
  assert.match(cause, 'it is off, out of range, or occupied')
  const { state, lastSeen } = (await kitchen.get('engine/devices')).cafetera
  assert.is(state, 'down')
  assert.ok(Date.now() - lastSeen > 10_000)
  await isOffline(kitchen)
  machine = await startMachine(air, { speed: SPEED })
  await brews(kitchen)
  assert.equal(seen.filter((report) => report.startsWith('state=')).slice(0, 2), [
    'state="unknown"',
    'state="ready"',
  ])
})

test.run()
