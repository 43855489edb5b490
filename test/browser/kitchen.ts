// An engine with a key, a lamp and a listener, that a test can stop and start again with all that it knew.

import type { Json } from '../../src/core/dispatch.ts'
import type { Owner } from '../../src/core/owner.ts'
import { didOf } from '../../src/identity/did.ts'
import { Guard } from '../../src/identity/guard.ts'
import type { Candidate } from '../../src/identity/pairing.ts'
import { lastingPrekeys, type Prekeys } from '../../src/identity/prekeys.ts'
import type { Signer } from '../../src/identity/provider.ts'
import { nodeProvider } from '../../src/identity/provider-node.ts'
import type { RightData } from '../../src/identity/rights.ts'
import { type Learned, Trust } from '../../src/identity/trust.ts'
import { NO_TRUST, readRights, readTrust } from '../../src/identity/trust-file.ts'
import { Engine } from '../../src/index.ts'
import { ws } from '../../src/transports/ws.ts'
import { range } from '../identity/kit.ts'

export interface Kitchen {
  readonly id: string
  readonly port: number
  readonly guard: Guard
  readonly engine: Engine
  readonly trust: Trust
  readonly lamp: Owner
  /** What the lamp was set to, each time. */
  readonly levels: Json[]
  /** The keys that have shown a code. */
  readonly knocked: Candidate[]
  /** What was learned so far: for the next one. */
  readonly learned: Learned | undefined
  /** A code for a new key, with these rights. */
  offer(name: string, rights: RightData[]): string
  stop(): Promise<void>
}

/** An engine that is known to the kitchen, and knows it. Without a listener. */
export function startSensor(
  { id, trust, port }: Kitchen,
  rights: RightData[],
): { id: string; engine: Engine } {
  const signer = nodeProvider.signer(range(0x20, 32)) as Signer
  trust.pair(signer.kid, 'sensor', readRights(rights as unknown as Json, 'rights'))
  const keys = [{ id, name: 'cocina', at: [['127.0.0.1', port, 'ws']] }]
  const file = readTrust({ v: 1, keys }, 'trust.json')
  const uptime = () => performance.now()
  const own = new Trust(nodeProvider, signer.kid, { file, uptime })
  const prekeys = lastingPrekeys(nodeProvider) as Prekeys
  const guard = new Guard({ provider: nodeProvider, signer, trust: own, prekeys })
  return { id: didOf(signer.kid), engine: new Engine({ name: 'sensor', transports: [ws()], guard }) }
}

/** @param origin of the pages that may connect. @param lampState what a GET of the lamp gives. */
export async function startKitchen(origin: string, lampState: Json, learned?: Learned): Promise<Kitchen> {
  const signer = nodeProvider.signer(range(0x00, 32)) as Signer
  let known = learned
  const save = (it: Learned) => {
    known = structuredClone(it)
  }
  const uptime = () => performance.now()
  const trust = new Trust(nodeProvider, signer.kid, { file: NO_TRUST, learned, save, uptime })
  const prekeys = lastingPrekeys(nodeProvider) as Prekeys
  const knocked: Candidate[] = []
  const onPairing = (candidate: Candidate) => void knocked.push(candidate)
  const guard = new Guard({ provider: nodeProvider, signer, trust, prekeys, onPairing })
  const transports = [ws({ origins: [origin] })]
  // Who shows no key may do nothing, although it listens on loopback.
  const engine = new Engine({ name: 'cocina', transports, guard, access: [] })
  const lamp = engine.own('lamp')
  lamp.handle('GET', [], () => lampState)
  const levels: Json[] = []
  lamp.handle('PUT', ['level'], ({ dispatch: { body = null }, author = null }) => {
    levels.push(body)
    return { level: body, author }
  })
  const { port } = await engine.listen('ws', { address: '127.0.0.1', port: 0 })
  return {
    id: didOf(signer.kid),
    port,
    guard,
    engine,
    trust,
    lamp,
    levels,
    knocked,
    get learned() {
      return known
    },
    offer: (name, rights) =>
      guard.identity.pairing.open(name, readRights(rights as unknown as Json, 'rights')),
    stop: () => engine.close(0),
  }
}
