// What the nodes of a Homie device have (C7), in all its versions.

import type { Json } from '../../core/dispatch.ts'
import type { Described, Gate, Property } from './declaration.ts'
import { at, type Data, isData, number, type Payload, text } from './payload.ts'
import { toText, toValue, type Words } from './reading.ts'

export const HOMIE_ID = /^[a-z0-9][a-z0-9-]{0,63}$/
const WORDS: Words = { on: 'true', off: 'false' }
const PROPERTIES = 256

/** Whether a device is there: asleep it still is. */
export function stateGate(topic: string): Gate {
  return {
    topic,
    key: 'homie',
    presumed: false,
    read({ text }) {
      if (text === 'ready' || text === 'sleeping' || text === 'alert') return true
      return text && /^(init|disconnected|lost)$/.test(text) ? false : undefined
    },
  }
}

/** The properties of nodes as version 5 describes them. */
export function homieProperties(device: string, nodes: Json | undefined): Property[] {
  if (!isData(nodes)) return []
  return Object.entries(nodes)
    .flatMap(([node, description]) => {
      const properties = at(description, ['properties'])
      if (!HOMIE_ID.test(node) || !isData(properties)) return []
      return Object.entries(properties).flatMap(([id, property]) =>
        HOMIE_ID.test(id) && isData(property) ? [propertyOf(device, node, id, property)] : [],
      )
    })
    .slice(0, PROPERTIES)
}

function propertyOf(device: string, node: string, id: string, property: Data): Property {
  const topic = `${device}/${node}/${id}`
  const described = describe(property, `${node} ${id}`)
  return {
    id: `${node}_${id}`,
    described,
    readings: [{ topic, read: (payload) => readValue(payload, described) }],
    setter: isTrue(property.settable)
      ? {
          topic: `${topic}/set`,
          qos: 1,
          confirm: property.retained === false || property.retained === 'false' ? 'none' : 'echo',
          encode: (value) => (value === '' ? '\0' : toText(value, WORDS)),
        }
      : undefined,
    // What is not retained happens instead of being.
    ...((property.retained === false || property.retained === 'false') && { event: true }),
  }
}

function isTrue(value: Json | undefined): boolean {
  return value === true || value === 'true'
}

function readValue({ text, json }: Payload, described: Described): Json | undefined {
  if (Array.isArray(described.type)) return json
  // One zero byte is the empty string; nothing at all is no value.
  if (described.type === 'string') return text === '\0' ? '' : text
  return toValue(text, described, WORDS)
}

function describe(property: Data, otherwise: string): Described {
  const kinds: Record<string, Described['type']> = {
    integer: 'integer',
    float: 'number',
    boolean: 'boolean',
    json: ['object', 'list'],
  }
  const datatype = text(property.datatype) ?? 'string'
  const format = text(property.format, 1024) ?? ''
  const unit = text(property.unit, 32)
  const [min, max, step] = format.split(':').map((part) => (part === '' ? undefined : number(part)))
  const isNumber = datatype === 'integer' || datatype === 'float'
  return {
    type: kinds[datatype] ?? 'string',
    description: text(property.name) ?? otherwise,
    ...(unit && { unit }),
    ...(isNumber && min !== undefined && max !== undefined && min < max && { range: [min, max] }),
    ...(isNumber && step && step > 0 && { step }),
    ...(datatype === 'enum' && format && { values: format.split(',').slice(0, 100) }),
    ...(datatype === 'boolean' && { aliases: { on: true, off: false } }),
  }
}
