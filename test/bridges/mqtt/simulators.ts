// One device of every discovery family, as its fact sheet has it: what it says in its life and how it answers commands.

import { readSparkplug, TYPES, writeSparkplug } from '../../../src/bridges/mqtt/protobuf.ts'
import type { Json } from '../../../src/core/dispatch.ts'

type Said = string | object | Uint8Array
type Sentence = [topic: string, said: Said, retain?: true]

export interface Life {
  family: string
  device: string
  property: string
  will: { topic: string; said: Said; retain: boolean }
  /** From the connection on; said again after every connection. */
  birth: Sentence[]
  /** A new value, and what it is for us. */
  state: Sentence
  value: Json
  /** What is set: the PUT, the topic on which it must arrive, and what the device says then. */
  set: { property: string; value: Json; topic: string; answer(said: Buffer): Sentence[] }
  /** How it is taken away; a family without such words leaves it out. */
  leave?: Sentence[]
}

const GEN2 = 'shellyplus1-a8032abe54dc'
const TASMOTA = {
  dn: 'Plug',
  fn: ['Plug'],
  t: 'plug',
  ft: '%prefix%/%topic%/',
  tp: ['cmnd', 'stat', 'tele'],
  state: ['OFF', 'ON', 'TOGGLE', 'HOLD'],
  rl: [1],
  ver: 1,
}
const HOMIE = {
  homie: '5.0',
  version: 1,
  name: 'Lamp',
  nodes: {
    light: {
      properties: {
        power: { datatype: 'boolean', settable: true },
        level: { datatype: 'integer', format: '0:100' },
      },
    },
  },
}

const same =
  (topic: string) =>
  (said: Buffer): Sentence[] => [[topic, String(said), true]]

export const LIVES: Life[] = [
  {
    family: 'Home Assistant, one entity',
    device: 'heater',
    property: 'state',
    will: { topic: 'tele/heater/up', said: 'offline', retain: true },
    birth: [
      [
        'homeassistant/switch/heater/config',
        { '~': 'tele/heater', stat_t: '~/s', cmd_t: '~/s/set', avty_t: '~/up' },
        true,
      ],
      ['tele/heater/up', 'online', true],
    ],
    state: ['tele/heater/s', 'ON', true],
    value: true,
    set: { property: 'state', value: false, topic: 'tele/heater/s/set', answer: same('tele/heater/s') },
    leave: [['homeassistant/switch/heater/config', '', true]],
  },
  {
    family: 'Home Assistant, a whole device',
    device: 'a1b2c3d4e5f6',
    property: 'temperature',
    will: { topic: 'tele/box/up', said: 'offline', retain: true },
    birth: [
      [
        'homeassistant/device/box/config',
        {
          dev: { ids: 'box', cns: [['mac', 'a1:b2:c3:d4:e5:f6']], name: 'Box' },
          o: { name: 'box' },
          avty_t: 'tele/box/up',
          stat_t: 'tele/box/state',
          cmps: {
            temperature: {
              p: 'sensor',
              unit_of_meas: '°C',
              val_tpl: '{{ value_json.t | round(1) }}',
              uniq_id: 't',
            },
            level: {
              p: 'number',
              min: 0,
              max: 10,
              cmd_t: 'tele/box/level',
              val_tpl: '{{ value_json.l }}',
              uniq_id: 'l',
            },
          },
        },
        true,
      ],
      ['tele/box/up', 'online', true],
    ],
    state: ['tele/box/state', { t: 21.26, l: 1 }, true],
    value: 21.3,
    set: {
      property: 'level',
      value: 7,
      topic: 'tele/box/level',
      answer: (said) => [['tele/box/state', { t: 21.26, l: Number(said) }, true]],
    },
    leave: [['homeassistant/device/box/config', '', true]],
  },
  {
    family: 'Tasmota',
    device: '0a1b2c3d4e5f',
    property: 'ds18b20_temperature',
    will: { topic: 'tele/plug/LWT', said: 'Offline', retain: true },
    birth: [
      ['tasmota/discovery/0A1B2C3D4E5F/config', TASMOTA, true],
      [
        'tasmota/discovery/0A1B2C3D4E5F/sensors',
        { sn: { DS18B20: { Id: 'x', Temperature: 1 }, TempUnit: 'C' }, ver: 1 },
        true,
      ],
      ['tele/plug/LWT', 'Online', true],
    ],
    state: ['tele/plug/SENSOR', { DS18B20: { Id: 'x', Temperature: 13.3 }, TempUnit: 'C' }],
    value: 13.3,
    set: {
      property: 'power',
      value: true,
      topic: 'cmnd/plug/POWER',
      answer: (said) => [
        ['stat/plug/RESULT', { POWER: String(said) }],
        ['stat/plug/POWER', String(said)],
      ],
    },
    leave: [['tasmota/discovery/0A1B2C3D4E5F/config', '', true]],
  },
  {
    family: 'Shelly, first generation',
    device: '98cdac38e9f5',
    property: 'relay_0_power',
    will: { topic: 'shellies/shelly1pm-E9F5/online', said: 'false', retain: true },
    birth: [
      ['shellies/shelly1pm-E9F5/online', 'true', true],
      ['shellies/announce', { id: 'shelly1pm-E9F5', model: 'SHSW-PM', mac: '98CDAC38E9F5' }],
      ['shellies/shelly1pm-E9F5/relay/0', 'off'],
    ],
    state: ['shellies/shelly1pm-E9F5/relay/0/power', '42.5'],
    value: 42.5,
    set: {
      property: 'relay_0',
      value: true,
      topic: 'shellies/shelly1pm-E9F5/relay/0/command',
      answer: same('shellies/shelly1pm-E9F5/relay/0'),
    },
  },
  {
    family: 'Shelly, second generation',
    device: 'a8032abe54dc',
    property: 'switch_0',
    will: { topic: `${GEN2}/online`, said: 'false', retain: true },
    birth: [[`${GEN2}/online`, 'true', true]],
    state: [
      `${GEN2}/events/rpc`,
      { src: GEN2, method: 'NotifyStatus', params: { ts: 1, 'switch:0': { id: 0, output: false } } },
    ],
    value: false,
    set: {
      property: 'switch_0',
      value: true,
      topic: `${GEN2}/rpc`,
      answer(said) {
        const { id, src, method } = JSON.parse(String(said))
        const result =
          method === 'Shelly.GetStatus'
            ? { 'switch:0': { id: 0, output: true } }
            : { mac: 'A8032ABE54DC', was_on: false }
        return [[`${src}/rpc`, { id, src: GEN2, dst: src, result }]]
      },
    },
  },
  {
    family: 'ESPHome, by its own discovery',
    device: 'c0ffee123456',
    property: 'temperature',
    will: { topic: 'porch/status', said: 'offline', retain: true },
    birth: [
      ['porch/status', 'online', true],
      ['esphome/discover/porch', { name: 'porch', mac: 'c0ffee123456', version: '2025.1' }],
      ['porch/switch/lamp/state', 'OFF', true],
    ],
    state: ['porch/sensor/temperature/state', '4.5', true],
    value: 4.5,
    set: {
      property: 'lamp',
      value: true,
      topic: 'porch/switch/lamp/command',
      answer: same('porch/switch/lamp/state'),
    },
  },
  {
    family: 'Homie 5',
    device: 'lamp',
    property: 'light_level',
    will: { topic: 'homie/5/lamp/$state', said: 'lost', retain: true },
    birth: [
      ['homie/5/lamp/$state', 'init', true],
      ['homie/5/lamp/$description', HOMIE, true],
      ['homie/5/lamp/$state', 'ready', true],
    ],
    state: ['homie/5/lamp/light/level', '70', true],
    value: 70,
    set: {
      property: 'light_power',
      value: true,
      topic: 'homie/5/lamp/light/power/set',
      answer: same('homie/5/lamp/light/power'),
    },
    leave: [['homie/5/lamp/$description', '', true]],
  },
  {
    family: 'Homie 4',
    device: 'old-lamp',
    property: 'light_level',
    will: { topic: 'homie/old-lamp/$state', said: 'lost', retain: true },
    birth: [
      ['homie/old-lamp/$homie', '4.0.0', true],
      ['homie/old-lamp/light/level/$datatype', 'integer', true],
      ['homie/old-lamp/light/power/$datatype', 'boolean', true],
      ['homie/old-lamp/light/power/$settable', 'true', true],
      ['homie/old-lamp/$state', 'ready', true],
    ],
    state: ['homie/old-lamp/light/level', '70', true],
    value: 70,
    set: {
      property: 'light_power',
      value: true,
      topic: 'homie/old-lamp/light/power/set',
      answer: same('homie/old-lamp/light/power'),
    },
    leave: [['homie/old-lamp/$homie', '', true]],
  },
  {
    family: 'Sparkplug B',
    device: 'plant_edge',
    property: 'temperature',
    will: {
      topic: 'spBv1.0/plant/NDEATH/edge',
      said: writeSparkplug({ metrics: [{ name: 'bdSeq', type: TYPES.uint64, value: 4 }] }),
      retain: false,
    },
    birth: [
      [
        'spBv1.0/plant/NBIRTH/edge',
        writeSparkplug({
          seq: 0,
          metrics: [
            { name: 'bdSeq', type: TYPES.uint64, value: 4 },
            { name: 'Temperature', alias: 1, type: TYPES.double, value: 1 },
            { name: 'Pump', alias: 2, type: TYPES.boolean, value: false },
          ],
        }),
      ],
    ],
    state: [
      'spBv1.0/plant/NDATA/edge',
      writeSparkplug({ seq: 1, metrics: [{ alias: 1, type: TYPES.double, value: 21.5 }] }),
    ],
    value: 21.5,
    set: {
      property: 'pump',
      value: true,
      topic: 'spBv1.0/plant/NCMD/edge',
      answer(said) {
        const { value = false } = readSparkplug(said).metrics[0] ?? {}
        return [
          [
            'spBv1.0/plant/NDATA/edge',
            writeSparkplug({ seq: 2, metrics: [{ alias: 2, type: TYPES.boolean, value }] }),
          ],
        ]
      },
    },
  },
]
