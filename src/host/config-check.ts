// Walks a parsed configuration along its schema and says for everything that doesn't fit what was found and what is
// allowed. Our own walker, because ajv would add 131 kB and, bundled, some 90 ms to every start (most of it compiling the
// schema), where this takes 3 ms; the tests hold both to the same verdicts.

import type { Node } from 'jsonc-parser'
import { suggest } from '../core/suggest.ts'
import { LATER, type Schema, type SchemaType } from './schema.ts'

/** Told of every misfit: where, under which path, what. */
export type Report = (node: Node, path: Path, message: string) => void

export type Path = (string | number)[]

const LETTERS = 60

/** Whether the value fits; `report` is told what doesn't. */
export function checkNode(node: Node, schema: Schema, path: Path, report: Report): boolean {
  let fits = true
  const refuse: Report = (where, at, message) => {
    fits = false
    report(where, at, message)
  }
  if (schema.anyOf) return checkAnyOf(node, schema, path, refuse)
  if (schema.type && ![schema.type].flat().some((type) => isOf(type, node))) {
    refuse(node, path, misfit(node, schema))
  } else if (schema.oneOf) checkOneOf(node, schema, path, refuse)
  else if (!isAllowed(node, schema)) refuse(node, path, misfit(node, schema))
  else if (node.type === 'object') checkObject(node, schema, path, refuse)
  else if (node.type === 'array') checkArray(node, schema, path, refuse)
  return fits
}

/** `devices.cafetera`, `forward.allow[0][1]`, `hosts["a b"]` */
export function writePath(path: Path): string {
  const parts = path.map((step) => {
    if (typeof step === 'number') return `[${step}]`
    return /^[\p{L}\p{N}_$-]+$/u.test(step) ? `.${cut(step)}` : `[${clip(JSON.stringify(step))}]`
  })
  return parts.join('').replace(/^\./, '')
}

/** The property of that name; the last one where there are two. */
export function propertyOf(node: Node | undefined, name: string): Node | undefined {
  if (node?.type !== 'object') return undefined
  return node.children?.findLast((property) => property.children?.[0]?.value === name)
}

/** No more of a text than helps. */
export function clip(text: string): string {
  return cut(text.replace(/\s+/g, ' '))
}

function cut(text: string): string {
  return text.length > LETTERS ? `${text.slice(0, LETTERS)}…` : text
}

/** Of several forms, the one whose type it has tells best what is wrong; the title of all stays what is allowed. */
function checkAnyOf(node: Node, schema: Schema, path: Path, refuse: Report): boolean {
  const forms = schema.anyOf as Schema[]
  if (forms.some((form) => checkNode(node, form, path, () => {}))) return true
  const near = forms.filter((form) => form.type && [form.type].flat().some((type) => isOf(type, node)))
  const [form] = near
  if (form && near.length === 1) return checkNode(node, { ...form, title: allowed(schema) }, path, refuse)
  refuse(node, path, misfit(node, schema))
  return false
}

function checkOneOf(node: Node, schema: Schema, path: Path, refuse: Report): void {
  const name = schema.discriminator?.propertyName as string
  const forms = schema.oneOf as Schema[]
  const words = forms.map((form) => String(form.properties?.[name]?.const))
  const property = propertyOf(node, name)
  const value = property?.children?.[1]
  if (!value) {
    return refuse(node, path, `"${name}" is missing; allowed: ${oneOf(words)}`)
  }
  const form = forms[words.indexOf(value.value)]
  if (form) return void checkObject(node, form, path, refuse)
  const meant = typeof value.value === 'string' ? hint(value.value, words) : ''
  refuse(value, [...path, name], `found ${found(value)}; allowed: ${oneOf(words)}${meant}`)
}

function checkObject(node: Node, schema: Schema, path: Path, refuse: Report): void {
  const { properties = {}, additionalProperties, propertyNames, maxProperties = Infinity } = schema
  const entries = node.children ?? []
  if (entries.length > maxProperties) {
    refuse(node, path, `found ${entries.length} entries; allowed: at most ${maxProperties}`)
  }
  for (const { children: [key, value] = [] } of entries) {
    if (!key || !value) continue
    const name = key.value as string
    const at = [...path, name]
    if (Object.hasOwn(properties, name)) checkNode(value, properties[name] as Schema, at, refuse)
    else if (additionalProperties === false) refuse(key, at, unknownKey(name, Object.keys(properties), path))
    else if (!propertyNames || checkNode(key, propertyNames, at, refuse)) {
      if (additionalProperties) checkNode(value, additionalProperties, at, refuse)
    }
  }
  for (const name of schema.required ?? []) {
    if (propertyOf(node, name)) continue
    refuse(node, path, `"${name}" is missing; allowed: ${allowed(properties[name] ?? {})}`)
  }
}

function unknownKey(name: string, known: string[], path: Path): string {
  if (path.length === 0 && LATER.includes(name)) return `"${name}" comes with a later version: leave it out`
  const visible = known.filter((key) => !key.startsWith('$'))
  return `there is no "${cut(name)}" here; allowed: ${visible.join(', ')}${hint(name, visible)}`
}

function checkArray(node: Node, schema: Schema, path: Path, refuse: Report): void {
  const { prefixItems = [], items, minItems = 0, maxItems = Infinity } = schema
  const elements = node.children ?? []
  if (elements.length < minItems || elements.length > maxItems) {
    const count = minItems === maxItems ? minItems : `${minItems} to ${maxItems}`
    const most = maxItems === Infinity ? `at least ${minItems}` : count
    refuse(node, path, `found a list of ${elements.length}; allowed: ${most} elements: ${allowed(schema)}`)
    return
  }
  elements.forEach((element, index) => {
    const of = prefixItems[index] ?? items
    if (of) checkNode(element, of, [...path, index], refuse)
  })
}

/** What can be said without looking inside. */
function isAllowed({ value }: Node, schema: Schema): boolean {
  if ('const' in schema && value !== schema.const) return false
  if (schema.enum && !schema.enum.includes(value)) return false
  if (schema.not?.enum?.includes(value)) return false
  if (typeof value === 'number')
    return value >= (schema.minimum ?? value) && value <= (schema.maximum ?? value)
  if (typeof value !== 'string') return true
  if (value.length < (schema.minLength ?? 0) || value.length > (schema.maxLength ?? value.length))
    return false
  return !schema.pattern || new RegExp(schema.pattern, 'u').test(value)
}

function isOf(type: SchemaType, { type: kind, value }: Node): boolean {
  if (type === 'integer') return kind === 'number' && Number.isInteger(value)
  if (type === 'number') return kind === 'number' && Number.isFinite(value)
  return kind === type
}

function misfit(node: Node, schema: Schema): string {
  const words = (schema.enum ?? []).filter((word) => typeof word === 'string')
  const meant = typeof node.value === 'string' ? hint(node.value, words) : ''
  return `found ${found(node)}; allowed: ${allowed(schema)}${meant}`
}

function found({ type, value }: Node): string {
  if (type === 'object') return 'an object'
  return type === 'array' ? 'a list' : clip(JSON.stringify(value))
}

const NOUNS: Record<SchemaType, string> = {
  object: 'an object',
  array: 'a list',
  string: 'a string',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  null: 'null',
}

/** What a schema allows, for people. */
function allowed(schema: Schema): string {
  if (schema.title) return schema.title
  if (schema.anyOf) return schema.anyOf.map(allowed).join(', or ')
  if ('const' in schema) return JSON.stringify(schema.const)
  if (schema.enum) return oneOf(schema.enum)
  const kind = [schema.type ?? 'object'].flat().map((type) => NOUNS[type])
  const range = schema.minimum === undefined ? '' : ` from ${schema.minimum} to ${schema.maximum}`
  return `${kind.join(' or ')}${range}${schema.pattern ? ` like ${schema.pattern}` : ''}`
}

function oneOf(words: unknown[]): string {
  if (words.length === 0) return 'nothing, as there are none'
  return words.map((word) => JSON.stringify(word)).join(', ')
}

function hint(word: string, words: string[]): string {
  const meant = suggest(word, words)
  return meant === undefined ? '' : `. Did you mean "${meant}"?`
}
