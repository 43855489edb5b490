// Where the figures of the computer come from: files of /proc and /sys, read synchronously without a child process. The
// seam where tests plant another computer.

import { closeSync, openSync, readdirSync, readFileSync, readSync, statfsSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'

/** What a file system says of its room; counts of blocks and of inodes. */
export interface Space {
  /** Bytes of a block. */
  bsize: number
  blocks: number
  /** Blocks that are free, those kept for root too. */
  bfree: number
  /** Blocks that are free for everybody. */
  bavail: number
  /** 0: it has no fixed number of inodes. */
  files: number
  ffree: number
}

/** Nothing here throws: what can't be had is `undefined`, or an empty list. */
export interface Sources {
  /** As `process.platform`. */
  readonly platform: string
  /** What Node tells of any system. */
  readonly os: Pick<typeof os, 'cpus' | 'loadavg' | 'totalmem' | 'freemem'>
  /** The text of a file. */
  read(path: string): string | undefined
  /** The same of a file that is read again and again: it stays open. */
  follow(path: string): string | undefined
  /** The names in a folder. */
  list(path: string): string[]
  isFolder(path: string): boolean
  /** For file systems that answer from memory. */
  space(path: string): Space | undefined
  /** For those that may keep whoever asks waiting. */
  spaceLater(path: string): Promise<Space | undefined>
  close(): void
}

/** Files that stay open; others are opened at every read. */
const OPEN = 64
/** Longer than anything in /proc that is read here; the rest is left out. */
const LENGTH = 1 << 20

/** Those of this computer. `root`: the folder that holds `/proc` and `/sys`. */
export function realSources(root = '/'): Sources {
  const files = new Map<string, number>()
  let buffer = Buffer.allocUnsafe(1 << 15)

  const readAll = (file: number): string => {
    let length = 0
    for (;;) {
      // Files of /proc give a page or so at a time, and their size is 0: only an empty read is the end.
      const count = readSync(file, buffer, length, buffer.length - length, length)
      length += count
      if (count === 0 || length >= LENGTH) return buffer.toString('latin1', 0, length)
      if (length === buffer.length) buffer = Buffer.concat([buffer], 2 * buffer.length)
    }
  }

  return {
    platform: process.platform,
    os,
    read: (path) => orNothing(() => readFileSync(join(root, path), 'latin1')),

    follow(path) {
      const known = files.get(path)
      const file = known ?? orNothing(() => openSync(join(root, path), 'r'))
      if (file === undefined) return undefined
      const text = orNothing(() => readAll(file))
      if (text !== undefined && (known !== undefined || files.size < OPEN)) {
        files.set(path, file)
        return text
      }
      files.delete(path)
      closeSync(file)
      // An interface or a group that went and came again is another file.
      return known === undefined ? text : this.follow(path)
    },

    list: (path) => orNothing(() => readdirSync(join(root, path))) ?? [],
    isFolder: (path) => orNothing(() => statSync(join(root, path)).isDirectory()) ?? false,
    space: (path) => orNothing(() => statfsSync(join(root, path))),
    spaceLater: (path) => statfs(join(root, path)).catch(() => undefined),

    close() {
      for (const file of files.values()) closeSync(file)
      files.clear()
    },
  }
}

function orNothing<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
