// One look at the whole computer. What is a rate is told only where two looks can be compared: not over a suspend.

import type { Clock } from '../../core/clock.ts'
import { Cpu, type CpuReading } from './cpu.ts'
import { Disk, type DiskReading } from './disk.ts'
import { findGroups } from './groups.ts'
import { Heat, type HeatReading } from './heat.ts'
import { Network, type NetworkReading } from './network.ts'
import type { ProcessMeter, ProcessReading } from './process-meter.ts'
import { Ram, type RamReading } from './ram.ts'
import type { Sources } from './sources.ts'
import { toNumber } from './text.ts'

/** What the engine knows of itself. */
export interface EngineCounts {
  channels: number
  subscriptions: number
  /** Frames that wait for slow readers. */
  queued: number
  /** Dispatches processed since the start, if they are counted. */
  dispatches?: number
}

export interface EngineReading extends ProcessReading {
  channels: number
  subscriptions: number
  queued: number
  /** Dispatches per second. */
  rate?: number
}

export interface Reading {
  /** Rates are told. */
  isWhole: boolean
  cpu: CpuReading & HeatReading
  ram: RamReading
  /** By mount point. */
  disk: Record<string, DiskReading>
  /** By the name of the interface. */
  network: Record<string, NetworkReading>
  engine: EngineReading
}

export interface SamplerOptions {
  sources: Sources
  clock: Clock
  meter: ProcessMeter
  counts(): EngineCounts
  /** Mount points to look at besides the disks. */
  disks: string[]
  /** Megabits per second of links that can't tell, by interface. */
  speeds: Record<string, number>
}

/** Milliseconds between two looks for what seldom changes: limits, sensors, kinds of interfaces. */
const SURVEY = 10_000
/** Milliseconds over which nothing is compared: the process stood still. */
const GAP = 15_000
/** Milliseconds that only the clock that runs on in sleep has seen: the computer was suspended. */
const SLEEP = 500

export class Sampler {
  #options: SamplerOptions
  #cpu: Cpu
  #ram: Ram
  #heat: Heat
  #disk: Disk
  #network: Network
  #surveyed = Number.NEGATIVE_INFINITY
  #last: { now: number; uptime: number | undefined; dispatches: number | undefined } | undefined

  constructor(options: SamplerOptions) {
    const { sources, clock, disks, speeds } = options
    this.#options = options
    this.#cpu = new Cpu(sources)
    this.#ram = new Ram(sources)
    this.#heat = new Heat(sources)
    this.#disk = new Disk(sources, clock, disks)
    this.#network = new Network(sources, speeds)
  }

  sample(): Reading {
    const now = this.#options.clock.now()
    const disk = this.#disk.read()
    if (now - this.#surveyed >= SURVEY) this.#survey(now)
    const uptime = toNumber(this.#options.sources.follow('/proc/uptime'))
    const counts = this.#options.counts()
    const { dispatches } = counts
    const seconds = this.#elapsed(now, uptime)
    const rate = this.#rate(dispatches, seconds)
    this.#last = { now, uptime, dispatches }
    return {
      isWhole: seconds !== undefined,
      cpu: { ...this.#cpu.read(seconds), ...this.#heat.read() },
      ram: this.#ram.read(),
      disk,
      network: this.#network.read(seconds),
      engine: {
        ...this.#options.meter.read(),
        channels: counts.channels,
        subscriptions: counts.subscriptions,
        queued: counts.queued,
        ...(rate !== undefined && { rate }),
      },
    }
  }

  #survey(now: number): void {
    this.#surveyed = now
    const groups = findGroups(this.#options.sources, this.#disk.mounts)
    this.#cpu.survey(groups)
    this.#ram.survey(groups)
    this.#heat.survey()
    this.#network.survey()
  }

  /** Seconds since the last look; `undefined`: the two can't be compared. */
  #elapsed(now: number, uptime: number | undefined): number | undefined {
    const last = this.#last
    if (!last) return undefined
    const elapsed = now - last.now
    const slept =
      uptime === undefined || last.uptime === undefined ? 0 : (uptime - last.uptime) * 1000 - elapsed
    return elapsed > 0 && elapsed <= GAP && slept < SLEEP ? elapsed / 1000 : undefined
  }

  #rate(dispatches: number | undefined, seconds: number | undefined): number | undefined {
    const before = this.#last?.dispatches
    if (dispatches === undefined || before === undefined || !seconds) return undefined
    return Math.max(0, dispatches - before) / seconds
  }
}
