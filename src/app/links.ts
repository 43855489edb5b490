// From what a profile needs to a link: each medium is opened when the first device wants it, and not loaded before.

import type { BleAdapter, BleMatch } from '../bridges/ble/index.ts'
import type { Json } from '../core/dispatch.ts'
import type { Env } from '../core/env.ts'
import type { Link } from '../device/link.ts'
import type { BleNeeds, Match, Profile } from '../device/profile.ts'
import type { DeviceConfig } from '../host/config.ts'

export class Links {
  #env: Env
  /** `bluetooth.source` of the configuration. */
  #source: string
  #adapter: Promise<BleAdapter> | undefined
  #status: () => Json = () => ({ state: 'unused' })

  constructor(env: Env, source: string) {
    this.#env = env
    this.#source = source
  }

  /** A link to a thing that fits the profile: the one of the address or the port that the configuration says. It is not opened yet. */
  async open({ link, match }: Profile, { address, port, speed }: DeviceConfig): Promise<Link> {
    if (link.medium === 'ble') return this.#ble(link, match, address)
    const { SerialLink } = await import('../bridges/serial/index.ts')
    return new SerialLink({ port: port as string, speed: speed ?? link.speed }, this.#env)
  }

  /** What `["engine","bluetooth"]` shows. */
  bluetooth(): Json {
    return this.#status()
  }

  async close(): Promise<void> {
    await (await this.#adapter)?.close()
  }

  async #ble(link: BleNeeds, match: Match[], address: string | undefined): Promise<Link> {
    this.#adapter ??= this.#openAdapter()
    const { service, characteristic, write } = link
    const matches = match.map(
      ({ service, name, address }): BleMatch => ({
        service,
        name: name === undefined ? undefined : new RegExp(`^(?:${name})$`),
        addressPrefix: address,
      }),
    )
    const adapter = await this.#adapter
    return adapter.link({ address, match: matches, service, characteristic, write })
  }

  async #openAdapter(): Promise<BleAdapter> {
    const { BleAdapter, parseSource } = await import('../bridges/ble/index.ts')
    const adapter = new BleAdapter({ source: parseSource(this.#source) }, this.#env)
    // What is undefined there is left out here.
    this.#status = () => JSON.parse(JSON.stringify(adapter.status()))
    return adapter
  }
}
