// Whether a device is one that may be overwritten: a whole card in a reader, nothing else. Everything is read from /sys and
// /proc, below `root`, so that tests can lay out computers of their own.

import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { FlashError } from './errors.mjs'

const SECTOR = 512
/** Bytes. Cards are smaller; what is larger is somebody's disk. */
export const LARGEST = 256e9
/** What the running system lives on. */
const SYSTEM = ['/', '/boot', '/boot/firmware', '/boot/efi', '/usr', '/var', '/home']

/**
 * @param deviceOf the number `major:minor` of the disk that a path lies on, or `undefined`
 * @returns `{name, bytes, model}`. @throws {FlashError} that says why not
 */
export function checkDevice(path, { root = '', deviceOf = numberOf } = {}) {
  const real = existsSync(join(root, path)) && root === '' ? realpathSync(path) : path
  const name = basename(real)
  if (!/^\/dev\/[\w-]+$/.test(real) || !/^[\w-]+$/.test(name))
    throw new FlashError(`${path} is no device, such as /dev/sdb.`)
  const block = join(root, '/sys/class/block', name)
  if (!existsSync(block)) throw new FlashError(`${path}: there is no such disk. lsblk shows those there are.`)
  if (existsSync(join(block, 'partition'))) {
    throw new FlashError(`${path} is a partition: give the whole card (lsblk shows it above this one).`)
  }
  const disk = join(root, '/sys/block', name)
  const read = (file) => (existsSync(join(disk, file)) ? readFileSync(join(disk, file), 'utf8').trim() : '')
  if (!existsSync(disk)) throw new FlashError(`${path} is no disk of its own.`)
  if (isSystem(root, name, deviceOf))
    throw new FlashError(`${path} holds this computer's own system. It is never written.`)
  const isCard = /^mmcblk\d+$/.test(name)
  if (/^mmcblk\d+./.test(name)) throw new FlashError(`${path} is a part of a memory chip, no card.`)
  if (!isCard && read('removable') !== '1') {
    throw new FlashError(
      `${path} (${read('device/model') || 'a disk'}) is not removable. Only cards and sticks are written.`,
    )
  }
  if (isCard && read('device/type') === 'MMC') {
    throw new FlashError(`${path} is a memory chip that is soldered in (eMMC), no card.`)
  }
  const bytes = Number(read('size')) * SECTOR
  if (!(bytes > 0)) throw new FlashError(`${path} is empty: there is no card in that reader.`)
  if (bytes > LARGEST) {
    throw new FlashError(
      `${path} has ${gigabytes(bytes)}: more than ${gigabytes(LARGEST)} is taken for a disk, and not written.`,
    )
  }
  if (read('ro') !== '0')
    throw new FlashError(`${path} is write-protected: look for a small switch on the card.`)
  refuseBusy(root, path, name, disk)
  return { name, bytes, model: read('device/model') || read('device/name') || 'card' }
}

export function gigabytes(bytes) {
  return `${(bytes / 1e9).toFixed(1)} GB`
}

function refuseBusy(root, path, name, disk) {
  const parts = [name, ...readdirSync(disk).filter((part) => existsSync(join(disk, part, 'partition')))]
  for (const part of parts) {
    const mount = mountsOf(root).find(([source]) => source === `/dev/${part}`)
    if (mount)
      throw new FlashError(`/dev/${part} is mounted on ${mount[1]}. Unmount it: sudo umount ${mount[1]}`)
    if (swapsOf(root).includes(`/dev/${part}`))
      throw new FlashError(`/dev/${part} is used as swap: sudo swapoff /dev/${part}`)
    const holders = join(disk, part === name ? 'holders' : `${part}/holders`)
    const [holder] = existsSync(holders) ? readdirSync(holders) : []
    if (holder) throw new FlashError(`${path} is in use by ${holder} (encryption, LVM or RAID).`)
  }
}

/** A system may lie on a disk through others: encryption, LVM, RAID. */
function isSystem(root, name, deviceOf) {
  return SYSTEM.some((path) => {
    const number = deviceOf(path)
    return number !== undefined && disksBelow(root, join(root, '/sys/dev/block', number)).includes(name)
  })
}

function disksBelow(root, path) {
  if (!existsSync(path)) return []
  const real = realpathSync(path)
  const slaves = join(real, 'slaves')
  const below = existsSync(slaves) ? readdirSync(slaves) : []
  const own = existsSync(join(real, 'partition')) ? basename(join(real, '..')) : basename(real)
  return [own, ...below.flatMap((slave) => disksBelow(root, join(slaves, slave)))]
}

function mountsOf(root) {
  return lines(join(root, '/proc/self/mounts')).map((line) => line.split(' ').map(unescapeOctal))
}

function swapsOf(root) {
  return lines(join(root, '/proc/swaps')).map((line) => line.split(/\s/)[0])
}

function lines(path) {
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
}

function unescapeOctal(text) {
  return text.replace(/\\(\d{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)))
}

/** As Linux packs it. */
function numberOf(path) {
  if (!existsSync(path)) return undefined
  const { dev } = statSync(path)
  return `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`
}
