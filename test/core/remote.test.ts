// Subscriptions through a host (spec §3, §5, design §9.4): who is triggered by it, who may release, how they come back.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Hop } from '../../src/core/dispatch.ts'
import { NOTHING_LEFT, OPEN, type Peer, Stage, settle } from './stage.ts'

const PI: Hop = ['pi.lan', 1, 'fake']
const ENDPOINT = { method: '*', resource: ['luz', '...'] }

function gateway() {
  const stage = new Stage({ access: OPEN, forward: { allow: [PI] }, limits: { subscriptions: 5 } })
  const [asker, other] = stage.pipes(2) as [Peer, Peer]
  return { stage, asker, other, net: stage.net }
}

/** The asker has bound `luz/...` at the host. */
async function bound() {
  const all = gateway()
  all.asker.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI], token: ['bind'] })
  await settle(all.stage)
  const host = all.net.last
  confirm(host)
  assert.equal(all.asker.statuses('bind'), [200])
  return { ...all, host }
}

/** The host answers what has come. */
function confirm(host: Peer, status = 200): void {
  for (const { token } of host.take()) {
    if (token?.[0]) host.say({ method: 'ANSWER', resource: [status, token[0], 'x'] })
  }
}

async function end({ stage, asker, other }: { stage: Stage; asker: Peer; other: Peer }): Promise<void> {
  asker.cut()
  other.cut()
  await stage.clock.advance(700_000)
  assert.equal(stage.left, NOTHING_LEFT)
}

test('§3 a subscription through a host is triggered only by what that host sends', async () => {
  const { host, ...all } = await bound()
  all.other.say({ method: 'PUT', resource: ['luz'], body: 'not from there' })
  all.stage.engine.send('PUT', ['luz'], { body: 'not from there' })
  host.say({ method: 'PUT', resource: ['luz', 1], body: 'from there' })
  host.say({ method: 'PUT', resource: ['agua', 1] })
  const [report, ...more] = all.asker.take()
  assert.equal([report?.body, more, all.stage.engine.sizes.subscriptions], ['from there', [], 0])
  await end(all)
})

test('§9.4 what a host reports never reaches our own handlers and subscribers, not even after a RELEASE', async () => {
  const { host, ...all } = await bound()
  let seen = 0
  all.stage.engine.own('luz').handle('PUT', ['...'], () => void seen++)
  all.other.bind('*', ['...'], { observe: true })
  for (let turn = 0; turn < 2; turn++) {
    host.say({ method: 'PUT', resource: ['luz', 1], body: 5 })
    host.say({ method: 'PUT', resource: ['otra'], body: 5 })
    host.say({ method: 'PUT', resource: ['luz', 1], token: ['tx', 'triggering'] })
    assert.equal([seen, all.other.heard.length], [0, 0])
    all.asker.say({ method: 'RELEASE', endpoint: ENDPOINT, to: [PI] })
  }
  await end(all)
})

test('§9.4 the same holds when the connection was there before the BIND', async () => {
  const { stage, asker, other, net } = gateway()
  let seen = 0
  stage.engine.own('luz').handle('PUT', ['...'], () => void seen++)
  asker.say({ method: 'GET', resource: ['a'], to: [PI] })
  await settle(stage)
  net.last.say({ method: 'PUT', resource: ['luz'] })
  assert.is(seen, 1, 'nothing is bound: it is for us')
  asker.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI] })
  net.last.say({ method: 'PUT', resource: ['luz'] })
  assert.equal([seen, asker.take().length], [1, 1])
  await end({ stage, asker, other })
})

test('§9.2 an observer through a host is never waited for', async () => {
  const { host, stage, asker, other } = await bound()
  other.say({ method: 'BIND', endpoint: { method: 'GET', resource: ['luz'] }, to: [PI], observe: true })
  assert.is(host.next().observe, true)
  host.say({ method: 'GET', resource: ['luz'], token: ['question', 'its-triggering'] })
  assert.is(other.next().token, undefined)
  asker.cut()
  assert.equal(host.statuses('question'), [502])
  host.say({ method: 'GET', resource: ['luz'], token: ['question', 'another'] })
  assert.equal([host.statuses('question'), other.take().length], [[404], 1])
  await end({ stage, asker, other })
})

test('§9.2 an observer does not make an observer of another who has bound the same through a host', async () => {
  const { host, stage, asker, other, net } = await bound()
  other.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI], observe: true })
  assert.is(host.next().observe, undefined, 'to the host we are one subscriber')
  host.say({ method: 'GET', resource: ['luz'], token: ['question', 'its-triggering'] })
  assert.equal([asker.next().token?.length, other.next().token], [2, undefined])
  host.cut()
  await stage.clock.advance(5000)
  assert.equal(
    net.last.take().map(({ observe }) => observe),
    [undefined, undefined],
  )
  asker.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI], observe: true })
  assert.is(net.last.next().observe, true, 'now all of them observe')
  await end({ stage, asker, other })
})

test('§9.4 what a host asks us, with a transaction id of its own, is for us', async () => {
  const { host, ...all } = await bound()
  all.stage.engine.own('luz').handle('GET', [], () => 'ours')
  assert.equal(host.told(host.ask('GET', ['luz'])), [[200, 'ours'], [101]])
  assert.equal(all.asker.heard, [])
  await end(all)
})

test('§4 a dispatch that the host wants answered is triggered with a new triggering id, and answered there', async () => {
  const { host, asker, ...all } = await bound()
  host.say({ method: 'GET', resource: ['luz'], token: ['question', 'its-triggering'] })
  const triggered = asker.next()
  assert.is(triggered.token?.[0], 'question')
  assert.is.not(triggered.token?.[1], 'its-triggering')
  asker.answer(triggered, 200, { body: 'on', mine: 1 })
  const [answer, ...more] = host.take()
  assert.equal([answer?.resource, answer?.body], [[200, 'question', 'its-triggering'], 'on'])
  assert.equal([answer?.mine, answer?.hops, more], [1, 1, []], 'one answer, and no 101')
  await end({ asker, ...all })
})

test('§4 of several who have bound the same at a host the first answers; late is 504, nobody 404', async () => {
  const { host, asker, other, stage } = await bound()
  const ask = (id: string) => host.say({ method: 'GET', resource: ['luz'], token: [id, `its-${id}`] })
  const told = () => host.take().map(({ resource }) => resource)
  other.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI] })
  host.take()
  ask('one')
  const [first, second] = [asker.next(), other.next()]
  other.answer(second, 201)
  asker.answer(first, 202)
  assert.equal([told(), asker.heard], [[[201, 'one', 'its-one']], []])
  ask('two')
  assert.is(host.channel.open, 1, 'it counts as a transaction of the host')
  await stage.clock.advance(10_000)
  assert.equal([told(), stage.left.transactions], [[[504, 'two', 'its-two']], 0])
  host.say({ method: 'GET', resource: ['agua'], token: ['three', 'its-three'] })
  assert.equal(told(), [[404, 'three', 'its-three']])
  assert.is(host.channel.open, 0)
  await end({ stage, asker, other })
})

test('§5 a host is told of a RELEASE when the last one here has released', async () => {
  const { host, asker, other, stage, net } = await bound()
  other.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI], token: ['bind'] })
  confirm(host)
  assert.equal([other.statuses('bind'), net.dialed.length], [[200], 1])
  host.say({ method: 'PUT', resource: ['luz'] })
  assert.equal([asker.take().length, other.take().length], [1, 1])
  assert.equal(asker.subscribe('RELEASE', '*', ['luz', '...'], { to: [PI] }), [[200]])
  assert.equal(host.heard, [])
  host.say({ method: 'PUT', resource: ['luz'] })
  assert.equal([asker.heard.length, other.take().length], [0, 1])
  other.say({ method: 'RELEASE', endpoint: ENDPOINT, to: [PI], token: ['release'] })
  assert.equal([host.heard.length, other.heard.length], [1, 0])
  confirm(host)
  assert.equal(other.statuses('release'), [200])
  await end({ stage, asker, other })
})

test('§5 nobody can release what another has bound', async () => {
  const { host, asker, other, stage } = await bound()
  assert.equal(other.subscribe('RELEASE', '*', ['luz', '...'], { to: [PI] }), [[406]])
  assert.equal(other.subscribe('RELEASE', '*', ['luz'], { to: [PI] }), [[406]])
  assert.equal(asker.subscribe('RELEASE', '*', ['luz', '...']), [[406]], 'it is not bound here')
  assert.equal(host.heard, [])
  host.say({ method: 'PUT', resource: ['luz'] })
  assert.equal(asker.take().length, 1)
  await end({ stage, asker, other })
})

test('§5 a RELEASE of nothing opens no connection', async () => {
  const { stage, asker, other, net } = gateway()
  assert.equal(asker.subscribe('RELEASE', '*', ['luz'], { to: [PI] }), [[406]])
  await settle(stage)
  assert.equal([net.dialed, stage.left.timers], [[], 0])
  await end({ stage, asker, other })
})

test('§3 when the last subscriber is gone the host is told', async () => {
  const { host, asker, other, stage } = await bound()
  asker.cut()
  const { method, endpoint, token, to } = host.next()
  assert.equal([method, endpoint, token, to], ['RELEASE', ENDPOINT, undefined, undefined])
  await end({ stage, asker, other })
})

test('§5 the RELEASE goes all the way that the BIND has gone', async () => {
  const { stage, asker, other, net } = gateway()
  asker.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI, 'cocina'] })
  asker.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI, 'sala'] })
  await settle(stage)
  const host = net.last
  assert.equal(
    host.take().map(({ to }) => to),
    [['cocina'], ['sala']],
  )
  asker.say({ method: 'RELEASE', endpoint: ENDPOINT, to: [PI, 'sala'] })
  assert.equal(
    host.take().map(({ method, to }) => [method, to]),
    [['RELEASE', ['sala']]],
  )
  asker.cut()
  assert.equal(
    host.take().map(({ method, to }) => [method, to]),
    [['RELEASE', ['cocina']]],
  )
  await end({ stage, asker, other })
})

test('§9.4 a BIND that the host refuses is not bound', async () => {
  const { stage, asker, other, net } = gateway()
  for (const status of [400, 401]) {
    asker.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI], token: ['bind'] })
    await settle(stage)
    confirm(net.last, status)
    assert.equal([asker.statuses('bind'), asker.channel.subscriptions.size], [[status], 0])
  }
  net.last.cut()
  await stage.clock.advance(60_000)
  assert.is(net.dialed.length, 1)
  await end({ stage, asker, other })
})

test('§9.4 a BIND to a host that can not be reached is 502, and not bound', async () => {
  const { stage, asker, other, net } = gateway()
  net.down.set('pi.lan:1', 'no route')
  asker.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI], token: ['bind'] })
  await stage.clock.advance(60_000)
  assert.equal([asker.statuses('bind'), asker.channel.subscriptions.size, net.dialed.length], [[502], 0, 1])
  await end({ stage, asker, other })
})

test('§8 a host before 0.6 never confirms a BIND: 200 with confirmed: false, and it is bound', async () => {
  const { stage, asker, other, net } = gateway()
  net.version = '0.4'
  asker.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI], token: ['bind'] })
  await settle(stage)
  net.last.say({ method: 'PUT', resource: ['luz'] })
  await stage.clock.advance(11_500)
  assert.equal(asker.told('bind'), [[200, { confirmed: false }]])
  net.last.say({ method: 'PUT', resource: ['luz'] })
  assert.equal(asker.take().length, 2)
  await end({ stage, asker, other })
})

test('§9.4 a BIND that a 0.6 host does not answer is 504, and bound all the same', async () => {
  const { stage, asker, other, net } = gateway()
  asker.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI], token: ['bind'] })
  await stage.clock.advance(11_500)
  assert.equal(asker.statuses('bind'), [504])
  net.last.say({ method: 'PUT', resource: ['luz'] })
  assert.equal(asker.take().length, 1)
  await end({ stage, asker, other })
})

test('§9.4 a BIND of which the host says 504, because one behind it did not answer in time, is bound', async () => {
  const { stage, asker, other, net } = gateway()
  asker.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI, 'far'], token: ['bind'] })
  await settle(stage)
  confirm(net.last, 504)
  net.last.say({ method: 'PUT', resource: ['luz'] })
  assert.equal([asker.statuses('bind'), asker.take().length], [[504], 1])
  asker.cut()
  assert.is(net.last.next().method, 'RELEASE')
  await end({ stage, asker, other })
})

test('§3 a connection that drops comes back with backoff and binds all that is still active', async () => {
  const { host, stage, asker, other, net } = await bound()
  other.say({ method: 'BIND', endpoint: { method: 'GET', resource: ['agua'] }, to: [PI] })
  asker.say({ method: 'BIND', endpoint: { method: 'GET', resource: ['gas'] }, to: [PI] })
  asker.say({ method: 'RELEASE', endpoint: { method: 'GET', resource: ['gas'] }, to: [PI] })
  net.down.set('pi.lan:1', 'starting')
  host.cut()
  const tries: number[] = []
  for (let second = 0; second < 120; second++) {
    const before = net.dialed.length
    await stage.clock.advance(1000)
    if (net.dialed.length > before) tries.push(second)
  }
  const pauses = tries.slice(1).map((second, i) => second - (tries[i] as number))
  assert.ok(tries.length >= 7 && tries.length <= 12, `tries at ${tries}`)
  assert.ok(pauses.every((pause) => pause <= 37) && (pauses.at(-1) as number) >= 23, `pauses ${pauses}`)
  net.down.clear()
  await stage.clock.advance(40_000)
  const again = net.last
  assert.equal(
    again.take().map(({ method, endpoint, token }) => [method, endpoint?.resource, token]),
    [
      ['BIND', ['luz', '...'], undefined],
      ['BIND', ['agua'], undefined],
    ],
  )
  again.say({ method: 'PUT', resource: ['luz'] })
  assert.equal(asker.take().length, 1)
  again.cut()
  await stage.clock.advance(600)
  assert.is.not(net.last, again, 'the pauses begin anew')
  await end({ stage, asker, other })
})

test('§3 what is to be sent is a reason to try at once', async () => {
  const { host, stage, asker, other, net } = await bound()
  host.cut()
  assert.is(net.dialed.length, 1)
  other.ask('GET', ['a'], { to: [PI] })
  await settle(stage)
  assert.equal([net.dialed.length, net.last.take().map(({ method }) => method)], [2, ['BIND', 'GET']])
  await stage.clock.advance(5000)
  assert.is(net.dialed.length, 2)
  await end({ stage, asker, other })
})

test('§3 a RELEASE while the host is away is done at once, and nothing tries to connect any more', async () => {
  const { host, stage, asker, other, net } = await bound()
  net.down.set('pi.lan:1', 'gone')
  host.cut()
  assert.equal(asker.subscribe('RELEASE', '*', ['luz', '...'], { to: [PI] }), [[200]])
  await stage.clock.advance(60_000)
  assert.equal([net.dialed.length, stage.left.timers], [1, 0])
  await end({ stage, asker, other })
})

test('§3 who leaves while the connection is made is released there', async () => {
  const { stage, asker, other, net } = gateway()
  asker.say({ method: 'BIND', endpoint: ENDPOINT, to: [PI] })
  asker.cut()
  await settle(stage)
  assert.equal(
    net.last.take().map(({ method }) => method),
    ['BIND', 'RELEASE'],
  )
  await end({ stage, asker, other })
})

test('§5 a BIND made beside an open transaction id can be released', async () => {
  const { host, stage, asker, other, net } = await bound()
  other.ask('GET', ['a'], { to: [PI], token: ['same'] })
  asker.say({ method: 'BIND', endpoint: { method: '*', resource: ['agua'] }, to: [PI], token: ['same'] })
  await settle(stage)
  const second = net.last
  assert.is.not(second, host)
  second.say({ method: 'ANSWER', resource: [200, 'same', 'x'] })
  second.take()
  asker.say({ method: 'RELEASE', endpoint: { method: '*', resource: ['agua'] }, to: [PI], token: ['other'] })
  assert.is(second.next().method, 'RELEASE')
  await end({ stage, asker, other })
})

test('§5 a RELEASE with a transaction id that is open there is 200 at once, and the host is told', async () => {
  const { host, stage, asker, other } = await bound()
  other.ask('GET', ['a'], { to: [PI], token: ['same'] })
  host.take()
  asker.say({ method: 'RELEASE', endpoint: ENDPOINT, to: [PI], token: ['same'] })
  const { method, token } = host.next()
  assert.equal([method, token, asker.statuses('same')], ['RELEASE', undefined, [200]])
  host.say({ method: 'ANSWER', resource: [200, 'same', 'x'] })
  assert.equal([other.statuses('same'), asker.heard], [[200], []])
  await end({ stage, asker, other })
})

test('§2 the limit of subscriptions holds for those through hosts, too', async () => {
  const { stage, asker, other } = gateway()
  const statuses = Array.from({ length: 7 }, (_, i) => {
    asker.say({ method: 'BIND', endpoint: { method: '*', resource: [i] }, to: [PI], token: [`${i}`] })
    return asker.statuses(`${i}`)
  })
  assert.equal(statuses, [[], [], [], [], [], [400], [400]])
  assert.is(asker.channel.subscriptions.size, 5)
  await end({ stage, asker, other })
})

test('an illegal endpoint for a host is 400 and opens no connection', async () => {
  const stage = new Stage({ mode: 'strict', forward: { allow: [PI] } })
  const asker = stage.pipe()
  const hop = { to: [PI] }
  assert.equal(asker.subscribe('BIND', '*', ['...', '...'], hop)[0]?.[0], 400)
  assert.equal(asker.subscribe('RELEASE', '*', [':'], hop)[0]?.[0], 400)
  await settle(stage)
  assert.equal([stage.net.dialed, stage.left.timers, asker.channel.subscriptions.size], [[], 0, 0])
})

test.run()
