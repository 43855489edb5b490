// Clients with tricks, wrong clocks and our own slips (spec B12, T21, T25, T26).

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { examine } from '../../src/core/morphology.ts'
import type { Aead, Provider } from '../../src/identity/provider.ts'
import { writeSec } from '../../src/identity/sec.ts'
import { makeSign } from '../../src/identity/sign-seal.ts'
import { node, utf8 } from './kit.ts'
import {
  answering,
  asAnswer,
  asEvent,
  asFailure,
  asking,
  asRequest,
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
  subscribe,
  telling,
} from './parties.ts'

/** What a trusted key might sign: none of it may be delivered. */
const TRICKS: [name: string, p: Uint8Array | string][] = [
  ['a key twice', '{"method":"PUT","resource":["x"],"resource":["y"],"timestamp":1}'],
  ['a key twice, deep', '{"method":"PUT","resource":["x"],"timestamp":1,"body":{"a":1,"a":2}}'],
  ['a key twice, escaped', '{"method":"PUT","resource":["x"],"timestamp":1,"body":{"a":1,"\\u0061":2}}'],
  ['__proto__', '{"method":"PUT","resource":["x"],"timestamp":1,"body":{"__proto__":{"admin":true}}}'],
  ['__proto__, escaped', '{"method":"PUT","resource":["x"],"timestamp":1,"\\u005f_proto__":{}}'],
  ['a number too big', '{"method":"PUT","resource":["x"],"timestamp":1,"body":1e400}'],
  [
    'bad UTF-8',
    Buffer.concat([
      utf8('{"method":"PUT","resource":["x"],"timestamp":1,"body":"'),
      Buffer.from([0xc3, 0x28]),
      utf8('"}'),
    ]),
  ],
  ['a BOM', '\ufeff{"method":"PUT","resource":["x"],"timestamp":1}'],
  ['bytes after it', '{"method":"PUT","resource":["x"],"timestamp":1}x'],
  ['two of them', '{"method":"PUT","resource":["x"],"timestamp":1}{"method":"PUT"}'],
  ['65 levels', `{"method":"PUT","resource":["x"],"timestamp":1,"body":${'['.repeat(65)}${']'.repeat(65)}}`],
  [
    '50,000 levels',
    `{"method":"PUT","resource":["x"],"timestamp":1,"body":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  ],
  ['lower case', '{"method":"put","resource":["x"],"timestamp":1}'],
  ['no time', '{"method":"PUT","resource":["x"]}'],
  ['no list', '{"method":"PUT","resource":"x","timestamp":1}'],
  ['an object in a resource', '{"method":"PUT","resource":[{}],"timestamp":1}'],
  ['sec inside', '{"method":"PUT","resource":["x"],"timestamp":1,"sec":{}}'],
  ['to inside', '{"method":"PUT","resource":["x"],"timestamp":1,"to":["y"]}'],
  ['Host inside', '{"method":"PUT","resource":["x"],"timestamp":1,"Host":["y"]}'],
  ['from inside', '{"method":"PUT","resource":["x"],"timestamp":1,"from":["y"]}'],
  ['hops inside', '{"method":"PUT","resource":["x"],"timestamp":1,"hops":1}'],
  ['Body and body', '{"method":"PUT","resource":["x"],"timestamp":1,"body":1,"Body":2}'],
  ['two tokens', '{"method":"PUT","resource":["x"],"timestamp":1,"token":["a","b"]}'],
  ['sealed inside', '{"method":"PUT","resource":["sealed"],"timestamp":1}'],
  ['RE in capitals', '{"method":"PUT","resource":["x"],"timestamp":1,"RE":"x"}'],
  ['a third item in an ANSWER', '{"method":"ANSWER","resource":[200,"t","u"],"timestamp":1,"re":"x"}'],
  ['nothing', ''],
  ['a list', '[]'],
  ['null', 'null'],
  ['a CBOR map', Buffer.from('a0', 'hex')],
]

test('T21 tricks of a trusted key: no crash, no delivery', async () => {
  const { a, b } = await pair({ b: { settings: { bad: 1e9, verify: { rate: 1e9, burst: 1e9 } } } })
  await meet(a, b)
  const ch = node.fromText((b.identity.describe() as { ch: string }).ch)
  let n = 0
  const deliver = async (p: Uint8Array) => {
    const signing = { aud: b.signer.kid, b: new Uint8Array(8), n: n++, ch, p: p.length > 0 ? p : utf8(' ') }
    const { sec } = await makeSign(a.signer, signing)
    const outer = { method: 'PUT', resource: ['x'], timestamp: 1, token: [], sec: writeSec(node, sec) }
    return openAll(b, outer)
  }
  assert.ok(isDelivered(await deliver(utf8('{"method":"PUT","resource":["x"],"timestamp":1}'))))
  assert.ok(
    isDelivered(await deliver(utf8('{"method":"PUT","resource":["x"],"timestamp":1,"body":{"a:b":":"}}'))),
  )
  for (const [name, p] of TRICKS) {
    assert.not(isDelivered(await deliver(typeof p === 'string' ? utf8(p) : p)), name)
  }
})

test('T21 tricks with sec: bad shapes are 400 before anything is computed', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const signs = (await protect(a, b, asking(['x']), 'sign')).outer
  const seals = (await protect(a, b, asking(['x']), 'seal')).outer
  const contexts = (await protect(a, b, asking(['x']), 'ctx')).outer
  for (const outer of [signs, seals, contexts]) {
    const sec = outer.sec as Record<string, Json>
    const bent: Json[] = [
      null,
      [],
      'sec',
      7,
      {},
      { ...sec, extra: 1 },
      { ...sec, constructor: 1 },
      { ...sec, v: '1' },
    ]
    for (const name of Object.keys(sec)) {
      const { [name]: value, ...without } = sec
      bent.push(without, { ...sec, [name]: null }, { ...sec, [name]: { 0: 1 } }, { ...sec, [name]: [] })
      if (typeof value !== 'string' || name === 'm') continue
      bent.push(
        { ...sec, [name]: `${value}=` },
        { ...sec, [name]: `${value}\n` },
        { ...sec, [name]: `${value}A` },
      )
      bent.push({ ...sec, [name]: value.slice(0, -1) }, { ...sec, [name]: value.replace(/.$/, '+') })
    }
    if ('n' in sec) for (const n of [-1, 0.5, 2 ** 53, '1', 1e300]) bent.push({ ...sec, n })
    for (const it of bent) {
      const result = await open(b, { ...outer, sec: it })
      const { failure } = result as { failure: string }
      const allowed = [
        'shape',
        ...(typeof it === 'object' && it !== null && 'm' in it ? ['signature', 'sealed'] : []),
      ]
      assert.ok(allowed.includes(failure), `${failure}: ${JSON.stringify(it)?.slice(0, 200)}`)
    }
  }
  const before = b.meters.read()['sec.budget']
  assert.is(before, undefined)
})

test('T21 random headers and random sec never throw', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const { outer } = await protect(a, b, asking(['x']), 'sign')
  const property = fc.asyncProperty(
    fc.dictionary(fc.string(), fc.jsonValue()),
    fc.jsonValue(),
    async (more, sec) => {
      const headers = { ...outer, ...more, sec: fc.sample(fc.boolean(), 1)[0] ? sec : outer.sec } as {
        [name: string]: Json
      }
      const decoded = { headers, version: '0.6', plain: false }
      const verdict = examine(decoded, { mode: 'quirks', limits: LIMITS, wall: () => 0 })
      if (!('dispatch' in verdict)) return
      const results = await b.identity.open(verdict.dispatch, { channel: 'fuzz', isRelay: true })
      assert.ok(results.length > 0)
    },
  )
  await fc.assert(property, { numRuns: 500 })
})

class Jumping extends TestClock {
  override wall(): number {
    return Math.floor(Math.random() * 5e12) - 1e12
  }
}

test('T25 whatever the wall clock says', async () => {
  for (const clock of [
    new TestClock(0),
    new TestClock(4_102_444_800_000),
    new TestClock(-1e12),
    new Jumping(),
  ]) {
    const [keyA, keyB] = [await kidOfSeed(SEEDS.a), await kidOfSeed(SEEDS.b)]
    const a = await party(SEEDS.a, { clock: new TestClock(1e12), knows: [{ key: keyB, name: 'b' }] })
    const b = await party(SEEDS.b, { clock, knows: [{ key: keyA, name: 'a' }] })
    await meet(a, b)
    for (const mode of MODES) {
      const { outer } = await protect(a, b, asking(['x']), mode)
      const request = asRequest(await open(b, outer))
      asAnswer(await open(a, (await b.identity.answer(request, answering(request))) as Dispatch, b.id))
      asFailure(await open(b, outer), 'replay')
    }
    const { feed } = await subscribe(a, b, ['x'])
    asEvent(await open(a, (await b.identity.event(feed, telling(['x']))) as Dispatch, b.id))
  }
})

/** Notes each nonce under each key, and seals nothing. */
function noting(seen: Map<string, Set<number>>): Provider {
  const aead = (key: Uint8Array): Aead => {
    const name = Buffer.from(key).toString('latin1')
    const nonces = seen.get(name) ?? new Set<number>()
    seen.set(name, nonces)
    let fixed: string | undefined
    return {
      seal(nonce, _aad, plain) {
        const view = new DataView(nonce.buffer, nonce.byteOffset)
        const head = Buffer.from(nonce.subarray(0, 8)).toString('hex')
        fixed ??= head
        assert.is(head, fixed)
        const n = view.getUint32(8)
        if (nonces.has(n)) throw new Error('a nonce was used twice')
        nonces.add(n)
        return Buffer.concat([plain, Buffer.alloc(16)])
      },
      open: (_nonce, _aad, sealed) => Uint8Array.from(sealed.subarray(0, -16)),
    }
  }
  return { ...node, aead }
}

test('T26 no key meets a nonce twice, over mixed operations and restarts', async () => {
  const total = process.env.HORMIGA_LONG ? 1_000_000 : 100_000
  const seen = new Map<string, Set<number>>()
  const provider = noting(seen)
  let count = 0
  while (count < total) {
    const { a, b } = await pair({ a: { provider }, b: { provider } })
    for (let renewal = 0; renewal < 5 && count < total; renewal++) {
      await meet(a, b)
      if (renewal % 2 === 1) await meet(b, a)
      const { feed } = await subscribe(a, b, ['...'])
      for (let i = 0; i < 2000; i++) {
        switch (i % 5) {
          case 0: {
            const made = await protect(a, b, asking(['x']), i % 10 === 0 && i < 50 ? 'seal' : 'ctx')
            const request = asRequest(await open(b, made.outer))
            await b.identity.answer(request, answering(request))
            if (made.pending) a.identity.close(made.pending)
            break
          }
          case 1:
            await b.identity.event(feed, telling(['x']))
            break
          case 2:
            a.identity.protectAll([telling(['x']), telling(['y'])], { key: b.id })
            break
          default:
            await a.identity.protect(telling(['x']), { key: b.id })
        }
        count++
      }
      await a.clock.advance(16 * 60_000)
    }
  }
  const used = [...seen.values()].reduce((sum, { size }) => sum + size, 0)
  assert.ok(used >= total, `${used} nonces under ${seen.size} keys`)
})

test.run()
