// needs dist
// The program with the broker inside: its coffee machine is in Home Assistant as soon as it runs, and gone when it ends.

import { connectAsync, type MqttClient } from 'mqtt'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { HomeAssistant } from '../bridges/mqtt/export-kit.ts'
import { problemsOf } from '../bridges/mqtt/export-schema.ts'
import { endAll as endBrokers, freePort, Mosquitto, until } from '../bridges/mqtt/mosquitto.ts'
import { config, Engine, endAll } from './rig.ts'

const clients: MqttClient[] = []

test.after.each(async () => {
  for (const client of clients.splice(0)) await client.endAsync(true)
  endAll()
  await endBrokers()
})

async function homeAssistant(port: number): Promise<HomeAssistant> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 0 })
  clients.push(client)
  const assistant = new HomeAssistant((topic, payload) => void client.publishAsync(topic, payload))
  client.on('message', (topic, payload) => assistant.hear(topic, String(payload)))
  await client.subscribeAsync(['homeassistant/+/+/config', 'homeassistant/+/+/+/config', 'hormiga/#'])
  return assistant
}

const devices = { cafetera: { profile: 'delonghi-ecam', simulated: true } }

test('MQTT 3.1.1, the broker inside: found, used, and reachable as before', async () => {
  const port = await freePort()
  const mqtt = { broker: 'embedded', listen: `127.0.0.1:${port}`, homeassistant: true }
  const engine = await new Engine(config({ devices, mqtt })).runs()
  const assistant = await homeAssistant(port)
  await until('the machine', () => assistant.state('state') === 'off')
  assert.is(assistant.configs.size, 1)
  for (const found of assistant.configs.values()) assert.equal(problemsOf(found), [])
  assistant.use('power', 'turn_on')
  await until('that it is on', () => assistant.state('power') === 'ON')
  const counters = await engine.get('engine/counters')
  assert.is(counters.meters['homeassistant.command'], 1)
  await engine.stop()
})

test('an engine that is told to end says so, and its devices are unavailable', async () => {
  const broker = await Mosquitto.start()
  const mqtt = { broker: broker.url, homeassistant: { devices: ['cafetera'] } }
  const engine = await new Engine(config({ devices, mqtt })).runs()
  const assistant = await homeAssistant(broker.port)
  await until('the machine', () => assistant.state('state') === 'off')
  await engine.end('SIGTERM')
  await until('that it is gone', () => assistant.state('state') === 'unavailable')
  assert.match(engine.err, /Home Assistant: shows cafetera/)
  await engine.stop()
})

test.run()
