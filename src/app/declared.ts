// Devices that say themselves what they have: microcontrollers with our link, and whatever is behind an MQTT broker. To the
// configuration they are profiles like those of devices/; their bridges are loaded when the first one is wanted.

import type { Env } from '../core/env.ts'
import type { Device, DeviceStatus } from '../device/start.ts'
import type { DeviceConfig } from '../host/config.ts'
import { type MqttConfig, readCredentials } from '../host/mqtt.ts'
import type { Profiles } from '../host/schema-devices.ts'
import { brokerEntries, type Entry, nodeEntries } from './directory.ts'
import type { HostEngine } from './engine.ts'

export interface DeclaredOptions {
  name: string
  config: DeviceConfig
  engine: HostEngine
  env: Env
  /** The section `mqtt`. */
  mqtt: MqttConfig
  /** What starts the client ids of this engine. */
  clientId: string
  onChange(status: DeviceStatus): void
}

/** What runs, and what the directory lists of it now. */
export interface Declared {
  device: Device
  entries(): Entry[]
}

interface Kind {
  medium: 'serial' | 'mqtt'
  title: string
  options: Profiles[string]['options']
  start(options: DeclaredOptions): Promise<Declared>
}

/** Bits per second with which a board is first spoken to. */
const SPEED = 115_200

export const DECLARED: Record<string, Kind> = {
  'jstp-serial': {
    medium: 'serial',
    title: 'Microcontroller with the firmware bridge',
    options: {
      fast: {
        type: 'integer',
        unit: 'bit/s',
        range: [9600, 1_000_000],
        description: 'The speed to go on with once it is found',
      },
    },
    start: startNode,
  },
  'mqtt-discovery': {
    medium: 'mqtt',
    title: 'What is behind an MQTT broker',
    options: {},
    start: startBroker,
  },
}

async function startNode({ name, config, engine, env, onChange }: DeclaredOptions): Promise<Declared> {
  const { SerialLink, startSerialNode } = await import('../bridges/serial/index.ts')
  const { port, speed, settings, simulated } = config
  const link = simulated
    ? (await import('../bridges/serial/simulator/index.ts')).simulatedRobot(env.clock)
    : new SerialLink({ port: port as string, speed: speed ?? SPEED }, env)
  const { answerTimeout } = engine
  const fast = settings.fast as number | undefined
  const owner = engine.own(name)
  const device = startSerialNode({ name, link, speed, fast, owner, env, answerTimeout, onChange })
  return { device, entries: () => nodeEntries(name, device.describe()) }
}

async function startBroker(options: DeclaredOptions): Promise<Declared> {
  const { name, config, engine, env, mqtt, clientId, onChange } = options
  const { Broker, startMqtt } = await import('../bridges/mqtt/index.ts')
  const at = config.broker ?? mqtt
  const broker = new Broker(
    { url: at.broker as string, ...readCredentials(at), clientId: `${clientId}-b-${name}` },
    env,
  )
  const { answerTimeout } = engine
  const owner = engine.own(name)
  try {
    const device = startMqtt({ ...config.settings, name, broker, owner, env, answerTimeout, onChange })
    return { device, entries: () => brokerEntries(name, device.mapper) }
  } catch (error) {
    owner.close()
    throw error
  }
}
