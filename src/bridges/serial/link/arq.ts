// What makes a line with noise reliable: DATA frames are numbered, kept and repeated until they are acknowledged
// (go-back-N; LINK.md, Delivery).

import type { Cancel, Clock } from '../../../core/clock.ts'

/** Milliseconds before a frame is repeated: at first, and the bounds of four times the measured round trip. */
const RTO = { first: 250, least: 40, most: 1000 }
const REPEATS = 8
/** Milliseconds that the other side may say "not ready" before that counts as silence. */
const PATIENCE = 5000

export interface Carrier {
  transmit(number: number, repeated: boolean, payload: Uint8Array): void
  /** The other side may be ready again. */
  room(): void
  /** It was repeated often enough. */
  failed(): void
}

interface Sent {
  number: number
  payload: Uint8Array
  at: number
  repeated: boolean
}

export class Arq {
  #clock: Clock
  #carrier: Carrier
  #window = 1
  #next = 0
  #unacked: Sent[] = []
  #roundTrip: number | undefined
  #timer: Cancel = () => {}
  #repeats = 0
  /** The other side has said that it can't take more now; since when, and whether that was since the last time-out. */
  #isHeld = false
  #busySince: number | undefined
  #isExcused = false

  constructor(clock: Clock, carrier: Carrier) {
    this.#clock = clock
    this.#carrier = carrier
  }

  /** A new session: numbers start at 0, and what was not acknowledged is forgotten. */
  reset(window: number): void {
    this.#timer()
    this.#window = window
    this.#next = 0
    this.#unacked = []
    this.#progress()
  }

  get hasRoom(): boolean {
    return this.#unacked.length < this.#window && !this.#isHeld
  }

  /** Whether frames wait to be acknowledged. */
  get isOpen(): boolean {
    return this.#unacked.length > 0
  }

  /** Milliseconds after which a frame is repeated. */
  get rto(): number {
    if (this.#roundTrip === undefined) return RTO.first
    return Math.min(RTO.most, Math.max(RTO.least, 4 * this.#roundTrip))
  }

  /** Only when there is room. */
  send(payload: Uint8Array): void {
    const sent = { number: this.#next, payload, at: this.#clock.now(), repeated: false }
    this.#next = (this.#next + 1) & 7
    this.#unacked.push(sent)
    this.#carrier.transmit(sent.number, false, payload)
    if (this.#unacked.length === 1) this.#wait()
  }

  /** Everything before `next` has arrived. */
  acknowledge(next: number): void {
    const first = this.#unacked[0]
    if (!first) return
    const count = (next - first.number) & 7
    if (count === 0 || count > this.#unacked.length) return
    const last = this.#unacked.splice(0, count).at(-1) as Sent
    // Of one that was repeated nobody knows which of them was acknowledged.
    if (!last.repeated) this.#measured(this.#clock.now() - last.at)
    this.#progress()
    this.#wait()
  }

  /** The other side misses `next`: it is repeated at once, if it is one of ours. */
  missing(next: number): void {
    this.acknowledge(next)
    if (this.#unacked[0]?.number === next) this.repeat()
  }

  /** Sends everything unacknowledged once more. */
  repeat(): void {
    for (const sent of this.#unacked) {
      sent.repeated = true
      this.#carrier.transmit(sent.number, true, sent.payload)
    }
    this.#wait()
  }

  /** The other side is there, but can't take more now: for some time that is no reason to give up. */
  notReady(): void {
    this.#busySince ??= this.#clock.now()
    this.#isHeld = true
    this.#isExcused = this.#clock.now() - this.#busySince <= PATIENCE
    if (this.#isExcused) this.#wait()
  }

  ready(): void {
    this.#isHeld = false
  }

  #progress(): void {
    this.#repeats = 0
    this.#isHeld = false
    this.#busySince = undefined
    this.#isExcused = false
  }

  #measured(sample: number): void {
    this.#roundTrip =
      this.#roundTrip === undefined ? sample : this.#roundTrip + (sample - this.#roundTrip) / 8
  }

  #wait(): void {
    this.#timer()
    if (!this.isOpen && !this.#isHeld) return
    this.#timer = this.#clock.after(this.rto, () => this.#late())
  }

  #late(): void {
    // That it is ready again may have been lost on the way.
    this.#isHeld = false
    if (this.isOpen) {
      if (!this.#isExcused && ++this.#repeats > REPEATS) return this.#carrier.failed()
      this.#isExcused = false
      this.repeat()
    }
    this.#carrier.room()
  }
}
