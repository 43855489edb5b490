// What systemd is told (design §7): that the program is ready, and that it still turns. The socket for it takes datagrams, which
// Node can't send: systemd's own small command does, as a process of a moment, so its watchdog should be a matter of minutes.

import { spawn } from 'node:child_process'
import type { Cancel, Clock } from '../core/clock.ts'
import type { Log } from '../core/env.ts'

export interface NotifyOptions {
  env: Record<string, string | undefined>
  clock: Clock
  log: Log
  /** Default: `systemd-notify`. Resolves when systemd has it; rejects with a reason. */
  send?: (words: string[]) => Promise<void>
}

/** Milliseconds for the command. */
const DEADLINE = 20_000
const COMMAND = 'systemd-notify'

/**
 * Says that the program is ready, and from then on, three times in the time that the unit's WatchdogSec leaves, that it is
 * alive. It is said by a timer of the program's own: one that is stuck says nothing and is started anew.
 * Without systemd it does nothing.
 * @returns what ends it
 */
export function notifySystemd({ env, clock, log, send = sendBy(clock) }: NotifyOptions): Cancel {
  if (!env.NOTIFY_SOCKET) return () => {}
  const period = Number(env.WATCHDOG_USEC) / 3000
  let cancel = () => {}
  let ended = false
  let told = false

  const say = async (words: string[]) => {
    try {
      await send(words)
      told = false
    } catch (error) {
      // Once: the next one comes soon, and whoever reads the log knows then.
      if (!told) log.warn(`systemd can't be told "${words.join(' ')}": ${(error as Error).message}`)
      told = true
    }
    if (ended || !(period > 0)) return
    cancel = clock.after(period, () => void say(['WATCHDOG=1']))
  }
  void say(['READY=1'])
  return () => {
    ended = true
    cancel()
  }
}

function sendBy(clock: Clock): (words: string[]) => Promise<void> {
  return (words) =>
    new Promise((done, fail) => {
      const child = spawn(COMMAND, words, { stdio: ['ignore', 'ignore', 'pipe'] })
      let said = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-500)
      })
      const cancel = clock.after(DEADLINE, () => child.kill('SIGKILL'))
      child.once('error', (error) => {
        cancel()
        fail(error)
      })
      child.once('close', (code, signal) => {
        cancel()
        if (code === 0) done()
        else fail(new Error(`${COMMAND} ended with ${signal ?? code}${said ? `: ${said.trim()}` : ''}`))
      })
    })
}
