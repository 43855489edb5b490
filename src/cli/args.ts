// Arguments of a command: options by their names, everything else in its order. What is wrong is said with what is meant.

import { suggest } from '../core/suggest.ts'

/** Told to the user as it is, and ends with exit code 2. */
export class UsageError extends Error {}

export interface Option {
  /** What its value is, in capitals: `FILE`. Without: it is there or it isn't. */
  value?: string
  /** May be given several times: it is in `lists`. */
  many?: true
  description: string
}

export type Options = Record<string, Option>

export interface Arguments {
  options: Record<string, string | true | undefined>
  lists: Record<string, string[]>
  rest: string[]
}

/**
 * Reads `--name value`, `--name=value` and `--flag`; after `--` nothing is an option. A negative number is none either.
 * @throws {UsageError}
 */
export function readArguments(words: string[], known: Options): Arguments {
  const found: Arguments = { options: {}, lists: {}, rest: [] }
  const left = [...words]
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (word === '--') {
      found.rest.push(...left)
      break
    }
    if (!word.startsWith('-') || word === '-' || /^-\.?\d/.test(word)) {
      found.rest.push(word)
      continue
    }
    const [, name = '', given] = /^--?([^=]*)(?:=(.*))?$/s.exec(word) ?? []
    const value = optionValue(name, given, left, known)
    if (known[name]?.many) found.lists[name] = [...(found.lists[name] ?? []), value as string]
    else found.options[name] = value
  }
  return found
}

/** `10s`, `500ms`, `2min` or milliseconds. @throws {UsageError} */
export function readDuration(text: string): number {
  const [, amount, unit = 'ms'] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|min|h)?$/.exec(text) ?? []
  const ms = Number(amount) * (UNITS[unit] as number)
  if (!(ms >= 1)) throw new UsageError(`"${text}" is no time: write it as 10s, 500ms or 2min`)
  return ms
}

/** @throws {UsageError} */
export function readCount(text: string, what: string, least: number, most: number): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && count >= least && count <= most) return count
  throw new UsageError(`${what} must be a whole number from ${least} to ${most}, not "${text}"`)
}

const UNITS: Record<string, number> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }

function optionValue(name: string, given: string | undefined, left: string[], known: Options): string | true {
  const option = Object.hasOwn(known, name) ? known[name] : undefined
  if (!option) {
    const meant = suggest(name, Object.keys(known))
    const hint = meant ? `. Did you mean --${meant}?` : ''
    throw new UsageError(`there is no option --${name} here${hint}`)
  }
  if (!option.value) {
    if (given === undefined) return true
    throw new UsageError(`--${name} takes no value`)
  }
  const value = given ?? left.shift()
  if (value === undefined) throw new UsageError(`--${name} needs a value: --${name} ${option.value}`)
  return value
}
