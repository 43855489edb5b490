// The engine of the program: what of the configuration can change while it runs is changed here.

import { Access } from '../core/access.ts'
import type { Balancer } from '../core/balancer.ts'
import type { Env } from '../core/env.ts'
import type { Guard } from '../core/guard.ts'
import type { Accept, ListenAt } from '../core/transport.ts'
import type { AccessRule, Config, Label } from '../host/config.ts'
import { LABELS } from '../host/schema.ts'
import { Engine } from '../index.ts'
import { tcp, tcps } from '../transports/tcp.ts'
import { ws, wss } from '../transports/ws.ts'

/** `access` of the configuration, read once: for each listener, and for what was dialed. */
type Rules = Record<Label | 'dialed', Access>

export class HostEngine extends Engine {
  #rules: Rules | undefined

  constructor(config: Config, env: Env, guard?: Guard, balancer?: Balancer) {
    const { name, mode, answerTimeout, limits, forward, hosts } = config
    const shared = { clock: env.clock, limits, meters: env.meters }
    const transports = [tcp(shared), tcps(shared), ws(shared), wss(shared)]
    super({ env, name, mode, answerTimeout, limits, forward, hosts, transports, guard, balancer })
    this.#rules = config.access && rulesOf(config.access)
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
