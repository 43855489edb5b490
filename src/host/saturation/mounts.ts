// The mounts of this computer (proc(5), /proc/self/mountinfo), and which of them are disks.

import type { Sources } from './sources.ts'

export interface Mount {
  point: string
  /** The folder of the file system that is mounted there; `/` unless it is a bind mount or a subvolume. */
  root: string
  /** `major:minor`; a major of 0 is no block device. */
  device: string
  type: string
  source: string
  isReadOnly: boolean
}

/** Always full, and nothing can be written there. */
const IMAGES = new Set(['squashfs', 'iso9660', 'erofs', 'cramfs', 'udf'])
/** On disks, but with numbers of their own. */
const WITHOUT_DEVICE = new Set(['btrfs', 'zfs', 'bcachefs'])

export function parseMounts(text: string): Mount[] {
  const mounts = new Map<string, Mount>()
  for (const line of text.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const [, , device = '', root = '', point = '', options = ''] = before.split(' ')
    const [type = '', source = '', superOptions = ''] = after.split(' ')
    if (!type) continue
    const isReadOnly = [options, superOptions].some((list) => list.split(',').includes('ro'))
    const mount = { point: plain(point), root: plain(root), device, type, source, isReadOnly }
    // The last one hides those below it.
    mounts.set(mount.point, mount)
  }
  return [...mounts.values()]
}

/** The disks, each once, and those at the points in `also` whatever they are. */
export function chooseDisks(mounts: Mount[], also: string[], sources: Sources): Mount[] {
  const real = mounts.filter(isReal).sort(byRank)
  const chosen = new Map<string, Mount>()
  for (const mount of real) {
    // Containers get single files of a disk, such as /etc/hosts.
    const isPart = mount.root !== '/' && mount.point !== '/'
    if (!chosen.has(mount.device) && (!isPart || sources.isFolder(mount.point))) {
      chosen.set(mount.device, mount)
    }
  }
  const disks = new Set(chosen.values())
  for (const mount of mounts) if (also.includes(mount.point)) disks.add(mount)
  return [...disks]
}

function isReal({ device, type, source, point }: Mount): boolean {
  if (IMAGES.has(type)) return false
  // In a container it is an overlay, and on some computers a network file system.
  if (point === '/') return true
  return (
    !device.startsWith('0:') || WITHOUT_DEVICE.has(type) || (type === 'fuseblk' && source.startsWith('/'))
  )
}

/** Whole file systems before parts of them, then the shorter path. */
function byRank(a: Mount, b: Mount): number {
  const isPart = ({ root, point }: Mount) => Number(root !== '/' && point !== '/')
  return isPart(a) - isPart(b) || a.point.length - b.point.length
}

/** Spaces and the like are written in octal. */
function plain(text: string): string {
  const bytes = text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
