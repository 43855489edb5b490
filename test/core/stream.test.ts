// What a program reads with `for await`: answers and reports, bounded, and nothing left when it stops reading.

import { getEventListeners } from 'node:events'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Dispatch } from '../../src/core/dispatch.ts'
import { Outbound } from '../../src/core/outbound.ts'
import { AnswerStream, Stream } from '../../src/core/stream.ts'
import { NOTHING_LEFT, Stage, settle, watched } from './stage.ts'

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

function answers(deadline?: number, signal?: AbortSignal, remote = false) {
  const clock = new TestClock()
  const stream = new AnswerStream(clock, deadline, signal, remote)
  const answer = (status: number, version?: string, final = false) => {
    const protocol = version ? { protocol: ['JSTP', version] } : undefined
    const dispatch: Dispatch = { ...protocol, method: 'ANSWER', resource: [status, 'tx', 'x'], timestamp: 1 }
    stream.answered(new Outbound(dispatch, clock, false), final)
  }
  return { clock, stream, answer }
}

async function statuses(stream: AnswerStream): Promise<number[]> {
  return (await collect(stream)).map(({ status }) => status)
}

test('what came before it is read is kept, in its order, and the end comes after it', async () => {
  const stream = new Stream<number>()
  for (const item of [1, 2, 3]) stream.push(item)
  stream.end()
  stream.push(4)
  assert.equal(await collect(stream), [1, 2, 3])
  assert.equal(await stream.next(), { value: undefined, done: true })
})

test('readers that wait are served in their order, and all are told of the end', async () => {
  const stream = new Stream<number>()
  const reads = [stream.next(), stream.next(), stream.next(), stream.next()]
  stream.push(1)
  stream.push(2)
  stream.end()
  assert.equal(
    (await Promise.all(reads)).map(({ value, done }) => [value, done]),
    [
      [1, false],
      [2, false],
      [undefined, true],
      [undefined, true],
    ],
  )
})

test('an error is thrown once, after what came before it', async () => {
  const stream = new Stream<number>()
  stream.push(1)
  stream.end(new Error('broken'))
  assert.is((await stream.next()).value, 1)
  await stream.next().then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, 'broken'),
  )
  assert.ok((await stream.next()).done)
})

test('of several readers that wait the first one gets the error, the others the end', async () => {
  const stream = new Stream<number>()
  const reads = [stream.next(), stream.next(), stream.next()]
  stream.end(new Error('broken'))
  stream.end(new Error('later'))
  assert.equal(
    (await Promise.allSettled(reads)).map((read) =>
      read.status === 'rejected' ? read.reason.message : read.value.done,
    ),
    ['broken', true, true],
  )
})

test('nobody reads: the oldest are lost, and counted', async () => {
  const stream = new Stream<number>()
  for (let i = 0; i < 1005; i++) stream.push(i)
  stream.end()
  const items = await collect(stream)
  assert.equal([items.length, items[0], stream.lost], [1000, 5, 5])
})

test('who breaks out of the loop stops it, once', async () => {
  let stops = 0
  const stream = new Stream<number>(() => void stops++)
  stream.push(1)
  stream.push(2)
  for await (const _ of stream) break
  assert.is(stops, 1)
  stream.push(3)
  assert.equal(await collect(stream), [2])
})

test('answers end with the final one, or when all have answered', async () => {
  const one = answers()
  one.answer(404, undefined, true)
  one.answer(200)
  assert.equal(await statuses(one.stream), [404])
  const two = answers()
  two.answer(200)
  two.answer(500)
  two.stream.ended()
  assert.equal([await statuses(two.stream), two.clock.pending], [[200, 500], 0])
})

test('answers end at their deadline', async () => {
  const { clock, stream, answer } = answers(100)
  answer(200)
  await clock.advance(99)
  answer(201)
  await clock.advance(1)
  answer(202)
  assert.equal([await statuses(stream), clock.pending], [[200, 201], 0])
})

test('an abort throws its reason, and leaves no timer and no listener', async () => {
  const abort = new AbortController()
  const { clock, stream, answer } = answers(100, abort.signal)
  answer(200)
  const items: number[] = []
  const reading = (async () => {
    for await (const { status } of stream) items.push(status)
  })()
  await clock.advance(1)
  abort.abort(new Error('enough'))
  await reading.then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, 'enough'),
  )
  assert.equal([items, clock.pending], [[200], 0])
  const early = answers(100, abort.signal)
  await early.stream.next().then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, 'enough'),
  )
  assert.is(early.clock.pending, 0)
})

test('however answers end, no timer and no listener is left', async () => {
  for (const [how, end] of [
    ['final', ({ answer }) => answer(404, undefined, true)],
    ['all have answered', ({ stream }) => stream.ended()],
    ['return', ({ stream }) => stream.return()],
    ['deadline', ({ clock }) => clock.advance(100)],
    ['final while it lingers', ({ answer }) => [answer(200, '0.4'), answer(404, undefined, true)]],
    [
      'linger',
      ({ clock, answer }) => {
        answer(200, '0.4')
        return clock.advance(300)
      },
    ],
  ] as [string, (made: ReturnType<typeof answers>) => unknown][]) {
    const abort = new AbortController()
    const made = answers(how === 'linger' ? undefined : 100, abort.signal, true)
    assert.is(getEventListeners(abort.signal, 'abort').length, 1)
    await end(made)
    const left = [made.clock.pending, getEventListeners(abort.signal, 'abort').length]
    assert.equal([left, made.stream.over], [[0, 0], true], how)
    abort.abort()
    for await (const _ of made.stream); // and an abort that comes after is not thrown
  }
})

test('first() is the first answer, and reads no more; without any it is a 504', async () => {
  const { stream, answer, clock } = answers(100)
  answer(202)
  answer(203)
  assert.is((await stream.first()).status, 202)
  assert.is(clock.pending, 0)
  const none = answers(100)
  const first = none.stream.first()
  await none.clock.advance(100)
  await first.then(
    () => assert.unreachable(),
    (error) => assert.is(error.status, 504),
  )
})

test('§9.19 answers of a host before 0.6 end when nothing has come for 300 ms', async () => {
  const { stream, answer, clock } = answers(undefined, undefined, true)
  answer(200, '0.4')
  await clock.advance(299)
  answer(201, '0.4')
  await clock.advance(299)
  answer(202, '0.4')
  await clock.advance(300)
  answer(203, '0.4')
  assert.equal(await statuses(stream), [200, 201, 202])
})

test('an answer that comes after the end sets no timer', async () => {
  const { stream, answer, clock } = answers(100, undefined, true)
  await clock.advance(100)
  answer(200, '0.4')
  answer(404, '0.6')
  assert.equal([await statuses(stream), clock.pending], [[], 0])
})

test('§9.13 a host of 0.6 may end its answers with a single refusal', async () => {
  const { stream, answer, clock } = answers(undefined, undefined, true)
  answer(404, '0.6')
  await clock.advance(300)
  assert.equal([await statuses(stream), clock.pending], [[404], 0])
  const more = answers(undefined, undefined, true)
  more.answer(200, '0.6')
  await more.clock.advance(60_000)
  more.answer(201, '0.6')
  more.stream.ended()
  assert.equal(await statuses(more.stream), [200, 201])
})

test('a refusal by one of those who are triggered here does not end the answers of the others', async () => {
  const stage = new Stage()
  const { engine, clock } = stage
  await engine.bind(['a'], () => Promise.reject(Object.assign(new Error('no'))))
  await engine.bind(
    ['a'],
    ({ answer }) =>
      new Promise((resolve) =>
        clock.after(5000, () => {
          answer(201)
          resolve()
        }),
      ),
  )
  const peer = stage.pipe({ version: '0.4' })
  peer.say({ method: 'BIND', endpoint: { method: '*', resource: ['a'] } })
  const reading = statuses(engine.get(['a']))
  peer.answer(peer.next(), 404)
  await clock.advance(5000)
  assert.equal(await reading, [404, 500, 201])
})

test('reports are read until the signal aborts or the loop breaks, then they are released', async () => {
  const stage = new Stage()
  const { engine, clock } = stage
  const owner = engine.own('luz')
  const abort = new AbortController()
  const reading = collect(engine.reports('luz/*', { signal: abort.signal }))
  const { signal, listeners } = watched()
  const broken = (async () => {
    for await (const { body } of engine.reports(['luz', '...'], { signal })) if (body === 2) break
  })()
  await clock.advance(0)
  assert.is(engine.sizes.subscriptions, 2)
  for (const value of [1, 2]) owner.report(['on'], value)
  await broken
  assert.equal([engine.sizes.subscriptions, listeners.size], [1, 0])
  abort.abort()
  assert.equal(
    (await reading).map(({ body }) => body),
    [1, 2],
  )
  await settle(stage)
  owner.close()
  assert.equal(stage.left, NOTHING_LEFT)
})

test('reports are an observer: who asks is told 404, and BINDs of others are not reports', async () => {
  const stage = new Stage()
  const asker = stage.pipe()
  const abort = new AbortController()
  const reading = collect(stage.engine.reports('*#...', { signal: abort.signal }))
  await settle(stage)
  asker.bind('GET', ['b'])
  assert.equal(asker.statuses(asker.ask('GET', ['a'])), [404])
  abort.abort()
  assert.equal(
    (await reading).map(({ resource }) => resource),
    [['a']],
  )
})

test('reports with a signal that has aborted bind nothing', async () => {
  const { engine } = new Stage()
  assert.equal(await collect(engine.reports('a', { signal: AbortSignal.abort() })), [])
  assert.is(engine.sizes.subscriptions, 0)
})

test('reports that are refused throw why', async () => {
  const { engine } = new Stage({ mode: 'strict' })
  await collect(engine.reports(['...', '...'])).then(
    () => assert.unreachable(),
    (error) => assert.is(error.status, 400),
  )
  await collect(engine.reports('%zz')).then(
    () => assert.unreachable(),
    (error) => assert.is(error.status, 400),
  )
})

test.run()
