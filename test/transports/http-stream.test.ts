// Event streams, whole dispatches and channels that are polled (spec §6, §9.8).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import { bench, Events, type HttpKit, whole } from './http-kit.ts'

type Heard = { [name: string]: Json }[]

const BIND = { method: 'BIND', endpoint: { method: '*', resource: ['lamp', '...'] }, token: ['b'] }
const EVENTS = { accept: 'text/event-stream' }

bench('§9.8 an event stream binds any method, as an observer: an event for each dispatch', async (kit) => {
  const { engine, stream, ask, bind } = kit
  await bind('POST#lamp/on', () => 'done')
  const { response, next } = await stream('/lamp/...')
  assert.is(response.headers['content-type'], 'text/event-stream')
  assert.is(response.headers['cache-control'], 'no-store')
  assert.equal((await ask('POST', '/lamp/on', { body: 'é\n1' })).json, 'done')
  const { method, resource, body, token } = await next()
  assert.equal([method, resource, body, token], ['POST', ['lamp', 'on'], 'é\n1', undefined])
  assert.is((await ask('DELETE', '/lamp/off')).status, 404, 'an observer answers nothing')
  assert.equal((await next()).method, 'DELETE')
  assert.is(engine.sizes.subscriptions, 2)
  response.destroy()
  await kit.until('it is released', () => engine.sizes.subscriptions === 1)
})

bench('a stream that is quiet beats every 15 s', async (kit) => {
  const events = await kit.stream('/lamp')
  for (let beat = 1; beat <= 3; beat++) {
    await kit.clock.advance(15_000)
    await kit.until(`beat ${beat}`, () => events.beats === beat)
  }
})

bench('a line end that JSON allows between two values does not end an event', async (kit) => {
  const events = await kit.stream('/lamp')
  const line = '{"protocol":["JSTP","0.6"],\r"method":"POST",\r"resource":["lamp"],"timestamp":1,"body":1}'
  await kit.ask('POST', '/', { text: line, headers: { 'content-type': 'application/jstp+json' } })
  assert.is((await events.next()).body, 1)
})

bench(
  'who does not read is bounded: of a resource the newest report counts, drops are counted, at last it is let go',
  async (kit) => {
    const { engine, counted, raw, until } = kit
    const owner = engine.own('lamp')
    const client = raw()
    client.socket.pause()
    client.socket.write('GET /lamp/... HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n')
    await until('it is bound', () => engine.sizes.subscriptions === 1)
    const big = 'x'.repeat(10_000)
    let sent = 0
    while (counted('drop.report') < 500) {
      for (let i = 0; i < 100; i++) owner.report([`p${sent % 10}`], [sent++, big])
      await new Promise(setImmediate)
      assert.ok(sent < 10_000, 'nothing is dropped')
    }
    assert.ok((engine.channels()[0]?.queued ?? 0) <= 10)
    assert.is(engine.sizes.channels, 1)
    client.socket.resume()
    await client.says(new RegExp(`\\[${sent - 1},"x`))
    client.socket.pause()
    while ((engine.channels()[0]?.queued ?? 0) < 10) owner.report([`p${sent % 10}`], [sent++, big])
    await kit.clock.advance(60_000)
    await until('it is let go', () => engine.sizes.channels === 0)
    assert.is(counted('drop.slow-channel'), 1)
    owner.close()
  },
)

for (const [path, headers] of [
  ['/lamp?x=1', EVENTS],
  ['/lamp', { ...EVENTS, 'content-type': 'application/json', 'content-length': '1' }],
] as const) {
  bench(`an event stream takes no body: ${path}`, async ({ ask }) => {
    const text = 'content-length' in headers ? '1' : undefined
    assert.is((await ask('GET', path, { headers: { ...headers }, text })).status, 400)
  })
}

bench(
  'a pattern that strict mode refuses is a 400',
  async ({ begin }) => {
    const refused = await begin('GET', '/lamp/.../...', { headers: EVENTS })
    assert.is(refused.statusCode, 400)
    assert.match((await whole(refused)).text, /one is enough/)
  },
  { mode: 'strict' },
)

bench('§6 a whole dispatch is POSTed to /: its ANSWERs come back', async ({ bind, dispatch, ask }) => {
  await bind('GET#lamp/:x', ({ dispatch }) => [dispatch.extra ?? null, dispatch.token?.[0] ?? null])
  await bind('GET#lamp/*', ({ answer }) => answer(500, 'broken'))
  const asked = { method: 'get', resource: ['lamp', 1], token: ['mine'], extra: 'kept' }
  const { status, headers, json } = await dispatch(asked)
  assert.equal([status, headers['content-type']], [200, 'application/jstp+json'])
  const answers = json as Heard
  assert.equal(
    answers.map(({ method, resource, body }) => [method, (resource as Json[]).slice(0, 2), body]).sort(),
    [
      ['ANSWER', [200, 'mine'], ['kept', 'mine']],
      ['ANSWER', [500, 'mine'], 'broken'],
    ],
  )
  assert.equal((await dispatch({ method: 'GET', resource: ['none'], token: ['x'] })).status, 404)
  assert.equal((await dispatch({ method: 'GET', resource: [], token: ['x'] })).status, 400)
  const silent = await dispatch({ method: 'GET', resource: ['lamp', 1] })
  assert.equal([silent.status, silent.text], [202, ''])
  const jstp = { 'content-type': 'application/jstp+json' }
  for (const text of ['{"method":', '[1]', '"x"', '{"token":"x"}', '{"token":[1]}']) {
    assert.is((await ask('POST', '/', { text, headers: jstp })).status, 400, text)
  }
})

bench(
  'what nobody says anything about is a 504, and its connection ends',
  async ({ dispatch, clock, until, counted }) => {
    const lost = dispatch(
      { method: 'GET', resource: ['lamp'], token: ['x'], hops: 17 },
      { connection: 'keep-alive' },
    )
    await until('it was dropped', () => counted('drop.hops') === 1)
    await clock.advance(16_000)
    const { status, json } = await lost
    assert.equal([status, (json as Heard)[0]?.body], [504, { message: 'no answer in time', code: 'timeout' }])
  },
)

bench('a dispatch for another host goes there, if that is allowed', async ({ dispatch }) => {
  const to = [['127.0.0.1', 1, 'tcp']]
  assert.is((await dispatch({ method: 'GET', resource: ['lamp'], token: ['x'], to })).status, 409)
})

bench('the answers to a dispatch as lines, or as events', async ({ bind, begin }) => {
  await bind('GET#lamp', () => 1)
  const text = JSON.stringify({ method: 'GET', resource: ['lamp'], token: ['x'] })
  const post = (accept: string) =>
    begin('POST', '/', { text, headers: { accept, 'content-type': 'application/jstp+json' } })
  const lines = await whole(await post('application/x-ndjson'))
  assert.equal(JSON.parse(lines.text).body, 1)
  const events = await whole(await post('text/event-stream'))
  assert.match(events.text, /^data: \{.*"ANSWER".*\}\n\n$/)
})

bench('a BIND that is POSTed needs a way back', async ({ dispatch, begin, ask }) => {
  const refused = await dispatch(BIND)
  assert.is(refused.status, 400)
  assert.match((refused.json as { message: string }).message, /text\/event-stream, or Jstp-Channel: new/)
  const text = JSON.stringify({ ...BIND, observe: true })
  const events = new Events(
    await begin('POST', '/', { text, headers: { ...EVENTS, 'content-type': 'application/jstp+json' } }),
  )
  assert.equal(((await events.next()).resource as Json[])[0], 200)
  await ask('PUT', '/lamp/on', { body: 7 })
  assert.is((await events.next()).body, 7)
})

async function openBox({ dispatch }: HttpKit, first: object = BIND): Promise<Record<string, string>> {
  const { status, headers } = await dispatch(first, { 'jstp-channel': 'new' })
  assert.is(status, 202)
  return { 'jstp-channel': headers['jstp-channel'] as string }
}

bench('a channel without a socket: POST to it, poll it, DELETE it', async (kit) => {
  const { engine, ask, dispatch, until } = kit
  const channel = await openBox(kit)
  assert.equal((await poll(kit, channel))[0]?.resource?.[0], 200)
  const waiting = poll(kit, channel)
  const asked = ask('PUT', '/lamp/on', { body: 1 })
  const [put] = await waiting
  assert.equal([put?.method, put?.body], ['PUT', 1])
  // It is no observer: it answers by POST.
  const [transaction, triggering] = (put as { [name: string]: Json[] }).token as string[]
  const answer = { method: 'ANSWER', resource: [201, transaction, triggering], body: 'thanks' }
  assert.is((await dispatch(answer, channel)).status, 202)
  assert.equal([(await asked).status, (await asked).json], [201, 'thanks'])
  await dispatch({ method: 'GET', resource: ['none'], token: ['q'] }, channel)
  assert.equal((await poll(kit, channel))[0]?.resource?.slice(0, 2), [404, 'q'])
  assert.is((await ask('DELETE', '/', { headers: channel })).status, 204)
  await until('it is released', () => engine.sizes.subscriptions === 0)
  assert.is((await ask('GET', '/', { headers: channel })).status, 404)
  assert.is((await dispatch(BIND, channel)).status, 404)
})

async function poll(
  { ask }: HttpKit,
  headers: Record<string, string>,
): Promise<{ [name: string]: Json[] }[]> {
  const { status, json } = await ask('GET', '/', { headers })
  assert.is(status, 200)
  return json as { [name: string]: Json[] }[]
}

bench('a poll waits 25 s; a second one takes the place of the first', async (kit) => {
  const { ask, clock, engine } = kit
  const channel = await openBox(kit)
  await poll(kit, channel)
  let [first, second] = ['', '']
  const one = ask('GET', '/', { headers: channel }).then(({ text }) => (first = text))
  const two = one.then(() => {})
  await kit.until('the first is there', () => engine.channels().length === 1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const other = ask('GET', '/', { headers: channel }).then(({ text }) => (second = text))
  await two
  assert.equal([first, second], ['[]\n', ''])
  await clock.advance(25_000)
  await other
  assert.is(second, '[]\n')
})

bench('what waits for a poll is bounded: of a resource the newest report counts', async (kit) => {
  const { engine, counted } = kit
  const owner = engine.own('lamp')
  const channel = await openBox(kit)
  for (let i = 0; i < 1000; i++) owner.report(['on'], i)
  for (let i = 0; i < 300; i++) owner.report([`p${i}`], 'x'.repeat(10_000))
  assert.ok(counted('drop.report') > 1100)
  const heard = []
  for (let rest = await poll(kit, channel); rest.length > 0; ) {
    heard.push(...rest)
    if (rest.some(({ resource }) => resource?.[1] === 'p299')) break
    rest = await poll(kit, channel)
  }
  assert.is(heard.at(-1)?.resource?.[1], 'p299')
  assert.ok(JSON.stringify(heard).length < 1.2 * 2 ** 20)
  owner.close()
})

bench('nobody polls for a minute: the channel ends', async (kit) => {
  const { engine, clock, ask } = kit
  const channel = await openBox(kit)
  await clock.advance(59_000)
  await poll(kit, channel)
  await clock.advance(59_000)
  assert.is(engine.sizes.subscriptions, 1)
  await clock.advance(1000)
  assert.equal([engine.sizes.subscriptions, engine.sizes.channels], [0, 0])
  assert.is((await ask('GET', '/', { headers: channel })).status, 404)
})

bench('of too many channels the one that was polled longest ago goes', async (kit) => {
  const { engine, ask, counted } = kit
  const honest = await openBox(kit)
  for (let i = 0; i < 300; i++) {
    await openBox(kit, { method: 'GET', resource: ['none'], token: ['x'] })
    if (i % 50 === 0) await kit.dispatch(BIND, honest)
  }
  assert.is(engine.channels().length, 256)
  assert.is(counted('drop.mailbox'), 45)
  assert.is((await ask('GET', '/', { headers: honest })).status, 200)
})

test.run()
