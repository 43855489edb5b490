// The bridge on a real mosquitto, as the suites of this folder use it.

import { connectAsync, type MqttClient } from 'mqtt'
import { Broker, type MqttDevice, startMqtt } from '../../../src/bridges/mqtt/index.ts'
import { SystemClock } from '../../../src/core/clock.ts'
import type { Env } from '../../../src/core/env.ts'
import { Meters } from '../../../src/core/meters.ts'
import { FakeOwner } from '../../device/rig.ts'
import { endAll, Mosquitto } from './mosquitto.ts'

export interface Bench {
  broker: { readonly url: string }
  owner: FakeOwner
  device: MqttDevice
  log: string[]
}

/** On a mosquitto of its own. */
type Benched = Bench & { broker: Mosquitto }

const benches: Bench[] = []
const clients: MqttClient[] = []

/** Ends all that a test has opened. */
export async function endBenches(): Promise<void> {
  for (const client of clients.splice(0)) await client.endAsync(true)
  for (const { device } of benches.splice(0)) await device.close()
  await endAll()
}

/** The bridge on a mosquitto of its own, with an owner that keeps what is reported. */
export async function bench(
  more: {
    /** Of another broker than its own. */
    url?: string
    ca?: string
    clientId?: string
    user?: string
    password?: string
    /** Seconds. */
    keepalive?: number
    lines?: string[]
  } = {},
): Promise<Benched> {
  const broker = await Mosquitto.start(more.lines)
  const log: string[] = []
  const note = (text: string) => void log.push(text)
  const env: Env = {
    clock: new SystemClock(),
    log: { debug: note, info: note, warn: note, error: note },
    random: { uuid: () => crypto.randomUUID(), fraction: () => 0 },
    meters: new Meters(),
  }
  const owner = new RootOwner('sensores')
  const { url = broker.url, clientId = 'h-test-b-sensores', user, password, ca, keepalive } = more
  const device = startMqtt({
    name: 'sensores',
    broker: new Broker({ url, clientId, user, password, ca, keepalive }, env),
    owner,
    env,
    answerTimeout: 1000,
    allow: ['sensorBedroom/#'],
  })
  const one = { broker, owner, device, log }
  benches.push(one)
  return one
}

/** Knows the patterns that the bridge binds. */
class RootOwner extends FakeOwner {
  override async ask(...[method, point, body, from]: Parameters<FakeOwner['ask']>) {
    const elements = point === '' ? [] : point.split('/')
    const names = [':device', ':property']
    const pattern = elements.map((element, i) =>
      element === 'about' || element === 'refused' ? element : names[i],
    )
    const handler = this.handlers.get(`${method} ${pattern.join('/')}`)
    if (!handler) return { status: 404, body: {} }
    const params = Object.fromEntries(elements.map((element, i) => [names[i]?.slice(1) as string, element]))
    this.handlers.set(`${method} ${point}`, (request) => handler({ ...request, params }))
    return super.ask(method, point, body, from)
  }
}

/** Another client of the broker. */
export async function client(broker: Bench['broker'], options: object = {}): Promise<MqttClient> {
  const one = await connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 0, ...options })
  clients.push(one)
  return one
}
