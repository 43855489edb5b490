// What an engine tells of itself, as it is shown: figures from `["engine","saturation"]` and services from
// `["engine","services"]`. Both come from others: what is not as it should be is taken as not told.

import type { Json } from '../core/dispatch.ts'

export type State = 'ok' | 'warning' | 'critical'

/** A part of a capacity. */
export interface Share {
  /** 0–1; absent where nobody knows. */
  used?: number
  state: State
}

export interface Disk extends Share {
  name: string
  /** Bytes. */
  free?: number
  /** Inodes in use, 0–1. */
  inodes?: number
  readonly: boolean
}

export interface Link extends Share {
  name: string
  /** Bytes per second. */
  rx?: number
  tx?: number
}

export interface Figures {
  state: State
  /** What is worst: a section, and the disk or interface of it. */
  cause: string
  saturation?: number
  draining: boolean
  cpu: Share & {
    cores?: number
    /** Over 1, 5 and 15 min. */
    load: number[]
    /** °C */
    temperature?: number
    throttled: boolean
    undervoltage: boolean
  }
  /** Bytes. */
  ram: Share & { total?: number; available?: number }
  disks: Disk[]
  links: Link[]
  engine: Share & {
    /** Bytes. */
    rss?: number
    channels?: number
    subscriptions?: number
    queued?: number
    /** Dispatches per second. */
    rate?: number
    /** Milliseconds by which the event loop is late. */
    loop?: number
  }
}

/** One engine as it is shown. */
export interface EngineView {
  /** How it was asked for: `cocina`, `127.0.0.1:33333`. */
  at: string
  /** How it calls itself. */
  name?: string
  figures?: Figures
  /** The same as they came. */
  told?: Json
  /** Milliseconds, by the clock of this process. */
  heardAt?: number
  /** `undefined`: it is there, or is being asked for the first time. */
  offline?: { since: number; why: string }
}

/** What an engine that sends on for a service says of one that serves it. */
export interface Standing {
  at: string
  standing: string
  state: State
  saturation?: number
  /** Under way there now. */
  open: number
  /** Given to it in all. */
  given: number
}

/** All that one engine says of its services at one moment. */
export interface Look {
  /** Milliseconds. */
  at: number
  services: Map<string, Standing[]>
}

export interface ReplicaView extends Standing {
  /** How that engine calls itself, if it is known. */
  name?: string
  /** Part of what the service was given lately, 0–1; absent where there was nothing. */
  share?: number
  /** Given per second, lately; absent after one look. */
  rate?: number
}

export interface ServiceView {
  name: string
  /** The engine that chooses, as it was asked for. */
  of: string
  rate?: number
  replicas: ReplicaView[]
}

/** What is kept of an answer: more than anybody can look at is cut off. */
const ITEMS = 64

export function readFigures(body: Json | undefined): Figures {
  const { cpu, ram, disk, network, engine, ...rest } = fields(body)
  const processor = fields(cpu)
  const { state, load } = { state: stateOf(rest.state), load: processor.load }
  const disks = entries(disk).map(([name, it]): Disk => {
    const { free, inodes, readonly } = it
    return { name, ...share(it), free: real(free), inodes: real(inodes), readonly: readonly === true }
  })
  const links = entries(network).map(([name, it]): Link => {
    return { name, ...share(it), rx: real(it.rx), tx: real(it.tx) }
  })
  const cause = typeof rest.cause === 'string' ? rest.cause : ''
  return {
    state,
    cause: nameCause(cause, state, disks, links),
    saturation: real(rest.saturation),
    draining: rest.draining === true,
    cpu: {
      ...share(processor),
      cores: real(processor.cores),
      load: Array.isArray(load) ? load.filter((it) => typeof it === 'number').slice(0, 3) : [],
      temperature: real(processor.temperature, -100),
      throttled: processor.throttled === true,
      undervoltage: processor.undervoltage === true,
    },
    ram: { ...share(fields(ram)), ...reals(ram, ['total', 'available']) },
    disks,
    links,
    engine: {
      ...share(fields(engine)),
      ...reals(engine, ['rss', 'channels', 'subscriptions', 'queued', 'rate', 'loop']),
    },
  }
}

export function readServices(body: Json | undefined, at: number): Look {
  const services = new Map<string, Standing[]>()
  for (const one of Array.isArray(body) ? body.slice(0, ITEMS) : []) {
    const { name, replicas } = fields(one)
    if (typeof name !== 'string') continue
    const list = Array.isArray(replicas) ? replicas.slice(0, ITEMS).map(fields) : []
    services.set(name, list.filter((it) => typeof it.at === 'string').map(readStanding))
  }
  return { at, services }
}

/**
 * Who got how much of each service between the first of these looks and the last. With one look alone: since the start.
 * @param of the engine that was asked.
 */
export function sharesOf(looks: Look[], of: string): ServiceView[] {
  const [first, last] = [looks[0], looks.at(-1)]
  if (!first || !last) return []
  const seconds = (last.at - first.at) / 1000
  return [...last.services].map(([name, standings]) => {
    const before = first === last ? [] : (first.services.get(name) ?? [])
    const grown = standings.map(({ at, given }) => {
      const was = before.find((it) => it.at === at)?.given ?? 0
      // One that has started anew counts from 0.
      return given >= was ? given - was : given
    })
    const all = grown.reduce((sum, count) => sum + count, 0)
    const replicas = standings.map((standing, i): ReplicaView => {
      const count = grown[i] as number
      return {
        ...standing,
        ...(all > 0 && { share: count / all }),
        ...(seconds > 0 && { rate: count / seconds }),
      }
    })
    return { name, of, ...(seconds > 0 && { rate: all / seconds }), replicas }
  })
}

/** The state that is shown first when there is no room for all: the worse the lower. */
export function urgency({ figures, offline }: EngineView): number {
  if (offline) return 1
  return { critical: 0, warning: 2, ok: 3 }[figures?.state ?? 'ok']
}

function readStanding({ at, standing, state, saturation, open, given }: Fields): Standing {
  return {
    at: at as string,
    standing: typeof standing === 'string' ? standing : '',
    state: stateOf(state),
    saturation: real(saturation),
    open: real(open) ?? 0,
    given: real(given) ?? 0,
  }
}

type Fields = { [key: string]: Json }

function fields(value: Json | undefined): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

function entries(value: Json | undefined): [name: string, it: Fields][] {
  return Object.entries(fields(value))
    .slice(0, ITEMS)
    .map(([name, it]) => [name, fields(it)])
}

function share({ used, state }: Fields): Share {
  return { used: real(used), state: stateOf(state) }
}

function stateOf(value: Json | undefined): State {
  return value === 'warning' || value === 'critical' ? value : 'ok'
}

function real(value: Json | undefined, least = 0): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= least ? value : undefined
}

function reals<K extends string>(value: Json | undefined, keys: K[]): Partial<Record<K, number>> {
  const found = fields(value)
  const told = keys.map((key) => [key, real(found[key])]).filter(([, it]) => it !== undefined)
  return Object.fromEntries(told)
}

/** `disk /data`: of disks and interfaces the one that is in that state, the fullest first. */
function nameCause(cause: string, state: State, disks: Disk[], links: Link[]): string {
  const all: (Share & { name: string })[] = cause === 'disk' ? disks : cause === 'network' ? links : []
  const [worst] = all.filter((it) => it.state === state).sort((a, b) => (b.used ?? 0) - (a.used ?? 0))
  return worst && state !== 'ok' ? `${cause} ${worst.name}` : cause
}
