// alone
// time limit: 120 s
// What a request costs the host (design §9.26, §9.32): processor time of this process alone, against the bare exchange of a
// PING and its PONG over the same port with the same program in one run.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SerialLink, startSerialNode } from '../../src/bridges/serial/index.ts'
import { encodeFrame } from '../../src/bridges/serial/link/frame.ts'
import { SystemClock } from '../../src/core/clock.ts'
import { type Env, SILENT } from '../../src/core/env.ts'
import { Meters } from '../../src/core/meters.ts'
import { Engine } from '../../src/index.ts'
import { run, workFolder } from './bench.ts'

/** Requests in a row, rows of each kind, and how many bare exchanges a request through the engine may cost. */
const requests = 500
const rows = 7
const most = 3

const folder = workFolder('cpu')
test.after(() => rmSync(folder, { recursive: true, force: true }))

const env = (): Env => ({
  clock: new SystemClock(),
  log: SILENT,
  meters: new Meters(),
  random: { fraction: Math.random, uuid: () => crypto.randomUUID() },
})

async function startRobot(): Promise<{ child: ChildProcess; port: string }> {
  const program = join(folder, 'robot')
  run('extras/build', ['linux', 'robot', program])
  const child = spawn(program, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line')
  return { child, port }
}

/** Microseconds of this process for each of many, and of the wall. */
async function cost(one: () => Promise<unknown>): Promise<{ cpu: number; wall: number }> {
  const begun = performance.now()
  const before = process.cpuUsage()
  for (let n = 0; n < requests; n++) await one()
  const { user, system } = process.cpuUsage(before)
  return { cpu: (user + system) / requests, wall: ((performance.now() - begun) * 1000) / requests }
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number

/** The bare port: a PING goes out, and it is over when as many bytes are back. */
async function bareExchange(port: string) {
  const link = new SerialLink({ port, speed: 115_200 }, env())
  const ping = encodeFrame({ sid: 1, type: 'ping', payload: new Uint8Array(8) })
  let missing = 0
  let arrived = () => {}
  const isUp = new Promise<void>((resolve) => {
    link.open({
      up: resolve,
      down: () => {},
      data: (bytes) => {
        missing -= bytes.length
        if (missing <= 0) arrived()
      },
    })
  })
  await isUp
  await link.write(encodeFrame({ sid: 1, type: 'rst' }))
  await sleep(300)
  return {
    one: async () => {
      missing = ping.length
      const done = new Promise<void>((resolve) => {
        arrived = resolve
      })
      await link.write(ping)
      await done
    },
    end: () => link.close(),
  }
}

test(`a GET through the engine costs the host at most ${most} times what its bytes cost`, async () => {
  const bare = await startRobot()
  const whole = await startRobot()
  const pings = await bareExchange(bare.port)
  const engine = new Engine({ env: env(), name: 'taller', answerTimeout: 5000 })
  const node = startSerialNode({
    name: 'robot',
    link: new SerialLink({ port: whole.port, speed: 115_200 }, env()),
    speed: 115_200,
    owner: engine.own('robot'),
    env: env(),
    answerTimeout: 5000,
  })
  try {
    for (let tries = 0; node.status().state !== 'up' && tries < 500; tries++) await sleep(20)
    const get = async () => {
      for await (const { status } of engine.ask('GET', 'robot/servo')) return assert.is(status, 200)
    }
    const costs = { bytes: [] as number[], request: [] as number[], wall: [] as number[] }
    await cost(get)
    await cost(pings.one)
    for (let row = 0; row < rows; row++) {
      costs.bytes.push((await cost(pings.one)).cpu)
      const { cpu, wall } = await cost(get)
      costs.request.push(cpu)
      costs.wall.push(wall)
    }
    const [bytes, request] = [median(costs.bytes), median(costs.request)]
    console.log(
      `note: host CPU: ${request.toFixed(0)} µs for a GET through engine, link and port, ${bytes.toFixed(0)} µs for as bare ` +
        `an exchange (${(request / bytes).toFixed(2)} times); ${(1e6 / median(costs.wall)).toFixed(0)} requests a second with a Linux process`,
    )
    assert.ok(request <= most * bytes, `${request} µs, more than ${most} times ${bytes} µs`)
  } finally {
    await node.close()
    await pings.end()
    bare.child.kill('SIGKILL')
    whole.child.kill('SIGKILL')
  }
})

test.run()
