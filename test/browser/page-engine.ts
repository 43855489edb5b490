// An engine with the page: its own listener for http, the coffee machine and a meter that reports as often as a test wants,
// and the way to stop it and to start it again on the same port.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ecam from '../../devices/delonghi-ecam/device.ts'
import { type EcamSimulator, simulator } from '../../devices/delonghi-ecam/simulator.ts'
import { deviceEntries, directory } from '../../src/app/directory.ts'
import { HostEngine } from '../../src/app/engine.ts'
import { Listeners } from '../../src/app/listeners.ts'
import { pageFiles } from '../../src/app/page-files.ts'
import { SystemClock } from '../../src/core/clock.ts'
import { SILENT } from '../../src/core/env.ts'
import type { Guard } from '../../src/core/guard.ts'
import { Meters } from '../../src/core/meters.ts'
import type { Profile } from '../../src/device/profile.ts'
import { simulatedLink } from '../../src/device/simulate.ts'
import { type Device, startDevice } from '../../src/device/start.ts'
import { readConfig } from '../../src/host/config.ts'
import { exposeHistory } from '../../src/host/history.ts'
import type { LogRecord } from '../../src/host/log.ts'
import { exposeEngine } from '../../src/host/resources.ts'
import { exposeSaturation } from '../../src/host/saturation/index.ts'
import { nodeEnv } from '../../src/index.ts'
import { OTHER_HOST } from './chromium.ts'

export interface PageEngine {
  readonly port: number
  readonly url: string
  readonly coffee: EcamSimulator
  /** Reports the meter's ten numbers, in all so many a second. */
  report(perSecond: number): void
  log(record: LogRecord): void
  stop(): Promise<void>
}

export interface PageEngineOptions {
  port?: number
  /** More devices, by their names. */
  devices?: [name: string, profile: Profile][]
  guard?: Guard
  /** How fast the coffee machine works: at 4, the default, an espresso takes 2 s. */
  speed?: number
  /** Nobody may do anything without a key. */
  isClosed?: boolean
}

const SPEED = 4
const NUMBERS = 10
const TICK = 10

interface Build {
  bundleWeb(root: string): Promise<{ files: object[]; first: number; all: number; limit: number }>
  writeWeb(root: string, web: object): Promise<void>
}

/** The page as the build makes it, in a folder of its own; and what it weighs. */
export async function buildPage(): Promise<{
  folder: string
  first: number
  all: number
  limit: number
  drop(): void
}> {
  const root = process.cwd()
  const { bundleWeb, writeWeb } = (await import(
    pathToFileURL(join(root, 'scripts/build-web.mjs')).href
  )) as Build
  const web = await bundleWeb(root)
  const out = mkdtempSync(join(tmpdir(), 'hormiga-page-'))
  await writeWeb(out, web)
  const drop = () => rmSync(out, { recursive: true, force: true })
  return { ...web, folder: join(out, 'dist/web'), drop }
}

export async function startPageEngine(folder: string, options: PageEngineOptions = {}): Promise<PageEngine> {
  const { port = 0, speed = SPEED, guard, isClosed, devices: more = [] } = options
  const written = {
    name: 'cocina',
    listen: { tcp: false, http: `127.0.0.1:${port}` },
    http: { hosts: [OTHER_HOST] },
    ...(isClosed && { access: [] }),
  }
  const config = readConfig(JSON.stringify(written), 'the test', {})
  const clock = new SystemClock()
  const env = { ...nodeEnv(SILENT), clock, meters: new Meters() }
  const engine = new HostEngine(config, env, guard)
  const listeners = new Listeners(engine, env, config)
  listeners.assets = pageFiles(folder)
  const owner = engine.own('engine')
  const counts = () => ({ ...engine.sizes, queued: 0, dispatches: engine.dispatches })
  const saturation = exposeSaturation(owner, { clock, log: env.log, settings: config.saturation, counts })
  exposeHistory(owner, engine.history)

  const coffee = simulator(clock, { speed })
  coffee.warm()
  const meter = meterProfile()
  const profiles: [string, Profile][] = [['cafetera', ecam], ['meter', meter.profile], ...more]
  const devices = new Map<string, Device>()
  const records: LogRecord[] = []
  let onRecord = (_: LogRecord) => {}
  const resources = exposeEngine(owner, clock, {
    summary: () => ({
      name: config.name,
      id: 'did:key:test',
      fingerprint: 'abcd efgh',
      version: '0.0.0',
      boot: 'test',
      uptime: 0,
    }),
    directory: () => directory(profiles.map(([name, profile]) => listed(name, profile))),
    things: () => [],
    devices: () => Object.fromEntries([...devices].map(([name, device]) => [name, device.status()])),
    bluetooth: () => null,
    peers: () => engine.channels().map((channel) => ({ ...channel })),
    counters: () => null,
    clock: () => ({ state: 'synced' }) as never,
    log: {
      records,
      onRecord: (listener) => {
        onRecord = listener
      },
    },
  })
  owner.handle('GET', ['services'], () => [])
  const onChange = () => resources.devicesChanged()
  for (const [name, profile] of profiles) {
    const link = simulatedLink(name === 'cafetera' ? coffee : await profile.simulate(clock), clock)
    const shared = { clock, log: env.log, answerTimeout: config.answerTimeout, onChange }
    devices.set(name, startDevice({ name, profile, link, owner: engine.own(name), ...shared }))
  }
  await listeners.open('http', config)
  const at = listeners.at('http')?.port as number
  return {
    port: at,
    url: `http://localhost:${at}/`,
    coffee,
    report: meter.run,
    log(record) {
      records.push(record)
      onRecord(record)
    },
    async stop() {
      meter.run(0)
      await listeners.close()
      await engine.close(0)
      await Promise.all([...devices.values()].map((device) => device.close()))
      saturation.close()
      resources.close()
    },
  }
}

function listed(name: string, profile: Profile) {
  return { name, title: profile.title, entries: () => deviceEntries(name, profile) }
}

/** A thing that only says numbers. */
function meterProfile(): { profile: Profile; run(perSecond: number): void } {
  const names = Array.from({ length: NUMBERS }, (_, at) => `value-${at}`)
  let say = (_: string, __: number) => {}
  let timer: ReturnType<typeof setInterval> | undefined
  let turn = 0
  const profile = quietProfile('Meter', {
    points: Object.fromEntries(
      names.map((name) => [name, { methods: ['GET'], type: 'number', unit: 'V', description: 'A number' }]),
    ),
    create: (context) => {
      say = context.set
      const up = () => {
        context.heard()
        for (const name of names) context.set(name, 0)
      }
      return { up, data() {}, down() {}, close: () => clearInterval(timer) }
    },
  })
  const run = (perSecond: number) => {
    clearInterval(timer)
    if (perSecond === 0) return
    const each = (perSecond * TICK) / 1000
    let owed = 0
    let before = performance.now()
    timer = setInterval(() => {
      const now = performance.now()
      owed += ((now - before) / TICK) * each
      before = now
      for (; owed >= 1; owed--, turn++)
        say(names[turn % NUMBERS] as string, Math.sin(turn / 997) * 12 + turn * 1e-9)
    }, TICK)
  }
  return { profile, run }
}

/** A profile of something that is always there. */
export function quietProfile(title: string, more: Partial<Profile>): Profile {
  return {
    name: 'quiet',
    title,
    match: [],
    link: { medium: 'ble', service: '', characteristic: '', write: 'with-response' },
    silence: 3_600_000,
    points: {},
    actions: {},
    create: ({ heard }) => ({ up: heard, data() {}, down() {}, close() {} }),
    simulate: async () => ({ connect: () => true, disconnect() {}, write: () => true, close() {} }),
    ...more,
  }
}
