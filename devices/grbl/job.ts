// A job: lines that are sent as there is room, counted as they are answered, and over when the machine stands still.

import type { Json } from '#device'
import { errorText } from './line.ts'
import type { Sent } from './sender.ts'

/** Waits for all motion before it: its `ok` comes when the machine stands. */
const STANDSTILL = 'G4P0.01'

export type JobState = 'none' | 'running' | 'done' | 'failed' | 'stopped'

export class Job {
  state: JobState = 'running'
  /** Why it failed, or was stopped, for people. */
  cause = ''
  #lines: string[]
  #sent = 0
  #done = 0
  #failed: () => void
  #changed: () => void

  /** `failed`: a line was refused; what the controller holds already must not be executed. */
  constructor(lines: string[], failed: () => void, changed: () => void) {
    this.#lines = lines
    this.#failed = failed
    this.#changed = changed
  }

  get isRunning(): boolean {
    return this.state === 'running'
  }

  /** As it is reported; `done` counts the lines that the controller has taken. */
  get value(): { [field: string]: Json } {
    const { state, cause } = this
    const cut = { state, lines: this.#lines.length, sent: this.#sent, done: this.#done }
    return cause ? { ...cut, cause } : cut
  }

  /** The next line to be sent; after the last one what waits for the standstill. */
  next(): Sent | undefined {
    if (!this.isRunning || this.#sent > this.#lines.length) return undefined
    const at = this.#sent++
    const text = this.#lines[at] ?? STANDSTILL
    return { text, answered: (error) => this.#answered(at, text, error) }
  }

  end(state: 'failed' | 'stopped', cause: string): void {
    if (!this.isRunning) return
    this.state = state
    this.cause = cause
    this.#sent = Math.min(this.#sent, this.#lines.length)
    this.#changed()
  }

  #answered(at: number, text: string, error: number | 'lost' | undefined): void {
    if (!this.isRunning) return
    if (error === 'lost') return this.end('failed', 'the controller has restarted')
    if (error !== undefined) {
      this.end('failed', `line ${at + 1} (${text}): ${errorText(error)}`)
      return this.#failed()
    }
    if (at === this.#lines.length) {
      this.state = 'done'
      this.#sent = at
    } else this.#done = at + 1
    this.#changed()
  }
}
