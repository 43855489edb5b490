// A conversation of two engines over a broker that may lose, repeat and delay: every frame has a number, is kept until the other
// side has said that it was read, and is handed on once and in its order. It ends with either process; what it carried is never
// given to another one.

import type { Env } from '../core/env.ts'
import type { Heading } from './mqtt-envelope.ts'
import { age, type Envelope, numberIn, wrap } from './mqtt-envelope.ts'

/** What a conversation needs of who connects it. */
export interface Carrier {
  /** Our own number, which others reply to. */
  readonly node: string
  readonly boot: string
  /** The most bytes of a payload that the broker takes. */
  readonly most: number
  readonly isUp: boolean
  hasRoom(): boolean
  /** `frame`: what is in it, for hints. */
  send(to: string, payload: string, item?: Item): void
}

export interface TalkEvents {
  /** Whether frames can be taken now. If not they are sent again, after `resume`. */
  mayRead(): boolean
  /** The next frame. */
  frame(frame: string): void
  /** `write` had no room, and has some now. */
  drained(): void
  /** The other side knows nothing of it any more, or has said that it is over. */
  ended(why: 'lost' | 'closed' | 'silent'): void
}

/** One frame on its way. */
export interface Item {
  readonly frame: string
  readonly heading?: Heading
  readonly bytes: number
  /** Since the conversation began, in ms. */
  readonly at: number
  readonly seq: number
  /** It has left this engine, so that nobody can say what became of it. */
  published: boolean
}

/** Unconfirmed frames and bytes after which nothing more is taken. */
const WINDOW = 1024
const WINDOW_BYTES = 512 << 10
/** Frames that are read before that is said by itself. */
const ACK_EVERY = 64
const REPEAT = 3000
const GAP = 200
/** What comes with `k`: frames are missing; frames could not be taken, and can now. */
const MISSING = '1'
const AGAIN = '2'
/** Milliseconds without a word about what was sent, while there is a broker. */
const SILENT = 30_000
const HEAD = 200
/** How long the fastest frame counts as the measure for how long others were held. */
const MEASURE = 300_000
/** Frames of one turn go together in one message, up to so many bytes. */
const TOGETHER = 16 << 10

export class Talk {
  /** Whom with; of a shared subscription it is known when one has taken it. */
  peer: string
  /** What the other side has made of it; empty: it has not accepted yet. */
  key = ''
  /** The start of the other side's process, as it says. */
  peerBoot = ''
  readonly name: string
  readonly isDialer: boolean
  #carrier: Carrier
  #env: Env
  #events: TalkEvents
  #since: number
  #out: Item[] = []
  #bytes = 0
  /** The number of the next frame, and of the first that was not sent (again). */
  #seq = 0
  #next = 0
  #wasFull = false
  #peerMost = Number.POSITIVE_INFINITY
  /** The number of the frame that must come next. */
  #expected = 0
  #unsaid = 0
  #progressAt: number
  #sentAt = 0
  #missingAt = 0
  #isMissed = false
  #repeatedAt = 0
  #fastest: [now: number, before: number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  #measuredAt: number
  #isScheduled = false
  #isHeldBack = false
  isOver = false

  constructor(
    carrier: Carrier,
    env: Env,
    events: TalkEvents,
    { peer, name, isDialer }: { peer: string; name: string; isDialer: boolean },
  ) {
    this.#carrier = carrier
    this.#env = env
    this.#events = events
    this.peer = peer
    this.name = name
    this.isDialer = isDialer
    this.#since = env.clock.now()
    this.#progressAt = this.#since
    this.#measuredAt = this.#since
  }

  get isOpen(): boolean {
    return this.key !== ''
  }

  /** Nothing waits for a word of the other side. */
  get isIdle(): boolean {
    return this.#out.length === 0
  }

  /** The most bytes of a frame. */
  get most(): number {
    return Math.min(this.#carrier.most, this.#peerMost) - HEAD
  }

  get isFull(): boolean {
    return this.#out.length >= WINDOW || this.#bytes >= WINDOW_BYTES
  }

  /** Takes over that the other side has accepted. */
  accepted(key: string, boot: string, most: number): void {
    this.key = key
    this.peerBoot = boot
    this.#peerMost = most
    this.#progress()
    this.pump()
  }

  /** Takes a frame; it is not looked at whether there is room. `undefined`: it is too big for the broker or the other side. */
  write(frame: string, heading?: Heading): Item | undefined {
    const bytes = Buffer.byteLength(frame)
    if (bytes > this.most) {
      this.#env.meters.count('mqtt.oversize')
      return undefined
    }
    if (this.#out.length === 0) this.#progress()
    const at = Math.round(this.#env.clock.now() - this.#since)
    const item: Item = { frame, heading, bytes, at, seq: this.#seq++, published: false }
    this.#out.push(item)
    this.#bytes += bytes
    this.#wasFull ||= this.isFull
    this.pump()
    return item
  }

  /** Sends what may be sent, at the end of this turn. */
  pump(): void {
    if (!this.isOpen || this.isOver || this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      while (!this.isOver && this.#sendSome());
    })
  }

  /** As many frames as go into one message. `false`: there is nothing to be sent, or no room. */
  #sendSome(): boolean {
    const first = this.#out[0]
    const from = first ? this.#next - first.seq : 0
    const item = this.#out[from]
    if (!item || !this.#carrier.hasRoom()) return false
    let frames = ''
    let bytes = 0
    for (let at = from; at < this.#out.length; at++) {
      const one = this.#out[at] as Item
      if (at > from && (bytes + one.bytes > TOGETHER || bytes + one.bytes > this.most)) break
      bytes += one.bytes + 1
      frames += at === from ? one.frame : `\n${one.frame}`
      one.published = true
      this.#next++
    }
    this.#unsaid = 0
    this.#sentAt = this.#env.clock.now()
    const head = `${this.#head('d')}.${item.seq}.${this.#expected}.${item.at}`
    this.#carrier.send(this.peer, wrap(head, frames), item)
    return true
  }

  /** There is a broker again, or the other side: what was under way may be lost, and it may not know us any more. */
  restored(): void {
    this.#progress()
    this.#rewind()
    this.#sayRead()
  }

  /** Dispatches of the other side: the first has the number, the others follow it. */
  data({ fields: [, seqText, ackText, atText], frame: frames }: Envelope): void {
    const seq = numberIn(seqText)
    const at = numberIn(atText)
    if (seq === undefined || at === undefined || frames === '') return this.#env.meters.count('mqtt.garbage')
    this.confirmed(ackText)
    if (seq > this.#expected) {
      this.#env.meters.count('mqtt.gap')
      // What follows something that could not be taken is no sign of a loss.
      return this.#isHeldBack ? undefined : this.#sayMissing()
    }
    const held = this.#held(at)
    let number = seq
    for (const frame of frames.includes('\n') ? frames.split('\n') : [frames]) {
      if (this.isOver) return
      if (number++ < this.#expected) {
        this.#env.meters.count('mqtt.repeated')
        this.#unsaid++
      } else if (this.#events.mayRead()) {
        this.#expected++
        this.#unsaid++
        this.#events.frame(age(frame, held))
      } else {
        this.#isHeldBack = true
        return
      }
    }
    if (this.#unsaid >= ACK_EVERY) this.#sayRead()
  }

  /** Frames can be taken again: those that could not be are asked for. */
  resume(): void {
    if (!this.#isHeldBack) return
    this.#isHeldBack = false
    this.#sayRead(AGAIN)
  }

  /** The other side has read all before that number, and perhaps misses what follows. */
  confirmed(text: string | undefined, missing?: string): void {
    const ack = numberIn(text)
    const first = this.#out[0]?.seq ?? this.#seq
    if (ack === undefined || ack > this.#seq) return this.#env.meters.count('mqtt.garbage')
    if (ack > first) {
      for (const { bytes } of this.#out.splice(0, ack - first)) this.#bytes -= bytes
      if (this.#next < ack) this.#next = ack
      this.#progress()
      if (this.#wasFull && this.#out.length <= WINDOW / 2 && this.#bytes <= WINDOW_BYTES / 2) {
        this.#wasFull = false
        this.#events.drained()
      }
    }
    if (missing === AGAIN) this.#rewind()
    else if (missing === MISSING) this.#repeat()
  }

  /** Looks what has taken too long. */
  tick(): void {
    if (this.isOver || !this.#carrier.isUp) return
    const now = this.#env.clock.now()
    if (this.isOpen && this.#unsaid > 0) this.#sayRead()
    if (this.#isMissed) this.#repeat()
    if (this.#out.length === 0) return
    if (now - this.#progressAt >= SILENT) return this.#events.ended('silent')
    if (this.isOpen && now - Math.max(this.#sentAt, this.#progressAt) >= REPEAT) this.#rewind()
  }

  /** A word to the other side: `k` what was read, `c` it is over. */
  tell(kind: 'k' | 'c', more = ''): void {
    if (this.isOpen && this.#carrier.isUp) this.#carrier.send(this.peer, wrap(this.#head(kind) + more))
  }

  /** What was never confirmed, in its order. It is over for us. */
  end(): Item[] {
    this.isOver = true
    this.#bytes = 0
    return this.#out.splice(0)
  }

  #sayRead(missing = ''): void {
    this.#unsaid = 0
    this.tell('k', `.${this.#expected}.${missing}`)
  }

  #sayMissing(): void {
    const now = this.#env.clock.now()
    if (now - this.#missingAt < GAP / 2) return
    this.#missingAt = now
    this.#sayRead(MISSING)
  }

  /** Sends again what the other side misses, but not for every message that it says so of. */
  #repeat(): void {
    const now = this.#env.clock.now()
    this.#isMissed = now - this.#repeatedAt < GAP
    if (this.#isMissed) return
    this.#repeatedAt = now
    this.#rewind()
  }

  #head(kind: 'd' | 'k' | 'c'): string {
    const { node } = this.#carrier
    return `${this.isDialer ? kind : kind.toUpperCase()}.${node}.${this.name}.${this.key}`
  }

  #progress(): void {
    this.#progressAt = this.#env.clock.now()
  }

  #rewind(): void {
    this.#next = this.#out[0]?.seq ?? this.#seq
    this.#sentAt = this.#env.clock.now()
    this.pump()
  }

  /** How long it was under way, beyond what the fastest ones need: no clocks are compared, only what they add. */
  #held(at: number): number {
    const now = this.#env.clock.now()
    if (now - this.#measuredAt >= MEASURE) {
      this.#measuredAt = now
      this.#fastest = [Number.POSITIVE_INFINITY, this.#fastest[0]]
    }
    const took = now - at
    if (took < this.#fastest[0]) this.#fastest[0] = took
    return took - Math.min(...this.#fastest)
  }
}
