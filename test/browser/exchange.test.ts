// heavy
// time limit: 60 s
// A page and Node understand each other: what one protects with its provider the other opens, both ways, in every mode.

import type { Page } from 'playwright-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch } from '../../src/core/dispatch.ts'
import {
  answering,
  asAnswer,
  asEvent,
  asking,
  asRequest,
  binding,
  kidOfSeed,
  MODES,
  open,
  type Party,
  party,
  protect,
  SEEDS,
  telling,
} from '../identity/parties.ts'
import { bundlePage, call, type Site, startSite } from './chromium.ts'
import type { Seen } from './page-party.ts'

interface Both {
  site: Site
  page: Page
  /** In Node. */
  node: Party
  /** The page, as Node's party names it. */
  other: Party
}

const test = suite('exchange', {} as Both)

test.before(async (context) => {
  const site = await startSite({ '/party.js': await bundlePage('test/browser/page-party.ts') })
  const page = await site.open('party')
  const node = await party(SEEDS.a, { knows: [{ key: await kidOfSeed(SEEDS.b), name: 'page' }] })
  const id = await call<string>(page, 'make', SEEDS.b, [...(await kidOfSeed(SEEDS.a))])
  Object.assign(context, { site, page, node, other: { id } as Party })
})

test.after(({ site }) => site?.close())

test('who they are, and a handshake that either begins', async ({ page, node, other }) => {
  for (const need of ['id', 'context'] as const) {
    const asked = await node.identity.begin(other.id, need)
    const { reply } = await openAtPage(page, asked)
    assert.equal(await open(node, reply as Dispatch), { kind: 'learned', author: other.id, what: need })
  }
  for (const need of ['id', 'context'] as const) {
    const asked = await call<Dispatch>(page, 'begin', need)
    const result = (await open(node, asked)) as Seen
    assert.is((await openAtPage(page, result.reply)).kind, 'learned')
  }
  // Who has begun it speaks first in it.
  asRequest(await open(node, await call(page, 'protect', telling(['hello']), 'ctx')))
})

for (const mode of MODES) {
  test(`${mode}: a question of Node's, and the answer of the page`, async ({ page, node, other }) => {
    const question = asking(['cafetera', 'estado'], { on: 'á' })
    const { outer } = await protect(node, other, question, mode)
    const { kind, dispatch, author } = await openAtPage(page, outer)
    assert.is(kind, 'request')
    assert.is(author, node.id)
    assert.equal(dispatch, question)
    const answer = asAnswer(await open(node, await call(page, 'answer')))
    assert.is(answer.author, other.id)
    assert.equal(answer.dispatch.body, { done: true })
  })

  test(`${mode}: a question of the page's, and the answer of Node`, async ({ page, node, other }) => {
    const question = asking(['cafetera', 'estado'], { on: 'ñ' })
    const request = asRequest(await open(node, await call(page, 'protect', question, mode)))
    assert.is(request.author, other.id)
    assert.equal(request.dispatch, question)
    const answer = await node.identity.answer(request, answering(request))
    const seen = await openAtPage(page, answer)
    assert.is(seen.kind, 'answer')
    assert.equal(seen.dispatch?.body, { done: true })
  })
}

test('ctx: events that Node sends to the page, and the page to Node', async ({ page, node, other }) => {
  const request = asRequest(await open(node, await call(page, 'protect', binding(['lamp', '...']), 'ctx')))
  const feed = await node.identity.subscribed(request)
  assert.is((await openAtPage(page, await node.identity.answer(request, answering(request)))).kind, 'answer')
  const made = await protect(node, other, binding(['fan', '...']), 'ctx')
  assert.is((await openAtPage(page, made.outer)).kind, 'request')
  await call(page, 'subscribed')
  asAnswer(await open(node, await call(page, 'answer')))
  for (let i = 0; i < 3; i++) {
    const event = await node.identity.event(feed, { ...telling(['lamp', 'level'], i), token: undefined })
    const seen = await openAtPage(page, event)
    assert.is(seen.kind, 'event')
    assert.is(seen.dispatch?.body, i)
    const heard = asEvent(await open(node, await call(page, 'event', ['fan', 'speed'], i)))
    assert.is(heard.dispatch.body, i)
    assert.is(heard.gap, 0)
  }
})

test('a byte that was changed on its way is opened by neither', async ({ page, node, other, site }) => {
  for (const mode of MODES) {
    const { outer } = await protect(node, other, asking(['lamp']), mode)
    assert.is((await openAtPage(page, bend(outer))).kind, 'failed', mode)
    const theirs = await call<Dispatch>(page, 'protect', asking(['lamp']), mode)
    assert.is((await open(node, bend(theirs))).kind, 'failed', mode)
  }
  assert.equal(site.errors, [])
})

async function openAtPage(page: Page, outer: Dispatch | undefined): Promise<Seen> {
  const results = await call<Seen[]>(page, 'open', outer)
  assert.is(results.length, 1)
  return results[0] as Seen
}

/** Another letter in the middle of what is signed or sealed. */
function bend(outer: Dispatch): Dispatch {
  const sec = { ...(outer.sec as { [name: string]: string }) }
  const field = sec.sig === undefined ? 'ct' : 'sig'
  const text = sec[field] as string
  sec[field] = `${text.slice(0, 20)}${text[20] === 'A' ? 'B' : 'A'}${text.slice(21)}`
  return { ...outer, sec }
}

test.run()
