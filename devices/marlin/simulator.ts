// A simulated Marlin with the buffers of the real one: 128 bytes received, lines of 96, 4 commands queued, 16 moves planned. It
// checks numbers and sums, moves in straight lines at constant speed, and says what the recorded dialogues say.

import type { Cancel, Carrier, Clock, Simulator } from '#device'

const RECEIVE = 128
const LONGEST = 95
const QUEUE = 4
const PLANNED = 16
/** Milliseconds of a start, of a home, between two signs of work, between two reports, and of a stop that moves are lost in. */
const BOOT = 800
const HOME = 5000
const KEEPALIVE = 2000
const DEAF = 1000
/** Degrees that a heater gains in a second. */
const WARMING = 5
const ROOM = 21

type Axes = [x: number, y: number, z: number, e: number]

export interface MarlinOptions {
  /** M108, M112 and M410 are heard past the queue. */
  parser?: boolean
  /** How much faster than in reality it moves. */
  speed?: number
  /** An `ok` comes after every `Resend:`, as older firmware does. */
  okAfterResend?: boolean
}

export class MarlinSimulator implements Simulator {
  /** Commands that were executed, in order, and moves that were lost after a stop. */
  readonly executed: string[] = []
  lost = 0
  /** Bytes that came when there was no room for them; the most commands that it held. */
  overflow = 0
  fullest = 0
  position: Axes = [0, 0, 0, 0]
  /** What a bad cable does to what comes, byte by byte, and to a line that goes out. */
  damages: (byte: number) => number | undefined = (byte) => byte
  swallows: (line: string) => boolean = () => false
  #clock: Clock
  #options: Required<MarlinOptions>
  #carrier: Carrier | undefined
  #isUp = false
  #isKilled = false
  #received: number[] = []
  #urgent = ''
  #line = ''
  #last = 0
  #queue: string[] = []
  /** A command that takes its time. */
  #current: { cancel: Cancel } | undefined
  #planned: { to: Axes; ms: number }[] = []
  #moving: { from: Axes; to: Axes; ms: number; at: number; cancel: Cancel } | undefined
  #deafUntil = 0
  #feed = 1500
  #isRelative = false
  #isWaitingForHeat = false
  #heat = { T: { now: ROOM, target: 0 }, B: { now: ROOM, target: 0 } }
  #settings: Record<string, Record<string, number>> = {
    M92: { X: 80, Y: 80, Z: 400, E: 93 },
    M203: { X: 300, Y: 300, Z: 5, E: 25 },
  }
  #reporting: Cancel = () => {}
  #seconds: Cancel = () => {}
  #boot: Cancel = () => {}

  constructor(clock: Clock, options: MarlinOptions = {}) {
    this.#clock = clock
    this.#options = { parser: true, speed: 1, okAfterResend: true, ...options }
  }

  connect(carrier: Carrier): boolean {
    this.#carrier = carrier
    this.restart()
    return true
  }

  disconnect(): void {
    this.#carrier = undefined
  }

  close(): void {
    this.#halt()
    this.#reporting()
    this.#seconds()
    this.#boot()
    this.#current?.cancel()
    this.#current = undefined
  }

  /** Switched off and on. */
  restart(): void {
    this.close()
    this.#isUp = this.#isKilled = this.#isRelative = this.#isWaitingForHeat = false
    this.#received = []
    this.#queue = []
    this.#planned = []
    this.#line = this.#urgent = ''
    this.#last = 0
    this.#heat.T.target = this.#heat.B.target = 0
    this.#boot = this.#clock.after(BOOT, () => {
      this.#isUp = true
      this.#say('start')
      this.#say('echo:Marlin 2.1.2')
      this.#say('echo: Last Updated: 2023-01-01 | Author: (none, default config)')
      this.#second()
      this.#work()
    })
  }

  /** A heater does not behave. */
  fail(why: string): void {
    this.#say(`Error:${why}`)
    this.#kill()
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#isUp || this.#isKilled) return true
    for (const byte of bytes) {
      const heard = this.damages(byte)
      if (heard !== undefined) this.#receive(heard)
    }
    this.#work()
    return true
  }

  #receive(byte: number): void {
    if (this.#options.parser) this.#listen(byte)
    if (this.#received.length >= RECEIVE) this.overflow++
    else this.#received.push(byte)
  }

  /** Past everything: what the emergency parser hears. */
  #listen(byte: number): void {
    this.#urgent += String.fromCharCode(byte)
    if (byte !== 10) return
    const [, code] = /^(?:N\d+ ?)?M(\d+)/.exec(this.#urgent) ?? []
    this.#urgent = ''
    this.#early(code)
  }

  #early(code: string | undefined): void {
    if (code === '108') this.#isWaitingForHeat = false
    else if (code === '112') this.#kill()
    else if (code === '410') this.#stop()
  }

  /** Does what is queued, and reads lines while there is room for them. */
  #work(): void {
    while (!this.#isKilled) {
      if (!this.#current && this.#queue.length > 0) this.#execute(this.#queue.shift() as string)
      else if (this.#received.length > 0 && this.#queue.length < QUEUE) this.#read()
      else return
    }
  }

  #read(): void {
    const byte = this.#received.shift() as number
    if (byte !== 10 && byte !== 13) {
      if (this.#line.length < LONGEST) this.#line += String.fromCharCode(byte)
      return
    }
    const line = this.#line
    this.#line = ''
    if (line !== '') this.#take(line)
  }

  #take(line: string): void {
    const [, number, command = ''] = /^N(\d+) ?(.*)$/.exec(line) ?? []
    if (number === undefined) {
      if (!this.#options.parser) this.#early(/^M(\d+)/.exec(line)?.[1])
      return this.#enqueue(line)
    }
    const isSync = command.includes('M110')
    if (Number(number) !== this.#last + 1 && !isSync)
      return this.#refuse('Line Number is not Last Line Number+1')
    const star = line.lastIndexOf('*')
    if (star < 0) return this.#refuse('No Checksum with line number')
    let sum = 0
    for (let at = 0; at < star; at++) sum ^= line.charCodeAt(at)
    if (Number(line.slice(star + 1)) !== sum) return this.#refuse('checksum mismatch')
    this.#last = isSync ? Number(/N(\d+)/.exec(command)?.[1] ?? number) : Number(number)
    this.#enqueue(command.slice(0, command.lastIndexOf('*')))
  }

  #enqueue(command: string): void {
    this.#queue.push(command)
    this.fullest = Math.max(this.fullest, this.#queue.length + (this.#current ? 1 : 0))
  }

  #refuse(why: string): void {
    this.#received = []
    this.#say(`Error:${why}, Last Line: ${this.#last}`)
    this.#say(`Resend: ${this.#last + 1}`)
    if (this.#options.okAfterResend) this.#say('ok')
  }

  #execute(command: string): void {
    const [, letter = '', digits = '', rest = ''] = /^([GMT])(\d+(?:\.\d)?) ?(.*)$/.exec(command) ?? []
    const values = new Map(
      [...rest.matchAll(/([A-Z])(-?[\d.]*)/g)].map(([, name, value]) => [name as string, Number(value)]),
    )
    if (letter === 'G' && (digits === '0' || digits === '1')) return this.#plan(command, values)
    this.executed.push(command)
    if (letter === 'G') return this.#motion(command, Number(digits), values)
    if (letter === 'M') return this.#manage(command, Number(digits), values)
    this.#answerUnknown(command)
  }

  #answerUnknown(command: string): void {
    this.#say(`echo:Unknown command: "${command}"`)
    this.#say('ok')
  }

  #motion(command: string, code: number, values: Map<string, number>): void {
    const end = this.#clock.now() + (code === 4 ? (values.get('P') ?? 0) : HOME) / this.#options.speed
    if (code === 4) return this.#block(() => this.#isAtRest() && this.#clock.now() >= end)
    if (code === 28) {
      this.position = [0, 0, 0, this.position[3]]
      return this.#block(() => this.#clock.now() >= end)
    }
    if (code === 90 || code === 91) this.#isRelative = code === 91
    else if (code === 92)
      for (const [at, axis] of [...'XYZE'].entries())
        this.position[at] = values.get(axis) ?? (this.position[at] as number)
    else if (code !== 21) return this.#answerUnknown(command)
    this.#say('ok')
  }

  #manage(command: string, code: number, values: Map<string, number>): void {
    const degrees = values.get('S') ?? 0
    if (!this.#options.parser) this.#early(String(code))
    if (code === 400) return this.#block(() => this.#isAtRest())
    if (code === 104 || code === 109) this.#heat.T.target = degrees
    if (code === 140 || code === 190) this.#heat.B.target = degrees
    if (code === 109 || code === 190) {
      const heater = this.#heat[code === 109 ? 'T' : 'B']
      this.#isWaitingForHeat = true
      return this.#block(() => !this.#isWaitingForHeat || heater.now >= heater.target)
    }
    if (code === 105) return this.#say(`ok ${this.#temperatures()}`)
    if (code === 114) this.#say(this.#where())
    else if (code === 115) this.#introduce()
    else if (code === 155) this.#report(degrees)
    else if (code === 503) {
      for (const [name, letters] of Object.entries(this.#settings))
        this.#say(`echo:  ${name} ${words(letters)}`)
    } else if (this.#settings[`M${code}`])
      Object.assign(this.#settings[`M${code}`] as object, Object.fromEntries(values))
    else if (![104, 106, 107, 108, 110, 112, 117, 140, 410, 500, 84, 82, 83, 999].includes(code)) {
      return this.#answerUnknown(command)
    }
    this.#say('ok')
  }

  /** Holds everything up until it is done, and says that it is at work. */
  #block(isDone: () => boolean, done: () => void = () => this.#say('ok')): void {
    const from = this.#clock.now()
    let said = 0
    const look = () => {
      if (isDone()) {
        this.#current = undefined
        done()
        return this.#work()
      }
      const passed = Math.floor((this.#clock.now() - from) / KEEPALIVE)
      if (passed > said) {
        said = passed
        this.#say('echo:busy: processing')
      }
      this.#current = { cancel: this.#clock.after(10, look) }
    }
    look()
  }

  #plan(command: string, values: Map<string, number>): void {
    if (values.has('F')) this.#feed = values.get('F') as number
    const isDeaf = () => this.#clock.now() < this.#deafUntil
    this.#block(
      () => this.#planned.length < PLANNED || isDeaf(),
      () => {
        if (isDeaf()) this.lost++
        else this.#add(command, values)
        this.#say('ok')
      },
    )
  }

  #add(command: string, values: Map<string, number>): void {
    const from = this.#planned.at(-1)?.to ?? this.#moving?.to ?? this.position
    const to = [...'XYZE'].map((axis, at) => {
      const value = values.get(axis)
      if (value === undefined) return from[at]
      return this.#isRelative ? (from[at] as number) + value : value
    }) as Axes
    const length = Math.hypot(...to.slice(0, 3).map((end, at) => end - (from[at] as number)))
    this.#planned.push({ to, ms: (length / this.#feed) * 60_000 })
    this.executed.push(command)
    this.#move()
  }

  #move(): void {
    if (this.#moving) return
    const next = this.#planned.shift()
    if (!next) return
    const ms = next.ms / this.#options.speed
    const cancel = this.#clock.after(ms, () => {
      this.position = next.to
      this.#moving = undefined
      this.#move()
    })
    this.#moving = { from: this.position, to: next.to, ms, at: this.#clock.now(), cancel }
  }

  #isAtRest(): boolean {
    return !this.#moving && this.#planned.length === 0
  }

  /** Where it is now it stays. */
  #halt(): void {
    const moving = this.#moving
    this.#planned = []
    if (!moving) return
    moving.cancel()
    this.#moving = undefined
    const part = moving.ms === 0 ? 1 : Math.min(1, (this.#clock.now() - moving.at) / moving.ms)
    this.position = moving.from.map((start, at) => start + ((moving.to[at] as number) - start) * part) as Axes
  }

  #stop(): void {
    this.#halt()
    this.#deafUntil = this.#clock.now() + DEAF
  }

  #kill(): void {
    this.#halt()
    this.#isKilled = true
    this.#heat.T.target = this.#heat.B.target = 0
    this.#current?.cancel()
    this.#current = undefined
    this.#reporting()
    this.#say('Error:Printer halted. kill() called!')
  }

  #introduce(): void {
    this.#say(
      'FIRMWARE_NAME:Marlin 2.1.2 (Jan  1 2023 12:00:00) SOURCE_CODE_URL:github.com/MarlinFirmware/Marlin ' +
        'PROTOCOL_VERSION:1.0 MACHINE_TYPE:3D Printer EXTRUDER_COUNT:1 UUID:cede2a2f-41a2-4748-9b12-c55c62f367ff',
    )
    for (const name of ['EEPROM', 'AUTOREPORT_TEMP']) this.#say(`Cap:${name}:1`)
    this.#say(`Cap:EMERGENCY_PARSER:${this.#options.parser ? 1 : 0}`)
  }

  #report(seconds: number): void {
    this.#reporting()
    if (seconds === 0) return
    this.#reporting = this.#clock.after(seconds * 1000, () => {
      this.#say(` ${this.#temperatures()}`)
      this.#report(seconds)
    })
  }

  #second(): void {
    this.#seconds = this.#clock.after(1000, () => {
      for (const heater of Object.values(this.#heat)) {
        const goal = Math.max(heater.target, ROOM)
        const step = Math.min(WARMING * this.#options.speed, Math.abs(goal - heater.now))
        heater.now += Math.sign(goal - heater.now) * step
      }
      this.#second()
    })
  }

  #temperatures(): string {
    const { T, B } = this.#heat
    return `T:${T.now.toFixed(2)} /${T.target.toFixed(2)} B:${B.now.toFixed(2)} /${B.target.toFixed(2)} @:0 B@:0`
  }

  #where(): string {
    const [x, y, z, e] = (this.#planned.at(-1)?.to ?? this.#moving?.to ?? this.position).map((value) =>
      value.toFixed(2),
    )
    return `X:${x} Y:${y} Z:${z} E:${e} Count X:0 Y:0 Z:0`
  }

  #say(line: string): void {
    if (!this.swallows(line)) this.#carrier?.data(new TextEncoder().encode(`${line}\n`))
  }
}

function words(letters: Record<string, number>): string {
  return Object.entries(letters)
    .map(([letter, value]) => `${letter}${value.toFixed(2)}`)
    .join(' ')
}

export function simulator(clock: Clock, options: MarlinOptions = {}): MarlinSimulator {
  return new MarlinSimulator(clock, options)
}
