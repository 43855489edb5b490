// /metrics, /health, and the section `saturation` of the configuration.

import Ajv from 'ajv/dist/2020.js'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  findProblems,
  health,
  METRICS_TYPE,
  prometheus,
  type Saturation,
  saturationSchema,
  toSettings,
} from '../../src/host/saturation/index.ts'
import { THRESHOLDS } from '../../src/host/saturation/judge.ts'

const SATURATION: Saturation = {
  cpu: { used: 0.31, each: [0.5, 0.12], cores: 2, load: [0.9, 0.7, 0.5], throttled: true },
  ram: { used: 0.42, total: 1000, available: 580, swap: 0 },
  disk: {
    '/': { used: 0.63, total: 100, free: 37, written: 5 },
    '/media/a "b"\\c\nd': { used: 0, total: 1, free: 1 },
  },
  network: { eth0: { rx: 1.5, tx: 2, errors: 7 } },
  engine: { loop: 1.4, used: 0.1, rss: 80, channels: 12, subscriptions: 230, queued: 0, rate: 850 },
  saturation: 0.63,
  state: 'warning',
  cause: 'disk',
  draining: false,
}

const FACTS = {
  name: 'cocina',
  version: '0.1.0',
  uptime: 1500,
  saturation: SATURATION,
  meters: { 'drop.report': 3 },
  devices: {
    cafetera: { state: 'up', age: 250, counters: { broken: 2 } },
    robot: { state: 'down', age: null, counters: {} },
  },
}

test('/metrics: each family with its help and type, once, before its samples', () => {
  const text = prometheus(FACTS)
  assert.is(METRICS_TYPE, 'text/plain; version=0.0.4; charset=utf-8')
  assert.ok(text.endsWith('\n'))
  let family = ''
  const families = new Set<string>()
  for (const line of text.trimEnd().split('\n')) {
    const help = /^# HELP (\w+) \S/.exec(line)?.[1]
    if (help) {
      assert.not(families.has(help), help)
      families.add(help)
      family = help
    } else if (line.startsWith('#')) assert.match(line, new RegExp(`^# TYPE ${family} (gauge|counter)$`))
    else assert.match(line, new RegExp(`^${family}(\\{.*\\})? [-+.\\deInfNa]+$`))
  }
})

test('/metrics: values and labels, in base units; what is absent is left out', () => {
  const lines = prometheus(FACTS).split('\n')
  for (const line of [
    'hormiga_info{name="cocina",version="0.1.0"} 1',
    'hormiga_uptime_seconds 1.5',
    'hormiga_saturation_ratio 0.63',
    'hormiga_state{state="ok"} 0',
    'hormiga_state{state="warning"} 1',
    'hormiga_event_loop_delay_seconds 0.0014',
    'hormiga_cpu_core_used_ratio{core="1"} 0.12',
    'hormiga_cpu_throttled 1',
    'hormiga_cpu_load{minutes="15"} 0.5',
    'hormiga_disk_used_ratio{disk="/media/a \\"b\\"\\\\c\\nd"} 0',
    'hormiga_disk_written_bytes_total{disk="/"} 5',
    'hormiga_network_errors_total{interface="eth0"} 7',
    'hormiga_events_total{event="drop.report"} 3',
    'hormiga_device_up{device="cafetera"} 1',
    'hormiga_device_up{device="robot"} 0',
    'hormiga_device_age_seconds{device="cafetera"} 0.25',
    'hormiga_device_events_total{device="cafetera",event="broken"} 2',
  ]) {
    assert.ok(lines.includes(line), line)
  }
  const absent =
    /undefined|null|temperature|undervoltage|device_age_seconds\{device="robot"|network_speed|network_used/
  assert.not.match(lines.join('\n'), absent)
})

test('/health: 200 only while the data of every device is within its bound', () => {
  const up = { state: 'up', cause: 'connected', age: 15_000, bound: 15_000 }
  assert.equal(health({}), { status: 200, body: { ok: true, devices: {} } })
  assert.is(health({ a: up }).status, 200)
  for (const wrong of [
    { ...up, age: 15_001 },
    { ...up, age: null },
    { ...up, state: 'down', cause: 'unplugged' },
    { ...up, state: 'failed', age: null },
  ]) {
    const { status, body } = health({ a: up, b: wrong })
    assert.equal([status, body.ok, body.devices.a?.ok, body.devices.b?.ok], [503, false, true, false])
    assert.is(body.devices.b?.cause, wrong.cause)
  }
})

test('configuration: what is not said is as by default; times may be text', () => {
  const read = (time: string | number) => (time === '3s' ? 3000 : Number(time))
  assert.equal(toSettings({}, read), { period: 1000, disks: [], speeds: {}, thresholds: THRESHOLDS })
  const { period, thresholds } = toSettings(
    { period: '3s', thresholds: { ram: { warning: 0.5, rise: '3s' } } },
    read,
  )
  assert.is(period, 3000)
  assert.equal(thresholds, { ...THRESHOLDS, ram: { ...THRESHOLDS.ram, warning: 0.5, rise: 3000 } })
})

test('configuration: the schema takes what is right and nothing else', () => {
  const check = new Ajv({ strict: true, allowUnionTypes: true }).compile(saturationSchema)
  for (const right of [
    {},
    { period: '10s', disks: ['/mnt/data'], speeds: { wlan0: 50 } },
    { thresholds: { loop: { warning: 50, critical: 200, margin: 0.1, rise: '500ms', fall: 1000 } } },
  ]) {
    assert.ok(check(right), JSON.stringify([right, check.errors]))
  }
  for (const wrong of [
    { period: 'soon' },
    { period: 10 },
    { disks: ['mnt'] },
    { speeds: { wlan0: 0 } },
    { thresholds: { cpu: { warning: 80 } } },
    { thresholds: { gpu: {} } },
    { thresholds: { cpu: { margin: 1 } } },
    { unknown: 1 },
  ]) {
    assert.not(check(wrong), JSON.stringify(wrong))
  }
})

test('configuration: a warning above its critical is told with its place', () => {
  assert.equal(findProblems({}), [])
  assert.equal(
    findProblems({ thresholds: { ram: { warning: 0.96 }, cpu: { warning: 0.5, critical: 0.4 } } }),
    [
      { path: ['thresholds', 'cpu'], message: '"warning" (0.5) must not be above "critical" (0.4)' },
      { path: ['thresholds', 'ram'], message: '"warning" (0.96) must not be above "critical" (0.95)' },
    ],
  )
})

test.run()
