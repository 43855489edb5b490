// The subscription table (design §2) against a plain matcher, and what is left of it when all is released.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Element } from '../../src/core/dispatch.ts'
import { type Pattern, readEndpoint } from '../../src/core/endpoint.ts'
import { Table } from '../../src/core/table.ts'
import { matches, pattern, resource } from './patterns.ts'

const method = fc.constantFrom('GET', 'PUT', '*')
const read = (resource: Element[], method = '*'): Pattern => readEndpoint({ method, resource }, 'quirks')

test('§2 the table finds what a plain matcher finds, while subscriptions come and go', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(pattern, method, fc.boolean()), { maxLength: 30 }),
      fc.array(fc.tuple(resource, fc.constantFrom('GET', 'PUT', 'POST')), { maxLength: 10 }),
      (bound, asked) => {
        const table = new Table<number>()
        for (const [i, [elements, of]] of bound.entries()) table.add(read(elements, of), i)
        for (const [i, [elements, of, gone]] of bound.entries()) if (gone) table.remove(read(elements, of), i)
        assert.is(table.size, bound.filter(([, , gone]) => !gone).length)
        for (const [at, by] of asked) {
          const expected = bound.flatMap(([elements, of, gone], i) =>
            !gone && (of === '*' || of === by) && matches(elements, at) ? [i] : [],
          )
          assert.equal(
            table.match(by, at).sort((a, b) => a - b),
            expected,
          )
        }
      },
    ),
    { numRuns: 3000 },
  )
})

test('§2 a value is found once, however many ways its ellipses can be laid', () => {
  const table = new Table<string>()
  table.add(read(['...', 'a', '...', 'a', '...']), 'x')
  assert.equal(table.match('GET', Array(20).fill('a')), ['x'])
})

test('§2 what is not bound can be released, nothing happens', () => {
  const table = new Table<string>()
  table.remove(read(['a', 'b']), 'x')
  table.add(read(['a', 'b']), 'x')
  table.add(read(['a', 'b']), 'x')
  for (const [elements, of, value] of [
    [['a'], '*', 'x'],
    [['a', 'b'], 'GET', 'x'],
    [['a', 'b'], '*', 'y'],
    [['a', 'b', '...'], '*', 'x'],
  ] as const) {
    table.remove(read([...elements], of), value)
  }
  assert.equal([table.size, table.match('GET', ['a', 'b'])], [1, ['x']])
})

test('§2 repeated ellipses do not explode', () => {
  const table = new Table<string>()
  table.add(read(Array.from({ length: 62 }, (_, i) => (i % 2 ? 'a' : '...'))), 'x')
  // A walk that tries one way after the other would need 2^31 steps: the time limit of this file is the test.
  assert.equal(table.match('GET', [...Array(63).fill('a'), 'b']), [])
})

test('§2 the time does not depend on subscriptions that do not match', () => {
  const one = filled(1)
  const many = filled(10_000)
  const runs = Array.from({ length: 15 }, () => [timeOf(one), timeOf(many)] as const)
  const ratio = Math.min(...runs.map(([, much]) => much)) / Math.min(...runs.map(([little]) => little))
  assert.ok(ratio < 5, `10,000 subscriptions cost ${ratio.toFixed(2)} times as much as one`)
})

function filled(size: number): Table<number> {
  const table = new Table<number>()
  table.add(read(['room', '7', 'light']), 0)
  for (let i = 1; i < size; i++) table.add(read([`room${i}`, '*', 'light', '...']), i)
  return table
}

function timeOf(table: Table<number>): number {
  const start = performance.now()
  for (let i = 0; i < 5000; i++) table.match('PUT', ['room', 7, 'light'])
  return performance.now() - start
}

test('§4 nothing is left of subscriptions that are gone', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const table = new Table<number>()
  const churn = (from: number) => {
    for (let i = from; i < from + 50_000; i++) {
      const patterns = [read([`a${i}`, 'b', '...', ':x']), read(['...', `c${i}`, '*'], `M${i}`)]
      for (const it of patterns) table.add(it, i)
      for (const it of patterns) table.remove(it, i)
    }
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = churn(0)
  const grown = churn(50_000) - before
  assert.ok(grown < 5_000_000, `${grown} bytes are left of 100,000 subscriptions`)
  assert.is(table.size, 0)
})

test.run()
