// The seam for who chooses among several hosts of one name: what the engine hands over, and what it tells of failures.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Asker, Failure } from '../../src/core/answers.ts'
import type { Balancer, BalancerInside } from '../../src/core/balancer.ts'
import type { Channel } from '../../src/core/channel.ts'
import type { Dispatch, Hop } from '../../src/core/dispatch.ts'
import type { Subscriber, Subscription } from '../../src/core/subscription.ts'
import { bodyOf, NOTHING_LEFT, OPEN, type Peer, Stage, settle } from './stage.ts'

const PI: Hop = ['pi.lan', 1, 'fake']

class Chooser implements Balancer {
  inside!: BalancerInside
  readonly sent: [name: string, dispatch: Dispatch, asker: Asker, by: Subscriber][] = []
  readonly lost: Subscription[] = []
  readonly channels: Channel[] = []
  closed = false

  attach(inside: BalancerInside): void {
    this.inside = inside
  }

  serves(name: string): boolean {
    return name === 'docs'
  }

  send(...it: [string, Dispatch, Asker, Subscriber]): void {
    this.sent.push(it)
  }

  released(subscription: Subscription): void {
    this.lost.push(subscription)
  }

  gone(channel: Channel): void {
    this.channels.push(channel)
  }

  close(): void {
    this.closed = true
  }
}

function staged(allow: Hop[] = ['docs']) {
  const balancer = new Chooser()
  const stage = new Stage({ access: OPEN, forward: { allow }, balancer, hosts: { docs: [PI], otro: [PI] } })
  return { stage, balancer, peer: stage.pipe() }
}

/** An asker that could ask another host. */
function asking() {
  const told: (Failure | [number, boolean])[] = []
  const asker: Asker = {
    open: 0,
    answered: ({ dispatch }, final) => told.push([dispatch.resource?.[0] as number, final]),
    ended: () => told.push([101, true]),
    failed: (code) => told.push(code),
  }
  return { told, asker }
}

function following() {
  const seen: unknown[] = []
  const subscriber: Subscriber = {
    subscriptions: new Map(),
    triggerings: new Map(),
    trigger: ({ dispatch }) => seen.push(dispatch.body),
    lost: () => seen.push('lost'),
  }
  return { seen, subscriber }
}

test('§5 a name that it serves is handed over without its hop, one hop further', () => {
  const { stage, balancer, peer } = staged()
  peer.say({ method: 'GET', resource: ['a'], to: ['docs', PI], token: ['x'] })
  peer.say({ method: 'GET', resource: ['a'], to: ['docs'], hops: 2, from: 'me' })
  stage.engine.send('GET', 'docs//a')
  const [first, second, own] = balancer.sent.map(([name, { to, hops, from }]) => [name, to, hops, from])
  assert.equal(first, ['docs', [PI], 1, undefined])
  assert.equal(second, ['docs', undefined, 3, 'me'])
  assert.equal(own, ['docs', undefined, undefined, undefined])
  assert.is(balancer.sent[0]?.[3], peer.channel)
})

test('§9.14 a stranger needs forward.allow for the name; other names go their own way', async () => {
  const { stage, balancer, peer } = staged([PI])
  const id = peer.ask('GET', ['a'], { to: ['docs'] })
  assert.equal(peer.statuses(id), [506])
  stage.engine.send('GET', 'otro//a')
  await settle(stage)
  assert.equal([balancer.sent.length, stage.net.dialed], [0, ['pi.lan:1']])
  peer.cut()
  await stage.clock.advance(400_000)
  assert.equal(stage.left, NOTHING_LEFT)
})

test('§5 the name of this engine is never handed over', () => {
  const balancer = new Chooser()
  const stage = new Stage({ name: 'docs', access: OPEN, balancer })
  const peer = stage.pipe()
  const id = peer.ask('GET', ['a'], { to: ['docs'] })
  assert.equal([peer.statuses(id), balancer.sent], [[404], []])
})

test('§5 a subscription of a subscriber that is gone, a channel that has ended, the end of the engine: it is told', async () => {
  const { stage, balancer, peer } = staged()
  const pattern = { method: '*', steps: [], named: false, id: 'mine' }
  const { table } = { table: { remove() {}, add() {} } as unknown as Subscription['table'] }
  const endpoint = { method: '*', resource: ['a'] }
  const subscription = {
    endpoint,
    pattern,
    subscriber: peer.channel,
    observe: false,
    table,
    via: 'service:docs',
  }
  peer.channel.subscriptions.set('service:docs mine', subscription)
  peer.cut()
  assert.equal([balancer.lost[0] === subscription, balancer.channels], [true, [peer.channel]])
  await stage.engine.close()
  assert.is(balancer.closed, true)
})

test('§5 who can ask elsewhere is told whether anything has got to the host', async () => {
  const { stage, balancer, peer } = staged()
  peer.cut()
  const { told, asker } = asking()
  const say = (id: string) =>
    balancer.inside.dispatch(
      { method: 'GET', resource: ['a'], timestamp: 1, to: [PI], token: [id] },
      asker,
      following().subscriber,
    )
  stage.net.down.set('pi.lan:1', 'no route')
  say('one')
  await settle(stage)
  assert.equal(told.splice(0), ['unreachable'])
  stage.net.down.clear()
  say('two')
  await settle(stage)
  stage.net.last.cut()
  assert.equal(told.splice(0), ['lost'])
  say('three')
  await settle(stage)
  stage.net.last.say({ method: 'ANSWER', resource: [502, 'three', 'x'], body: { code: 'lost' } })
  stage.net.last.say({ method: 'ANSWER', resource: [101, 'three', 'x'] })
  assert.equal(told, [
    [502, false],
    [101, true],
  ])
  assert.is(asker.open, 0)
  await stage.clock.advance(400_000)
  assert.equal(stage.left, NOTHING_LEFT)
})

test('§5 who can not is answered 502, with the same word as code', async () => {
  const { stage } = staged()
  const ask = async () => {
    const answers = stage.engine.get('jstp:GET#pi.lan:1:fake//a').all()
    await settle(stage)
    return answers
  }
  stage.net.down.set('pi.lan:1', 'no route')
  const [first] = await ask()
  assert.equal([first?.status, bodyOf(first).code], [502, 'unreachable'])
  stage.net.down.clear()
  const answers = stage.engine.get('jstp:GET#pi.lan:1:fake//a').all()
  await settle(stage)
  stage.net.last.cut()
  const [second] = await answers
  assert.equal([second?.status, bodyOf(second).code], [502, 'lost'])
})

test('§5 who wants to know that a connection is lost is not bound again by the engine', async () => {
  const { stage, balancer, peer } = staged()
  peer.cut()
  const { asker, told } = asking()
  const { subscriber, seen } = following()
  const endpoint = { method: '*', resource: ['luz'] }
  balancer.inside.dispatch(
    { method: 'BIND', endpoint, timestamp: 1, to: [PI], token: ['b'] },
    asker,
    subscriber,
  )
  await settle(stage)
  const host = stage.net.last
  host.say({ method: 'ANSWER', resource: [200, 'b', 'x'] })
  host.say({ method: 'PUT', resource: ['luz'], body: 1 })
  host.cut()
  assert.equal([told, seen, subscriber.subscriptions.size], [[[200, true]], [1, 'lost'], 0])
  await stage.clock.advance(60_000)
  assert.is(stage.net.reached.length, 1, 'nobody needs the host')
  balancer.inside.dispatch(
    { method: 'BIND', endpoint, timestamp: 1, to: [PI], token: ['c'] },
    asker,
    subscriber,
  )
  await settle(stage)
  stage.net.last.cut()
  assert.equal(
    [told.at(-1), seen],
    ['lost', [1, 'lost']],
    'a BIND that was under way has failed: that is all',
  )
  await stage.clock.advance(400_000)
  assert.equal(stage.left, NOTHING_LEFT)
})

test('§5 one that has connected to us is asked and bound over its own connection', async () => {
  const { stage, balancer, peer } = staged()
  const { asker, told } = asking()
  const { subscriber, seen } = following()
  const { inside } = balancer
  assert.is(inside.channel(peer.channel.id), peer.channel)
  assert.is(inside.channel('c99'), undefined)
  inside.through(
    peer.channel,
    { method: 'GET', resource: ['a'], timestamp: 1, token: ['q'] },
    asker,
    subscriber,
  )
  const question = peer.next()
  assert.equal([question.resource, question.token, question.to], [['a'], ['q'], undefined])
  peer.say({ method: 'ANSWER', resource: [200, 'q', 'x'] })
  peer.say({ method: 'ANSWER', resource: [101, 'q', 'x'] })
  const endpoint = { method: '*', resource: ['luz'] }
  inside.through(peer.channel, { method: 'BIND', endpoint, timestamp: 1, token: ['b'] }, asker, subscriber)
  peer.say({ method: 'ANSWER', resource: [200, 'b', 'x'] })
  peer.say({ method: 'PUT', resource: ['luz'], body: 1 })
  assert.equal(
    [told, seen],
    [
      [
        [200, false],
        [101, true],
        [200, true],
      ],
      [1],
    ],
  )
  inside.through(
    peer.channel,
    { method: 'GET', resource: ['a'], timestamp: 1, token: ['r'] },
    asker,
    subscriber,
  )
  await stage.clock.advance(1000)
  peer.cut()
  assert.equal([told.at(-1), seen.at(-1)], ['lost', 'lost'])
  inside.through(
    peer.channel,
    { method: 'GET', resource: ['a'], timestamp: 1, token: ['s'] },
    asker,
    subscriber,
  )
  assert.is(told.at(-1), 'unreachable')
  await stage.clock.advance(1000)
  assert.equal([stage.left, stage.net.dialed, asker.open], [NOTHING_LEFT, [], 0], 'nobody was dialed')
})

test('§5 a connection that was made to us is not closed when we need it no longer', async () => {
  const { stage, balancer, peer } = staged()
  const { asker } = asking()
  balancer.inside.through(
    peer.channel,
    { method: 'GET', resource: ['a'], timestamp: 1 },
    asker,
    following().subscriber,
  )
  await stage.clock.advance(1_000_000)
  assert.is(peer.closed, undefined)
  const own = peer.ask('GET', ['nothing'])
  assert.equal(peer.statuses(own), [404], 'it can still ask us')
  peer.cut()
  assert.equal(stage.left, NOTHING_LEFT)
})

test('§9.13 over a connection to us one transaction id can be open once: the second asker is told so', () => {
  const { balancer, peer } = staged()
  const say = () => {
    const { asker, told } = asking()
    const { subscriber } = following()
    balancer.inside.through(
      peer.channel,
      { method: 'GET', resource: ['a'], timestamp: 1, token: ['q'] },
      asker,
      subscriber,
    )
    return told
  }
  assert.equal([say(), say()], [[], ['unreachable']])
})

test('§5 an engine that ends says that it takes no new work', async () => {
  const { stage } = staged()
  const peer: Peer = stage.pipe()
  stage.engine.own('slow').handle('GET', [], () => new Promise(() => {}))
  peer.ask('GET', ['slow'])
  const closing = stage.engine.close(500)
  await settle(stage)
  const id = peer.ask('POST', ['slow'])
  assert.equal(peer.told(id), [[502, { message: 'this engine is stopping', code: 'draining' }]])
  await stage.clock.advance(1000)
  await closing
})

test.run()
