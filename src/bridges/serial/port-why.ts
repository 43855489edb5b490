// Why a port can't be opened, and what to do about it: for people who have plugged in a robot and see nothing move.

import { constants } from 'node:fs'
import { access, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises'

/** A program that has the port open. */
export interface Holder {
  pid: number
  name: string
}

/** Processes that are looked into. */
const PROCESSES = 10_000

/** The programs that have it open, this one left out. Of other users' programs one may not be told. */
export async function holdersOf(path: string, proc = '/proc'): Promise<Holder[]> {
  const device = await realpath(path).catch(() => path)
  const pids = (await readdir(proc).catch(() => [])).filter((name) => /^\d+$/.test(name)).slice(0, PROCESSES)
  const holders: Holder[] = []
  for (const pid of pids) {
    if (Number(pid) === process.pid || !(await hasOpen(`${proc}/${pid}/fd`, device))) continue
    const name = await readFile(`${proc}/${pid}/comm`, 'utf8').catch(() => '?')
    holders.push({ pid: Number(pid), name: name.trim() })
  }
  return holders
}

/** Why it could not be opened, as far as that is seen without trying: rights, or a program that has it. */
export async function obstacle(path: string): Promise<string | undefined> {
  const denied = await isDenied(path)
  if (denied) return denied
  const holders = await holdersOf(path)
  return holders.length > 0 ? busy(path, holders) : undefined
}

/** What to tell about an error of opening. */
export async function explain(path: string, error: Error): Promise<string> {
  const seen = await obstacle(path)
  if (seen) return seen
  if (/lock|busy|temporarily unavailable/i.test(error.message)) {
    return (
      `${path} is in use by a program of another user (or by another device of this engine): find it with ` +
      `"sudo fuser -v ${path}" and end it`
    )
  }
  return `${path} can't be opened: ${error.message}`
}

/** Of programs that share a port without a lock: each gets some of the bytes. */
export function shared(path: string, holders: Holder[]): string {
  return `${named(holders)} has ${path} open too, and takes bytes away: end it`
}

function busy(path: string, holders: Holder[]): string {
  const isModemManager = holders.some(({ name }) => name.startsWith('ModemManager'))
  const fix = isModemManager
    ? 'it looks for a modem there and lets go after half a minute; keep it away with "sudo systemctl mask --now ' +
      'ModemManager", or with the udev rule ENV{ID_MM_DEVICE_IGNORE}="1" for this board'
    : 'end it (a serial monitor, a slicer, another engine?); it is tried again'
  return `${path} is in use by ${named(holders)}: ${fix}`
}

function named(holders: Holder[]): string {
  return holders.map(({ name, pid }) => `${name} (process ${pid})`).join(' and ')
}

async function isDenied(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.R_OK | constants.W_OK)
    return undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') return undefined
    const group = await groupOf(path)
    return (
      `this user may not use ${path}: it belongs to the group ${group}; "sudo usermod -aG ${group} $USER", ` +
      'then log in again (a service: restart it)'
    )
  }
}

async function groupOf(path: string): Promise<string> {
  const { gid } = await stat(path)
  const groups = await readFile('/etc/group', 'utf8').catch(() => '')
  const line = groups.split('\n').find((line) => line.split(':')[2] === String(gid))
  return line?.split(':')[0] ?? 'dialout'
}

async function hasOpen(folder: string, device: string): Promise<boolean> {
  const files = await readdir(folder).catch(() => [])
  for (const file of files) {
    if ((await readlink(`${folder}/${file}`).catch(() => '')) === device) return true
  }
  return false
}
