// Reads one table of a settings file key by key. What is wrong is collected, never thrown; who has asked for everything it
// knows learns of the keys that are left.

import { suggest } from '../core/suggest.ts'
import type { Table } from './toml.ts'

/** What is allowed, for people, and the value if it fits. */
export interface Kind<T> {
  title: string
  read(value: unknown): T | undefined
}

const LETTERS = 40

export class Section {
  readonly problems: string[] = []
  readonly #table: Table
  readonly #path: string
  readonly #known: string[] = []

  /** @param path such as `hormiga.toml: wifi` */
  constructor(table: Table, path: string) {
    this.#table = table
    this.#path = path
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#table, key)
  }

  /** The value; `undefined`: there is none, or it does not fit, which is a problem then. */
  get<T>(key: string, kind: Kind<T>): T | undefined {
    this.#known.push(key)
    if (!this.has(key)) return undefined
    const value = kind.read(this.#table[key])
    if (value === undefined) this.refuse(key, `expected ${kind.title}`)
    return value
  }

  /** The same where there must be one. @param why it is needed */
  must<T>(key: string, kind: Kind<T>, why: string): T | undefined {
    if (!this.has(key)) this.refuse(key, `is missing: ${why}. Expected ${kind.title}`)
    return this.get(key, kind)
  }

  refuse(key: string, what: string): void {
    this.problems.push(`${this.#path}${key}: ${what}`)
  }

  /** Names the keys that nobody has asked for. */
  refuseOthers(): void {
    for (const key of this.others()) {
      const meant = suggest(key, this.#known)
      const fix = meant ? `did you mean "${meant}"?` : `known are ${this.#known.join(', ')}`
      this.refuse(clip(key), `is not known here: ${fix}`)
    }
  }

  others(): string[] {
    return Object.keys(this.#table).filter((key) => !this.#known.includes(key))
  }
}

/** No more of a stranger's text than helps, and nothing that a terminal would obey. */
export function clip(text: string): string {
  const plain = text.replace(/[^\x20-\x7e\u00a1-\uffff]/g, '?')
  return plain.length > LETTERS ? `${plain.slice(0, LETTERS)}…` : plain
}
