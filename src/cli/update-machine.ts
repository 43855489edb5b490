// Where things are on a machine with our packages, and how an update asks and restarts the engine there.

import { execFile } from 'node:child_process'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { StartError } from '../app/failure.ts'
import { knownProfiles } from '../app/profiles.ts'
import type { Json } from '../core/dispatch.ts'
import { ConfigError, loadConfig } from '../host/config.ts'
import { UpdateError } from '../update/package.ts'
import type { Health } from '../update/trial.ts'
import { controlled } from './controlled.ts'

export interface Places {
  versions: string
  /** The package's version folder. */
  packaged: string
  /** Whose updates are taken, and who may own that file. */
  keys: string
  owners: number[]
  config: string
  state: string
  /** Where files are handed over to root's unit. */
  inbox: string
  /** Root's, in memory. */
  run: string
  lock: string
  /** A byte for every start during a trial. */
  starts: string
  /** The version folder to start, where `current` can't be set right. */
  use: string
  answers: string
}

const SERVICE = 'hormiga.service'
const DEADLINE = 30_000
const BLOCKED = constants.O_RDONLY | constants.O_NONBLOCK

/** @param root of another machine's files, for a test */
export function placesOf(root: string | undefined): Places {
  const at = (path: string) => (root === undefined ? path : join(resolve(root), path))
  const run = at('/run/hormiga-update')
  const state = at('/var/lib/hormiga')
  return {
    versions: at('/var/lib/hormiga-versions'),
    packaged: at('/usr/lib/hormiga/engine'),
    keys: at('/etc/hormiga/update-keys'),
    owners: root === undefined ? [0] : [0, process.getuid?.() ?? 0],
    config: at('/etc/hormiga/hormiga.json'),
    state,
    inbox: join(state, 'updates'),
    run,
    lock: join(run, 'lock'),
    starts: join(run, 'starts'),
    use: join(run, 'use'),
    answers: join(run, 'answer'),
  }
}

/** @throws {UpdateError} when it is no plain file, or too long */
export function readRegular(path: string, most: number, flags = 0): Uint8Array {
  const file = openSync(path, BLOCKED | flags)
  try {
    const facts = fstatSync(file)
    if (!facts.isFile()) throw new UpdateError(`${path} is no plain file`)
    if (facts.size > most)
      throw new UpdateError(`${path} has ${facts.size} bytes: more than the ${most} allowed`)
    return readFileSync(file)
  } finally {
    closeSync(file)
  }
}

/** Not waited for: whether it runs is seen by asking it. */
export function restartEngine(): Promise<void> {
  return new Promise((done, fail) => {
    execFile('systemctl', ['restart', '--no-block', SERVICE], { timeout: DEADLINE }, (error, _out, said) =>
      error ? fail(new Error(said.trim() || error.message)) : done(),
    )
  })
}

/** `undefined`: no engine answers. */
export async function lookAt(places: Places): Promise<Health | undefined> {
  try {
    const engine = await controlled(await stateOf(places))
    try {
      return readHealth(await engine.ask('GET', ['health']))
    } finally {
      await engine.close()
    }
  } catch (error) {
    if (error instanceof StartError) return undefined
    throw error
  }
}

/** As the engine finds it; a configuration that this version can't read may be right for another. */
async function stateOf({ config, state }: Places): Promise<string> {
  try {
    return loadConfig({ argument: config, profiles: knownProfiles() }).state ?? state
  } catch (error) {
    if (error instanceof ConfigError) return state
    throw error
  }
}

function readHealth(value: Json): Health | undefined {
  const { boot, devices } = (value ?? {}) as { boot?: unknown; devices?: unknown }
  if (typeof boot !== 'string' || typeof devices !== 'object' || devices === null) return undefined
  const states = Object.entries(devices).map(([name, it]) => [name, String(it?.state)])
  return { boot, devices: Object.fromEntries(states) }
}
