// From what a payload says to a value of the right type, shared by the families; and from a value to a payload.

import type { Json } from '../../core/dispatch.ts'
import type { Described, Gate } from './declaration.ts'
import { isData, number } from './payload.ts'

/** How a boolean is said. */
export interface Words {
  on: string
  off: string
}

export const ON_OFF: Words = { on: 'ON', off: 'OFF' }

/**
 * The value that something said stands for, by the type of the property.
 * @throws {Error} when it can't be one
 */
export function toValue(
  said: Json | undefined,
  { type }: Described,
  words: Words = ON_OFF,
): Json | undefined {
  if (said === undefined || said === null) return undefined
  if (type === 'boolean') return toBoolean(said, words)
  if (type === 'number' || type === 'integer') {
    // `unknown`, `unavailable`, `None`: nothing is known, and nothing is wrong.
    if (typeof said === 'string' && /^\s*(|none|null|nan|unknown|unavailable)\s*$/i.test(said))
      return undefined
    const read = number(said)
    if (read === undefined) throw new Error(`${JSON.stringify(said).slice(0, 80)} is no number`)
    return type === 'integer' ? Math.round(read) : read
  }
  if (type === 'object' || type === 'list') {
    if (type === 'list' ? Array.isArray(said) : isData(said)) return said
    throw new Error(`${JSON.stringify(said).slice(0, 80)} is no ${type}`)
  }
  if (type === 'string') return typeof said === 'string' ? said : JSON.stringify(said)
  return said
}

function toBoolean(said: Json, { on, off }: Words): boolean | undefined {
  const text = spelled(said)
  if (text === spelled(on)) return true
  if (text === spelled(off)) return false
  if (said === '' || said === 'None') return undefined
  throw new Error(`${JSON.stringify(said).slice(0, 80)} is neither "${on}" nor "${off}"`)
}

/** `true`, `True` and "true" are one word; so are 1 and "1". */
function spelled(said: Json): string {
  const text = typeof said === 'string' ? said : JSON.stringify(said)
  return /^(true|false)$/i.test(text) ? text.toLowerCase() : text
}

/** What stands for a value in a payload of text. */
export function toText(value: Json, words: Words = ON_OFF): string {
  if (typeof value === 'boolean') return value ? words.on : words.off
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** A gate whose topic carries one of two words. */
export function wordGate(topic: string, { on, off }: Words, presumed: boolean): Gate {
  return {
    topic,
    key: JSON.stringify([on, off, presumed]),
    presumed,
    read: ({ text }) => (text === on ? true : text === off ? false : undefined),
  }
}
