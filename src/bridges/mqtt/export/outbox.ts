// What is to be published, in order and bounded: of a topic that is kept only the latest counts, and of events, which are
// not, the oldest are lost first. Without a connection nothing waits: with the next one everything is told anew.

/** `retain`: the broker keeps it, for who subscribes later. */
export interface Told {
  topic: string
  payload: string
  retain: boolean
}

/** Publications that the broker has not confirmed, and events that wait. */
const WINDOW = 8
const EVENTS = 200

export class Outbox {
  #send: (told: Told) => Promise<void>
  #drop: () => void
  #kept = new Map<string, Told>()
  #events: Told[] = []
  #flying = 0
  #isRunning = false
  #waiting: (() => void)[] = []

  /** `send` never rejects. `drop`: an event was lost. */
  constructor(send: (told: Told) => Promise<void>, drop: () => void) {
    this.#send = send
    this.#drop = drop
  }

  get size(): number {
    return this.#kept.size + this.#events.length
  }

  start(): void {
    this.#isRunning = true
  }

  stop(): void {
    this.#isRunning = false
    this.#kept.clear()
    for (const _ of this.#events.splice(0)) this.#drop()
    this.#release()
  }

  put(...all: Told[]): void {
    for (const told of all) {
      if (told.retain) {
        if (this.#isRunning) this.#kept.set(told.topic, told)
      } else if (!this.#isRunning) this.#drop()
      else {
        this.#events.push(told)
        if (this.#events.length <= EVENTS) continue
        this.#events.shift()
        this.#drop()
      }
    }
    this.#pump()
  }

  /** Resolves when all has been sent, or there is no connection any more. */
  empty(): Promise<void> {
    if (this.size + this.#flying === 0 || !this.#isRunning) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #pump(): void {
    while (this.#isRunning && this.#flying < WINDOW) {
      const told = this.#next()
      if (!told) break
      this.#flying++
      void this.#send(told).then(() => {
        this.#flying--
        this.#pump()
      })
    }
    if (this.size + this.#flying === 0) this.#release()
  }

  #next(): Told | undefined {
    const event = this.#events.shift()
    if (event) return event
    const [first] = this.#kept.values()
    if (first) this.#kept.delete(first.topic)
    return first
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
