// MQTT as a way to other engines: whom a name at a broker stands for, what the broker may know of us, and what those may do who
// come from there.

import type { Access } from '../core/access.ts'
import type { Cancel } from '../core/clock.ts'
import type { Env } from '../core/env.ts'
import type { Config } from '../host/config.ts'
import { brokerAt, readCredentials } from '../host/mqtt.ts'
import { kidOf } from '../identity/did.ts'
import { type MqttTransport, mqtt } from '../transports/mqtt.ts'
import type { HostIdentity } from './identity.ts'
import { nodeOf, presenceOf, serviceOf } from './presence.ts'

export interface MqttAccess {
  /** `mqtt` and `mqtts` */
  readonly transports: MqttTransport[]
  /** The one that the configured broker is reached by. */
  readonly configured: MqttTransport
  /** What those may do without a key who come by a connection that we have made to a broker: see `HostEngine`. */
  access: () => Access | undefined
  /** From now on it takes nothing new for the names that it announces while it is critical, or on its way out. */
  follow(read: () => { state: string; draining: boolean }): void
  /** Waits until every broker that we have left knows it, but not for long. */
  closed(): Promise<void>
}

/** Milliseconds between two looks at the saturation. */
const LOOK = 1000
const NONE: string[] = []

/** @param boot a name for this run of the program */
export function openMqtt(env: Env, config: Config, identity: HostIdentity, boot: string): MqttAccess {
  const { mqtt: section, limits, answerTimeout } = config
  const { guard, trust, node, signer } = identity
  const own = section.broker === undefined ? undefined : brokerAt(section.broker)
  const { realm = 'home' } = section
  const served = config.announce.map((name) => serviceOf(realm, name))
  let cancel: Cancel = () => {}
  const access: MqttAccess['access'] = () => undefined
  const options = {
    env,
    limits,
    realm,
    services: served,
    node,
    boot,
    presence: presenceOf(signer, boot),
    answerTimeout,
    resolve(name: string) {
      const kid = kidOf(trust.named(name)?.id ?? '')
      if (kid) return { node: nodeOf(kid) }
      return Object.hasOwn(config.services, name) ? { service: serviceOf(realm, name) } : undefined
    },
    // Nobody but the broker of the configuration is shown the password.
    credentials: (host: string, port: number) =>
      host === own?.address && port === own.port ? readCredentials(section) : {},
    admit: (channel: { access: Access | undefined }) => {
      channel.access = opened.access()
    },
    renewed(peer: string) {
      const known = trust.entries().find(({ id }) => nodeOf(kidOf(id) as Uint8Array) === peer)
      if (known) guard.renewed(known.id)
    },
  }
  const transports = [mqtt(options), mqtt(options, 'mqtts')] as const
  const isSecure = section.broker?.startsWith('mqtts:') ?? false
  const opened: MqttAccess = {
    transports: [...transports],
    configured: transports[isSecure ? 1 : 0],
    access,
    follow(read) {
      if (served.length === 0) return
      const { state, draining } = read()
      const now = state === 'critical' || draining ? NONE : served
      for (const transport of transports) transport.share(now)
      cancel = env.clock.after(LOOK, () => opened.follow(read))
    },
    async closed() {
      cancel()
      await Promise.all(transports.map((transport) => transport.closed()))
    },
  }
  return opened
}
