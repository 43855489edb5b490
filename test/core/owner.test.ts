// Owned roots (design §9.1–3): nobody can forge a report, a command is never taken for a value.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import { bodyOf, NOTHING_LEFT, type Peer, Stage } from './stage.ts'

function owned() {
  const stage = new Stage({ name: 'cocina' })
  const [asker, watcher] = stage.pipes(2) as [Peer, Peer]
  const owner = stage.engine.own('cafetera')
  watcher.bind('*', ['...'])
  watcher.bind('PUT', ['cafetera', ':point'])
  return { stage, asker, watcher, owner }
}

test('§9.1 subscribers see nothing of commands to an owned root, the owner does', async () => {
  const { stage, asker, watcher, owner } = owned()
  const taken: Json[] = []
  owner.handle('PUT', ['power'], ({ dispatch, channel }) => {
    taken.push(dispatch.body ?? null, channel === asker.channel.id)
    return 'done'
  })
  assert.equal(asker.told(asker.ask('PUT', ['cafetera', 'power'], { body: 'on' })), [[200, 'done'], [101]])
  assert.equal([taken, watcher.heard], [['on', true], []])
  asker.cut()
  watcher.cut()
  await stage.clock.advance(15_000)
  assert.equal(stage.left, NOTHING_LEFT)
})

test('§9.1 what the owner has no handler for is 404, whoever is bound', () => {
  const { asker, watcher, owner } = owned()
  owner.handle('PUT', ['power'], () => 'done')
  for (const [method, ...resource] of [
    ['GET', 'cafetera', 'power'],
    ['PUT', 'cafetera', 'power', 'more'],
    ['PUT', 'cafetera'],
    ['BREW', 'cafetera', 'power'],
  ] as string[][]) {
    assert.equal(asker.statuses(asker.ask(method as string, resource)), [404], `${method} ${resource}`)
  }
  assert.equal(watcher.heard, [])
})

test('§9.1 nobody can forge a report, with a transaction id or without', () => {
  const { stage, asker, watcher } = owned()
  const forged = {
    method: 'PUT',
    resource: ['cafetera', 'power'],
    from: ['cocina', 'cafetera'],
    body: 'forged',
  }
  asker.say(forged)
  asker.say({ ...forged, token: ['tx'] })
  asker.say({ ...forged, to: ['cocina'] })
  asker.say({ ...forged, event: true })
  asker.say({ ...forged, method: '*' })
  stage.engine.send('PUT', ['cafetera', 'power'], { body: 'forged' })
  assert.equal(watcher.heard, [])
})

test('§9.1 a root of digits is owned however it is written', () => {
  const { stage, asker, watcher } = owned()
  stage.engine.own('7').handle('PUT', [8], () => 'done')
  watcher.bind('*', [7, '...'])
  for (const root of [7, '7']) {
    assert.equal(asker.told(asker.ask('PUT', [root, '8'], { body: 'forged' })), [[200, 'done'], [101]])
  }
  assert.equal(watcher.heard, [])
})

test('§9.1 a command that is refused never looks like a new value', () => {
  const { asker, watcher, owner } = owned()
  owner.handle('PUT', ['power'], ({ answer }) => answer(400, { message: 'no water' }))
  assert.equal(asker.told(asker.ask('PUT', ['cafetera', 'power'], { body: 'on' })), [
    [400, { message: 'no water' }],
    [101],
  ])
  assert.equal(watcher.heard, [])
})

test('§9.3 a report is a PUT from the engine and the device, with no token, to all who are bound', () => {
  const { watcher, owner, stage } = owned()
  owner.handle('PUT', ['power'], () => assert.unreachable('its own report'))
  owner.report(['power'], 'on')
  owner.report(['alarm', 7], { value: 1, seq: 2 }, { event: true })
  const [first, second, third] = watcher.take()
  assert.equal(first, {
    protocol: ['JSTP', '0.6'],
    method: 'PUT',
    resource: ['cafetera', 'power'],
    timestamp: stage.clock.wall(),
    from: ['cocina', 'cafetera'],
    body: 'on',
  } as never)
  assert.equal(
    [second?.resource, third?.resource, third?.event],
    [first?.resource, ['cafetera', 'alarm', 7], true],
  )
})

test('§9.5 the owner knows whether a report would reach anybody', () => {
  const { owner, watcher, asker } = owned()
  assert.ok(owner.watched(['power']))
  watcher.cut()
  assert.not(owner.watched(['power']))
  owner.report(['power'], 'to nobody')
  asker.bind('GET', ['cafetera', 'power'])
  assert.not(owner.watched(['power']))
  asker.bind('put', ['cafetera', '...'])
  assert.ok(owner.watched(['power']))
})

test('§9.3 with a reader that is slow the newest report of a point wins, and no event is lost', () => {
  const { watcher, owner, stage, asker } = owned()
  watcher.jam()
  asker.say({ method: 'POST', resource: ['jams it'] })
  for (let value = 0; value < 5; value++) {
    owner.report(['power'], value)
    owner.report(['alarm'], value, { event: true })
  }
  assert.is(stage.engine.channels()[1]?.queued, 1 + 2 * 5)
  watcher.drain()
  const heard = watcher.take().slice(1)
  const of = (point: string) =>
    heard.filter(({ resource }) => resource?.[1] === point).map(({ body }) => body)
  assert.equal([of('power'), of('alarm')], [[4], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]])
})

test('names in a handler and what they took', () => {
  const { owner, asker } = owned()
  owner.handle('GET', ['recipe', ':name', '...'], ({ params }) => ({ ...params }))
  const [, body] = asker.told(asker.ask('GET', ['cafetera', 'recipe', 'latte', 1]))[0] ?? []
  assert.equal(body, { name: 'latte' })
})

test('§9.1 one handler answers, the one that names the point', () => {
  const { owner, asker } = owned()
  owner.handle('GET', [':any'], () => 'any')
  owner.handle('GET', ['...'], () => 'all')
  owner.handle('GET', ['state'], () => 'state')
  assert.equal(asker.told(asker.ask('GET', ['cafetera', 'state'])), [[200, 'state'], [101]])
})

test('a root has one owner, who can give it back; what was open is 502', () => {
  const { stage, asker, owner } = owned()
  assert.throws(() => stage.engine.own('cafetera'), /has an owner already/)
  owner.handle('GET', [], () => new Promise(() => {}))
  const id = asker.ask('GET', ['cafetera'])
  owner.close()
  assert.equal(asker.statuses(id), [502, 101])
  const [status, body] = asker.told(asker.ask('GET', ['cafetera']))[0] ?? []
  assert.ok(status !== 404 || bodyOf({ body }).message, 'now it is open to all')
  stage.engine.own('cafetera').handle('GET', [], () => 'new')
  assert.equal(asker.told(asker.ask('GET', ['cafetera'])), [[200, 'new'], [101]])
})

test.run()
