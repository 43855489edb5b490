// heavy
// Every discovery family against a real mosquitto, a whole life: birth, states, a command, the will, the return, leave.

import type { MqttClient } from 'mqtt'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bench, client, endBenches } from './bench.ts'
import { type Mosquitto, until } from './mosquitto.ts'
import { LIVES, type Life } from './simulators.ts'

test.after.each(endBenches)

/** Speaks and answers as one device. */
class Simulator {
  readonly #client: MqttClient
  readonly #life: Life

  private constructor(client: MqttClient, life: Life) {
    this.#client = client
    this.#life = life
  }

  static async start(broker: Mosquitto, life: Life): Promise<Simulator> {
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

function bytesOf(said: Life['will']['said']): Uint8Array {
  if (said instanceof Uint8Array) return said
  return new TextEncoder().encode(typeof said === 'string' ? said : JSON.stringify(said))
}

for (const life of LIVES) {
  const { family, device: id, property, value, set } = life
  test(`${family}: birth, state, command, will, return, leave`, async () => {
    const { broker, owner, device } = await bench()
    await until('the connection', () => device.status().state === 'up')
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
  })
}

test.run()
