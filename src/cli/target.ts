// For whom a dispatch of the command line is protected, and where it goes: names of the trust file stand for keys and ways.

import { StartError } from '../app/failure.ts'
import { programName, quote } from '../app/program.ts'
import { SystemClock } from '../core/clock.ts'
import type { Hop } from '../core/dispatch.ts'
import { kidOf } from '../identity/did.ts'
import { Guard } from '../identity/guard.ts'
import { lastingPrekeys, type Prekeys } from '../identity/prekeys.ts'
import { nodeProvider } from '../identity/provider-node.ts'
import { Trust } from '../identity/trust.ts'
import type { KeyData, TrustFile } from '../identity/trust-file.ts'
import { UsageError } from './args.ts'
import { type Own, openOwn, ownTrustPath, readOwnTrust, told } from './own.ts'

export interface TargetOptions {
  to: Hop[]
  /** `--key`: a name of the trust file, or a did:key. */
  key?: string
  /** `--as` */
  as?: string
  /** Whether our key is for this process alone meanwhile. */
  isOnly: boolean
}

/** An engine whose key is known. */
export interface Target {
  key: string
  /** As people call it. */
  name: string
  /** Without the engine of this machine, where the way begins there. */
  to: Hop[]
  own: Own
  guard: Guard
}

/**
 * Whose key protects it: the one of `--key`, or of the last hop if that is a name in the trust file. Towards a key that is
 * known nothing is ever sent in clear.
 * @throws {UsageError | StartError}
 */
export function findTarget({ to, key, as, isOnly }: TargetOptions): Target | undefined {
  const file = readOwnTrust()
  const named = (name: string) => file.keys.find((it) => it.name === name || it.id === name)
  const last = to.at(-1)
  const found =
    key === undefined ? (typeof last === 'string' ? named(last) : undefined) : (named(key) ?? pinned(key))
  if (!found) {
    if (as === undefined) return undefined
    throw new UsageError(
      '--as signs for an engine whose key is known: say which, with --key NAME or a name in the URI',
    )
  }
  const [first, ...more] = to
  const start = typeof first === 'string' ? named(first)?.at : undefined
  const own = openOwn(as, isOnly)
  return {
    key: found.id,
    name: found.name,
    to: first === undefined ? (found.at ?? []) : [...(start ?? [first]), ...more],
    own,
    guard: guardOf(own, file.keys.includes(found) ? file : { ...file, keys: [...file.keys, found] }),
  }
}

/** What protects for these keys, as that identity. @throws {StartError} */
export function guardOf({ signer }: Own, file: TrustFile): Guard {
  const clock = new SystemClock()
  return new Guard({
    provider: nodeProvider,
    signer,
    trust: told(() => new Trust(nodeProvider, signer.kid, { file, uptime: () => clock.now() })),
    prekeys: lastingPrekeys(nodeProvider) as Prekeys,
  })
}

/** A key that is on the command line is trusted for this once. */
export function pinned(id: string, at?: Hop[]): KeyData {
  const kid = kidOf(id)
  if (kid) return { id, kid, name: id, rights: [], isIssuer: false, at }
  if (id.startsWith('did:')) throw new UsageError(`"${id}" is no did:key of an Ed25519 key: did:key:z6Mk…`)
  throw new StartError(
    `there is no "${id}" in ${ownTrustPath()}. Get its key where it runs (hormiga id --engine), then here: ` +
      `${programName()} trust add ${quote(id)} did:key:… --at HOST:PORT`,
  )
}
