// Every payload vector of the fact sheet, by its name there, and the resources that it becomes: Home Assistant and
// Zigbee2MQTT. Those of the devices themselves are in vectors-devices.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { HA_GARDEN, Rig } from './kit.ts'

test('HA docs: homeassistant/binary_sensor/garden/config, then ON', () => {
  const rig = new Rig()
  rig.keep(HA_GARDEN, {
    name: 'garden',
    device_class: 'motion',
    state_topic: 'homeassistant/binary_sensor/garden/state',
  })
  assert.ok(rig.hears('homeassistant/binary_sensor/garden/state'))
  assert.is(rig.value('garden', 'state'), null)
  rig.say('homeassistant/binary_sensor/garden/state', 'ON')
  assert.is(rig.value('garden', 'state'), true)
  assert.equal(rig.reported('garden', 'state'), [true])
  assert.equal(rig.mapper.describe('garden'), {
    state: {
      methods: ['GET', 'BIND'],
      type: 'boolean',
      description: 'garden',
      deviceClass: 'motion',
      aliases: { on: true, off: false },
    },
  })
})

test('HA docs: homeassistant/switch/irrigation/config, short names and ~', () => {
  const rig = new Rig()
  rig.keep('homeassistant/switch/irrigation/config', {
    '~': 'homeassistant/switch/irrigation',
    name: 'garden',
    cmd_t: '~/set',
    stat_t: '~/state',
  })
  const command = rig.put('irrigation', 'state', true)
  assert.equal([command.topic, command.payload], ['homeassistant/switch/irrigation/set', 'ON'])
  assert.is(rig.outcome(command.id), undefined)
  rig.say('homeassistant/switch/irrigation/state', 'ON')
  assert.equal(rig.outcome(command.id), { is: 'confirmed', value: true })
})

test('HA docs: homeassistant/light/kitchen/config, schema json', () => {
  const rig = new Rig()
  rig.keep('homeassistant/light/kitchen/config', {
    '~': 'homeassistant/light/kitchen',
    name: 'Kitchen',
    unique_id: 'kitchen_light',
    cmd_t: '~/set',
    stat_t: '~/state',
    schema: 'json',
    brightness: true,
  })
  rig.say('homeassistant/light/kitchen/state', { state: 'ON', brightness: 255 })
  assert.equal([rig.value('kitchen', 'state'), rig.value('kitchen', 'brightness')], [true, 255])
  assert.is(rig.put('kitchen', 'brightness', 120).payload, '{"state":"ON","brightness":120}')
  assert.is(rig.put('kitchen', 'state', false).payload, '{"state":"OFF"}')
})

test('HA docs: homeassistant/device/<id>/config, then temperature and humidity', () => {
  const rig = new Rig({ allow: ['sensorBedroom/#'] })
  rig.keep('homeassistant/device/0AFFD2/config', DEVICE)
  assert.ok(rig.hears('sensorBedroom/state'))
  rig.say('sensorBedroom/state', '{"temperature":23.20,"humidity":43.70}')
  const { about, ...values } = rig.mapper.device('ea334450945afc')
  assert.equal(values, {
    online: true,
    age: 0,
    some_unique_component_id1: 23.2,
    some_unique_id2: 43.7,
  })
  assert.equal(about, {
    name: 'Kitchen',
    manufacturer: 'Bla electronics',
    model: 'xya',
    version: '1.0',
    source: 'homeassistant-device',
  })
  assert.is(rig.mapper.get('ea334450945afc', 'some_unique_component_id1').unit, '°C')
})

const DEVICE = {
  dev: {
    ids: 'ea334450945afc',
    name: 'Kitchen',
    mf: 'Bla electronics',
    mdl: 'xya',
    sw: '1.0',
    sn: 'ea334450945afc',
    hw: '1.0rev2',
  },
  o: { name: 'bla2mqtt', sw: '2.1', url: 'https://bla2mqtt.example.com/support' },
  cmps: {
    some_unique_component_id1: {
      p: 'sensor',
      device_class: 'temperature',
      unit_of_measurement: '°C',
      value_template: '{{ value_json.temperature}}',
      unique_id: 'temp01ae_t',
    },
    some_unique_id2: {
      p: 'sensor',
      device_class: 'humidity',
      unit_of_measurement: '%',
      value_template: '{{ value_json.humidity}}',
      unique_id: 'temp01ae_h',
    },
  },
  state_topic: 'sensorBedroom/state',
  qos: 2,
}

const EXPOSES = [
  { type: 'numeric', name: 'temperature', property: 'temperature', unit: '°C', access: 1 },
  { type: 'numeric', name: 'humidity', property: 'humidity', unit: '%', access: 1 },
  { type: 'binary', name: 'occupancy', property: 'occupancy', value_on: true, value_off: false, access: 1 },
  { type: 'enum', name: 'action', property: 'action', values: ['single', 'double'], access: 1 },
  {
    type: 'light',
    features: [
      {
        type: 'binary',
        name: 'state',
        property: 'state',
        value_on: 'ON',
        value_off: 'OFF',
        value_toggle: 'TOGGLE',
        access: 7,
      },
      {
        type: 'numeric',
        name: 'brightness',
        property: 'brightness',
        value_min: 0,
        value_max: 254,
        access: 7,
      },
      {
        type: 'numeric',
        name: 'color_temp',
        property: 'color_temp',
        unit: 'mired',
        value_min: 150,
        value_max: 500,
        access: 7,
      },
    ],
  },
  { type: 'enum', name: 'identify', property: 'identify', values: ['blink', 'okay'], access: 2 },
]

const ADDRESS = '0x00158d0001a2b3c4'

function zigbee(): Rig {
  const rig = new Rig()
  rig.keep('zigbee2mqtt/bridge/devices', [
    {
      ieee_address: '0x00124b0000000000',
      friendly_name: 'Coordinator',
      type: 'Coordinator',
      definition: null,
    },
    {
      ieee_address: ADDRESS,
      friendly_name: 'salon/sensor',
      type: 'EndDevice',
      supported: true,
      definition: { model: 'X1', vendor: 'Acme', description: 'All in one', exposes: EXPOSES },
    },
  ])
  rig.keep('zigbee2mqtt/bridge/state', { state: 'online' })
  return rig
}

test('Z2M docs: zigbee2mqtt/<name> with its states', () => {
  const rig = zigbee()
  assert.ok(rig.hears('zigbee2mqtt/salon/sensor'))
  rig.say('zigbee2mqtt/salon/sensor', { temperature: 27.34, humidity: 44.72 })
  rig.say('zigbee2mqtt/salon/sensor', { action: 'single' })
  rig.say('zigbee2mqtt/salon/sensor', { action: '' })
  rig.say('zigbee2mqtt/salon/sensor', { occupancy: true })
  rig.say('zigbee2mqtt/salon/sensor', { state: 'ON', brightness: 215, color_temp: 325 })
  const { about: _, ...values } = rig.mapper.device(ADDRESS)
  assert.equal(values, {
    online: true,
    age: 0,
    temperature: 27.34,
    humidity: 44.72,
    occupancy: true,
    action: 'single',
    state: true,
    brightness: 215,
    color_temp: 325,
    identify: null,
  })
  assert.equal(rig.reported(ADDRESS, 'action'), [{ value: 'single', seq: 1 }])
})

test('Z2M docs: exposes with access 1, 7 and 2', () => {
  const rig = zigbee()
  const described = rig.mapper.describe(ADDRESS)
  assert.equal(described.temperature, {
    methods: ['GET', 'BIND'],
    type: 'number',
    description: 'temperature',
    unit: '°C',
  })
  assert.equal((described.state as { methods: string[] }).methods, ['GET', 'PUT', 'BIND'])
  assert.equal((described.identify as { values: string[] }).values, ['blink', 'okay'])
  const on = rig.put(ADDRESS, 'state', true)
  assert.equal([on.topic, on.payload], ['zigbee2mqtt/salon/sensor/set', '{"state":"ON"}'])
  rig.say('zigbee2mqtt/salon/sensor', { state: 'ON' })
  assert.equal(rig.outcome(on.id), { is: 'confirmed', value: true })
  const blink = rig.put(ADDRESS, 'identify', 'blink')
  assert.is(blink.payload, '{"identify":"blink"}')
  assert.equal(rig.outcome(blink.id), { is: 'sent' })
})

test('Z2M docs: zigbee2mqtt/bridge/response/permit_join answers the transaction', () => {
  const rig = zigbee()
  const open = rig.put('zigbee2mqtt', 'permit_join', true)
  assert.is(open.topic, 'zigbee2mqtt/bridge/request/permit_join')
  assert.equal(JSON.parse(open.payload as string), { value: true, time: 254, transaction: String(open.id) })
  rig.say('zigbee2mqtt/bridge/response/permit_join', { data: { value: true }, status: 'ok', transaction: 23 })
  assert.is(rig.outcome(open.id), undefined)
  rig.say('zigbee2mqtt/bridge/response/permit_join', {
    data: { value: true },
    status: 'ok',
    transaction: String(open.id),
  })
  assert.equal(rig.outcome(open.id), { is: 'confirmed', value: true })
  const again = rig.put('zigbee2mqtt', 'permit_join', false)
  rig.say('zigbee2mqtt/bridge/response/permit_join', {
    data: {},
    error: 'Failed to connect to adapter',
    status: 'error',
    transaction: String(again.id),
  })
  assert.equal(rig.outcome(again.id), { is: 'refused', message: 'Failed to connect to adapter' })
})

test('Z2M docs: zigbee2mqtt/bridge/event is an event of the bridge', () => {
  const rig = zigbee()
  const event = {
    type: 'device_joined',
    data: { friendly_name: '0x90fd9ffffe6494fc', ieee_address: '0x90fd9ffffe6494fc' },
  }
  rig.say('zigbee2mqtt/bridge/event', event)
  rig.say('zigbee2mqtt/bridge/event', event)
  assert.equal(rig.reported('zigbee2mqtt', 'event'), [
    { value: event, seq: 1 },
    { value: event, seq: 2 },
  ])
})

test.run()
