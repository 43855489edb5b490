// time limit: 120 s
// MQTT as a transport, at a real mosquitto (part D, design §9.22-24): every trouble ends by itself, with a line in the log that says
// what it was.

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import mqttPackage from 'mqtt'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodeOf, presenceOf } from '../../src/app/presence.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { formatUri } from '../../src/index.ts'
import { endAll, Mosquitto, until } from '../bridges/mqtt/mosquitto.ts'
import { makeCertificates } from './certificates.ts'
import { Gate } from './mqtt-gate.ts'
import { type AtBroker, type AtBrokerOptions, hopTo, signer, startAt } from './mqtt-kit.ts'

const engines = new Set<AtBroker>()
const gates = new Set<Gate>()

test.after.each(async () => {
  for (const engine of engines) await engine.close()
  engines.clear()
  for (const gate of gates) gate.close()
  gates.clear()
  await endAll()
})

async function start(name: string, options: AtBrokerOptions): Promise<AtBroker> {
  const engine = await startAt(name, options)
  engines.add(engine)
  return engine
}

async function gateTo(port: number, options = {}): Promise<Gate> {
  const gate = await Gate.to(port, options)
  gates.add(gate)
  return gate
}

function uri(port: number, path: string, name = 'b', label = 'mqtt'): string {
  return formatUri({ to: hopTo(port, name, label), resource: path.split('/') })
}

/** `b` serves a lamp, and counts what it has carried out. */
function serveLamp({ engine }: AtBroker) {
  const owner = engine.own('lamp')
  const done: (Json | undefined)[] = []
  owner.handle('GET', [], () => ({ on: true }))
  owner.handle('PUT', ['level'], ({ dispatch: { body } }) => body)
  owner.handle('POST', ['blink'], ({ dispatch: { body } }) => {
    done.push(body)
    return { done: done.length }
  })
  return { owner, done }
}

const first = ({ engine }: AtBroker, at: string, body?: Json) => engine.post(at, { body }).first()

for (const version of ['5', '3.1.1'] as const) {
  test(`MQTT ${version}: questions, answers, subscriptions and reports`, async () => {
    const broker = await Mosquitto.start()
    const { port } = await gateTo(broker.port, { isOld: version === '3.1.1' })
    const [b, a] = [await start('b', { port }), await start('a', { port, isListening: false })]
    const { owner, done } = serveLamp(b)
    assert.equal(
      (await a.engine.get(uri(port, 'lamp')).all()).map(({ status, body }) => [status, body]),
      [[200, { on: true }]],
    )
    assert.equal((await first(a, uri(port, 'lamp/blink'), 7)).body, { done: 1 })
    assert.is((await a.engine.get(uri(port, 'nothing')).first()).status, 404)
    const seen: (Json | undefined)[] = []
    const binding = await a.engine.bind(
      uri(port, 'lamp/...'),
      ({ dispatch }) => void seen.push(dispatch.body),
    )
    assert.is(binding.confirmed, true)
    for (let i = 0; i < 50; i++) {
      owner.report(['level'], i)
      if (i % 10 === 0) await pause(1)
    }
    await until('the last report', () => seen.at(-1) === 49)
    binding.release()
    await until('released', () => b.engine.sizes.subscriptions === 0)
    assert.equal(done, [7])
    const big = 'ñ€😀'.repeat(50_000)
    assert.is((await a.engine.put(uri(port, 'lamp/level'), { body: big }).first()).body, big)
    assert.ok(a.log.has(new RegExp(`connected to the broker 127.0.0.1:${port} by MQTT ${version}`)))
    for (const meter of ['mqtt.gap', 'mqtt.repeated', 'mqtt.garbage', 'garbage'])
      assert.equal([a.counted(meter), b.counted(meter)], [0, 0], meter)
  })
}

test('a name that no pinned key has, an engine that is not there, and no name at all are answered 502 with the reason', async () => {
  const { port } = await Mosquitto.start()
  const a = await start('a', { port, knows: ['b'] })
  const stranger = await a.engine.get(uri(port, 'lamp', 'c')).first()
  assert.is(stranger.status, 502)
  assert.match((stranger.body as { message: string }).message, 'no key of the trust file has the name "c"')
  const away = await a.engine.get(uri(port, 'lamp')).first()
  assert.is(away.status, 502)
  assert.match((away.body as { message: string }).message, '"b" does not answer at the broker')
  const nameless = await a.engine
    .get(formatUri({ to: [hopTo(port, 'b')[0] as never], resource: ['lamp'] }))
    .first()
  assert.match((nameless.body as { message: string }).message, 'a broker is no engine')
})

test('the network is cut for a while: nothing is lost, nothing is done twice, and the log says so', async () => {
  const broker = await Mosquitto.start()
  const [gate, port] = [await gateTo(broker.port), broker.port]
  const b = await start('b', { port })
  const a = await start('a', { port: gate.port, answerTimeout: 10_000 })
  const { owner, done } = serveLamp(b)
  const seen: (Json | undefined)[] = []
  await a.engine.bind(uri(gate.port, 'lamp/...'), ({ dispatch }) => void seen.push(dispatch.body))
  const answers: Promise<{ status: number }>[] = []
  const ask = (count: number) => {
    for (let i = 0; i < count; i++) answers.push(first(a, uri(gate.port, 'lamp/blink'), answers.length))
  }
  ask(50)
  gate.cut()
  ask(50)
  owner.report(['level'], 1, { event: true })
  await until('it is told', () => a.log.has(/the broker .*; it is tried again/))
  await pause(1000)
  ask(50)
  owner.report(['level'], 2, { event: true })
  gate.mend()
  const statuses = (await Promise.all(answers)).map(({ status }) => status)
  assert.equal([...new Set(statuses)], [200])
  assert.equal(
    done,
    Array.from({ length: 150 }, (_, i) => i),
  )
  await until('the reports', () => seen.length === 2)
  assert.equal(seen, [1, 2])
})

test('a broker that hears and says nothing any more is left, and found again', async () => {
  const broker = await Mosquitto.start()
  const gate = await gateTo(broker.port)
  const b = await start('b', { port: broker.port })
  const a = await start('a', { port: gate.port, answerTimeout: 10_000 })
  const { done } = serveLamp(b)
  await first(a, uri(gate.port, 'lamp/blink'), 0)
  gate.isSilent = true
  const answer = first(a, uri(gate.port, 'lamp/blink'), 1)
  await pause(300)
  gate.drop()
  gate.mend()
  assert.is((await answer).status, 200)
  assert.equal(done, [0, 1])
})

test('session resume: what the broker kept while we were away is known already, and not done again', async () => {
  const broker = await Mosquitto.start()
  const gate = await gateTo(broker.port)
  const a = await start('a', { port: broker.port, answerTimeout: 10_000 })
  const b = await start('b', { port: gate.port })
  const { done } = serveLamp(b)
  await first(a, uri(broker.port, 'lamp/blink'), 0)
  gate.cut()
  const answers = Array.from({ length: 40 }, (_, i) => first(a, uri(broker.port, 'lamp/blink'), i + 1))
  await pause(700)
  gate.mend()
  for (const { status } of await Promise.all(answers)) assert.is(status, 200)
  assert.equal(
    done,
    Array.from({ length: 41 }, (_, i) => i),
  )
  assert.is(b.counted('mqtt.unknown'), 0)
  assert.is(b.counted('mqtt.gap'), 0, 'the broker has kept them')
})

test('another client takes our id: that is told as what it is, and does not end by itself', async () => {
  const { port, url } = await Mosquitto.start()
  const b = await start('b', { port })
  const a = await start('a', { port })
  serveLamp(b)
  assert.is((await a.engine.get(uri(port, 'lamp')).first()).status, 200)
  const id = `h-${nodeOf(signer('a').kid)}-t`
  const thief = mqttPackage.connect(url, { clientId: id, protocolVersion: 5, reconnectPeriod: 100 })
  await until('told', () => a.log.has(/another client uses our id/))
  await thief.endAsync(true)
  await until(
    'it works again',
    () => a.log.lines.at(-1)?.includes('connected to the broker') === true,
    15_000,
  )
  assert.is((await a.engine.get(uri(port, 'lamp')).first()).status, 200)
})

test('what is too big for the broker is refused before it is sent, either way, and the connection lives', async () => {
  const { port } = await Mosquitto.start(['allow_anonymous true', 'max_packet_size 20000'])
  const b = await start('b', { port })
  const a = await start('a', { port })
  const { owner } = serveLamp(b)
  owner.handle('GET', ['big'], () => 'x'.repeat(30_000))
  const sent = await a.engine.put(uri(port, 'lamp/level'), { body: 'x'.repeat(30_000) }).first()
  assert.equal([sent.status, (sent.body as { code: string }).code], [400, 'size'])
  assert.match((sent.body as { message: string }).message, /more than the \d+ bytes/)
  const got = await a.engine.get(uri(port, 'lamp/big')).first()
  assert.equal([got.status, (got.body as { code: string }).code], [500, 'size'])
  const fits = await a.engine.put(uri(port, 'lamp/level'), { body: 'x'.repeat(15_000) }).first()
  assert.is(fits.status, 200)
  // Many that fit go together only as far as that fits.
  const many = Array.from({ length: 100 }, (_, i) =>
    a.engine.put(uri(port, 'lamp/level'), { body: `${i}`.repeat(1000) }).first(),
  )
  for (const { status } of await Promise.all(many)) assert.is(status, 200)
  assert.is(a.log.lines.filter((line) => line.includes('connected to')).length, 1)
})

test('wrong user or password, then the right one: told, and no answer but 502 until then', async () => {
  const folder = openFolder()
  const file = join(folder, 'passwords')
  writeFileSync(file, 'cocina:geheim\n')
  spawnSync('mosquitto_passwd', ['-U', file])
  const broker = await Mosquitto.start(['allow_anonymous false', `password_file ${file}`])
  const { port } = broker
  try {
    for (const password of ['wrong', 'geheim']) {
      const credentials = () => ({ user: 'cocina', password })
      const a = await start('a', { port, isListening: false, more: { credentials } })
      const { status, body } = await a.engine.get(uri(port, 'lamp')).first()
      assert.is(status, 502)
      const isRefused = a.log.has(/refuses user or password: see mqtt\.user/)
      assert.is(isRefused, password === 'wrong', a.log.lines.join('\n'))
      if (isRefused) assert.match((body as { message: string }).message, 'refuses user or password')
      await a.close()
      engines.delete(a)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('TLS: a certificate of another authority is not accepted, and that is told; with the right one it works', async () => {
  const folder = openFolder()
  const [mine, other] = [makeCertificates(), makeCertificates()]
  for (const [name, text] of Object.entries({ key: mine.key, cert: mine.cert }))
    writeFileSync(join(folder, name), text)
  const lines = ['allow_anonymous true', `certfile ${join(folder, 'cert')}`, `keyfile ${join(folder, 'key')}`]
  const { port } = await Mosquitto.start(lines)
  try {
    const secure = (ca: string) => ({ port, label: 'mqtts' as const, more: { credentials: () => ({ ca }) } })
    const wrong = await start('a', { ...secure(other.ca), isListening: false })
    const { body } = await wrong.engine.get(uri(port, 'lamp', 'b', 'mqtts')).first()
    assert.match((body as { message: string }).message, 'certificate is not accepted')
    assert.ok(wrong.log.has(/certificate is not accepted.*mqtt\.tls\.ca/))
    await wrong.close()
    engines.delete(wrong)
    const [b, a] = [await start('b', secure(mine.ca)), await start('a', secure(mine.ca))]
    serveLamp(b)
    assert.is((await a.engine.get(uri(port, 'lamp', 'b', 'mqtts')).first()).status, 200)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a will ends what an engine had with the dead, and a forged or stale one ends nothing', async () => {
  const { port, url } = await Mosquitto.start()
  const gate = await gateTo(port)
  const b = await start('b', { port: gate.port })
  const a = await start('a', { port, answerTimeout: 10_000 })
  const { owner, done } = serveLamp(b)
  owner.handle('POST', ['slow'], () => new Promise(() => {}))
  assert.is((await first(a, uri(port, 'lamp/blink'), 0)).status, 200)
  const slow = first(a, uri(port, 'lamp/slow'))
  const client = mqttPackage.connect(url)
  const topic = `jstp/1/home/${nodeOf(signer('b').kid)}/st`
  const say = (text: string) => client.publishAsync(topic, text, { qos: 1, retain: true })
  await say(presenceOf(signer('c'), 'x').say(false))
  await say(presenceOf(signer('b'), 'earlier-run').say(false))
  await say('{"v":1}')
  await pause(100)
  assert.is(a.counted('mqtt.presence.refused') >= 2, true)
  assert.is((await first(a, uri(port, 'lamp/blink'), 1)).status, 200)
  gate.cut()
  await say(presenceOf(signer('b'), b.boot).say(false))
  const { status, body } = await slow
  assert.equal([status, (body as { code: string }).code], [502, 'uncertain'])
  const started = performance.now()
  const none = await first(a, uri(port, 'lamp/blink'), 2)
  assert.is(none.status, 502)
  assert.ok(performance.now() - started < 1000, 'at once: it is known to be away')
  gate.mend()
  await until(
    'it is there again',
    () => b.log.lines.filter((line) => line.includes('connected to')).length === 2,
  )
  await pause(100)
  assert.is((await first(a, uri(port, 'lamp/blink'), 3)).status, 200)
  assert.equal(done, [0, 1, 3])
  await client.endAsync(true)
})

test('garbage, unknown conversations and strangers without end: counted, and the engine goes on', async () => {
  const { port, url } = await Mosquitto.start()
  const b = await start('b', { port })
  const a = await start('a', { port })
  serveLamp(b)
  const inbox = `jstp/1/home/${nodeOf(signer('b').kid)}/in`
  const client = mqttPackage.connect(url)
  const ghost = 'f'.repeat(32)
  const texts = [
    ...[
      '',
      '{',
      'hello',
      '{"mqtt":""}',
      '{"mqtt":"x.y.z"}',
      `{"mqtt":"d.${ghost}.t"}`,
      `{"mqtt":"A.${ghost}.t.k.b.9"}`,
    ],
    ...['d', 'k', 'r', 'c', 'D', 'K', 'R', 'C'].map(
      (kind) => `{"mqtt":"${kind}.${ghost}.talk.key.0.0.0","method":"GET"}`,
    ),
    ...['-1', '1e9', '99999999999999999999', 'NaN'].map((n) => `{"mqtt":"o.${ghost}.talk.boot.${n}"}`),
    `{"mqtt":"o.${ghost}.${'t'.repeat(300)}.boot.9"}`,
  ]
  for (let turn = 0; turn < 20; turn++)
    for (const text of texts) await client.publishAsync(inbox, text, { qos: 1 })
  await client.publishAsync(inbox, Buffer.from([0xff, 0xfe, 0x00]), { qos: 1 })
  // Conversations from nowhere are bounded, for each and for all.
  for (let i = 0; i < 100; i++)
    await client.publishAsync(inbox, `{"mqtt":"o.${ghost}.talk${i}.boot.1000"}`, { qos: 1 })
  await until('counted', () => b.counted('mqtt.garbage') > 100)
  assert.ok(b.engine.sizes.channels <= 20, `${b.engine.sizes.channels} channels`)
  assert.is((await a.engine.get(uri(port, 'lamp')).first()).status, 200)
  await client.endAsync(true)
})

test('expires: over while the engine is away, it is answered 504 and never carried out', async () => {
  const broker = await Mosquitto.start()
  const gate = await gateTo(broker.port)
  const b = await start('b', { port: gate.port })
  const a = await start('a', { port: broker.port, answerTimeout: 10_000 })
  const { done } = serveLamp(b)
  const at = uri(broker.port, 'lamp/blink')
  await first(a, at, 0)
  gate.cut()
  const { status, body } = await a.engine.post(at, { body: 1, expires: 700 } as never).first()
  assert.equal([status, (body as { expired: boolean }).expired], [504, true])
  gate.mend()
  assert.is((await first(a, at, 2)).status, 200)
  assert.equal(done, [0, 2])
})

test.run()

/** mosquitto gives up its rights before it reads. */
function openFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mqtt-files-'))
  chmodSync(folder, 0o755)
  return folder
}
