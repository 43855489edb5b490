// scripts/flash/image without Debian: a small tree becomes a card, twice the same; what a board needs is not left out; what
// Imager reads is right. That the real image starts is scripts/flash/boot-test's to show.

import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  lutimesSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fill, flash, makeFolder, must, run } from './kit.ts'

const IMAGE = 'scripts/flash/image'
const EPOCH = 1_764_000_000
const SECTOR = 512

const test = suite('flash/image', { work: '' })
test.before.each((context) => {
  context.work = makeFolder()
})
test.after.each(({ work }) => rmSync(work, { recursive: true }))

const FILES: Record<string, string> = {
  'boot/firmware/config.txt': 'kernel=vmlinuz\n',
  'boot/firmware/overlays/disable-bt.dtbo': 'dtbo',
  'etc/hostname': 'hormiga\n',
  'etc/ssh/sshd_config': 'PasswordAuthentication no\n',
  'usr/bin/tool': '#!/bin/sh\n',
  'var/empty file with spaces': '',
}

/** @param backwards in which order it is filled: folders remember it */
function makeTree(root: string, { backwards = false, hour = 0 } = {}): string {
  const names = Object.keys(FILES)
  if (backwards) names.reverse()
  fill(root, Object.fromEntries(names.map((name) => [name, FILES[name] as string])))
  for (const name of names) lutimesSync(join(root, name), EPOCH + 3600 * hour, EPOCH + 3600 * hour)
  symlinkSync('../bin/tool', join(root, 'usr/link'))
  chmodSync(join(root, 'usr/bin/tool'), 0o4755)
  return root
}

/** The image of that tree, made by the same function as the real one. */
function assemble(work: string, name: string, how = {}): string {
  const tree = makeTree(join(work, `${name}.tree`), how)
  const to = join(work, name)
  const options = JSON.stringify({ tree, to, epoch: EPOCH, bootMiB: 40, freeMiB: 8 })
  const code = `import(process.argv[1]).then((it) => it.assemble(${options}))`
  must(process.execPath, ['--input-type=module', '--eval', code, join(process.cwd(), IMAGE, 'assemble.mjs')])
  return to
}

interface Partition {
  start: number
  size: number
  type: string
  bootable?: boolean
}

const TOOLS = `${process.env.PATH}:/usr/sbin:/sbin`
const tool = (...words: string[]) => must('env', [`PATH=${TOOLS}`, ...words])
const sumOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

/** Cuts a partition out, as a program that knows no images wants it. */
function cut(image: string, { start, size }: Partition, to: string): string {
  const bytes = Buffer.alloc(size * SECTOR)
  const file = openSync(image, 'r')
  readSync(file, bytes, 0, bytes.length, start * SECTOR)
  closeSync(file)
  writeFileSync(to, bytes)
  return to
}

test('a card: MBR, a FAT and an ext4 that their checkers find clean', ({ work }) => {
  const image = assemble(work, 'card.img')
  const { label, partitions } = JSON.parse(tool('sfdisk', '--json', image)).partitiontable
  assert.is(label, 'dos')
  const [boot, root] = partitions as [Partition, Partition]
  assert.equal([boot.type, root.type, boot.bootable], ['c', '83', true])
  assert.is(boot.start, (4 << 20) / SECTOR)
  assert.is(root.start, boot.start + boot.size)

  const fat = cut(image, boot, join(work, 'fat'))
  assert.is(run('env', [`PATH=${TOOLS}`, 'fsck.vfat', '-n', fat]).code, 0)
  assert.is(tool('mtype', '-i', fat, '::overlays/disable-bt.dtbo'), 'dtbo')
  assert.match(tool('mlabel', '-s', '-i', fat), 'HORMIGABOOT')

  const ext4 = cut(image, root, join(work, 'ext4'))
  tool('e2fsck', '-fn', ext4)
  const ask = (what: string) => tool('debugfs', '-R', what, ext4)
  assert.match(tool('dumpe2fs', '-h', ext4), /volume name: +HORMIGAROOT[\s\S]*Block size: +4096/)
  assert.is(ask('cat /etc/hostname'), 'hormiga\n')
  assert.match(ask('stat /usr/bin/tool'), /Mode: +04755/)
  assert.match(ask('stat /usr/link'), /Fast link dest: "..\/bin\/tool"/)
  assert.match(ask('ls /boot/firmware'), /^ \d+ +\(\d+\) \. +\d+ +\(\d+\) \.\. *\n?$/)
})

test('twice the same bytes, whenever and in whatever order the tree was filled', async ({ work }) => {
  const first = sumOf(assemble(work, 'first.img', { hour: 5 }))
  // ext4 counts whole seconds.
  await new Promise((resolve) => setTimeout(resolve, 1100))
  assert.is(sumOf(assemble(work, 'second.img', { backwards: true, hour: 9 })), first)
})

test('of the packages nothing is left out that Node or a board needs', () => {
  const lines = readFileSync(join(IMAGE, 'left-out.cfg'), 'utf8').split('\n')
  const rules = lines.flatMap((line) => {
    const [, kind, glob = ''] = /^path-(exclude|include)=(.*)$/.exec(line) ?? []
    return kind ? [{ isOut: kind === 'exclude', pattern: patternOf(glob) }] : []
  })
  // As dpkg judges: the last rule that fits.
  const isOut = (path: string) => rules.findLast(({ pattern }) => pattern.test(path))?.isOut ?? false
  const modules = '/usr/lib/modules/7.3.4+deb13-arm64'
  const needed = [
    '/usr/share/nodejs/undici/index.js',
    '/usr/share/doc/nodejs/copyright',
    '/usr/share/zoneinfo/Europe/Madrid',
    '/usr/lib/raspi-firmware/bootcode.bin',
    '/usr/lib/raspi-firmware/start.elf',
    '/usr/lib/raspi-firmware/fixup.dat',
    '/usr/lib/raspi-firmware/start4.elf',
    '/usr/lib/raspi-firmware/fixup4.dat',
    '/usr/lib/firmware/brcm/brcmfmac43430-sdio.raspberrypi,model-zero-2-w.txt',
    '/usr/lib/firmware/brcm/brcmfmac43436-sdio.bin',
    '/usr/lib/firmware/brcm/brcmfmac43455-sdio.clm_blob',
    '/usr/lib/firmware/brcm/BCM43430A1.hcd',
    '/usr/lib/firmware/brcm/BCM4345C0.hcd',
    '/usr/lib/firmware/cypress/cyfmac43430-sdio.bin',
    '/usr/lib/firmware/cypress/cyfmac43455-sdio.bin',
    `${modules}/dtb/broadcom/bcm2712-rpi-5-b.dtb`,
    ...[
      'fs/ext4/ext4.ko.xz',
      'fs/fat/vfat.ko.xz',
      'fs/nls/nls_ascii.ko.xz',
      'drivers/clk/clk-rp1.ko.xz',
      'drivers/misc/rp1/rp1_pci.ko.xz',
      'drivers/mmc/host/sdhci-iproc.ko.xz',
      'drivers/mmc/host/sdhci-brcmstb.ko.xz',
      'drivers/net/ethernet/broadcom/genet/genet.ko.xz',
      'drivers/net/ethernet/cadence/macb.ko.xz',
      'drivers/net/usb/smsc95xx.ko.xz',
      'drivers/net/wireless/broadcom/brcm80211/brcmfmac/brcmfmac.ko.xz',
      'drivers/pinctrl/pinctrl-rp1.ko.xz',
      'drivers/scsi/sd_mod.ko.xz',
      'drivers/usb/serial/ftdi_sio.ko.xz',
      'drivers/usb/class/cdc-acm.ko.xz',
      'drivers/watchdog/bcm2835_wdt.ko.xz',
    ].map((path) => `${modules}/kernel/${path}`),
  ]
  assert.equal(needed.filter(isOut), [])
  const unneeded = ['/usr/share/man/man1/ls.1.gz', `${modules}/kernel/drivers/gpu/drm/amd/amdgpu.ko.xz`]
  assert.equal(unneeded.filter(isOut), unneeded)
})

/** As fnmatch reads it for dpkg: `*` and `?` go over slashes. */
function patternOf(glob: string): RegExp {
  const parts = glob
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${parts}$`)
}

const HEX = { type: 'string', pattern: '^[0-9a-f]{64}$' }
const TEXTS = { type: 'array', items: { type: 'string' }, minItems: 1 }

/** What Imager's own schema demands of an entry, and the fields of Imager 2 that we use. */
const entrySchema = {
  type: 'object',
  required: ['name', 'description', 'icon', 'url', 'extract_size', 'extract_sha256', 'image_download_size'],
  properties: {
    name: { type: 'string', minLength: 1 },
    description: { type: 'string', minLength: 1 },
    icon: { type: 'string' },
    url: { type: 'string', pattern: '^(file|https?)://.*\\.xz$' },
    extract_size: { type: 'integer', minimum: 1 },
    extract_sha256: HEX,
    image_download_size: { type: 'integer', minimum: 1 },
    image_download_sha256: HEX,
    release_date: { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\d$' },
    init_format: { const: 'rpi-preseed' },
    devices: TEXTS,
    capabilities: { type: 'array' },
  },
  additionalProperties: false,
}

test('os_list.json is what Imager reads', async () => {
  const { manifestOf } = await import(join(process.cwd(), IMAGE, 'manifest.mjs'))
  const facts = { bytes: 5, sha256: 'a'.repeat(64) }
  const url = 'https://example.org/hormiga-0.1.0-1-arm64.img.xz'
  const list = manifestOf({ version: '0.1.0-1', image: facts, packed: facts, url, epoch: EPOCH })
  const ajv = new Ajv({ allErrors: true })
  const isRight = ajv.compile(entrySchema)
  assert.is(list.os_list.length, 1)
  assert.ok(isRight(list.os_list[0]), ajv.errorsText(isRight.errors))
  assert.is(list.os_list[0].release_date, '2025-11-24')
  const offered = list.imager.devices.flatMap((device: { tags: string[] }) => device.tags)
  assert.equal([...new Set(offered)], list.os_list[0].devices)
})

test('what lies over the system: scripts that a shell reads, units that systemd reads', ({ work }) => {
  const scripts = ['customize.sh', 'finish.sh', 'root/usr/lib/hormiga-image/grow', 'boot-test/boot-report']
  for (const path of scripts) must('sh', ['-n', join(IMAGE, path)])
  must('bash', ['-n', join(IMAGE, 'namespace.sh')])

  // The programs that they start are of the image: stand-ins.
  const root = join(work, 'root')
  const units = ['hormiga-grow.service', 'hormiga-bluetooth@.service']
  for (const unit of units) {
    const text = readFileSync(join(IMAGE, 'root/usr/lib/systemd/system', unit), 'utf8')
    for (const [, program = ''] of text.matchAll(/^Exec\w+=-?(\S+)/gm)) {
      fill(root, { [program]: '#!/bin/sh\n' })
      chmodSync(join(root, program), 0o755)
    }
    fill(root, { [`usr/lib/systemd/system/${unit}`]: text })
  }
  for (const target of ['basic', 'local-fs', 'multi-user', 'shutdown', 'sysinit'])
    fill(root, { [`usr/lib/systemd/system/${target}.target`]: '[Unit]\n' })
  const instances = units.map((unit) => unit.replace('@.', '@hci0.'))
  const { out, err } = run('systemd-analyze', ['verify', `--root=${root}`, '--man=no', ...instances])
  const complaints = `${out}${err}`.split('\n').filter((line) => line.includes('hormiga'))
  assert.equal(complaints, [])
})

test('what is missing is named before anything is built', ({ work }) => {
  const out = join(work, 'out')
  const base = flash(['image', '--out', out, '--base', join(work, 'base.tar')])
  assert.equal([base.code, base.err], [1, `no image: --base: there is no ${join(work, 'base.tar')}\n`])
  assert.not.ok(existsSync(out))

  const deb = join(work, 'hormiga.deb')
  const packages = flash(['image', '--out', out, '--deb', deb])
  assert.is(packages.code, 1)
  assert.match(packages.err, /^no image: .*hormiga\.deb/)
  assert.equal(readdirSync(out), [])
})

test.run()
