// What a machine can make and within which limits, as it says itself (requests A6 and B0), and the bytes that ask for it.

import { ID, INGREDIENTS, type Ingredient, MODE, REQUEST, request, TRIGGER } from './tables.ts'

/** One amount of a drink. `value` is what the machine takes when nothing is said. */
export type Amount = { min: number; default: number; max: number; value: number; unit: string | null }

export interface Recipe {
  number: number
  name: string
  amounts: Partial<Record<NonNullable<Ingredient['field']>, Amount>>
  /** What has to be fitted. */
  accessory: 'water-spout' | 'milk-jug' | undefined
}

/** Value by ingredient, from the payload of an A6 reply; empty: the machine can't make it. */
export function decodeRecipe(payload: Uint8Array): Map<number, number> {
  return new Map([...triples(payload.subarray(4), 1)].map(([id, [value = 0]]) => [id, value]))
}

/** `[min, default, max]` by ingredient, from the payload of a B0 reply; empty: the machine can't make it. */
export function decodeLimits(payload: Uint8Array): Map<number, number[]> {
  return new Map(triples(payload.subarray(3), 3))
}

/** Reads `count` values for each ingredient. Stops where the width is not known or the bytes end. */
function* triples(bytes: Uint8Array, count: number): Generator<[id: number, values: number[]]> {
  let at = 0
  while (at < bytes.length) {
    const id = bytes[at++] ?? 0
    const width = INGREDIENTS.find((ingredient) => ingredient.id === id)?.width
    if (!width || at + width * count > bytes.length) return
    const values: number[] = []
    for (let one = 0; one < count; one++) {
      const high = bytes[at++] ?? 0
      values.push(width === 1 ? high : (high << 8) | (bytes[at++] ?? 0))
    }
    yield [id, values]
  }
}

/** A recipe from what the machine says of it; undefined when it can't make it. */
export function recipeOf(
  number: number,
  name: string,
  values: Map<number, number>,
  limits: Map<number, number[]>,
): Recipe | undefined {
  if (values.size === 0 || limits.size === 0) return undefined
  const amounts: Recipe['amounts'] = {}
  for (const { id, field, unit } of INGREDIENTS) {
    const value = values.get(id)
    const [min = 0, standard = 0, max = 0] = limits.get(id) ?? []
    if (!field || value === undefined || max === 0) continue
    // Unset recipes of the owner, and entries that the machine carries but can't use.
    if (value === 0 && min > 0) continue
    // Taste is a scale from 0 (ground coffee) to 5; anything else means that it can't be chosen.
    if (field === 'strength' && (min !== 0 || max !== 5)) continue
    amounts[field] = { min, default: standard, max, value, unit: unit ?? null }
  }
  const accessory = values.get(ID.accessory)
  return {
    number,
    name,
    amounts,
    accessory: accessory === 1 ? 'water-spout' : accessory === 2 ? 'milk-jug' : undefined,
  }
}

/** The payload that starts a drink with these amounts. */
export function startPayload(number: number, amounts: Partial<Record<string, number>>): number[] {
  const args = INGREDIENTS.flatMap(({ id, width, field }) => {
    const value = field && amounts[field]
    if (value === undefined) return []
    return width === 2 ? [id, value >> 8, value & 0xff] : [id, value]
  })
  return request(REQUEST.brew, number, TRIGGER.start, ...args, MODE.prepare)
}

/** The payload that stops a drink. */
export function stopPayload(number: number): number[] {
  return request(REQUEST.brew, number, TRIGGER.stop, MODE.prepareInverted)
}
