// time limit: 400 s
// Strangers at the broker inside: whatever bytes they send, the engine lives, others are served, and nothing of them stays.

import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import * as fc from 'fast-check'
import { connectAsync } from 'mqtt'
import { generate, type Packet } from 'mqtt-packet'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limitPackets } from '../../src/bridges/mqtt/size-guard.ts'
import { EmbeddedBroker } from '../../src/host/broker.ts'
import { nodeEnv } from '../../src/index.ts'
import { until } from '../bridges/mqtt/mosquitto.ts'

const RUNS = process.env.HORMIGA_LONG ? 20_000 : 600
/** Connections at once. */
const CROWD = 20

const topic = fc.oneof(
  fc.constantFrom(
    'a',
    'a/b',
    '#',
    '+/b',
    '$SYS/#',
    '$share/x/a',
    '',
    '/',
    'a//b',
    '__proto__',
    'constructor',
    'a/+/#',
  ),
  fc.string({ maxLength: 20 }),
  fc.integer({ min: 90, max: 300 }).map((levels) => '/'.repeat(levels)),
)
const qos = fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>
const messageId = fc.integer({ min: 1, max: 5 })
const payload = fc.string({ maxLength: 50 })
const clientId = fc.constantFrom('', 'a', 'b', '__proto__', 'constructor', 'x'.repeat(400))

const packet: fc.Arbitrary<object> = fc.oneof(
  fc.record({
    cmd: fc.constant('connect'),
    protocolId: fc.constant('MQTT'),
    protocolVersion: fc.constantFrom(3, 4, 5),
    clean: fc.boolean(),
    clientId,
    keepalive: fc.constantFrom(0, 1, 65_535),
    username: fc.option(payload, { nil: undefined }),
    will: fc.option(fc.record({ topic, payload, qos, retain: fc.boolean() }), { nil: undefined }),
  }),
  fc.record({
    cmd: fc.constant('publish'),
    topic,
    payload,
    qos,
    retain: fc.boolean(),
    dup: fc.boolean(),
    messageId,
  }),
  fc.record({
    cmd: fc.constant('subscribe'),
    messageId,
    subscriptions: fc.array(fc.record({ topic, qos }), { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    cmd: fc.constant('unsubscribe'),
    messageId,
    unsubscriptions: fc.array(topic, { minLength: 1, maxLength: 5 }),
  }),
  fc.record({ cmd: fc.constantFrom('puback', 'pubrec', 'pubrel', 'pubcomp'), messageId }),
  fc.record({ cmd: fc.constantFrom('pingreq', 'disconnect') }),
)

const CONNECT = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0 }

/** What one stranger sends: mostly packets, sometimes broken ones, sometimes noise. */
const talk = fc.record({
  start: fc.option(clientId, { nil: undefined, freq: 6 }),
  packets: fc.array(packet, { maxLength: 12 }),
  flips: fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 0, max: 255 })), { maxLength: 2 }),
  noise: fc.uint8Array({ maxLength: 30 }),
  isHalf: fc.boolean(),
})

function bytesOf({ start, packets, flips, noise }: Talk): Buffer {
  const all = [...(start === undefined ? [] : [{ ...CONNECT, clientId: start }]), ...packets]
  const bytes = Buffer.concat([...all.map(toBytes), noise])
  for (const [at, value] of flips) if (at < bytes.length) bytes[at] = value
  return bytes
}

type Talk = typeof talk extends fc.Arbitrary<infer T> ? T : never

/** What the library refuses to write is left out. */
function toBytes(one: object): Uint8Array {
  try {
    return generate(one as Packet)
  } catch {
    return Buffer.alloc(0)
  }
}

async function speak(port: number, words: Talk): Promise<void> {
  const socket: Socket = connect(port, '127.0.0.1').on('error', () => {})
  const closed = once(socket, 'close')
  socket.resume()
  socket.write(bytesOf(words))
  if (words.isHalf) socket.destroySoon()
  else {
    socket.end()
    setTimeout(() => socket.destroy(), 100).unref()
  }
  await closed
}

test(`${RUNS} strangers with good, broken and no packets: everybody else is served, and nothing of them stays`, async () => {
  const broker = await EmbeddedBroker.create({ env: nodeEnv(), limitPackets })
  broker.server.listen(0, '127.0.0.1')
  await once(broker.server, 'listening')
  const { port } = broker.server.address() as AddressInfo
  const friend = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 0 })
  const heard: number[] = []
  friend.on('message', (_topic, payload) => void heard.push(Number(payload)))
  await friend.subscribeAsync('friend/+', { qos: 1 })
  let said = 0
  const crowd = fc.asyncProperty(fc.array(talk, { minLength: CROWD, maxLength: CROWD }), async (talks) => {
    const done = talks.map((words) => speak(port, words))
    await friend.publishAsync('friend/x', String(said++), { qos: 1 })
    await Promise.all(done)
    assert.ok(friend.connected, 'the friend was lost')
  })
  try {
    await fc.assert(crowd, { numRuns: RUNS / CROWD, endOnFailure: true })
    await until('what was said', () => heard.length === said)
    assert.equal(heard, [...heard.keys()])
    await until('their ends', () => broker.sizes.clients === 1)
    assert.is(broker.sizes.subscriptions, 1)
  } finally {
    await friend.endAsync(true)
    await broker.close()
  }
})

test.run()
