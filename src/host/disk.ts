// The few things that the store asks of a file system: the seam where tests cut the power.

import { constants } from 'node:fs'
import { access, mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface Disk {
  /** With all folders on the way, for the owner only; the first one that was made, if any. */
  makeFolder(path: string): Promise<string | undefined>
  /** Rejects when files can't be made in the folder. */
  checkWritable(path: string): Promise<void>
  /** `undefined`: there is no such file. */
  read(path: string): Promise<Uint8Array | undefined>
  /** Makes or empties the file, writes it, and waits until it is on the disk. */
  writeSynced(path: string, content: Uint8Array): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Waits until the names in the folder are on the disk. */
  syncFolder(path: string): Promise<void>
}

export const realDisk: Disk = {
  makeFolder,

  checkWritable: (path) => access(`${path}/.`, constants.R_OK | constants.W_OK | constants.X_OK),

  async read(path) {
    try {
      return await readFile(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  },

  async writeSynced(path, content) {
    const file = await open(path, 'w', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
  },

  rename,

  async syncFolder(path) {
    const folder = await open(path, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  },
}

/** Not `mkdir({ recursive: true })`: in Node 20 that never ends where a parent refuses with ENOENT, as /proc does. */
async function makeFolder(path: string): Promise<string | undefined> {
  const known = await stat(path).catch(() => undefined)
  if (known) return undefined
  const first = dirname(path) === path ? undefined : await makeFolder(dirname(path))
  await mkdir(path, { mode: 0o700 })
  return first ?? path
}
