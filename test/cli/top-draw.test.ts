// The picture of `hormiga top`: right at every size, with and without colours.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { drawPicture, type Picture } from '../../src/cli/top-draw.ts'
import { documentOf, engineLine } from '../../src/cli/top-json.ts'
import { type EngineView, readFigures, readServices, sharesOf } from '../../src/cli/top-model.ts'
import type { Frame } from '../../src/cli/top-parts.ts'
import { widthOf } from '../../src/cli/top-text.ts'
import type { Json } from '../../src/core/dispatch.ts'

const WALL = new Date(2026, 0, 31, 14, 3, 59).getTime()
const FRAME: Frame = { width: 80, height: 100, color: false, now: 10_000, wall: WALL }
// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of the picture
const COLOR = /\u001b\[[0-9;]+m/g

function engine(
  name: string,
  more: { [key: string]: Json } = {},
  view: Partial<EngineView> = {},
): EngineView {
  const told = {
    cpu: { used: 0.31, cores: 4, load: [0.9, 0.7, 0.5], temperature: 51.2 },
    ram: { used: 0.42, total: 8e9, available: 4.6e9 },
    disk: { '/': { used: 0.63, free: 3.7e9, inodes: 0.1 } },
    network: { eth0: { used: 0.12, rx: 1.2e6, tx: 3e4 } },
    engine: { loop: 1.4, rss: 61e6, channels: 12, subscriptions: 230, queued: 0, rate: 850 },
    saturation: 0.63,
    state: 'ok',
    cause: 'disk',
    ...more,
  }
  return { at: `10.0.0.7:${name.length}`, name, figures: readFigures(told), told, heardAt: 9500, ...view }
}

function painted(code: number, text: string): string {
  return `\u001b[${code}m${text}\u001b[0m`
}

const GONE = { offline: { since: WALL - 60_000, why: "Can't reach it: nobody listens there" } }

function picture(...engines: EngineView[]): Picture {
  const replicas = [
    { at: '10.0.0.7:6', standing: 'good', state: 'critical', saturation: 0.9, open: 3, given: 30 },
    { at: 'c3 10.0.0.8:51234', standing: 'away', state: 'ok', saturation: null, open: 0, given: 10 },
  ]
  const look = (given: number, at: number) => {
    const list = replicas.map((it) => ({ ...it, given: it.given * given }))
    return readServices([{ name: 'docs', replicas: list }], at)
  }
  const services = sharesOf([look(1, 0), look(2, 4000)], 'cocina')
  for (const { replicas } of services) Object.assign(replicas[0] as object, { name: 'cocina' })
  return { engines, services }
}

test('a block for each engine: bars, state, load, temperature, RSS, channels, dispatch rate', () => {
  assert.equal(drawPicture({ engines: [engine('cocina')], services: [] }, FRAME), [
    'hormiga top  14:03:59',
    '',
    '● cocina  10.0.0.7:6                                               ok: 63 % full',
    '  CPU          █████████░░░░░░░░░░░░░░░░░░░░░  31 %  51 °C · 4 cores',
    '  RAM          █████████████░░░░░░░░░░░░░░░░░  42 %  4.6 GB free · 8 GB in all',
    '  /            ███████████████████░░░░░░░░░░░  63 %  3.7 GB free',
    '  eth0         ████░░░░░░░░░░░░░░░░░░░░░░░░░░  12 %  ↓ 1.2 MB/s · ↑ 30 kB/s',
    '  load 0.9 0.7 0.5 · 61 MB RSS · 850 dispatches/s · 12 channels',
    '  230 subscriptions · loop 1.4 ms',
  ])
})

test('the replicas of a service: share of the traffic, state, saturation, rate', () => {
  const lines = drawPicture(picture(engine('cocina')), FRAME).slice(-3)
  assert.equal(lines, [
    `service docs at cocina${'10/s'.padStart(58)}`,
    '  cocina 10.0.0.7:6        ██████████░░░  75 %  critical  90 % · 7.5/s · 3 open',
    '  c3 10.0.0.8:51234        ███░░░░░░░░░░  25 %  away  2.5/s · 0 open',
  ])
})

test('state and cause are coloured: green, yellow, red; offline is red, and says since when and why', () => {
  const frame = { ...FRAME, color: true }
  const head = (view: EngineView) => drawPicture({ engines: [view], services: [] }, frame)[2] ?? ''
  assert.ok(head(engine('a')).includes(painted(32, 'ok: 63 % full')))
  const warning = head(engine('a', { state: 'warning', cause: 'ram' }))
  assert.ok(warning.includes(painted(33, 'warning: ram')))
  const disk = { '/data': { used: 0.99, state: 'critical' } }
  const full = engine('a', { disk, state: 'critical', draining: true })
  assert.ok(head(full).includes(painted(31, 'critical: disk /data')))
  assert.match(head(full), /, draining/)
  const lines = drawPicture({ engines: [engine('a', {}, GONE)], services: [] }, frame)
  assert.ok(lines[2]?.endsWith(painted(31, 'offline since 14:02:59')))
  assert.match(lines[3] ?? '', /nobody listens there/)
})

test('figures that are not of now say how old they are; before the first ones it is being asked', () => {
  const old = drawPicture({ engines: [engine('a', {}, { heardAt: 2000 })], services: [] }, FRAME)
  assert.match(old[2] ?? '', /ok: 63 % full 8 s ago$/)
  const asked = drawPicture({ engines: [{ at: 'pi' }], services: [] }, FRAME)
  assert.match(asked[2] ?? '', /^○ pi .* asking …$/)
})

test('undervoltage and throttling come first; inodes stand for a disk that has run out of them', () => {
  const more = {
    cpu: { used: 0.2, cores: 4, throttled: true, undervoltage: true, state: 'critical' },
    disk: { '/': { used: 0.2, inodes: 0.97, free: 1e9, state: 'warning' } },
  }
  const lines = drawPicture({ engines: [engine('a', more)], services: [] }, FRAME)
  assert.match(lines[3] ?? '', / 20 % {2}undervoltage · throttled$/)
  assert.match(lines[5] ?? '', / 97 % {2}inodes$/)
})

test('40 columns: every line fits, and the most telling is there', () => {
  const all = picture(engine('cocina'), engine('sala', {}, GONE))
  const lines = drawPicture(all, { ...FRAME, width: 40, hint: 'q ends' })
  for (const line of lines) assert.ok(widthOf(line) <= 40, line)
  const text = lines.join('\n')
  for (const part of [
    '31 %  51 °C',
    '42 %  4.6 GB free',
    '63 %  3.7 GB free',
    '12 %  ↓ 1.2 MB/s',
    'load 0.9',
  ]) {
    assert.ok(text.includes(part), `${part} in\n${text}`)
  }
  for (const part of ['61 MB RSS', '12 channels', '850 dispatches/s', 'offline', 'since 14:02:59', '75 %']) {
    assert.ok(text.includes(part), `${part} in\n${text}`)
  }
  assert.match(lines[0] ?? '', /q ends$/)
})

test('where blocks do not fit each engine is one line; with bars where there is room', () => {
  const all = { engines: [engine('cocina'), engine('sala', {}, GONE), engine('taller')], services: [] }
  const narrow = drawPicture(all, { ...FRAME, height: 10, width: 80 })
  assert.equal(narrow, [
    'hormiga top  14:03:59, 3 engines, 1 offline',
    '',
    '  ENGINE      CPU  RAM DISK  NET  °C  LOAD DISP/S  CHAN     RSS STATE',
    '● cocina      31%  42%  63%  12%  51   0.9    850    12   61 MB ok',
    '○ sala       since 14:02:59                                     offline',
    '● taller      31%  42%  63%  12%  51   0.9    850    12   61 MB ok',
  ])
  const wide = drawPicture(all, { ...FRAME, height: 10, width: 120 })
  assert.match(wide[3] ?? '', /^● cocina +██░░░░ {2}31% ███░░░ {2}42% .* ok: 63 % full$/)
  const tiny = drawPicture(all, { ...FRAME, height: 10, width: 40 })
  assert.match(tiny[3] ?? '', /^● cocina .*31% .*42% .*63% ok$/)
})

test('where not even these fit the urgent ones come first, and it says how much is not there', () => {
  const engines = Array.from({ length: 20 }, (_, i) => engine(`e${i}`))
  engines.push(engine('bad', { state: 'critical', cause: 'cpu' }), engine('gone', {}, GONE))
  const lines = drawPicture({ engines, services: [] }, { ...FRAME, height: 8 })
  assert.is(lines.length, 8)
  assert.match(lines[3] ?? '', /^● bad /)
  assert.match(lines[4] ?? '', /^○ gone /)
  assert.is(lines[7], '… 18 more lines: enlarge the window')
})

test('at every size, whatever others are called: no line too wide, none too many, no control of theirs', () => {
  const text = fc.string({ unit: 'binary', maxLength: 30 })
  const size = { width: fc.integer({ min: 1, max: 150 }), height: fc.integer({ min: 1, max: 60 }) }
  fc.assert(
    fc.property(
      fc.array(text, { maxLength: 4 }),
      text,
      fc.record(size),
      fc.boolean(),
      (names, why, { width, height }, color) => {
        const engines = names.map((name, i) => {
          const disk = { [name]: { used: i / 3, state: 'critical' } }
          const view = i === 2 ? { offline: { since: WALL, why } } : {}
          return engine(name, { disk, state: 'critical' }, { at: name, ...view })
        })
        const lines = drawPicture(picture(...engines), { ...FRAME, width, height, color })
        assert.ok(lines.length <= height)
        for (const line of lines) {
          const plain = line.replace(COLOR, '')
          assert.ok(widthOf(plain) <= width, `${widthOf(plain)} > ${width}: ${plain}`)
          assert.not.match(plain, /\p{C}/u)
        }
      },
    ),
  )
})

test('JSON: each engine with its figures as they came, how old they are, and since when it is offline', () => {
  const line = engineLine(engine('cocina'), 10_000)
  assert.equal([line.engine, line.at, line.online, line.age], ['cocina', '10.0.0.7:6', true, 500])
  assert.is((line.saturation as { state: string }).state, 'ok')
  const gone = engineLine(engine('sala', {}, GONE), 10_000)
  assert.equal([gone.online, gone.since], [false, new Date(WALL - 60_000).toISOString()])
  const { engines, services } = documentOf(picture(engine('cocina')), 10_000)
  assert.is(engines.length, 1)
  assert.equal(
    services[0]?.replicas.map(({ engine: name, share, rate, standing }) => [name, share, rate, standing]),
    [
      ['cocina', 0.75, 7.5, 'good'],
      [null, 0.25, 2.5, 'away'],
    ],
  )
})

test.run()
