// Templates: JSON values in which "$name" stands for a value given or learned while a case runs.
import { randomUUID } from 'node:crypto'

const PLACEHOLDER = /^\$[A-Za-z]\w*$/
const isPlaceholder = (value) => typeof value === 'string' && PLACEHOLDER.test(value)
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Puts values in the place of the placeholders. A name not seen before becomes a fresh UUID. */
export function fill(template, vars) {
  if (isPlaceholder(template)) return known(template.slice(1), vars)
  if (Array.isArray(template)) return template.map((item) => fill(item, vars))
  if (!isObject(template)) return template
  if ('$times' in template) return repeat(template, vars)
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, fill(value, vars)]))
}

/** The same inside a longer text: "GET /$case/status". */
export function fillText(text, vars) {
  return text.replace(/\$([A-Za-z]\w*)/g, (_, name) => known(name, vars))
}

function known(name, vars) {
  vars[name] ??= randomUUID()
  return vars[name]
}

/** {"$times": n, "text": t} a long text; {"$times": n, "item": i} a long list; {"$times": n} lists inside lists. */
function repeat({ $times: times, text, item }, vars) {
  if (text !== undefined) return text.repeat(times)
  if (item !== undefined) return Array(times).fill(fill(item, vars))
  let nested = []
  for (let depth = 1; depth < times; depth++) nested = [nested]
  return nested
}

const kinds = {
  any: (value) => value !== undefined,
  absent: (value) => value === undefined,
  string: (value) => typeof value === 'string' && value !== '',
  number: (value) => typeof value === 'number',
  list: (value) => Array.isArray(value),
}

/**
 * Compares what came with what was expected. Objects may have more keys than expected; lists may not have more items,
 * unless the last one expected is "$rest". Returns undefined when all fits, or else the path of the first difference.
 * Names not seen before are learned into vars only when all fits.
 */
export function difference(expected, actual, vars) {
  const learned = { ...vars }
  const path = compare(expected, actual, learned, '')
  if (path === undefined) Object.assign(vars, learned)
  return path
}

function compare(expected, actual, vars, path) {
  if (isPlaceholder(expected)) return comparePlaceholder(expected.slice(1), actual, vars, path)
  if (Array.isArray(expected)) return compareLists(expected, actual, vars, path)
  if (!isObject(expected)) return Object.is(expected, actual) ? undefined : path || '.'
  if ('$oneOf' in expected) return compareChoices(expected.$oneOf, actual, vars, path)
  if ('$nocase' in expected) return String(actual).toUpperCase() === expected.$nocase ? undefined : path
  if ('$times' in expected)
    return JSON.stringify(fill(expected, vars)) === JSON.stringify(actual) ? undefined : path
  return compareObjects(expected, actual, vars, path)
}

function comparePlaceholder(name, actual, vars, path) {
  if (kinds[name]) return kinds[name](actual) ? undefined : path
  if (actual === undefined) return path
  if (!(name in vars)) vars[name] = actual
  return vars[name] === actual ? undefined : path
}

function compareLists(expected, actual, vars, path) {
  if (!Array.isArray(actual)) return path || '.'
  const open = expected.at(-1) === '$rest'
  const items = open ? expected.slice(0, -1) : expected
  if (open ? actual.length < items.length : actual.length !== items.length) return `${path}.length`
  return firstDifference(items.keys(), (i) => compare(items[i], actual[i], vars, `${path}[${i}]`))
}

function compareObjects(expected, actual, vars, path) {
  if (!isObject(actual)) return path || '.'
  const own = (key) => (Object.hasOwn(actual, key) ? actual[key] : undefined)
  return firstDifference(Object.keys(expected), (key) =>
    compare(expected[key], own(key), vars, `${path}.${key}`),
  )
}

function compareChoices(choices, actual, vars, path) {
  const fits = choices.some((choice) => difference(choice, actual, vars) === undefined)
  return fits ? undefined : path || '.'
}

function firstDifference(keys, compareOne) {
  for (const key of keys) {
    const path = compareOne(key)
    if (path !== undefined) return path
  }
  return undefined
}
