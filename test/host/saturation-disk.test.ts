// Which mounts are disks, and how full they are.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { makePi, makeSampler } from './saturation-tree.ts'

const ROOT = '179:2 / / rw ext4 /dev/mmcblk0p2'

test('a disk as df shows it: of what everybody can have', () => {
  const computer = makePi()
  computer.disk('/', 0, { blocks: 1000, bfree: 400, bavail: 350, files: 200, ffree: 150 })
  const { disk } = makeSampler(computer).sample()
  assert.equal(disk, {
    '/': { used: 600 / 950, total: 4_096_000, free: 1_433_600, inodes: 0.25 },
  })
})

test('pseudo file systems, images and network shares are no disks; every disk is there once', async () => {
  const computer = makePi()
  computer.mounts(
    '0:21 / /proc rw proc proc',
    '0:22 / /sys rw sysfs sysfs',
    '0:6 / /dev rw devtmpfs udev',
    '0:25 / /run rw tmpfs tmpfs',
    ROOT,
    '179:1 / /boot/firmware rw vfat /dev/mmcblk0p1',
    '7:1 / /snap/core/1 ro squashfs /dev/loop1',
    '0:50 / /nas rw nfs4 nas:/volume',
    '0:51 / /cloud rw fuse.sshfs me@host:',
    '8:1 / /media/usb\\040stick rw ext4 /dev/sda1',
    '8:1 /sub /srv/sub rw ext4 /dev/sda1',
    '0:60 /@ /data rw btrfs /dev/sdb1',
    '0:60 /@home /data/home rw btrfs /dev/sdb1',
    '0:52 / /auto rw autofs systemd-1',
  )
  for (const point of ['/', '/boot/firmware', '/media/usb stick', '/data', '/snap/core/1'])
    computer.disk(point, 0.5)
  computer.folders.add('/data')
  const { sample, next } = makeSampler(computer)
  sample()
  const { disk } = await next()
  assert.equal(Object.keys(disk).sort(), ['/', '/boot/firmware', '/data', '/media/usb stick'])
  assert.equal(computer.asked['/nas'], undefined, 'a share that hangs is never asked')
  assert.equal(computer.asked['/auto'], undefined, 'asking would mount it')
})

test('a container: its overlay, and folders of disks, but not the single files that it gets', () => {
  const computer = makePi()
  computer.mounts(
    '0:40 / / rw overlay overlay',
    '8:1 /docker/containers/x/hosts /etc/hosts rw ext4 /dev/sda1',
    '8:1 /docker/volumes/y/_data /data rw ext4 /dev/sda1',
    '8:2 /docker/containers/x/resolv.conf /etc/resolv.conf rw ext4 /dev/sda2',
  )
  computer.folders.add('/data')
  for (const point of ['/', '/data', '/etc/hosts', '/etc/resolv.conf']) computer.disk(point, 0.5)
  assert.equal(Object.keys(makeSampler(computer).sample().disk), ['/', '/data'])
})

test('mounts that come are there at the next look; those that vanish are gone, not the figures of what is below', async () => {
  const computer = makePi()
  const { sample, next } = makeSampler(computer)
  assert.equal(Object.keys(sample().disk), ['/'])
  computer.mounts(ROOT, '8:1 / /mnt rw ext4 /dev/sda1')
  computer.disk('/mnt', 0.9)
  assert.is(Math.round(((await next()).disk['/mnt']?.used ?? 0) * 100), 90)
  computer.mounts(ROOT)
  assert.equal(Object.keys((await next()).disk), ['/'])
  computer.mounts(ROOT, '8:1 / /mnt rw ext4 /dev/sda1')
  delete computer.spaces['/mnt']
  assert.equal(Object.keys((await next()).disk), ['/'], 'pulled out, but still in the list')
})

test('what lies below another mount is hidden', () => {
  const computer = makePi()
  computer.mounts(ROOT, '8:1 / /mnt rw ext4 /dev/sda1', '0:25 / /mnt rw tmpfs tmpfs')
  computer.disk('/mnt', 0.5)
  assert.equal(Object.keys(makeSampler(computer).sample().disk), ['/'])
})

test('read-only, by its mount or by its file system', () => {
  const computer = makePi()
  computer.mounts('179:2 / / ro ext4 /dev/mmcblk0p2')
  assert.is(makeSampler(computer).sample().disk['/']?.readonly, true)
  computer.files['/proc/self/mountinfo'] =
    '27 1 179:2 / / rw,relatime - ext4 /dev/mmcblk0p2 ro,errors=remount-ro\n'
  assert.is(makeSampler(computer).sample().disk['/']?.readonly, true)
  computer.mounts(ROOT)
  assert.is(makeSampler(computer).sample().disk['/']?.readonly, undefined)
})

test('a file system without a number of inodes, or without blocks', () => {
  const computer = makePi()
  computer.disk('/', 0.5, { files: 0, ffree: 0 })
  assert.not('inodes' in (makeSampler(computer).sample().disk['/'] ?? {}))
  computer.disk('/', 0.5, { blocks: 0 })
  assert.equal(makeSampler(computer).sample().disk, {})
})

test('one that is asked for holds nobody up: its last answer counts for 15 s', async () => {
  const computer = makePi()
  computer.mounts(ROOT, '0:50 / /nas rw nfs4 nas:/volume')
  computer.disk('/nas', 0.25)
  const { sample, next } = makeSampler(computer, { disks: ['/nas'] })
  assert.equal(Object.keys(sample().disk), ['/'], 'not heard yet')
  assert.is((await next()).disk['/nas']?.used, 0.25)
  await next()
  computer.hanging.add('/nas')
  await next()
  const asked = computer.asked['/nas']
  for (let second = 0; second < 12; second++) assert.ok((await next()).disk['/nas'], `second ${second}`)
  for (let second = 0; second < 5; second++) await next()
  assert.not((await next()).disk['/nas'])
  assert.is(computer.asked['/nas'], asked, 'one question is open, not one more each second')
})

test('bytes written, by number or name of the device; counters of 32 bits go on', async () => {
  const computer = makePi()
  computer.mounts(ROOT, '0:60 / /data rw btrfs /dev/sdb1')
  computer.disk('/data', 0.5)
  const stats = (root: number, data: number) => {
    computer.files['/proc/diskstats'] =
      ` 179       2 mmcblk0p2 1 2 3 4 5 6 ${root} 8 9 10 11\n   8      17 sdb1 1 2 3 4 5 6 ${data} 8 9 10 11\n`
  }
  stats(2 ** 32 - 10, 100)
  const { sample, next } = makeSampler(computer)
  const first = sample().disk
  assert.equal([first['/']?.written, first['/data']?.written], [(2 ** 32 - 10) * 512, 51_200])
  stats(10, 200)
  const second = (await next()).disk
  assert.equal([second['/']?.written, second['/data']?.written], [(2 ** 32 + 10) * 512, 102_400])
})

test('no more than 32 disks', () => {
  const computer = makePi()
  const points = Array.from({ length: 50 }, (_, index) => `/d${index}`)
  computer.mounts(ROOT, ...points.map((point, index) => `8:${index} / ${point} rw ext4 /dev/sd`))
  for (const point of points) computer.disk(point, 0.1)
  assert.is(Object.keys(makeSampler(computer).sample().disk).length, 32)
})

test.run()
