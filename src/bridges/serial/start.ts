// A microcontroller with our link as a device of the engine: what its catalogue lists becomes resources, its events
// become reports (design §3, §9.1–7). Handlers are bound per method and depth as the catalogue needs them; what isn't in
// it is 404.

import type { Cancel } from '../../core/clock.ts'
import type { Element, Json } from '../../core/dispatch.ts'
import type { Env } from '../../core/env.ts'
import type { Owner, Request } from '../../core/owner.ts'
import { JstpError, STATUS } from '../../core/status.ts'
import { Commands } from '../../device/commands.ts'
import { LinkError } from '../../device/link.ts'
import type { Type } from '../../device/profile.ts'
import type { Device, DeviceStatus } from '../../device/start.ts'
import { canonical, check } from '../../device/values.ts'
import type { Entry, Method, Reply } from './link/index.ts'
import { Node, type SpeedLink } from './node.ts'

export interface SerialNodeOptions {
  /** The root of its resources, e.g. `robot`. */
  name: string
  link: SpeedLink
  /** Bits per second; `undefined`: all that the link can have are tried. */
  speed?: number
  /** The speed to go on with once it is found; boards with 16 MHz: 250000, 500000 or 1000000. */
  fast?: number
  owner: Owner
  env: Env
  /** Milliseconds in which the engine wants answers. */
  answerTimeout: number
  onChange?(status: DeviceStatus): void
}

/** What runs, and what the directory asks it. */
export interface SerialNode extends Device {
  /** The resources that the microcontroller has declared. */
  readonly entries: readonly Entry[]
  /** The same as `["engine","directory"]` lists them. */
  describe(): Described[]
}

export type Described = {
  resource: Element[]
  methods: string[]
  description: string
  unit?: string
  range?: [min: number, max: number]
  event?: true
  urgent?: true
}

/** What is known of a resource. */
interface Known {
  value: Json
  heardAt: number
  /** Which connection it is from. */
  session: number
  /** Occurrences of an event so far. */
  seq: number
}

/** Of the answer timeout, the part that the microcontroller has. */
const DEADLINE = 0.8
/** Milliseconds between two looks at who is bound. */
const TICK = 500
/** Milliseconds after which something is released that nobody is bound to, and between two samples of what can't be bound. */
const UNUSED = 5000
const SAMPLE = 1000
/** Milliseconds until it is asked again to report what it refused to: there may be room then. */
const REFUSED = 10_000
/** Milliseconds for what the bridge asks for itself. */
const OWN = 2000
/** Statuses that a device may say itself; the others belong to gateways (design §9.6). */
const ITS_OWN = [400, 401, 403, 404, 405, 406, 500, 501, 504]

/** It stops something: it goes first, always, and is executed however often it is repeated (design §9.7). */
export function isStop({ path, methods }: Entry): boolean {
  return path.at(-1) === 'stop' && methods.includes('POST')
}

export function startSerialNode(options: SerialNodeOptions): SerialNode {
  const { name, owner, env, answerTimeout } = options
  const { clock, log } = env
  const ms = answerTimeout * DEADLINE
  const commands = new Commands(clock)
  const known = new Map<string, Known>()
  const handled = new Set<string>()
  /** When somebody was last seen to be bound to it; of what the microcontroller was told to report. */
  const bound = new Map<string, number>()
  /** When it refused to report something. */
  const unbound = new Map<string, number>()
  const sampled = new Map<string, number>()
  let heard: { at: number; stamp: number } | undefined
  let session = 0
  let refreshing: Promise<void> | undefined
  let state: DeviceStatus['state'] = 'connecting'
  let cause = 'not connected yet'
  let since = clock.wall()
  let ticking: Cancel = () => {}

  const age = () => (heard ? Math.round(clock.now() - heard.at) : null)
  const status = (): DeviceStatus => ({
    name,
    profile: 'jstp-serial',
    medium: 'serial',
    state,
    cause,
    since,
    lastSeen: heard?.stamp ?? null,
    age: age(),
    counters: { ...node.counters },
  })

  const become = (next: DeviceStatus['state'], why: string) => {
    const isNew = next !== state
    cause = why
    if (!isNew) return
    if (state === 'up') session++
    state = next
    since = clock.wall()
    log.info(`${name}: ${next}: ${why}`, { device: name, state: next })
    options.onChange?.(status())
  }

  const node = new Node(options, env, {
    up() {
      for (const entry of node.catalogue.entries)
        for (const method of entry.methods) handle(method, entry.path.length)
      // A session begins with nothing bound.
      bound.clear()
      unbound.clear()
      look()
    },
    state: become,
    event: (entry, value) => set(entry, value, entry.isEvent),
    heard() {
      heard = { at: clock.now(), stamp: clock.wall() }
    },
  })

  /** Keeps a value and reports it if it has changed, or if it has happened. */
  const set = (entry: Entry, value: Json, hasHappened = false) => {
    const before = known.get(entry.key)
    const seq = (before?.seq ?? 0) + (hasHappened ? 1 : 0)
    known.set(entry.key, { value, heardAt: clock.now(), session, seq })
    if (hasHappened) owner.report(entry.path, { value, seq }, { event: true })
    else if (entry.isEvent) return
    else if (!before || canonical(before.value) !== canonical(value)) owner.report(entry.path, value)
  }

  const offline = () =>
    new JstpError(STATUS.FAILED, `${name} is offline: ${cause}`, {
      code: 'offline',
      lastSeen: heard?.stamp ?? null,
    })

  /** The entry for what was asked, if it has that method. */
  const entryOf = (request: Request, method: Method): Entry => {
    const path = (request.dispatch.resource ?? []).slice(1)
    const entry = node.catalogue.find(path as Json[])
    if (entry?.methods.includes(method)) return entry
    const message = `nothing here answers ${method} ${JSON.stringify([name, ...path]).slice(0, 200)}`
    throw new JstpError(STATUS.NOT_FOUND, message)
  }

  const get = async (entry: Entry, body?: Json): Promise<Json> => {
    try {
      const reply = await node.ask({ method: 'GET', path: entry.path, body, ms })
      if (body !== undefined) return taken(reply)
      set(entry, taken(reply))
    } catch (error) {
      // What was read before is better than nothing; its age tells.
      if (!(error instanceof LinkError) || body !== undefined || !known.has(entry.key))
        throw asStatus(error, 'GET')
    }
    return reading(entry)
  }

  const reading = (entry: Entry): Json => {
    const { value = null, heardAt, session: of } = known.get(entry.key) ?? {}
    return {
      value,
      unit: entry.unit,
      age: heardAt === undefined ? null : Math.round(clock.now() - heardAt),
      retained: heardAt !== undefined && of !== session,
      online: node.isOnline,
    }
  }

  const command = (request: Request, method: Method): Promise<Json | void> | Json | void => {
    const entry = entryOf(request, method)
    let isReached = false
    const execute = async () => {
      const body = checked(entry, method, request.dispatch.body)
      const urgent = method === 'POST' && isStop(entry)
      try {
        const reached = () => {
          isReached = true
        }
        const value = taken(await node.ask({ method, path: entry.path, body, ms, urgent, reached }))
        if ((method === 'PUT' || method === 'PATCH') && value !== null && entry.methods.includes('GET')) {
          set(entry, value)
        }
        return value ?? undefined
      } catch (error) {
        throw asStatus(error, method)
      }
    }
    if (method === 'POST' && isStop(entry)) return execute()
    return commands.run(request, entry.key, execute, () => isReached)
  }

  /** Checked against the range that the microcontroller has declared, before a byte goes out. */
  const checked = ({ key, range, unit }: Entry, method: Method, body: Json | undefined): Json | undefined => {
    const isNeeded = method === 'PUT' && body === undefined
    if (!isNeeded && (!range || body === undefined)) return body
    const type: Type[] = range ? ['number'] : ['boolean', 'number', 'string', 'list', 'object']
    return check({ type, description: '', range, unit: unit ?? undefined }, body, `${name}/${key}`)
  }

  const asStatus = (error: unknown, method: Method): unknown => {
    if (!(error instanceof LinkError)) return error
    if (error.code === 'offline') {
      return node.isOnline
        ? new JstpError(STATUS.FAILED, `not executed: ${error.message}`, { code: 'not-executed' })
        : offline()
    }
    return method === 'GET'
      ? new JstpError(STATUS.TIMEOUT, error.message, { code: 'timeout' })
      : new JstpError(STATUS.TIMEOUT, `${error.message}; read the state before repeating it`, {
          code: 'uncertain',
        })
  }

  /** Binds what the catalogue needs, once. */
  const handle = (method: Method, depth: number) => {
    const key = `${method} ${depth}`
    if (handled.has(key)) return
    handled.add(key)
    const pattern = Array.from({ length: depth }, () => '*')
    if (method === 'GET') {
      owner.handle('GET', pattern, (request) => get(entryOf(request, 'GET'), request.dispatch.body))
    } else owner.handle(method, pattern, (request) => command(request, method))
  }

  /** Has the microcontroller report what somebody is bound to, and no more. */
  const look = () => {
    ticking()
    ticking = clock.after(TICK, look)
    if (!node.isOnline) return
    const now = clock.now()
    for (const entry of node.catalogue.entries) {
      const isWatched = owner.watched(entry.path)
      if (entry.canBind) follow(entry, isWatched, now)
      else if (
        isWatched &&
        entry.methods.includes('GET') &&
        now - (sampled.get(entry.key) ?? -SAMPLE) >= SAMPLE
      ) {
        sampled.set(entry.key, now)
        void read(entry, OWN)
      }
    }
  }

  const follow = (entry: Entry, isWatched: boolean, now: number) => {
    const { key } = entry
    const last = bound.get(key)
    if (isWatched && last === undefined && now - (unbound.get(key) ?? -REFUSED) >= REFUSED) {
      bound.set(key, now)
      own('BIND', entry).then((value) => {
        if (value !== undefined) return
        bound.delete(key)
        unbound.set(key, clock.now())
      })
    } else if (isWatched && last !== undefined) bound.set(key, now)
    else if (!isWatched && last !== undefined && now - last >= UNUSED) {
      bound.delete(key)
      void own('RELEASE', entry)
    }
  }

  /** Reads everything that nobody reports, one after the other, as long as there is time. */
  const refresh = async () => {
    const end = clock.now() + Math.min(ms, OWN)
    for (const entry of node.catalogue.entries) {
      if (!entry.methods.includes('GET') || (bound.has(entry.key) && known.has(entry.key))) continue
      const left = end - clock.now()
      if (!node.isOnline || left <= 0) return
      await read(entry, left)
    }
  }

  const read = async (entry: Entry, ms: number) => {
    const value = await own('GET', entry, ms)
    if (value !== undefined) set(entry, value)
  }

  /** Asks for the bridge itself. `undefined`: it didn't work, which is counted. */
  const own = async (
    method: 'GET' | 'BIND' | 'RELEASE',
    { path }: { path: Element[] },
    ms = OWN,
  ): Promise<Json | undefined> => {
    try {
      return taken(await node.ask({ method, path, ms }))
    } catch {
      const word = `${method.toLowerCase()}.failed`
      node.counters[word] = (node.counters[word] ?? 0) + 1
      return undefined
    }
  }

  owner.handle('GET', [], async () => {
    // Whoever asks while it is read gets the same.
    refreshing ??= refresh().finally(() => {
      refreshing = undefined
    })
    await refreshing
    return {
      online: node.isOnline,
      age: age(),
      state,
      ...Object.fromEntries(
        node.catalogue.entries
          .filter(({ methods }) => methods.includes('GET'))
          .map(({ key }) => [key, known.get(key)?.value ?? null]),
      ),
    }
  })

  node.open()

  return {
    get entries() {
      return node.catalogue.entries
    },
    describe: () => node.catalogue.entries.map((entry) => describe(name, entry)),
    status,
    async close() {
      ticking()
      become('closed', 'ended by this engine')
      owner.close()
      await node.close()
    },
  }
}

function describe(name: string, entry: Entry): Described {
  const { path, methods, canBind, isEvent, unit, range } = entry
  const isReported = canBind || isEvent || methods.includes('GET')
  return {
    resource: [name, ...path],
    methods: isReported ? [...methods, 'BIND'] : [...methods],
    description: `${entry.key} of the microcontroller`,
    ...(unit !== null && { unit }),
    ...(range && { range }),
    ...(isEvent && { event: true as const }),
    ...(isStop(entry) && { urgent: true as const }),
  }
}

/** The body of a good answer. @throws {JstpError} what the microcontroller says is wrong */
function taken({ status, body }: Reply): Json {
  if (status < 400) return body
  const message = typeof body === 'string' ? body : `the microcontroller answers ${status}`
  throw new JstpError(ITS_OWN.includes(status) ? status : STATUS.BAD_DISPATCH, message, {
    code: 'device',
    status,
  })
}
