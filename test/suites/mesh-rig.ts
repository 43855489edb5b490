// Replicas as processes, disks that can be filled, and a client that counts every end of every question.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { build } from 'esbuild'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import type { Env } from '../../src/core/env.ts'
import type { Outbound } from '../../src/core/outbound.ts'
import { Engine, type Hop, nodeEnv } from '../../src/index.ts'
import { Mesh, type MeshOptions } from '../../src/mesh/index.ts'
import type { AppOptions } from './mesh-app.ts'
import { makeFolder } from './rig.ts'

export type Address = Exclude<Hop, string>

const NOBODY = { subscriptions: new Map(), triggerings: new Map(), trigger() {} }

/** What a test has started. */
const children = new Set<ChildProcess>()
const mounts = new Set<string>()
const clients = new Set<Client>()

/** Ends all that is left. */
export async function cleanUp(): Promise<void> {
  for (const client of clients) await client.engine.close(0)
  clients.clear()
  for (const child of children) child.kill('SIGKILL')
  for (const mount of mounts) {
    spawnSync('umount', ['-l', mount])
    rmSync(mount, { recursive: true, force: true })
  }
  children.clear()
  mounts.clear()
}

/** A program of this folder, bundled. */
export async function bundleApp(name = 'mesh-app'): Promise<string> {
  const outfile = resolve('.build', `${name}-${process.pid}.mjs`)
  await build({
    entryPoints: [`test/suites/${name}.ts`],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  })
  process.on('exit', () => rmSync(outfile, { force: true }))
  return outfile
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}

/** A disk of 64 MB. `undefined`: only root can have one. */
export function smallDisk(): string | undefined {
  const folder = makeFolder()
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'hormiga-test', folder])
  if (status !== 0) return undefined
  mounts.add(folder)
  return folder
}

/** Fills it to the last byte. Returns what empties it. */
export function fill(disk: string): () => void {
  const file = join(disk, 'filling')
  const chunk = Buffer.alloc(64 << 10)
  writeFileSync(file, '')
  try {
    for (;;) writeFileSync(file, chunk, { flag: 'a' })
  } catch {}
  return () => rmSync(file)
}

/** Starts a replica; it runs when this resolves. */
export async function startApp(app: string, options: AppOptions): Promise<ChildProcess> {
  const child = spawn(process.execPath, [app, 'run', JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  await new Promise((done) => child.stdout?.once('data', done))
  return child
}

/** Keeps the processors busy, by stress-ng where it is installed. */
export function burn(seconds: number): { name: string; stop(): void } {
  const isThere = spawnSync('stress-ng', ['--version'], { stdio: 'ignore' }).status === 0
  const spin = [
    process.execPath,
    '-e',
    `for (const end = Date.now() + ${seconds * 1000}; Date.now() < end; );`,
  ]
  const stress = ['stress-ng', '--cpu', '0', '--timeout', `${seconds}s`, '--quiet']
  const commands = isThere ? [stress] : Array.from({ length: availableParallelism() }, () => spin)
  const burning = commands.map(([program = '', ...words]) => spawn(program, words, { stdio: 'ignore' }))
  for (const child of burning) children.add(child)
  const stop = () => {
    for (const child of burning) child.kill('SIGTERM')
  }
  return { name: isThere ? 'stress-ng' : 'loops of node', stop }
}

/** One question, and everything that came of it. */
export interface Question {
  method: string
  id: number
  at: number
  /** When it ended, and how often. */
  endedAt: number
  ends: number
  answers: [status: number, body: Json | undefined][]
}

/** An engine that balances, and asks. */
export class Client {
  readonly env: Env = nodeEnv()
  readonly mesh: Mesh
  readonly engine: Engine
  readonly questions: Question[] = []
  #ids = 0

  constructor(options: MeshOptions) {
    this.mesh = new Mesh(options)
    this.engine = new Engine({ env: this.env, name: 'client', balancer: this.mesh })
    this.mesh.expose(this.engine.own('engine'), () => {})
    clients.add(this)
  }

  /** Asks `docs`, or what `other` says. */
  ask(method: string, other: Partial<Dispatch> = {}): Question {
    const id = this.#ids++
    const question: Question = { method, id, at: performance.now(), endedAt: 0, ends: 0, answers: [] }
    this.questions.push(question)
    const end = () => {
      question.ends++
      question.endedAt = performance.now()
    }
    const asker = {
      open: 0,
      answered({ dispatch: { resource, body } }: Outbound, final: boolean) {
        question.answers.push([resource?.[0] as number, body])
        if (final) end()
      },
      ended: end,
    }
    const isPost = method === 'POST'
    const what = isPost ? { resource: ['docs'], body: id } : { resource: ['docs', id] }
    const token = [this.env.random.uuid()]
    this.give({ method, ...what, timestamp: Date.now(), to: ['docs'], token, ...other }, asker)
    return question
  }

  /** Asks until there are `total` questions, `rate` in a second. */
  async load(
    total: number,
    rate: number,
    methodOf: (id: number) => string,
    other?: Partial<Dispatch>,
  ): Promise<void> {
    const start = performance.now()
    const before = this.questions.length
    while (this.questions.length - before < total) {
      const due = Math.min(total, ((performance.now() - start) / 1000) * rate)
      while (this.questions.length - before < due) this.ask(methodOf(this.questions.length), other)
      await pause(5)
    }
  }

  /** Waits until every question has ended. */
  async allEnded(): Promise<void> {
    await until(() => this.questions.every(({ ends }) => ends > 0), 30_000)
  }

  give(dispatch: Dispatch, asker: object = { open: 0, answered() {}, ended() {} }): void {
    ;(this.engine as unknown as { dispatch(...it: unknown[]): void }).dispatch(dispatch, asker, NOBODY)
  }

  /** What is known of the replicas. */
  get replicas(): {
    at: string
    standing: string
    state: string
    open: number
    bound: number
    given: number
  }[] {
    type Told = { replicas: Client['replicas'] }
    const [docs] = this.mesh.status as unknown as Told[]
    return docs?.replicas ?? []
  }
}

export async function until(isSo: () => boolean, ms: number): Promise<void> {
  for (const end = Date.now() + ms; !isSo(); await pause(10)) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${isSo}`)
  }
}

/** Of every POST that was carried out: by whom. */
export function carriedOut(log: string): Map<number, string[]> {
  const done = new Map<number, string[]>()
  for (const line of existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []) {
    const [name = '', id] = line.split(' ')
    done.set(Number(id), [...(done.get(Number(id)) ?? []), name])
  }
  return done
}

/** A percentile of milliseconds, rounded. */
export function percentile(values: number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0)
}
