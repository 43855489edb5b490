// What the makers of packages share: the architectures, a command that must work, a folder that carries no trace of this machine.

import { spawnSync } from 'node:child_process'
import { chmodSync, lstatSync, lutimesSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** A cause that is told without a stack: the message says what to do. */
export class DebError extends Error {}

/**
 * Debian's name → what others call it: `node` Node in `process.arch`, `tarball` Node's downloads, `gnu` the compiler and its
 * Debian package, `elf` the machine in an ELF header, `serial` the ready-made serial port.
 */
export const architectures = {
  amd64: {
    node: 'x64',
    tarball: 'linux-x64',
    gnu: 'x86_64-linux-gnu',
    elf: 62,
    serial: 'linux-x64/@serialport+bindings-cpp.glibc.node',
  },
  arm64: {
    node: 'arm64',
    tarball: 'linux-arm64',
    gnu: 'aarch64-linux-gnu',
    elf: 183,
    serial: 'linux-arm64/@serialport+bindings-cpp.armv8.glibc.node',
  },
  armhf: {
    node: 'arm',
    tarball: 'linux-armv7l',
    gnu: 'arm-linux-gnueabihf',
    elf: 40,
    serial: 'linux-arm/@serialport+bindings-cpp.armv7.glibc.node',
  },
}

/** Runs a command to its end. @returns what it printed. @throws {DebError} with `fix` when it is not there or fails. */
export function run(command, args, { fix, ...options } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    ...options,
  })
  if (error) throw new DebError(`${command}: ${error.message}.${fix ? ` ${fix}` : ''}`)
  if (status !== 0)
    throw new DebError(`${[command, ...args].join(' ')} failed:\n${`${stdout}${stderr}`.trim()}`)
  return stdout
}

/** For which machine a file of machine code is; `undefined`: it is none. @param head its first 20 bytes */
export function elfMachine(head) {
  return head.length >= 20 && head.readUInt32BE(0) === 0x7f454c46 ? head.readUInt16LE(18) : undefined
}

/** Every path below a folder, folders before what is in them, in the order of their bytes. */
export function walk(root, folder = '') {
  const names = readdirSync(join(root, folder)).sort((a, b) => (a < b ? -1 : 1))
  return names.flatMap((name) => {
    const path = folder ? `${folder}/${name}` : name
    return lstatSync(join(root, path)).isDirectory() ? [path, ...walk(root, path)] : [path]
  })
}

/** One time and plain rights for everything: what the umask and the clock of the builder were can't be seen. */
export function level(root, epoch) {
  for (const path of ['.', ...walk(root)].reverse()) {
    const full = join(root, path)
    const facts = lstatSync(full)
    if (!facts.isSymbolicLink()) chmodSync(full, facts.isDirectory() || facts.mode & 0o100 ? 0o755 : 0o644)
    lutimesSync(full, epoch, epoch)
  }
}

/** Seconds since 1970 that stand for "when": SOURCE_DATE_EPOCH, else the last commit. @throws {DebError} */
export function readEpoch(root, env = process.env) {
  const given =
    env.SOURCE_DATE_EPOCH ??
    spawnSync('git', ['-C', root, 'log', '-1', '--format=%ct'], { encoding: 'utf8' }).stdout
  const text = (given ?? '').trim()
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new DebError(
    env.SOURCE_DATE_EPOCH === undefined
      ? 'nothing says of when this source is: no git, no commit. Set SOURCE_DATE_EPOCH to its seconds since 1970.'
      : `SOURCE_DATE_EPOCH is "${text}": it must be seconds since 1970.`,
  )
}
