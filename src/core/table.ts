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
    this.#live.length = 0
    this.#step++
    this.#enter(this.#root, this.#live)
    for (let i = 0; i < resource.length && this.#live.length > 0; i++)
      this.#walk(keyOf(resource[i] as Element))
    const found: T[] = []
    for (const { here } of this.#live) {
      if (!here) continue
      collect(here.get(method), found)
      if (method !== '*') collect(here.get('*'), found)
    }
    return found
  }

  /** One element further. */
  #walk(key: Key): void {
    const live = this.#live
    const next = this.#next
    next.length = 0
    this.#step++
    for (let i = 0; i < live.length; i++) {
      const node = live[i] as Node<T>
      if (node.any) this.#enter(node, next)
      const literal = node.literals?.get(key)
      if (literal) this.#enter(literal, next)
      if (node.one) this.#enter(node.one, next)
    }
    this.#live = next
    this.#next = live
  }

  #enter(node: Node<T>, list: Node<T>[]): void {
    if (node.seen === this.#step) return
    node.seen = this.#step
    list.push(node)
    if (node.more) this.#enter(node.more, list)
  }
}

function makeNode<T>(any: boolean): Node<T> {
  return { any, literals: undefined, one: undefined, more: undefined, here: undefined, seen: 0 }
}

function collect<T>(values: Set<T> | undefined, found: T[]): void {
  if (values) for (const value of values) found.push(value)
}
