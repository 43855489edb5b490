// What a broker says, turned into resources and effects (issue 5): one state, no I/O. The bridge hands in messages and
// does what comes back.

import type { Clock } from '../../core/clock.ts'
import type { Json } from '../../core/dispatch.ts'
import { JstpError, STATUS } from '../../core/status.ts'
import { type Command, PendingCommands } from './commands.ts'
import type { Effect, Family, Source } from './declaration.ts'
import { ESPHOME_TOPICS, esphome } from './esphome.ts'
import { bestOf, type Held, type HeldDevice } from './held.ts'
import { homeAssistant } from './homeassistant.ts'
import { homie } from './homie.ts'
import { type Message, Payload } from './payload.ts'
import { declarePlain, type PlainDevice } from './plain.ts'
import type { Refusal } from './refusals.ts'
import { REGISTRY_LIMITS, Registry, type RegistryLimits } from './registry.ts'
import { shelly } from './shelly.ts'
import { sparkplug } from './sparkplug.ts'
import { tasmota } from './tasmota.ts'
import { isFilter, isTopic, matches } from './topics.ts'
import { zigbee2mqtt } from './zigbee2mqtt.ts'

export interface MapperSettings {
  /** The name of the device in the configuration: the root of all resources. */
  name: string
  /** Bases of topics where they are not the usual ones. */
  bases?: { homeassistant?: string; zigbee2mqtt?: string; homie?: string }
  /** Filters of more topics that discovery may name, e.g. `sensorBedroom/#`; `#`: any. */
  allow?: string[]
  /** Devices that the owner describes. */
  devices?: Record<string, PlainDevice>
  limits?: Partial<RegistryLimits>
}

/** Bytes of a message that carries values. */
const STATE = 16_384

/** What a GET of a property answers (design §9.5). */
export type Reading = {
  value: Json
  unit: string | null
  /** Milliseconds; null: never heard. */
  age: number | null
  /** It is from the broker's memory, or from before the connection broke. */
  retained: boolean
  online: boolean
}

export class Mapper {
  #name: string
  #clock: Pick<Clock, 'now'>
  #registry: Registry
  #commands: PendingCommands
  #families: Family[]
  /** Every filter of every family. */
  #filters: string[]
  #lastHeard: number | undefined

  /** @throws {Error} when the settings can't be, saying which */
  constructor(settings: MapperSettings, clock: Pick<Clock, 'now'>) {
    const { name, bases = {}, allow = [], devices = {}, limits } = settings
    const {
      homeassistant: ha = 'homeassistant',
      zigbee2mqtt: z2m = 'zigbee2mqtt',
      homie: domain = 'homie',
    } = bases
    for (const filter of allow) {
      if (!isFilter(filter))
        throw new Error(`${name}: allow: "${filter}" is no topic filter, such as "kitchen/#"`)
    }
    for (const base of [ha, z2m, domain]) {
      if (!isTopic(base)) throw new Error(`${name}: bases: "${base}" is no topic`)
    }
    this.#name = name
    this.#clock = clock
    this.#commands = new PendingCommands((command, outcome) =>
      this.#registry.effect({ do: 'settled', command, outcome }),
    )
    const usual = [ha, z2m, domain, 'tele', 'stat', 'cmnd', 'shellies'].map((base) => `${base}/#`)
    // Tasmota's topics come in any order, but a prefix is always a level of them.
    const tasmotas = ['+/tele/#', '+/stat/#', '+/cmnd/#']
    this.#registry = new Registry(
      [...usual, ...tasmotas, ...ESPHOME_TOPICS, ...allow],
      clock,
      { ...REGISTRY_LIMITS, ...limits },
      (held, value) => this.#commands.heard(held, value),
    )
    const registry = this.#registry
    const replied = (tag: number, error?: string) => this.#commands.replied(tag, error)
    this.#families = [
      zigbee2mqtt(registry, replied, z2m),
      tasmota(registry),
      homeAssistant(registry, ha),
      homie(registry, domain),
      sparkplug(registry, clock),
      shelly(registry, replied, `hormiga-${name}`, allow),
      esphome(registry),
    ]
    this.#filters = this.#families.flatMap(({ filters }) => filters)
    const covers = this.#families.flatMap(({ covers }) => covers ?? [])
    registry.routes.cover((topic) => covers.some((filter) => matches(filter, topic)))
    declarePlain(registry, devices)
    registry.take()
  }

  /** A connection stands: what to subscribe, slice by slice, and what to ask. */
  connected(): Effect[] {
    this.#registry.connected()
    const effects: Effect[] = this.#registry.take().filter((effect) => effect.do !== 'subscribe')
    // At QoS 0: a broker keeps a short queue for the others, and drops silently what is beyond it (measured:
    // mosquitto delivers 1,020 of 10,000 retained topics at QoS 1, and all of them at QoS 0).
    for (const filter of this.#filters) effects.push({ do: 'subscribe', topics: [filter], qos: 0 })
    effects.push({ do: 'subscribe', topics: this.#registry.routes.all(), qos: 1 })
    for (const publication of this.#families.flatMap(({ ask }) => ask?.() ?? [])) {
      effects.push({ do: 'publish', ...publication })
    }
    return effects
  }

  disconnected(): Effect[] {
    this.#registry.disconnected()
    return this.#registry.take()
  }

  message(message: Message): Effect[] {
    const { topic } = message
    const payload = new Payload(message.payload)
    const size = message.payload.length
    this.#lastHeard = this.#clock.now()
    for (const family of this.#families) {
      const most = family.claims(topic)
      if (most === 0) continue
      if (size > most) this.#tooLarge(topic, size, most)
      else family.read(message, payload)
    }
    if (size <= STATE) this.#registry.hear(message, payload)
    else if (this.#registry.routes.has(topic)) this.#tooLarge(topic, size, STATE)
    return this.#registry.take()
  }

  /** What time alone changes. To be called every few seconds. */
  tick(): Effect[] {
    this.#registry.expire()
    return this.#registry.take()
  }

  /** All that retained discovery had to say after a connection has been said: what it no longer tells of is gone. */
  settled(): Effect[] {
    this.#registry.sweep()
    return this.#registry.take()
  }

  /**
   * The command for a PUT; `published`, then an effect `settled` follow it, or `forget`.
   * @throws {JstpError} 404 no such property, or not settable; 500 `offline`; 400 `range`, `busy`
   */
  put(device: string, property: string, body: Json | undefined): Command {
    const held = this.#find(device, property)
    const where = `${this.#name}/${device}/${property}`
    if (!held.property.setter) throw new JstpError(STATUS.NOT_FOUND, `${where} can't be set`)
    if (!this.#registry.isOnline(held)) throw this.#offline(where)
    return this.#commands.begin(held, body, where)
  }

  /** The broker has taken a command. */
  published(command: number): Effect[] {
    this.#commands.published(command)
    return this.#registry.take()
  }

  forget(command: number): void {
    this.#commands.forget(command)
  }

  /** @throws {JstpError} 404 no such property; 500 `offline` when nothing is known of it and it isn't there */
  get(device: string, property: string): Reading {
    const held = this.#find(device, property)
    const online = this.#registry.isOnline(held)
    if (held.value === undefined && !online) throw this.#offline(`${this.#name}/${device}/${property}`)
    return {
      value: held.value ?? null,
      unit: held.property.described.unit ?? null,
      age: this.#ageOf(held),
      retained: held.value !== undefined && (held.retained || held.session !== this.#registry.session),
      online,
    }
  }

  /** A whole device: `{ online, age, about, …properties }`. @throws {JstpError} 404 */
  device(id: string): { [key: string]: Json } {
    const device = this.#device(id)
    const values = [...device.held].map(([name, { value }]) => [name, value ?? null])
    const ages = [...device.held.values()].flatMap((held) => this.#ageOf(held) ?? [])
    const age = ages.length > 0 ? Math.min(...ages) : null
    return Object.fromEntries([['online', device.online], ['age', age], ['about', this.about(id)], ...values])
  }

  /** Who it is, for people. */
  about(id: string): { [key: string]: Json } {
    const device = this.#device(id)
    const source: Source = bestOf(device)
    const { about } =
      [...device.declarations.values()].find((declaration) => declaration.source === source) ?? {}
    return JSON.parse(JSON.stringify({ ...about, source }))
  }

  /** Every device and whether it is online. */
  devices(): { [id: string]: Json } {
    return Object.fromEntries(
      [...this.#registry.devices].map(([id, { online }]) => [
        id,
        { name: this.about(id).name ?? id, online },
      ]),
    )
  }

  /** What every property of a device is, as the directory lists it. */
  describe(id: string): { [property: string]: Json } {
    return Object.fromEntries(
      [...this.#device(id).held].map(([name, { property }]) => {
        const { described, setter, event } = property
        const methods = setter ? ['GET', 'PUT', 'BIND'] : ['GET', 'BIND']
        return [name, JSON.parse(JSON.stringify({ methods, ...described, event })) as Json]
      }),
    )
  }

  /** Milliseconds since anything was heard; null: never. */
  get age(): number | null {
    return this.#lastHeard === undefined ? null : Math.round(this.#clock.now() - this.#lastHeard)
  }

  refused(): { list: Refusal[]; counts: Record<string, number> } {
    const { refusals } = this.#registry
    return { list: refusals.list(), counts: refusals.counts() }
  }

  #tooLarge(topic: string, size: number, most: number): void {
    this.#registry.refusals.add('size', topic, `${size} bytes are more than ${most}`)
  }

  #device(id: string): HeldDevice {
    const device = this.#registry.devices.get(id)
    if (!device) throw new JstpError(STATUS.NOT_FOUND, `${this.#name} has no device "${id.slice(0, 64)}"`)
    return device
  }

  #find(device: string, property: string): Held {
    const held = this.#device(device).held.get(property)
    if (held) return held
    throw new JstpError(
      STATUS.NOT_FOUND,
      `${this.#name}/${device} has no property "${property.slice(0, 64)}"`,
    )
  }

  #ageOf(held: Held): number | null {
    return held.value === undefined ? null : Math.round(this.#clock.now() - held.heardAt)
  }

  #offline(where: string): JstpError {
    return new JstpError(STATUS.FAILED, `${where} is offline: the device or what connects it has said so`, {
      code: 'offline',
    })
  }
}
