// A process of its own for what a test can't tell of itself: what saturation costs, and that it starts no other process.
// Words: seconds, and what to do in them: "sample", "rest" (the same without samples) or "spawn" (samples, and a child).

import { spawnSync } from 'node:child_process'
import { SystemClock } from '../../src/core/clock.ts'
import type { Owner } from '../../src/core/owner.ts'
import { exposeSaturation, toSettings } from '../../src/host/saturation/index.ts'

const [seconds, what] = process.argv.slice(2)
const clock = new SystemClock()
const owner: Owner = {
  root: 'engine',
  handle() {},
  report: () => void samples++,
  watched: () => true,
  close() {},
}
let samples = 0
const resource =
  what === 'rest'
    ? undefined
    : exposeSaturation(owner, {
        clock,
        log: { debug() {}, info() {}, warn() {}, error() {} },
        settings: toSettings({}, Number),
        counts: () => ({ channels: 0, subscriptions: 0, queued: 0, dispatches: 0 }),
      })
// What is compiled and opened only once is no cost of every second.
await new Promise((done) => setTimeout(done, 2500))
samples = 0
const before = process.cpuUsage()
const start = performance.now()
await new Promise((done) => setTimeout(done, Number(seconds) * 1000))
if (what === 'spawn') spawnSync('true')
const { user, system } = process.cpuUsage(before)
const ms = performance.now() - start
resource?.close()
process.stdout.write(`${JSON.stringify({ samples, micros: user + system, ms })}\n`)
