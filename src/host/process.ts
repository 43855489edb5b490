// What the system tells the program, and how the program ends: it finishes its work when asked to (design §7), and never
// dies without a word.

import type { Cancel, Clock } from '../core/clock.ts'
import type { Log } from '../core/env.ts'

/** The part of Node's `process` that is needed. */
export interface Process {
  on(event: string, run: (...args: unknown[]) => void): unknown
  off(event: string, run: (...args: unknown[]) => void): unknown
  exit(code: number): void
}

export interface ProcessOptions {
  process: Process
  clock: Clock
  log: Log
  /** Takes no new work, finishes what is open and closes everything. */
  drain(): Promise<void>
  /** Reads the configuration again. What it throws is logged. */
  reload(): Promise<void>
  /** Writes out what is still to be logged. */
  flush(): Promise<void>
}

/** Milliseconds to finish the work. */
export const DRAIN = 5000
const FLUSH = 1000
const STOP = { SIGTERM: 143, SIGINT: 130 }

/**
 * Minds the signals and what nobody caught. SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reloads.
 * Exit codes: 0 drained, 1 not in time or after an error, 128 + signal when it was not waited for.
 * @returns what undoes it
 */
export function mindProcess(options: ProcessOptions): Cancel {
  const { process, clock, log } = options
  let stopping = false
  let failed = false
  let reloading = false
  let again = false

  /** Resolves when the work is done, or the time is up. `false`: not done. */
  const within = (ms: number, work: () => Promise<void>) =>
    new Promise<boolean>((done) => {
      const cancel = clock.after(ms, () => done(false))
      const fail = (error: unknown) => {
        log.error('the program could not end as it should', { error })
        done(false)
      }
      Promise.resolve()
        .then(work)
        .then(() => done(true), fail)
        .finally(cancel)
    })

  const end = async (code: number) => {
    await within(FLUSH, options.flush)
    process.exit(code)
  }

  const stop = (signal: keyof typeof STOP) => async () => {
    if (stopping) return process.exit(STOP[signal])
    stopping = true
    log.info(`${signal}: finishing what is open`)
    const isDone = await within(DRAIN, options.drain)
    if (!isDone) log.warn(`not all was finished in ${DRAIN / 1000} s`)
    await end(isDone ? 0 : 1)
  }

  const hangUp = async () => {
    if (stopping) return
    again = reloading
    if (reloading) return
    reloading = true
    do {
      again = false
      try {
        await options.reload()
      } catch (error) {
        log.error(`not reloaded, all stays as it was: ${(error as Error).message}`)
      }
    } while (again && !stopping)
    reloading = false
  }

  /** After it nothing can be relied on: no draining. */
  const fail = (error: unknown) => {
    if (failed) return process.exit(1)
    failed = true
    log.error(`a fault in the program ends it: ${error instanceof Error ? error.message : String(error)}`, {
      error,
    })
    void end(1)
  }

  const listeners: [event: string, run: (...args: unknown[]) => void][] = [
    ['SIGTERM', stop('SIGTERM')],
    ['SIGINT', stop('SIGINT')],
    ['SIGHUP', hangUp],
    ['uncaughtException', fail],
    ['unhandledRejection', fail],
  ]
  for (const [event, run] of listeners) process.on(event, run)
  return () => {
    for (const [event, run] of listeners) process.off(event, run)
  }
}
