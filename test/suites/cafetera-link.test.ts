// heavy
// needs dist
// time limit: 150 s
// The link breaks at each step of a brew, by a cable between the program and its Bluetooth controller that can be cut: it
// mends itself, who asked gets what design §9.6 says, and one command never makes two drinks (§9.7).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  closeKitchens,
  drinks,
  eventually,
  frameIn,
  isBrew,
  isConfirmation,
  Kitchen,
  startMachine,
} from '../ble/kitchen.ts'
import { type Air, type Device, startAir } from '../ble/lab.ts'
import { Cable } from '../ble/proxy.ts'

const ESPRESSO = { recipe: 'espresso' }
/** Of the reply to a brew. */
const REPLY = /^d0..83f0/

let air: Air
let machine: Device
let cable: Cable
let count = 0

test.before(async () => {
  air = await startAir()
  // A drink takes 12 s: longer than the link needs to come back.
  machine = await startMachine(air, { speed: 0.5 })
})

test.before.each(async () => {
  await machine.ask('fill')
  await machine.ask('warm')
  machine.writes.length = 0
  cable = new Cable(air)
  await cable.plug()
})

test.after.each(async () => {
  await closeKitchens()
  await cable.unplug()
})

test.after(async () => {
  await machine.stop()
  air.stop()
})

/** The program with a machine that is ready; asks for espressos, and counts those that were made since. */
async function ready(answerTimeout = '10s') {
  const kitchen = await Kitchen.open(cable.path, { answerTimeout })
  await kitchen.until('ready')
  const before = await drinks(machine)
  const transaction = `brew-${++count}`
  return {
    kitchen,
    made: async () => (await drinks(machine)) - before,
    brew: () => kitchen.ask('POST', 'cafetera/brew', ESPRESSO, { transaction }),
    /** The same once more, by a program that has just connected. */
    brewAnew: () => kitchen.askAnew('POST', 'cafetera/brew', ESPRESSO, transaction),
    mended: () => eventually('the link again', async () => (await kitchen.get('cafetera')).online),
  }
}

/** Cuts at the next packet that matches, which does not arrive; the link can mend itself afterwards. */
function cutAt(way: 'toController' | 'toHost', matches: (packet: Buffer) => boolean): void {
  cable[way] = (packet) => {
    if (!matches(packet)) return packet
    cable.heal()
    cable.drop()
    return null
  }
}

test('it breaks before the brew is asked for: 500 offline at once, and the same command works later', async () => {
  const { kitchen, brew, brewAnew, made, mended } = await ready()
  cable.drop()
  await kitchen.cause(/went silent/)
  const { status, body, ms } = await brew()
  assert.is(status, 500)
  assert.is(body.code, 'offline')
  assert.ok(Date.now() - body.lastSeen < 10_000)
  assert.ok(ms < 1000, `${ms} ms`)
  assert.is((await kitchen.ask('POST', 'cafetera/stop')).body.code, 'offline')
  await mended()
  assert.is(await made(), 0, 'what was refused is not sent when the link is back')
  assert.is((await brew()).status, 200, 'a refusal is not kept')
  assert.is((await brewAnew()).status, 200)
  assert.is(await made(), 1)
})

test('it breaks before the write: 500 not executed, and the same command works later', async () => {
  const { brew, brewAnew, made, mended } = await ready('3s')
  cutAt('toController', (packet) => frameIn(packet) !== '')
  const { status, body } = await brew()
  assert.is(status, 500)
  assert.is(body.code, 'not-executed')
  await mended()
  assert.is(machine.writes.filter(isBrew).length, 0)
  assert.is((await brew()).status, 200)
  assert.is((await brewAnew()).status, 200)
  assert.is(await made(), 1)
})

for (const { when, way, packet, answerTimeout, status, code, drinks } of [
  {
    when: 'in mid-write, and the machine has not got it',
    way: 'toController',
    packet: (packet: Buffer) => isBrew(frameIn(packet)),
    answerTimeout: '6s',
    status: 504,
    code: 'uncertain',
    drinks: 0,
  },
  {
    when: 'in mid-write, and the machine has got it',
    way: 'toHost',
    packet: (packet: Buffer) => isConfirmation(packet) && machine.writes.some(isBrew),
    status: 200,
    drinks: 1,
  },
  {
    when: 'after the write, before the reply',
    way: 'toHost',
    packet: (packet: Buffer) => REPLY.test(frameIn(packet)),
    status: 200,
    drinks: 1,
  },
] as const) {
  test(`it breaks ${when}: ${status} ${code ?? 'after a look at its state'}, ${drinks} made, whoever repeats it`, async () => {
    const { kitchen, brew, brewAnew, made, mended } = await ready(answerTimeout)
    cutAt(way, packet)
    const first = await brew()
    assert.is(first.status, status, JSON.stringify(first.body))
    assert.is(first.body.code, code)
    await mended()
    for (const again of [await brew(), await brewAnew()]) {
      assert.is(again.status, status)
      assert.equal(again.body, first.body)
    }
    assert.is(await made(), drinks)
    assert.is(machine.writes.filter(isBrew).length, drinks)
    if (drinks === 1) {
      await kitchen.until('brewing')
      await machine.ask('warm')
    }
    await kitchen.until('ready')
    assert.is((await brewAnew()).status, status)
    assert.is(await made(), drinks)
    const other = await kitchen.ask('POST', 'cafetera/brew', ESPRESSO)
    assert.is(other.status, 200, `another command is executed: ${JSON.stringify(other.body)}`)
    assert.is(await made(), drinks + 1)
  })
}

test('it breaks while it brews: the state is unknown, then brewing again, and ready; one was made', async () => {
  const { kitchen, brew, brewAnew, made, mended } = await ready()
  const seen = await kitchen.watch()
  assert.is((await brew()).status, 200)
  await kitchen.until('brewing')
  cable.drop()
  await kitchen.cause(/went silent/)
  const root = await kitchen.ask('GET', 'cafetera')
  assert.is(root.status, 200)
  assert.is(root.body.online, false)
  assert.is(root.body.state, 'unknown')
  assert.is((await kitchen.get('cafetera/progress')).retained, true)
  assert.is((await brew()).status, 200, 'a repeat is answered although the machine is away')
  await mended()
  await kitchen.until('brewing')
  assert.is((await brewAnew()).status, 200)
  await machine.ask('warm')
  await eventually('ready', async () => seen.at(-1) !== undefined && seen.includes('state="ready"'))
  assert.equal(
    seen.filter((report) => report.startsWith('state=')),
    ['state="brewing"', 'state="unknown"', 'state="brewing"', 'state="ready"'],
  )
  assert.is(await made(), 1)
  assert.is(machine.writes.filter(isBrew).length, 1)
})

test('the adapter is pulled out in mid-write and put back: the state is read, and one was made', async () => {
  const { brew, brewAnew, made, mended } = await ready('20s')
  cable.toHost = (packet) => {
    if (!isConfirmation(packet) || !machine.writes.some(isBrew)) return packet
    cable.heal()
    void cable.unplug().then(() => setTimeout(() => cable.plug(), 500))
    return null
  }
  const { status, body } = await brew()
  assert.is(status, 200, JSON.stringify(body))
  await mended()
  assert.is((await brewAnew()).status, 200)
  assert.is(await made(), 1)
})

test.run()
