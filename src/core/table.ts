// The subscription table (design §2): a trie over resource elements, walked with the set of its live nodes as an NFA is,
// so that `...` never backtracks and subscriptions that don't match cost nothing.

import type { Element } from './dispatch.ts'
import { type Key, keyOf, type Pattern } from './endpoint.ts'

interface Node<T> {
  /** Stays live whatever comes: this is the node of a `...`. */
  any: boolean
  literals: Map<Key, Node<T>> | undefined
  /** After one element of any value. */
  one: Node<T> | undefined
  /** After zero or more elements. */
  more: Node<T> | undefined
  /** What ends here, by method. */
  here: Map<string, Set<T>> | undefined
  /** The step of the walk that has seen it last. */
  seen: number
}

export class Table<T> {
  #root: Node<T> = makeNode(false)
  #size = 0
  #step = 0
  #live: Node<T>[] = []
  #next: Node<T>[] = []

  get size(): number {
    return this.#size
  }

  add(pattern: Pattern, value: T): void {
    let node = this.#root
    for (const step of pattern.steps) {
      if (step.kind === 'literal') {
        node.literals ??= new Map()
        const child = node.literals.get(step.key) ?? makeNode<T>(false)
        node.literals.set(step.key, child)
        node = child
      } else if (step.kind === 'one') node = node.one ??= makeNode(false)
      else node = node.more ??= makeNode(true)
    }
    node.here ??= new Map()
    const values = node.here.get(pattern.method) ?? new Set()
    node.here.set(pattern.method, values)
    if (values.has(value)) return
    values.add(value)
    this.#size++
  }

  /** Takes a value away, and the nodes that only it needed. */
  remove(pattern: Pattern, value: T): void {
    const path = [this.#root]
    for (const step of pattern.steps) {
      const node = path.at(-1) as Node<T>
      const child =
        step.kind === 'literal' ? node.literals?.get(step.key) : step.kind === 'one' ? node.one : node.more
      if (!child) return
      path.push(child)
    }
    const here = path.at(-1)?.here
    const values = here?.get(pattern.method)
    if (!here || !values?.delete(value)) return
    this.#size--
    if (values.size === 0) here.delete(pattern.method)
    this.#prune(path, pattern)
  }

  #prune(path: Node<T>[], pattern: Pattern): void {
    for (let depth = path.length - 1; depth > 0; depth--) {
      const node = path[depth] as Node<T>
      if (node.here?.size || node.literals?.size || node.one || node.more) return
      const parent = path[depth - 1] as Node<T>
      const step = pattern.steps[depth - 1]
      if (step?.kind === 'literal') parent.literals?.delete(step.key)
      else if (step?.kind === 'one') parent.one = undefined
      else parent.more = undefined
    }
  }

  /** Everything bound to a pattern that matches. The list is the caller's. */
  match(method: string, resource: Element[]): T[] {
    let live = this.#live
    let next = this.#next
    let count = enter(this.#root, ++this.#step, live, 0)
    for (let i = 0; i < resource.length && count > 0; i++) {
      const entered = walk(keyOf(resource[i] as Element), ++this.#step, live, count, next)
      const last = live
      live = next
      next = last
      count = entered
    }
    const found: T[] = []
    for (let i = 0; i < count; i++) {
      const { here } = live[i] as Node<T>
      if (!here) continue
      collect(here.get(method), found)
      if (method !== '*') collect(here.get('*'), found)
    }
    return found
  }
}

// These lists are never shortened, only their counts: setting a length costs as much as a step of the walk.

/** One element further. Returns how many nodes of `next` are live then. */
function walk<T>(key: Key, step: number, live: Node<T>[], count: number, next: Node<T>[]): number {
  let entered = 0
  for (let i = 0; i < count; i++) {
    const node = live[i] as Node<T>
    if (node.any) entered = enter(node, step, next, entered)
    const literal = node.literals?.get(key)
    if (literal) entered = enter(literal, step, next, entered)
    if (node.one) entered = enter(node.one, step, next, entered)
  }
  return entered
}

/** Makes a node live, and those that an ellipsis which takes nothing leads to. */
function enter<T>(node: Node<T>, step: number, list: Node<T>[], count: number): number {
  if (node.seen === step) return count
  node.seen = step
  list[count] = node
  return node.more ? enter(node.more, step, list, count + 1) : count + 1
}

function makeNode<T>(any: boolean): Node<T> {
  return { any, literals: undefined, one: undefined, more: undefined, here: undefined, seen: 0 }
}

function collect<T>(values: Set<T> | undefined, found: T[]): void {
  if (values) for (const value of values) found.push(value)
}
