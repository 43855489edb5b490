// `["engine","saturation"]`: what it tells, when it is looked at, when it is reported.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import { Door } from '../../src/core/door.ts'
import { Meters } from '../../src/core/meters.ts'
import {
  exposeSaturation,
  type Saturation,
  type SaturationSettings,
  toSettings,
} from '../../src/host/saturation/index.ts'
import { makePi } from './saturation-tree.ts'

const SETTINGS = toSettings({}, Number)

function makeRig(settings: SaturationSettings = SETTINGS) {
  const computer = makePi()
  const clock = new TestClock()
  const logged: string[] = []
  const say = (text: string) => void logged.push(text)
  const log = { debug: say, info: say, warn: say, error: say }
  let ids = 0
  const random = { uuid: () => `id-${++ids}`, fraction: () => 0 }
  const door = new Door({ clock, log, random, meters: new Meters() }, { name: 'cocina' }, 'tcp')
  const owner = door.own('engine')
  let looks = 0
  const counts = () => ({ channels: ++looks && 12, subscriptions: 230, queued: 0, dispatches: looks * 850 })
  const resource = exposeSaturation(owner, {
    clock,
    log,
    settings,
    counts,
    sources: computer,
    meter: computer,
  })
  const seen: Saturation[] = []
  return {
    computer,
    clock,
    door,
    owner,
    resource,
    logged,
    seen,
    looks: () => looks,
    watch: () =>
      door.bind('engine/saturation', ({ dispatch }) => void seen.push(told(dispatch)), { observe: true }),
    get: async () => told(await door.get('engine/saturation').first()),
    /** The processors are as busy as that from now on. */
    load(part: number) {
      const ticks = () => {
        const at = clock.now() / 10
        computer.ticks({ busy: part * at, idle: 1e6 + (1 - part) * at })
      }
      Object.defineProperty(computer, 'follow', {
        configurable: true,
        value: (path: string) => {
          if (path === '/proc/stat') ticks()
          return computer.files[path]
        },
      })
    },
  }
}

function told({ body }: Pick<Dispatch, 'body'>): Saturation {
  return body as unknown as Saturation
}

test('GET tells what the design shows', async () => {
  const { computer, clock, load, get, resource } = makeRig()
  load(0.31)
  Object.assign(computer.files, {
    '/proc/pressure/cpu': 'some avg10=2.00 avg60=0 avg300=0 total=0\n',
    '/proc/pressure/memory': 'some avg10=0.00 avg60=0 avg300=0 total=0\n',
    '/sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
    '/sys/class/thermal/thermal_zone0/temp': '51234\n',
    '/sys/devices/platform/soc/soc:firmware/get_throttled': '0\n',
    '/proc/diskstats': ' 179 2 mmcblk0p2 1 1 1 1 1 1 1000 1 1 1 1\n',
  })
  await clock.advance(10_000)
  computer.traffic({ eth0: { rx: 12_501_000, tx: 1000 } })
  await clock.advance(1500)
  assert.equal(await get(), {
    cpu: {
      used: 0.31,
      each: [0.31],
      cores: 1,
      load: [0.9, 0.7, 0.5],
      pressure: 0.02,
      temperature: 51.234,
      throttled: false,
      undervoltage: false,
      wasUndervoltage: false,
    },
    ram: { used: 0.4, total: 1_024_000_000, available: 614_400_000, swap: 1_024_000, pressure: 0 },
    disk: { '/': { used: 0.5, total: 1_073_741_824, free: 536_870_912, inodes: 0.1, written: 512_000 } },
    network: { eth0: { used: 0.02, rx: 2_500_000, tx: 0, speed: 125_000_000, errors: 0 } },
    engine: {
      loop: 1,
      used: 0.1,
      rss: 80_000_000,
      channels: 12,
      subscriptions: 230,
      queued: 0,
      rate: 170,
    },
    saturation: 0.5,
    state: 'ok',
    cause: 'disk',
    draining: false,
  })
  resource.close()
})

test('nobody watches and all is ok: a look every 5 s; somebody is bound: every second', async () => {
  const { clock, looks, watch, resource } = makeRig()
  await clock.advance(1000)
  assert.is(looks(), 2, 'the second look comes soon: only then there are rates')
  await clock.advance(50_000)
  assert.is(looks(), 12)
  const binding = await watch()
  await clock.advance(10_000)
  assert.is(looks(), 22)
  binding.release()
  await clock.advance(50_000)
  assert.is(looks(), 32)
  resource.close()
})

test('GET takes a look when the last one is older than a second', async () => {
  const { clock, looks, get, resource } = makeRig()
  await clock.advance(6500)
  const before = looks()
  await Promise.all([get(), get(), get()])
  assert.is(looks(), before)
  await clock.advance(2000)
  await Promise.all([get(), get(), get()])
  assert.is(looks(), before + 1)
  resource.close()
})

test('reported every period while somebody is bound, also when nothing changes', async () => {
  const { clock, seen, watch, resource } = makeRig(toSettings({ period: 5000 }, Number))
  await watch()
  await clock.advance(20_000)
  assert.is(seen.length, 4)
  assert.is(seen[0]?.state, 'ok')
  resource.close()
})

test('a change of state is reported at once, and logged with its reason', async () => {
  const { computer, clock, seen, watch, logged, resource } = makeRig(toSettings({ period: 60_000 }, Number))
  await watch()
  await clock.advance(5000)
  assert.is(seen.length, 0, 'the period of 60 s is not over')
  computer.disk('/', 0.97, { files: 1000, ffree: 100 })
  await clock.advance(1000)
  assert.equal(
    seen.map(({ state, cause, saturation, disk }) => [state, cause, saturation, disk['/']?.state]),
    [['critical', 'disk', 0.97, 'critical']],
  )
  computer.disk('/', 0.5)
  await clock.advance(12_000)
  assert.equal([seen.length, seen.at(-1)?.state, seen.at(-1)?.disk['/']?.state], [2, 'ok', undefined])
  assert.equal(
    logged.filter((text) => text.startsWith('saturation')),
    ['saturation: critical: the disk / is 97 % full', 'saturation: ok again'],
  )
  resource.close()
})

test('a load that nobody watches is found within 5 s and followed every second until it is over', async () => {
  const { clock, load, looks, resource } = makeRig()
  load(0.1)
  await clock.advance(20_000)
  const idle = looks()
  load(1)
  await clock.advance(10_000)
  assert.is(resource.read().state, 'critical')
  assert.ok(looks() - idle >= 6, `${looks() - idle} looks`)
  load(0.1)
  await clock.advance(30_000)
  assert.is(resource.read().state, 'ok')
  const after = looks()
  await clock.advance(50_000)
  assert.is(looks() - after, 10)
  resource.close()
})

test('draining is told at once, and stays', async () => {
  const { clock, seen, watch, get, resource } = makeRig(toSettings({ period: 60_000 }, Number))
  await watch()
  resource.drain()
  assert.equal(
    seen.map(({ draining }) => draining),
    [true],
  )
  await clock.advance(2000)
  assert.is((await get()).draining, true)
  resource.close()
})

test('other settings hold from the next look on', async () => {
  const { clock, resource, get } = makeRig()
  await clock.advance(10_000)
  assert.is((await get()).state, 'ok')
  resource.adopt(toSettings({ thresholds: { disk: { warning: 0.4 } } }, Number))
  assert.is((await get()).disk['/']?.state, 'warning')
  resource.close()
})

test('what it tells is plain data, as every codec needs it', async () => {
  const { clock, get, resource } = makeRig()
  await clock.advance(3000)
  const value = await get()
  assert.equal(JSON.parse(JSON.stringify(value)), value as unknown as Json)
  resource.close()
})

test('closed, it leaves no timer and no file, and the owner of engine stays', async () => {
  const { computer, clock, owner, resource, door } = makeRig()
  await clock.advance(3000)
  resource.close()
  assert.is(clock.pending, 0)
  assert.is(computer.closed, 2, 'the files and the meter of the process')
  owner.handle('GET', ['x'], () => 'still there')
  assert.is((await door.get('engine/x').first()).body, 'still there')
  owner.close()
})

test.run()
