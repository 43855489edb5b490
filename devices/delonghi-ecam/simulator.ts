// The simulated machine as its host meets it: requests and replies byte for byte as in the fact sheet and its captured
// frames, cut into notifications, and every way in which a link can fail.

import type { Carrier, Clock, Simulator } from '#device'
import { fromHost, toHost } from './frame.ts'
import { PROFILES } from './simulator-data.ts'
import { INGREDIENTS, MODE, REQUEST, TRIGGER } from './tables.ts'
import { recipeBytes, Works } from './works.ts'

/** Milliseconds from a request to its reply. */
const REPLY = 30
/** Bytes of one notification at the smallest MTU. */
const PIECE = 20
/** Milliseconds that it stays away when it vanishes. */
const AWAY = 3000

/**
 * When the link breaks on the next brew:
 * - `in-write` before the machine has taken it
 * - `confirmation` the machine has taken it, the write is not confirmed
 * - `reply` the write is confirmed, the reply does not come
 * - `brewing` in the middle of it
 */
export type Break = 'in-write' | 'confirmation' | 'reply' | 'brewing'

/** A machine that is off, full, and has its water spout on. */
export function simulator(clock: Clock, options: { speed?: number } = {}): EcamSimulator {
  return new EcamSimulator(clock, options.speed ?? 1)
}

export class EcamSimulator extends Works implements Simulator {
  /** How often it was told to stop. */
  stops = 0
  /** The clock as it was set, hour and minute. */
  time: [hour: number, minute: number] | undefined

  #clock: Clock
  #carrier: Carrier | undefined
  #break: Break | undefined
  #awayUntil = 0
  #corrupt = false
  #mute = false
  #profile = 1

  constructor(clock: Clock, speed: number) {
    super(clock, speed)
    this.#clock = clock
  }

  /** Breaks the link now, or on the next brew. The machine goes on with what it does and is back after `ms`. */
  vanish(when: Break | 'now' = 'now', ms = AWAY): void {
    if (when === 'now') return void this.#vanish(ms)
    this.#break = when
  }

  /** Damages the next frame. */
  corrupt(): void {
    this.#corrupt = true
  }

  /** Takes everything and says nothing. */
  mute(mute = true): void {
    this.#mute = mute
  }

  // Simulator

  connect(carrier: Carrier): boolean {
    if (this.#clock.now() < this.#awayUntil) return false
    this.#carrier = carrier
    return true
  }

  disconnect(): void {
    this.#carrier = undefined
  }

  write(bytes: Uint8Array): boolean {
    const payload = fromHost(bytes)
    if (!payload) return true // confirmed by the radio, not understood by the machine
    const brewing = payload[0] === REQUEST.brew && payload[3] === TRIGGER.start
    if (brewing && this.#break === 'in-write') return this.#vanish()
    const reply = this.#handle(payload)
    if (brewing && this.#break === 'confirmation') return this.#vanish()
    if (brewing && this.#break === 'reply') this.after(0, () => this.#vanish())
    else if (reply) this.after(REPLY, () => this.#say(reply))
    return true
  }

  close(): void {
    this.rest()
    this.#carrier = undefined
  }

  // What it answers

  #handle(payload: Uint8Array): number[] | undefined {
    const [id = 0, group = 0, first = 0, second = 0, third = 0] = payload
    switch (id) {
      case REQUEST.monitor:
        return [id, group, ...this.status()]
      case REQUEST.monitorV1: {
        const [, low = 0, high = 0, alarms = 0, more = 0, state = 0] = this.status()
        return [id, group, alarms, more, 0, 0, state, low, high, 0, 0, 0, 0]
      }
      case REQUEST.brew:
        return this.#brew(payload) ? [id, group, 1, 0] : undefined
      case REQUEST.power:
        if (second === 1) this.power(first === 2)
        return undefined
      case REQUEST.recipe:
        return [id, group, first, second, ...recipeBytes(second, 1)]
      case REQUEST.limits:
        return [id, group, first, ...recipeBytes(first, 2)]
      case REQUEST.profileNames:
        return [
          id,
          group,
          ...PROFILES.slice(first - 1, second).flatMap(([name, icon]) => [...utf16(name), icon]),
        ]
      case REQUEST.selectProfile:
        if (first <= PROFILES.length) this.#profile = first
        return [id, group, first, this.#profile === first ? 0 : 1]
      case REQUEST.statistics: {
        const from = first * 256 + second
        const counters = [...this.counters].filter(([counter]) => counter >= from && counter < from + third)
        return [id, group, ...counters.flatMap(([counter, value]) => [...big(counter, 2), ...big(value, 4)])]
      }
      case REQUEST.readParameter: {
        const from = first * 256 + second
        const values = Array.from(
          { length: Math.min(third, 4) },
          (_, at) => this.parameters.get(from + at) ?? 0,
        )
        return [id, group, first, second, ...values.flatMap((value) => big(value, 2))]
      }
      case REQUEST.writeParameter:
        this.parameters.set(first * 256 + second, (payload[6] ?? 0) * 256 + (payload[7] ?? 0))
        return undefined
      case REQUEST.setTime:
        this.time = [first, second]
        return undefined
      default:
        return undefined
    }
  }

  /** A brew or a stop. Says whether it takes it; what it can't do now it ignores. */
  #brew(payload: Uint8Array): boolean {
    const [, , beverage = 0, trigger] = payload
    if (trigger === TRIGGER.stop) {
      this.stops++
      return this.stop()
    }
    const amounts = ingredients(payload.subarray(4))
    return trigger === TRIGGER.start && amounts !== undefined && this.start({ beverage, amounts })
  }

  /** In the middle of a drink. */
  protected override pouring(): void {
    if (this.#break === 'brewing') this.#vanish()
  }

  #say(payload: number[]): void {
    if (this.#mute) return
    const frame = toHost(payload)
    if (this.#corrupt) frame[frame.length - 3] = (frame.at(-3) ?? 0) ^ 0x10
    this.#corrupt = false
    for (let at = 0; at < frame.length; at += PIECE) this.#carrier?.data(frame.slice(at, at + PIECE))
  }

  #vanish(ms = AWAY): false {
    this.#break = undefined
    this.#awayUntil = this.#clock.now() + ms
    const carrier = this.#carrier
    this.#carrier = undefined
    carrier?.gone('the machine does not answer any more; it is out of range or has no power')
    return false
  }
}

/** What a start says: value by ingredient, and the mode at the end. Undefined: not understood, or not to be prepared. */
function ingredients(bytes: Uint8Array): Map<number, number> | undefined {
  const amounts = new Map<number, number>()
  let at = 0
  while (at < bytes.length - 1) {
    const id = bytes[at] ?? 0
    const width = INGREDIENTS.find((ingredient) => ingredient.id === id)?.width
    if (!width) return undefined
    const high = bytes[at + 1] ?? 0
    amounts.set(id, width === 1 ? high : high * 256 + (bytes[at + 2] ?? 0))
    at += 1 + width
  }
  const mode = bytes.at(-1)
  return mode === MODE.prepare || mode === MODE.prepareInverted ? amounts : undefined
}

function utf16(name: string): number[] {
  return Array.from({ length: 10 }, (_, at) => big(name.charCodeAt(at) || 0, 2)).flat()
}

function big(value: number, width: 2 | 4): number[] {
  return Array.from({ length: width }, (_, at) => (value >>> (8 * (width - 1 - at))) & 0xff)
}
