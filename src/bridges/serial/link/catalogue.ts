// What a microcontroller says that it has (`GET []`, page by page), read with care: entries that make no sense are left out.

import type { Element, Json } from '../../../core/dispatch.ts'

/** One resource of a microcontroller. */
export interface Entry {
  alias: number
  path: Element[]
  /** The path in one word, `servo/3`. */
  key: string
  methods: Method[]
  /** It can be bound: its changes come by themselves. */
  canBind: boolean
  /** It happens instead of having a value (design §9.3). */
  isEvent: boolean
  unit: string | null
  range?: [min: number, max: number]
}

export type Method = (typeof METHODS)[number]

/** In the order of the bits, and of the numbers on the wire. */
export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const BIND = 32
const EVENT = 64

/** Resources of one microcontroller, elements of a path, characters of an element. */
const ENTRIES = 256
const DEPTH = 8
const ELEMENT = 64
/** Words that mean something at the root already. */
const RESERVED = ['online', 'age', 'state']

export class Catalogue {
  readonly entries: Entry[] = []
  /** Entries that were left out. */
  refused = 0
  #byKey = new Map<string, Entry>()
  #byAlias = new Map<number, Entry>()

  /**
   * Takes a page in.
   * @returns where the next one starts; `undefined`: that was the last
   */
  add(page: Json): number | undefined {
    if (!Array.isArray(page) || page.length === 0) return undefined
    let last = -1
    for (const item of page) {
      const entry = readEntry(item)
      if (Array.isArray(item) && Number.isInteger(item[0])) last = Math.max(last, item[0] as number)
      if (!entry || this.#byKey.has(entry.key) || this.#byAlias.has(entry.alias)) this.refused++
      else {
        this.entries.push(entry)
        this.#byKey.set(entry.key, entry)
        this.#byAlias.set(entry.alias, entry)
      }
    }
    return last < 0 || this.entries.length + this.refused >= ENTRIES ? undefined : last + 1
  }

  /** By a path, or by an alias. */
  find(resource: Json | undefined): Entry | undefined {
    if (typeof resource === 'number') return this.#byAlias.get(resource)
    return Array.isArray(resource) ? this.#byKey.get(resource.join('/')) : undefined
  }
}

function readEntry(item: Json): Entry | undefined {
  if (!Array.isArray(item)) return undefined
  const [alias, path, bits, unit, min, max] = item
  if (!isCount(alias) || !isCount(bits) || !isPath(path)) return undefined
  const key = path.join('/')
  if (RESERVED.includes(key)) return undefined
  const entry: Entry = {
    alias,
    path,
    key,
    methods: METHODS.filter((_, bit) => bits & (1 << bit)),
    canBind: (bits & BIND) !== 0,
    isEvent: (bits & EVENT) !== 0,
    unit: typeof unit === 'string' ? unit.slice(0, ELEMENT) || null : null,
  }
  if (typeof min === 'number' && typeof max === 'number' && min < max) entry.range = [min, max]
  return entry
}

function isCount(value: Json | undefined): value is number {
  return Number.isInteger(value) && (value as number) >= 0
}

/** Elements that would mean something in a pattern are no names. */
function isPath(value: Json | undefined): value is (string | number)[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > DEPTH) return false
  return value.every((element) =>
    typeof element === 'number' ? isCount(element) : typeof element === 'string' && NAME.test(element),
  )
}

const NAME = new RegExp(`^[^/:*.\\\\\\s][^/\\s]{0,${ELEMENT - 1}}$`)
