// Every hole of uvu's that the runner must close, each with a file that falls into it.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

/** Fixture, closing line, and what the runner must say about it; nothing to say means that it passes. */
const cases: [name: string, closing: string, ...says: string[]][] = [
  ['passes', '2 passed, 0 failed'],
  ['skips-with-reason', '1 passed, 0 failed, 2 skipped'],
  ['fails', '1 passed, 1 failed', '1 of 2 passed', '"the wrong sum"', 'fails.ts:6'],
  ['before-throws', '0 passed, 1 failed', '0 of 1 passed', 'a hook threw'],
  ['after-each-throws', '0 passed, 1 failed', '0 of 1 passed', 'a hook threw'],
  ['run-forgotten', '0 passed, 1 failed', 'test.run() is missing'],
  ['second-run-forgotten', '1 passed, 1 failed', 'second.run() is missing'],
  ['only-left-in', '1 passed, 1 failed, 1 skipped', 'test.only() leaves the other tests out'],
  ['no-tests', '0 passed, 1 failed', 'no test ran'],
  ['skips-silently', '1 passed, 1 failed, 1 skipped', '1 skipped without a reason'],
  ['skips-for-any-reason', '0 passed, 1 failed, 1 skipped', 'not in scripts/skips.txt: did not feel like it'],
  ['exits-early', '0 passed, 1 failed', "without uvu's closing lines"],
  ['hangs', '0 passed, 1 failed', 'was ended after 1 s'],
  ['stays-open', '1 passed, 1 failed', 'although its tests did: a server, socket or timer is still open'],
]

for (const [name, closing, ...says] of cases) {
  test(`a file that ${name.replaceAll('-', ' ')}: ${closing}`, () => {
    const { code, lines, output } = run(`test/runner/fixtures/${name}.ts`)
    assert.is(lines.at(-1), closing)
    assert.is(code, says.length === 0 ? 0 : 1)
    for (const text of says) assert.ok(output.includes(text), `"${text}" is not in:\n${output}`)
  })
}

test('the output of a file that passes is not shown', () => {
  const { lines } = run('test/runner/fixtures/passes.ts')
  assert.is(lines.length, 2)
  assert.match(lines[0] ?? '', /^ok {3}test\/runner\/fixtures\/passes\.ts {2}2 passed {2}\d/)
})

test('files that are to be alone are, heavy ones run one at a time, and the notes of a file that passes are shown', () => {
  for (const kind of ['alone', 'heavy']) {
    const files = [kind, `${kind}-too`].map((name) => `test/runner/fixtures/${name}.ts`)
    const { code, lines } = run(...files)
    assert.is(code, 0, lines.join('\n'))
    assert.is(lines.filter((line) => line.trim() === 'it was quiet').length, 2)
  }
})

test('what a test file starts ends with it', () => {
  const { output } = run('test/runner/fixtures/leaves-child.ts')
  const pid = Number(/child (\d+)/.exec(output)?.[1])
  assert.ok(pid > 0, output)
  assert.not(isRunning(pid))
})

test('several files are added up, with the steps that failed before', () => {
  const { code, lines } = run(
    '--failed',
    '1',
    'test/runner/fixtures/passes.ts',
    'test/runner/fixtures/fails.ts',
  )
  assert.is(lines.at(-1), '3 passed, 2 failed')
  assert.is(code, 1)
})

test('a file that cannot be built is a failure that names the place', () => {
  const { code, lines, output } = run('test/runner/fixtures/passes.ts', 'test/runner/fixtures/no-test.bin')
  assert.is(lines.at(-1), '0 passed, 1 failed')
  assert.is(code, 1)
  assert.match(output, /no-test\.bin/)
})

test('a file that is not there is named', () => {
  const { code, output } = run('test/no-such.test.ts')
  assert.is(code, 2)
  assert.match(output, /test\/no-such\.test\.ts: no such test file/)
})

/** A process that has ended may stay in the table until its parent takes notice: state Z. */
function isRunning(pid: number): boolean {
  const stat = `/proc/${pid}/stat`
  return existsSync(stat) && !/\) Z /.test(readFileSync(stat, 'utf8'))
}

function run(...args: string[]): { code: number | null; output: string; lines: string[] } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/runner.mjs', '--built', ...args], {
    encoding: 'utf8',
  })
  return { code: status, output: stdout + stderr, lines: stdout.trimEnd().split('\n') }
}

test.run()
