// One session after the other with the microcontroller at the end of a cable (LINK.md): reset and hello, delivery,
// signs of life, speed. A state machine: bytes and time in, bytes out.
//
//   closed → connecting → (switching) → up
//                ↑              │       │ repeats without an answer, silence, a hello that nobody asked for
//                └──────────────┴───────┘

import type { Cancel, Clock } from '../../../core/clock.ts'
import { Arq } from './arq.ts'
import { Connect } from './connect.ts'
import { encodeFrame, type Frame, type Hello, LARGEST, OVERHEAD, Splitter } from './frame.ts'

/** Milliseconds without a frame after which a PING is sent, from one to the next, and until the link is down. */
const IDLE = 2000
const AGAIN = 1000
const SILENT = 5000
const LOOK = 500
/** Milliseconds to wait for the answer to SETBAUD: the other side must have gone back to the old speed by then. */
const SWITCH = 1200
const SWITCH_TRIES = 3
/** Milliseconds without a frame at a new speed. */
const PROOF = 1000
/** Milliseconds that an acknowledgement waits for something to travel with. */
const SOON = 1
/** Milliseconds without a session after which people are told. */
const MISSED = 3000
const MAX_WINDOW = 3

export interface SessionEvents {
  /** `isReboot`: it has started anew since the last session, or there was none. */
  up(hello: Hello, isReboot: boolean): void
  /** `cause` is for people. It is looked for again. */
  down(cause: string): void
  dispatch(payload: Uint8Array): void
  event(seq: number, payload: Uint8Array): void
  /** More can be sent. */
  room(): void
  /** Something valid has come. */
  heard(): void
  log(level: number, text: string): void
  /** Adds to a counter. */
  count(word: string): void
}

export interface Wire {
  write(bytes: Uint8Array): void
  /** Resolves when the next byte goes out at this speed. */
  speed(speed: number): Promise<void>
}

export interface SessionSettings {
  /** Where it may be found; the first is where the port is opened. */
  speeds: number[]
  /** The speed to go on with, once it is found. */
  fast?: number
}

export class Session {
  #clock: Clock
  #random: () => number
  #wire: Wire
  #events: SessionEvents
  #settings: SessionSettings
  #state: 'closed' | 'connecting' | 'switching' | 'up' = 'closed'
  #splitter: Splitter
  #arq: Arq
  #connect: Connect
  #sid = 0
  #hello: Hello | undefined
  #boot: number | undefined
  /** The speed of the port, and the one at which the session began. */
  #speed = 0
  #base = 0
  /** How often the fast speed was asked for in vain since the port was opened. */
  #switches = 0
  #expected = 0
  #owesAck = false
  #hasNakked = false
  #heardAt = 0
  #sentAt = 0
  #pingAt = 0
  #answeredBaud: (() => void) | undefined
  #timers: Record<'ack' | 'look' | 'switch' | 'missed', Cancel> = {
    ack() {},
    look() {},
    switch() {},
    missed() {},
  }

  constructor(
    clock: Clock,
    random: () => number,
    wire: Wire,
    events: SessionEvents,
    settings: SessionSettings,
  ) {
    this.#clock = clock
    this.#random = random
    this.#wire = wire
    this.#events = events
    this.#settings = settings
    this.#splitter = new Splitter({
      frame: (frame) => this.#frame(frame),
      console: (text) => events.log(1, text.trim()),
      damaged: () => this.#damaged(),
    })
    this.#arq = new Arq(clock, {
      transmit: (number, repeated, payload) => {
        if (repeated) events.count('repeated')
        this.#write({ sid: this.#sid, type: 'data', number, repeated, next: this.#expected, payload })
        this.#owesAck = false
      },
      room: () => events.room(),
      failed: () => this.restart('it no longer acknowledges what is sent'),
    })
    this.#connect = new Connect(clock, {
      reset: () => this.#write({ sid: this.#sid, type: 'rst' }),
      speed: (speed) => this.#turn(speed),
    })
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  /** Whether something can be sent now. */
  get hasRoom(): boolean {
    return this.isUp && this.#arq.hasRoom
  }

  /** The most bytes that a dispatch may have. */
  get room(): number {
    return Math.min(this.#hello?.maxFrame ?? LARGEST, LARGEST) - OVERHEAD
  }

  /** The port has been opened, at the first speed of the settings. */
  open(): void {
    this.#speed = this.#settings.speeds[0] as number
    this.#base = this.#speed
    this.#switches = 0
    this.#begin(true)
  }

  /** The port is gone. */
  close(): void {
    this.#end()
    this.#state = 'closed'
  }

  /** Bytes have come in. */
  take(bytes: Uint8Array): void {
    if (this.#state !== 'closed') this.#splitter.take(bytes)
  }

  /** Sends a dispatch reliably, within this session. Only when there is room. */
  send(payload: Uint8Array): void {
    this.#arq.send(payload)
  }

  /** Ends this session and begins another one: what is on its way in this one is given up. */
  restart(cause: string): void {
    if (this.#state === 'closed' || this.#state === 'connecting') return
    this.#events.count('session.lost')
    this.#begin(false)
    this.#events.down(cause)
  }

  #begin(isBooting: boolean): void {
    this.#end()
    this.#state = 'connecting'
    this.#splitter.reset()
    // It may be where it was, or where it starts.
    const order = isBooting ? this.#settings.speeds : [this.#speed, this.#base, ...this.#settings.speeds]
    this.#sid = this.#newSid()
    this.#miss()
    this.#connect.start([...new Set(order)], this.#speed, isBooting)
  }

  /** Says again and again what is wrong, as long as nothing is found. */
  #miss(): void {
    this.#timers.missed = this.#clock.after(MISSED, () => {
      const { speeds } = this.#settings
      const at = speeds.length > 1 ? `at any speed from ${speeds.join(', ')}` : `at ${speeds[0]} baud`
      this.#events.down(
        `the port is open, but no firmware with our link answers ${at}: is it flashed (firmware-bridge/README.md), ` +
          'is it powered, and is the speed right?',
      )
      this.#miss()
    })
  }

  #end(): void {
    this.#connect.stop()
    for (const cancel of Object.values(this.#timers)) cancel()
    this.#arq.reset(1)
    this.#expected = 0
    this.#owesAck = false
    this.#hasNakked = false
    this.#answeredBaud = undefined
  }

  #newSid(): number {
    const sid = 1 + Math.floor(this.#random() * 255)
    return sid === this.#sid ? (sid % 255) + 1 : sid
  }

  #frame(frame: Frame): void {
    if (frame.type === 'hello') return this.#greeted(frame)
    if (frame.sid !== this.#sid || this.#state === 'connecting') return this.#events.count('stale')
    this.#heardAt = this.#clock.now()
    this.#events.heard()
    switch (frame.type) {
      case 'data':
        return this.#data(frame)
      case 'ack':
        this.#arq.acknowledge(frame.next)
        if (frame.ready) this.#arq.ready()
        else this.#arq.notReady()
        return this.#roomy()
      case 'nak':
        this.#arq.missing(frame.next)
        return this.#roomy()
      case 'event':
        return this.#events.event(frame.seq, frame.payload)
      case 'log':
        return this.#events.log(frame.level, frame.text)
      case 'ping':
        return this.#write({ sid: this.#sid, type: 'pong', payload: frame.payload })
      case 'error':
        return this.#events.log(2, `error ${frame.code}`)
      case 'setbaud-ok':
        return this.#answeredBaud?.()
      case 'pong':
        return
      default:
        this.#events.count('stale')
    }
  }

  #greeted(hello: Frame & { type: 'hello' }): void {
    if (this.#state !== 'connecting') {
      // A second answer to the same reset says nothing new.
      if (hello.sid === this.#sid && hello.boot === this.#hello?.boot) return
      return this.restart('it has started anew')
    }
    if (hello.sid !== this.#sid) return this.#write({ sid: this.#sid, type: 'rst' })
    this.#end()
    if (hello.version !== 1) {
      this.#state = 'closed'
      return this.#events.down(
        `its firmware speaks version ${hello.version} of the link, and this engine version 1: update the older one`,
      )
    }
    this.#hello = hello
    this.#heardAt = this.#sentAt = this.#pingAt = this.#clock.now()
    this.#arq.reset(Math.min(Math.max(hello.window, 1), MAX_WINDOW))
    this.#base = this.#speed
    this.#look()
    const { fast } = this.#settings
    if (fast === undefined || fast === this.#speed || this.#switches >= SWITCH_TRIES) this.#ready()
    else this.#ask(fast)
  }

  #ready(): void {
    const hello = this.#hello as Hello
    const isReboot = hello.boot !== this.#boot
    this.#state = 'up'
    this.#boot = hello.boot
    this.#events.up(hello, isReboot)
    this.#events.room()
  }

  /** Speed: both sides switch after the OK, and go back when nothing is heard there. */
  #ask(speed: number): void {
    const base = this.#speed
    this.#state = 'switching'
    this.#switches++
    this.#timers.switch = this.#clock.after(SWITCH, () => {
      if (this.#switches < SWITCH_TRIES) return this.#ask(speed)
      this.#answeredBaud = undefined
      this.#events.count('speed.refused')
      this.#ready()
    })
    this.#answeredBaud = () => {
      this.#timers.switch()
      this.#answeredBaud = undefined
      void this.#turn(speed).then(() => this.#prove(base))
    }
    this.#write({ sid: this.#sid, type: 'setbaud', speed })
  }

  #prove(base: number): void {
    const since = this.#clock.now()
    const check = () => {
      if (this.#state !== 'switching') return
      if (this.#heardAt > since) {
        this.#switches = 0
        return this.#ready()
      }
      if (this.#clock.now() - since >= PROOF) {
        this.#switches = SWITCH_TRIES
        this.#events.count('speed.refused')
        void this.#turn(base).then(() => this.#state === 'switching' && this.#begin(false))
        return
      }
      this.#ping()
      this.#timers.switch = this.#clock.after(PROOF / 20, check)
    }
    check()
  }

  #data({ number, next, payload }: Frame & { type: 'data' }): void {
    this.#arq.acknowledge(next)
    this.#arq.ready()
    if (number !== this.#expected) {
      this.#events.count('double')
      // It is ahead: one was lost. Or it has not heard our acknowledgement.
      if (((number - this.#expected) & 7) < 4) this.#nak()
      else this.#acknowledge()
      return this.#roomy()
    }
    this.#expected = (this.#expected + 1) & 7
    this.#hasNakked = false
    this.#owesAck = true
    this.#events.dispatch(payload)
    this.#roomy()
    if (!this.#owesAck) return
    if (this.#arq.isOpen) return this.#acknowledge()
    this.#timers.ack()
    this.#timers.ack = this.#clock.after(SOON, () => this.#owesAck && this.#acknowledge())
  }

  #damaged(): void {
    this.#events.count('damaged')
    if (this.isUp) this.#nak()
  }

  #nak(): void {
    if (this.#hasNakked) return
    this.#hasNakked = true
    this.#write({ sid: this.#sid, type: 'nak', next: this.#expected })
  }

  #acknowledge(): void {
    this.#timers.ack()
    this.#owesAck = false
    this.#write({ sid: this.#sid, type: 'ack', next: this.#expected, ready: true })
  }

  #roomy(): void {
    if (this.hasRoom) this.#events.room()
  }

  #look(): void {
    this.#timers.look = this.#clock.after(LOOK, () => {
      const now = this.#clock.now()
      const silent = now - this.#heardAt
      if (silent >= SILENT) return this.restart(`it has said nothing for ${SILENT / 1000} s`)
      // It stops its motors when it hears nothing: a sign of life also when it talks all the time.
      const isIdle = silent >= IDLE || now - this.#sentAt >= IDLE
      if (isIdle && now - this.#pingAt >= AGAIN) this.#ping()
      this.#look()
    })
  }

  #ping(): void {
    this.#pingAt = this.#clock.now()
    this.#write({ sid: this.#sid, type: 'ping', payload: new Uint8Array() })
  }

  async #turn(speed: number): Promise<void> {
    this.#speed = speed
    this.#splitter.reset()
    await this.#wire.speed(speed)
  }

  #write(frame: Frame): void {
    this.#sentAt = this.#clock.now()
    this.#wire.write(encodeFrame(frame))
  }
}
