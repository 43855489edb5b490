// Who this engine is, and whom it trusts (spec B3, B9): the keys in its state folder and the trust file of its owner, made
// into what guards the engine.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Cancel } from '../core/clock.ts'
import type { Env } from '../core/env.ts'
import type { Config } from '../host/config.ts'
import { didOf, fingerprint } from '../identity/did.ts'
import { Guard } from '../identity/guard.ts'
import { boardSerial, type Keystore, openKeystore } from '../identity/keystore.ts'
import type { Candidate } from '../identity/pairing.ts'
import { lastingPrekeys, type Prekeys } from '../identity/prekeys.ts'
import type { Signer } from '../identity/provider.ts'
import { nodeProvider } from '../identity/provider-node.ts'
import { Trust } from '../identity/trust.ts'
import { StartError } from './failure.ts'
import { watchTrust } from './trust-watch.ts'

const MINUTE = 60_000

/** The key folder, in the folder for state. */
export const KEYS = 'keys'

export interface HostIdentity {
  guard: Guard
  trust: Trust
  /** did:key */
  id: string
  /** What people compare. */
  fingerprint: string
  /** How brokers know this engine, `N` of design §9.23: what starts its client ids is `h-<N>`. */
  node: string
  signer: Signer
  /** The trust file; `undefined`: there is none. */
  readonly trustFile: string | undefined
  /** Told when a key has shown the code of a pairing. */
  onPairing: (candidate: Candidate) => void
  /** From now on the trust file is looked at. */
  start(): void
  /** Reads the trust file again, at the place that the configuration says now. */
  reload(config: Config): void
  close(): void
}

/** What `Keystore` gives, or as much of it as there is without a folder. */
type Keys = { signer: Signer; prekeys: Prekeys } & Partial<Keystore>

/**
 * Opens the keys, or makes them.
 * @param state the folder for state; `undefined`: the identity ends with the process.
 * @throws {StartError} that says what is wrong with the keys or the trust file, and what to do
 */
export function openHostIdentity(env: Env, config: Config, state: string | undefined): HostIdentity {
  try {
    return open(env, config, state)
  } catch (error) {
    throw new StartError((error as Error).message)
  }
}

/** Where the trust file is: as configured, else with the state. */
export function trustFileOf({ trust }: Config, state: string | undefined): string | undefined {
  return trust ?? (state === undefined ? undefined : join(state, 'trust.json'))
}

function open(env: Env, config: Config, state: string | undefined): HostIdentity {
  const { clock } = env
  const keys = state === undefined ? inMemory() : onDisk(env, join(state, KEYS))
  try {
    let path = trustFileOf(config, state)
    const { signer, prekeys, learned, saveLearned, uptime = () => clock.now() } = keys
    const id = didOf(signer.kid)
    const node = createHash('sha256').update(signer.kid).digest('hex').slice(0, 32)
    const watch = watchTrust(env, path, id)
    const trust = new Trust(nodeProvider, signer.kid, {
      file: watch.file,
      learned,
      save: saveLearned,
      uptime,
    })
    const onPairing = (candidate: Candidate) => host.onPairing(candidate)
    const guard = new Guard({ provider: nodeProvider, signer, trust, prekeys, onPairing })
    let cancel: Cancel = () => {}
    const tick = () => {
      keys.tick?.()
      cancel = clock.after(MINUTE, tick)
    }
    const host: HostIdentity = {
      guard,
      trust,
      id,
      fingerprint: fingerprint(nodeProvider, signer.kid) as string,
      node,
      signer,
      get trustFile() {
        return path
      },
      onPairing() {},
      start() {
        watch.start((file) => guard.identity.retrust(file))
        tick()
      },
      reload(next) {
        path = trustFileOf(next, state)
        watch.again(path)
      },
      close() {
        cancel()
        watch.close()
        keys.close?.()
      },
    }
    return host
  } catch (error) {
    keys.close?.()
    throw error
  }
}

function onDisk({ clock, log }: Env, folder: string): Keystore {
  return openKeystore({
    folder,
    now: () => clock.now(),
    serial: boardSerial(),
    failed: (error) =>
      log.error(`${folder} can't be written: ${error.message}. Check the disk: df ${folder}`),
  })
}

function inMemory(): Keys {
  return {
    signer: nodeProvider.signer() as Signer,
    prekeys: lastingPrekeys(nodeProvider) as Prekeys,
  }
}
