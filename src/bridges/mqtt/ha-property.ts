// One entity of Home Assistant's discovery to properties, facet by facet; lights in the JSON schema on their own.

import type { Json } from '../../core/dispatch.ts'
import type { Type } from '../../device/profile.ts'
import type { Described, Property, Reading, Setter } from './declaration.ts'
import { FACETS, type Facet } from './ha-facets.ts'
import { type Data, isData, number, strings, text } from './payload.ts'
import { ON_OFF, toText, toValue, type Words } from './reading.ts'
import type { Reason } from './refusals.ts'
import { applyTemplate, readHole, readTemplate } from './template.ts'
import { slug } from './topics.ts'

/** `id`: what its own property is called; `state` where the entity is the whole device. */
export interface Entity {
  platform: string
  id: string
  config: Data
}

type Refuse = (reason: Reason, what: string) => void
/** Why a topic can't be used. */
type Objection = (topic: string) => string | undefined

/** Classes of sensors whose values are no numbers. */
const WORDS_CLASSES = ['date', 'timestamp', 'enum']
const SCALAR: Type[] = ['number', 'string', 'boolean']
const ANY: Type[] = [...SCALAR, 'object', 'list']

export function propertiesOf(entity: Entity, refuse: Refuse, objection: Objection): Property[] {
  const { platform, config } = entity
  if (platform === 'light' && config.schema === 'json') return jsonLight(entity, refuse, objection)
  if (text(config.schema) && config.schema !== 'default' && config.schema !== 'basic') {
    refuse('kind', `the schema "${text(config.schema)?.slice(0, 40)}" is not mapped`)
    return []
  }
  return (FACETS[platform] ?? []).flatMap((facet) => {
    const property = ofFacet(entity, facet, refuse, objection)
    return property ? [property] : []
  })
}

function ofFacet(entity: Entity, facet: Facet, refuse: Refuse, objection: Objection): Property | undefined {
  const { config, platform } = entity
  const described = describe(entity, facet)
  const readings = readingsOf(config, facet, described, refuse, objection)
  const setter = setterOf(config, facet, refuse, objection, readings)
  if (readings.length === 0 && !setter) return undefined
  const id = idOf(entity, facet.id)
  const expireAfter = number(config.expire_after)
  const offDelay = platform === 'binary_sensor' ? number(config.off_delay) : undefined
  return {
    id,
    otherId: slug(`${platform}_${id}`),
    described,
    readings,
    setter,
    ...(expireAfter && { expireAfter: expireAfter * 1000 }),
    ...(offDelay && { offDelay: offDelay * 1000 }),
    ...(facet.event && { event: true }),
    ...(config.force_update === true && { always: true }),
  }
}

function idOf({ id }: Entity, facet: string): string {
  if (facet === '') return id
  return id === 'state' ? facet : `${id}_${facet}`
}

function describe({ config, platform, id }: Entity, facet: Facet): Described {
  const unit = facet.unit?.startsWith('=') ? text(config[facet.unit.slice(1)], 32) : facet.unit
  const deviceClass = facet.id === '' ? text(config.device_class, 64) : undefined
  const range = [bound(config, facet.min), bound(config, facet.max)]
  const step = bound(config, facet.step)
  const values = facet.words ? Object.keys(facet.words) : valuesOf(config, facet)
  return {
    type: facet.type === 'any' ? typeOf(config, platform, deviceClass) : facet.type,
    description: `${text(config.name) ?? id}${facet.id && `: ${facet.id.replaceAll('_', ' ')}`}`,
    ...(unit && { unit }),
    ...(deviceClass && { deviceClass }),
    ...(range[0] !== undefined &&
      range[1] !== undefined &&
      range[0] < range[1] && { range: range as [number, number] }),
    ...(step && step > 0 && { step }),
    ...(values.length > 0 && { values }),
    ...(facet.type === 'boolean' && { aliases: { on: true, off: false } }),
  }
}

/** A sensor has numbers when it has a unit, a state class, or a class of numbers (as Home Assistant judges). */
function typeOf(config: Data, platform: string, deviceClass: string | undefined): Type | Type[] {
  if (platform !== 'sensor') return ANY
  if (deviceClass && WORDS_CLASSES.includes(deviceClass)) return 'string'
  return text(config.unit_of_measurement) || text(config.state_class) || deviceClass ? 'number' : SCALAR
}

function valuesOf(config: Data, { values }: Facet): string[] {
  return typeof values === 'string' ? strings(config[values]) : (values ?? [])
}

function bound(config: Data, key: [string, number?] | undefined): number | undefined {
  return key && (number(config[key[0]]) ?? key[1])
}

function wordsOf(config: Data, { on, off }: Facet, which: 0 | 1): Words {
  const word = (keys: Facet['on'], otherwise: string) => {
    if (!keys) return otherwise
    // A state without a word of its own is said as its command is.
    const found = config[keys[which]] ?? (keys[0].startsWith('state_o') ? config[keys[1]] : undefined)
    if (typeof found === 'boolean' || typeof found === 'number') return String(found)
    if (typeof found === 'string') return found
    return keys[2] || lockWord(keys[which])
  }
  return { on: word(on, ON_OFF.on), off: word(off, ON_OFF.off) }
}

/** What holds for a lock is not the same for states and commands. */
function lockWord(key: string): string {
  return key.replace(/^(state|payload)_/, '').toUpperCase()
}

function readingsOf(
  config: Data,
  facet: Facet,
  described: Described,
  refuse: Refuse,
  objection: Objection,
): Reading[] {
  const topic = facet.state && text(config[facet.state], 512)
  if (!topic) return []
  const why = objection(topic)
  if (why) {
    refuse('topic', why)
    return []
  }
  const words = wordsOf(config, facet, 0)
  const source = facet.template && text(config[facet.template], 1024)
  if (!source)
    return [
      { topic, read: (payload) => toValue(whole(payload.text, payload.json, described), described, words) },
    ]
  try {
    const template = readTemplate(source)
    return [{ topic, read: (payload) => toValue(applyTemplate(template, payload), described, words) }]
  } catch (error) {
    refuse('template', `${(error as Error).message}; its payload is shown as it comes`)
    described.type = ANY
    return [{ topic, read: ({ json, text }) => json ?? text }]
  }
}

/** Where the type is open, JSON says more than text. */
function whole(plain: string | undefined, json: Json | undefined, { type }: Described): Json | undefined {
  if (!Array.isArray(type) || json === undefined || json === null) return plain
  return type === SCALAR && typeof json === 'object' ? plain : json
}

function setterOf(
  config: Data,
  facet: Facet,
  refuse: Refuse,
  objection: Objection,
  readings: Reading[],
): Setter | undefined {
  const topic = facet.command && text(config[facet.command], 512)
  if (!topic) return undefined
  const why = objection(topic)
  if (why) {
    refuse('topic', why)
    return undefined
  }
  const words = wordsOf(config, facet, 1)
  const send = (value: Json): string => {
    const key =
      typeof value === 'string' && facet.words && Object.hasOwn(facet.words, value) && facet.words[value]
    if (key) return text(config[key[0]]) ?? key[1]
    return toText(value, words)
  }
  const confirm =
    readings.some((reading) => reading.topic !== topic) && config.optimistic !== true ? 'echo' : 'none'
  const source = facet.commandTemplate && text(config[facet.commandTemplate], 1024)
  if (!source) return { topic, qos: 1, confirm, encode: send }
  try {
    const { before, after } = readHole(source)
    // In JSON text a value must not end the string that it stands in.
    const safe = /^\s*[{[]/.test(before) ? (value: Json) => JSON.stringify(send(value)).slice(1, -1) : send
    return { topic, qos: 1, confirm, encode: (value) => before + safe(value) + after }
  } catch (error) {
    refuse('template', `it can't be set: ${(error as Error).message}`)
    return undefined
  }
}

/** `schema: json`: everything in one object, in both directions. */
function jsonLight(entity: Entity, refuse: Refuse, objection: Objection): Property[] {
  const { config, id } = entity
  const [stateTopic, commandTopic] = [text(config.state_topic, 512), text(config.command_topic, 512)]
  for (const topic of [stateTopic, commandTopic]) {
    const why = topic && objection(topic)
    if (!why) continue
    refuse('topic', why)
    return []
  }
  const modes = strings(config.supported_color_modes)
  const dims = config.brightness === true || modes.some((mode) => mode !== 'onoff')
  const colors = modes.some((mode) => ['rgb', 'rgbw', 'rgbww', 'hs', 'xy'].includes(mode))
  const name = text(config.name) ?? id
  const part = (key: string, described: Described, wrap?: (value: Json) => Data): Property => ({
    id: idOf(entity, key === 'state' ? '' : key),
    otherId: slug(`light_${id}_${key}`),
    described: { ...described, description: key === 'state' ? name : `${name}: ${key.replaceAll('_', ' ')}` },
    readings: stateTopic
      ? [{ topic: stateTopic, read: ({ json }) => toValue(isData(json) ? json[key] : undefined, described) }]
      : [],
    setter: commandTopic
      ? {
          topic: commandTopic,
          qos: 1,
          confirm: stateTopic && stateTopic !== commandTopic && config.optimistic !== true ? 'echo' : 'none',
          encode: (value) => JSON.stringify(wrap ? wrap(value) : { state: 'ON', [key]: value }),
        }
      : undefined,
  })
  const properties = [
    part('state', { type: 'boolean', description: '', aliases: { on: true, off: false } }, (value) => ({
      state: toText(value),
    })),
  ]
  const scale = number(config.brightness_scale) ?? 255
  if (dims) properties.push(part('brightness', { type: 'number', description: '', range: [0, scale] }))
  if (config.color_temp === true || modes.includes('color_temp')) {
    const [min, max] = [number(config.min_mireds) ?? 153, number(config.max_mireds) ?? 500]
    properties.push(part('color_temp', { type: 'number', description: '', range: [min, max], unit: 'mired' }))
  }
  if (colors) properties.push(part('color', { type: 'object', description: '' }))
  if (config.effect === true) {
    properties.push(part('effect', { type: 'string', description: '', values: strings(config.effect_list) }))
  }
  return properties
}
