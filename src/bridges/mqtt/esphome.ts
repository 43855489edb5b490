// ESPHome without Home Assistant's discovery (C6): a node answers `esphome/discover`, and what it has is learnt from its
// state topics. Where it publishes Home Assistant's discovery too, that one counts: it says more.

import type { Type } from '../../device/profile.ts'
import { type Described, DISCOVERY, type Family, type Property } from './declaration.ts'
import { at, type Message, type Payload, text } from './payload.ts'
import { toText, toValue, wordGate } from './reading.ts'
import type { Registry } from './registry.ts'
import { below, slug } from './topics.ts'

const NODES = 2000
const PARTS = 128
const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/

/** Components by what their states are; `set`: they take commands. */
const COMPONENTS: Record<string, { type: Type | Type[]; set?: true }> = {
  sensor: { type: 'number' },
  binary_sensor: { type: 'boolean' },
  text_sensor: { type: 'string' },
  switch: { type: 'boolean', set: true },
  number: { type: 'number', set: true },
  select: { type: 'string', set: true },
  text: { type: 'string', set: true },
  cover: { type: 'string', set: true },
  lock: { type: 'string', set: true },
  valve: { type: 'string', set: true },
}

/** The state topics of any node: what discovery may name without the owner's word. */
export const ESPHOME_TOPICS = [
  ...[
    ...Object.keys(COMPONENTS),
    'light',
    'fan',
    'climate',
    'button',
    'event',
    'update',
    'alarm_control_panel',
  ].map((component) => `+/${component}/+/#`),
  '+/status',
]

interface Node {
  mac: string
  info: { name: string; model?: string; version?: string }
  properties: Map<string, Property>
  retained: boolean
}

export function esphome(registry: Registry): Family {
  const nodes = new Map<string, Node>()

  const declare = (name: string, { mac, info, properties, retained }: Node) =>
    registry.declare({
      source: 'esphome',
      key: `esphome/discover/${name}`,
      identities: [mac],
      about: { manufacturer: 'ESPHome', ...info },
      availability: [
        { mode: 'all', gates: [wordGate(`${name}/status`, { on: 'online', off: 'offline' }, false)] },
      ],
      properties: [...properties.values()],
      retained,
    })

  const meet = ({ topic, retained }: Message, { json }: Payload) => {
    const name = below('esphome/discover', topic) ?? ''
    const mac = text(at(json, ['mac']), 17)
    registry.refusals.clear(topic)
    if (json === undefined || json === null) {
      nodes.delete(name)
      return registry.withdraw(topic)
    }
    if (!mac || !NAME.test(name))
      return registry.refusals.add('json', topic, '"mac" is needed, and a name of letters and digits')
    if (nodes.size >= NODES && !nodes.has(name))
      return registry.refusals.add('limit', topic, `more than ${NODES} nodes`)
    const info = {
      name: text(at(json, ['friendly_name'])) ?? name,
      model: text(at(json, ['board'])),
      version: text(at(json, ['version'])),
    }
    const node = { mac, info, properties: nodes.get(name)?.properties ?? new Map(), retained }
    nodes.set(name, node)
    declare(name, node)
  }

  const learn = (topic: string) => {
    const [name = '', component = '', object = '', word] = topic.split('/')
    const node = nodes.get(name)
    const id = slug(object)
    if (!node || word !== 'state' || !id || node.properties.has(id) || node.properties.size >= PARTS) return
    const kind = COMPONENTS[component]
    if (!kind) return
    node.properties.set(id, propertyOf(topic, id, component, object, kind))
    declare(name, node)
  }

  return {
    filters: ['esphome/discover/+', ...Object.keys(COMPONENTS).map((component) => `+/${component}/+/state`)],
    claims(topic) {
      if (topic.startsWith('esphome/discover/')) return DISCOVERY
      const [, component = '', , word, more] = topic.split('/')
      return word === 'state' && more === undefined && Object.hasOwn(COMPONENTS, component) ? DISCOVERY : 0
    },
    read(message, payload) {
      if (message.topic.startsWith('esphome/discover/')) meet(message, payload)
      else learn(message.topic)
    },
    ask: () => [{ topic: 'esphome/discover', payload: '', qos: 1 }],
  }
}

function propertyOf(
  topic: string,
  id: string,
  component: string,
  object: string,
  { type, set }: { type: Type | Type[]; set?: true },
): Property {
  const described: Described = {
    type,
    description: object.replaceAll('_', ' '),
    ...(type === 'boolean' && { aliases: { on: true, off: false } }),
  }
  return {
    id,
    otherId: `${component}_${id}`,
    described,
    readings: [{ topic, read: (payload) => toValue(payload.text, described) }],
    setter: set
      ? {
          topic: topic.replace(/state$/, 'command'),
          qos: 1,
          confirm: 'echo',
          encode: (value) => toText(value),
        }
      : undefined,
  }
}
