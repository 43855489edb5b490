// The resources of the engine itself, below `engine` (design §3). What changes by itself is sampled for reports only
// while somebody is bound (design §9.5).

import type { Cancel, Clock } from '../core/clock.ts'
import type { Json } from '../core/dispatch.ts'
import type { Owner } from '../core/owner.ts'
import type { ClockState } from './clock-state.ts'
import type { LogRecord } from './log.ts'

/** What there is to tell, read when it is asked for. */
export interface EngineFacts {
  summary(): Json
  directory(): Json
  things(): Json
  devices(): Json
  bluetooth(): Json
  peers(): Json
  counters(): Json
  clock(): ClockState
  log: { readonly records: LogRecord[]; onRecord(listener: (record: LogRecord) => void): void }
}

export interface EngineResources {
  /** The state of a device has changed. */
  devicesChanged(): void
  close(): void
}

/** The points of `engine`: for the handlers here, and for the directory. */
export const ENGINE_POINTS = {
  '': { type: 'object', description: 'Name, version, boot id, uptime (ms), and where it listens' },
  directory: { type: 'list', description: 'Every resource, with methods, units and ranges' },
  things: { type: 'list', description: 'The same as W3C Thing Descriptions' },
  devices: { type: 'object', description: 'State of every device, and why', reported: true },
  bluetooth: { type: 'object', description: 'State of the Bluetooth adapter, its links and its recovery' },
  peers: { type: 'list', description: 'The open channels', reported: true },
  counters: { type: 'object', description: 'What was counted, and sizes of the tables', reported: true },
  clock: { type: 'object', description: 'Whether the wall clock can be believed', reported: true },
  log: { type: 'list', description: 'The latest records; each new one is reported', reported: true },
} as const satisfies Record<string, { type: string; description: string; reported?: true }>

const PERIOD = 1000
/** Letters of records in one answer: a frame is 1 MiB at most. */
const LOG_LETTERS = 200_000

export function exposeEngine(owner: Owner, clock: Clock, facts: EngineFacts): EngineResources {
  const read: Record<keyof typeof ENGINE_POINTS, () => Json> = {
    '': facts.summary,
    directory: facts.directory,
    things: facts.things,
    devices: facts.devices,
    bluetooth: facts.bluetooth,
    peers: facts.peers,
    counters: facts.counters,
    clock: facts.clock,
    log: () => newest(facts.log.records),
  }
  for (const [point, get] of Object.entries(read)) owner.handle('GET', point ? [point] : [], get)
  facts.log.onRecord((record) => owner.report(['log'], record, { event: true }))

  /** Sampled points: what of them is compared, to know whether there is something to report. */
  const sampled: Record<string, (value: Json) => Json> = {
    peers: (value) => value,
    counters: (value) => value,
    clock: (value) => {
      const { state, step } = value as ClockState
      return [state, step]
    },
  }
  const last = new Map<string, string>()
  let cancel: Cancel = () => {}
  const sample = () => {
    for (const [point, essence] of Object.entries(sampled)) {
      if (!owner.watched([point])) {
        last.delete(point)
        continue
      }
      const value = read[point as 'peers']()
      const text = JSON.stringify(essence(value))
      if (text !== last.get(point)) owner.report([point], value)
      last.set(point, text)
    }
    cancel = clock.after(PERIOD, sample)
  }
  sample()

  return {
    devicesChanged() {
      if (owner.watched(['devices'])) owner.report(['devices'], facts.devices())
    },
    close() {
      cancel()
      facts.log.onRecord(() => {})
      owner.close()
    },
  }
}

/** As many of the latest as fit into an answer, oldest first. */
function newest(records: LogRecord[]): LogRecord[] {
  let letters = 0
  const from = records.findLastIndex((record) => {
    letters += JSON.stringify(record).length
    return letters > LOG_LETTERS
  })
  return records.slice(from + 1)
}
