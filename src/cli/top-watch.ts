// One engine under observation: bound to its saturation as an observer (design §9.2), asked once at the beginning, and
// again whenever it was away. What it tells is in its view.

import type { Cancel, Clock } from '../core/clock.ts'
import type { Json } from '../core/dispatch.ts'
import type { Door } from '../core/door.ts'
import { JstpError, STATUS } from '../core/status.ts'
import type { Links } from './top-links.ts'
import { type EngineView, type Look, readFigures, readServices } from './top-model.ts'
import { type Source, uriOf } from './top-source.ts'

export interface WatchOptions {
  door: Door
  clock: Clock
  source: Source
  /** Asked only once; nothing is bound. */
  isOnce: boolean
  links: Links
  /** Something is to be shown anew. `services`: only who serves what. */
  changed(what: 'engine' | 'services'): void
}

export interface Refusal {
  status: number
  body: Json
  method: string
  resource: string[]
}

/** Milliseconds for each answer. */
export const PATIENCE = 5000
/** Before it is asked again: the first time, doubled each time; the most. */
const FIRST = 500
const MOST = 10_000
/** Without a report: it is asked whether it is still there. */
const SILENT = 10_000
/** Between two looks at its services: of them there are no reports. Where it tells none: longer. */
const SERVICES = 2000
const NO_SERVICES = 30_000
/** Over which shares are counted. */
const WINDOW = 10_000

export class EngineWatch {
  readonly source: Source
  readonly view: EngineView
  /** The same in all runs of that engine, whatever the way to it. */
  id: string | undefined
  /** What it has refused, for advice. */
  refusal: Refusal | undefined
  /** What it has said of its services lately, the newest at the end. */
  looks: Look[] = []
  #options: WatchOptions
  #abort = new AbortController()
  #isBound = false
  #boundAt = 0
  #tries = 0
  #retry: Cancel = () => {}
  #servicesAt = Number.NEGATIVE_INFINITY
  #isLooking = false

  constructor(options: WatchOptions) {
    this.#options = options
    this.source = options.source
    this.view = { at: options.source.at }
  }

  /** It is known whether it is there, and what it serves. */
  get isSettled(): boolean {
    const { figures, offline } = this.view
    return (
      offline !== undefined ||
      (figures !== undefined && Number.isFinite(this.#servicesAt) && !this.#isLooking)
    )
  }

  start(): void {
    this.#retry()
    this.#abort.abort()
    this.#abort = new AbortController()
    this.#isBound = false
    void this.#begin(this.#abort.signal)
  }

  /** Looks whether all is well; several times a second. */
  tick(): void {
    const { clock, links, isOnce, source } = this.#options
    if (!this.#isBound || isOnce) return
    if (!links.isConnected(source.to)) return this.#lost('the connection is gone')
    const heardAt = Math.max(this.view.heardAt ?? 0, this.#boundAt)
    if (clock.now() - heardAt > SILENT) return this.#later(FIRST)
    if (clock.now() >= this.#servicesAt && !this.#isLooking) void this.#look(this.#abort.signal)
  }

  stop(): void {
    this.#retry()
    this.#abort.abort()
    this.#isBound = false
  }

  async #begin(signal: AbortSignal): Promise<void> {
    const { door, clock, isOnce, links, source } = this.#options
    try {
      if (!isOnce) {
        const handler = ({ dispatch }: { dispatch: { body?: Json } }) => {
          if (!signal.aborted) this.#take(dispatch.body)
        }
        const options = { observe: true, signal, key: source.key?.id }
        await door.bind(uriOf(source, ['saturation'], true), handler, options)
      }
      // A report is up to a period away, and of the engine itself there is none.
      const [figures, about] = await Promise.all([
        this.#get(['saturation'], signal).catch((error) => {
          if (isOnce || !isRefused(error)) throw error
        }),
        this.#get([], signal).catch(() => undefined),
      ])
      if (signal.aborted) return
      this.#tries = 0
      this.#isBound = true
      this.#boundAt = clock.now()
      this.#know(about)
      if (figures !== undefined) this.#take(figures)
      this.#servicesAt = Number.NEGATIVE_INFINITY
      await this.#look(signal)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof JstpError)) throw error
      const { status, message, details } = error
      this.#lost(links.failureOf(source.to) ?? `${status} ${message}`)
      if (!isRefused(error)) return
      const method = isOnce ? 'GET' : 'BIND'
      this.refusal = { status, body: details, method, resource: ['engine', 'saturation'] }
    }
  }

  /** @throws {JstpError} when that is refused, or there is no answer. */
  async #get(point: string[], signal: AbortSignal): Promise<Json | undefined> {
    const { door, isOnce, source } = this.#options
    const key = source.key?.id
    // One shot: several commands at once don't end each other's contexts.
    const mode = isOnce && key !== undefined ? ('seal' as const) : undefined
    const answers = door.get(uriOf(source, point), { signal, key, mode, deadline: PATIENCE })
    const { status, body, authentic } = await answers.first()
    if (status < 400 && authentic !== false) return body
    const { message, ...details } = (typeof body === 'object' && !Array.isArray(body) && body) || {}
    const who = authentic === false ? 'somebody on the way says: ' : ''
    throw new JstpError(status, `${who}${typeof message === 'string' ? message : 'refused'}`, details)
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, changed, source } = this.#options
    if (source.kind === 'found') {
      this.#servicesAt = Number.MAX_VALUE
      return
    }
    this.#isLooking = true
    try {
      const look = readServices(await this.#get(['services'], signal), clock.now())
      if (signal.aborted) return
      const since = look.at - WINDOW
      this.looks = [...this.looks.filter(({ at }) => at >= since), look]
      this.#servicesAt = clock.now() + SERVICES
      changed('services')
    } catch (error) {
      if (!(error instanceof JstpError) && !signal.aborted) throw error
      this.#servicesAt = clock.now() + NO_SERVICES
    } finally {
      this.#isLooking = false
    }
  }

  #take(body: Json | undefined): void {
    this.refusal = undefined
    Object.assign(this.view, {
      figures: readFigures(body),
      told: body,
      heardAt: this.#options.clock.now(),
      offline: undefined,
    })
    this.#options.changed('engine')
  }

  #know(about: Json | undefined): void {
    const { name, id } = (typeof about === 'object' && !Array.isArray(about) && about) || {}
    if (typeof name === 'string' && name !== '') this.view.name = name
    if (typeof id === 'string') this.id = id
  }

  #lost(why: string): void {
    const { clock, changed, isOnce } = this.#options
    this.stop()
    this.view.offline = { since: this.view.offline?.since ?? clock.wall(), why }
    changed('engine')
    if (isOnce) return
    this.#later(Math.min(MOST, FIRST * 2 ** Math.min(this.#tries++, 10)))
  }

  /** Begins anew. */
  #later(ms: number): void {
    this.stop()
    this.#retry = this.#options.clock.after(ms, () => this.start())
  }
}

/** It is there, and lets us not. */
function isRefused(error: unknown): boolean {
  const status = error instanceof JstpError ? error.status : undefined
  return status === STATUS.UNAUTHORIZED || status === STATUS.FORBIDDEN
}
