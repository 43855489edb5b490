// What of a reading is judged: each metric with its value, and how to say it to people.

import type { Reading } from './sampler.ts'

/** What thresholds can be set for: ratios, but `loop` (ms by which the event loop is late) and `temperature` (°C). */
export const KINDS = ['cpu', 'ram', 'disk', 'network', 'engine', 'loop', 'temperature', 'pressure'] as const

export type Kind = (typeof KINDS)[number]

export type Section = 'cpu' | 'ram' | 'disk' | 'network' | 'engine'

export interface Metric {
  /** Tells it from all others, in every sample. */
  key: string
  section: Section
  /** The disk or the interface. */
  item?: string
  /** `power`: 1 when something is wrong with it. */
  kind: Kind | 'power'
  /** `undefined`: not to be told this time. */
  value: number | undefined
  /** It is a part of a capacity, and counts for `saturation`. */
  isShare: boolean
  say(value: number): string
}

export function metricsOf({ cpu, ram, disk, network, engine }: Reading): Metric[] {
  const metrics: Metric[] = [
    share('cpu', 'cpu', cpu.used, (used) => `the processors are ${percent(used)} busy`),
    share('ram', 'ram', ram.used, (used) => `the memory is ${percent(used)} full`),
    share('engine', 'engine', engine.used, (used) => `the event loop is ${percent(used)} busy`),
    {
      ...signal('engine', 'loop', engine.loop),
      say: (late) => `the event loop is up to ${Math.round(late)} ms late`,
    },
    {
      ...signal('cpu', 'temperature', cpu.temperature),
      say: (degrees) => `the processor is at ${Math.round(degrees)} °C`,
    },
    {
      ...signal('ram', 'pressure', ram.pressure),
      say: (part) => `something waits for memory ${percent(part)} of the time`,
    },
    {
      ...signal('cpu', 'power', toFlag(cpu.throttled)),
      key: 'throttled',
      say: () => 'the firmware holds the processor back',
    },
    {
      ...signal('cpu', 'power', toFlag(cpu.undervoltage)),
      key: 'undervoltage',
      say: () => 'the supply voltage is too low',
    },
  ]
  for (const [point, { used, inodes, readonly }] of Object.entries(disk)) {
    // Nothing can fill it up.
    if (readonly) continue
    metrics.push({
      ...share('disk', 'disk', used, (part) => `the disk ${point} is ${percent(part)} full`),
      key: `disk ${point}`,
      item: point,
    })
    metrics.push({
      ...share('disk', 'disk', inodes, (part) => `the disk ${point} has used ${percent(part)} of its inodes`),
      key: `inodes ${point}`,
      item: point,
    })
  }
  for (const [name, { used }] of Object.entries(network)) {
    metrics.push({
      ...share('network', 'network', used, (part) => `the link of ${name} is ${percent(part)} busy`),
      key: `network ${name}`,
      item: name,
    })
  }
  return metrics
}

function share(section: Section, kind: Kind, value: number | undefined, say: Metric['say']): Metric {
  return { key: kind, section, kind, value, isShare: true, say }
}

function signal(section: Section, kind: Metric['kind'], value: number | undefined): Omit<Metric, 'say'> {
  return { key: kind, section, kind, value, isShare: false }
}

function toFlag(flag: boolean | undefined): number | undefined {
  return flag === undefined ? undefined : Number(flag)
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`
}
