// The way into the running engine that only its owner has: a unix socket in the state folder, with an engine of its own
// behind it, so that nothing of it is ever on a network. `hormiga trust pair` and `list` and `hormiga update` speak with it.

import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Element, Json } from '../core/dispatch.ts'
import type { Env } from '../core/env.ts'
import type { Owner, Request } from '../core/owner.ts'
import { JstpError, STATUS } from '../core/status.ts'
import { fingerprint, kidOf } from '../identity/did.ts'
import type { Candidate } from '../identity/pairing.ts'
import { nodeProvider } from '../identity/provider-node.ts'
import { readName, readRights } from '../identity/trust-file.ts'
import { Engine } from '../index.ts'
import { unix } from '../transports/tcp.ts'
import type { HostIdentity } from './identity.ts'

export const CONTROL = 'control'

/** Milliseconds that a pairing window is open (spec B9). */
const WINDOW = 120_000

export interface Control {
  close(): Promise<void>
}

/** `/var/lib/hormiga/control.sock` */
export function controlPath(state: string): string {
  return join(state, 'control.sock')
}

/** @param health what an update looks at. Never throws: without it the engine runs as well, and that is told. */
export async function openControl(
  env: Env,
  state: string,
  identity: HostIdentity,
  health: () => Json,
): Promise<Control> {
  const path = controlPath(state)
  const engine = new ControlEngine(env)
  expose(engine.own(CONTROL), identity, health)
  try {
    // The keys beside it are locked, so this one is of a process that has ended.
    removeIfThere(path)
    await engine.listen('unix', { address: path, port: 0 })
  } catch (error) {
    env.log.warn(`${path} can't be opened, so no key can be paired: ${(error as Error).message}`)
  }
  return { close: () => engine.close(0) }
}

/** Over the socket everything may be done: who can connect is the owner. */
class ControlEngine extends Engine {
  constructor(env: Env) {
    super({ env, name: CONTROL, transports: [unix({ clock: env.clock, meters: env.meters })] })
  }

  override listens(): void {}

  protected override accessFor(): undefined {
    return undefined
  }
}

function expose(owner: Owner, identity: HostIdentity, health: () => Json): void {
  const { guard, id, trust } = identity
  const { pairing } = guard.identity
  const candidate = (): Json => (pairing.candidate ? shown(pairing.candidate) : null)
  identity.onPairing = (it) => owner.report(['pair'], shown(it), { event: true })
  const handlers: [method: string, point: Element[], run: (request: Request) => Json][] = [
    ['GET', [], () => ({ id, fingerprint: printOf(id), trust: identity.trustFile ?? null })],
    ['GET', ['health'], health],
    [
      'GET',
      ['trust'],
      () =>
        trust
          .entries()
          .map(({ id, name, rights }) => ({ id, name, allow: rights.map(({ data }) => ({ ...data })) })),
    ],
    ['GET', ['pair'], candidate],
    [
      'POST',
      ['pair'],
      ({ dispatch }) => {
        const { name, allow } = fieldsOf(dispatch.body)
        const code = asked(() => pairing.open(readName(name, 'name'), readRights(allow ?? [], 'allow')))
        return { code, id, fingerprint: printOf(id), ms: WINDOW }
      },
    ],
    [
      'PUT',
      ['pair'],
      ({ dispatch }) => {
        if (dispatch.body !== pairing.candidate?.id)
          throw refused('that key does not wait to be paired any more')
        const outcome = pairing.confirm()
        if (!outcome.done) throw refused(outcome.reason)
        guard.identity.retrust()
        return null
      },
    ],
    [
      'DELETE',
      ['pair'],
      () => {
        pairing.close()
        return null
      },
    ],
  ]
  for (const [method, point, run] of handlers) owner.handle(method, point, run)
}

function shown({ id, fingerprint }: Candidate): Json {
  return { id, fingerprint }
}

function printOf(id: string): string {
  return fingerprint(nodeProvider, kidOf(id) as Uint8Array) as string
}

function fieldsOf(body: Json | undefined): { [name: string]: Json } {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body
  throw refused('the body must be {name, allow}')
}

/** What is wrong in it is the fault of who has asked. */
function asked<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw refused((error as Error).message)
  }
}

function refused(message: string): JstpError {
  return new JstpError(STATUS.BAD_DISPATCH, message)
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
