// Whether the wall clock can be believed (design §7): a Pi has no battery for it. Node can't ask the kernel
// (adjtimex), so systemd's mark tells that it is synchronized, and a jump against the monotonic clock that it was set.

import { existsSync } from 'node:fs'
import type { Cancel, Clock } from '../core/clock.ts'

/**
 * - `unsynced` nothing vouches for it
 * - `stepped` it was set while we ran, but nothing vouches for it now
 * - `synced` it follows a time server
 */
export type ClockState = {
  state: 'unsynced' | 'stepped' | 'synced'
  /** Why it is taken to be so, for people. */
  cause: string
  /** Milliseconds since the epoch. */
  wall: number
  /** Milliseconds since the start of the engine. */
  uptime: number
  /** The last jump: by how many ms, and at what uptime. */
  step: { by: number; uptime: number } | null
}

export interface ClockWatch {
  read(): ClockState
  stop(): void
}

/** Where systemd-timesyncd and chrony's wait-sync service say that time is synchronized. */
export const MARK = '/run/systemd/timesync/synchronized'
const PERIOD = 1000
/** Milliseconds in a second that no slewing makes. */
const JUMP = 500

/** Compares the clocks once a second. */
export function watchClock(clock: Clock, isMarked = () => existsSync(MARK)): ClockWatch {
  const start = clock.now()
  let offset = clock.wall() - start
  let step: ClockState['step'] = null
  let cancel: Cancel = () => {}

  const compare = () => {
    const now = clock.wall() - clock.now()
    if (Math.abs(now - offset) >= JUMP) {
      step = { by: Math.round(now - offset), uptime: Math.round(clock.now() - start) }
    }
    offset = now
  }
  const tick = () => {
    compare()
    cancel = clock.after(PERIOD, tick)
  }
  tick()

  return {
    read() {
      compare()
      const [state, cause] = judge(isMarked(), step)
      return { state, cause, wall: Math.round(clock.wall()), uptime: Math.round(clock.now() - start), step }
    },
    stop: () => cancel(),
  }
}

function judge(isMarked: boolean, step: ClockState['step']): [ClockState['state'], string] {
  if (isMarked) return ['synced', `${MARK} is there`]
  if (step) return ['stepped', `it was set by ${step.by} ms, and ${MARK} is not there`]
  return ['unsynced', `${MARK} is not there: no time service of systemd's has synchronized it`]
}
