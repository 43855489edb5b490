// What a function of this process does when it is triggered, and the ANSWER that becomes of it (spec §4).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import type { Handler } from '../../src/core/owner.ts'
import { JstpError } from '../../src/core/status.ts'
import { NOTHING_LEFT, type Peer, Stage, settle } from './stage.ts'

/** Everybody goes, and time passes: no entry is left in any table. */
async function end(stage: Stage, ...peers: Peer[]): Promise<void> {
  for (const peer of peers) peer.cut()
  await stage.clock.advance(15_000)
  assert.equal(stage.left, NOTHING_LEFT)
}

const outcomes: [what: string, handler: Handler, told: [number, Json?][]][] = [
  ['a value', () => ({ on: true }), [[200, { on: true }]]],
  ['nothing', () => {}, [[200]]],
  ['a promise', async () => 5, [[200, 5]]],
  ['a promise of nothing', async () => {}, [[200]]],
  [
    'an error',
    () => {
      throw new Error('broken')
    },
    [[500, { message: 'broken' }]],
  ],
  [
    'a rejection',
    async () => {
      throw new Error('broken')
    },
    [[500, { message: 'broken' }]],
  ],
  [
    'no Error',
    () => {
      throw 'odd'
    },
    [[500, { message: 'odd' }]],
  ],
  [
    'a JstpError',
    () => {
      throw new JstpError(403, 'not you', { code: 'who' })
    },
    [[403, { message: 'not you', code: 'who' }]],
  ],
  [
    'a rejection with a JstpError',
    async () => {
      throw new JstpError(501, 'no')
    },
    [[501, { message: 'no' }]],
  ],
  [
    'answer() and a value',
    ({ answer }) => {
      answer(202, 'mine')
      return 'ignored'
    },
    [[202, 'mine']],
  ],
  [
    'answer() twice',
    ({ answer }) => {
      answer(202)
      answer(203)
    },
    [[202]],
  ],
  [
    'answer() and an error',
    ({ answer }) => {
      answer(202)
      throw new Error('after')
    },
    [[202]],
  ],
]

for (const [what, handler, expected] of outcomes) {
  test(`§4 a callback: ${what}`, async () => {
    const stage = new Stage()
    const asker = stage.pipe()
    stage.engine.own('root').handle('POST', ['x'], handler)
    const id = asker.ask('POST', ['root', 'x'])
    await settle(stage)
    assert.equal(asker.told(id), [...expected, [101]])
    await end(stage, asker)
  })
}

test('§4 a callback whose value no JSON can carry is 500, and nothing is left', async () => {
  const stage = new Stage()
  const asker = stage.pipe()
  const circle: { [name: string]: Json } = {}
  circle.circle = circle
  const owner = stage.engine.own('root')
  owner.handle('POST', ['now'], () => circle)
  owner.handle('POST', ['later'], async () => 10n as unknown as Json)
  for (const point of ['now', 'later']) {
    const id = asker.ask('POST', ['root', point])
    await settle(stage)
    assert.equal(asker.statuses(id), [500, 101])
    assert.is(asker.channel.open, 0)
  }
  await end(stage, asker)
})

test('§4 a callback that fails without being asked is logged with what it was for', async () => {
  const stage = new Stage()
  stage.engine.own('root').handle('POST', [], async () => {
    throw new Error('broken')
  })
  stage.pipe().say({ method: 'POST', resource: ['root'] })
  await settle(stage)
  assert.equal(
    stage.lines.filter((line) => line.startsWith('error')),
    ['error: a callback for POST failed: broken'],
  )
})

test('§4 a callback that never answers is answered for with 504', async () => {
  const stage = new Stage()
  const asker = stage.pipe()
  stage.engine.own('root').handle('POST', [], () => new Promise(() => {}))
  const id = asker.ask('POST', ['root'])
  await stage.clock.advance(10_000)
  assert.equal(asker.statuses(id), [504, 101])
  await end(stage, asker)
})

test.run()
