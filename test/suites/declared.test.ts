// needs dist
// time limit: 120 s
// Devices that say themselves what they have, in the program as it is installed: the robot's sketch as a Linux process behind
// a pseudo terminal, and a sensor behind a real mosquitto.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { connectAsync, type MqttClient } from 'mqtt'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { endAll as endBrokers, Mosquitto } from '../bridges/mqtt/mosquitto.ts'
import { run, workFolder } from '../firmware/bench.ts'
import { config, Engine, endAll } from './rig.ts'

const folder = workFolder('declared')
const clients = new Set<MqttClient>()
test.after.each(async () => {
  for (const client of clients) client.end(true)
  endAll()
  await endBrokers()
})
test.after(() => rmSync(folder, { recursive: true, force: true }))

async function until(what: () => Promise<boolean>, limit = 20_000): Promise<void> {
  for (const end = Date.now() + limit; !(await what()); await pause(100)) {
    if (Date.now() > end) throw new Error('it never came to that')
  }
}

/** Starts the sketch; the path of its terminal. */
async function startRobot(): Promise<[child: ChildProcess, path: string]> {
  const program = join(folder, 'robot')
  run('extras/build', ['linux', 'robot', program])
  const child = spawn(program, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const [path] = (await once(lines, 'line')) as [string]
  return [child, path]
}

test('a robot on a serial port: its catalogue is in the directory, it obeys, and when it dies that is said', async () => {
  const [robot, port] = await startRobot()
  const devices = { robot: { profile: 'jstp-serial', port } }
  const engine = await new Engine(config({ devices })).runs()
  await until(async () => (await engine.get('engine/devices')).robot.state === 'up')
  const directory: { resource: string[]; methods: string[] }[] = await engine.get('engine/directory')
  const servo = directory.find(({ resource }) => resource.join('/') === 'robot/servo')
  assert.equal(servo?.methods, ['GET', 'PUT', 'BIND'])
  assert.is((await engine.ask('put', 'robot/servo', '90')).code, 0)
  assert.is((await engine.get('robot/servo')).value, 90)
  const far = await engine.ask('put', 'robot/servo', '9000')
  assert.is(far.code, 1)
  assert.match(far.out + far.err, /range|from -?\d+ to \d+/)
  assert.is((await engine.ask('post', 'robot/stop')).code, 0)
  robot.kill('SIGKILL')
  await until(async () => (await engine.get('engine/devices')).robot.state !== 'up')
  const { code, out, err } = await engine.ask('put', 'robot/servo', '10')
  assert.is(code, 1)
  assert.match(out + err, /offline/)
  await engine.stop()
})

test('a sensor behind a broker with a password: found, listed, set; a wrong password is said', async () => {
  const passwords = join(folder, 'passwords')
  // hormiga:secreto, as mosquitto_passwd writes it.
  run('mosquitto_passwd', ['-b', '-c', passwords, 'hormiga', 'secreto'])
  const broker = await Mosquitto.start(['allow_anonymous false', `password_file ${passwords}`, 'user root'])
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, 'secreto\n')
  const wrong = join(folder, 'wrong')
  writeFileSync(wrong, 'nada\n')
  const sensor = await connectAsync(broker.url, { username: 'hormiga', password: 'secreto' })
  clients.add(sensor)
  sensor.subscribe('zigbee2mqtt/lamp/set')
  sensor.on('message', (_, payload) => {
    const { state } = JSON.parse(payload.toString())
    sensor.publish('zigbee2mqtt/lamp', JSON.stringify({ state }))
  })
  const features = [
    { type: 'binary', name: 'state', property: 'state', access: 7, value_on: 'ON', value_off: 'OFF' },
  ]
  const exposes = [{ type: 'switch', features }]
  const lamp = {
    friendly_name: 'lamp',
    ieee_address: '0x00158d0001234567',
    type: 'Router',
    supported: true,
    interview_completed: true,
    definition: { model: 'T1', vendor: 'Test', description: 'A lamp', exposes },
  }
  await sensor.publishAsync('zigbee2mqtt/bridge/state', '{"state":"online"}', { retain: true })
  await sensor.publishAsync('zigbee2mqtt/bridge/devices', JSON.stringify([lamp]), { retain: true })
  await sensor.publishAsync('zigbee2mqtt/lamp', '{"state":"OFF"}', { retain: true })
  const engine = await new Engine(
    config({
      mqtt: { broker: broker.url, user: 'hormiga', passwordFile },
      devices: {
        house: { profile: 'mqtt-discovery' },
        other: { profile: 'mqtt-discovery', broker: broker.url, user: 'hormiga', passwordFile: wrong },
      },
    }),
  ).runs()
  const listed = async () => {
    const directory: { resource: string[] }[] = await engine.get('engine/directory')
    return directory.map(({ resource }) => resource.join('/'))
  }
  await until(async () => (await listed()).some((path) => path.startsWith('house/0x00158d0001234567')))
  const path = (await listed()).find((path) => /^house\/0x00158d0001234567\/.+/.test(path)) as string
  assert.is((await engine.get(path)).value, false)
  assert.is((await engine.ask('put', path, 'true')).code, 0)
  assert.is((await engine.get(path)).value, true)
  const things: { title: string }[] = await engine.get('engine/things')
  assert.ok(things.some(({ title }) => title === 'What is behind an MQTT broker'))
  await until(async () => (await engine.get('engine/devices')).other.cause.length > 0)
  const { other } = await engine.get('engine/devices')
  assert.is.not(other.state, 'up')
  assert.match(other.cause, /password|not authori[sz]ed|credentials/i)
  await engine.stop()
})

test.run()
