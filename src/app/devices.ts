// Starts, shows and ends the devices of the configuration. One that fails leaves the others alone.

import type { Json } from '../core/dispatch.ts'
import type { Env } from '../core/env.ts'
import type { Profile } from '../device/profile.ts'
import { type Simulator, simulatedLink } from '../device/simulate.ts'
import { type Device, type DeviceStatus, startDevice } from '../device/start.ts'
import type { DeviceConfig } from '../host/config.ts'
import type { MqttConfig } from '../host/mqtt.ts'
import type { HealthDevice } from '../host/saturation/index.ts'
import { DECLARED, type Declared } from './declared.ts'
import { deviceEntries, type Listed } from './directory.ts'
import type { HostEngine } from './engine.ts'
import type { Links } from './links.ts'

export interface DevicesOptions {
  engine: HostEngine
  env: Env
  links: Links
  profiles: Map<string, Profile>
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
    const declared = DECLARED[config.profile]
    const profile = this.#options.profiles.get(config.profile) as Profile
    const title = declared?.title ?? profile.title
    const bound = declared ? null : profile.silence
    let started: Omit<Entry, 'title' | 'bound'>
    try {
      started = await (declared ? this.#declared(name, config) : this.#profiled(name, profile, config))
    } catch (error) {
      const cause = (error as Error).message
      const { log, clock } = this.#options.env
      log.error(`the device ${name} can't be started: ${cause}`, { device: name })
      const medium = declared?.medium ?? profile.link.medium
      started = { device: failed(name, config.profile, medium, cause, clock.wall()), entries: () => [] }
    }
    this.#entries.set(name, { title, bound, ...started })
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

  async #profiled(name: string, profile: Profile, config: DeviceConfig): Promise<Declared> {
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
      return { device, entries: () => deviceEntries(name, { ...profile, ...device.shape() }) }
    } catch (error) {
      owner.close()
      throw error
    }
  }

  #declared(name: string, config: DeviceConfig): Promise<Declared> {
    const { engine, env, mqtt, clientId, onChange } = this.#options
    const start = DECLARED[config.profile]?.start as (typeof DECLARED)[string]['start']
    return start({ name, config, engine, env, mqtt, clientId, onChange })
  }
}

function failed(
  name: string,
  profile: string,
  medium: string,
  cause: string,
  since: number,
): Entry['device'] {
  return {
    status: () => ({
      name,
      profile,
      medium,
      state: 'failed',
      cause,
      since,
      lastSeen: null,
      age: null,
      counters: {},
    }),
    async close() {},
  }
}
