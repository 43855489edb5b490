// Homie 3 and 4 (C7): one topic for each attribute. They come in any order; what is known is declared anew with each.

import { HOMIE_ID, homieProperties, stateGate } from './homie-property.ts'
import { type Data, type Message, type Payload, text } from './payload.ts'
import type { Registry } from './registry.ts'
import { below } from './topics.ts'

const DEVICES = 1000
const NODES = 64
const PROPERTIES = 128
const ATTRIBUTE = 4096
const ATTRIBUTES = ['$name', '$datatype', '$settable', '$retained', '$unit', '$format']

interface Device {
  version: string | undefined
  name: string | undefined
  nodes: Map<string, Map<string, Data>>
  retained: boolean
}

export class HomieTree {
  readonly filters: string[]
  #registry: Registry
  #domain: string
  #devices = new Map<string, Device>()

  constructor(registry: Registry, domain: string) {
    this.#registry = registry
    this.#domain = domain
    this.filters = [
      ...['$homie', '$name', '$state'].map((attribute) => `${domain}/+/${attribute}`),
      ...ATTRIBUTES.map((attribute) => `${domain}/+/+/+/${attribute}`),
    ]
  }

  claims(topic: string): number {
    const levels = below(this.#domain, topic)?.split('/') ?? []
    const last = levels.at(-1) ?? ''
    const isOfDevice = levels.length === 2 && (last === '$homie' || last === '$name')
    return isOfDevice || (levels.length === 4 && ATTRIBUTES.includes(last)) ? ATTRIBUTE : 0
  }

  read({ topic, retained }: Message, payload: Payload): void {
    const levels = below(this.#domain, topic)?.split('/') ?? []
    const [id = '', second = '', third = '', fourth = ''] = levels
    if (!HOMIE_ID.test(id))
      return this.#registry.refusals.add('id', topic, 'ids are lower-case letters, digits and hyphens')
    const said = text(payload.text, ATTRIBUTE)
    if (second === '$homie' && said === undefined) {
      this.#devices.delete(id)
      return this.#registry.withdraw(this.#keyOf(id))
    }
    const device = this.#devices.get(id) ?? this.#meet(id, retained)
    if (!device) return
    if (second === '$homie') device.version = said
    else if (second === '$name') device.name = said
    else this.#attribute(device, second, third, fourth.slice(1), said)
    if (device.version) this.#declare(id, device)
  }

  #meet(id: string, retained: boolean): Device | undefined {
    if (this.#devices.size >= DEVICES) {
      this.#registry.refusals.add('limit', this.#keyOf(id), `more than ${DEVICES} devices`)
      return undefined
    }
    const device = { version: undefined, name: undefined, nodes: new Map(), retained }
    this.#devices.set(id, device)
    return device
  }

  #attribute(device: Device, nodeId: string, id: string, word: string, said: string | undefined): void {
    const node = device.nodes.get(nodeId) ?? new Map<string, Data>()
    const property = node.get(id) ?? {}
    const isFull =
      (!device.nodes.has(nodeId) && device.nodes.size >= NODES) || (!node.has(id) && node.size >= PROPERTIES)
    if (isFull) return
    device.nodes.set(nodeId, node)
    node.set(id, property)
    if (said === undefined) delete property[word]
    else property[word] = said
    if (Object.keys(property).length === 0) node.delete(id)
  }

  #declare(id: string, { name, version, nodes, retained }: Device): void {
    const topic = `${this.#domain}/${id}`
    const described = Object.fromEntries(
      [...nodes].map(([node, properties]) => [node, { properties: Object.fromEntries(properties) }]),
    )
    this.#registry.declare({
      source: 'homie',
      key: this.#keyOf(id),
      identities: [id],
      about: { name: name ?? id, version },
      availability: [{ mode: 'all', gates: [stateGate(`${topic}/$state`)] }],
      properties: homieProperties(topic, described),
      retained,
    })
  }

  #keyOf(id: string): string {
    return `${this.#domain}/${id}/$homie`
  }
}
