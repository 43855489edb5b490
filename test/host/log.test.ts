// The log: lines for machines and for people, the latest records, and bounds on all of it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemClock, TestClock } from '../../src/core/clock.ts'
import { Meters } from '../../src/core/meters.ts'
import {
  HostLog,
  KEPT,
  type Level,
  type LogOptions,
  type LogRecord,
  openDestination,
  openLog,
} from '../../src/host/log.ts'

/** This file started once more, as the program that logs. */
const CHILD = 'HORMIGA_TEST_LOG'
const ESCAPE = '\x1b['

async function open(options: Partial<LogOptions> = {}) {
  const clock = new TestClock()
  const meters = new Meters()
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line), close: async () => {} }
  const defaults = { level: 'info' as Level, format: 'auto' as const, terminal: false, colors: false }
  const log = await openLog({ ...defaults, clock, meters, destination, ...options })
  return { clock, meters, lines, log, json: () => lines.map((line) => JSON.parse(line)) }
}

test('where nobody looks every line is JSON, with time, level, text and fields', async () => {
  const { log, json, clock } = await open()
  log.warn('cafetera: down', { device: 'cafetera', state: 'down' })
  log.info('100% %s %d')
  assert.equal(json(), [
    { level: 'warn', time: clock.wall(), device: 'cafetera', state: 'down', msg: 'cafetera: down' },
    { level: 'info', time: clock.wall(), msg: '100% %s %d' },
  ])
})

test('on a terminal it can be read', async () => {
  const { log, lines } = await open({ terminal: true })
  log.error('it broke', { error: new Error('why'), device: 'robot' })
  const text = lines.join('')
  assert.match(text, /^\[\d\d:\d\d:\d\d\.\d{3}\] ERROR: it broke\n/)
  assert.match(text, /device: "robot"/)
  assert.match(text, /log\.test/, 'the stack is there')
  assert.not.ok(text.includes(ESCAPE))
  const coloured = await open({ terminal: true, colors: true })
  coloured.log.info('x')
  assert.ok(coloured.lines.join('').includes(ESCAPE))
})

test('the format can be told', async () => {
  const pretty = await open({ format: 'pretty' })
  pretty.log.info('x')
  assert.match(pretty.lines.join(''), / INFO: x/)
  const json = await open({ format: 'json', terminal: true })
  json.log.info('x')
  assert.is(json.json()[0].msg, 'x')
})

test('records below the level are left out; the level can change', async () => {
  const { log, json } = await open({ level: 'warn' })
  log.info('no')
  log.level = 'debug'
  log.debug('yes')
  assert.equal(
    json().map(({ msg }) => msg),
    ['yes'],
  )
  assert.is(log.records.length, 1)
})

test('the latest 500 records are kept', async () => {
  const { log } = await open()
  for (let index = 0; index < KEPT + 10; index++) log.info(`line ${index}`)
  assert.is(log.records.length, KEPT)
  assert.is(log.records[0]?.text, 'line 10')
  assert.is(log.records.at(-1)?.text, `line ${KEPT + 9}`)
})

test('§9.5 delivery of log reports is never logged', async () => {
  const { log, json } = await open()
  const got: LogRecord[] = []
  log.onRecord((record) => {
    got.push(record)
    log.info('a report was delivered')
  })
  log.info('something')
  assert.equal(
    got.map(({ text }) => text),
    ['something'],
  )
  assert.equal(
    log.records.map(({ text }) => text),
    ['something'],
  )
  assert.is(json().length, 1)
})

test('a reader that fails costs one line, not the caller', async () => {
  const { log, json } = await open()
  log.onRecord(() => {
    throw new Error('reader')
  })
  log.info('something')
  assert.equal(
    json().map(({ msg }) => msg),
    ['something', 'the reader of the log has failed'],
  )
  log.info('more')
  assert.is(log.records.length, 2)
})

test('the same text is written at most 20 times a minute, and what was held back is said', async () => {
  const { log, json, clock, meters } = await open()
  for (let index = 0; index < 50; index++) log.warn('again')
  log.info('other')
  assert.is(json().length, 21)
  assert.is(meters.read()['drop.log.repeated'], 30)
  await clock.advance(60_000)
  assert.is(json().at(-1).msg, '30 lines were held back, most repeated: again')
  log.warn('again')
  assert.is(json().length, 23)
  assert.is(clock.pending, 0)
})

test('no more than 1,000 different texts are written in a minute', async () => {
  const { log, json, clock } = await open()
  for (let index = 0; index < 1500; index++) log.warn(`text ${index}`)
  assert.is(json().length, 1000)
  await clock.advance(60_000)
  assert.match(json().at(-1).msg, /^500 lines were held back, more than 1000 different ones/)
})

test('a text of a stranger forges no line and steers no terminal', async () => {
  const { log, lines, json } = await open()
  log.info('a\nERROR: b\x1b[2J\x9b\x7f')
  assert.is(json()[0].msg, 'a\\nERROR: b\uFFFD[2J\uFFFD\uFFFD')
  const pretty = await open({ format: 'pretty' })
  pretty.log.info('x', { name: 'a\nb\x1b[2J', deep: { er: '\x1b[2J' } })
  assert.not.ok(pretty.lines.join('').includes(ESCAPE))
  assert.not.match(pretty.lines.join(''), /^b/m)
  log.info('x'.repeat(100_000))
  assert.ok((lines.at(-1)?.length ?? 0) < 2200)
})

test('fields that JSON cannot carry cost the fields, not the line', async () => {
  const { log, json } = await open()
  const circle: { self?: unknown } = {}
  circle.self = circle
  log.info('circle', circle)
  log.info('long', { list: Array.from({ length: 10 }, () => 'x'.repeat(1000)) })
  log.info('big', { count: 3n })
  assert.match(json()[0].left, /can't be written as JSON/)
  assert.match(json()[1].left, /longer than 8000/)
  assert.is(json()[2].count, '3')
})

test('a field cannot pass for the level, the time or the text', async () => {
  const { log, lines } = await open()
  log.info('text', { level: 'error', time: 1, msg: 'other', device: 'a' })
  const [line = ''] = lines
  assert.is(line.match(/"level"/g)?.length, 1)
  assert.is(JSON.parse(line).level, 'info')
  assert.is(JSON.parse(line).msg, 'text')
  assert.equal(log.records[0]?.fields, { level: 'error', time: 1, msg: 'other', device: 'a' })
})

test('after closing nothing is written and no timer is left', async () => {
  const { log, lines, clock } = await open()
  for (let index = 0; index < 25; index++) log.warn('again')
  await log.close()
  assert.match(lines.at(-1) ?? '', /5 lines were held back/)
  log.info('late')
  await log.close()
  assert.is(lines.length, 21)
  assert.is(clock.pending, 0)
})

test('everything is out when `close` resolves, also into a slow pipe', async () => {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    env: { ...process.env, [CHILD]: 'slow' },
  })
  let text = ''
  await once(child, 'spawn')
  await new Promise((done) => setTimeout(done, 300))
  child.stderr.on('data', (bytes) => {
    text += bytes
  })
  const [code] = await once(child, 'close')
  assert.is(code, 0, text.slice(-500))
  assert.is(text.trim().split('\n').length, 900)
})

test('a reader that never reads costs lines, not memory; one that is gone ends nothing', async () => {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    env: { ...process.env, [CHILD]: 'stuck' },
  })
  const [told] = await once(child.stdout, 'data')
  assert.ok(JSON.parse(told).drops > 100, String(told))
  child.stderr.destroy()
  const [code] = await once(child, 'exit')
  assert.is(code, 0)
})

/** `slow`: 900 lines at once, then the end. `stuck`: 4 MB that nobody reads, then goes on until its reader has gone. */
async function runChild(kind: string): Promise<void> {
  const meters = new Meters()
  const destination = openDestination(2, meters)
  const clock = new SystemClock()
  const log = new HostLog({ clock, meters, level: 'info', destination })
  const count = kind === 'slow' ? 900 : 0
  for (let index = 0; index < count; index++) log.info(`line ${index} ${'x'.repeat(500)}`)
  if (kind === 'stuck') {
    for (let index = 0; index < 2000; index++) destination.write(`${'x'.repeat(2000)}\n`)
    process.stdout.write(JSON.stringify({ drops: meters.read()['drop.log'] ?? 0 }))
    await new Promise((done) => setTimeout(done, 500))
    log.info('into the void')
  }
  await log.close()
  process.exit(0)
}

if (process.env[CHILD]) await runChild(process.env[CHILD])

test.run()
