// A relay that swaps, forges answers, strips, lowers, reads, measures and transcodes (spec B12, T11 to T17).

import { Encoder } from 'cbor-x'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cborCodec } from '../../src/codec/cbor.ts'
import { jsonCodec } from '../../src/codec/json.ts'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { examine } from '../../src/core/morphology.ts'
import type { Codec, Frame } from '../../src/core/transport.ts'
import type { RightData } from '../../src/identity/rights.ts'
import { writeSec } from '../../src/identity/sec.ts'
import { makeSeal, makeSign } from '../../src/identity/sign-seal.ts'
import { rotationInput } from '../../src/identity/statements.ts'
import { readTrust } from '../../src/identity/trust-file.ts'
import { node, utf8 } from './kit.ts'
import {
  answering,
  asAnswer,
  asEvent,
  asFailure,
  asking,
  asRequest,
  fileOf,
  isDelivered,
  MODES,
  meet,
  open,
  openAll,
  pair,
  protect,
  subscribe,
  telling,
} from './parties.ts'

type Sec = Record<string, Json>

test('T11 all pairs of 20 answers crossed: each counts for its own request only', async () => {
  const { a, b } = await pair({ a: { settings: { verify: { rate: 1e9, burst: 1e9 }, bad: 1e9 } } })
  await meet(a, b)
  const exchanges: { transaction: string; reply: Dispatch; body: number }[] = []
  for (let i = 0; i < 20; i++) {
    const { outer } = await protect(a, b, asking(['x', i]), MODES[i % 3] as 'ctx')
    const request = asRequest(await open(b, outer))
    const reply = (await b.identity.answer(request, answering(request, 200, i))) as Dispatch
    exchanges.push({ transaction: outer.token?.[0] as string, reply, body: i })
  }
  for (const one of exchanges) {
    for (const other of exchanges) {
      if (one === other) continue
      const resource = [200, other.transaction, 'third']
      assert.not(isDelivered(await openAll(a, { ...one.reply, resource }, b.id)), 'as the answer to another')
      const sec = { ...(one.reply.sec as Sec) }
      for (const name of ['ct', 'enc', 'n', 'i', 'sig', 'p', 'k']) {
        const bent: Sec = { ...sec }
        const value = (other.reply.sec as Sec)[name]
        if (value === undefined || value === sec[name]) continue
        bent[name] = value
        assert.not(isDelivered(await openAll(a, { ...one.reply, sec: bent }, b.id)), `${name} of another`)
      }
    }
  }
  for (const { reply, body } of exchanges) assert.is(asAnswer(await open(a, reply, b.id)).dispatch.body, body)
})

test('T11 events of one subscription are nothing in another', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const feeds = []
  for (const name of ['x', 'y', 'z', '...']) feeds.push((await subscribe(a, b, [name])).feed)
  const events: Dispatch[] = []
  for (const feed of feeds) {
    const outer = await b.identity.event(
      feed,
      telling([feed.pattern.steps[0]?.kind === 'any' ? 'w' : readName(feed)]),
    )
    events.push(outer as Dispatch)
  }
  for (const one of events) {
    for (const other of events) {
      if (one === other) continue
      assert.not(isDelivered(await openAll(a, { ...one, resource: other.resource }, b.id)))
      assert.not(
        isDelivered(
          await openAll(a, { ...one, sec: { ...(one.sec as Sec), ct: (other.sec as Sec).ct as Json } }, b.id),
        ),
      )
    }
  }
  for (const outer of events) asEvent(await open(a, outer, b.id))
})

function readName(feed: { pattern: { steps: { kind: string; key?: unknown }[] } }): string {
  return String(feed.pattern.steps[0]?.key)
}

test('T12 forged statuses: shown as doubtful or dropped, and the transaction stays open', async () => {
  for (const mode of MODES) {
    const { a, b } = await pair()
    await meet(a, b)
    const { outer, pending } = await protect(a, b, asking(['x']), mode)
    const transaction = outer.token?.[0] as string
    const doubtful = new Set([100, 400, 404, 405, 409, 502, 503, 504, 505, 506])
    for (const status of [
      100, 101, 200, 204, 400, 401, 403, 404, 405, 406, 409, 500, 501, 502, 503, 504, 505, 506, 599,
    ]) {
      const forged: Dispatch = {
        method: 'ANSWER',
        resource: [status, transaction, 'third'],
        timestamp: 1,
        body: { sec: 'nonsense' },
      }
      const result = await open(a, forged, b.id)
      assert.is(result.kind, doubtful.has(status) ? 'doubtful' : 'failed', String(status))
      assert.is(a.identity.sizes.requests, 1)
    }
    const request = asRequest(await open(b, outer))
    const reply = (await b.identity.answer(request, answering(request))) as Dispatch
    assert.is(asAnswer(await open(a, reply, b.id)).pending, pending)
  }
})

test('T13 sec stripped, v, m and s changed: nothing is delivered, nothing sent in clear', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  for (const mode of MODES) {
    const { outer } = await protect(a, b, asking(['x']), mode)
    const { sec, ...clear } = outer
    assert.equal(await open(b, clear as Dispatch), { kind: 'clear' })
    assert.is(
      b.identity.anonymous({ ...clear, method: 'PUT', resource: ['x'] } as Dispatch),
      false,
      'default deny',
    )
    for (const [field, values] of [
      ['v', [0, 2, 99]],
      ['m', ['none', 'clear', 'SIGN', '', 'toString', '__proto__']],
      ...(mode === 'ctx' ? [] : ([['s', [0, 2, 99]]] as const)),
    ] as [string, Json[]][]) {
      for (const value of values) {
        const said = asFailure(await open(b, { ...outer, sec: { ...(sec as Sec), [field]: value } }), 'suite')
        assert.equal(said?.body, { sec: 'suite' })
      }
    }
    for (const m of MODES) {
      if (m !== mode) asFailure(await open(b, { ...outer, sec: { ...(sec as Sec), m } }), 'shape')
    }
    asRequest(await open(b, outer))
  }
})

test('T13 a rule with modes: what is weaker is told which mode is wanted, and goes up, never down', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  b.identity.retrust(trustWith(a.signer.kid, [{ method: ['PUT'], resource: ['x'], modes: ['ctx'] }]))
  const { outer } = await protect(a, b, asking(['x']), 'sign')
  const refusal = asFailure(await open(b, outer), 'mode') as Dispatch
  const answer = asAnswer(await open(a, refusal, b.id))
  assert.equal(answer.dispatch.body, { sec: 'required', modes: ['ctx'] })
  assert.is(answer.retry, true)
  const again = (await a.identity.again(answer.pending)) as { outer: Dispatch }
  assert.is((again.outer.sec as Sec).m, 'ctx')
  asRequest(await open(b, again.outer))
  b.identity.retrust(trustWith(a.signer.kid, [{ method: ['PUT'], resource: ['x'], modes: ['sign'] }]))
  const strong = await protect(a, b, asking(['x']), 'ctx')
  assert.is(
    asAnswer(await open(a, asFailure(await open(b, strong.outer), 'mode') as Dispatch, b.id)).retry,
    false,
  )
})

test('T14 a signature that was moved between labels fails', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const { x, k, ch } = b.identity.describe() as Record<string, string>
  const p = utf8(JSON.stringify(telling(['x'])).replace('"token":[],', ''))
  const bytes = (text: string) => node.fromText(text) as Uint8Array
  const signing = { aud: b.signer.kid, b: node.random(8), n: 1, ch: bytes(ch as string), p }
  const made = await makeSign(a.signer, signing)
  const lending = { kid: a.signer.kid, sign: () => made.sec.sig }
  const moved = await makeSeal(node, lending, signing, { x: bytes(x as string), k: bytes(k as string) })
  const outer: Dispatch = { method: 'POST', resource: ['sealed'], timestamp: 1, token: [] }
  asFailure(
    await open(b, { ...outer, sec: writeSec(node, moved?.sec as NonNullable<typeof moved>['sec']) }),
    'signature',
  )
  // The same with a signature of its own goes through, so that it was the label.
  const right = await makeSeal(node, a.signer, signing, { x: bytes(x as string), k: bytes(k as string) })
  asRequest(await open(b, { ...outer, sec: writeSec(node, right?.sec as NonNullable<typeof right>['sec']) }))
  const rotation = await a.signer.sign(rotationInput(a.signer.kid, b.signer.kid, 7))
  const other = { ...made.sec, b: node.random(8), sig: rotation }
  const open2 = {
    method: 'PUT',
    resource: ['x'],
    timestamp: 1764037200123,
    token: [],
    sec: writeSec(node, other),
  }
  asFailure(await open(b, open2), 'signature')
})

test('T15 a planted secret occurs nowhere in what a relay can see', async () => {
  const { a, b } = await pair()
  const secret = 'correct-horse-battery-staple'
  const seen: Dispatch[] = []
  await meet(a, b)
  for (const mode of ['seal', 'ctx'] as const) {
    const { outer } = await protect(a, b, asking([secret], { [secret]: secret }, 'POST'), mode)
    const request = asRequest(await open(b, outer))
    seen.push(outer, (await b.identity.answer(request, answering(request, 500, secret))) as Dispatch)
  }
  const { feed, bind } = await subscribe(a, b, [secret, '...'])
  seen.push(bind, (await b.identity.event(feed, telling([secret], secret))) as Dispatch)
  const look = (bytes: Buffer) => assert.not(bytes.includes(secret))
  for (const outer of seen) {
    look(Buffer.from(JSON.stringify(outer)))
    for (const value of Object.values(outer.sec as Sec)) {
      if (typeof value === 'string') look(Buffer.from(value, 'base64url'))
    }
  }
  assert.is(seen.length, 6)
})

test('T16 on is as long as off, but where the two lie on both sides of a bucket', async () => {
  for (const bucket of [64, 256]) {
    const settings = { bucket }
    const { a, b } = await pair({ a: { settings }, b: { settings } })
    await meet(a, b)
    const { feed } = await subscribe(a, b, ['...'])
    const different = { request: 0, answer: 0, event: 0 }
    // Every length of content modulo the bucket once: one of them straddles.
    for (let length = 1; length <= bucket; length++) {
      const name = 'x'.repeat(length)
      const sizes = { request: new Set<number>(), answer: new Set<number>(), event: new Set<number>() }
      for (const on of [true, false]) {
        const { outer } = await protect(a, b, asking([name], { on }), 'ctx')
        const request = asRequest(await open(b, outer))
        const reply = await b.identity.answer(request, answering(request, on ? 200 : 500, { on, name }))
        const event = await b.identity.event(feed, telling([name], { on }))
        for (const [kind, it] of Object.entries({ request: outer, answer: reply, event })) {
          sizes[kind as 'event'].add((((it as Dispatch).sec as Sec).ct as string).length)
        }
      }
      for (const kind of ['request', 'answer', 'event'] as const) different[kind] += sizes[kind].size - 1
    }
    assert.equal(different, { request: 1, answer: 1, event: 1 }, `bucket ${bucket}`)
  }
})

test('T16 outside stand a status of 200 and the second, whatever is inside', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  for (const mode of ['seal', 'ctx'] as const) {
    const { outer } = await protect(a, b, asking(['x']), mode)
    const request = asRequest(await open(b, outer))
    const reply = (await b.identity.answer(request, answering(request, 500))) as Dispatch
    assert.is((outer.timestamp as number) % 1000, 0)
    assert.is((reply.timestamp as number) % 1000, 0)
    assert.is(reply.resource?.[0], 200)
    const shown = Object.keys(outer).sort()
    assert.equal(shown, ['method', 'resource', 'sec', 'timestamp', 'token'])
  }
})

/** Once more over a wire of that codec: the headers that an engine there would hand on. */
function over(codec: Codec, outer: Dispatch): Dispatch {
  const frame: Frame = codec.close(codec.stem(outer, '0.6'), { token: outer.token }, '0.6')
  const verdict = examine(codec.decode(frame), { mode: 'quirks', limits: LIMITS, wall: () => 0 })
  assert.ok('dispatch' in verdict, JSON.stringify(verdict))
  return (verdict as { dispatch: Dispatch }).dispatch
}

test('T17 a corpus through JSON, CBOR, re-escaping and reordering verifies', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const [json, cbor] = [jsonCodec(), await cborCodec()]
  const bodies: Json[] = [
    null,
    0,
    1e21,
    0.1,
    'ñandú / \u2028 \\ " \u0000 😀',
    { 'a:b': [{}, [], ''], '': 1, nested: { '\u00e9': 'é' } },
    { list: Array.from({ length: 300 }, (_, i) => i) },
  ]
  for (const body of bodies) {
    for (const mode of MODES) {
      for (const binary of [false, true]) {
        const dispatch = asking(['cafetera', 'está/ó', 1, null, true], body)
        const made = (await a.identity.protect(dispatch, { key: b.id, mode, binary })) as { outer: Dispatch }
        const first = over(binary ? cbor : json, made.outer)
        const reordered = Object.fromEntries(Object.entries(over(cbor, first)).reverse()) as Dispatch
        reordered.sec = Object.fromEntries(Object.entries(reordered.sec as Sec).reverse())
        const request = asRequest((await b.identity.open(reordered, { channel: 'c', isRelay: false }))[0])
        assert.equal(request.dispatch, dispatch)
      }
    }
  }
})

test('T17 content in CBOR is read where the engine hands in a decoder, and refused where not', async () => {
  const codec = await cborCodec()
  const cbor = {
    encode: (content: Json) => new Encoder({ useRecords: false, variableMapSize: true }).encode(content),
    decode(bytes: Uint8Array) {
      const { headers, fault } = codec.decode(bytes)
      if (fault) throw new Error(fault)
      return headers
    },
  }
  for (const isHanded of [true, false]) {
    const { a, b } = await pair({ b: isHanded ? { cbor } : {} })
    await meet(a, b)
    const { ch } = b.identity.describe() as Record<string, string>
    const { token: _, ...content } = telling(['x'], { on: 1 })
    const p = cbor.encode(content as Json)
    const signing = { aud: b.signer.kid, b: node.random(8), n: 1, ch: node.fromText(ch as string), p }
    const { sec } = await makeSign(a.signer, signing)
    const outer = {
      method: 'PUT',
      resource: ['x'],
      timestamp: 1764037200123,
      token: [],
      sec: writeSec(node, sec),
    }
    const result = await open(b, outer)
    if (isHanded) assert.equal(asRequest(result).dispatch.body, { on: 1 })
    else asFailure(result, 'shape')
  }
})

function trustWith(key: Uint8Array, allow: RightData[]) {
  return readTrust(fileOf([{ key, name: 'a', allow }]), 'trust.json')
}

test.run()
