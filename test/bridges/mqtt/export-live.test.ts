// time limit: 60 s
// Home Assistant on a real mosquitto: it finds the coffee machine, uses it, and outlives everything that breaks between them.

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { MqttClient } from 'mqtt'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import ecam from '../../../devices/delonghi-ecam/device.ts'
import { type EcamSimulator, simulator } from '../../../devices/delonghi-ecam/simulator.ts'
import { statusOf } from '../../../src/bridges/mqtt/export/index.ts'
import { Broker } from '../../../src/bridges/mqtt/index.ts'
import { SystemClock } from '../../../src/core/clock.ts'
import { Meters } from '../../../src/core/meters.ts'
import { client, endBenches } from './bench.ts'
import { HomeAssistant, House, NODE } from './export-kit.ts'
import { problemsOf } from './export-schema.ts'
import { Mosquitto, until } from './mosquitto.ts'

const BASE = `hormiga/${NODE}`
const ends: (() => Promise<void> | void)[] = []

test.after.each(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  await endBenches()
})

interface Kitchen {
  machine: EcamSimulator
  meters: Meters
  house: House
  close(): Promise<void>
}

/** The engine with its machine, connected to a broker. */
function kitchen(url: string, isOn = true): Kitchen {
  const clock = new SystemClock()
  const meters = new Meters()
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const random = { uuid: () => crypto.randomUUID(), fraction: Math.random }
  const env = { clock, log, random, meters }
  const house = new House(env)
  const machine = simulator(clock, { speed: 4 })
  if (isOn) machine.warm()
  house.add('cafetera', ecam, machine)
  const will = statusOf({ node: NODE }, false)
  const home = house.export(new Broker({ url, clientId: `h-${NODE}-ha`, will }, env))
  const close = async () => {
    await home.close()
    await house.close()
  }
  ends.push(close)
  return { machine, meters, house, close }
}

/** Home Assistant, as it comes: with its birth. */
async function homeAssistant(broker: Mosquitto): Promise<{ assistant: HomeAssistant; mqtt: MqttClient }> {
  const mqtt = await client(broker)
  const assistant = new HomeAssistant((topic, payload) => void mqtt.publishAsync(topic, payload, { qos: 1 }))
  mqtt.on('message', (topic, payload) => assistant.hear(topic, String(payload)))
  await mqtt.subscribeAsync(['homeassistant/+/+/config', 'homeassistant/+/+/+/config', 'hormiga/#'], {
    qos: 1,
  })
  await mqtt.publishAsync('homeassistant/status', 'online')
  return { assistant, mqtt }
}

/** A way to the broker that can be cut. */
async function proxy(port: number): Promise<{ url: string; cut(): void }> {
  const sockets = new Set<Socket>()
  let isCut = false
  const server: Server = createServer((socket) => {
    if (isCut) return socket.destroy()
    const other = connect(port, '127.0.0.1')
    for (const one of [socket, other]) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        socket.destroy()
        other.destroy()
      })
    }
    socket.pipe(other).pipe(socket)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const cut = () => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  ends.push(() => {
    cut()
    server.close()
  })
  return { url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`, cut }
}

test('Home Assistant finds the machine, switches it on, chooses, brews, watches it and stops it', async () => {
  const broker = await Mosquitto.start()
  const { machine, meters } = kitchen(broker.url, false)
  const { assistant } = await homeAssistant(broker)
  await until('the machine', () => assistant.state('state') === 'off')
  assert.is(assistant.configs.size, 1)
  for (const config of assistant.configs.values()) assert.equal(problemsOf(config), [])
  await until('its power', () => assistant.state('power') === 'OFF')

  assistant.use('brew', 'press')
  await until('a refusal', () => /choose "Recipe" first/.test(String(assistant.state('last_refusal'))))
  assistant.use('power', 'turn_on')
  await until('that it is on', () => assistant.state('power') === 'ON')
  await until('that it is ready', () => assistant.state('state') === 'ready', 20_000)

  await until('its recipes', () => (assistant.find('brew-recipe').config.options as string[]).length > 5)
  assistant.use('brew-recipe', { set: 'long-coffee' })
  await until('the choice', () => assistant.state('brew-recipe') === 'long-coffee')
  const seen: number[] = []
  assistant.use('brew', 'press')
  await until('that it brews', () => assistant.state('state') === 'brewing')
  await until('its progress', () => {
    const progress = Number(assistant.state('progress'))
    if (progress !== seen.at(-1)) seen.push(progress)
    return progress >= 20
  })
  assert.ok(seen.length >= 2, `progress ${seen}`)
  assistant.use('stop', 'press')
  await until('that it has stopped', () => assistant.state('state') !== 'brewing')
  assert.is(machine.stops, 1)
  await until('that it is ready again', () => assistant.state('state') === 'ready', 20_000)

  assistant.use('settings-hardness', { set: '1' })
  await until('the hardness', () => assistant.state('settings-hardness') === '1')
  assistant.use('settings-cuplight', 'turn_on')
  await until('the light', () => assistant.state('settings-cuplight') === 'ON')
  machine.raise('empty-water-tank')
  await until('the alarm', () => assistant.state('alarms') === 'ON')
  assistant.use('brew', 'press')
  await until('the reason', () => assistant.attributes('last_refusal').code === 'alarm')
  assert.is(meters.read()['homeassistant.refused'], 2)
})

test('the broker restarts without memory: all is announced again; a cut connection is told by the will', async () => {
  const broker = await Mosquitto.start()
  const way = await proxy(broker.port)
  const { close } = kitchen(way.url)
  const first = await homeAssistant(broker)
  await until('the machine', () => first.assistant.state('state') === 'ready')
  await broker.kill()
  await broker.begin()
  const { assistant, mqtt } = await homeAssistant(broker)
  await until('the machine again', () => assistant.state('state') === 'ready')
  await until('the recipes', () => (assistant.find('brew-recipe').config.options as string[]).length > 5)

  // Another Home Assistant, later: the broker has kept everything but commands.
  const later = await homeAssistant(broker)
  await until('what was kept', () => later.assistant.state('power') === 'ON')

  way.cut()
  await until('the will', () => assistant.state('state') === 'unavailable')
  assert.is(mqtt.connected, true)
  await close()
})

test('an engine that ends says so; a command that was kept meanwhile does nothing when it comes back', async () => {
  const broker = await Mosquitto.start()
  const before = kitchen(broker.url)
  const { assistant, mqtt } = await homeAssistant(broker)
  await until('the machine', () => assistant.state('state') === 'ready')
  await before.close()
  await until('that it is gone', () => assistant.state('state') === 'unavailable')
  const retained = { retain: true, qos: 1 as const }
  await mqtt.publishAsync(`${BASE}/cafetera/power/set`, 'OFF', retained)
  await mqtt.publishAsync(`${BASE}/cafetera/stop/set`, 'PRESS', retained)

  const { meters, machine } = kitchen(broker.url)
  await until('the machine again', () => assistant.state('state') === 'ready')
  await until('both commands', () => meters.read()['homeassistant.retained'] === 2)
  await until('its power', () => assistant.state('power') === 'ON')
  assert.is(machine.stops, 0)
  assert.is(meters.read()['homeassistant.command'], undefined)
  // The same, said now.
  await mqtt.publishAsync(`${BASE}/cafetera/power/set`, 'OFF', { qos: 1 })
  await until('that it is off', () => assistant.state('power') === 'OFF')
  assert.is(meters.read()['homeassistant.command'], 1)
})

test('Home Assistant starts, and all is published once more', async () => {
  const broker = await Mosquitto.start()
  kitchen(broker.url)
  const { assistant, mqtt } = await homeAssistant(broker)
  await until('the machine', () => assistant.state('state') === 'ready')
  const topics = [...assistant.configs.keys(), `${BASE}/status`, `${BASE}/cafetera/state/state`]
  await until('that it is quiet', () => topics.every((topic) => (assistant.counts.get(topic) ?? 0) >= 1))
  const before = topics.map((topic) => assistant.counts.get(topic) ?? 0)
  await mqtt.publishAsync('homeassistant/status', 'online')
  await until('everything', () =>
    topics.every((topic, i) => (assistant.counts.get(topic) ?? 0) > (before[i] as number)),
  )
})

test.run()
