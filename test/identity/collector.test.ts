// Fresh keys while memory is collected all the time. In Node 20 a key as `generateKeyPairSync` gives it can stop the
// process for good, at no certain place, about once in 10,000 keys.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { node, now } from './kit.ts'

const WORK = {
  exchange: () => now(node.exchange()).publicKey,
  signer: () => now(node.signer()).kid,
}

const INTERVALS = [50, 51, 53]
const KEYS = 2000
const LIMIT_MS = 15_000

const work = WORK[process.argv[2] as keyof typeof WORK]

if (work) {
  // The other process.
  for (let i = 0; i < KEYS; i++) work()
  process.stdout.write('done')
} else {
  for (const name of Object.keys(WORK)) {
    test(`a fresh key is made whenever memory is collected (${name})`, () => {
      for (const interval of INTERVALS) {
        const script = fileURLToPath(import.meta.url)
        const { stdout, error } = spawnSync(process.execPath, [`--gc-interval=${interval}`, script, name], {
          timeout: LIMIT_MS,
          killSignal: 'SIGKILL',
          encoding: 'utf8',
        })
        assert.is(error, undefined, `every ${interval} allocations`)
        assert.is(stdout, 'done')
      }
    })
  }
  test.run()
}
