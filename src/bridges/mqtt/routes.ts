// Which topics are listened to, for whom. A topic that somebody else has named is taken only from where the owner lets
// (C9.6).

import { isTopic, matches } from './topics.ts'

export interface RouteLimits {
  topics: number
  /** Listeners of one topic. */
  perTopic: number
}

export class Routes<T> {
  #allow: string[]
  #limits: RouteLimits
  #routes = new Map<string, Set<T>>()
  /** Whether a topic was subscribed before the changes that `changes` tells. */
  #before = new Map<string, boolean>()
  /** Subscribed already, and to be subscribed once more. */
  #again = new Set<string>()
  #isCovered: (topic: string) => boolean = () => false

  /** `allow`: filters of the topics that discovery may name. */
  constructor(allow: string[], limits: RouteLimits) {
    this.#allow = allow
    this.#limits = limits
  }

  get size(): number {
    return this.#routes.size
  }

  /** Why a topic named by discovery can't be used, or nothing. */
  objection(topic: string): string | undefined {
    if (!isTopic(topic))
      return `the topic ${JSON.stringify(topic.slice(0, 80))} can't be used: it is empty, too long, the broker's own or has wildcards`
    if (this.#allow.some((filter) => matches(filter, topic))) return undefined
    const first = topic.split('/')[0]
    return `the topic "${topic.slice(0, 80)}" is outside what is allowed; add "${first}/#" to "allow" of this device if it is yours`
  }

  /** Which topics come anyway, so that they need no subscription. */
  cover(isCovered: (topic: string) => boolean): void {
    this.#isCovered = isCovered
  }

  has(topic: string): boolean {
    return this.#routes.has(topic)
  }

  get(topic: string): Iterable<T> {
    return this.#routes.get(topic) ?? []
  }

  /**
   * False when there is no room.
   * @param again subscribes even what is subscribed already, so that the broker tells what it remembers once more
   */
  add(topic: string, listener: T, again: boolean): boolean {
    let listeners = this.#routes.get(topic)
    if (!listeners) {
      if (this.#routes.size >= this.#limits.topics) return false
      this.#remember(topic, false)
      listeners = new Set()
      this.#routes.set(topic, listeners)
    } else if (again) this.#again.add(topic)
    if (listeners.size >= this.#limits.perTopic) return false
    listeners.add(listener)
    return true
  }

  remove(topic: string, listener: T): void {
    const listeners = this.#routes.get(topic)
    if (!listeners?.delete(listener) || listeners.size > 0) return
    this.#remember(topic, true)
    this.#routes.delete(topic)
  }

  /** All topics that have to be subscribed. */
  all(): string[] {
    return [...this.#routes.keys()].filter((topic) => !this.#isCovered(topic))
  }

  /** What to subscribe and to unsubscribe since the last call. What came and went again is not in it. */
  changes(): { on: string[]; off: string[] } {
    const changes = { on: [] as string[], off: [] as string[] }
    for (const [topic, before] of this.#before) {
      const now = this.#routes.has(topic)
      if (now !== before && !this.#isCovered(topic)) changes[now ? 'on' : 'off'].push(topic)
    }
    for (const topic of this.#again) {
      if (this.#routes.has(topic) && !this.#isCovered(topic) && !changes.on.includes(topic))
        changes.on.push(topic)
    }
    this.#before.clear()
    this.#again.clear()
    return changes
  }

  #remember(topic: string, before: boolean): void {
    if (!this.#before.has(topic)) this.#before.set(topic, before)
  }
}
