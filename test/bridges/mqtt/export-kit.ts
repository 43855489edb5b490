// An engine with devices that are exported; and a Home Assistant, which knows nothing of us but what discovery says.

import { deviceEntries, type Entry } from '../../../src/app/directory.ts'
import type { Broker, BrokerEvents } from '../../../src/bridges/mqtt/broker.ts'
import { type Home, startHome } from '../../../src/bridges/mqtt/export/index.ts'
import type { Data } from '../../../src/bridges/mqtt/payload.ts'
import type { Json } from '../../../src/core/dispatch.ts'
import type { Env } from '../../../src/core/env.ts'
import {
  type Device,
  type Profile,
  type Simulator,
  simulatedLink,
  startDevice,
} from '../../../src/device/index.ts'
import { Engine } from '../../../src/index.ts'

export const NODE = '0123456789abcdef0123456789abcdef'

/** An engine that says of its devices what the program says. */
export class House {
  readonly engine: Engine
  readonly devices = new Map<string, { device: Pick<Device, 'status' | 'close'>; entries: Entry[] }>()
  #env: Env
  #owner: ReturnType<Engine['own']>

  constructor(env: Env) {
    this.#env = env
    this.engine = new Engine({ env, name: 'cocina', answerTimeout: 3000 })
    this.#owner = this.engine.own('engine')
    this.#owner.handle('GET', ['devices'], () => this.#status())
    this.#owner.handle('GET', ['directory'], () =>
      [...this.devices.values()].flatMap(({ entries }) => entries),
    )
  }

  /** `entries`: what it says it has, if that is not its profile. */
  add(name: string, profile: Profile, machine: Simulator, entries = deviceEntries(name, profile)): Device {
    const { clock, log } = this.#env
    const device = startDevice({
      name,
      profile,
      link: simulatedLink(machine, clock),
      owner: this.engine.own(name),
      clock,
      log,
      answerTimeout: 3000,
      onChange: () => this.changed(),
    })
    this.devices.set(name, { device, entries })
    this.changed()
    return device
  }

  /** Something that only has a status. */
  pretend(name: string, medium: string, state: string, entries: Entry[] = []): void {
    const status = { name, medium, state, profile: 'x' } as unknown as ReturnType<Device['status']>
    this.devices.set(name, { device: { status: () => status, close: async () => {} }, entries })
    this.changed()
  }

  async remove(name: string): Promise<void> {
    const one = this.devices.get(name)
    this.devices.delete(name)
    await one?.device.close()
    this.changed()
  }

  changed(): void {
    this.#owner.report(['devices'], this.#status())
  }

  export(broker: Pick<Broker, 'open' | 'isUp' | 'subscribe' | 'publish' | 'close'>, more: object = {}): Home {
    return startHome({ engine: this.engine, broker, env: this.#env, node: NODE, version: '1.2.3', ...more })
  }

  async close(): Promise<void> {
    for (const name of [...this.devices.keys()]) await this.remove(name)
    await this.engine.close(0)
  }

  #status(): Json {
    return Object.fromEntries([...this.devices].map(([name, { device }]) => [name, device.status()]))
  }
}

/** A broker in memory, that keeps what is to be kept and writes down what it is told. */
export class FakeBroker {
  isUp = false
  readonly kept = new Map<string, string>()
  readonly log: { topic: string; payload: string; retain: boolean; qos: number }[] = []
  readonly subscribed: string[] = []
  #events: BrokerEvents | undefined

  open(events: BrokerEvents): void {
    this.#events = events
  }

  async subscribe(topics: string[]): Promise<number> {
    this.subscribed.push(...topics)
    return 0
  }

  async publish(said: {
    topic: string
    payload: string | Uint8Array
    qos: 0 | 1
    retain?: boolean
  }): Promise<void> {
    const { topic, qos, retain = false } = said
    const payload = String(said.payload)
    this.log.push({ topic, payload, retain, qos })
    if (!retain) return
    if (payload === '') this.kept.delete(topic)
    else this.kept.set(topic, payload)
  }

  async close(): Promise<void> {
    this.isUp = false
  }

  up(): void {
    this.isUp = true
    this.#events?.up(5)
  }

  down(): void {
    this.isUp = false
    this.#events?.down('gone')
  }

  say(topic: string, payload: string | Uint8Array, retained = false): void {
    const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload
    this.#events?.message({ topic, payload: bytes, retained, qos: 1 })
  }
}

interface Entity {
  platform: string
  config: Record<string, Json>
  availability: { topic: string }[]
  mode: string
}

/** Short names as Home Assistant lists them; only those that a device's discovery could have here. */
const SHORT: Record<string, string> = {
  dev: 'device',
  o: 'origin',
  cmps: 'components',
  p: 'platform',
  avty: 'availability',
  avty_mode: 'availability_mode',
  t: 'topic',
  stat_t: 'state_topic',
  cmd_t: 'command_topic',
  json_attr_t: 'json_attributes_topic',
  uniq_id: 'unique_id',
  ops: 'options',
  pl_prs: 'payload_press',
  pl_on: 'payload_on',
  pl_off: 'payload_off',
}

/** What Home Assistant makes of what it hears, by unique id; and what it sends when somebody uses it. */
export class HomeAssistant {
  readonly entities = new Map<string, Entity>()
  readonly configs = new Map<string, Data>()
  readonly values = new Map<string, string>()
  readonly events: Data[] = []
  /** How often a state has come, by topic. */
  readonly counts = new Map<string, number>()
  #publish: (topic: string, payload: string) => void

  constructor(publish: (topic: string, payload: string) => void) {
    this.#publish = publish
  }

  hear(topic: string, payload: string): void {
    const [prefix, kind, ...rest] = topic.split('/')
    this.counts.set(topic, (this.counts.get(topic) ?? 0) + 1)
    if (prefix === 'homeassistant' && kind === 'device' && rest.at(-1) === 'config')
      return this.#config(topic, payload)
    this.values.set(topic, payload)
    const event = [...this.entities.values()].find(
      ({ platform, config }) => platform === 'event' && config.state_topic === topic,
    )
    if (event && payload) this.events.push(JSON.parse(payload))
  }

  /** An entity by the end of its unique id. */
  find(end: string): Entity {
    const found = [...this.entities].find(([id]) => id.endsWith(`_${end}`))?.[1]
    if (!found) throw new Error(`there is no entity ${end}: ${[...this.entities.keys()].join(' ')}`)
    return found
  }

  has(end: string): boolean {
    return [...this.entities.keys()].some((id) => id.endsWith(`_${end}`))
  }

  state(end: string): string | undefined {
    if (!this.has(end)) return undefined
    if (!this.isAvailable(end)) return 'unavailable'
    return this.values.get(String(this.find(end).config.state_topic))
  }

  attributes(end: string): Data {
    return JSON.parse(this.values.get(String(this.find(end).config.json_attributes_topic)) ?? '{}')
  }

  isAvailable(end: string): boolean {
    const { availability, mode } = this.find(end)
    const up = availability.map(({ topic }) => this.values.get(topic) === 'online')
    return mode === 'all' ? up.every(Boolean) : up.some(Boolean)
  }

  /** Somebody uses an entity: `turn_on`, `turn_off`, `press`, or a value that is set. */
  use(end: string, what: 'turn_on' | 'turn_off' | 'press' | { set: string }): void {
    const { platform, config } = this.find(end)
    const words: Record<string, Json | undefined> = {
      turn_on: config.payload_on ?? 'ON',
      turn_off: config.payload_off ?? 'OFF',
      press: config.payload_press ?? 'PRESS',
    }
    const payload = typeof what === 'string' ? words[what] : what.set
    if (platform === 'select' && !(config.options as Json[]).includes(payload as string))
      throw new Error(`${payload} is no option of ${end}: ${config.options}`)
    this.#publish(String(config.command_topic), String(payload))
  }

  #config(topic: string, payload: string): void {
    const before = this.configs.get(topic)
    for (const component of Object.values((before?.components ?? {}) as Record<string, Data>))
      this.entities.delete(String(component.unique_id))
    this.configs.delete(topic)
    if (payload === '') return
    const root = long(JSON.parse(payload))
    const components = Object.entries(root.components as Record<string, Data>)
    const { components: _, device: __, origin: ___, ...shared } = root
    this.configs.set(topic, {
      ...root,
      components: Object.fromEntries(components.map(([id, one]) => [id, long(one)])),
    })
    for (const [, component] of components) {
      const config = based({ ...shared, ...long(component) })
      if (Object.keys(long(component)).length === 1) continue
      this.entities.set(String(config.unique_id), {
        platform: String(config.platform),
        config,
        availability: (config.availability as Data[]).map((one) => ({ topic: String(long(one).topic) })),
        mode: String(config.availability_mode ?? 'latest'),
      })
    }
  }
}

function long(data: Data): Data {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [SHORT[key] ?? key, value]))
}

function based(config: Data): Data {
  const base = config['~']
  if (typeof base !== 'string') return config
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      key.endsWith('topic') && typeof value === 'string' ? value.replace(/^~|~$/, base) : value,
    ]),
  )
}
