// Our devices in Home Assistant, where the configuration wants them there. Loaded only then.

import type { Home } from '../bridges/mqtt/export/index.ts'
import type { Env } from '../core/env.ts'
import { type MqttConfig, readCredentials } from '../host/mqtt.ts'
import type { HostEngine } from './engine.ts'
import { VERSION } from './program.ts'

/** `node`: how brokers know this engine. Never throws: without a password file there is a line in the log. */
export async function openHomeAssistant(
  engine: HostEngine,
  env: Env,
  mqtt: MqttConfig,
  node: string,
): Promise<Home | undefined> {
  const { broker: url, homeassistant } = mqtt
  if (!homeassistant || !url) return undefined
  try {
    const [{ Broker }, { startHome, statusOf }] = await Promise.all([
      import('../bridges/mqtt/index.ts'),
      import('../bridges/mqtt/export/index.ts'),
    ])
    const will = statusOf({ node }, false)
    const broker = new Broker({ url, ...readCredentials(mqtt), clientId: `h-${node}-ha`, will }, env)
    const { prefix, devices: only } = homeassistant
    return startHome({ engine, broker, env, node, version: VERSION, prefix, only })
  } catch (error) {
    env.log.error(`nothing is shown in Home Assistant: ${(error as Error).message}`)
    return undefined
  }
}
