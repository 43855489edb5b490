// A simulated Grbl 1.1 with the buffers of the real one (A3): 128 bytes received, lines of 80, 15 moves planned. It moves in
// straight lines at constant speed, and says what the recorded dialogues say.

import type { Cancel, Carrier, Clock, Simulator } from '#device'

const RECEIVE = 128
const LONGEST = 79
const PLANNED = 15
/** Milliseconds from an alarm to its wish for a reset, and for a restart. */
const ALARMED = 500
const BOOT = 50
/** Milliseconds from a hold until it stands. */
const BRAKE = 60
/** mm/min of G0. */
const RAPID = 3000

interface Move {
  to: [number, number, number]
  ms: number
}

export class GrblSimulator implements Simulator {
  /** Lines that were executed, in order. */
  readonly executed: string[] = []
  /** Bytes that came when there was no room for them, and the most that waited. */
  overflow = 0
  fullest = 0
  position: [number, number, number] = [0, 0, 0]
  resets = 0
  #clock: Clock
  #speed: number
  #carrier: Carrier | undefined
  #received: number[] = []
  #line = ''
  #planned: Move[] = []
  #moving: { from: [number, number, number]; move: Move; at: number; cancel: Cancel } | undefined
  #state: 'Idle' | 'Run' | 'Hold' | 'Alarm' | 'Jog' = 'Idle'
  /** After a hard limit it hears nothing, then only a reset. */
  #lock: 'none' | 'deaf' | 'reset' = 'none'
  #isBraking = false
  #feed = 0
  #motion = 0
  #override = 100
  #settings = new Map([
    [100, 250],
    [110, 500],
    [130, 200],
  ])
  #waiting: (() => void) | undefined
  #timers = new Set<Cancel>()

  /** `speed`: how much faster than in reality it moves. */
  constructor(clock: Clock, options: { speed?: number } = {}) {
    this.#clock = clock
    this.#speed = options.speed ?? 1
  }

  connect(carrier: Carrier): boolean {
    this.#carrier = carrier
    // Opening the port restarts the board.
    this.#later(BOOT, () => this.#restart())
    return true
  }

  disconnect(): void {
    this.#carrier = undefined
  }

  close(): void {
    for (const cancel of this.#timers) cancel()
    this.#moving?.cancel()
  }

  write(bytes: Uint8Array): boolean {
    for (const byte of bytes) this.#receive(byte)
    this.#work()
    return true
  }

  /** A limit switch is hit. */
  hitLimit(): void {
    this.#halt()
    this.#planned = []
    this.#state = 'Alarm'
    this.#lock = 'deaf'
    this.#say('ALARM:1')
    this.#later(ALARMED, () => {
      this.#lock = 'reset'
      this.#say('[MSG:Reset to continue]')
    })
  }

  /** The power fails for a moment. */
  restart(): void {
    this.#restart()
  }

  #receive(byte: number): void {
    if (byte === 0x18) return this.#lock === 'deaf' ? undefined : this.#restart()
    if (this.#lock !== 'none') return
    if (byte === 0x3f) return this.#report()
    if (byte === 0x21) return this.#hold()
    if (byte === 0x7e) return this.#resume()
    if (byte === 0x85) return this.#cancelJog()
    if (byte === 0x90) this.#override = 100
    else if (byte === 0x91) this.#override += 10
    else if (byte === 0x92) this.#override -= 10
    else if (byte === 0x93) this.#override += 1
    else if (byte === 0x94) this.#override -= 1
    else if (byte < 0x80) this.#store(byte)
  }

  #store(byte: number): void {
    if (this.#received.length >= RECEIVE) {
      this.overflow++
      return
    }
    this.#received.push(byte)
    this.fullest = Math.max(this.fullest, this.#received.length)
  }

  /** Takes lines as long as there is room for their moves. */
  #work(): void {
    while (this.#received.length > 0 && this.#lock === 'none' && !this.#waiting) {
      if (this.#planned.length >= PLANNED) return
      const byte = this.#received.shift() as number
      if (byte !== 10 && byte !== 13) this.#line += String.fromCharCode(byte)
      else {
        const line = this.#line
        this.#line = ''
        this.#execute(line)
      }
    }
  }

  #execute(line: string): void {
    if (line === '') return this.#say('ok')
    if (line.length > LONGEST) return this.#say('error:11')
    if (line.startsWith('$')) return this.#command(line)
    if (this.#state === 'Alarm') return this.#say('error:9')
    const words = [...line.matchAll(/([A-Z])([+-]?[\d.]*)/g)]
    if (words.some(([, , digits]) => digits === '')) return this.#say('error:2')
    const value = (letter: string) => words.find((word) => word[1] === letter)?.[2]
    const codes = words.filter(([, letter]) => letter === 'G').map(([, , digits]) => Number(digits))
    if (codes.some((code) => code > 99)) return this.#say('error:20')
    if (codes.includes(4)) return this.#dwell(line)
    for (const code of codes) if (code <= 3) this.#motion = code
    if (value('F') !== undefined) this.#feed = Number(value('F'))
    if (!words.some(([, letter]) => 'XYZ'.includes(letter as string))) {
      this.executed.push(line)
      return this.#say('ok')
    }
    if (this.#motion > 0 && this.#feed === 0) return this.#say('error:22')
    this.#plan(line, ['X', 'Y', 'Z'].map(value), this.#motion === 0 ? RAPID : this.#feed, false)
  }

  #plan(line: string, axes: (string | undefined)[], feed: number, isRelative: boolean): void {
    const from = this.#planned.at(-1)?.to ?? this.#moving?.move.to ?? this.position
    const to = axes.map((axis, at) => {
      if (axis === undefined) return from[at] as number
      return isRelative ? (from[at] as number) + Number(axis) : Number(axis)
    }) as [number, number, number]
    const length = Math.hypot(...to.map((end, at) => end - (from[at] as number)))
    this.#planned.push({ to, ms: (length / ((feed * this.#override) / 100)) * 60_000 })
    this.executed.push(line)
    this.#say('ok')
    this.#move()
  }

  #command(line: string): void {
    const setting = /^\$(\d+)=(.+)$/.exec(line)
    const jog = /^\$J=/.test(line)
    if (line === '$X') {
      if (this.#state === 'Alarm') {
        this.#state = 'Idle'
        this.#say('[MSG:Caution: Unlocked]')
      }
      this.#say('ok')
    } else if (line === '$$') {
      for (const [number, value] of this.#settings) this.#say(`$${number}=${value.toFixed(3)}`)
      this.#say('ok')
    } else if (setting) {
      this.#settings.set(Number(setting[1]), Number(setting[2]))
      this.#say('ok')
    } else if (jog) {
      if (this.#state === 'Alarm') return this.#say('error:9')
      const value = (letter: string) => new RegExp(`${letter}([+-]?[\\d.]+)`).exec(line.slice(3))?.[1]
      this.#state = 'Jog'
      this.#plan(line, ['X', 'Y', 'Z'].map(value), Number(value('F')), true)
    } else if (line === '$H') this.#say('error:5')
    else this.#say('error:3')
  }

  /** Its `ok` comes when everything before it has been done. */
  #dwell(line: string): void {
    const done = () => {
      this.#waiting = undefined
      this.executed.push(line)
      this.#say('ok')
      this.#work()
    }
    if (this.#moving || this.#planned.length > 0) this.#waiting = done
    else done()
  }

  #move(): void {
    if (this.#moving || this.#state === 'Hold' || this.#state === 'Alarm') return
    const move = this.#planned.shift()
    if (!move) {
      this.#state = 'Idle'
      return this.#waiting?.()
    }
    if (this.#state !== 'Jog') this.#state = 'Run'
    const cancel = this.#clock.after(move.ms / this.#speed, () => {
      this.position = move.to
      this.#moving = undefined
      this.#move()
      this.#work()
    })
    this.#moving = { from: this.position, move, at: this.#clock.now(), cancel }
  }

  /** Where it is now it stays; what is left of the move comes first. */
  #halt(): void {
    const moving = this.#moving
    if (!moving) return
    moving.cancel()
    this.#moving = undefined
    const { from, move } = moving
    const part = move.ms === 0 ? 1 : Math.min(1, ((this.#clock.now() - moving.at) * this.#speed) / move.ms)
    this.position = from.map((start, at) => start + ((move.to[at] as number) - start) * part) as typeof from
    this.#planned.unshift({ to: move.to, ms: move.ms * (1 - part) })
  }

  #hold(): void {
    if (this.#state !== 'Run') return
    this.#state = 'Hold'
    this.#isBraking = true
    this.#later(BRAKE, () => {
      this.#isBraking = false
      if (this.#state === 'Hold') this.#halt()
    })
  }

  #resume(): void {
    if (this.#state !== 'Hold') return
    this.#state = 'Run'
    this.#isBraking = false
    this.#move()
  }

  #cancelJog(): void {
    if (this.#state !== 'Jog') return
    this.#halt()
    this.#planned = []
    this.#state = 'Idle'
  }

  #restart(): void {
    const wasMoving = this.#moving !== undefined || this.#isBraking
    this.#isBraking = false
    const isLocked = wasMoving || this.#lock !== 'none' || this.#state === 'Alarm'
    this.#halt()
    this.resets++
    this.#planned = []
    this.#received = []
    this.#line = ''
    this.#waiting = undefined
    this.#lock = 'none'
    this.#override = 100
    this.#feed = 0
    this.#motion = 0
    if (wasMoving) this.#say('ALARM:3')
    this.#state = isLocked ? 'Alarm' : 'Idle'
    this.#say('')
    this.#say("Grbl 1.1h ['$' for help]")
    if (isLocked) this.#say("[MSG:'$H'|'$X' to unlock]")
  }

  #report(): void {
    const moving = this.#moving
    const part =
      moving && moving.move.ms > 0 ? ((this.#clock.now() - moving.at) * this.#speed) / moving.move.ms : 0
    const at = this.position.map((start, axis) =>
      moving ? start + ((moving.move.to[axis] as number) - start) * Math.min(1, part) : start,
    )
    const state = this.#state === 'Hold' ? `Hold:${this.#isBraking ? 1 : 0}` : this.#state
    const feed = moving ? Math.round((this.#feed * this.#override) / 100) : 0
    const position = at.map((value) => value.toFixed(3)).join(',')
    this.#say(`<${state}|MPos:${position}|FS:${feed},0|Ov:${this.#override},100,100>`)
  }

  #say(line: string): void {
    this.#carrier?.data(new TextEncoder().encode(`${line}\r\n`))
  }

  #later(ms: number, run: () => void): void {
    const cancel = this.#clock.after(ms, () => {
      this.#timers.delete(cancel)
      run()
    })
    this.#timers.add(cancel)
  }
}

export function simulator(clock: Clock, options: { speed?: number } = {}): GrblSimulator {
  return new GrblSimulator(clock, options)
}
