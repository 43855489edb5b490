// heavy
// time limit: 120 s
// A Linux process is a node too: the robot's own sketch behind a pseudo terminal, asked over it in real time.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { ReadStream } from 'node:tty'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type SpeedLink, startSerialNode } from '../../src/bridges/serial/index.ts'
import { robotSimulator } from '../../src/bridges/serial/simulator/index.ts'
import { SystemClock } from '../../src/core/clock.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { type Env, SILENT } from '../../src/core/env.ts'
import { Meters } from '../../src/core/meters.ts'
import { Engine } from '../../src/index.ts'
import { readVectors, run, workFolder } from './bench.ts'
import { type Cable, decode, Host, noisyCable } from './host.ts'

const folder = workFolder('posix')
test.after(() => rmSync(folder, { recursive: true, force: true }))

interface Running {
  child: ChildProcess
  stream: ReadStream
  host: Host
  write(bytes: Uint8Array): void
  heard: number[]
}

/** Starts a sketch as a process and lends a host on its terminal. */
async function withNode(sketch: string, use: (node: Running) => Promise<void>): Promise<void> {
  const program = join(folder, sketch)
  run('extras/build', ['linux', sketch, program])
  const child = spawn(program, { stdio: ['ignore', 'pipe', 'inherit'] })
  let port: ReadStream | undefined
  try {
    const [path] = (await once(
      createInterface({ input: child.stdout as NodeJS.ReadableStream }),
      'line',
    )) as [string]
    const fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
    const stream = new ReadStream(fd) as ReadStream & NodeJS.WritableStream
    port = stream
    const write = (bytes: Uint8Array) => void stream.write(Buffer.from(bytes))
    const host = new Host(
      { now: () => performance.now(), write, pass: (ms) => sleep(Math.max(1, ms)) },
      { repeatMs: 500 },
    )
    const heard: number[] = []
    stream.on('data', (bytes: Buffer) => {
      for (const byte of bytes) {
        heard.push(byte)
        host.receive(byte)
      }
    })
    await use({ child, stream, host, write, heard })
  } finally {
    port?.destroy()
    child.kill('SIGKILL')
  }
}

test('raw frames: RST is answered by HELLO, PING by PONG, a GET by an answer that is repeated until acknowledged', async () => {
  const wire = new Map(readVectors().frames.map((frame) => [frame.name, frame.wire]))
  await withNode('robot', async ({ write, heard }) => {
    const send = (name: string) => write(Buffer.from(wire.get(name) ?? '', 'hex'))
    /** What comes until there is one that is wanted. */
    const answerTo = async (name: string, wanted: RegExp) => {
      heard.length = 0
      send(name)
      return await until(`an answer to ${name}`, () => framesIn(heard).find((frame) => wanted.test(frame)))
    }
    assert.match(await answerTo('RST', /^c12a/), /^c12a01....fe0300726f626f74$/)
    await answerTo('PING with eight opaque bytes', /^cb2a0001020304050607$/)
    await answerTo('DATA 0 ack 0: [1,5,["led"]]', /^012a840805190194f6$/)
    heard.length = 0
    await until('a repeat', () => framesIn(heard).includes('092a840805190194f6'))
    assert.ok(framesIn(heard).every((frame) => frame === '092a840805190194f6'))
    send('ACK next 1')
    // What was on its way already.
    await sleep(300)
    heard.length = 0
    await sleep(400)
    assert.equal(framesIn(heard), [])
  })
})

/** Polls until there is something, at most 5 s. */
async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  for (const end = performance.now() + 5000; ; await sleep(5)) {
    const found = look()
    if (found) return found
    assert.ok(performance.now() < end, `${what} within 5 s`)
  }
}

/** The frames in what was heard, in hex; a damaged one fails. */
function framesIn(bytes: number[]): string[] {
  const frames: string[] = []
  let block: number[] = []
  for (const byte of bytes) {
    if (byte !== 0) block.push(byte)
    else if (block.length > 0) {
      frames.push(decode(block)?.toString('hex') ?? 'damaged')
      block = []
    }
  }
  return frames
}

test('the robot as a process: catalogue, commands, events, and a host that goes and comes back', async () => {
  await withNode('robot', async ({ host, child }) => {
    await host.connect()
    const { boot } = host
    const [status, page] = await host.ask(1, [])
    assert.is(status, 200)
    assert.is((page as unknown[]).length, 7)
    await host.ask(6, ['distance'], 20)
    assert.equal(await host.ask(3, ['motor', 0], 100), [200, 100])
    assert.equal(await host.ask(3, ['motor', 1], 100), [200, 100])
    for (let tries = 0; tries < 50 && host.events.length < 4; tries++) await host.idle(100)
    const distances = host.events.map((event) => (event as [number, number, number, number])[3])
    assert.ok((distances.at(-1) ?? 0) < (distances[0] ?? 0), `the robot does not move: ${distances}`)
    await host.connect()
    assert.is(host.boot, boot)
    assert.equal(await host.ask(1, ['motor', 0]), [200, 100])
    assert.is(child.exitCode, null)
  })
})

test('window 3, 3 % damaged bytes both ways, 150 commands by threes: none doubled, every failure explained', async () => {
  await withNode('robot', async ({ stream, write }) => {
    const [there, back] = [noisyCable(0.03, 1), noisyCable(0.03, 2)]
    let isNoisy = false
    const damaged = (bytes: Uint8Array, cable: Cable) =>
      isNoisy ? Uint8Array.from([...bytes].flatMap(cable)) : bytes
    const link: SpeedLink = {
      open(events) {
        stream.on('data', (bytes) => events.data(damaged(bytes, back)))
        events.up()
      },
      write: async (bytes) => write(damaged(bytes, there)),
      speed: async () => {},
      close: async () => {},
    }
    const env: Env = {
      clock: new SystemClock(),
      log: SILENT,
      meters: new Meters(),
      random: { fraction: Math.random, uuid: () => crypto.randomUUID() },
    }
    const engine = new Engine({ env, name: 'taller', answerTimeout: 5000 })
    const owner = engine.own('robot')
    const node = startSerialNode({ name: 'robot', link, speed: 115_200, owner, env, answerTimeout: 5000 })
    const ask = async (method: string, at: string, body?: Json): Promise<[number, Json | undefined]> => {
      for await (const { status, body: said } of engine.ask(method, at, { body })) return [status, said]
      return [0, undefined]
    }
    await until('up', () => node.status().state === 'up')
    isNoisy = true
    let good = 0
    let failed = 0
    for (let n = 0; n < 50; n++) {
      const power = (n * 37) % 101
      const asked = ['robot/motor/0', 'robot/motor/1', 'robot/servo'].map((at) => ask('PUT', at, power))
      for (const [status, body] of await Promise.all(asked)) {
        if (status === 200) {
          assert.is(body, power)
          good++
        } else {
          assert.is(status, 504, JSON.stringify(body))
          assert.ok((body as { message: string }).message.length > 20)
          failed++
        }
      }
    }
    isNoisy = false
    await until('up', () => node.status().state === 'up')
    const [, stats] = await ask('GET', 'robot/stats')
    const { commands } = (stats as { value: { commands: number } }).value
    const { repeated } = node.status().counters
    console.log(
      `note: window 3: ${good} commands and ${commands} effects, ${failed} answered 504, ${repeated} repeats`,
    )
    assert.ok(commands >= good && commands <= good + failed, `${commands} effects of ${good} commands`)
    assert.ok(failed < 8 && (repeated ?? 0) > 10)
    await node.close()
  })
})

test('the simulated robot says of itself what the real one says', async () => {
  const clock = new SystemClock()
  const simulator = robotSimulator(clock)
  const simulated = new Host({
    now: () => performance.now(),
    write: (bytes) => void simulator.write(bytes),
    pass: (ms) => sleep(Math.max(1, ms)),
  })
  const data = (bytes: Uint8Array) => {
    for (const byte of bytes) simulated.receive(byte)
  }
  simulator.connect({ data, gone: () => {} })
  await simulated.connect()
  await withNode('robot', async ({ host }) => {
    await host.connect()
    assert.equal(await catalogueOf(simulated), await catalogueOf(host))
    for (const [method, resource, body] of commands) {
      const real = await host.ask(method, resource, body)
      assert.equal(
        await simulated.ask(method, resource, body),
        real,
        JSON.stringify([method, resource, body]),
      )
    }
  })
  simulator.close()
})

const commands: [method: number, resource: unknown, body?: unknown][] = [
  [3, ['servo'], 45],
  [1, ['servo']],
  [3, ['servo'], 181],
  [3, ['servo'], 'left'],
  [3, ['motor', 0], -100],
  [3, ['motor', 2], 1],
  [2, ['servo'], 1],
  [2, ['stop']],
  [3, ['motor', 1], 1],
  [3, ['stop'], 1],
  [3, ['stop'], false],
  [1, ['stop']],
  [1, ['button']],
  [3, [], 1],
  [1, 2],
  [1, 99],
]

async function catalogueOf(host: Host): Promise<unknown[][]> {
  const rows: unknown[][] = []
  for (let page: unknown[][] = [[]]; page.length > 0; rows.push(...page)) {
    page = (await host.ask(1, [], rows.length))[1] as unknown[][]
  }
  return rows
}

test('the sensor as a process: a float and an event that counts', async () => {
  await withNode('sensor', async ({ host }) => {
    await host.connect()
    const [status, degrees] = await host.ask(1, ['temperature'])
    assert.is(status, 200)
    assert.type(degrees, 'number')
    await host.ask(6, ['button'])
    for (let tries = 0; tries < 100 && host.events.length === 0; tries++) await host.idle(100)
    const [method, tx, alias, presses] = (host.events.at(0) ?? []) as [number, number, number, number]
    assert.equal([method, tx, alias], [4, 0, 1])
    assert.ok(presses > 0)
  })
})

test.run()
