// heavy
// time limit: 120 s
// kill -9 of the broker and of either engine under load (design §9.22): a 2xx is one execution, nothing is carried out twice, and
// every question has an end that says what is known.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import { formatUri } from '../../src/index.ts'
import { endAll, Mosquitto, until } from '../bridges/mqtt/mosquitto.ts'
import { Gate } from '../transports/mqtt-gate.ts'
import { type AtBroker, hopTo, startAt } from '../transports/mqtt-kit.ts'
import { bundleApp } from './mesh-rig.ts'
import type { AppOptions } from './mqtt-app.ts'
import { makeFolder } from './rig.ts'

const LONG = process.env.HORMIGA_LONG !== undefined
const RATE = 1000
const SECONDS = LONG ? 60 : 4
const METHODS = ['POST', 'GET', 'PUT', 'POST', 'PATCH', 'DELETE']
const ONCE = new Set(['POST', 'PATCH'])

const children = new Set<ChildProcess>()
const engines = new Set<AtBroker>()
const folder = makeFolder()
const app = await bundleApp('mqtt-app')

test.after.each(async () => {
  for (const engine of engines) await engine.close()
  engines.clear()
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  await endAll()
})

test.after(() => rmSync(folder, { recursive: true, force: true }))

interface Question {
  method: string
  id: number
  at: number
  endedAt: number
  status: number
  body: Json | undefined
  answers: number
}

async function start(options: AppOptions): Promise<ChildProcess> {
  const child = spawn(process.execPath, [app, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  children.delete(child)
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** By method and id: the runs that have carried it out. */
function carriedOut(log: string): Map<string, string[]> {
  const done = new Map<string, string[]>()
  for (const line of linesOf(log)) {
    const [run = '', method, id] = line.split(' ')
    const key = `${method} ${id}`
    done.set(key, [...(done.get(key) ?? []), run])
  }
  return done
}

function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
}

/** Asks at that rate until the time is over; every question and its end. */
async function load(
  { engine }: AtBroker,
  port: number,
  { seconds = SECONDS, isSealed = false } = {},
): Promise<Question[]> {
  const at = formatUri({ to: hopTo(port, 'b'), resource: ['things'] })
  const questions: Question[] = []
  const protection = isSealed ? { key: 'b' } : {}
  await engine.get(at, protection).first()
  const begin = performance.now()
  const ask = (id: number) => {
    const method = METHODS[id % METHODS.length] as string
    const question: Question = {
      method,
      id,
      at: performance.now(),
      endedAt: 0,
      status: 0,
      body: null,
      answers: 0,
    }
    questions.push(question)
    const run = async () => {
      for await (const { status, body } of engine.ask(method, at, { body: id, ...protection })) {
        question.answers++
        question.status = status
        question.body = body
      }
      question.endedAt = performance.now()
    }
    run().catch((error: { status: number; body: Json }) => {
      question.endedAt = performance.now()
      question.answers++
      question.status = error.status
      question.body = error.body
    })
  }
  while (performance.now() - begin < seconds * 1000) {
    const due = ((performance.now() - begin) / 1000) * RATE
    while (questions.length < due) ask(questions.length)
    await pause(5)
  }
  await until('the end of every question', () => questions.every(({ endedAt }) => endedAt > 0), 30_000)
  return questions
}

/** What holds in any case. */
function judge(questions: Question[], log: string) {
  const done = carriedOut(log)
  const ends: Record<string, number> = {}
  for (const { method, id, status, body, answers } of questions) {
    const what = `${method} ${id}: ${status} ${JSON.stringify(body)}`
    assert.is(answers, 1, `${what}, ${answers} answers`)
    const code = (body as { code?: string } | null)?.code
    ends[status === 200 ? '200' : `${status} ${code}`] =
      (ends[status === 200 ? '200' : `${status} ${code}`] ?? 0) + 1
    if (method === 'GET' || method === 'DELETE') continue
    const runs = done.get(`${method} ${id}`) ?? []
    if (ONCE.has(method)) {
      assert.ok(runs.length <= 1, `${what}, carried out by ${runs}`)
      if (status === 200) assert.is(runs.length, 1, `${what}, never carried out`)
      if (code === 'unreachable') assert.is(runs.length, 0, `${what}, carried out by ${runs}`)
    } else {
      assert.is(new Set(runs).size, runs.length, `${what}, twice by one run: ${runs}`)
      if (status === 200) assert.ok(runs.length >= 1, `${what}, never carried out`)
    }
  }
  return ends
}

for (const [version, isSealed] of [
  ['5', false],
  ['3.1.1', false],
  ['5', true],
] as const) {
  const how = `MQTT ${version}${isSealed ? ', sealed' : ''}`
  test(`kill -9 of the broker, ${how}: nothing is lost while both engines live`, async () => {
    const broker = await Mosquitto.start()
    const log = join(folder, `broker-${version}-${isSealed}`)
    const gate = await Gate.to(broker.port, { isOld: version === '3.1.1' })
    await start({ what: 'serve', port: gate.port, log, run: 'one' })
    const a = await startAt('a', { port: gate.port, answerTimeout: 15_000 })
    engines.add(a)
    const loading = load(a, gate.port, { isSealed })
    await pause((SECONDS * 1000) / 3)
    await broker.kill()
    await pause(500)
    await broker.begin()
    const questions = await loading
    const ends = judge(questions, log)
    // Where the machine is so busy that the way is not found again in 5 s, who asks is told, and nothing is done.
    const { 200: done = 0, '502 unreachable': told = 0, ...others } = ends
    assert.equal(others, {}, JSON.stringify(ends))
    assert.ok(told < done / 4, JSON.stringify(ends))
    assert.ok(a.log.has(new RegExp(`by MQTT ${version}`)), a.log.lines.join('\n'))
    gate.close()
    const worst = Math.max(...questions.map(({ at, endedAt }) => endedAt - at))
    console.log(
      `note: broker killed at ${RATE}/s, ${how}: ${JSON.stringify(ends)}; longest ${Math.round(worst)} ms, ` +
        `${a.counted('mqtt.repeated')} answers came twice and were dropped`,
    )
  })
}

for (const isSealed of [false, true]) {
  const how = isSealed ? ', sealed' : ''
  test(`kill -9 of the engine that is asked${how}: once or not at all, and what may be repeated is repeated`, async () => {
    const broker = await Mosquitto.start()
    const log = join(folder, `receiver-${isSealed}`)
    const first = await start({ what: 'serve', port: broker.port, log, run: 'one' })
    const a = await startAt('a', { port: broker.port })
    engines.add(a)
    const loading = load(a, broker.port, { isSealed })
    await pause((SECONDS * 1000) / 3)
    await kill(first)
    await pause(500)
    await start({ what: 'serve', port: broker.port, log, run: 'two' })
    const questions = await loading
    const ends = judge(questions, log)
    // Of what is sealed only a GET is repeated (identity, R3), and what is protected for the run that has ended while the new one
    // is there already is answered by nobody.
    const codes = isSealed ? ['uncertain', 'timeout'] : ['uncertain']
    const mayRepeat = (method: string) => (isSealed ? method === 'GET' : !ONCE.has(method))
    for (const { method, status, body, id } of questions) {
      if (mayRepeat(method)) assert.is(status, 200, `${method} ${id}: ${status} ${JSON.stringify(body)}`)
      else if (status !== 200)
        assert.ok(codes.includes((body as { code: string }).code), `${method} ${id}: ${status}`)
    }
    assert.ok((ends['502 uncertain'] ?? 0) > 0, 'some were under way')
    console.log(`note: receiver killed at ${RATE}/s${how}: ${JSON.stringify(ends)}`)
  })
}

test('kill -9 of the engine that asks: what it was told is done, and nothing twice', async () => {
  const broker = await Mosquitto.start()
  const [log, told] = [join(folder, 'sender'), join(folder, 'told')]
  await start({ what: 'serve', port: broker.port, log, run: 'one' })
  const asker = await start({ what: 'ask', port: broker.port, log: told, run: 'x', rate: RATE })
  await pause(2000)
  await kill(asker)
  const next = await start({
    what: 'ask',
    port: broker.port,
    log: `${told}2`,
    run: 'y',
    rate: RATE,
    total: 500,
  })
  await until('the second has asked all', () => linesOf(`${told}2`).length === 500, 20_000)
  await kill(next)
  const done = carriedOut(log)
  const answered = linesOf(told).map((line) => line.split(' '))
  assert.ok(answered.length > 500, `only ${answered.length} answers`)
  for (const [status, id] of answered) {
    assert.is(status, '200')
    const most = Number(id) < 500 ? 2 : 1 // the second asks with the same numbers
    const times = done.get(`POST ${id}`)?.length ?? 0
    assert.is(times, most, `POST ${id}`)
  }
  for (const [key, runs] of done) assert.ok(runs.length <= (Number(key.slice(5)) < 500 ? 2 : 1), key)
  console.log(`note: sender killed at ${RATE}/s: ${answered.length} told 200, ${done.size} carried out`)
})

test.run()
