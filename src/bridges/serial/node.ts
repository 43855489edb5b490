// A microcontroller with our link as one thing: its port, its sessions, its catalogue, and requests that outlive all of them.

import type { Cancel } from '../../core/clock.ts'
import type { Json } from '../../core/dispatch.ts'
import type { Env } from '../../core/env.ts'
import { type Link, LinkError } from '../../device/link.ts'
import type { DeviceState } from '../../device/start.ts'
import {
  ANSWER,
  type Ask,
  Catalogue,
  CborError,
  cborDecode,
  type Entry,
  type Hello,
  type Reply,
  Requests,
  Session,
  SPEEDS,
} from './link/index.ts'

/** Milliseconds that a session may be away without anybody being told: one is back within 0.2 s after noise. */
const GRACE = 1000
/** Milliseconds for a page of the catalogue, and until it is asked for again when it can't be read. */
const PAGE = 5000
const AGAIN = 2000
/** Console lines that are logged in a minute; more are counted. */
const LINES = 60

/** A link that can change its speed. */
export type SpeedLink = Link & { speed(speed: number): Promise<void> }

export interface NodeSettings {
  name: string
  link: SpeedLink
  /** Bits per second; `undefined`: all that the link can have are tried. */
  speed?: number
  /** The speed to go on with once it is found. */
  fast?: number
}

export interface NodeEvents {
  /** It can be asked. `isReboot`: it has started anew, or this is the first time. */
  up(isReboot: boolean): void
  state(state: DeviceState, cause: string): void
  event(entry: Entry, value: Json): void
  /** Something valid has come from it. */
  heard(): void
}

export class Node {
  readonly counters: Record<string, number> = {}
  catalogue = new Catalogue()
  hello: Hello | undefined
  #settings: NodeSettings
  #env: Env
  #events: NodeEvents
  #session: Session
  #requests: Requests
  /** What is known of the boot that runs now; while it is read, paths are used in the place of aliases. */
  #aliases: Catalogue | undefined
  #state: DeviceState | 'resuming' = 'connecting'
  #cause = 'not connected yet'
  #seq: number | undefined
  #lines = 0
  #minute = -Infinity
  #reading = 0
  #timers: Record<'grace' | 'again', Cancel> = { grace() {}, again() {} }

  constructor(settings: NodeSettings, env: Env, events: NodeEvents) {
    const { link, speed, fast } = settings
    const { clock, random } = env
    this.#settings = settings
    this.#env = env
    this.#events = events
    this.#session = new Session(
      clock,
      () => random.fraction(),
      {
        // That the port is gone is told by the link.
        write: (bytes) => void link.write(bytes).catch(() => this.#count('unsent')),
        speed: (speed) => link.speed(speed),
      },
      {
        up: (hello, isReboot) => this.#greeted(hello, isReboot),
        down: (cause) => this.#lost(cause),
        dispatch: (payload) => this.#dispatch(payload),
        event: (seq, payload) => this.#event(seq, payload),
        room: () => this.#requests.pump(),
        heard: () => events.heard(),
        log: (level, text) => this.#log(level, text),
        count: (word) => this.#count(word),
      },
      { speeds: speed === undefined ? SPEEDS : [speed], fast },
    )
    this.#requests = new Requests(
      clock,
      this.#session,
      random.fraction(),
      (path) => this.#aliases?.find(path)?.alias,
    )
  }

  /** Whether it is asked at all. A link that comes back at once has not been away. */
  get isOnline(): boolean {
    return this.#state === 'up' || this.#state === 'resuming'
  }

  get cause(): string {
    return this.#cause
  }

  open(): void {
    this.#settings.link.open({
      up: () => this.#session.open(),
      data: (bytes) => this.#session.take(bytes),
      down: (cause) => {
        this.#session.close()
        this.#away('down', cause)
      },
    })
  }

  /**
   * @throws {LinkError} as `Requests.ask`; `offline` at once when it isn't there: only what is urgent is tried as long as
   * there is a port
   */
  ask(ask: Ask): Promise<Reply> {
    const isTried = this.isOnline || (ask.urgent && this.#state !== 'down' && this.#state !== 'closed')
    return isTried ? this.#requests.ask(ask) : Promise.reject(new LinkError('offline', this.#cause))
  }

  async close(): Promise<void> {
    for (const cancel of Object.values(this.#timers)) cancel()
    this.#reading++
    this.#state = 'closed'
    this.#session.close()
    this.#requests.close()
    await this.#settings.link.close()
  }

  #greeted(hello: Hello, isReboot: boolean): void {
    this.#events.heard()
    this.hello = hello
    this.#seq = undefined
    if (isReboot) this.#aliases = undefined
    this.#requests.up(isReboot)
    if (isReboot) void this.#read()
    else if (this.#aliases) this.#ready(false)
  }

  /** The catalogue, page by page. */
  async #read(): Promise<void> {
    const reading = ++this.#reading
    const catalogue = new Catalogue()
    try {
      for (let start: number | undefined = 0; start !== undefined; ) {
        const ask: Ask = { method: 'GET', path: [], body: start, ms: PAGE, internal: true }
        const { status, body } = await this.#requests.ask(ask)
        if (reading !== this.#reading) return
        if (status >= 400) throw new Error(`it answers ${status} to GET []`)
        start = catalogue.add(body)
      }
    } catch (error) {
      if (reading !== this.#reading) return
      const cause = `its catalogue can't be read: ${(error as Error).message}`
      this.#timers.again()
      this.#timers.again = this.#env.clock.after(AGAIN, () => {
        if (reading === this.#reading && this.#session.isUp) void this.#read()
      })
      return this.#away('silent', cause)
    }
    if (catalogue.refused > 0) {
      const { name } = this.#settings
      this.#env.log.warn(`${name}: ${catalogue.refused} entries of its catalogue make no sense`, {
        device: name,
      })
    }
    this.catalogue = this.#aliases = catalogue
    this.#ready(true)
  }

  #ready(isReboot: boolean): void {
    this.#timers.grace()
    const { hello } = this
    this.#become('up', `connected to ${hello?.name ?? '?'}, boot ${hello?.boot ?? '?'}`)
    this.#events.up(isReboot)
  }

  /** The session is lost, the port is not. */
  #lost(cause: string): void {
    if (this.#state !== 'up') {
      // Its time runs already, or nothing was there.
      if (this.#state !== 'resuming') this.#away('silent', cause)
      return
    }
    this.#state = 'resuming'
    this.#timers.grace()
    this.#timers.grace = this.#env.clock.after(GRACE, () => this.#away('silent', cause))
  }

  #away(state: 'silent' | 'down', cause: string): void {
    this.#timers.grace()
    this.#become(state, cause)
    this.#requests.offline(cause, state === 'down')
  }

  #become(state: DeviceState, cause: string): void {
    this.#state = state
    this.#cause = cause
    this.#events.state(state, cause)
  }

  #dispatch(payload: Uint8Array): void {
    const dispatch = this.#decode(payload)
    if (!dispatch) return
    const [method, tx, status, body = null] = dispatch
    if (method !== ANSWER || typeof tx !== 'number' || typeof status !== 'number')
      return this.#count('malformed')
    if (!this.#requests.take(tx, { status, body })) this.#count('late')
  }

  #event(seq: number, payload: Uint8Array): void {
    if (this.#seq !== undefined) this.#count('event.lost', (seq - this.#seq - 1) & 0xff)
    this.#seq = seq
    const dispatch = this.#decode(payload)
    if (!dispatch) return
    const entry = this.catalogue.find(dispatch[2])
    if (entry) this.#events.event(entry, dispatch[3] ?? null)
    else this.#count('event.unknown')
  }

  #decode(payload: Uint8Array): Json[] | undefined {
    try {
      const dispatch = cborDecode(payload)
      if (Array.isArray(dispatch)) return dispatch
    } catch (error) {
      if (!(error instanceof CborError)) throw error
    }
    this.#count('malformed')
    return undefined
  }

  #log(level: number, text: string): void {
    const now = this.#env.clock.now()
    if (now - this.#minute >= 60_000) {
      this.#minute = now
      this.#lines = 0
    }
    if (++this.#lines > LINES) return this.#count('line.dropped')
    const { name } = this.#settings
    const write = (['debug', 'info', 'warn', 'error'] as const)[level] ?? 'error'
    this.#env.log[write](`${name} says: ${text}`, { device: name })
  }

  #count(word: string, by = 1): void {
    if (by > 0) this.counters[word] = (this.counters[word] ?? 0) + by
  }
}
