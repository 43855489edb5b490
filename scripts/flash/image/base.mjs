// The base system: Debian with the kernel and the firmware of a Raspberry Pi, and Node; all of the image but hormiga itself. By
// mmdebstrap, as root or not, into a tarball. It takes long where arm64 is emulated, so it may be kept and used again.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { env, here, ImageError, inNamespace } from './tools.mjs'

export const suite = 'trixie'

/** Its areas of the archive: the firmware is not free software. */
const areas = 'main non-free-firmware'

const packages = [
  // A system that starts, has a clock, a name and a network. `hormiga.local` is answered by systemd-resolved.
  'systemd-sysv udev dbus kmod iproute2 systemd-timesyncd systemd-resolved libnss-myhostname',
  'wpasupplicant wireless-regdb rfkill ca-certificates',
  // What hormiga needs, and what somebody needs who logs in.
  'nodejs bluez openssh-server sudo nano',
  // The card, grown and checked.
  'e2fsprogs dosfstools fdisk',
  // The board.
  'linux-image-arm64 initramfs-tools zstd raspi-firmware firmware-brcm80211 bluez-firmware',
].flatMap((line) => line.split(' '))

/**
 * Makes the tarball.
 * @param mirrors `{main, security?}`: where Debian is fetched from
 * @param epoch the time that is put into it, in seconds
 */
export function makeBase({ to, mirrors, epoch }) {
  const sources = [
    `deb ${mirrors.main} ${suite} ${areas}`,
    `deb ${mirrors.main} ${suite}-updates ${areas}`,
    `deb ${mirrors.main} ${suite}-backports ${areas}`,
  ]
  if (mirrors.security) sources.push(`deb ${mirrors.security} ${suite}-security ${areas}`)
  const command = [
    'mmdebstrap',
    '--mode=root',
    '--verbose',
    '--architectures=arm64',
    '--format=tar',
    '--variant=minbase',
    `--include=${packages.join(',')}`,
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    `--dpkgopt=${join(here, 'left-out.cfg')}`,
    `--essential-hook=sync-in ${join(here, 'base')} /`,
    `--customize-hook=upload ${join(here, 'customize.sh')} /customize.sh`,
    '--customize-hook=chroot "$1" sh /customize.sh',
    '--customize-hook=rm "$1/customize.sh"',
    suite,
    to,
    ...sources,
  ]
  // The kernel's package need not build start files that are built once more at the end.
  inNamespace(command, { env: { ...env, INITRD: 'No', SOURCE_DATE_EPOCH: `${epoch}` } })
}

/**
 * Where this machine fetches Debian from, as its own apt says.
 * @param mirror instead of that
 */
export function readMirrors(mirror) {
  if (mirror) return { main: mirror }
  const format = '$(ORIGIN)|$(LABEL)|$(REPO_URI)'
  const { stdout = '' } = spawnSync('apt-get', ['indextargets', '--format', format], { encoding: 'utf8' })
  const lines = (stdout ?? '').split('\n').map((line) => line.split('|'))
  const of = (label) => lines.find(([origin, its]) => origin === 'Debian' && its === label)?.[2]
  const main = of('Debian')
  if (main) return { main, security: of('Debian-Security') }
  throw new ImageError('the apt of this machine names no mirror of Debian. Name one with --mirror URL.')
}
