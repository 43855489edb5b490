// Freshness, public events and what is left of the amendments (spec B7, B15: R10 to R12, R16, R18, R19).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch, Element, Json } from '../../src/core/dispatch.ts'
import { writeSec } from '../../src/identity/sec.ts'
import { makeSign } from '../../src/identity/sign-seal.ts'
import { readTrust } from '../../src/identity/trust-file.ts'
import { node, utf8 } from './kit.ts'
import {
  answering,
  asAnswer,
  asFailure,
  asking,
  asRequest,
  fileOf,
  introduce,
  isDelivered,
  kidOfSeed,
  MODES,
  meet,
  open,
  openAll,
  pair,
  party,
  protect,
  SEEDS,
  telling,
} from './parties.ts'

type Reply = { reply: Dispatch }

test('R10 64 starts per key, new ones are refused until two challenges have gone', async () => {
  const { a, b } = await pair({ b: { settings: { verify: { rate: 1e9, burst: 1e9 } } } })
  await introduce(a, b)
  const post = async () => {
    const { ch } = b.identity.describe() as { ch: string }
    const p = utf8('{"method":"PUT","resource":["x"],"timestamp":1}')
    const signing = { aud: b.signer.kid, b: node.random(8), n: 0, ch: node.fromText(ch), p }
    const { sec } = await makeSign(a.signer, signing)
    return open(b, { method: 'PUT', resource: ['x'], timestamp: 1, token: [], sec: writeSec(node, sec) })
  }
  for (let i = 0; i < 64; i++) asRequest(await post())
  asFailure(await post(), 'replay')
  await b.clock.advance(600_000)
  asFailure(await post(), 'replay')
  await b.clock.advance(600_000)
  asRequest(await post())
  assert.is(b.identity.sizes.windows, 1)
})

test('B7 the challenge: the current and the one before it, for 10 min each', async () => {
  const { a, b } = await pair()
  await introduce(a, b)
  const early = [1, 2, 3].map(() => protect(a, b, asking(['x']), 'sign'))
  const [first, second, third] = await Promise.all(early)
  asRequest(await open(b, first?.outer as Dispatch))
  await b.clock.advance(10 * 60_000)
  asRequest(await open(b, second?.outer as Dispatch))
  await b.clock.advance(10 * 60_000)
  const said = asFailure(await open(b, third?.outer as Dispatch), 'challenge') as Dispatch
  const answer = asAnswer(await open(a, said, b.id))
  assert.is(answer.retry, true)
  asRequest(await open(b, ((await a.identity.again(answer.pending)) as { outer: Dispatch }).outer))
})

/** An author who speaks to everybody, and one who listens. */
async function square(unconfirmed: 'drop' | 'accept' = 'drop') {
  const allow = [{ method: ['PUT'], resource: ['news'], public: true }]
  const key = await kidOfSeed(SEEDS.b)
  const listener = { knows: [{ key, name: 'b', allow }], settings: { unconfirmed } }
  return pair({ a: listener })
}

test('R11 public events: the author is asked once per start; what is older than its answer is stale; each once', async () => {
  const { a, b } = await square()
  const say = async (body: Json) => (await b.identity.publish(telling(['news'], body))) as Dispatch
  const old = [await say(0), await say(1)]
  const ask = await open(a, old[0] as Dispatch, b.id)
  assert.is(ask.kind, 'ask')
  assert.is((await open(a, old[1] as Dispatch, b.id)).kind, 'failed', 'one query at a time')
  const { reply } = (await open(b, (ask as { query: Dispatch }).query)) as Reply
  const results = await openAll(a, reply, b.id)
  assert.equal(
    results.map(({ kind }) => kind),
    ['learned', 'request', 'request'],
  )
  assert.equal(
    results.slice(1).map((it) => [asRequest(it).stale, asRequest(it).isPublic]),
    [
      [true, true],
      [true, true],
    ],
  )
  for (const outer of old) asFailure(await open(a, outer, b.id), 'replay')
  const news = await say(2)
  assert.is(asRequest(await open(a, news, b.id)).stale, false)
  asFailure(await open(a, news, b.id), 'replay')
  // Nothing of it may be redirected: a rule that is not public gives nothing.
  const other = (await b.identity.publish(telling(['door'], 1))) as Dispatch
  asFailure(await open(a, other, b.id), 'right')
  const reboot = await party(SEEDS.b, { clock: a.clock })
  assert.is(
    (await open(a, (await reboot.identity.publish(telling(['news'], 3))) as Dispatch, b.id)).kind,
    'ask',
  )
})

test('R11 public events of a start that is over, or of an author who can not be asked, are dropped or marked', async () => {
  for (const policy of ['drop', 'accept'] as const) {
    const { a, b } = await square(policy)
    const outer = (await b.identity.publish(telling(['news'], 1))) as Dispatch
    assert.is((await open(a, outer, b.id)).kind, 'ask')
    await a.clock.advance(10_000)
    const { late } = await a.identity.tick()
    assert.equal(
      late.map((it) => asRequest(it).stale),
      policy === 'accept' ? [true] : [],
    )
  }
  const { a, b } = await square()
  const outer = (await b.identity.publish(telling(['news'], 1))) as Dispatch
  const ask = (await open(a, outer, b.id)) as { query: Dispatch }
  const reboot = await party(SEEDS.b, { clock: a.clock })
  const results = await openAll(a, ((await open(reboot, ask.query)) as Reply).reply, b.id)
  assert.equal(
    results.map(({ kind }) => kind),
    ['learned'],
  )
})

test('R12 using a one-time challenge voids those issued before it to that key for that resource', async () => {
  const key = await kidOfSeed(SEEDS.a)
  const allow = [{ method: ['PUT'], resource: ['...'], fresh: 60 }]
  const { a, b } = await pair({ b: { knows: [{ key, name: 'a', allow }] } })
  await meet(a, b)
  const prepare = async (resource: Element[]) => {
    const { outer } = await protect(a, b, asking(resource), 'ctx')
    const { pending } = asAnswer(
      await open(a, asFailure(await open(b, outer), 'challenge') as Dispatch, b.id),
    )
    return ((await a.identity.again(pending)) as { outer: Dispatch }).outer
  }
  const [held, other, last] = [await prepare(['x']), await prepare(['y']), await prepare(['x'])]
  asRequest(await open(b, last))
  asFailure(await open(b, held), 'challenge')
  asRequest(await open(b, other))
})

test('R16 R19 an unprotected 101 closes nothing, an answer is as strong as its request', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const { outer, pending } = await protect(a, b, asking(['x']), 'seal')
  const end = { method: 'ANSWER', resource: [101, outer.token?.[0] as string, 'x'], timestamp: 1 }
  asFailure(await open(a, end, b.id), 'stray')
  const request = asRequest(await open(b, outer))
  assert.is(
    ((await b.identity.answer(request, answering(request))) as unknown as { sec: { m: string } }).sec.m,
    'seal',
  )
  assert.is(
    await b.identity.answer(
      { ...request, arrived: { ...request.arrived, way: undefined } },
      answering(request),
    ),
    undefined,
  )
  if (pending) a.identity.close(pending)
})

test('R18 anonymous id signatures are capped for all together', async () => {
  const { b } = await pair()
  let signed = 0
  for (let i = 0; i < 200; i++) {
    const body = { nonce: node.toText(node.random(16)) }
    const query = { method: 'GET', resource: ['sec', 'id'], timestamp: 1, token: [`t${i}`], body }
    if ((await open(b, query, `c${i}`)).kind === 'reply') signed++
  }
  assert.is(signed, 40)
  await b.clock.advance(1000)
  const query = {
    method: 'GET',
    resource: ['sec', 'id'],
    timestamp: 1,
    token: ['t'],
    body: { nonce: node.toText(node.random(16)) },
  }
  assert.is((await open(b, query)).kind, 'reply')
})

test('B9 design §9.17 anonymous rules: the id, and what the file says', async () => {
  const { a } = await pair()
  assert.is(a.identity.anonymous({ method: 'GET', resource: ['sec', 'id'], timestamp: 1 }), true)
  assert.is(a.identity.anonymous({ method: 'GET', resource: ['cafetera'], timestamp: 1 }), false)
  a.identity.retrust(readTrust(fileOf([], [{ method: ['GET'], resource: ['cafetera'] }]), 'trust.json'))
  assert.is(a.identity.anonymous({ method: 'GET', resource: ['cafetera'], timestamp: 1 }), true)
  assert.is(
    a.identity.anonymous({
      method: 'BIND',
      endpoint: { method: 'PUT', resource: ['cafetera'] },
      timestamp: 1,
    }),
    false,
  )
})

test('design §9.12 a relay can shorten a life, not lengthen it', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  for (const mode of MODES) {
    for (const [shown, left] of [
      [100, 100],
      [9000, 5000],
      [undefined, 5000],
    ] as const) {
      const { outer } = await protect(a, b, { ...telling(['x']), expires: 5000 }, mode)
      assert.is(outer.expires, 5000)
      assert.is(asRequest(await open(b, { ...outer, expires: shown } as Dispatch)).dispatch.expires, left)
    }
  }
  assert.not(isDelivered([]))
})

test.run()
