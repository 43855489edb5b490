// What was not mapped and why, for `scan` and the root's GET: bounded, and counted without bound.

/** Fixed words, so that no stranger fills the counters. */
export type Reason =
  | 'size'
  | 'json'
  | 'text'
  | 'template'
  | 'topic'
  | 'limit'
  | 'id'
  | 'origin'
  | 'value'
  | 'kind'
  | 'shadowed'
  | 'retained'

export type Refusal = { topic: string; reason: Reason; message: string }

const KEPT = 200

export class Refusals {
  #kept = new Map<string, Refusal>()
  #counts = new Map<Reason, number>()

  add(reason: Reason, topic: string, message: string): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1)
    const key = `${topic.slice(0, 128)} ${message.slice(0, 256)}`
    if (this.#kept.size >= KEPT && !this.#kept.has(key)) return
    this.#kept.set(key, { topic: topic.slice(0, 128), reason, message: message.slice(0, 256) })
  }

  /** Forgets what was said of a topic: it speaks again. */
  clear(topic: string): void {
    for (const [key, refusal] of this.#kept) if (refusal.topic === topic.slice(0, 128)) this.#kept.delete(key)
  }

  list(): Refusal[] {
    return [...this.#kept.values()]
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort())
  }
}
