// The trust file on disk (spec B9): written by the owner of the machine, not by the service.

import type { Json } from '../core/dispatch.ts'
import { type KeyDisk, realKeyDisk } from './key-disk.ts'
import { NO_TRUST, readTrust, type TrustFile } from './trust-file.ts'

/**
 * Reads `/etc/hormiga/trust.json`; where there is none nobody is trusted.
 * @param owner who must own it: root. @throws {Error} when others could have written it, or it says what it must not.
 */
export function readTrustFile(path: string, owner = 0, disk: KeyDisk = realKeyDisk): TrustFile {
  const facts = disk.look(path)
  if (!facts) return NO_TRUST
  const place = path.slice(0, path.lastIndexOf('/')) || '/'
  const folder = disk.look(place)
  if (facts.kind !== 'file') throw new Error(`${path} is no plain file (a link?): put the file itself there`)
  for (const [at, it] of [
    [path, facts],
    [place, folder],
  ] as const) {
    if (it?.owner !== owner) throw new Error(`${at} must belong to user ${owner}: chown ${owner} ${at}`)
    if ((it.mode & 0o022) !== 0) throw new Error(`${at} can be written by others: chmod go-w ${at}`)
  }
  let value: Json
  try {
    value = JSON.parse(Buffer.from(disk.read(path)).toString('utf8')) as Json
  } catch (error) {
    throw new Error(`${path} is no JSON: ${(error as Error).message}`)
  }
  return readTrust(value, path)
}
