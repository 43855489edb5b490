// The owner of one Bluetooth adapter: opens its source, puts a radio on it and a worker to the radio, and climbs the
// recovery ladder when something does not answer: cancel → disconnect → reset the controller → reopen the source.
// Where the kernel owns the controller it cannot be reset from here, so that rung is left out.

import type { Env } from '../../core/env.ts'
import type { Advert, BleTarget } from './advert.ts'
import { Backoff } from './backoff.ts'
import { deadline } from './lane.ts'
import { BleLink, type LinkOwner } from './link.ts'
import { openPort } from './open.ts'
import type { HciPort, PortFault } from './port.ts'
import { Radio } from './radio.ts'
import { formatSource, type HciSource } from './source.ts'
import { Worker } from './worker.ts'

const MAX_LINKS = 5
const START_MS = 5_000
const CLOSE_MS = 1_000
const RESET_AGAIN_MS = 10_000

export interface BleSettings {
  source: HciSource
  /** Connections at the same time; default 5, which every common controller holds. */
  maxLinks?: number
}

export type Rung = 'cancel' | 'disconnect' | 'reset' | 'reopen'

export interface BleStatus {
  source: string
  state: 'idle' | 'opening' | 'ready' | 'failed' | 'closed'
  /** The adapter's own address, when ready. */
  address?: string
  /** Why it failed and what to do. */
  cause?: string
  /** What the radio is doing, and for how long (ms). */
  doing?: { what: string; for: number }
  slots: { used: number; max: number }
  /** The last step of the ladder, `age` in ms, and how often each was taken. */
  recovery: { rung: Rung | 'none'; cause?: string; age?: number; counts: Record<string, number> }
  /** Devices remembered from advertisements. */
  known: number
  links: ReturnType<BleLink['status']>[]
}

/** One adapter: links to devices, advertisements to whoever asks. Opens its source when first needed. */
export class BleAdapter {
  #settings: BleSettings
  #env: Env
  #owner: LinkOwner
  #links = new Set<BleLink>()
  #observers = new Set<(advert: Advert) => void>()
  #state: BleStatus['state'] = 'idle'
  #cause: string | undefined
  #port: HciPort | undefined
  #radio: Radio | undefined
  #worker: Worker | undefined
  #backoff: Backoff
  #retry = () => {}
  #last: { rung: Rung; cause: string; at: number } | undefined
  #counts: Record<string, number> = {}
  #resetAt = Number.NEGATIVE_INFINITY
  #starts = 0

  constructor(settings: BleSettings, env: Env) {
    this.#settings = settings
    this.#env = env
    this.#backoff = new Backoff(env)
    this.#owner = {
      env,
      enlist: (link) => this.#enlist(link),
      leave: (link) => this.#leave(link),
      poke: () => this.#worker?.poke(),
      drop: (link) => void this.#worker?.drop(link),
    }
  }

  /** A link to the device that answers to `target`. Nothing happens until it is opened. */
  link(target: BleTarget): BleLink {
    return new BleLink(target, this.#owner)
  }

  /** Every advertisement heard goes to `onAdvert` until `signal` aborts. Listening shares the radio with the links. */
  scan(onAdvert: (advert: Advert) => void, signal: AbortSignal): void {
    if (signal.aborted || this.#closed) return
    this.#observers.add(onAdvert)
    const stop = () => {
      this.#observers.delete(onAdvert)
      this.#worker?.poke()
    }
    signal.addEventListener('abort', stop, { once: true })
    this.#need()
  }

  status(): BleStatus {
    const now = this.#env.clock.now()
    const doing = this.#worker?.doing
    return {
      source: formatSource(this.#settings.source),
      state: this.#state,
      address: this.#state === 'ready' ? this.#radio?.address : undefined,
      cause: this.#cause,
      doing: doing && { what: doing.what, for: now - doing.since },
      slots: { used: this.#worker?.used ?? 0, max: this.#max },
      recovery: {
        rung: this.#last?.rung ?? 'none',
        cause: this.#last?.cause,
        age: this.#last && now - this.#last.at,
        counts: { ...this.#counts },
      },
      known: this.#radio?.known ?? 0,
      links: [...this.#links].map((link) => link.status()),
    }
  }

  /** Ends every connection politely and gives the source back. Links still open are told. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#state = 'closed'
    this.#cause = 'The Bluetooth adapter was closed'
    this.#retry()
    await this.#worker?.dropAll(CLOSE_MS)
    this.#takeDown(this.#cause)
    this.#port?.close()
    this.#port = undefined
    this.#links.clear()
    this.#observers.clear()
  }

  get #max(): number {
    return this.#settings.maxLinks ?? MAX_LINKS
  }

  get #closed(): boolean {
    return this.#state === 'closed'
  }

  #enlist(link: BleLink): void {
    if (!this.#closed) this.#links.add(link)
    if (this.#state === 'ready') link.search()
    else if (this.#cause !== undefined) link.unavailable(this.#cause)
    this.#need()
  }

  async #leave(link: BleLink): Promise<void> {
    this.#links.delete(link)
    await this.#worker?.drop(link)
    this.#worker?.poke()
  }

  #need(): void {
    if (this.#state === 'idle') void this.#open()
    else this.#worker?.poke()
  }

  async #open(): Promise<void> {
    this.#state = 'opening'
    try {
      const events = {
        packet: (bytes: Buffer) => this.#radio?.packet(bytes),
        fault: (fault: PortFault) => this.#recover(fault.rung, fault.message),
      }
      const port = await openPort(this.#settings.source, events, this.#env)
      if (this.#closed) return port.close()
      this.#port = port
    } catch (error) {
      return this.#recover('reopen', (error as Error).message)
    }
    await this.#start(this.#port)
  }

  /** The controller into its first state, noble on top of it, and to work. */
  async #start(port: HciPort): Promise<void> {
    const start = ++this.#starts
    try {
      const late = () => new Error('The Bluetooth controller does not answer: unplug it and plug it in again')
      if (port.reset) await deadline(this.#env.clock, START_MS, port.reset(), late)
      if (this.#starts !== start) return
      const radio = this.#newRadio(port)
      await deadline(this.#env.clock, START_MS, radio.start(), late)
      if (this.#starts === start) this.#ready(radio)
    } catch (error) {
      if (this.#starts === start) this.#recover('reopen', (error as Error).message)
    }
  }

  #newRadio(port: HciPort): Radio {
    const pinned = (key: string) =>
      Boolean(this.#worker?.holds(key)) || [...this.#links].some((link) => link.key === key)
    const events = {
      advert: (advert: Advert) => this.#heard(advert),
      data: (key: string, bytes: Buffer) => this.#worker?.data(key, bytes),
      down: (key: string, why: string) => this.#worker?.down(key, why),
    }
    this.#radio = new Radio(port, events, this.#env, pinned)
    return this.#radio
  }

  #ready(radio: Radio): void {
    this.#state = 'ready'
    this.#cause = undefined
    this.#backoff.good()
    this.#env.log.info(`Bluetooth adapter ${radio.address} is ready (${formatSource(this.#settings.source)})`)
    this.#worker = new Worker(radio, {
      clock: this.#env.clock,
      links: this.#links,
      maxLinks: this.#max,
      observed: () => this.#observers.size > 0,
      climbed: (rung, cause) => this.#climb(rung, cause),
      stuck: (cause) => this.#recover('reset', cause),
    })
    for (const link of this.#links) link.search()
    void this.#worker.run()
  }

  /** All links down, then the controller from its first state again, or the source from the beginning. */
  #recover(rung: 'reset' | 'reopen', cause: string): void {
    if (this.#closed) return
    const port = this.#port
    const now = this.#env.clock.now()
    const again = now - this.#resetAt < RESET_AGAIN_MS
    if (cause !== this.#cause) this.#env.log.warn(cause)
    this.#cause = cause
    this.#takeDown(cause)
    if (rung === 'reset' && port?.reset && !again) {
      this.#resetAt = now
      this.#climb('reset', cause)
      this.#state = 'opening'
      void this.#start(port)
      return
    }
    this.#climb('reopen', cause)
    this.#state = 'failed'
    this.#port = undefined
    port?.close()
    this.#retry()
    this.#retry = this.#env.clock.after(this.#backoff.next(), () => void this.#open())
  }

  #takeDown(cause: string): void {
    this.#starts++
    this.#worker?.end(this.#port?.reset !== undefined)
    this.#worker = undefined
    this.#radio?.end()
    this.#radio = undefined
    for (const link of this.#links) link.unavailable(cause)
  }

  #climb(rung: Rung, cause: string): void {
    this.#last = { rung, cause, at: this.#env.clock.now() }
    this.#counts[rung] = (this.#counts[rung] ?? 0) + 1
    this.#env.meters.count(`ble.recover.${rung}`)
  }

  #heard(advert: Advert): void {
    for (const observer of this.#observers) {
      try {
        observer(advert)
      } catch (error) {
        this.#env.log.error(`Whoever asked for advertisements failed on one: ${error}`)
      }
    }
    this.#worker?.heard(advert)
  }
}
