// Who answers, who is told, and that nothing is left of it (spec §4, §9.1–3).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch } from '../../src/core/dispatch.ts'
import { bodyOf, NOTHING_LEFT, type Peer, Stage, tokenOf } from './stage.ts'

function trio() {
  const stage = new Stage()
  const [asker, one, two] = stage.pipes(3) as [Peer, Peer, Peer]
  one.bind('GET', ['a', '...'])
  two.bind('*', ['...'])
  return { stage, asker, one, two }
}

/** Everybody goes, and time passes: no entry is left in any table. */
async function end(stage: Stage, ...peers: Peer[]): Promise<void> {
  for (const peer of peers) peer.cut()
  await stage.clock.advance(15_000)
  assert.equal(stage.left, NOTHING_LEFT)
}

test('§4 all who were triggered answer, then comes 101', async () => {
  const { stage, asker, one, two } = trio()
  const id = asker.ask('GET', ['a', 1], { body: { since: 5 } })
  const triggered = [one.next(), two.next()] as const
  const tokens = triggered.map(tokenOf)
  assert.equal(
    tokens.map(([transaction]) => transaction),
    [id, id],
  )
  assert.is.not(tokens[0]?.[1], tokens[1]?.[1])
  assert.equal(triggered[0].body, { since: 5 })
  two.answer(triggered[1], 201, { body: 2, mine: 'kept' })
  const answer = asker.next()
  assert.equal([answer.resource, answer.body, answer.mine], [[201, ...(tokens[1] as string[])], 2, 'kept'])
  assert.is(stage.engine.sizes.transactions, 1)
  one.answer(triggered[0])
  assert.equal(asker.statuses(id), [200, 101])
  assert.equal([stage.left.transactions, stage.clock.pending], [0, 0])
  await end(stage, asker, one, two)
})

test('§4 nobody is triggered: 404 with the resource in its message, and no 101', () => {
  const stage = new Stage()
  const asker = stage.pipe()
  const id = asker.ask('GET', ['nowhere', 7])
  const { resource, body, ...rest } = asker.next()
  assert.equal(resource?.slice(0, 2), [404, id])
  assert.match(bodyOf({ body }).message, '["nowhere",7]')
  assert.equal(rest, { protocol: ['JSTP', '0.6'], method: 'ANSWER', timestamp: stage.clock.wall() } as never)
  assert.equal([asker.heard.length, stage.clock.pending], [0, 0])
})

test('§3 without a transaction id nobody is told anything', () => {
  const { stage, asker, one } = trio()
  for (const token of [undefined, []]) asker.say({ method: 'GET', resource: ['nowhere'], token })
  asker.say({ method: 'GET', resource: ['a'] })
  asker.say({ method: 'RELEASE', endpoint: { method: 'X', resource: ['not bound'] } })
  asker.say({ method: 'GET', resource: [] })
  assert.equal([asker.heard.length, one.next().token, stage.left.transactions], [0, undefined, 0])
})

test('§4 who does not answer in time is answered for with 504, and may then no longer', async () => {
  const { stage, asker, one, two } = trio()
  const id = asker.ask('GET', ['a'])
  const late = one.next()
  two.answer(two.next())
  await stage.clock.advance(9_999)
  assert.equal(asker.statuses(id), [200])
  await stage.clock.advance(1)
  const [timeout, last] = asker.take()
  assert.equal(timeout?.resource, [504, id, tokenOf(late)[1]])
  assert.equal([timeout?.body, last?.resource?.[0]], [{ message: 'no answer in time', code: 'timeout' }, 101])
  one.answer(late)
  assert.equal([one.statuses(id), asker.heard.length, stage.counted('answer.unknown')], [[406], 0, 1])
  await end(stage, asker, one, two)
})

test('§4 the time is configurable, and runs for each dispatch by itself', async () => {
  const stage = new Stage({ answerTimeout: 100 })
  const [asker, one] = stage.pipes(2) as [Peer, Peer]
  one.bind('*', ['a'])
  const first = asker.ask('GET', ['a'])
  await stage.clock.advance(60)
  const second = asker.ask('GET', ['a'])
  await stage.clock.advance(40)
  assert.equal([asker.statuses(first), asker.statuses(second)], [[504, 101], []])
  await stage.clock.advance(60)
  assert.equal(asker.statuses(second), [504, 101])
  await end(stage, asker, one)
})

test('§9.1 a second ANSWER gets [406, its transaction id, a fresh id]; the asker hears nothing of it', async () => {
  const { stage, asker, one, two } = trio()
  const id = asker.ask('GET', ['a'])
  const dispatch = one.next()
  one.answer(dispatch, 200)
  one.answer(dispatch, 500)
  const refusal = one.next()
  assert.equal(refusal.resource?.slice(0, 2), [406, id])
  assert.ok(refusal.resource?.[2] && refusal.resource[2] !== dispatch.token?.[1])
  assert.equal(asker.statuses(id), [200])
  await end(stage, asker, one, two)
})

test('§9.1 a 406 or a 101 is never answered', () => {
  const { one } = trio()
  for (const status of [406, 101]) one.say({ method: 'ANSWER', resource: [status, 'unknown', 'unknown'] })
  assert.equal(one.heard, [])
})

test('§9.1 only the channel that was triggered may answer', async () => {
  const { stage, asker, one, two } = trio()
  const id = asker.ask('GET', ['a'])
  const dispatch = one.next()
  two.answer(dispatch, 200, { body: 'forged' })
  assert.equal([two.statuses(id), asker.told(id)], [[406], []])
  one.answer({ ...dispatch, token: ['another', tokenOf(dispatch)[1]] })
  assert.equal([one.statuses('another'), asker.told(id)], [[406], []])
  one.answer(dispatch, 200, { body: 'true' })
  assert.equal(asker.told(id), [[200, 'true']])
  await end(stage, asker, one, two)
})

test('§9.1 two askers may have the same transaction id', async () => {
  const { stage, asker, one, two } = trio()
  const other = stage.pipe()
  asker.ask('GET', ['a'], { token: ['same'], body: 1 })
  other.ask('GET', ['a'], { token: ['same'], body: 2 })
  const [first, second] = one.take()
  two.cut()
  asker.take()
  other.take()
  one.answer(second as Dispatch, 202)
  one.answer(first as Dispatch, 201)
  assert.equal(
    [asker.statuses('same'), other.statuses('same')],
    [
      [201, 101],
      [202, 101],
    ],
  )
  await end(stage, asker, other, one)
})

test('§4 a triggering id in what a peer asks means nothing here: all answers come, and 101', async () => {
  const { stage, asker, one, two } = trio()
  const id = asker.ask('GET', ['a'], { token: ['tx', 'its-triggering'] })
  one.answer(one.next())
  two.answer(two.next())
  assert.equal(asker.statuses(id), [200, 200, 101])
  await end(stage, asker, one, two)
})

test('§9.3 the two-element form is read in quirks mode, never sent on', async () => {
  const { stage, asker, one, two } = trio()
  const id = asker.ask('GET', ['a'])
  const { token } = one.next()
  one.say({ method: 'ANSWER', resource: [id, 203] })
  assert.equal(asker.next().resource, [203, ...(token as string[])])
  one.say({ method: 'ANSWER', resource: [id, 203] })
  assert.equal(one.statuses(id), [406])
  await end(stage, asker, one, two)
  const strict = new Stage({ mode: 'strict' }).pipe()
  strict.say({ method: 'ANSWER', resource: ['tx', 200], token: ['t'] })
  assert.equal(strict.statuses('t'), [400])
})

test('§9.2 a subscriber that dies counts as answered with 502, at once', async () => {
  const { stage, asker, one, two } = trio()
  const id = asker.ask('GET', ['a'])
  one.cut()
  assert.equal(asker.statuses(id), [502])
  two.cut()
  assert.equal(asker.statuses(id), [502, 101])
  assert.equal(stage.engine.sizes.transactions, 0)
  await end(stage, asker)
})

test('§4 an asker that dies half-way leaves nothing', async () => {
  const { stage, asker, one, two } = trio()
  asker.ask('GET', ['a'])
  asker.cut()
  one.answer(one.next())
  assert.is(one.heard.length, 0, 'it answered in time')
  await end(stage, one, two)
})

test('§9.2 no 101 after the answer to BIND or RELEASE', () => {
  const peer = new Stage().pipe()
  assert.equal(peer.subscribe('BIND', '*', ['a']), [[200]])
  assert.equal(peer.subscribe('BIND', '*', ['a']), [[200]], 'twice is once')
  assert.equal(peer.subscribe('RELEASE', '*', ['a']), [[200]])
  assert.equal(peer.subscribe('RELEASE', '*', ['a']), [[406]])
  assert.equal(peer.heard, [])
})

test('§3 binding the same endpoint twice is one subscription', () => {
  const stage = new Stage()
  const [asker, peer] = stage.pipes(2) as [Peer, Peer]
  peer.bind('get', ['a', 8])
  peer.bind('GET', ['a', '8'])
  asker.say({ method: 'GET', resource: ['a', 8] })
  assert.equal([peer.heard.length, stage.engine.sizes.subscriptions], [1, 1])
})

test('§3 two different subscriptions of one channel that match are triggered both', () => {
  const { asker, one } = trio()
  one.bind('*', ['a'])
  asker.ask('GET', ['a'])
  const [first, second] = one.take()
  assert.is.not(first?.token?.[1], second?.token?.[1])
})

test('§9.2 watchers of BIND and RELEASE are told, without a token, and never waited for', async () => {
  const stage = new Stage()
  const [watcher, peer] = stage.pipes(2) as [Peer, Peer]
  watcher.bind('BIND', ['clima', '*'])
  watcher.bind('RELEASE', ['clima', '*'])
  const endpoint = { method: 'PUT', resource: ['clima', ':x'] }
  assert.equal(peer.subscribe('BIND', 'PUT', ['clima', ':x']), [[200]])
  assert.equal(peer.subscribe('RELEASE', 'PUT', ['clima', ':x']), [[200]])
  assert.equal(peer.subscribe('RELEASE', 'PUT', ['clima', ':x']), [[406]])
  const told = watcher.take()
  assert.equal(
    told.map(({ method }) => method),
    ['BIND', 'RELEASE'],
  )
  for (const it of told) assert.equal([it.endpoint, it.token, it.resource], [endpoint, undefined, undefined])
  peer.bind('PUT', ['clima', ':x'])
  peer.cut()
  assert.equal(
    watcher.take().map(({ method }) => method),
    ['BIND', 'RELEASE'],
    'a channel that closes',
  )
  watcher.bind('GET', ['clima', 'own'])
  assert.equal(watcher.heard, [], 'never of its own')
  await end(stage, watcher)
})

test('§9.6 a `*` subscription never sees answers to others', () => {
  const { asker, one, two } = trio()
  two.bind('ANSWER', ['*', '*', '*'])
  asker.ask('GET', ['a'])
  two.take()
  one.answer(one.next())
  assert.equal(two.heard, [])
})

test('§3 a triggered dispatch never goes back to the channel that it came from', () => {
  const { stage, one, two } = trio()
  two.cut()
  assert.equal(one.statuses(one.ask('GET', ['a'])), [404])
  assert.is(stage.engine.sizes.transactions, 0)
})

test('§9.2 an observer is triggered without a token, and never counted', async () => {
  const stage = new Stage()
  const [asker, observer, one] = stage.pipes(3) as [Peer, Peer, Peer]
  observer.bind('*', ['...'], { observe: true })
  assert.equal(asker.statuses(asker.ask('GET', ['a'])), [404])
  one.bind('GET', ['a'])
  const id = asker.ask('GET', ['a'])
  one.answer(one.next())
  assert.equal(asker.statuses(id), [200, 101])
  const seen = observer.take().filter(({ method }) => method === 'GET')
  assert.equal(
    seen.map(({ token }) => token),
    [undefined, undefined],
  )
  observer.bind('*', ['...'])
  asker.ask('GET', ['b'])
  assert.is(observer.next().token?.length, 2, 'binding again without it changes that')
  await end(stage, asker, observer, one)
})

test('§4 to a 0.4 peer no 101 goes, and the ANSWER has what it reads', async () => {
  const { stage, asker, one, two } = trio()
  two.cut()
  const old = stage.pipe({ version: '0.4' })
  const id = old.ask('GET', ['a'])
  const { token } = one.next()
  one.answer({ token } as Dispatch, 200, { body: 1 })
  const [answer, ...more] = old.take()
  assert.equal([answer?.resource, answer?.token, answer?.body, more], [[200, id, token?.[1]], [], 1, []])
  await end(stage, asker, old, one)
})

test('§4 a channel that is closed by what triggers it is 502 at once, and triggered no more', async () => {
  const stage = new Stage({ limits: { outbound: 10 } })
  const [asker, slow] = stage.pipes(2) as [Peer, Peer]
  slow.bind('*', ['a'])
  slow.bind('GET', ['a'])
  slow.bind('GET', ['*'])
  slow.jam()
  asker.say({ method: 'GET', resource: ['jams it'] })
  const id = asker.ask('GET', ['a'])
  assert.is(slow.closed?.code, 1008)
  assert.equal(asker.statuses(id), [502, 502, 101])
  assert.is(stage.engine.sizes.transactions, 0)
  await end(stage, asker)
})

test.run()
