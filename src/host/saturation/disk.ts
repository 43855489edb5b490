// How full the disks are, and how much is written to them. A disk that doesn't answer is waited for by nobody.

import type { Clock } from '../../core/clock.ts'
import { chooseDisks, type Mount, parseMounts } from './mounts.ts'
import type { Sources, Space } from './sources.ts'
import { growth, toRatio } from './text.ts'

export interface DiskReading {
  /** 0–1, as `df` shows it: of what there is for everybody. */
  used: number
  /** Bytes. */
  total: number
  /** Bytes that everybody can have. */
  free: number
  /** Inodes in use, 0–1. Absent where there is no fixed number. */
  inodes?: number
  /** Bytes written to it since the computer has started. */
  written?: number
  readonly?: true
}

/** Their figures are in memory. Others may read half a disk to count, or ask a program that hangs. */
const QUICK = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'bcachefs', 'zfs', 'tmpfs', 'overlay'])
const DISKS = 32
const SECTOR = 512
/** Milliseconds after which an old answer of a disk that no longer answers is worth nothing. */
const DEADLINE = 15_000

/** What a slow file system has said. */
interface Slow {
  isAsked: boolean
  space?: Space
  at: number
}

export class Disk {
  #sources: Sources
  #clock: Clock
  #also: string[]
  #text = ''
  #mounts: Mount[] = []
  #disks: Mount[] = []
  #slow = new Map<string, Slow>()
  /** By device: sectors as the kernel counts them, and bytes in all. */
  #written = new Map<string, { sectors: number; bytes: number }>()

  /** `also`: mount points to look at besides the disks. */
  constructor(sources: Sources, clock: Clock, also: string[]) {
    this.#sources = sources
    this.#clock = clock
    this.#also = also
  }

  /** All mounts, as of the last reading. */
  get mounts(): Mount[] {
    return this.#mounts
  }

  read(): Record<string, DiskReading> {
    this.#look()
    const stats = this.#readStats()
    const readings = this.#disks.map((mount) => [mount.point, this.#readOne(mount, stats)] as const)
    return Object.fromEntries(readings.filter((entry): entry is [string, DiskReading] => !!entry[1]))
  }

  /** Mounts may have come and gone. */
  #look(): void {
    if (this.#sources.platform !== 'linux') {
      this.#disks = [{ point: '/', root: '/', device: '', type: '', source: '', isReadOnly: false }]
      return
    }
    const text = this.#sources.follow('/proc/self/mountinfo') ?? ''
    if (text === this.#text) return
    this.#text = text
    this.#mounts = parseMounts(text)
    this.#disks = chooseDisks(this.#mounts, this.#also, this.#sources).slice(0, DISKS)
    const kept = new Set(this.#disks.map(keyOf))
    for (const key of this.#slow.keys()) if (!kept.has(key)) this.#slow.delete(key)
    const devices = new Set(this.#disks.map(({ device }) => device))
    for (const device of this.#written.keys()) if (!devices.has(device)) this.#written.delete(device)
  }

  #readOne(mount: Mount, stats: Map<string, number>): DiskReading | undefined {
    const space = QUICK.has(mount.type) ? this.#sources.space(mount.point) : this.#slowSpace(mount)
    if (!space || space.blocks === 0) return undefined
    const { bsize, blocks, bfree, bavail, files, ffree } = space
    const written = this.#count(mount, stats)
    return {
      used: toRatio(blocks - bfree, blocks - bfree + bavail) ?? 1,
      total: blocks * bsize,
      free: bavail * bsize,
      ...(files > 0 && { inodes: toRatio(files - ffree, files) }),
      ...(written !== undefined && { written }),
      ...(mount.isReadOnly && { readonly: true }),
    }
  }

  /** The last answer; the next one is asked for. */
  #slowSpace(mount: Mount): Space | undefined {
    const key = keyOf(mount)
    const slow = this.#slow.get(key) ?? { isAsked: false, at: Number.NEGATIVE_INFINITY }
    this.#slow.set(key, slow)
    if (!slow.isAsked) {
      slow.isAsked = true
      this.#sources.spaceLater(mount.point).then((space) => {
        Object.assign(slow, { isAsked: false, space, at: this.#clock.now() })
      })
    }
    return this.#clock.now() - slow.at < DEADLINE ? slow.space : undefined
  }

  /** Sectors written, by `major:minor` and by name. */
  #readStats(): Map<string, number> {
    const stats = new Map<string, number>()
    for (const line of this.#sources.follow('/proc/diskstats')?.split('\n') ?? []) {
      const [major, minor, name = '', , , , , , , sectors] = line.trim().split(/ +/)
      if (!sectors) continue
      stats.set(`${major}:${minor}`, Number(sectors))
      stats.set(`/dev/${name}`, Number(sectors))
    }
    return stats
  }

  #count({ device, source }: Mount, stats: Map<string, number>): number | undefined {
    const sectors = stats.get(device) ?? stats.get(source)
    if (sectors === undefined) return undefined
    const before = this.#written.get(device)
    const bytes = before ? before.bytes + (growth(before.sectors, sectors) ?? 0) * SECTOR : sectors * SECTOR
    this.#written.set(device, { sectors, bytes })
    return bytes
  }
}

function keyOf({ device, point }: Mount): string {
  return `${device} ${point}`
}
