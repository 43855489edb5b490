// How busy the processors are: /proc/stat, the cores that this process may run on, and the quota of its control groups.

import type { Group } from './groups.ts'
import type { Sources } from './sources.ts'
import { growth, readPressure, toList, toRatio } from './text.ts'

export interface CpuReading {
  /** Of all that we may use, 0–1. Waiting for a disk is no use; what the host of a virtual machine takes away is. */
  used?: number
  /** The same of each core. */
  each?: number[]
  /** How many there are for us: a quota may leave a part of one. */
  cores: number
  load?: number[]
  /** Part of the last 10 s in which some task waited for a core, 0–1. */
  pressure?: number
}

interface Ticks {
  busy: number
  idle: number
}

export class Cpu {
  #sources: Sources
  #allowed: number[] | undefined
  #groups: Group[] = []
  #ticks = new Map<number, Ticks>()
  /** Microseconds that each group has used. */
  #usage = new Map<string, number>()

  constructor(sources: Sources) {
    this.#sources = sources
  }

  /** Looks again for what seldom changes. */
  survey(groups: Group[]): void {
    const status = this.#sources.read('/proc/self/status') ?? ''
    this.#allowed = toList(/^Cpus_allowed_list:\s*(.+)$/m.exec(status)?.[1])
    this.#groups = groups.filter(({ cores }) => cores)
    const folders = new Set(this.#groups.map(({ folder }) => folder))
    for (const folder of this.#usage.keys()) if (!folders.has(folder)) this.#usage.delete(folder)
  }

  /** `seconds` since the last reading; `undefined`: the two can't be compared. */
  read(seconds: number | undefined): CpuReading {
    const ticks = this.#readTicks()
    const before = this.#ticks
    this.#ticks = ticks
    const grown = [...ticks].map(([core, now]) => difference(before.get(core), now))
    const quotas = this.#groups.map((group) => this.#readQuota(group, seconds))
    const cores = Math.min(ticks.size, ...this.#groups.map((group) => group.cores as number))
    const rest = { cores, ...this.#readLoad(), pressure: readPressure(this.#sources, 'cpu') }
    if (seconds === undefined) return rest
    const all = grown.reduce(
      (sum, { busy, idle }) => ({ busy: sum.busy + busy, idle: sum.idle + idle }),
      ZERO,
    )
    const machine = toRatio(all.busy, all.busy + all.idle)
    const used = Math.max(...[machine, ...quotas].filter((ratio) => ratio !== undefined))
    return {
      ...(used >= 0 && { used }),
      each: grown.map(({ busy, idle }) => toRatio(busy, busy + idle) ?? 0),
      ...rest,
    }
  }

  #readTicks(): Map<number, Ticks> {
    if (this.#sources.platform !== 'linux') {
      return new Map(this.#sources.os.cpus().map(({ times }, core) => [core, ofNode(times)]))
    }
    const ticks = new Map<number, Ticks>()
    // Behind the cores is a long line with all interrupts.
    const [text = ''] = this.#sources.follow('/proc/stat')?.split('\nintr', 1) ?? []
    for (const line of text.split('\n')) {
      if (!line.startsWith('cpu') || line.startsWith('cpu ')) continue
      const [name = '', user, nice, system, idle, wait, irq, softirq, steal] = line.split(' ')
      const core = Number(name.slice(3))
      if (this.#allowed && !this.#allowed.includes(core)) continue
      const busy = [user, nice, system, irq, softirq, steal].reduce(
        (sum, count) => sum + Number(count ?? 0),
        0,
      )
      ticks.set(core, { busy, idle: Number(idle) + Number(wait) })
    }
    return ticks
  }

  /** How much of its quota a group has used. */
  #readQuota({ folder, cores }: Group, seconds: number | undefined): number | undefined {
    const text = this.#sources.follow(`${folder}/cpu.stat`)
    const usage = Number(/^usage_usec (\d+)/m.exec(text ?? '')?.[1] ?? Number.NaN)
    const before = this.#usage.get(folder)
    this.#usage.set(folder, usage)
    if (before === undefined || !seconds || !(usage >= before)) return undefined
    return toRatio((usage - before) / 1e6, seconds * (cores as number))
  }

  #readLoad(): { load?: number[] } {
    const { platform, os } = this.#sources
    if (platform !== 'linux') return { load: os.loadavg() }
    const load = this.#sources.follow('/proc/loadavg')?.split(' ', 3).map(Number)
    return load ? { load } : {}
  }
}

const ZERO: Ticks = { busy: 0, idle: 0 }

/** A core that is new, or whose counters were set back, has done nothing that can be told. */
function difference(before: Ticks | undefined, now: Ticks): Ticks {
  if (!before) return ZERO
  // The kernel lets waiting for disks run backwards a little.
  return { busy: growth(before.busy, now.busy) ?? 0, idle: Math.max(0, now.idle - before.idle) }
}

function ofNode({ user, nice, sys, irq, idle }: ReturnType<Sources['os']['cpus']>[0]['times']): Ticks {
  return { busy: user + nice + sys + irq, idle }
}
