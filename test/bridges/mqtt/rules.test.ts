// The rules of the fact sheet's C9 and of design §9.25: trust, retained values, echoes, availability, and limits against a
// hostile broker.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { HA_GARDEN, Rig, refusal } from './kit.ts'

const SWITCH = { name: 'garden', stat_t: 'tele/garden/s', cmd_t: 'tele/garden/set' }
const IEEE = '0x00158d0001a2b3c4'

function garden(more: object = {}, settings = {}): Rig {
  const rig = new Rig(settings)
  rig.keep('homeassistant/switch/garden/config', { ...SWITCH, ...more })
  return rig
}

function zigbee(rig: Rig, names: string[]): void {
  const exposes = [{ type: 'numeric', property: 'temperature', unit: '°C', access: 1 }]
  const devices = names.map((friendly_name) => ({
    ieee_address: IEEE,
    friendly_name,
    definition: { exposes },
  }))
  rig.keep('zigbee2mqtt/bridge/devices', devices)
}

test('C9.1 of two sources of one device the more trusted counts, in whatever order they come; without it the other', () => {
  const config = {
    stat_t: 'zigbee2mqtt/sensor',
    val_tpl: '{{ value_json.temperature }}',
    dev: { ids: [`zigbee2mqtt_${IEEE}`], name: 'HA' },
  }
  for (const isFirst of [true, false]) {
    const rig = new Rig()
    if (isFirst) rig.keep(`homeassistant/sensor/${IEEE}/t/config`, config)
    zigbee(rig, ['sensor'])
    if (!isFirst) rig.keep(`homeassistant/sensor/${IEEE}/t/config`, config)
    assert.is(rig.mapper.about(IEEE).source, 'zigbee2mqtt')
    assert.equal(Object.keys(rig.mapper.describe(IEEE)), ['temperature'])
    zigbee(rig, [])
    assert.is(rig.mapper.about(IEEE).source, 'homeassistant')
    assert.equal(Object.keys(rig.mapper.describe(IEEE)), ['t'])
  }
})

test('C9.1 what the owner says holds over all discovery', () => {
  const rig = garden(
    {},
    {
      devices: { garden: { properties: { wet: { topic: 'soil/wet', type: 'boolean', on: '1', off: '0' } } } },
    },
  )
  assert.is(rig.mapper.about('garden').source, 'configuration')
  assert.ok(rig.hears('soil/wet'))
  rig.say('soil/wet', '1')
  assert.is(rig.value('garden', 'wet'), true)
  assert.equal(rig.reasons(), ['shadowed'])
})

test('C9.2 a rename keeps the resource and its value, and listens to the new topic only', () => {
  const rig = new Rig()
  zigbee(rig, ['old'])
  rig.say('zigbee2mqtt/old', { temperature: 20 })
  zigbee(rig, ['new'])
  assert.is(rig.value(IEEE, 'temperature'), 20)
  assert.is(rig.mapper.about(IEEE).name, 'new')
  assert.equal([rig.hears('zigbee2mqtt/old'), rig.hears('zigbee2mqtt/new')], [false, true])
  rig.say('zigbee2mqtt/old', { temperature: 99 })
  assert.is(rig.value(IEEE, 'temperature'), 20)
})

test('C1 a retained value fills the cache, is marked, and is reported only if it has changed', () => {
  const rig = garden()
  rig.keep('tele/garden/s', 'ON')
  assert.equal(rig.mapper.get('garden', 'state'), {
    value: true,
    unit: null,
    age: 0,
    retained: true,
    online: true,
  })
  rig.keep('tele/garden/s', 'ON')
  rig.say('tele/garden/s', 'ON')
  assert.is(rig.mapper.get('garden', 'state').retained, false)
  assert.equal(rig.reported('garden', 'state'), [true])
})

test('C1 what listens to a topic that is subscribed already lets the broker tell its memory once more', () => {
  const rig = new Rig()
  const asked = () =>
    rig.effects.filter((effect) => effect.do === 'subscribe' && effect.topics.includes('tele/x/state')).length
  rig.keep('homeassistant/sensor/x/a/config', {
    dev: { ids: 'x' },
    stat_t: 'tele/x/state',
    val_tpl: '{{ value_json.a }}',
  })
  rig.keep('tele/x/state', { a: 1, b: 2 })
  rig.keep('homeassistant/sensor/x/b/config', {
    dev: { ids: 'x' },
    stat_t: 'tele/x/state',
    val_tpl: '{{ value_json.b }}',
  })
  assert.is(asked(), 2)
  rig.keep('tele/x/state', { a: 1, b: 2 })
  rig.keep('homeassistant/sensor/x/b/config', {
    dev: { ids: 'x' },
    stat_t: 'tele/x/state',
    val_tpl: '{{ value_json.b }}',
  })
  assert.is(asked(), 2)
  rig.say('homeassistant/sensor/x/a/config', '')
  rig.say('homeassistant/sensor/x/b/config', '')
  assert.not.ok(rig.hears('tele/x/state'))
})

test('C9.3 events and what says so are reported every time; a retained event never', () => {
  const rig = new Rig()
  rig.keep('homeassistant/event/bell/config', { stat_t: 'tele/bell' })
  rig.keep('homeassistant/sensor/counter/config', {
    stat_t: 'tele/counter',
    unit_of_meas: 'x',
    frc_upd: true,
  })
  rig.keep('tele/bell', { event_type: 'press' })
  for (let i = 0; i < 2; i++) {
    rig.say('tele/bell', { event_type: 'press' })
    rig.say('tele/counter', '7')
  }
  const press = { event_type: 'press' }
  assert.equal(rig.reported('bell', 'state'), [
    { value: press, seq: 1 },
    { value: press, seq: 2 },
  ])
  assert.equal(rig.reported('counter', 'state'), [7, 7])
  assert.is(rig.mapper.refused().counts.retained, 1)
})

test('C1 an empty payload takes back what discovery has told, and forgets the value of a state topic', () => {
  const rig = garden()
  rig.say('tele/garden/s', 'ON')
  rig.say('tele/garden/s', '')
  assert.is(rig.value('garden', 'state'), null)
  rig.say('homeassistant/switch/garden/config', '')
  assert.equal(rig.mapper.devices(), {})
  assert.not.ok(rig.hears('tele/garden/s'))
  assert.is(refusal(() => rig.mapper.get('garden', 'state')).status, 404)
})

test('§9.25 a retained echo, one from before the broker had the command, and another value confirm nothing', () => {
  const rig = garden()
  const command = rig.mapper.put('garden', 'state', true)
  rig.say('tele/garden/s', 'ON')
  assert.is(rig.outcome(command.id), undefined)
  rig.take(rig.mapper.published(command.id))
  rig.keep('tele/garden/s', 'ON')
  rig.say('tele/garden/s', 'OFF')
  assert.is(rig.outcome(command.id), undefined)
  rig.say('tele/garden/s', 'ON')
  assert.equal(rig.outcome(command.id), { is: 'confirmed', value: true })
})

test('§9.25 one PUT in flight per property: the next is busy until it has ended or was forgotten', () => {
  const rig = garden()
  const first = rig.put('garden', 'state', true)
  const busy = refusal(() => rig.mapper.put('garden', 'state', false))
  assert.equal([busy.status, busy.details.code], [400, 'busy'])
  rig.mapper.forget(first.id)
  const second = rig.put('garden', 'state', false)
  rig.say('tele/garden/s', 'OFF')
  assert.equal(rig.outcome(second.id), { is: 'confirmed', value: false })
})

test('§9.6 where nothing can tell, the command is sent and not confirmed', () => {
  for (const more of [{ stat_t: undefined }, { stat_t: 'tele/garden/set' }, { opt: true }]) {
    const rig = garden(more)
    const command = rig.put('garden', 'state', true)
    assert.equal(rig.outcome(command.id), { is: 'sent' })
  }
})

test('C9.4 a value outside its range, of another type or for what can not be set is refused before anything is sent', () => {
  const rig = new Rig()
  rig.keep('homeassistant/number/dim/config', {
    stat_t: 'tele/d',
    cmd_t: 'tele/d/set',
    min: 0,
    max: 50,
    unit_of_meas: '%',
  })
  const tooHigh = refusal(() => rig.mapper.put('dim', 'state', 51))
  assert.equal([tooHigh.status, tooHigh.details.code, tooHigh.details.unit], [400, 'range', '%'])
  assert.is(refusal(() => rig.mapper.put('dim', 'state', 'x')).details.code, 'range')
  assert.is(refusal(() => rig.mapper.put('dim', 'other', 1)).status, 404)
  rig.keep(HA_GARDEN, { stat_t: 'tele/g' })
  assert.is(refusal(() => rig.mapper.put('garden', 'state', true)).status, 404)
})

test('C9.4 the echo of a number counts within a step', () => {
  const rig = new Rig()
  rig.keep('homeassistant/number/dim/config', { stat_t: 'tele/d', cmd_t: 'tele/d/set', step: 0.5 })
  const command = rig.put('dim', 'state', 20.3)
  rig.say('tele/d', '20.7')
  assert.is(rig.outcome(command.id), undefined)
  rig.say('tele/d', '20.5')
  assert.equal(rig.outcome(command.id), { is: 'confirmed', value: 20.5 })
})

test('C9.5 availability: all, any, and the latest', () => {
  const availability = [{ t: 'tele/a' }, { t: 'tele/b', pl_avail: 'up', pl_not_avail: 'down' }]
  const said = [
    ['tele/a', 'online'],
    ['tele/b', 'up'],
    ['tele/a', 'offline'],
    ['tele/b', 'down'],
    ['tele/a', 'online'],
  ]
  const expected = {
    all: [false, true, false, false, false],
    any: [true, true, true, false, true],
    latest: [true, true, false, false, true],
  }
  for (const [mode, online] of Object.entries(expected)) {
    const rig = garden({ avty: availability, avty_mode: mode })
    assert.is(rig.mapper.device('garden').online, false)
    const states = said.map(([topic, word]) => {
      rig.say(topic as string, word)
      return rig.mapper.device('garden').online
    })
    assert.equal(states, online, mode)
  }
})

test('C9.5 what is offline refuses commands at once; without a broker nothing is online', () => {
  const rig = garden({ avty_t: 'tele/a' })
  assert.is(refusal(() => rig.mapper.put('garden', 'state', true)).details.code, 'offline')
  assert.is(refusal(() => rig.mapper.get('garden', 'state')).details.code, 'offline')
  rig.say('tele/a', 'online')
  rig.say('tele/garden/s', 'ON')
  rig.take(rig.mapper.disconnected())
  assert.equal(rig.mapper.get('garden', 'state'), {
    value: true,
    unit: null,
    age: 0,
    retained: false,
    online: false,
  })
  rig.take(rig.mapper.connected())
  assert.is(rig.mapper.get('garden', 'state').retained, true)
})

test('C9.5 expire_after and off_delay, by the clock', async () => {
  const rig = new Rig()
  rig.keep('homeassistant/sensor/t/config', { stat_t: 'tele/t', unit_of_meas: '°C', exp_aft: 60 })
  rig.keep('homeassistant/binary_sensor/m/config', { stat_t: 'tele/m', off_dly: 5 })
  rig.say('tele/t', '20')
  rig.say('tele/m', 'ON')
  await rig.clock.advance(5000)
  rig.take(rig.mapper.tick())
  assert.equal(rig.reported('m', 'state'), [true, false])
  assert.is(rig.mapper.get('t', 'state').online, true)
  await rig.clock.advance(55_000)
  rig.take(rig.mapper.tick())
  assert.equal(rig.mapper.get('t', 'state'), {
    value: 20,
    unit: '°C',
    age: 60_000,
    retained: false,
    online: false,
  })
  rig.say('tele/t', '21')
  assert.is(rig.mapper.device('t').online, true)
})

test('C9.6 a topic that discovery names is subscribed only where the owner lets, and never one with wildcards', () => {
  for (const topic of [
    'secret/door',
    'tele/+/x',
    'tele/#',
    '$SYS/broker/uptime',
    `tele/${'x'.repeat(600)}`,
    '',
    'tele/\u0000',
  ]) {
    const rig = garden({ stat_t: topic, cmd_t: 'secret/set' })
    assert.equal(rig.mapper.describe('garden'), {}, topic)
    assert.not.ok(rig.subscribed.has(topic))
    assert.ok(rig.reasons().includes('topic'))
  }
  assert.equal(
    garden({ stat_t: '$SYS/x', cmd_t: '$SYS/y' }, { allow: ['#', '$SYS/#'] }).mapper.describe('garden'),
    {},
  )
  const refused = garden({ stat_t: 'secret/door' }).mapper.refused().list[0]
  assert.match(refused?.message as string, /add "secret\/#" to "allow"/)
  assert.ok(garden({ stat_t: 'secret/door' }, { allow: ['secret/#'] }).hears('secret/door'))
})

test('C9.6 what is too long or too deep is refused and counted, and nothing is made of it', () => {
  const rig = garden()
  rig.keep('homeassistant/switch/big/config', { name: 'x'.repeat(70_000) })
  rig.keep('homeassistant/switch/deep/config', `${'{"a":'.repeat(30)}1${'}'.repeat(30)}`)
  rig.keep('homeassistant/switch/torn/config', '{"a":')
  rig.keep('homeassistant/switch/binary/config', Uint8Array.of(0xff, 0xfe))
  rig.say('tele/garden/s', 'x'.repeat(20_000))
  assert.equal(rig.mapper.refused().counts, { json: 3, size: 2 })
  assert.equal(Object.keys(rig.mapper.devices()), ['garden'])
})

test('C9.6 more devices, properties and refusals than there is room for are counted, and take no memory', () => {
  const rig = new Rig({ limits: { devices: 10, perDevice: 3, properties: 12 } })
  for (let i = 0; i < 1000; i++) rig.keep(`homeassistant/switch/n${i}/config`, { stat_t: `tele/n${i}` })
  assert.is(Object.keys(rig.mapper.devices()).length, 10)
  assert.is(rig.mapper.refused().counts.limit, 990)
  assert.ok(rig.mapper.refused().list.length <= 200)
  for (let i = 0; i < 5; i++)
    rig.keep(`homeassistant/sensor/x/p${i}/config`, { stat_t: `tele/x${i}`, dev: { ids: 'n1' } })
  assert.ok(Object.keys(rig.mapper.describe('n1')).length <= 3)
})

test('C9.6 ids of strangers become plain words; two that become the same one are not mixed', () => {
  const rig = new Rig()
  rig.keep('homeassistant/switch/a/x/config', { stat_t: 'tele/1', dev: { ids: '../a b' } })
  rig.keep('homeassistant/switch/b/y/config', { stat_t: 'tele/2', dev: { ids: '../a+b' } })
  rig.keep('homeassistant/switch/c/__proto__/config', { stat_t: 'tele/3', dev: { ids: '__proto__' } })
  assert.equal(Object.keys(rig.mapper.devices()), ['a_b', 'proto'])
  assert.equal(Object.keys(rig.mapper.describe('a_b')), ['x'])
  assert.equal(Object.keys(rig.mapper.describe('proto')), ['proto'])
  assert.equal(rig.reasons(), ['id'])
})

test('C9.6 a template that is not understood is refused with the reason, and the raw payload is shown', () => {
  const rig = new Rig()
  rig.keep('homeassistant/sensor/t/config', {
    stat_t: 'tele/t',
    val_tpl: "{{ states('sensor.x') }}",
    unit_of_meas: '°C',
  })
  rig.say('tele/t', { a: 1 })
  assert.equal(rig.value('t', 'state'), { a: 1 })
  assert.match(rig.mapper.refused().list[0]?.message as string, /"states"/)
})

test('§9.25 discovery whose origin is hormiga is skipped', () => {
  const rig = garden({ o: { name: 'hormiga' } })
  assert.equal(rig.mapper.devices(), {})
  assert.equal(rig.reasons(), ['origin'])
})

test('C2 a component that is only a platform is gone; the values of the others stay', () => {
  const rig = new Rig()
  const root = { dev: { ids: 'd1' }, o: { name: 'x' } }
  const part = (key: string) => ({
    p: 'sensor',
    stat_t: 'tele/d',
    val_tpl: `{{ value_json.${key} }}`,
    unit_of_meas: 'x',
  })
  rig.keep('homeassistant/device/d1/config', { ...root, cmps: { a: part('a'), b: part('b') } })
  rig.say('tele/d', { a: 1, b: 2 })
  rig.keep('homeassistant/device/d1/config', { ...root, cmps: { a: part('a'), b: { p: 'sensor' } } })
  assert.equal(Object.keys(rig.mapper.describe('d1')), ['a'])
  assert.is(rig.value('d1', 'a'), 1)
})

test('C1 after a reconnection, what retained discovery no longer tells of is gone, unless the broker has forgotten all', () => {
  const rig = garden()
  rig.keep('homeassistant/switch/shed/config', { ...SWITCH, stat_t: 'tele/shed' })
  rig.take(rig.mapper.disconnected())
  rig.take(rig.mapper.connected())
  rig.take(rig.mapper.settled())
  assert.equal(Object.keys(rig.mapper.devices()), ['garden', 'shed'])
  rig.keep('homeassistant/switch/shed/config', { ...SWITCH, stat_t: 'tele/shed' })
  rig.take(rig.mapper.settled())
  assert.equal(Object.keys(rig.mapper.devices()), ['shed'])
})

test('C9.6 settings that can not be are refused, each by its name', () => {
  for (const [settings, what] of [
    [{ allow: ['kitchen/#/x'] }, /allow: "kitchen\/#\/x"/],
    [{ bases: { homie: 'a/+' } }, /bases: "a\/\+"/],
    [{ devices: { x: { properties: { a: { topic: 'a/#' } } } } }, /x\/a: "a\/#"/],
    [
      { devices: { x: { properties: { a: { topic: 'a', template: '{{ now() }}' } } } } },
      /x\/a: the template/,
    ],
    [{ devices: { x: { properties: { 'A b': { topic: 'a' } } } } }, /x\/A b: a property is called by/],
  ] as const) {
    assert.throws(() => new Rig(settings as never), what)
  }
})

test.run()
