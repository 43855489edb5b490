// needs dist
// time limit: 120 s
// Two engines with only mosquitto between them, everything sealed (issue 5): the coffee machine, reports, saturation, a relay on
// the way, what the broker learns, and what comes back when an engine does. Then the program as it is configured.

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { serviceOf } from '../../src/app/presence.ts'
import { SILENT } from '../../src/core/env.ts'
import type { Request } from '../../src/core/owner.ts'
import { exposeSaturation, toSettings } from '../../src/host/saturation/index.ts'
import { formatUri, type Hop } from '../../src/index.ts'
import { Mesh } from '../../src/mesh/index.ts'
import { endAll as endBrokers, Mosquitto, until } from '../bridges/mqtt/mosquitto.ts'
import { MODES } from '../identity/parties.ts'
import { Gate } from '../transports/mqtt-gate.ts'
import { type AtBroker, type AtBrokerOptions, hopTo, startAt } from '../transports/mqtt-kit.ts'
import { eventually, type Keyed, startCoffee } from './relays-kit.ts'
import { Engine, endAll, hormiga, makeFolder } from './rig.ts'

const engines = new Set<AtBroker>()
const gates = new Set<Gate>()

test.after.each(async () => {
  for (const engine of engines) await engine.close()
  engines.clear()
  for (const gate of gates) gate.close()
  gates.clear()
  endAll()
  await endBrokers()
})

async function start(name: string, options: AtBrokerOptions): Promise<AtBroker> {
  const engine = await startAt(name, options)
  engines.add(engine)
  return engine
}

async function gateTo(port: number): Promise<Gate> {
  const gate = await Gate.to(port)
  gates.add(gate)
  return gate
}

const uriOf = (to: Hop[], path: string) => formatUri({ to, resource: path.split('/') })

for (const version of ['5', '3.1.1'] as const) {
  test(`MQTT ${version}, sealed: get, brew with its reports, saturation; the broker learns no word of it`, async () => {
    const broker = await Mosquitto.start()
    const gate = await gateTo(broker.port)
    gate.isOld = version === '3.1.1'
    gate.isKeeping = true
    const b = await start('b', { port: gate.port })
    const a = await start('a', { port: gate.port })
    const to = hopTo(gate.port, 'b')
    const coffee = await startCoffee(b as unknown as Keyed)
    const secret = randomBytes(18).toString('hex')
    b.engine.own(secret).handle('POST', [], ({ dispatch: { body } }) => ({ [secret]: body as string }))
    const settings = toSettings({}, Number)
    const counts = () => ({ channels: 0, subscriptions: 0, queued: 0 })
    const saturation = exposeSaturation(b.engine.own('engine'), {
      clock: b.env.clock,
      log: SILENT,
      settings,
      counts,
    })
    for (const mode of MODES.filter((it) => it !== 'sign')) {
      const seen: Request[] = []
      const key = { key: 'b', mode }
      const binding = await a.engine.bind(uriOf(to, 'cafetera/*'), (it) => void seen.push(it), { key: 'b' })
      assert.is(binding.confirmed, true)
      const state = await a.engine.get(uriOf(to, 'cafetera/state'), key).first()
      assert.equal([state.status, state.authentic], [200, undefined])
      const brewed = await a.engine
        .post(uriOf(to, 'cafetera/brew'), { ...key, body: { recipe: 'espresso' } })
        .first()
      assert.is(brewed.status, 200, JSON.stringify(brewed.body))
      const isReady = ({ dispatch }: Request) =>
        dispatch.resource?.[1] === 'state' && dispatch.body === 'ready'
      await eventually('the last report', () => seen.some(isReady))
      const progress = seen.flatMap(({ dispatch }) =>
        dispatch.resource?.[1] === 'progress' ? [dispatch.body] : [],
      )
      assert.ok(progress.length >= 3, `${progress}`)
      binding.release()
    }
    const { body } = await a.engine.post(uriOf(to, secret), { key: 'b', body: secret }).first()
    assert.equal(body, { [secret]: secret })
    let told = 0
    const follow = await a.engine.bind(
      uriOf(to, 'engine/saturation'),
      ({ author }) => {
        assert.ok(author?.startsWith('did:key:'))
        told++
      },
      { key: 'b' },
    )
    await eventually('saturation', () => told >= 2)
    follow.release()
    saturation.close()
    await coffee.close()
    assert.ok(a.log.has(new RegExp(`by MQTT ${version}`)))
    const bytes = Buffer.concat(gate.chunks)
    assert.ok(bytes.includes('jstp/1/home/'), 'a search that finds nothing proves nothing')
    for (const word of [secret, 'cafetera', 'espresso', 'brew', 'saturation"'])
      assert.is(bytes.includes(word), false, word)
    assert.is(bytes.includes(Buffer.from(secret).toString('base64url').slice(2, -4)), false)
  })
}

test('relays: A by TCP → a relay → the broker → B, in every mode, reports too', async () => {
  const { port } = await Mosquitto.start()
  const b = await start('b', { port })
  const relay = await start('d', {
    port,
    isListening: false,
    forward: { allow: [hopTo(port, 'b')[0] as Hop] },
    tcpToo: true,
  })
  const a = await start('a', { port, isListening: false, tcpToo: true })
  const to: Hop[] = [['127.0.0.1', relay.tcpPort as number, 'tcp'], ...hopTo(port, 'b')]
  const owner = b.engine.own('echo')
  const authors: (string | undefined)[] = []
  owner.handle('POST', [], ({ dispatch, author }) => {
    authors.push(author)
    return dispatch.body
  })
  for (const mode of MODES) {
    const answer = await a.engine.post(uriOf(to, 'echo'), { key: 'b', mode, body: 'ñ€😀' }).first()
    assert.equal([answer.status, answer.body, answer.authentic], [200, 'ñ€😀', undefined], mode)
    assert.ok(authors.pop()?.startsWith('did:key:'))
  }
  const seen: unknown[] = []
  const binding = await a.engine.bind(
    uriOf(to, 'echo/...'),
    ({ dispatch }) => void seen.push(dispatch.body),
    { key: 'b' },
  )
  for (let i = 0; i < 20; i++) owner.report(['said'], i, { event: true })
  await eventually('the reports', () => seen.length === 20)
  binding.release()
  await eventually('released', () => b.guard.identity.sizes.feeds === 0)
})

test('the engine that is bound at starts anew: what was bound in the clear and what was sealed is bound again', async () => {
  const { port } = await Mosquitto.start()
  const first = await start('b', { port })
  const a = await start('a', { port })
  const to = hopTo(port, 'b')
  first.engine.own('lamp')
  const [clear, sealed]: [unknown[], unknown[]] = [[], []]
  await a.engine.bind(uriOf(to, 'lamp/...'), ({ dispatch }) => void clear.push(dispatch.body))
  await a.engine.bind(uriOf(to, 'lamp/...'), ({ dispatch }) => void sealed.push(dispatch.body), { key: 'b' })
  await first.close()
  engines.delete(first)
  const second = await start('b', { port })
  const lamp = second.engine.own('lamp')
  await until(
    'bound again',
    () => second.engine.sizes.subscriptions >= 1 && (second.guard.identity.sizes.feeds ?? 0) >= 1,
    15_000,
  )
  lamp.report(['level'], 7)
  await until('reports', () => clear.includes(7) && sealed.includes(7))
})

test('replicas: two share what comes by one name; one that is full gets nothing new, one that dies is replaced', async () => {
  const { port } = await Mosquitto.start()
  const docs = serviceOf('home', 'docs')
  const counts: Record<string, number> = { b: 0, c: 0 }
  const serve = (at: AtBroker) => {
    at.engine.own('docs').handle('POST', [], async () => {
      counts[at.name] = (counts[at.name] ?? 0) + 1
      await pause(5)
      return at.name
    })
    at.engine.own('slow').handle('POST', [], () => new Promise(() => {}))
    return at
  }
  const b = serve(await start('b', { port, more: { services: [docs] } }))
  const c = serve(await start('c', { port, more: { services: [docs] } }))
  const resolve = (name: string) => (name === 'docs' ? { service: docs } : undefined)
  const a = await start('a', { port, more: { resolve } })
  const to: Hop[] = [hopTo(port, 'b')[0] as Hop, 'docs']
  const ask = async () => (await a.engine.post(uriOf(to, 'docs')).first()).body
  const answers = await Promise.all(Array.from({ length: 200 }, ask))
  assert.is(answers.length, 200)
  assert.is((counts.b as number) + (counts.c as number), 200, 'each once')
  assert.ok(Math.min(counts.b as number, counts.c as number) >= 40, JSON.stringify(counts))
  b.transport.share([])
  await pause(100)
  const other = await start('d', { port, more: { resolve } })
  for (let i = 0; i < 5; i++) assert.is((await other.engine.post(uriOf(to, 'docs')).first()).body, 'c')
  const slow = Array.from({ length: 8 }, () => a.engine.post(uriOf(to, 'slow')).first())
  await pause(200)
  b.transport.share([docs])
  await c.close()
  engines.delete(c)
  // It says so itself, and nobody asks another one to do it again.
  assert.is((await Promise.any(slow)).status, 502)
  for (let i = 0; i < 5; i++) assert.is(await ask(), 'b')
  // By the name alone, with the rules of a service.
  const replicas = [hopTo(port, 'b')[0] as Exclude<Hop, string>]
  const balancer = new Mesh({ services: { docs: { replicas } } })
  await other.close()
  engines.delete(other)
  const asker = await start('d', { port, balancer, more: { resolve } })
  assert.equal((await asker.engine.post(uriOf(['docs'], 'docs')).first()).body, 'b')
})

test('the program: `listen.mqtt`, names of the trust file, sealed from the command line through another engine', async () => {
  const { port } = await Mosquitto.start()
  const mqtt = { broker: `mqtt://127.0.0.1:${port}`, realm: 'casa' }
  const rules = [{ method: ['GET'], resource: ['cafetera', '...'], listen: ['mqtt'] }]
  const cafetera = { profile: 'delonghi-ecam', simulated: true }
  const cocina = await new Engine({
    name: 'cocina',
    listen: { tcp: '127.0.0.1:0', http: false, mqtt: true },
    mqtt,
    devices: { cafetera },
    access: [{ method: ['*'], resource: ['...'], listen: ['tcp'] }, ...rules],
  }).runs()
  await cocina.says(new RegExp(`connected to the broker 127.0.0.1:${port} by MQTT 5`))
  const { id } = await cocina.get('engine')
  const trust = join(makeFolder(), 'trust.json')
  writeFileSync(trust, JSON.stringify({ v: 1, keys: [{ id, name: 'cocina' }] }), { mode: 0o600 })
  const salon = await new Engine({
    name: 'salon',
    listen: { tcp: '127.0.0.1:0', http: false },
    mqtt,
    trust,
  }).runs()
  const at = (await salon.at()).replace('0.0.0.0', '127.0.0.1')
  const through = `jstp:${at}:tcp,127.0.0.1:${port}:mqtt,cocina//cafetera/state`
  const refused = await hormiga(['get', through, '--json'])
  assert.is(JSON.parse(refused.out).status, 506, 'a stranger is not carried')
  await salon.stop()
  const carrier = await new Engine({
    name: 'salon',
    listen: { tcp: '127.0.0.1:0', http: false },
    mqtt,
    trust,
    forward: { allow: [['127.0.0.1', port, 'mqtt']] },
  }).runs()
  const way = `jstp:${await carrier.at()}:tcp,127.0.0.1:${port}:mqtt,cocina//`
  const state = await hormiga(['get', `${way}cafetera/state`, '--json'])
  assert.is(JSON.parse(state.out).status, 200, state.out + state.err)
  const brew = await hormiga(['post', `${way}cafetera/brew`, '{"recipe":"espresso"}', '--json'])
  assert.is(JSON.parse(brew.out).status, 401, 'only what `access` grants for "mqtt"')
  const shown = await cocina.get('engine')
  assert.is(shown.transports.mqtt, `127.0.0.1:${port}`)
  await cocina.stop()
  const gone = await hormiga(['get', `${way}cafetera/state`, '--json'])
  assert.equal([JSON.parse(gone.out).status, JSON.parse(gone.out).body.code], [502, 'unreachable'])
  await carrier.stop()
})

test.run()
