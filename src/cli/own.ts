// The identity of the command line itself: a key and a trust file of whoever calls it, made when they are first needed.

import { homedir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { StartError } from '../app/failure.ts'
import { programName } from '../app/program.ts'
import { trustOwners } from '../app/trust-watch.ts'
import { didOf, fingerprint, kidOf } from '../identity/did.ts'
import { realKeyDisk } from '../identity/key-disk.ts'
import { LockedError, takeLock } from '../identity/key-lock.ts'
import { boardSerial, openSigner, readKeyFile } from '../identity/keystore.ts'
import type { Signer } from '../identity/provider.ts'
import { nodeProvider } from '../identity/provider-node.ts'
import { readTrustFile } from '../identity/trust-disk.ts'
import type { TrustFile } from '../identity/trust-file.ts'

export interface Own {
  signer: Signer
  /** did:key */
  id: string
  /** Where the key is, for people. */
  from: string
  /** Gives back what only one process may have. */
  release(): void
}

/** `~/.local/state/hormiga/cli` */
export function ownFolder(): string {
  const { XDG_STATE_HOME: xdg } = process.env
  // sudo may keep HOME, and then root's files would stand in the home of another.
  const home = process.getuid?.() === 0 ? userInfo().homedir : homedir()
  const state = xdg?.startsWith('/') ? xdg : join(home, '.local/state')
  return join(state, 'hormiga/cli')
}

/** Whom the command line trusts, and where they are. */
export function ownTrustPath(): string {
  return join(ownFolder(), 'trust.json')
}

/** @throws {StartError} when it can't be used */
export function readOwnTrust(): TrustFile {
  return told(() => readTrustFile(ownTrustPath(), trustOwners()))
}

/**
 * The key to sign with.
 * @param as a key file instead of the own key (`--as`). @param isOnly no other process may use it meanwhile: what goes
 * on in a security context ends the contexts of others. @throws {StartError}
 */
export function openOwn(as: string | undefined, isOnly: boolean): Own {
  const folder = join(ownFolder(), 'keys')
  const signer = told(() =>
    as === undefined ? openSigner({ folder, serial: boardSerial() }) : readKeyFile(as),
  )
  const lock = as === undefined ? join(folder, 'lock') : `${as}.lock`
  return {
    signer,
    id: didOf(signer.kid),
    from: as ?? folder,
    release: isOnly ? lockKey(lock) : () => {},
  }
}

/** The fingerprint that people compare. */
export function printOf(id: string): string {
  return fingerprint(nodeProvider, kidOf(id) as Uint8Array) as string
}

/** What can't go on says why, without a stack. */
export function told<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    const { code, path, message } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM') {
      throw new StartError(`${path} is not yours to read or write: run it as its owner (sudo …)`)
    }
    throw new StartError(message)
  }
}

function lockKey(lock: string): () => void {
  try {
    return takeLock(realKeyDisk, lock, dirname(lock))
  } catch (error) {
    if (!(error instanceof LockedError))
      return told(() => {
        throw error
      })
    const program = programName()
    throw new StartError(
      `this key is in use by another bind (process ${error.holder}): two would end each other's contexts. End that one, or ` +
        `give this one a key of its own: ${program} id --new FILE, and then --as FILE`,
    )
  }
}
