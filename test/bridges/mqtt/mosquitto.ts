// A real mosquitto on a free port, with its files in a folder of its own.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const PROGRAM = '/usr/sbin/mosquitto'
const START = 5000

const running = new Set<Mosquitto>()

/** Ends what a test that failed has left behind. */
export async function endAll(): Promise<void> {
  for (const broker of running) await broker.close()
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

export class Mosquitto {
  readonly port: number
  readonly #folder = mkdtempSync(join(tmpdir(), 'mosquitto-'))
  #process: ChildProcess | undefined

  private constructor(port: number) {
    this.port = port
  }

  /** `lines`: more of its configuration. */
  static async start(lines: string[] = ['allow_anonymous true'], port?: number): Promise<Mosquitto> {
    const broker = new Mosquitto(port ?? (await freePort()))
    const config = [
      `listener ${broker.port} 127.0.0.1`,
      'persistence false',
      'set_tcp_nodelay true',
      ...lines,
    ]
    writeFileSync(join(broker.#folder, 'mosquitto.conf'), `${config.join('\n')}\n`)
    await broker.begin()
    return broker
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`
  }

  async begin(): Promise<void> {
    this.#process = spawn(PROGRAM, ['-c', join(this.#folder, 'mosquitto.conf')], { stdio: 'ignore' })
    running.add(this)
    for (const end = Date.now() + START; !(await isOpen(this.port)); await pause(20)) {
      if (Date.now() > end) throw new Error('mosquitto did not start; apt-get install mosquitto')
    }
  }

  /** As a power cut does. */
  async kill(): Promise<void> {
    const process = this.#process
    this.#process = undefined
    if (!process || process.exitCode !== null) return
    process.kill('SIGKILL')
    await once(process, 'exit')
  }

  async close(): Promise<void> {
    await this.kill()
    running.delete(this)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/** Waits until something holds, and says what was waited for when it never does. */
export async function until(what: string, holds: () => boolean, limit = 8000): Promise<void> {
  for (const end = Date.now() + limit; !holds(); await pause(10)) {
    if (Date.now() > end) throw new Error(`it never came: ${what}`)
  }
}
