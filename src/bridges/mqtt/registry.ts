// The devices behind a broker and their values: what families declare becomes resources here, bounded, with the rules of
// C9 on trust, availability and change. No I/O: what has to be done is collected as effects.

import type { Clock } from '../../core/clock.ts'
import type { Json } from '../../core/dispatch.ts'
import { canonical } from '../../device/values.ts'
import { type GateState, Gates, isUp } from './availability.ts'
import type { Declaration, Effect, Property, Source } from './declaration.ts'
import { bestOf, type Held, type HeldDevice, type Listening, typeOf } from './held.ts'
import type { Message, Payload } from './payload.ts'
import { Refusals } from './refusals.ts'
import { Routes } from './routes.ts'
import { identify } from './topics.ts'

export interface RegistryLimits {
  devices: number
  /** Properties of one device, and of all. */
  perDevice: number
  properties: number
}

export const REGISTRY_LIMITS: RegistryLimits = { devices: 2000, perDevice: 256, properties: 20_000 }

/** Readings of one property, and declarations of one device. */
const READINGS = 8
const DECLARATIONS = 256
/** Words of the resources of a device that no property may have. */
const RESERVED = ['online', 'age', 'about']

export class Registry {
  readonly refusals = new Refusals()
  readonly devices = new Map<string, HeldDevice>()
  readonly routes: Routes<Listening | GateState<Held>>
  #gates: Gates<Held>
  #clock: Pick<Clock, 'now'>
  #limits: RegistryLimits
  #keys = new Map<string, HeldDevice>()
  #timed = new Set<Held>()
  /** The connection in which each was declared last. */
  #toldIn = new Map<string, number>()
  #properties = 0
  #session = 0
  #connected = false
  #effects: Effect[] = []
  /** Called with every live value. */
  #onLive: (held: Held, value: Json) => void

  /** `allow`: filters of the topics that discovery may name. */
  constructor(
    allow: string[],
    clock: Pick<Clock, 'now'>,
    limits: RegistryLimits,
    onLive: (held: Held, value: Json) => void,
  ) {
    this.#clock = clock
    this.#limits = limits
    this.#onLive = onLive
    this.routes = new Routes(allow, { topics: 2 * limits.properties, perTopic: 2 * limits.perDevice })
    this.#gates = new Gates(this.routes)
  }

  get session(): number {
    return this.#session
  }

  effect(effect: Effect): void {
    this.#effects.push(effect)
  }

  /** What has to be done since the last call. */
  take(): Effect[] {
    const { on, off } = this.routes.changes()
    const effects = this.#effects
    this.#effects = []
    if (off.length > 0) effects.push({ do: 'unsubscribe', topics: off })
    if (on.length > 0) effects.push({ do: 'subscribe', topics: on, qos: 1 })
    return effects
  }

  connected(): void {
    this.#connected = true
    this.#session++
    for (const device of this.devices.values()) this.#judge(device)
  }

  disconnected(): void {
    this.#connected = false
    for (const device of this.devices.values()) this.#judge(device)
  }

  /**
   * Takes back what the broker's memory told before this connection and hasn't told again. A source of which it tells
   * nothing at all is left alone: then it is the broker that has forgotten.
   */
  sweep(): void {
    const told = new Set<Source>()
    const stale: [key: string, source: Source][] = []
    for (const [key, { declarations }] of this.#keys) {
      const { retained, source } = declarations.get(key) as Declaration
      if (this.#toldIn.get(key) === this.#session) told.add(source)
      else if (retained) stale.push([key, source])
    }
    for (const [key, source] of stale) if (told.has(source)) this.withdraw(key)
  }

  /** Takes what a family says, in place of what it has said under the same key. */
  declare(declaration: Declaration): void {
    const { key, identities, about, source } = declaration
    const identity = identify(identities)
    const before = this.#keys.get(key)
    if (before && before.id !== identity?.id) this.withdraw(key)
    if (!identity) return this.refusals.add('id', key, `"${about.name}" has no usable id`)
    const { id, exact } = identity
    const device = this.devices.get(id) ?? this.#newDevice(id, exact, key)
    if (!device) return
    if (device.identity !== exact) {
      return this.refusals.add('id', key, `its id "${id}" belongs to another device already`)
    }
    if (device.declarations.size >= DECLARATIONS && !device.declarations.has(key)) {
      return this.refusals.add('limit', key, `more than ${DECLARATIONS} declarations for the device "${id}"`)
    }
    device.declarations.set(key, declaration)
    this.#keys.set(key, device)
    this.#toldIn.set(key, this.#session)
    const best = bestOf(device)
    if (best !== source) {
      this.refusals.add(
        'shadowed',
        key,
        `the device "${id}" is described by ${best}, which is trusted more than ${source}`,
      )
    }
    this.#rebuild(device)
  }

  /** Takes back what was said under a key. */
  withdraw(key: string): void {
    const device = this.#keys.get(key)
    if (!device) return
    this.#keys.delete(key)
    this.#toldIn.delete(key)
    device.declarations.delete(key)
    if (device.declarations.size > 0) return this.#rebuild(device)
    for (const held of [...device.held.values()]) this.#drop(held)
    this.devices.delete(device.id)
    this.effect({ do: 'gone', device: device.id })
  }

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  /** The keys that begin so. */
  keys(start: string): string[] {
    return [...this.#keys.keys()].filter((key) => key.startsWith(start))
  }

  /** A message to those who listen to its topic. */
  hear(message: Message, payload: Payload): boolean {
    let heard = false
    for (const listener of [...this.routes.get(message.topic)]) {
      heard = true
      if ('gate' in listener) {
        if (!this.#gates.hear(listener, payload)) continue
        for (const device of new Set([...listener.users].map(({ device }) => device))) this.#judge(device)
      } else this.#read(listener, message, payload)
    }
    return heard
  }

  /** A value that a family has read itself. */
  value(key: string, property: string, value: Json, retained: boolean): void {
    const device = this.#keys.get(key)
    const held = device?.held.get(property)
    if (held && device && device.declarations.get(key)?.source === bestOf(device))
      this.#set(held, value, retained)
  }

  /** Values that have become too old, and those that fall back by themselves. */
  expire(): void {
    const now = this.#clock.now()
    for (const held of this.#timed) {
      const { expireAfter, offDelay } = held.property
      const age = now - held.heardAt
      if (offDelay !== undefined && held.value === true && age >= offDelay) this.#change(held, false)
      if (expireAfter !== undefined && held.value !== undefined && !held.expired && age >= expireAfter) {
        held.expired = true
        this.#judge(held.device)
      }
    }
  }

  isOnline(held: Held): boolean {
    return this.#connected && !held.expired && isUp(held.groups)
  }

  #newDevice(id: string, identity: string, key: string): HeldDevice | undefined {
    if (this.devices.size >= this.#limits.devices) {
      this.refusals.add('limit', key, `more than ${this.#limits.devices} devices`)
      return undefined
    }
    const device = { id, identity, declarations: new Map(), held: new Map(), online: false }
    this.devices.set(id, device)
    this.effect({ do: 'appeared', device: id })
    return device
  }

  /** Makes the properties what the most trusted declarations say. Values stay where a property stays what it was. */
  #rebuild(device: HeldDevice): void {
    const wanted = this.#propertiesOf(device)
    for (const [id, held] of device.held) {
      const next = wanted.get(id)?.property
      if (!next || canonical(typeOf(next)) !== canonical(typeOf(held.property))) this.#drop(held)
    }
    for (const [id, { property, declaration }] of wanted) {
      const held = device.held.get(id) ?? this.#newHeld(device, property)
      if (!held) {
        this.refusals.add('limit', declaration.key, `no room for the property "${id}" of "${device.id}"`)
        continue
      }
      device.held.set(id, held)
      this.#listen(held, property, declaration)
    }
    this.#judge(device)
  }

  /** In the order of their keys, so that names don't depend on which came first. */
  #propertiesOf(device: HeldDevice): Map<string, { property: Property; declaration: Declaration }> {
    const best = bestOf(device)
    const wanted = new Map<string, { property: Property; declaration: Declaration }>()
    const declarations = [...device.declarations.values()].filter(({ source }) => source === best)
    for (const declaration of declarations.sort((a, b) => (a.key < b.key ? -1 : 1))) {
      for (const property of declaration.properties) {
        const id = [property.id, property.otherId ?? ''].find(
          (id) => id !== '' && !RESERVED.includes(id) && !wanted.has(id),
        )
        if (id === undefined)
          this.refusals.add('id', declaration.key, `"${property.id}" is no free name in "${device.id}"`)
        else if (wanted.size >= this.#limits.perDevice)
          this.refusals.add(
            'limit',
            declaration.key,
            `more than ${this.#limits.perDevice} properties in "${device.id}"`,
          )
        else wanted.set(id, { property: { ...property, id }, declaration })
      }
    }
    return wanted
  }

  #newHeld(device: HeldDevice, property: Property): Held | undefined {
    if (this.#properties >= this.#limits.properties) return undefined
    this.#properties++
    return {
      device,
      property,
      value: undefined,
      text: '',
      heardAt: 0,
      retained: false,
      session: -1,
      seq: 0,
      groups: [],
      listening: [],
      expired: false,
    }
  }

  #listen(held: Held, property: Property, declaration: Declaration): void {
    const { groups, listening } = held
    held.property = property
    // The new ones first: what is listened to before and after is not given up in between.
    held.listening = []
    for (const reading of property.readings.slice(0, READINGS)) {
      const listener = { held, reading }
      if (this.routes.add(reading.topic, listener, held.value === undefined)) held.listening.push(listener)
      else this.refusals.add('limit', declaration.key, `no room to listen to "${reading.topic.slice(0, 80)}"`)
    }
    const availability = [...declaration.availability, ...(property.availability ?? [])]
    const next = this.#gates.hold(held, availability)
    if (!next) this.refusals.add('limit', declaration.key, 'no room to listen to its availability')
    for (const listener of listening) this.routes.remove(listener.reading.topic, listener)
    const kept = new Set(next?.flatMap(({ gates }) => gates))
    this.#gates.release(
      held,
      groups.map(({ mode, gates }) => ({ mode, gates: gates.filter((gate) => !kept.has(gate)) })),
    )
    held.groups = next ?? []
    if (property.expireAfter !== undefined || property.offDelay !== undefined) this.#timed.add(held)
    else this.#timed.delete(held)
  }

  #drop(held: Held): void {
    for (const listener of held.listening) this.routes.remove(listener.reading.topic, listener)
    this.#gates.release(held, held.groups)
    this.#timed.delete(held)
    held.device.held.delete(held.property.id)
    this.#properties--
  }

  #read({ held, reading }: Listening, { topic, retained }: Message, payload: Payload): void {
    if (payload.bytes.length === 0 && held.property.described.type !== 'string') {
      // The memory of the topic was deleted (C1).
      held.value = undefined
      held.text = ''
      return
    }
    let value: Json | undefined
    try {
      value = reading.read(payload)
    } catch (error) {
      return this.refusals.add('value', topic, (error as Error).message)
    }
    if (value !== undefined) this.#set(held, value, retained)
  }

  #set(held: Held, value: Json, retained: boolean): void {
    const { property, device } = held
    if (property.event) {
      // What was retained has happened long ago.
      if (retained) return this.refusals.add('retained', `${device.id}/${property.id}`, 'a retained event')
      held.seq++
    }
    held.heardAt = this.#clock.now()
    held.retained = retained
    held.session = this.#session
    if (held.expired) {
      held.expired = false
      this.#judge(device)
    }
    this.#change(held, value)
    if (!retained) this.#onLive(held, value)
  }

  #change(held: Held, value: Json): void {
    const { property, device, text } = held
    held.value = value
    held.text = canonical(value)
    const report = { do: 'report', device: device.id, property: property.id } as const
    if (property.event) this.effect({ ...report, value: { value, seq: held.seq }, event: true })
    else if (held.text !== text || property.always) this.effect({ ...report, value })
  }

  /** Whether a device is online: as long as anything of it is. */
  #judge(device: HeldDevice): void {
    const online = [...device.held.values()].some((held) => this.isOnline(held))
    if (online === device.online) return
    device.online = online
    this.effect({ do: 'online', device: device.id, online })
  }
}
