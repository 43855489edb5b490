// The gateway (spec §5, §9.4, design §9.13–14): where dispatches go, and how their answers come back.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch, Hop } from '../../src/core/dispatch.ts'
import type { DoorOptions } from '../../src/core/door.ts'
import { bodyOf, NOTHING_LEFT, OPEN, type Peer, Stage, settle } from './stage.ts'

const PI: Hop = ['pi.lan', 1, 'fake']
const OPTIONS: DoorOptions = {
  forward: { allow: [['*.lan', 1, 'fake'], 'cocina', 'nadie', 'nombre', 'mismo'] },
  hosts: { cocina: [PI], nombre: ['cocina'], mismo: [['127.0.0.1', 9, 'fake']] },
}

function gateway(options: DoorOptions = {}) {
  const stage = new Stage({ ...OPTIONS, ...options })
  const [asker, other] = stage.pipes(2) as [Peer, Peer]
  return { stage, asker, other, net: stage.net }
}

/** One asker has sent something to a host, which has it. */
async function reached(options: DoorOptions = {}, version = '0.6') {
  const all = gateway(options)
  all.net.version = version
  const id = all.asker.ask('GET', ['a'], { to: [PI], body: 1, mine: 'kept' })
  await settle(all.stage)
  return { ...all, id, host: all.net.last, sent: all.net.last.next() }
}

async function end({ stage, asker, other }: { stage: Stage; asker: Peer; other: Peer }): Promise<void> {
  asker.cut()
  other.cut()
  await stage.clock.advance(700_000)
  assert.equal(stage.left, NOTHING_LEFT)
  assert.equal([asker.channel.open, other.channel.open], [0, 0])
}

test('§4 409 goes before 506', () => {
  const { asker } = gateway()
  const told = (hop: Hop) => asker.told(asker.ask('GET', ['a'], { to: [hop] }))
  const [status, body] = told(['10.0.0.1', 1, 'pigeon'])[0] ?? []
  assert.equal([status, bodyOf({ body }).message], [409, 'unknown transport "pigeon", known are: fake'])
  assert.is(told(['10.0.0.1', 1, 'fake'])[0]?.[0], 506)
})

test('§5 forwarding is off for strangers unless the target is allowed', async () => {
  const { stage, asker, net } = gateway()
  const statuses = (hop: Hop) => asker.statuses(asker.ask('GET', ['a'], { to: [hop] }))
  for (const hop of [
    ['pi.lan', 2, 'fake'],
    ['pi.lan.evil', 1, 'fake'],
    ['lan', 1, 'fake'],
    'desconocido',
  ] as Hop[]) {
    assert.equal(statuses(hop), [506], JSON.stringify(hop))
  }
  assert.equal(statuses('nadie'), [502], '§9.14 allowed, but unknown')
  assert.equal(statuses('nombre'), [502], 'a name that leads to a name')
  await settle(stage)
  assert.equal(net.dialed, [])
  const closed = new Stage().pipe()
  assert.equal(closed.statuses(closed.ask('GET', ['a'], { to: [PI] })), [506])
})

test('§5 a program in this process may send anywhere', async () => {
  const stage = new Stage()
  const answers = stage.engine.get('jstp:GET#10.0.0.1:7//a').all()
  await settle(stage)
  const host = stage.net.last
  const [id] = host.next().token ?? []
  host.answer({ token: [id, 'x'] } as Dispatch, 200, { body: 'there' })
  host.answer({ token: [id, 'y'] } as Dispatch, 101)
  assert.equal(
    (await answers).map(({ status, body }) => [status, body]),
    [[200, 'there']],
  )
})

test('§5 the first hop is taken off, one hop is counted, nothing else is changed', async () => {
  const { sent, id, ...all } = await reached()
  assert.equal(sent, {
    protocol: ['JSTP', '0.6'],
    method: 'GET',
    resource: ['a'],
    timestamp: 1,
    body: 1,
    mine: 'kept',
    token: [id],
    hops: 1,
  } as Dispatch)
  const further = [['far.example', 5, 'pigeon'], 'cocina'] as Hop[]
  all.asker.ask('GET', ['a'], { to: [PI, ...further], hops: 4 })
  const { to, hops } = all.host.next()
  assert.equal([to, hops], [further, 5])
  await end(all)
})

test('§5 nothing is triggered here by what is sent on', async () => {
  const { stage, asker, other } = gateway()
  other.bind('*', ['...'], { observe: true })
  asker.ask('GET', ['a'], { to: [PI] })
  await settle(stage)
  assert.equal(other.heard, [])
})

test('§4 answers come back as they are, and 101 ends them', async () => {
  const { id, sent, host, ...all } = await reached()
  host.answer({ ...sent, token: [id, 'theirs'] }, 201, { body: 1, mine: 2 })
  host.answer({ ...sent, token: [id, 'others'] }, 202)
  const [first, second] = all.asker.take()
  assert.equal([first?.resource, first?.body, first?.mine], [[201, id, 'theirs'], 1, 2])
  assert.equal(second?.resource, [202, id, 'others'])
  host.answer({ ...sent, token: [id, 'end'] }, 101)
  assert.equal([all.asker.statuses(id), all.stage.left.relays], [[101], 0])
  host.answer({ ...sent, token: [id, 'late'] })
  assert.equal([host.statuses(id), all.asker.heard], [[406], []])
  await end({ ...all })
})

test('§9.13 behind a host before 0.6 the gateway ends the answers after a quiet time', async () => {
  const { id, sent, host, stage, asker, other } = await reached({}, '0.4')
  await stage.clock.advance(11_000)
  host.answer({ ...sent, token: [id, 'x'] })
  await stage.clock.advance(11_000)
  assert.equal(asker.statuses(id), [200])
  await stage.clock.advance(500)
  assert.equal([asker.statuses(id), stage.left.relays], [[101], 0])
  await end({ stage, asker, other })
})

test('§9.13 a single answer of a 0.6 host is final: no 101 is made for it', async () => {
  const { id, sent, host, stage, asker, other } = await reached()
  host.answer({ ...sent, token: [id, 'x'] }, 404)
  await stage.clock.advance(30_000)
  assert.equal([asker.statuses(id), stage.left.relays], [[404], 0])
  await end({ stage, asker, other })
})

test('§9.13 a gateway waits 1.15 times as long, then says 504 itself', async () => {
  const { id, stage, asker, other } = await reached()
  await stage.clock.advance(11_499)
  assert.equal(asker.statuses(id), [])
  await stage.clock.advance(1)
  const [status, body] = asker.told(id)[0] ?? []
  assert.equal([status, bodyOf({ body }).message], [504, 'fake:pi.lan:1 did not answer in time'])
  await end({ stage, asker, other })
})

test('§9.13 a host before 0.6 that answers nothing is 504 as well', async () => {
  const { id, host, stage, asker, other } = await reached({}, '0.4')
  host.say({ method: 'PUT', resource: ['a'] })
  await stage.clock.advance(11_500)
  assert.equal(asker.statuses(id), [504])
  await end({ stage, asker, other })
})

test('§4 502 when the host can not be reached, for all who wait', async () => {
  const { stage, asker, other, net } = gateway()
  net.down.set('pi.lan:1', 'no route')
  const [one, two] = [asker.ask('GET', ['a'], { to: [PI] }), other.ask('POST', ['b'], { to: ['cocina'] })]
  asker.say({ method: 'PUT', resource: ['c'], to: [PI] })
  await settle(stage)
  const [status, body] = asker.told(one)[0] ?? []
  assert.equal([status, bodyOf({ body }).message], [502, "fake:pi.lan:1 can't be reached: no route"])
  assert.equal([other.statuses(two), net.dialed.length, stage.counted('drop.unreachable')], [[502], 1, 1])
  assert.equal([asker.heard, stage.left.timers], [[], 0])
  await end({ stage, asker, other })
})

test('§4 502 when the host does not even answer the phone, within the answer timeout', async () => {
  const { stage, asker, other, net } = gateway()
  net.down.set('pi.lan:1', 'hang')
  const id = asker.ask('GET', ['a'], { to: [PI] })
  await stage.clock.advance(10_000)
  assert.equal(asker.statuses(id), [502])
  await end({ stage, asker, other })
})

test('§4 502 when the connection breaks, 503 when what is there does not speak JSTP', async () => {
  for (const [spoken, garbage, expected] of [
    [false, false, 502],
    [false, true, 503],
    [true, true, 502],
  ] as const) {
    const { id, host, ...all } = await reached()
    if (spoken) host.say({ method: 'PUT', resource: ['a'] })
    if (garbage) host.raw('HTTP/1.1 400 Bad Request')
    host.cut()
    assert.equal(all.asker.statuses(id), [expected])
    await end(all)
  }
})

test('§5 a virtual host name leads to where the configuration says', async () => {
  const { stage, asker, net } = gateway()
  asker.ask('GET', ['a'], { to: ['cocina', 'further'] })
  await settle(stage)
  assert.equal([net.dialed, net.last.next().to], [['pi.lan:1'], ['further']])
})

test('§9.14 our own name and our own addresses are ourselves', async () => {
  const { stage, asker, net } = gateway()
  stage.engine.listens('fake', { address: '127.0.0.1', port: 9 })
  stage.engine.own('luz').handle('GET', [], () => 'on')
  for (const hop of [
    'own',
    'mismo',
    ['127.0.0.1', 9, 'fake'],
    ['localhost', 9, 'FAKE'],
    ['::1', 9, 'fake'],
  ] as Hop[]) {
    assert.equal(asker.statuses(asker.ask('GET', ['luz'], { to: [hop] })), [200, 101], JSON.stringify(hop))
  }
  assert.equal(asker.statuses(asker.ask('GET', ['luz'], { to: Array(16).fill('own') })), [200, 101])
  for (const hop of [['127.0.0.1', 10, 'fake'], ['127.0.0.2', 9, 'fake'], 'OWN'] as Hop[]) {
    assert.equal(asker.statuses(asker.ask('GET', ['luz'], { to: [hop] })), [506], JSON.stringify(hop))
  }
  await settle(stage)
  assert.equal(net.dialed, [])
})

test('§9.14 who listens on every address is also localhost', () => {
  const { stage, asker } = gateway()
  stage.engine.listens('fake', { address: '0.0.0.0', port: 9 })
  assert.equal(asker.statuses(asker.ask('GET', ['a'], { to: [['localhost', 9, 'fake']] })), [404])
})

test('§3 BIND and RELEASE through ourselves are our own', () => {
  const { stage, asker } = gateway()
  assert.equal(asker.subscribe('BIND', '*', ['a'], { to: ['own'] }), [[200]])
  assert.is(stage.engine.sizes.subscriptions, 1)
  assert.equal(asker.subscribe('RELEASE', '*', ['a']), [[200]])
})

test('§5 connections to one target are pooled', async () => {
  const { host, net, ...all } = await reached()
  all.other.ask('GET', ['b'], { to: [PI], token: ['tx-other'] })
  all.asker.say({ method: 'PUT', resource: ['c'], to: ['cocina'] })
  await settle(all.stage)
  assert.equal([net.dialed, host.take().map(({ resource }) => resource)], [['pi.lan:1'], [['b'], ['c']]])
  all.other.ask('GET', ['b'], { to: [['tele.lan', 1, 'fake']] })
  await settle(all.stage)
  assert.equal(net.dialed, ['pi.lan:1', 'tele.lan:1'])
  await end(all)
})

test('§9.13 two askers with one transaction id get a connection each while it is open', async () => {
  const { id, sent, host, net, ...all } = await reached()
  all.other.ask('GET', ['b'], { to: [PI], token: [id] })
  await settle(all.stage)
  const second = net.last
  assert.equal(net.dialed.length, 2)
  second.answer({ ...sent, token: [id, 'x'] }, 202)
  host.answer({ ...sent, token: [id, 'x'] }, 201)
  assert.equal([all.asker.statuses(id), all.other.statuses(id)], [[201], [202]])
  for (const it of [host, second]) it.answer({ ...sent, token: [id, 'x'] }, 101)
  all.other.ask('GET', ['b'], { to: [PI], token: [id] })
  await settle(all.stage)
  assert.equal([net.dialed.length, host.take().length], [2, 1])
  await end(all)
})

test('§5 one transaction id used over and over opens no more than 16 connections', async () => {
  const { id, net, ...all } = await reached()
  for (let i = 0; i < 20; i++) all.other.ask('GET', ['b'], { to: [PI], token: [id] })
  await settle(all.stage)
  assert.equal([net.dialed.length, all.other.statuses(id)], [16, [502, 502, 502, 502, 502]])
  await end(all)
})

test('§5 no more than 1 MiB waits for one connection', async () => {
  const { stage, asker, ...all } = gateway()
  const body = 'x'.repeat(100_000)
  for (let i = 0; i < 10; i++) asker.say({ method: 'PUT', resource: [i], to: [PI], body })
  assert.is(asker.told(asker.ask('PUT', [10], { to: [PI], body }))[0]?.[0], 502)
  await settle(stage)
  await end({ stage, asker, ...all })
})

test('§5 no more than 1000 dispatches wait for one connection, none is lost in silence', async () => {
  const { stage, asker, other, net } = gateway()
  for (let i = 0; i < 999; i++) asker.say({ method: 'PUT', resource: [i], to: [PI] })
  const last = asker.ask('PUT', [999], { to: [PI] })
  asker.say({ method: 'PUT', resource: [1000], to: [PI] })
  const [status, body] = asker.told(asker.ask('PUT', [1001], { to: [PI] }))[0] ?? []
  assert.is(status, 502)
  assert.match(bodyOf({ body }).message, 'too much waits for it')
  assert.is(stage.counted('drop.unreachable'), 1)
  await settle(stage)
  const sent = net.last.take()
  assert.equal(
    sent.map(({ resource }) => resource?.[0]),
    Array.from({ length: 1000 }, (_, i) => i),
  )
  assert.equal([sent.at(-1)?.token, asker.heard], [[last], []])
  await end({ stage, asker, other })
})

test('§5 no more than 1000 hosts are connected to at a time', async () => {
  const { stage, asker, other, net } = gateway()
  const ask = (i: number) => asker.ask('GET', ['a'], { to: [[`h${i}.lan`, 1, 'fake']] })
  const ids = Array.from({ length: 1000 }, (_, i) => ask(i))
  const [status, body] = asker.told(ask(1000))[0] ?? []
  assert.equal([status, bodyOf({ body }).message], [502, 'too many connections are open'])
  asker.say({ method: 'PUT', resource: ['a'], to: [['h1000.lan', 1, 'fake']] })
  assert.is(stage.counted('drop.unreachable'), 1)
  for (let i = 0; i < 50; i++) await settle(stage)
  assert.is(net.reached.length, 1000)
  net.last.cut()
  assert.equal(asker.statuses(ids[999] as string), [502])
  ask(1000)
  await settle(stage)
  assert.is(net.dialed.at(-1), 'h1000.lan:1')
  await end({ stage, asker, other })
})

test('§4 an asker that dies leaves nothing at the gateway', async () => {
  const { id, sent, host, ...all } = await reached()
  all.asker.cut()
  host.answer({ ...sent, token: [id, 'x'] })
  host.answer({ ...sent, token: [id, 'x'] }, 101)
  assert.equal([all.stage.left.relays, host.heard], [0, []])
  await end(all)
})

test('§5 a connection that nobody needs is closed after five minutes, not before its answers', async () => {
  const { id, sent, host, ...all } = await reached()
  for (let i = 0; i < 40; i++) {
    await all.stage.clock.advance(10_000)
    host.answer({ ...sent, token: [id, 'x'] })
  }
  assert.equal([all.asker.statuses(id).length, host.closed], [40, undefined])
  host.answer({ ...sent, token: [id, 'x'] }, 101)
  await all.stage.clock.advance(600_000)
  assert.is(host.closed?.reason, 'no longer needed')
  await end(all)
})

test('§5 a host that has bound something here keeps its connection', async () => {
  const { host, ...all } = await reached({ access: OPEN })
  host.bind('*', ['luz'])
  await all.stage.clock.advance(900_000)
  all.asker.say({ method: 'PUT', resource: ['luz'] })
  assert.equal([host.closed, host.heard.length], [undefined, 1])
  host.subscribe('RELEASE', '*', ['luz'])
  await end(all)
})

test('a connection that the channel limit closes at once is 502, and the next try is a new one', async () => {
  const { stage, asker, other, net } = gateway({ limits: { channels: 2 } })
  const id = asker.ask('GET', ['a'], { to: [PI] })
  await settle(stage)
  assert.equal([asker.statuses(id), stage.left.relays, net.last.closed?.code], [[502], 0, 1013])
  other.cut()
  asker.ask('GET', ['a'], { to: [PI] })
  await settle(stage)
  assert.is(net.last.closed, undefined)
  await end({ stage, asker, other })
})

test('what was answered 502 is never sent after that', async () => {
  const { stage, asker, other, net } = gateway()
  asker.say({ method: 'BIND', endpoint: { method: '*', resource: ['a'] }, to: [PI] })
  await settle(stage)
  net.last.cut()
  const dial = net.dial.bind(net)
  net.dial = async (...args) => {
    const channel = await dial(...args)
    channel.end('broken as soon as it was there')
    return channel
  }
  const id = other.ask('POST', ['a'], { to: [PI] })
  await settle(stage)
  assert.equal(other.statuses(id), [502])
  net.dial = dial
  await stage.clock.advance(60_000)
  assert.equal(
    net.last.take().map(({ method }) => method),
    ['BIND'],
  )
  assert.equal(other.heard, [])
  await end({ stage, asker, other })
})

test.run()
