// An owned root: the owner's handlers, one for each method and point, and its reports (design §9.1, §9.3).

import type { Answers } from './answers.ts'
import { Callback } from './callback.ts'
import type { Element, Json } from './dispatch.ts'
import { type Key, keyOf, readEndpoint } from './endpoint.ts'
import type { Env } from './env.ts'
import { Outbound } from './outbound.ts'
import type { Handler, Owner } from './owner.ts'
import { JstpError, STATUS } from './status.ts'
import type { Subscription } from './subscription.ts'
import { subscribe } from './subscription.ts'
import { Table } from './table.ts'

export interface PropertyContext {
  env: Env
  answers: Answers
  /** The name of the engine, for `from`. */
  engine: string
  /** Where those stand who have bound. */
  table: Table<Subscription>
  gone(): void
}

/** The owned roots of an engine. */
export class Properties {
  #context: Omit<PropertyContext, 'gone'>
  #owned = new Map<Key, Property>()

  constructor(context: Omit<PropertyContext, 'gone'>) {
    this.#context = context
  }

  /** @throws {JstpError} 400 when it has an owner. */
  own(root: string): Owner {
    if (this.#owned.has(root))
      throw new JstpError(STATUS.BAD_DISPATCH, `the root "${root}" has an owner already`)
    const property = new Property(root, { ...this.#context, gone: () => void this.#owned.delete(root) })
    this.#owned.set(root, property)
    return property
  }

  /** The handler, or none, if the root is owned; `undefined` if it is nobody's. */
  find(method: string, resource: Element[]): Subscription[] | undefined {
    return this.#owned.get(keyOf(resource[0] as Element))?.find(method, resource)
  }
}

export class Property implements Owner {
  readonly root: string
  #context: PropertyContext
  #handlers = new Table<Subscription>()
  #callbacks: Callback[] = []

  constructor(root: string, context: PropertyContext) {
    this.root = root
    this.#context = context
  }

  handle(method: string, point: Element[], handler: Handler): void {
    const endpoint = { method, resource: [this.root, ...point] }
    const subscriber = new Callback(this.#context.env, this.#context.answers, handler)
    const pattern = readEndpoint(endpoint, 'strict')
    subscribe({ endpoint, pattern, subscriber, observe: false, table: this.#handlers, via: '' })
    this.#callbacks.push(subscriber)
  }

  report(point: Element[], value: Json, options: { event?: boolean } = {}): void {
    const { env, engine, table } = this.#context
    const resource = [this.root, ...point]
    const found = table.match('PUT', resource)
    if (found.length === 0) return
    const out = new Outbound(
      {
        method: 'PUT',
        resource,
        timestamp: env.clock.wall(),
        from: [engine, this.root],
        body: value,
        ...(options.event ? { event: true } : undefined),
      },
      env.clock,
      false,
    )
    for (const subscription of found) subscription.subscriber.trigger(out, subscription)
  }

  watched(point: Element[]): boolean {
    return this.#context.table.match('PUT', [this.root, ...point]).length > 0
  }

  close(): void {
    for (const callback of this.#callbacks) this.#context.answers.gone(callback)
    this.#context.gone()
  }

  /** The handler for this method and point, if there is one. */
  find(method: string, resource: Element[]): Subscription[] {
    return this.#handlers.match(method, resource).slice(0, 1)
  }
}
