// What has to be said to the broker, one after the other and in slices, so that no queue of its overflows (design §9.25).

import type { Broker } from './broker.ts'
import type { Effect } from './declaration.ts'

type Task = Extract<Effect, { do: 'subscribe' | 'unsubscribe' | 'publish' }>

/** Topics of one SUBSCRIBE: what a broker keeps of them comes at once. Of a filter that may be any number. */
const SLICE = 50
const FILTERS = 4
/** Tasks that wait. Topics of one kind that come in a row are one task. */
const LIMIT = 10_000

export class Work {
  #broker: Pick<Broker, 'subscribe' | 'unsubscribe' | 'publish'>
  #warn: (text: string) => void
  /** Subscriptions for values. */
  #urgent: Task[] = []
  #tasks: Task[] = []
  #current: Task | undefined
  #isRunning = false
  #isBusy = false
  #waiting: (() => void)[] = []
  #dropped = 0
  #refused = 0

  constructor(broker: Pick<Broker, 'subscribe' | 'unsubscribe' | 'publish'>, warn: (text: string) => void) {
    this.#broker = broker
    this.#warn = warn
  }

  counters(): Record<string, number> {
    return { 'work.dropped': this.#dropped, 'subscription.refused': this.#refused }
  }

  start(): void {
    this.#isRunning = true
  }

  /** The connection is gone: with the next one everything is said anew. */
  stop(): void {
    this.#isRunning = false
    this.#urgent = []
    this.#tasks = []
    this.#release()
  }

  /** Resolves when what has been subscribed for values is heard: a command before that would miss its echo. */
  ready(): Promise<void> {
    if (!this.#isHearing()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  add(task: Task): void {
    if (!this.#isRunning) return
    if (task.do !== 'publish') this.#revoke(task)
    // Values don't wait for discovery.
    const list = task.do === 'subscribe' && task.qos === 1 ? this.#urgent : this.#tasks
    const last = list.at(-1)
    if (task.do !== 'publish' && last?.do === task.do) last.topics.push(...task.topics)
    else if (list.length >= LIMIT) this.#dropped++
    else list.push(task.do === 'publish' ? task : { ...task, topics: [...task.topics] })
    if (!this.#isBusy) void this.#run()
  }

  /** Of what waits, takes out what this undoes: the order of the two lists is not that in which they were filled. */
  #revoke({ do: kind, topics }: Exclude<Task, { do: 'publish' }>): void {
    const undone = kind === 'subscribe' ? 'unsubscribe' : 'subscribe'
    for (const other of [...this.#urgent, ...this.#tasks]) {
      if (other.do !== undone) continue
      const gone = new Set(topics)
      other.topics = other.topics.filter((topic) => !gone.has(topic))
    }
  }

  async #run(): Promise<void> {
    this.#isBusy = true
    // Whoever adds several things at once adds them to one task.
    await null
    for (let task = this.#next(); task; task = this.#next()) {
      this.#current = task
      try {
        await this.#do(task)
      } catch (error) {
        this.#warn(`${task.do}: ${(error as Error).message}`)
      }
      this.#current = undefined
      if (!this.#isHearing()) this.#release()
    }
    this.#isBusy = false
  }

  /** At most a slice of the first task. */
  #next(): Task | undefined {
    const list = this.#urgent.length > 0 ? this.#urgent : this.#tasks
    const first = list[0]
    const slice = first?.do === 'subscribe' && first.qos === 0 ? FILTERS : SLICE
    if (!first || first.do === 'publish' || first.topics.length <= slice) return list.shift()
    return { ...first, topics: first.topics.splice(0, slice) }
  }

  /** Whether a subscription for values is still to be made, or being made. */
  #isHearing(): boolean {
    const current = this.#current
    return this.#urgent.length > 0 || (current?.do === 'subscribe' && current.qos === 1)
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  async #do(task: Task): Promise<void> {
    if (task.do === 'publish') return this.#broker.publish(task)
    if (task.topics.length === 0) return
    if (task.do === 'unsubscribe') return this.#broker.unsubscribe(task.topics)
    const refused = await this.#broker.subscribe(task.topics, task.qos)
    if (refused === 0) return
    this.#refused += refused
    this.#warn(
      `the broker lets us not subscribe ${refused} of "${task.topics[0]}" and ${task.topics.length - 1} more`,
    )
  }
}
