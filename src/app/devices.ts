// Starts, shows and ends the devices of the configuration. One that fails leaves the others alone.

import type { Json } from '../core/dispatch.ts'
import type { Env } from '../core/env.ts'
import type { Profile } from '../device/profile.ts'
import { type Simulator, simulatedLink } from '../device/simulate.ts'
import { type Device, type DeviceStatus, startDevice } from '../device/start.ts'
import type { DeviceConfig } from '../host/config.ts'
import type { HealthDevice } from '../host/saturation/index.ts'
import type { HostEngine } from './engine.ts'
import type { Links } from './links.ts'

export interface DevicesOptions {
  engine: HostEngine
  env: Env
  links: Links
  profiles: Map<string, Profile>
  /** A simulator other than the profile's own. */
  simulate?: (name: string) => Promise<Simulator | undefined>
  /** The state of a device has changed. */
  onChange(): void
}

/** A device that runs, or what is known of one that could not be started. */
interface Entry {
  profile: Profile
  device: Pick<Device, 'close'> & { status(): DeviceStatus | FailedStatus }
}

type FailedStatus = Omit<DeviceStatus, 'state'> & { state: 'failed' }

export class Devices {
  #options: DevicesOptions
  #entries = new Map<string, Entry>()

  constructor(options: DevicesOptions) {
    this.#options = options
  }

  /** Every device by its name. */
  get profiles(): [name: string, profile: Profile][] {
    return [...this.#entries].map(([name, { profile }]) => [name, profile])
  }

  /** What `["engine","devices"]` shows. */
  status(): { [name: string]: Json } {
    return Object.fromEntries([...this.#entries].map(([name, { device }]) => [name, device.status()]))
  }

  /** How fresh the data of each is, for watchmen. */
  health(): Record<string, HealthDevice & { counters: Record<string, number> }> {
    const all = [...this.#entries].map(([name, { profile, device }]) => {
      const { state, cause, age, counters } = device.status()
      return [name, { state, cause, age, bound: profile.silence, counters: { ...counters } }]
    })
    return Object.fromEntries(all)
  }

  /** Never throws: why a device can't be started is logged, and shown as its state. */
  async start(name: string, config: DeviceConfig): Promise<void> {
    const profile = this.#options.profiles.get(config.profile) as Profile
    let device: Entry['device']
    try {
      device = await this.#open(name, profile, config)
    } catch (error) {
      const cause = (error as Error).message
      this.#options.env.log.error(`the device ${name} can't be started: ${cause}`, { device: name })
      device = failed(name, profile, cause, this.#options.env.clock.wall())
    }
    this.#entries.set(name, { profile, device })
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

  async #open(name: string, profile: Profile, config: DeviceConfig): Promise<Device> {
    const { engine, env, links, simulate, onChange } = this.#options
    const { clock, log } = env
    const { answerTimeout } = engine
    const { simulated, address, settings: options } = config
    const link = simulated
      ? simulatedLink((await simulate?.(name)) ?? (await profile.simulate(clock)), clock)
      : await links.open(profile, address)
    const owner = engine.own(name)
    try {
      return startDevice({ name, profile, link, owner, clock, log, answerTimeout, options, onChange })
    } catch (error) {
      owner.close()
      throw error
    }
  }
}

function failed(name: string, profile: Profile, cause: string, since: number): Entry['device'] {
  const medium = profile.link.medium
  return {
    status: () => ({
      name,
      profile: profile.name,
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
