// Engines that say by which names they can be asked, over their own connections (design §6): so they are reached where
// nobody could connect to them.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Outbound } from '../../src/core/outbound.ts'
import { type Node, type NodeOptions, type Replica, Town, watch } from './town.ts'

const RELAY: [string, number, string] = ['relay', 1, 'memory']

async function relayed(options: NodeOptions = {}, announced: boolean | string[] = true) {
  const town = new Town()
  const relay = await town.node('relay', {
    services: { docs: { announced }, other: {} },
    forward: { allow: ['docs'] },
    ...options,
  })
  return {
    town,
    relay,
    join: (name: string, more: NodeOptions = {}) =>
      town.replica(name, { announce: ['docs'], peers: [RELAY], ...more }),
  }
}

async function ask(relay: Node, count = 20): Promise<Set<unknown>> {
  const seen = Array.from({ length: count }, () => watch(relay.ask('POST')))
  await relay.town.pass(100)
  const answers = seen.map(({ value }) => value?.[0])
  return new Set(answers.map((answer) => (answer?.status === 200 ? answer.body : answer?.status)))
}

test('§6 an engine announces a name and is asked over its own connection', async () => {
  const { town, relay, join } = await relayed()
  const one = await join('one')
  await join('two')
  await town.pass(100)
  assert.equal(await ask(relay), new Set(['one', 'two']))
  assert.is(relay.mesh.sizes.announced, 2)
  const dialed = town.hub.pairs.map(({ name }) => name)
  assert.equal(dialed, ['relay:1', 'relay:1'], 'nobody was dialed but the relay')
  assert.ok(one.lines.some((line) => line === 'info: announced to relay:1: docs'))
  await town.end()
})

test('§6 a client reaches it by `to: [relay, name]`, with all kinds of dispatches', async () => {
  const { town, join } = await relayed()
  const one = await join('one')
  const client = await town.node('client')
  await town.pass(100)
  const answer = watch(client.ask('POST', { to: [RELAY, 'docs'] }))
  const got: unknown[] = []
  const binding = watch(
    client.engine.bind('BIND#PUT#relay:1:memory,docs//luz', ({ dispatch }) => void got.push(dispatch.body)),
  )
  await town.pass(100)
  assert.equal([answer.value?.[0]?.body, binding.value?.confirmed], ['one', true])
  one.engine.send('PUT', ['luz'], { body: 7 })
  await town.pass(100)
  assert.equal(got, [7])
  binding.value?.release()
  await town.pass(100)
  one.engine.send('PUT', ['luz'], { body: 8 })
  await town.pass(100)
  assert.equal(got, [7])
  await town.end()
})

test('§6 the entry lives as long as the connection, which comes back by itself', async () => {
  const { town, relay, join } = await relayed()
  const one = await join('one')
  await town.pass(100)
  await ask(relay)
  for (const pair of [...town.hub.pairs]) pair.cut('a cable')
  assert.is(relay.mesh.sizes.announced, 0)
  assert.equal([...(await ask(relay, 1))], [502])
  await town.pass(1500)
  assert.equal(await ask(relay), new Set(['one']))
  await one.kill()
  await town.pass(100)
  assert.is(relay.mesh.sizes.announced, 0)
  await town.end()
})

test('§6 the relay was away at first', async () => {
  const town = new Town()
  await town.replica('one', { announce: ['docs'], peers: [RELAY] })
  await town.pass(30_000)
  const relay = await town.node('relay', { services: { docs: { announced: true } } })
  await town.pass(15_000)
  assert.equal(await ask(relay), new Set(['one']))
  await town.end()
})

test('§6 one whose connection breaks while it is asked: 502 uncertain, and a GET goes elsewhere', async () => {
  const { town, relay, join } = await relayed()
  const one = await join('one')
  const two = await join('two')
  await town.pass(100)
  one.serve = two.serve = () => new Promise<never>(() => {})
  const asked = ['GET', 'POST'].flatMap((method) =>
    Array.from({ length: 10 }, () => ({ method, seen: watch(relay.ask(method)) })),
  )
  await town.pass(100)
  const before = { GET: 0, POST: 0 }
  for (const { method } of one.done) before[method as 'GET']++
  two.serve = () => 'two'
  await one.kill()
  await town.pass(100)
  const ended = (method: string) => asked.filter((each) => each.method === method && each.seen.value)
  assert.equal([ended('GET').length, ended('POST').length], [before.GET, before.POST])
  assert.ok(ended('GET').every(({ seen }) => seen.value?.[0]?.body === 'two'))
  assert.ok(ended('POST').every(({ seen }) => seen.value?.[0]?.status === 502))
  await town.pass(20_000)
  await town.end()
})

test('§6 only names that the relay knows, and that may be announced, by those who may', async () => {
  const { town, relay } = await relayed({}, ['did:key:z6Mk'])
  const client = await town.node('client')
  const statuses = []
  for (const body of [
    { names: ['docs'] },
    { names: ['other'] },
    { names: ['relay'] },
    { names: 'docs' },
    null,
    { names: [5] },
    { names: [] },
  ]) {
    const seen = watch(
      client.say({ method: 'POST', resource: ['engine', 'announce'], timestamp: 1, body, to: [RELAY] }),
    )
    await town.pass(400)
    statuses.push(seen.value?.[0]?.status)
  }
  assert.equal(statuses, [403, 403, 403, 400, 400, 400, 200])
  assert.is(relay.mesh.sizes.announced, 0)
  const own = watch(
    relay.say({ method: 'POST', resource: ['engine', 'announce'], timestamp: 1, body: { names: [] } }),
  )
  await town.pass(100)
  assert.is(own.value?.[0]?.status, 400, 'this engine can not announce itself to itself')
  await town.end()
})

test('§6 a name that is kept for some keys is theirs', async () => {
  const { town, relay } = await relayed({}, ['did:key:z6Mk'])
  const other = await town.node('other')
  const seen = watch(other.ask('GET', { to: [RELAY] }))
  await town.pass(1000)
  assert.is(seen.value?.length, 1)
  const channel = relay.engine.channels()[0]?.id
  const statuses: unknown[] = []
  for (const author of ['did:key:z6Mx', undefined, 'did:key:z6Mk']) {
    const asker = {
      open: 0,
      answered: ({ dispatch }: Outbound) => void statuses.push(dispatch.resource?.[0]),
      ended() {},
    }
    const dispatch = {
      method: 'POST',
      resource: ['engine', 'announce'],
      timestamp: 1,
      token: [town.uuid()],
      body: { names: ['docs'] },
    }
    const nobody = { subscriptions: new Map(), triggerings: new Map(), trigger() {} }
    relay.mesh.inside.perform(dispatch, { channel, author }, asker, nobody)
  }
  assert.equal([statuses, relay.mesh.sizes.announced], [[403, 403, 200], 1])
  await town.end()
})

test('§6 a stranger has no right to it on a listener that is not loopback', async () => {
  const town = new Town()
  const rules = [{ method: ['GET'], resource: ['...'] }]
  const relay = await town.node('relay', { access: rules, services: { docs: { announced: true } } })
  const one = await town.replica('one', { announce: ['docs'], peers: [RELAY] })
  await town.pass(5000)
  assert.is(relay.mesh.sizes.announced, 0)
  assert.ok(
    one.lines.some((line) => /^warn: .*needs BIND and POST/.test(line)),
    `${one.lines}`,
  )
  await town.end()
})

test('§5 an engine that is told to drain says so everywhere, and gets nothing new; what runs is finished', async () => {
  const { town, relay, join } = await relayed()
  const one = await join('one')
  const two = await join('two')
  await town.pass(100)
  await ask(relay, 1)
  one.serve = two.serve = () => new Promise((resolve) => town.clock.after(2000, () => resolve('done')))
  const running = Array.from({ length: 20 }, () => watch(relay.ask('POST')))
  await town.pass(100)
  const drained = watch(
    relay.say({ method: 'POST', resource: ['engine', 'drain'], timestamp: 1, to: [one.at] }),
  )
  await town.pass(100)
  assert.equal([drained.value?.[0]?.body, one.saturation.draining], [{ draining: true }, true])
  two.serve = () => 'two'
  assert.equal(await ask(relay), new Set(['two']))
  await town.pass(2000)
  assert.ok(running.every(({ value }) => value?.[0]?.body === 'done'))
  await town.end()
})

test('§6 who withdraws a name and announces it again has it again', async () => {
  const { town, relay, join } = await relayed()
  const one = await join('one')
  await join('two')
  await town.pass(100)
  const say = (names: string[]) => {
    watch(
      one.say({
        method: 'POST',
        resource: ['engine', 'announce'],
        timestamp: 1,
        body: { names },
        to: [RELAY],
      }),
    )
    return town.pass(50)
  }
  await say([])
  assert.equal(await ask(relay), new Set(['two']))
  await say(['docs'])
  assert.equal(await ask(relay), new Set(['one', 'two']))
  await town.end()
})

test('§9.4 an engine that has announced itself can still ask us', async () => {
  const { town, relay, join } = await relayed()
  const one = await join('one')
  await town.pass(100)
  await ask(relay)
  relay.engine.own('luz').handle('GET', [], () => 'of the relay')
  const answer = watch(one.say({ method: 'GET', resource: ['luz'], timestamp: 1, to: [RELAY] }))
  await town.pass(400)
  assert.is(answer.value?.[0]?.body, 'of the relay')
  await town.end()
})

test('§5 `GET ["engine","services"]` tells who serves what', async () => {
  const { town, relay, join } = await relayed()
  const one: Replica = await join('one')
  await town.pass(100)
  await ask(relay, 10)
  one.report({ saturation: 0.5 })
  await town.pass(10)
  const answer = watch(relay.say({ method: 'GET', resource: ['engine', 'services'], timestamp: 1 }))
  await town.pass(10)
  const body = answer.value?.[0]?.body as unknown
  const [docs] = (body ?? []) as { name: string; replicas: Record<string, unknown>[] }[]
  const { at, given, ...rest } = docs?.replicas[0] ?? {}
  assert.match(String(at), 'the one who dialed')
  assert.equal(
    [docs?.name, rest],
    ['docs', { standing: 'good', state: 'ok', saturation: 0.5, weight: 1, open: 0, bound: 0 }],
  )
  assert.ok((given as number) >= 10)
  await town.end()
})

test.run()
