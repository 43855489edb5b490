// For the tests of scripts/flash: the command itself, and boot partitions laid out like those of Raspberry Pi OS, as a folder
// and inside an image.

import { spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export interface Done {
  code: number | null
  out: string
  err: string
}

export const makeFolder = () => mkdtempSync(join(tmpdir(), 'hormiga-flash-test-'))

export function run(command: string, words: string[], { input = '', limit = 60_000 } = {}): Done {
  const { status, stdout, stderr, error } = spawnSync(command, words, {
    input,
    timeout: limit,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  if (error) throw new Error(`${command}: ${error.message}`)
  return { code: status, out: stdout, err: stderr }
}

/** What it printed. @throws {Error} when it fails */
export function must(command: string, words: string[], how = {}): string {
  const { code, out, err } = run(command, words, how)
  if (code !== 0) throw new Error(`${[command, ...words].join(' ')} ended with ${code}:\n${out}${err}`)
  return out
}

/** `node scripts/flash …` */
export function flash(words: string[], input = ''): Done {
  return run(process.execPath, ['scripts/flash/index.js', ...words], { input })
}

const USER_DATA = `#cloud-config
hostname: cocina
users:
- name: ana
  groups: users,adm,sudo
  shell: /bin/bash
runcmd:
- [ sh, -c, "echo user >> /root/order" ]
`

/** The files of Raspberry Pi OS Lite (64-bit) of 2025-11, those that matter with what is in them. */
export const PI_OS: Record<string, string> = {
  'LICENCE.broadcom': 'licence',
  'bcm2710-rpi-3-b.dtb': 'dtb',
  'bcm2711-rpi-4-b.dtb': 'dtb',
  'bcm2712-rpi-5-b.dtb': 'dtb',
  'bootcode.bin': 'code',
  'cmdline.txt':
    'console=serial0,115200 console=tty1 root=PARTUUID=12345678-02 rootfstype=ext4 fsck.repair=yes rootwait resize ds=nocloud;i=rpi-imager-1764000000000\n',
  'config.txt': 'arm_64bit=1\n[all]\n',
  'issue.txt': 'Raspberry Pi reference 2025-11-24\nGenerated using pi-gen, stage2\n',
  'kernel8.img': 'kernel',
  'kernel_2712.img': 'kernel',
  initramfs8: 'initramfs',
  'meta-data': 'dsmode: local\ninstance_id: rpi-imager-1764000000000\n',
  'network-config':
    'network:\n  version: 2\n  wifis:\n    wlan0:\n      dhcp4: true\n      regulatory-domain: "ES"\n      access-points:\n        "Casa":\n          password: "secret"\n',
  'overlays/README': 'overlays',
  'start4.elf': 'firmware',
  'user-data': USER_DATA,
}

export function fill(folder: string, files: Record<string, string>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}

const MIB = 1 << 20
const START = 8

/** An image of a card as pi-gen makes it: an MBR, the FAT32 partition "bootfs" at 8 MiB, something behind it. */
export function makeImage(folder: string, files: Record<string, string>, size = 40): string {
  const image = join(folder, 'raspios.img')
  writeFileSync(image, '')
  truncateSync(image, (START + size + 4) * MIB)
  const offset = ['--offset', String(START * 2048)]
  must('mkfs.vfat', ['-F', '32', '-n', 'bootfs', '-s', '1', ...offset, image, String(size * 1024)])
  const file = openSync(image, 'r+')
  writeSync(file, masterBootRecord(size), 0, 512, 0)
  closeSync(file)
  const content = fill(mkdtempSync(join(folder, 'content-')), files)
  const paths = readdirSync(content).map((name) => join(content, name))
  must('mcopy', ['-s', '-i', `${image}@@${START * MIB}`, ...paths, '::/'])
  return image
}

function masterBootRecord(size: number): Buffer {
  const record = Buffer.alloc(512)
  const entries: [type: number, start: number, length: number][] = [
    [0x0c, START, size],
    [0x83, START + size, 4],
  ]
  entries.forEach(([type, start, length], index) => {
    const at = 446 + 16 * index
    record[at + 4] = type
    record.writeUInt32LE(start * 2048, at + 8)
    record.writeUInt32LE(length * 2048, at + 12)
  })
  record.writeUInt16LE(0xaa55, 510)
  return record
}

/** What is in the boot partition of an image. */
export function unpack(image: string, to: string): string {
  mkdirSync(to, { recursive: true })
  must('mcopy', ['-s', '-n', '-i', `${image}@@${START * MIB}`, '::/*', to])
  return to
}

export function contents(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true }) as string[]
  const files = names.filter((name) => existsSync(join(folder, name)) && !isFolder(join(folder, name)))
  return Object.fromEntries(files.sort().map((name) => [name, readFileSync(join(folder, name), 'latin1')]))
}

function isFolder(path: string): boolean {
  try {
    readdirSync(path)
    return true
  } catch {
    return false
  }
}

/** Files that pass for packages, as long as nobody installs them. */
export function standIns(folder: string, version = '0.1.0-1'): string[] {
  const paths = [`hormiga_${version}_arm64.deb`, 'hormiga-node_20.20.2-1_arm64.deb'].map((name) =>
    join(folder, name),
  )
  for (const path of paths) writeFileSync(path, `!<arch>\n${path.slice(-40)}${'x'.repeat(3000)}`)
  return paths
}
