// One timer for many things with the same time to live.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import { Deadlines } from '../../src/core/deadlines.ts'

/** Deadlines of 100 ms, and what has expired when. */
function made(react: (item: string, deadlines: Deadlines<string>) => void = () => {}) {
  const clock = new TestClock()
  const expired: [item: string, at: number][] = []
  const deadlines: Deadlines<string> = new Deadlines(clock, 100, (item) => {
    expired.push([item, clock.now()])
    react(item, deadlines)
  })
  const left = () => [deadlines.size, clock.pending]
  return { clock, deadlines, expired, left }
}

test('each has its whole time, the oldest go first, one timer serves them all', async () => {
  const { clock, deadlines, expired, left } = made()
  deadlines.start('a')
  await clock.advance(30)
  deadlines.start('b')
  deadlines.start('c')
  assert.equal(
    [deadlines.items(), left()],
    [
      ['a', 'b', 'c'],
      [3, 1],
    ],
  )
  await clock.advance(69)
  assert.equal(expired, [])
  await clock.advance(1)
  assert.equal([expired, left()], [[['a', 100]], [2, 1]])
  await clock.advance(1000)
  assert.equal(
    [expired.slice(1), left()],
    [
      [
        ['b', 130],
        ['c', 130],
      ],
      [0, 0],
    ],
  )
})

test('what is started again has its whole time again, and is the youngest', async () => {
  const { clock, deadlines, expired } = made()
  deadlines.start('a')
  deadlines.start('b')
  await clock.advance(60)
  deadlines.start('a')
  assert.equal([deadlines.size, deadlines.items()], [2, ['b', 'a']])
  await clock.advance(200)
  assert.equal(expired, [
    ['b', 100],
    ['a', 160],
  ])
})

test('what is stopped does not expire; when nothing is left no timer is', async () => {
  const { clock, deadlines, expired, left } = made()
  for (const item of ['a', 'b', 'c']) deadlines.start(item)
  deadlines.stop('b')
  deadlines.stop('never started')
  await clock.advance(50)
  deadlines.stop('a')
  assert.equal(left(), [1, 1])
  deadlines.stop('c')
  assert.equal(left(), [0, 0])
  deadlines.start('d')
  await clock.advance(100)
  assert.equal(expired, [['d', 150]])
})

test('clear forgets all of them, and they can be started again', async () => {
  const { clock, deadlines, expired, left } = made()
  deadlines.start('a')
  await clock.advance(99)
  deadlines.clear()
  assert.equal(left(), [0, 0])
  deadlines.start('a')
  await clock.advance(99)
  assert.equal(expired, [])
  await clock.advance(1)
  assert.equal(expired, [['a', 199]])
})

test('what expires may stop, start again and clear the others', async () => {
  const stopping = made((item, deadlines) => item === 'a' && deadlines.stop('b'))
  for (const item of ['a', 'b', 'c']) stopping.deadlines.start(item)
  await stopping.clock.advance(100)
  assert.equal(stopping.expired, [
    ['a', 100],
    ['c', 100],
  ])
  const restarting = made((item, deadlines) => {
    if (deadlines.size < 3) deadlines.start(`${item}'`)
  })
  restarting.deadlines.start('a')
  await restarting.clock.advance(250)
  assert.equal(restarting.expired, [
    ['a', 100],
    ["a'", 200],
  ])
  assert.equal(restarting.left(), [1, 1])
  const clearing = made((_, deadlines) => deadlines.clear())
  for (const item of ['a', 'b']) clearing.deadlines.start(item)
  await clearing.clock.advance(100)
  assert.equal([clearing.expired.length, clearing.left()], [1, [0, 0]])
})

const action = fc.tuple(
  fc.constantFrom('start', 'start', 'stop', 'advance'),
  fc.constantFrom('a', 'b', 'c', 'd'),
  fc.constantFrom(1, 5, 40, 100),
)

test('whatever is started and stopped, each expires at its time, and a timer is set only while there is one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (actions) => {
      const { clock, deadlines, expired, left } = made()
      const due = new Map<string, number>()
      const expected: [string, number][] = []
      for (const [what, item, ms] of actions) {
        if (what === 'start') {
          due.delete(item)
          due.set(item, clock.now() + 100)
          deadlines.start(item)
        } else if (what === 'stop') {
          due.delete(item)
          deadlines.stop(item)
        } else {
          await clock.advance(ms)
          for (const [it, at] of due) {
            if (at > clock.now()) break
            due.delete(it)
            expected.push([it, at])
          }
        }
        assert.equal([expired, deadlines.items()], [expected, [...due.keys()]])
        assert.equal(left(), [due.size, due.size > 0 ? 1 : 0])
      }
    }),
    { numRuns: 1000 },
  )
})

test.run()
