// The trust file while the engine runs (spec B9): who is taken out of it is gone half a second later, a slip changes
// nothing.

import { chmodSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { watchTrust } from '../../src/app/trust-watch.ts'
import { TestClock } from '../../src/core/clock.ts'
import { Meters } from '../../src/core/meters.ts'
import { didOf } from '../../src/identity/did.ts'
import type { Signer } from '../../src/identity/provider.ts'
import { nodeProvider } from '../../src/identity/provider-node.ts'
import type { TrustFile } from '../../src/identity/trust-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'hormiga-trust-'))
const path = join(folder, 'trust.json')
const [own, ana, bea] = [1, 2, 3].map((byte) => {
  return didOf((nodeProvider.signer(new Uint8Array(32).fill(byte)) as Signer).kid)
}) as [string, string, string]

test.before.each(() => write([ana]))
test.after(() => rmSync(folder, { recursive: true }))

function write(ids: string[]): void {
  writeFileSync(path, JSON.stringify({ v: 1, keys: ids.map((id) => ({ id, name: id.slice(-4) })) }))
}

function stage(at: string | undefined = path) {
  const clock = new TestClock()
  const lines: string[] = []
  const say = (text: string) => void lines.push(text)
  const log = { debug: say, info: say, warn: say, error: say }
  const random = { uuid: () => '', fraction: () => 0 }
  const taken: string[][] = []
  const watch = watchTrust({ clock, log, random, meters: new Meters() }, at, own)
  watch.start((file: TrustFile) => taken.push(file.keys.map(({ id }) => id)))
  return { clock, lines, taken, watch }
}

test('B9 a change is applied half a second later, and only a change', async () => {
  const { clock, taken, watch } = stage()
  assert.equal(
    watch.file.keys.map(({ id }) => id),
    [ana],
  )
  await clock.advance(5000)
  assert.equal(taken, [])
  write([ana, bea])
  await clock.advance(500)
  assert.equal(taken, [[ana, bea]])
  write([])
  await clock.advance(500)
  assert.equal(taken.at(-1), [])
  watch.close()
  assert.is(clock.pending, 0)
})

test('B9 a version that can’t be used keeps the one before it, is told once, and the next good one counts', async () => {
  const { clock, taken, lines, watch } = stage()
  const faults: [run: () => void, told: RegExp][] = [
    [() => writeFileSync(path, '{"v":1,"ke'), /is no JSON/],
    [() => writeFileSync(path, ''), /is no JSON/],
    [() => writeFileSync(path, '{"v":1,"keyz":[]}'), /"keyz" is unknown/],
    [() => write([own]), /the key of this engine itself/],
    [() => chmodSync(path, 0o622), /can be written by others/],
  ]
  for (const [run, told] of faults) {
    run()
    await clock.advance(2000)
    assert.equal(taken, [])
    assert.match(String(lines.at(-1)), told)
  }
  assert.is(lines.length, faults.length)
  chmodSync(path, 0o644)
  write([bea])
  await clock.advance(500)
  assert.equal(taken, [[bea]])
  watch.close()
})

test('B9 no file: nobody is trusted; an editor that takes it away for a moment changes nothing', async () => {
  const { clock, taken, watch } = stage()
  unlinkSync(path)
  await clock.advance(500)
  write([bea])
  await clock.advance(500)
  assert.equal(taken, [[bea]])
  unlinkSync(path)
  await clock.advance(1000)
  assert.equal(taken.at(-1), [])
  watch.close()
  assert.equal(stage().watch.file.keys, [])
  assert.equal(stage(undefined).watch.file.keys, [])
})

test('B9 at start a file that can’t be used is an error; a link is never followed', () => {
  write([own])
  assert.throws(() => stage(), /take it out/)
  const link = join(folder, 'link.json')
  symlinkSync(path, link)
  assert.throws(() => stage(link), /no plain file/)
})

test('SIGHUP reads it again, from another place if the configuration says so', async () => {
  const { taken, watch } = stage()
  watch.again()
  const other = join(folder, 'other.json')
  writeFileSync(other, '{"v":1,"keys":[]}')
  watch.again(other)
  assert.equal(taken, [[ana], []])
  watch.close()
})

test.run()
