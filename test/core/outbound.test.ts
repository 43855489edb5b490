// A dispatch on its way out (design §2, §9.3, §9.12): encoded once, and what differs from receiver to receiver.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Dispatch, Version } from '../../src/core/dispatch.ts'
import { Outbound, type Source } from '../../src/core/outbound.ts'
import type { Codec } from '../../src/core/transport.ts'

const PUT: Dispatch = { method: 'PUT', resource: ['luz', 'on'], timestamp: 1, body: true }

/** Writes what it is told, and notes each call. */
function fake(name: Codec['name'] = 'json') {
  const calls: string[] = []
  const codec: Codec = {
    name,
    decode: () => {
      throw new Error('nothing is decoded here')
    },
    stem: (_, version) => {
      calls.push(`stem ${version}`)
      return `${name} ${version}`
    },
    reuse: (frame) => {
      calls.push('reuse')
      return `again ${frame}`
    },
    close: (stem, tail) => {
      calls.push('close')
      return `${stem} ${JSON.stringify(tail)}`
    },
  }
  return { codec, calls }
}

function source(name: Codec['name'], version: Version, plain = true): Source {
  return { codec: name, version, frame: 'frame', decoded: { headers: {}, version, plain } }
}

test('§2 it is encoded once for each codec and version, and closed once for all who get no token', () => {
  const [json, cbor] = [fake(), fake('cbor')]
  const out = new Outbound(PUT, new TestClock(), false)
  for (let i = 0; i < 3; i++) {
    assert.is(out.frame(json.codec, '0.6'), 'json 0.6 {}')
    assert.is(out.frame(json.codec, '0.4'), 'json 0.4 {}')
    assert.is(out.frame(cbor.codec, '0.6'), 'cbor 0.6 {}')
  }
  assert.equal(
    [json.calls, cbor.calls],
    [
      ['stem 0.6', 'close', 'stem 0.4', 'close'],
      ['stem 0.6', 'close'],
    ],
  )
})

test('§2 a token is written for its receiver alone, and not kept for the next', () => {
  const { codec, calls } = fake()
  const out = new Outbound(PUT, new TestClock(), false)
  const frames = [['tx', 'a'], ['tx', 'b'], undefined, ['tx', 'c']].map((token) =>
    out.frame(codec, '0.6', token),
  )
  assert.equal(frames, [
    'json 0.6 {"token":["tx","a"]}',
    'json 0.6 {"token":["tx","b"]}',
    'json 0.6 {}',
    'json 0.6 {"token":["tx","c"]}',
  ])
  assert.equal(calls, ['stem 0.6', 'close', 'close', 'close', 'close'])
})

test('§2 the frame that it came in goes on to those who read that codec and version', () => {
  for (const [came, used] of [
    [source('json', '0.6'), true],
    [source('json', '0.4'), false],
    [source('cbor', '0.6'), false],
    [source('json', '0.6', false), false],
    [undefined, false],
  ] as const) {
    const { codec, calls } = fake()
    const out = new Outbound(PUT, new TestClock(), true, came)
    out.frame(codec, '0.6')
    out.frame(codec, '0.6', ['tx'])
    assert.equal(calls.slice(0, -2), [used ? 'reuse' : 'stem 0.6'], JSON.stringify(came))
  }
})

test('§9.12 it is one hop further only if it came from a channel', () => {
  for (const [hops, came, expected] of [
    [undefined, false, '{}'],
    [undefined, true, '{"hops":1}'],
    [0, true, '{"hops":1}'],
    [3, true, '{"hops":4}'],
    [3, false, '{"hops":3}'],
  ] as const) {
    const { codec } = fake()
    const dispatch: Dispatch = hops === undefined ? PUT : { ...PUT, hops }
    const out = new Outbound(dispatch, new TestClock(), came)
    assert.is(out.frame(codec, '0.6'), `json 0.6 ${expected}`)
    assert.is(out.frame(codec, '0.6'), `json 0.6 ${expected}`, 'once, however many get it')
    assert.is(dispatch.hops, hops)
  }
})

test('§9.12 the time that we hold it is taken from its life, never below 0', async () => {
  const clock = new TestClock()
  await clock.advance(1000)
  const { codec, calls } = fake()
  const out = new Outbound({ ...PUT, expires: 100 }, clock, false, source('json', '0.6'))
  const seen = [out.frame(codec, '0.6')]
  await clock.advance(40.3)
  seen.push(out.frame(codec, '0.6'), out.frame(codec, '0.6', ['tx']))
  await clock.advance(500)
  assert.is(out.expires, 0)
  assert.equal(seen, [
    'json 0.6 {"expires":100}',
    'json 0.6 {"expires":60}',
    'json 0.6 {"token":["tx"],"expires":60}',
  ])
  assert.equal(calls, ['stem 0.6', 'close', 'close', 'close'], 'and the frame that it came in is not used')
  assert.is(new Outbound(PUT, clock, false).expires, undefined)
})

test('§9.3 a report is a PUT without transaction id, from [engine, its root]; all else is firm', () => {
  const from = ['own', 'luz']
  for (const [more, kind] of [
    [{ from }, 'report'],
    [{ from, token: [] }, 'report'],
    [{ from, event: false }, 'report'],
    [{ from, event: true }, 'event'],
    [{ event: true }, 'firm'],
    [{ from, token: ['tx'] }, 'firm'],
    [{ from, method: 'PATCH' }, 'firm'],
    [{ from, resource: ['agua', 'on'] }, 'firm'],
    [{ from: ['own'] }, 'firm'],
    [{ from: ['own', 'luz', 'x'] }, 'firm'],
    [{ from: 'own' }, 'firm'],
    [{ from: null }, 'firm'],
    [{ method: 'ANSWER', resource: [200, 'tx', 'id'], from: ['own', 200] }, 'firm'],
  ] as [Partial<Dispatch>, Outbound['kind']][]) {
    const { kind: actual } = new Outbound({ ...PUT, ...more }, new TestClock(), false)
    assert.is(actual, kind, JSON.stringify(more))
  }
})

test('§4 an ANSWER under another triggering id is otherwise the same, no hop further', () => {
  const { codec } = fake()
  const answer: Dispatch = { method: 'ANSWER', resource: [200, 'tx', 'id'], timestamp: 1, body: 5, hops: 1 }
  const out = new Outbound(answer, new TestClock(), true).renamed('other')
  assert.equal(out.dispatch, { ...answer, resource: [200, 'tx', 'other'], hops: 2 })
  assert.is(out.frame(codec, '0.6'), 'json 0.6 {"hops":2}')
  assert.equal(answer.resource, [200, 'tx', 'id'])
})

test.run()
