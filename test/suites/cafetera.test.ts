// heavy
// needs dist
// time limit: 120 s
// `/cafetera` from end to end over real parts: a client by TCP, the built program, noble, HCI bytes, BlueZ's controller
// emulator, bleno, and the simulated machine of `devices/delonghi-ecam` (design §3, §9.5–8).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { closeKitchens, drinks, eventually, isBrew, Kitchen, startMachine } from '../ble/kitchen.ts'
import { type Air, type Device, startAir } from '../ble/lab.ts'

const MONITOR = '0d05750fda25'

let air: Air
let machine: Device
let kitchen: Kitchen
let seen: string[]

test.before(async () => {
  air = await startAir()
  kitchen = await Kitchen.open(air.path)
  seen = await kitchen.watch()
})

test.after(async () => {
  await closeKitchens()
  await machine.stop()
  air.stop()
})

test('§3 before it is found: GET of the root is 200 and says offline, a command is 500 at once', async () => {
  const root = await kitchen.ask('GET', 'cafetera')
  assert.is(root.status, 200)
  assert.is(root.body.online, false)
  assert.is(root.body.age, null)
  const { status, body, ms } = await kitchen.ask('POST', 'cafetera/brew', { recipe: 'espresso' })
  assert.is(status, 500)
  assert.is(body.code, 'offline')
  assert.ok(ms < 1000)
})

test('it is found by its service, without an address, as soon as it can be heard', async () => {
  machine = await startMachine(air, { speed: 2, warm: false })
  await kitchen.until('off')
  const { online, age, power } = await kitchen.get('cafetera')
  assert.is(online, true)
  assert.ok(age < 10_000)
  assert.is(power, false)
  const { cafetera } = await kitchen.get('engine/devices')
  assert.is(cafetera.state, 'up')
  assert.is(cafetera.medium, 'ble')
  const [link] = (await kitchen.get('engine/bluetooth')).links
  assert.is(link.address, machine.address)
  const brew = await kitchen.ask('POST', 'cafetera/brew', { recipe: 'espresso' })
  assert.is(brew.status, 400)
  assert.is(brew.body.code, 'busy')
  assert.is(brew.body.state, 'off')
})

test('from standby: PUT power true is 200, and the reports are off, starting, ready', async () => {
  const { status } = await kitchen.ask('PUT', 'cafetera/power', true)
  assert.is(status, 200)
  await kitchen.until('ready')
  await eventually('the report', async () => seen.includes('state="ready"'))
  const states = seen.filter((report) => report.startsWith('state='))
  assert.equal(states, ['state="off"', 'state="starting"', 'state="ready"'])
  assert.equal(
    seen.filter((report) => report.startsWith('power=')),
    ['power=false', 'power=true'],
  )
})

test('recipes are those that the machine tells, with its limits', async () => {
  const { value, online, retained } = await kitchen.get('cafetera/recipes')
  assert.is(online, true)
  assert.is(retained, false)
  assert.equal(value.espresso.coffee, { min: 20, default: 40, max: 180, value: 40, unit: 'ml' })
  assert.is(value.cappuccino.accessory, 'milk-jug')
  assert.is(value.cappuccino.milk.max, 900)
  assert.is(value['flat-white'], undefined, 'this machine has none')
  const profiles = await kitchen.get('cafetera/profiles')
  assert.is(profiles.value[0].name, 'Matt')
})

test('an espresso: 200 when it is taken, progress is reported until it is ready, one drink is made', async () => {
  seen.length = 0
  const { status, body } = await kitchen.ask('POST', 'cafetera/brew', { recipe: 'espresso', coffee: 45 })
  assert.is(status, 200)
  assert.is(body.recipe, 'espresso')
  assert.is(body.coffee, 45)
  const busy = await kitchen.ask('POST', 'cafetera/brew', { recipe: 'espresso' })
  assert.is(busy.status, 400)
  assert.is(busy.body.code, 'busy')
  await eventually('ready', async () => seen.includes('state="ready"') && seen.includes('progress=0'))
  assert.equal(
    seen.filter((report) => report.startsWith('state=')),
    ['state="brewing"', 'state="ready"'],
  )
  const progress = seen.flatMap((report) => /^progress=(\d+)$/.exec(report)?.[1] ?? []).map(Number)
  const middle = progress.filter((percent) => percent > 0 && percent < 100)
  assert.ok(middle.length >= 3, `${progress}`)
  assert.equal(
    middle,
    middle.toSorted((a, b) => a - b),
  )
  assert.is(progress.at(-1), 0)
  assert.is(await drinks(machine), 1)
  assert.is(machine.writes.filter(isBrew).length, 1)
})

test('stop in the middle: 200 when it pours no more, and it is ready again', async () => {
  assert.is((await kitchen.ask('POST', 'cafetera/brew', { recipe: 'long-coffee' })).status, 200)
  await eventually('some progress', async () => (await kitchen.get('cafetera')).progress >= 20)
  const water = async () => (await machine.ask<{ water: number }>('levels')).water
  const before = await water()
  const { status } = await kitchen.ask('POST', 'cafetera/stop')
  assert.is(status, 200)
  const left = await water()
  await kitchen.until('ready')
  assert.is(await water(), left, 'nothing flows after the answer')
  assert.ok(before - left < 100, 'the rest of the 250 ml was not poured')
  assert.is(await machine.ask('stops'), 1)
  assert.is(await drinks(machine), 2)
})

test('no water: brewing is 400 with the alarm and its remedy, and nothing reaches the machine', async () => {
  await machine.ask('set', { water: 0 })
  await kitchen.until('alarm')
  machine.writes.length = 0
  const { status, body } = await kitchen.ask('POST', 'cafetera/brew', { recipe: 'espresso' })
  assert.is(status, 400)
  assert.is(body.code, 'alarm')
  assert.equal(body.alarms, ['empty-water-tank'])
  assert.match(body.message, 'fill the water tank')
  assert.equal((await kitchen.get('cafetera/alarms')).value, ['empty-water-tank'])
  assert.equal(
    machine.writes.filter((frame) => frame !== MONITOR),
    [],
  )
  await machine.ask('fill')
  await kitchen.until('ready')
})

test('an unknown recipe and an amount out of range: 400, before a byte reaches the link', async () => {
  machine.writes.length = 0
  const refused = async (body: object) => {
    const told = await kitchen.ask('POST', 'cafetera/brew', { ...body })
    assert.is(told.status, 400, JSON.stringify(body))
    assert.is(told.body.code, 'range')
    return told.body
  }
  assert.match((await refused({ recipe: 'espreso' })).message, 'did you mean "espresso"?')
  assert.match((await refused({ recipe: 'flat-white' })).message, "can't make flat-white")
  const { min, max, unit, message } = await refused({ recipe: 'espresso', coffee: 500 })
  assert.equal([min, max, unit], [20, 180, 'ml'])
  assert.match(message, '20 to 180 ml')
  await refused({ recipe: 'espresso', milk: 50 })
  await refused({ recipe: 'espresso', coffee: 'much' })
  await refused({ recipe: 'espresso', sugar: 1 })
  await refused({})
  assert.equal(
    machine.writes.filter((frame) => frame !== MONITOR),
    [],
  )
  assert.is(await drinks(machine), 2)
})

test('frames with a wrong CRC are counted and skipped, and the machine is used as before', async () => {
  const broken = async () => (await kitchen.get('engine/devices')).cafetera.counters.broken ?? 0
  const before = await broken()
  for (let count = 1; count <= 3; count++) {
    await machine.ask('corrupt')
    await eventually(`${count} broken`, async () => (await broken()) >= before + count)
  }
  // Noise, and the start of a frame that never ends.
  await machine.order({ send: ['00ff00', 'd0d0d0', 'd0ff0102'] })
  await eventually('the state again', async () => {
    const { online, age, state } = await kitchen.get('cafetera')
    return online && age < 300 && state === 'ready'
  })
  assert.is((await kitchen.get('engine/devices')).cafetera.state, 'up')
  const { status } = await kitchen.ask('POST', 'cafetera/brew', { recipe: 'hot-water' })
  assert.is(status, 200)
  await kitchen.until('brewing')
  await kitchen.until('ready')
  assert.is(await drinks(machine), 3)
})

test('switched off: 200, and it says so', async () => {
  seen.length = 0
  assert.is((await kitchen.ask('PUT', 'cafetera/power', 'off')).status, 200)
  await eventually('off', async () => seen.includes('state="off"'))
  assert.equal(
    seen.filter((report) => report.startsWith('state=')),
    ['state="stopping"', 'state="off"'],
  )
})

test.run()
