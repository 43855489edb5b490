// The whole life of a device of some family, behind any broker: birth, states, a command, the will, the return, leave.

import type { MqttClient } from 'mqtt'
import * as assert from 'uvu/assert'
import { type Bench, client } from './bench.ts'
import { until } from './mosquitto.ts'
import type { Life } from './simulators.ts'

/** Speaks and answers as one device. */
class Simulator {
  readonly #client: MqttClient
  readonly #life: Life

  private constructor(client: MqttClient, life: Life) {
    this.#client = client
    this.#life = life
  }

  static async start(broker: Bench['broker'], life: Life): Promise<Simulator> {
    const { topic, said, retain } = life.will
    const will = { topic, payload: Buffer.from(bytesOf(said)), retain, qos: 1 as const }
    const simulator = new Simulator(await client(broker, { will, protocolVersion: 4 }), life)
    await simulator.#listen()
    await simulator.say(...life.birth)
    return simulator
  }

  async say(...sentences: Life['birth']): Promise<void> {
    for (const [topic, said, retain = false] of sentences) {
      await this.#client.publishAsync(topic, Buffer.from(bytesOf(said)), { retain, qos: 1 })
    }
  }

  /** As when its battery is taken out. */
  cut(): void {
    this.#client.stream.destroy()
  }

  async #listen(): Promise<void> {
    const { topic, answer } = this.#life.set
    this.#client.on('message', (_topic, payload) => void this.say(...answer(payload)).catch(() => {}))
    await this.#client.subscribeAsync(topic, { qos: 1 })
  }
}

/** Waits until the bridge hears discovery: what is said before and not kept would be missed. */
export async function hearing({ broker, device }: Pick<Bench, 'broker' | 'device'>): Promise<void> {
  const probe = await client(broker, { protocolVersion: 4 })
  // The last that is subscribed.
  await until('discovery', () => {
    if (device.mapper.devices().c0ffee000000) return true
    probe.publish('esphome/discover/probe', JSON.stringify({ name: 'probe', mac: 'c0ffee000000' }))
    return false
  })
  await probe.endAsync()
}

export async function live(life: Life, { broker, owner, device }: Omit<Bench, 'log'>): Promise<void> {
  const { device: id, property, value, set } = life
  await hearing({ broker, device })
  const first = await Simulator.start(broker, life)
  const hears = async (simulator: Simulator) => {
    await until('its value', () => {
      void simulator.say(life.state).catch(() => {})
      return device.mapper.devices()[id] !== undefined && device.mapper.device(id)[property] === value
    })
  }
  await hears(first)
  const isUp = () => owner.reported(`${id}/online`).at(-1) === true
  await until('online', isUp)
  assert.equal(owner.reported(`${id}/${property}`).at(-1), value)

  const put = await owner.ask('PUT', `${id}/${set.property}`, set.value)
  assert.equal(put, { status: 200, body: { confirmed: true, value: set.value } })

  first.cut()
  await until('its will', () => !isUp())
  assert.is((await owner.ask('PUT', `${id}/${set.property}`, set.value)).body.code, 'offline')

  const second = await Simulator.start(broker, life)
  await until('its return', isUp)
  await hears(second)
  if (!life.leave) return
  await second.say(...life.leave)
  await until('its leave', () => device.mapper.devices()[id] === undefined)
  assert.is((await owner.ask('GET', `${id}/${property}`)).status, 404)
}

function bytesOf(said: Life['will']['said']): Uint8Array {
  if (said instanceof Uint8Array) return said
  return new TextEncoder().encode(typeof said === 'string' ? said : JSON.stringify(said))
}
