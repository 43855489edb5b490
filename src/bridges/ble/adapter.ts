// The owner of one Bluetooth adapter. One loop decides what the radio does next: connect, listen or rest. It keeps the
// connections within what the controller holds, and climbs the recovery ladder when something does not answer:
// cancel → disconnect → reset the controller → close and reopen the source.

import type { Env } from '../../core/env.ts'
import { type Advert, type BleTarget, keyOf } from './advert.ts'
import { Backoff } from './backoff.ts'
import { deadline } from './lane.ts'
import { BleLink, type LinkOwner } from './link.ts'
import { openPort } from './open.ts'
import { type HciPort, PortFault } from './port.ts'
import { Radio } from './radio.ts'
import { formatSource, type HciSource } from './source.ts'

const MAX_LINKS = 5
const START_MS = 5_000
const SCAN_COMMAND_MS = 5_000
const SCAN_PERIOD_MS = 10_000
const CONNECT_MS = 10_000
const CANCEL_MS = 3_000
const DISCONNECT_MS = 5_000
const RESET_AGAIN_MS = 10_000

export interface BleSettings {
  source: HciSource
  /** Connections at the same time; default 5, which every common controller holds. */
  maxLinks?: number
}

export type Rung = 'none' | 'cancel' | 'disconnect' | 'reset' | 'reopen'

export interface BleStatus {
  source: string
  state: 'idle' | 'opening' | 'ready' | 'failed' | 'closed'
  /** The adapter's own address, when ready. */
  address?: string
  /** Why it failed and what to do. */
  cause?: string
  /** What the radio is doing, and for how long (ms). */
  doing: string
  since: number
  slots: { used: number; max: number }
  /** The last step of the ladder: `age` in ms; and how often each was taken. */
  recovery: { rung: Rung; cause?: string; age?: number; counts: Record<string, number> }
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
  #held = new Map<string, BleLink>()
  #leaving = new Map<BleLink, () => void>()

  #state: BleStatus['state'] = 'idle'
  #cause: string | undefined
  #port: HciPort | undefined
  #radio: Radio | undefined
  #backoff: Backoff
  #retry = () => {}
  #poke = () => {}
  #scanning: { how: 'full' | 'gentle'; until: number } | undefined
  #doing = { what: 'nothing', since: 0 }
  #recovery: { rung: Rung; cause?: string; at?: number } = { rung: 'none' }
  #counts: Record<string, number> = {}
  #resetAt = Number.NEGATIVE_INFINITY

  constructor(settings: BleSettings, env: Env) {
    this.#settings = settings
    this.#env = env
    this.#backoff = new Backoff(env)
    this.#owner = {
      env,
      enlist: (link) => this.#enlist(link),
      leave: (link) => this.#leave(link),
      poke: () => this.#poke(),
      drop: (link) => void this.#disconnect(link),
    }
  }

  /** A link to the device that answers to `target`. Nothing happens until it is opened. */
  link(target: BleTarget): BleLink {
    return new BleLink(target, this.#owner)
  }

  /** Every advertisement heard goes to `onAdvert` until `signal` aborts. Listening shares the radio with the links. */
  scan(onAdvert: (advert: Advert) => void, signal: AbortSignal): void {
    if (signal.aborted || this.#state === 'closed') return
    this.#observers.add(onAdvert)
    signal.addEventListener(
      'abort',
      () => {
        this.#observers.delete(onAdvert)
        this.#poke()
      },
      { once: true },
    )
    this.#need()
  }

  status(): BleStatus {
    const now = this.#env.clock.now()
    const { rung, cause, at } = this.#recovery
    return {
      source: formatSource(this.#settings.source),
      state: this.#state,
      address: this.#state === 'ready' ? this.#radio?.address : undefined,
      cause: this.#cause,
      doing: this.#doing.what,
      since: now - this.#doing.since,
      slots: { used: this.#held.size, max: this.#max },
      recovery: { rung, cause, age: at === undefined ? undefined : now - at, counts: { ...this.#counts } },
      known: this.#radio?.known ?? 0,
      links: [...this.#links].map((link) => link.status()),
    }
  }

  /** Ends every connection politely and gives the source back. Links still open are told. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    const radio = this.#radio
    this.#state = 'closed'
    this.#retry()
    this.#poke()
    if (radio) {
      const ends = [...this.#held.keys()].map((key) => radio.disconnect(key))
      await deadline(this.#env.clock, 1_000, Promise.all(ends), () => new Error()).catch(() => {})
    }
    this.#takeDown('The Bluetooth adapter was closed')
    this.#port?.close()
    this.#port = undefined
    this.#links.clear()
    this.#observers.clear()
  }

  get #max(): number {
    return this.#settings.maxLinks ?? MAX_LINKS
  }

  #enlist(link: BleLink): void {
    if (this.#state === 'closed') return link.unavailable('The Bluetooth adapter was closed')
    this.#links.add(link)
    if (this.#state === 'ready') link.search()
    else if (this.#state === 'failed') link.unavailable(this.#cause ?? 'No Bluetooth adapter')
    this.#need()
  }

  async #leave(link: BleLink): Promise<void> {
    this.#links.delete(link)
    if (link.state === 'connecting') await new Promise<void>((gone) => this.#abandon(link, gone))
    else await this.#disconnect(link)
    this.#poke()
  }

  /** The connect in hand is given up by the loop; `gone` is called when it is. */
  #abandon(link: BleLink, gone: () => void): void {
    this.#leaving.set(link, gone)
    this.#poke()
  }

  #need(): void {
    if (this.#state === 'idle') this.#open()
    else this.#poke()
  }

  // The source.

  async #open(): Promise<void> {
    this.#state = 'opening'
    this.#do('opening the source')
    let port: HciPort | undefined
    try {
      port = await openPort(
        this.#settings.source,
        {
          packet: (bytes) => this.#radio?.packet(bytes),
          fault: (fault) => this.#recover(fault.rung, fault.message),
        },
        this.#env,
      )
      if (this.#closed) return port.close()
      this.#port = port
      await this.#start(port)
    } catch (error) {
      if (!this.#closed && (!port || this.#port === port)) this.#recover('reopen', (error as Error).message)
    }
  }

  /** The controller into its first state, noble on top of it, and to work. */
  async #start(port: HciPort): Promise<void> {
    const late = () =>
      new PortFault('reopen', 'The Bluetooth controller does not answer: unplug it and plug it in again')
    if (port.reset) await deadline(this.#env.clock, START_MS, port.reset(), late)
    if (this.#port !== port || this.#closed) return
    const radio = new Radio(
      port,
      {
        advert: (advert) => this.#heard(advert),
        data: (key, bytes) => this.#held.get(key)?.data(bytes),
        down: (key, why) => this.#down(key, why),
      },
      this.#env,
      (key) => this.#held.has(key) || [...this.#links].some((link) => link.key === key),
    )
    this.#radio = radio
    await deadline(this.#env.clock, START_MS, radio.start(), late)
    if (this.#radio !== radio || this.#closed) return
    this.#state = 'ready'
    this.#cause = undefined
    this.#backoff.good()
    this.#env.log.info(`Bluetooth adapter ${radio.address} is ready (${formatSource(this.#settings.source)})`)
    for (const link of this.#links) link.search()
    this.#work(radio)
  }

  /** All links down, then the controller from its first state again, or the source from the beginning. */
  #recover(rung: 'reset' | 'reopen', cause: string): void {
    if (this.#closed) return
    const port = this.#port
    const now = this.#env.clock.now()
    const again = now - this.#resetAt < RESET_AGAIN_MS
    this.#env.log.warn(cause)
    this.#cause = cause
    this.#takeDown(cause)
    if (rung === 'reset' && port?.reset && !again) {
      this.#resetAt = now
      this.#climb('reset', cause)
      this.#state = 'opening'
      this.#do('resetting the controller')
      this.#start(port).catch((error: Error) => {
        if (this.#port === port) this.#recover('reopen', error.message)
      })
      return
    }
    this.#climb('reopen', cause)
    this.#state = 'failed'
    this.#port = undefined
    port?.close()
    this.#do('waiting to reopen the source')
    this.#retry()
    this.#retry = this.#env.clock.after(this.#backoff.next(), () => void this.#open())
  }

  #takeDown(cause: string): void {
    this.#radio?.end()
    this.#radio = undefined
    this.#scanning = undefined
    this.#held.clear()
    for (const gone of this.#leaving.values()) gone()
    this.#leaving.clear()
    for (const link of this.#links) link.unavailable(cause)
    this.#poke()
  }

  #climb(rung: Rung, cause: string): void {
    this.#recovery = { rung, cause, at: this.#env.clock.now() }
    this.#counts[rung] = (this.#counts[rung] ?? 0) + 1
    this.#env.meters.count(`ble.recover.${rung}`)
  }

  // The radio's loop.

  async #work(radio: Radio): Promise<void> {
    while (this.#radio === radio && !this.#closed) {
      try {
        await this.#turn(radio)
      } catch (error) {
        if (this.#radio === radio) this.#recover('reset', (error as Error).message)
      }
    }
  }

  /** One thing for the radio to do; connecting comes before listening. */
  async #turn(radio: Radio): Promise<void> {
    const now = this.#env.clock.now()
    const next = this.#nextToConnect()
    if (next) {
      if (this.#scanning) await this.#listen(radio, 'off')
      if (this.#radio === radio && next.state === 'found') await this.#connect(radio, next)
      return
    }
    const how = this.#wanted()
    if (how === 'off' && this.#scanning) return this.#listen(radio, 'off')
    // Begun afresh now and then: whoever shares the adapter may have switched it off.
    const due = this.#scanning?.how !== how || now >= this.#scanning.until
    if (how !== 'off' && due) return this.#listen(radio, how)
    this.#do(this.#scanning ? 'listening for advertisements' : 'nothing')
    await this.#rest()
  }

  #nextToConnect(): BleLink | undefined {
    const found = [...this.#links].filter((link) => link.state === 'found')
    if (this.#held.size < this.#max) return found[0]
    for (const link of found) link.noSlot(this.#max)
    return undefined
  }

  #wanted(): 'full' | 'gentle' | 'off' {
    const searching = [...this.#links].some((link) => link.state === 'searching')
    if (this.#observers.size || (searching && !this.#held.size)) return 'full'
    return searching ? 'gentle' : 'off'
  }

  async #listen(radio: Radio, how: 'full' | 'gentle' | 'off'): Promise<void> {
    this.#do(how === 'off' ? 'stopping to listen' : 'starting to listen')
    const late = () =>
      new Error('The Bluetooth controller does not answer when told to listen for advertisements')
    await deadline(this.#env.clock, SCAN_COMMAND_MS, radio.scan(how), late)
    if (this.#radio !== radio) return
    this.#scanning = how === 'off' ? undefined : { how, until: this.#env.clock.now() + SCAN_PERIOD_MS }
  }

  async #connect(radio: Radio, link: BleLink): Promise<void> {
    const key = link.key as string
    this.#do(`connecting to ${link.status().address}`)
    this.#held.set(key, link)
    link.connecting()
    const attempt = radio.connect(key)
    const given = this.#givenUp(link)
    try {
      await deadline(this.#env.clock, CONNECT_MS, Promise.race([attempt, given]), () => new Late())
      this.#leaving.get(link)?.()
      if (!this.#links.has(link)) await this.#end(radio, key)
      else link.connected(radio)
    } catch (error) {
      if (this.#radio !== radio) return
      if (error instanceof Late) await this.#cancel(radio, key, attempt)
      if (this.#radio !== radio) return
      this.#held.delete(key)
      link.fail(
        error instanceof Late
          ? `The device answers no connection within ${CONNECT_MS / 1000} s: it went out of range, or it is occupied by ` +
              'another app, phone or engine, as most take one connection only'
          : `The device could not be connected: ${(error as Error).message}`,
      )
    } finally {
      this.#leaving.get(link)?.()
      this.#leaving.delete(link)
    }
  }

  /** Rejects when the link is closed while it is being connected. */
  #givenUp(link: BleLink): Promise<never> {
    return new Promise((_, reject) => {
      const look = () => {
        if (!this.#links.has(link)) reject(new Late())
      }
      this.#poke = look
    })
  }

  async #cancel(radio: Radio, key: string, attempt: Promise<void>): Promise<void> {
    this.#climb('cancel', `A connection to ${key} was given up`)
    radio.cancel(key)
    const late = () => new Error('The Bluetooth controller does not give up a connection it was told to')
    const made = await deadline(this.#env.clock, CANCEL_MS, attempt.then(yes, no), late)
    if (made && this.#radio === radio) await this.#end(radio, key)
  }

  async #rest(): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#env.clock.after(SCAN_PERIOD_MS, resolve)
      this.#poke = () => {
        cancel()
        resolve()
      }
    })
    this.#poke = () => {}
  }

  /** Ends a link's connection; the next rung is a reset. */
  async #disconnect(link: BleLink): Promise<void> {
    const radio = this.#radio
    const key = link.key
    if (!radio || key === undefined || this.#held.get(key) !== link) return
    if (link.state !== 'closed')
      this.#climb('disconnect', `The connection to ${link.status().address} was ended`)
    await this.#end(radio, key).catch((error: Error) => {
      if (this.#radio === radio) this.#recover('reset', error.message)
    })
  }

  async #end(radio: Radio, key: string): Promise<void> {
    const late = () => new Error('The Bluetooth controller does not end a connection it was told to')
    await deadline(this.#env.clock, DISCONNECT_MS, radio.disconnect(key), late)
    if (this.#radio === radio) this.#held.delete(key)
  }

  // What the radio tells.

  #heard(advert: Advert): void {
    for (const observer of this.#observers) {
      try {
        observer(advert)
      } catch (error) {
        this.#env.log.error(`Whoever asked for advertisements failed on one: ${error}`)
      }
    }
    const key = keyOf(advert.address)
    if ([...this.#links].some((link) => link.key === key)) return
    for (const link of this.#links) if (link.offer(advert)) return
  }

  #down(key: string, why: string): void {
    const link = this.#held.get(key)
    this.#held.delete(key)
    link?.fail(`The connection to the device is gone: ${why}`)
    this.#poke()
  }

  get #closed(): boolean {
    return this.#state === 'closed'
  }

  #do(what: string): void {
    this.#doing = { what, since: this.#env.clock.now() }
  }
}

/** The time for a connection is over, or nobody wants it any more. */
class Late extends Error {}

const yes = () => true
const no = () => false
