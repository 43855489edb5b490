// Sparkplug B (C8): births tell of every metric, data may name them by alias only. Who comes late asks for a rebirth; who
// misses a message sees a gap in the sequence and does the same.

import type { Clock } from '../../core/clock.ts'
import type { Json } from '../../core/dispatch.ts'
import {
  type Availability,
  type Described,
  DISCOVERY,
  type Family,
  type Gate,
  type Property,
} from './declaration.ts'
import { type Message, type Payload, text } from './payload.ts'
import { type Metric, readSparkplug, type SparkplugPayload, TYPES, writeSparkplug } from './protobuf.ts'
import type { Registry } from './registry.ts'
import { below, slug } from './topics.ts'

const PREFIX = 'spBv1.0'
const NODES = 1000
const METRICS = 1000
/** Milliseconds between two requests for a rebirth of one node. */
const PATIENCE = 60_000
const REBIRTH = 'Node Control/Rebirth'
const PUBLIC: (keyof typeof TYPES)[] = ['boolean', 'string', 'text', 'dateTime', 'float', 'double']

interface Node {
  /** Aliases hold for a node and its devices: where each metric is. */
  aliases: Map<number, { key: string; property: string; type: number | undefined }>
  names: Map<string, { key: string; property: string; type: number | undefined }>
  seq: number | undefined
  /** What its will must name, for it to be the will of this birth. */
  born: Json | undefined
  askedAt: number
}

interface Place {
  group: string
  kind: string
  node: string
  device: string | undefined
}

export function sparkplug(registry: Registry, clock: Pick<Clock, 'now'>): Family {
  const { refusals } = registry
  const nodes = new Map<string, Node>()

  const meet = (name: string): Node | undefined => {
    const known = nodes.get(name)
    if (known) return known
    if (nodes.size >= NODES) {
      refusals.add('limit', name, `more than ${NODES} edge nodes`)
      return undefined
    }
    const node = { aliases: new Map(), names: new Map(), seq: undefined, born: undefined, askedAt: -Infinity }
    nodes.set(name, node)
    return node
  }

  const askRebirth = (node: Node, { group, node: name }: Place) => {
    if (clock.now() - node.askedAt < PATIENCE) return
    node.askedAt = clock.now()
    const metrics = [{ name: REBIRTH, type: TYPES.boolean, value: true }]
    registry.effect({
      do: 'publish',
      topic: `${PREFIX}/${group}/NCMD/${name}`,
      payload: writeSparkplug({ metrics }),
      qos: 0,
    })
  }

  const birth = (place: Place, node: Node, payload: SparkplugPayload, topic: string) => {
    const { group, node: name, device } = place
    const key = keyOf(place)
    if (!device) {
      node.aliases.clear()
      node.names.clear()
      node.born = payload.metrics.find(({ name }) => name === 'bdSeq')?.value
    }
    const properties: Property[] = []
    for (const metric of payload.metrics.slice(0, METRICS)) {
      const { name: metricName, alias, type } = metric
      const id = slug(metricName ?? '')
      if (!metricName || !id || metricName === 'bdSeq' || metricName === REBIRTH) continue
      const at = { key, property: id, type }
      if (alias !== undefined && node.aliases.size < NODES * 10) node.aliases.set(alias, at)
      if (node.names.size < NODES * 10) node.names.set(`${device ?? ''} ${metricName}`, at)
      properties.push(propertyOf(place, metric, metricName, id))
    }
    registry.declare({
      source: 'sparkplug',
      key,
      identities: [[group, name, device].filter(Boolean).join('_')],
      about: { name: device ?? name },
      availability: availabilityOf(place, node),
      properties,
      retained: false,
    })
    values(place, node, payload, topic)
  }

  const values = (place: Place, node: Node, { metrics }: SparkplugPayload, topic: string) => {
    for (const metric of metrics) {
      const { alias, name, value, isNull, historical } = metric
      const at =
        name !== undefined ? node.names.get(`${place.device ?? ''} ${name}`) : node.aliases.get(alias ?? -1)
      if (!at) {
        if (name !== 'bdSeq' && name !== REBIRTH) {
          refusals.add('kind', topic, 'a metric that no birth has told of')
          askRebirth(node, place)
        }
      } else if (value !== undefined && !isNull && !historical) {
        // Data need not repeat the type, and signs depend on it.
        registry.value(at.key, at.property, signed(value, at.type), false)
      }
    }
  }

  const read = (message: Message, payload: Payload) => {
    const { topic, retained } = message
    const place = placeOf(topic)
    if (!place || retained) return
    const node = meet(`${place.group}/${place.node}`)
    if (!node) return
    let content: SparkplugPayload
    try {
      content = readSparkplug(payload.bytes)
    } catch (error) {
      return refusals.add('value', topic, (error as Error).message)
    }
    const isBirth = place.kind.endsWith('BIRTH')
    const isNext = node.seq !== undefined && content.seq === (node.seq + 1) % 256
    if (content.seq !== undefined) node.seq = content.seq
    if (isBirth) birth(place, node, content, topic)
    else if (place.kind.endsWith('DATA')) {
      if (!isNext) askRebirth(node, place)
      values(place, node, content, topic)
    }
  }

  /** A host that data is meant for: whether it listens. */
  const readHost = ({ topic, retained }: Message, payload: Payload) => {
    const host = below(`${PREFIX}/STATE`, topic) ?? ''
    if (payload.bytes.length === 0) return registry.withdraw(topic)
    if (typeof payload.object?.online !== 'boolean') return refusals.add('json', topic, '"online" is needed')
    const described: Described = { type: 'boolean', description: 'Whether this host takes data' }
    registry.declare({
      source: 'sparkplug',
      key: topic,
      identities: [host],
      about: { name: host },
      availability: [],
      properties: [
        { id: 'listening', described, readings: [{ topic, read: ({ object }) => object?.online }] },
      ],
      retained,
    })
  }

  const filters = ['NBIRTH/+', 'NDATA/+', 'NDEATH/+', 'DBIRTH/+/+', 'DDATA/+/+', 'DDEATH/+/+']
    .map((rest) => `${PREFIX}/+/${rest}`)
    .concat(`${PREFIX}/STATE/+`)
  return {
    filters,
    covers: filters,
    claims: (topic) => (placeOf(topic) || isHost(topic) ? DISCOVERY : 0),
    read: (message, payload) => (isHost(message.topic) ? readHost(message, payload) : read(message, payload)),
  }
}

function isHost(topic: string): boolean {
  return /^spBv1\.0\/STATE\/[^/]+$/.test(topic)
}

function placeOf(topic: string): Place | undefined {
  const [group = '', kind = '', node = '', device, more] = below(PREFIX, topic)?.split('/') ?? []
  if (!/^[ND](BIRTH|DATA|DEATH)$/.test(kind) || more !== undefined || node === '') return undefined
  return kind.startsWith('D') === (device !== undefined) ? { group, kind, node, device } : undefined
}

function keyOf({ group, node, device }: Place): string {
  return [PREFIX, group, node, device].filter(Boolean).join('/')
}

/** Births and deaths: what came last holds, and the death of a node is that of its devices. */
function availabilityOf({ group, node: name, device }: Place, node: Node): Availability[] {
  const topic = (kind: string, rest: string) => `${PREFIX}/${group}/${kind}/${rest}`
  const gate = (topic: string, up: boolean, read: Gate['read']): Gate => ({
    topic,
    key: 'spb',
    presumed: up,
    read,
  })
  const dead = gate(topic('NDEATH', name), false, ({ bytes }) => (isWillOf(node, bytes) ? false : undefined))
  const born = device ? topic('DBIRTH', `${name}/${device}`) : topic('NBIRTH', name)
  const gates = [gate(born, true, () => true), dead]
  if (device) gates.push(gate(topic('DDEATH', `${name}/${device}`), false, () => false))
  return [{ mode: 'latest', gates }]
}

/** A late will of a connection before this one says nothing of this one. */
function isWillOf({ born }: Node, bytes: Uint8Array): boolean {
  try {
    return readSparkplug(bytes).metrics.find(({ name }) => name === 'bdSeq')?.value === born
  } catch {
    return false
  }
}

function propertyOf({ group, node, device }: Place, metric: Metric, name: string, id: string): Property {
  const { type = TYPES.string, properties = {} } = metric
  const kind = Object.entries(TYPES).find(([, number]) => number === type)?.[0] as
    | keyof typeof TYPES
    | undefined
  const unit = text(properties.engUnit, 32) ?? text(properties.Units, 32)
  const [low, high] = [properties.engLow, properties.engHigh]
  const described: Described = {
    type:
      kind === 'boolean'
        ? 'boolean'
        : kind === 'float' || kind === 'double'
          ? 'number'
          : PUBLIC.includes(kind ?? 'string') && kind !== 'dateTime'
            ? 'string'
            : 'integer',
    description: name,
    ...(unit && { unit }),
    ...(typeof low === 'number' && typeof high === 'number' && low < high && { range: [low, high] }),
    ...(kind === 'boolean' && { aliases: { on: true, off: false } }),
  }
  const topic = device ? `${PREFIX}/${group}/DCMD/${node}/${device}` : `${PREFIX}/${group}/NCMD/${node}`
  return {
    id,
    described,
    readings: [],
    setter: {
      topic,
      qos: 0,
      confirm: 'echo',
      encode: (value) => writeSparkplug({ metrics: [{ name, type, value }] }),
    },
  }
}

function signed(value: Json, type: number | undefined): Json {
  if (typeof value !== 'number' || type === undefined || type > TYPES.int32) return value
  return value | 0
}
