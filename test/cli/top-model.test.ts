// What engines tell of themselves and of their services, read with distrust (design §5).

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readFigures, readServices, sharesOf, urgency } from '../../src/cli/top-model.ts'
import { labelOf, replicaSource, type Source, showWay } from '../../src/cli/top-source.ts'
import type { Json } from '../../src/core/dispatch.ts'

const TOLD = {
  cpu: { used: 0.31, cores: 4, load: [0.9, 0.7, 0.5], temperature: 51.2, throttled: false },
  ram: { used: 0.42, total: 8e9, available: 4.6e9 },
  disk: {
    '/': { used: 0.63, total: 1e10, free: 3.7e9, inodes: 0.1 },
    '/data': { used: 0.99, total: 1e9, free: 1e7, state: 'critical' },
  },
  network: { eth0: { used: 0.12, rx: 1.2e6, tx: 3e4, speed: 1e7, errors: 0 } },
  engine: { loop: 1.4, rss: 61e6, channels: 12, subscriptions: 230, queued: 0, rate: 850 },
  saturation: 0.99,
  state: 'critical',
  cause: 'disk',
  draining: true,
}

function services(given: Record<string, number>): Json {
  const replicas = Object.entries(given).map(([at, count]) => {
    return { at, standing: 'good', state: 'ok', saturation: 0.2, open: 1, given: count }
  })
  return [{ name: 'docs', bound: 0, replicas }]
}

test('§5 figures are read as they are told, the cause with its disk', () => {
  const { cpu, ram, disks, links, engine, ...rest } = readFigures(TOLD)
  assert.equal(rest, { state: 'critical', cause: 'disk /data', saturation: 0.99, draining: true })
  assert.equal([cpu.used, cpu.cores, cpu.load, cpu.temperature], [0.31, 4, [0.9, 0.7, 0.5], 51.2])
  assert.equal([ram.used, ram.total, ram.available], [0.42, 8e9, 4.6e9])
  assert.equal(
    disks.map(({ name, used, state }) => [name, used, state]),
    [
      ['/', 0.63, 'ok'],
      ['/data', 0.99, 'critical'],
    ],
  )
  assert.equal([links[0]?.name, links[0]?.rx], ['eth0', 1.2e6])
  assert.equal([engine.rss, engine.channels, engine.rate], [61e6, 12, 850])
})

test('whatever comes instead of figures or services is taken for not told', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const figures = readFigures(value as Json)
      assert.ok(['ok', 'warning', 'critical'].includes(figures.state))
      assert.instance(readServices(value as Json, 0).services, Map)
      const inside = readFigures({ cpu: value, ram: value, disk: value, engine: value } as Json)
      for (const { used = 0 } of [inside.cpu, inside.ram, ...inside.disks]) assert.ok(used >= 0)
    }),
  )
  const { cpu, disks } = readFigures({
    cpu: { used: 'full', load: ['x', 1], temperature: null },
    disk: Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`/${i}`, {}])),
  })
  assert.equal([cpu.used, cpu.load, cpu.temperature], [undefined, [1], undefined])
  assert.is(disks.length, 64)
})

test('shares are of what was given lately; after one look of all, without a rate', () => {
  const first = readServices(services({ a: 100, b: 300 }), 1000)
  const last = readServices(services({ a: 130, b: 310 }), 5000)
  const once = sharesOf([first], 'relay')[0]
  assert.equal(
    once?.replicas.map(({ share, rate }) => [share, rate]),
    [
      [0.25, undefined],
      [0.75, undefined],
    ],
  )
  const [docs] = sharesOf([first, last], 'relay')
  assert.equal([docs?.name, docs?.of, docs?.rate], ['docs', 'relay', 10])
  assert.equal(
    docs?.replicas.map(({ share, rate }) => [share, rate]),
    [
      [0.75, 7.5],
      [0.25, 2.5],
    ],
  )
})

test('shares: a replica that is new or has started anew counts from 0; without traffic there is no share', () => {
  const first = readServices(services({ a: 100 }), 0)
  const [docs] = sharesOf([first, readServices(services({ a: 10, b: 30 }), 1000)], 'relay')
  assert.equal(
    docs?.replicas.map(({ share }) => share),
    [0.25, 0.75],
  )
  const [still] = sharesOf([first, readServices(services({ a: 100 }), 1000)], 'relay')
  assert.equal(
    still?.replicas.map(({ share, rate }) => [share, rate]),
    [[undefined, 0]],
  )
  assert.equal(sharesOf([], 'relay'), [])
})

test('critical is more urgent than offline, that more than a warning', () => {
  const figures = (state: string) => readFigures({ state })
  const all = ['ok', 'offline', 'critical', 'warning'].map((state) => ({
    at: state,
    figures: figures(state),
    ...(state === 'offline' && { offline: { since: 0, why: '' } }),
  }))
  const sorted = all.sort((a, b) => urgency(a) - urgency(b)).map(({ at }) => at)
  assert.equal(sorted, ['critical', 'offline', 'warning', 'ok'])
})

test('a replica is asked at the address that is told; what means something only there goes through there', () => {
  const here: Source = { at: '127.0.0.1:33333', to: [['127.0.0.1', 33_333, 'tcp']], kind: 'asked' }
  const there: Source = { at: 'pi', to: [['10.0.0.7', 33_333, 'tcp']], kind: 'asked' }
  const wayTo = (name: string, teller: Source) => replicaSource(name, teller, [])?.to
  assert.equal(wayTo('tcp:127.0.0.1:33334', here), [['127.0.0.1', 33_334, 'tcp']])
  assert.equal(wayTo('tcp:10.0.0.8:33333', there), [['10.0.0.8', 33_333, 'tcp']])
  assert.equal(wayTo('tcp:127.0.0.1:33334', there), [...there.to, ['127.0.0.1', 33_334, 'tcp']])
  assert.equal(wayTo('ws:::1:8080', here), [['::1', 8080, 'ws']])
  for (const name of ['c3 10.0.0.7:51234', 'tcp:x:0', 'tcp:x:99999', 'x', '']) {
    assert.is(wayTo(name, here), undefined, name)
  }
  assert.is(labelOf('ws:::1:8080'), '[::1]:8080:ws')
  assert.is(labelOf('c3 10.0.0.7:51234'), 'c3 10.0.0.7:51234')
  assert.is(showWay([['relay', 33_333, 'tcp'], 'cocina']), 'relay:33333,cocina')
})

test('a replica whose key is known at that address is asked under protection', () => {
  const teller: Source = { at: 'pi', to: [['10.0.0.7', 33_333, 'tcp']], kind: 'asked' }
  const key = { id: 'did:key:z6Mkx', kid: new Uint8Array(), name: 'sala', rights: [], isIssuer: false }
  const at = [['10.0.0.8', 33_333, 'tcp'] as [string, number, string]]
  const found = replicaSource('tcp:10.0.0.8:33333', teller, [{ ...key, at }])
  assert.equal(found?.key, { id: 'did:key:z6Mkx', name: 'sala' })
})

test.run()
