// `["engine","saturation"]` (design §5): looked at once a second while somebody is bound or something is not ok, else
// every 5 s; reported every period, and at once when a state changes.

import type { Cancel, Clock } from '../../core/clock.ts'
import type { Json } from '../../core/dispatch.ts'
import type { Log } from '../../core/env.ts'
import type { Owner } from '../../core/owner.ts'
import { Judge, type State } from './judge.ts'
import { metricsOf } from './metrics.ts'
import { meterProcess, type ProcessMeter } from './process-meter.ts'
import { type EngineCounts, Sampler } from './sampler.ts'
import type { SaturationSettings } from './settings.ts'
import { realSources, type Sources } from './sources.ts'
import { compose, type Saturation } from './value.ts'

/** Its entry for the directory. */
export const SATURATION_POINTS = {
  saturation: {
    type: 'object',
    description: 'How full the computer and this engine are: CPU, RAM, disks, network',
    reported: true,
  },
} as const

export interface SaturationOptions {
  clock: Clock
  log: Log
  settings: SaturationSettings
  counts(): EngineCounts
  /** Default: those of this computer. */
  sources?: Sources
  /** Default: that of this process. */
  meter?: ProcessMeter
}

export interface SaturationResource {
  /** Not older than a second. */
  read(): Saturation
  /** From now on it tells that it takes no new work, at once. */
  drain(): void
  /** Takes over other settings; states start anew. */
  adopt(settings: SaturationSettings): void
  close(): void
}

const SAMPLE = 1000
const IDLE = 5000
/** Timers of Node may be early by a little. */
const EARLY = 50

/** Answers and reports for the owner of `engine`, which stays open when this is closed. */
export function exposeSaturation(owner: Owner, options: SaturationOptions): SaturationResource {
  const { clock, log, counts, sources = realSources(), meter = meterProcess(options.clock) } = options
  let settings = options.settings
  let sampler: Sampler
  let judge: Judge
  let latest: Saturation
  let reason = ''
  let isWhole = false
  let draining = false
  let sampledAt = 0
  let reportedAt = Number.NEGATIVE_INFINITY
  /** Of what was told last. */
  let told = ''
  let state: State = 'ok'

  const start = () => {
    const { disks, speeds, thresholds } = settings
    sampler = new Sampler({ sources, clock, meter, counts, disks, speeds })
    judge = new Judge(thresholds)
    sample()
  }

  const sample = () => {
    const now = clock.now()
    const reading = sampler.sample()
    const verdict = judge.judge(metricsOf(reading), now)
    sampledAt = now
    isWhole = reading.isWhole
    reason = verdict.reason
    latest = compose(reading, verdict, draining)
    tellLog()
    const essence = JSON.stringify([verdict.state, verdict.states, draining])
    if (essence !== told || now - reportedAt >= settings.period - EARLY) report(now, essence)
  }

  const report = (now: number, essence: string) => {
    told = essence
    reportedAt = now
    owner.report(['saturation'], latest as unknown as Json)
  }

  const tellLog = () => {
    if (latest.state === state) return
    state = latest.state
    if (state === 'ok') log.info('saturation: ok again')
    else log.warn(`saturation: ${state}: ${reason}`, { cause: latest.cause, saturation: latest.saturation })
  }

  const read = () => {
    if (clock.now() - sampledAt >= SAMPLE) sample()
    return latest
  }

  let cancel: Cancel = () => {}
  const tick = () => {
    const isWanted = !isWhole || judge.isTense || owner.watched(['saturation'])
    if (clock.now() - sampledAt >= (isWanted ? SAMPLE : IDLE) - EARLY) sample()
    cancel = clock.after(SAMPLE, tick)
  }

  start()
  owner.handle('GET', ['saturation'], () => read() as unknown as Json)
  cancel = clock.after(SAMPLE, tick)

  return {
    read,
    drain() {
      draining = true
      sample()
    },
    adopt(next) {
      settings = next
      start()
    },
    close() {
      cancel()
      meter.close()
      sources.close()
    },
  }
}
