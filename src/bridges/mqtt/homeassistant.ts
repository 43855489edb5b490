// Discovery as Home Assistant reads it (C2): `<prefix>/<platform>/[<node>/]<object>/config` for one entity, or
// `<prefix>/device/<id>/config` for a whole device.

import type { About, Availability, Family, Gate, Property } from './declaration.ts'
import { DISCOVERY } from './declaration.ts'
import { FACETS, NOT_MAPPED } from './ha-facets.ts'
import { lengthen } from './ha-names.ts'
import { type Entity, propertiesOf } from './ha-property.ts'
import { type Data, isData, type Message, type Payload, strings, text } from './payload.ts'
import { wordGate } from './reading.ts'
import type { Registry } from './registry.ts'
import { applyTemplate, readTemplate } from './template.ts'
import { below, slug } from './topics.ts'

const WORD = /^[A-Za-z0-9_-]+$/
/** What a whole device says once for all of its components. */
const SHARED = [
  'availability',
  'availability_mode',
  'availability_topic',
  'availability_template',
  'payload_available',
  'payload_not_available',
  'state_topic',
  'command_topic',
  'encoding',
  '~',
]

/** Where a discovery message stands. */
interface Place {
  platform: string
  node: string | undefined
  object: string
}

export function homeAssistant(registry: Registry, prefix = 'homeassistant'): Family {
  const { refusals } = registry

  const read = (message: Message, payload: Payload) => {
    const { topic } = message
    const place = placeOf(prefix, topic)
    if (!place) return
    refusals.clear(topic)
    if (payload.bytes.length === 0) return registry.withdraw(topic)
    const config = payload.object && lengthen(payload.object)
    if (!config) return refusals.add('json', topic, 'no JSON object, or too deep')
    // The old place of something that moves to the device form keeps it until the new one tells of it.
    if (config.migrate_discovery === true) return
    if (isData(config.origin) && config.origin.name === 'hormiga') {
      registry.withdraw(topic)
      return refusals.add('origin', topic, 'it is what this or another hormiga publishes')
    }
    const declare = (identities: string[], about: About, entities: Entity[]) =>
      registry.declare({
        source: place.platform === 'device' ? 'homeassistant-device' : 'homeassistant',
        key: topic,
        identities,
        about,
        availability: [],
        properties: entities.flatMap((entity) => properties(registry, topic, entity)),
        retained: message.retained,
      })
    const device = isData(config.device) ? config.device : undefined
    if (place.platform === 'device') {
      if (!device || !isData(config.origin) || !isData(config.components)) {
        return refusals.add('kind', topic, '"device", "origin" and "components" are needed')
      }
      declare(identitiesOf(device), aboutOf(device, place.object), entitiesOf(config, config.components))
    } else {
      const { platform, object, node } = place
      const entity = { platform, id: device ? slug(object) : 'state', config }
      const name = text(config.name) ?? object
      if (device) declare(identitiesOf(device), aboutOf(device, name), [entity])
      else declare([node ? `${node}_${object}` : object], { name }, [entity])
    }
  }

  return {
    filters: [...Object.keys(FACETS), 'device'].flatMap((platform) => [
      `${prefix}/${platform}/+/config`,
      `${prefix}/${platform}/+/+/config`,
    ]),
    claims: (topic) => (placeOf(prefix, topic) ? DISCOVERY : 0),
    read,
  }
}

function placeOf(prefix: string, topic: string): Place | undefined {
  const levels = below(prefix, topic)?.split('/')
  if (levels?.pop() !== 'config' || !levels.every((level) => WORD.test(level))) return undefined
  const [platform, second, third] = levels
  if (levels.length === 2) return { platform: platform as string, node: undefined, object: second as string }
  if (levels.length === 3) return { platform: platform as string, node: second, object: third as string }
  return undefined
}

/** The components of a device. One that is only a platform has been removed. */
function entitiesOf(root: Data, components: Data): Entity[] {
  const shared = Object.fromEntries(SHARED.flatMap((key) => (key in root ? [[key, root[key] ?? null]] : [])))
  return Object.entries(components).flatMap(([id, component]) => {
    if (!isData(component)) return []
    const own = lengthen(component)
    if (Object.keys(own).length <= 1) return []
    return [{ platform: text(own.platform) ?? '', id: slug(id), config: lengthen({ ...shared, ...own }) }]
  })
}

function properties(registry: Registry, topic: string, entity: Entity): Property[] {
  const { refusals, routes } = registry
  const { platform, config } = entity
  const why =
    NOT_MAPPED[platform] ??
    (FACETS[platform] ? undefined : `the platform "${platform.slice(0, 40)}" is not known`)
  if (why) {
    refusals.add('kind', topic, `${entity.id}: ${why}`)
    return []
  }
  if (config.encoding === '') {
    refusals.add('kind', topic, `${entity.id}: raw bytes are not mapped`)
    return []
  }
  const found = propertiesOf(
    entity,
    (reason, what) => refusals.add(reason, topic, `${entity.id}: ${what}`),
    (topic) => routes.objection(topic),
  )
  const availability = availabilityOf(registry, topic, config)
  return found.map((property) => ({ ...property, availability }))
}

function availabilityOf(registry: Registry, topic: string, config: Data): Availability[] {
  const mode = config.availability_mode
  const list = Array.isArray(config.availability)
    ? config.availability.filter(isData)
    : text(config.availability_topic, 512)
      ? [
          {
            ...config,
            topic: config.availability_topic ?? null,
            value_template: config.availability_template ?? null,
          },
        ]
      : []
  const gates = list.slice(0, 8).flatMap((one) => gateOf(registry, topic, one))
  return gates.length === 0 ? [] : [{ mode: mode === 'all' || mode === 'any' ? mode : 'latest', gates }]
}

function gateOf({ refusals, routes }: Registry, place: string, config: Data): Gate[] {
  const topic = text(config.topic, 512) ?? ''
  const objection = routes.objection(topic)
  if (objection) {
    refusals.add('topic', place, `availability: ${objection}`)
    return []
  }
  const words = {
    on: text(config.payload_available) ?? 'online',
    off: text(config.payload_not_available) ?? 'offline',
  }
  const gate = wordGate(topic, words, false)
  const source = text(config.value_template, 1024)
  if (!source) return [gate]
  try {
    const template = readTemplate(source)
    const read = (payload: Payload) => {
      const said = applyTemplate(template, payload)
      return said === words.on ? true : said === words.off ? false : undefined
    }
    return [{ ...gate, key: `${gate.key}${source}`, read }]
  } catch (error) {
    refusals.add('template', place, `availability: ${(error as Error).message}`)
    return []
  }
}

/** Hardware addresses first: they are the same in every other family. */
function identitiesOf(device: Data): string[] {
  const connections = Array.isArray(device.connections) ? device.connections : []
  const addresses = connections.flatMap((one) =>
    Array.isArray(one) && one[0] === 'mac' ? (text(one[1]) ?? []) : [],
  )
  return [...addresses, ...strings(device.identifiers)]
}

function aboutOf(device: Data, otherwise: string): About {
  return {
    name: text(device.name) ?? otherwise,
    manufacturer: text(device.manufacturer),
    model: text(device.model),
    version: text(device.sw_version),
    area: text(device.suggested_area),
  }
}
