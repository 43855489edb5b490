// The built program as a process: started, asked, ended; and what it has said.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const PROGRAM = resolve('dist/hormiga.js')
const START = 15_000

export interface Ended {
  code: number | null
  out: string
  err: string
  ms: number
}

const programs = new Set<Program>()

/** Ends what a test that failed has left behind. */
export function endAll(): void {
  for (const { process } of programs) process.kill('SIGKILL')
}

/** A process whose output is kept. */
export class Program {
  readonly process: ChildProcess
  out = ''
  err = ''
  #ended: Promise<number | null>

  constructor(command: string, words: string[], cwd?: string) {
    this.process = spawn(command, words, { cwd, stdio: ['pipe', 'pipe', 'pipe'] })
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text
    })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text
    })
    programs.add(this)
    this.process.once('exit', () => programs.delete(this))
    this.#ended = once(this.process, 'close').then(([code]) => code)
  }

  /** Its exit code. Ended by force when it takes too long. */
  async end(signal?: NodeJS.Signals, limit = START): Promise<number | null> {
    if (signal) this.process.kill(signal)
    const timer = setTimeout(() => this.process.kill('SIGKILL'), limit)
    return this.#ended.finally(() => clearTimeout(timer))
  }

  /** Waits until it has said something; what of it was asked for. `from`: what it said before on standard error does not count. */
  async says(pattern: RegExp, limit = START, from = 0): Promise<string> {
    for (const end = Date.now() + limit; ; await pause(20)) {
      const match = pattern.exec(this.out) ?? pattern.exec(this.err.slice(from))
      if (match) return match[1] ?? match[0]
      if (Date.now() > end || this.process.exitCode !== null) {
        throw new Error(`it never said ${pattern}:\n${this.out}${this.err}`)
      }
    }
  }
}

/** A command to its end. */
export async function hormiga(words: string[], { cwd = '.', input = '' } = {}): Promise<Ended> {
  const start = performance.now()
  const program = new Program(process.execPath, [PROGRAM, ...words], resolve(cwd))
  program.process.stdin?.on('error', () => {}).end(input)
  const code = await program.end()
  return { code, out: program.out, err: program.err, ms: performance.now() - start }
}

/** A folder for one test. */
export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'hormiga-suite-'))
}

export class Engine extends Program {
  readonly folder: string

  /** With this configuration, or with these arguments instead. */
  constructor(config: object | string, words?: string[]) {
    const folder = makeFolder()
    const file = join(folder, 'hormiga.json')
    writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config))
    super(process.execPath, [
      PROGRAM,
      'run',
      ...(words ?? ['--config', file, '--state', join(folder, 'state')]),
    ])
    this.folder = folder
  }

  /** Waits until it runs. */
  async runs(): Promise<this> {
    await this.says(/hormiga \d+\.\d+\.\d+, /)
    return this
  }

  /** Where it listens: `127.0.0.1:41234`. */
  async at(label = 'tcp'): Promise<string> {
    return this.says(new RegExp(`.*(?:listening on (?=\\S+ by ${label}\\b)|JSTP by TCP on )(\\S+)`, 's'))
  }

  /** Writes another configuration and tells it. */
  async reload(config: object | string, until: RegExp): Promise<void> {
    writeFileSync(
      join(this.folder, 'hormiga.json'),
      typeof config === 'string' ? config : JSON.stringify(config),
    )
    const from = this.err.length
    this.process.kill('SIGHUP')
    await this.says(until, START, from)
  }

  /** Runs a command of the command line towards it. */
  async ask(...words: string[]): Promise<Ended> {
    return hormiga([...words, '--engine', (await this.at()).replace('0.0.0.0', '127.0.0.1')])
  }

  /** The body of its only answer. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of any shape
  async get(uri: string): Promise<any> {
    const { out, err } = await this.ask('get', uri, '--json')
    if (out === '') throw new Error(err)
    return JSON.parse(out).body
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null) await this.end('SIGTERM')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A configuration on free ports. */
export function config(more: object = {}): object {
  return { listen: { tcp: '127.0.0.1:0', http: '127.0.0.1:0' }, ...more }
}
