// The program on the Pi: configuration → log → state → engine → listeners → devices, and back when it is told to end.
// What fails says why and what to do; a device that fails ends nothing.

import { openBroker } from './app/broker.ts'
import { type Control, openControl } from './app/control.ts'
import { type DemoPorts, demoConfig, demoSimulator, demoText } from './app/demo.ts'
import { Devices } from './app/devices.ts'
import { directory } from './app/directory.ts'
import { HostEngine } from './app/engine.ts'
import { StartError } from './app/failure.ts'
import { openHomeAssistant } from './app/homeassistant.ts'
import { type HostIdentity, openHostIdentity } from './app/identity.ts'
import { Links } from './app/links.ts'
import { Listeners } from './app/listeners.ts'
import { giveNotice, openMesh } from './app/mesh.ts'
import { openMqtt } from './app/mqtt.ts'
import { pageFiles } from './app/page-files.ts'
import type { Pages } from './app/pages.ts'
import { knownProfiles } from './app/profiles.ts'
import { programName, VERSION } from './app/program.ts'
import { things } from './app/things.ts'
import type { Home } from './bridges/mqtt/export/index.ts'
import { SystemClock } from './core/clock.ts'
import type { Json } from './core/dispatch.ts'
import type { Env } from './core/env.ts'
import { Meters } from './core/meters.ts'
import type { ListenAt } from './core/transport.ts'
import type { EmbeddedBroker } from './host/broker.ts'
import { watchClock } from './host/clock-state.ts'
import {
  type Config,
  ConfigError,
  type DeviceConfig,
  difference,
  type Label,
  loadConfig,
  type Section,
} from './host/config.ts'
import { exposeHistory } from './host/history.ts'
import { type HistoryFile, keepHistory } from './host/history-file.ts'
import { type HostLog, openDestination, openLog } from './host/log.ts'
import { notifySystemd } from './host/notify.ts'
import { mindProcess } from './host/process.ts'
import { type EngineResources, exposeEngine } from './host/resources.ts'
import {
  exposeSaturation,
  health,
  METRICS_TYPE,
  prometheus,
  type SaturationResource,
} from './host/saturation/index.ts'
import { LABELS } from './host/schema.ts'
import { chooseDirectory, openStore, type Store, StoreError } from './host/store.ts'
import { nodeEnv } from './index.ts'

export interface RunOptions {
  /** `--config` */
  configFile?: string
  /** `--state` */
  state?: string
  /** `--demo`, with its ports. */
  demo?: DemoPorts
}

/** Milliseconds for what is open; the rest of the 5 s is for notice to others, devices and the log. */
const GRACE = 3000

/** Sections that a reload takes over while the program runs; `log` only its level. */
const LIVE: Section[] = ['access', 'forward', 'hosts', 'http', 'log', 'saturation', 'trust']

/**
 * Starts the program. When it resolves the program runs; from then on signals say when it ends.
 * @throws {StartError}
 */
export async function run(options: RunOptions = {}): Promise<void> {
  const load = () => {
    if (options.demo) return demoConfig(knownProfiles(), options.demo)
    return loadConfig({ argument: options.configFile, profiles: knownProfiles() })
  }
  const config = orStartError(load)
  const host = await openHost(config, options)
  const { env, log } = host
  const identity = await orEnd(log, () => openHostIdentity(env, config, host.store?.status.directory))
  if (!host.store) {
    const text = `${identity.id} is the key of this engine until it ends: there is no folder for a lasting one`
    log[options.demo ? 'info' : 'warn'](text)
  }
  const mesh = openMesh(env, config)
  const mqtt = openMqtt(env, config, identity, host.boot)
  const engine = new HostEngine(config, env, identity.guard, mesh, mqtt.transports)
  mqtt.access = () => engine.brokerAccess
  const links = new Links(env, config.bluetooth.source)
  const listeners = new Listeners(engine, env, config, mqtt.configured)
  let resources: EngineResources | undefined
  const devices = new Devices({
    engine,
    env,
    links,
    mqtt: config.mqtt,
    clientId: `h-${identity.node}`,
    simulate: async () => (options.demo ? demoSimulator(env.clock) : undefined),
    onChange: () => resources?.devicesChanged(),
  })
  const owner = engine.own('engine')
  const saturation = exposeSaturation(owner, {
    clock: env.clock,
    log,
    settings: config.saturation,
    counts: () => countsOf(engine),
  })
  exposeHistory(owner, engine.history)
  mqtt.follow(saturation.read)
  mesh.expose(owner, () => saturation.drain())
  const running = { config, host, identity, engine, links, listeners, devices, saturation }
  listeners.pages = pagesOf(running)
  listeners.assets = pageFiles()
  const clock = watchClock(env.clock)
  resources = exposeEngine(owner, env.clock, { ...facts(running), clock: clock.read, log })
  let control: Control | undefined
  let broker: EmbeddedBroker | undefined
  let home: Home | undefined
  let past: HistoryFile | undefined
  const begin = async () => {
    identity.start()
    broker = await orEnd(log, () => openBroker(env, config.mqtt))
    if (host.store && config.history.save)
      past = await keepHistory(engine.history, host.store, env.clock, log)
    const report = () => ({ boot: host.boot, version: VERSION, devices: devices.status() })
    if (host.store) control = await openControl(env, host.store.status.directory, identity, report)
    await start(running, options)
    home = await openHomeAssistant(engine, env, config.mqtt, identity.node)
    mesh.start()
  }
  const starting = begin()
  mindProcess({
    process,
    clock: env.clock,
    log,
    async drain() {
      saturation.drain()
      await giveNotice(owner, mesh, env.clock)
      await control?.close()
      await home?.close()
      await listeners.close()
      await engine.close(GRACE)
      await mqtt.closed()
      await devices.close()
      await links.close()
      await broker?.close()
      clock.stop()
      saturation.close()
      await past?.close()
      identity.close()
    },
    async reload() {
      await starting
      await reload(running, load())
    },
    flush: () => log.close(),
  })
  await starting
  keepAlive()
  log.info(`${config.name} runs (hormiga ${VERSION}, ${config.file ?? 'no configuration file'})`)
  notifySystemd({ env: process.env, clock: env.clock, log })
  if (options.demo) {
    process.stdout.write(
      demoText(programName(), listeners.at('tcp') as ListenAt, listeners.at('http') as ListenAt),
    )
  }
}

/** What the computer gives: time, log, counters, a folder. */
interface Host {
  env: Env
  log: HostLog
  store: Store | undefined
  /** A name for this run of the program. */
  boot: string
}

interface Running {
  /** As it is in effect. */
  config: Config
  host: Host
  identity: HostIdentity
  engine: HostEngine
  links: Links
  listeners: Listeners
  devices: Devices
  saturation: SaturationResource
}

async function openHost(config: Config, options: RunOptions): Promise<Host> {
  const clock = new SystemClock()
  const meters = new Meters()
  const terminal = process.stderr.isTTY === true
  const log = await openLog({
    clock,
    meters,
    ...config.log,
    terminal,
    colors: terminal && !process.env.NO_COLOR,
    destination: openDestination(2, meters),
  })
  const env = { ...nodeEnv(log), clock, meters }
  const host = { env, log, store: undefined, boot: env.random.uuid() }
  // The demo leaves nothing behind.
  if (options.demo && options.state === undefined) return host
  try {
    const isRoot = process.getuid?.() === 0
    const directory = chooseDirectory({
      argument: options.state,
      config: config.state,
      env: process.env,
      isRoot,
    })
    return { ...host, store: await openStore({ directory, clock, log, meters }) }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    if (options.state === undefined) {
      log.warn(error.message)
      return host
    }
    await log.close()
    throw new StartError(error.message)
  }
}

/** Listens, then wakes the devices. @throws {StartError} */
async function start({ config, host, listeners, devices }: Running, options: RunOptions): Promise<void> {
  for (const label of LABELS) {
    try {
      await listeners.open(label, config)
    } catch (error) {
      await host.log.close()
      throw new StartError(listenProblem(error as Error, label, config, options))
    }
  }
  await Promise.all(Object.entries(config.devices).map(([name, device]) => devices.start(name, device)))
}

function countsOf(engine: HostEngine) {
  const { channels, subscriptions } = engine.sizes
  const queued = engine.channels().reduce((sum, channel) => sum + channel.queued, 0)
  return { channels, subscriptions, queued, dispatches: engine.dispatches }
}

/** What watchmen ask for over HTTP: whether all is well, and figures for Prometheus. */
function pagesOf({ host, engine, devices, saturation }: Running): Pages {
  const { env } = host
  const start = env.clock.now()
  const uptime = () => env.clock.now() - start
  return {
    metrics: () => {
      const body = prometheus({
        name: engine.name,
        version: VERSION,
        uptime: uptime(),
        saturation: saturation.read(),
        meters: env.meters.read(),
        devices: devices.health(),
      })
      return { status: 200, type: METRICS_TYPE, body }
    },
    health: () => {
      const { status, body } = health(devices.health())
      return { status, type: 'application/json', body: `${JSON.stringify(body)}\n` }
    },
  }
}

/** What `["engine", …]` tells. */
function facts({ host, identity, engine, links, listeners, devices }: Running) {
  const { env, boot, store } = host
  const start = env.clock.now()
  return {
    summary: (): Json => ({
      name: engine.name,
      id: identity.id,
      fingerprint: identity.fingerprint,
      version: VERSION,
      boot,
      uptime: Math.round(env.clock.now() - start),
      transports: listeners.addresses,
    }),
    directory: (): Json => directory(devices.listed),
    things: () => things(engine.name, devices.listed),
    devices: () => devices.status(),
    bluetooth: () => links.bluetooth(),
    peers: () => engine.channels().map((channel) => ({ ...channel })),
    counters: (): Json => ({
      meters: env.meters.read(),
      sizes: engine.sizes,
      store: store ? { ...store.status } : null,
    }),
  }
}

/** Takes over what has changed, and nothing else. */
async function reload(running: Running, next: Config): Promise<void> {
  const { host, identity, engine, listeners, devices, config: before } = running
  const { log } = host
  const { sections, listen, devices: changes } = difference(before, next)
  const fixed = sections.filter((section) => !LIVE.includes(section))
  const kept = Object.fromEntries(fixed.map((section) => [section, before[section]]))
  running.config = { ...next, ...kept, log: { ...next.log, format: before.log.format } }
  log.level = next.log.level
  if (sections.includes('saturation')) running.saturation.adopt(next.saturation)
  identity.reload(next)
  engine.adopt(next)
  listeners.adopt(next)
  for (const label of listen) await listenAgain(running, label, before)
  const { added, removed, changed } = changes
  await Promise.all([...removed, ...changed].map((name) => devices.stop(name)))
  for (const name of [...added, ...changed]) await devices.start(name, next.devices[name] as DeviceConfig)
  const done = [
    ...sections.filter((section) => LIVE.includes(section)),
    ...listen.map((label) => `listen.${label}`),
    ...added.map((name) => `new device ${name}`),
    ...removed.map((name) => `device ${name} is gone`),
    ...changed.map((name) => `device ${name} changed`),
  ]
  log.info(`reloaded: ${done.join(', ') || 'nothing that can change now has changed'}`)
  const waiting = [...fixed, ...(before.log.format === next.log.format ? [] : ['log.format'])]
  if (waiting.length > 0) log.warn(`changed, but only in effect after a restart: ${waiting.join(', ')}`)
}

/** Opens a listener anew; the old one comes back if that fails. */
async function listenAgain(
  { config, host, listeners }: Running,
  label: Label,
  before: Config,
): Promise<void> {
  await listeners.shut(label)
  try {
    await listeners.open(label, config)
  } catch (error) {
    host.log.error(`listen.${label} stays as it was: ${(error as Error).message}`)
    await listeners.open(label, before).catch((again: Error) => host.log.error(again.message))
  }
}

/** The log is written out before the program ends. @throws {StartError} */
async function orEnd<T>(log: HostLog, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await log.close()
    throw error
  }
}

function orStartError<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof ConfigError) throw new StartError(error.message)
    throw error
  }
}

function listenProblem(error: Error, label: Label, config: Config, { demo }: RunOptions): string {
  const isTaken = (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE'
  if (!demo || !isTaken) return error.message
  const option = label === 'http' ? '--http-port' : '--port'
  const port = config.listen[label]?.port
  return `port ${port} is in use by another program (another hormiga?): stop that one, or take another port: ${option} N`
}

/** Timers of the engine keep no process alive, and without listeners nothing else would. */
function keepAlive(): void {
  setInterval(() => {}, 1 << 30)
}
