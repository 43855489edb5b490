// Changes a trust file: what would not be read is not written, the new file takes the place of the old one at once, and
// owner and permissions stay as they were.

import { chmodSync, chownSync, lstatSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { StartError } from '../app/failure.ts'
import { trustOwners } from '../app/trust-watch.ts'
import type { Hop, Json } from '../core/dispatch.ts'
import { realKeyDisk } from '../identity/key-disk.ts'
import { takeLock } from '../identity/key-lock.ts'
import type { RightData } from '../identity/rights.ts'
import { readTrustFile } from '../identity/trust-disk.ts'
import { readTrust } from '../identity/trust-file.ts'
import { told } from './own.ts'

/** A key as it is written. */
export interface KeyText {
  id: string
  name: string
  suites?: number[]
  issuer?: { depth: number }
  allow?: RightData[]
  at?: Hop[]
}

/** The file as it is written. */
export interface TrustText {
  v: 1
  keys: KeyText[]
  revoked?: (string | { id: string; from?: number })[]
  [more: string]: unknown
}

export interface TrustPlace {
  path: string
  /** Of a file that is made: who may read it. */
  mode: number
  /** The did:key of its owner, which must not stand in it. */
  own: string | undefined
}

/** What stands in it; nothing where there is none. @throws {StartError} when it can't be used */
export function readTrustText(path: string): TrustText {
  return told(() => {
    readTrustFile(path, ownersOf(path))
    if (!realKeyDisk.look(path)) return { v: 1, keys: [] }
    const text = JSON.parse(Buffer.from(realKeyDisk.read(path)).toString('utf8')) as TrustText
    return { ...text, keys: text.keys ?? [] }
  })
}

/** @throws {StartError} when it can't be written, or nobody would read what came out. */
export function editTrust<T>({ path, mode, own }: TrustPlace, edit: (text: TrustText) => T): T {
  const folder = dirname(path)
  return told(() => {
    if (!realKeyDisk.look(folder)) realKeyDisk.makeFolder(folder)
    const release = takeLock(realKeyDisk, `${path}.lock`, path)
    try {
      const text = readTrustText(path)
      const result = edit(text)
      if (text.keys.some(({ id }) => id === own)) {
        throw new StartError(`${own} is the own key here: nobody needs to trust himself`)
      }
      readTrust(text as unknown as Json, path)
      replace(path, mode, written(text))
      // A folder that others can write to is refused by the engine as well.
      readTrustFile(path, ownersOf(path))
      return result
    } finally {
      release()
    }
  })
}

/** Lists of words on one line: people read it too. */
function written(text: TrustText): string {
  const lines = JSON.stringify(text, null, 2)
  const short = lines.replace(
    /\[\n\s+([^[\]{}]*?)\n\s*\]/g,
    (_, inner) => `[${inner.replace(/\n\s*/g, ' ')}]`,
  )
  return `${short}\n`
}

function replace(path: string, mode: number, content: string): void {
  const old = lstatSync(path, { throwIfNoEntry: false })
  const folder = dirname(path)
  const fresh = `${basename(path)}.new`
  if (realKeyDisk.look(`${folder}/${fresh}`)) realKeyDisk.remove(`${folder}/${fresh}`)
  realKeyDisk.create(`${folder}/${fresh}`, Buffer.from(content))
  if (old && (old.uid !== process.getuid?.() || old.gid !== process.getgid?.())) {
    chownSync(`${folder}/${fresh}`, old.uid, old.gid)
  }
  chmodSync(`${folder}/${fresh}`, old ? old.mode & 0o777 : mode)
  realKeyDisk.rename(`${folder}/${fresh}`, path)
  realKeyDisk.syncFolder(folder)
}

/** The file of a service user may be edited by root, who then leaves it to that user. */
function ownersOf(path: string): number[] {
  const { uid } = lstatSync(dirname(path), { throwIfNoEntry: false }) ?? {}
  const isRoot = process.getuid?.() === 0
  return isRoot && uid !== undefined ? [...trustOwners(), uid] : trustOwners()
}
