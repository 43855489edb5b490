// Another computer, planted: files of /proc and /sys, disks, and a process, for the tests of saturation.

import { TestClock } from '../../src/core/clock.ts'
import type { ProcessMeter, ProcessReading } from '../../src/host/saturation/process-meter.ts'
import { Sampler } from '../../src/host/saturation/sampler.ts'
import type { Sources, Space } from '../../src/host/saturation/sources.ts'

const GIB = 2 ** 30

export class Computer implements Sources, ProcessMeter {
  platform = 'linux'
  /** By path. */
  files: Record<string, string> = {}
  folders = new Set<string>()
  spaces: Record<string, Space> = {}
  /** Mount points whose file system never answers. */
  hanging = new Set<string>()
  /** How often each mount point was asked. */
  asked: Record<string, number> = {}
  closed = 0
  process: ProcessReading = { loop: 1, used: 0.1, rss: 80_000_000 }
  os: Sources['os'] = {
    cpus: () => [],
    loadavg: () => [0, 0, 0],
    totalmem: () => 0,
    freemem: () => 0,
  }

  read(): ProcessReading
  read(path: string): string | undefined
  read(path?: string): string | undefined | ProcessReading {
    return path === undefined ? this.process : this.files[path]
  }

  follow(path: string): string | undefined {
    return this.files[path]
  }

  list(folder: string): string[] {
    const below = Object.keys(this.files).filter((path) => path.startsWith(`${folder}/`))
    return [...new Set(below.map((path) => path.slice(folder.length + 1).split('/')[0] as string))]
  }

  isFolder(path: string): boolean {
    return this.folders.has(path)
  }

  space(path: string): Space | undefined {
    this.asked[path] = (this.asked[path] ?? 0) + 1
    if (this.hanging.has(path)) throw new Error(`whoever asks ${path} hangs`)
    return this.spaces[path]
  }

  spaceLater(path: string): Promise<Space | undefined> {
    this.asked[path] = (this.asked[path] ?? 0) + 1
    return this.hanging.has(path) ? new Promise(() => {}) : Promise.resolve(this.spaces[path])
  }

  close(): void {
    this.closed++
  }

  // What a test changes

  /** Ticks since the start, of each core. */
  ticks(...cores: { busy?: number; idle?: number; wait?: number; steal?: number }[]): void {
    const lines = cores.map(
      ({ busy = 0, idle = 0, wait = 0, steal = 0 }, core) =>
        `cpu${core} ${busy} 0 0 ${idle} ${wait} 0 0 ${steal} 0 0`,
    )
    this.files['/proc/stat'] = `cpu  1 1 1 1 1 1 1 1 0 0\n${lines.join('\n')}\nintr 99 0 0\nctxt 1\nbtime 1\n`
  }

  /** Kibibytes, as in /proc/meminfo. */
  memory(fields: Record<string, number>): void {
    const lines = Object.entries(fields).map(([name, value]) => `${`${name}:`.padEnd(16)}${value} kB\n`)
    this.files['/proc/meminfo'] = lines.join('')
  }

  /** Lines of mountinfo: `major:minor root point options type source`. */
  mounts(...lines: string[]): void {
    this.files['/proc/self/mountinfo'] = lines
      .map((line, index) => {
        const [device, root, point, options, type, source] = line.split(' ')
        return `${index + 20} 1 ${device} ${root} ${point} ${options},relatime shared:1 - ${type} ${source} ${options}\n`
      })
      .join('')
  }

  /** Bytes that have come in and gone out by each interface. */
  traffic(interfaces: Record<string, { rx?: number; tx?: number; errors?: number }>): void {
    const lines = Object.entries(interfaces).map(
      ([name, { rx = 0, tx = 0, errors = 0 }]) =>
        `${name.padStart(6)}: ${rx} 1 ${errors} 0 0 0 0 0 ${tx} 1 0 0 0 0 0 0\n`,
    )
    this.files['/proc/net/dev'] = `Inter-|   Receive |  Transmit\n face |bytes |bytes\n${lines.join('')}`
  }

  /** Files of an interface, `operstate: 'up'` if nothing else is said. */
  link(name: string, files: Record<string, string> = {}): void {
    for (const [file, text] of Object.entries({ operstate: 'up', ...files })) {
      this.files[`/sys/class/net/${name}/${file}`] = `${text}\n`
    }
  }

  unplug(name: string): void {
    for (const path of Object.keys(this.files)) {
      if (path.startsWith(`/sys/class/net/${name}/`)) delete this.files[path]
    }
  }

  disk(point: string, used: number, more: Partial<Space> = {}): void {
    const blocks = GIB / 4096
    const free = Math.round(blocks * (1 - used))
    this.spaces[point] = { bsize: 4096, blocks, bfree: free, bavail: free, files: 1000, ffree: 900, ...more }
  }
}

/** A Pi with nothing to do. */
export function makePi(): Computer {
  const computer = new Computer()
  computer.ticks({ idle: 1000 }, { idle: 1000 })
  computer.memory({ MemTotal: 1_000_000, MemAvailable: 600_000, SwapTotal: 100_000, SwapFree: 99_000 })
  computer.files['/proc/loadavg'] = '0.90 0.70 0.50 1/100 1234\n'
  computer.mounts('179:2 / / rw ext4 /dev/mmcblk0p2')
  computer.disk('/', 0.5)
  computer.link('eth0', { speed: '1000', duplex: 'full' })
  computer.traffic({ lo: { rx: 5000, tx: 5000 }, eth0: { rx: 1000, tx: 1000 } })
  return computer
}

/** A sampler of a computer, with the clock of both: `uptime` runs with it. */
export function makeSampler(
  computer: Computer,
  options: { disks?: string[]; speeds?: Record<string, number> } = {},
) {
  const clock = new TestClock()
  const counts = { channels: 1, subscriptions: 2, queued: 0, dispatches: 0 }
  let slept = 0
  const sampler = new Sampler({
    sources: computer,
    clock,
    meter: computer,
    counts: () => ({ ...counts }),
    disks: [],
    speeds: {},
    ...options,
  })
  const sample = () => {
    computer.files['/proc/uptime'] = `${((clock.now() + slept) / 1000).toFixed(2)} 1.00\n`
    return sampler.sample()
  }
  return {
    clock,
    counts,
    sample,
    /** Lets a second (or so) pass, then looks. */
    async next(ms = 1000) {
      await clock.advance(ms)
      return sample()
    },
    sleep(ms: number) {
      slept += ms
    },
  }
}
