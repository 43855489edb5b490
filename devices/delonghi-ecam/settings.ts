// Settings, profiles, statistics and the clock of the machine: read when somebody asks, at a pace that it can bear.

import { type Command, type Json, JstpError, LinkError, PRIORITY, STATUS } from '#device'
import type { Machine } from './machine.ts'
import {
  AUTO_OFF,
  PARAMETER,
  REQUEST,
  request,
  SETTING_BASE,
  SETTING_BITS,
  STATISTICS,
  STATISTICS_REQUESTS,
} from './tables.ts'

/** Milliseconds for a reply. */
const TIMEOUT = 1000
/** Milliseconds: least age of statistics before they are read again, and pause between their requests. */
const STATISTICS_AGE = 60_000
const STATISTICS_PAUSE = 300
/** Milliseconds: least age of the settings before they are read again. */
const SETTINGS_AGE = 5000

export class Settings {
  #machine: Machine
  #parameters = new Map<number, number>()
  #settingsAt = -Infinity
  #statisticsAt = -Infinity
  /** A reading under way: whoever asks meanwhile waits for the same. */
  #readingSettings: Promise<void> | undefined
  #readingStatistics: Promise<void> | undefined

  constructor(machine: Machine) {
    this.#machine = machine
  }

  /** Brings `settings` up to date. */
  read(): Promise<void> {
    if (this.#now() - this.#settingsAt < SETTINGS_AGE) return Promise.resolve()
    this.#readingSettings ??= this.#readAll().finally(() => {
      this.#readingSettings = undefined
    })
    return this.#readingSettings
  }

  /** Writes what is in the object, and reads it back where the machine tells it. */
  async write(wanted: Record<string, Json>, command: Command): Promise<Json> {
    let confirmed = true
    const clock = wanted.clock as string | undefined
    if (clock) {
      const [hour = 0, minute = 0] = clock.split(':').map(Number)
      await this.#machine.send(request(REQUEST.setTime, hour, minute), (bytes) => command.write(bytes))
      confirmed = false // it can't be read
    }
    for (const [id, value] of await this.#values(wanted)) {
      await this.#machine.send(request(REQUEST.writeParameter, ...word(id), 0, 0, ...word(value)), (bytes) =>
        command.write(bytes),
      )
      confirmed = (await this.#stands(id, value, PRIORITY.command)) && confirmed
      this.#parameters.set(id, value)
      this.#show()
    }
    return { confirmed }
  }

  /** @throws {JstpError} 400 `device`: it says no */
  async select(profile: number, command: Command): Promise<void> {
    const reply = await this.#machine.ask(request(REQUEST.selectProfile, profile), {
      priority: PRIORITY.command,
      timeout: Math.min(2 * TIMEOUT, command.left()),
      more: [profile],
      write: (bytes) => command.write(bytes),
    })
    const status = reply[3] ?? 0
    if (status !== 0) {
      throw new JstpError(
        STATUS.BAD_DISPATCH,
        `the machine does not take profile ${profile} (it says ${status})`,
        {
          code: 'device',
        },
      )
    }
    this.#machine.context.set('profile', profile)
    await this.#machine.useProfile(profile)
  }

  /** Brings `statistics` up to date, once a minute at most. */
  statistics(): Promise<void> {
    if (this.#now() - this.#statisticsAt < STATISTICS_AGE) return Promise.resolve()
    this.#readingStatistics ??= this.#readStatistics().finally(() => {
      this.#readingStatistics = undefined
    })
    return this.#readingStatistics
  }

  /** The values of the parameters that these settings change. */
  async #values(wanted: Record<string, Json>): Promise<Map<number, number>> {
    const values = new Map<number, number>()
    if (wanted.hardness !== undefined) values.set(PARAMETER.hardness, wanted.hardness as number)
    if (wanted.temperature !== undefined) values.set(PARAMETER.temperature, wanted.temperature as number)
    if (wanted.autoOff !== undefined)
      values.set(PARAMETER.autoOff, AUTO_OFF.indexOf(wanted.autoOff as number))
    const bits = Object.entries(SETTING_BITS).filter(([name]) => wanted[name] !== undefined)
    if (bits.length === 0) return values
    // Three settings share one byte: the others must keep their value.
    let mask = (await this.#parameter(PARAMETER.switches, PRIORITY.command)) | SETTING_BASE
    for (const [name, bit] of bits) mask = wanted[name] ? mask | (1 << bit) : mask & ~(1 << bit)
    return values.set(PARAMETER.switches, mask)
  }

  /** Whether the machine shows this value; false where it doesn't tell. */
  async #stands(id: number, value: number, priority: Priority): Promise<boolean> {
    try {
      if ((await this.#parameter(id, priority)) === value) return true
    } catch (error) {
      if (error instanceof LinkError) return false
      throw error
    }
    throw new JstpError(STATUS.TIMEOUT, 'written, but the machine still shows the old value', {
      code: 'unconfirmed',
    })
  }

  async #readAll(): Promise<void> {
    for (const id of Object.values(PARAMETER)) {
      const value = await orNone(this.#parameter(id, PRIORITY.background))
      if (value !== undefined) this.#parameters.set(id, value)
    }
    if (this.#parameters.size === 0) throw silent('settings')
    this.#settingsAt = this.#now()
    this.#show()
  }

  async #parameter(id: number, priority: Priority): Promise<number> {
    const reply = await this.#machine.ask(request(REQUEST.readParameter, ...word(id), 1), {
      priority,
      timeout: TIMEOUT,
      more: word(id),
    })
    return reply.subarray(4).reduce((value, byte) => value * 256 + byte, 0)
  }

  #show(): void {
    const shown: Record<string, Json> = {}
    const hardness = this.#parameters.get(PARAMETER.hardness)
    const temperature = this.#parameters.get(PARAMETER.temperature)
    const autoOff = this.#parameters.get(PARAMETER.autoOff)
    const mask = this.#parameters.get(PARAMETER.switches)
    if (hardness !== undefined) shown.hardness = hardness
    if (temperature !== undefined) shown.temperature = temperature
    if (autoOff !== undefined) shown.autoOff = AUTO_OFF[autoOff] ?? null
    for (const [name, bit] of Object.entries(SETTING_BITS)) {
      if (mask !== undefined) shown[name] = ((mask >> bit) & 1) === 1
    }
    this.#machine.context.set('settings', shown)
  }

  async #readStatistics(): Promise<void> {
    const counters = new Map<number, number>()
    for (const [index, [id, count]] of STATISTICS_REQUESTS.entries()) {
      if (index > 0) await this.#pause()
      const asked = request(REQUEST.statistics, ...word(id), count)
      const reply = await orNone(
        this.#machine.ask(asked, { priority: PRIORITY.background, timeout: TIMEOUT }),
      )
      if (reply) for (const [counter, value] of decodeStatistics(reply)) counters.set(counter, value)
    }
    if (counters.size === 0) throw silent('statistics')
    const shown: Record<string, Json> = {}
    for (const [name, { ids, divider = 1 }] of Object.entries(STATISTICS)) {
      const known = ids.filter((id) => counters.has(id))
      if (known.length === 0) continue // this model doesn't count it
      shown[name] = known.reduce((sum, id) => sum + (counters.get(id) ?? 0), 0) / divider
    }
    this.#statisticsAt = this.#now()
    this.#machine.context.set('statistics', shown)
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => void this.#machine.context.clock.after(STATISTICS_PAUSE, resolve))
  }

  #now(): number {
    return this.#machine.context.clock.now()
  }
}

type Priority = (typeof PRIORITY)[keyof typeof PRIORITY]

/** Counter by id: the machine leaves out those that it doesn't have. */
export function decodeStatistics(payload: Uint8Array): Map<number, number> {
  const counters = new Map<number, number>()
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  for (let at = 2; at + 6 <= payload.length; at += 6) counters.set(view.getUint16(at), view.getUint32(at + 2))
  return counters
}

/** The reply, or undefined when none came: not every model knows every request. */
async function orNone<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply
  } catch (error) {
    if (error instanceof LinkError && error.code === 'timeout') return undefined
    throw error
  }
}

function silent(what: string): LinkError {
  return new LinkError('timeout', `the machine does not tell its ${what}`)
}

function word(value: number): [number, number] {
  return [value >> 8, value & 0xff]
}
