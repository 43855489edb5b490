// The whole way, in real time: an engine, the real serial port, a terminal, a cable that damages bytes, and our firmware as
// Debian compiles it, on an emulated ATmega328P. Bytes sent at another speed than they are read with arrive as others.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { SerialLink, startSerialNode } from '../../src/bridges/serial/index.ts'
import { SystemClock } from '../../src/core/clock.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { type Env, SILENT } from '../../src/core/env.ts'
import { Meters } from '../../src/core/meters.ts'
import { Engine } from '../../src/index.ts'
import { type Cable, noisyCable } from './host.ts'
import { clockHz, Uno } from './uno.ts'

/** Makes a terminal, says its name on standard error, and carries bytes between it and standard input and output; there,
    each piece after its speed and its length. */
const relay = `
import array, fcntl, os, pty, select, struct, sys, tty
master, slave = pty.openpty()
tty.setraw(slave)
print(os.ttyname(slave), file=sys.stderr, flush=True)
settings = array.array('B', bytes(44))
while True:
    ready, _, _ = select.select([0, master], [], [])
    for end in ready:
        data = os.read(end, 4096)
        if not data: sys.exit()
        if end == 0: os.write(master, data)
        else:
            fcntl.ioctl(slave, 0x802C542A, settings)
            speed = struct.unpack_from('=I', settings, 40)[0]
            os.write(1, struct.pack('<IH', speed, len(data)) + data)
`

export type Answer = [status: number, body: Json | undefined]

export interface StageOptions {
  speed?: number
  fast?: number
}

const msCycles = clockHz / 1000
/** Milliseconds that the chip runs at a time while a moment is waited for. */
const FINE = 0.1
/** Of two speeds, how far they may be apart. */
const TOLERANCE = 0.04

export class Stage {
  readonly uno: Uno
  /** Of all bytes, how many are damaged. */
  noise = 0
  isCut = false
  /** Bytes of the longest frame that was sent in either direction, and all bytes that the chip has sent. */
  longest = 0
  sent = 0
  /** When the chip was last given bytes, in its cycles. */
  givenAt = 0
  engine: Engine
  node: ReturnType<typeof startSerialNode>
  #relay: ChildProcessWithoutNullStreams
  #path: string
  #env: Env
  #timer: NodeJS.Timeout
  #seed = 0
  #hostSpeed = 115_200
  #awaited: { when(): boolean; act(): void } | undefined

  constructor(uno: Uno, relay: ChildProcessWithoutNullStreams, path: string, options: StageOptions) {
    this.uno = uno
    this.#relay = relay
    this.#path = path
    const [there, back] = [this.#cable(), this.#cable()]
    const [toChip, toHost] = [this.#lengths(), this.#lengths()]
    readPieces(relay.stdout, (speed, bytes) => {
      this.#hostSpeed = speed
      for (const byte of bytes) toChip(byte)
      this.givenAt = uno.cpu.cycles
      uno.send(Buffer.from([...bytes].flatMap(there)))
    })
    let out: number[] = []
    uno.onByte = (byte) => {
      toHost(byte)
      this.sent++
      out.push(...back(byte))
    }
    let then = performance.now()
    this.#timer = setInterval(() => {
      const now = performance.now()
      // After a stall of this machine the chip is not made to hurry.
      this.#run(Math.min(now - then, 20))
      then = now
      if (out.length > 0) relay.stdin.write(Buffer.from(out))
      out = []
    }, 1)
    this.#env = {
      clock: new SystemClock(),
      log: SILENT,
      meters: new Meters(),
      random: { fraction: Math.random, uuid: () => crypto.randomUUID() },
    }
    this.engine = new Engine({ env: this.#env, name: 'taller', answerTimeout: 5000 })
    this.node = this.#start(options)
  }

  /** As if the engine were started anew; the chip notices nothing. */
  async restart(options: StageOptions): Promise<void> {
    await this.node.close()
    this.node = this.#start(options)
  }

  async ask(method: string, at: string, body?: Json): Promise<Answer> {
    for await (const { status, body: said } of this.engine.ask(method, at, { body })) return [status, said]
    return [0, undefined]
  }

  /** Does something at the moment, in the chip's time, when something else is so. */
  async at(when: () => boolean, act: () => void): Promise<void> {
    this.#awaited = { when, act }
    await this.poll('the moment to act', () => this.#awaited === undefined)
  }

  async until(state: string, ms: number): Promise<void> {
    await this.poll(state, () => this.node.status().state === state, ms)
  }

  async poll(what: string, is: () => boolean, ms = 10_000): Promise<void> {
    for (const end = performance.now() + ms; !is(); await sleep(2)) {
      assert.ok(performance.now() < end, `not within ${ms} ms: ${what}; ${this.node.status().cause}`)
    }
  }

  async close(): Promise<void> {
    await this.node.close()
    clearInterval(this.#timer)
    this.#relay.kill('SIGKILL')
  }

  #start({ speed, fast }: StageOptions): ReturnType<typeof startSerialNode> {
    return startSerialNode({
      name: 'robot',
      link: new SerialLink({ port: this.#path, speed: speed ?? 115_200 }, this.#env),
      speed,
      fast,
      owner: this.engine.own('robot'),
      env: this.#env,
      answerTimeout: 5000,
    })
  }

  #run(ms: number): void {
    let left = ms
    for (; this.#awaited && left > 0; left -= FINE) {
      this.uno.run(FINE * msCycles)
      if (!this.#awaited.when()) continue
      this.#awaited.act()
      this.#awaited = undefined
    }
    if (left > 0) this.uno.run(left * msCycles)
  }

  #cable(): Cable {
    let noise = -1
    let damage = noisyCable(0, 0)
    return (byte: number) => {
      if (this.isCut) return []
      if (noise !== this.noise) {
        noise = this.noise
        damage = noisyCable(noise, ++this.#seed)
      }
      const chipSpeed = (clockHz * 10) / this.uno.cyclesPerByte
      const isSame = Math.abs(chipSpeed / this.#hostSpeed - 1) < TOLERANCE
      return damage(isSame ? byte : (byte * 7 + 3) & 0xff)
    }
  }

  #lengths() {
    let length = 0
    return (byte: number) => {
      length = byte === 0 ? 0 : length + 1
      // The zeros around it count.
      if (length > 0) this.longest = Math.max(this.longest, length + 2)
    }
  }
}

/** Lends a stage on which a program runs, as soon as it is up. `hex`: its path. */
export async function withStage(
  hex: string,
  options: StageOptions,
  use: (stage: Stage) => Promise<void>,
): Promise<void> {
  const child = spawn('python3', ['-c', relay])
  const [path] = (await once(createInterface({ input: child.stderr }), 'line')) as [string]
  const stage = new Stage(new Uno(hex), child, path, options)
  try {
    await stage.until('up', 10_000)
    await use(stage)
  } finally {
    await stage.close()
  }
}

function readPieces(input: NodeJS.ReadableStream, take: (speed: number, bytes: Buffer) => void): void {
  let pending = Buffer.alloc(0)
  input.on('data', (bytes: Buffer) => {
    pending = Buffer.concat([pending, bytes])
    while (pending.length >= 6) {
      const end = 6 + pending.readUInt16LE(4)
      if (pending.length < end) return
      take(pending.readUInt32LE(0), pending.subarray(6, end))
      pending = pending.subarray(end)
    }
  })
}
