// ok, warning or critical: thresholds with hysteresis, in level and in time, so that a state means something and doesn't
// flap (design §5).

import type { Kind, Metric, Section } from './metrics.ts'

export const STATES = ['ok', 'warning', 'critical'] as const

export type State = (typeof STATES)[number]

export interface Threshold {
  /** The state begins at this value. */
  warning: number
  critical: number
  /** It ends below the threshold by this part of it. */
  margin: number
  /** Milliseconds that the value has to stay at or above the threshold before the state begins. */
  rise: number
  /** Milliseconds that it has to stay below before the state ends. */
  fall: number
}

export type Thresholds = Record<Kind, Threshold>

const SOON = { margin: 0.05, rise: 2000, fall: 10_000 }

export const THRESHOLDS: Thresholds = {
  cpu: { warning: 0.8, critical: 0.95, ...SOON },
  ram: { warning: 0.85, critical: 0.95, ...SOON },
  // A disk has no peaks: what is written stays.
  disk: { warning: 0.85, critical: 0.95, margin: 0.02, rise: 0, fall: 10_000 },
  network: { warning: 0.8, critical: 0.95, ...SOON },
  engine: { warning: 0.8, critical: 0.95, ...SOON },
  loop: { warning: 100, critical: 1000, ...SOON },
  temperature: { warning: 80, critical: 90, ...SOON },
  // The kernel's figure is an average of 10 s already.
  pressure: { warning: 0.2, critical: 0.5, margin: 0.2, rise: 0, fall: 10_000 },
}

/** A flag of the firmware can't be critical: the computer runs, only slower. */
const POWER: Threshold = {
  warning: 1,
  critical: Number.POSITIVE_INFINITY,
  margin: 0.5,
  rise: 0,
  fall: 10_000,
}

export interface Verdict {
  state: State
  /** The section of the metric that is worst: by its state, then by how much it is over. */
  cause: Section
  /** The same for people. */
  reason: string
  /** The largest share, 0–1. */
  saturation: number
  /** Of every metric that is not ok: its state. */
  states: { section: Section; item?: string; state: State }[]
}

/** One threshold of one metric. */
interface Latch {
  isOn: boolean
  /** Since when the value has been on the other side. */
  since: number | undefined
}

interface Memory {
  warning: Latch
  critical: Latch
}

export class Judge {
  #thresholds: Thresholds
  #memories = new Map<string, Memory>()

  constructor(thresholds: Thresholds) {
    this.#thresholds = thresholds
  }

  /** Something is not ok, or is about to change: the next look should come soon. */
  get isTense(): boolean {
    return [...this.#memories.values()].some(({ warning, critical }) =>
      [warning, critical].some(({ isOn, since }) => isOn || since !== undefined),
    )
  }

  /** What these values mean at the time `now`. Metrics that are no longer there are forgotten. */
  judge(metrics: Metric[], now: number): Verdict {
    const keys = new Set(metrics.map(({ key }) => key))
    for (const key of this.#memories.keys()) if (!keys.has(key)) this.#memories.delete(key)
    const judged = metrics.map((metric) => {
      const threshold = metric.kind === 'power' ? POWER : this.#thresholds[metric.kind]
      const state = this.#remember(metric, threshold, now)
      return { metric, state, weight: weigh(metric, state, threshold) }
    })
    const worst = judged.reduce((a, b) => (b.weight > a.weight ? b : a))
    const shares = metrics.filter(({ isShare }) => isShare).map(({ value }) => value ?? 0)
    return {
      state: worst.state,
      cause: worst.metric.section,
      reason: worst.metric.say(worst.metric.value ?? 0),
      saturation: Math.min(1, Math.max(0, ...shares)),
      states: judged
        .filter(({ state }) => state !== 'ok')
        .map(({ metric: { section, item }, state }) => ({
          section,
          ...(item !== undefined && { item }),
          state,
        })),
    }
  }

  #remember({ key, value }: Metric, threshold: Threshold, now: number): State {
    const memory = this.#memories.get(key) ?? { warning: off(), critical: off() }
    this.#memories.set(key, memory)
    for (const level of ['warning', 'critical'] as const) {
      turn(memory[level], value, threshold[level], threshold, now)
    }
    if (memory.critical.isOn) return 'critical'
    return memory.warning.isOn ? 'warning' : 'ok'
  }
}

function off(): Latch {
  return { isOn: false, since: undefined }
}

function turn(
  latch: Latch,
  value: number | undefined,
  limit: number,
  threshold: Threshold,
  now: number,
): void {
  const { margin, rise, fall } = threshold
  // What can't be told changes nothing, and time that nobody saw doesn't count.
  if (value === undefined) latch.since = undefined
  else if (value >= (latch.isOn ? limit * (1 - margin) : limit) === latch.isOn) latch.since = undefined
  else {
    latch.since ??= now
    if (now - latch.since < (latch.isOn ? fall : rise)) return
    latch.isOn = !latch.isOn
    latch.since = undefined
  }
}

/** Larger is worse. Where all is ok only shares count: they make `saturation`. */
function weigh({ value, isShare }: Metric, state: State, threshold: Threshold): number {
  if (state === 'ok') return isShare ? (value ?? 0) / (1 + (value ?? 0)) : -1
  const over = (value ?? 0) / threshold[state]
  return STATES.indexOf(state) + over / (1 + over)
}
