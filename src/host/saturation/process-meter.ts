// How busy this process is: its event loop and its memory.

import { performance } from 'node:perf_hooks'
import type { Cancel, Clock } from '../../core/clock.ts'

export interface ProcessReading {
  /**
   * Milliseconds by which the event loop was late: the worst of the looks since the last reading. They are so few that it
   * is their 99th percentile too.
   */
  loop: number
  /** Part of the time since the last reading in which the event loop was at work, 0–1. */
  used: number
  /** Bytes. */
  rss: number
}

export interface ProcessMeter {
  read(): ProcessReading
  close(): void
}

/**
 * Milliseconds between two looks, while there is much to do and while there is little. A look that has to wake the
 * processor costs more than a reading of several files.
 */
const LOOK = { busy: 50, idle: 500 }
/** The part of the time in which a loop that is held up for long enough to matter must be at work. */
const BUSY = 0.1

/**
 * Not `monitorEventLoopDelay`: after a reset it leaves out the first of its looks, and with it whatever holds the loop up
 * just after a reading.
 */
export function meterProcess(clock: Clock): ProcessMeter {
  let late = 0
  let due = 0
  let isBusy = false
  let cancel: Cancel = () => {}
  const look = () => {
    late = Math.max(late, clock.now() - due)
    wait()
  }
  const wait = () => {
    const ms = isBusy ? LOOK.busy : LOOK.idle
    due = clock.now() + ms
    cancel = clock.after(ms, look)
  }
  wait()
  let before = performance.eventLoopUtilization()

  return {
    read() {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, before)
      before = now
      // A look that is overdue comes only after this.
      const loop = Math.max(0, late, clock.now() - due)
      late = 0
      isBusy = utilization > BUSY
      return { loop, used: Math.min(1, Math.max(0, utilization)), rss: process.memoryUsage.rss() }
    },
    close: () => cancel(),
  }
}
