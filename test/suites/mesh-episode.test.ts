// alone
// time limit: 180 s
// A service that gets full, with real engines as processes, a real disk and real load (design §5): a second engine is
// started, takes the work, and goes when it is no longer needed; nobody who asks or listens notices.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runCommand } from '../../src/mesh/index.ts'
import type { AppOptions } from './mesh-app.ts'
import {
  type Address,
  bundleApp,
  burn,
  Client,
  carriedOut,
  cleanUp,
  fill,
  freePort,
  percentile,
  smallDisk,
  startApp,
  until,
} from './mesh-rig.ts'
import { makeFolder } from './rig.ts'

const TOTAL = 10_000
const RATE = 250

test.after.each(cleanUp)

test('§5 a full service gets a second engine, and gives it back', async () => {
  const app = await bundleApp()
  const folder = makeFolder()
  const log = join(folder, 'done')
  const disk = smallDisk()
  const [onePort, twoPort, clientPort] = await Promise.all([freePort(), freePort(), freePort()])
  const one: AppOptions = {
    name: 'one',
    port: onePort,
    disk: disk ?? folder,
    log,
    takes: 5,
    idleUntil: join(folder, 'busy'),
  }
  const peer: Address = ['127.0.0.1', clientPort, 'tcp']
  const two: AppOptions = {
    name: 'two',
    port: twoPort,
    disk: folder,
    log,
    takes: 5,
    idleUntil: '/nowhere',
    peer,
  }
  await startApp(app, one)

  const clock = { now: () => performance.now() }
  const ran: { command: string[]; at: number; code: unknown }[] = []
  const client = new Client({
    services: {
      docs: {
        replicas: [['127.0.0.1', onePort, 'tcp']],
        announced: true,
        scale: {
          command: [process.execPath, app, 'start', JSON.stringify(two)],
          drainAfter: 4000,
          run: async (command) => {
            const at = clock.now()
            const ended = await runCommand(client.env.clock, command)
            ran.push({ command, at, code: ended.code })
            return ended
          },
        },
      },
    },
  })
  await client.engine.listen('tcp', { address: '127.0.0.1', port: clientPort })
  const heard = await follow(client, 'first')
  const publisher = publish([onePort, twoPort])

  const methods = ['GET', 'POST', 'PUT', 'GET', 'POST']
  const loading = client.load(TOTAL, RATE, (id) => methods[id % 5] as string)
  await pause(3000)

  // It gets full
  assert.equal(ran, [], 'nothing is started before')
  const empty = disk ? fill(disk) : () => {}
  writeFileSync(join(folder, 'busy'), '')
  const stress = burn(12)
  await until(() => client.replicas[0]?.state === 'critical', 10_000)
  const criticalAt = clock.now()
  await until(() => client.questions.some(({ answers }) => byOf(answers) === 'two'), 15_000)
  const joined = clock.now() - criticalAt
  assert.equal(
    ran.map(({ code }) => code),
    [0],
  )
  assert.ok(joined < 3000, `the second engine had its first work ${joined} ms after the first was critical`)
  const during = await follow(client, 'second')
  await pause(4000)
  if (disk) {
    const late = client.questions.filter(({ at, ends }) => at > criticalAt + 3000 && ends > 0)
    assert.equal(
      new Set(late.map(({ answers }) => byOf(answers))),
      new Set(['two']),
      'all new work goes there',
    )
  }

  // It has room again
  empty()
  stress.stop()
  await until(() => client.replicas.every(({ state }) => state === 'ok'), 20_000)
  const calmAt = clock.now()
  await until(() => client.replicas.length === 1, 90_000)
  const gone = clock.now() - calmAt
  await loading
  await client.allEnded()
  await pause(500)
  publisher.stop()
  await pause(500)

  const { questions } = client
  const done = carriedOut(log)
  const statuses = new Map<string, number>()
  assert.is(questions.length, TOTAL)
  for (const { ends, method, answers, id } of questions) {
    assert.equal([ends, answers.length], [1, 1], `${method} ${id}: ${JSON.stringify(answers)}`)
    const [status, body] = answers[0] as [number, { code?: string } | undefined]
    const key = status === 200 ? '200' : `${status} ${body?.code}`
    statuses.set(key, (statuses.get(key) ?? 0) + 1)
    if (method !== 'POST') assert.is(status, 200)
    else assert.is(done.get(id)?.length ?? 0, status === 200 ? 1 : 0, `POST ${id} was answered ${status}`)
  }
  // Between the last free byte and the report the service can't keep a document, and says so.
  assert.equal(
    [...statuses.keys()].filter((key) => key !== '200' && key !== '500 full'),
    [],
  )
  for (const { name, got } of [heard, during]) {
    const first = got[0] as number
    assert.equal(
      got,
      Array.from({ length: got.length }, (_, i) => first + i),
      `the ${name} subscriber`,
    )
    assert.ok(
      got.at(-1) === publisher.last(),
      `the ${name} subscriber has ${got.at(-1)} of ${publisher.last()}`,
    )
  }
  const meters = client.env.meters.read()
  assert.ok((meters['mesh.moved'] ?? 0) >= 1, 'a subscription has moved')
  const times = questions.map(({ at, endedAt }) => endedAt - at)
  console.log(
    `note: ${disk ? 'a full disk' : 'no mount here'} and ${stress.name}: ` +
      `first work of the second engine ${Math.round(joined)} ms after critical, it was gone ${Math.round(gone)} ms after calm; ` +
      `${[...statuses].map(([key, count]) => `${count} × ${key}`).join(', ')}; p50 ${percentile(times, 0.5)} ms, ` +
      `p99 ${percentile(times, 0.99)} ms, slowest ${percentile(times, 1)} ms; ` +
      `${heard.got.length} reports each once, ${meters['mesh.double'] ?? 0} doubles dropped`,
  )
  await client.engine.close(0)
  assert.equal(client.mesh.sizes, { bounds: 0, legs: 0, open: 0, announced: 0 })
  rmSync(folder, { recursive: true })
})

/** A subscriber that notes the numbers it gets. */
async function follow(client: Client, name: string): Promise<{ name: string; got: number[] }> {
  const got: number[] = []
  await client.engine.bind('BIND#PUT#docs//news', ({ dispatch }) => void got.push(dispatch.body as number))
  return { name, got }
}

/** Tells all replicas the same, 50 times a second. */
function publish(ports: number[]): { stop(): void; last(): number } {
  const client = new Client({})
  let number = 0
  const timer = setInterval(() => {
    const dispatch = { method: 'PUT', resource: ['news'], timestamp: Date.now(), body: ++number }
    for (const port of ports) client.give({ ...dispatch, to: [['127.0.0.1', port, 'tcp']] })
  }, 20)
  timer.unref()
  return {
    stop: () => {
      clearInterval(timer)
      void client.engine.close(0)
    },
    last: () => number,
  }
}

function byOf([first]: Client['questions'][number]['answers']): unknown {
  const body = first?.[1]
  return typeof body === 'object' && body !== null && !Array.isArray(body) ? body.by : undefined
}

test.run()
