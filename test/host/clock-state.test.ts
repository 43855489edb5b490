// Whether the wall clock can be believed: systemd's mark, and jumps against the monotonic clock.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import { watchClock } from '../../src/host/clock-state.ts'

/** A test clock whose wall time can be set. */
class SetClock extends TestClock {
  #shift = 0

  override wall(): number {
    return super.wall() + this.#shift
  }

  set(by: number): void {
    this.#shift += by
  }
}

test('unsynced, with the reason, while nothing vouches for it', async () => {
  const clock = new SetClock()
  const watch = watchClock(clock, () => false)
  await clock.advance(5000)
  const { state, cause, wall, uptime, step } = watch.read()
  assert.is(state, 'unsynced')
  assert.match(cause, 'timesync/synchronized is not there')
  assert.is(wall, clock.wall())
  assert.is(uptime, 5000)
  assert.is(step, null)
  watch.stop()
  assert.is(clock.pending, 0)
})

test('synced as soon as the mark is there, whatever was before', async () => {
  let isMarked = false
  const clock = new SetClock()
  const watch = watchClock(clock, () => isMarked)
  clock.set(86_400_000)
  isMarked = true
  assert.is(watch.read().state, 'synced')
  assert.equal(watch.read().step, { by: 86_400_000, uptime: 0 })
  watch.stop()
})

test('stepped when it jumped, forwards or backwards, also between two looks of the reader', async () => {
  for (const by of [3_600_000, -3_600_000, 500, -500]) {
    const clock = new SetClock()
    const watch = watchClock(clock, () => false)
    await clock.advance(10_000)
    clock.set(by)
    await clock.advance(60_000)
    assert.is(watch.read().state, 'stepped')
    assert.equal(watch.read().step, { by, uptime: 11_000 })
    watch.stop()
  }
})

test('slewing is no step, however long it goes on', async () => {
  const clock = new SetClock()
  const watch = watchClock(clock, () => false)
  for (let second = 0; second < 1000; second++) {
    clock.set(5)
    await clock.advance(1000)
  }
  assert.is(watch.read().state, 'unsynced')
  watch.stop()
})

test.run()
