// The real seam: files that stay open, files that change, vanish and come again, below a planted root.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemClock } from '../../src/core/clock.ts'
import { meterProcess } from '../../src/host/saturation/process-meter.ts'
import { Sampler } from '../../src/host/saturation/sampler.ts'
import { realSources } from '../../src/host/saturation/sources.ts'
import { makePi } from './saturation-tree.ts'

const root = mkdtempSync(join(tmpdir(), 'saturation-'))

function plant(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text, 'latin1')
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length
}

test('a file that is followed is opened once and read anew each time', () => {
  const sources = realSources(root)
  plant('/proc/a', 'one')
  assert.is(sources.follow('/proc/a'), 'one')
  const open = openFiles()
  for (const text of ['two', 'x'.repeat(100_000), '', 'three']) {
    plant('/proc/a', text)
    assert.is(sources.follow('/proc/a'), text)
  }
  assert.is(openFiles(), open)
  sources.close()
  assert.is(openFiles(), open - 1)
})

test('what is not there, or a folder, is nothing; what comes later is found', () => {
  const sources = realSources(root)
  const open = openFiles()
  assert.is(sources.follow('/proc/late'), undefined)
  assert.is(sources.read('/proc/late'), undefined)
  assert.is(sources.follow('/proc'), undefined)
  assert.equal(sources.list('/nowhere'), [])
  assert.is(openFiles(), open)
  plant('/proc/late', '1')
  assert.is(sources.follow('/proc/late'), '1')
  sources.close()
})

test('no more than 64 files stay open, all are read', () => {
  const sources = realSources(root)
  const open = openFiles()
  for (let index = 0; index < 100; index++) {
    plant(`/many/${index}`, String(index))
    assert.is(sources.follow(`/many/${index}`), String(index))
  }
  assert.is(openFiles(), open + 64)
  sources.close()
  assert.is(openFiles(), open)
})

test('a file that can no longer be read is opened anew, or is nothing until it is back', async () => {
  const sources = realSources('/')
  const link = join(root, 'link')
  const open = openFiles()
  for (const comesBackAtOnce of [true, false]) {
    // Files of a process that has ended can't be read, as those of an interface that was pulled out.
    const child = spawn('sleep', ['60'], { stdio: 'ignore' })
    symlinkSync(`/proc/${child.pid}/stat`, link)
    assert.match(sources.follow(link) ?? '', 'sleep')
    child.kill('SIGKILL')
    await once(child, 'exit')
    rmSync(link)
    if (!comesBackAtOnce) assert.is(sources.follow(link), undefined)
    writeFileSync(link, 'another')
    assert.is(sources.follow(link), 'another')
    assert.is(sources.follow(link), 'another')
    sources.close()
    rmSync(link)
    assert.is(openFiles(), open)
  }
})

test('room on a file system, asked both ways; none where there is no such folder', async () => {
  const sources = realSources(root)
  const [now, later] = [sources.space('/proc'), await sources.spaceLater('/proc')]
  assert.is(now?.blocks, later?.blocks)
  assert.ok((now?.blocks ?? 0) > 0)
  assert.equal([sources.space('/none'), await sources.spaceLater('/none')], [undefined, undefined])
})

test('a planted computer, all the way through files', () => {
  const pi = makePi()
  for (const [path, text] of Object.entries({ ...pi.files, '/proc/uptime': '5.00 1.00\n' })) plant(path, text)
  const sources = realSources(root)
  const meter = meterProcess(new SystemClock())
  const counts = () => ({ channels: 0, subscriptions: 0, queued: 0 })
  const sampler = new Sampler({
    sources: { ...sources, platform: 'linux' },
    clock: new SystemClock(),
    meter,
    counts,
    disks: [],
    speeds: {},
  })
  const { cpu, ram, network, disk } = sampler.sample()
  assert.equal([cpu.cores, ram.used], [2, 0.4])
  assert.equal(network, { eth0: { speed: 125_000_000, errors: 0 } })
  assert.equal(Object.keys(disk), ['/'])
  meter.close()
  sources.close()
})

test('the process: memory, and an event loop that was held up', async () => {
  const meter = meterProcess(new SystemClock())
  await pause(600)
  const quiet = meter.read()
  assert.ok(quiet.rss > 10_000_000 && quiet.used < 0.9, JSON.stringify(quiet))
  hold(900)
  const { loop, used } = meter.read()
  assert.ok(loop > 300 && loop < 5000, `${loop} ms late, before the loop could look itself`)
  assert.ok(used >= 0 && used <= 1)
  await pause(50)
  const after = meter.read()
  assert.ok(after.loop > 300 && after.loop < 5000, `${after.loop} ms late when it looked`)
  hold(200)
  await pause(100)
  assert.ok(meter.read().loop > 120, 'a busy loop is looked at often')
  await pause(600)
  assert.ok(meter.read().loop < 120, 'over')
  meter.close()
})

/** Nothing else runs for so many ms. */
function hold(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

test('the end', () => {
  rmSync(root, { recursive: true })
})

test.run()
