// Checks what people send against the data of a profile, before a byte reaches the link (design §9.6).

import type { Json } from '../core/dispatch.ts'
import { JstpError, STATUS } from '../core/status.ts'
import { suggest } from '../core/suggest.ts'
import type { Field, Type } from './profile.ts'

/** An error for a value that can't be: 400 with `code: "range"`. */
export function outOfRange(message: string, details: { [key: string]: Json } = {}): JstpError {
  return new JstpError(STATUS.BAD_DISPATCH, message, { code: 'range', ...details })
}

/**
 * The value as the driver gets it, aliases replaced.
 * @param where for the message, e.g. `cafetera/power`
 * @throws {JstpError} 400 `{ code: "range", found, min?, max?, unit?, allowed? }`
 */
export function check(field: Field, value: Json | undefined, where: string): Json {
  const types = [field.type].flat()
  if (value === undefined) throw outOfRange(`${where}: a body is needed: ${allowed(field)}`, { found: null })
  if (typeof value === 'string' && field.aliases && Object.hasOwn(field.aliases, value)) {
    return field.aliases[value] ?? null
  }
  const found = typeof value === 'object' ? clip(JSON.stringify(value)) : clip(value)
  const refuse = (details: { [key: string]: Json }) =>
    outOfRange(`${where}: ${JSON.stringify(found)} can't be: ${allowed(field)}`, { found, ...details })
  if (!types.some((type) => isOf(type, value))) throw refuse({ allowed: types })
  if (field.values && !field.values.includes(value as string)) throw refuse({ allowed: field.values })
  if (typeof value === 'number' && field.range) {
    const [min, max] = field.range
    if (value < min || value > max) throw refuse({ min, max, unit: field.unit ?? null })
  }
  if (typeof value === 'string' && field.pattern && !new RegExp(`^(?:${field.pattern})$`).test(value)) {
    throw refuse({ allowed: field.pattern })
  }
  if (!isOf('object', value)) return value
  if (field.fields) return checkFields(field.fields, value, where)
  return field.each ? checkEach(field.each, value as Record<string, Json>, where) : value
}

/** As `check`, for the part of an object that is to be changed. */
export function checkPatch(field: Field, value: Json | undefined, where: string): Json {
  return field.each ? check(field, value, where) : checkFields(field.fields ?? {}, value, where)
}

function checkEach(each: Field, value: Record<string, Json>, where: string): Json {
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [name, check(each, entry, `${where}: ${clip(name)}`)]),
  )
}

/** As `check`, for an object: every field by its own rule, none that is unknown, none missing. */
export function checkFields(
  fields: Record<string, Field>,
  body: Json | undefined,
  where: string,
): Record<string, Json> {
  if (!isOf('object', body ?? {})) {
    throw outOfRange(`${where}: the body must be an object with ${names(fields)}`, {
      allowed: Object.keys(fields),
    })
  }
  const checked: Record<string, Json> = {}
  for (const [name, value] of Object.entries((body ?? {}) as Record<string, Json>)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (!field) {
      const meant = suggest(name, Object.keys(fields))
      const hint = meant ? `did you mean "${meant}"? ` : ''
      throw outOfRange(`${where}: there is no field "${clip(name)}"; ${hint}Allowed: ${names(fields)}`, {
        found: clip(name),
        allowed: Object.keys(fields),
      })
    }
    checked[name] = check(field, value, `${where}: ${name}`)
  }
  for (const [name, field] of Object.entries(fields)) {
    if (!field.required || Object.hasOwn(checked, name)) continue
    throw outOfRange(`${where}: "${name}" is missing: ${allowed(field)}`, { found: null, field: name })
  }
  return checked
}

/** One text for one value, whatever the order of the keys. */
export function canonical(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null)
  const pairs = Object.keys(value).sort()
  return `{${pairs.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join()}}`
}

function isOf(type: Type, value: Json): boolean {
  switch (type) {
    case 'list':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    case 'number':
      return Number.isFinite(value)
    default:
      return typeof value === type
  }
}

/** What is allowed, for people: `a number from 0 to 100 %`. */
function allowed(field: Field): string {
  const words = [...(field.values ?? []), ...Object.keys(field.aliases ?? {})]
  const kind = [field.type].flat().join(' or ')
  const unit = field.unit ? ` ${field.unit}` : ''
  if (field.values) return `one of ${words.map((word) => JSON.stringify(word)).join(', ')}${unit}`
  const also = words.length > 0 ? ` (or ${words.join(', ')})` : ''
  if (field.range) return `${kind} from ${field.range[0]} to ${field.range[1]}${unit}${also}`
  return `${kind}${unit}${also}${field.pattern ? ` like ${field.pattern}` : ''}`
}

function names(fields: Record<string, Field>): string {
  return Object.keys(fields).join(', ')
}

/** What was found goes into the answer: no more of it than helps. */
function clip<T>(value: T): T | string {
  return typeof value === 'string' && value.length > 60 ? `${value.slice(0, 60)}…` : value
}
