// The engine of the program: what of the configuration can change while it runs is changed here.

import { Access } from '../core/access.ts'
import type { Env } from '../core/env.ts'
import type { ListenAt } from '../core/transport.ts'
import type { Config } from '../host/config.ts'
import { Engine } from '../index.ts'
import { tcp, tcps } from '../transports/tcp.ts'
import { ws, wss } from '../transports/ws.ts'

export class HostEngine extends Engine {
  #access: Access | undefined

  constructor(config: Config, env: Env) {
    const { name, mode, answerTimeout, limits, forward, hosts } = config
    const shared = { clock: env.clock, limits, meters: env.meters }
    const transports = [tcp(shared), tcps(shared), ws(shared), wss(shared)]
    super({ env, name, mode, answerTimeout, limits, forward, hosts, transports })
    this.#access = config.access && new Access(config.access)
  }

  /** Takes over what may change: who may do what, and where it forwards to. Listeners ask `acceptor` again. */
  adopt({ access, forward, hosts }: Config): void {
    this.#access = access && new Access(access)
    this.routes.allow = forward.allow
    this.routes.hosts = hosts
  }

  /** Makes known where it listens now, and nowhere else. */
  listensOnly(listening: [transport: string, at: ListenAt][]): void {
    this.routes.selves.clear()
    for (const [transport, at] of listening) this.listens(transport, at)
  }

  /** What may be done over connections with that address; `undefined`: everything. */
  rulesFor(address: string): Access | undefined {
    return this.accessFor(address)
  }

  protected override accessFor(address: string): Access | undefined {
    return this.#access ?? super.accessFor(address)
  }
}
