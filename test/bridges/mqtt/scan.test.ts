// needs dist
// `hormiga scan mqtt` at a real mosquitto and at the broker in the engine: what it lists, what it refuses, how it fails.

import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Engine, endAll, hormiga, makeFolder } from '../../suites/rig.ts'
import { makeCertificates } from '../../transports/certificates.ts'
import { bench, client, endBenches } from './bench.ts'
import { freePort, Mosquitto } from './mosquitto.ts'

const folders: string[] = []

test.after.each(async () => {
  await endBenches()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
test.after(endAll)

const PLUG = {
  ieee_address: '0x00158d0001a2b3c4',
  friendly_name: 'kitchen plug',
  type: 'Router',
  supported: true,
  definition: {
    model: 'P1',
    vendor: 'Acme \u001b[31m\u009b',
    exposes: [
      { type: 'binary', name: 'state', property: 'state', value_on: 'ON', value_off: 'OFF', access: 7 },
      {
        type: 'numeric',
        name: 'level',
        property: 'level',
        unit: '%',
        value_min: 0,
        value_max: 100,
        access: 3,
      },
    ],
  },
}

async function furnish(broker: { readonly url: string }, options: object = {}): Promise<void> {
  const writer = await client(broker, { protocolVersion: 4, ...options })
  const keep = (topic: string, said: unknown) =>
    writer.publishAsync(topic, JSON.stringify(said), { retain: true, qos: 1 })
  await keep('zigbee2mqtt/bridge/state', { state: 'online' })
  await keep('zigbee2mqtt/bridge/devices', [PLUG])
  await keep('zigbee2mqtt/kitchen plug', { state: 'ON', level: 40 })
  await keep('homeassistant/sensor/out/config', { stat_t: 'garden/t', unit_of_meas: '°C' })
  await keep('garden/t', 4.5)
}

function folder(): string {
  const path = makeFolder()
  chmodSync(path, 0o755)
  folders.push(path)
  return path
}

test('devices, properties with their types, units, ranges, methods and values; what is refused and what helps', async () => {
  const broker = await Mosquitto.start()
  await furnish(broker)
  const [{ code, out, err, ms }, allowed] = await Promise.all([
    hormiga(['scan', 'mqtt', broker.url]),
    hormiga(['scan', 'mqtt', broker.url, '--allow', 'garden/#', '--json']),
  ])
  assert.equal([code, err], [0, ''])
  assert.ok(ms < 8000, `${ms} ms`)
  assert.ok(out.startsWith(`${broker.url} (MQTT 5): 3 devices, 1 refusals\n`), out)
  assert.match(out, /^0x00158d0001a2b3c4 {2}kitchen plug, Acme \\u001b\[31m\\u009b P1, by zigbee2mqtt$/m)
  assert.match(out, /^ {2}state +boolean +GET PUT BIND +true \(retained\)$/m)
  assert.match(out, /^ {2}level +number %, 0 to 100 +GET PUT BIND +40 \(retained\)$/m)
  assert.match(
    out,
    /^refused: topic 1\n {2}homeassistant\/sensor\/out\/config: .*add "garden\/#" to "allow"/m,
  )
  assert.match(out, / get sensores\/0x00158d0001a2b3c4\/state\n/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
  assert.not.match(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)

  const { version, devices, refused, complete } = JSON.parse(allowed.out)
  assert.equal([version, refused, complete], [5, [], true])
  const { value, retained, unit, methods } = devices.out.properties.state
  assert.equal([value, retained, unit, methods], [4.5, true, '°C', ['GET', 'BIND']])
})

test('it ends in its time where things never stop coming, and disturbs no bridge', async () => {
  const { broker, device } = await bench()
  const writer = await client(broker)
  let n = 0
  const timer = setInterval(() => {
    writer.publish(`homeassistant/sensor/n${n++}/config`, JSON.stringify({ stat_t: 'tele/n' }))
  }, 50)
  const { code, out, ms } = await hormiga(['scan', 'mqtt', broker.url, '--time', '3s'])
  clearInterval(timer)
  assert.is(code, 0)
  assert.ok(ms < 6000, `${ms} ms`)
  assert.match(out, /still telling more after 3 s: --time 60s waits longer/)
  assert.is(device.status().state, 'up')
})

test('wrong credentials, nobody there, silence: why, and what to do; no password anywhere', async () => {
  const passwords = join(folder(), 'passwords')
  writeFileSync(passwords, 'ana:secreto\n')
  spawnSync('mosquitto_passwd', ['-U', passwords])
  chmodSync(passwords, 0o644)
  const { url } = await Mosquitto.start(['allow_anonymous false', `password_file ${passwords}`])
  const scan = (...words: string[]) => hormiga(['scan', 'mqtt', url, ...words])
  const [wrongFile, rightFile] = [join(folder(), 'wrong'), join(folder(), 'right')]
  writeFileSync(wrongFile, 'sEcreto\n')
  writeFileSync(rightFile, 'secreto\n')
  const [stranger, wrong, right, nobody] = await Promise.all([
    scan(),
    scan('--user', 'ana', '--password-file', wrongFile),
    scan('--user', 'ana', '--password-file', rightFile),
    hormiga(['scan', 'mqtt', `127.0.0.1:${await freePort()}`]),
  ])
  assert.is(stranger.code, 1)
  assert.match(
    stranger.err,
    /^hormiga: mqtt:\/\/127.*refuses user or password: give them with --user NAME --password-file/,
  )
  assert.is(wrong.code, 1)
  assert.match(wrong.err, /refuses user or password/)
  assert.is(right.code, 0, right.err)
  assert.not.match([stranger, wrong, right].map(({ out, err }) => out + err).join(), /secreto/i)
  assert.match(right.out, /0 devices, 0 refusals\n\nNothing tells of itself there/)
  assert.equal([nobody.code, /nobody listens there; is the broker running/.test(nobody.err)], [1, true])
})

test('a certificate that nobody trusts, and the authority that helps', async () => {
  const { key, cert, ca } = makeCertificates()
  const path = folder()
  const files = { key, cert, ca }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text, { mode: 0o644 })
  const port = await freePort()
  await Mosquitto.start([
    'allow_anonymous true',
    `listener ${port} 127.0.0.1`,
    `keyfile ${join(path, 'key')}`,
    `certfile ${join(path, 'cert')}`,
  ])
  const url = `mqtts://127.0.0.1:${port}`
  const [stranger, friend, plain] = await Promise.all([
    hormiga(['scan', 'mqtt', url]),
    hormiga(['scan', 'mqtt', url, '--ca', join(path, 'ca')]),
    hormiga(['scan', 'mqtt', url.replace('mqtts', 'mqtt')]),
  ])
  assert.equal([stranger.code, friend.code, plain.code], [1, 0, 1])
  assert.match(stranger.err, /its certificate is not accepted \(.*self.signed/)
  assert.match(plain.err, /has (hung up|closed)/)
})

test('the broker in the engine: its configuration says where it is and who may come in', async () => {
  const path = folder()
  const port = await freePort()
  const word = join(path, 'word')
  writeFileSync(word, 'secreto\n', { mode: 0o600 })
  const config = {
    listen: { tcp: '127.0.0.1:0', http: false },
    mqtt: { broker: 'embedded', listen: `127.0.0.1:${port}`, user: 'casa', passwordFile: word },
    devices: { sensores: { profile: 'mqtt-discovery', allow: ['garden/#'] } },
  }
  const engine = await new Engine(config).runs()
  const at = { url: `mqtt://127.0.0.1:${port}` }
  await engine.says(/sensores: up: connected, MQTT 3\.1\.1/)
  await furnish(at, { username: 'casa', password: 'secreto' })
  const file = join(engine.folder, 'hormiga.json')
  const { code, out, err } = await hormiga(['scan', 'mqtt', '--config', file])
  assert.is(code, 0, err)
  assert.match(out, /^mqtt:\/\/127\.0\.0\.1:\d+ \(MQTT 3\.1\.1\): 3 devices, 0 refusals/)
  assert.match(out, /^ {2}state +number °C +GET BIND +4\.5 \(retained\)$/m)
  assert.is((await engine.get('sensores/out/state')).value, 4.5)
  const stranger = await hormiga(['scan', 'mqtt', at.url])
  assert.match(stranger.err, /refuses user or password/)

  const second = new Engine(config)
  assert.is(await second.end(), 1)
  assert.match(
    second.err,
    /Can't listen on 127.*in use.*If it is a broker, use that one: "broker": "mqtt:\/\/127/,
  )
  await engine.stop()
  assert.not.match(engine.err + out + err + stranger.err, /secreto/)
})

test.run()
