// The few things that the key store asks of a file system, all of them at start-up and synchronous: the seam where tests
// cut the power.

import {
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'

export interface FileFacts {
  kind: 'file' | 'folder' | 'link' | 'other'
  owner: number
  /** Permission bits. */
  mode: number
}

export interface KeyDisk {
  /** `undefined`: nothing there. Does not follow links. */
  look(path: string): FileFacts | undefined
  read(path: string): Uint8Array
  list(folder: string): string[]
  /** For the owner only, with all on the way. */
  makeFolder(path: string): void
  /** Fails if there is something. For the owner only; returns when it is on the disk. */
  create(path: string, content: Uint8Array): void
  rename(from: string, to: string): void
  /** Gives the file a second name; fails if there is something of that name. */
  link(from: string, to: string): void
  remove(path: string): void
  syncFolder(path: string): void
}

export const realKeyDisk: KeyDisk = {
  look(path) {
    const facts = lstatSync(path, { throwIfNoEntry: false })
    if (!facts) return undefined
    const kind = facts.isSymbolicLink()
      ? 'link'
      : facts.isFile()
        ? 'file'
        : facts.isDirectory()
          ? 'folder'
          : 'other'
    return { kind, owner: facts.uid, mode: facts.mode & 0o777 }
  },
  read(path) {
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      return readFileSync(file)
    } finally {
      closeSync(file)
    }
  },
  list: (folder) => readdirSync(folder),
  makeFolder: (path) => void mkdirSync(path, { recursive: true, mode: 0o700 }),
  create(path, content) {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    const file = openSync(path, flags, 0o600)
    try {
      for (let at = 0; at < content.length; ) at += writeSync(file, content, at)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  },
  rename: renameSync,
  link: linkSync,
  remove: unlinkSync,
  syncFolder(path) {
    const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      fsyncSync(folder)
    } finally {
      closeSync(folder)
    }
  },
}

/** Replaces a file: at any moment the old one or the new one is there, whole. */
export function replaceFile(disk: KeyDisk, folder: string, name: string, content: Uint8Array): void {
  const fresh = `${folder}/${name}.new`
  // What a power cut has left half written.
  if (disk.look(fresh)) disk.remove(fresh)
  disk.create(fresh, content)
  disk.rename(fresh, `${folder}/${name}`)
  disk.syncFolder(folder)
}
