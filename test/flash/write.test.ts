// `scripts/flash write`: which devices it takes, on computers laid out in a folder, and that a card holds what was written,
// with a file in the card's place.

import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkDevice } from '../../scripts/flash/device.mjs'
import { writeImage } from '../../scripts/flash/write.mjs'
import { flash, makeFolder } from './kit.ts'

interface Disk {
  /** Bytes. */
  size?: number
  removable?: boolean
  readOnly?: boolean
  parts?: number[]
  holders?: string[]
  files?: Record<string, string>
}

const test = suite('flash/write', { work: '' })
test.before.each((context) => {
  context.work = makeFolder()
})
test.after.each(({ work }) => rmSync(work, { recursive: true }))

let number = 0

/** Lays out a disk as /sys shows it. */
function addDisk(root: string, name: string, disk: Disk = {}): void {
  const { size = 32e9, removable = true, readOnly = false, parts = [1, 2], holders = [], files = {} } = disk
  const own = join(root, 'sys/devices/bus/block', name)
  const put = (path: string, text: string) => {
    mkdirSync(join(own, path, '..'), { recursive: true })
    writeFileSync(join(own, path), `${text}\n`)
  }
  put('size', String(size / 512))
  put('removable', removable ? '1' : '0')
  put('ro', readOnly ? '1' : '0')
  put('slaves/.keep', '')
  rmSync(join(own, 'slaves/.keep'))
  for (const [path, text] of Object.entries(files)) put(path, text)
  mkdirSync(join(own, 'holders'), { recursive: true })
  for (const holder of holders) mkdirSync(join(own, 'holders', holder))
  const link = (from: string, to: string) => {
    mkdirSync(join(root, from, '..'), { recursive: true })
    symlinkSync(to, join(root, from))
  }
  link(`sys/block/${name}`, own)
  link(`sys/class/block/${name}`, own)
  link(`sys/dev/block/8:${number++}`, own)
  for (const part of parts) {
    const partName = `${name}${/\d$/.test(name) ? 'p' : ''}${part}`
    put(`${partName}/partition`, String(part))
    link(`sys/class/block/${partName}`, join(own, partName))
    link(`sys/dev/block/8:${number++}`, join(own, partName))
  }
}

function computer(root: string, mounts: string[] = [], swaps: string[] = []): string {
  number = 0
  mkdirSync(join(root, 'proc/self'), { recursive: true })
  writeFileSync(join(root, 'proc/self/mounts'), mounts.map((line) => `${line} rw 0 0\n`).join(''))
  writeFileSync(
    join(root, 'proc/swaps'),
    `Filename Type Size\n${swaps.map((path) => `${path} partition 1\n`).join('')}`,
  )
  return root
}

/** Nothing of the system lies on these disks. */
const elsewhere = () => undefined

function refusal(
  root: string,
  path: string,
  deviceOf: (path: string) => string | undefined = elsewhere,
): string {
  try {
    checkDevice(path, { root, deviceOf })
    return 'taken'
  } catch (error) {
    return (error as Error).message
  }
}

test('a card in a reader, a stick, and a card in a slot are taken', ({ work }) => {
  computer(work, ['/dev/nvme0n1p2 / ext4'])
  addDisk(work, 'sdb', { files: { 'device/model': 'SD/MMC Reader' } })
  addDisk(work, 'mmcblk0', { removable: false, files: { 'device/name': 'SC32G', 'device/type': 'SD' } })
  assert.equal(checkDevice('/dev/sdb', { root: work, deviceOf: elsewhere }), {
    name: 'sdb',
    bytes: 32e9,
    model: 'SD/MMC Reader',
  })
  assert.is(checkDevice('/dev/mmcblk0', { root: work, deviceOf: elsewhere }).model, 'SC32G')
})

test('all others are not, each for its reason', ({ work }) => {
  computer(work, ['/dev/sdc1 /media/ana/MI\\040TARJETA vfat', '/dev/sdm /mnt vfat'], ['/dev/sdd2'])
  addDisk(work, 'sda', { removable: false, files: { 'device/model': 'Samsung SSD' } })
  addDisk(work, 'sdb', { size: 500e9 })
  addDisk(work, 'sdc')
  addDisk(work, 'sdd')
  addDisk(work, 'sde', { size: 0, parts: [] })
  addDisk(work, 'sdf', { readOnly: true })
  addDisk(work, 'sdg', { holders: ['dm-0'] })
  addDisk(work, 'sdm', { parts: [] })
  addDisk(work, 'mmcblk1', { removable: false, files: { 'device/type': 'MMC' } })
  addDisk(work, 'mmcblk1boot0', { removable: false, parts: [] })
  addDisk(work, 'loop0', { removable: false, parts: [] })
  const expected: [path: string, said: RegExp][] = [
    ['/dev/sda', /Samsung SSD\) is not removable/],
    ['/dev/sdb', /has 500\.0 GB: more than 256\.0 GB/],
    ['/dev/sdc', /\/dev\/sdc1 is mounted on \/media\/ana\/MI TARJETA\. Unmount it/],
    ['/dev/sdd', /sdd2 is used as swap/],
    ['/dev/sde', /is empty: there is no card/],
    ['/dev/sdf', /write-protected/],
    ['/dev/sdg', /in use by dm-0/],
    ['/dev/sdm', /sdm is mounted on \/mnt/],
    ['/dev/sdb1', /is a partition: give the whole card/],
    ['/dev/mmcblk1', /soldered in/],
    ['/dev/mmcblk1boot0', /part of a memory chip/],
    ['/dev/loop0', /not removable/],
    ['/dev/sdz', /there is no such disk/],
    ['/dev/../etc/passwd', /is no device/],
    ['/etc/passwd', /is no device/],
    ['sdb', /is no device/],
  ]
  for (const [path, said] of expected) assert.match(refusal(work, path), said, path)
})

test("the disk of this computer's own system is never taken, not even through encryption", ({ work }) => {
  computer(work)
  addDisk(work, 'sdb')
  assert.match(
    refusal(work, '/dev/sdb', (path) => (path === '/home' ? '8:2' : undefined)),
    /own system/,
  )
  assert.match(
    refusal(work, '/dev/sdb', (path) => (path === '/' ? '8:0' : undefined)),
    /own system/,
  )
  const mapped = join(work, 'sys/devices/virtual/block/dm-0/slaves')
  mkdirSync(mapped, { recursive: true })
  symlinkSync(join(work, 'sys/devices/bus/block/sdb/sdb2'), join(mapped, 'sdb2'))
  symlinkSync(join(mapped, '..'), join(work, 'sys/dev/block/254:0'))
  assert.match(
    refusal(work, '/dev/sdb', (path) => (path === '/' ? '254:0' : undefined)),
    /own system/,
  )
  assert.is(refusal(work, '/dev/sdb'), 'taken')
})

/** A computer with one card, and a file in its place. */
function cardIn(work: string, bytes = 64 << 20) {
  addDisk(computer(join(work, 'pc')), 'sdb', { size: bytes })
  const file = join(work, 'card')
  writeFileSync(file, '')
  truncateSync(file, bytes)
  const said: string[] = []
  const steps: string[] = []
  const write = (image: string, typed = 'sdb') =>
    writeImage(
      image,
      '/dev/sdb',
      {
        ask: async (question: string) => {
          said.push(question)
          return typed
        },
        say: (line: string) => void said.push(line),
        progress: (what: string, part: number) => void steps.push(`${what} ${Math.round(part * 100)}`),
      },
      { root: join(work, 'pc'), deviceOf: elsewhere, file },
    ).then(
      () => 'written',
      (error: Error) => error.message,
    )
  return { file, said, steps, write }
}

function makeImage(work: string, bytes = 9_000_000): { image: string; content: Buffer; sha256: string } {
  const content = randomBytes(bytes)
  const image = join(work, 'x.img')
  writeFileSync(image, content)
  return { image, content, sha256: createHash('sha256').update(content).digest('hex') }
}

test('an image is written, and read back', async ({ work }) => {
  const { file, said, steps, write } = cardIn(work)
  const { image, content, sha256 } = makeImage(work)
  assert.is(await write(image), 'written')
  assert.ok(readFileSync(file).subarray(0, content.length).equals(content))
  assert.match(said[0] ?? '', /0\.1 GB\. Everything on it will be lost/)
  assert.match(said.at(-1) ?? '', new RegExp(`9000000 bytes written and read back, SHA-256 ${sha256}`))
  assert.ok(steps.includes('writing 100') && steps.includes('reading back 100'), steps.join())
})

test('.img.xz as well; a damaged one is told', async ({ work }) => {
  const { file, write } = cardIn(work)
  const { image, content } = makeImage(work)
  execFileSync('xz', ['-0', '--keep', image])
  assert.is(await write(`${image}.xz`), 'written')
  assert.ok(readFileSync(file).subarray(0, content.length).equals(content))
  const packed = readFileSync(`${image}.xz`)
  packed.fill(0, 100_000, 100_100)
  writeFileSync(`${image}.xz`, packed)
  assert.match(await write(`${image}.xz`), /is damaged/)
  writeFileSync(`${image}.xz`, packed.subarray(0, 1000))
  assert.match(await write(`${image}.xz`), /is damaged/)
})

test('nothing is written without the name of the card, onto one too small, or of what is no image', async ({
  work,
}) => {
  const { file, write } = cardIn(work, 8 << 20)
  const { image } = makeImage(work)
  assert.match(await write(image), /take a larger card/)
  writeFileSync(image, 'x'.repeat(1000))
  for (const typed of ['', 'y', 'yes', 'sdc', '/dev/sdb'])
    assert.match(await write(image, typed), /not its name/)
  assert.match(await write(join(work, 'none.img')), /no such file/)
  assert.match(await write(file), /neither \.img nor/)
  assert.ok(readFileSync(file).every((byte) => byte === 0))
})

test('a card that keeps something else than it was given is told', async ({ work }) => {
  const { file, steps, write } = cardIn(work)
  const { image } = makeImage(work)
  const card = openSync(file, 'r+')
  steps.push = (...texts) => {
    if (texts[0]?.startsWith('reading')) writeSync(card, 'spoiled', 8_900_000)
    return texts.length
  }
  assert.match(await write(image), /does not hold what was written: it is worn out, false/)
  closeSync(card)
})

test('the command: a disk of this machine is refused before any question', ({ work }) => {
  const image = join(work, 'x.img')
  writeFileSync(image, 'x')
  const { code, err } = flash(['write', image, '/dev/null'])
  assert.is(code, 1)
  assert.match(err, /there is no such disk/)
  assert.is(flash(['write', image]).code, 2)
})

test.run()
