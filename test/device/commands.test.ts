import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Json } from '../../src/core/dispatch.ts'
import type { Request } from '../../src/core/owner.ts'
import { JstpError } from '../../src/core/status.ts'
import { Commands } from '../../src/device/commands.ts'

const FIVE_MINUTES = 300_000

function request(
  id: string | undefined,
  body: Json = { recipe: 1 },
  author?: string,
  channel = 'a',
): Request {
  const dispatch = {
    method: 'POST',
    resource: ['c', 'brew'],
    timestamp: 0,
    body,
    token: id === undefined ? [] : [id],
  }
  return { dispatch, params: {}, author, channel, answer() {} }
}

function bench(limit?: number) {
  const clock = new TestClock()
  const commands = new Commands(clock, limit)
  let executed = 0
  /** Executes a command that reaches the link. */
  const run = (asked: Request, reached = true, point = 'brew') =>
    commands.run(
      asked,
      point,
      async () => ++executed,
      () => reached,
    )
  return { clock, commands, run, executed: () => executed }
}

async function refusal(run: () => Promise<unknown>): Promise<JstpError> {
  try {
    await run()
  } catch (error) {
    return error as JstpError
  }
  throw new Error('it was accepted')
}

test('§9.7 a repeat is not executed again and gets the same answer, open or answered', async () => {
  const { commands, clock } = bench()
  let finish: (value: Json) => void = () => {}
  let executed = 0
  const execute = () => {
    executed++
    return new Promise<Json>((resolve) => {
      finish = resolve
    })
  }
  const first = commands.run(request('t'), 'brew', execute, () => true)
  const second = commands.run(request('t'), 'brew', execute, () => true)
  finish('made')
  assert.equal(await Promise.all([first, second]), ['made', 'made'])
  await clock.advance(FIVE_MINUTES - 1)
  assert.is(await commands.run(request('t'), 'brew', execute, () => true), 'made')
  assert.is(executed, 1)
})

test('§9.7 the same failure too, so that an uncertain command is not executed again', async () => {
  const { commands } = bench()
  let executed = 0
  const execute = async () => {
    executed++
    throw new JstpError(504, 'uncertain')
  }
  const first = await refusal(() => commands.run(request('t'), 'brew', execute, () => true) as Promise<Json>)
  const again = await refusal(() => commands.run(request('t'), 'brew', execute, () => true) as Promise<Json>)
  assert.is(first, again)
  assert.is(executed, 1)
})

test('§9.7 it is forgotten five minutes after its answer, and what is forgotten takes no room', async () => {
  const { clock, commands, run, executed } = bench()
  await run(request('t'))
  await clock.advance(FIVE_MINUTES - 1)
  await run(request('t'))
  assert.is(executed(), 1)
  await clock.advance(1)
  await run(request('t'))
  assert.is(executed(), 2)
  for (let id = 0; id < 50; id++) await run(request(`x${id}`))
  assert.is(commands.size, 51)
  await clock.advance(FIVE_MINUTES)
  await run(request('last'))
  assert.is(commands.size, 1)
  assert.is(clock.pending, 0)
})

test('§9.7 without an author a repeat is known across channels by its content', async () => {
  const { run, executed } = bench()
  await run(request('t', { recipe: 1 }, undefined, 'a'))
  await run(request('t', { recipe: 1 }, undefined, 'b'))
  assert.is(executed(), 1)
  await run(request('t', { recipe: 2 }, undefined, 'c'))
  await run(request('t', { recipe: 1 }, undefined, 'a'), true, 'stir')
  assert.is(executed(), 3)
})

test('§9.7 with an author, the same id with other content is 400; another author is another command', async () => {
  const { run, executed } = bench()
  await run(request('t', { recipe: 1, coffee: 2 }, 'ana'))
  await run(request('t', { coffee: 2, recipe: 1 }, 'ana'))
  assert.is(executed(), 1)
  const error = await refusal(() => run(request('t', { recipe: 2 }, 'ana')) as Promise<Json>)
  assert.is(error.status, 400)
  await run(request('t', { recipe: 2 }, 'eva'))
  assert.is(executed(), 2)
})

test('§9.7 only what reached the link is kept', async () => {
  const { commands, run, executed } = bench()
  await run(request('t'), false)
  assert.is(commands.size, 0)
  await run(request('t'), false)
  assert.is(executed(), 2)
})

test('§9.7 full within five minutes: refused, saying why; open ones count', async () => {
  const { clock, commands, run } = bench(3)
  const open = () => new Promise<Json>(() => {})
  void commands.run(request('3'), 'brew', open, () => true)
  for (const id of ['1', '2']) await run(request(id))
  const error = await refusal(async () => run(request('4')))
  assert.is(error.status, 500)
  assert.is(error.details.code, 'full')
  assert.match(error.message, /not executed: 3 commands/)
  assert.is(await run(request('1')), 1, 'a repeat still gets its answer')
  await clock.advance(FIVE_MINUTES)
  assert.is(await run(request('4')), 3)
  assert.is(commands.size, 2, 'the open one and the new one')
})

test('by default 4,096 are remembered, and huge ids and bodies take no room', async () => {
  const { commands, run } = bench()
  for (let id = 0; id < 4096; id++) await run(request(`${id}`))
  assert.is(commands.size, 4096)
  assert.is((await refusal(async () => run(request('one more')))).details.code, 'full')
  const other = bench()
  const huge = 'x'.repeat(1 << 16)
  await other.run(request(huge, huge, huge))
  await other.run(request(huge, huge, huge))
  assert.is(other.executed(), 1)
})

test('without a transaction id nothing can be a repeat', async () => {
  const { commands, run, executed } = bench()
  await run(request(undefined))
  await run(request(undefined))
  assert.is(executed(), 2)
  assert.is(commands.size, 0)
})

test('ids that look alike are told apart', async () => {
  const { run, executed } = bench()
  let id = 0
  for (const prefix of ['', 'a', 'aa', 'ä']) {
    for (let n = 0; n < 900; n++) await run(request(`${prefix}${n}`, n, 'ana'))
    id += 900
  }
  assert.is(executed(), id)
})

test.run()
