// From what a directory lists of a device to the entities that Home Assistant gets: points by their kind, objects field by
// field, actions as buttons. What can't be said in its words is left out, with the reason.

import type { Element, Json } from '../../../core/dispatch.ts'
import type { Field } from '../../../device/profile.ts'
import { type Data, isData } from '../payload.ts'
import { slug } from '../topics.ts'
import { type Described, namesIn, shapeOf, wordsOf } from './described.ts'
import { ALARMS, type Kind, READ, SET, type SettableKind, unitInName } from './kinds.ts'
import { PRESS, showEvent } from './payloads.ts'

/** What a message on a command topic means. */
export type Command =
  | { do: 'write'; method: 'PUT' | 'PATCH'; path: Element[]; read(payload: string): Json }
  /** Nothing is done yet: it is kept for the button that needs it. */
  | { do: 'choose' }
  /** `choice`: the entity whose choice is the body's field `field`. */
  | { do: 'act'; path: Element[]; urgent: boolean; choice?: string; field?: string }

export interface Entity {
  /** Unique in its device: part of its topics and of its unique id. */
  id: string
  platform: string
  /** Its discovery without topics and unique id. */
  config: Data
  /** Where its state comes from; `undefined`: it has none. `field`: of an object. */
  source?: { path: Element[]; field?: string }
  /** It happens: every report is told, and none is kept. */
  event?: true
  show(value: Json): string
  attributes?(value: Json): Data
  command?: Command
  /** Of a choice for an action: what there is to choose from, by the value of its source. */
  choices?(value: Json): (string | number)[]
}

export interface Export {
  entities: Entity[]
  /** What is left out, and why. */
  omitted: { id: string; why: string }[]
}

/** Entities of one device. */
export const ENTITIES = 128

export function entitiesFor(entries: Described[]): Export {
  const made: Export = { entities: [], omitted: [] }
  const taken = new Set<string>()
  for (const entry of entries) {
    const { entities, why } = entry.methods.includes('POST') ? ofAction(entry, entries) : ofPoint(entry)
    if (why) made.omitted.push({ id: idOf(pathOf(entry)), why })
    for (const entity of entities) {
      const problem = taken.has(entity.id)
        ? 'its id is that of another one'
        : made.entities.length >= ENTITIES
          ? `more than ${ENTITIES} entities of one device`
          : undefined
      if (problem) made.omitted.push({ id: entity.id, why: problem })
      else made.entities.push(entity)
      taken.add(entity.id)
    }
  }
  return made
}

type Made = { entities: Entity[]; why?: string }

function ofPoint(entry: Described): Made {
  const path = pathOf(entry)
  const shape = shapeOf(entry)
  const { methods } = entry
  if (entry.event) return { entities: [ofEvent(entry, path)] }
  if (shape === 'object') return ofObject(entry, path)
  const isAlarms = shape === 'list' && path.at(-1) === 'alarms'
  const settable = methods.includes('PUT') ? SET[shape] : undefined
  const kind = settable ?? (isAlarms ? ALARMS : READ[shape])
  if (!kind || (!settable && !methods.includes('GET'))) {
    return { entities: [], why: `there is no entity for a ${shape} that takes ${methods.join(', ')}` }
  }
  const command = settable && write('PUT', path, settable.read(entry))
  return { entities: [ofField(entry, path, kind, { isHeard: methods.includes('GET'), command })] }
}

/** An object becomes what its fields are. */
function ofObject({ fields, methods }: Described, path: Element[]): Made {
  if (!fields) return { entities: [], why: 'an object whose fields are not described' }
  const isHeard = methods.includes('GET')
  const entities = Object.entries(fields).flatMap(([name, field]): Entity[] => {
    const shape = shapeOf(field)
    const settable = methods.includes('PATCH') ? SET[shape] : undefined
    const kind: Kind | SettableKind | undefined = settable ?? READ[shape]
    if (!kind || (!settable && !isHeard)) return []
    const command = settable && write('PATCH', path, (payload) => ({ [name]: settable.read(field)(payload) }))
    const entity = ofField(field, path, kind, { isHeard, command, field: name })
    return [command ? { ...entity, config: { ...entity.config, entity_category: 'config' } } : entity]
  })
  return { entities }
}

function ofField(
  described: Field,
  path: Element[],
  kind: Kind,
  { isHeard, command, field }: { isHeard: boolean; command?: Command; field?: string },
): Entity {
  const whole = field === undefined ? path : [...path, field]
  const name = wordsOf(whole.join(' ')) + unitInName(described, shapeOf(described))
  return {
    id: idOf(whole),
    platform: kind.platform,
    config: { name, ...kind.config(described) },
    ...(isHeard && { source: { path, ...(field !== undefined && { field }) } }),
    show: kind.show(described),
    ...(kind.attributes && { attributes: kind.attributes }),
    ...(command && { command }),
  }
}

/** Its types: the values that it may have, and one for all else. */
function ofEvent({ values = [] }: Described, path: Element[]): Entity {
  const types = [...values.map(String), idOf(path)]
  return {
    id: idOf(path),
    platform: 'event',
    config: { name: wordsOf(path.join(' ')), event_types: types },
    source: { path },
    event: true,
    show: (report) => showEvent(report, types),
  }
}

/**
 * An action is a button. Where it can't do without one thing, and what that may be is known (from its values, or because
 * a point has the name of the field in plural and lists them), the thing is chosen first.
 */
function ofAction({ body = {}, resource, urgent }: Described, entries: Described[]): Made {
  const path = resource.slice(1)
  const id = idOf(path)
  const button = (more: { choice?: string; field?: string } = {}): Entity => ({
    id,
    platform: 'button',
    config: { name: wordsOf(path.join(' ')), payload_press: PRESS },
    show: () => '',
    command: { do: 'act', path, urgent: urgent === true, ...more },
  })
  const needed = Object.entries(body).filter(([, { required }]) => required)
  const [first] = needed
  if (!first) return { entities: [button()] }
  const [field, { values }] = first
  const point = entries.find(
    (entry) => pathOf(entry).join('/') === [...path.slice(0, -1), `${field}s`].join('/'),
  )
  if (needed.length > 1 || (!values && !point)) {
    const names = needed.map(([name]) => name).join(', ')
    return { entities: [], why: `it needs ${names}, and Home Assistant has no way to say that` }
  }
  const choice: Entity = {
    id: `${id}-${slug(field)}`,
    platform: 'select',
    config: { name: wordsOf(field) },
    ...(!values && point && { source: { path: pathOf(point) } }),
    show: () => '',
    choices: (value) => values ?? namesIn(value),
    command: { do: 'choose' },
  }
  return { entities: [choice, button({ choice: choice.id, field })] }
}

function write(method: 'PUT' | 'PATCH', path: Element[], read: (payload: string) => Json): Command {
  return { do: 'write', method, path, read }
}

function pathOf({ resource }: Described): Element[] {
  return resource.slice(1)
}

/** A word for topics and unique ids. */
function idOf(path: Element[]): string {
  return path.map((element) => slug(String(element))).join('-')
}

/** What an entity takes of the value of its source. */
export function valueFor({ source }: Entity, value: Json): Json {
  if (source?.field === undefined) return value
  return isData(value) && Object.hasOwn(value, source.field) ? (value[source.field] ?? null) : null
}
