// Tasmota's own discovery (C4): `tasmota/discovery/<MAC>/config` tells of topics and relays, `…/sensors` of sensors. All
// topics are built from its FullTopic template; its default order is never assumed.

import type { Json } from '../../core/dispatch.ts'
import { type Declaration, type Described, DISCOVERY, type Family, type Property } from './declaration.ts'
import { at, type Data, isData, type Message, number, type Payload, text } from './payload.ts'
import { toText, toValue, type Words, wordGate } from './reading.ts'
import type { Registry } from './registry.ts'
import { below, slug } from './topics.ts'

const PREFIX = 'tasmota/discovery'
const DEVICES = 2000
/** Values inside each other in a SENSOR message. */
const NEST = 4

interface Known {
  config: Data | undefined
  sensors: Data | undefined
  retained: boolean
}

/** Units by the last word of a value's name. */
const UNITS: Record<string, { unit: string; deviceClass?: string }> = {
  humidity: { unit: '%', deviceClass: 'humidity' },
  voltage: { unit: 'V', deviceClass: 'voltage' },
  current: { unit: 'A', deviceClass: 'current' },
  power: { unit: 'W', deviceClass: 'power' },
  apparentpower: { unit: 'VA', deviceClass: 'apparent_power' },
  reactivepower: { unit: 'var', deviceClass: 'reactive_power' },
  frequency: { unit: 'Hz', deviceClass: 'frequency' },
  total: { unit: 'kWh', deviceClass: 'energy' },
  today: { unit: 'kWh', deviceClass: 'energy' },
  yesterday: { unit: 'kWh', deviceClass: 'energy' },
  illuminance: { unit: 'lx', deviceClass: 'illuminance' },
  carbondioxide: { unit: 'ppm', deviceClass: 'carbon_dioxide' },
}

export function tasmota(registry: Registry): Family {
  const { refusals } = registry
  const known = new Map<string, Known>()

  const read = (message: Message, payload: Payload) => {
    const { topic, retained } = message
    const [mac = '', part] = below(PREFIX, topic)?.split('/') ?? []
    const key = `${PREFIX}/${mac}`
    refusals.clear(topic)
    const device = known.get(mac) ?? { config: undefined, sensors: undefined, retained }
    if (payload.bytes.length === 0) {
      if (part === 'config') known.delete(mac)
      return part === 'config' ? registry.withdraw(key) : undefined
    }
    if (!payload.object) return refusals.add('json', topic, 'no JSON object, or too deep')
    if (!known.has(mac) && known.size >= DEVICES)
      return refusals.add('limit', topic, `more than ${DEVICES} devices`)
    known.set(mac, device)
    if (part === 'config') device.config = payload.object
    else device.sensors = isData(payload.object.sn) ? payload.object.sn : payload.object
    if (!device.config) return
    const declaration = declarationOf(registry, key, mac, device)
    if (declaration) registry.declare({ ...declaration, retained })
  }

  return {
    filters: [`${PREFIX}/+/config`, `${PREFIX}/+/sensors`],
    claims: (topic) =>
      /^[0-9A-Fa-f]{12}\/(config|sensors)$/.test(below(PREFIX, topic) ?? '') ? DISCOVERY : 0,
    read,
  }
}

function declarationOf(
  { refusals, routes }: Registry,
  key: string,
  mac: string,
  { config = {}, sensors }: Known,
): Omit<Declaration, 'retained'> | undefined {
  const [full, own] = [text(config.ft, 256), text(config.t, 128)]
  const prefixes = Array.isArray(config.tp) ? config.tp : []
  const [command = 'cmnd', state = 'stat', telemetry = 'tele'] = prefixes.map((prefix) => text(prefix, 64))
  if (!full || !own) {
    refusals.add('kind', `${key}/config`, '"ft" and "t" are needed')
    return undefined
  }
  const build = (prefix: string, rest: string) => {
    const start = full
      .replaceAll('%prefix%', prefix)
      .replaceAll('%topic%', own)
      .replaceAll('%hostname%', text(config.hn, 128) ?? own)
      .replaceAll('%id%', mac.slice(-6))
    return `${start.endsWith('/') ? start : `${start}/`}${rest}`
  }
  const topics = {
    command: (word: string) => build(command, word),
    result: build(state, 'RESULT'),
    power: (word: string) => build(state, word),
    state: build(telemetry, 'STATE'),
    sensor: build(telemetry, 'SENSOR'),
    lwt: build(telemetry, 'LWT'),
  }
  const objection = [topics.command('x'), topics.state, topics.result]
    .map((topic) => routes.objection(topic))
    .find(Boolean)
  if (objection) {
    refusals.add('topic', `${key}/config`, objection)
    return undefined
  }
  const properties = [
    ...relays(config, topics),
    ...switches(config, topics.result),
    ...sensed(sensors, topics.sensor),
  ]
  properties.push({
    id: 'signal',
    described: {
      type: 'number',
      description: 'Strength of its radio',
      unit: 'dBm',
      deviceClass: 'signal_strength',
    },
    readings: [{ topic: topics.state, read: ({ json }) => number(at(json, ['Wifi', 'Signal'])) }],
  })
  return {
    source: 'tasmota',
    key,
    identities: [mac],
    about: {
      name: text(config.dn) ?? own,
      manufacturer: 'Tasmota',
      model: text(config.md),
      version: text(config.sw),
    },
    availability: [
      {
        mode: 'all',
        gates: [
          wordGate(
            topics.lwt,
            { on: text(config.onln) ?? 'Online', off: text(config.ofln) ?? 'Offline' },
            false,
          ),
        ],
      },
    ],
    properties,
  }
}

interface Topics {
  command(word: string): string
  power(word: string): string
  result: string
  state: string
}

/** Relays and lights are numbered when there is more than one; shutters have a position. */
function relays(config: Data, topics: Topics): Property[] {
  const list = (Array.isArray(config.rl) ? config.rl : []).slice(0, 32).map((kind) => number(kind) ?? 0)
  const states = Array.isArray(config.state) ? config.state : []
  const words: Words = { off: text(states[0]) ?? 'OFF', on: text(states[1]) ?? 'ON' }
  const names = Array.isArray(config.fn) ? config.fn : []
  const single = list.filter((kind) => kind > 0).length === 1 && at(config, ['so', '26']) !== 1
  const properties = list.flatMap((kind, i): Property[] => {
    if (kind !== 1 && kind !== 2) return []
    const word = single ? 'POWER' : `POWER${i + 1}`
    const described: Described = {
      type: 'boolean',
      description: text(names[i]) ?? `Relay ${i + 1}`,
      aliases: { on: true, off: false },
    }
    // A device with one relay may say POWER1 all the same.
    const inside = ({ json }: Payload) =>
      toValue(at(json, [word]) ?? (single ? at(json, ['POWER1']) : undefined), described, words)
    const light = kind === 2 ? dimmer(topics) : []
    return [
      {
        id: word.toLowerCase(),
        described,
        readings: [
          { topic: topics.result, read: inside },
          { topic: topics.state, read: inside },
          { topic: topics.power(word), read: (payload) => toValue(payload.text, described, words) },
        ],
        setter: {
          topic: topics.command(word),
          qos: 1,
          confirm: 'echo',
          encode: (value) => toText(value, words),
        },
      },
      ...light,
    ]
  })
  const ids = new Set<string>()
  return [...properties, ...shutters(list, topics)].filter(({ id }) => !ids.has(id) && ids.add(id))
}

function dimmer(topics: Topics): Property[] {
  const described: Described = { type: 'integer', description: 'Brightness', unit: '%', range: [0, 100] }
  return [numeric('dimmer', described, ['Dimmer'], 'Dimmer', topics)]
}

function shutters(list: number[], topics: Topics): Property[] {
  // A shutter takes two relays.
  const count = Math.floor(list.filter((kind) => kind === 3).length / 2)
  return Array.from({ length: count }, (_, i) => {
    const described: Described = {
      type: 'integer',
      description: `Shutter ${i + 1}`,
      unit: '%',
      range: [0, 100],
    }
    return numeric(
      `shutter${i + 1}`,
      described,
      [`Shutter${i + 1}`, 'Position'],
      `ShutterPosition${i + 1}`,
      topics,
    )
  })
}

function numeric(
  id: string,
  described: Described,
  path: string[],
  command: string,
  topics: Topics,
): Property {
  const read = ({ json }: Payload) => number(at(json, path))
  return {
    id,
    described,
    readings: [
      { topic: topics.result, read },
      { topic: topics.state, read },
    ],
    setter: { topic: topics.command(command), qos: 1, confirm: 'echo', encode: (value) => toText(value) },
  }
}

function switches(config: Data, topic: string): Property[] {
  const list = Array.isArray(config.swc) ? config.swc : []
  return list.slice(0, 32).flatMap((mode, i): Property[] => {
    if ((number(mode) ?? -1) < 0) return []
    const word = `Switch${i + 1}`
    const described: Described = { type: 'boolean', description: word }
    return [
      {
        id: word.toLowerCase(),
        described,
        readings: [{ topic, read: ({ json }) => toValue(at(json, [word, 'Action']), described) }],
      },
    ]
  })
}

/** A property for every number in the example of a SENSOR message that discovery carries. */
function sensed(sample: Data | undefined, topic: string): Property[] {
  const unitOfTemperature = `°${text(at(sample, ['TempUnit'])) ?? 'C'}`
  const unitOfPressure = text(at(sample, ['PressureUnit']))
  return leaves(sample, [])
    .slice(0, 128)
    .map(({ path, value }): Property => {
      const last = String(path.findLast((step) => typeof step === 'string')).toLowerCase()
      const known =
        last === 'temperature' || last === 'dewpoint'
          ? { unit: unitOfTemperature, deviceClass: 'temperature' }
          : last === 'pressure' && unitOfPressure
            ? { unit: unitOfPressure, deviceClass: 'pressure' }
            : UNITS[last]
      const described: Described = {
        type: typeof value === 'number' ? 'number' : 'string',
        description: path.join(' '),
        ...known,
      }
      return {
        id: slug(path.join('_')),
        described,
        readings: [{ topic, read: ({ json }) => toValue(at(json, path), described) }],
      }
    })
}

type Leaf = { path: (string | number)[]; value: Json }

function leaves(value: Json | undefined, path: (string | number)[]): Leaf[] {
  if (value === undefined || value === null || path.length > NEST) return []
  if (typeof value !== 'object') {
    const isLabel = ['Id', 'Time', 'TempUnit', 'PressureUnit', 'TotalStartTime'].includes(String(path.at(-1)))
    return path.length === 0 || isLabel ? [] : [{ path, value }]
  }
  const parts = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return parts.slice(0, 128).flatMap(([step, part]) => leaves(part, [...path, step]))
}
