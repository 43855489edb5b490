// The broker in this engine, where the configuration wants one: it listens before anybody here looks for it.

import type { Env } from '../core/env.ts'
import type { EmbeddedBroker } from '../host/broker.ts'
import { type MqttConfig, readCredentials } from '../host/mqtt.ts'
import { listenOn, place } from '../transports/sockets.ts'
import { StartError } from './failure.ts'

/** @throws {StartError} when it can't listen there, or its password can't be read */
export async function openBroker(env: Env, mqtt: MqttConfig): Promise<EmbeddedBroker | undefined> {
  const { embedded, broker: url } = mqtt
  if (!embedded) return undefined
  // Nothing of it is loaded where it is not wanted.
  const [{ EmbeddedBroker }, { limitPackets }] = await Promise.all([
    import('../host/broker.ts'),
    import('../bridges/mqtt/size-guard.ts'),
  ])
  let broker: EmbeddedBroker | undefined
  try {
    const { user, password } = readCredentials(mqtt)
    broker = await EmbeddedBroker.create({ env, user, password, limitPackets })
    await listenOn(broker.server, embedded, 'mqtt.listen')
  } catch (error) {
    await broker?.close()
    const { message, cause } = error as Error
    const isTaken = (cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE'
    throw new StartError(
      isTaken ? `${message}. If it is a broker, use that one: "broker": "${url}"` : message,
    )
  }
  env.log.info(`the MQTT broker listens on ${place(embedded.address, embedded.port)}`)
  return broker
}
