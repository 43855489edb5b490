// The amendments (spec B15) that are not told elsewhere, by their numbers. R4 R14 R15 R17: trust and threats-peer; R9 R13:
// keystore; R10 R11 R12 R16 R19: freshness; R18 R20: threats-peer, freshness and providers.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import { node, toHex } from './kit.ts'
import {
  ALL,
  answering,
  asAnswer,
  asEvent,
  asFailure,
  asking,
  asRequest,
  binding,
  type fileOf,
  introduce,
  kidOfSeed,
  MODES,
  meet,
  open,
  openAll,
  type Party,
  pair,
  party,
  protect,
  SEEDS,
  subscribe,
  telling,
} from './parties.ts'

type Reply = { reply: Dispatch }

test('R1 the id query is no signing oracle: what it signs answers nothing else', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const { outer, pending } = await protect(a, b, asking(['x']), 'sign')
  const transaction = outer.token?.[0] as string
  // The relay asks B in the name of A's transaction, with A's ref as nonce.
  const query = {
    method: 'GET',
    resource: ['sec', 'id'],
    timestamp: 1,
    token: [transaction],
    body: { nonce: pending?.ref as string },
  }
  const { reply } = (await open(b, query)) as Reply
  assert.is((reply.body as Json) ?? null, null, 'nothing of it stands in the outer one')
  asFailure(await open(a, reply, b.id), 'stray')
  const own = (await a.identity.begin(b.id, 'id')) as Dispatch
  const ownReply = ((await open(b, own)) as Reply).reply
  asFailure(await open(a, { ...ownReply, resource: [200, transaction, 'x'] }, b.id), 'shape')
  assert.is((await open(a, ownReply, b.id)).kind, 'learned')
  asFailure(await open(a, ownReply, b.id), 'stray')
})

test('R1 an answer counts in the protection of its request only', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  for (const asked of MODES) {
    for (const answered of MODES) {
      if (asked === answered) continue
      const request = asRequest(await open(b, (await protect(a, b, asking(['x']), asked)).outer))
      const other = asRequest(await open(b, (await protect(a, b, asking(['x']), answered)).outer))
      const { way } = other.arrived
      const wrong = { ...request, arrived: { ...request.arrived, way } }
      const reply = (await b.identity.answer(wrong, answering(request))) as Dispatch
      asFailure(await open(a, reply, b.id), 'stray')
      asAnswer(await open(a, (await b.identity.answer(request, answering(request))) as Dispatch, b.id))
    }
  }
})

test('R1 a newer context answers for an older one, an older one not for a newer', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const first = asRequest(await open(b, (await protect(a, b, asking(['x']), 'ctx')).outer))
  await a.clock.advance(1000)
  await meet(a, b)
  const second = asRequest(await open(b, (await protect(a, b, asking(['x']), 'ctx')).outer))
  const swap = (request: typeof first, by: typeof first) => ({
    ...request,
    arrived: { ...request.arrived, way: by.arrived.way },
  })
  asFailure(
    await open(a, (await b.identity.answer(swap(second, first), answering(second))) as Dispatch, b.id),
    'stray',
  )
  asAnswer(await open(a, (await b.identity.answer(swap(first, second), answering(first))) as Dispatch, b.id))
})

test('R2 refs differ by context, direction, counter and item', async () => {
  const { a, b } = await pair()
  const refs = new Set<string | undefined>()
  for (let renewal = 0; renewal < 2; renewal++) {
    await meet(a, b)
    for (let i = 0; i < 3; i++) {
      refs.add(
        toHex(await asRequest(await open(b, (await protect(a, b, telling(['x']), 'ctx')).outer)).ref()),
      )
    }
    const batch = a.identity.protectAll([telling(['x']), telling(['x'])], { key: b.id }) as {
      outer: Dispatch
    }
    for (const it of await openAll(b, batch.outer)) refs.add(toHex(await asRequest(it).ref()))
  }
  assert.is(refs.size, 10)
})

test('R3 hints: only where they fit, at most every 2 s; only GET and BIND are repeated; nothing is closed', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const hintFor = (outer: Dispatch, sec: string): Dispatch => {
    return { method: 'ANSWER', resource: [401, outer.token?.[0] as string, 'x'], timestamp: 1, body: { sec } }
  }
  for (const [dispatch, again] of [
    [asking(['x'], null, 'GET'), true],
    [binding(['x']), true],
    [asking(['x']), false],
    [asking(['x'], null, 'POST'), false],
    [asking(['x'], null, 'DELETE'), false],
  ] as [Dispatch, boolean][]) {
    const { outer, pending } = await protect(a, b, dispatch, 'ctx')
    asFailure(await open(a, hintFor(outer, 'prekey'), b.id), 'stray')
    assert.equal(await open(a, hintFor(outer, 'context'), b.id), {
      kind: 'hint',
      pending,
      need: 'context',
      again,
    })
    asFailure(await open(a, hintFor(outer, 'context'), b.id), 'stray')
    await a.clock.advance(2000)
    assert.is(a.identity.sizes.requests, 1)
    assert.is(a.identity.sizes.contexts, 1)
    const request = asRequest(await open(b, outer))
    asAnswer(await open(a, (await b.identity.answer(request, answering(request))) as Dispatch, b.id))
    if (pending) a.identity.close(pending)
  }
})

test('R3 a made-up hint does no harm: the first answer counts still, a repeated transaction is dropped', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const { outer, pending, watch } = await protect(a, b, binding(['x']), 'ctx')
  const request = asRequest(await open(b, outer))
  const feed = await b.identity.subscribed(request)
  const hint = {
    method: 'ANSWER',
    resource: [401, outer.token?.[0] as string, 'x'],
    timestamp: 1,
    body: { sec: 'context' },
  }
  assert.is((await open(a, hint, b.id)).kind, 'hint')
  await meet(a, b)
  const again = (await a.identity.again(pending as NonNullable<typeof pending>)) as { outer: Dispatch }
  asFailure(await open(b, again.outer), 'replay')
  assert.is(a.identity.sizes.watches, 2)
  const answer = asAnswer(
    await open(a, (await b.identity.answer(request, answering(request))) as Dispatch, b.id),
  )
  assert.is(a.identity.sizes.watches, 1)
  assert.is(
    asEvent(await open(a, (await b.identity.event(feed, telling(['x']))) as Dispatch, b.id)).watch,
    watch,
  )
  a.identity.close(answer.pending)
  assert.is(a.identity.sizes.requests, 0)
})

test('B11 after a reboot of the receiver: a hint, a new handshake, and the request goes through', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const { outer, pending } = await protect(a, b, asking(['x'], null, 'GET'), 'ctx')
  const b2 = await party(SEEDS.b, { clock: a.clock, knows: [{ key: a.signer.kid, name: 'a' }] })
  const said = asFailure(await open(b2, outer), 'context') as Dispatch
  assert.equal(said.body, { sec: 'context' })
  assert.is(said.sec, undefined)
  assert.is((await open(a, said, b.id)).kind, 'hint')
  // The challenge that A knows is that of before: one authentic 401 more, by which it learns the new one.
  const hello = (await a.identity.begin(b.id, 'context')) as Dispatch
  const refusal = asFailure(await open(b2, hello), 'challenge') as Dispatch
  assert.equal(await open(a, refusal, b.id), { kind: 'learned', author: b.id, what: 'challenge' })
  const second = (await a.identity.begin(b.id, 'context')) as Dispatch
  assert.equal(await open(a, ((await open(b2, second)) as Reply).reply, b.id), {
    kind: 'learned',
    author: b.id,
    what: 'context',
  })
  const again = (await a.identity.again(pending as NonNullable<typeof pending>)) as { outer: Dispatch }
  asRequest(await open(b2, again.outer))
})

test('B11 a prekey that was replaced: a hint, an id query, and again', async () => {
  const { a, b } = await pair()
  await introduce(a, b)
  const { outer, pending } = await protect(a, b, asking(['x'], null, 'GET'), 'seal')
  const b2 = await party(SEEDS.b, { clock: a.clock, knows: [{ key: a.signer.kid, name: 'a' }] })
  const said = asFailure(await open(b2, outer), 'prekey') as Dispatch
  const hint = await open(a, said, b.id)
  assert.equal(hint, { kind: 'hint', pending, need: 'id', again: true })
  await introduce(a, b2)
  asRequest(
    await open(
      b2,
      ((await a.identity.again(pending as NonNullable<typeof pending>)) as { outer: Dispatch }).outer,
    ),
  )
})

test('R5 reserved names come only from here', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  for (const name of ['re', 'sub', 'nch', 'ch', 'rk', 'via', 'orig', 'RE', 'Sub', 'ORIG']) {
    assert.throws(() => a.identity.protect({ ...telling(['x']), [name]: 1 }, { key: b.id }), /is reserved/)
    asFailure(await open(b, { ...telling(['x']), [name]: 1 }), 'shape')
  }
})

test('R6 verify first, then speak: with a bad signature nothing is said, whatever else is wrong', async () => {
  const { a, b } = await pair()
  const stranger = await party(SEEDS.c, { knows: [{ key: b.signer.kid, name: 'b' }] })
  await introduce(a, b)
  await introduce(stranger, b)
  const signed = (await protect(stranger, b, asking(['x']), 'sign')).outer
  const bad = { ...(signed.sec as object), sig: node.toText(new Uint8Array(64)) } as Json
  assert.is(asFailure(await open(b, { ...signed, sec: bad }), 'signature'), undefined)
  const said = asFailure(await open(b, signed), 'key') as Dispatch
  const answer = asAnswer(await open(stranger, said, b.id))
  assert.equal(answer.dispatch.body, { sec: 'key' })
  const sealed = (await protect(stranger, b, asking(['x']), 'seal')).outer
  const hidden = asFailure(await open(b, sealed), 'key') as Dispatch
  assert.is((hidden.sec as { m: string }).m, 'seal')
  assert.is(asAnswer(await open(stranger, hidden, b.id)).status, 401)
  const mute = (await protect(stranger, b, telling(['x']), 'seal')).outer
  assert.is(asFailure(await open(b, mute), 'key'), undefined)
})

test('R7 life of a context: 20 min where its key may act, 1 h where not; a newer one ends it in 30 s', async () => {
  const key = await kidOfSeed(SEEDS.a)
  const read: Parameters<typeof fileOf>[0][0] = {
    key,
    name: 'a',
    allow: [{ method: ['GET', 'BIND'], resource: ['...'] }],
  }
  for (const [knows, minutes] of [
    [{ key, name: 'a' }, 20],
    [read, 60],
  ] as const) {
    const { a, b } = await pair({ b: { knows: [knows] } })
    await meet(a, b)
    const get = async () => (await protect(a, b, asking(['x'], null, 'GET'), 'ctx')).outer
    const [early, late] = [await get(), await get()]
    await a.clock.advance(minutes * 60_000 - 1)
    asRequest(await open(b, early))
    await a.clock.advance(1)
    asFailure(await open(b, late), 'context')
    assert.equal(await a.identity.protect(telling(['x']), { key: b.id }), { kind: 'need', need: 'context' })
  }
  const { a, b } = await pair()
  await meet(a, b)
  const [one, two] = [
    (await protect(a, b, asking(['x']), 'ctx')).outer,
    (await protect(a, b, asking(['x']), 'ctx')).outer,
  ]
  await meet(a, b)
  await a.clock.advance(29_000)
  asRequest(await open(b, one))
  await a.clock.advance(1000)
  asFailure(await open(b, two), 'context')
  const made = await protect(a, b, telling(['x']), 'ctx')
  assert.is(made.renew, false)
  await a.clock.advance(15 * 60_000)
  assert.is((await protect(a, b, telling(['x']), 'ctx')).renew, true)
})

test('B6 at most 4 contexts per key and 16 unconfirmed; a key makes room only among its own', async () => {
  const seeds = Array.from({ length: 18 }, (_, i) => 0x80 + i)
  const knows = await Promise.all(
    seeds.map(async (seed) => ({ key: await kidOfSeed(seed), name: `p${seed}` })),
  )
  const hub = await party(SEEDS.b, { knows })
  const key = await kidOfSeed(SEEDS.b)
  const people: Party[] = []
  for (const seed of seeds)
    people.push(await party(seed, { clock: hub.clock, knows: [{ key, name: 'hub' }] }))
  const hello = async (from: Party) => {
    if (!hub) return undefined
    const made = (await from.identity.begin(hub.id, 'context')) as Dispatch
    return open(hub, made, from.id)
  }
  for (const it of people) await introduce(it, hub)
  for (const it of people.slice(0, 16)) assert.is((await hello(it))?.kind, 'reply')
  asFailure(await hello(people[16] as Party), 'full')
  await hub.clock.advance(5000)
  assert.is((await hello(people[3] as Party))?.kind, 'reply', 'in the place of its own')
  assert.is(hub.identity.sizes.contexts, 16)
  await hub.clock.advance(30_000)
  assert.is((await hello(people[16] as Party))?.kind, 'reply', 'those that were never confirmed end')
  const a = people[0] as Party
  for (let i = 0; i < 7; i++) await meet(a, hub)
  assert.ok((hub.identity.sizes.contexts as number) <= 5)
  asRequest(await open(hub, (await protect(a, hub, asking(['x']), 'ctx')).outer))
})

test('B6 nothing is pushed before the first dispatch of the other side has verified', async () => {
  const { a, b } = await pair()
  await introduce(a, b)
  await introduce(b, a)
  await open(b, (await a.identity.begin(b.id, 'context')) as Dispatch)
  assert.equal(await b.identity.protect(telling(['x']), { key: a.id }), { kind: 'need', need: 'context' })
})

test('R8 an unknown sub is dropped and is never a request; events match the endpoint; subscriptions survive a rekey', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const { feed } = await subscribe(a, b, ['x'])
  const stranger = { ...feed, ref: node.toText(node.random(16)) }
  asFailure(await open(a, (await b.identity.event(stranger, telling(['x']))) as Dispatch, b.id), 'stray')
  const wider = { ...feed, pattern: { ...feed.pattern, steps: [{ kind: 'any' as const }] } }
  asFailure(await open(a, (await b.identity.event(wider, telling(['y']))) as Dispatch, b.id), 'stray')
  const elsewhere = { ...feed, chan: node.toText(node.random(16)) }
  asFailure(await open(a, (await b.identity.event(elsewhere, telling(['x']))) as Dispatch, b.id), 'stray')
  await meet(a, b)
  await a.clock.advance(31_000)
  asEvent(await open(a, (await b.identity.event(feed, telling(['x']))) as Dispatch, b.id))
  const b2 = await party(SEEDS.b, { clock: a.clock, knows: [{ key: a.signer.kid, name: 'a' }] })
  assert.is(await b2.identity.event(feed, telling(['x'])), undefined, 'no context, no event')
})

test('R8 BIND in a context; in sign only what everybody may hear; not sealed', async () => {
  const key = await kidOfSeed(SEEDS.a)
  const allow = [...ALL, { method: ['BIND'], resource: ['news'], public: true }]
  const { a, b } = await pair({ b: { knows: [{ key, name: 'a', allow }] } })
  await meet(a, b)
  asFailure(await open(b, (await protect(a, b, binding(['x']), 'sign')).outer), 'mode')
  assert.throws(() => a.identity.protect(binding(['x']), { key: b.id, mode: 'seal' }), /not sealed/)
  const { feed } = await subscribe(a, b, ['news'], 'sign')
  const outer = (await b.identity.event(feed, telling(['news'], 'hello'))) as Dispatch
  assert.equal(outer.resource, ['news'])
  assert.is(asEvent(await open(a, outer, b.id)).dispatch.body, 'hello')
  asFailure(await open(a, outer, b.id), 'stray')
  assert.is(await b.identity.event(feed, telling(['x'])), undefined)
})

test('B8 RELEASE by the same key ends it, by another it finds nothing', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const { feed } = await subscribe(a, b, ['x'])
  const release = { ...binding(['x']), method: 'RELEASE' }
  const other = { ...binding(['y']), method: 'RELEASE' }
  assert.is(b.identity.feedOf(asRequest(await open(b, (await protect(a, b, other, 'ctx')).outer))), undefined)
  const request = asRequest(await open(b, (await protect(a, b, release, 'ctx')).outer))
  assert.is(b.identity.feedOf(request), feed)
  b.identity.unsubscribed(feed)
  assert.is(b.identity.sizes.feeds, 0)
  assert.is(a.identity.sizes.watches, 0)
})

test.run()
