// What one ready radio does, one thing at a time: connect, listen, or rest. It keeps the ledger of connections, and
// says so when the controller no longer answers, which is for the adapter to mend.

import type { Clock } from '../../core/clock.ts'
import { type Advert, keyOf } from './advert.ts'
import { deadline } from './lane.ts'
import type { BleLink } from './link.ts'
import type { Radio } from './radio.ts'

const SCAN_COMMAND_MS = 5_000
const SCAN_PERIOD_MS = 10_000
const CONNECT_MS = 10_000
const CANCEL_MS = 3_000
const DISCONNECT_MS = 5_000

/** What the worker is told by the adapter, and tells it. */
export interface WorkerOwner {
  clock: Clock
  links: ReadonlySet<BleLink>
  maxLinks: number
  /** Somebody wants every advertisement, links apart. */
  observed(): boolean
  /** A step of the ladder that the worker takes itself. */
  climbed(rung: 'cancel' | 'disconnect', cause: string): void
  /** The controller does not answer. */
  stuck(cause: string): void
}

export class Worker {
  #radio: Radio
  #owner: WorkerOwner
  #held = new Map<string, BleLink>()
  #scanning: { how: 'full' | 'gentle'; until: number } | undefined
  #attempt: { link: BleLink; giveUp: () => void; done: Promise<void> } | undefined
  #wake = () => {}
  #ended = false

  /** What the radio is doing, and since when. */
  doing = { what: 'nothing', since: 0 }

  constructor(radio: Radio, owner: WorkerOwner) {
    this.#radio = radio
    this.#owner = owner
  }

  /** Connections that exist, are being made or are being ended. */
  get used(): number {
    return this.#held.size
  }

  holds(key: string): boolean {
    return this.#held.has(key)
  }

  /** Works until `end`. */
  async run(): Promise<void> {
    while (!this.#ended) await this.#turn().catch((error: Error) => this.#stuck(error))
  }

  /** Something has changed: decide again. */
  poke(): void {
    this.#wake()
  }

  /** Stops. A controller that will not be reset would keep its connections, so it is told, if it still hears. */
  end(willReset: boolean): void {
    this.#ended = true
    if (!willReset) {
      const pending = this.#attempt?.link.key
      if (pending) this.#radio.cancel(pending)
      for (const key of this.#held.keys()) void this.#radio.disconnect(key)
    }
    this.#held.clear()
    this.#attempt?.giveUp()
    this.#wake()
  }

  heard(advert: Advert): void {
    const key = keyOf(advert.address)
    if (this.#held.has(key) || [...this.#owner.links].some((link) => link.key === key)) return
    for (const link of this.#owner.links) if (link.offer(advert)) return
  }

  data(key: string, bytes: Uint8Array): void {
    this.#held.get(key)?.data(bytes)
  }

  down(key: string, why: string): void {
    const link = this.#held.get(key)
    this.#held.delete(key)
    if (link?.key === key) link.dropped(`The connection to the device is gone: ${why}`)
    this.#wake()
  }

  /** Ends whatever a link has on the radio. Resolves when that is gone, or is the adapter's trouble. */
  async drop(link: BleLink): Promise<void> {
    if (this.#attempt?.link === link) {
      this.#attempt.giveUp()
      return this.#attempt.done.catch(() => {})
    }
    const key = link.key
    if (key === undefined || this.#held.get(key) !== link) return
    this.#owner.climbed('disconnect', `The connection to ${key} was ended`)
    await this.#disconnect(key).catch((error: Error) => this.#stuck(error))
  }

  /** Ends every connection; waits at most `ms` for it. */
  async dropAll(ms: number): Promise<void> {
    const ends = [...this.#held.keys()].map((key) => this.#radio.disconnect(key))
    await deadline(this.#owner.clock, ms, Promise.all(ends), () => new Error('late')).catch(() => {})
  }

  /** One thing for the radio to do; connecting comes before listening. */
  async #turn(): Promise<void> {
    const next = this.#nextToConnect()
    if (next) {
      if (this.#scanning) await this.#listen('off')
      if (!this.#ended && next.state === 'found') await this.#connect(next)
      return
    }
    const how = this.#wanted()
    // Begun afresh now and then: whoever shares the adapter may have switched it off.
    const over = this.#scanning && this.#owner.clock.now() >= this.#scanning.until
    if (over || (this.#scanning?.how ?? 'off') !== how) return this.#listen(how)
    this.#do(this.#scanning ? 'listening for advertisements' : 'nothing')
    await this.#rest()
  }

  #nextToConnect(): BleLink | undefined {
    const found = [...this.#owner.links].filter((link) => link.state === 'found')
    if (this.#held.size < this.#owner.maxLinks) return found[0]
    for (const link of found) link.noSlot(this.#owner.maxLinks)
    return undefined
  }

  #wanted(): 'full' | 'gentle' | 'off' {
    const searching = [...this.#owner.links].some((link) => link.state === 'searching')
    if (this.#owner.observed() || (searching && !this.#held.size)) return 'full'
    return searching ? 'gentle' : 'off'
  }

  async #listen(how: 'full' | 'gentle' | 'off'): Promise<void> {
    this.#do(how === 'off' ? 'stopping to listen' : 'starting to listen')
    const late = () =>
      new Error('The Bluetooth controller does not answer when told to listen for advertisements')
    await deadline(this.#owner.clock, SCAN_COMMAND_MS, this.#radio.scan(how), late)
    this.#scanning = how === 'off' ? undefined : { how, until: this.#owner.clock.now() + SCAN_PERIOD_MS }
  }

  async #connect(link: BleLink): Promise<void> {
    const key = link.key as string
    this.#do(`connecting to ${key}`)
    this.#held.set(key, link)
    link.connecting()
    const giving = new AbortController()
    const done = this.#try(link, key, giving.signal)
    this.#attempt = { link, giveUp: () => giving.abort(), done }
    await done.finally(() => {
      this.#attempt = undefined
    })
  }

  async #try(link: BleLink, key: string, signal: AbortSignal): Promise<void> {
    const attempt = this.#radio.connect(key)
    const givenUp = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new GivenUp('The connection was given up')), {
        once: true,
      })
    })
    try {
      const late = () => new GivenUp(OCCUPIED)
      await deadline(this.#owner.clock, CONNECT_MS, Promise.race([attempt, givenUp]), late)
    } catch (error) {
      if (error instanceof GivenUp && !this.#ended) await this.#cancel(key, attempt)
      this.#held.delete(key)
      const why = (error as Error).message
      return link.fail(error instanceof GivenUp ? why : `The device could not be connected: ${why}`)
    }
    // It may have broken, or been given up, in the same breath.
    if (this.#held.get(key) !== link) return
    if (signal.aborted) return this.#disconnect(key)
    this.#attempt = undefined
    link.connected(this.#radio)
  }

  async #cancel(key: string, attempt: Promise<void>): Promise<void> {
    this.#owner.climbed('cancel', `A connection to ${key} was given up`)
    this.#radio.cancel(key)
    const late = () => new Error('The Bluetooth controller does not give up a connection it was told to')
    const outcome = attempt.then(
      () => 'connected',
      () => 'cancelled',
    )
    const made = await deadline(this.#owner.clock, CANCEL_MS, outcome, late)
    if (made === 'connected' && !this.#ended) await this.#disconnect(key)
  }

  async #disconnect(key: string): Promise<void> {
    const late = () => new Error('The Bluetooth controller does not end a connection it was told to')
    await deadline(this.#owner.clock, DISCONNECT_MS, this.#radio.disconnect(key), late)
    this.#held.delete(key)
    this.#wake()
  }

  async #rest(): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#owner.clock.after(SCAN_PERIOD_MS, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
    this.#wake = () => {}
  }

  #stuck(error: Error): void {
    if (!this.#ended) this.#owner.stuck(error.message)
  }

  #do(what: string): void {
    this.doing = { what, since: this.#owner.clock.now() }
  }
}

const OCCUPIED =
  `The device answers no connection within ${CONNECT_MS / 1000} s: it went out of range, or it is occupied: another app, ` +
  'phone or engine is connected to it, as most take one connection only'

/** Too late, or nobody wants the connection any more. */
class GivenUp extends Error {}
