// What first boot asks of the computer: the seam where tests cut the power and stand in for the system. A file is replaced
// as a whole or not at all, on the card too.

import { spawn } from 'node:child_process'
import { chmod, chown, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface Machine {
  /** At most so many bytes and one more; `undefined`: there is no such file. */
  read(path: string, most: number): Promise<Uint8Array | undefined>
  /** With all folders on the way. */
  makeFolder(path: string, how: Owned): Promise<void>
  /** Makes or empties the file, writes it, and waits until it is on the disk. */
  writeSynced(path: string, content: Uint8Array, how: Owned): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Waits until the names in the folder are on the disk. */
  syncFolder(path: string): Promise<void>
  /** Takes hold of a file; what it returns overwrites it with zeros, whatever its name leads to by then. */
  hold(path: string): Promise<() => Promise<void>>
  run(command: string[], how?: { input?: string }): Promise<Ran>
}

export interface Owned {
  /** Default: 0o644, for a folder 0o755. */
  mode?: number
  /** Default: who runs this. */
  owner?: { uid: number; gid: number }
}

export interface Ran {
  /** `-1`: it could not be started, or did not end in time. */
  code: number
  /** What it printed, both ways, the end of it. */
  out: string
}

const PATIENCE = 90_000
const PRINTED = 4096

/** Puts a new content in the place of a file. Nothing is written where the content is there already. */
export async function replaceFile(
  machine: Machine,
  path: string,
  content: string | Uint8Array,
  how: Owned & { wipe?: boolean } = {},
): Promise<void> {
  const bytes = Buffer.from(content as string)
  const found = await machine.read(path, bytes.length)
  if (found && bytes.equals(found)) return
  const folder = dirname(path)
  await machine.makeFolder(folder, {})
  await machine.writeSynced(`${path}.new`, bytes, how)
  const wipe = how.wipe && found ? await machine.hold(path) : undefined
  await machine.rename(`${path}.new`, path)
  await machine.syncFolder(folder)
  await wipe?.()
}

/** @param root before every path and around every command: another computer's card, or a test. Default: this one's own */
export function realMachine(root = ''): Machine {
  return {
    async read(path, most) {
      try {
        return await readBounded(root + path, most)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
        throw error
      }
    },

    makeFolder: (path, how) => makeFolder(root + path, how),

    async writeSynced(path, content, { mode = 0o644, owner }) {
      // Never through a link that somebody has put there, and never into a file with other rights.
      await rm(root + path, { force: true })
      const file = await open(root + path, 'wx', mode)
      try {
        await file.writeFile(content)
        await file.chmod(mode).catch(unlessFat)
        if (owner) await file.chown(owner.uid, owner.gid)
        await file.sync()
      } finally {
        await file.close()
      }
    },

    rename: (from, to) => rename(root + from, root + to),

    async syncFolder(path) {
      const folder = await open(root + path, 'r')
      try {
        await folder.sync()
      } finally {
        await folder.close()
      }
    },

    async hold(path) {
      const file = await open(root + path, 'r+')
      return async () => {
        try {
          await file.write(Buffer.alloc((await file.stat()).size), 0, undefined, 0)
          await file.sync()
        } finally {
          await file.close()
        }
      }
    },

    run: (command, { input = '' } = {}) => runCommand(root ? ['chroot', root, ...command] : command, input),
  }
}

async function readBounded(path: string, most: number): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    // A folder or a device of that name is no settings file.
    if (!(await file.stat()).isFile())
      throw Object.assign(new Error(`${path} is no file`), { code: 'EINVAL' })
    const buffer = Buffer.alloc(most + 1)
    let length = 0
    for (let more = -1; more !== 0; length += more) {
      more = (await file.read(buffer, length, buffer.length - length, length)).bytesRead
    }
    return buffer.subarray(0, length)
  } finally {
    await file.close()
  }
}

async function makeFolder(path: string, { mode = 0o755, owner }: Owned): Promise<void> {
  const known = await stat(path).catch(() => undefined)
  if (known) return
  await makeFolder(dirname(path), {})
  await mkdir(path)
  await chmod(path, mode)
  if (owner) await chown(path, owner.uid, owner.gid)
}

/** On FAT there are no rights to set. */
function unlessFat(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPERM') throw error
}

function runCommand([command = '', ...words]: string[], input: string): Promise<Ran> {
  return new Promise((done) => {
    // Not `timeout`: in Node 20 that keeps the process alive to its end where the command can't be started.
    const signal = AbortSignal.timeout(PATIENCE)
    const child = spawn(command, words, { signal, killSignal: 'SIGKILL', stdio: 'pipe' })
    let out = ''
    const take = (chunk: string) => {
      out = (out + chunk).slice(-PRINTED)
    }
    child.stdout.setEncoding('utf8').on('data', take)
    child.stderr.setEncoding('utf8').on('data', take)
    child.on('error', (error) => done({ code: -1, out: error.message }))
    child.on('close', (code) => done({ code: code ?? -1, out }))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}
