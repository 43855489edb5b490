// The payload vectors of the fact sheet for devices that speak for themselves: Tasmota, Shelly, Homie, Sparkplug.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Rig } from './kit.ts'

const TASMOTA = {
  ip: '192.168.15.10',
  dn: 'Tasmota',
  fn: ['Test', 'Beer', 'Milk', 'Four', null],
  hn: 'tasmota_49A3BC-0956',
  if: 0,
  lk: 1,
  mac: '00000049A3BC',
  md: 'Sonoff Basic',
  ofln: 'Offline',
  onln: 'Online',
  state: ['OFF', 'ON', 'TOGGLE', 'HOLD'],
  sw: '8.4.0.2',
  swn: [null, null, null, null, null],
  t: 'tasmota_49A3BC',
  ft: '%topic%/%prefix%/',
  tp: ['cmnd', 'stat', 'tele'],
  rl: [0, 0, 0, 0, 0, 0, 0, 0],
  swc: [-1, -1, -1, -1, -1, -1, -1, -1],
  btn: [0, 0, 0, 0],
  so: { 4: 0, 11: 0, 13: 0, 17: 1, 20: 0, 30: 0, 68: 0, 73: 0, 82: 0, 114: 0 },
  ty: 0,
  lt_st: 0,
  ver: 1,
}
const DS18 = {
  Time: '2021-01-02T09:09:44',
  'DS18B20-1': { Id: '00000566CC39', Temperature: 13.3 },
  'DS18B20-2': { Id: '0000059352D4', Temperature: 1.2 },
  TempUnit: 'C',
}

function tasmota(more: object, sensors?: object): Rig {
  const rig = new Rig()
  rig.keep('tasmota/discovery/00000049A3BC/config', { ...TASMOTA, ...more })
  if (sensors) rig.keep('tasmota/discovery/00000049A3BC/sensors', { sn: sensors, ver: 1 })
  return rig
}

test('Tasmota (HA test): tasmota/discovery/00000049A3BC/config, topic before prefix', () => {
  const rig = tasmota({})
  assert.is(rig.mapper.about('00000049a3bc').name, 'Tasmota')
  assert.ok(rig.hears('tasmota_49A3BC/tele/LWT'))
  assert.is(rig.mapper.device('00000049a3bc').online, false)
  rig.keep('tasmota_49A3BC/tele/LWT', 'Online')
  assert.is(rig.mapper.device('00000049a3bc').online, true)
})

test('Tasmota docs: tele/tasmota/SENSOR with two DS18B20', () => {
  const rig = tasmota({ t: 'tasmota', ft: '%prefix%/%topic%/' }, DS18)
  rig.keep('tele/tasmota/LWT', 'Online')
  rig.say('tele/tasmota/SENSOR', DS18)
  assert.is(rig.value('00000049a3bc', 'ds18b20-1_temperature'), 13.3)
  assert.is(rig.value('00000049a3bc', 'ds18b20-2_temperature'), 1.2)
  assert.is(rig.mapper.get('00000049a3bc', 'ds18b20-2_temperature').unit, '°C')
})

test('Tasmota docs: tele/demo-sensor/STATE', () => {
  const rig = tasmota({ t: 'demo-sensor', ft: '%prefix%/%topic%/', rl: [1, 0] })
  rig.keep('tele/demo-sensor/LWT', 'Online')
  rig.say('tele/demo-sensor/STATE', {
    Time: '2021-06-27T15:03:44+02:00',
    Uptime: '0T00:00:13',
    UptimeSec: 13,
    Heap: 28,
    SleepMode: 'Dynamic',
    Sleep: 50,
    LoadAvg: 19,
    MqttCount: 1,
    POWER: 'ON',
    Wifi: {
      AP: 1,
      SSId: 'DEMOAP',
      BSSId: 'XX:XX:XX:XX:XX:XX',
      Channel: 1,
      Mode: '11n',
      RSSI: 86,
      Signal: -57,
      LinkCount: 1,
      Downtime: '0T00:00:07',
    },
  })
  assert.equal([rig.value('00000049a3bc', 'power'), rig.value('00000049a3bc', 'signal')], [true, -57])
})

test('Tasmota docs: cmnd/tasmota_switch/Power, confirmed by stat/…/RESULT or stat/…/POWER; LWT Online', () => {
  for (const [topic, said] of [
    ['stat/tasmota_switch/RESULT', '{"POWER":"ON"}'],
    ['stat/tasmota_switch/POWER', 'ON'],
  ] as const) {
    const rig = tasmota({ t: 'tasmota_switch', ft: '%prefix%/%topic%/', rl: [1] })
    rig.keep('tele/tasmota_switch/LWT', 'Online')
    const command = rig.put('00000049a3bc', 'power', 'on')
    assert.equal([command.topic, command.payload], ['cmnd/tasmota_switch/POWER', 'ON'])
    rig.say(topic, said)
    assert.equal(rig.outcome(command.id), { is: 'confirmed', value: true })
    rig.say('tele/tasmota_switch/LWT', 'Offline')
    assert.is(rig.mapper.device('00000049a3bc').online, false)
  }
})

test('Shelly gen1 (public log): shellies/announce', () => {
  const rig = new Rig()
  assert.ok(rig.effects.some((effect) => effect.do === 'publish' && effect.topic === 'shellies/command'))
  rig.say('shellies/announce', {
    id: 'shellyswitch25-98CDAC38E9F5',
    model: 'SHSW-25',
    mac: '98CDAC38E9F5',
    ip: '192.168.76.119',
    new_fw: true,
    fw_ver: '20220209-093016/v1.11.8-g8c7bb8d',
    mode: 'relay',
  })
  const base = 'shellies/shellyswitch25-98CDAC38E9F5'
  rig.say(`${base}/online`, 'true')
  rig.say(`${base}/relay/0`, 'off')
  rig.say(`${base}/relay/0/power`, '12.5')
  const { about, ...values } = rig.mapper.device('98cdac38e9f5')
  assert.equal(values, { online: true, age: 0, relay_0: false, relay_0_power: 12.5 })
  assert.is((about as { model: string }).model, 'SHSW-25')
  const command = rig.put('98cdac38e9f5', 'relay_0', true)
  assert.equal([command.topic, command.payload], [`${base}/relay/0/command`, 'on'])
  rig.say(`${base}/relay/0`, 'on')
  assert.equal(rig.outcome(command.id), { is: 'confirmed', value: true })
  rig.say(`${base}/online`, 'false')
  assert.is(rig.mapper.device('98cdac38e9f5').online, false)
})

const SHELLY = 'shelly1minig3-54320464a1d0'

test('Shelly gen2 (public log): shelly1minig3-54320464a1d0/events/rpc NotifyStatus', () => {
  const rig = new Rig()
  rig.say(`${SHELLY}/events/rpc`, {
    src: SHELLY,
    dst: `${SHELLY}/events`,
    method: 'NotifyStatus',
    params: { ts: 1736603810.49, 'switch:0': { id: 0, output: false, source: 'HTTP_in' } },
  })
  assert.is(rig.value('54320464a1d0', 'switch_0'), false)
  assert.equal(rig.reported('54320464a1d0', 'switch_0'), [false])
})

test('Shelly gen2 (gist): Switch.Set over <prefix>/rpc, answered with its id', () => {
  const rig = new Rig()
  rig.say(`${SHELLY}/online`, 'true')
  const asked = rig.effects.flatMap((effect) =>
    effect.do === 'publish' && effect.topic === `${SHELLY}/rpc` ? [JSON.parse(String(effect.payload))] : [],
  )
  assert.equal(
    asked.map(({ method, src }) => [method, src]),
    [
      ['Shelly.GetDeviceInfo', 'hormiga-sensores'],
      ['Shelly.GetStatus', 'hormiga-sensores'],
    ],
  )
  rig.say('hormiga-sensores/rpc', {
    id: asked[1].id,
    src: SHELLY,
    dst: 'hormiga-sensores',
    result: { 'switch:0': { id: 0, output: false, apower: 0 } },
  })
  const command = rig.put('54320464a1d0', 'switch_0', true)
  assert.is(command.topic, `${SHELLY}/rpc`)
  assert.equal(JSON.parse(String(command.payload)), {
    id: command.id,
    src: 'hormiga-sensores',
    method: 'Switch.Set',
    params: { id: 0, on: true },
  })
  rig.say('hormiga-sensores/rpc', {
    id: command.id,
    src: SHELLY,
    dst: 'hormiga-sensores',
    result: { was_on: false },
  })
  assert.equal(rig.outcome(command.id), { is: 'confirmed', value: true })
  const next = rig.put('54320464a1d0', 'switch_0', false)
  rig.say('hormiga-sensores/rpc', {
    id: next.id,
    src: SHELLY,
    error: { code: -103, message: 'overtemperature' },
  })
  assert.equal(rig.outcome(next.id), { is: 'refused', message: 'overtemperature' })
})

test('Homie 5: homie/5/super-car/engine/temperature with $state and $description', () => {
  const rig = new Rig()
  rig.keep('homie/5/super-car/$description', {
    homie: '5.0',
    version: 7,
    name: 'Super car',
    nodes: {
      engine: {
        name: 'Engine',
        properties: {
          temperature: { name: 'Engine temperature', unit: '°C', datatype: 'float', format: '-20:120' },
        },
      },
    },
  })
  rig.keep('homie/5/super-car/$state', 'ready')
  rig.keep('homie/5/super-car/engine/temperature', '21.5')
  assert.equal(rig.mapper.get('super-car', 'engine_temperature'), {
    value: 21.5,
    unit: '°C',
    age: 0,
    retained: true,
    online: true,
  })
  assert.equal(rig.mapper.describe('super-car').engine_temperature, {
    methods: ['GET', 'BIND'],
    type: 'number',
    description: 'Engine temperature',
    unit: '°C',
    range: [-20, 120],
  })
  rig.say('homie/5/super-car/$state', 'lost')
  assert.is(rig.mapper.device('super-car').online, false)
})

test('Homie 5: homie/5/kitchen-light/light/power/set true is confirmed by the state topic', () => {
  const rig = new Rig()
  rig.keep('homie/5/kitchen-light/$description', {
    homie: '5.0',
    version: 1,
    nodes: { light: { properties: { power: { datatype: 'boolean', settable: true } } } },
  })
  rig.keep('homie/5/kitchen-light/$state', 'ready')
  const command = rig.put('kitchen-light', 'light_power', true)
  assert.equal([command.topic, command.payload], ['homie/5/kitchen-light/light/power/set', 'true'])
  rig.say('homie/5/kitchen-light/light/power', 'true')
  assert.equal(rig.outcome(command.id), { is: 'confirmed', value: true })
})

test('Sparkplug: spBv1.0/STATE/<host>', () => {
  const rig = new Rig()
  rig.keep('spBv1.0/STATE/scada', { online: true, timestamp: 1700000000000 })
  assert.is(rig.value('scada', 'listening'), true)
})

test.run()
