// What a key has stated about others so far: serials must rise, and a list of revocations is sent whole every time.

import { join } from 'node:path'
import { StartError } from '../app/failure.ts'
import type { Json } from '../core/dispatch.ts'
import { realKeyDisk, replaceFile } from '../identity/key-disk.ts'
import { type Own, ownFolder, printOf, told } from './own.ts'

export interface Issued {
  serial: number
  epoch: number
  revoked: string[]
  /** A rotation that not all have taken yet. */
  rotation?: { body: { [field: string]: Json; serial: number }; done: string[] }
}

/** @throws {StartError} when it can't be read */
export function readIssued({ id }: Own): Issued {
  const path = join(folderOf(), nameOf(id))
  if (!realKeyDisk.look(path)) return { serial: 0, epoch: 0, revoked: [] }
  const text = told(() => Buffer.from(realKeyDisk.read(path)).toString('utf8'))
  try {
    return JSON.parse(text) as Issued
  } catch {
    throw new StartError(
      `${path} is no JSON: put back a copy; without it serials would begin anew, and be refused`,
    )
  }
}

/** Before it is sent: a serial is never used twice for two things. */
export function writeIssued({ id }: Own, issued: Issued): void {
  const folder = folderOf()
  told(() => {
    if (!realKeyDisk.look(folder)) realKeyDisk.makeFolder(folder)
    replaceFile(realKeyDisk, folder, nameOf(id), Buffer.from(JSON.stringify(issued)))
  })
}

function folderOf(): string {
  return join(ownFolder(), 'issued')
}

function nameOf(id: string): string {
  return `${printOf(id)}.json`
}
