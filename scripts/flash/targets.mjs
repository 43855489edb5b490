// A boot partition to copy files to: a folder, where the system has mounted it, or the FAT partition inside an image file, by
// mtools. Names are relative, with slashes.

import { spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { FlashError } from './errors.mjs'

const SECTOR = 512
/** FAT12 to FAT32, with or without LBA. */
const FAT = [0x01, 0x04, 0x06, 0x0b, 0x0c, 0x0e]

/**
 * `{where, names, read, write, remove, free}`; `names` gives those in a folder, `free` bytes.
 * @throws {FlashError} when it is neither a folder nor an image
 */
export function openTarget(path) {
  if (!existsSync(path)) throw new FlashError(`${path}: there is no such folder or image.`)
  const facts = statSync(path)
  if (facts.isDirectory()) return folderTarget(path)
  if (/\.(xz|gz|zip|zst)$/.test(path)) {
    throw new FlashError(
      `${path} is compressed: unpack it first, such as with xz -dk, or take a card that it is on.`,
    )
  }
  if (!facts.isFile()) {
    throw new FlashError(`${path} is a device: give the folder where its boot partition (bootfs) is mounted.`)
  }
  return imageTarget(path)
}

function folderTarget(path) {
  return {
    where: path,
    names: (folder = '') => {
      const full = join(path, folder)
      return existsSync(full) ? readdirSync(full) : []
    },
    read(name) {
      const full = join(path, name)
      return existsSync(full) ? readFileSync(full) : undefined
    },
    write(name, bytes) {
      const full = join(path, name)
      mkdirSync(dirname(full), { recursive: true })
      const file = openSync(`${full}.new`, 'w')
      try {
        writeFileSync(file, bytes)
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
      renameSync(`${full}.new`, full)
    },
    remove: (name) => rmSync(join(path, name), { force: true }),
    free() {
      const { bavail, bsize } = statfsSync(path)
      return bavail * bsize
    },
  }
}

function imageTarget(path) {
  const drive = `${path}@@${findFat(path)}`
  const tool = (name, words, input) => mtools(name, ['-i', drive, ...words], input)
  const list = (folder) => {
    const { code, out, err } = tool('mdir', ['-b', '-a', `::/${folder}`])
    if (code !== 0 && !/not found|File ".*" not found/i.test(err))
      throw new FlashError(`${path}: ${err.trim()}`)
    return code === 0 ? out.toString('utf8').trim().split('\n') : []
  }
  return {
    where: `the boot partition of ${path}`,
    names: (folder = '') => list(folder).map((line) => line.replace(/\/$/, '').replace(/^.*\//, '')),
    read(name) {
      const { code, out } = tool('mtype', [`::/${name}`])
      return code === 0 ? out : undefined
    },
    write(name, bytes) {
      const folder = dirname(name)
      if (folder !== '.' && list(folder).length === 0) tool('mmd', [`::/${folder}`])
      const { code, err } = tool('mcopy', ['-o', '-', `::/${name}`], bytes)
      if (code !== 0) throw new FlashError(`${name} can't be written into ${path}: ${err.trim()}`)
    },
    remove: (name) => void tool('mdel', [`::/${name}`]),
    free() {
      const { out } = tool('mdir', ['::/'])
      const digits = /([\d ]+) bytes free/.exec(out.toString('utf8'))?.[1]
      if (digits === undefined) throw new FlashError(`${path}: its boot partition can't be read as FAT.`)
      return Number(digits.replaceAll(' ', ''))
    },
  }
}

/** Where the first partition starts, if it is a FAT one. */
function findFat(path) {
  const head = Buffer.alloc(SECTOR)
  const file = openSync(path, 'r')
  try {
    readSync(file, head, 0, SECTOR, 0)
  } finally {
    closeSync(file)
  }
  const entry = head.subarray(446, 462)
  if (head.readUInt16LE(510) !== 0xaa55 || !FAT.includes(entry[4])) {
    throw new FlashError(
      `${path} is no image of a card: its first partition must be the FAT one (as fdisk -l ${path} would show).`,
    )
  }
  return entry.readUInt32LE(8) * SECTOR
}

function mtools(name, words, input) {
  const { status, stdout, stderr, error } = spawnSync(name, words, {
    input,
    maxBuffer: 256 << 20,
    env: { ...process.env, MTOOLS_SKIP_CHECK: '1', LC_ALL: 'C' },
  })
  if (error?.code === 'ENOENT') {
    throw new FlashError(
      `${name} is missing. Install it: sudo apt-get install mtools (macOS: brew install mtools)`,
    )
  }
  if (error) throw new FlashError(`${name}: ${error.message}`)
  return { code: status, out: stdout, err: stderr.toString('utf8') }
}
