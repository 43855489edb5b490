// The processes that are measured. Each listens on a free port of 127.0.0.1 and does what it is told over IPC.

import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { now, sleep } from './measure.mjs'

const startLimit = 15_000
const endLimit = 5000
const files = {
  engine: 'engine.mjs',
  identity: 'identity.mjs',
  'mqtt-pair': 'mqtt-pair.mjs',
  crypto: 'crypto.mjs',
  jstp: 'jstp.cjs',
  lines: 'raw.mjs',
  echo: 'raw.mjs',
}
/** Those that are not ours are not profiled. */
const ours = new Set(['engine', 'identity', 'crypto', 'mqtt-pair'])
const live = new Set()

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL')
})

/**
 * Starts one of `files`. `engine`: the library to measure; `profile`: a folder for the engine's CPU profile; `flags`: for
 * Node.
 */
export async function startServer(name, { engine, profile, flags = [], port: given } = {}) {
  const port = given ?? (await freePort())
  const execArgv = profile && ours.has(name) ? ['--cpu-prof', '--cpu-prof-dir', profile, ...flags] : flags
  const file = fileURLToPath(new URL(`servers/${files[name]}`, import.meta.url))
  const child = fork(file, [String(port), name, engine ?? ''], {
    execArgv,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  live.add(child)
  const gone = once(child, 'exit').then(() => [undefined])
  const reply = async () => {
    const [message] = await Promise.race([once(child, 'message'), gone])
    if (!message) throw new Error(`the ${name} server ended by itself, exit code ${child.exitCode}`)
    if (message.error) throw new Error(`the ${name} server: ${message.error}`)
    return message.value
  }
  await Promise.race([reply(), limit(startLimit, `the ${name} server did not start`)])
  return {
    port,
    pid: child.pid,
    /** One at a time. */
    ask(command, value) {
      child.send({ command, value })
      return reply()
    },
    stop: () => end(child, () => child.disconnect()),
  }
}

/** Starts a program; `stop` ends it. */
export function startProgram(args) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  live.add(child)
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors = (errors + text).slice(-2000)
  })
  return {
    pid: child.pid,
    get ended() {
      return child.exitCode !== null || child.signalCode !== null
    },
    get errors() {
      return errors.trim()
    },
    stop: () => end(child, () => child.kill('SIGTERM')),
  }
}

/** Runs a program to its end. */
export async function runProgram(args) {
  const child = spawn(process.execPath, args, { stdio: 'ignore' })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`node ${args.join(' ')} ended with exit code ${code}`)
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  await once(server.close(), 'close')
  return port
}

/** Waits until a program accepts connections. */
export async function accepts(port, program) {
  const giveUp = now() + startLimit
  while (now() < giveUp) {
    if (program.ended) throw new Error(`the program ended instead of listening: ${program.errors}`)
    if (await isOpen(port)) return
    await sleep(2)
  }
  throw new Error(`nothing listens on port ${port} after ${startLimit} ms: ${program.errors}`)
}

async function isOpen(port) {
  const socket = connect(port, '127.0.0.1')
  const open = await new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  })
  socket.destroy()
  return open
}

async function end(child, ask) {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit')
    ask()
    const timer = setTimeout(() => child.kill('SIGKILL'), endLimit)
    await ended
    clearTimeout(timer)
  }
  live.delete(child)
}

async function limit(ms, message) {
  await sleep(ms, undefined, { ref: false })
  throw new Error(`${message} within ${ms} ms`)
}

/** A real broker on a free port, with its files in a folder of its own: `{ url, port, stop }`. */
export async function startMosquitto() {
  const folder = mkdtempSync(join(tmpdir(), 'hormiga-bench-'))
  const port = await freePort()
  const file = join(folder, 'mosquitto.conf')
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'set_tcp_nodelay true',
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const child = spawn('/usr/sbin/mosquitto', ['-c', file], { stdio: 'ignore' })
  let failure
  child.once('error', () => {
    failure = 'mosquitto is missing: apt-get install mosquitto'
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  await accepts(port, {
    get ended() {
      return failure !== undefined || child.exitCode !== null
    },
    get errors() {
      return failure ?? 'mosquitto ended'
    },
  })
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    stop() {
      process.off('exit', kill)
      kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
