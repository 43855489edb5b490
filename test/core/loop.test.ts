// Engines that send to each other (spec §3, design §9.12): nothing goes round for ever.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Element, Hop } from '../../src/core/dispatch.ts'
import { memoryHub } from '../../src/transports/memory.ts'
import { NOTHING_LEFT, OPEN, type Peer, Stage } from './stage.ts'

/** Engines called `e0`, `e1`… that all may forward to each other, on one clock and one network. */
async function engines(count: number) {
  const clock = new TestClock()
  const hub = memoryHub()
  const places = Array.from({ length: count }, (_, i): Hop => [`e${i}`, 1, 'memory'])
  const stages = places.map(
    (_, i) =>
      new Stage(
        { name: `e${i}`, access: OPEN, forward: { allow: places }, transports: [hub.transport()] },
        clock,
      ),
  )
  for (const [i, { engine }] of stages.entries()) await engine.listen('memory', { address: `e${i}`, port: 1 })
  return { clock, stages, places, hub }
}

/** Lets everything run that is ready, however many engines it passes. */
async function settle(clock: TestClock): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await clock.advance(0)
}

async function end(clock: TestClock, stages: Stage[], peers: Peer[]): Promise<void> {
  for (const peer of peers) peer.cut()
  await clock.advance(700_000)
  for (const stage of stages) assert.equal(stage.left, NOTHING_LEFT)
}

const say = (peer: Peer, resource: Element[], hops?: number) =>
  peer.say({ method: 'PUT', resource, token: undefined, hops })

test('§9.12 what has passed more than 16 engines is dropped and counted', () => {
  const stage = new Stage()
  const [asker, watcher] = stage.pipes(2) as [Peer, Peer]
  watcher.bind('*', ['...'])
  say(asker, ['a'], 16)
  assert.is(watcher.next().hops, 17)
  say(asker, ['a'], 17)
  assert.equal(asker.statuses(asker.ask('GET', ['a'], { hops: 17 })), [])
  assert.equal([watcher.heard, stage.counted('drop.hops')], [[], 2])
})

test('§9.12 a dispatch from a program starts at no hops, from a channel at one', () => {
  const stage = new Stage()
  const [asker, watcher] = stage.pipes(2) as [Peer, Peer]
  watcher.bind('*', ['...'])
  stage.engine.send('PUT', ['a'])
  say(asker, ['a'])
  assert.equal(
    watcher.take().map(({ hops }) => hops),
    [undefined, 1],
  )
})

test('§5 an answer comes back through a row of engines', async () => {
  const { clock, stages, places } = await engines(4)
  const asker = (stages[0] as Stage).pipe()
  ;(stages[3] as Stage).engine.own('luz').handle('GET', [], () => 'on')
  const id = asker.ask('GET', ['luz'], { to: places.slice(1) })
  await settle(clock)
  assert.equal(asker.told(id), [[200, 'on'], [101]])
  await end(clock, stages, [asker])
})

test('§5 what is bound through a row of engines answers whoever asks at the last one', async () => {
  const { clock, stages } = await engines(3)
  const asker = (stages[2] as Stage).pipe()
  const { engine } = stages[0] as Stage
  const bindings = [
    engine.bind('e1:1:memory,e2:1:memory//luz/:name', ({ params }) => ({ ...params })),
    engine.bind('e2:1:memory//agua', () => 'cold'),
  ]
  await settle(clock)
  const ids = [asker.ask('GET', ['luz', 'sala']), asker.ask('GET', ['agua'])]
  await settle(clock)
  assert.equal(
    ids.map((id) => asker.told(id)),
    [
      [[200, { name: 'sala' }], [101]],
      [[200, 'cold'], [101]],
    ],
  )
  assert.equal(
    stages.map((stage) => stage.counted('answer.unknown')),
    [0, 0, 0],
  )
  for (const binding of bindings) (await binding).release()
  await end(clock, stages, [asker])
})

test('§5 two engines may send a dispatch to and fro as often as it says, no more', async () => {
  const { clock, stages, places } = await engines(2)
  const asker = (stages[0] as Stage).pipe()
  const to = Array.from({ length: 16 }, (_, i) => places[(i + 1) % 2] as Hop)
  const id = asker.ask('GET', ['nowhere'], { to })
  await settle(clock)
  assert.equal(asker.statuses(id), [404])
  const over = asker.ask('GET', ['nowhere'], { to, hops: 1 })
  await clock.advance(30_000)
  assert.equal(asker.statuses(over), [504])
  await end(clock, stages, [asker])
})

test('§5 a report comes through a row of engines, once', async () => {
  const { clock, stages, places } = await engines(3)
  const asker = (stages[0] as Stage).pipe()
  asker.say({
    method: 'BIND',
    endpoint: { method: 'PUT', resource: ['luz', '*'] },
    to: places.slice(1),
    token: ['bind'],
  })
  await settle(clock)
  assert.equal(asker.statuses('bind'), [200])
  const owner = (stages[2] as Stage).engine.own('luz')
  owner.report(['on'], true)
  await settle(clock)
  const [report, ...more] = asker.take()
  assert.equal([report?.body, report?.hops, more], [true, 2, []])
  asker.cut()
  await settle(clock)
  assert.not(owner.watched(['on']), 'the RELEASE went all the way')
  await end(clock, stages, [])
})

test('§3 engines that subscribe to each other do not circulate a dispatch', async () => {
  const { clock, stages, places, hub } = await engines(2)
  const [one, two] = stages as [Stage, Stage]
  const peers = [one.pipe(), one.pipe(), two.pipe()]
  const [asker, watcher, other] = peers as [Peer, Peer, Peer]
  const round = [1, 0, 1, 0].map((i) => places[i] as Hop)
  const endpoint = { method: '*', resource: ['...'] }
  watcher.say({ method: 'BIND', endpoint, to: round })
  other.say({ method: 'BIND', endpoint, to: [places[0] as Hop] })
  other.say({ method: 'BIND', endpoint, to: round.slice(1) })
  await settle(clock)
  say(asker, ['a'])
  await clock.advance(1000)
  const seen = watcher.take().length
  assert.ok(seen >= 1 && seen < 1000, `${seen} times`)
  assert.equal([other.take().length < 1000, clock.pending, hub.pairs.length], [true, 0, 2])
  say(asker, ['a'])
  await clock.advance(1000)
  assert.is(watcher.take().length, seen, 'nothing was still under way')
  await end(clock, stages, peers)
})

test.run()
