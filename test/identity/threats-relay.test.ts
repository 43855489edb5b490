// A relay that forges, alters, injects, replays, delays and reflects (spec B12, T1 to T10).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import type { Result } from '../../src/identity/arrived.ts'
import { hex, node } from './kit.ts'
import {
  ALL,
  answering,
  asAnswer,
  asEvent,
  asFailure,
  asking,
  asRequest,
  introduce,
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
  wire,
} from './parties.ts'

const LAVISH = { verify: { rate: 1e9, burst: 1e9 }, bad: 1e9 }

/** Fields of `sec` as bytes. */
function bytesOf(sec: Record<string, Json>, name: string): Uint8Array {
  return Uint8Array.from(Buffer.from(sec[name] as string, 'base64url'))
}

/** A copy in which a field of `sec` is something else. */
function bend(outer: Dispatch, name: string, value: Json): Dispatch {
  return { ...outer, sec: { ...(outer.sec as object), [name]: value } as Json }
}

/** The same as bytes, as it comes over CBOR. */
function binary(outer: Dispatch): Dispatch {
  const sec: Record<string, unknown> = { ...(outer.sec as object) }
  for (const [name, value] of Object.entries(sec)) {
    if (name !== 'm' && typeof value === 'string')
      sec[name] = Uint8Array.from(Buffer.from(value, 'base64url'))
  }
  return { ...outer, sec: sec as unknown as Json }
}

test('T1 a forged dispatch: random and cross-key signatures, small-order keys', async () => {
  const { a, b } = await pair({ b: { settings: LAVISH } })
  const c = await party(SEEDS.c, { knows: [{ key: b.signer.kid, name: 'b' }] })
  await introduce(a, b)
  await introduce(c, b)
  const { outer } = await protect(a, b, asking(['x']), 'sign')
  for (let i = 0; i < 50; i++) {
    const forged = bend(outer, 'sig', node.toText(node.random(64)))
    asFailure(await open(b, forged), 'signature')
  }
  const foreign = (await protect(c, b, asking(['x']), 'sign')).outer
  const posing = bend(foreign, 'kid', (outer.sec as Record<string, Json>).kid as Json)
  asFailure(await open(b, posing), 'signature')
  const weak = bend(
    bend(outer, 'kid', node.toText(hex(`01${'00'.repeat(31)}`))),
    'sig',
    node.toText(hex(`01${'00'.repeat(63)}`)),
  )
  asFailure(await open(b, weak), 'signature')
  asRequest(await open(b, outer))
})

test('T2 every byte of every field, each header in turn, in 3 modes and 2 encodings', async () => {
  const { a, b } = await pair({ b: { settings: LAVISH } })
  await meet(a, b)
  for (const mode of MODES) {
    for (const encoding of [wire, binary]) {
      const { outer } = await protect(a, b, { ...asking(['cafetera', 'estado']), note: 'x' }, mode)
      const sec = outer.sec as Record<string, Json>
      const tried: Dispatch[] = []
      for (const name of Object.keys(sec)) {
        if (['v', 'm', 's'].includes(name)) continue
        if (name === 'n') {
          for (const n of [0, 1, 1000, 2 ** 53 - 1]) if (n !== sec.n) tried.push(bend(outer, 'n', n))
          continue
        }
        const bytes = bytesOf(sec, name)
        for (let i = 0; i < bytes.length; i++) {
          const flipped = Uint8Array.from(bytes)
          flipped[i] = (flipped[i] as number) ^ (1 << (i % 8))
          tried.push(bend(outer, name, node.toText(flipped)))
        }
        tried.push(bend(outer, name, node.toText(bytes.subarray(1))), bend(outer, name, ''))
      }
      tried.push({ ...outer, token: ['another'] }, { ...outer, token: [] })
      if (mode === 'sign') {
        tried.push(
          { ...outer, method: 'DELETE' },
          { ...outer, resource: ['cafetera', 'brew'] },
          { ...outer, timestamp: 1 },
        )
      } else {
        tried.push({ ...outer, method: 'PUT' }, { ...outer, resource: ['sealed', 'AAAAAAAAAAAAAAAAAAAAAA'] })
      }
      tried.push({
        method: 'BIND',
        endpoint: { method: 'POST', resource: ['sealed', 'x'] },
        timestamp: 1,
        sec: outer.sec,
      })
      for (const bent of tried) {
        const results = await b.identity.open(encoding(bent), { channel: 'c', isRelay: true })
        assert.not(isDelivered(results), `${mode}: ${JSON.stringify(bent).slice(0, 300)}`)
      }
      // None of it has used up the place of the real one.
      asRequest((await b.identity.open(encoding(outer), { channel: 'c', isRelay: true }))[0])
    }
  }
})

test('T3 any to, from and triggering id: the same delivery', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  for (const mode of MODES) {
    for (const change of [
      { to: ['elsewhere'] },
      { from: ['liar', { kid: 'x' }] },
      { hops: 9 },
      { host: [['1.2.3.4', 1, 'tcp']], referer: [] },
      { protocol: ['JSTP', '0.4', 'old'] },
    ] as Partial<Dispatch>[]) {
      const dispatch = asking(['x'])
      const { outer } = await protect(a, b, dispatch, mode)
      const token = [...(outer.token as string[]), 'made-up']
      const request = asRequest(await open(b, { ...outer, ...change, token }))
      assert.equal(request.dispatch, dispatch)
      assert.is(request.author, a.id)
      assert.is(request.hop.token?.[1], 'made-up')
    }
  }
})

test('T4 an added header or body is nowhere but in hop', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  for (const mode of MODES) {
    const dispatch = telling(['x'])
    const { outer } = await protect(a, b, dispatch, mode)
    const request = asRequest(await open(b, { ...outer, body: { evil: 1 }, priority: 'high', observe: true }))
    const { token: _, ...plain } = dispatch
    assert.equal(request.dispatch, plain)
    assert.equal(request.hop.priority, 'high')
    assert.equal(request.hop.body, { evil: 1 })
  }
  const { outer } = await protect(a, b, telling(['x']), 'ctx')
  asFailure(await open(b, { ...outer, Method: 'GET' }), 'shape')
  asRequest(await open(b, { ...outer, Other: 1 }))
})

async function record(a: Party, b: Party, count: number): Promise<Dispatch[]> {
  const recorded: Dispatch[] = []
  for (let i = 0; i < count; i++) {
    const { outer } = await protect(a, b, asking(['x'], i), MODES[i % 3] as 'ctx')
    recorded.push(outer)
    asRequest(await open(b, outer))
  }
  return recorded
}

async function deliveredOf(b: Party, recorded: Dispatch[]): Promise<number> {
  let delivered = 0
  for (const outer of recorded) if (isDelivered(await openAll(b, outer))) delivered++
  return delivered
}

test('T5 a thousand recorded dispatches, replayed at once and after each reboot: none is delivered twice', async () => {
  const options = { settings: LAVISH }
  const { a, b } = await pair({ b: options })
  await meet(a, b)
  const recorded = await record(a, b, 1000)
  assert.is(await deliveredOf(b, recorded), 0, 'at once')
  const knowsA = [{ key: await kidOfSeed(SEEDS.a), name: 'a' }]
  const b2 = await party(SEEDS.b, { ...options, knows: knowsA })
  assert.is(await deliveredOf(b2, recorded), 0, 'after a reboot of the receiver')
  const a2 = await party(SEEDS.a, { knows: [{ key: b.signer.kid, name: 'b' }] })
  await meet(a2, b)
  assert.is(await deliveredOf(b, recorded), 0, 'after a reboot of the author')
  await b.clock.advance(25 * 60_000)
  assert.is(await deliveredOf(b, recorded), 0, 'when the challenges are dead')
  await b.clock.advance(25 * 60_000)
  b.identity.tick()
  assert.is(b.identity.sizes.windows, 0, 'and the windows forgotten')
  assert.is(await deliveredOf(b, recorded), 0)
})

test('T6 an actuator command that a relay has held back: 401, on monotonic time', async () => {
  const fresh = [{ method: ['PUT'], resource: ['x'], fresh: 30 }]
  for (const mode of MODES) {
    const key = await kidOfSeed(SEEDS.a)
    const { a, b } = await pair({ b: { knows: [{ key, name: 'a', allow: fresh }] } })
    await meet(a, b)
    const first = await protect(a, b, asking(['x']), mode)
    const refusal = asFailure(await open(b, first.outer), 'challenge') as Dispatch
    const answer = asAnswer(await open(a, refusal, b.id))
    assert.is(answer.status, 401)
    assert.is(answer.retry, true)
    const held = (await a.identity.again(answer.pending)) as { outer: Dispatch }
    await b.clock.advance(30_001)
    asFailure(await open(b, held.outer), 'challenge')
    // In time it goes through, once.
    const second = await protect(a, b, asking(['x']), mode)
    const again = asAnswer(
      await open(a, asFailure(await open(b, second.outer), 'challenge') as Dispatch, b.id),
    )
    const retried = (await a.identity.again(again.pending)) as { outer: Dispatch }
    await b.clock.advance(29_000)
    asRequest(await open(b, retried.outer))
    asFailure(await open(b, retried.outer), 'replay')
  }
})

test('T7 random permutations: each at most once, gaps in events are told', async () => {
  const { a, b } = await pair({ b: { settings: LAVISH } })
  await meet(a, b)
  for (let round = 0; round < 20; round++) {
    for (const mode of MODES) {
      const outers: Dispatch[] = []
      for (let i = 0; i < 40; i++) outers.push((await protect(a, b, telling(['x'], i), mode)).outer)
      const mixed = [...outers, ...outers].sort(() => Math.random() - 0.5)
      const seen = new Map<Json | undefined, number>()
      for (const outer of mixed) {
        for (const result of await openAll(b, outer)) {
          if (result.kind !== 'request') continue
          seen.set(result.dispatch.body, (seen.get(result.dispatch.body) ?? 0) + 1)
        }
      }
      assert.is(seen.size, 40)
      assert.ok([...seen.values()].every((count) => count === 1))
    }
  }
  const { feed } = await subscribe(a, b, ['x'])
  const events: Dispatch[] = []
  for (let i = 0; i < 40; i++) events.push((await b.identity.event(feed, telling(['x'], i))) as Dispatch)
  let last = -1
  let missing = 0
  let heard = 0
  for (const outer of events.sort(() => Math.random() - 0.5)) {
    for (const result of await openAll(a, outer, b.id)) {
      if (result.kind !== 'event') continue
      const count = result.dispatch.body as number
      assert.ok(count > last, 'never backwards')
      assert.is(result.gap, count - last - 1)
      missing += result.gap
      heard++
      last = count
    }
  }
  assert.is(heard + missing, last + 1)
})

test('T8 a dropped event is a gap; silence is stale within 60 s', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const { feed, watch } = await subscribe(a, b, ['x'])
  for (let i = 0; i < 5; i++) {
    const outer = (await b.identity.event(feed, telling(['x'], i))) as Dispatch
    if (i === 2) continue
    assert.is(asEvent(await open(a, outer, b.id)).gap, i === 3 ? 1 : 0)
  }
  // Beats keep it alive…
  for (let passed = 0; passed < 120; passed += 5) {
    await a.clock.advance(5000)
    for (const { outer } of (await b.identity.tick()).beats) {
      const beat = asEvent(await open(a, outer, b.id))
      assert.is(beat.isBeat, true)
    }
    assert.equal((await a.identity.tick()).stale, [])
  }
  // …and when the way is cut it is told, once.
  const cut = a.clock.now()
  let told: number | undefined
  while (told === undefined && a.clock.now() - cut < 120_000) {
    await a.clock.advance(5000)
    if ((await a.identity.tick()).stale.includes(watch as NonNullable<typeof watch>))
      told = a.clock.now() - cut
  }
  assert.ok(told !== undefined && told <= 60_000, String(told))
  assert.equal((await a.identity.tick()).stale, [])
})

test('T9 every dispatch echoed to its author, in all modes', async () => {
  const { a, b } = await pair()
  await meet(a, b)
  const echoes: [Dispatch, Party][] = []
  for (const mode of MODES) {
    const { outer } = await protect(a, b, asking(['x']), mode)
    const request = asRequest(await open(b, outer))
    const reply = (await b.identity.answer(request, answering(request))) as Dispatch
    echoes.push([outer, a], [reply, b])
  }
  const { feed, bind } = await subscribe(a, b, ['x'])
  echoes.push([bind, a], [(await b.identity.event(feed, telling(['x']))) as Dispatch, b])
  echoes.push([(await a.identity.begin(b.id, 'context')) as Dispatch, a])
  for (const [outer, author] of echoes) {
    const results: Result[] = await openAll(author, outer)
    assert.not(isDelivered(results), JSON.stringify(outer))
    assert.ok(results.every(({ kind }) => kind === 'failed'))
    // Nothing is said in protection: else an echo would make us sign, and the two of us talk for ever.
    for (const it of results) assert.is((it as { reply?: Dispatch }).reply?.sec, undefined)
  }
})

test('T10 what is meant for B and brought to C: 401, signed by C', async () => {
  const { a, b } = await pair()
  const c = await party(SEEDS.c, { knows: [{ key: a.signer.kid, name: 'a', allow: ALL }] })
  await meet(a, b)
  const signed = (await protect(a, b, asking(['x']), 'sign')).outer
  const said = asFailure(await open(c, signed), 'audience') as Dispatch
  assert.equal((said.sec as Record<string, Json>).kid, node.toText(c.signer.kid))
  assert.not(isDelivered(await openAll(a, said, c.id)), 'and A believes it of B only')
  asFailure(await open(c, (await protect(a, b, asking(['x']), 'seal')).outer), 'prekey')
  asFailure(await open(c, (await protect(a, b, asking(['x']), 'ctx')).outer), 'context')
})

test.run()
