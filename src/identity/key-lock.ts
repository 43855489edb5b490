// One live process per identity (R9): two would use the same counters. A lock file that names its process, so that the
// one that a crash has left behind is known for what it is.

import { readFileSync } from 'node:fs'
import type { KeyDisk } from './key-disk.ts'

const LOCK = 'lock'
const START_TIME = 19

/** @throws {Error} when another process holds it. @returns what gives it back. */
export function takeLock(disk: KeyDisk, folder: string): () => void {
  const path = `${folder}/${LOCK}`
  const mine = nameOf(process.pid) ?? `${process.pid} 0`
  for (let turn = 0; turn < 3; turn++) {
    try {
      disk.create(path, Buffer.from(mine))
      return () => {
        if (holderOf(disk, path) === mine) disk.remove(path)
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = holderOf(disk, path)
    if (holder !== undefined && isAlive(holder)) throw inUse(folder, holder)
    takeAway(disk, path, holder)
  }
  throw new Error(`${path} can't be taken: others try at the same time`)
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

function inUse(folder: string, holder: string): Error {
  return new Error(
    `${folder} is in use by process ${holder.split(' ')[0]}: one identity has one process; give each engine a folder of its own`,
  )
}
