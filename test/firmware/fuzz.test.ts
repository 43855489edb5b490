// heavy
// time limit: 900 s
// libFuzzer against the C core, in the size of an ATmega328P and in that of a Linux process (firmware-bridge/test/fuzz.c says
// what must hold). With --long a million inputs each; firmware-bridge/README.md says what ten million found.

import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { run, sanitizers, strictC, workFolder } from './bench.ts'

const folder = workFolder('fuzz')
test.after(() => rmSync(folder, { recursive: true, force: true }))

const isLong = process.env.HORMIGA_LONG === '1'
const sizes = { small: ['-DJL_MAXF=96', '-DJL_WINDOW=1', '-DJL_BINDS=10'], large: [] }
/** Edges of the program that a few seconds reach; 440 to 455 are there. */
const leastCovered = 380

for (const [name, options] of Object.entries(sizes)) {
  test(`the C core, ${name}: nothing trips a sanitizer, no command is executed twice`, () => {
    const program = join(folder, name)
    const fuzzer = [...sanitizers, '-fsanitize=fuzzer']
    run('clang', [...strictC, '-O1', ...fuzzer, ...options, 'test/fuzz.c', '-o', program])
    const bound = isLong ? ['-runs=1000000'] : ['-max_total_time=4']
    const { status, stderr } = spawnSync(
      program,
      ['-seed=1', '-max_len=200', '-detect_leaks=0', '-print_final_stats=1', ...bound],
      { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 28 },
    )
    assert.is(status, 0, stderr.slice(-3000))
    const inputs = Number(/number_of_executed_units: (\d+)/.exec(stderr)?.[1])
    const covered = Number([...stderr.matchAll(/cov: (\d+)/g)].at(-1)?.[1])
    console.log(`note: ${name}: ${inputs} inputs, ${covered} edges covered`)
    assert.ok(inputs > 1000, 'it has hardly run')
    assert.ok(covered > leastCovered, `only ${covered} edges covered: the inputs don't get inside`)
  })
}

test.run()
