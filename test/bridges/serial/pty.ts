// Serial ports without hardware: pseudo terminals from Python, under a name that stays as udev gives it to a board.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cancel, Clock } from '../../../src/core/clock.ts'

// Lines on stdin: `plug` makes a new terminal and prints its name, `unplug` closes it, `deaf` stops reading,
// `say HEX` sends bytes. What the host writes is printed as `got HEX`.
const PROGRAM = `
import os, pty, select, sys, tty
master = slave = None
deaf = False
pending = b''
def out(line):
    sys.stdout.write(line + '\\n'); sys.stdout.flush()
while True:
    watch = [0] + ([master] if master is not None and not deaf else [])
    ready, _, _ = select.select(watch, [], [])
    if 0 in ready:
        data = os.read(0, 65536)
        if not data: break
        pending += data
        *lines, pending = pending.split(b'\\n')
        for line in lines:
            word, _, rest = line.decode().partition(' ')
            if word == 'plug':
                master, slave = pty.openpty(); tty.setraw(slave); deaf = False
                out('port ' + os.ttyname(slave))
            elif word == 'unplug':
                os.close(slave); os.close(master); master = slave = None
                out('gone')
            elif word == 'deaf': deaf = True; out('deaf')
            elif word == 'say' and master is not None: os.write(master, bytes.fromhex(rest))
    elif master is not None and master in ready:
        out('got ' + os.read(master, 4096).hex())
`

export class Board {
  /** As in /dev/serial/by-id. */
  readonly id: string
  /** What the host has written is given to it. */
  heard: (bytes: Uint8Array) => void = () => {}
  #folder: string
  #process: ChildProcess
  #text = ''
  #waiting: { word: string; resolve(rest: string): void }[] = []

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'hormiga-serial-'))
    this.id = join(this.#folder, 'usb-Arduino_0001-if00')
    this.#process = spawn('python3', ['-c', PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#process.stdout?.on('data', (text: Buffer) => this.#read(String(text)))
  }

  async plug(): Promise<string> {
    const path = await this.#ask('plug', 'port')
    rmSync(this.id, { force: true })
    symlinkSync(path, this.id)
    return path
  }

  async unplug(): Promise<void> {
    rmSync(this.id, { force: true })
    await this.#ask('unplug', 'gone')
  }

  async deafen(): Promise<void> {
    await this.#ask('deaf', 'deaf')
  }

  say(bytes: Uint8Array): void {
    this.#process.stdin?.write(`say ${Buffer.from(bytes).toString('hex')}\n`)
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.stdin?.end()
    await ended
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #ask(line: string, word: string): Promise<string> {
    this.#process.stdin?.write(`${line}\n`)
    return new Promise((resolve) => this.#waiting.push({ word, resolve }))
  }

  #read(text: string): void {
    this.#text += text
    const lines = this.#text.split('\n')
    this.#text = lines.pop() ?? ''
    for (const line of lines) {
      const [word = '', rest = ''] = line.split(' ')
      if (word === 'got') this.heard(Buffer.from(rest, 'hex'))
      else {
        const at = this.#waiting.findIndex((waiting) => waiting.word === word)
        for (const { resolve } of this.#waiting.splice(at, 1)) resolve(rest)
      }
    }
  }
}

/** Time that runs faster than ours. */
export class FastClock implements Clock {
  #factor: number
  #timers = new Set<NodeJS.Timeout>()

  constructor(factor: number) {
    this.#factor = factor
  }

  now(): number {
    return performance.now() * this.#factor
  }

  wall(): number {
    return Date.now()
  }

  get pending(): number {
    return this.#timers.size
  }

  after(ms: number, run: () => void): Cancel {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms / this.#factor)
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
      clearTimeout(timer)
    }
  }
}

/** Until something is so; an error after `ms`. */
export async function until(what: string, is: () => boolean, ms = 5000): Promise<number> {
  const start = performance.now()
  while (!is()) {
    if (performance.now() - start > ms) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return performance.now() - start
}

export function openFiles(): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0
}
