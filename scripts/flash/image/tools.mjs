// What the makers of the image share.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const here = dirname(fileURLToPath(import.meta.url))

/** A cause that is told without a stack: the message says what to do. */
export class ImageError extends Error {}

/** Debian's packages that bring the programs. */
const packageOf = {
  mmdebstrap: 'mmdebstrap',
  'qemu-aarch64-static': 'qemu-user-static',
  'arch-test': 'arch-test',
  'qemu-system-aarch64': 'qemu-system-arm',
  'mkfs.vfat': 'dosfstools',
  'fsck.vfat': 'dosfstools',
  mcopy: 'mtools',
  mke2fs: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  debugfs: 'e2fsprogs',
  dumpe2fs: 'e2fsprogs',
  sfdisk: 'fdisk',
  xz: 'xz-utils',
  tar: 'tar',
  unshare: 'util-linux',
}

const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']

/** These programs are of root's folders too, which others don't have in their PATH. */
export const env = { ...process.env, PATH: folders.join(':') }

/** @throws {ImageError} naming the packages to install when programs are missing */
export function need(...programs) {
  const missing = programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))))
  if (missing.length === 0) return
  const packages = [...new Set(missing.map((program) => packageOf[program]))]
  throw new ImageError(
    `${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} not installed. Install: sudo apt-get install ${packages.join(' ')}`,
  )
}

/**
 * Runs a command to its end.
 * @returns what it printed
 * @throws {ImageError} with that, if it failed
 */
export function run(command, words, options = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(command, words, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    env,
    ...options,
  })
  if (error) throw new ImageError(`${command}: ${error.message}`)
  if (status === 0) return stdout
  const printed = `${stdout ?? ''}${stderr ?? ''}`.trim()
  throw new ImageError(
    `${command} ${words.join(' ')} ended with ${status ?? signal}${printed ? `:\n${printed}` : ''}`,
  )
}

/** Runs a command as root of a namespace, where programs for arm64 run. */
export function inNamespace([command, ...words], options = {}) {
  run(join(here, 'namespace.sh'), [command, ...words], { stdio: 'inherit', ...options })
}
