// Random patterns and resources over few values, so that they often match, and a matcher that is slow and plain.

import * as fc from 'fast-check'
import type { Element } from '../../src/core/dispatch.ts'

export const literals: Element[] = ['a', 'b', 1, '1', null, true, 'true', '']

export const resource = fc.array(fc.constantFrom<Element>(...literals), { maxLength: 7 })

/** Legal in strict mode or not. */
export const pattern = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<Element>(...literals) },
    { weight: 4, arbitrary: fc.constantFrom<Element>('*', '...', '...', '\\a', ':', '\\...') },
    { weight: 2, arbitrary: fc.constantFrom<Element>(':x', ':y', ':z', ':xx', ':yy', ':zz') },
  ),
  { minLength: 1, maxLength: 7 },
)

/** Whether a pattern matches, by the letter of spec §2, quirks mode. */
export function matches(elements: Element[], resource: Element[]): boolean {
  return from(repair(elements), resource)
}

/** What the names of a pattern take, each ellipsis as short as it can be, the first ones first; `undefined`: no match. */
export function namesOf(elements: Element[], resource: Element[]): Record<string, Element> | undefined {
  return namesFrom(repair(elements), resource)
}

function namesFrom([first, ...rest]: Element[], at: Element[]): Record<string, Element> | undefined {
  if (first === undefined) return at.length === 0 ? {} : undefined
  if (first === '...') {
    for (let length = 0; length <= at.length; length++) {
      const names = namesFrom(rest, at.slice(length))
      if (names) return names
    }
    return undefined
  }
  const [element, ...others] = at
  if (element === undefined || !matchesOne(first, element)) return undefined
  const names = namesFrom(rest, others)
  const name = /^:([A-Za-z]+)$/.exec(String(first))?.[1]
  return names && name ? { [name]: element, ...names } : names
}

/** Without what stands for nothing after an ellipsis. */
export function repair(elements: Element[]): Element[] {
  const repaired: Element[] = []
  for (const element of elements) {
    const isWide = element === '...' || element === '*' || element === ':'
    if (!(isWide && repaired.at(-1) === '...')) repaired.push(element)
  }
  return repaired
}

function from([first, ...rest]: Element[], resource: Element[]): boolean {
  if (first === undefined) return resource.length === 0
  if (first === '...')
    return from(rest, resource) || (resource.length > 0 && from([first, ...rest], resource.slice(1)))
  const [element, ...others] = resource
  return element !== undefined && matchesOne(first, element) && from(rest, others)
}

function matchesOne(first: Element, element: Element): boolean {
  if (first === '*' || first === ':') return true
  if (typeof first === 'string' && /^:[A-Za-z]+$/.test(first)) return true
  const literal = typeof first === 'string' && first.startsWith('\\') ? first.slice(1) : first
  if (typeof literal === 'number' || typeof element === 'number')
    return (
      String(literal) === String(element) &&
      literal !== null &&
      typeof literal !== 'boolean' &&
      element !== null &&
      typeof element !== 'boolean'
    )
  return literal === element
}
