// What a replica says of itself at `["engine","saturation"]` (design §5), of which only this much matters for a choice.

import type { Json } from '../core/dispatch.ts'

export type State = 'ok' | 'warning' | 'critical'

export interface Report {
  /** As it is told, 0–1. */
  saturation: number | undefined
  /** What less work would make less, 0–1: of disk and memory only when they run out. */
  load: number | undefined
  state: State
  /** Critical for lack of something that no waiting gives back: disk or memory. */
  full: boolean
  draining: boolean
}

/** Critical by these it is only busy: its weight sees to that. */
const BUSY: unknown[] = ['cpu', 'network', 'engine']

type Fields = { [key: string]: Json }

/** Whatever it is: what can't be understood is taken for nothing. */
export function readReport(body: Json | undefined): Report {
  const { saturation, state, cause, ram, disk, cpu, network, engine, draining } = fieldsOf(body)
  const isCritical = state === 'critical'
  const stores = [ram, ...Object.values(fieldsOf(disk))].map((it) => fieldsOf(it).state)
  const busy = [cpu, engine, ...Object.values(fieldsOf(network))].map((it) => shareOf(fieldsOf(it).used))
  const known = busy.filter((share) => share !== undefined)
  const whole = shareOf(saturation)
  const isShort = stores.some((it) => it === 'warning' || it === 'critical')
  return {
    saturation: whole,
    load: isShort || known.length === 0 ? whole : Math.max(...known),
    state: state === 'critical' || state === 'warning' ? state : 'ok',
    full: isCritical && (stores.includes('critical') || !BUSY.includes(cause)),
    draining: draining === true,
  }
}

function shareOf(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? Math.min(1, Math.max(0, value)) : undefined
}

function fieldsOf(value: Json | undefined): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}
