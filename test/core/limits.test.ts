// Every bound of the engine (design §2, §9.5): what is over it is refused by name, and the engine lives.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { jsonCodec } from '../../src/codec/json.ts'
import type { Dispatch } from '../../src/core/dispatch.ts'
import { bodyOf, NOTHING_LEFT, type Peer, Stage } from './stage.ts'

const GOOD = { method: 'GET', resource: ['a'] }

function message(told: [number, unknown?][]): string {
  const [status, body] = told[0] ?? []
  assert.is(status, 400)
  return bodyOf({ body: body as never }).message
}

test('a resource of 64 elements is fine, one more is 400; an endpoint the same', () => {
  const peer = new Stage().pipe()
  const long = Array.from({ length: 65 }, (_, i) => i)
  assert.equal(peer.statuses(peer.ask('GET', long.slice(1))), [404])
  assert.match(message(peer.told(peer.ask('GET', long))), '1 to 64')
  peer.bind('GET', long.slice(1))
  assert.match(message(peer.subscribe('BIND', 'GET', long)), '1 to 64')
})

test('more hops in `to` than a dispatch may take are 400', () => {
  const peer = new Stage().pipe()
  assert.match(message(peer.told(peer.ask('GET', ['a'], { to: Array(17).fill('own') }))), 'at most 16 hops')
})

test('subscriptions: 400 names the limit, binding again is fine, others are not touched', () => {
  const stage = new Stage({ limits: { subscriptions: 3 } })
  const [peer, other] = stage.pipes(2) as [Peer, Peer]
  for (let i = 0; i < 3; i++) peer.bind('GET', [i])
  assert.is(message(peer.subscribe('BIND', 'GET', [3])), 'more than 3 subscriptions on this channel')
  peer.bind('GET', [2])
  peer.subscribe('RELEASE', 'GET', [2])
  peer.bind('GET', [3])
  other.bind('GET', [4])
  assert.is(stage.engine.sizes.subscriptions, 4)
})

test('transactions: 400 names the limit, dispatches without one and answers still pass', async () => {
  const stage = new Stage({ limits: { transactions: 3 } })
  const [asker, one] = stage.pipes(2) as [Peer, Peer]
  one.bind('GET', ['a'])
  const ids = Array.from({ length: 3 }, () => asker.ask('GET', ['a']))
  assert.is(message(asker.told(asker.ask('GET', ['a']))), 'more than 3 transactions open on this channel')
  asker.say(GOOD)
  const triggered = one.take()
  assert.is(triggered.length, 4)
  one.answer(triggered[0] as Dispatch)
  assert.equal(asker.statuses(ids[0] as string), [200, 101])
  asker.ask('GET', ['a'])
  assert.is(one.heard.length, 1)
  await stage.clock.advance(20_000)
  assert.is(asker.channel.open, 0)
})

test('transactions: those at other hosts count, too', () => {
  const stage = new Stage({ limits: { transactions: 2 }, forward: { allow: [['pi', 1, 'fake']] } })
  const asker = stage.pipe()
  for (let i = 0; i < 2; i++) asker.ask('GET', ['a'], { to: [['pi', 1, 'fake']] })
  assert.match(message(asker.told(asker.ask('GET', ['a']))), 'more than 2 transactions')
})

test('channels: one too many is closed, the others live', () => {
  const stage = new Stage({ limits: { channels: 2 } })
  const [one, , third] = stage.pipes(3) as [Peer, Peer, Peer]
  assert.equal(third.closed, { reason: 'no more than 2 channels', code: 1013 })
  assert.equal([stage.engine.sizes.channels, stage.counted('refused.channel')], [2, 1])
  third.say({ ...GOOD, token: ['tx'] })
  assert.equal(third.heard, [])
  one.cut()
  assert.is(stage.pipe().closed, undefined)
})

test('§9.5 the 100th line of garbage in a minute closes the channel', async () => {
  const stage = new Stage()
  const peer = stage.pipe()
  const feed = (count: number) => {
    for (let i = 0; i < count; i++) peer.raw('{"garbage')
  }
  feed(99)
  await stage.clock.advance(60_001)
  feed(99)
  assert.equal(peer.statuses(peer.ask('GET', ['a'])), [404])
  assert.is(stage.lines.filter((line) => line.startsWith('warn')).length, 2, 'one line a minute')
  feed(1)
  assert.equal([peer.closed?.code, stage.engine.sizes.channels, stage.counted('garbage')], [1008, 0, 199])
  feed(1)
  assert.is(stage.counted('garbage'), 199)
})

test('what comes after a channel was closed does nothing', () => {
  const stage = new Stage({ limits: { garbage: 1 } })
  const [peer, watcher] = stage.pipes(2) as [Peer, Peer]
  let seen = 0
  stage.engine.own('luz').handle('POST', [], () => void seen++)
  watcher.bind('RELEASE', ['a'])
  peer.bind('GET', ['a'])
  peer.raw('garbage')
  peer.say({ method: 'POST', resource: ['luz'] })
  peer.raw('garbage')
  peer.channel.oversize('{')
  peer.cut()
  peer.channel.close('again')
  assert.equal([peer.closed?.code, peer.heard, seen], [1008, [], 0])
  assert.equal([stage.counted('garbage'), stage.counted('oversize'), watcher.take().length], [1, 0, 1])
})

test('§9.5 blank lines and [object Object] do not count', () => {
  const stage = new Stage()
  const peer = stage.pipe()
  for (let i = 0; i < 300; i++)
    for (const line of ['', '  ', '\r', '[object Object]', ' [object Object]\r']) peer.raw(line)
  assert.equal([peer.closed, stage.counted('garbage'), stage.lines.length], [undefined, 0, 0])
})

test('§9.5 garbage that the transport has found counts as well', () => {
  const stage = new Stage({ limits: { garbage: 3 } })
  const peer = stage.pipe()
  peer.raw('{')
  peer.channel.garbage('no UTF-8')
  assert.is(peer.closed, undefined)
  peer.channel.garbage('no UTF-8')
  assert.is(peer.closed?.code, 1008)
})

test('§9.5 a frame over the limit is 400 if it shows a transaction id, and closes the channel', () => {
  const stage = new Stage()
  const peer = stage.pipe()
  peer.channel.oversize('{"protocol":["JSTP","0.6"], "token" : [ "tx-big", "x"],"body":"aaaaa')
  assert.is(message(peer.told('tx-big')), 'a frame over the limit of 1048576 bytes')
  assert.equal([peer.closed?.code, stage.engine.sizes.channels, stage.counted('oversize')], [1009, 0, 1])
  for (const start of ['{"body":"aaaa', new Uint8Array(5)]) {
    const other = stage.pipe()
    other.channel.oversize(start)
    assert.equal([other.heard, other.closed?.code], [[], 1009])
  }
})

test('§9.11 nesting over the limit is 400', () => {
  const limits = { nesting: 10 }
  const peer = new Stage({ limits }).pipe({ codec: jsonCodec(limits) })
  const nested = (depth: number) => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`)
  assert.equal(peer.statuses(peer.ask('GET', ['a'], { body: nested(9) })), [404])
  assert.match(message(peer.told(peer.ask('GET', ['a'], { body: nested(10) }))), 'deeper than 10')
})

test('a source that is too long is not sent back', () => {
  const peer = new Stage().pipe()
  const [, body] = peer.told(peer.ask('GET', [], { body: 'x'.repeat(70_000) }))[0] ?? []
  assert.is(bodyOf({ body }).source, null)
})

test('ids that are too long are refused, and not sent back', () => {
  const peer = new Stage().pipe()
  peer.say({ ...GOOD, token: ['x'.repeat(257)] })
  assert.equal(peer.heard, [])
  peer.say({ ...GOOD, token: ['x'.repeat(256)] })
  assert.is(peer.next().resource?.[0], 404)
})

test('whatever strangers send, the engine lives and forgets them', async () => {
  const stage = new Stage()
  const peer = stage.pipe()
  const odd = ['__proto__', 'constructor', 'toString', '\u0000', '\ud800', '*', '...', ':', '\\', '']
  for (const word of odd) {
    peer.say({
      method: word,
      resource: [word],
      token: [word],
      from: word,
      body: { [word]: word },
      [word]: word,
    })
    peer.say({ method: 'BIND', endpoint: { method: word || 'x', resource: [word] }, token: [word] })
    peer.say({ method: 'GET', resource: [word], to: [word], token: [word] })
    peer.say({ method: 'ANSWER', resource: [200, word, word] })
    peer.raw(`{"__proto__":{"method":"GET"},"protocol":["JSTP","0.6"],"method":"GET","resource":["${word}"]}`)
  }
  assert.equal(stage.pipe().closed, undefined)
  assert.is((Object.prototype as { method?: string }).method, undefined)
  for (const channel of [peer]) channel.cut()
  await stage.clock.advance(15_000)
  assert.equal({ ...stage.left, channels: 0 }, NOTHING_LEFT)
})

test.run()
