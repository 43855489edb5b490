// One live process per identity (R9): two would use the same counters. A lock file that names its process, so that the
// one that a crash has left behind is known for what it is.

import { readFileSync } from 'node:fs'
import type { KeyDisk } from './key-disk.ts'

const START_TIME = 19

/** Somebody else holds it. */
export class LockedError extends Error {
  /** The process that does. */
  readonly holder: string

  constructor(message: string, holder: string) {
    super(message)
    this.name = 'LockedError'
    this.holder = holder
  }
}

/**
 * @param path of the lock file. @param what is locked, for people.
 * @throws {LockedError} when another process holds it. @returns what gives it back.
 */
export function takeLock(disk: KeyDisk, path: string, what: string): () => void {
  const mine = nameOf(process.pid) ?? `${process.pid} 0`
  for (let turn = 0; turn < 3; turn++) {
    try {
      place(disk, path, mine)
      return () => {
        if (holderOf(disk, path) === mine) disk.remove(path)
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = holderOf(disk, path)
    if (holder !== undefined && isAlive(holder)) throw inUse(what, holder)
    takeAway(disk, path, holder)
  }
  throw new LockedError(`${path} can't be taken: others try at the same time`, '?')
}

/** Whether a process that lives holds it. */
export function isLocked(disk: KeyDisk, path: string): boolean {
  const holder = holderOf(disk, path)
  return holder !== undefined && isAlive(holder)
}

/** With its holder in it from the first moment: an empty lock would look like one that a crash has left. */
function place(disk: KeyDisk, path: string, holder: string): void {
  const fresh = `${path}.${process.pid}.new`
  if (disk.look(fresh)) disk.remove(fresh)
  disk.create(fresh, Buffer.from(holder))
  try {
    disk.link(fresh, path)
  } finally {
    disk.remove(fresh)
  }
}

/** Moved before it is looked at again: of two who find a dead lock only one gets it, and a live one is put back. */
function takeAway(disk: KeyDisk, path: string, holder: string | undefined): void {
  const aside = `${path}.${process.pid}`
  try {
    disk.rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (holderOf(disk, aside) !== holder) disk.rename(aside, path)
  else disk.remove(aside)
}

function holderOf(disk: KeyDisk, path: string): string | undefined {
  return disk.look(path) ? Buffer.from(disk.read(path)).toString('utf8') : undefined
}

/** A process and when it began: ids are used again. */
function nameOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TIME]}`
  } catch {
    return undefined
  }
}

function isAlive(holder: string): boolean {
  const [pid] = holder.split(' ')
  return /^\d+$/.test(pid ?? '') && nameOf(Number(pid)) === holder
}

function inUse(what: string, holder: string): LockedError {
  const pid = holder.split(' ')[0] as string
  return new LockedError(
    `${what} is in use by process ${pid}: one identity has one process; give each engine a folder of its own`,
    pid,
  )
}
