// The trust file on disk (spec B9): written by the owner of the machine, not by the service.

import type { Json } from '../core/dispatch.ts'
import { type KeyDisk, realKeyDisk } from './key-disk.ts'
import { NO_TRUST, readTrust, type TrustFile } from './trust-file.ts'

/**
 * Reads `/etc/hormiga/trust.json`; where there is none nobody is trusted.
 * @param owner who may own it: root, or one of several. @throws {Error} when others could have written it, or it says
 * what it must not.
 */
export function readTrustFile(
  path: string,
  owner: number | number[] = 0,
  disk: KeyDisk = realKeyDisk,
): TrustFile {
  const facts = disk.look(path)
  if (!facts) return NO_TRUST
  const owners = [owner].flat()
  const place = path.slice(0, path.lastIndexOf('/')) || '/'
  const folder = disk.look(place)
  if (facts.kind !== 'file') throw new Error(`${path} is no plain file (a link?): put the file itself there`)
  for (const [at, it] of [
    [path, facts],
    [place, folder],
  ] as const) {
    if (!it || !owners.includes(it.owner)) {
      throw new Error(`${at} must belong to user ${owners.join(' or ')}: chown ${owners[0]} ${at}`)
    }
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
