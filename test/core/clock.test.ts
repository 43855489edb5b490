// The clock that tests drive, and that of the machine, which must do the same.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemClock, TestClock } from '../../src/core/clock.ts'

test('it stands still until it is told to go on; the wall clock goes with it', async () => {
  const clock = new TestClock(5000)
  await Promise.resolve()
  assert.equal([clock.now(), clock.wall()], [0, 5000])
  await clock.advance(70)
  assert.equal([clock.now(), clock.wall()], [70, 5070])
})

test('what falls due runs at its time and in its order, what is due at once in the order of setting', async () => {
  const clock = new TestClock()
  const ran: [string, number][] = []
  for (const [name, ms] of [
    ['late', 30],
    ['first', 10],
    ['second', 10],
    ['now', 0],
    ['in the past', -5],
    ['beyond', 31],
  ] as const) {
    clock.after(ms, () => ran.push([name, clock.now()]))
  }
  await clock.advance(30)
  assert.equal(ran, [
    ['now', 0],
    ['in the past', 0],
    ['first', 10],
    ['second', 10],
    ['late', 30],
  ])
  assert.is(clock.pending, 1)
})

test('timers that timers set run in the same advance, and each runs once', async () => {
  const clock = new TestClock()
  const at: number[] = []
  const again = () => {
    at.push(clock.now())
    if (at.length < 3) clock.after(10, again)
  }
  clock.after(10, again)
  await clock.advance(100)
  assert.equal([at, clock.pending, clock.now()], [[10, 20, 30], 0, 100])
})

test('promise callbacks get their turn after every timer', async () => {
  const clock = new TestClock()
  const order: string[] = []
  clock.after(1, () => void Promise.resolve().then(() => order.push('promise of the first')))
  clock.after(1, () => order.push('second'))
  clock.after(2, async () => {
    await null
    clock.after(3, () => order.push('set by a promise'))
  })
  await clock.advance(5)
  assert.equal(order, ['promise of the first', 'second', 'set by a promise'])
})

test('what is cancelled does not run, and cancelling twice or late is harmless', async () => {
  const clock = new TestClock()
  let ran = 0
  const cancel = clock.after(1, () => ran++)
  const late = clock.after(1, () => ran++)
  const other = clock.after(2, () => ran++)
  clock.after(1, () => other())
  cancel()
  cancel()
  await clock.advance(5)
  late()
  assert.equal([ran, clock.pending], [1, 0])
})

test('the clock of the machine: runs once after its time, never backwards, and can be cancelled', async () => {
  const clock = new SystemClock()
  const start = clock.now()
  let cancelled = 0
  const cancel = clock.after(1, () => cancelled++)
  cancel()
  const alive = setInterval(() => {}, 1000) // the clock itself does not keep the process alive
  await new Promise<void>((resolve) => void clock.after(20, resolve))
  clearInterval(alive)
  assert.ok(clock.now() - start >= 19 && clock.now() - start < 2000)
  assert.is(cancelled, 0)
  assert.ok(Math.abs(clock.wall() - Date.now()) < 1000)
})

test.run()
