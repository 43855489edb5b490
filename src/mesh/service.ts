// A name that stands for several engines: who they are, which of them gets the next one, and when there are too few or too
// many. Watches them only while the name is used.

import type { BalancerInside } from '../core/balancer.ts'
import type { Cancel } from '../core/clock.ts'
import type { Hop, Json } from '../core/dispatch.ts'
import { nameOf } from '../core/route.ts'
import type { Subscription } from '../core/subscription.ts'
import { Table } from '../core/table.ts'
import type { Bound } from './bound.ts'
import { choose, weigh } from './choose.ts'
import { Replica } from './replica.ts'
import { Scale, type ScaleOptions } from './scale.ts'
import { Watch } from './watch.ts'

/** Milliseconds after which a name that nobody uses is left alone. */
const IDLE = 300_000
/** They lead to a broker, which knows who serves the name. */
const BROKERS = new Set(['mqtt', 'mqtts'])
const ENDPOINT = { method: 'PUT', resource: ['engine', 'saturation'] }

export interface ServiceOptions {
  /** Where its engines are. */
  replicas?: Exclude<Hop, string>[]
  /** Engines may announce that they serve it: all that may `POST ["engine","announce"]`, or these keys (did:key). */
  announced?: boolean | string[]
  /** Methods that can be asked twice, so that another replica may be asked when one is lost; default `["GET"]`. */
  retry?: string[]
  /** What starts one more engine when all are critical. */
  scale?: ScaleOptions
}

export class Service {
  readonly inside: BalancerInside
  readonly name: string
  readonly options: ServiceOptions
  readonly retry: ReadonlySet<string>
  readonly table = new Table<Subscription>()
  readonly bounds = new Map<Subscription, Bound>()
  #replicas = new Map<Replica, Watch | undefined>()
  #scale: Scale | undefined
  #usedAt = 0
  #sleep: Cancel | undefined

  constructor(inside: BalancerInside, name: string, options: ServiceOptions) {
    this.inside = inside
    this.name = name
    this.options = options
    this.retry = new Set((options.retry ?? ['GET']).map((method) => method.toUpperCase()))
    if (options.scale) this.#scale = new Scale(inside.env, name, options.scale)
    for (const way of options.replicas ?? []) {
      const [address, port, transport] = way
      const behind = BROKERS.has(transport) ? name : undefined
      this.add(new Replica(inside, nameOf({ address, port, transport }), way, behind))
    }
  }

  get replicas(): Replica[] {
    return [...this.#replicas.keys()]
  }

  /** For `["engine","services"]`. */
  get status(): Json {
    const { name, bounds, replicas } = this
    return {
      name,
      bound: bounds.size,
      replicas: replicas.map(({ status }) => status),
      ...this.#scale?.status,
    }
  }

  /** The best of those that were not tried. */
  pick(tried: ReadonlySet<Replica>): Replica | undefined {
    const left = this.replicas.filter((replica) => !tried.has(replica))
    return choose(left, () => this.inside.env.random.fraction())
  }

  /** Somebody uses the name: from now on its engines are watched. */
  use(): void {
    const { clock } = this.inside.env
    this.#usedAt = clock.now()
    if (this.#sleep) return
    this.#sleep = clock.after(IDLE, () => this.#rest())
    for (const replica of this.replicas) this.#watch(replica)
  }

  add(replica: Replica): void {
    this.#replicas.set(replica, undefined)
    if (this.#sleep) this.#watch(replica)
  }

  /** An engine that had announced itself is gone. */
  remove(replica: Replica): void {
    const watch = this.#replicas.get(replica)
    this.#replicas.delete(replica)
    watch?.close()
    this.#scale?.look(this.replicas)
  }

  /** It takes no new work from now on. */
  left(replica: Replica): void {
    replica.isLeaving = true
    this.#leave(replica)
  }

  close(): void {
    this.#sleep?.()
    this.#scale?.close()
    for (const bound of [...this.bounds.values()]) bound.end()
    for (const watch of this.#replicas.values()) watch?.close()
    this.#replicas.clear()
  }

  #watch(replica: Replica): void {
    const { env, release } = this.inside
    const watch = new Watch({
      env,
      endpoint: ENDPOINT,
      send: (dispatch, asker, subscriber) => replica.send(dispatch, asker, subscriber),
      release,
      onUp: (refused) => this.#up(replica, refused),
      onDown: () => this.#down(replica),
      onReport: ({ body }) => this.#heard(replica, body),
    })
    this.#replicas.set(replica, watch)
    replica.watched()
    watch.start()
  }

  #up(replica: Replica, refused: number | undefined): void {
    if (refused !== undefined) {
      const { log } = this.inside.env
      log.warn(
        `${replica.name} does not tell its saturation for "${this.name}" (${refused}): it is taken for good`,
      )
    }
    const isNew = !replica.wasUp
    replica.up()
    if (isNew) this.#scale?.joined(replica)
  }

  #down(replica: Replica): void {
    if (replica.standing !== 'away') {
      this.inside.env.log.warn(`${replica.name} is away; it served "${this.name}"`)
    }
    replica.down()
  }

  #heard(replica: Replica, body: Json | undefined): void {
    const seconds = replica.heard(body)
    const isShared = ({ standing }: Replica) => standing === 'good' || standing === 'full'
    weigh(replica, this.replicas.filter(isShared), seconds)
    // Also those of which nothing is heard: their silence says nothing by itself.
    for (const each of this.replicas) if (each.mustBeLeft) this.#leave(each)
    const leaving = this.#scale?.look(this.replicas)
    if (leaving) this.left(leaving)
  }

  #leave(replica: Replica): void {
    for (const bound of this.bounds.values()) bound.leave(replica)
  }

  /** Still used? */
  #rest(): void {
    const { clock } = this.inside.env
    const idle = clock.now() - this.#usedAt
    const isUsed = idle < IDLE || this.bounds.size > 0 || this.replicas.some(({ isExtra }) => isExtra)
    if (isUsed) {
      this.#sleep = clock.after(Math.max(1000, IDLE - idle), () => this.#rest())
      return
    }
    this.#sleep = undefined
    for (const [replica, watch] of this.#replicas) {
      watch?.close()
      replica.unwatched()
    }
  }
}
