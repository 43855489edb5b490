// What Shelly devices consist of, as data: topics of the first generation, components of the second (C5).

import type { Json } from '../../core/dispatch.ts'
import type { Described, Property } from './declaration.ts'
import { at, type Data, isData } from './payload.ts'
import { toText, toValue, type Words } from './reading.ts'

/** A value of a component and the property that it belongs to. */
export type Part = { property: Property; value: Json | undefined }

interface Gen1 {
  pattern: RegExp
  described: Described
  words?: Words
  /** The end of the command topic. */
  command?: string
  event?: true
}

const SWITCH: Words = { on: 'on', off: 'off' }
const BIT: Words = { on: '1', off: '0' }

const GEN1: Gen1[] = [
  {
    pattern: /^(relay|light|color|white)\/\d+$/,
    described: power('Output'),
    words: SWITCH,
    command: 'command',
  },
  {
    pattern: /^(relay|light|color|white|emeter|roller)\/\d+\/power$/,
    described: measured('Power', 'W', 'power'),
  },
  {
    pattern: /^(relay|light|color|white|roller)\/\d+\/energy$/,
    described: measured('Energy', 'W·min', 'energy'),
  },
  { pattern: /^emeter\/\d+\/total$/, described: measured('Energy', 'Wh', 'energy') },
  { pattern: /^emeter\/\d+\/voltage$/, described: measured('Voltage', 'V', 'voltage') },
  { pattern: /^emeter\/\d+\/current$/, described: measured('Current', 'A', 'current') },
  { pattern: /^input\/\d+$/, described: { type: 'boolean', description: 'Input' }, words: BIT },
  {
    pattern: /^input_event\/\d+$/,
    described: { type: 'object', description: 'Pushes of a button' },
    event: true,
  },
  {
    pattern: /^roller\/\d+$/,
    described: { type: 'string', description: 'Roller', values: ['open', 'close', 'stop'] },
    command: 'command',
  },
  {
    pattern: /^roller\/\d+\/pos$/,
    described: { ...measured('Position', '%'), range: [0, 100] },
    command: '../command/pos',
  },
  { pattern: /^(sensor\/)?temperature$/, described: measured('Temperature', '°C', 'temperature') },
  { pattern: /^sensor\/humidity$/, described: measured('Humidity', '%', 'humidity') },
  { pattern: /^sensor\/battery$/, described: measured('Battery', '%', 'battery') },
  { pattern: /^sensor\/lux$/, described: measured('Illuminance', 'lx', 'illuminance') },
  { pattern: /^sensor\/tilt$/, described: measured('Tilt', '°') },
  { pattern: /^sensor\/state$/, described: { type: 'string', description: 'Open or closed' } },
  {
    pattern: /^sensor\/(motion|flood|vibration|smoke)$/,
    described: { type: 'boolean', description: 'Alarm' },
    words: { on: 'true', off: 'false' },
  },
  { pattern: /^(overtemperature)$/, described: { type: 'boolean', description: 'Too hot' }, words: BIT },
]

/** The property behind a topic below a device of the first generation. */
export function gen1Property(device: string, levels: string[]): Property | undefined {
  const path = levels.join('/')
  const found = GEN1.find(({ pattern }) => pattern.test(path))
  if (!found) return undefined
  const { described, words, command, event } = found
  const topic = `${device}/${path}`
  // A sensor says 1 and 0, or true and false, by its age.
  const either = (said: string | undefined) =>
    words?.on === 'true' && (said === '1' || said === '0') ? said === '1' : toValue(said, described, words)
  return {
    id: levels.join('_'),
    described: { ...described, description: `${described.description} (${path})` },
    readings: [{ topic, read: ({ text, object }) => (event ? object : either(text)) }],
    setter: command
      ? {
          topic: command.startsWith('../')
            ? `${device}/${levels.slice(0, -1).join('/')}/${command.slice(3)}`
            : `${topic}/${command}`,
          qos: 1,
          confirm: 'echo',
          encode: (value) => toText(value, words),
        }
      : undefined,
    ...(event && { event }),
  }
}

interface Gen2 {
  path: string[]
  /** Added to the name of the component; empty: the component itself. */
  id: string
  described: Described
  /** The method that sets it, and the name of its parameter. */
  method?: [name: string, parameter: string]
  event?: true
}

const POWER: Gen2[] = [
  { path: ['apower'], id: 'power', described: measured('Power', 'W', 'power') },
  { path: ['voltage'], id: 'voltage', described: measured('Voltage', 'V', 'voltage') },
  { path: ['current'], id: 'current', described: measured('Current', 'A', 'current') },
  { path: ['freq'], id: 'frequency', described: measured('Frequency', 'Hz', 'frequency') },
  { path: ['aenergy', 'total'], id: 'energy', described: measured('Energy', 'Wh', 'energy') },
  { path: ['temperature', 'tC'], id: 'temperature', described: measured('Temperature', '°C', 'temperature') },
]

const BRIGHTNESS: Described = { ...measured('Brightness', '%'), range: [0, 100] }

const GEN2: Record<string, Gen2[]> = {
  switch: [{ path: ['output'], id: '', described: power('Output'), method: ['Switch.Set', 'on'] }, ...POWER],
  light: [
    { path: ['output'], id: '', described: power('Light'), method: ['Light.Set', 'on'] },
    { path: ['brightness'], id: 'brightness', described: BRIGHTNESS, method: ['Light.Set', 'brightness'] },
    ...POWER,
  ],
  cover: [
    { path: ['state'], id: '', described: { type: 'string', description: 'Cover' } },
    {
      path: ['current_pos'],
      id: 'position',
      described: { ...measured('Position', '%'), range: [0, 100] },
      method: ['Cover.GoToPosition', 'pos'],
    },
    ...POWER,
  ],
  input: [
    { path: ['state'], id: '', described: { type: 'boolean', description: 'Input' } },
    {
      path: ['event'],
      id: 'event',
      described: { type: 'string', description: 'Pushes of a button' },
      event: true,
    },
  ],
  pm1: POWER,
  em1: [
    { path: ['act_power'], id: 'power', described: measured('Power', 'W', 'power') },
    { path: ['voltage'], id: 'voltage', described: measured('Voltage', 'V', 'voltage') },
    { path: ['current'], id: 'current', described: measured('Current', 'A', 'current') },
  ],
  em: ['a', 'b', 'c'].flatMap((phase) => [
    { path: [`${phase}_act_power`], id: `${phase}_power`, described: measured('Power', 'W', 'power') },
    { path: [`${phase}_voltage`], id: `${phase}_voltage`, described: measured('Voltage', 'V', 'voltage') },
  ]),
  temperature: [{ path: ['tC'], id: '', described: measured('Temperature', '°C', 'temperature') }],
  humidity: [{ path: ['rh'], id: '', described: measured('Humidity', '%', 'humidity') }],
  illuminance: [{ path: ['lux'], id: '', described: measured('Illuminance', 'lx', 'illuminance') }],
  devicepower: [
    { path: ['battery', 'percent'], id: 'battery', described: measured('Battery', '%', 'battery') },
  ],
  smoke: [{ path: ['alarm'], id: '', described: { type: 'boolean', description: 'Smoke' } }],
  flood: [{ path: ['alarm'], id: '', described: { type: 'boolean', description: 'Water' } }],
}

/** What a status of the second generation says, component by component. */
export function componentsOf(prefix: string, own: string, status: Data): Part[] {
  return Object.entries(status).flatMap(([name, component]) => {
    const [kind = '', index = ''] = name.split(':')
    const fields = Object.hasOwn(GEN2, kind) ? (GEN2[kind] ?? []) : []
    if (!isData(component) || !/^\d{1,3}$/.test(index)) return []
    return fields.flatMap((field): Part[] => {
      const said = at(component, field.path)
      if (said === undefined || said === null) return []
      return [
        {
          property: gen2Property(prefix, own, `${kind}_${index}`, Number(index), field),
          value: ofType(said, field),
        },
      ]
    })
  })
}

function gen2Property(prefix: string, own: string, name: string, index: number, field: Gen2): Property {
  const { id, described, method, event } = field
  return {
    id: id ? `${name}_${id}` : name,
    described: { ...described, description: `${described.description} (${name.replace('_', ' ')})` },
    readings: [],
    setter: method
      ? {
          topic: `${prefix}/rpc`,
          qos: 1,
          confirm: 'reply',
          encode: (value, tag) =>
            JSON.stringify({
              id: tag,
              src: own,
              method: method[0],
              params: { id: index, [method[1]]: value },
            }),
        }
      : undefined,
    ...(event && { event }),
  }
}

function ofType(said: Json, { described }: Gen2): Json | undefined {
  if (described.type === 'boolean') return typeof said === 'boolean' ? said : undefined
  return described.type === 'number' ? (typeof said === 'number' ? said : undefined) : said
}

function power(description: string): Described {
  return { type: 'boolean', description, aliases: { on: true, off: false } }
}

function measured(description: string, unit: string, deviceClass?: string): Described {
  return { type: 'number', description, unit, ...(deviceClass && { deviceClass }) }
}
