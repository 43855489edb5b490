// What the tests of firmware-bridge/ share: its vectors, a compiler, and the C core on a bench (test/probe.c) that takes a
// line and answers with a line.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as assert from 'uvu/assert'

export const home = join(process.cwd(), 'firmware-bridge')

export type Step = { host: string } | { node: string } | { wait: number } | { set: string } | { is: string }

export interface Frame {
  name: string
  kind: string
  sid: number
  frame: string
  crc: string
  wire: string
  dispatch?: unknown
}

export interface Dialogue {
  name: string
  steps: Step[]
}

export interface Vectors {
  crc: { data: string; crc: string }[]
  cobs: { plain: string; coded: string }[]
  frames: Frame[]
  streams: { name: string; bytes: string; frames: string[]; damaged: number; text: string[] }[]
  dialogues: Dialogue[]
  windowOne: Dialogue[]
  windowThree: Dialogue[]
}

export function readVectors(): Vectors {
  return JSON.parse(readFileSync(join(home, 'vectors.json'), 'utf8')) as Vectors
}

/** Runs a tool within firmware-bridge/; what it prints. Fails with what it complains of. */
export function run(tool: string, args: string[], timeout = 60_000): string {
  const { status, stdout, stderr, error } = spawnSync(tool, args, { cwd: home, encoding: 'utf8', timeout })
  assert.is(status, 0, `${tool} ${args.join(' ')}: ${error?.message ?? ''}${stdout}${stderr}`)
  return stdout
}

/** A fresh folder for what is compiled. */
export function workFolder(name: string): string {
  const folder = join(process.cwd(), '.build/firmware', `${name}-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  return folder
}

export const strictC = ['-std=c99', '-g', '-Wall', '-Wextra', '-Werror']
export const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']

/** The C core as a process. */
export class Probe {
  #child: ChildProcessWithoutNullStreams
  #lines: AsyncIterator<string>
  #errors = ''

  constructor(program: string) {
    this.#child = spawn(program, { env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' } })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text
    })
    this.#child.stdin.on('error', () => {})
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async ask(command: string): Promise<string> {
    this.#child.stdin.write(`${command}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`the probe died at "${command}": ${this.#errors}`)
    return value as string
  }

  /** Ends it; fails if a sanitizer has spoken. */
  async end(): Promise<void> {
    this.#child.stdin.end()
    const code = this.#child.exitCode ?? (await new Promise((done) => this.#child.on('exit', done)))
    assert.is(code, 0, this.#errors)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** Lends a fresh probe; none is left over, whatever happens. */
export async function withProbe(program: string, use: (probe: Probe) => Promise<void>): Promise<void> {
  const probe = new Probe(program)
  try {
    await use(probe)
    await probe.end()
  } finally {
    probe.kill()
  }
}
