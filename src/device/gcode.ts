// What machines that run G-code have in common: lines of text over a wire, the lines of a job before they are checked, and a
// job on its way.

import type { Json } from '../core/dispatch.ts'
import { JstpError, STATUS } from '../core/status.ts'
import type { Action } from './profile.ts'
import { outOfRange } from './values.ts'

/** How a job is asked for. */
export const JOB: Action = {
  description: 'Checks G-code and, if all of it is good, runs it; `progress` tells how far it is',
  body: {
    lines: {
      type: ['string', 'list'],
      required: true,
      description: 'The lines, in one text or as a list',
    },
  },
}

/** Lines of a job. */
const MOST = 200_000
/** Characters of a line from a machine: what is longer is cut, for no firmware says more. */
const LONGEST = 512

/** Cuts bytes into lines. Empty ones are left out. */
export class Lines {
  #text = ''
  #take: (line: string) => void

  constructor(take: (line: string) => void) {
    this.#take = take
  }

  add(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 10 || byte === 13) this.#end()
      else if (this.#text.length < LONGEST) this.#text += String.fromCharCode(byte)
    }
  }

  reset(): void {
    this.#text = ''
  }

  #end(): void {
    const line = this.#text
    this.#text = ''
    if (line !== '') this.#take(line)
  }
}

/**
 * The lines of a job: one text, or a list.
 * @throws {JstpError} 400 `{ code: "range" }` for too many
 */
export function jobLines(lines: Json): string[] {
  const source = (Array.isArray(lines) ? lines.join('\n') : String(lines)).split(/\r\n|\n|\r/)
  if (source.length <= MOST) return source
  throw outOfRange(`a job has at most ${MOST} lines; this one has ${source.length}`)
}

/**
 * A line without its comments, `(so)` and `; so`.
 * @param number counted from 1
 * @throws {JstpError} 400 `{ code: "range", line }` for a comment without an end
 */
export function withoutComments(line: string, number: number): string {
  const bare = line
    .replace(/\([^()]*\)/g, '')
    .replace(/;.*/, '')
    .trim()
  if (/[()]/.test(bare)) throw refusedLine(number, line, 'a comment does not end, or not begin')
  return bare
}

/** The error for a line that can't be part of a job. */
export function refusedLine(number: number, text: string, why: string): JstpError {
  const message = `line ${number} (${text.trim().slice(0, 40)}): ${why}; nothing has moved`
  return new JstpError(STATUS.BAD_DISPATCH, message, { code: 'range', line: number })
}

export interface JobLine {
  text: string
  /** It was taken; or why not, for people. */
  answered(why?: string): void
}

export interface JobOptions {
  /** What waits for all motion before it: its answer comes when the machine stands. */
  standstill: string
  /** A line was refused; what the machine holds already must not be executed. */
  failed(): void
  changed(): void
}

/** Lines that are sent as there is room, counted as they are answered, and over when the machine stands still. */
export class Job {
  state: 'running' | 'done' | 'failed' | 'stopped' = 'running'
  /** Why it failed, or was stopped, for people. */
  cause = ''
  #lines: string[]
  #options: JobOptions
  #sent = 0
  #done = 0

  constructor(lines: string[], options: JobOptions) {
    this.#lines = lines
    this.#options = options
  }

  get isRunning(): boolean {
    return this.state === 'running'
  }

  /** As it is reported; `done` counts the lines that the machine has taken. */
  get value(): { [field: string]: Json } {
    const { state, cause } = this
    const cut = { state, lines: this.#lines.length, sent: this.#sent, done: this.#done }
    return cause ? { ...cut, cause } : cut
  }

  /** The next line to be sent; after the last one what waits for the standstill. */
  next(): JobLine | undefined {
    if (!this.isRunning || this.#sent > this.#lines.length) return undefined
    const at = this.#sent++
    const text = this.#lines[at] ?? this.#options.standstill
    return { text, answered: (why) => this.#answered(at, text, why) }
  }

  end(state: 'failed' | 'stopped', cause: string): void {
    if (!this.isRunning) return
    this.state = state
    this.cause = cause
    this.#sent = Math.min(this.#sent, this.#lines.length)
    this.#options.changed()
  }

  #answered(at: number, text: string, why: string | undefined): void {
    if (!this.isRunning) return
    if (why !== undefined) {
      this.end('failed', `line ${at + 1} (${text}): ${why}`)
      return this.#options.failed()
    }
    if (at === this.#lines.length) {
      this.state = 'done'
      this.#sent = at
    } else this.#done = at + 1
    this.#options.changed()
  }
}
