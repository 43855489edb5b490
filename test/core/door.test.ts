// The door for programs: ask, send, bind, listen, close.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import type { Handler } from '../../src/core/owner.ts'
import { memoryHub } from '../../src/transports/memory.ts'
import { NOTHING_LEFT, OPEN, Stage, settle, watched } from './stage.ts'

async function refusal(
  promise: Promise<unknown>,
): Promise<{ status: number; message: string; details: Json }> {
  try {
    await promise
  } catch (error) {
    return error as { status: number; message: string; details: Json }
  }
  throw new Error('it was not refused')
}

test('ask: every answer, with its status, its body and the whole ANSWER', async () => {
  const { engine } = new Stage()
  await engine.bind('GET#clima/:city', ({ params }) => ({ city: params.city ?? null }))
  const [answer, ...more] = await engine.get('clima/roma').all()
  assert.equal([answer?.status, answer?.body, more], [200, { city: 'roma' }, []])
  assert.is(answer?.dispatch.method, 'ANSWER')
  assert.equal(
    (await engine.put('clima/roma').all()).map(({ status }) => status),
    [404],
  )
  assert.is((await engine.get(['clima', 'oslo']).first()).status, 200)
})

test('ask: every method by its name, in upper case, with body, headers and transaction id', async () => {
  const stage = new Stage()
  const peer = stage.pipe()
  peer.bind('*', ['a'])
  const { engine } = stage
  for (const method of ['get', 'post', 'put', 'patch', 'delete'] as const) {
    engine[method](['a'], {
      body: method,
      transaction: `tx-${method}`,
      headers: { mine: 1, method: 'FORGED' },
    })
    const { token, body, mine, ...dispatch } = peer.next()
    assert.equal([dispatch.method, token?.[0], body, mine], [method.toUpperCase(), `tx-${method}`, method, 1])
    assert.is(dispatch.timestamp, stage.clock.wall())
  }
  engine.ask('brew', 'a')
  assert.is(peer.next().method, 'BREW')
  engine.send('get', 'a', { body: 5 })
  assert.equal([peer.heard[0]?.token, peer.next().body], [undefined, 5])
})

test('ask: what can not be asked, and what is no URI, throws a 400', () => {
  const { engine } = new Stage()
  for (const method of ['BIND', 'release', 'Answer']) assert.throws(() => engine.ask(method, 'a'), /use bind/)
  assert.throws(() => engine.get('a/%zz'), /is no JSTP URI/)
  assert.throws(() => engine.send('GET', ''), /is no JSTP URI/)
})

test('ask: with a signal that has aborted nothing is sent', async () => {
  const stage = new Stage()
  const peer = stage.pipe()
  peer.bind('*', ['a'])
  const error = await refusal(
    stage.engine.get(['a'], { signal: AbortSignal.abort(new Error('enough')) }).all(),
  )
  assert.equal([error.message, peer.heard, stage.engine.sizes.transactions], ['enough', [], 0])
})

test('ask: at a host that does not answer, the stream ends with 504', async () => {
  const stage = new Stage()
  const answers = stage.engine.get('pi:1:fake//a').all()
  await stage.clock.advance(11_500)
  assert.equal(
    (await answers).map(({ status }) => status),
    [504],
  )
})

test('bind: confirmed here; released it is triggered no more', async () => {
  const stage = new Stage()
  let seen = 0
  const binding = await stage.engine.bind('a', () => void seen++)
  assert.ok(binding.confirmed)
  stage.engine.send('POST', 'a')
  binding.release()
  binding.release()
  stage.engine.send('POST', 'a')
  assert.equal([seen, stage.left], [1, NOTHING_LEFT])
})

test('bind: the method pattern of a URI', async () => {
  const { engine } = new Stage()
  const seen: string[] = []
  const note: (name: string) => Handler =
    (name) =>
    ({ dispatch }) => {
      if (dispatch.method === 'PUT') seen.push(name)
    }
  await engine.bind('jstp:BIND#PUT#a', note('BIND#PUT'))
  await engine.bind('GET#a', note('GET'))
  await engine.bind('BIND#a', note('BIND'))
  await engine.bind('a', note('none'))
  engine.send('PUT', 'a')
  assert.equal(seen.sort(), ['BIND', 'BIND#PUT', 'none'])
})

test('bind: what is released while it owes an answer is 502', async () => {
  const stage = new Stage()
  const asker = stage.pipe()
  const binding = await stage.engine.bind('a', () => new Promise(() => {}))
  const id = asker.ask('GET', ['a'])
  binding.release()
  assert.equal(asker.statuses(id), [502, 101])
})

test('bind: an abort releases, before, during and after; no listener stays at the signal', async () => {
  const stage = new Stage()
  const { engine } = stage
  const { signal, listeners, abort } = watched()
  const binding = await engine.bind('a', () => {}, { signal })
  binding.release()
  assert.is(listeners.size, 0)
  await engine.bind('a', () => {}, { signal })
  assert.is(engine.sizes.subscriptions, 1)
  abort()
  assert.is(engine.sizes.subscriptions, 0)
  await refusal(engine.bind('a', () => {}, { signal: AbortSignal.abort() }))
  const during = new AbortController()
  const waiting = refusal(engine.bind('jstp:BIND#*#pi:1:fake//a', () => {}, { signal: during.signal }))
  await settle(stage)
  during.abort(new Error('enough'))
  assert.is((await waiting).message, 'enough')
  assert.equal(
    stage.net.last.take().map(({ method }) => method),
    ['BIND', 'RELEASE'],
  )
  assert.is(engine.sizes.subscriptions, 0)
})

test('bind: a refusal throws its status, message and details', async () => {
  const stage = new Stage()
  const waiting = refusal(stage.engine.bind('jstp:BIND#*#pi:1:fake//a', () => {}))
  await settle(stage)
  const host = stage.net.last
  const [id] = host.next().token ?? []
  host.say({
    method: 'ANSWER',
    resource: [401, id as string, 'x'],
    body: { message: 'not you', code: 'who' },
  })
  const { status, message, details } = await waiting
  assert.equal([status, message, details], [401, 'not you', { code: 'who' }])
})

test('bind: refused or given up, no listener stays at the signal and nothing is bound', async () => {
  const { engine } = new Stage({ limits: { subscriptions: 0 } })
  const { signal, listeners } = watched()
  const { status, message } = await refusal(engine.bind('a', () => {}, { signal }))
  assert.equal([status, message], [400, 'more than 0 subscriptions on this channel'])
  assert.equal([listeners.size, engine.sizes.subscriptions], [0, 0])
})

test('bind: at a host before 0.6, which never confirms, it is bound and not confirmed', async () => {
  const stage = new Stage()
  const seen: unknown[] = []
  const waiting = stage.engine.bind('BIND#*#pi:1:fake//a', ({ dispatch }) => void seen.push(dispatch.body))
  await settle(stage)
  stage.net.last.raw(
    '{"protocol":["JSTP","0.4"],"method":"PUT","resource":["a"],"timestamp":1,"token":[],"body":1}',
  )
  await stage.clock.advance(12_000)
  assert.not((await waiting).confirmed)
  assert.equal(seen, [1])
})

test('bind: a host that ends without an answer has bound nothing', async () => {
  const stage = new Stage()
  const waiting = refusal(stage.engine.bind('jstp:BIND#*#pi:1:fake//a', () => {}))
  await settle(stage)
  const host = stage.net.last
  const [id] = host.next().token ?? []
  host.say({ method: 'ANSWER', resource: [101, id as string, 'x'] })
  assert.is((await waiting).status, 504)
  assert.is(host.next().method, 'RELEASE')
})

test('bind: at a host that never confirms it is bound all the same', async () => {
  const stage = new Stage()
  const seen: unknown[] = []
  const waiting = stage.engine.bind(
    'jstp:BIND#*#pi:1:fake//a',
    ({ dispatch }) => void seen.push(dispatch.body),
  )
  await stage.clock.advance(12_000)
  const binding = await waiting
  assert.not(binding.confirmed)
  stage.net.last.say({ method: 'PUT', resource: ['a'], body: 1 })
  binding.release()
  assert.equal([seen, stage.net.last.take().map(({ method }) => method)], [[1], ['BIND', 'RELEASE']])
})

test('bind: an observer is not waited for', async () => {
  const stage = new Stage()
  const asker = stage.pipe()
  const seen: unknown[] = []
  await stage.engine.bind('...', ({ dispatch }) => void seen.push(dispatch.method), { observe: true })
  assert.equal([asker.statuses(asker.ask('GET', ['a'])), seen], [[404], ['GET']])
})

test('listen: two engines over a transport; what they listen on is themselves', async () => {
  const clock = new TestClock()
  const hub = memoryHub()
  const there = new Stage({ name: 'there', access: OPEN, transports: [hub.transport()] }, clock)
  const here = new Stage({ name: 'here', transports: [hub.transport()] }, clock)
  await there.engine.listen('memory', { address: 'pi', port: 5 })
  there.engine.own('luz').handle('GET', [], () => 'on')
  const asked = here.engine.get('pi:5:memory//luz').all()
  const itself = there.engine.get('pi:5:memory//luz').all()
  await clock.advance(10)
  assert.equal(
    (await asked).map(({ status, body }) => [status, body]),
    [[200, 'on']],
  )
  assert.equal(
    (await itself).map(({ status, body }) => [status, body]),
    [[200, 'on']],
  )
  assert.is(there.engine.sizes.channels, 1)
  const { status, message } = await refusal(here.engine.listen('pigeon', { address: 'pi', port: 1 }))
  assert.is(status, 409)
  assert.match(message, "can't listen by")
  await here.engine.close()
  await there.engine.close()
  const other = new Stage({ name: 'other', transports: [hub.transport()] }, clock)
  assert.is(
    (await other.engine.listen('memory', { address: 'pi', port: 5 })).port,
    5,
    'the port is free again',
  )
  await other.engine.close()
  await clock.advance(20_000)
  assert.equal([here.left, there.left], [NOTHING_LEFT, NOTHING_LEFT])
})

test('close: no new work, what is open is finished within the grace', async () => {
  const stage = new Stage()
  const { engine, clock } = stage
  const asker = stage.pipe()
  let finish: (body: Json) => void = () => {}
  engine.own('luz').handle(
    'GET',
    [],
    () =>
      new Promise<Json>((resolve) => {
        finish = resolve
      }),
  )
  const id = asker.ask('GET', ['luz'])
  const closing = engine.close()
  await clock.advance(1000)
  assert.equal(asker.statuses(asker.ask('GET', ['luz'])), [502])
  finish('on')
  await clock.advance(100)
  await closing
  assert.equal(
    [asker.told(id), asker.closed],
    [[[200, 'on'], [101]], { reason: 'this engine stops', code: 1001 }],
  )
  assert.equal(stage.left, NOTHING_LEFT)
})

test('close: what is not finished in time is answered 502, to peers and to programs', async () => {
  const stage = new Stage()
  const { engine, clock } = stage
  const [asker, slow] = [stage.pipe(), stage.pipe()]
  engine.own('luz').handle('GET', [], () => new Promise(() => {}))
  slow.bind('GET', ['agua'])
  const ids = [asker.ask('GET', ['luz']), asker.ask('GET', ['agua'])]
  const programs = [
    engine.get('luz').all(),
    engine.get('agua').all(),
    engine.get('jstp:GET#pi:1:fake//a').all(),
  ]
  await settle(stage)
  const closing = engine.close(2000)
  await clock.advance(2100)
  await closing
  assert.equal(
    ids.map((id) => asker.statuses(id)),
    [
      [502, 101],
      [502, 101],
    ],
  )
  assert.equal(
    (await Promise.all(programs)).map((all) => all.map(({ status }) => status)),
    [[502], [502], [502]],
  )
  await clock.advance(20_000)
  assert.equal(stage.left, NOTHING_LEFT)
})

test('close: nothing comes back to the hosts through which something was bound', async () => {
  const stage = new Stage()
  const { engine, clock, net } = stage
  void engine.bind('BIND#*#pi:1:fake//a', () => {}).catch(() => {})
  await settle(stage)
  net.down.set('far:1', 'hang')
  const waiting = refusal(engine.bind('BIND#*#far:1:fake//a', () => {}))
  await engine.close(0)
  assert.is((await waiting).status, 502)
  assert.ok(net.last.closed)
  await clock.advance(100_000)
  assert.equal([net.dialed, stage.left], [['pi:1', 'far:1'], NOTHING_LEFT])
})

test('close: a connection that is made too late is closed at once', async () => {
  const stage = new Stage()
  const dial = stage.net.dial.bind(stage.net)
  stage.net.dial = async (...args) => {
    await new Promise<void>((resolve) => stage.clock.after(300, resolve))
    return dial(...args)
  }
  const answers = stage.engine.get('pi:1:fake//a').all()
  await settle(stage)
  await stage.engine.close(0)
  assert.is((await answers)[0]?.status, 502)
  await stage.clock.advance(300)
  assert.equal([stage.net.last.closed?.reason, stage.left], ['no longer needed', NOTHING_LEFT])
})

test('channels: what can be told of them', () => {
  const stage = new Stage()
  const old = stage.pipe({ version: '0.4' })
  old.say({ method: 'BIND', endpoint: { method: '*', resource: ['a'] } })
  assert.equal(stage.engine.channels(), [
    {
      id: 'c1',
      transport: 'fake',
      remote: 'the peer',
      version: '0.4',
      codec: 'json',
      subscriptions: 1,
      queued: 0,
    },
  ])
})

test('a handler learns from which channel it was asked', async () => {
  const stage = new Stage()
  const seen: [string | undefined, Dispatch['method']][] = []
  stage.engine
    .own('luz')
    .handle('POST', [], ({ channel, dispatch }) => void seen.push([channel, dispatch.method]))
  stage.pipe().ask('POST', ['luz'])
  stage.engine.send('POST', 'luz')
  assert.equal(seen, [
    ['c1', 'POST'],
    [undefined, 'POST'],
  ])
})

test.run()
