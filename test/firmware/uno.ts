// An ATmega328P at 16 MHz that runs our compiled firmware instruction by instruction (avr8js), with time of its own: a test
// drives it in cycles. The serial port is ours, because that of avr8js differs from the silicon where it matters here.

import {
  AVREEPROM,
  AVRIOPort,
  AVRTimer,
  avrInstruction,
  CPU,
  type EEPROMBackend,
  eepromConfig,
  portBConfig,
  portDConfig,
  timer0Config,
  timer1Config,
  timer2Config,
} from 'avr8js'

export const clockHz = 16_000_000

const register = { TCCR0A: 0x44, OCR0A: 0x47, OCR0B: 0x48, MCUSR: 0x54, SREG: 0x5f, OCR1A: 0x88 }
const usart = { A: 0xc0, B: 0xc1, divider: 0xc4, data: 0xc6 }
const flag = { received: 0x80, sent: 0x40, empty: 0x20, receiver: 0x10, double: 0x02 }
const sleepInstruction = 0x9588
const interruptsOn = 0x80

interface ClockEvents {
  nextClockEvent: { cycles: number } | null
}

export class Uno {
  cpu: CPU
  portD: AVRIOPort
  /** Bytes that came while two were still unread: the silicon loses them too. */
  overruns = 0
  /** Called with each byte when its last bit has left. */
  onByte: (byte: number) => void = () => {}
  #program: Uint16Array
  #eeprom: EEPROMBackend
  #coming: number[] = []
  #receiving = false
  #unread: number[] = []
  #shifting = false
  #held = -1
  #asleep = false

  /** @param hex the Intel HEX text of the program. */
  constructor(hex: string) {
    this.#program = new Uint16Array(readHex(hex, 0x8000).buffer)
    const memory = new Uint8Array(1024).fill(0xff)
    this.#eeprom = {
      readMemory: (at) => memory[at] ?? 0xff,
      writeMemory: (at, value) => {
        memory[at] = value
      },
      eraseMemory: (at) => {
        memory[at] = 0xff
      },
    }
    this.cpu = this.#build()
    this.portD = this.#ports()
  }

  /** As the reset button does; the EEPROM keeps what it holds. */
  reset(): void {
    this.#coming = []
    this.#unread = []
    this.#receiving = this.#shifting = this.#asleep = false
    this.#held = -1
    const { cycles } = this.cpu
    this.cpu = this.#build()
    this.cpu.cycles = cycles
    this.portD = this.#ports()
    this.cpu.data[register.MCUSR] = 2
  }

  /** Cycles for one byte of 10 bits at the present speed. */
  get cyclesPerByte(): number {
    const { data } = this.cpu
    const divider = (data[usart.divider] ?? 0) + 256 * (data[usart.divider + 1] ?? 0)
    return (divider + 1) * ((data[usart.A] ?? 0) & flag.double ? 8 : 16) * 10
  }

  /** What the program has set: duty of both motors, 0 where the pin is off. */
  get motors(): [number, number] {
    const { data } = this.cpu
    const outputs = data[register.TCCR0A] ?? 0
    return [
      outputs & 0x80 ? (data[register.OCR0A] ?? 0) : 0,
      outputs & 0x20 ? (data[register.OCR0B] ?? 0) : 0,
    ]
  }

  /** The servo's pulse in microseconds. */
  get pulse(): number {
    const { data } = this.cpu
    return ((data[register.OCR1A] ?? 0) + 256 * (data[register.OCR1A + 1] ?? 0)) / 2
  }

  /** Lets bytes arrive, one after the other at the present speed. */
  send(bytes: Uint8Array): void {
    this.#coming.push(...bytes)
    this.#receive()
  }

  run(cycles: number): void {
    const { cpu } = this
    const { data, progMem } = cpu
    const end = cpu.cycles + cycles
    while (cpu.cycles < end) {
      if (this.#asleep) {
        const { nextClockEvent } = cpu as unknown as ClockEvents
        const next = nextClockEvent ? nextClockEvent.cycles : end
        cpu.cycles = Math.min(Math.max(next, cpu.cycles + 1), end)
        const { pc } = cpu
        cpu.tick()
        if (cpu.pc !== pc) this.#asleep = false
        continue
      }
      if (progMem[cpu.pc] === sleepInstruction) this.#asleep = true
      const before = data[register.SREG] ?? 0
      avrInstruction(cpu)
      // When interrupts are switched on, one more instruction runs before the first is taken.
      if (!this.#asleep && (data[register.SREG] ?? 0) & ~before & interruptsOn) avrInstruction(cpu)
      const { pc } = cpu
      cpu.tick()
      if (cpu.pc !== pc) this.#asleep = false
    }
  }

  #build(): CPU {
    const cpu = new CPU(this.#program)
    for (const config of [timer0Config, timer1Config, timer2Config]) new AVRTimer(cpu, config)
    new AVREEPROM(cpu, this.#eeprom, eepromConfig)
    new AVRIOPort(cpu, portBConfig)
    const interrupt = (address: number, flagMask: number, enableMask: number) => ({
      address,
      flagRegister: usart.A,
      flagMask,
      enableRegister: usart.B,
      enableMask,
      constant: true,
    })
    this.#received = interrupt(0x24, flag.received, 0x80)
    this.#empty = interrupt(0x26, flag.empty, 0x20)
    cpu.data[usart.A] = flag.empty
    cpu.writeHooks[usart.A] = (value) => {
      const kept = (cpu.data[usart.A] ?? 0) & (flag.received | flag.empty)
      const sent = (cpu.data[usart.A] ?? 0) & flag.sent & ~value
      cpu.data[usart.A] = kept | sent | (value & 3)
      return true
    }
    cpu.writeHooks[usart.B] = (value) => {
      cpu.data[usart.B] = value
      cpu.updateInterruptEnable(this.#received, value)
      cpu.updateInterruptEnable(this.#empty, value)
      return true
    }
    cpu.readHooks[usart.data] = () => {
      const byte = this.#unread.shift() ?? 0
      if (this.#unread.length === 0) cpu.clearInterrupt(this.#received)
      return byte
    }
    cpu.writeHooks[usart.data] = (value) => {
      if (this.#shifting) {
        this.#held = value
        cpu.clearInterrupt(this.#empty)
      } else this.#shift(value)
      return true
    }
    return cpu
  }

  #received = { address: 0, flagRegister: 0, flagMask: 0, enableRegister: 0, enableMask: 0 }
  #empty = this.#received

  #ports(): AVRIOPort {
    const port = new AVRIOPort(this.cpu, portDConfig)
    port.setPin(3, true)
    return port
  }

  #shift(byte: number): void {
    const { cpu } = this
    this.#shifting = true
    cpu.setInterruptFlag(this.#empty)
    cpu.addClockEvent(() => {
      if (this.cpu !== cpu) return
      this.#shifting = false
      this.onByte(byte)
      if (this.#held < 0) cpu.data[usart.A] = (cpu.data[usart.A] ?? 0) | flag.sent
      else {
        const held = this.#held
        this.#held = -1
        this.#shift(held)
      }
    }, this.cyclesPerByte)
  }

  #receive(): void {
    const { cpu } = this
    if (this.#receiving || this.#coming.length === 0) return
    this.#receiving = true
    cpu.addClockEvent(() => {
      if (this.cpu !== cpu) return
      this.#receiving = false
      const byte = this.#coming.shift() ?? 0
      if ((cpu.data[usart.B] ?? 0) & flag.receiver) {
        if (this.#unread.length === 2) this.overruns++
        else this.#unread.push(byte)
        cpu.setInterruptFlag(this.#received)
      }
      this.#receive()
    }, this.cyclesPerByte)
  }
}

function readHex(text: string, size: number): Uint8Array {
  const program = new Uint8Array(size).fill(0xff)
  for (const line of text.split(/\r?\n/)) {
    if (!line.startsWith(':')) continue
    const bytes = Buffer.from(line.slice(1), 'hex')
    if (bytes[3] === 0) program.set(bytes.subarray(4, -1), bytes.readUInt16BE(1))
  }
  return program
}
