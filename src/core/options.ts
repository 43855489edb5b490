// What an engine can be told when it is made, and what holds when it is not.

import type { Balancer } from './balancer.ts'
import type { Hop, Version } from './dispatch.ts'
import type { Mode } from './endpoint.ts'
import type { Guard } from './guard.ts'
import type { Limits } from './limits.ts'
import type { Backoff } from './remote.ts'
import type { Routes } from './route.ts'
import type { Transport } from './transport.ts'

export interface EngineOptions {
  /** How others may call it in `to`, and what its reports say in `from`. */
  name?: string
  mode?: Mode
  /** Milliseconds. */
  answerTimeout?: number
  limits?: Partial<Limits>
  /** Where it sends on what strangers send; default: nowhere. */
  forward?: { allow: Hop[] }
  /** Virtual host names. */
  hosts?: Record<string, Hop[]>
  backoff?: Backoff
  /** The version that we open with towards hosts that we dial, for those that know no `to` yet. */
  speak?: Version
  transports?: Transport[]
  /** Opens and protects dispatches, with keys. Without it what is protected can only be passed on. */
  guard?: Guard
  /** Chooses among the hosts of a name. Without it the first of `hosts` is taken. */
  balancer?: Balancer
}

export const DEFAULTS = {
  name: 'hormiga',
  mode: 'quirks' as Mode,
  answerTimeout: 10_000,
  backoff: { first: 500, most: 30_000 },
  speak: '0.6' as Version,
  transports: [] as Transport[],
}

/** What the gateway goes by. The engine's own addresses are added as it listens. */
export function routesOf({
  name = DEFAULTS.name,
  forward,
  hosts = {},
  transports = [],
}: EngineOptions): Routes {
  return {
    name,
    selves: new Set(),
    allow: forward?.allow ?? [],
    hosts,
    transports: new Set(transports.map(({ label }) => label)),
  }
}
