// Brewing and stopping a whole machine: what it takes, what is refused and why, and that no drink is ever made twice.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import { pass } from '../device/rig.ts'
import { table } from './rig.ts'

const ESPRESSO = '0d0d83f00101010028020302c59f'
const CAPPUCCINO = '0d1083f007010100410900be0203028f4a'

test('§9.8 an espresso: taken, then state, progress and step until it is ready', async () => {
  const { owner, machine, answer, brews, clock, clear } = await table()
  owner.reports.length = 0
  const { status, body } = await answer('POST', 'brew', { recipe: 'espresso' }, { id: 't' })
  assert.is(status, 200)
  assert.equal(body, { recipe: 'espresso', coffee: 40, strength: 3 })
  assert.equal(brews(), [ESPRESSO])
  await clock.advance(10_000)
  assert.equal(owner.reported('state'), ['brewing', 'ready'])
  const progress = owner.reported('progress') as number[]
  assert.ok(progress.length > 15)
  assert.equal(
    progress.slice(0, -1),
    [...progress.slice(0, -1)].sort((a, b) => a - b),
  )
  assert.equal(progress.slice(-2), [100, 0])
  assert.equal(owner.reported('step').slice(-2), [14, 0])
  assert.is(machine.drinks.length, 1)
  assert.is(machine.levels.grounds, 1)
  await clear()
})

test('§9.8 amounts and scales are the machine’s own: a cappuccino, by number, by app, with everything', async () => {
  const { machine, answer, brews, clock, clear } = await table()
  machine.set({ accessory: 2 })
  assert.is((await answer('POST', 'brew', { recipe: 7, coffee: 65, milk: 190, strength: 3 })).status, 200)
  assert.equal(brews(), [CAPPUCCINO])
  await clock.advance(10_000)
  assert.equal((await answer('GET', 'alarms')).body.value, ['clean-knob'])
  assert.is((await answer('GET', 'state')).body.value, 'ready', 'a reminder is no alarm')
  assert.is((await answer('POST', 'brew', { recipe: 'espresso', coffee: 20 })).status, 200)
  assert.is(machine.drinks.length, 2)
  assert.equal(
    [...(machine.drinks[1]?.amounts ?? [])],
    [
      [1, 20],
      [2, 3],
    ],
  )
  await clear()
})

test('what the machine can not make as asked is refused with its own limits; nothing is sent', async () => {
  const { machine, answer, brews, clear } = await table()
  const cases: [body: Json, message: RegExp, details: Record<string, Json>][] = [
    [
      { recipe: 'espresso', coffee: 181 },
      /espresso: coffee 181 can't be: 20 to 180 ml/,
      { recipe: 'espresso', field: 'coffee', min: 20, max: 180, unit: 'ml', found: 181 },
    ],
    [{ recipe: 'espresso', coffee: 19 }, /20 to 180 ml/, { min: 20 }],
    [{ recipe: 'espresso', coffee: 40.5 }, /coffee/, { found: 40.5 }],
    [{ recipe: 'espresso', coffee: '40' }, /coffee/, { found: '40' }],
    [{ recipe: 'espresso', strength: 6 }, /from 0 to 5/, { max: 5 }],
    [{ recipe: 'doppio', strength: 1 }, /doppio has no strength/, { field: 'strength', allowed: ['coffee'] }],
    [{ recipe: 'espresso', milk: 60 }, /espresso has no milk/, { field: 'milk' }],
    [{ recipe: 'espresso', temperature: 1 }, /espresso has no temperature/, { field: 'temperature' }],
    [{ recipe: 'hot-water', water: 421 }, /20 to 420 ml/, { max: 420 }],
    [{ recipe: 'expresso' }, /did you mean "espresso"/, { field: 'recipe' }],
    [{ recipe: 99 }, /no recipe 99/, { found: 99 }],
    [
      { recipe: 'americano' },
      /can't make americano; it can make espresso, regular-coffee/,
      { field: 'recipe' },
    ],
    [{ recipe: 'espresso', cofee: 40 }, /did you mean "coffee"/, {}],
    [{}, /"recipe" is missing/, {}],
    ['espresso', /must be an object/, {}],
  ]
  for (const [body, message, details] of cases) {
    const { status, body: said } = await answer('POST', 'brew', body)
    assert.is(status, 400, JSON.stringify(body))
    assert.is(said.code, 'range')
    assert.match(String(said.message), message)
    for (const [name, value] of Object.entries(details)) assert.equal(said[name], value, `${message} ${name}`)
  }
  assert.equal(brews(), [])
  assert.is(machine.drinks.length, 0)
  await clear()
})

test('blocking alarms and switches are refused by name with what to do; reminders are not', async () => {
  const { machine, answer, brews, clock, clear } = await table()
  const cases: [name: string, remedy: string][] = [
    ['water-tank-absent', 'put the water tank back'],
    ['grounds-container-out', 'put the grounds container back'],
    ['door-open', 'close the door'],
    ['grounds-container-full', 'empty the grounds container'],
    ['beans-empty', 'fill in beans'],
    ['empty-drip-tray', 'empty the drip tray'],
    ['bean-hopper-absent', 'put the bean hopper on'],
    ['heater-probe-failure', 'call the service'],
    ['alarm-31', 'look at the display'],
  ]
  for (const [name, remedy] of cases) {
    machine.raise(name)
    const { status, body } = await answer('POST', 'brew', { recipe: 'espresso' })
    assert.is(status, 400, name)
    assert.is(body.code, 'alarm')
    assert.equal(body.alarms, [name])
    assert.ok(String(body.message).includes(remedy), String(body.message))
    machine.clear(name)
  }
  machine.set({ water: 0, dripTray: 500 })
  const { body } = await answer('POST', 'brew', { recipe: 'espresso' })
  assert.equal(body.alarms, ['empty-water-tank', 'empty-drip-tray'], 'each of them')
  assert.equal(brews(), [])
  machine.fill()
  for (const name of ['descale', 'replace-water-filter', 'service', 'clean-knob']) machine.raise(name)
  await clock.advance(6000)
  assert.is((await answer('GET', 'state')).body.value, 'ready')
  assert.is((await answer('POST', 'brew', { recipe: 'espresso' })).status, 200)
  await clear()
})

test('the wrong accessory is refused, saying which one it needs', async () => {
  const { machine, answer, brews, clear } = await table()
  for (const [accessory, recipe, needed] of [
    [0, 'hot-water', 'water-spout'],
    [2, 'hot-water', 'water-spout'],
    [1, 'cappuccino', 'milk-jug'],
    [4, 'cappuccino', 'milk-jug'],
  ] as const) {
    machine.set({ accessory })
    const { status, body } = await answer('POST', 'brew', { recipe })
    assert.is(status, 400)
    assert.is(body.code, 'alarm')
    assert.is(body.needed, needed)
  }
  assert.equal(brews(), [])
  machine.set({ accessory: 0 })
  assert.is((await answer('POST', 'brew', { recipe: 'espresso' })).status, 200)
  await clear()
})

test('not ready: off, starting, brewing, cleaning, descaling, stopping', async () => {
  const { machine, answer, ask, brews, clock, clear } = await table({ ready: false })
  const refused = async (state: string) => {
    const { status, body } = await answer('POST', 'brew', { recipe: 'espresso' })
    assert.is(status, 400, state)
    assert.is(body.code, 'busy', state)
    assert.is(body.state, state)
  }
  await clock.advance(10_000)
  await refused('off')
  machine.press()
  await clock.advance(1000)
  await refused('starting')
  await clock.advance(15_000)
  machine.rinse()
  await clock.advance(300)
  await refused('cleaning')
  await clock.advance(5000)
  machine.descale()
  await clock.advance(300)
  await refused('descaling')
  await clock.advance(10_000)
  assert.equal(brews(), [])
  assert.is((await answer('POST', 'brew', { recipe: 'espresso' }, { id: 'a' })).status, 200)
  await refused('brewing')
  await clock.advance(1000)
  await refused('brewing')
  const both = [ask('POST', 'brew', { recipe: 'espresso' }), ask('PUT', 'power', false)]
  for (const { body } of await pass(clock, Promise.all(both))) assert.is(body.code, 'busy')
  await clock.advance(10_000)
  machine.press()
  await clock.advance(300)
  await refused('stopping')
  assert.is(machine.drinks.length, 1)
  await clear()
})

test('two commands at once: one is executed, the other told to wait', async () => {
  const { machine, ask, clock, clear } = await table()
  const asked = ['espresso', 'doppio'].map((recipe, at) => ask('POST', 'brew', { recipe }, { id: `${at}` }))
  const answers = await pass(clock, Promise.all(asked))
  assert.equal(
    answers.map(({ status }) => status),
    [200, 400],
  )
  assert.is(answers[1]?.body.code, 'busy')
  assert.is(machine.drinks.length, 1)
  await clear()
})

test('stop in mid-brew, at once and past everything that waits', async () => {
  const { machine, owner, answer, ask, stops, clock, written, clear } = await table()
  await answer('POST', 'brew', { recipe: 'double-espresso' })
  await clock.advance(2000)
  const statistics = ask('GET', 'statistics')
  await clock.advance(1)
  const from = clock.now()
  const stopping = ask('POST', 'stop')
  assert.is(written.at(-1)?.frame, '0d0883f00402067611')
  assert.is(written.at(-1)?.at, from)
  assert.is((await pass(clock, stopping)).status, 200)
  assert.ok(clock.now() - from < 1000)
  await clock.advance(2000)
  assert.is(owner.reported('state').at(-1), 'ready')
  assert.ok(Number(owner.reported('progress').at(-2)) <= 100)
  assert.equal(stops().length, 1)
  assert.ok(machine.levels.water > 1800 - 50 - 80, 'not all of it was poured')
  await pass(clock, statistics)
  await clear()
})

test('stop right after the brew, and stop when nothing runs', async () => {
  const { machine, owner, answer, stops, clock, clear } = await table()
  await answer('POST', 'brew', { recipe: 'espresso' })
  assert.is((await answer('POST', 'stop')).status, 200)
  await clock.advance(3000)
  assert.is(owner.reported('state').at(-1), 'ready')
  assert.is(machine.drinks.length, 1)
  for (let time = 0; time < 3; time++)
    assert.is((await answer('POST', 'stop', undefined, { id: 's' })).status, 200)
  assert.is(stops().length, 4, 'it is executed however often')
  assert.is(machine.stops, 4)
  await clear()
})

test('a brew that was not sent yet is not sent after a stop', async () => {
  const { machine, ask, clock, brews, stops, clear } = await table()
  const brewing = ask('POST', 'brew', { recipe: 'espresso' })
  await clock.advance(1) // it still asks for the state
  assert.equal(brews(), [])
  const stopping = ask('POST', 'stop')
  const answers = await pass(clock, Promise.all([brewing, stopping]))
  assert.is(answers[0]?.status, 500)
  assert.is(answers[0]?.body.code, 'not-executed')
  assert.is(answers[1]?.status, 200)
  assert.equal(brews(), [])
  assert.is(stops().length, 1)
  assert.is(machine.drinks.length, 0)
  await clear()
})

test('a stop that the machine does not follow is not said to be one', async () => {
  const { machine, answer, clock, clear } = await table()
  machine.set({ accessory: 1 })
  await answer('POST', 'brew', { recipe: 'hot-water' })
  await clock.advance(500)
  machine.mute()
  const { status, body } = await answer('POST', 'stop')
  assert.is(status, 504)
  assert.is(body.code, 'unconfirmed')
  await clear()
})

test('water runs empty in mid-brew: it stops, asks for water, and brews again when it is filled', async () => {
  const { machine, owner, answer, clock, brews, clear } = await table()
  machine.set({ water: 25 })
  assert.is((await answer('POST', 'brew', { recipe: 'espresso' })).status, 200)
  await clock.advance(10_000)
  assert.equal(owner.reported('state').slice(-2), ['brewing', 'alarm'])
  assert.ok((owner.reported('alarms').at(-1) as string[]).includes('empty-water-tank'))
  assert.ok((owner.reported('switches').at(-1) as string[]).includes('water-level-low'))
  assert.is((await answer('POST', 'brew', { recipe: 'espresso' })).body.code, 'alarm')
  machine.fill()
  await clock.advance(6000)
  assert.is((await answer('POST', 'brew', { recipe: 'espresso' })).status, 200)
  assert.is(brews().length, 2)
  await clear()
})

test('§9.7 repeats while it is open, after it is answered, from another channel, for five minutes', async () => {
  const { machine, ask, answer, clock, clear } = await table()
  const repeats = ['a', 'b', 'a'].map((channel) =>
    ask('POST', 'brew', { recipe: 'espresso' }, { id: 't', channel }),
  )
  const answers = await pass(clock, Promise.all(repeats))
  for (const { status } of answers) assert.is(status, 200)
  await clock.advance(200_000)
  await answer('POST', 'brew', { recipe: 'espresso' }, { id: 't' })
  assert.is(machine.drinks.length, 1)
  const signed = { id: 'u', author: 'ana' }
  await answer('POST', 'brew', { recipe: 'espresso' }, signed)
  const other = await answer('POST', 'brew', { recipe: 'doppio' }, signed)
  assert.is(other.status, 400)
  assert.is(other.body.code, 'repeated')
  assert.is(machine.drinks.length, 2)
  await clock.advance(300_000)
  await answer('POST', 'brew', { recipe: 'espresso' }, { id: 't' })
  assert.is(machine.drinks.length, 3)
  await clear()
})

test('before its recipes are known, a brew reads the one that it needs', async () => {
  const { machine, answer, clock, brews, clear } = await table({ ready: false })
  machine.warm()
  await clock.advance(100)
  const { status } = await answer('POST', 'brew', { recipe: 'cortado', strength: 5 })
  assert.is(status, 200)
  assert.is(brews().length, 1)
  assert.ok(clock.now() < 1500, 'ahead of all other recipes')
  await clear()
})

test.run()
