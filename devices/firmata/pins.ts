// The pins of a board: what each can be, what it is, and the point that it has.

import { check, type Field, type Json, outOfRange, type Point } from '#device'
import { MODES, type Mode, say } from './protocol.ts'

/** What a pin can be told to be. */
export type PinMode = Exclude<Mode, 'i2c'>

/** A pin as the configuration names it. */
export interface Named {
  pin: number | string
  mode: PinMode
  min?: number
  max?: number
}

export interface Pin {
  number: number
  /** Its modes, and how many bits its values have then. */
  can: Partial<Record<Mode, number>>
  /** Its analog channel. */
  channel: number | undefined
  /** What the board has said that it is. */
  mode: Mode | undefined
  /** null: not known, or none. */
  value: boolean | number | null
  /** What it was told last, as an output. */
  isHigh: boolean
  /** Its point, and what it is always, if the configuration says so. */
  point: string
  named: Named | undefined
}

/** Servos' pulses at their ends, µs, as the board has them. */
const PULSES = { min: 544, max: 2400 }
/** Bits where the board has not spoken yet. */
const BITS: Partial<Record<Mode, number>> = { analog: 10, pwm: 8 }

export const isInput = (mode: Mode | undefined): boolean => mode === 'input' || mode === 'pullup'
export const isDriven = (mode: Mode | undefined): boolean =>
  mode === 'output' || mode === 'pwm' || mode === 'servo'
export const portOf = ({ number }: Pin): number => number >> 3

/**
 * The pins that can be anything; what the configuration says of others is left out and told to `refuse`.
 * @param channels of every pin, its analog channel
 */
export function readPins(
  capability: Partial<Record<Mode, number>>[],
  channels: (number | undefined)[],
  named: Record<string, Named>,
  refuse: (why: string) => void,
): Pin[] {
  const pins = capability.map(
    (can, number): Pin => ({
      number,
      can,
      channel: channels[number],
      mode: undefined,
      value: null,
      isHigh: false,
      point: `pin/${number}`,
      named: undefined,
    }),
  )
  for (const [point, settings] of Object.entries(named)) {
    const pin = pins.find(({ number, channel }) =>
      typeof settings.pin === 'number' ? number === settings.pin : `A${channel}` === settings.pin,
    )
    if (!pin) refuse(`"${point}": the board has no pin ${settings.pin}`)
    else if (pin.can[settings.mode] === undefined)
      refuse(`"${point}": pin ${pin.number} can't be ${settings.mode}`)
    else if (pin.named) refuse(`"${point}": pin ${pin.number} is "${pin.point}" already`)
    else Object.assign(pin, { point, named: settings })
  }
  return pins.filter(({ can }) => modesOf(can).length > 0)
}

/** The points of the pins; those of named pins also before the board has said what it has. */
export function pointsOf(named: Record<string, Named>, pins: Pin[]): Record<string, Point> {
  const bits = new Map(pins.map((pin) => [pin.point, pin.can]))
  return Object.fromEntries([
    ...Object.entries(named).map(([name, settings]) => [name, namedPoint(settings, bits.get(name))]),
    ...pins.filter(({ named }) => !named).map((pin) => [pin.point, freePoint(pin)]),
  ])
}

/** What it is, as its point says it. */
export function reading({ mode, value, named }: Pin): Json {
  if (!named) return { mode: mode ?? null, value }
  return mode === named.mode ? value : null
}

/** As the point `pins` lists them. */
export function listed(pins: Pin[]): Json {
  return Object.fromEntries(
    pins.map(({ number, can, channel, point }) => [
      number,
      { point, can, ...(channel !== undefined && { analog: `A${channel}` }) },
    ]),
  )
}

export interface Change {
  mode: PinMode
  value: boolean | number | undefined
}

/**
 * What a PUT asks for.
 * @throws {JstpError} 400 `{ code: "range" }`
 */
export function readChange(pin: Pin, body: Json, where: string): Change {
  const { mode, value } = pin.named
    ? { mode: pin.named.mode, value: body }
    : (body as { mode?: PinMode; value?: Json })
  const next = mode ?? pin.mode
  if (next === undefined || next === 'i2c') throw outOfRange(`${where}: "mode" is needed: what is it to be?`)
  if (value === undefined) return { mode: next, value: undefined }
  if (!isDriven(next)) throw outOfRange(`${where}: its mode is ${next}: it can be read, not set`)
  return { mode: next, value: check(fieldOf(next, pin.can), value, where) as boolean | number }
}

/** The bytes that make a pin what it is to be. */
export function modeBytes(pin: Pin, mode: PinMode): number[] {
  const { min = PULSES.min, max = PULSES.max } = pin.named ?? {}
  const isOwn = mode === 'servo' && (min !== PULSES.min || max !== PULSES.max)
  return [
    ...(isOwn ? say.servo(pin.number, min, max) : []),
    ...say.mode(pin.number, mode),
    // What it says from now on begins with how it is now.
    ...(isInput(mode) ? say.reportDigital(portOf(pin)) : []),
  ]
}

/** What brings everything to rest that is driven. */
export function silenced(pins: Pin[]): number[] {
  for (const pin of pins) pin.isHigh = false
  return [
    ...pins.flatMap(({ number, mode }) => {
      if (mode === 'servo') return say.mode(number, 'output')
      return mode === 'pwm' ? say.analog(number, 0) : []
    }),
    ...[...new Set(pins.map(portOf))].flatMap((port) => say.digital(port, 0)),
  ]
}

function namedPoint({ pin, mode }: Named, can: Pin['can'] = BITS): Point {
  const field = fieldOf(mode, can)
  const methods: Point['methods'] = isDriven(mode) ? ['GET', 'PUT'] : ['GET']
  return { methods, ...field, description: `${field.description}, pin ${pin}` }
}

function freePoint({ number, can }: Pin): Point {
  return {
    methods: ['GET', 'PUT'],
    type: 'object',
    fields: {
      mode: { type: 'string', values: modesOf(can), description: 'What it is' },
      value: { type: ['boolean', 'number'], description: 'High or low, of PWM its share, of servos degrees' },
    },
    description: `Pin ${number}: its mode and its value`,
  }
}

function fieldOf(mode: PinMode, can: Pin['can']): Field {
  const most = 2 ** (can[mode] ?? BITS[mode] ?? 1) - 1
  switch (mode) {
    case 'analog':
      return { type: 'integer', range: [0, most], description: 'Analog input' }
    case 'pwm':
      return { type: 'integer', range: [0, most], description: 'PWM output' }
    case 'servo':
      return { type: 'integer', unit: '°', range: [0, 180], description: 'Servo' }
    case 'output':
      return {
        type: 'boolean',
        aliases: { high: true, low: false, on: true, off: false },
        description: 'Output',
      }
    case 'pullup':
      return { type: 'boolean', description: 'Input with pull-up; true is high' }
    case 'input':
      return { type: 'boolean', description: 'Input; true is high' }
  }
}

function modesOf(can: Pin['can']): PinMode[] {
  return (Object.keys(can) as Mode[]).filter((mode): mode is PinMode => mode !== 'i2c' && mode in MODES)
}
