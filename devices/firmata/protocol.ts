// Firmata 2.x (facts A2): bytes to what the board says, and what the host says to bytes. A byte from 0x80 on begins a message,
// data has 7 bits. There is neither checksum nor acknowledgement.

/** Modes of a pin, by Firmata's numbers. Boards list others too: those are ignored. */
export const MODES = { input: 0, output: 1, analog: 2, pwm: 3, servo: 4, i2c: 6, pullup: 11 } as const
export type Mode = keyof typeof MODES

const NAMES = new Map<number, Mode>(Object.entries(MODES).map(([name, number]) => [number, name as Mode]))

/** What the board says. */
export type Message =
  | { is: 'version'; major: number; minor: number }
  | { is: 'firmware'; major: number; minor: number; name: string }
  /** Eight pins of a port, as bits. */
  | { is: 'digital'; port: number; bits: number }
  | { is: 'analog'; channel: number; value: number }
  /** By pin: what it can be, and of how many bits its values are. */
  | { is: 'capability'; pins: Partial<Record<Mode, number>>[] }
  /** By pin: its analog channel. */
  | { is: 'mapping'; channels: (number | undefined)[] }
  | { is: 'pin'; pin: number; mode: Mode | undefined; value: number }
  | { is: 'i2c'; address: number; register: number; bytes: number[] }
  | { is: 'text'; text: string }

const DIGITAL = 0x90
const REPORT_ANALOG = 0xc0
const REPORT_DIGITAL = 0xd0
const ANALOG = 0xe0
const SYSEX = 0xf0
const PIN_MODE = 0xf4
const SYSEX_END = 0xf7
const VERSION = 0xf9
const RESET = 0xff

const EXTENDED_ANALOG = 0x6f
const SERVO = 0x70
const I2C = 0x76
const I2C_CONFIG = 0x78
const SAMPLING = 0x7a
const ASK = { capability: 0x6b, mapping: 0x69, pin: 0x6d, firmware: 0x79 } as const
const NONE = 0x7f

/** Bytes of a system exclusive message: a board with 128 pins says what they can do in less. */
const LONGEST = 8192
/** Data bytes that a board takes in one message (its buffer has 64). */
export const ROOM = 64

export const say = {
  askVersion: (): number[] => [VERSION],
  askFirmware: (): number[] => sysex(ASK.firmware),
  askCapability: (): number[] => sysex(ASK.capability),
  askMapping: (): number[] => sysex(ASK.mapping),
  askPin: (pin: number): number[] => sysex(ASK.pin, pin),
  reset: (): number[] => [RESET],
  mode: (pin: number, mode: Mode): number[] => [PIN_MODE, pin, MODES[mode]],
  /** Sets all output pins of a port. */
  digital: (port: number, bits: number): number[] => [DIGITAL | port, ...pair(bits)],
  /** The value of a PWM or servo pin. */
  analog: (pin: number, value: number): number[] =>
    pin < 16 && value < 16_384
      ? [ANALOG | pin, ...pair(value)]
      : sysex(EXTENDED_ANALOG, pin, ...pair(value), (value >> 14) & 0x7f),
  reportDigital: (port: number): number[] => [REPORT_DIGITAL | port, 1],
  reportAnalog: (channel: number, isOn: boolean): number[] => [REPORT_ANALOG | channel, isOn ? 1 : 0],
  /** Milliseconds between two reports of analog pins. */
  sampling: (ms: number): number[] => sysex(SAMPLING, ...pair(ms)),
  /** The pulses of a servo at its ends, µs. */
  servo: (pin: number, min: number, max: number): number[] => sysex(SERVO, pin, ...pair(min), ...pair(max)),
  i2cBegin: (): number[] => sysex(I2C_CONFIG, 0, 0),
  i2cWrite: (address: number, bytes: number[]): number[] => sysex(I2C, address, 0, ...bytes.flatMap(pair)),
  i2cRead: (address: number, register: number | undefined, count: number): number[] =>
    sysex(I2C, address, 8, ...(register === undefined ? [] : pair(register)), ...pair(count)),
}

/** Makes messages of bytes, however they are cut. What can't be one is counted and left out. */
export class Parser {
  #take: (message: Message) => void
  #broken: () => void
  #command = 0
  #data: number[] = []

  constructor(take: (message: Message) => void, broken: () => void) {
    this.#take = take
    this.#broken = broken
  }

  add(bytes: Uint8Array): void {
    for (const byte of bytes) this.#byte(byte)
  }

  reset(): void {
    this.#command = 0
    this.#data = []
  }

  #byte(byte: number): void {
    if (byte === SYSEX_END) {
      if (this.#command === SYSEX) return this.#end(readSysex(this.#data))
      this.reset()
      return this.#broken()
    }
    if (byte >= 0x80) {
      if (this.#command !== 0) this.#broken()
      this.#command = byte
      this.#data = []
      return
    }
    if (this.#command === 0) return this.#broken()
    this.#data.push(byte)
    if (this.#command !== SYSEX) {
      if (this.#data.length === 2) this.#end(readShort(this.#command, this.#data))
    } else if (this.#data.length > LONGEST) {
      this.reset()
      this.#broken()
    }
  }

  #end(message: Message | undefined): void {
    this.reset()
    if (message) this.#take(message)
    else this.#broken()
  }
}

function readShort(command: number, [low = 0, high = 0]: number[]): Message | undefined {
  const value = low | (high << 7)
  if (command === VERSION) return { is: 'version', major: low, minor: high }
  if ((command & 0xf0) === DIGITAL) return { is: 'digital', port: command & 0x0f, bits: value }
  if ((command & 0xf0) === ANALOG) return { is: 'analog', channel: command & 0x0f, value }
  return undefined
}

function readSysex([command, ...data]: number[]): Message | undefined {
  switch (command) {
    case 0x79:
      if (data.length < 2) return undefined
      return { is: 'firmware', major: data[0] as number, minor: data[1] as number, name: text(data.slice(2)) }
    case 0x6c:
      return readCapability(data)
    case 0x6a:
      return { is: 'mapping', channels: data.map((channel) => (channel === NONE ? undefined : channel)) }
    case 0x6e: {
      const [pin, mode, ...value] = data
      if (pin === undefined || mode === undefined) return undefined
      return { is: 'pin', pin, mode: NAMES.get(mode), value: number(value) }
    }
    case 0x77: {
      if (data.length < 4 || data.length % 2 !== 0) return undefined
      const [address = 0, register = 0, ...bytes] = pairs(data)
      return { is: 'i2c', address, register, bytes }
    }
    case 0x71:
      return { is: 'text', text: text(data) }
    default:
      return undefined
  }
}

/** Pairs of mode and bits; 0x7f ends a pin. */
function readCapability(data: number[]): Message | undefined {
  const pins: Partial<Record<Mode, number>>[] = []
  let pin: Partial<Record<Mode, number>> = {}
  for (let at = 0; at < data.length; at++) {
    if (data[at] === NONE) {
      pins.push(pin)
      pin = {}
      continue
    }
    const mode = NAMES.get(data[at] as number)
    const bits = data[++at]
    // A lost byte: everything after it would be read askew.
    if (bits === undefined || bits === NONE) return undefined
    if (mode) pin[mode] = bits
  }
  return pins.length > 0 && data.at(-1) === NONE ? { is: 'capability', pins } : undefined
}

function sysex(...bytes: number[]): number[] {
  return [SYSEX, ...bytes, SYSEX_END]
}

function pair(value: number): number[] {
  return [value & 0x7f, (value >> 7) & 0x7f]
}

function pairs(data: number[]): number[] {
  return Array.from({ length: data.length >> 1 }, (_, at) => number(data.slice(2 * at, 2 * at + 2)))
}

function number(groups: number[]): number {
  return groups.reduceRight((sum, group) => sum * 128 + group, 0)
}

function text(data: number[]): string {
  return String.fromCharCode(...pairs(data).slice(0, 200))
}
