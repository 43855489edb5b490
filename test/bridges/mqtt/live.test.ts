// The bridge against a real mosquitto, and families of devices as they live: birth, states, rename, leave, will.

import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MqttClient } from 'mqtt'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { makeCertificates } from '../../transports/certificates.ts'
import { bench, client, endBenches } from './bench.ts'
import { freePort, Mosquitto, until } from './mosquitto.ts'

const servers: Server[] = []

test.after.each(async () => {
  for (const server of servers.splice(0)) server.close()
  await endBenches()
})

/** A broker of our own making. */
function serve(take: (socket: Socket) => void): Server {
  const server = createServer(take).listen(0, '127.0.0.1')
  servers.push(server)
  return server
}

const EXPOSES = [
  { type: 'numeric', name: 'temperature', property: 'temperature', unit: '°C', access: 1 },
  {
    type: 'switch',
    features: [
      { type: 'binary', name: 'state', property: 'state', value_on: 'ON', value_off: 'OFF', access: 7 },
    ],
  },
]

/** Zigbee2MQTT with one plug, as it behaves on a broker. */
class FakeZigbee {
  readonly client: MqttClient
  #names = new Map<string, string>()
  /** Whether commands are answered by a state. */
  isDeaf = false

  constructor(client: MqttClient) {
    this.client = client
    client.on('message', (topic, payload) => {
      const name = /^zigbee2mqtt\/(.+)\/set$/.exec(topic)?.[1]
      if (name && !this.isDeaf) void this.state(name, JSON.parse(String(payload)))
    })
  }

  static async start(broker: Mosquitto): Promise<FakeZigbee> {
    const will = {
      topic: 'zigbee2mqtt/bridge/state',
      payload: Buffer.from('{"state":"offline"}'),
      retain: true,
      qos: 1 as const,
    }
    const zigbee = new FakeZigbee(await client(broker, { will }))
    await zigbee.client.subscribeAsync('zigbee2mqtt/+/set')
    await zigbee.client.publishAsync('zigbee2mqtt/bridge/state', '{"state":"online"}', {
      retain: true,
      qos: 1,
    })
    return zigbee
  }

  async name(address: string, name: string | undefined): Promise<void> {
    if (name) this.#names.set(address, name)
    else this.#names.delete(address)
    const devices = [...this.#names].map(([ieee_address, friendly_name]) => ({
      ieee_address,
      friendly_name,
      type: 'Router',
      supported: true,
      definition: { model: 'P1', vendor: 'Acme', exposes: EXPOSES },
    }))
    await this.client.publishAsync('zigbee2mqtt/bridge/devices', JSON.stringify(devices), {
      retain: true,
      qos: 1,
    })
  }

  async state(name: string, state: object): Promise<void> {
    await this.client.publishAsync(`zigbee2mqtt/${name}`, JSON.stringify(state))
  }
}

const PLUG = '0x00158d0001a2b3c4'

test('Zigbee2MQTT: birth, states, rename, leave and will of a plug', async () => {
  const { broker, owner, device } = await bench()
  const zigbee = await FakeZigbee.start(broker)
  await zigbee.name(PLUG, 'plug')
  await until('the plug', () => owner.reported(`${PLUG}/online`).includes(true))
  await until('its subscription', () => device.status().state === 'up')
  const hear = async (name: string, temperature: number) => {
    // Until the subscription stands, states of QoS 0 pass by.
    await until(`temperature ${temperature}`, () => {
      void zigbee.state(name, { temperature })
      return owner.reported(`${PLUG}/temperature`).includes(temperature)
    })
  }
  await hear('plug', 21.5)
  const reading = await owner.ask('GET', `${PLUG}/temperature`)
  assert.is(reading.body.value, 21.5)
  assert.is(reading.body.unit, '°C')
  assert.is(reading.body.retained, false)

  const put = await owner.ask('PUT', `${PLUG}/state`, true)
  assert.equal(put, { status: 200, body: { confirmed: true, value: true } })

  await zigbee.name(PLUG, 'kitchen plug')
  await hear('kitchen plug', 22)
  const about = await owner.ask('GET', `${PLUG}/about`)
  assert.is(about.body.name, 'kitchen plug')
  assert.equal(await owner.ask('PUT', `${PLUG}/state`, false), {
    status: 200,
    body: { confirmed: true, value: false },
  })

  zigbee.client.stream.destroy()
  await until('its will', () => owner.reported(`${PLUG}/online`).at(-1) === false)
  const offline = await owner.ask('PUT', `${PLUG}/state`, true)
  assert.equal([offline.status, offline.body.code], [500, 'offline'])

  const again = await FakeZigbee.start(broker)
  await again.name(PLUG, 'kitchen plug')
  await until('its return', () => owner.reported(`${PLUG}/online`).at(-1) === true)
  await again.name(PLUG, undefined)
  await until('its leave', () => device.mapper.devices()[PLUG] === undefined)
  assert.is((await owner.ask('GET', PLUG)).status, 404)
})

test('§9.25 a command without an echo is not confirmed: 504 unconfirmed', async () => {
  const { broker, owner } = await bench()
  const zigbee = await FakeZigbee.start(broker)
  zigbee.isDeaf = true
  await zigbee.name(PLUG, 'plug')
  await until('the plug', () => owner.reported(`${PLUG}/online`).includes(true))
  const both = await Promise.all([
    owner.ask('PUT', `${PLUG}/state`, true),
    owner.ask('PUT', `${PLUG}/state`, false),
  ])
  assert.equal(
    both.map(({ status, body }) => [status, body.code]),
    [
      [504, 'unconfirmed'],
      [400, 'busy'],
    ],
  )
})

test('a broker that is killed and comes back: offline, then everything again', async () => {
  const { broker, owner, device, log } = await bench()
  const zigbee = await FakeZigbee.start(broker)
  await zigbee.name(PLUG, 'plug')
  await until('the plug', () => owner.reported(`${PLUG}/online`).includes(true))
  await broker.kill()
  await until('the loss', () => device.status().state === 'down')
  assert.is(owner.reported(`${PLUG}/online`).at(-1), false)
  assert.is((await owner.ask('PUT', `${PLUG}/state`, true)).body.code, 'offline')
  await broker.begin()
  await until('the connection', () => device.status().state === 'up')
  const next = await FakeZigbee.start(broker)
  await next.name(PLUG, 'plug')
  await until('the plug', () => owner.reported(`${PLUG}/online`).at(-1) === true)
  await until('its state', () => {
    void next.state('plug', { temperature: 19 })
    return owner.reported(`${PLUG}/temperature`).includes(19)
  })
  assert.ok(log.some((line) => /^sensores: down: mqtt:\/\/127/.test(line)))
})

test('10,000 retained topics of QoS 1 on connect, with the short queue of the broker: each is mapped or refused', async () => {
  const broker = await Mosquitto.start()
  const writer = await client(broker)
  const keep = (topic: string, said: string) => writer.publishAsync(topic, said, { retain: true, qos: 1 })
  for (let i = 0; i < 10_000; i += 100) {
    await Promise.all(
      Array.from({ length: 100 }, (_, j) => i + j).flatMap((n) => [
        keep(
          `homeassistant/sensor/n${n}/t/config`,
          JSON.stringify({ dev: { ids: `n${n}` }, stat_t: `tele/n${n}/t` }),
        ),
        keep(`tele/n${n}/t`, String(n)),
      ]),
    )
  }
  const { device } = await bench({ url: broker.url })
  const mapped = () => Object.keys(device.mapper.devices())
  const refused = () => device.mapper.refused().counts.limit ?? 0
  await until('all of them', () => mapped().length + refused() >= 10_000, 20_000)
  assert.equal([mapped().length, refused()], [2000, 8000])
  // Their values were kept at QoS 1 too: of them none is lost.
  await until(
    'all values',
    () => mapped().every((id) => device.mapper.device(id).t === Number(id.slice(1))),
    20_000,
  )
})

test('wrong credentials: the cause is told, and no password in it', async () => {
  const { device, log } = await bench({ lines: ['allow_anonymous false'], user: 'ana', password: 'secreto' })
  await until('the refusal', () => device.status().state === 'down')
  assert.match(device.status().cause, /refuses user or password/)
  assert.not.match(log.join('\n'), /secreto/)
})

test('§9.24 two closes soon after the greeting are another client with our id: it is said, and we come back', async () => {
  const { broker, device } = await bench({ clientId: 'h-x-b-sensores' })
  for (const cause of [/has closed|another client/, /another client uses our id/]) {
    await until('the connection', () => device.status().state === 'up')
    const thief = await client(broker, { clientId: 'h-x-b-sensores' })
    await until('the loss', () => device.status().state === 'down')
    assert.match(device.status().cause, cause)
    await thief.endAsync()
  }
  await until('the return', () => device.status().state === 'up')
})

test('a broker that speaks only MQTT 3.1.1, and closes when it is greeted in another version', async () => {
  const real = await Mosquitto.start()
  const greeted: number[] = []
  const old = serve((inbound) => {
    inbound.once('data', (chunk: Buffer) => {
      // The version stands behind the four letters of the protocol's name.
      const version = chunk[8] as number
      greeted.push(version)
      if (version === 5) return void inbound.destroy()
      const outbound = connect(real.port, '127.0.0.1')
      for (const [from, to] of [
        [inbound, outbound],
        [outbound, inbound],
      ] as const) {
        from.on('error', () => {}).on('close', () => to.destroy())
      }
      outbound.write(chunk)
      inbound.pipe(outbound).pipe(inbound)
    })
  })
  await once(old, 'listening')
  const { device, owner } = await bench({ url: `mqtt://127.0.0.1:${(old.address() as AddressInfo).port}` })
  await until('the connection', () => device.status().state === 'up')
  assert.equal(greeted, [5, 4])
  assert.is(device.status().cause, 'connected, MQTT 3.1.1')
  const zigbee = await FakeZigbee.start(real)
  await zigbee.name(PLUG, 'plug')
  await until('the plug', () => owner.reported(`${PLUG}/online`).includes(true))
  assert.equal(await owner.ask('PUT', `${PLUG}/state`, true), {
    status: 200,
    body: { confirmed: true, value: true },
  })
})

test('TLS with a certificate that nobody trusts is refused; with its authority it is taken', async () => {
  const { key, cert, ca } = makeCertificates()
  const folder = mkdtempSync(join(tmpdir(), 'hormiga-mqtts-'))
  writeFileSync(join(folder, 'key.pem'), key)
  writeFileSync(join(folder, 'cert.pem'), cert)
  const port = await freePort()
  chmodSync(folder, 0o755)
  for (const file of ['key.pem', 'cert.pem']) chmodSync(join(folder, file), 0o644)
  const lines = [
    'allow_anonymous true',
    `listener ${port} 127.0.0.1`,
    `keyfile ${join(folder, 'key.pem')}`,
    `certfile ${join(folder, 'cert.pem')}`,
  ]
  const url = `mqtts://127.0.0.1:${port}`
  const stranger = await bench({ lines, url })
  await until('the refusal', () => stranger.device.status().state === 'down')
  assert.match(stranger.device.status().cause, /self.signed certificate/)
  const friend = await bench({ url, ca, clientId: 'h-test-b-friend' })
  await until('the connection', () => friend.device.status().state === 'up')
  rmSync(folder, { recursive: true })
})

test('a packet that the broker announces too long ends the connection before it is gathered', async () => {
  const server = serve((socket) => {
    socket.once('data', () => {
      socket.write(Buffer.from([0x20, 0x03, 0x00, 0x00, 0x00]))
      // A PUBLISH of 256 MiB - 1.
      setImmediate(() => socket.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, 0x00])))
    })
    socket.on('error', () => {})
  })
  await once(server, 'listening')
  const { device } = await bench({ url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` })
  await until('the end', () => device.status().state === 'down')
  assert.match(device.status().cause, /a packet of 268435455 bytes/)
})

test.run()
