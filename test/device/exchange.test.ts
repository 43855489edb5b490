import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import { Exchange, LinkError, PRIORITY } from '../../src/device/index.ts'

function bench() {
  const clock = new TestClock()
  const written: number[] = []
  let outcome: () => Promise<void> = () => Promise.resolve()
  const exchange = new Exchange<number>(clock, (bytes) => {
    written.push(bytes[0] ?? 0)
    return outcome()
  })
  const ask = (
    what: number,
    priority: (typeof PRIORITY)[keyof typeof PRIORITY] = PRIORITY.poll,
    timeout = 100,
  ) => exchange.ask({ bytes: Uint8Array.of(what), priority, timeout, match: (reply) => reply === what })
  return { clock, written, exchange, ask, fail: (error: Error) => (outcome = () => Promise.reject(error)) }
}

async function code(asked: Promise<unknown>): Promise<string> {
  try {
    await asked
  } catch (error) {
    return (error as LinkError).code
  }
  return 'none'
}

test('one request is under way at a time, the most important first', async () => {
  const { clock, written, exchange, ask } = bench()
  const first = ask(1, PRIORITY.background)
  const rest = [
    ask(2, PRIORITY.background),
    ask(3, PRIORITY.poll),
    ask(4, PRIORITY.command),
    ask(5, PRIORITY.command),
  ]
  await clock.advance(0)
  assert.equal(written, [1])
  for (const reply of [1, 4, 5, 3, 2]) {
    assert.is(exchange.take(reply), true)
    await clock.advance(0)
  }
  assert.equal(await Promise.all([first, ...rest]), [1, 2, 3, 4, 5])
  assert.equal(written, [1, 4, 5, 3, 2])
  assert.is(clock.pending, 0)
})

test('stop waits for nobody', async () => {
  const { clock, written, exchange, ask } = bench()
  const asked = [ask(1), ask(2, PRIORITY.command), ask(9, PRIORITY.stop)]
  assert.equal(written, [1, 9])
  exchange.take(9)
  exchange.take(1)
  await clock.advance(0)
  exchange.take(2)
  assert.equal(await Promise.all(asked), [1, 2, 9])
})

test('a reply that nobody waits for, or that comes too late, is not taken for another', async () => {
  const { clock, exchange, ask } = bench()
  assert.is(exchange.take(7), false)
  const late = code(ask(1))
  await clock.advance(100)
  assert.is(await late, 'timeout')
  const next = ask(2)
  await clock.advance(0)
  assert.is(exchange.take(1), false)
  exchange.take(2)
  assert.is(await next, 2)
  assert.is(clock.pending, 0)
})

test('when the link breaks, what was written is lost and what waited was never sent', async () => {
  const { clock, written, exchange, ask } = bench()
  const codes = [code(ask(1)), code(ask(2))]
  exchange.fail()
  assert.equal(await Promise.all(codes), ['lost', 'offline'])
  assert.equal(written, [1])
  await clock.advance(1000)
  assert.equal(written, [1], 'nothing is sent afterwards')
  assert.is(clock.pending, 0)
})

test('a failed write is the end of its request, not of the next', async () => {
  const { clock, ask, fail } = bench()
  fail(new LinkError('refused', 'no'))
  assert.is(await code(ask(1)), 'refused')
  assert.is(await code(ask(2)), 'refused')
  assert.is(clock.pending, 0)
})

test('the line is bounded', async () => {
  const { exchange, ask } = bench()
  const waiting = Array.from({ length: 80 }, (_, at) => code(ask(at)))
  assert.is(await (waiting.at(-1) as Promise<string>), 'offline')
  exchange.fail()
  const codes = await Promise.all(waiting)
  assert.is(codes.length, 80)
})

test.run()
