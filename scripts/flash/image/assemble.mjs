// A tree of files becomes the image of a card: MBR, FAT (boot/firmware of the tree) and ext4 (the rest). Nothing is mounted and
// no loop device is needed. The same tree and the same time make the same bytes.

import {
  closeSync,
  ftruncateSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { ImageError, run } from './tools.mjs'

const MiB = 1 << 20

/** Before the first partition, as card makers align them. */
const HEAD = 4 * MiB
const DISK_ID = '0x686f726d'
const ROOT_ID = '6f726d69-6761-4000-8000-000000000001'
const HASH_SEED = '6f726d69-6761-4000-8000-000000000002'
const FIRST_FREE_INODE = 11

export const labels = { boot: 'HORMIGABOOT', root: 'HORMIGAROOT' }

/**
 * Makes the image; the tree is used up.
 * @param tree the root folder
 * @param to the file
 * @param epoch seconds since 1970: nothing in it is younger
 * @param bootMiB size of the FAT partition
 * @param freeMiB what is free on the root partition, until it is grown on the card
 */
export function assemble({ tree, to, epoch, bootMiB = 256, freeMiB = 160 }) {
  const work = mkdtempSync(join(dirname(to), '.image-'))
  try {
    const boot = join(work, 'boot')
    renameSync(join(tree, 'boot/firmware'), boot)
    mkdirSync(join(tree, 'boot/firmware'))
    age(boot, epoch)
    age(tree, epoch)
    const fat = makeFat({ folder: boot, to: join(work, 'fat'), epoch, size: bootMiB * MiB })
    const ext4 = makeExt4({ folder: tree, to: join(work, 'ext4'), epoch, freeMiB })
    joinPartitions(to, [
      { file: fat, type: 'c', bootable: true },
      { file: ext4, type: '83' },
    ])
  } finally {
    rmSync(work, { recursive: true })
  }
}

/** Nothing is younger than that, and nothing tells when it was read. */
function age(folder, epoch) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (lstatSync(path).isDirectory()) age(path, epoch)
    else setTime(path, epoch)
  }
  setTime(folder, epoch)
}

function setTime(path, epoch) {
  const time = Math.min(Math.floor(lstatSync(path).mtimeMs / 1000), epoch)
  lutimesSync(path, time, time)
}

function makeFat({ folder, to, epoch, size }) {
  makeEmpty(to, size)
  const env = { ...process.env, SOURCE_DATE_EPOCH: `${epoch}`, TZ: 'UTC' }
  run('mkfs.vfat', ['-F', '32', '-n', labels.boot, '--invariant', to], { env })
  const names = readdirSync(folder).sort()
  if (names.length > 0) run('mcopy', ['-s', '-m', '-Q', '-i', to, ...names, '::'], { cwd: folder, env })
  return to
}

function makeExt4({ folder, to, epoch, freeMiB }) {
  const used = Number(
    run('du', ['--summarize', '--one-file-system', '--block-size=1M', folder]).split('\t')[0],
  )
  makeEmpty(to, (used + freeMiB) * MiB)
  const env = { ...process.env, E2FSPROGS_FAKE_TIME: `${epoch}` }
  const extended = `hash_seed=${HASH_SEED},lazy_itable_init=0,lazy_journal_init=0`
  const identity = ['-L', labels.root, '-U', ROOT_ID, '-E', extended]
  // As for a card, which it grows to: by itself mke2fs takes the blocks of 1 KiB of a small one.
  const sizes = ['-b', '4096', '-i', '16384', '-I', '256', '-m', '1']
  run('mke2fs', ['-q', '-t', 'ext4', ...identity, ...sizes, '-d', folder, to], { env })
  forgetWhen(to, epoch, env)
  return to
}

/** mke2fs takes over when each file was made and read here: nobody can set that in the tree. */
function forgetWhen(image, epoch, env) {
  const facts = run('dumpe2fs', ['-h', image], { stdio: ['ignore', 'pipe', 'ignore'] })
  const of = (name) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(facts)?.[1])
  const last = of('Inode count') - of('Free inodes')
  const free = run('debugfs', ['-R', 'ffi', image], { stdio: ['ignore', 'pipe', 'ignore'] })
  if (!free.includes(`: ${last + 1}\n`))
    throw new ImageError(`mke2fs has left gaps among the inodes: ${free.trim()}`)
  const inodes = [2, ...Array.from({ length: last - FIRST_FREE_INODE + 1 }, (_, i) => FIRST_FREE_INODE + i)]
  const input = inodes.flatMap((inode) =>
    ['ctime', 'atime'].map((field) => `sif <${inode}> ${field} @${epoch}\n`),
  )
  run('debugfs', ['-w', '-f', '-', image], { env, input: input.join('') })
}

function joinPartitions(to, partitions) {
  let start = HEAD
  const placed = partitions.map(({ file, ...facts }) => {
    const size = Math.ceil(lstatSync(file).size / MiB) * MiB
    start += size
    return { file, start: start - size, size, ...facts }
  })
  makeEmpty(to, start)
  const lines = placed.map(({ start, size, type, bootable }) => {
    return `start=${start / MiB}MiB, size=${size / MiB}MiB, type=${type}${bootable ? ', bootable' : ''}\n`
  })
  run('sfdisk', ['--quiet', to], { input: `label: dos\nlabel-id: ${DISK_ID}\n${lines.join('')}` })
  for (const { file, start } of placed) copyInto(to, start, file)
}

function makeEmpty(path, size) {
  rmSync(path, { force: true })
  const file = openSync(path, 'w')
  ftruncateSync(file, size)
  closeSync(file)
}

/** Zeros stay holes. */
function copyInto(to, at, from) {
  const [source, target] = [openSync(from, 'r'), openSync(to, 'r+')]
  const chunk = Buffer.alloc(MiB)
  const zeros = Buffer.alloc(MiB)
  for (let position = 0; ; ) {
    const length = readSync(source, chunk, 0, MiB, position)
    if (length === 0) break
    const bytes = chunk.subarray(0, length)
    if (!bytes.equals(zeros.subarray(0, length))) writeSync(target, bytes, 0, length, at + position)
    position += length
  }
  closeSync(source)
  closeSync(target)
}
