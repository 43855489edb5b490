// The same as JSON: an object for each engine and each service, with the figures as the engine has told them.

import type { Json } from '../core/dispatch.ts'
import type { Picture } from './top-draw.ts'
import type { EngineView, ServiceView } from './top-model.ts'

export interface EngineLine {
  /** How it calls itself. */
  engine: string | null
  /** How it was asked for. */
  at: string
  online: boolean
  /** Milliseconds since it has told its figures. */
  age: number | null
  /** ISO time since when it is offline, and why. */
  since?: string
  why?: string
  /** The body of `["engine","saturation"]`: the last one that came. */
  saturation: Json
}

export interface ServiceLine {
  service: string
  /** The engine that chooses. */
  of: string
  /** Given to all, per second. */
  rate: number | null
  replicas: {
    at: string
    engine: string | null
    /** Part of what was given lately (with `--once`: since the start), 0–1. */
    share: number | null
    rate: number | null
    open: number
    /** In all. */
    given: number
    standing: string
    state: string
    saturation: number | null
  }[]
}

export function engineLine(view: EngineView, now: number): EngineLine {
  const { at, name = null, figures, heardAt, offline, told = null } = view
  return {
    engine: name,
    at,
    online: figures !== undefined && !offline,
    age: heardAt === undefined ? null : Math.round(now - heardAt),
    ...(offline && { since: new Date(offline.since).toISOString(), why: offline.why }),
    saturation: told,
  }
}

export function serviceLine({ name, of, rate, replicas }: ServiceView): ServiceLine {
  return {
    service: name,
    of,
    rate: short(rate),
    replicas: replicas.map(({ at, name = null, share, rate, open, given, standing, state, saturation }) => {
      const parts = { share: short(share), rate: short(rate) }
      return { at, engine: name, ...parts, open, given, standing, state, saturation: short(saturation) }
    }),
  }
}

export function documentOf({ engines, services }: Picture, now: number) {
  return { engines: engines.map((view) => engineLine(view, now)), services: services.map(serviceLine) }
}

function short(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 10_000) / 10_000
}
