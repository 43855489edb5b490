// A hostile broker: whatever it sends, the mapper throws nothing, stays within its bounds, and subscribes and publishes only
// where it may.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { JstpError } from '../../../src/core/status.ts'
import { Rig } from './kit.ts'
import { LIVES } from './simulators.ts'

const RUNS = process.env.HORMIGA_LONG ? 20_000 : 1500

/** What parts of known messages are replaced with. */
const STRANGE = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    -1,
    1e308,
    '',
    '#',
    'a/+/b',
    '$SYS/x',
    'secret/topic',
    '__proto__',
    [],
    {},
    { toString: 1 },
    { length: 1e9 },
    [[[[]]]],
    '{{ value_json }}',
    'x'.repeat(300),
  ),
  fc.jsonValue({ maxDepth: 3 }),
)

const COMMAND = Buffer.from('{"id":1,"src":"hormiga-sensores","method":"Shelly.GetStatus"}')

const SENTENCES = LIVES.flatMap(({ family, birth, state, set }) => [
  ...birth,
  state,
  ...(family === 'Sparkplug B' ? [] : set.answer(COMMAND)),
]).map(([topic, said]) => ({ topic, said }))

const EXTRA = [
  {
    topic: 'zigbee2mqtt/bridge/devices',
    said: [
      {
        ieee_address: '0x00158d0001a2b3c4',
        friendly_name: 'x',
        definition: {
          exposes: [
            {
              type: 'light',
              features: [{ type: 'binary', property: 'state', value_on: 'ON', value_off: 'OFF', access: 7 }],
            },
          ],
        },
      },
    ],
  },
  {
    topic: 'homeassistant/light/l/config',
    said: {
      schema: 'json',
      stat_t: 'tele/l',
      cmd_t: 'tele/l/set',
      sup_clrm: ['rgb'],
      effect: true,
      fx_list: ['a'],
    },
  },
  { topic: 'zigbee2mqtt/bridge/response/permit_join', said: { status: 'ok', transaction: '1', data: {} } },
  {
    topic: 'shellyplus1-a8032abe54dc/events/rpc',
    said: {
      src: 'shellyplus1-a8032abe54dc',
      method: 'NotifyEvent',
      params: { events: [{ component: 'input:0', event: 'x' }] },
    },
  },
]

/** The same with one part replaced, however deep. */
function bend(said: unknown, path: number, strange: unknown): unknown {
  if (typeof said !== 'object' || said === null || said instanceof Uint8Array) return strange
  const keys = Object.keys(said)
  if (keys.length === 0 || path === 0) return strange
  const key = keys[path % keys.length] as string
  const copy: Record<string, unknown> = Array.isArray(said) ? ([...said] as never) : { ...said }
  copy[key] = bend(copy[key], Math.floor(path / keys.length), strange)
  return copy
}

test('C9.6 known messages with one part replaced, in any order', () => {
  const one = fc.record({
    which: fc.integer({ min: 0, max: SENTENCES.length + EXTRA.length - 1 }),
    path: fc.nat(5000),
    strange: STRANGE,
    isBent: fc.boolean(),
    retained: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(one, { maxLength: 12 }), (messages) => {
      const rig = new Rig({ limits: { devices: 5, perDevice: 10, properties: 20 } })
      for (const { which, path, strange, isBent, retained } of messages) {
        const { topic, said } = [...SENTENCES, ...EXTRA][which] as (typeof SENTENCES)[0]
        rig.say(topic, isBent ? bend(said, path, strange) : said, { retained })
      }
      const devices = Object.keys(rig.mapper.devices())
      assert.ok(devices.length <= 5)
      for (const device of devices) {
        rig.mapper.device(device)
        for (const property of Object.keys(rig.mapper.describe(device))) {
          for (const body of [true, 1, 'a']) attempt(rig, device, property, body)
        }
      }
      for (const topic of rig.subscribed) assert.not.match(topic, /^(secret|\$SYS)/)
      for (const effect of rig.effects)
        if (effect.do === 'publish') assert.not.match(effect.topic, /^(secret|\$SYS)|[+#]/)
    }),
    { numRuns: RUNS },
  )
})

/** A PUT may be refused, but only as refusals are; what it publishes goes where it may. */
function attempt(rig: Rig, device: string, property: string, body: boolean | number | string): void {
  try {
    const { id, topic } = rig.mapper.put(device, property, body)
    rig.mapper.forget(id)
    assert.not.match(topic, /^(secret|\$SYS)|[+#]/)
  } catch (error) {
    if (!(error instanceof JstpError)) throw error
  }
}

test('C9.6 any bytes on any topic of a family', () => {
  const topics = [...new Set([...SENTENCES, ...EXTRA].map(({ topic }) => topic))]
  fc.assert(
    fc.property(fc.constantFrom(...topics), fc.uint8Array({ maxLength: 60 }), (topic, bytes) => {
      new Rig().say(topic, bytes)
    }),
    { numRuns: RUNS },
  )
})

test.run()
