// The section `saturation` of the configuration: its schema, what may not be said though the schema allows it, and what
// the engine makes of it.

import type { Schema } from '../schema.ts'
import { THRESHOLDS, type Threshold, type Thresholds } from './judge.ts'
import { KINDS, type Kind } from './metrics.ts'

export interface SaturationSettings {
  /** Milliseconds between two reports. */
  period: number
  /** Mount points to look at besides the disks. */
  disks: string[]
  /** Megabits per second of links that can't tell, by interface. */
  speeds: Record<string, number>
  thresholds: Thresholds
}

/** As it is written, after the schema has been checked. Times are milliseconds or such as `"3s"`. */
export interface WrittenSaturation {
  period?: string | number
  disks?: string[]
  speeds?: Record<string, number>
  thresholds?: Partial<Record<Kind, WrittenThreshold>>
}

type WrittenThreshold = Partial<
  Pick<Threshold, 'warning' | 'critical' | 'margin'> & Record<'rise' | 'fall', string | number>
>

/** What a value is a part of, and the largest that makes sense. */
const MEANINGS: Record<Kind, [what: string, unit: string, most: number]> = {
  cpu: ['How busy the processors are', '0–1', 1],
  ram: ['How full the memory is', '0–1', 1],
  disk: ['How full a disk is, and its table of inodes', '0–1', 1],
  network: ['How busy a link is', '0–1', 1],
  engine: ['How busy the event loop is', '0–1', 1],
  loop: ['How late the event loop is', 'ms', 60_000],
  temperature: ['Temperature of the processor', '°C', 150],
  pressure: ['Part of the time in which something waits for memory', '0–1', 1],
}

const TITLE = 'a time, such as "3s" or "500ms", or a number of ms'

export const saturationSchema: Schema = {
  description: 'When the computer counts as full.',
  type: 'object',
  properties: {
    period: { ...duration('1s', 1000), description: 'How often it is reported to those who are bound.' },
    disks: {
      title: 'a list of mount points',
      description: 'What to look at besides the disks of this computer, such as a share of a server.',
      type: 'array',
      maxItems: 32,
      items: { title: 'a mount point, such as "/mnt/data"', type: 'string', pattern: '^/', maxLength: 4096 },
    },
    speeds: {
      title: 'megabits per second by interface, such as { "wlan0": 50 }',
      description: 'What a link can carry that does not tell, such as Wi-Fi.',
      type: 'object',
      maxProperties: 32,
      additionalProperties: {
        title: 'megabits per second',
        type: 'number',
        minimum: 0.001,
        maximum: 1_000_000,
      },
    },
    thresholds: {
      description: 'When it is "warning" and when "critical".',
      type: 'object',
      properties: Object.fromEntries(KINDS.map((kind) => [kind, thresholdSchema(kind)])),
      additionalProperties: false,
    },
  },
  additionalProperties: false,
}

/** What the schema can't say: where, below the section, and what is wrong there. */
export function findProblems(written: WrittenSaturation): { path: string[]; message: string }[] {
  return KINDS.flatMap((kind) => {
    const { warning, critical } = { ...THRESHOLDS[kind], ...written.thresholds?.[kind] }
    if (warning <= critical) return []
    const message = `"warning" (${warning}) must not be above "critical" (${critical})`
    return [{ path: ['thresholds', kind], message }]
  })
}

/** `milliseconds` reads a time. */
export function toSettings(
  written: WrittenSaturation,
  milliseconds: (time: string | number) => number,
): SaturationSettings {
  const { period = 1000, disks = [], speeds = {}, thresholds = {} } = written
  const toThreshold = (kind: Kind): Threshold => {
    const { rise, fall, ...levels } = { ...THRESHOLDS[kind], ...thresholds[kind] }
    return { ...levels, rise: milliseconds(rise), fall: milliseconds(fall) }
  }
  return {
    period: Math.max(1000, milliseconds(period)),
    disks,
    speeds,
    thresholds: Object.fromEntries(KINDS.map((kind) => [kind, toThreshold(kind)])) as Thresholds,
  }
}

function thresholdSchema(kind: Kind): Schema {
  const [what, unit, most] = MEANINGS[kind]
  const { warning, critical, margin, rise, fall } = THRESHOLDS[kind]
  const level: Schema = { title: `a number above 0 (${unit})`, type: 'number', minimum: 0.001, maximum: most }
  return {
    description: `${what} (${unit}).`,
    type: 'object',
    properties: {
      warning: { ...level, description: 'The state begins at it.', default: warning },
      critical: { ...level, description: 'The same.', default: critical },
      margin: {
        description: 'A state ends below its threshold by this part of it.',
        type: 'number',
        minimum: 0,
        maximum: 0.9,
        default: margin,
      },
      rise: { ...duration(`${rise}ms`, 0), description: 'How long it must be reached.' },
      fall: { ...duration(`${fall}ms`, 0), description: 'How long it must be left.' },
    },
    additionalProperties: false,
  }
}

function duration(usual: string, minimum: number): Schema {
  return {
    title: TITLE,
    anyOf: [
      { type: 'string', pattern: '^[0-9]{1,9}(\\.[0-9]{1,3})?(ms|s|min|h)$' },
      { type: 'number', minimum, maximum: 3_600_000 },
    ],
    default: usual,
  }
}
