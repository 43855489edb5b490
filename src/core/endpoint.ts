// Endpoint patterns (spec §2): read once when bound, matched in the table, named elements picked out on demand.

import type { Element, Endpoint } from './dispatch.ts'
import { JstpError, STATUS } from './status.ts'

export type Mode = 'strict' | 'quirks'

/** What a literal is compared by: a number and its decimal text are the same, all else differs by type. */
export type Key = string | boolean | null

/** `one` takes one element, `any` takes zero or more, as few as possible. */
export type Step = { kind: 'literal'; key: Key } | { kind: 'one'; name?: string } | { kind: 'any' }

/** An endpoint that has been read. */
export interface Pattern {
  /** In upper case, or `*`. */
  method: string
  steps: Step[]
  /** Whether a step has a name. */
  named: boolean
  /** Equal for equal endpoints, and only for those. */
  id: string
}

const NAME = /^:[A-Za-z]+$/

export function keyOf(element: Element): Key {
  return typeof element === 'number' ? String(element) : element
}

/**
 * Reads an endpoint whose shape has been checked.
 * @throws {JstpError} 400 in strict mode for the illegal forms of §2; quirks mode repairs them.
 */
export function readEndpoint(endpoint: Endpoint, mode: Mode): Pattern {
  const steps: Step[] = []
  for (const element of endpoint.resource) {
    const step = readElement(element)
    const slip = slipOf(element, step, steps)
    if (slip && mode === 'strict') throw new JstpError(STATUS.BAD_DISPATCH, slip)
    const superfluous = steps.at(-1)?.kind === 'any' && (step.kind === 'any' || isStar(step))
    if (!superfluous) steps.push(step)
  }
  const method = endpoint.method.toUpperCase()
  return { method, steps, named: steps.some(isNamed), id: idOf(method, steps) }
}

function readElement(element: Element): Step {
  if (typeof element !== 'string') return { kind: 'literal', key: keyOf(element) }
  if (element === '...') return { kind: 'any' }
  if (element === '*' || element === ':') return { kind: 'one' }
  if (NAME.test(element)) return { kind: 'one', name: element.slice(1) }
  return { kind: 'literal', key: element.startsWith('\\') ? element.slice(1) : element }
}

function slipOf(element: Element, step: Step, before: Step[]): string | undefined {
  const last = before.at(-1)
  if (element === ':') return 'a bare ":" in an endpoint: write "*", or give it a name'
  if (isStar(step) && last?.kind === 'any') return '"*" right after "..." in an endpoint: leave it out'
  if (step.kind !== 'any') return undefined
  if (last?.kind === 'any') return '"..." right after "..." in an endpoint: one is enough'
  if (last && isNamed(last) && before.at(-2)?.kind === 'any') {
    return 'a name between two "..." in an endpoint: it could be any element'
  }
  return undefined
}

function isStar(step: Step): boolean {
  return step.kind === 'one' && step.name === undefined
}

function isNamed(step: Step): boolean {
  return step.kind === 'one' && step.name !== undefined
}

function idOf(method: string, steps: Step[]): string {
  return JSON.stringify([method, ...steps.map((step) => (step.kind === 'literal' ? [step.key] : step))])
}

/**
 * What the names of a pattern took of a resource that it matches. The fixed steps between two ellipses are laid as far
 * to the left as they fit, those after the last one at the end: that is the match with the shortest ellipses.
 */
export function paramsOf(pattern: Pattern, resource: Element[]): Record<string, Element> {
  const params: Record<string, Element> = Object.create(null)
  if (!pattern.named) return params
  const runs = splitAtAny(pattern.steps)
  const lay = (run: Step[], at: number) => {
    for (const [i, step] of run.entries()) {
      if (step.kind === 'one' && step.name) params[step.name] = resource[at + i] as Element
    }
    return at + run.length
  }
  let at = lay(runs[0] as Step[], 0)
  for (const run of runs.slice(1, -1)) {
    while (!fits(run, resource, at)) at++
    at = lay(run, at)
  }
  if (runs.length > 1) lay(runs.at(-1) as Step[], resource.length - (runs.at(-1) as Step[]).length)
  return params
}

function splitAtAny(steps: Step[]): Step[][] {
  const runs: Step[][] = [[]]
  for (const step of steps) {
    if (step.kind === 'any') runs.push([])
    else runs.at(-1)?.push(step)
  }
  return runs
}

function fits(run: Step[], resource: Element[], at: number): boolean {
  if (at + run.length > resource.length) return true // can't be: the pattern matches
  return run.every((step, i) => step.kind !== 'literal' || step.key === keyOf(resource[at + i] as Element))
}

/** Whether everything that `inner` matches is matched by `outer`, judged element by element: no when in doubt. */
export function contains(outer: Pattern, inner: Pattern): boolean {
  if (outer.method !== '*' && outer.method !== inner.method) return false
  return holds(outer.steps, inner.steps)
}

/** `reach` holds the positions in `outer` that the steps of `inner` read so far can have come to. */
function holds(outer: Step[], inner: Step[]): boolean {
  let reach = closed(outer, new Set([0]))
  for (const step of inner) {
    const next = new Set<number>()
    for (const at of reach) {
      const wide = outer[at]
      if (!wide) continue
      if (wide.kind === 'any') next.add(at)
      else if (step.kind !== 'any' && (wide.kind === 'one' || isSame(wide, step))) next.add(at + 1)
    }
    reach = closed(outer, next)
  }
  return reach.has(outer.length)
}

/** An ellipsis may take nothing: the position after it is reached as well. */
function closed(steps: Step[], positions: Set<number>): Set<number> {
  for (const at of positions) if (steps[at]?.kind === 'any') positions.add(at + 1)
  return positions
}

function isSame(a: Step, b: Step): boolean {
  return a.kind === 'literal' && b.kind === 'literal' && a.key === b.key
}
