// heavy
// time limit: 240 s
// A Linux process is a node too: the robot's own sketch behind a pseudo terminal, asked over it in real time; and the C
// core under a flood of seeded noise.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { ReadStream } from 'node:tty'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readVectors, run, sanitizers, strictC, workFolder } from './bench.ts'
import { decode, Host } from './host.ts'

const folder = workFolder('posix')
test.after(() => rmSync(folder, { recursive: true, force: true }))

interface Running {
  child: ChildProcess
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
    await use({ child, host, write, heard })
  } finally {
    port?.destroy()
    child.kill('SIGKILL')
  }
}

test('raw frames: RST is answered by HELLO, PING by PONG, a GET by an answer that is repeated until acknowledged', async () => {
  const wire = new Map(readVectors().frames.map((frame) => [frame.name, frame.wire]))
  await withNode('robot', async ({ write, heard }) => {
    const listen = async (ms: number) => {
      heard.length = 0
      await sleep(ms)
      return framesIn(heard)
    }
    const send = async (name: string) => {
      write(Buffer.from(wire.get(name) ?? '', 'hex'))
      return await listen(100)
    }
    const [hello = ''] = (await send('RST')).filter((frame) => frame.startsWith('c12a'))
    assert.match(hello, /^c12a01....fe0300726f626f74$/)
    assert.equal(await send('PING with eight opaque bytes'), ['cb2a0001020304050607'])
    assert.equal(await send('DATA 0 ack 0: [1,5,["led"]]'), ['012a840805190194f6'])
    const again = await listen(400)
    assert.ok(again.length > 0 && again.every((frame) => frame === '092a840805190194f6'), String(again))
    await send('ACK next 1')
    assert.equal(await listen(400), [])
  })
})

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
    await host.idle(300)
    const distances = host.events.map((event) => (event as [number, number, number, number])[3])
    assert.ok(distances.length > 3, `${distances.length} reports`)
    assert.ok((distances.at(-1) ?? 0) < (distances[0] ?? 0), 'the robot does not move')
    await host.connect()
    assert.is(host.boot, boot)
    assert.equal(await host.ask(1, ['motor', 0]), [200, 100])
    assert.is(child.exitCode, null)
  })
})

test('the sensor as a process: a float and an event that counts', async () => {
  await withNode('sensor', async ({ host }) => {
    await host.connect()
    const [status, degrees] = await host.ask(1, ['temperature'])
    assert.is(status, 200)
    assert.type(degrees, 'number')
    await host.ask(6, ['button'])
    await host.idle(4500)
    const [method, tx, alias, presses] = (host.events.at(0) ?? []) as [number, number, number, number]
    assert.equal([method, tx, alias], [4, 0, 1])
    assert.ok(presses > 0)
  })
})

const long = process.env.HORMIGA_LONG === '1'
test(`the C core takes ${long ? '10 million inputs' : '10 s'} of seeded noise without a complaint of a sanitizer`, () => {
  const sizes = { small: ['-DJL_MAXF=96', '-DJL_WINDOW=1', '-DJL_BINDS=10'], large: [] }
  for (const [name, options] of Object.entries(sizes)) {
    const program = join(folder, `fuzz-${name}`)
    run('gcc', [...strictC, '-O2', ...sanitizers, ...options, 'test/fuzz.c', '-o', program])
    const said = run(program, long ? ['1', '80', '10000000'] : ['1', '5'], 90_000)
    console.log(`note: ${name}: ${said.trim()}`)
    const [inputs = 0, effects = 0] = (said.match(/\d+/g) ?? []).map(Number)
    assert.ok(inputs > 50_000, said)
    assert.ok(effects > 100, 'the noise never gets as far as a command')
  }
})

test.run()
