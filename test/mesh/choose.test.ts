// The choice itself (design §5): who gets the next one, and what a report of saturation changes.

import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Candidate, choose, STANDINGS, type Weighed, weigh } from '../../src/mesh/choose.ts'
import { readReport } from '../../src/mesh/report.ts'

const candidate = fc.record({
  standing: fc.constantFrom(...STANDINGS),
  weight: fc.double({ min: 0.02, max: 1, noNaN: true }),
  open: fc.nat(1000),
})

/** Numbers from 0 up to 1, the same each time. */
function fractions(): () => number {
  let seed = 7
  return () => {
    seed = (seed * 16807) % 2147483647
    return seed / 2147483647
  }
}

function good(weight: number, open = 0): Candidate {
  return { standing: 'good', weight, open }
}

test('§5 a worse one is taken only where there is no better', () => {
  fc.assert(
    fc.property(
      fc.array(candidate, { minLength: 1, maxLength: 20 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999999, noNaN: true })),
      (all, stream) => {
        const chosen = choose(all, () => stream.next().value as number)
        const rank = ({ standing }: Candidate) => STANDINGS.indexOf(standing)
        assert.is(chosen && rank(chosen), Math.min(...all.map(rank)))
      },
    ),
  )
})

test('§5 none, and a single one', () => {
  assert.is(
    choose([], () => 0),
    undefined,
  )
  const away: Candidate = { standing: 'away', weight: 1, open: 5 }
  assert.is(
    choose([away], () => 0.5),
    away,
  )
})

test('§5 with nothing open everyone gets its part by weight', () => {
  const all = [good(1), good(0.5), good(0.25)]
  const random = fractions()
  const counts = new Map(all.map((each) => [each, 0]))
  for (let i = 0; i < 7000; i++) {
    const chosen = choose(all, random) as Candidate
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1)
  }
  const parts = [...counts.values()].map((count) => Math.round(count / 100) / 10)
  assert.equal(
    parts.map((part) => Math.round(part)),
    [4, 2, 1],
  )
})

test('§5 of two that were drawn the one with less open for its weight is taken', () => {
  const draws =
    (...fractions: number[]) =>
    () =>
      fractions.shift() as number
  const all = [good(1, 10), good(0.5, 4), good(0.5, 6)]
  assert.is(choose(all, draws(0, 0.6)), all[1])
  assert.is(choose(all, draws(0.6, 0)), all[1])
  assert.is(choose(all, draws(0.9, 0.1)), all[0])
  assert.is(choose(all, draws(0.9, 0.9)), all[2])
})

function reporting(load: number | undefined, more: Partial<Weighed> = {}): Weighed {
  return { standing: 'good', weight: 1, load, ...more }
}

test('§5 who is fuller than the mean gets less, who is emptier more', () => {
  const all = [reporting(0.9), reporting(0.5)] as [Weighed, Weighed]
  weigh(all[0], all, 1)
  assert.ok(all[0].weight < 0.9 && all[1].weight === 1)
  const before = all[0].weight
  all[0].load = 0.4
  weigh(all[0], all, 1)
  assert.ok(all[0].weight > before)
})

test('§5 where all have room enough, where one tells nothing, and where nobody else is: nothing changes', () => {
  for (const [one, other] of [
    [0.29, 0.05],
    [undefined, 0.9],
    [0.9, undefined],
  ]) {
    const all = [reporting(one), reporting(other)] as [Weighed, Weighed]
    weigh(all[0], all, 1)
    assert.equal([all[0].weight, all[1].weight], [1, 1])
  }
  const alone = reporting(1)
  weigh(alone, [alone], 1)
  assert.is(alone.weight, 1)
})

test('§5 who gets nothing is empty for that reason: it gains no weight by it', () => {
  const full = reporting(0.1, { standing: 'full', weight: 0.1 })
  const all = [full, reporting(0.9)]
  weigh(full, all, 1)
  assert.is(full.weight, 0.1)
})

test('§5 a weight stays between the least and 1, whatever comes, and the largest is 1', () => {
  const one = fc.record({
    standing: fc.constantFrom(...STANDINGS.slice(0, 2)),
    weight: fc.constant(1),
    load: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  })
  const reports = fc.array(
    fc.tuple(
      fc.nat(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1e6, noNaN: true }),
    ),
  )
  fc.assert(
    fc.property(fc.array(one, { minLength: 2, maxLength: 8 }), reports, (all, reports) => {
      for (const [index, load, seconds] of reports) {
        const reported = all[index % all.length] as Weighed
        reported.load = load
        weigh(reported, all, seconds)
      }
      for (const { weight } of all) assert.ok(weight >= 0.02 && weight <= 1, `${weight}`)
      assert.ok(Math.max(...all.map(({ weight }) => weight)) > 0.99)
    }),
  )
})

test('§5 a report: what is full of what no waiting gives back is `full`, what is busy is not', () => {
  const full = (body: object) => readReport(body as never).full
  assert.is(full({ state: 'critical', cause: 'cpu' }), false)
  assert.is(full({ state: 'critical', cause: 'network' }), false)
  assert.is(full({ state: 'critical', cause: 'disk' }), true)
  assert.is(full({ state: 'critical', cause: 'ram' }), true)
  assert.is(full({ state: 'critical' }), true, 'nobody knows why')
  assert.is(
    full({ state: 'critical', cause: 'cpu', disk: { '/': { used: 0.9 }, '/mnt': { state: 'critical' } } }),
    true,
  )
  assert.is(full({ state: 'critical', cause: 'cpu', ram: { state: 'critical' } }), true)
  assert.is(full({ state: 'warning', cause: 'disk', disk: { '/': { state: 'warning' } } }), false)
})

test('§5 a report: work is shared by what work makes busy, and by the rest only when that runs out', () => {
  const load = (body: object) => readReport(body as never).load
  assert.is(load({ saturation: 0.7, state: 'ok', cause: 'disk' }), 0.7, 'nothing else is known')
  const parts = { cpu: { used: 0.2 }, network: { eth0: { used: 0.4 }, wlan0: {} }, engine: { used: 0.1 } }
  assert.is(load({ saturation: 0.7, ...parts, disk: { '/': { used: 0.7 } } }), 0.4)
  assert.is(load({ saturation: 0.9, ...parts, disk: { '/': { used: 0.9, state: 'warning' } } }), 0.9)
  assert.is(load({ saturation: 0.99, ...parts, ram: { used: 0.99, state: 'critical' } }), 0.99)
})

test('§5 a report can be anything: what is not understood is nothing', () => {
  const nothing = { saturation: undefined, load: undefined, state: 'ok', full: false, draining: false }
  for (const body of [null, 5, 'x', [], {}, { saturation: 'much', state: 7, draining: 'yes', disk: [] }]) {
    assert.equal(readReport(body as never), nothing)
  }
  assert.equal(readReport(undefined), nothing)
  assert.is(readReport({ saturation: 7 }).saturation, 1)
  fc.assert(fc.property(fc.jsonValue(), (body) => void readReport(body as never)))
})

test.run()
