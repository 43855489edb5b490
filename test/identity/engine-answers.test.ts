// Whole engines whose answers are swapped by the relay between them (spec B8, B12: T11).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch } from '../../src/core/dispatch.ts'
import { bent, inTime, isAnswer, neighbours } from './engine-kit.ts'
import { type Party, Town, uriOf } from './engines.ts'
import { MODES } from './parties.ts'

const TRANSACTION = 'the same for both'

/** A asks two others, who are trusted both, under one transaction id; the relay brings the answer of one as the other's. */
async function swapped(mode: (typeof MODES)[number]) {
  const place = new Town()
  const [a, b, c] = (await neighbours(place, ['a', 'b', 'c'])) as [Party, Party, Party]
  let held: Dispatch | undefined
  let isSwapping = false
  const tamper = bent((frame, raw) => {
    if (!isAnswer(frame) || frame.resource?.[1] !== TRANSACTION || frame.sec === undefined) return [raw]
    held ??= frame
    return isSwapping ? [held] : []
  })
  const relay = await place.plain({ name: 'relay', tamper })
  const ask = (name: 'b' | 'c', transaction?: string) => {
    const to = [relay.hop, name === 'b' ? b.hop : c.hop]
    return a.engine.get(uriOf(to, 'who/are'), { key: name, mode, transaction }).all()
  }
  for (const [name, { engine }] of [
    ['b', b],
    ['c', c],
  ] as const) {
    engine.own('who').handle('GET', ['are'], () => name)
    assert.is((await ask(name))[0]?.body, name)
  }
  const first = ask('b', TRANSACTION)
  await place.settle()
  assert.ok(held)
  isSwapping = true
  const second = ask('c', TRANSACTION)
  await place.advance(30_000)
  const answers = await Promise.all([first, second])
  await place.close()
  return answers
}

for (const mode of MODES) {
  test(`T11 the answer of another trusted engine under the same transaction id is none (${mode})`, async () => {
    for (const answers of await swapped(mode)) {
      const authentic = answers.filter((it) => it.authentic !== false)
      assert.equal(
        authentic.map(({ status }) => status),
        [504],
        JSON.stringify(answers),
      )
    }
  })
}

test('T11 two engines are asked under one transaction id: each answer counts for its own question', async () => {
  for (const mode of MODES) {
    const place = new Town()
    const [a, b, c] = (await neighbours(place, ['a', 'b', 'c'])) as [Party, Party, Party]
    const relay = await place.plain({ name: 'relay' })
    let release = () => {}
    const later = new Promise<void>((resolve) => {
      release = resolve
    })
    b.engine.own('who').handle('GET', ['are'], () => later.then(() => 'b'))
    c.engine.own('who').handle('GET', ['are'], () => 'c')
    const ask = (key: string, { hop }: Party) =>
      a.engine.get(uriOf([relay.hop, hop], 'who/are'), { key, mode, transaction: TRANSACTION }).first()
    const slow = ask('b', b)
    await place.settle()
    assert.is((await inTime(place, ask('c', c))).body, 'c', mode)
    release()
    assert.is((await inTime(place, slow)).body, 'b', mode)
    await place.close()
  }
})

test('T11 two questions to one engine under one transaction id: each has its own answer, crossed they are none', async () => {
  for (const mode of MODES) {
    const place = new Town()
    const [a, b] = (await neighbours(place, ['a', 'b'])) as [Party, Party]
    const kept: Dispatch[] = []
    let isCrossed = false
    const tamper = bent((frame, raw) => {
      const isOurs = isAnswer(frame) && frame.resource?.[1] === TRANSACTION && frame.sec !== undefined
      if (!isOurs) return [raw]
      kept.push(frame)
      return isCrossed ? [kept[0] as Dispatch] : [raw]
    })
    const relay = await place.plain({ name: 'relay', tamper })
    b.engine.own('who').handle('GET', ['...'], ({ dispatch }) => dispatch.resource?.[1] ?? null)
    const ask = (what: string, transaction: string) =>
      a.engine.get(uriOf([relay.hop, b.hop], `who/${what}`), { key: 'b', mode, transaction }).all()
    assert.is((await ask('first', TRANSACTION))[0]?.body, 'first')
    isCrossed = true
    const asking = ask('second', TRANSACTION)
    await place.advance(30_000)
    const authentic = (await asking).filter((it) => it.authentic !== false)
    assert.ok(
      authentic.every(({ status }) => status === 504),
      JSON.stringify(authentic),
    )
    await place.close()
  }
})

test.run()
