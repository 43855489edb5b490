// One of our devices as Home Assistant sees it: its discovery, its topics, and what is to be published when something of
// it changes. One state, no I/O.

import { createHash } from 'node:crypto'
import type { Element, Json } from '../../../core/dispatch.ts'
import { type Data, isData, text } from '../payload.ts'
import { slug } from '../topics.ts'
import type { Described } from './described.ts'
import { type Entity, type Export, entitiesFor, valueFor } from './entities.ts'
import type { Told } from './outbox.ts'
import { clip, readChoice, showText, UNKNOWN } from './payloads.ts'

/** Of this engine at the broker: its topics, and where its discovery is. */
export interface Place {
  /** `N` of design §9.23. */
  node: string
  prefix: string
  version: string
}

export interface About {
  name: string
  /** Of the entry of its root. */
  title: string
}

const STATUS_WORDS = { up: 'online', down: 'offline' }
/** Letters of the attributes of an entity. */
const ATTRIBUTES = 4096
/** Components that were published once and have to be taken back. */
const FORMER = 256

/** Why the last command was refused, for people: an MQTT command has no answer. */
const REFUSAL: Entity = {
  id: 'last_refusal',
  platform: 'sensor',
  config: { name: 'Last refusal', entity_category: 'diagnostic' },
  show: showText,
}

export function baseOf({ node }: Pick<Place, 'node'>): string {
  return `hormiga/${node}`
}

/** Says whether this engine is there; its will says that it is not. */
export function statusOf(place: Pick<Place, 'node'>, isUp: boolean): Told {
  return { topic: `${baseOf(place)}/status`, payload: STATUS_WORDS[isUp ? 'up' : 'down'], retain: true }
}

/** Below this our discovery is, and nobody else's. */
export function discoveryBase({ prefix, node }: Place): string {
  return `${prefix}/device/hormiga-${node}`
}

export class HomeDevice {
  readonly name: string
  readonly discoveryTopic: string
  readonly omitted: Export['omitted']
  /** Nothing is known of what it has: it could not be started, or was never connected. What the broker keeps stays. */
  readonly isBlank: boolean
  online = false
  #place: Place
  #about: About
  #entities: Entity[]
  #base: string
  #id: string
  #values = new Map<string, Json>()
  /** By entity: what was chosen for an action. */
  #chosen = new Map<string, string | number>()
  #former = new Map<string, string>()
  #refusal: { message: string; more: Data } | undefined

  constructor(place: Place, about: About, entries: Described[]) {
    const word = wordOf(about.name)
    const { entities, omitted } = entitiesFor(entries)
    this.name = about.name
    this.omitted = omitted
    this.isBlank = entries.length === 0
    this.discoveryTopic = `${discoveryBase(place)}/${word}/config`
    this.#place = place
    this.#about = about
    this.#entities = [...entities, REFUSAL]
    this.#base = `${baseOf(place)}/${word}`
    this.#id = `hormiga_${place.node}_${word}`
  }

  /** Entities by the topics of their commands. */
  get commands(): Map<string, Entity> {
    const settable = this.#entities.filter(({ command }) => command)
    return new Map(settable.map((entity) => [this.#topic(entity, 'set'), entity]))
  }

  /** What has to be read to know all states. */
  get paths(): Element[][] {
    const heard = this.#entities.flatMap(({ source, event }) => (source && !event ? [source.path] : []))
    return [...new Map(heard.map((path) => [keyOf(path), path])).values()]
  }

  knows(path: Element[]): boolean {
    return this.#values.has(keyOf(path))
  }

  discovery(): Told[] {
    if (this.isBlank) return []
    const { name, title } = this.#about
    const components = Object.fromEntries([
      // A component of nothing but its platform is taken back.
      ...[...this.#former].map(([id, platform]) => [id, { platform }]),
      ...this.#entities.map((entity) => [entity.id, this.#component(entity)]),
    ])
    const payload = {
      device: { identifiers: [this.#id], name, model: title },
      origin: { name: 'hormiga', sw_version: this.#place.version },
      availability: [{ topic: statusOf(this.#place, true).topic }, { topic: this.#status().topic }],
      availability_mode: 'all',
      qos: 1,
      components,
    }
    return [{ topic: this.discoveryTopic, payload: JSON.stringify(payload), retain: true }]
  }

  /** Whether it is there, and all states. */
  states(): Told[] {
    if (this.isBlank) return [this.#status()]
    return [this.#status(), ...this.#entities.flatMap((entity) => this.#state(entity))]
  }

  /** What takes it out of Home Assistant and out of the broker's memory. */
  withdrawal(): Told[] {
    const topics = [this.discoveryTopic, this.#status().topic, ...this.states().map(({ topic }) => topic)]
    return [...new Set(topics)].map((topic) => ({ topic, payload: '', retain: true }))
  }

  become(online: boolean): Told[] {
    this.online = online
    return [this.#status()]
  }

  /** A point has a value, or an event has happened. */
  heard(path: Element[], value: Json): Told[] {
    const key = keyOf(path)
    const mine = this.#entities.filter(({ source }) => source && keyOf(source.path) === key)
    if (mine.length === 0) return []
    const before = this.#options()
    if (mine.some(({ event }) => !event)) this.#values.set(key, value)
    const told = mine.flatMap((entity) =>
      entity.event
        ? [{ topic: this.#topic(entity, 'state'), payload: entity.show(value), retain: false }]
        : this.#state(entity),
    )
    return before === this.#options() ? told : [...this.discovery(), ...told]
  }

  /** The choice that a button needs. @throws {Error} when there is none */
  chosen(id: string): string | number {
    const chosen = this.#chosen.get(id)
    const entity = this.#entities.find((one) => one.id === id) as Entity
    if (chosen === undefined || !this.#choicesOf(entity).includes(chosen)) {
      throw new Error(`choose "${entity.config.name}" first`)
    }
    return chosen
  }

  /** @throws {Error} when there is no such choice */
  choose(entity: Entity, payload: string): Told[] {
    this.#chosen.set(entity.id, readChoice(payload, this.#choicesOf(entity)))
    return this.#state(entity)
  }

  /** A command was refused: why, and the state as it still is, for who has shown another one already. */
  refused(entity: Entity, message: string, more: Data): Told[] {
    this.#refusal = { message: clip(message), more: { command: entity.id, ...more } }
    return [...this.#state(REFUSAL), ...(entity.event ? [] : this.#state(entity))]
  }

  /** What was published in former times under its topic: what it doesn't have now is taken back. True: something is. */
  replace(components: Data): boolean {
    if (this.isBlank) return false
    const before = this.#former.size
    for (const [id, component] of Object.entries(components)) {
      const platform = isData(component) ? text(component.platform, 32) : undefined
      const isOurs = /^[a-z0-9_-]{1,128}$/.test(id) && platform !== undefined && /^[a-z_]+$/.test(platform)
      if (!isOurs || this.#former.size >= FORMER || this.#entities.some((entity) => entity.id === id))
        continue
      this.#former.set(id, platform)
    }
    return this.#former.size > before
  }

  /** It is described anew: what is known of it stays, and components that are no more have to be taken back. */
  inherit(before: HomeDevice): void {
    this.online = before.online
    for (const [key, value] of before.#values) this.#values.set(key, value)
    for (const [id, chosen] of before.#chosen) this.#chosen.set(id, chosen)
    if (before.isBlank) return
    for (const [id, platform] of before.#former) this.replace({ [id]: { platform } })
    for (const { id, platform } of before.#entities) this.replace({ [id]: { platform } })
  }

  #component(entity: Entity): Data {
    const { id, platform, config, command, attributes, choices } = entity
    return {
      platform,
      unique_id: `${this.#id}_${id}`,
      ...config,
      ...(choices && { options: this.#choicesOf(entity).map(String) }),
      ...(isShown(entity) && { state_topic: this.#topic(entity, 'state') }),
      ...((attributes || entity === REFUSAL) && {
        json_attributes_topic: this.#topic(entity, 'attributes'),
      }),
      ...(command && { command_topic: this.#topic(entity, 'set') }),
    }
  }

  #state(entity: Entity): Told[] {
    if (!isShown(entity) || entity.event) return []
    const kept = (what: 'state' | 'attributes', payload: string): Told => ({
      topic: this.#topic(entity, what),
      payload,
      retain: true,
    })
    if (entity === REFUSAL) {
      const { message, more } = this.#refusal ?? { message: UNKNOWN, more: {} }
      return [kept('attributes', JSON.stringify(more)), kept('state', message)]
    }
    if (entity.choices) {
      const chosen = this.#chosen.get(entity.id)
      const isThere = chosen !== undefined && this.#choicesOf(entity).includes(chosen)
      return [kept('state', isThere ? String(chosen) : UNKNOWN)]
    }
    const value = this.#valueOf(entity)
    const told = [kept('state', entity.show(value))]
    if (!entity.attributes) return told
    const attributes = JSON.stringify(entity.attributes(value))
    return [kept('attributes', attributes.length > ATTRIBUTES ? '{}' : attributes), ...told]
  }

  #valueOf(entity: Entity): Json {
    return valueFor(entity, this.#values.get(keyOf(entity.source?.path ?? [])) ?? null)
  }

  #choicesOf(entity: Entity): (string | number)[] {
    return entity.choices?.(this.#valueOf(entity)).slice(0, 256) ?? []
  }

  /** All that can be chosen, to tell a change. */
  #options(): string {
    return JSON.stringify(
      this.#entities.flatMap((entity) => (entity.choices ? [this.#choicesOf(entity)] : [])),
    )
  }

  #status(): Told {
    return { ...statusOf(this.#place, this.online), topic: `${this.#base}/status` }
  }

  #topic({ id }: Entity, what: 'state' | 'set' | 'attributes'): string {
    return `${this.#base}/${id}/${what}`
  }
}

function isShown(entity: Entity): boolean {
  return entity.source !== undefined || entity.choices !== undefined || entity === REFUSAL
}

function keyOf(path: Element[]): string {
  return JSON.stringify(path)
}

/** A name as a level of topics that Home Assistant takes; two names never become one. */
function wordOf(name: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(name)) return name
  return `${slug(name)}-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`
}
