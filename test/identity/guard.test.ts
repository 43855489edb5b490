// The identity in an engine: questions, answers and subscriptions under protection, from one engine to another.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import type { Request } from '../../src/core/owner.ts'
import { type Tamper, Town, town, uriOf } from './engines.ts'
import { type Known, kidOfSeed, MODES, SEEDS } from './parties.ts'

test('a protected question is answered, in every mode, over no relay and over one', async () => {
  const { place, a, b, far, near } = await town()
  const lamp = b.engine.own('lamp')
  const seen: Request[] = []
  lamp.handle('PUT', ['on'], (request) => {
    seen.push(request)
    return { was: false }
  })
  for (const to of [near, far]) {
    for (const mode of MODES) {
      const answers = await a.engine.put(uriOf(to, 'lamp/on'), { body: true, key: 'b', mode }).all()
      assert.equal(
        answers.map(({ status, body, authentic }) => ({ status, body, authentic })),
        [{ status: 200, body: { was: false }, authentic: undefined }],
        `${mode} ${to.length}`,
      )
      const request = seen.pop() as Request
      assert.is(request.author, a.id)
      assert.is(request.dispatch.body, true)
    }
  }
  assert.is(seen.length, 0)
  const { requests } = a.guard.identity.sizes
  assert.is(requests, 0, 'nothing stays open')
  await place.close()
})

test('what nobody answers is 404, what is forbidden 403, and both are authentic', async () => {
  const key = (await town()).a.signer.kid
  const knows = [{ key, name: 'a', allow: [{ method: ['GET'], resource: ['lamp', '...'] }] }]
  const { place, a, b, far } = await town({ b: { knows } })
  b.engine.own('lamp').handle('GET', ['on'], () => true)
  for (const mode of MODES) {
    const ask = (method: string, at: string) =>
      a.engine.ask(method, uriOf(far, at), { key: 'b', mode }).first()
    assert.is((await ask('GET', 'lamp/on')).body, true)
    assert.is((await ask('GET', 'lamp/off')).status, 404)
    assert.is((await ask('PUT', 'lamp/on')).status, 403)
    assert.is((await ask('GET', 'door')).status, 403)
  }
  await place.close()
})

test('reports reach who is bound under protection, in order, with their server; RELEASE ends it', async () => {
  const { place, a, b, far } = await town()
  const lamp = b.engine.own('lamp')
  const seen: Request[] = []
  const binding = await a.engine.bind(uriOf(far, 'lamp/...'), (request) => void seen.push(request), {
    key: 'b',
  })
  assert.is(binding.confirmed, true)
  for (let i = 0; i < 100; i++) lamp.report(['level'], i)
  await place.settle()
  assert.equal(
    seen.map(({ dispatch }) => dispatch.body),
    Array.from({ length: 100 }, (_, i) => i),
  )
  assert.is(seen[0]?.author, b.id)
  assert.is(seen[0]?.missed, undefined)
  binding.release()
  await place.settle()
  assert.is(lamp.watched(['level']), false)
  assert.is(b.guard.identity.sizes.feeds, 0)
  assert.is(a.guard.identity.sizes.watches, 0)
  await place.close()
})

test('what somebody else has signed comes with its author, where he is known; else it is the word of the server', async () => {
  const keys = await Promise.all([SEEDS.a, SEEDS.b, SEEDS.c].map(kidOfSeed))
  const [a, b, c] = keys.map((key, i) => ({ key, name: 'abc'[i] as string })) as [Known, Known, Known]
  for (const isKnown of [true, false]) {
    const place = new Town()
    const server = await place.engine(SEEDS.b, { name: 'b', knows: [a, c] })
    const hearer = await place.engine(SEEDS.a, { name: 'a', knows: isKnown ? [b, c] : [b] })
    const author = await place.engine(SEEDS.c, { name: 'c', knows: [b] })
    const seen: Request[] = []
    const hear = (request: Request) => void seen.push(request)
    await hearer.engine.bind(uriOf([server.hop], 'chat'), hear, { key: 'b' })
    const said = { body: 'hello', key: 'b', mode: 'sign' } as const
    await author.engine.put(uriOf([server.hop], 'chat'), said).first()
    await place.settle()
    assert.is(seen[0]?.dispatch.body, 'hello')
    assert.is(seen[0]?.author, isKnown ? author.id : server.id)
    assert.is(seen[0]?.server, isKnown ? server.id : undefined)
    await place.close()
  }
})

test('two callbacks for the same endpoint share a subscription, and each gets everything once', async () => {
  const { place, a, b, far } = await town()
  const lamp = b.engine.own('lamp')
  const seen: [number, Json | undefined][] = []
  const bind = (who: number) =>
    a.engine.bind(uriOf(far, 'lamp/level'), ({ dispatch }) => void seen.push([who, dispatch.body]), {
      key: 'b',
    })
  const [first, second] = await Promise.all([bind(1), bind(2)])
  lamp.report(['level'], 7)
  await place.settle()
  assert.equal(seen, [
    [1, 7],
    [2, 7],
  ])
  first?.release()
  lamp.report(['level'], 8)
  await place.settle()
  assert.equal(seen.slice(2), [[2, 8]])
  second?.release()
  await place.settle()
  assert.is(lamp.watched(['level']), false)
  await place.close()
})

test('a cut connection is noticed: it is bound again by itself, and by reports that follow', async () => {
  const { place, a, b, far } = await town()
  const lamp = b.engine.own('lamp')
  const seen: (Json | undefined)[] = []
  const states: string[] = []
  await a.engine.bind(uriOf(far, 'lamp/level'), ({ dispatch }) => void seen.push(dispatch.body), {
    key: 'b',
    onState: (state) => states.push(state),
  })
  lamp.report(['level'], 1)
  await place.settle()
  // From A to the relay.
  place.hub.pairs[0]?.cut('pulled')
  await place.advance(3000)
  lamp.report(['level'], 2)
  await place.settle()
  // From the relay to B: A learns of it by silence.
  place.hub.pairs.find(({ name }) => name.endsWith(':1'))?.cut('pulled')
  await place.advance(90_000)
  lamp.report(['level'], 3)
  await place.settle()
  assert.equal(seen, [1, 2, 3])
  assert.equal(states, ['bound', 'stale', 'bound', 'stale', 'bound'])
  await place.close()
})

test('a reboot of the server: a question is asked again in a new context, a command is uncertain', async () => {
  const { place, a, b, far } = await town()
  const options = { name: 'b', knows: [{ key: a.signer.kid, name: 'a' }] }
  const puts: Json[] = []
  const serve = ({ engine }: typeof b, name: string) => {
    const lamp = engine.own('lamp')
    lamp.handle('GET', ['on'], () => name)
    lamp.handle('PUT', ['on'], () => void puts.push(name))
    return engine
  }
  serve(b, 'first')
  const get = () => a.engine.get(uriOf(far, 'lamp/on'), { key: 'b' }).first()
  assert.is((await get()).body, 'first')
  const second = await place.reboot(b, SEEDS.b, options)
  serve(second, 'second')
  await place.advance(3000)
  assert.is((await get()).body, 'second')
  await place.advance(3000)
  serve(await place.reboot(second, SEEDS.b, options), 'third')
  await place.advance(3000)
  const answer = a.engine.put(uriOf(far, 'lamp/on'), { key: 'b', body: true }).first()
  await place.advance(20_000)
  const { status, body } = await answer
  assert.is(status, 502)
  assert.is((body as { code: string }).code, 'uncertain')
  assert.equal(puts, [])
  await place.close()
})

test('an answer that a relay makes up is shown as not authentic, and the real one still counts', async () => {
  const lied = new Set<Json | undefined>()
  const forge: Tamper = (frame) => {
    const { resource, sec } = JSON.parse(String(frame)) as Dispatch
    const isAnswer = sec !== undefined && resource?.[0] === 200 && !lied.has(resource[1])
    if (isAnswer) lied.add(resource[1])
    const forged = { method: 'ANSWER', timestamp: 1, token: [], protocol: ['JSTP', '0.6'] }
    const lies = [200, 403, 404, 502, 504, 101].map((status) =>
      JSON.stringify({ ...forged, resource: [status, resource?.[1], 'x'], body: 'lie' }),
    )
    return isAnswer ? [...lies, frame] : [frame]
  }
  const { place, a, b, far } = await town({ tamper: forge })
  b.engine.own('lamp').handle('GET', ['on'], () => true)
  for (const mode of ['seal', 'ctx'] as const) {
    const answers = await a.engine.get(uriOf(far, 'lamp/on'), { key: 'b', mode }).all()
    assert.equal(
      answers.map(({ status, authentic, body }) => [status, authentic, body]),
      [
        [404, false, 'lie'],
        [502, false, 'lie'],
        [504, false, 'lie'],
        [200, undefined, true],
      ],
    )
    assert.is((await a.engine.get(uriOf(far, 'lamp/on'), { key: 'b', mode }).first()).body, true)
  }
  await place.close()
})

test('without a key: what the rules of the listener say, with what would be needed', async () => {
  const { place, a, b, near } = await town({
    b: { access: [{ method: ['GET'], resource: ['lamp', '...'] }] },
  })
  const lamp = b.engine.own('lamp')
  lamp.handle('GET', ['on'], () => true)
  lamp.handle('PUT', ['on'], () => true)
  assert.is((await a.engine.get(uriOf(near, 'lamp/on')).first()).status, 200)
  const { status, body } = await a.engine.put(uriOf(near, 'lamp/on'), { body: true }).first()
  assert.is(status, 401)
  assert.equal((body as { sec: string; modes: string[] }).sec, 'required')
  assert.equal((body as { modes: string[] }).modes, ['sign', 'seal', 'ctx'])
  assert.is((await a.engine.put(uriOf(near, 'lamp/on'), { body: true, key: 'b' }).first()).status, 200)
  const stats = (await a.engine.get(uriOf(near, 'sec/stats'), { key: 'b' }).first()).status
  assert.is(stats, 403, 'no wildcard reaches sec')
  await place.close()
})

test('what the trust file allows to everybody needs no key, whatever the listener allows', async () => {
  const anonymous = [{ method: ['GET'], resource: ['lamp', 'on'] }]
  const { place, a, b, near } = await town({ b: { access: [], anonymous } })
  b.engine.own('lamp').handle('GET', ['*'], () => true)
  assert.is((await a.engine.get(uriOf(near, 'lamp/on')).first()).status, 200)
  assert.is((await a.engine.get(uriOf(near, 'lamp/off')).first()).status, 401)
  await place.close()
})

test('a key that is not pinned: nothing is sent, and the error says what to do', async () => {
  const { place, a, far } = await town()
  const { status, body } = await a.engine.get(uriOf(far, 'lamp'), { key: 'nobody' }).first()
  assert.is(status, 401)
  assert.match(JSON.stringify(body), /not in the trust store: add it first/)
  assert.throws(() => a.engine.get('lamp', { key: 'b' }), /where is b\?/)
  await place.close()
})

test('a key that is withdrawn: open contexts and subscriptions end at once', async () => {
  const { place, a, b, far } = await town()
  const lamp = b.engine.own('lamp')
  lamp.handle('GET', ['on'], () => true)
  const seen: Request[] = []
  await a.engine.bind(uriOf(far, 'lamp/...'), (request) => void seen.push(request), { key: 'b' })
  const { NO_TRUST } = await import('../../src/identity/trust-file.ts')
  b.guard.identity.retrust(NO_TRUST)
  lamp.report(['level'], 1)
  await place.settle()
  assert.equal(seen, [])
  await place.advance(6000)
  assert.is(lamp.watched(['level']), false)
  const answer = a.engine.get(uriOf(far, 'lamp/on'), { key: 'b' }).first()
  await place.advance(15_000)
  assert.ok((await answer).status >= 400)
  await place.close()
})

test('when all is over no table holds anything', async () => {
  const { place, a, b, relay, far } = await town()
  b.engine.own('lamp').handle('GET', ['on'], () => true)
  for (let i = 0; i < 20; i++)
    await a.engine.get(uriOf(far, 'lamp/on'), { key: 'b', mode: MODES[i % 3] }).all()
  await place.advance(15_000)
  for (const { engine } of [a, b, relay]) {
    const { transactions, relays, subscriptions } = engine.sizes
    assert.equal({ transactions, relays, subscriptions }, { transactions: 0, relays: 0, subscriptions: 0 })
  }
  await place.close()
})

test.run()
