// `["engine","directory"]` as the page needs it: things with points and actions.

import type { Element, Json } from '../core/dispatch.ts'

/** A point, a field of a body, or an action: as in the profile of the device. */
export interface Entry {
  resource: Element[]
  methods: string[]
  description: string
  type?: string | string[]
  unit?: string
  range?: [min: number, max: number]
  values?: (string | number | boolean)[]
  fields?: Record<string, Field>
  body?: Record<string, Field>
  event?: boolean
  /** Overtakes everything: `stop`. */
  urgent?: boolean
}

export type Field = Pick<Entry, 'type' | 'unit' | 'range' | 'values' | 'description'> & {
  pattern?: string
  required?: boolean
}

export interface Thing {
  name: string
  title: string
  points: Entry[]
  actions: Entry[]
}

/** The first type that it may have. Things that describe themselves say none, but what has a unit is a number. */
export function typeOf({ type, unit, range }: Pick<Field, 'type' | 'unit' | 'range'>): string {
  return [type ?? (unit || range ? 'number' : 'any')].flat()[0] as string
}

export function isNumeric(field: Pick<Field, 'type' | 'unit' | 'range'>): boolean {
  return /^(integer|number)$/.test(typeOf(field))
}

export function isSettable({ methods }: Entry): boolean {
  return methods.includes('PUT')
}

export function readThings(entries: Entry[]): Thing[] {
  const things = new Map<string, Thing>()
  for (const entry of entries) {
    const [first, point] = entry.resource
    if (first === undefined || first === 'engine') continue
    const root = String(first)
    const thing = things.get(root) ?? { name: root, title: '', points: [], actions: [] }
    things.set(root, thing)
    if (point === undefined) thing.title = entry.description.replace(/: all there is to know$/, '')
    else if (entry.methods.includes('POST')) thing.actions.push(entry)
    // Something that is done can be a state too: the stop of a robot, that holds until it is taken back.
    if (point !== undefined && (isSettable(entry) || !entry.methods.includes('POST')))
      thing.points.push(entry)
  }
  return [...things.values()]
}

/** `{name: …}` of what may be anything. */
export function fieldsOf(value: Json | undefined): { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}
