// A service of documents as a process of its own, for the suites of the mesh: it counts what it does in a file, tells how
// full its computer is, and drains when it is told to.
//
//   node app.mjs run JSON      node app.mjs start JSON (in the background)

import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { SystemClock } from '../../src/core/clock.ts'
import { SILENT } from '../../src/core/env.ts'
import { exposeSaturation, toSettings } from '../../src/host/saturation/index.ts'
import { realSources } from '../../src/host/saturation/sources.ts'
import { Engine, type Hop, JstpError } from '../../src/index.ts'
import { Mesh } from '../../src/mesh/index.ts'

export interface AppOptions {
  name: string
  port: number
  /** Where the documents are kept: a mount of its own. */
  disk: string
  /** One line for each POST that was carried out: `name id`. */
  log: string
  /** On an idle computer, whatever this one does, until there is a file of that name. */
  idleUntil?: string
  /** Milliseconds that a document takes. */
  takes?: number
  /** Whom it tells that it serves `docs`. */
  peer?: Exclude<Hop, string>
}

const [, file = '', what, text = '{}'] = process.argv
const options = JSON.parse(text) as AppOptions

if (what === 'start') {
  const out = openSync(`${options.log}.${options.name}`, 'a')
  spawn(process.execPath, [file, 'run', text], { detached: true, stdio: ['ignore', out, out] }).unref()
} else await run(options)

async function run({ name, port, disk, log, idleUntil, takes = 0, peer }: AppOptions): Promise<void> {
  const clock = new SystemClock()
  const mesh = new Mesh(peer ? { announce: ['docs'], peers: [peer] } : {})
  const engine = new Engine({ name, balancer: mesh })
  const owner = engine.own('engine')
  const real = realSources()
  const stat = real.read('/proc/stat') ?? ''
  const isIdle = (path: string) => path === '/proc/stat' && idleUntil !== undefined && !existsSync(idleUntil)
  const sources = { ...real, follow: (path: string) => (isIdle(path) ? stat : real.follow(path)) }
  const quick = { fall: 1000 }
  const settings = toSettings(
    { disks: [disk], thresholds: { disk: { fall: 1000 }, cpu: quick, engine: quick } },
    Number,
  )
  const counts = () => ({
    channels: engine.sizes.channels,
    subscriptions: engine.sizes.subscriptions,
    queued: 0,
  })
  const saturation = exposeSaturation(owner, {
    clock,
    log: SILENT,
    settings,
    counts,
    sources,
  })
  const docs = engine.own('docs')
  let open = 0
  const work = async <T>(make: () => T): Promise<T> => {
    open++
    await pause(takes)
    open--
    return make()
  }
  docs.handle('GET', [':id'], ({ params }) => work(() => ({ by: name, id: params.id ?? null })))
  docs.handle('PUT', [':id'], ({ params }) => work(() => ({ by: name, id: params.id ?? null })))
  docs.handle('POST', [], ({ dispatch: { body } }) =>
    work(() => {
      try {
        writeFileSync(join(disk, `doc-${body}`), 'x'.repeat(100))
      } catch (error) {
        throw new JstpError(500, `the document could not be kept: ${(error as Error).message}`, {
          code: 'full',
        })
      }
      appendFileSync(log, `${name} ${body}\n`)
      return { by: name }
    }),
  )
  mesh.expose(owner, () => {
    saturation.drain()
    void end()
  })
  const end = async () => {
    do await pause(1000)
    while (open > 0)
    await engine.close()
    process.exit(0)
  }
  await engine.listen('tcp', { address: '127.0.0.1', port })
  mesh.start()
  setInterval(() => {}, 1 << 30)
  console.log(`${name} listens`)
}
