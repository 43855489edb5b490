// Whose updates this machine takes: did:keys in a file that only root can write, `/etc/hormiga/update-keys`. One a line, then
// whatever says whose it is; `#` begins a remark. No file, or an empty one: nobody's.

import { kidOf } from '../identity/did.ts'
import { type KeyDisk, realKeyDisk } from '../identity/key-disk.ts'
import { keyFault } from '../identity/keys.ts'
import { UpdateError } from './package.ts'

const MOST = 100_000

/** @param owners who may own the file and its folder. @throws {UpdateError} when others could have written it, or it is wrong */
export function readUpdateKeys(path: string, owners: number[], disk: KeyDisk = realKeyDisk): Uint8Array[] {
  const facts = disk.look(path)
  if (!facts) return []
  if (facts.kind !== 'file')
    throw new UpdateError(`${path} is no plain file (a link?): put the file itself there`)
  const folder = path.slice(0, path.lastIndexOf('/')) || '/'
  for (const [at, it] of [
    [path, facts],
    [folder, disk.look(folder)],
  ] as const) {
    if (!it || !owners.includes(it.owner))
      throw new UpdateError(`${at} must belong to root: sudo chown root ${at}`)
    if ((it.mode & 0o022) !== 0)
      throw new UpdateError(`${at} can be written by others: sudo chmod go-w ${at}`)
  }
  const bytes = disk.read(path)
  if (bytes.length > MOST) throw new UpdateError(`${path} is longer than ${MOST} bytes`)
  const lines = Buffer.from(bytes).toString('utf8').split('\n')
  return lines.flatMap((line, index) => {
    const [did] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (!did) return []
    const kid = kidOf(did)
    if (kid && !keyFault(kid)) return [kid]
    throw new UpdateError(`${path}:${index + 1}: "${did}" is no did:key of an Ed25519 key (did:key:z6Mk…)`)
  })
}
