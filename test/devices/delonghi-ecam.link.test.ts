// What happens to a brew when the link breaks at any of its steps: never two drinks, never a wrong answer.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LinkError } from '../../src/device/index.ts'
import { pass } from '../device/rig.ts'
import { table } from './rig.ts'

for (const [step, drinks, status, code] of [
  ['in-write', 0, 504, 'uncertain'],
  ['confirmation', 1, 200, undefined],
  ['reply', 1, 200, undefined],
  ['brewing', 1, 200, undefined],
] as const) {
  test(`§3 the link breaks at "${step}": the state is read, nothing is sent twice`, async () => {
    const { machine, answer, brews, clock, owner, clear } = await table()
    machine.vanish(step)
    const first = await answer('POST', 'brew', { recipe: 'hot-water' }, { id: 't' })
    assert.is(first.status, status)
    assert.is(first.body.code, code)
    const again = await answer('POST', 'brew', { recipe: 'hot-water' }, { id: 't' })
    assert.equal(again, first, 'a repeat gets the same answer')
    await clock.advance(15_000)
    assert.equal(await answer('POST', 'brew', { recipe: 'hot-water' }, { id: 't' }), first)
    assert.is(brews().length, 1)
    assert.is(machine.drinks.length, drinks)
    assert.ok(owner.reported('state').includes('unknown'))
    assert.is(owner.reported('state').at(-1), 'ready')
    await clear()
  })
}

test('§3 the link is away longer than the deadline: uncertain, and still nothing is sent twice', async () => {
  for (const step of ['in-write', 'confirmation', 'reply'] as const) {
    const { machine, answer, brews, clock, clear } = await table({ answerTimeout: 2000 })
    machine.vanish(step)
    const { status, body } = await answer('POST', 'brew', { recipe: 'espresso' }, { id: 't' })
    assert.is(status, 504)
    assert.is(body.code, 'uncertain', step)
    assert.is((await answer('POST', 'brew', { recipe: 'espresso' }, { id: 'other' })).body.code, 'offline')
    await clock.advance(20_000)
    assert.is(brews().length, 1)
    await clear()
  }
})

test('after an uncertain brew, stop names the drink that may run', async () => {
  const { machine, answer, stops, clock, clear } = await table({ answerTimeout: 2000 })
  machine.vanish('confirmation')
  assert.is((await answer('POST', 'brew', { recipe: 'hot-water' })).body.code, 'uncertain')
  while ((await answer('GET', 'state')).body.value !== 'brewing') await clock.advance(100)
  assert.is((await answer('POST', 'stop')).status, 200)
  assert.equal(stops(), ['0d0883f0100206e9b2'])
  await clear()
})

test('what waited in line when the link broke is not sent when it is back', async () => {
  const { machine, ask, written, clock, clear } = await table()
  machine.mute()
  const asked = [ask('GET', 'statistics'), ask('PATCH', 'settings', { hardness: 1 })]
  await clock.advance(20)
  machine.vanish('now', 100)
  const [statistics, settings] = await pass(clock, Promise.all(asked))
  assert.is(statistics?.status, 504)
  assert.is(settings?.body.code, 'offline')
  machine.mute(false)
  await clock.advance(5000)
  assert.not(written.some(({ payload }) => payload[0] === 0x90))
  await clear()
})

test('offline before the write: 500 at once, and nothing is sent when the link is back', async () => {
  const { machine, answer, brews, clock, clear } = await table()
  machine.vanish()
  const from = clock.now()
  const { status, body } = await answer('POST', 'brew', { recipe: 'espresso' }, { id: 't' })
  assert.is(status, 500)
  assert.is(body.code, 'offline')
  assert.ok(clock.now() - from <= 10)
  assert.is((await answer('POST', 'stop')).body.code, 'offline')
  await clock.advance(20_000)
  assert.equal(brews(), [])
  assert.is(
    (await answer('POST', 'brew', { recipe: 'espresso' }, { id: 't' })).status,
    200,
    'the refusal is not kept',
  )
  await clear()
})

test('the machine vanishes while the brew waits for its state: not executed', async () => {
  const { machine, ask, brews, clock, clear } = await table()
  const brewing = ask('POST', 'brew', { recipe: 'espresso' })
  await clock.advance(1)
  machine.vanish('now', 60_000)
  const { status } = await pass(clock, brewing)
  assert.is(status, 500)
  await clock.advance(70_000)
  assert.equal(brews(), [])
  await clear()
})

test('a write without confirmation, link still up: the state decides', async () => {
  for (const executed of [true, false]) {
    const { machine, answer, clock, clear } = await table({
      wrap: (link) => ({
        ...link,
        async write(bytes) {
          const brew = bytes[2] === 0x83
          if (!brew || executed) await link.write(bytes)
          if (brew) throw new LinkError('timeout', 'no confirmation')
        },
      }),
    })
    const { status, body } = await answer('POST', 'brew', { recipe: 'espresso' })
    assert.is(status, executed ? 200 : 504)
    assert.is(body.code, executed ? undefined : 'uncertain')
    assert.is(machine.drinks.length, executed ? 1 : 0)
    await clock.advance(10_000)
    await clear()
  }
})

test('a write that the machine refuses is 400, and may be tried again', async () => {
  let refuse = true
  const { machine, answer, clear } = await table({
    wrap: (link) => ({
      ...link,
      write: (bytes) =>
        bytes[2] === 0x83 && refuse ? Promise.reject(new LinkError('refused', 'no')) : link.write(bytes),
    }),
  })
  const { status, body } = await answer('POST', 'brew', { recipe: 'espresso' }, { id: 't' })
  assert.is(status, 400)
  assert.is(body.code, 'device')
  refuse = false
  assert.is((await answer('POST', 'brew', { recipe: 'espresso' }, { id: 't' })).status, 200)
  assert.is(machine.drinks.length, 1)
  await clear()
})

test('written and confirmed, but the machine does not brew: unconfirmed', async () => {
  const { machine, answer, brews, clear } = await table({
    wrap: (link) => ({
      ...link,
      write: (bytes) => (bytes[2] === 0x83 ? Promise.resolve() : link.write(bytes)),
    }),
  })
  const { status, body } = await answer('POST', 'brew', { recipe: 'espresso' }, { id: 't' })
  assert.is(status, 504)
  assert.is(body.code, 'unconfirmed')
  assert.is(machine.drinks.length, 0)
  assert.equal(brews(), [])
  await clear()
})

test.run()
