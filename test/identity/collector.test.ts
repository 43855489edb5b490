// Fresh keys when memory is collected at any moment while they are made. In Node 20 one as `generateKeyPairSync` gives it
// then stops the process for good; left to chance that happens once in some 10,000 keys.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { node, now } from './kit.ts'

const WORK = {
  exchange: () => now(node.exchange()).publicKey,
  signer: () => now(node.signer()).kid,
}

/** Not optimised, for then each array below takes its place. */
const FLAGS = ['--no-opt', '--expose-gc', '--min-semi-space-size=1', '--max-semi-space-size=1']
const LIMIT_MS = 25_000

/** Arrays of this many elements take 1 kB. */
const SLOTS = 126
const STEP = 8

/** Fills the megabyte for young objects a little more each time, so that it gets full at every place within `work`. */
function sweep(work: () => unknown): void {
  const { gc } = globalThis as unknown as { gc(options: { type: 'minor' }): void }
  let waste: unknown
  for (let arrays = 900; arrays < 1000; arrays++) {
    for (let slots = 0; slots < SLOTS; slots += STEP) {
      gc({ type: 'minor' })
      for (let i = 0; i < arrays; i++) waste = new Array(SLOTS)
      waste = new Array(slots)
      work()
    }
  }
  process.stdout.write(waste ? 'done' : '')
}

const work = WORK[process.argv[2] as keyof typeof WORK]

if (work) {
  sweep(work) // the other process
} else {
  for (const name of Object.keys(WORK)) {
    test(`a fresh key is made, whenever memory is collected (${name})`, () => {
      const script = fileURLToPath(import.meta.url)
      const { stdout, stderr, error } = spawnSync(process.execPath, [...FLAGS, script, name], {
        timeout: LIMIT_MS,
        killSignal: 'SIGKILL',
        encoding: 'utf8',
      })
      assert.is(error, undefined, 'it must not stop')
      assert.is(stdout, 'done', stderr)
    })
  }
  test.run()
}
