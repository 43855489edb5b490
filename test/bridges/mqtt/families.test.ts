// Families of devices through their lives, as simulators of their fact sheets tell them: birth, states, changes, leave,
// will. Zigbee2MQTT lives in live.test.ts.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readSparkplug, TYPES, writeSparkplug } from '../../../src/bridges/mqtt/protobuf.ts'
import { Rig, refusal } from './kit.ts'

test('C2 Home Assistant: a climate is one property for each of its facets, set by its own topics', () => {
  const rig = new Rig()
  rig.keep('homeassistant/climate/hall/config', {
    '~': 'tele/hall',
    modes: ['off', 'heat'],
    mode_stat_t: '~/mode',
    mode_cmd_t: '~/mode/set',
    curr_temp_t: '~/now',
    temp_stat_t: '~/target',
    temp_cmd_t: '~/target/set',
    temp_cmd_tpl: '{"t":{{ value }}}',
    min_temp: 5,
    max_temp: 30,
    temp_unit: 'C',
  })
  rig.say('tele/hall/mode', 'heat')
  rig.say('tele/hall/now', '19.5')
  rig.say('tele/hall/target', '21')
  const { about: _, online: __, age: ___, ...values } = rig.mapper.device('hall')
  assert.equal(values, { mode: 'heat', current_temperature: 19.5, temperature: 21 })
  const command = rig.put('hall', 'temperature', 22)
  assert.equal([command.topic, command.payload], ['tele/hall/target/set', '{"t":22}'])
  assert.is(refusal(() => rig.mapper.put('hall', 'mode', 'cool')).details.code, 'range')
  assert.is(refusal(() => rig.mapper.put('hall', 'current_temperature', 1)).status, 404)
})

test('C2 Home Assistant: words of locks, covers, buttons and selects', () => {
  const rig = new Rig()
  rig.keep('homeassistant/lock/door/config', { stat_t: 'tele/door', cmd_t: 'tele/door/set' })
  rig.keep('homeassistant/cover/blind/config', { stat_t: 'tele/b', cmd_t: 'tele/b/set', pl_open: 'UP' })
  rig.keep('homeassistant/button/restart/config', { cmd_t: 'tele/r/set' })
  rig.keep('homeassistant/select/scene/config', {
    stat_t: 'tele/s',
    cmd_t: 'tele/s/set',
    ops: ['a', 'b'],
    cmd_tpl: '{"scene":"{{ value }}"}',
  })
  rig.say('tele/door', 'UNLOCKED')
  assert.is(rig.value('door', 'state'), false)
  assert.is(rig.put('door', 'state', true).payload, 'LOCK')
  rig.say('tele/b', 'opening')
  assert.is(rig.value('blind', 'state'), 'opening')
  assert.is(rig.put('blind', 'command', 'open').payload, 'UP')
  assert.is(rig.put('restart', 'state', 'press').payload, 'PRESS')
  assert.is(rig.put('scene', 'state', 'b').payload, '{"scene":"b"}')
})

test('C4 Tasmota: relays, will, and the withdrawal of discovery', () => {
  const rig = new Rig()
  const config = {
    dn: 'Strip',
    t: 'strip',
    ft: '%prefix%/%topic%/',
    tp: ['cmnd', 'stat', 'tele'],
    fn: ['Lamp', 'Fan'],
    rl: [1, 1],
    swc: [-1],
    state: ['OFF', 'ON'],
  }
  rig.keep('tasmota/discovery/AABBCCDDEEFF/config', config)
  rig.keep('tele/strip/LWT', 'Online')
  rig.say('stat/strip/RESULT', { POWER1: 'ON' })
  rig.say('tele/strip/STATE', { POWER1: 'ON', POWER2: 'OFF', Wifi: { Signal: -60 } })
  assert.equal([rig.value('aabbccddeeff', 'power1'), rig.value('aabbccddeeff', 'power2')], [true, false])
  assert.equal(rig.reported('aabbccddeeff', 'power1'), [true])
  rig.say('tele/strip/LWT', 'Offline')
  assert.is(refusal(() => rig.mapper.put('aabbccddeeff', 'power2', true)).details.code, 'offline')
  rig.say('tele/strip/LWT', 'Online')
  rig.keep('tasmota/discovery/AABBCCDDEEFF/config', { ...config, t: 'other' })
  assert.equal([rig.hears('tele/strip/STATE'), rig.hears('tele/other/STATE')], [false, true])
  rig.say('tasmota/discovery/AABBCCDDEEFF/config', '')
  assert.equal(rig.mapper.devices(), {})
})

test('C5 Shelly: button events of the second generation, and a device with a name of its own only where allowed', () => {
  const event = (src: string) => ({
    src,
    method: 'NotifyEvent',
    params: { ts: 1, events: [{ component: 'input:0', id: 0, event: 'single_push', ts: 1 }] },
  })
  const rig = new Rig({ allow: ['kitchen/#'] })
  for (let i = 0; i < 2; i++) rig.say('kitchen/events/rpc', event('shellyplusi4-aabbccddeeff'))
  assert.equal(rig.reported('aabbccddeeff', 'input_0_event'), [
    { value: 'single_push', seq: 1 },
    { value: 'single_push', seq: 2 },
  ])
  const stranger = new Rig()
  stranger.say('kitchen/events/rpc', event('shellyplusi4-aabbccddeeff'))
  stranger.say('kitchen/online', 'true')
  assert.equal(stranger.mapper.devices(), {})
  assert.not.ok(stranger.effects.some((effect) => effect.do === 'publish' && effect.topic === 'kitchen/rpc'))
})

test('C6 ESPHome: found by its own discovery, learnt from its states, offline by its will', () => {
  const rig = new Rig()
  assert.ok(rig.effects.some((effect) => effect.do === 'publish' && effect.topic === 'esphome/discover'))
  rig.say('livingroom/sensor/outside_temperature/state', '4.5')
  rig.say('esphome/discover/livingroom', {
    ip: '10.0.0.7',
    name: 'livingroom',
    friendly_name: 'Living room',
    mac: 'a1b2c3d4e5f6',
    version: '2025.1',
    board: 'esp32dev',
  })
  rig.say('livingroom/sensor/outside_temperature/state', '4.5')
  rig.keep('livingroom/status', 'online')
  rig.say('livingroom/binary_sensor/window/state', 'ON')
  rig.say('livingroom/switch/lamp/state', 'OFF')
  const { about: _, ...values } = rig.mapper.device('a1b2c3d4e5f6')
  assert.equal(values, { online: true, age: 0, outside_temperature: 4.5, window: true, lamp: false })
  const command = rig.put('a1b2c3d4e5f6', 'lamp', true)
  assert.equal([command.topic, command.payload], ['livingroom/switch/lamp/command', 'ON'])
  rig.say('livingroom/switch/lamp/state', 'ON')
  assert.equal(rig.outcome(command.id), { is: 'confirmed', value: true })
  rig.say('livingroom/status', 'offline')
  assert.is(rig.mapper.device('a1b2c3d4e5f6').online, false)
})

test('C6 ESPHome with Home Assistant discovery: that one counts, and needs no allowance', () => {
  const rig = new Rig()
  rig.keep('homeassistant/sensor/livingroom/outside_temperature/config', {
    dev_cla: 'temperature',
    unit_of_meas: '°C',
    stat_cla: 'measurement',
    name: 'Outside Temperature',
    stat_t: 'livingroom/sensor/outside_temperature/state',
    avty_t: 'livingroom/status',
    uniq_id: 'ESPsensoroutside_temperature',
    dev: {
      ids: 'a1b2c3d4e5f6',
      name: 'Living room',
      sw: 'esphome v2025.1',
      mdl: 'esp32dev',
      mf: 'Espressif',
      cns: [['mac', 'a1:b2:c3:d4:e5:f6']],
    },
  })
  rig.say('livingroom/status', 'online')
  rig.say('livingroom/sensor/outside_temperature/state', '4.5')
  rig.say('esphome/discover/livingroom', { name: 'livingroom', mac: 'a1b2c3d4e5f6' })
  assert.is(rig.mapper.about('a1b2c3d4e5f6').source, 'homeassistant')
  assert.equal(rig.mapper.get('a1b2c3d4e5f6', 'outside_temperature'), {
    value: 4.5,
    unit: '°C',
    age: 0,
    retained: false,
    online: true,
  })
})

test('C7 Homie 5: a root that is lost takes its children with it; an empty string is one zero byte', () => {
  const rig = new Rig()
  const nodes = {
    screen: {
      properties: {
        text: { datatype: 'string', settable: true },
        mode: { datatype: 'enum', format: 'a,b', settable: true },
      },
    },
  }
  rig.keep('homie/5/bridge/$description', { homie: '5.0', version: 1, children: ['child'] })
  rig.keep('homie/5/child/$description', {
    homie: '5.0',
    version: 1,
    root: 'bridge',
    parent: 'bridge',
    nodes,
  })
  rig.keep('homie/5/bridge/$state', 'ready')
  rig.keep('homie/5/child/$state', 'ready')
  assert.is(rig.mapper.device('child').online, true)
  assert.is(rig.put('child', 'screen_text', '').payload, '\0')
  rig.say('homie/5/child/screen/text', '\0')
  assert.is(rig.value('child', 'screen_text'), '')
  assert.is(refusal(() => rig.mapper.put('child', 'screen_mode', 'c')).details.code, 'range')
  rig.say('homie/5/bridge/$state', 'lost')
  assert.is(rig.mapper.device('child').online, false)
  rig.say('homie/5/child/$description', '')
  assert.not.ok(rig.mapper.devices().child)
})

test('C7 Homie 4: one topic for each attribute, in any order', () => {
  const said: [string, string][] = [
    ['$homie', '4.0.0'],
    ['$name', 'Thermostat'],
    ['$nodes', 'room'],
    ['room/$properties', 'temperature,target'],
    ['room/temperature/$datatype', 'float'],
    ['room/temperature/$unit', '°C'],
    ['room/target/$datatype', 'float'],
    ['room/target/$settable', 'true'],
    ['room/target/$format', '5:30'],
    ['$state', 'ready'],
    ['room/temperature', '20.5'],
  ]
  for (const order of [said, [...said.slice(0, 9).reverse(), ...said.slice(9)]]) {
    const rig = new Rig()
    for (const [rest, value] of order) rig.keep(`homie/thermo/${rest}`, value)
    assert.is(rig.mapper.about('thermo').name, 'Thermostat')
    assert.is(rig.mapper.get('thermo', 'room_temperature').unit, '°C')
    assert.equal([rig.value('thermo', 'room_temperature'), rig.mapper.device('thermo').online], [20.5, true])
    const command = rig.put('thermo', 'room_target', 21)
    assert.is(command.topic, 'homie/thermo/room/target/set')
    assert.is(refusal(() => rig.mapper.put('thermo', 'room_target', 31)).details.code, 'range')
    rig.say('homie/thermo/$homie', '')
    assert.equal(rig.mapper.devices(), {})
  }
})

const birth = (seq: number, bdSeq = 0) =>
  writeSparkplug({
    timestamp: 1_700_000_000_000,
    seq,
    metrics: [
      { name: 'bdSeq', type: TYPES.uint64, value: bdSeq },
      { name: 'Node Control/Rebirth', type: TYPES.boolean, value: false },
      { name: 'Inputs/Temperature', alias: 1, type: TYPES.float, value: 21.5 },
      { name: 'Offset', alias: 2, type: TYPES.int32, value: -5 },
      { name: 'Outputs/Pump', alias: 3, type: TYPES.boolean, value: false },
    ],
  })
const death = (bdSeq: number) =>
  writeSparkplug({ metrics: [{ name: 'bdSeq', type: TYPES.uint64, value: bdSeq }] })
const data = (seq: number, metrics: Parameters<typeof writeSparkplug>[0]['metrics']) =>
  writeSparkplug({ timestamp: 1, seq, metrics })
const rebirths = (rig: Rig) =>
  rig.effects.filter((effect) => effect.do === 'publish' && effect.topic === 'spBv1.0/plant/NCMD/edge').length

test('C8 Sparkplug: birth, data by alias, command, death, and the late will of an old session', () => {
  const rig = new Rig()
  rig.say('spBv1.0/plant/NBIRTH/edge', birth(0))
  const { about: _, ...values } = rig.mapper.device('plant_edge')
  assert.equal(values, { online: true, age: 0, inputs_temperature: 21.5, offset: -5, outputs_pump: false })
  rig.say(
    'spBv1.0/plant/NDATA/edge',
    data(1, [
      { alias: 1, type: TYPES.float, value: 22.25 },
      { alias: 2, type: TYPES.int32, value: -7 },
    ]),
  )
  assert.equal(
    [rig.value('plant_edge', 'inputs_temperature'), rig.value('plant_edge', 'offset')],
    [22.25, -7],
  )
  const command = rig.put('plant_edge', 'outputs_pump', true)
  assert.is(command.topic, 'spBv1.0/plant/NCMD/edge')
  assert.equal(readSparkplug(command.payload as Uint8Array).metrics, [
    { name: 'Outputs/Pump', type: TYPES.boolean, value: true },
  ])
  rig.say('spBv1.0/plant/NDATA/edge', data(2, [{ alias: 3, type: TYPES.boolean, value: true }]))
  assert.equal(rig.outcome(command.id), { is: 'confirmed', value: true })
  rig.say(
    'spBv1.0/plant/DBIRTH/edge/pump',
    writeSparkplug({ seq: 3, metrics: [{ name: 'Speed', alias: 9, type: TYPES.double, value: 0.5 }] }),
  )
  assert.is(rig.value('plant_edge_pump', 'speed'), 0.5)
  rig.say('spBv1.0/plant/NDEATH/edge', death(0))
  assert.equal(
    [rig.mapper.device('plant_edge').online, rig.mapper.device('plant_edge_pump').online],
    [false, false],
  )
  rig.say('spBv1.0/plant/NBIRTH/edge', birth(0, 1))
  rig.say('spBv1.0/plant/NDEATH/edge', death(0))
  assert.is(rig.mapper.device('plant_edge').online, true)
  assert.is(rig.mapper.device('plant_edge_pump').online, false)
})

test('C8 Sparkplug: who comes late, or misses a message, asks for a rebirth, and not too often', async () => {
  const rig = new Rig()
  rig.say('spBv1.0/plant/NDATA/edge', data(7, [{ alias: 1, type: TYPES.float, value: 1 }]))
  rig.say('spBv1.0/plant/NDATA/edge', data(8, [{ alias: 1, type: TYPES.float, value: 1 }]))
  assert.is(rebirths(rig), 1)
  rig.say('spBv1.0/plant/NBIRTH/edge', birth(0))
  rig.say('spBv1.0/plant/NDATA/edge', data(1, []))
  await rig.clock.advance(60_000)
  assert.is(rebirths(rig), 1)
  rig.say('spBv1.0/plant/NDATA/edge', data(3, []))
  assert.is(rebirths(rig), 2)
})

test('C8 Sparkplug: bytes as protobuf has them, whole and cut', () => {
  // {timestamp: 1, metrics: [{name: "t", datatype: 9, float_value: 21.5}], seq: 2}
  const bytes = Uint8Array.from([0x08, 1, 0x12, 10, 0x0a, 1, 0x74, 0x20, 9, 0x65, 0, 0, 0xac, 0x41, 0x18, 2])
  const payload = { timestamp: 1, metrics: [{ name: 't', type: 9, value: 21.5 }], seq: 2 }
  assert.equal(readSparkplug(bytes), payload)
  assert.equal(writeSparkplug(payload), bytes)
  for (let end = 1; end < bytes.length; end++) {
    try {
      readSparkplug(bytes.subarray(0, end))
    } catch (error) {
      assert.match((error as Error).message, /it ends in the middle|of type/)
    }
  }
  assert.throws(() => readSparkplug(Uint8Array.from([0x12, 0xff, 0xff, 0xff, 0x7f])), /middle of a field/)
})

test.run()
