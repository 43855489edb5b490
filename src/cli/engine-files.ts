// Where the engine of this machine keeps its keys and its trust: as `hormiga run` would find them.

import { join } from 'node:path'
import { StartError } from '../app/failure.ts'
import { KEYS, trustFileOf } from '../app/identity.ts'
import { knownProfiles } from '../app/profiles.ts'
import { type Config, ConfigError, loadConfig } from '../host/config.ts'
import { chooseDirectory } from '../host/store.ts'
import { didOf } from '../identity/did.ts'
import { peekKid } from '../identity/keystore.ts'
import { told } from './own.ts'

export interface EngineFiles {
  /** The configuration; `undefined`: there is none. */
  config: string | undefined
  /** The folder for state. */
  state: string
  keys: string
  trust: string
}

/** @param options `--config` and `--state`. @throws {StartError} */
export async function engineFiles(options: Record<string, string | true | undefined>): Promise<EngineFiles> {
  const { config: argument, state } = options as Record<string, string | undefined>
  return filesOf(() => loadConfig({ argument, profiles: knownProfiles() }), state)
}

/** The same with a configuration of one's own. @param state what `--state` says. @throws {StartError} */
export function filesOf(load: () => Config, state: string | undefined): EngineFiles {
  try {
    const config = load()
    const isRoot = process.getuid?.() === 0
    const folder = told(() =>
      chooseDirectory({ argument: state, config: config.state, env: process.env, isRoot }),
    )
    const trust = trustFileOf(config, folder) as string
    return { config: config.file, state: folder, keys: join(folder, KEYS), trust }
  } catch (error) {
    if (error instanceof ConfigError) throw new StartError(error.message)
    throw error
  }
}

/** The did:key of the engine; `undefined`: it has none yet. @throws {StartError} when its key is not ours to see. */
export function engineId({ keys }: EngineFiles): string | undefined {
  const kid = told(() => peekKid(keys))
  return kid && didOf(kid)
}
