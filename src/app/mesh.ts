// The mesh of the program: names that stand for several engines, as the configuration has them, and the end of this one as
// others see it.

import type { Cancel, Clock } from '../core/clock.ts'
import type { Env } from '../core/env.ts'
import type { Owner } from '../core/owner.ts'
import type { Config } from '../host/config.ts'
import { Mesh, runCommand, type ServiceOptions } from '../mesh/index.ts'

/** Milliseconds for those who are bound here to move to another engine. */
const NOTICE = 1000

export function openMesh({ clock }: Env, { services, announce, peers }: Config): Mesh {
  const run = (command: string[]) => runCommand(clock, command)
  const entries = Object.entries(services).map(([name, { scale, ...service }]): [string, ServiceOptions] => [
    name,
    { ...service, ...(scale && { scale: { ...scale, run } }) },
  ])
  return new Mesh({ services: Object.fromEntries(entries), announce, peers })
}

/** Lets those who balance over this engine move what they have bound here, if there are any. */
export function giveNotice(owner: Owner, mesh: Mesh, clock: Clock): Promise<void> {
  mesh.withdraw()
  if (!owner.watched(['saturation'])) return Promise.resolve()
  return new Promise((resolve) => void (clock.after(NOTICE, resolve) satisfies Cancel))
}
