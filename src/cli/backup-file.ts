// What a backup is: one file in the format of age, so that any age can open it; inside, compressed JSON with the files.

import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { Decrypter } from 'age-encryption'
import { VERSION } from '../app/program.ts'

/** Files by where they belong: `config`, `trust`, `state/NAME`, `keys/NAME`. */
export type Files = Map<string, Uint8Array>

export interface Backup {
  /** did:key of the engine; `undefined`: it had none yet. */
  id: string | undefined
  /** Milliseconds since the epoch. */
  made: number
  files: Files
}

interface Written {
  hormiga: string
  id?: string
  made: number
  files: Record<string, string>
}

/** Bytes of all files together. */
export const MOST = 1 << 26
/** What scrypt costs: 2^15 is half a second on a Pi 4, and 32 MiB. */
const WORK = 15
const PLACE = /^(config|trust|(state|keys)\/[a-z0-9][a-z0-9.-]*)$/

/** @param to a passphrase, or a recipient `age1…` */
export async function seal(
  backup: Backup,
  to: { passphrase: string } | { recipient: string },
): Promise<Uint8Array> {
  const { Encrypter } = await import('age-encryption')
  const { id, made, files } = backup
  const written: Written = {
    hormiga: VERSION,
    ...(id && { id }),
    made,
    files: Object.fromEntries(
      [...files].map(([place, bytes]) => [place, Buffer.from(bytes).toString('base64')]),
    ),
  }
  const encrypter = new Encrypter()
  if ('passphrase' in to) {
    encrypter.setPassphrase(to.passphrase)
    encrypter.setScryptWorkFactor(WORK)
  } else encrypter.addRecipient(to.recipient)
  return encrypter.encrypt(await promisify(gzip)(JSON.stringify(written)))
}

/** Whether a passphrase opens it; else it is sealed to a key. @throws {Error} when it is no backup */
export function wantsPassphrase(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.subarray(0, 1024)).toString('latin1')
  if (!head.startsWith('age-encryption.org/v1\n'))
    throw new Error('it is no backup: it does not begin as one')
  return head.includes('\n-> scrypt ')
}

/** @param allow says what opens it. @throws {Error} when that does not open it, or what is inside is no backup */
export async function open(bytes: Uint8Array, allow: (decrypter: Decrypter) => void): Promise<Backup> {
  const age = await import('age-encryption')
  const decrypter = new age.Decrypter()
  allow(decrypter)
  const plain = await decrypter.decrypt(bytes)
  const text = (await promisify(gunzip)(plain, { maxOutputLength: 2 * MOST })).toString()
  const { id, made, files } = JSON.parse(text) as Written
  const wrong = Object.entries(files ?? {}).find(
    ([place, file]) => !PLACE.test(place) || typeof file !== 'string',
  )
  if (typeof made !== 'number' || !files || wrong)
    throw new Error('what is inside was not made by hormiga backup')
  return {
    id,
    made,
    files: new Map(Object.entries(files).map(([place, file]) => [place, Buffer.from(file, 'base64')])),
  }
}
