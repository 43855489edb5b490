// The log: lines for systemd or for people, and the latest records for ["engine","log"]. Whatever happens, it writes no
// more than a bound: a text that repeats is held back and counted (design §9.5).

import pino from 'pino'
import type { Cancel, Clock } from '../core/clock.ts'
import type { Json } from '../core/dispatch.ts'
import type { Log } from '../core/env.ts'
import type { Meters } from '../core/meters.ts'

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** One line of the log, as JSON can carry it. */
export type LogRecord = {
  /** Milliseconds since the epoch. */
  time: number
  level: Level
  text: string
  fields?: { [key: string]: Json }
}

/** Where lines go. */
export interface Destination {
  write(line: string): void
  /** Resolves when all is out. */
  close(): Promise<void>
}

export interface LogOptions {
  clock: Clock
  meters: Meters
  level: Level
  /** `auto`: `pretty` on a terminal, else `json`. */
  format: 'auto' | 'pretty' | 'json'
  /** Whether the destination is a terminal, and one with colours. */
  terminal: boolean
  colors: boolean
  destination: Destination
}

/** Records that are kept. */
export const KEPT = 500
const LETTERS = 2000
const FIELDS = 8000
const MINUTE = 60_000
/** Of one text in a minute. */
const REPEATS = 20
/** Different texts in a minute. */
const TEXTS = 1000
/** Bytes that wait for a terminal or pipe that takes none. */
const WAITING = 1 << 20
const WEIGHT: Record<Level, number> = { debug: 20, info: 30, warn: 40, error: 50 }

/** The formatter for people is loaded only where one is looking. */
export async function openLog(options: LogOptions): Promise<HostLog> {
  const { format, terminal, colors, destination } = options
  if (format === 'json' || (format === 'auto' && !terminal)) return new HostLog(options)
  const { prettyFactory } = (await import('pino-pretty')).default
  const pretty = prettyFactory({ colorize: colors, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' })
  const write = (line: string) => destination.write(pretty(line) ?? line)
  return new HostLog({ ...options, destination: { write, close: () => destination.close() } })
}

/**
 * Standard output (1) or error (2). Never waits for a reader: 1 MiB waits in memory, more is dropped and counted as
 * `drop.log`.
 */
export function openDestination(fd: 1 | 2, meters: Meters): Destination {
  const stream = pino.destination({ fd, sync: false, maxLength: WAITING })
  let isGone = false
  stream.on('drop', () => meters.count('drop.log'))
  stream.on('error', () => {
    // After a broken pipe pino writes nothing more, and never says that it has closed.
    isGone = true
    meters.count('drop.log')
  })
  return {
    write: (line) => void stream.write(line),
    close: () =>
      new Promise((done) => {
        if (isGone) return done()
        stream.once('close', done)
        stream.once('error', () => done())
        stream.end()
      }),
  }
}

export class HostLog implements Log {
  #clock: Clock
  #meters: Meters
  #destination: Destination
  #pino: pino.Logger
  #level: Level
  #kept: LogRecord[] = []
  #listener: (record: LogRecord) => void = () => {}
  /** While a record is handed to the listener: the delivery of log reports is never logged. */
  #delivering = false
  #closed = false
  /** How often each text came in this minute. */
  #texts = new Map<string, number>()
  #suppressed = 0
  #minuteEnds = 0
  #cancelMinute: Cancel = () => {}

  constructor({ clock, meters, level, destination }: Omit<LogOptions, 'format' | 'terminal' | 'colors'>) {
    this.#clock = clock
    this.#meters = meters
    this.#destination = destination
    this.#level = level
    const timestamp = () => `,"time":${clock.wall()}`
    // The level is judged here, so that what is kept and what is written are the same.
    const options = {
      base: null,
      level: 'debug',
      timestamp,
      formatters: { level: (level: string) => ({ level }) },
    }
    this.#pino = pino(options, { write: (line: string) => destination.write(line) })
  }

  /** The latest records, oldest first; at most 500. */
  get records(): LogRecord[] {
    return [...this.#kept]
  }

  /** Records below it are left out from now on. */
  set level(level: Level) {
    this.#level = level
  }

  /** Hands every record from now on to `listener`. What that logs itself is dropped and counted. */
  onRecord(listener: (record: LogRecord) => void): void {
    this.#listener = listener
  }

  debug(text: string, fields?: object): void {
    this.#log('debug', text, fields)
  }

  info(text: string, fields?: object): void {
    this.#log('info', text, fields)
  }

  warn(text: string, fields?: object): void {
    this.#log('warn', text, fields)
  }

  error(text: string, fields?: object): void {
    this.#log('error', text, fields)
  }

  /** Resolves when all lines are out. What is logged later is lost. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#endMinute()
    this.#cancelMinute()
    this.#closed = true
    await this.#destination.close()
  }

  #log(level: Level, text: string, fields: object | undefined): void {
    if (this.#closed || WEIGHT[level] < WEIGHT[this.#level]) return
    if (this.#delivering) return this.#meters.count('drop.log.delivery')
    if (this.#isTooMuch(text.slice(0, LETTERS))) return
    this.#put(level, text, fields)
  }

  #put(level: Level, text: string, fields: object | undefined): void {
    const record: LogRecord = { time: Math.round(this.#clock.wall()), level, text: printable(text) }
    if (fields) record.fields = plain(fields)
    // No field may pass for the line's own level, time or text.
    const { level: _, time: __, msg: ___, ...own } = record.fields ?? {}
    this.#pino[level](own, record.text)
    this.#kept.push(record)
    if (this.#kept.length > KEPT) this.#kept.shift()
    this.#delivering = true
    try {
      this.#listener(record)
    } catch (error) {
      this.#pino.error({ error: plain({ error }).error }, 'the reader of the log has failed')
    } finally {
      this.#delivering = false
    }
  }

  #isTooMuch(text: string): boolean {
    if (this.#clock.now() >= this.#minuteEnds) this.#endMinute()
    if (this.#texts.size === 0) this.#minuteEnds = this.#clock.now() + MINUTE
    const count = (this.#texts.get(text) ?? 0) + 1
    const isKnown = count > 1 || this.#texts.size < TEXTS
    if (isKnown) this.#texts.set(text, count)
    if (isKnown && count <= REPEATS) return false
    this.#meters.count('drop.log.repeated')
    // The end of the minute must be told even if nothing more is logged.
    if (this.#suppressed++ === 0) {
      this.#cancelMinute = this.#clock.after(this.#minuteEnds - this.#clock.now(), () => this.#endMinute())
    }
    return true
  }

  /** Says what was held back, and starts to count anew. */
  #endMinute(): void {
    this.#cancelMinute()
    const [worst] = [...this.#texts].sort(([, a], [, b]) => b - a)
    const held = this.#suppressed
    this.#texts.clear()
    this.#suppressed = 0
    if (held === 0 || !worst) return
    const [text, count] = worst
    const what = count > REPEATS ? `most repeated: ${text}` : `more than ${TEXTS} different ones in a minute`
    this.#put('warn', `${held} lines were held back, ${what}`, undefined)
  }
}

/** A text can hold what a stranger sent: no line breaks, nothing that steers a terminal. */
function printable(text: string): string {
  const short = text.length > LETTERS ? `${text.slice(0, LETTERS)}…` : text
  return harmless(short.replace(/[\n\r\t]/g, (letter) => JSON.stringify(letter).slice(1, -1)))
}

/** The same with its lines as they are: for stacks. */
function harmless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, '\uFFFD')
}

/** What JSON can carry of it, errors with their stacks. Never throws, never longer than 8,000 letters. */
function plain(fields: object): { [key: string]: Json } {
  try {
    const text = JSON.stringify(fields, (key, value) => {
      if (value instanceof Error) return { ...value, message: value.message, stack: value.stack }
      if (typeof value === 'string') return key === 'stack' ? harmless(value) : printable(value)
      return typeof value === 'bigint' ? String(value) : value
    })
    if (text.length <= FIELDS) return JSON.parse(text)
    return { left: `the fields were longer than ${FIELDS} letters` }
  } catch (error) {
    return { left: `the fields can't be written as JSON: ${(error as Error).message}`.slice(0, LETTERS) }
  }
}
