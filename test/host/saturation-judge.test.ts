// ok, warning and critical: thresholds, and hysteresis in level and in time.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Judge, THRESHOLDS } from '../../src/host/saturation/judge.ts'
import { type Metric, metricsOf } from '../../src/host/saturation/metrics.ts'
import type { Reading } from '../../src/host/saturation/sampler.ts'

const QUIET: Reading = {
  isWhole: true,
  cpu: { cores: 2, used: 0.1 },
  ram: { used: 0.3 },
  disk: { '/': { used: 0.5, inodes: 0.1, total: 1, free: 1 } },
  network: { eth0: { used: 0.01, errors: 0 } },
  engine: { loop: 1, used: 0.05, rss: 1, channels: 0, subscriptions: 0, queued: 0 },
}

/** Judges values of the CPU, one each second, by the usual thresholds: 0.8 and 0.95, 2 s up, 10 s down. */
function judgeCpu(values: (number | undefined)[]) {
  const judge = new Judge(THRESHOLDS)
  return values.map((used, second) => {
    const reading = { ...QUIET, cpu: { cores: 2, used } }
    return judge.judge(metricsOf(reading), second * 1000).state
  })
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

test('ok: saturation is the largest share, and the cause what it is of', () => {
  const verdict = new Judge(THRESHOLDS).judge(metricsOf(QUIET), 0)
  const { state, cause, saturation, states } = verdict
  assert.equal(
    { state, cause, saturation, states },
    { state: 'ok', cause: 'disk', saturation: 0.5, states: [] },
  )
})

test('what is no share does not count for saturation: temperature, lateness, pressure, flags', () => {
  const reading: Reading = {
    ...QUIET,
    cpu: { cores: 2, used: 0.1, temperature: 79, pressure: 0.9 },
    engine: { ...QUIET.engine, loop: 99 },
  }
  assert.is(new Judge(THRESHOLDS).judge(metricsOf(reading), 0).saturation, 0.5)
})

test('time: a state begins when its threshold has been reached for 2 s, a peak is none', () => {
  assert.equal(judgeCpu([0.96, 0.96, 0.96]), ['ok', 'ok', 'critical'])
  assert.equal(judgeCpu([0.8, 0.8, 0.8]), ['ok', 'ok', 'warning'])
  assert.equal(judgeCpu([0.96, 0.96, 0.1, 0.96, 0.96]), times(5, 'ok'))
  assert.equal(judgeCpu([0.9, 0.96, 0.96, 0.96]), ['ok', 'ok', 'warning', 'critical'])
})

test('level: a state ends 5 % below its threshold, not where it began', () => {
  const above = judgeCpu([...times(3, 0.8), ...times(20, 0.77)])
  assert.is(above.at(-1), 'warning')
  const below = judgeCpu([...times(3, 0.8), ...times(20, 0.75)])
  assert.is(below.at(-1), 'ok')
})

test('time: a state ends when it has been left for 10 s', () => {
  const states = judgeCpu([...times(3, 1), ...times(9, 0.1), 1, ...times(10, 0.1), 0.1])
  assert.is(states[11], 'critical')
  assert.is(states[22], 'critical', 'the peak has begun the time anew')
  assert.is(states.at(-1), 'ok')
})

test('a value that swings around the threshold changes the state once', () => {
  const states = judgeCpu([
    ...times(3, 0.81),
    ...Array.from({ length: 100 }, (_, i) => (i % 2 ? 0.81 : 0.78)),
  ])
  const changes = states.filter((state, index) => index > 0 && state !== states[index - 1])
  assert.equal(changes, ['warning'])
})

test('what could not be told changes nothing, and its time does not count', () => {
  assert.equal(judgeCpu([1, 1, undefined, 1, 1, 1]), ['ok', 'ok', 'ok', 'ok', 'ok', 'critical'])
  assert.is(judgeCpu([...times(3, 1), ...times(60, undefined)]).at(-1), 'critical')
})

test('the cause is the worst state, then what is furthest over', () => {
  const judge = new Judge(THRESHOLDS)
  const reading: Reading = {
    ...QUIET,
    ram: { used: 0.99, pressure: 0.3 },
    disk: {
      '/': { used: 0.86, total: 1, free: 1 },
      '/data': { used: 0.96, inodes: 0.9, total: 1, free: 1 },
    },
  }
  const first = judge.judge(metricsOf(reading), 0)
  assert.equal([first.state, first.cause], ['critical', 'disk'])
  assert.is(first.reason, 'the disk /data is 96 % full')
  assert.equal(first.states, [
    { section: 'ram', state: 'warning' },
    { section: 'disk', item: '/', state: 'warning' },
    { section: 'disk', item: '/data', state: 'critical' },
    { section: 'disk', item: '/data', state: 'warning' },
  ])
  const later = judge.judge(metricsOf(reading), 2000)
  assert.equal([later.state, later.cause, later.saturation], ['critical', 'ram', 0.99])
})

test('flags of a Pi are a warning at once', () => {
  const reading: Reading = { ...QUIET, cpu: { cores: 4, used: 0.1, throttled: false, undervoltage: true } }
  const { state, cause, reason } = new Judge(THRESHOLDS).judge(metricsOf(reading), 0)
  assert.equal([state, cause, reason], ['warning', 'cpu', 'the supply voltage is too low'])
})

test('a disk that nobody can write to is never full', () => {
  const full = { used: 1, inodes: 1, total: 1, free: 0, readonly: true } as const
  const { state, saturation } = new Judge(THRESHOLDS).judge(metricsOf({ ...QUIET, disk: { '/': full } }), 0)
  assert.equal([state, saturation], ['ok', 0.3])
})

test('a disk that vanishes takes its state with it', () => {
  const judge = new Judge(THRESHOLDS)
  const full = { ...QUIET, disk: { '/mnt': { used: 1, total: 1, free: 0 } } }
  assert.is(judge.judge(metricsOf(full), 0).state, 'critical')
  assert.is(judge.isTense, true)
  assert.is(judge.judge(metricsOf({ ...QUIET, disk: {} }), 1000).state, 'ok')
  assert.is(judge.isTense, false)
})

test('tense: while something is not ok, or about to be', () => {
  const judge = new Judge(THRESHOLDS)
  const at = (used: number, now: number) => {
    judge.judge(metricsOf({ ...QUIET, cpu: { cores: 1, used } }), now)
    return judge.isTense
  }
  assert.equal([at(0.5, 0), at(0.85, 1000), at(0.5, 2000)], [false, true, false])
})

test('a state where nothing can be told', () => {
  const none: Metric[] = metricsOf({ ...QUIET, cpu: { cores: 0 }, ram: {}, disk: {}, network: {} })
  const { state, saturation } = new Judge(THRESHOLDS).judge(none, 0)
  assert.equal([state, saturation], ['ok', 0.05])
})

test.run()
