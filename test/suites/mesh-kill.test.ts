// alone
// time limit: 120 s
// kill -9 of the busiest replica under load, real processes (design §5, §9.18): what may be repeated succeeds elsewhere, the
// rest is answered 502 `uncertain`, and after 2 s nobody notices any more.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type Address,
  bundleApp,
  Client,
  carriedOut,
  cleanUp,
  freePort,
  percentile,
  startApp,
} from './mesh-rig.ts'
import { makeFolder } from './rig.ts'

const METHODS = ['GET', 'POST', 'PUT', 'GET']
const RATE = 400

test.after.each(cleanUp)

test('§5 kill -9 of the busiest of three under load', async () => {
  const app = await bundleApp()
  const folder = makeFolder()
  const log = join(folder, 'done')
  const ports = await Promise.all([freePort(), freePort(), freePort()])
  const children = await Promise.all(
    ports.map((port, index) =>
      startApp(app, { name: `r${index}`, port, disk: folder, log, takes: 150, idleUntil: '/nowhere' }),
    ),
  )
  const replicas = ports.map((port): Address => ['127.0.0.1', port, 'tcp'])
  const client = new Client({ services: { docs: { replicas, retry: ['GET', 'PUT'] } } })
  const loading = client.load(4000, RATE, (id) => METHODS[id % 4] as string)
  await pause(4000)
  const busiest = client.replicas.reduce((most, next) => (next.open > most.open ? next : most))
  const index = ports.findIndex((port) => busiest.at.endsWith(`:${port}`))
  const killedAt = performance.now()
  children[index]?.kill('SIGKILL')
  await loading
  await client.allEnded()

  const { questions } = client
  assert.is(questions.length, 4000)
  assert.ok(busiest.open > 0, 'it was at work')
  const done = carriedOut(log)
  const failed = questions.filter(({ answers }) => answers.length !== 1 || answers[0]?.[0] !== 200)
  for (const { ends, method, answers, id } of questions) {
    assert.is(ends, 1, `${method} ${id} has ended ${ends} times`)
    assert.is(answers.length, 1, `${method} ${id} has ${answers.length} answers`)
    const [status, body] = answers[0] as [number, { code?: string } | undefined]
    if (method !== 'POST') assert.is(status, 200, `${method} ${id}: ${JSON.stringify(body)}`)
    else if (status !== 200) assert.equal([status, body?.code], [502, 'uncertain'])
    const times = done.get(id)?.length ?? 0
    if (method === 'POST')
      assert.ok(
        status === 200 ? times === 1 : times <= 1,
        `POST ${id}: ${status}, carried out ${times} times`,
      )
  }
  assert.ok(failed.length > 0, 'some POST was under way')
  const last = Math.max(...failed.map(({ at }) => at)) - killedAt
  const late = questions.filter(({ at }) => at > killedAt + 2000).map(({ at, endedAt }) => endedAt - at)
  const hit = questions
    .filter(({ at, endedAt }) => at <= killedAt && endedAt > killedAt)
    .map(({ endedAt }) => endedAt - killedAt)
  assert.ok(last < 2000, `one that was asked ${last} ms after it failed`)
  assert.ok(Math.max(...hit) < 2000, `one that was under way has ended after ${Math.max(...hit)} ms`)
  const retried = client.env.meters.read()['mesh.retry'] ?? 0
  assert.ok(retried > 0)
  console.log(
    `note: kill -9 of one of three at ${RATE}/s: ${busiest.open} under way there, ${retried} asked elsewhere, ` +
      `${failed.length} POST 502 uncertain; all that was under way had ended after ${Math.round(Math.max(...hit))} ms; ` +
      `later p50 ${percentile(late, 0.5)} ms, p99 ${percentile(late, 0.99)} ms`,
  )
  await client.engine.close(0)
  assert.equal(client.mesh.sizes, { bounds: 0, legs: 0, open: 0, announced: 0 })
  rmSync(folder, { recursive: true })
})

test.run()
