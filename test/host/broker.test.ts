// The broker inside: what it does for sensors, for our own bridge and for clients of other makers, and where its bounds are.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Broker, startMqtt } from '../../src/bridges/mqtt/index.ts'
import { limitPackets } from '../../src/bridges/mqtt/size-guard.ts'
import { SystemClock } from '../../src/core/clock.ts'
import { Meters } from '../../src/core/meters.ts'
import { EmbeddedBroker, type EmbeddedBrokerOptions } from '../../src/host/broker.ts'
import { until } from '../bridges/mqtt/mosquitto.ts'
import { FakeOwner } from '../device/rig.ts'

const log: string[] = []
const ends: (() => unknown)[] = []

test.after.each(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  log.length = 0
})

function makeEnv() {
  const note = (text: string) => void log.push(text)
  return {
    clock: new SystemClock(),
    log: { debug() {}, info: note, warn: note, error: note },
    random: { uuid: () => crypto.randomUUID(), fraction: () => 0 },
    meters: new Meters(),
  }
}

async function open(options: Partial<EmbeddedBrokerOptions> = {}) {
  const env = makeEnv()
  const broker = await EmbeddedBroker.create({ env, limitPackets, ...options })
  ends.push(() => broker.close())
  broker.server.listen(0, '127.0.0.1')
  await once(broker.server, 'listening')
  const { port } = broker.server.address() as AddressInfo
  return { broker, env, port, url: `mqtt://127.0.0.1:${port}`, counts: () => env.meters.read() }
}

async function client(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const one = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0, ...options }, false)
  ends.push(() => one.endAsync(true))
  one.on('error', () => {})
  return one
}

/** What a client hears. */
function heard(one: MqttClient): string[] {
  const list: string[] = []
  one.on(
    'message',
    (topic, payload, { retain }) => void list.push(`${topic}=${payload}${retain ? ' r' : ''}`),
  )
  return list
}

async function raw(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  ends.push(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

function closed(one: MqttClient): Promise<void> {
  return new Promise((resolve) => void one.once('close', resolve))
}

/** The QoS that are granted; 128: refused. */
function subscribe(one: MqttClient, topics: string[]): Promise<number[]> {
  return one.subscribeAsync(topics).then(
    (all) => all.map(({ qos }) => qos),
    (error) => error.packet.granted,
  )
}

/** Why a connection is refused. */
async function refusal(url: string, options: IClientOptions): Promise<unknown> {
  return client(url, options).then(
    () => 'let in',
    (error) => error.code,
  )
}

function startBridge(url: string) {
  const env = makeEnv()
  const owner = new FakeOwner('sensores')
  const broker = new Broker({ url, clientId: 'h-x-b-sensores' }, env)
  const bridge = startMqtt({ name: 'sensores', broker, owner, env, answerTimeout: 1000 })
  ends.push(() => bridge.close())
  return { bridge, owner }
}

test('what is retained is remembered and deleted, wills are told, QoS 1 and 2 arrive once', async () => {
  const { url, broker } = await open()
  const sensor = await client(url, {
    will: { topic: 's/up', payload: Buffer.from('no'), retain: true, qos: 1 },
  })
  for (const qos of [0, 1, 2] as const) await sensor.publishAsync(`s/${qos}`, 'x', { qos, retain: true })
  const listener = await client(url)
  const list = heard(listener)
  await listener.subscribeAsync('s/#', { qos: 2 })
  await until('the memory', () => list.length === 3)
  assert.equal(list.sort(), ['s/0=x r', 's/1=x r', 's/2=x r'])
  for (const qos of [0, 1, 2] as const) await sensor.publishAsync('s/live', String(qos), { qos })
  sensor.stream.destroy()
  await until('the will', () => list.includes('s/up=no'))
  assert.equal(list.slice(3), ['s/live=0', 's/live=1', 's/live=2', 's/up=no'])
  assert.is(broker.sizes.retained, 4)
  await listener.publishAsync('s/up', '', { retain: true, qos: 1 })
  assert.is(broker.sizes.retained, 3)
})

test('a second client with the same id ends the first; a session that was asked for is not there', async () => {
  const { url, broker } = await open()
  const first = await client(url, { clientId: 'one', clean: false })
  const ended = closed(first)
  const second = await client(url, { clientId: 'one', clean: false })
  await ended
  assert.is(broker.sizes.clients, 1)
  await second.subscribeAsync('a/#', { qos: 1 })
  await second.endAsync()
  const third = await connectAsync(url, { clientId: 'one', clean: false, protocolVersion: 4 })
  ends.push(() => third.endAsync(true))
  const list = heard(third)
  await third.publishAsync('a/b', 'x', { qos: 1 })
  await third.publishAsync('a/b', 'y', { qos: 1 })
  assert.equal(list, [])
  assert.is(broker.sizes.subscriptions, 0)
})

test('only who knows user and password is let in, and the password is in no log', async () => {
  const { url, counts } = await open({ user: 'casa', password: 'secreto' })
  assert.is(await refusal(url, {}), 4)
  assert.is(await refusal(url, { username: 'casa', password: 'secretO' }), 4)
  assert.is(await refusal(url, { username: 'otra', password: 'secreto' }), 4)
  assert.is(await refusal(url, { username: 'casa', password: 'secreto' }), 'let in')
  assert.is(counts()['broker.credentials'], 3)
  assert.is(log.length, 1)
  assert.match(log[0] as string, /user or password are wrong, of .*127\.0\.0\.1/)
  assert.not.match(log.join(), /secret/i)
})

test('our own bridge finds out that it speaks 3.1.1, and a device lives through it', async () => {
  const { url } = await open()
  const { bridge, owner } = startBridge(url)
  await until('the connection', () => bridge.status().state === 'up')
  assert.is(bridge.status().cause, 'connected, MQTT 3.1.1')
  const plug = await client(url, {
    will: { topic: 'tele/p/up', payload: Buffer.from('offline'), retain: true, qos: 0 },
  })
  const config = { '~': 'tele/p', stat_t: '~/s', cmd_t: '~/s/set', avty_t: '~/up' }
  plug.on('message', (_topic, payload) => void plug.publishAsync('tele/p/s', payload, { retain: true }))
  await plug.subscribeAsync('tele/p/s/set')
  await plug.publishAsync('homeassistant/switch/plug/config', JSON.stringify(config), { retain: true })
  await plug.publishAsync('tele/p/up', 'online', { retain: true })
  await plug.publishAsync('tele/p/s', 'OFF', { retain: true })
  await until('its state', () => owner.reported('plug/state').at(-1) === false)
  await until('its birth', () => owner.reported('plug/online').at(-1) === true)
  const put = bridge.mapper.put('plug', 'state', true)
  await (await client(url)).publishAsync(put.topic, String(put.payload))
  await until('the new state', () => owner.reported('plug/state').at(-1) === true)
  plug.stream.destroy()
  await until('its will', () => owner.reported('plug/online').at(-1) === false)
})

test('our own bridge counts the subscriptions that are refused, and says of which', async () => {
  const { url } = await open({ limits: { perClient: 5 } })
  const { bridge } = startBridge(url)
  const refused = () => bridge.status().counters['subscription.refused'] ?? 0
  await until('the refusals', () => refused() > 5)
  assert.is(bridge.status().state, 'up')
  assert.ok(log.some((line) => /lets us not subscribe \d of "/.test(line)))
})

test('clients of other makers: mosquitto_pub and mosquitto_sub', async () => {
  const { port } = await open({ user: 'casa', password: 'secreto' })
  const at = ['-h', '127.0.0.1', '-p', String(port), '-u', 'casa', '-P', 'secreto']
  const listener = spawn('mosquitto_sub', [...at, '-q', '1', '-t', 'tele/#', '-C', '3', '-v'])
  ends.push(() => listener.kill())
  let text = ''
  listener.stdout.on('data', (chunk) => (text += chunk))
  const say = (...args: string[]) => promisify(execFile)('mosquitto_pub', [...at, '-t', 'tele/t', ...args])
  const done = once(listener, 'exit')
  await until('the subscription', () => {
    if (text === '') void say('-m', '0')
    return text !== ''
  })
  for (const qos of ['1', '2']) await say('-m', qos, '-q', qos)
  await done
  assert.match(text, /tele\/t 0\n/)
  const wrong = promisify(execFile)('mosquitto_pub', [...at.slice(0, 4), '-t', 'x', '-m', 'x'])
  await wrong.then(
    () => assert.unreachable(),
    ({ stderr }) => assert.match(stderr, /Bad user name or password|not authori/i),
  )
})

test('bounds: clients, subscriptions, topics and bytes that are remembered', async () => {
  const { url, broker, counts } = await open({
    limits: { clients: 3, perClient: 3, subscriptions: 4, retained: 2, retainedBytes: 100 },
  })
  const [one, two] = [await client(url), await client(url)]
  const granted = await subscribe(one, ['$SYS/#', '$share/x/a', 'a', 'b', 'c', 'd'])
  assert.equal(granted, [128, 128, 0, 0, 0, 128])
  const more = await subscribe(two, ['a', 'b'])
  assert.equal(more, [0, 128])
  await one.unsubscribeAsync('b')
  assert.equal(await subscribe(two, ['b']), [0])
  assert.is(broker.sizes.subscriptions, 4)

  const list = heard(one)
  const keep = (topic: string, text: string) => two.publishAsync(topic, text, { retain: true, qos: 1 })
  await keep('a', 'x'.repeat(50))
  await keep('c', 'x'.repeat(60))
  await keep('c', 'y')
  await keep('z', 'z')
  await keep('a', 'short')
  await until('what was said', () => list.length === 4)
  assert.equal(broker.sizes.retained, 2)
  assert.equal(broker.sizes.retainedBytes, 'a'.length + 'short'.length + 2)
  assert.is(counts()['broker.retained'], 2)
  await one.unsubscribeAsync(['a', 'c'])
  await one.subscribeAsync(['c'])
  await until('its memory', () => list.at(-1) === 'c=y r')

  await client(url)
  const fourth = await raw(Number(new URL(url).port))
  await once(fourth, 'close')
  assert.is(counts()['broker.client'], 1)
  await two.endAsync()
  await until('its end', () => broker.sizes.subscriptions === 1)
})

test('bounds: a packet is ended before it is gathered; what is no MQTT, and who says nothing, too', async () => {
  const { url, port, broker } = await open({ limits: { packet: 10_000, greeting: 1000 } })
  const before = process.memoryUsage().rss
  for (const bytes of [
    [0x10, 0xff, 0xff, 0xff, 0x7f],
    [0x10, 0xe9, 0x07],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0xc0, 0],
  ]) {
    const socket = await raw(port)
    socket.write(Buffer.from(bytes))
    await once(socket.resume(), 'close')
  }
  const one = await client(url)
  await one.publishAsync('x', Buffer.alloc(9000), { qos: 1 })
  const ended = closed(one)
  one.publish('x', Buffer.alloc(10_000), { qos: 1 })
  await ended
  const will = { topic: 'w', payload: Buffer.alloc(2000), qos: 0 as const, retain: false }
  assert.is.not(await refusal(url, { will }), 'let in')
  assert.is.not(await refusal(url, { clientId: 'x'.repeat(300) }), 'let in')
  assert.is(broker.sizes.clients, 0)
  assert.ok(process.memoryUsage().rss - before < 64e6)
})

test('bounds: who does not read loses what is said meanwhile; nobody waits for it', async () => {
  const { url, port, counts } = await open({ limits: { queue: 64 << 10 } })
  const stuck = await raw(port)
  stuck.write(Buffer.from('101200044d5154540402000000067374756b6572'.replace('0006', '0006'), 'hex'))
  stuck.write(Buffer.from('820600010001230 0'.replaceAll(' ', ''), 'hex'))
  await once(stuck, 'data')
  stuck.pause()
  const [writer, reader] = [await client(url), await client(url)]
  const list = heard(reader)
  await reader.subscribeAsync('#', { qos: 1 })
  const before = process.memoryUsage().rss
  const payload = Buffer.alloc(10_000)
  const begun = Date.now()
  for (let i = 0; i < 2000; i++) await writer.publishAsync('x', payload, { qos: 1 })
  assert.ok(Date.now() - begun < 8000, 'it took too long')
  await until('all of them, at who reads', () => list.length === 2000)
  const lost = counts()['broker.queue'] as number
  assert.ok(lost > 1000 && lost < 2000, `${lost} were lost`)
  assert.ok(process.memoryUsage().rss - before < 64e6)
  assert.ok(log.some((line) => /does not read/.test(line)))
})

test('10,000 retained topics come whole to who subscribes them at once', async () => {
  const { url, counts } = await open()
  const writer = await client(url)
  for (let i = 0; i < 10_000; i += 500) {
    await Promise.all(
      Array.from({ length: 500 }, (_, j) =>
        writer.publishAsync(`r/${i + j}`, 'x'.repeat(100), { retain: true, qos: 1 }),
      ),
    )
  }
  const listener = await client(url)
  const list = heard(listener)
  await listener.subscribeAsync('r/#', { qos: 1 })
  await until('all of them', () => list.length === 10_000)
  assert.equal(counts(), {})
})

test('closing ends all connections and leaves nothing behind', async () => {
  const { broker, url, port } = await open()
  const one = await client(url)
  const silent = await raw(port)
  const ended = [closed(one), once(silent.resume(), 'close')]
  await broker.close()
  await Promise.all(ended)
  assert.is(await refusal(url, {}), 'ECONNREFUSED')
  ends.splice(0, 1)
})

test.run()
