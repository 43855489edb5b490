// An engine at a broker as a process of its own, for the suites that kill it: `serve` counts in a file what it has carried out,
// `ask` asks 1,000 times a second and writes down what it was answered.
//
//   node app.mjs JSON

import { appendFileSync, writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { formatUri } from '../../src/index.ts'
import { hopTo, startAt } from '../transports/mqtt-kit.ts'

export interface AppOptions {
  what: 'serve' | 'ask'
  port: number
  /** One line for each POST, PUT or PATCH that was carried out (`serve`): `run method id`; that was answered (`ask`): `status id`. */
  log: string
  /** Of this process. */
  run: string
  rate?: number
  total?: number
}

const options = JSON.parse(process.argv[2] ?? '{}') as AppOptions
const { what, port, log, run } = options
setInterval(() => {}, 1 << 30)

if (what === 'serve') {
  const { engine } = await startAt('b', { port, boot: run })
  const things = engine.own('things')
  for (const method of ['POST', 'PUT', 'PATCH']) {
    things.handle(method, [], ({ dispatch: { body } }) => {
      appendFileSync(log, `${run} ${method} ${body}\n`)
      return { run }
    })
  }
  things.handle('GET', [], () => ({ run }))
  things.handle('DELETE', [], () => ({ run }))
  writeSync(1, 'ready\n')
} else {
  const { engine } = await startAt('a', { port, boot: run })
  const { rate = 1000, total = 10_000 } = options
  const at = formatUri({ to: hopTo(port, 'b'), resource: ['things'] })
  await engine.get(at).first()
  writeSync(1, 'ready\n')
  const start = performance.now()
  for (let id = 0; id < total; ) {
    const due = Math.min(total, ((performance.now() - start) / 1000) * rate)
    for (; id < due; id++) {
      const body = id
      engine
        .post(at, { body })
        .first()
        .then(({ status }) => appendFileSync(log, `${status} ${body}\n`))
        .catch(() => {})
    }
    await pause(5)
  }
}
