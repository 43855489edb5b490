// One engine more when all are critical, one less when they have had little to do for long (design §5): a command starts
// it, it joins by itself; it is drained before it is stopped.

import type { Asker } from '../core/answers.ts'
import type { Cancel } from '../core/clock.ts'
import type { Dispatch, Json } from '../core/dispatch.ts'
import type { Env } from '../core/env.ts'
import type { Subscriber } from '../core/subscription.ts'
import type { Ended } from './command.ts'
import type { Replica } from './replica.ts'

/** Milliseconds in which an engine that was started is expected to join. */
const JOIN = 300_000
/** Milliseconds for the work of an engine that is drained; then it is stopped all the same. */
const FINISH = 30_000
const LOOK = 100
/** How busy those who stay may be with the work of the one that goes. */
const ROOM = 0.6

export interface ScaleOptions {
  /** The program and its arguments; no shell. */
  command: string[]
  /** Ends the engine, after it was drained. Without it `POST ["engine","drain"]` is all it is told. */
  stop?: string[]
  /** Milliseconds between two starts; default 60 s. */
  coolDown?: number
  /** Milliseconds of calm before one goes; default 5 min. */
  drainAfter?: number
  /** Runs a command; never rejects. */
  run(command: string[]): Promise<Ended>
}

const UNASKED: Asker = { open: 0, answered() {}, ended() {} }
const NOBODY: Subscriber = { subscriptions: new Map(), triggerings: new Map(), trigger() {} }

export class Scale {
  #env: Env
  #name: string
  #options: ScaleOptions
  #startedAt = Number.NEGATIVE_INFINITY
  /** Engines that were started and have not joined yet. */
  #expected = 0
  #isBusy = false
  #calmSince: number | undefined
  #wait: Cancel | undefined
  #isClosed = false

  constructor(env: Env, name: string, options: ScaleOptions) {
    this.#env = env
    this.#name = name
    this.#options = options
  }

  get status(): { [name: string]: Json } {
    return { scaling: this.#isBusy }
  }

  /** Something has changed. Returns the one that is to go. */
  look(replicas: Replica[]): Replica | undefined {
    const there = replicas.filter(({ standing, isLeaving }) => standing !== 'away' && !isLeaving)
    if (there.length > 0 && there.every(({ state }) => state === 'critical')) this.#grow()
    const extra = there.findLast(({ isExtra }) => isExtra)
    const stay = there.filter((replica) => replica !== extra)
    const all = there.reduce((sum, { load = 0 }) => sum + load, 0)
    const isCalm = stay.length > 0 && there.every(({ state }) => state === 'ok') && all / stay.length < ROOM
    const now = this.#env.clock.now()
    if (!extra || !isCalm) this.#calmSince = undefined
    else this.#calmSince ??= now
    const { drainAfter = 300_000 } = this.#options
    if (!extra || this.#isBusy || this.#calmSince === undefined || now - this.#calmSince < drainAfter)
      return undefined
    this.#calmSince = undefined
    void this.#shrink(extra)
    return extra
  }

  /** An engine has joined that was never here. */
  joined(replica: Replica): void {
    if (this.#expected === 0 || this.#env.clock.now() - this.#startedAt > JOIN) return
    this.#expected--
    replica.isExtra = true
    this.#env.log.info(`${replica.name} has joined "${this.#name}"`)
  }

  close(): void {
    this.#isClosed = true
    this.#wait?.()
  }

  #grow(): void {
    const { clock } = this.#env
    const { coolDown = 60_000, command } = this.#options
    if (this.#isBusy || clock.now() - this.#startedAt < coolDown) return
    this.#startedAt = clock.now()
    this.#expected = 1
    this.#env.meters.count('mesh.scale')
    this.#env.log.warn(`all of "${this.#name}" are critical: one more is started`)
    void this.#run(command)
  }

  async #shrink(replica: Replica): Promise<void> {
    const env = this.#env
    this.#isBusy = true
    env.meters.count('mesh.drain')
    env.log.info(`"${this.#name}" has had little to do: ${replica.name} is drained`)
    const dispatch: Dispatch = { method: 'POST', resource: ['engine', 'drain'], timestamp: env.clock.wall() }
    replica.send({ ...dispatch, token: [env.random.uuid()] }, UNASKED, NOBODY)
    const end = env.clock.now() + FINISH
    while (!this.#isClosed && replica.open + replica.bound > 0 && env.clock.now() < end) await this.#pause()
    replica.isExtra = false
    this.#isBusy = false
    if (this.#options.stop && !this.#isClosed) await this.#run(this.#options.stop)
  }

  async #run(command: string[]): Promise<void> {
    this.#isBusy = true
    const [program] = command
    const { code, output } = await this.#options.run(command)
    this.#isBusy = false
    const said = output === '' ? '' : `: ${output}`
    if (code === 0) return this.#env.log.info(`${program} for "${this.#name}" has ended well${said}`)
    this.#env.meters.count('mesh.scale-failed')
    this.#env.log.error(`${program} for "${this.#name}" has failed (${code})${said}`, { command })
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#wait = this.#env.clock.after(LOOK, resolve)
    })
  }
}
