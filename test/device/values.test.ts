import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { JstpError } from '../../src/core/status.ts'
import { suggest } from '../../src/core/suggest.ts'
import { defineDevice, matchProfile, type Profile } from '../../src/device/index.ts'
import { canonical, check, checkFields } from '../../src/device/values.ts'

function refusal(run: () => unknown): JstpError {
  try {
    run()
  } catch (error) {
    assert.instance(error, JstpError)
    return error as JstpError
  }
  throw new Error('it was accepted')
}

test('§9.6 a number outside its range is refused with 400, range and unit', () => {
  const field = { type: 'number', description: '', range: [20, 180], unit: 'ml' } as const
  assert.is(check({ ...field, range: [20, 180] }, 20, 'x'), 20)
  assert.is(check({ ...field, range: [20, 180] }, 180, 'x'), 180)
  for (const value of [19.9, 180.1, -1]) {
    const error = refusal(() => check({ ...field, range: [20, 180] }, value, 'cafetera/water'))
    assert.is(error.status, 400)
    assert.equal(error.details, { code: 'range', min: 20, max: 180, unit: 'ml', found: value })
    assert.match(error.message, /cafetera\/water: .* number from 20 to 180 ml/)
  }
})

test('what is of another type is refused, whatever it is', () => {
  for (const value of ['1', null, [1], { a: 1 }, true, 1.5, undefined]) {
    assert.is(refusal(() => check({ type: 'integer', description: '' }, value, 'x')).details.code, 'range')
  }
  for (const value of [NaN, Infinity]) refusal(() => check({ type: 'number', description: '' }, value, 'x'))
  refusal(() => check({ type: 'object', description: '' }, [], 'x'))
  refusal(() => check({ type: 'list', description: '' }, {}, 'x'))
  assert.is(check({ type: ['string', 'integer'], description: '' }, 'espresso', 'x'), 'espresso')
  assert.is(check({ type: ['string', 'integer'], description: '' }, 7, 'x'), 7)
})

test('aliases, words and patterns', () => {
  const power = { type: 'boolean', description: '', aliases: { on: true, off: false } } as const
  assert.is(check(power, 'on', 'x'), true)
  assert.is(check(power, 'off', 'x'), false)
  assert.match(refusal(() => check(power, 'toString', 'x')).message, /boolean \(or on, off\)/)
  assert.equal(
    refusal(() => check({ type: 'integer', description: '', values: [15, 30] }, 20, 'x')).details.allowed,
    [15, 30],
  )
  const clock = { type: 'string', description: '', pattern: '\\d\\d:\\d\\d' } as const
  assert.is(check(clock, '07:30', 'x'), '07:30')
  refusal(() => check(clock, '07:30 ', 'x'))
})

test('an unknown field is refused with the one that was meant; a missing one is named', () => {
  const fields = {
    recipe: { type: 'string', description: '', required: true },
    coffee: { type: 'integer', description: '' },
  } as const
  assert.equal(checkFields(fields, { recipe: 'tea', coffee: 3 }, 'x'), { recipe: 'tea', coffee: 3 })
  const error = refusal(() => checkFields(fields, { recipe: 'tea', cofee: 3 }, 'cafetera/brew'))
  assert.match(error.message, 'cafetera/brew: there is no field "cofee"; did you mean "coffee"?')
  assert.equal(error.details.allowed, ['recipe', 'coffee'])
  assert.match(refusal(() => checkFields(fields, undefined, 'x')).message, '"recipe" is missing')
  refusal(() => checkFields(fields, [], 'x'))
  // A body never reaches the prototype.
  refusal(() => checkFields(fields, JSON.parse('{"recipe":"tea","__proto__":1}'), 'x'))
  refusal(() => checkFields(fields, { recipe: 'tea', constructor: 1 }, 'x'))
})

test('no answer carries back more than a glimpse of a huge body', () => {
  const huge = 'x'.repeat(1 << 20)
  for (const body of [{ [huge]: 1 }, { a: huge }]) {
    const error = refusal(() => checkFields({ a: { type: 'integer', description: '' } }, body, 'x'))
    assert.ok(JSON.stringify(error.body).length < 500)
  }
})

test('suggestions', () => {
  assert.is(suggest('expresso', ['tea', 'espresso']), 'espresso')
  assert.is(suggest('Capuccino', ['cappuccino']), 'cappuccino')
  assert.is(suggest('xyzzy', ['tea', 'espresso']), undefined)
  assert.is(suggest('x'.repeat(1 << 20), ['tea']), undefined)
})

test('one text for one value, whatever the order of keys', () => {
  assert.is(
    canonical({ b: [1, { d: null, c: 'x' }], a: 1 }),
    canonical({ a: 1, b: [1, { c: 'x', d: null }] }),
  )
  assert.is.not(canonical([1, 2]), canonical([2, 1]))
  assert.is.not(canonical('1'), canonical(1))
  assert.is.not(canonical({ a: null }), canonical({}))
})

function profile(changes: Partial<Profile>): Profile {
  return {
    name: 'thing',
    title: 'A thing',
    match: [{ medium: 'ble', service: '1234' }],
    link: { medium: 'ble', service: '1234', characteristic: '5678', write: 'with-response' },
    silence: 1000,
    points: { level: { methods: ['GET'], type: 'number', description: 'Level' } },
    actions: {},
    create: () => ({ up() {}, data() {}, down() {}, close() {} }),
    simulate: () => Promise.reject(new Error('none')),
    ...changes,
  }
}

test('a profile that can not be is refused when it is loaded', () => {
  assert.is(defineDevice(profile({})).name, 'thing')
  const point = { methods: ['GET'], type: 'number', description: '' } satisfies Profile['points'][string]
  for (const changes of [
    { name: 'Thing' },
    { match: [{ medium: 'ble' }] },
    { points: { Level: point } },
    { points: { online: point } },
    { points: { stop: point }, actions: { stop: { description: '' } } },
    { points: { level: { ...point, methods: [] } } },
    { points: { level: { ...point, range: [5, 5] } } },
  ] as Partial<Profile>[]) {
    assert.throws(() => defineDevice(profile(changes)))
  }
})

test('§4 the most specific profile wins: address over name over service', () => {
  const service = profile({ name: 'service' })
  const name = profile({ name: 'name', match: [{ medium: 'ble', name: 'ECAM.*' }] })
  const address = profile({ name: 'address', match: [{ medium: 'ble', address: '00:a0:50' }] })
  const all = [service, name, address]
  const seen = { medium: 'ble', services: ['12-34'], name: 'ECAM 5', address: '00A0501234' } as const
  assert.is(matchProfile(all, { ...seen, services: [...seen.services] })?.name, 'address')
  assert.is(matchProfile(all, { medium: 'ble', services: ['1234'], name: 'ECAM 5' })?.name, 'name')
  assert.is(matchProfile(all, { medium: 'ble', services: ['1234'], name: 'my ECAM 5' })?.name, 'service')
  assert.is(matchProfile(all, { medium: 'ble', services: ['ffff'], name: 'x' }), undefined)
  assert.is(matchProfile(all, { medium: 'ble' }), undefined)
})

test.run()
