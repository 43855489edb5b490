// The few things that updating asks of a file system: the seam where tests cut the power.

import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'

export type Kind = 'file' | 'folder' | 'link' | 'other'

export interface VersionDisk {
  /** `undefined`: nothing there. Does not follow links. */
  look(path: string): Kind | undefined
  /** Follows no link. */
  read(path: string): Uint8Array
  readLink(path: string): string
  list(folder: string): string[]
  /** For all to read, whatever the umask. */
  makeFolder(path: string): void
  /** Fails if there is something. For all to read; returns when the content is on the disk. */
  create(path: string, content: Uint8Array): void
  link(target: string, path: string): void
  rename(from: string, to: string): void
  /** A file or a link. */
  remove(path: string): void
  /** An empty one. */
  removeFolder(path: string): void
  /** Returns when the names in the folder are on the disk. */
  syncFolder(path: string): void
  /** Bytes that can still be written. */
  free(path: string): number
}

export const realVersionDisk: VersionDisk = {
  look(path) {
    const facts = lstatSync(path, { throwIfNoEntry: false })
    if (!facts) return undefined
    if (facts.isSymbolicLink()) return 'link'
    if (facts.isFile()) return 'file'
    return facts.isDirectory() ? 'folder' : 'other'
  },
  read: (path) =>
    within(openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW), (file) => readFileSync(file)),
  readLink: (path) => readlinkSync(path),
  list: (folder) => readdirSync(folder),
  makeFolder(path) {
    mkdirSync(path)
    within(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY), (folder) => fchmodSync(folder, 0o755))
  },
  create(path, content) {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    within(openSync(path, flags, 0o644), (file) => {
      for (let at = 0; at < content.length; ) at += writeSync(file, content, at)
      fchmodSync(file, 0o644)
      fsyncSync(file)
    })
  },
  link: symlinkSync,
  rename: renameSync,
  remove: unlinkSync,
  removeFolder: rmdirSync,
  syncFolder: (path) =>
    within(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY), (folder) => fsyncSync(folder)),
  free(path) {
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize
  },
}

function within<T>(file: number, work: (file: number) => T): T {
  try {
    return work(file)
  } finally {
    closeSync(file)
  }
}

/** Replaces a small file: at any moment the old one or the new one is there, whole. */
export function replaceFile(disk: VersionDisk, folder: string, name: string, content: string): void {
  const fresh = freshName(folder, name)
  if (disk.look(fresh)) disk.remove(fresh)
  disk.create(fresh, Buffer.from(content))
  disk.rename(fresh, `${folder}/${name}`)
  disk.syncFolder(folder)
}

/** Of this process alone: the start of the engine and an update may be at it at the same time. */
export function freshName(folder: string, name: string): string {
  return `${folder}/.${name}.${process.pid}`
}

/** With all that is in it. */
export function removeTree(disk: VersionDisk, path: string): void {
  if (disk.look(path) !== 'folder') return disk.remove(path)
  for (const name of disk.list(path)) removeTree(disk, `${path}/${name}`)
  disk.removeFolder(path)
}
