// The bridge when the way to the broker fails: cut, silent, taken by another, refused and let in again. Each time it comes
// back by itself, says why it was away, and nothing is executed twice.

import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MqttClient } from 'mqtt'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { makeFolder } from '../../suites/rig.ts'
import { type Bench, bench, client, endBenches } from './bench.ts'
import { hearing } from './life.ts'
import { Mosquitto, until } from './mosquitto.ts'
import { endWires, Wire } from './proxy.ts'

const folders: string[] = []

test.after.each(async () => {
  await endBenches()
  endWires()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A switch that counts what it is told; it says what it is only when it is asked to. */
class Pump {
  readonly told: string[] = []
  readonly #client: MqttClient

  private constructor(client: MqttClient) {
    this.#client = client
    client.on('message', (_topic, payload) => void this.told.push(String(payload)))
  }

  static async start(broker: Bench['broker']): Promise<Pump> {
    const pump = new Pump(await client(broker))
    await pump.#client.subscribeAsync('tele/pump/set', { qos: 1 })
    const config = { stat_t: 'tele/pump', cmd_t: 'tele/pump/set' }
    await pump.#client.publishAsync('homeassistant/switch/pump/config', JSON.stringify(config), KEPT)
    await pump.is('OFF')
    return pump
  }

  async is(state: string): Promise<void> {
    await this.#client.publishAsync('tele/pump', state, KEPT)
  }
}

const KEPT = { retain: true, qos: 1 } as const

async function stage(options: Parameters<typeof bench>[0] = {}) {
  const real = await Mosquitto.start()
  const wire = await Wire.to(real.port)
  const one = await bench({ url: wire.url, ...options })
  const pump = await Pump.start(real)
  await until('the pump', () => one.owner.reported('pump/state').at(-1) === false)
  return { ...one, real, wire, pump }
}

test('a cut connection: what has changed meanwhile is known after it, what is as before is not reported again', async () => {
  const { wire, pump, owner, device } = await stage()
  await hearing({ broker: { url: wire.url }, device })
  wire.cut()
  await until('the loss', () => device.status().state === 'down')
  assert.is((await owner.ask('GET', 'pump/state')).body.retained, true)
  assert.is((await owner.ask('PUT', 'pump/state', true)).body.code, 'offline')
  await until('the return', () => device.status().state === 'up')
  await until('it is there', () => owner.reported('pump/online').at(-1) === true)
  assert.equal(owner.reported('pump/state'), [false])
  wire.cut()
  await pump.is('ON')
  await until('the change', () => owner.reported('pump/state').at(-1) === true)
  assert.equal(owner.reported('pump/state'), [false, true])
  assert.equal(pump.told, [])
})

test('a connection that goes silent is found dead by its keep-alive; a command in it is uncertain, and never sent again', async () => {
  const { wire, pump, owner, device, log } = await stage({ keepalive: 1 })
  wire.silence(true)
  const lost = await owner.ask('PUT', 'pump/state', true)
  assert.equal([lost.status, lost.body.code], [504, 'uncertain'])
  await until('the end', () => device.status().state === 'down')
  assert.match(device.status().cause, /keepalive|no answer|silent/i)
  assert.is(owner.reported('pump/online').at(-1), false)
  wire.silence(false)
  await until('the return', () => owner.reported('pump/online').at(-1) === true)
  assert.ok(log.some((line) => /^sensores: down: /.test(line)))
  const again = owner.ask('PUT', 'pump/state', true)
  await until('the command', () => pump.told.length > 0)
  await pump.is('ON')
  assert.is((await again).status, 200)
  assert.equal(pump.told, ['ON'])
})

test('a command whose confirmation is cut off is uncertain, and arrives once', async () => {
  const { wire, pump, owner, device } = await stage()
  const answer = owner.ask('PUT', 'pump/state', true)
  await until('the command', () => pump.told.length > 0)
  wire.cut()
  const { status, body } = await answer
  assert.equal([status, body.code], [504, 'unconfirmed'])
  await pump.is('ON')
  await until('the return', () => device.status().state === 'up')
  await until('the truth', () => owner.reported('pump/state').at(-1) === true)
  assert.equal(pump.told, ['ON'])
})

test('a broker that refuses our password lets us in once it knows it', async () => {
  const folder = makeFolder()
  folders.push(folder)
  chmodSync(folder, 0o755)
  const passwords = join(folder, 'passwords')
  const know = (password: string) => {
    writeFileSync(passwords, `ana:${password}\n`)
    assert.is(spawnSync('mosquitto_passwd', ['-U', passwords]).status, 0)
    chmodSync(passwords, 0o644)
  }
  know('otra')
  const { broker, device, log } = await bench({
    lines: ['allow_anonymous false', `password_file ${passwords}`],
    user: 'ana',
    password: 'secreto',
  })
  await until('the refusal', () => device.status().state === 'down')
  assert.match(device.status().cause, /refuses user or password/)
  know('secreto')
  await broker.kill()
  await broker.begin()
  await until('the connection', () => device.status().state === 'up', 20_000)
  assert.not.match(log.join('\n'), /secreto|otra/)
})

test.run()
