// What `["engine","saturation"]` tells (design §5): ratios 0–1, bytes, bytes per second, °C, milliseconds.

import type { CpuReading } from './cpu.ts'
import type { DiskReading } from './disk.ts'
import type { HeatReading } from './heat.ts'
import type { State, Verdict } from './judge.ts'
import type { Section } from './metrics.ts'
import type { NetworkReading } from './network.ts'
import type { RamReading } from './ram.ts'
import type { EngineReading, Reading } from './sampler.ts'

/** There only where it is not ok. */
interface Stated {
  state?: Exclude<State, 'ok'>
}

export interface Saturation {
  cpu: CpuReading & HeatReading & Stated
  ram: RamReading & Stated
  /** By mount point. */
  disk: Record<string, DiskReading & Stated>
  /** By the name of the interface. */
  network: Record<string, NetworkReading & Stated>
  engine: EngineReading & Stated
  /** The largest share of a capacity that is in use, 0–1. */
  saturation: number
  state: State
  /** What is worst. */
  cause: Section
  /** It takes no new work. */
  draining: boolean
}

export function compose(
  { cpu, ram, disk, network, engine }: Reading,
  verdict: Verdict,
  draining: boolean,
): Saturation {
  const { saturation, state, cause, states } = verdict
  const value: Saturation = tidy({
    cpu,
    ram,
    disk,
    network,
    engine,
    saturation,
    state,
    cause,
    draining,
  })
  for (const { section, item, state } of states) {
    const at: Stated | undefined = item === undefined ? value[section] : value[section as 'disk'][item]
    if (at && at.state !== 'critical') at.state = state as Stated['state']
  }
  return value
}

/** A copy without what is undefined, and with no more digits than mean something. */
function tidy<T>(value: T): T {
  if (typeof value === 'number') return round(value) as T
  if (Array.isArray(value)) return value.map(tidy) as T
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) if (item !== undefined) copy[key] = tidy(item)
  return copy as T
}

function round(value: number): number {
  return Math.abs(value) < 1000 ? Math.round(value * 10_000) / 10_000 : Math.round(value)
}
