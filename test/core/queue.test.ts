// A channel that does not read (design §2, §9.3): what waits is bounded, what may go goes, what may not closes it.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { Outbound } from '../../src/core/outbound.ts'
import { Queue } from '../../src/core/queue.ts'
import type { Frame } from '../../src/core/transport.ts'
import { type Peer, Stage } from './stage.ts'

const REPORT = { method: 'PUT', from: ['far', 'luz'] }

/** A watcher that has stopped to read; the next dispatch is the first that waits. */
function jammed(outbound = 1_000_000) {
  const stage = new Stage({ limits: { outbound } })
  const [emitter, watcher] = stage.pipes(2) as [Peer, Peer]
  watcher.bind('*', ['...'])
  watcher.jam()
  emitter.say({ method: 'POST', resource: ['jams it'] })
  watcher.take()
  const report = (point: Json, body: Json, more = {}) =>
    emitter.say({ ...REPORT, resource: ['luz', point as string], body, ...more })
  const drain = () => {
    watcher.drain()
    return watcher.take().map(({ resource, body }) => [resource?.[1] ?? null, body ?? null])
  }
  const queued = () => stage.engine.channels().find(({ id }) => id === watcher.channel.id)?.queued
  return { stage, emitter, watcher, report, drain, queued }
}

test('what waits is sent in its order when the reader reads again', () => {
  const { emitter, drain, queued, watcher } = jammed()
  for (let i = 0; i < 5; i++) emitter.say({ method: 'POST', resource: ['a', i] })
  assert.equal([queued(), watcher.heard], [5, []])
  assert.equal(drain(), [
    [0, null],
    [1, null],
    [2, null],
    [3, null],
    [4, null],
  ])
  emitter.say({ method: 'POST', resource: ['a', 5] })
  assert.is(watcher.heard.length, 1)
})

test('a reader that fills up again while it reads gets no more than it takes', () => {
  const { emitter, watcher, queued } = jammed()
  for (let i = 0; i < 3; i++) emitter.say({ method: 'POST', resource: ['a', i] })
  watcher.channel.drained()
  assert.equal([watcher.take().length, queued()], [1, 2])
})

test('what is sent while the queue is emptied stays behind what has waited', async () => {
  const { stage, emitter, drain } = jammed()
  emitter.ask('POST', ['a', 'expires'], { expires: 10 })
  emitter.say({ method: 'POST', resource: ['a', 'waits'] })
  await stage.clock.advance(10)
  const write = emitter.write.bind(emitter)
  emitter.write = (frame) => {
    emitter.say({ method: 'POST', resource: ['a', 'comes'] })
    return write(frame)
  }
  assert.equal(
    drain().map(([point]) => point),
    ['waits', 'comes', 'comes'],
  )
})

test('§9.3 the newest report of a resource takes the place of an older one', () => {
  const { report, emitter, drain, stage } = jammed()
  report('x', 1)
  report('y', 1)
  emitter.say({ method: 'POST', resource: ['a', 'between'] })
  report('x', 2)
  report('x', 3)
  assert.equal(drain(), [
    ['x', 3],
    ['y', 1],
    ['between', null],
  ])
  assert.is(stage.counted('drop.report'), 2)
})

test('§9.3 a report that takes the place of another needs no more room', () => {
  const { report, emitter, stage, drain } = jammed(2000)
  for (let i = 0; i < 3; i++) emitter.say({ method: 'POST', resource: ['a', i] })
  report('y', 0)
  for (let i = 0; i < 100; i++) report('x', i)
  assert.is(stage.counted('drop.report'), 99)
  assert.is(drain().length, 5)
})

test('§9.3 only a PUT with no transaction id from [engine, its root] is a report', () => {
  const { report, drain } = jammed()
  const notReports = [
    { from: undefined },
    { from: ['far'] },
    { from: ['far', 'agua'] },
    { from: ['far', 'luz', 'x'] },
    { from: 'luz' },
    { method: 'POST' },
    { token: ['tx'] },
    { event: true },
  ]
  for (const more of notReports) for (let i = 0; i < 2; i++) report('x', i, more)
  assert.is(drain().length, 2 * notReports.length)
})

test('reports of two engines about the same resource are two', () => {
  const { report, drain } = jammed()
  report('x', 1)
  report('x', 2, { from: ['near', 'luz'] })
  assert.equal(drain(), [
    ['x', 1],
    ['x', 2],
  ])
})

test('when it is full the oldest reports go, then the oldest events; both are counted', () => {
  const { report, drain, stage, watcher } = jammed(2000)
  for (let i = 0; i < 4; i++) report(`event ${i}`, 'x'.repeat(200), { event: true })
  for (let i = 0; i < 6; i++) report(`report ${i}`, 'x'.repeat(200))
  assert.equal([watcher.closed, stage.counted('drop.event')], [undefined, 0])
  assert.ok(stage.counted('drop.report') >= 3)
  for (let i = 4; i < 8; i++) report(`event ${i}`, 'x'.repeat(200), { event: true })
  assert.ok(stage.counted('drop.event') >= 1)
  const left = drain().map(([point]) => point)
  assert.equal(left, ['event 3', 'event 4', 'event 5', 'event 6', 'event 7'])
})

test('commands and answers never go in silence: the slow channel is closed', async () => {
  const { emitter, watcher, stage } = jammed(2000)
  const ids = Array.from({ length: 30 }, () => emitter.ask('POST', ['a'], { body: 'x'.repeat(100) }))
  assert.is(watcher.closed?.code, 1008)
  assert.equal([stage.counted('drop.slow-channel'), stage.engine.sizes.subscriptions], [1, 0])
  assert.ok(stage.lines.some((line) => line.startsWith('warn: the peer does not read')))
  const statuses = ids.map((id) => emitter.statuses(id).join())
  assert.ok(
    statuses.every((told) => told === '502,101' || told === '404'),
    statuses.join(' '),
  )
  emitter.cut()
  await stage.clock.advance(15_000)
  assert.equal([stage.left.transactions, stage.left.timers], [0, 0])
})

test('one frame that is bigger than the bound can wait, if nothing else does', () => {
  const { emitter, watcher, drain } = jammed(100)
  emitter.say({ method: 'POST', resource: ['a'], body: 'x'.repeat(500) })
  assert.is(watcher.closed, undefined)
  assert.is(drain().length, 1)
})

test('a channel that is closed with something waiting forgets it', async () => {
  const { report, watcher, stage, emitter } = jammed()
  report('x', 1)
  watcher.cut()
  watcher.channel.drained()
  assert.equal(watcher.heard, [])
  emitter.cut()
  assert.is(stage.engine.sizes.channels, 0)
})

/** A queue of 100 bytes, and what it has dropped. */
function queue(limit = 100) {
  const dropped = { report: 0, event: 0 }
  const made = new Queue(limit, (kind) => dropped[kind]++)
  const clock = new TestClock()
  const push = (kind: Outbound['kind'], point: number, frame: Frame) => {
    const event = kind === 'event' ? { event: true } : undefined
    const from = kind === 'firm' ? undefined : { from: ['far', 'luz'] }
    const dispatch = { method: 'PUT', resource: ['luz', point], timestamp: 1, ...from, ...event }
    return made.push(new Outbound(dispatch, clock, false), undefined, frame)
  }
  return { made, dropped, push }
}

interface Kept {
  kind: Outbound['kind']
  point: number
  frame: string
}

/** The same by the letter of design §2 and §9.3, on a plain list. `false`: the channel is to be closed. */
function pushModel(list: Kept[], next: Kept, limit: number, dropped: Record<string, number>): boolean {
  const bytes = () => list.reduce((sum, { frame }) => sum + frame.length, 0)
  const older = list.find(
    ({ kind, point }) => next.kind === 'report' && kind === 'report' && point === next.point,
  )
  if (older) {
    older.frame = next.frame
    dropped.report = (dropped.report ?? 0) + 1
  } else list.push(next)
  while (bytes() > limit && list.length > 1) {
    const oldest = list.find(({ kind }) => kind === 'report') ?? list.find(({ kind }) => kind === 'event')
    if (!oldest) return false
    list.splice(list.indexOf(oldest), 1)
    dropped[oldest.kind] = (dropped[oldest.kind] ?? 0) + 1
  }
  return true
}

const step = fc.record({
  what: fc.constantFrom('push', 'push', 'push', 'shift'),
  kind: fc.constantFrom<Outbound['kind']>('report', 'report', 'event', 'firm'),
  point: fc.nat(4),
  size: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(120)),
})

test('§9.3 whatever is pushed and taken, the queue keeps what a plain list of it keeps, within its bound', () => {
  let refused = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { made, dropped, push } = queue()
      const list: Kept[] = []
      const expected = { report: 0, event: 0 }
      for (const [i, { what, kind, point, size }] of steps.entries()) {
        if (what === 'shift') {
          assert.is(made.shift()?.frame, list.shift()?.frame)
          continue
        }
        const frame = `${i} `.padEnd(size, 'x')
        const taken = push(kind, point, frame)
        assert.is(taken, pushModel(list, { kind, point, frame }, 100, expected))
        const bytes = list.reduce((sum, entry) => sum + entry.frame.length, 0)
        assert.equal([made.size, made.bytes, dropped], [list.length, bytes, expected])
        assert.ok(made.bytes <= 100 || made.size === 1 || !taken)
        if (taken) continue
        refused++
        break // the channel is closed then
      }
      for (const { frame } of list) assert.is(made.shift()?.frame, frame)
      assert.equal([made.shift(), made.size, made.bytes], [undefined, 0, 0])
    }),
    { numRuns: 3000 },
  )
  assert.ok(refused > 100, `${refused} were refused`)
})

test('a queue that was cleared holds nothing, and drops nothing for what comes then', () => {
  const { made, dropped, push } = queue()
  push('report', 1, 'x'.repeat(60))
  push('event', 2, 'x'.repeat(30))
  made.clear()
  assert.equal([made.size, made.bytes, made.shift()], [0, 0, undefined])
  push('firm', 1, 'x'.repeat(60))
  assert.is(push('firm', 1, 'x'.repeat(60)), false)
  assert.equal(dropped, { report: 0, event: 0 })
})

test('bytes that wait keep no more in memory than themselves', () => {
  const chunk = Buffer.alloc(65_536, 7)
  for (const frame of [chunk.subarray(10, 20), new Uint8Array(chunk.buffer, 10, 10)]) {
    const { made, push } = queue()
    push('firm', 1, frame)
    const kept = made.shift()?.frame as Uint8Array
    assert.equal([kept.length, kept[0], kept.buffer.byteLength < 1000], [10, frame[0], true])
  }
})

test.run()
