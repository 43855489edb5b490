// The resources below `engine`: read when asked, sampled only while somebody is bound, released with all that they held.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import { Door } from '../../src/core/door.ts'
import { Meters } from '../../src/core/meters.ts'
import type { LogRecord } from '../../src/host/log.ts'
import { type EngineFacts, exposeEngine } from '../../src/host/resources.ts'

const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

function makeRig() {
  const clock = new TestClock()
  let ids = 0
  const random = { uuid: () => `id-${++ids}`, fraction: () => 0 }
  const door = new Door({ clock, log: SILENT, random, meters: new Meters() }, { name: 'cocina' }, 'tcp')
  const reads: Record<string, number> = {}
  const values: Record<string, Json> = { peers: [], counters: {}, devices: {} }
  const read = (name: string) => () => {
    reads[name] = (reads[name] ?? 0) + 1
    return values[name] ?? name
  }
  const records: LogRecord[] = []
  let listener: (record: LogRecord) => void = () => {}
  let state: 'unsynced' | 'synced' = 'unsynced'
  const facts: EngineFacts = {
    summary: read('summary'),
    directory: read('directory'),
    things: read('things'),
    devices: read('devices'),
    bluetooth: read('bluetooth'),
    peers: read('peers'),
    counters: read('counters'),
    clock: () => ({ state, cause: '', wall: clock.wall(), uptime: clock.now(), step: null }),
    log: {
      records,
      onRecord: (given) => {
        listener = given
      },
    },
  }
  const resources = exposeEngine(door.own('engine'), clock, facts)
  const seen: Dispatch[] = []
  return {
    clock,
    door,
    reads,
    values,
    records,
    resources,
    seen,
    log: (record: LogRecord) => listener(record),
    sync: () => {
      state = 'synced'
    },
    watch: (point: string) => {
      return door.bind(`engine/${point}`, ({ dispatch }) => void seen.push(dispatch), { observe: true })
    },
  }
}

test('every point answers GET, and nothing else', async () => {
  const { door, values } = makeRig()
  values.summary = { name: 'cocina' }
  assert.equal((await door.get('engine').first()).body, { name: 'cocina' })
  for (const point of ['directory', 'things', 'devices', 'bluetooth', 'peers', 'counters', 'clock', 'log']) {
    assert.is((await door.get(['engine', point]).first()).status, 200, point)
    assert.is((await door.put(['engine', point]).first()).status, 404, point)
  }
})

test('peers, counters and the clock are not looked at while nobody is bound (design §9.5)', async () => {
  const { clock, reads, seen, watch } = makeRig()
  await clock.advance(60_000)
  assert.equal(reads, {})
  const { release } = await watch('counters')
  await clock.advance(3000)
  assert.equal(reads, { counters: 3 })
  assert.is(seen.length, 1, 'what has not changed is not reported again')
  release()
  await clock.advance(60_000)
  assert.equal(reads, { counters: 3 })
})

test('a change is reported once, from the engine', async () => {
  const { clock, values, seen, watch } = makeRig()
  await watch('peers')
  await clock.advance(1000)
  values.peers = [{ id: 'c1' }]
  await clock.advance(5000)
  assert.equal(
    seen.map(({ method, resource, body, from }) => ({ method, resource, body, from })),
    [[], [{ id: 'c1' }]].map((body) => ({
      method: 'PUT',
      resource: ['engine', 'peers'],
      body,
      from: ['cocina', 'engine'],
    })),
  )
})

test('the clock is reported when its state changes, not because time passes', async () => {
  const { clock, seen, sync, watch } = makeRig()
  await watch('clock')
  await clock.advance(10_000)
  sync()
  await clock.advance(10_000)
  assert.equal(
    seen.map(({ body }) => (body as { state: string }).state),
    ['unsynced', 'synced'],
  )
})

test('devices are reported when told, each log record as an event', async () => {
  const { resources, seen, log, watch } = makeRig()
  resources.devicesChanged()
  await watch('...')
  resources.devicesChanged()
  log({ time: 1, level: 'info', text: 'one' })
  log({ time: 2, level: 'info', text: 'one' })
  const told = seen.map(({ resource, event }) => [resource?.[1], event])
  assert.equal(told, [
    ['devices', undefined],
    ['log', true],
    ['log', true],
  ])
})

test('the log answers with the latest records that fit into a frame', async () => {
  const { door, records } = makeRig()
  assert.equal((await door.get('engine/log').first()).body, [])
  for (let time = 0; time < 500; time++) records.push({ time, level: 'info', text: 'x'.repeat(2000) })
  const body = (await door.get('engine/log').first()).body as LogRecord[]
  assert.is(body.at(-1)?.time, 499)
  assert.ok(body.length > 90 && JSON.stringify(body).length <= 200_000)
})

test('closed, it leaves no timer and gives the root back', async () => {
  const { clock, door, resources, watch } = makeRig()
  await watch('counters')
  resources.close()
  assert.is(clock.pending, 0)
  assert.is((await door.get('engine').first()).status, 404)
})

test.run()
