// The machine besides its drinks: polls, power, recipes in the background, profiles, settings, statistics, noise.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pass } from '../device/rig.ts'
import { type Table, table } from './rig.ts'

const MONITOR = '0d05750f'

function polls({ written }: Table, from: number): number[] {
  return written.filter(({ at, frame }) => at >= from && frame.startsWith(MONITOR)).map(({ at }) => at)
}

test('§3.9 it is polled slowly while nothing happens, fast while somebody watches, has asked, or it works', async () => {
  const rig = await table()
  const { clock, owner, answer, clear } = rig
  const count = async (ms: number) => {
    const from = clock.now()
    await clock.advance(ms)
    return polls(rig, from).length
  }
  assert.is(await count(20_000), 4)
  owner.bound.add('state')
  await count(5000)
  const watched = await count(10_000)
  assert.ok(watched >= 30 && watched <= 40, `${watched} polls in 10 s`)
  owner.bound.clear()
  await count(1000)
  assert.is(await count(20_000), 4)
  await answer('POST', 'brew', { recipe: 'espresso' })
  assert.ok((await count(5000)) >= 15)
  await count(12_000)
  assert.ok((await count(20_000)) <= 4)
  owner.bound.add('state')
  await count(5000)
  const still = await count(10_000)
  assert.ok(still >= 30 && still <= 40, `${still} polls in 10 s: there is one loop`)
  await clear()
})

test('the slow pace is an option', async () => {
  const rig = await table({ options: { poll: 20_000 } })
  const from = rig.clock.now()
  await rig.clock.advance(60_000)
  assert.is(polls(rig, from).length, 3)
  await rig.clear()
})

test('polls never overlap, even when the machine does not reply; then it counts as silent', async () => {
  const rig = await table()
  const { clock, machine, device, owner, answer, clear } = rig
  machine.mute()
  owner.bound.add('state')
  const from = clock.now()
  await clock.advance(14_000)
  const times = polls(rig, from)
  for (const [at, time] of times.entries()) assert.ok(at === 0 || time - (times[at - 1] ?? 0) >= 1000)
  await clock.advance(6000)
  assert.is(device.status().state, 'silent')
  assert.ok((device.status().counters.missing ?? 0) > 5)
  assert.is(owner.reported('state').at(-1), 'unknown')
  assert.is((await answer('POST', 'brew', { recipe: 'espresso' })).body.code, 'offline')
  const stop = await answer('POST', 'stop')
  assert.is(stop.status, 504, 'stop is tried even so')
  assert.is(machine.stops, 1)
  machine.mute(false)
  await clock.advance(3000)
  assert.is(device.status().state, 'up')
  assert.is(owner.reported('state').at(-1), 'ready')
  await clear()
})

test('frames with a wrong CRC are counted and skipped', async () => {
  const { machine, device, clock, owner, clear } = await table()
  owner.bound.add('state')
  await clock.advance(6000)
  for (let time = 0; time < 5; time++) {
    machine.corrupt()
    await clock.advance(3000)
  }
  const { counters, state } = device.status()
  assert.is(counters.broken, 5)
  assert.is(counters.missing, 5)
  assert.is(state, 'up')
  assert.equal(owner.reported('state'), ['ready'])
  await clear()
})

test('§3.6 switching on: answered when the state leaves off, then the start-up as captured, then ready', async () => {
  const { machine, owner, answer, clock, written, clear } = await table({ ready: false })
  await clock.advance(10_000)
  assert.is((await answer('GET', 'power')).body.value, false)
  assert.is((await answer('PUT', 'power', 'on')).status, 200)
  assert.is(written.filter(({ frame }) => frame === '0d07840f02015512').length, 1)
  await clock.advance(15_000)
  assert.equal(owner.reported('state'), ['off', 'starting', 'ready'])
  assert.equal(owner.reported('step'), [3, 1, 5, 7, 0])
  assert.equal(owner.reported('power'), [false, true])
  assert.ok(machine.temperature > 90)
  assert.is(machine.levels.dripTray, 50, 'it has rinsed')
  const sent = written.length
  assert.is((await answer('PUT', 'power', true)).status, 200, 'it is on')
  assert.not(written.slice(sent).some(({ frame }) => frame.startsWith('0d07840f')))
  assert.is((await answer('PUT', 'power', 'off')).status, 200)
  assert.is(written.filter(({ frame }) => frame === '0d07840f01010041').length, 1)
  await clock.advance(3000)
  assert.equal(owner.reported('state').slice(-2), ['stopping', 'off'])
  for (const body of [1, 'aus', null]) assert.is((await answer('PUT', 'power', body)).body.code, 'range')
  await clear()
})

test('§9.6 a machine that does not switch on: unconfirmed; one that is gone meanwhile: uncertain', async () => {
  for (const [frame, code] of [
    [undefined, 'unconfirmed'],
    ['gone', 'uncertain'],
  ] as const) {
    const { machine, answer, clock, clear } = await table({
      ready: false,
      wrap: (link) => ({
        ...link,
        async write(bytes) {
          if (bytes[2] !== 0x84) return link.write(bytes)
          if (frame) clock.after(0, () => machine.vanish('now', 60_000))
        },
      }),
    })
    await clock.advance(10_000)
    const { status, body } = await answer('PUT', 'power', true)
    assert.is(status, 504)
    assert.is(body.code, code)
    await clear()
  }
})

test('a link that comes back: the state is read at once, recipes stay known', async () => {
  const rig = await table()
  const { machine, clock, owner, answer, clear } = rig
  machine.vanish()
  assert.is(owner.reported('state').at(-1), 'unknown')
  const root = await answer('GET', '')
  assert.is(root.body.online, false)
  assert.is(root.body.state, 'unknown')
  const from = clock.now()
  await clock.advance(3100)
  assert.is(polls(rig, from).length, 1)
  assert.is(owner.reported('state').at(-1), 'ready')
  assert.is((await answer('POST', 'brew', { recipe: 'espresso' })).status, 200)
  assert.ok(clock.now() - from < 4000)
  await clear()
})

test('§3.8 recipes are read in the background; what did not come is asked for again, three times', async () => {
  let swallowed = 0
  const { clock, written, answer, clear } = await table({
    ready: false,
    wrap: (link) => ({
      ...link,
      write(bytes) {
        // B0 of the espresso is never answered, A6 of the cappuccino the first time.
        if (bytes[2] === 0xb0 && bytes[4] === 1) return Promise.resolve()
        if (bytes[2] === 0xa6 && bytes[5] === 7 && swallowed++ === 0) return Promise.resolve()
        return link.write(bytes)
      },
    }),
  })
  await clock.advance(100)
  assert.is((await answer('GET', 'recipes')).status, 200, 'it waits for them')
  await clock.advance(20_000)
  const { body } = await answer('GET', 'recipes')
  const names = Object.keys(body.value as object)
  assert.not(names.includes('espresso'))
  assert.ok(names.includes('cappuccino'))
  assert.is(names.length, 12)
  const asked = written.filter(({ payload }) => payload[0] === 0xb0)
  assert.is(asked.filter(({ payload }) => payload[2] === 2).length, 1)
  const refused = await answer('POST', 'brew', { recipe: 'espresso' })
  assert.is(refused.status, 500, 'its limits are not known, so nothing is sent')
  assert.is(refused.body.code, 'not-executed')
  await clear()
})

test('profiles: names, choice, other recipes; a profile that the machine does not take', async () => {
  const { clock, written, owner, answer, clear } = await table()
  const { body } = await answer('GET', 'profiles')
  assert.equal(
    (body.value as { name: string }[]).map(({ name }) => name),
    ['Matt', 'Mia', 'PROFILE 3'],
  )
  assert.is((await answer('PUT', 'profile', 2)).status, 200)
  await clock.advance(10_000)
  assert.ok(written.some(({ payload }) => payload[0] === 0xa6 && payload[2] === 2))
  assert.equal(owner.reported('profile'), [2])
  const guest = await answer('PUT', 'profile', 4)
  assert.is(guest.status, 400)
  assert.is(guest.body.code, 'device')
  assert.is((await answer('PUT', 'profile', 5)).body.code, 'range')
  assert.equal(owner.reported('profile'), [2])
  await clear()
})

test('§3.9 statistics: once a minute, 0.3 s between requests, counters that rise', async () => {
  const { clock, written, ask, answer, clear } = await table()
  const requests = () => written.filter(({ payload }) => payload[0] === 0xa2)
  const both = await pass(clock, Promise.all([ask('GET', 'statistics'), ask('GET', 'statistics')]))
  const before = both[0]?.body.value as Record<string, number>
  assert.is(before.blackCoffees, 417)
  assert.is(before.litres, 92)
  const times = requests().map(({ at }) => at)
  assert.is(times.length, 4)
  for (const [at, time] of times.entries()) assert.ok(at === 0 || time - (times[at - 1] ?? 0) >= 300)
  await answer('POST', 'brew', { recipe: 'espresso' })
  await clock.advance(20_000)
  await answer('GET', 'statistics')
  assert.is(requests().length, 4)
  await clock.advance(40_000)
  const after = (await answer('GET', 'statistics')).body.value as Record<string, number>
  assert.is(after.blackCoffees, 418)
  assert.is(requests().length, 8)
  await clear()
})

test('§3.8 settings: read, changed, read back; what shares a byte keeps its value; the clock can not be confirmed', async () => {
  const { machine, answer, written, clear } = await table()
  const start = { hardness: 2, temperature: 1, autoOff: 30, sounds: true, cupLight: true, energySaving: true }
  assert.equal((await answer('GET', 'settings')).body.value, start)
  assert.equal((await answer('PATCH', 'settings', { sounds: false, autoOff: 180 })).body, { confirmed: true })
  const frames = written.filter(({ payload }) => payload[0] === 0x90).map(({ frame }) => frame)
  assert.equal(frames, ['0d0b900f003e00000004c167', '0d0b900f003f000000993922'])
  assert.equal((await answer('GET', 'settings')).body.value, { ...start, sounds: false, autoOff: 180 })
  machine.parameters.set(0x3f, 0)
  await answer('PATCH', 'settings', { cupLight: true })
  assert.is(machine.parameters.get(0x3f), 0b1000_1001, 'with the bits that are always set')
  assert.equal((await answer('PATCH', 'settings', { clock: '07:30' })).body, { confirmed: false })
  assert.equal(machine.time, [7, 30])
  assert.is(written.at(-1)?.frame, '0d07e2f0071ef811')
  const wrong: Record<string, number | string>[] = [
    { autoOff: 45 },
    { clock: '24:00' },
    { hardnes: 1 },
    { hardness: 4 },
  ]
  for (const body of wrong) {
    assert.is((await answer('PATCH', 'settings', body)).body.code, 'range', JSON.stringify(body))
  }
  await clear()
})

test('settings of a machine that tells none: nothing is guessed', async () => {
  const { answer, clock, clear } = await table({
    wrap: (link) => ({
      ...link,
      write: (bytes) => (bytes[2] === 0x95 ? Promise.resolve() : link.write(bytes)),
    }),
  })
  const read = await answer('GET', 'settings')
  assert.is(read.status, 504)
  assert.is(read.body.code, 'timeout')
  const bit = await answer('PATCH', 'settings', { sounds: true })
  assert.is(bit.status, 500, 'the other bits of the byte are not known')
  assert.is(bit.body.code, 'not-executed')
  assert.equal((await answer('PATCH', 'settings', { hardness: 1 })).body, { confirmed: false })
  await clock.advance(5000)
  await clear()
})

test('a long time with everything going on: nothing grows, nothing is left', async () => {
  const { machine, clock, owner, answer, device, clear } = await table()
  owner.bound.add('state')
  for (let round = 0; round < 20; round++) {
    machine.fill()
    await answer('POST', 'brew', { recipe: 'espresso' }, { id: `${round}` })
    if (round % 3 === 0) await answer('POST', 'stop', undefined, { id: `s${round}` })
    if (round % 4 === 0) machine.vanish()
    await clock.advance(15_000)
    assert.ok(clock.pending < 10, `${clock.pending} timers`)
  }
  assert.is(machine.drinks.length, 20)
  assert.is(device.status().state, 'up')
  await clear()
})

test.run()
