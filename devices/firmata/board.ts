// A board with StandardFirmata: how it is met, what it says, and what it is told. It acknowledges nothing, so whatever is
// set is asked for in the same breath, and only the board's own word counts (A2).

import {
  type Cancel,
  type Command,
  type Context,
  type Driver,
  Exchange,
  type Json,
  JstpError,
  LinkError,
  outOfRange,
  PRIORITY,
  STATUS,
} from '#device'
import { busPins, bytesOf, checkBytes, isReplyOf } from './i2c.ts'
import {
  isDriven,
  isInput,
  listed,
  modeBytes,
  type Named,
  type Pin,
  pointsOf,
  portOf,
  readChange,
  reading,
  readPins,
  silenced,
} from './pins.ts'
import { type Message, Parser, say } from './protocol.ts'

/** Milliseconds that a board which restarts when its port is opened has to speak for itself. */
const BOOT = 3500
/** Milliseconds for an answer, and until a board that does not answer is asked again. */
const REPLY = 1000
const AGAIN = 2000
/** Milliseconds between two looks at who wants analog values, and between two signs of life. */
const TICK = 500
const ALIVE = 2000
/** GETs that wait for the next value of a pin. */
const WAITING = 100
type Priority = (typeof PRIORITY)[keyof typeof PRIORITY]
type Reply<Is extends Message['is']> = Extract<Message, { is: Is }>

export class Board implements Driver {
  read: NonNullable<Driver['read']> = {}
  write: NonNullable<Driver['write']> = {}
  #context: Context
  #named: Record<string, Named>
  #exchange: Exchange<Message>
  #parser: Parser
  #pins: Pin[] = []
  #isReady = false
  /** Counts meetings: what an old one still waits for does not matter. */
  #run = 0
  /** Counts stops: what has waited since before is not written any more. */
  #stops = 0
  #protocol = ''
  #isSampling = false
  #hasI2c = false
  #aliveAt = 0
  #looks = 0
  #waiting = new Map<number, (() => void)[]>()
  #timer: Cancel = () => {}

  constructor(context: Context) {
    this.#context = context
    this.#named = context.options.pins as unknown as Record<string, Named>
    this.#exchange = new Exchange(context.clock, (bytes) => context.link.write(bytes))
    this.#parser = new Parser(
      (message) => this.#message(message),
      () => context.count('broken'),
    )
    this.#declare()
  }

  up(): void {
    this.#forget()
    this.#timer = this.#context.clock.after(BOOT, () => void this.#meet())
  }

  data(bytes: Uint8Array): void {
    this.#parser.add(bytes)
  }

  down = (): void => this.#forget()

  close = (): void => this.#end()

  act = {
    stop: async (_: Record<string, Json>, command: Command): Promise<Json> => {
      this.#stops++
      if (!this.#isReady) {
        // Whatever it has: all its pins are as after a start.
        await command.write(Uint8Array.from(say.reset()))
        return { confirmed: false }
      }
      const driven = this.#pins.filter(({ mode }) => isDriven(mode))
      await command.write(Uint8Array.from(silenced(this.#pins)))
      return { confirmed: await this.#areSilent(driven) }
    },
    i2c: async (
      { address, register, write, read }: Record<string, Json>,
      command: Command,
    ): Promise<Json> => {
      const bytes = checkBytes(write)
      const isRead = typeof read === 'number'
      if (bytes.length === 0 && !isRead) throw outOfRange('i2c: "write" or "read" is needed')
      this.#needReady()
      const chip = address as number
      const told = () => [
        ...this.#i2cBegin(),
        ...(bytes.length > 0 ? say.i2cWrite(chip, bytes) : []),
        ...(isRead ? say.i2cRead(chip, register as number | undefined, read) : []),
      ]
      if (isRead)
        return {
          bytes: bytesOf(await this.#tell(command, told, (message) => isReplyOf(chip, message)), chip),
        }
      await this.#tell(command, told)
      return { confirmed: false }
    },
  }

  #message(message: Message): void {
    const { heard, set, log, name, count } = this.#context
    heard()
    if (message.is === 'text') {
      set('message', message.text)
      log.info(`${name} says: ${message.text}`)
    } else if (message.is === 'version') this.#protocol = `${message.major}.${message.minor}`
    else if (message.is === 'digital') this.#digital(message)
    else if (message.is === 'analog') this.#analog(message)
    if (this.#exchange.take(message)) return
    // Nobody has asked who it is: it has started.
    if (message.is === 'firmware') void this.#meet(message)
    else if (message.is === 'pin') count('stray')
  }

  #digital({ port, bits }: Reply<'digital'>): void {
    for (const pin of this.#pins) {
      if (portOf(pin) !== port || !isInput(pin.mode)) continue
      this.#set(pin, pin.mode, (bits & (1 << (pin.number & 7))) !== 0)
    }
  }

  #analog({ channel, value }: Reply<'analog'>): void {
    const pin = this.#pins.find((pin) => pin.channel === channel)
    if (pin?.mode !== 'analog') return
    this.#set(pin, 'analog', value)
    const waiting = this.#waiting.get(channel) ?? []
    this.#waiting.delete(channel)
    for (const resolve of waiting) resolve()
  }

  /** Asks it who it is, what it has, and how that is at present; again, until it has said all of it. */
  async #meet(firmware?: Reply<'firmware'>): Promise<void> {
    this.#forget()
    const run = this.#run
    try {
      const { name, major, minor } = firmware ?? (await this.#ask(say.askFirmware(), 'firmware'))
      const { pins } = await this.#ask(say.askCapability(), 'capability')
      const { channels } = await this.#ask(say.askMapping(), 'mapping')
      if (run !== this.#run) return
      this.#context.set('firmware', { name, version: `${major}.${minor}`, protocol: this.#protocol || null })
      this.#pins = readPins(pins, channels, this.#named, (why) => this.#context.log.error(why))
      this.#declare()
      this.#context.set('pins', listed(this.#pins))
      await this.#context.link.write(Uint8Array.from(this.#prepare()))
      for (const pin of this.#pins) {
        this.#settle(pin, await this.#askPin(pin))
        if (run !== this.#run) return
      }
      this.#isReady = true
      this.#context.set('state', 'ready')
      this.#tick()
    } catch (error) {
      if (run !== this.#run) return
      this.#context.count('unmet')
      this.#context.log.warn(`${this.#context.name} does not say what it has: ${(error as Error).message}`)
      this.#timer = this.#context.clock.after(AGAIN, () => void this.#meet())
    }
  }

  /** What it is told when it is met. What drives something waits for the first PUT: a servo would jump. */
  #prepare(): number[] {
    const inputs = this.#pins.flatMap((pin) =>
      pin.named && !isDriven(pin.named.mode) ? modeBytes(pin, pin.named.mode) : [],
    )
    const channels = this.#pins.flatMap(({ channel }) =>
      channel === undefined ? [] : say.reportAnalog(channel, false),
    )
    return [...say.sampling(this.#context.options.sampling as number), ...inputs, ...channels]
  }

  #declare(): void {
    this.#context.declare({ points: pointsOf(this.#named, this.#pins) })
    for (const pin of this.#pins) {
      this.write[pin.point] = (value, command) => this.#put(pin, value, command)
      if (pin.can.analog === undefined) continue
      this.read[pin.point] = () => (pin.mode === 'analog' ? this.#fresh(pin) : Promise.resolve())
    }
    for (const name of Object.keys(this.#named)) {
      this.write[name] ??= async () => {
        this.#needReady()
        throw refused(`${name}: the board has no such pin`, 'device')
      }
    }
  }

  async #put(pin: Pin, body: Json, command: Command): Promise<Json> {
    this.#needReady()
    const where = `${this.#context.name}/${pin.point}`
    const { mode, value } = readChange(pin, body, where)
    const bytes = () => [
      ...(mode === pin.mode ? [] : this.#becoming(pin, mode)),
      ...(value === undefined ? [] : this.#valueBytes(pin, mode, value)),
      ...say.askPin(pin.number),
    ]
    const reply = await this.#tell(
      command,
      bytes,
      (message) => message.is === 'pin' && message.pin === pin.number,
    )
    this.#settle(pin, reply as Reply<'pin'>)
    if (pin.mode === mode && (value === undefined || pin.value === value)) return reading(pin)
    throw new JstpError(
      STATUS.TIMEOUT,
      `${where}: the board says that the pin is ${pin.mode} ${pin.value}: bytes were lost on the way; set it again`,
      { code: 'unconfirmed' },
    )
  }

  #becoming(pin: Pin, mode: Parameters<typeof modeBytes>[1]): number[] {
    if (pin.mode === 'i2c') this.#hasI2c = false
    if (isInput(mode)) pin.mode = mode
    pin.isHigh = false
    const report = mode === 'analog' ? say.reportAnalog(pin.channel ?? 0, this.#isSampling) : []
    return [...modeBytes(pin, mode), ...report]
  }

  #valueBytes(pin: Pin, mode: string, value: boolean | number): number[] {
    if (mode !== 'output') return say.analog(pin.number, Number(value))
    pin.isHigh = value === true
    return say.digital(portOf(pin), this.#bitsOf(portOf(pin)))
  }

  /** Of a port, the outputs that are high. */
  #bitsOf(port: number): number {
    return this.#pins.reduce(
      (bits, pin) => (portOf(pin) === port && pin.isHigh ? bits | (1 << (pin.number & 7)) : bits),
      0,
    )
  }

  async #areSilent(driven: Pin[]): Promise<boolean> {
    try {
      for (const pin of driven) this.#settle(pin, await this.#askPin(pin, PRIORITY.stop))
    } catch (error) {
      if (error instanceof LinkError) return false
      throw error
    }
    return driven.every(({ mode, value }) => mode !== 'servo' && (value === false || value === 0))
  }

  /** The board's own word. An input's state is not its level: that comes by itself. */
  #settle(pin: Pin, { mode, value }: Reply<'pin'>): void {
    const isSame = pin.mode === mode
    if (mode === 'output') pin.isHigh = value !== 0
    if (mode === 'output') this.#set(pin, mode, value !== 0)
    else if (mode === 'pwm' || mode === 'servo') this.#set(pin, mode, value)
    else if (isInput(mode)) this.#set(pin, mode, isSame ? (pin.value ?? false) : false)
    else this.#set(pin, mode, isSame ? pin.value : null)
  }

  #set(pin: Pin, mode: Pin['mode'], value: Pin['value']): void {
    pin.mode = mode
    pin.value = value
    this.#context.set(pin.point, reading(pin))
  }

  /** The next value of an analog pin. */
  #fresh(pin: Pin): Promise<void> {
    const channel = pin.channel as number
    const waiting = this.#waiting.get(channel) ?? []
    if (waiting.length >= WAITING) return Promise.resolve()
    this.#waiting.set(channel, waiting)
    this.#sample(true)
    return new Promise((resolve) => waiting.push(resolve))
  }

  /** Analog values flow only while somebody wants them (design §9.5). */
  #sample(isWanted: boolean): void {
    if (isWanted === this.#isSampling) return
    this.#isSampling = isWanted
    const channels = this.#pins
      .filter(({ mode }) => mode === 'analog')
      .map(({ channel }) => channel as number)
    void this.#send(channels.flatMap((channel) => say.reportAnalog(channel, isWanted)))
  }

  /** A sign of life now and then; with it inputs are heard anew and outputs looked at, for a byte may have been lost. */
  #tick(): void {
    const { clock, wanted } = this.#context
    this.#timer = clock.after(TICK, () => this.#tick())
    this.#sample(wanted())
    if (clock.now() - this.#aliveAt < ALIVE) return
    this.#aliveAt = clock.now()
    const ports = new Set(this.#pins.filter(({ mode }) => isInput(mode)).map(portOf))
    void this.#send([...[...ports].flatMap((port) => say.reportDigital(port)), ...say.askVersion()])
    void this.#look()
  }

  /** Is an output still what it was told to be? One after the other. */
  async #look(): Promise<void> {
    const driven = this.#pins.filter(({ mode }) => isDriven(mode))
    const pin = driven[this.#looks++ % driven.length]
    if (!pin) return
    try {
      this.#settle(pin, await this.#askPin(pin, PRIORITY.background))
    } catch {
      this.#context.count('unanswered')
    }
  }

  #forget(): void {
    this.#end()
    this.#isReady = false
    this.#isSampling = false
    this.#hasI2c = false
    this.#parser.reset()
    this.#context.set('state', 'starting')
  }

  /** Nothing goes on any more. */
  #end(): void {
    this.#run++
    this.#timer()
    this.#exchange.fail()
    for (const resolve of [...this.#waiting.values()].flat()) resolve()
    this.#waiting.clear()
  }

  #i2cBegin(): number[] {
    if (this.#hasI2c) return []
    for (const pin of busPins(this.#pins)) this.#set(pin, 'i2c', null)
    this.#hasI2c = true
    return say.i2cBegin()
  }

  #askPin({ number }: Pin, priority: Priority = PRIORITY.poll): Promise<Reply<'pin'>> {
    return this.#ask(say.askPin(number), 'pin', priority, (message) => message.pin === number)
  }

  async #ask<Is extends Message['is']>(
    bytes: number[],
    is: Is,
    priority: Priority = PRIORITY.poll,
    isReply: (message: Reply<Is>) => boolean = () => true,
  ): Promise<Reply<Is>> {
    const match = (message: Message) => message.is === is && isReply(message as Reply<Is>)
    const ask = { bytes: Uint8Array.from(bytes), priority, match, timeout: REPLY }
    return (await this.#exchange.ask(ask)) as Reply<Is>
  }

  /** A command in its turn; the bytes are made when it has come. Not any more, if it was stopped before. */
  #tell(
    command: Command,
    bytes: () => number[],
    match?: (message: Message) => boolean,
  ): Promise<Message | undefined> {
    const stops = this.#stops
    return this.#exchange.ask({
      bytes: new Uint8Array(),
      priority: PRIORITY.command,
      match,
      timeout: REPLY,
      write: async () => {
        if (stops !== this.#stops) throw refused('not executed: somebody has stopped the board', 'busy')
        await command.write(Uint8Array.from(bytes()))
      },
    })
  }

  #needReady(): void {
    if (!this.#isReady) throw refused('the board is still starting', 'busy')
  }

  /** What fails is told by the link's end. */
  async #send(bytes: number[]): Promise<void> {
    if (bytes.length === 0) return
    await this.#context.link.write(Uint8Array.from(bytes)).catch(() => this.#context.count('unsent'))
  }
}

function refused(message: string, code: 'busy' | 'device'): JstpError {
  return new JstpError(STATUS.BAD_DISPATCH, message, { code })
}
