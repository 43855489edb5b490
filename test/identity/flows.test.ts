// Each way through the room once, between every pair of providers.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch } from '../../src/core/dispatch.ts'
import { node, providers } from './kit.ts'
import {
  answering,
  asAnswer,
  asEvent,
  asking,
  asRequest,
  isDelivered,
  MODES,
  meet,
  open,
  openAll,
  pair,
  protect,
  subscribe,
  telling,
  wire,
} from './parties.ts'

for (const one of providers) {
  for (const other of providers) {
    const names = `${one.name} → ${other.name}`
    const people = () => pair({ a: { provider: one }, b: { provider: other } })

    for (const mode of MODES) {
      test(`B5 a request and its answer, ${mode}, ${names}`, async () => {
        const { a, b } = await people()
        await meet(a, b)
        const dispatch = asking(['cafetera', 'estado'])
        const { outer, pending } = await protect(a, b, { ...dispatch, to: ['b'] }, mode)
        assert.equal(outer.to, ['b'])
        const request = asRequest(await open(b, outer, a.id))
        assert.equal(request.dispatch, dispatch)
        assert.is(request.author, a.id)
        assert.is(request.name, 'a')
        assert.is(request.mode, mode)
        const reply = (await b.identity.answer(request, answering(request, 500, { why: 'so' }))) as Dispatch
        assert.is(reply.resource?.[0], mode === 'sign' ? 500 : 200)
        const answer = asAnswer(await open(a, reply, b.id))
        assert.is(answer.status, 500)
        assert.equal(answer.dispatch.body, { why: 'so' })
        assert.is(answer.author, b.id)
        assert.is(answer.pending, pending)
        a.identity.close(answer.pending)
        assert.is(a.identity.sizes.requests, 0)
      })
    }

    test(`B8 a subscription and its events, ${names}`, async () => {
      const { a, b } = await people()
      await meet(a, b)
      const { feed } = await subscribe(a, b, ['cafetera', '...'])
      for (const count of [0, 1, 2]) {
        const event = telling(['cafetera', 'estado'], { count })
        const outer = (await b.identity.event(feed, event)) as Dispatch
        assert.equal(outer.token, [])
        assert.equal(outer.resource, ['sealed', feed.chan])
        const heard = asEvent(await open(a, outer, b.id))
        assert.equal(heard.dispatch.body, { count })
        assert.is(heard.gap, 0)
        assert.is(heard.author, b.id)
      }
    })
  }
}

test('B5 several dispatches in one ciphertext', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const made = a.identity.protectAll([telling(['x'], 1), telling(['y'], 2)], { key: b.id })
  assert.is(made.kind, 'outer')
  const results = await openAll(b, (made as { outer: Dispatch }).outer)
  assert.equal(
    results.map((it) => asRequest(it).dispatch.body),
    [1, 2],
  )
  assert.throws(() => a.identity.protectAll([asking(['x'])], { key: b.id }), /want no answer/)
})

test('B6 what waits for a context, or an id, is told what is needed, once', async () => {
  const { a, b } = await pair()
  assert.equal(await a.identity.protect(telling(['x']), { key: b.id }), { kind: 'need', need: 'context' })
  assert.equal(await a.identity.protect(telling(['x']), { key: b.id, mode: 'seal' }), {
    kind: 'need',
    need: 'id',
  })
  const query = await a.identity.begin(b.id, 'context')
  assert.equal(query?.resource, ['sec', 'id'], 'the challenge comes first')
  assert.is(await a.identity.begin(b.id, 'context'), undefined)
})

test('R19 towards a key that is not pinned nothing is sent, least of all in clear', async () => {
  const { a } = await pair()
  assert.throws(
    () => a.identity.protect(telling(['x']), { key: 'did:key:z6Mkother' }),
    /not in the trust store/,
  )
})

test('B5 byte strings and text are taken alike', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  for (const mode of MODES) {
    const made = await a.identity.protect(telling(['x']), { key: b.id, mode, binary: true })
    const { outer } = made as { outer: Dispatch }
    const sec = outer.sec as unknown as Record<string, unknown>
    for (const [name, value] of Object.entries(sec)) {
      if (['v', 'm', 's', 'n'].includes(name)) continue
      assert.instance(value, Uint8Array, name)
    }
    asRequest((await b.identity.open(outer, { channel: 'c', isRelay: false }))[0])
  }
})

test('B5 lists share a context only: an array in sign is refused', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const { outer } = await protect(a, b, telling(['x']), 'sign')
  const bent = wire(outer)
  const sec = bent.sec as Record<string, string>
  sec.p = node.toText(Buffer.from(`[${Buffer.from(sec.p as string, 'base64url')}]`))
  assert.not(isDelivered(await openAll(b, bent)))
})

test.run()
