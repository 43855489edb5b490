// Dispatches that live for a while only (design §2, §9.12).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Hop } from '../../src/core/dispatch.ts'
import { bodyOf, NOTHING_LEFT, type Peer, Stage, settle } from './stage.ts'

const PI: Hop = ['pi', 1, 'fake']

function stageWith() {
  const stage = new Stage({ forward: { allow: [PI] } })
  const [asker, one] = stage.pipes(2) as [Peer, Peer]
  one.bind('*', ['a'])
  return { stage, asker, one }
}

async function end(stage: Stage, ...peers: Peer[]): Promise<void> {
  for (const peer of peers) peer.cut()
  await stage.clock.advance(700_000)
  assert.equal(stage.left, NOTHING_LEFT)
}

function isExpired(told: [number, unknown?][]): boolean {
  const [status, body] = told[0] ?? []
  return status === 504 && bodyOf({ body: body as never }).expired === true
}

test('what has no life left is answered 504 with `expired`, and triggers nothing', async () => {
  const { stage, asker, one } = stageWith()
  let seen = 0
  stage.engine.own('luz').handle('POST', [], () => void seen++)
  for (const resource of ['a', 'luz', 'nowhere']) {
    assert.ok(isExpired(asker.told(asker.ask('POST', [resource], { expires: 0 }))), resource)
    asker.say({ method: 'POST', resource: [resource], expires: 0 })
  }
  assert.equal([one.heard, asker.heard, seen], [[], [], 0])
  await end(stage, asker, one)
})

test('what is handed on at once has all its life', async () => {
  const { stage, asker, one } = stageWith()
  asker.say({ method: 'POST', resource: ['a'], expires: 500 })
  assert.is(one.next().expires, 500)
  stage.engine.send('POST', ['a'], { expires: 7 })
  assert.is(one.next().expires, 7)
  await end(stage, asker, one)
})

test('the time that it waits for a slow reader is taken off', async () => {
  const { stage, asker, one } = stageWith()
  await stage.clock.advance(5000)
  one.jam()
  for (const expires of [1000, 1000, 300]) asker.say({ method: 'POST', resource: ['a'], expires })
  const id = asker.ask('POST', ['a'], { expires: 200 })
  await stage.clock.advance(400)
  one.take()
  one.drain()
  assert.equal(
    one.take().map(({ expires }) => expires),
    [600],
  )
  const told = asker.told(id)
  assert.ok(isExpired(told))
  assert.equal([told.length, told[1]?.[0], stage.counted('drop.expired')], [2, 101, 2])
  await end(stage, asker, one)
})

test('the time that it waits for a connection is taken off', async () => {
  const { stage, asker, one } = stageWith()
  const dial = stage.net.dial.bind(stage.net)
  stage.net.dial = async (...args) => {
    await new Promise<void>((resolve) => stage.clock.after(300, resolve))
    return dial(...args)
  }
  const late = asker.ask('POST', ['a'], { to: [PI], expires: 250 })
  const early = asker.ask('POST', ['a'], { to: [PI], expires: 1000 })
  await stage.clock.advance(300)
  await settle(stage)
  assert.equal(
    stage.net.last.take().map(({ token, expires }) => [token?.[0], expires]),
    [[early, 700]],
  )
  const told = asker.told(late)
  assert.ok(isExpired(told))
  assert.is(told.length, 1)
  await end(stage, asker, one)
})

test('a program that asks with `expires` is told, and its answers end', async () => {
  const { stage, asker, one } = stageWith()
  one.jam()
  asker.say({ method: 'POST', resource: ['a'] })
  const answers = stage.engine.post(['a'], { expires: 100 }).all()
  await stage.clock.advance(200)
  one.drain()
  assert.equal(
    (await answers).map(({ status }) => status),
    [504],
  )
  await end(stage, asker, one)
})

test('a program whose host says 504 expired is told, and its answers end', async () => {
  const { stage, asker, one } = stageWith()
  const answers = stage.engine.post('jstp:POST#pi:1//a', { expires: 100 }).all()
  await settle(stage)
  const [id] = stage.net.last.next().token ?? []
  stage.net.last.say({ method: 'ANSWER', resource: [504, id as string, 'x'], body: { expired: true } })
  await stage.clock.advance(30_000)
  assert.equal(
    (await answers).map(({ status }) => status),
    [504],
  )
  await end(stage, asker, one)
})

test.run()
