// Peers that go beyond their rights, pose as others, or exhaust (spec B12, T18 to T20).

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch, Element, Json } from '../../src/core/dispatch.ts'
import { judge, makeRight, mayHear, type RightData } from '../../src/identity/rights.ts'
import { readTrust } from '../../src/identity/trust-file.ts'
import { node } from './kit.ts'
import {
  asAnswer,
  asEvent,
  asFailure,
  asking,
  asRequest,
  binding,
  fileOf,
  isDelivered,
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

/** `+` granted, `-` denied. */
const BINDS: [allow: Element[], events: string[] | undefined, endpoint: [string, ...Element[]], '+' | '-'][] =
  [
    [['x'], undefined, ['PUT', 'x'], '+'],
    [['x'], undefined, ['PUT', 'y'], '-'],
    [['x'], undefined, ['POST', 'x'], '-'],
    [['x'], undefined, ['*', 'x'], '-'],
    [['x'], ['*'], ['*', 'x'], '+'],
    [['x'], ['PUT', 'POST'], ['POST', 'x'], '+'],
    [['x', '*'], undefined, ['PUT', 'x', 'y'], '+'],
    [['x', '*'], undefined, ['PUT', 'x', '*'], '+'],
    [['x', '*'], undefined, ['PUT', 'x', ':name'], '+'],
    [['x', '*'], undefined, ['PUT', 'x', '...'], '-'],
    [['x', 'y'], undefined, ['PUT', 'x', ':name'], '-'],
    [['x', '...'], undefined, ['PUT', 'x'], '+'],
    [['x', '...'], undefined, ['PUT', 'x', '...'], '+'],
    [['x', '...'], undefined, ['PUT', '...'], '-'],
    [['...', 'x'], undefined, ['PUT', 'x', 'x'], '+'],
    [['...'], undefined, ['PUT', '...'], '+'],
    [['...'], undefined, ['PUT', 'sec', 'stats'], '-'],
    [['sec', 'stats'], undefined, ['PUT', 'sec', 'stats'], '+'],
    [['\\*'], undefined, ['PUT', '*'], '-'],
  ]

test('T18 a table of patterns: what may be bound', async () => {
  const key = await kidOfSeed(SEEDS.a)
  for (const [resource, events, [method, ...elements], verdict] of BINDS) {
    const allow: RightData[] = [{ method: ['BIND'], resource, ...(events && { events }) }]
    const { a, b } = await pair({ b: { knows: [{ key, name: 'a', allow }] } })
    await meet(a, b)
    const made = await protect(a, b, binding(elements, method), 'ctx')
    const result = await open(b, made.outer)
    const name = JSON.stringify([resource, events, method, elements])
    assert.is(result.kind, verdict === '+' ? 'request' : 'failed', name)
    if (verdict === '-')
      assert.is(asAnswer(await open(a, asFailure(result, 'right') as Dispatch, b.id)).status, 403)
  }
})

test('T18 methods: `*` covers no BIND, RELEASE or ANSWER, and wildcards never reach sec', () => {
  const may = (allow: RightData, asked: Partial<Parameters<typeof judge>[1]>) =>
    judge([makeRight(allow)], { method: 'GET', mode: 'ctx', isPublic: false, ...asked }, () => false).kind
  const all = { method: ['*'], resource: ['...'] }
  assert.is(may(all, { method: 'PURGE', resource: ['x'] }), 'granted')
  assert.is(may(all, { method: 'BIND', endpoint: { method: 'PUT', resource: ['x'] } }), 'denied')
  assert.is(may(all, { method: 'PUT', resource: ['sec', 'trust'] }), 'denied')
  assert.is(may({ method: ['GET'], resource: ['sec', '...'] }, { resource: ['sec', 'stats'] }), 'granted')
  assert.is(
    may({ method: ['GET'], resource: ['a', '...', 'z'] }, { resource: ['a', 'z', 'b', 'z'] }),
    'granted',
  )
  assert.is(may({ method: ['GET'], resource: ['a', '...', 'z'] }, { resource: ['a', 'z', 'b'] }), 'denied')
  assert.is(may({ method: ['GET'], resource: ['x', '7'] }, { resource: ['x', 7] }), 'granted')
  assert.is(may(all, { resource: ['x'], isPublic: true }), 'denied')
  assert.is(may({ ...all, public: true }, { resource: ['x'], isPublic: true }), 'granted')
})

test('T18 property: what is pushed to a subscriber is within what it may bind', () => {
  const element = fc.constantFrom<Element>('a', 'b', 'sec', 1)
  const pattern = fc.array(fc.oneof(element, fc.constantFrom('*', '...', ':n')), {
    minLength: 1,
    maxLength: 4,
  })
  const resource = fc.array(element, { minLength: 1, maxLength: 5 })
  const property = fc.property(pattern, pattern, resource, (allowed, bound, at) => {
    const right = makeRight({ method: ['BIND'], resource: allowed })
    const asked = {
      method: 'BIND',
      endpoint: { method: 'PUT', resource: bound },
      mode: 'ctx' as const,
      isPublic: false,
    }
    if (judge([right], asked, () => false).kind !== 'granted') return
    // Whatever the endpoint matches is within the rule; `sec` again only by name.
    const isBound = mayHear([makeRight({ method: ['BIND'], resource: bound })], 'PUT', at, 'ctx')
    if (isBound) assert.ok(mayHear([right], 'PUT', at, 'ctx'))
  })
  fc.assert(property, { numRuns: 3000 })
})

test('T18 a right that is taken away ends events, contexts and subscriptions at once', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const { feed } = await subscribe(a, b, ['x', '...'])
  asEvent(await open(a, (await b.identity.event(feed, telling(['x', 'y']))) as Dispatch, b.id))
  const narrow = { method: ['BIND'], resource: ['x', 'z'] }
  const reload = (allow: RightData[]) =>
    b.identity.retrust(readTrust(fileOf([{ key: a.signer.kid, name: 'a', allow }]), 'trust.json'))
  reload([narrow])
  assert.is(await b.identity.event(feed, telling(['x', 'y'])), undefined)
  assert.ok(await b.identity.event(feed, telling(['x', 'z'])))
  asFailure(await open(b, (await protect(a, b, asking(['x']), 'ctx')).outer), 'right')
})

test('T18 the same 403 whether or not there is such a thing', async () => {
  const key = await kidOfSeed(SEEDS.a)
  const { a, b } = await pair({ b: { knows: [{ key, name: 'a', allow: [] }] } })
  await meet(a, b)
  const bodies = new Set<string>()
  for (const resource of [['cafetera'], ['nothing', 'like', 'it'], ['sec', 'trust']]) {
    const said = asFailure(
      await open(b, (await protect(a, b, asking(resource), 'ctx')).outer),
      'right',
    ) as Dispatch
    bodies.add(JSON.stringify(asAnswer(await open(a, said, b.id)).dispatch.body))
  }
  assert.is(bodies.size, 1)
})

test('T19 all pairs of 3 engines cross-posting', async () => {
  const seeds = [SEEDS.a, SEEDS.b, SEEDS.c]
  const keys = await Promise.all(seeds.map(kidOfSeed))
  const people: Party[] = []
  for (const seed of seeds) {
    const knows = keys.map((key, i) => ({ key, name: `p${i}` })).filter((_, i) => seeds[i] !== seed)
    people.push(await party(seed, { knows }))
  }
  for (const from of people) for (const to of people) if (from !== to) await meet(from, to)
  for (const from of people) {
    for (const to of people) {
      if (from === to) continue
      for (const mode of MODES) {
        const { outer } = await protect(from, to, asking(['x']), mode)
        for (const other of people) {
          if (other !== to) assert.not(isDelivered(await openAll(other, outer)), 'at another')
        }
        if (mode === 'sign') {
          for (const other of people) {
            if (other === from) continue
            const kid = node.toText(other.signer.kid)
            assert.not(
              isDelivered(await openAll(to, { ...outer, sec: { ...(outer.sec as object), kid } as Json })),
            )
          }
        }
        assert.is(asRequest(await open(to, outer)).author, from.id)
      }
    }
  }
})

test('T19 orig: its author and the server are told apart; altered, missing, foreign, repeated ones', async () => {
  const [keyA, keyB, keyC] = await Promise.all([SEEDS.a, SEEDS.b, SEEDS.c].map(kidOfSeed))
  const known = (key: Uint8Array | undefined, name: string) => ({ key: key as Uint8Array, name })
  const a = await party(SEEDS.a, { knows: [known(keyB, 'b'), known(keyC, 'c')] })
  const b = await party(SEEDS.b, { knows: [known(keyA, 'a'), known(keyC, 'c')] })
  const c = await party(SEEDS.c, { knows: [known(keyA, 'a'), known(keyB, 'b')] })
  await meet(a, b)
  await meet(c, b)
  await meet(c, a)
  const { feed } = await subscribe(a, b, ['x'])
  const post = async (mode: 'sign' | 'seal' | 'ctx', body: Json, to = b) =>
    asRequest(await open(to, (await protect(c, to, telling(['x'], body), mode)).outer, c.id))
  const push = async (body: Json, origin?: Awaited<ReturnType<typeof post>>) =>
    openAll(a, (await b.identity.event(feed, telling(['x'], body), origin)) as Dispatch, b.id)

  const signed = await post('sign', 1)
  const told = asEvent((await push(1, signed))[0])
  assert.is(told.author, c.id)
  assert.is(told.server, b.id)
  assert.not(isDelivered(await push(1, signed)), 'once only')
  assert.not(isDelivered(await push(2, await post('sign', 3))), 'another content')
  for (const mode of ['seal', 'ctx'] as const) {
    const event = asEvent((await push(4, await post(mode, 4)))[0])
    assert.is(event.author, b.id, 'what can not be proven is the server’s word')
  }
  // What C has signed for A itself is nothing that B may pass on.
  const forA = await post('sign', 5, a)
  assert.not(isDelivered(await push(5, forA)))
  const broken = await post('sign', 6)
  const { signed: sec } = broken.arrived
  assert.ok(sec)
  const bent = {
    ...broken,
    arrived: { ...broken.arrived, signed: { ...(sec as object), n: 99 } as typeof sec },
  }
  assert.not(isDelivered(await push(6, bent)))
  assert.is(asEvent((await push(7))[0]).author, b.id)
})

test('T20 a hundred thousand bad dispatches: bounded, and the honest are served', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const signed = (await protect(a, b, asking(['x']), 'sign')).outer
  const context = (await protect(a, b, asking(['x']), 'ctx')).outer
  const before = b.identity.sizes
  const heap = process.memoryUsage().heapUsed
  let closes = 0
  for (let i = 0; i < 100_000; i++) {
    const outer = [signed, context][i % 2] as Dispatch
    const bent: Json =
      i % 2 === 0
        ? { ...(outer.sec as object), kid: node.toText(node.random(32)) }
        : { ...(outer.sec as object), i: node.toText(node.random(8)) }
    const results = b.identity.open({ ...outer, sec: bent }, { channel: 'bad', isRelay: false })
    const [result] = results as { kind: string; close?: boolean }[]
    if (result?.close) closes++
    assert.is(result?.kind, 'failed')
  }
  const { budgets, bad, ...rest } = b.identity.sizes
  const { budgets: _, bad: __, ...restBefore } = before
  assert.equal(rest, restBefore, 'no table has grown')
  assert.ok((budgets as number) <= 3 && (bad as number) <= 2)
  assert.ok(process.memoryUsage().heapUsed - heap < 64 << 20)
  assert.ok((b.meters.read()['sec.budget'] as number) > 40_000, 'most were never verified')
  assert.is(closes, 0, 'what was not verified is no proof')
  asRequest(await open(b, context))
  asRequest(await open(b, signed, 'honest'))
  b.identity.gone('bad')
  assert.is(b.identity.sizes.bad, before.bad)
})

test('T20 R18 a connection with 1000 bad signatures is to be closed, a relay never', async () => {
  const settings = { verify: { rate: 1e9, burst: 1e9 }, bad: 1000 }
  const { a, b } = await pair({ b: { settings } })
  await meet(a, b)
  const { outer } = await protect(a, b, asking(['x']), 'ctx')
  const bent = { ...outer, sec: { ...(outer.sec as object), ct: node.toText(node.random(208)) } as Json }
  for (const isRelay of [true, false]) {
    for (let i = 1; i <= 1000; i++) {
      const result = await open(b, bent, `way ${isRelay}`, isRelay)
      assert.is((result as { close: boolean }).close, !isRelay && i === 1000)
    }
  }
  asRequest(await open(b, outer))
})

test.run()
