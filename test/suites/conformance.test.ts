// alone
// time limit: 600 s
// needs dist
// The conformance kit against the built program: both modes, and peers that speak the oldest and the newest version.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const answerTimeoutMs = 500
const startLimitMs = 10_000

/** Of one run. */
type Ports = [tcp: number, http: number, relay: number]
const PORTS = 3

/** What the kit may leave out: the other mode's cases. */
const mayLack = new Set(['strict', 'quirks'])

interface Engine {
  readonly tcp: number
  readonly http: number
  readonly relay: number
  readonly process: ChildProcess
  readonly folder: string
}

const runs = ['quirks', 'strict'].flatMap((mode) => ['0.4', '0.6'].map((version) => ({ mode, version })))

/** Two at once: they wait for deadlines most of the time. */
const played: Promise<string[]>[] = []
test.before(async () => {
  const ports = await findPorts(PORTS * runs.length)
  for (const [index, { mode, version }] of runs.entries()) {
    const own = ports.slice(PORTS * index, PORTS * (index + 1)) as Ports
    const turn = played[index - 2]?.catch(() => {}) ?? Promise.resolve()
    const one = turn.then(() => playAll(mode, version, own))
    // Each is awaited by a test of its own.
    one.catch(() => {})
    played.push(one)
  }
})

for (const [index, { mode, version }] of runs.entries()) {
  test(`every conformance case passes in ${mode} mode with peers that speak ${version}`, async () => {
    judge(await (played[index] as Promise<string[]>), `${mode} ${version}`)
  })
}

async function playAll(mode: string, version: string, ports: Ports): Promise<string[]> {
  const engine = await start(mode, ports)
  try {
    return await play(engine, mode, version)
  } finally {
    await stop(engine)
  }
}

async function start(mode: string, [tcp, http, relay]: Ports): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'hormiga-conformance-'))
  const config = {
    name: 'conformance',
    listen: { tcp: `127.0.0.1:${tcp}`, http: `127.0.0.1:${http}` },
    mode,
    answerTimeout: `${answerTimeoutMs}ms`,
    forward: { allow: [['127.0.0.1', relay, 'tcp']] },
  }
  await writeFile(join(folder, 'hormiga.json'), JSON.stringify(config))
  const args = ['dist/hormiga.js', 'run', '--config', join(folder, 'hormiga.json'), '--state', folder]
  const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const engine = { tcp, http, relay, process: process_, folder }
  let errors = ''
  process_.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-10_000)
  })
  if (await comesUp(engine)) return engine
  await stop(engine)
  throw new Error(
    `the engine did not listen on tcp ${tcp} and http ${http} within ${startLimitMs} ms:\n${errors}`,
  )
}

/** All at once, so that they differ. */
async function findPorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

async function comesUp({ tcp, http, process }: Engine): Promise<boolean> {
  const end = performance.now() + startLimitMs
  while (performance.now() < end && process.exitCode === null) {
    if ((await accepts(tcp)) && (await accepts(http))) return true
    await pause(50)
  }
  return false
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const isOpen = await new Promise<boolean>((done) => {
    socket.once('connect', () => done(true)).once('error', () => done(false))
  })
  socket.destroy()
  return isOpen
}

/** The lines that the kit prints: `ok`, `FAIL` or `skip`, id, title and what was wrong. */
async function play(engine: Engine, mode: string, version: string): Promise<string[]> {
  const args = ['--tcp', `127.0.0.1:${engine.tcp}`, '--ws', `ws://127.0.0.1:${engine.http}/`]
  args.push('--http', `http://127.0.0.1:${engine.http}`)
  args.push('--relay-port', String(engine.relay), '--with', 'tcp-cbor', '--speak', version)
  args.push('--answer-timeout-ms', String(answerTimeoutMs), ...(mode === 'strict' ? ['--strict'] : []))
  const kit = spawn(process.execPath, ['test/conformance/run.mjs', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  kit.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  await once(kit, 'close')
  return output.trimEnd().split('\n')
}

function judge(lines: string[], run: string): void {
  const failed = lines.filter((line) => line.startsWith('FAIL '))
  const passed = lines.filter((line) => line.startsWith('ok '))
  const lacking = lines.flatMap((line) => /^skip .*: needs (.*)$/.exec(line)?.[1]?.split(', ') ?? [])
  for (const line of failed) console.log(`${run}: ${line}`)
  assert.is(failed.length, 0, `${failed.length} conformance cases fail in ${run}, listed above`)
  assert.equal(
    [...new Set(lacking)].filter((need) => !mayLack.has(need)),
    [],
  )
  assert.is(lines.at(-1), `${passed.length} passed, 0 failed`)
  assert.ok(passed.length > 100, `only ${passed.length} cases were played`)
  console.log(`note: ${run}: ${passed.length} conformance cases pass, over HTTP too`)
}

async function stop({ process, folder }: Engine): Promise<void> {
  if (process.exitCode === null && process.signalCode === null) {
    process.kill('SIGKILL')
    await once(process, 'exit')
  }
  await rm(folder, { recursive: true, force: true })
}

test.run()
