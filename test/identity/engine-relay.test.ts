// Whole engines, and a relay between them that bends, replays, forges and drops (spec B12, T3 to T13).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import type { Request } from '../../src/core/owner.ts'
import type { Frame } from '../../src/core/transport.ts'
import { bent, CLOSED, isAnswer, isEvent, lampOf, secOf } from './engine-kit.ts'
import { town, uriOf } from './engines.ts'
import { MODES, SEEDS } from './parties.ts'

/** A relay whose doings can be changed while it runs. */
async function withRelay() {
  let bend: Parameters<typeof bent>[0] = (_, raw) => [raw]
  const made = await town({ a: CLOSED, b: CLOSED, tamper: bent((frame, raw) => bend(frame, raw)) })
  const does = (next: typeof bend) => {
    bend = next
  }
  return { ...made, does }
}

test('T3 any from, triggering id, third item of an ANSWER: the same delivery, authentic', async () => {
  const { place, a, b, far, does } = await withRelay()
  const { done, seen } = lampOf(b)
  const others: ((frame: Dispatch) => Dispatch)[] = [
    (frame) => ({ ...frame, from: ['nobody', 7, null] as Json }),
    (frame) => ({ ...frame, from: 'x'.repeat(1000) }),
    (frame) => (isAnswer(frame) ? frame : { ...frame, token: [...(frame.token ?? []), 'a triggering id'] }),
    (frame) =>
      isAnswer(frame)
        ? { ...frame, resource: [...(frame.resource ?? []).slice(0, 2), 'another third item'] }
        : frame,
    (frame) => ({ ...frame, hops: 3 }),
    (frame) => ({ ...frame, protocol: ['JSTP', '0.6', 'another engine'] }),
  ]
  let count = 0
  for (const [i, change] of others.entries()) {
    does((frame) => [change(frame)])
    for (const mode of MODES) {
      const body = `${i} ${mode}`
      const answer = await a.engine.put(uriOf(far, 'lamp/on'), { body, key: 'b', mode }).first()
      assert.equal([answer.status, answer.body, answer.authentic], [200, `done ${body}`, undefined], body)
      assert.is(done.get(body), 1)
      assert.is(seen.at(-1)?.author, a.id)
      assert.is(seen.at(-1)?.dispatch.from, undefined, 'what a relay says stands in no dispatch')
      count++
    }
  }
  assert.is(done.size, count)
  await place.close()
})

test('T3 any to: it goes astray, and nothing about that counts as an answer of B', async () => {
  const { place, a, b, far, does } = await withRelay()
  const { done } = lampOf(b)
  await a.engine.get(uriOf(far, 'lamp/on'), { key: 'b' }).first()
  for (const to of [[['localhost', 99, 'memory']], [['b']], ['b', 'c'], 'b'] as Json[]) {
    does((frame) => [isAnswer(frame) ? frame : ({ ...frame, to } as Dispatch)])
    for (const mode of MODES) {
      const asking = a.engine.put(uriOf(far, 'lamp/on'), { body: 'astray', key: 'b', mode }).all()
      await place.advance(15_000)
      const answers = await asking
      const isOurs = ({ status, authentic }: (typeof answers)[number]) =>
        status === 504 || authentic === false
      // With its own name in `to` it still comes to B, which may carry out what A has asked of it.
      const isDelivered = answers.some(({ status, authentic }) => status === 200 && authentic === undefined)
      assert.ok(isDelivered || answers.every(isOurs), JSON.stringify(answers))
    }
  }
  assert.ok((done.get('astray') ?? 0) <= 4 * MODES.length)
  await place.close()
})

/** Sends commands through the relay, which keeps every frame for B; then one more can carry all of them along. */
async function recorded(count: number) {
  const made = await withRelay()
  const { place, a, b, far, does } = made
  const served = lampOf(b)
  const kept: Frame[] = []
  does((frame, raw) => {
    if (frame.sec !== undefined && !isAnswer(frame)) kept.push(raw)
    return [raw]
  })
  for (let i = 0; i < count; i++) {
    const options = { body: `${i}`, key: 'b', mode: MODES[i % 3] }
    // With a transaction id and without: then only the counters tell one from its copy.
    if (i % 2 === 0) assert.is((await a.engine.put(uriOf(far, 'lamp/on'), options).first()).status, 200)
    else a.engine.send('PUT', uriOf(far, 'lamp/on'), options)
  }
  await place.settle()
  assert.is(served.done.size, count)
  assert.ok(kept.length >= count)
  /** A question from outside, in clear, opens the relay's tap. */
  const replay = async () => {
    let isOver = false
    does((frame, raw) => {
      if (isOver || isAnswer(frame)) return [raw]
      isOver = true
      return [...kept, raw]
    })
    const { engine } = await place.plain()
    await engine.get(uriOf(far, 'sec/id'), { body: { nonce: 'AAAAAAAAAAAAAAAAAAAAAA' } }).first()
    await place.settle()
    assert.ok(isOver)
    does((_, raw) => [raw])
  }
  return { ...made, ...served, replay }
}

test('T5 a thousand recorded dispatches, at once: none is carried out twice', async () => {
  const { place, b, done, replay } = await recorded(1000)
  await replay()
  assert.is(done.size, 1000)
  assert.ok([...done.values()].every((count) => count === 1))
  assert.ok((b.meters.read()['sec.replay'] as number) >= 1000)
  await place.close()
})

test('T5 a thousand recorded dispatches, after a reboot of the receiver: all of them are dead', async () => {
  const { place, a, b, replay } = await recorded(1000)
  const knows = [{ key: a.signer.kid, name: 'a' }]
  const again = await place.reboot(b, SEEDS.b, { name: 'b', knows, ...CLOSED })
  const { done } = lampOf(again)
  await place.advance(3000)
  await replay()
  assert.equal([...done], [])
  const { 'sec.challenge': challenge = 0, 'sec.context': context = 0 } = again.meters.read()
  assert.ok(challenge > 300 && context > 300, 'they did arrive')
  await place.close()
})

test('T5 a thousand recorded dispatches, after a reboot of the author: none is carried out twice', async () => {
  const { place, a, b, far, done, replay } = await recorded(1000)
  const again = await place.reboot(a, SEEDS.a, {
    name: 'a',
    knows: [{ key: b.signer.kid, name: 'b' }],
    ...CLOSED,
  })
  for (const mode of MODES) {
    const asking = again.engine.put(uriOf(far, 'lamp/on'), { body: mode, key: 'b', mode }).first()
    assert.is((await asking).status, 200, mode)
  }
  await replay()
  assert.is(done.size, 1000 + MODES.length)
  assert.ok([...done.values()].every((count) => count === 1))
  await place.close()
})

test('T8 the k-th event is dropped: the next one says how many are missing', async () => {
  const { place, a, b, far, does } = await withRelay()
  const { lamp } = lampOf(b)
  const seen: Request[] = []
  await a.engine.bind(uriOf(far, 'lamp/...'), (request) => void seen.push(request), { key: 'b' })
  const dropped = new Set([3, 7, 8, 9])
  let count = 0
  does((frame, raw) => (isEvent(frame) && dropped.has(count++) ? [] : [raw]))
  for (let i = 0; i < 20; i++) lamp.report(['level'], i)
  await place.settle()
  assert.equal(
    seen.map(({ dispatch, missed }) => [dispatch.body, missed]),
    Array.from({ length: 20 }, (_, i) => [i, i === 4 ? 1 : i === 10 ? 3 : undefined]).filter(
      ([i]) => !dropped.has(i as number),
    ),
  )
  await place.close()
})

test('T8 the way is cut without a word: stale within 60 s, and bound again when it is open', async () => {
  const { place, a, b, far, does } = await withRelay()
  const { lamp } = lampOf(b)
  const seen: Json[] = []
  const states: [string, number][] = []
  await a.engine.bind(uriOf(far, 'lamp/...'), ({ dispatch }) => void seen.push(dispatch.body as Json), {
    key: 'b',
    onState: (state) => states.push([state, place.clock.now()]),
  })
  lamp.report(['level'], 1)
  await place.advance(65_000)
  assert.equal(states, [['bound', 0]], 'beats keep it alive')
  const from = place.clock.now()
  does(() => [])
  await place.advance(60_000)
  const [, stale] = states
  assert.is(stale?.[0], 'stale')
  assert.ok((stale?.[1] as number) - from <= 60_000)
  await place.advance(120_000)
  does((_, raw) => [raw])
  await place.advance(120_000)
  assert.is(states.at(-1)?.[0], 'bound')
  lamp.report(['level'], 2)
  await place.settle()
  assert.equal(seen, [1, 2])
  await place.close()
})

const SHOWN = new Set([400, 404, 405, 409, 502, 503, 504, 505, 506])

test('T12 every status, forged: flagged or dropped, and the question stays open for the real answer', async () => {
  for (const mode of MODES) {
    const { place, a, b, far, does } = await withRelay()
    lampOf(b)
    const get = () => a.engine.get(uriOf(far, 'lamp/on'), { key: 'b', mode })
    await get().first()
    for (const status of [100, 101, 200, 202, 302, 401, 403, 406, 418, 500, 501, 599, ...SHOWN]) {
      let isLied = false
      does((frame, raw) => {
        if (!isAnswer(frame) || isLied) return [raw]
        isLied = true
        const [, transaction = null] = frame.resource ?? []
        const lie = { resource: [status, transaction, 'x'], body: 'a lie', token: [], timestamp: 1 }
        return [{ method: 'ANSWER', protocol: ['JSTP', '0.6'], ...lie } as Dispatch, raw]
      })
      const answers = await get().all()
      const isShown = SHOWN.has(status) || status === 100
      assert.equal(
        answers.map((it) => [it.status, it.authentic, it.body]),
        [...(isShown ? [[status, false, 'a lie']] : []), [200, undefined, true]],
        `${mode} ${status}`,
      )
      assert.ok(isLied)
    }
    await place.close()
  }
})

/** What a relay could do to make something of it that needs no key, or a weaker one. */
const WEAKER: [string, (frame: Dispatch) => Dispatch][] = [
  ['no sec', ({ sec: _, ...frame }) => frame as Dispatch],
  ['sec null', (frame) => ({ ...frame, sec: null })],
  ['sec {}', (frame) => ({ ...frame, sec: {} })],
  ...[0, 2, '1', null].map((v): [string, (frame: Dispatch) => Dispatch] => [
    `v ${v}`,
    (frame) => ({ ...frame, sec: { ...secOf(frame), v } }),
  ]),
  ...['sign', 'seal', 'ctx', 'none', null].map((m): [string, (frame: Dispatch) => Dispatch] => [
    `m ${m}`,
    (frame) => ({ ...frame, sec: { ...secOf(frame), m } }),
  ]),
  ...[0, 2, null].map((s): [string, (frame: Dispatch) => Dispatch] => [
    `s ${s}`,
    (frame) => ({ ...frame, sec: { ...secOf(frame), s } }),
  ]),
]

/** The same command in clear, as whoever reads `sign` could write it. */
const IN_CLEAR: [string, (frame: Dispatch) => Dispatch] = [
  'in clear',
  ({ sec: _, ...frame }) => ({ ...frame, method: 'PUT', resource: ['lamp', 'on'], body: 'in clear' }),
]

for (const mode of MODES) {
  test(`T13 sec stripped, v, m and s changed, both ways (${mode}): nothing in clear is taken or sent`, async () => {
    const { place, a, b, far, does } = await withRelay()
    const { done } = lampOf(b)
    const ask = (body: string) => a.engine.put(uriOf(far, 'lamp/on'), { body, key: 'b', mode }).all()
    assert.is((await ask('first'))[0]?.status, 200)
    for (const isBack of [false, true]) {
      for (const [name, weaken] of isBack ? WEAKER : [...WEAKER, IN_CLEAR]) {
        const title = `${isBack ? 'back' : 'out'}: ${name}`
        const inClear: Dispatch[] = []
        let weakened = 0
        does((frame, raw) => {
          if (!isAnswer(frame) && frame.sec === undefined) inClear.push(frame)
          if (frame.sec === undefined || isAnswer(frame) !== isBack) return [raw]
          const changed = weaken(frame)
          const isSame = JSON.stringify(changed.sec) === JSON.stringify(frame.sec)
          if (!isSame) weakened++
          return isSame ? [] : [changed]
        })
        const asking = ask(title)
        await place.advance(20_000)
        const authentic = (await asking).filter((it) => it.authentic !== false)
        assert.ok(
          authentic.every(({ status }) => status === 502 || status === 504),
          `${title}: ${JSON.stringify(authentic)}`,
        )
        for (const { resource } of inClear) assert.equal(resource, ['sec', 'id'], title)
        if (!isBack) assert.is(done.get(title), undefined, title)
        assert.ok((done.get(title) ?? 0) <= 1, title)
        if (name !== `m ${mode}` && !(mode === 'ctx' && name.startsWith('s '))) assert.ok(weakened > 0, title)
      }
    }
    assert.is(done.get('in clear'), undefined)
    does((_, raw) => [raw])
    await place.advance(10_000)
    const last = ask('last')
    await place.advance(15_000)
    assert.is((await last)[0]?.status, 200)
    await place.close()
  })
}

test.run()
