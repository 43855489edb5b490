// What of ours Home Assistant gets to see: the entities of every device there is, against what it documents.

import { readdirSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceEntries, type Entry } from '../../../src/app/directory.ts'
import { entriesOf } from '../../../src/bridges/mqtt/export/described.ts'
import { HomeDevice } from '../../../src/bridges/mqtt/export/device.ts'
import { Outbox } from '../../../src/bridges/mqtt/export/outbox.ts'
import { haUnit } from '../../../src/bridges/mqtt/export/units.ts'
import { Mapper } from '../../../src/bridges/mqtt/index.ts'
import type { Data } from '../../../src/bridges/mqtt/payload.ts'
import type { Json } from '../../../src/core/dispatch.ts'
import type { Profile } from '../../../src/device/index.ts'
import { NODE } from './export-kit.ts'
import { problemsOf } from './export-schema.ts'
import { BASE, CONFIG, end, stage } from './export-stage.ts'

const PLACE = { node: NODE, prefix: 'homeassistant', version: '1.2.3' }

test('the discovery of every device that there is has nothing that Home Assistant does not know', async () => {
  const names = readdirSync('devices', { withFileTypes: true }).flatMap((one) =>
    one.isDirectory() ? [one.name] : [],
  )
  for (const name of names) {
    const { default: profile } = (await import(`../../../devices/${name}/device.ts`)) as { default: Profile }
    const entries = entriesOf(deviceEntries(name, profile), name)
    const device = new HomeDevice(PLACE, { name, title: profile.title }, entries)
    const [told] = device.discovery()
    const payload = JSON.parse(String(told?.payload))
    assert.equal(problemsOf(payload), [], name)
    assert.ok(String(told?.payload).length < 65_536, name)
    assert.ok(Object.keys(payload.components).length > 2, name)
  }
})

test('every unit of the table is one of Home Assistant, in the class that it is said to be', () => {
  const units =
    '% ° °C °F K mV V mA A W kW Wh kWh Hz kHz Pa hPa kPa mbar bar lx µs ms s min h d mm cm m km mm/s m/s km/h mg g kg ml l l/min m³/h dB dBm ppm rpm B bit/s'
  const points = units.split(' ').map(
    (unit, i): Entry => ({
      resource: ['x', `p${i}`],
      methods: ['GET', 'BIND'],
      description: 'x',
      type: 'number',
      unit,
    }),
  )
  assert.ok(points.every(({ unit }) => haUnit(String(unit))))
  for (const methods of [['GET'], ['GET', 'PUT']]) {
    const entries = entriesOf(
      points.map((point) => ({ ...point, methods })),
      'x',
    )
    const [told] = new HomeDevice(PLACE, { name: 'x', title: 'x' }, entries).discovery()
    assert.equal(problemsOf(JSON.parse(String(told?.payload))), [])
  }
})

test('which entity a value becomes', () => {
  const entry = (point: string, methods: string[], more: object): Entry => ({
    resource: ['x', point],
    methods: [...methods, 'BIND'],
    description: point,
    ...more,
  })
  const entries = [
    entry('lit', ['GET'], { type: 'boolean' }),
    entry('lamp', ['GET', 'PUT'], { type: 'boolean' }),
    entry('heat', ['GET'], { type: 'number', unit: '°C' }),
    entry('feed', ['GET'], { type: 'number', unit: 'mm/min' }),
    entry('level', ['PUT'], { type: 'integer', range: [0, 9] }),
    entry('mode', ['GET'], { type: 'string', values: ['a', 'b'] }),
    entry('auto', ['GET', 'PUT'], { type: 'integer', values: [15, 30], unit: 'min' }),
    entry('name', ['GET', 'PUT'], { type: 'string', pattern: '[a-z]+' }),
    entry('words', ['GET'], { type: 'list' }),
    entry('alarms', ['GET'], { type: 'list' }),
    entry('any', ['GET'], { type: ['string', 'number'] }),
    entry('where', ['GET'], { type: 'object', fields: { x: { type: 'number', unit: 'mm' } } }),
    entry('set', ['GET', 'PATCH'], { type: 'object', fields: { on: { type: 'boolean' } } }),
    entry('blob', ['GET'], { type: 'object' }),
    entry('bell', ['GET'], { type: 'string', values: ['short', 'long'], event: true }),
    entry('fault', ['GET'], { type: 'object', event: true }),
    { resource: ['x', 'go'], methods: ['POST'], description: 'go' },
    {
      resource: ['x', 'cut'],
      methods: ['POST'],
      description: 'cut',
      body: { tool: { type: 'string', required: true, values: ['a'] } },
    },
    {
      resource: ['x', 'jog'],
      methods: ['POST'],
      description: 'jog',
      body: { feed: { type: 'number', required: true } },
    },
  ]
  const device = new HomeDevice(PLACE, { name: 'x', title: 'x' }, entriesOf(entries as Json, 'x'))
  const payload = JSON.parse(String(device.discovery()[0]?.payload))
  assert.equal(problemsOf(payload), [])
  const of = Object.fromEntries(
    Object.entries(payload.components as Record<string, Data>).map(([id, one]) => [
      id,
      [one.platform, one.name, one.device_class ?? '', one.unit_of_measurement ?? ''].join(' ').trim(),
    ]),
  )
  assert.equal(of, {
    lit: 'binary_sensor Lit',
    lamp: 'switch Lamp',
    heat: 'sensor Heat temperature °C',
    feed: 'sensor Feed (mm/min)',
    level: 'number Level',
    mode: 'sensor Mode enum',
    auto: 'select Auto (min)',
    name: 'text Name',
    words: 'sensor Words',
    alarms: 'binary_sensor Alarms problem',
    any: 'sensor Any',
    'where-x': 'sensor Where x distance mm',
    'set-on': 'switch Set on',
    bell: 'event Bell',
    fault: 'event Fault',
    go: 'button Go',
    'cut-tool': 'select Tool',
    cut: 'button Cut',
    last_refusal: 'sensor Last refusal',
  })
  assert.equal(
    device.omitted.map(({ id }) => id),
    ['blob', 'jog'],
  )
  assert.is(payload.components.level.state_topic, undefined)
  assert.equal(payload.components.bell.event_types, ['short', 'long', 'bell'])
})

test('what waits is bounded: of a state the latest, of events the latest 200', async () => {
  const sent: string[] = []
  let dropped = 0
  const waiting: (() => void)[] = []
  const outbox = new Outbox(
    ({ payload }) => {
      sent.push(payload)
      return new Promise((resolve) => waiting.push(resolve))
    },
    () => dropped++,
  )
  outbox.put({ topic: 'a', payload: 'before', retain: true })
  outbox.start()
  for (let i = 0; i < 1000; i++) {
    outbox.put(
      { topic: 's', payload: `s${i}`, retain: true },
      { topic: 'e', payload: `e${i}`, retain: false },
    )
  }
  assert.is(sent.length, 8)
  assert.is(outbox.size, 201)
  let isEmpty = false
  void outbox.empty().then(() => (isEmpty = true))
  while (waiting.length > 0) {
    waiting.shift()?.()
    await null
    await null
  }
  await null
  assert.ok(isEmpty)
  assert.not(sent.includes('before'))
  assert.is(sent.filter((one) => one === 's999').length, 1)
  assert.is(dropped + sent.filter((one) => one.startsWith('e')).length, 1000)
  assert.is(sent.at(-1) === 's999' || sent.at(-1) === 'e999', true)
})

test('C9.7 our own bridge understands every entity, and skips it for what it is', async () => {
  const all = await stage()
  const { broker } = all
  const bridge = (rename: boolean) => {
    const mapper = new Mapper({ name: 'sensores', allow: ['hormiga/#'] }, all.clock)
    mapper.connected()
    for (const [topic, payload] of broker.kept) {
      const said = rename
        ? payload.replace('"origin":{"name":"hormiga"', '"origin":{"name":"other"')
        : payload
      mapper.message({ topic, payload: new TextEncoder().encode(said), retained: true, qos: 1 })
    }
    return mapper
  }
  const own = bridge(false)
  assert.equal(own.devices(), {})
  assert.equal(own.refused().counts, { origin: 1 })

  const mapper = bridge(true)
  assert.equal(mapper.refused().list, [])
  const [id] = Object.keys(mapper.devices()) as [string]
  assert.is(id, `hormiga_${NODE}_cafetera`)
  const described = mapper.describe(id) as Record<string, Data>
  const config = JSON.parse(String(broker.kept.get(CONFIG)))
  for (const [component, { platform, name, command_topic, unit_of_measurement }] of Object.entries(
    config.components as Record<string, Data>,
  )) {
    const { description, unit, methods = [] } = described[component] ?? {}
    // A button has one facet, and no name of its own for it.
    assert.is(description, name, `${component}, a ${platform}`)
    assert.is(unit, unit_of_measurement)
    assert.is((methods as string[]).includes('PUT'), command_topic !== undefined, component)
  }
  assert.is(mapper.get(id, 'state').value, 'ready')
  assert.is(mapper.get(id, 'power').value, true)
  assert.is(mapper.get(id, 'progress').value, 0)
  assert.is(mapper.get(id, 'alarms').value, false)
  assert.is(mapper.get(id, 'settings-hardness').value, 2)
  assert.is(mapper.get(id, 'state').online, true)
  assert.equal(described.profile?.range, [1, 4])
  assert.ok(((described['brew-recipe']?.values ?? []) as string[]).includes('espresso'))
  assert.is(mapper.put(id, 'power', false).payload, 'OFF')
  assert.is(mapper.put(id, 'stop', 'press').payload, 'PRESS')
  assert.is(mapper.put(id, 'brew-recipe', 'espresso').topic, `${BASE}/cafetera/brew-recipe/set`)
  await end(all)
})

test.run()
