// An Arduino Uno with StandardFirmata 2.5 without the board: it says what the recorded one says (A2), and forgets everything
// when its port is opened. Analog inputs drift slowly, so that there is something to see.

import type { Cancel, Carrier, Clock, Simulator } from '#device'

/** Milliseconds from the opening of the port until it speaks. */
const BOOT = 1900
/** Bytes of one message that it takes: its buffer has no more. */
const ROOM = 64
const NAME = 'StandardFirmata.ino'
const PWM = [3, 5, 6, 9, 10, 11]
const I2C = [18, 19]

const MODE = { input: 0, output: 1, analog: 2, pwm: 3, servo: 4, i2c: 6, pullup: 11 }

interface SimulatedPin {
  mode: number
  state: number
}

export class FirmataSimulator implements Simulator {
  readonly pins: SimulatedPin[] = []
  /** What drives digital inputs; without: low, or high by the pull-up. */
  readonly levels = new Map<number, boolean>()
  /** Of analog channels, 0 to 1023. */
  readonly analog = [512, 300, 0, 1023, 100, 700]
  /** Chips on the I2C bus, as their registers. */
  readonly chips = new Map([[0x48, Uint8Array.from({ length: 32 }, (_, at) => at * 3)]])
  /** Messages that it took, as hexadecimal. */
  readonly taken: string[] = []
  /** Of the bytes that come, which are lost: a cable without a checksum. */
  loses: (byte: number) => boolean = () => false
  drifts = true
  #clock: Clock
  #carrier: Carrier | undefined
  #isUp = false
  #bytes: number[] = []
  #digital = new Set<number>()
  #analogOn = new Set<number>()
  #interval = 19
  #pointer = 0
  #said = new Map<number, number>()
  #boot: Cancel = () => {}
  #sampling: Cancel = () => {}

  constructor(clock: Clock) {
    this.#clock = clock
  }

  connect(carrier: Carrier): boolean {
    this.#carrier = carrier
    this.reset()
    return true
  }

  disconnect(): void {
    this.#carrier = undefined
  }

  close(): void {
    this.#boot()
    this.#sampling()
  }

  /** The reset button, or a power cut. */
  reset(): void {
    this.close()
    this.#isUp = false
    this.#bytes = []
    this.#boot = this.#clock.after(BOOT, () => {
      this.#isUp = true
      this.#clear()
      this.#say(0xf9, 2, 5)
      this.#firmware()
      this.#sample()
    })
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isUp) for (const byte of bytes) if (!this.loses(byte)) this.#byte(byte)
    return true
  }

  /** Something outside drives a digital input. */
  drive(pin: number, isHigh: boolean): void {
    this.levels.set(pin, isHigh)
    if (this.#digital.has(pin >> 3)) this.#port(pin >> 3, false)
  }

  #byte(byte: number): void {
    const first = this.#bytes[0]
    if (byte >= 0x80 && byte !== 0xf7) this.#bytes = [byte]
    else if (first !== undefined) this.#bytes.push(byte)
    if (this.#bytes.length > ROOM + 2) this.#bytes = []
    const [command = 0, ...data] = this.#bytes
    if (byte === 0xff) return this.#done(() => this.#clear())
    if (byte === 0xf9) return this.#done(() => this.#say(0xf9, 2, 5))
    if (command === 0xf0) {
      if (byte === 0xf7) this.#done(() => this.#sysex(data[0] ?? 0, data.slice(1, -1)))
    } else if (data.length === 1 && (command & 0xe0) === 0xc0) {
      this.#done(() => this.#report(command, data[0] === 1))
    } else if (data.length === 2) this.#done(() => this.#short(command, data[0] ?? 0, data[1] ?? 0))
  }

  #done(act: () => void): void {
    this.taken.push(this.#bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(''))
    if (this.taken.length > 1000) this.taken.shift()
    this.#bytes = []
    act()
  }

  #short(command: number, low: number, high: number): void {
    if (command === 0xf4) return this.#setMode(low, high)
    const value = low | (high << 7)
    const number = command & 0x0f
    if ((command & 0xf0) === 0xe0) this.#write(number, value)
    else if ((command & 0xf0) === 0x90) {
      for (let at = 0; at < 8; at++) {
        const pin = this.pins[number * 8 + at]
        if (pin?.mode === MODE.output || pin?.mode === MODE.input) pin.state = (value >> at) & 1
      }
    }
  }

  #write(number: number, value: number): void {
    const pin = this.pins[number]
    if (pin?.mode === MODE.pwm || pin?.mode === MODE.servo) pin.state = value
  }

  #report(command: number, isOn: boolean): void {
    const number = command & 0x0f
    const reported = (command & 0xf0) === 0xc0 ? this.#analogOn : this.#digital
    if (isOn) reported.add(number)
    else reported.delete(number)
    if (isOn && reported === this.#digital) this.#port(number, true)
  }

  #setMode(number: number, mode: number): void {
    const pin = this.pins[number]
    if (!pin || !canBe(number).some(([can]) => can === mode)) return
    pin.mode = mode
    pin.state = mode === MODE.pullup ? 1 : 0
    if (mode === MODE.analog) this.#analogOn.add(number - 14)
    else if (number >= 14) this.#analogOn.delete(number - 14)
  }

  #sysex(command: number, data: number[]): void {
    const [pin = 0] = data
    if (command === 0x79) this.#firmware()
    else if (command === 0x6b) {
      this.#say(0xf0, 0x6c, ...this.pins.flatMap((_, number) => [...canBe(number).flat(), 0x7f]), 0xf7)
    } else if (command === 0x69) {
      this.#say(0xf0, 0x6a, ...this.pins.map((_, number) => (number < 14 ? 0x7f : number - 14)), 0xf7)
    } else if (command === 0x6d) {
      const { mode, state } = this.pins[pin] ?? { mode: 0x7f, state: 0 }
      const high = state >> 7
      this.#say(0xf0, 0x6e, pin, mode, state & 0x7f, ...(high ? [high] : []), 0xf7)
    } else if (command === 0x6f) this.#write(pin, (data[1] ?? 0) | ((data[2] ?? 0) << 7))
    else if (command === 0x70) this.#setMode(pin, MODE.servo)
    else if (command === 0x7a) this.#interval = Math.max(10, pin | ((data[1] ?? 0) << 7))
    else if (command === 0x78) for (const number of I2C) this.#setMode(number, MODE.i2c)
    else if (command === 0x76) this.#i2c(data)
  }

  #i2c([address = 0, mode = 0, ...rest]: number[]): void {
    const values = Array.from(
      { length: rest.length >> 1 },
      (_, at) => (rest[2 * at] ?? 0) | ((rest[2 * at + 1] ?? 0) << 7),
    )
    const chip = this.chips.get(address)
    if (mode === 0) {
      this.#pointer = values[0] ?? 0
      for (const [at, value] of values.slice(1).entries()) if (chip) chip[this.#pointer + at] = value
      return
    }
    const [register, count = 0] = values.length > 1 ? values : [undefined, values[0]]
    if (register !== undefined) this.#pointer = register
    if (!chip) this.#text('I2C: Too few bytes received')
    const bytes = Array.from({ length: chip ? count : 1 }, (_, at) => chip?.[this.#pointer + at] ?? 0)
    this.#say(0xf0, 0x77, ...[address, register ?? 0, ...bytes].flatMap(pair), 0xf7)
  }

  /** As at the start: analog pins are inputs, all others outputs at low. */
  #clear(): void {
    this.#digital.clear()
    this.#analogOn.clear()
    this.#said.clear()
    this.#interval = 19
    this.pins.length = 0
    for (let number = 0; number < 20; number++) {
      this.pins.push({ mode: number < 14 ? MODE.output : MODE.analog, state: 0 })
    }
  }

  #port(port: number, isAlways: boolean): void {
    let bits = 0
    for (let at = 0; at < 8; at++) {
      const number = port * 8 + at
      const mode = this.pins[number]?.mode
      const isInput = mode === MODE.input || mode === MODE.pullup
      if (isInput && (this.levels.get(number) ?? mode === MODE.pullup)) bits |= 1 << at
    }
    if (!isAlways && this.#said.get(port) === bits) return
    this.#said.set(port, bits)
    this.#say(0x90 | port, ...pair(bits))
  }

  #sample(): void {
    this.#sampling = this.#clock.after(this.#interval, () => this.#sample())
    for (const channel of this.#analogOn) {
      const drift = this.drifts ? Math.round(20 * Math.sin(this.#clock.now() / 5000 + channel)) : 0
      const value = Math.max(0, Math.min(1023, (this.analog[channel] ?? 0) + drift))
      this.#say(0xe0 | channel, ...pair(value))
    }
  }

  #firmware(): void {
    this.#say(0xf0, 0x79, 2, 5, ...[...NAME].flatMap((letter) => pair(letter.charCodeAt(0))), 0xf7)
  }

  #text(text: string): void {
    this.#say(0xf0, 0x71, ...[...text].flatMap((letter) => pair(letter.charCodeAt(0))), 0xf7)
  }

  #say(...bytes: number[]): void {
    this.#carrier?.data(Uint8Array.from(bytes))
  }
}

/** Modes of a pin with their bits, in the order of the recorded capability report. */
function canBe(number: number): [mode: number, bits: number][] {
  if (number < 2) return []
  const all: [number, number][] = [
    [MODE.input, 1],
    [MODE.pullup, 1],
    [MODE.output, 1],
  ]
  if (number >= 14) all.push([MODE.analog, 10])
  if (PWM.includes(number)) all.push([MODE.pwm, 8])
  all.push([MODE.servo, 14])
  if (I2C.includes(number)) all.push([MODE.i2c, 1])
  return all
}

function pair(value: number): [number, number] {
  return [value & 0x7f, (value >> 7) & 0x7f]
}

export function simulator(clock: Clock): FirmataSimulator {
  return new FirmataSimulator(clock)
}
