// Starts, shows and ends the devices of the configuration. One that fails leaves the others alone.

import type { Json } from '../core/dispatch.ts'
import type { Env } from '../core/env.ts'
import { type Simulator, simulatedLink } from '../device/simulate.ts'
import { type Device, type DeviceStatus, startDevice } from '../device/start.ts'
import type { DeviceConfig } from '../host/config.ts'
import type { MqttConfig } from '../host/mqtt.ts'
import type { HealthDevice } from '../host/saturation/index.ts'
import { DECLARED, type Declared } from './declared.ts'
import { deviceEntries, type Listed } from './directory.ts'
import type { HostEngine } from './engine.ts'
import type { Links } from './links.ts'
import { knownProfiles, loadProfile } from './profiles.ts'

export interface DevicesOptions {
  engine: HostEngine
  env: Env
  links: Links
  /** The section `mqtt` of the configuration, and what starts the client ids at brokers. */
  mqtt: MqttConfig
  clientId: string
  /** A simulator other than the profile's own. */
  simulate?: (name: string) => Promise<Simulator | undefined>
  /** The state of a device has changed. */
  onChange(): void
}

/** A device that runs, or what is known of one that could not be started. */
interface Entry extends Omit<Declared, 'device'> {
  title: string
  /** Milliseconds without a sign of life after which it is not well; null: it may be silent. */
  bound: number | null
  device: Pick<Device, 'close'> & { status(): DeviceStatus | FailedStatus }
}

type FailedStatus = Omit<DeviceStatus, 'state'> & { state: 'failed' }

export class Devices {
  #options: DevicesOptions
  #entries = new Map<string, Entry>()

  constructor(options: DevicesOptions) {
    this.#options = options
  }

  /** Every device, for the directory. */
  get listed(): Listed[] {
    return [...this.#entries].map(([name, { title, entries }]) => ({ name, title, entries }))
  }

  /** What `["engine","devices"]` shows. */
  status(): { [name: string]: Json } {
    return Object.fromEntries([...this.#entries].map(([name, { device }]) => [name, device.status()]))
  }

  /** How fresh the data of each is, for watchmen. */
  health(): Record<string, HealthDevice & { counters: Record<string, number> }> {
    const all = [...this.#entries].map(([name, { bound, device }]) => {
      const { state, cause, age, counters } = device.status()
      return [name, { state, cause, age, bound, counters: { ...counters } }]
    })
    return Object.fromEntries(all)
  }

  /** Never throws: why a device can't be started is logged, and shown as its state. */
  async start(name: string, config: DeviceConfig): Promise<void> {
    let entry: Entry
    try {
      entry = await (DECLARED[config.profile] ? this.#declared(name, config) : this.#profiled(name, config))
    } catch (error) {
      const cause = (error as Error).message
      const { log, clock } = this.#options.env
      log.error(`the device ${name} can't be started: ${cause}`, { device: name })
      entry = failed(name, config.profile, cause, clock.wall())
    }
    this.#entries.set(name, entry)
    this.#options.onChange()
  }

  async stop(name: string): Promise<void> {
    const entry = this.#entries.get(name)
    this.#entries.delete(name)
    await entry?.device.close()
    this.#options.onChange()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((name) => this.stop(name)))
  }

  async #profiled(name: string, config: DeviceConfig): Promise<Entry> {
    const profile = await loadProfile(config.profile)
    const { engine, env, links, simulate, onChange } = this.#options
    const { clock, log } = env
    const { answerTimeout } = engine
    const { simulated, settings: options } = config
    const link = simulated
      ? simulatedLink((await simulate?.(name)) ?? (await profile.simulate(clock)), clock)
      : await links.open(profile, config)
    const owner = engine.own(name)
    try {
      const device = startDevice({ name, profile, link, owner, clock, log, answerTimeout, options, onChange })
      const entries = () => deviceEntries(name, { ...profile, ...device.shape() })
      return { title: profile.title, bound: profile.silence, device, entries }
    } catch (error) {
      owner.close()
      throw error
    }
  }

  async #declared(name: string, config: DeviceConfig): Promise<Entry> {
    const { engine, env, mqtt, clientId, onChange } = this.#options
    const { title, start } = DECLARED[config.profile] as (typeof DECLARED)[string]
    const started = await start({ name, config, engine, env, mqtt, clientId, onChange })
    return { title, bound: null, ...started }
  }
}

function failed(name: string, profile: string, cause: string, since: number): Entry {
  const status = (): FailedStatus => ({
    name,
    profile,
    medium: knownProfiles()[profile]?.medium ?? 'unknown',
    state: 'failed',
    cause,
    since,
    lastSeen: null,
    age: null,
    counters: {},
  })
  return { title: profile, bound: null, entries: () => [], device: { status, async close() {} } }
}
