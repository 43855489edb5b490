// The body of `/metrics`: Prometheus' text format, version 0.0.4.

import { STATES } from './judge.ts'
import type { Saturation } from './value.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export interface MetricsFacts {
  name: string
  version: string
  /** Milliseconds since the start of the engine. */
  uptime: number
  saturation: Saturation
  /** What was counted, e.g. of `Meters`. */
  meters: Record<string, number>
  devices: Record<string, MetricsDevice>
}

export interface MetricsDevice {
  state: string
  /** Milliseconds since it was last heard; null: never. */
  age: number | null
  counters: Record<string, number>
}

type Labels = Record<string, string>

type Sample = [labels: Labels, value: number | undefined]

interface Family {
  name: string
  type: 'gauge' | 'counter'
  help: string
  samples: Sample[]
}

export function prometheus(facts: MetricsFacts): string {
  const families = [...ofEngine(facts), ...ofComputer(facts.saturation), ...ofDevices(facts.devices)]
  return families.map(write).join('')
}

function ofEngine({ name, version, uptime, saturation, meters }: MetricsFacts): Family[] {
  const { engine, state, draining } = saturation
  return [
    gauge('info', 'Name and version of the engine.', [[{ name, version }, 1]]),
    gauge('uptime_seconds', 'Seconds since the start of the engine.', [[{}, uptime / 1000]]),
    gauge('saturation_ratio', 'Largest share of a capacity in use.', [[{}, saturation.saturation]]),
    gauge(
      'state',
      'Whether the engine is ok, warning or critical: 1 for the one that holds.',
      STATES.map((each) => [{ state: each }, Number(each === state)]),
    ),
    gauge('draining', '1 when the engine takes no new work.', [[{}, Number(draining)]]),
    gauge('event_loop_used_ratio', 'Part of the time in which the event loop was at work.', [
      [{}, engine.used],
    ]),
    gauge('event_loop_delay_seconds', 'Lateness of the event loop, 99th percentile.', [
      [{}, engine.loop / 1000],
    ]),
    gauge('resident_memory_bytes', 'Resident memory of the process.', [[{}, engine.rss]]),
    gauge('channels', 'Open channels.', [[{}, engine.channels]]),
    gauge('subscriptions', 'Subscriptions.', [[{}, engine.subscriptions]]),
    gauge('queued_frames', 'Frames that wait for slow readers.', [[{}, engine.queued]]),
    gauge('dispatches_per_second', 'Dispatches processed in a second.', [[{}, engine.rate]]),
    counter(
      'events_total',
      'What the engine has dropped, refused and done, by kind.',
      Object.entries(meters).map(([event, count]) => [{ event }, count]),
    ),
  ]
}

function ofComputer({ cpu, ram, disk, network }: Saturation): Family[] {
  const flag = (value: boolean | undefined) => (value === undefined ? undefined : Number(value))
  const [one, five, fifteen] = cpu.load ?? []
  const disks = byLabel('disk', disk)
  const links = byLabel('interface', network)
  return [
    gauge('cpu_used_ratio', 'Part of the processors in use.', [[{}, cpu.used]]),
    gauge(
      'cpu_core_used_ratio',
      'Part of each core in use.',
      (cpu.each ?? []).map((used, core) => [{ core: String(core) }, used]),
    ),
    gauge('cpu_cores', 'Cores that the engine may use.', [[{}, cpu.cores]]),
    gauge('cpu_load', 'Load average over so many minutes.', [
      [{ minutes: '1' }, one],
      [{ minutes: '5' }, five],
      [{ minutes: '15' }, fifteen],
    ]),
    gauge('cpu_pressure_ratio', 'Part of the time in which a task waits for a core.', [[{}, cpu.pressure]]),
    gauge('cpu_temperature_celsius', 'Temperature of the processor.', [[{}, cpu.temperature]]),
    gauge('cpu_throttled', '1 when the firmware holds the processor back.', [[{}, flag(cpu.throttled)]]),
    gauge('cpu_undervoltage', '1 when the supply voltage is too low.', [[{}, flag(cpu.undervoltage)]]),
    gauge('ram_used_ratio', 'Part of the memory in use.', [[{}, ram.used]]),
    gauge('ram_size_bytes', 'Memory that there is for the engine.', [[{}, ram.total]]),
    gauge('ram_available_bytes', 'Memory that can be had without swapping.', [[{}, ram.available]]),
    gauge('swap_used_bytes', 'Swap in use.', [[{}, ram.swap]]),
    gauge('ram_pressure_ratio', 'Part of the time in which a task waits for memory.', [[{}, ram.pressure]]),
    gauge(
      'disk_used_ratio',
      'Part of the disk in use.',
      disks(({ used }) => used),
    ),
    gauge(
      'disk_size_bytes',
      'Size of the disk.',
      disks(({ total }) => total),
    ),
    gauge(
      'disk_free_bytes',
      'Room on the disk for everybody.',
      disks(({ free }) => free),
    ),
    gauge(
      'disk_inodes_used_ratio',
      'Part of the inodes in use.',
      disks(({ inodes }) => inodes),
    ),
    gauge(
      'disk_readonly',
      '1 when nothing can be written.',
      disks(({ readonly }) => Number(readonly ?? false)),
    ),
    counter(
      'disk_written_bytes_total',
      'Bytes written to the disk.',
      disks(({ written }) => written),
    ),
    gauge(
      'network_used_ratio',
      'Part of the link in use.',
      links(({ used }) => used),
    ),
    gauge(
      'network_receive_bytes_per_second',
      'Bytes that come in.',
      links(({ rx }) => rx),
    ),
    gauge(
      'network_transmit_bytes_per_second',
      'Bytes that go out.',
      links(({ tx }) => tx),
    ),
    gauge(
      'network_speed_bytes_per_second',
      'What the link can carry each way.',
      links(({ speed }) => speed),
    ),
    counter(
      'network_errors_total',
      'Broken frames.',
      links(({ errors }) => errors),
    ),
  ]
}

function ofDevices(devices: Record<string, MetricsDevice>): Family[] {
  const each = byLabel('device', devices)
  const counted = Object.entries(devices).flatMap(([device, { counters }]) =>
    Object.entries(counters).map(([event, count]): Sample => [{ device, event }, count]),
  )
  return [
    gauge(
      'device_up',
      '1 when the device speaks.',
      each(({ state }) => Number(state === 'up')),
    ),
    gauge(
      'device_age_seconds',
      'Seconds since the device was last heard.',
      each(({ age }) => (age === null ? undefined : age / 1000)),
    ),
    counter('device_events_total', 'What the driver of the device has counted.', counted),
  ]
}

/** One sample for each item of a table. */
function byLabel<T>(label: string, items: Record<string, T>) {
  return (value: (item: T) => number | undefined): Sample[] =>
    Object.entries(items).map(([name, item]) => [{ [label]: name }, value(item)])
}

function gauge(name: string, help: string, samples: Sample[]): Family {
  return { name, type: 'gauge', help, samples }
}

function counter(name: string, help: string, samples: Sample[]): Family {
  return { name, type: 'counter', help, samples }
}

/** Nothing where there is nothing to tell. */
function write({ name: end, type, help, samples }: Family): string {
  const name = `hormiga_${end}`
  const lines = samples.flatMap(([labels, value]) =>
    value === undefined ? [] : [`${name}${writeLabels(labels)} ${writeNumber(value)}\n`],
  )
  if (lines.length === 0) return ''
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function writeLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${quoted(value)}"`)
  return pairs.length > 0 ? `{${pairs.join(',')}}` : ''
}

function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function writeNumber(value: number): string {
  if (Number.isFinite(value)) return String(value)
  if (Number.isNaN(value)) return 'NaN'
  return value > 0 ? '+Inf' : '-Inf'
}
