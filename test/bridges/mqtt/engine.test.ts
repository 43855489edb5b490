// The bridge as a device of a real engine, with a broker that a test drives: resources, reports, commands and their ends.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BrokerEvents } from '../../../src/bridges/mqtt/broker.ts'
import { type MqttDevice, startMqtt } from '../../../src/bridges/mqtt/index.ts'
import { TestClock } from '../../../src/core/clock.ts'
import type { Json } from '../../../src/core/dispatch.ts'
import { SILENT } from '../../../src/core/env.ts'
import { Meters } from '../../../src/core/meters.ts'
import { LinkError } from '../../../src/device/link.ts'
import { Engine } from '../../../src/index.ts'

class FakeBroker {
  isUp = false
  readonly published: { topic: string; payload: unknown }[] = []
  /** What becomes of a publication. */
  take: () => Promise<void> = async () => {}
  #events: BrokerEvents | undefined

  open(events: BrokerEvents): void {
    this.#events = events
  }

  /** What becomes of a subscription. */
  grant: () => Promise<void> = async () => {}

  async subscribe(): Promise<number> {
    await this.grant()
    return 0
  }

  async unsubscribe(): Promise<void> {}

  async publish({ topic, payload }: { topic: string; payload: unknown }, taken?: () => void): Promise<void> {
    if (!topic.startsWith('tele/')) return
    this.published.push({ topic, payload })
    await this.take()
    taken?.()
  }

  async close(): Promise<void> {}

  up(): void {
    this.isUp = true
    this.#events?.up(5)
  }

  down(): void {
    this.isUp = false
    this.#events?.down('gone')
  }

  say(topic: string, said: Json, retained = false): void {
    const payload = new TextEncoder().encode(typeof said === 'string' ? said : JSON.stringify(said))
    this.#events?.message({ topic, payload, retained, qos: 1 })
  }
}

interface Stage {
  clock: TestClock
  broker: FakeBroker
  engine: Engine
  device: MqttDevice
  ask(method: string, at: string, body?: Json, transaction?: string): Promise<[number, Json | undefined]>
}

async function stage(): Promise<Stage> {
  const clock = new TestClock()
  const env = {
    clock,
    log: SILENT,
    random: { uuid: () => crypto.randomUUID(), fraction: () => 0 },
    meters: new Meters(),
  }
  const engine = new Engine({ env, name: 'cocina', answerTimeout: 1000 })
  const broker = new FakeBroker()
  const device = startMqtt({
    name: 'sensores',
    broker,
    owner: engine.own('sensores'),
    env,
    answerTimeout: 1000,
  })
  broker.up()
  broker.say(
    'homeassistant/switch/heater/config',
    { stat_t: 'tele/h', cmd_t: 'tele/h/set', name: 'Heater' },
    true,
  )
  broker.say(
    'homeassistant/sensor/out/config',
    { stat_t: 'tele/o', unit_of_meas: '°C', state_class: 'measurement' },
    true,
  )
  broker.say('homeassistant/sensor/bad/config', { stat_t: 'secret/o' }, true)
  broker.say('tele/o', '4.5', true)
  await clock.advance(1000)
  const ask: Stage['ask'] = async (method, at, body, transaction) => {
    for await (const answer of engine.ask(method, at, { body, transaction }))
      return [answer.status, answer.body]
    return [0, undefined]
  }
  return { clock, broker, engine, device, ask }
}

test('§9.5 the root lists devices, a device its properties, a property its value; what was refused is told', async () => {
  const { ask, device } = await stage()
  assert.equal(await ask('GET', 'sensores'), [
    200,
    {
      online: true,
      age: 1000,
      state: 'up',
      devices: {
        heater: { name: 'Heater', online: true },
        out: { name: 'out', online: true },
        bad: { name: 'bad', online: false },
      },
      refused: { topic: 1 },
    },
  ])
  const [, refused] = await ask('GET', 'sensores/refused')
  assert.match(JSON.stringify(refused), /add \\"secret\/#\\" to \\"allow\\"/)
  const [, out] = await ask('GET', 'sensores/out')
  assert.equal(out, { online: true, age: 1000, about: { name: 'out', source: 'homeassistant' }, state: 4.5 })
  assert.equal(await ask('GET', 'sensores/out/state'), [
    200,
    { value: 4.5, unit: '°C', age: 1000, retained: true, online: true },
  ])
  const [, about] = await ask('GET', 'sensores/heater/about')
  assert.equal(about, {
    name: 'Heater',
    source: 'homeassistant',
    properties: {
      state: {
        methods: ['GET', 'PUT', 'BIND'],
        type: 'boolean',
        description: 'Heater',
        aliases: { on: true, off: false },
      },
    },
  })
  for (const at of ['sensores/none', 'sensores/out/none', 'sensores/none/about'])
    assert.is((await ask('GET', at))[0], 404)
  assert.is((await ask('PUT', 'sensores/out/state', 1))[0], 404)
  assert.is((await ask('POST', 'sensores/heater/state', 1))[0], 404)
  await device.close()
})

test('§9.3 reports reach who has bound to a property, a device, or everything', async () => {
  const { engine, broker, clock, device } = await stage()
  const one = engine.reports(['sensores', 'out', 'state'])
  const all = engine.reports(['sensores', '...'])
  broker.say('tele/o', '5')
  broker.say('tele/o', '5')
  broker.down()
  await clock.advance(0)
  const next = async (stream: typeof one) => {
    const { value } = await stream.next()
    return [value?.method, value?.resource, value?.body]
  }
  assert.equal(await next(one), ['PUT', ['sensores', 'out', 'state'], 5])
  assert.equal(await next(all), ['PUT', ['sensores', 'out', 'state'], 5])
  assert.equal(await next(all), ['PUT', ['sensores', 'heater', 'online'], false])
  await device.close()
})

test('§9.6 a PUT is answered when its echo has come', async () => {
  const { ask, broker, clock, device } = await stage()
  const answer = ask('PUT', 'sensores/heater/state', 'on')
  await clock.advance(10)
  assert.equal(broker.published, [{ topic: 'tele/h/set', payload: 'ON' }])
  broker.say('tele/h', 'ON')
  assert.equal(await answer, [200, { confirmed: true, value: true }])
  await device.close()
})

test('§9.7 a PUT that is repeated with its transaction id is sent once', async () => {
  const { ask, broker, clock, device } = await stage()
  const answers = [
    ask('PUT', 'sensores/heater/state', true, 'x1'),
    ask('PUT', 'sensores/heater/state', true, 'x1'),
  ]
  await clock.advance(10)
  broker.say('tele/h', 'ON')
  await clock.advance(10)
  answers.push(ask('PUT', 'sensores/heater/state', true, 'x1'))
  for (const answer of answers) assert.is((await answer)[0], 200)
  assert.is(broker.published.length, 1)
  await device.close()
})

test('§9.6 how a PUT fails: range, unconfirmed, uncertain, offline', async () => {
  const { ask, broker, clock, device } = await stage()
  const code = async (answer: ReturnType<Stage['ask']>) => {
    const [status, body] = await answer
    return [status, (body as { code: string }).code]
  }
  assert.equal(await code(ask('PUT', 'sensores/heater/state', 'maybe')), [400, 'range'])
  const silent = ask('PUT', 'sensores/heater/state', true)
  await clock.advance(799)
  broker.say('tele/h', 'OFF')
  await clock.advance(1)
  assert.equal(await code(silent), [504, 'unconfirmed'])
  broker.take = () => new Promise(() => {})
  const stuck = ask('PUT', 'sensores/heater/state', true)
  await clock.advance(800)
  assert.equal(await code(stuck), [504, 'uncertain'])
  broker.take = async () => {
    throw new LinkError('lost', 'the connection broke')
  }
  assert.equal(await code(ask('PUT', 'sensores/heater/state', true)), [504, 'uncertain'])
  broker.take = async () => {
    throw new LinkError('offline', 'not connected')
  }
  assert.equal(await code(ask('PUT', 'sensores/heater/state', true)), [500, 'offline'])
  broker.down()
  assert.equal(await code(ask('PUT', 'sensores/heater/state', true)), [500, 'offline'])
  assert.is(broker.published.length, 4)
  await device.close()
})

test('a command waits until its echo would be heard; when that takes too long it is not sent at all', async () => {
  const { ask, broker, clock, device } = await stage()
  let grant = () => {}
  broker.grant = () => new Promise((resolve) => (grant = resolve))
  broker.say('homeassistant/switch/pump/config', { stat_t: 'tele/p', cmd_t: 'tele/p/set' }, true)
  const first = ask('PUT', 'sensores/pump/state', true)
  await clock.advance(800)
  const [status, body] = await first
  assert.equal([status, (body as { code: string }).code], [500, 'not-executed'])
  const second = ask('PUT', 'sensores/pump/state', true)
  await clock.advance(100)
  assert.equal(broker.published, [])
  grant()
  await clock.advance(0)
  assert.equal(broker.published, [{ topic: 'tele/p/set', payload: 'ON' }])
  broker.say('tele/p', 'ON')
  assert.is((await second)[0], 200)
  await device.close()
})

test('closing ends its timers and gives the root back', async () => {
  const { engine, clock, device } = await stage()
  const before = clock.pending
  await device.close()
  assert.ok(clock.pending <= before - 2)
  engine.own('sensores').close()
  assert.is(device.status().state, 'closed')
})

test.run()
