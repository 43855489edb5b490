// The mesh as the engine has it: names that stand for several engines, and the names that this one serves for others.

import { type Asker, makeAnswer } from '../core/answers.ts'
import type { Balancer, BalancerInside } from '../core/balancer.ts'
import type { Channel } from '../core/channel.ts'
import type { Dispatch, Endpoint, Hop, Json } from '../core/dispatch.ts'
import { transactionOf } from '../core/dispatch.ts'
import { readEndpoint } from '../core/endpoint.ts'
import type { Owner, Request } from '../core/owner.ts'
import { JstpError, STATUS } from '../core/status.ts'
import { keyIn, type Subscriber, type Subscription, subscribe, unsubscribe } from '../core/subscription.ts'
import { Announcer } from './announcer.ts'
import { Asked } from './asked.ts'
import { Bound } from './bound.ts'
import { Replica } from './replica.ts'
import { Service, type ServiceOptions } from './service.ts'

/** Its entries for the directory. */
export const MESH_POINTS = {
  services: { type: 'list', description: 'Names that stand for several engines, and what is known of those' },
} as const
export const MESH_ACTIONS = {
  announce: {
    description: 'Says which names the engine that sends it serves: all of them, each time',
    body: { names: { type: 'list', description: 'Names, such as "docs"', required: true } },
  },
  drain: { description: 'From now on this engine takes no new work by names that it serves' },
} as const

/** Engines of one name. */
const REPLICAS = 100

export interface MeshOptions {
  services?: Record<string, ServiceOptions>
  /** Names that this engine serves; its peers are told. */
  announce?: string[]
  /** Where it announces them. */
  peers?: Exclude<Hop, string>[]
}

export class Mesh implements Balancer {
  #options: MeshOptions
  #inside: BalancerInside | undefined
  #services = new Map<string, Service>()
  #announcer: Announcer | undefined

  constructor(options: MeshOptions) {
    this.#options = options
  }

  /** All 0 when nobody is connected and nothing is under way. */
  get sizes(): Record<'bounds' | 'legs' | 'open' | 'announced', number> {
    const services = [...this.#services.values()]
    const replicas = services.flatMap((service) => service.replicas)
    const sum = (numbers: number[]) => numbers.reduce((all, number) => all + number, 0)
    return {
      bounds: sum(services.map(({ bounds }) => bounds.size)),
      legs: sum(replicas.map(({ bound }) => bound)),
      open: sum(replicas.map(({ open }) => open)),
      announced: replicas.filter(({ way }) => !Array.isArray(way)).length,
    }
  }

  /** `["engine","services"]`: every name, and what is known of its engines. */
  get status(): Json[] {
    return [...this.#services.values()].map(({ status }) => status)
  }

  attach(inside: BalancerInside): void {
    if (this.#inside) throw new Error('a mesh is for one engine: make another one')
    this.#inside = inside
    const { services = {}, announce = [], peers = [] } = this.#options
    for (const [name, options] of Object.entries(services)) {
      this.#services.set(name, new Service(inside, name, options))
    }
    if (announce.length > 0) this.#announcer = new Announcer(inside, peers, announce)
  }

  /** Announces what this engine serves: when it can be asked. */
  start(): void {
    this.#announcer?.start()
  }

  /**
   * Its resources below `engine`: `POST announce {names}`, `POST drain`, `GET services`.
   * @param drain lets everybody know that this engine takes no new work
   */
  expose(engine: Owner, drain: () => void): void {
    engine.handle('POST', ['announce'], (request) => this.#announced(request))
    engine.handle('POST', ['drain'], () => {
      drain()
      this.withdraw()
      return { draining: true }
    })
    engine.handle('GET', ['services'], () => this.status)
  }

  /** This engine serves nothing any more. */
  withdraw(): void {
    this.#announcer?.withdraw()
  }

  serves(name: string): boolean {
    return this.#services.has(name)
  }

  send(name: string, dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void {
    const service = this.#services.get(name) as Service
    service.use()
    const transaction = transactionOf(dispatch)
    if (dispatch.sec !== undefined) return this.#sendOpaque(service, dispatch, asker, subscriber)
    if (dispatch.method === 'BIND') return this.#bind(service, dispatch, asker, subscriber)
    if (dispatch.method === 'RELEASE') return this.#release(service, dispatch, asker, subscriber)
    if (transaction !== undefined) return new Asked(service, dispatch, transaction, asker, subscriber).start()
    const replica = service.pick(new Set())
    if (!replica) return this.#ready.env.meters.count('drop.unreachable')
    replica.given++
    replica.send(dispatch, asker, subscriber)
  }

  released(subscription: Subscription): void {
    for (const { name, bounds } of this.#services.values()) {
      if (subscription.via === viaOf(name)) bounds.get(subscription)?.end()
    }
  }

  gone(channel: Channel): void {
    for (const service of this.#services.values()) {
      for (const replica of service.replicas) if (replica.way === channel) service.remove(replica)
    }
  }

  close(): void {
    this.#announcer?.close()
    for (const service of this.#services.values()) service.close()
  }

  get #ready(): BalancerInside {
    if (!this.#inside) throw new Error('the mesh has no engine yet: new Engine({ balancer })')
    return this.#inside
  }

  /** What is protected is for one key, and only who has protected it knows whose (design §9.17): the first one is asked. */
  #sendOpaque({ name, replicas }: Service, dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void {
    const [first] = replicas
    if (!first) throw new JstpError(STATUS.BAD_GATEWAY, `nobody serves "${name}" at present`)
    first.send(dispatch, asker, subscriber)
  }

  #bind(service: Service, dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void {
    const endpoint = dispatch.endpoint as Endpoint
    const pattern = this.#patternOf(dispatch)
    const { table } = service
    const via = viaOf(service.name)
    const observe = dispatch.observe === true
    const subscription = { endpoint, pattern, subscriber, observe, table, via }
    const isNew = subscribe(subscription, this.#ready.subscriptions)
    const key = keyIn(via, pattern)
    const known = isNew ? subscription : (subscriber.subscriptions.get(key) as Subscription)
    const bound = service.bounds.get(known) ?? new Bound(service, known, dispatch)
    service.bounds.set(known, bound)
    bound.bind(dispatch, asker, transactionOf(dispatch))
  }

  #release(service: Service, dispatch: Dispatch, asker: Asker, subscriber: Subscriber): void {
    const subscription = unsubscribe(subscriber, viaOf(service.name), this.#patternOf(dispatch))
    if (subscription) service.bounds.get(subscription)?.end()
    const id = transactionOf(dispatch)
    const status = subscription ? STATUS.OK : STATUS.NOT_ACCEPTABLE
    if (id !== undefined) asker.answered(makeAnswer(this.#ready.env, status, id), true)
  }

  /** The same endpoint at another engine behind the service is another subscription. */
  #patternOf({ endpoint, to }: Dispatch) {
    const pattern = readEndpoint(endpoint as Endpoint, this.#ready.mode)
    return to ? { ...pattern, id: `${pattern.id} ${JSON.stringify(to)}` } : pattern
  }

  /** An engine says by which names it can be asked over its own connection; all others it serves no more. */
  #announced({ dispatch: { body }, channel: id, author }: Request): Json {
    const channel = id === undefined ? undefined : this.#ready.channel(id)
    if (!channel)
      throw new JstpError(STATUS.BAD_DISPATCH, 'only an engine that is connected can announce itself')
    const names = namesIn(body)
    for (const name of names) this.#checkName(name, author)
    for (const service of this.#services.values()) {
      const known = service.replicas.find(({ way }) => way === channel)
      const isServed = names.includes(service.name)
      if (known && !isServed) service.left(known)
      else if (known) known.isLeaving = false
      else if (isServed) this.#join(service, channel)
    }
    return { names }
  }

  #join(service: Service, channel: Channel): void {
    if (service.replicas.length >= REPLICAS)
      throw new JstpError(STATUS.BAD_DISPATCH, `more than ${REPLICAS} engines serve "${service.name}"`)
    this.#ready.env.log.info(`${channel.pipe.remote} serves "${service.name}"`, { channel: channel.id })
    service.add(new Replica(this.#ready, `${channel.id} ${channel.pipe.remote}`, channel))
  }

  #checkName(name: string, author: string | undefined): void {
    const announced = this.#services.get(name)?.options.announced ?? false
    const isAllowed = Array.isArray(announced)
      ? author !== undefined && announced.includes(author)
      : announced
    if (isAllowed) return
    throw new JstpError(
      STATUS.FORBIDDEN,
      `"${name}" is not yours to announce here: see "services" in the configuration`,
    )
  }
}

function namesIn(body: Json | undefined): string[] {
  const names = typeof body === 'object' && body !== null && !Array.isArray(body) ? body.names : undefined
  const isGood =
    Array.isArray(names) && names.length <= REPLICAS && names.every((name) => typeof name === 'string')
  if (isGood) return [...new Set(names as string[])]
  throw new JstpError(STATUS.BAD_DISPATCH, 'no names to announce: { "names": ["docs"] }')
}

function viaOf(name: string): string {
  return `service:${name}`
}
