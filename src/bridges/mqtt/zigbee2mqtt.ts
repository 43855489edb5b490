// Zigbee2MQTT (C3): `bridge/devices` tells of every device and of every property with its access, the best there is.

import type { Json } from '../../core/dispatch.ts'
import {
  type Described,
  DISCOVERY,
  type Family,
  type Gate,
  INVENTORY,
  type Property,
  type Setter,
} from './declaration.ts'
import { at, type Data, isData, type Message, number, type Payload, strings, text } from './payload.ts'
import { toText, toValue, type Words } from './reading.ts'
import type { Registry } from './registry.ts'
import { isTopic, slug } from './topics.ts'

const PUBLISHED = 1
const SETTABLE = 2
/** Exposes inside each other, and of one device. */
const NEST = 4
const EXPOSES = 256
/** Seconds that a network stays open. */
const PERMIT = 254

/** `replied`: the other side has answered a command. */
export function zigbee2mqtt(
  registry: Registry,
  replied: (tag: number, error?: string) => void,
  base = 'zigbee2mqtt',
): Family {
  const { refusals } = registry
  const topics = {
    devices: `${base}/bridge/devices`,
    response: `${base}/bridge/response/permit_join`,
  }
  const bridgeUp = stateGate(`${base}/bridge/state`, false)
  const keyOf = (address: string) => `${topics.devices} ${address}`

  const readDevices = ({ topic, retained }: Message, payload: Payload) => {
    refusals.clear(topic)
    if (payload.bytes.length > 0 && !Array.isArray(payload.json)) {
      return refusals.add('json', topic, 'no JSON list, or too deep')
    }
    const list = Array.isArray(payload.json) ? payload.json.filter(isData) : []
    const found = new Set(list.flatMap((device) => text(device.ieee_address, 64) ?? []))
    for (const key of registry.keys(`${topics.devices} `)) {
      if (!found.has(key.slice(topics.devices.length + 1))) registry.withdraw(key)
    }
    declareBridge(retained)
    for (const device of list) declareDevice(device, retained)
  }

  const declareDevice = (device: Data, retained: boolean) => {
    const [address, name] = [text(device.ieee_address, 64), text(device.friendly_name)]
    if (!address || !name || device.type === 'Coordinator') return
    const definition = isData(device.definition) ? device.definition : undefined
    if (!definition) {
      registry.withdraw(keyOf(address))
      return refusals.add(
        'kind',
        topics.devices,
        `"${name}" is not supported, or its interview has not ended`,
      )
    }
    if (!isTopic(`${base}/${name}`))
      return refusals.add('topic', topics.devices, `"${name}" can't be part of a topic`)
    registry.declare({
      source: 'zigbee2mqtt',
      key: keyOf(address),
      identities: [address],
      about: {
        name,
        manufacturer: text(definition.vendor),
        model: text(definition.model),
        version: text(device.software_build_id),
      },
      availability: [
        // A name may come back as that of the bridge itself only by a trick; then both gates are on one topic.
        { mode: 'all', gates: [bridgeUp, stateGate(`${base}/${name}/availability`, true)] },
      ],
      properties: exposed(`${base}/${name}`, definition.exposes),
      retained,
    })
  }

  /** The network itself: whether new devices may join, and what has happened in it. */
  const declareBridge = (retained: boolean) => {
    const words = ['device_joined', 'device_announce', 'device_interview', 'device_leave']
    registry.declare({
      source: 'zigbee2mqtt',
      key: `${base}/bridge`,
      identities: [base],
      about: { name: 'Zigbee2MQTT', manufacturer: 'Zigbee2MQTT' },
      availability: [{ mode: 'all', gates: [bridgeUp] }],
      properties: [
        {
          id: 'permit_join',
          described: {
            type: 'boolean',
            description: 'Whether new devices may join',
            aliases: { on: true, off: false },
          },
          readings: [
            {
              topic: `${base}/bridge/info`,
              read: ({ json }) =>
                toValue(
                  at(json, ['permit_join']),
                  { type: 'boolean', description: '' },
                  { on: 'true', off: 'false' },
                ),
            },
          ],
          setter: {
            topic: `${base}/bridge/request/permit_join`,
            qos: 1,
            confirm: 'reply',
            encode: (value, tag) =>
              JSON.stringify({ value, time: value ? PERMIT : 0, transaction: String(tag) }),
          },
        },
        {
          id: 'event',
          event: true,
          described: { type: 'object', description: `What has happened: ${words.join(', ')}` },
          readings: [{ topic: `${base}/bridge/event`, read: ({ object }) => object }],
        },
      ],
      retained,
    })
  }

  const readResponse = (payload: Payload) => {
    const tag = number(at(payload.json, ['transaction']))
    const status = at(payload.json, ['status'])
    if (tag === undefined) return
    if (status === 'ok') replied(tag)
    else if (status === 'error') replied(tag, text(at(payload.json, ['error'])) ?? 'no reason given')
  }

  return {
    filters: [topics.devices, topics.response],
    claims: (topic) => (topic === topics.devices ? INVENTORY : topic === topics.response ? DISCOVERY : 0),
    read(message, payload) {
      if (message.topic === topics.devices) readDevices(message, payload)
      else if (!message.retained) readResponse(payload)
    },
  }
}

/** Old versions say `online`, newer ones `{"state":"online"}`. */
function stateGate(topic: string, presumed: boolean): Gate {
  return {
    topic,
    key: 'z2m',
    presumed,
    read(payload) {
      const said = payload.object?.state ?? payload.text
      return said === 'online' ? true : said === 'offline' ? false : undefined
    },
  }
}

/** The properties of a device whose states come on a topic. */
export function exposed(topic: string, exposes: Json | undefined): Property[] {
  const properties: Property[] = []
  for (const expose of flat(exposes)) {
    const name = text(expose.property, 64) ?? text(expose.name, 64)
    const access = number(expose.access) ?? 0
    const id = name && slug(name)
    if (!name || !id || (access & (PUBLISHED | SETTABLE)) === 0) continue
    const described = describe(expose)
    const words = wordsOf(expose)
    const isEvent = name === 'action' && (access & SETTABLE) === 0
    const readings =
      access & PUBLISHED
        ? [
            {
              topic,
              read: ({ json }: Payload) => toValue(nothing(at(json, [name]), isEvent), described, words),
            },
          ]
        : []
    properties.push({
      id,
      described,
      readings,
      setter: access & SETTABLE ? setterOf(topic, name, readings.length > 0, words) : undefined,
      ...(isEvent && { event: true }),
    })
  }
  return properties
}

/** An empty action is no action: it is what remains of the last one. */
function nothing(said: Json | undefined, isEvent: boolean): Json | undefined {
  return isEvent && said === '' ? undefined : said
}

function setterOf(topic: string, name: string, heard: boolean, words: Words | undefined): Setter {
  return {
    topic: `${topic}/set`,
    qos: 1,
    confirm: heard ? 'echo' : 'none',
    encode: (value) =>
      JSON.stringify({ [name]: typeof value === 'boolean' && words ? raw(toText(value, words)) : value }),
  }
}

/** What was `true` in the description is `true` in the command, not "true". */
function raw(word: string): Json {
  return word === 'true' ? true : word === 'false' ? false : word
}

/** Lights, switches and the like are lists of features; composites and lists stay whole. */
function flat(exposes: Json | undefined, nest = 0): Data[] {
  if (!Array.isArray(exposes) || nest > NEST) return []
  return exposes
    .filter(isData)
    .flatMap((expose) =>
      Array.isArray(expose.features) && expose.type !== 'composite' && expose.type !== 'list'
        ? flat(expose.features, nest + 1)
        : [expose],
    )
    .slice(0, EXPOSES)
}

function describe(expose: Data): Described {
  const range = [number(expose.value_min), number(expose.value_max)] as [number, number]
  const step = number(expose.value_step)
  const unit = text(expose.unit, 32)
  const values = strings(expose.values)
  const kinds: Record<string, Described['type']> = {
    binary: 'boolean',
    numeric: 'number',
    composite: 'object',
    list: 'list',
  }
  return {
    type: kinds[text(expose.type) ?? ''] ?? 'string',
    description: text(expose.description) ?? text(expose.label) ?? text(expose.name) ?? '',
    ...(unit && { unit }),
    ...(Number.isFinite(range[0]) && range[0] < range[1] && { range }),
    ...(step && step > 0 && { step }),
    ...(expose.type === 'enum' && values.length > 0 && { values }),
    ...(expose.type === 'binary' && { aliases: { on: true, off: false } }),
  }
}

function wordsOf(expose: Data): Words | undefined {
  if (expose.type !== 'binary') return undefined
  const word = (value: Json | undefined, otherwise: string) =>
    typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number'
      ? String(value)
      : otherwise
  return { on: word(expose.value_on, 'ON'), off: word(expose.value_off, 'OFF') }
}
