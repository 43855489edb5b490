// The computer that is looked at: this one, or the tree of another one's card, mounted here.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import type { Config } from '../../host/config.ts'
import { realSources, type Sources } from '../../host/saturation/index.ts'

/**
 * - `ok` it was looked at, and is well
 * - `warning` it will hurt some day, or sometimes
 * - `fault` something does not work for this reason
 * - `unknown` it can't be seen from here; `found` says why
 */
export type State = 'ok' | 'warning' | 'fault' | 'unknown'

/** What was found, with its proof, and what to do about it. */
export interface Finding {
  state: State
  /** What was seen and where, for people. */
  found: string
  /** A command, or what to do by hand. */
  fix?: string
}

/** What is looked at. */
export interface Patient {
  machine: Machine
  /** `undefined`: it can't be used, which is a finding of its own. */
  config: Config | undefined
}

/** One thing to look at. What does not concern this computer or its configuration has no findings. */
export interface Check {
  name: string
  look(patient: Patient): Promise<Finding[]>
}

/** Milliseconds for a program that tells something. */
const DEADLINE = 3000

export class Machine {
  readonly root: string
  readonly sources: Sources

  constructor(root = '/') {
    this.root = root
    this.sources = realSources(root)
  }

  /** It is the one that this program runs on. */
  get isHere(): boolean {
    return this.root === '/'
  }

  /** A path of that computer as it is reached from here. */
  at(path: string): string {
    return this.isHere ? path : join(this.root, path)
  }

  /** The text of a file without space around it. */
  read(path: string): string | undefined {
    return this.sources.read(path)?.trim()
  }

  /** The folders inside one, with their paths. */
  folders(path: string, kind = /./): string[] {
    return this.sources
      .list(path)
      .filter((name) => kind.test(name))
      .sort()
      .map((name) => `${path}/${name}`)
  }

  /** The switches that can silence radios of this type, `bluetooth` or `wlan`, by their folders. */
  switches(type: string): { folder: string; name: string; hard: boolean; soft: boolean }[] {
    const all = this.folders('/sys/class/rfkill').map((folder) => {
      const read = (file: string) => this.read(`${folder}/${file}`)
      const name = read('name') ?? folder
      return { folder, name, type: read('type'), hard: read('hard') === '1', soft: read('soft') === '1' }
    })
    return all.filter((one) => one.type === type)
  }

  /** Names of the programs that run. */
  programs(): Set<string> {
    return new Set(this.folders('/proc', /^\d+$/).flatMap((folder) => this.read(`${folder}/comm`) ?? []))
  }

  /** What a program of this computer prints; `undefined`: it isn't there, failed, or took too long. */
  async run(program: string, words: string[]): Promise<string | undefined> {
    if (!this.isHere) return undefined
    return new Promise((resolve) => {
      execFile(program, words, { timeout: DEADLINE, encoding: 'utf8' }, (error, out) =>
        resolve(error ? undefined : out),
      )
    })
  }
}

export const ok = (found: string): Finding => ({ state: 'ok', found })
export const warning = (found: string, fix: string): Finding => ({ state: 'warning', found, fix })
export const fault = (found: string, fix: string): Finding => ({ state: 'fault', found, fix })
export const unknown = (found: string): Finding => ({ state: 'unknown', found })
