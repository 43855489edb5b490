// Header names of 0.4, 0.5 and 0.6 (spec §1, §1.1, §1.2).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fromWire, isVersion, toWire } from '../../src/codec/versions.ts'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'

const dispatch: Dispatch = {
  protocol: ['JSTP', '0.6', 'acme-1.2'],
  method: 'POST',
  resource: ['a', 1],
  timestamp: 5,
  token: ['t'],
  to: [['pi', 33333, 'tcp']],
  from: ['kitchen', 2],
  body: { on: true },
  hops: 2,
  expires: 100,
  'X-Trace': 1,
}

test('§1 native names in any case are read in lower case, unknown ones stay as they are', () => {
  const { headers, version } = fromWire({
    Protocol: ['JSTP', '0.4'],
    METHOD: 'GET',
    'X-Trace': 1,
    Hops: 2,
    hops: 3,
  })
  assert.equal(headers, { protocol: ['JSTP', '0.4'], method: 'GET', 'X-Trace': 1, Hops: 2, hops: 3 })
  assert.is(version, '0.4')
})

test('§1 host and referer are read as to and from, whatever version is declared', () => {
  for (const version of ['0.4', '0.5', '0.6']) {
    const { headers, slip, fault } = fromWire({
      protocol: ['JSTP', version],
      host: [['a', 1, 'tcp']],
      Referer: ['b'],
    })
    assert.equal(headers, { protocol: ['JSTP', version], to: [['a', 1, 'tcp']], from: ['b'] })
    assert.equal([slip, fault], [undefined, undefined])
  }
})

test('§1.3 both host and to, or both referer and from, is a slip; to and from count unless they are null', () => {
  const both = fromWire({ host: ['old'], to: ['new'] })
  assert.match(both.slip ?? '', 'Both host and to')
  assert.equal(both.headers, { to: ['new'] })
  assert.equal(fromWire({ TO: null, Host: ['old'] }).headers, { to: ['old'] })
  assert.match(fromWire({ from: 1, referer: 2 }).slip ?? '', 'Both referer and from')
  assert.is(fromWire({ referer: null }).headers.from, null)
})

test('§9.3 the same header twice in different case is a fault', () => {
  assert.match(fromWire({ method: 'GET', Method: 'PUT' }).fault ?? '', 'The header method is there twice')
  assert.match(fromWire({ HOST: null, host: null }).fault ?? '', 'The header host is there twice')
  assert.is(fromWire({ 'X-A': 1, 'x-a': 2 }).fault, undefined)
})

test('§1 a key __proto__ is a header like others', () => {
  for (const more of ['', ',"host":[]', ',"METHOD":"GET"']) {
    const wire = JSON.parse(`{"__proto__":{"evil":1},"protocol":["JSTP","0.6"]${more}}`) as {
      [name: string]: Json
    }
    const { headers } = fromWire(wire)
    assert.ok(Object.hasOwn(headers, '__proto__'))
    assert.is(Object.getPrototypeOf(headers), Object.prototype)
    assert.is(headers.evil, undefined)
    const again = toWire(headers as unknown as Dispatch, '0.5')
    assert.match(JSON.stringify(again), '"__proto__":{"evil":1}')
    assert.is(again.evil, undefined)
  }
  assert.is(({} as { evil?: number }).evil, undefined)
})

test('a dispatch with names of 0.6 is not copied', () => {
  const wire = { protocol: ['JSTP', '0.6'], method: 'GET', from: 1, hops: 1 }
  assert.ok(fromWire(wire).headers === wire)
})

test('§1.1 a channel is written to in its version', () => {
  assert.equal(toWire(dispatch, '0.6'), {
    protocol: ['JSTP', '0.6', 'acme-1.2'],
    method: 'POST',
    resource: ['a', 1],
    timestamp: 5,
    to: [['pi', 33333, 'tcp']],
    from: ['kitchen', 2],
    body: { on: true },
    'X-Trace': 1,
  })
  assert.equal(toWire(dispatch, '0.4'), {
    protocol: ['JSTP', '0.4', 'acme-1.2'],
    method: 'POST',
    resource: ['a', 1],
    timestamp: 5,
    host: [['pi', 33333, 'tcp']],
    referer: ['kitchen', 2],
    body: { on: true },
    'X-Trace': 1,
  })
})

test('§1.2 a peer of 0.4 or 0.5 always gets referer and body; §9.3 a from that is no list is wrapped', () => {
  const bare: Dispatch = { method: 'GET', resource: ['a'], timestamp: 1, to: [] }
  for (const version of ['0.4', '0.5'] as const) {
    const wire = toWire(bare, version)
    assert.equal([wire.referer, wire.body, 'host' in wire], [[], null, false])
    assert.equal(toWire({ ...bare, from: 'me', body: 0 }, version).referer, ['me'])
    assert.is(toWire({ ...bare, body: false }, version).body, false)
  }
  assert.equal(Object.keys(toWire(bare, '0.6')), ['protocol', 'method', 'resource', 'timestamp'])
})

test('only 0.4, 0.5 and 0.6 are versions', () => {
  assert.equal(['0.4', '0.5', '0.6', '0.7', '', undefined].map(isVersion), [
    true,
    true,
    true,
    false,
    false,
    false,
  ])
})

test.run()
