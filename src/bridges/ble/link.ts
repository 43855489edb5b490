// One device over Bluetooth: looked for, connected, subscribed, spoken to; and again from the start when it breaks.
//
//   closed → searching → found → connecting → preparing → up
//                 ↑                                  │ any failure
//                 └── waiting (backoff, or no adapter) ←┘

import type { Cancel } from '../../core/clock.ts'
import type { Env } from '../../core/env.ts'
import { type Link, LinkError, type LinkEvents } from '../../device/link.ts'
import { type Advert, type BleTarget, keyOf, matches } from './advert.ts'
import { Backoff } from './backoff.ts'
import { Lane } from './lane.ts'
import type { Found, Radio } from './radio.ts'

const SEARCH_MS = 15_000
const DISCOVER_MS = 10_000
const SUBSCRIBE_MS = 10_000
const WRITE_MS = 5_000
const MAX_EARLY = 32

export type LinkState = 'closed' | 'waiting' | 'searching' | 'found' | 'connecting' | 'preparing' | 'up'

/** What a link needs from the adapter that owns it. */
export interface LinkOwner {
  env: Env
  /** The link wants to be served. */
  enlist(link: BleLink): void
  /** It no longer does. Resolves when nothing of it is left on the radio. */
  leave(link: BleLink): Promise<void>
  /** Its state has changed: look at it again. */
  poke(): void
  /** Its connection is of no more use: end it. */
  drop(link: BleLink): void
}

export class BleLink implements Link {
  readonly target: BleTarget
  #owner: LinkOwner
  #events: LinkEvents | undefined
  #state: LinkState = 'closed'
  #peer: Advert | undefined
  #radio: Radio | undefined
  #found: Found | undefined
  #lane: Lane
  #backoff: Backoff
  #timer: Cancel = () => {}
  #early: Uint8Array[] = []
  #cause = ''
  #told = ''

  constructor(target: BleTarget, owner: LinkOwner) {
    this.target = target
    this.#owner = owner
    // After a deadline the connection is of no use: ATT allows no second request beside the first.
    this.#lane = new Lane(owner.env.clock, (error) => {
      this.fail(error.message)
      owner.drop(this)
    })
    this.#backoff = new Backoff(owner.env)
  }

  get state(): LinkState {
    return this.#state
  }

  /** The device's key while one is found, tried or connected. */
  get key(): string | undefined {
    return this.#peer && keyOf(this.#peer.address)
  }

  status(): { address?: string; state: LinkState; cause?: string; tries: number } {
    const address = this.#peer?.address ?? this.target.address
    const cause = this.#state === 'up' ? undefined : this.#cause || undefined
    return { address, state: this.#state, cause, tries: this.#backoff.tries }
  }

  open(events: LinkEvents): void {
    if (this.#events) return
    this.#events = events
    this.#state = 'waiting'
    this.#cause = 'Not looked for yet'
    queueMicrotask(() => {
      if (this.#events === events) this.#owner.enlist(this)
    })
  }

  write(bytes: Uint8Array): Promise<void> {
    const radio = this.#radio
    const found = this.#found
    const key = this.key
    if (this.#state !== 'up' || !radio || !found || key === undefined) {
      return Promise.reject(new LinkError('offline', this.#cause || 'The link is not open'))
    }
    const response = this.target.write === 'with-response'
    const copy = Uint8Array.from(bytes)
    return this.#step('answer a write', WRITE_MS, radio, key, () => radio.write(key, found, copy, response))
  }

  async close(): Promise<void> {
    if (!this.#events) return
    this.#events = undefined
    this.#timer()
    this.#state = 'closed'
    this.#cause = 'The link was closed'
    this.#told = ''
    this.#clear()
    await this.#owner.leave(this)
    if (this.#state === 'closed') this.#reset()
  }

  // What the adapter tells its links.

  /** The adapter listens: from now on the device should be heard. */
  search(): void {
    if (!this.#events) return
    this.#timer()
    this.#reset()
    this.#state = 'searching'
    this.#timer = this.#owner.env.clock.after(SEARCH_MS, () => this.fail(this.#unseen()))
    this.#owner.poke()
  }

  /** An advertisement was heard. True when it is this link's device and the link goes for it. */
  offer(advert: Advert): boolean {
    // Also between two searches that found nothing, if it is heard because somebody else listens.
    const looking = this.#state === 'searching' || (this.#state === 'waiting' && !this.#peer)
    if (!looking || !advert.connectable || !matches(this.target, advert)) return false
    this.#timer()
    this.#peer = advert
    this.#state = 'found'
    this.#owner.poke()
    return true
  }

  /** All connections are in use; it keeps its place. */
  noSlot(max: number): void {
    this.#tell(`All ${max} Bluetooth connections are in use: it connects when one is free`)
  }

  connecting(): void {
    this.#state = 'connecting'
  }

  /** The connection stands; what remains is to find the characteristic and subscribe. */
  connected(radio: Radio): void {
    this.#state = 'preparing'
    this.#radio = radio
    this.#prepare(radio).catch((error: Error) => {
      if (this.#radio !== radio || this.#state !== 'preparing') return
      this.fail(error.message)
      this.#owner.drop(this)
    })
  }

  data(bytes: Uint8Array): void {
    const copy = Uint8Array.from(bytes)
    if (this.#state === 'up') return this.#give(copy)
    // Some devices speak as soon as they are subscribed to, before that is confirmed.
    if (this.#state === 'preparing' && this.#early.length < MAX_EARLY) this.#early.push(copy)
    else this.#owner.env.meters.count('ble.drop.early')
  }

  /** The connection is gone. */
  dropped(cause: string): void {
    if (this.#state === 'connecting' || this.#state === 'preparing' || this.#state === 'up') this.fail(cause)
  }

  /** It broke or could not be made: try again after a while. */
  fail(cause: string): void {
    if (!this.#events || this.#state === 'waiting') return
    this.#timer()
    this.#fall(cause)
    this.#timer = this.#owner.env.clock.after(this.#backoff.next(), () => this.search())
  }

  /** There is no adapter to serve it. It waits until the adapter calls `search`. */
  unavailable(cause: string): void {
    this.#timer()
    if (this.#events) this.#fall(cause)
  }

  async #prepare(radio: Radio): Promise<void> {
    const key = this.key as string
    const discover = () => radio.discover(key, this.target)
    const found = await this.#step('show its services', DISCOVER_MS, radio, key, discover)
    this.#found = found
    if (found.properties.includes('notify') || found.properties.includes('indicate')) {
      await this.#step('confirm notifications', SUBSCRIBE_MS, radio, key, () => radio.subscribe(key, found))
    }
    if (this.#radio !== radio || this.#state !== 'preparing') return
    this.#state = 'up'
    this.#cause = ''
    this.#told = ''
    this.#backoff.good()
    this.#call((events) => events.up())
    for (const bytes of this.#early.splice(0)) this.#give(bytes)
  }

  #step<T>(what: string, ms: number, radio: Radio, key: string, work: () => Promise<T>): Promise<T> {
    const late = () =>
      new LinkError('timeout', radio.hint(key) ?? `The device did not ${what} within ${ms / 1000} s`)
    return this.#lane.run(ms, late, work)
  }

  #fall(cause: string): void {
    this.#cause = cause
    this.#state = 'waiting'
    this.#clear()
    this.#tell(cause)
  }

  #clear(): void {
    const lost = new LinkError('lost', `The connection broke before the device had answered: ${this.#cause}`)
    this.#lane.clear(lost, new LinkError('offline', `Not sent: ${this.#cause}`))
  }

  #reset(): void {
    this.#peer = undefined
    this.#radio = undefined
    this.#found = undefined
    this.#early.length = 0
  }

  #tell(cause: string): void {
    this.#cause = cause
    if (cause === this.#told) return
    this.#told = cause
    this.#call((events) => events.down(cause))
  }

  #give(bytes: Uint8Array): void {
    this.#call((events) => events.data(bytes))
  }

  #call(tell: (events: LinkEvents) => void): void {
    try {
      if (this.#events) tell(this.#events)
    } catch (error) {
      this.#owner.env.log.error(`A device failed on what its Bluetooth link told it: ${error}`)
    }
  }

  #unseen(): string {
    const matches = [this.target.match]
      .flat()
      .map(({ service, name, addressPrefix }) =>
        [name, service, addressPrefix].filter((part) => part !== undefined).join(' + '),
      )
    const looked = this.target.address ?? matches.join(' or ')
    return (
      `The device (${looked}) was not heard in ${SEARCH_MS / 1000} s: it is off, out of range, or occupied: another app, ` +
      'phone or engine is connected to it, as most take one connection only. Close that, or switch the device off and on'
    )
  }
}
