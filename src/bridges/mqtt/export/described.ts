// What the export reads of a resource: its entry in `["engine","directory"]`, and what shape its values have.

import type { Element, Json } from '../../../core/dispatch.ts'
import type { Field } from '../../../device/profile.ts'
import { type Data, isData } from '../payload.ts'

/** A point, or an action if it takes POST. */
export interface Described extends Field {
  resource: Element[]
  methods: string[]
  event?: true
  body?: Record<string, Field>
  urgent?: true
}

export type Shape = 'boolean' | 'number' | 'choice' | 'text' | 'list' | 'object' | 'other'

const TYPES: Record<string, Shape> = {
  boolean: 'boolean',
  integer: 'number',
  number: 'number',
  string: 'text',
  list: 'list',
  object: 'object',
}

/** The entries of one device that are well-formed, without that of its root. */
export function entriesOf(directory: Json | undefined, device: string): Described[] {
  const list = Array.isArray(directory) ? directory : []
  return list.flatMap((entry) => {
    if (!isData(entry) || !Array.isArray(entry.resource) || !Array.isArray(entry.methods)) return []
    const [root, ...path] = entry.resource
    return root === device && path.length > 0 ? [entry as unknown as Described] : []
  })
}

export function shapeOf({ type, values }: Pick<Field, 'type' | 'values'>): Shape {
  if (values && values.length > 0) return 'choice'
  const shapes = new Set([type].flat().map((one) => TYPES[one ?? ''] ?? 'other'))
  const [only = 'other'] = shapes
  return shapes.size === 1 ? only : 'other'
}

/** `autoOff`, `auto-off` and `auto_off` as people read them. */
export function wordsOf(id: string): string {
  const words = id
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[-_]+/g, ' ')
    .trim()
    .toLowerCase()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** Names of what is in a list, or of the entries of an object. */
export function namesIn(value: Json | undefined): string[] {
  if (isData(value)) return Object.keys(value)
  return Array.isArray(value) ? value.flatMap((one) => nameOf(one)) : []
}

function nameOf(one: Json): string[] {
  if (typeof one === 'string' || typeof one === 'number') return [String(one)]
  return isData(one) && typeof (one as Data).name === 'string' ? [(one as Data).name as string] : []
}
