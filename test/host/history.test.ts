// The past of numbers: steps, bounds, what is asked for, and what outlives a restart.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { SILENT } from '../../src/core/env.ts'
import { Meters } from '../../src/core/meters.ts'
import { exposeHistory, History, type HistorySettings, toHistory } from '../../src/host/history.ts'
import { keepHistory } from '../../src/host/history-file.ts'
import { Series } from '../../src/host/history-series.ts'
import { openStore } from '../../src/host/store.ts'
import { Engine } from '../../src/index.ts'

const MINUTE = 60_000

function make(settings: Partial<HistorySettings> = {}) {
  const clock = new TestClock()
  const meters = new Meters()
  const all = { keep: 10 * MINUTE, step: 10_000, series: 3, save: false, ...settings }
  return { clock, meters, history: new History(all, clock, meters) }
}

test('a step has the mean, the least and the most; steps without a word cost nothing', async () => {
  const { clock, history } = make()
  for (const value of [1, 2, 6]) history.record(['a', 'n'], value)
  await clock.advance(30_000)
  history.record(['a', 'n'], 5)
  await clock.advance(5000)
  assert.equal(history.read(['a', 'n']), {
    step: 10_000,
    age: [35_000, 5000],
    mean: [3, 5],
    min: [1, 5],
    max: [6, 5],
  })
  assert.is(history.read(['a', 'other']), undefined)
})

test('numbers inside objects are numbers of their own; texts and lists are none', () => {
  const { history } = make({ series: 10 })
  history.record(['engine', 'saturation'], { cpu: { used: 0.5, load: [1, 2] }, state: 'ok', saturation: 0.5 })
  history.record(['a', 'n'], Number.NaN)
  assert.equal(history.list([]), [
    ['engine', 'saturation', 'cpu', 'used'],
    ['engine', 'saturation', 'saturation'],
  ])
  assert.equal(history.list(['engine', 'saturation', 'cpu']), [['engine', 'saturation', 'cpu', 'used']])
})

test('what is older than asked for is left out, but for the value that held then', async () => {
  const { clock, history } = make()
  for (let value = 0; value < 30; value++) {
    history.record(['a'], value)
    await clock.advance(10_000)
  }
  assert.equal(history.read(['a'], 30_000)?.mean, [26, 27, 28, 29])
  const wide = history.read(['a'], 5 * MINUTE, MINUTE)
  assert.equal(wide?.mean, [2.5, 8.5, 14.5, 20.5, 26.5])
  assert.equal(wide?.min, [0, 6, 12, 18, 24])
  assert.equal(wide?.max, [5, 11, 17, 23, 29])
  assert.equal(wide?.age, [300_000, 240_000, 180_000, 120_000, 60_000])
})

test('bounded: the oldest steps go, and numbers beyond the limit are counted', async () => {
  const { clock, meters, history } = make({ keep: MINUTE })
  for (let value = 0; value < 100; value++) {
    history.record(['a'], value)
    await clock.advance(10_000)
  }
  assert.equal(history.read(['a'])?.mean, [94, 95, 96, 97, 98, 99])
  for (const name of ['b', 'c', 'd', 'e']) history.record([name], 1)
  assert.is(history.list([]).length, 3)
  assert.is(meters.read()['history.dropped'], 2)
})

test('a series grows only with what it has, in the right order', () => {
  const series = new Series(100)
  for (let at = 0; at < 250; at++) series.add(at, at)
  const all = [...series.read(Number.NEGATIVE_INFINITY)].map(({ at }) => at)
  assert.equal(
    all,
    Array.from({ length: 100 }, (_, index) => 150 + index),
  )
})

test('GET ["engine","history", …]: one number, what there is, and errors that help', async () => {
  const { clock, meters, history } = make()
  const engine = new Engine({
    env: { clock, log: SILENT, random: { uuid: () => 'x', fraction: () => 0 }, meters } as never,
  })
  exposeHistory(engine.own('engine'), history)
  history.record(['robot', 'distance'], 7)
  const get = async (resource: string[], body?: Json) => {
    const { status, body: answer } = await engine.get(['engine', 'history', ...resource], { body }).first()
    return [status, answer] as [number, never]
  }
  const [, found] = await get(['robot', 'distance'], { since: 1000, step: 10_000 })
  assert.equal(found, { step: 10_000, age: [0], mean: [7], min: [7], max: [7] })
  assert.equal((await get([]))[1], { keep: 600_000, step: 10_000, most: 3, series: [['robot', 'distance']] })
  assert.equal(((await get(['robot']))[1] as { series: Json }).series, [['robot', 'distance']])
  assert.is((await get(['nobody']))[0], 404)
  for (const body of [{ since: -1 }, { since: 'yesterday' }, { from: 3 }, 7] as Json[]) {
    assert.is((await get(['robot', 'distance'], body))[0], 400)
  }
})

test('what is saved comes back after a restart, as old as it is by then', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hormiga-history-'))
  try {
    const { clock, meters, history } = make()
    history.record(['a'], 3)
    await clock.advance(20_000)
    const store = await openStore({ directory: folder, clock: new TestClock(), log: SILENT, meters })
    await (await keepHistory(history, store, clock, SILENT)).close()
    const again = make()
    const wall = clock.wall()
    await again.clock.advance(wall + 40_000 - again.clock.wall())
    const file = await keepHistory(again.history, store, again.clock, SILENT)
    assert.equal(again.history.read(['a'])?.mean, [3])
    const age = again.history.read(['a'])?.age[0] ?? 0
    assert.ok(age >= 60_000 && age <= 80_000, String(age))
    await file.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('the settings and their defaults', () => {
  assert.equal(toHistory({}), { keep: 21_600_000, step: 10_000, series: 200, save: false })
  assert.equal(toHistory({ hours: 1, step: 60, save: true }), {
    keep: 3_600_000,
    step: 60_000,
    series: 200,
    save: true,
  })
})

test.run()
