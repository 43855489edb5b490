// What a thing declares besides its profile: by its configuration, or by what it says itself.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Context, defineDevice, type Shape, startDevice } from '../../src/device/index.ts'
import { FakeOwner, HandLink, SILENT, TestClock } from './rig.ts'

function bench(first: Partial<Shape> = {}) {
  const clock = new TestClock()
  const owner = new FakeOwner('board')
  const link = new HandLink()
  let context: Context | undefined
  const written: unknown[] = []
  const profile = defineDevice({
    name: 'board',
    title: 'A board',
    match: [],
    link: { medium: 'serial', speed: 9600 },
    silence: 5000,
    points: { state: { methods: ['GET'], type: 'string', description: 'State' } },
    actions: { stop: { description: 'Stops', urgent: true, stop: 'queued' } },
    create(given) {
      context = given
      given.declare(first)
      const write = async (value: unknown) => void written.push(value)
      return { up() {}, data() {}, down() {}, close() {}, write: { 'pin/3': write, led: write } }
    },
    simulate: () => Promise.reject(new Error('none')),
  })
  const device = startDevice({ name: 'board', profile, link, owner, clock, log: SILENT, answerTimeout: 1000 })
  link.up()
  return { owner, device, written, context: context as Context }
}

const pin = (range: [number, number]): Shape['points'] => ({
  'pin/3': { methods: ['GET', 'PUT'], type: 'integer', range, description: 'Pin' },
})

test('points of the configuration are there from the start, others when they are declared', async () => {
  const { owner, device, context, written } = bench({
    points: { led: { methods: ['PUT'], type: 'boolean', description: 'Led' } },
  })
  assert.equal(Object.keys(device.shape().points), ['state', 'led'])
  assert.is((await owner.ask('PUT', 'led', true)).status, 200)
  assert.is((await owner.ask('PUT', 'pin/3', 1)).status, 404)
  context.declare({ points: pin([0, 9]) })
  assert.is((await owner.ask('PUT', 'pin/3', 5)).status, 200)
  assert.equal(written, [true, 5])
  context.set('pin/3', 5)
  assert.equal(owner.reported('pin/3'), [5])
  assert.is((await owner.ask('GET', '')).body['pin/3' as never], 5)
})

test('what is declared takes the place of what was: other ranges, and 404 for what is no more', async () => {
  const { owner, context } = bench({ points: pin([0, 9]) })
  assert.is((await owner.ask('PUT', 'pin/3', 20)).status, 400)
  context.declare({ points: pin([0, 99]) })
  assert.is((await owner.ask('PUT', 'pin/3', 20)).status, 200)
  context.declare({})
  assert.is((await owner.ask('PUT', 'pin/3', 20)).status, 404)
  assert.is((await owner.ask('GET', 'pin/3')).status, 404)
  assert.throws(() => context.set('pin/3', 1), /no point/)
})

test('an action may be otherwise than its profile says, but not be new', () => {
  const { device, context } = bench()
  const { stop } = device.shape().actions
  assert.is(stop?.stop, 'queued')
  context.declare({ actions: { stop: { description: 'Stops', urgent: true, stop: 'immediate' } } })
  assert.is(device.shape().actions.stop?.stop, 'immediate')
  assert.throws(() => context.declare({ actions: { fly: { description: 'Flies' } } }), /no action "fly"/)
})

test('names that can not be are told', () => {
  const point: Shape['points'][string] = { methods: ['GET'], type: 'string', description: 'Point' }
  const declare = (...names: string[]) =>
    bench({ points: Object.fromEntries(names.map((name) => [name, point])) })
  assert.throws(() => declare('state'), /point of the profile already/)
  assert.throws(() => declare('stop'), /a point and an action/)
  assert.throws(() => declare('Led'), /lower-case/)
  assert.throws(() => declare('pin/'), /lower-case/)
  assert.throws(() => declare('online'), /word of the kit/)
  assert.throws(() => declare(...Array.from({ length: 1001 }, (_, at) => `pin/${at}`)), /at most 1000/)
})

test.run()
