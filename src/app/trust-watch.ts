// The trust file while the engine runs (spec B9): looked at twice a second, so that who is taken out of it is refused at
// once. What can't be read changes nothing, and is told.

import { lstatSync } from 'node:fs'
import type { Cancel } from '../core/clock.ts'
import type { Env } from '../core/env.ts'
import { readTrustFile } from '../identity/trust-disk.ts'
import { NO_TRUST, type TrustFile } from '../identity/trust-file.ts'

const PERIOD = 500
const NOTHING = 'nothing there'

export interface TrustWatch {
  /** As it was read last. */
  readonly file: TrustFile
  /** Begins to look, and tells every change. */
  start(apply: (file: TrustFile) => void): void
  /** Reads it again, changed or not; with `path`, another file from now on. */
  again(path?: string): void
  close(): void
}

/**
 * @param path `undefined`: there is none, and nobody is trusted.
 * @param own our own did:key. @throws {Error} when the file can't be used, saying why
 */
export function watchTrust(env: Env, path: string | undefined, own: string): TrustWatch {
  const { clock, log } = env
  let at = path
  let mark = markOf(at)
  let file = read(at, own)
  let missing = 0
  let apply = (_file: TrustFile) => {}
  let cancel: Cancel = () => {}

  const take = () => {
    mark = markOf(at)
    try {
      file = read(at, own)
    } catch (error) {
      log.error(`trust stays as it was: ${(error as Error).message}`)
      return
    }
    apply(file)
    log.info(`${at}: ${file.keys.length} keys are trusted, ${file.revoked.length} are revoked`)
  }
  const look = () => {
    cancel = clock.after(PERIOD, look)
    const now = markOf(at)
    if (now === mark) {
      missing = 0
      return
    }
    // Some editors take the old file away before the new one is there.
    if (now === NOTHING && ++missing < 2) return
    missing = 0
    take()
  }
  return {
    get file() {
      return file
    },
    start(run) {
      apply = run
      cancel = clock.after(PERIOD, look)
    },
    again(path = at) {
      at = path
      take()
    },
    close: () => cancel(),
  }
}

/** Root or who runs this may say whom to trust. */
export function trustOwners(): number[] {
  return [...new Set([0, process.getuid?.() ?? 0])]
}

function read(path: string | undefined, own: string): TrustFile {
  if (path === undefined) return NO_TRUST
  const file = readTrustFile(path, trustOwners())
  if (file.keys.some(({ id }) => id === own)) {
    throw new Error(`${path}: ${own} is the key of this engine itself: take it out`)
  }
  return file
}

/** What changes with every version of the file. */
function markOf(path: string | undefined): string {
  if (path === undefined) return NOTHING
  try {
    const facts = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    return facts ? [facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs].join(' ') : NOTHING
  } catch (error) {
    return (error as Error).message
  }
}
