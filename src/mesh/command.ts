// Runs a command of the configuration: without a shell, within a deadline, what it says kept.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Clock } from '../core/clock.ts'

const DEADLINE = 30_000
/** Letters of its output that are kept. */
const KEPT = 2000

export interface Ended {
  /** Its exit code, or why there is none. */
  code: number | string
  /** What it has said last. */
  output: string
}

/** Never rejects. What it has started in the background lives on. */
export async function runCommand(clock: Clock, [program = '', ...words]: string[]): Promise<Ended> {
  try {
    return await finish(clock, spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] }))
  } catch (error) {
    return { code: (error as Error).message, output: '' }
  }
}

function finish(clock: Clock, child: ChildProcessByStdio<null, Readable, Readable>): Promise<Ended> {
  return new Promise((resolve) => {
    let output = ''
    const end = (code: number | string) => {
      cancel()
      child.stdout.destroy()
      child.stderr.destroy()
      resolve({ code, output: output.trim() })
    }
    const cancel = clock.after(DEADLINE, () => {
      child.kill('SIGKILL')
      end(`not done within ${DEADLINE / 1000} s`)
    })
    const keep = (text: string) => {
      output = (output + text).slice(-KEPT)
    }
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', keep)
    child.once('error', ({ message }) => end(message))
    // Not `close`: an engine that it has started may have inherited its output.
    child.once('exit', (code, signal) => setImmediate(() => end(code ?? String(signal))))
  })
}
