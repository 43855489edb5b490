// LINK.md 3 and "Once only", with the worst node that keeps to it: it executes whatever arrives at once, also while answers
// are out, and remembers its last command only. Sessions break at any moment.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cborDecode } from '../../../src/bridges/serial/link/cbor.ts'
import { type Reply, Requests } from '../../../src/bridges/serial/link/requests.ts'
import type { Json } from '../../../src/core/dispatch.ts'
import type { LinkError } from '../../../src/device/link.ts'
import { TestClock } from './kit.ts'

type Word = 'move' | 'count' | 'stop' | 'get'

const METHODS = { move: 'PUT', count: 'POST', stop: 'POST', get: 'GET' } as const

/** Requests on a cable that a test opens and cuts. */
function bench(window = 3) {
  const clock = new TestClock()
  const wire: { tx: number; path: string; body: Json }[] = []
  const executed: string[] = []
  let kept = { tx: 0, content: '' }
  let arrived = 0
  let answered = 0
  const sender = {
    isUp: true,
    room: 90,
    get hasRoom() {
      return sender.isUp && wire.length - answered < window
    },
    send(payload: Uint8Array) {
      const [, tx, path, body = null] = cborDecode(payload) as [number, number, Json[], Json]
      wire.push({ tx, path: path.join('/'), body })
    },
    restart() {},
  }
  const requests = new Requests(clock, sender, 0.5, () => undefined)
  const outcomes = new Map<string, Reply | LinkError>()
  let count = 0
  return {
    executed,
    outcomes,
    wire,
    requests,
    ask(word: Word): string {
      const name = `${word} ${++count}`
      const ask = { method: METHODS[word], path: [word], body: name, ms: 1e6, urgent: word === 'stop' }
      requests.ask(ask).then(
        (reply) => outcomes.set(name, reply),
        (error) => outcomes.set(name, error),
      )
      return name
    },
    /** So many of those on the wire reach the node. */
    arrive(most: number) {
      for (; most > 0 && arrived < wire.length; most--, arrived++) {
        const { tx, path, body } = wire[arrived] as (typeof wire)[number]
        const content = JSON.stringify([path, body])
        if (path === 'get' || (kept.tx === tx && kept.content === content)) continue
        executed.push(body as string)
        kept = { tx, content }
      }
    },
    /** So many of those that reached it are answered. */
    answer(most: number) {
      for (; most > 0 && answered < arrived; most--) {
        requests.take((wire[answered++] as (typeof wire)[number]).tx, { status: 200, body: null })
      }
      requests.pump()
    },
    break(isReboot: boolean) {
      wire.length = arrived = answered = 0
      if (isReboot) kept = { tx: 0, content: '' }
      requests.up(isReboot)
      requests.pump()
    },
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('of what was sent only the last is asked again: an earlier one may have been done and forgotten', async () => {
  const { ask, arrive, break: cut, executed, outcomes, wire } = bench()
  const [first, last] = [ask('count'), ask('count')]
  arrive(2)
  cut(false)
  await settled()
  assert.equal(
    wire.map(({ body }) => body),
    [last],
  )
  assert.match((outcomes.get(first) as LinkError).message, /can no longer be found out/)
  arrive(1)
  assert.equal(executed, [first, last])
})

test('a stop that is asked again goes first, and what came after it is not repeated', async () => {
  const { ask, arrive, break: cut, executed, outcomes, wire } = bench()
  const [stop, after] = [ask('stop'), ask('count')]
  arrive(2)
  cut(false)
  await settled()
  assert.equal(
    wire.map(({ body }) => body),
    [stop],
  )
  assert.is((outcomes.get(after) as LinkError).code, 'lost')
  arrive(1)
  assert.equal(executed, [stop, after, stop])
})

test('whatever is asked, arrives and breaks: nothing but a stop is executed twice in a boot, and no POST over two', async () => {
  const word = fc.constantFrom<Word>('move', 'count', 'stop', 'get')
  const event = fc.oneof(
    fc.record({ ask: word }),
    fc.record({ arrive: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ answer: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ reboot: fc.oneof({ arbitrary: fc.constant(false), weight: 4 }, fc.constant(true)) }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 60 }),
      fc.integer({ min: 1, max: 3 }),
      async (events, window) => {
        const link = bench(window)
        let boot = 0
        const done = new Map<string, number[]>()
        const note = () => {
          for (const name of link.executed.splice(0)) done.set(name, [...(done.get(name) ?? []), boot])
        }
        for (const step of events) {
          if ('ask' in step) link.ask(step.ask)
          else if ('arrive' in step) link.arrive(step.arrive)
          else if ('answer' in step) link.answer(step.answer)
          else {
            note()
            link.break(step.reboot)
            if (step.reboot) boot++
          }
          await settled()
        }
        note()
        for (const [name, boots] of done) {
          if (name.startsWith('stop')) continue
          assert.is(new Set(boots).size, boots.length, `${name} twice in a boot`)
          if (name.startsWith('count')) assert.is(boots.length, 1, `${name} over two boots`)
        }
        link.requests.close()
      },
    ),
    { numRuns: 500, seed: 6 },
  )
})

test.run()
