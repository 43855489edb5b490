// The engine of the program: what of the configuration can change while it runs is changed here.

import { Access } from '../core/access.ts'
import type { Balancer } from '../core/balancer.ts'
import type { Env } from '../core/env.ts'
import type { Guard } from '../core/guard.ts'
import type { Owner } from '../core/owner.ts'
import type { Accept, ListenAt, Transport } from '../core/transport.ts'
import type { AccessRule, Config, Label } from '../host/config.ts'
import { History } from '../host/history.ts'
import { LABELS } from '../host/schema.ts'
import { Engine } from '../index.ts'
import { tcp, tcps } from '../transports/tcp.ts'
import { ws, wss } from '../transports/ws.ts'

/** An address that is never loopback: a broker may be on this machine, whoever speaks through it is not. */
export const BROKER = 'the broker'

/** `access` of the configuration, read once: for each listener, and for what was dialed. */
type Rules = Record<Label | 'dialed', Access>

export class HostEngine extends Engine {
  readonly history: History
  #rules: Rules | undefined

  /** `more`: transports besides those that every engine has. */
  constructor(config: Config, env: Env, guard?: Guard, balancer?: Balancer, more: Transport[] = []) {
    const { name, mode, answerTimeout, limits, forward, hosts } = config
    const shared = { clock: env.clock, limits, meters: env.meters }
    const transports = [tcp(shared), tcps(shared), ws(shared), wss(shared), ...more]
    super({ env, name, mode, answerTimeout, limits, forward, hosts, transports, guard, balancer })
    this.history = new History(config.history, env.clock, env.meters)
    this.#rules = config.access && rulesOf(config.access)
  }

  /** A root whose reports are remembered. */
  override own(root: string): Owner {
    const owner = super.own(root)
    return {
      root,
      handle: (method, point, handler) => owner.handle(method, point, handler),
      report: (point, value, options) => {
        if (root !== 'engine' || point[0] === 'saturation') this.history.record([root, ...point], value)
        owner.report(point, value, options)
      },
      watched: (point) => owner.watched(point),
      close: () => owner.close(),
    }
  }

  /** Takes over what may change: who may do what, and where it forwards to. Listeners ask `acceptorOf` again. */
  adopt({ access, forward, hosts }: Config): void {
    this.#rules = access && rulesOf(access)
    this.routes.allow = forward.allow
    this.routes.hosts = hosts
  }

  /** Makes known where it listens now, and nowhere else. */
  listensOnly(listening: [transport: string, at: ListenAt][]): void {
    this.routes.selves.clear()
    for (const [transport, at] of listening) this.listens(transport, at)
  }

  /** What may be done without a key over connections that a listener takes; `undefined`: everything. */
  rulesOf(label: Label, address: string): Access | undefined {
    return this.#rules ? this.#rules[label] : super.accessFor(address)
  }

  /** What may be done without a key by who comes from a broker over a connection of ours: anybody may be there. */
  get brokerAccess(): Access | undefined {
    return this.#rules?.dialed ?? super.accessFor(BROKER)
  }

  /** What a listener hands its connections to. */
  acceptorOf(label: Label, address: string): Accept {
    const access = this.rulesOf(label, address)
    if (access?.isClosed) {
      const why = this.#rules
        ? `no rule of "access" is for ${label}:`
        : `${address} is not loopback: without "access"`
      this.env.log.warn(`${why} only who shows a key of the trust file may do anything there`)
    }
    return (pipe, codec) => this.accept(pipe, codec, access)
  }

  protected override accessFor(address: string): Access | undefined {
    return this.#rules?.dialed ?? super.accessFor(address)
  }
}

function rulesOf(access: AccessRule[]): Rules {
  const of = (where: Label | 'dialed') =>
    new Access(access.filter(({ listen }) => !listen || listen.some((label) => label === where)))
  return Object.fromEntries([...LABELS, 'dialed' as const].map((where) => [where, of(where)])) as Rules
}
