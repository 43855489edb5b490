// One way to write what is immediate in Node and a promise in a page (spec B3): no promise where none is needed.

export type Maybe<T> = T | Promise<T>

/** Goes on with a value, at once if it is there. */
export function chain<T, U>(value: Maybe<T>, next: (value: T) => Maybe<U>): Maybe<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** Makes it when it is asked for first, and never again. */
export function once<T>(make: () => Maybe<T>): () => Maybe<T> {
  let made: Maybe<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** Goes through a list in its order, one after the other. */
export function each<T, U>(list: T[], work: (item: T) => Maybe<U>): Maybe<U[]> {
  const done: U[] = []
  const go = (at: number): Maybe<U[]> => {
    for (let i = at; i < list.length; i++) {
      const result = work(list[i] as T)
      if (result instanceof Promise) {
        return result.then((value) => {
          done.push(value)
          return go(i + 1)
        })
      }
      done.push(result)
    }
    return done
  }
  return go(0)
}

/**
 * Keeps the order of arrival per connection: while something is under way there, what comes next waits. Where nothing
 * is ever under way (Node) it costs one look into an empty map. Holds no more than `limit` per key.
 */
export class Lanes {
  #lanes = new Map<string, { tail: Promise<unknown>; waiting: number }>()
  #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#lanes.size
  }

  /** Whether something is under way there. */
  isBusy(key: string): boolean {
    return this.#lanes.has(key)
  }

  /** `undefined`: too much waits there already, and nothing was done. */
  run<T>(key: string, work: () => Maybe<T>): Maybe<T> | undefined {
    const lane = this.#lanes.size > 0 ? this.#lanes.get(key) : undefined
    if (lane && lane.waiting >= this.#limit) return undefined
    const result = lane ? lane.tail.then(work) : work()
    if (!(result instanceof Promise)) return result
    const mine = lane ?? { tail: result, waiting: 0 }
    mine.waiting++
    const done = () => {
      if (--mine.waiting === 0) this.#lanes.delete(key)
    }
    mine.tail = result.then(done, done)
    this.#lanes.set(key, mine)
    return result
  }
}
