// needs dist
// alone
// time limit: 240 s
// The benchmark runs and says what it measures. Only what can't be noise is judged: the subscription table.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

interface Result {
  name: string
  figures: Record<string, number>
  judged: { name: string; value: number; ok?: boolean }[]
}

const bench = 'scripts/bench/index.js'

test('one round of the benchmark measures local and size', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hormiga-bench-test-'))
  try {
    const file = join(folder, 'figures.json')
    const args = [bench, '--rounds', '1', '--only', 'local,size', '--json', file]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      timeout: 60_000,
    })
    assert.is(status, 0, stderr)
    assert.match(stdout, /^local: /m)
    assert.match(stdout, /^ {2}→ jstp \/ engine at 10000 .*(PASS|FAIL) \(at least 1000\)$/m)
    const { results } = JSON.parse(readFileSync(file, 'utf8')) as { results: Result[] }
    assert.equal(
      results.map(({ name }) => name),
      ['local', 'size'],
    )
    const [local, size] = results as [Result, Result]
    assert.is(Object.values(local.figures).length, 6)
    for (const [name, value] of Object.entries(local.figures)) assert.ok(value > 0, `${name} is ${value}`)
    assert.ok((size.figures['for Node, minified'] ?? 0) > 10)
    const ratio = local.judged.find(({ name }) => name === 'jstp / engine at 10000')?.value ?? 0
    assert.ok(ratio >= 100, `with 10,000 subscriptions the engine is only ${ratio} times as fast as jstp`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

if (process.env.HORMIGA_LONG) {
  test('one round of the benchmark measures what protection costs', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hormiga-bench-test-'))
    try {
      const file = join(folder, 'figures.json')
      const args = [bench, '--rounds', '1', '--only', 'identity', '--json', file]
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 150_000 })
      assert.is(status, 0, stderr)
      const { results } = JSON.parse(readFileSync(file, 'utf8')) as { results: Result[] }
      const [{ figures, judged }] = results as [Result]
      assert.ok(Object.keys(figures).length > 30, stderr)
      for (const [name, value] of Object.entries(figures)) assert.ok(value > 0, `${name} is ${value}`)
      const of = (name: string) => judged.find((it) => it.name === name)?.value ?? 0
      // Half of each floor: what else the machine does is no failure of the test.
      assert.ok(of('bare / ctx protect') >= 0.25)
      assert.ok(of('bare / verify') >= 0.4)
      assert.ok(of('unsigned relay, no guard / guard') >= 0.7)
      assert.ok(
        of('sealed / clear delivery, CPU') > 1,
        'what is sealed for each costs more than one text for all',
      )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
}

test('a section that is unknown, and a build that is missing, are named', () => {
  const misuse = (...args: string[]) => spawnSync(process.execPath, [bench, ...args], { encoding: 'utf8' })
  const unknown = misuse('--only', 'rely')
  assert.is(unknown.status, 2)
  assert.match(unknown.stderr, /there is no section "rely"/)
  const missing = misuse('--engine', 'nowhere.js')
  assert.is(missing.status, 2)
  assert.match(missing.stderr, /nowhere\.js is missing: build it with node scripts\/build\.mjs/)
})

test.run()
