// The judge of headers (spec §1), alone: what it repairs and refuses, and that nothing gets past it.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { jsonCodec } from '../../src/codec/json.ts'
import { fromWire } from '../../src/codec/versions.ts'
import type { Json } from '../../src/core/dispatch.ts'
import type { Mode } from '../../src/core/endpoint.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { examine, type Rules, type Verdict } from '../../src/core/morphology.ts'
import { type Headers, Stage, settle } from './stage.ts'

const MODES: Mode[] = ['quirks', 'strict']
const GOOD = { protocol: ['JSTP', '0.6'], method: 'GET', resource: ['a'], timestamp: 1 }
const BIND = {
  protocol: ['JSTP', '0.6'],
  method: 'BIND',
  endpoint: { method: 'GET', resource: ['a'] },
  timestamp: 1,
}
const ANSWER = { ...GOOD, method: 'ANSWER', resource: [200, 'tx', 'id'] }

function rules(mode: Mode, limits = {}): Rules {
  return { mode, limits: { ...LIMITS, ...limits }, wall: () => 7 }
}

/** What is made of headers as they come from the wire; those that are `undefined` are not there. */
function judge(headers: Headers, mode: Mode = 'quirks', limits = {}): Verdict {
  return examine(fromWire(JSON.parse(JSON.stringify(headers))), rules(mode, limits))
}

function statusOf(verdict: Verdict): number | undefined {
  return 'status' in verdict ? verdict.status : undefined
}

/** The dispatch, and whether it was repaired. */
function taken(verdict: Verdict) {
  if ('status' in verdict) throw new Error(`${verdict.status}: ${verdict.message}`)
  return { dispatch: verdict.dispatch as Headers, repaired: verdict.repaired, version: verdict.version }
}

for (const mode of MODES) {
  test(`§1 ${mode}: what is right passes unchanged, not repaired`, () => {
    for (const headers of [
      GOOD,
      { ...GOOD, token: [], from: 'me', body: null },
      { ...GOOD, token: ['tx', 'id'], hops: 16, expires: 0.5, event: true, 'X-Own': { to: null } },
      { ...GOOD, resource: ['a', 1, true, null, ''] },
      { ...ANSWER, resource: [599, 'tx', 'id'] },
      { ...GOOD, protocol: ['JSTP', '0.4', 'jstp', '1.1.5'] },
      { ...BIND, observe: true },
      { ...BIND, method: 'RELEASE', endpoint: { method: '*', resource: [null] } },
    ]) {
      assert.equal(taken(judge(headers, mode)), {
        dispatch: headers,
        repaired: false,
        version: headers.protocol[1],
      })
    }
  })
}

const repairs: [why: string, headers: Headers, repaired: Headers][] = [
  ['a missing protocol', { ...GOOD, protocol: undefined }, { ...GOOD, protocol: undefined }],
  ['a protocol that is null', { ...GOOD, protocol: null }, { ...GOOD, protocol: undefined }],
  ['a missing timestamp', { ...GOOD, timestamp: undefined }, { ...GOOD, timestamp: 7 }],
  ['a timestamp that is null', { ...GOOD, timestamp: null }, { ...GOOD, timestamp: 7 }],
  ['other headers that are null', { ...GOOD, token: null, to: null, from: null, hops: null }, GOOD],
  ['an empty transaction id', { ...GOOD, token: [''] }, { ...GOOD, token: [] }],
  ['a hop without transport', { ...GOOD, to: [['pi', 1]] }, { ...GOOD, to: [['pi', 1, 'tcp']] }],
  ['a hop without port', { ...GOOD, to: [['pi']] }, { ...GOOD, to: ['pi'] }],
  ['a port as text', { ...GOOD, to: [['pi', '080', 'ws']] }, { ...GOOD, to: [['pi', 80, 'ws']] }],
  ['an endpoint that is not due', { ...GOOD, endpoint: { method: 7 } }, GOOD],
  ['a resource that is not due', { ...BIND, resource: null }, BIND],
  [
    'an ANSWER of the 0.5 index page',
    { ...ANSWER, resource: ['tx', 200] },
    { ...ANSWER, resource: [200, 'tx'] },
  ],
  ['a hop in an ANSWER', { ...ANSWER, to: ['pi'] }, ANSWER],
]

for (const [why, headers, repaired] of repairs) {
  test(`§1.3 ${why} is repaired in quirks mode, and 400 in strict mode`, () => {
    const { dispatch, repaired: was } = taken(judge(headers))
    assert.equal([dispatch, was], [JSON.parse(JSON.stringify(repaired)), true])
    assert.is(statusOf(judge(headers, 'strict')), 400)
  })
}

for (const mode of MODES) {
  test(`§9.11 ${mode}: another case of method and protocol is repaired, an empty to is taken off`, () => {
    const { dispatch, repaired } = taken(judge({ ...GOOD, method: 'bReW' }))
    assert.equal([dispatch.method, repaired], ['BREW', true])
    assert.equal(taken(judge({ ...GOOD, method: 'get' }, mode)).dispatch, GOOD)
    assert.ok(taken(judge({ ...GOOD, protocol: ['jstp', '0.6'] }, mode)).repaired)
    const { to, host, ...rest } = taken(judge({ ...GOOD, to: [] }, mode)).dispatch
    assert.equal([to, host, rest], [undefined, undefined, GOOD])
  })

  test(`§9.3 ${mode}: an ANSWER must have a status, a transaction id and a triggering id`, () => {
    for (const resource of [
      [99, 'tx', 'id'],
      [600, 'tx', 'id'],
      [200.5, 'tx', 'id'],
      ['200', 'tx', 'id'],
      [200, 1, 'id'],
      [200, 'tx', null],
      [200, 'tx', 'id', 'x'],
      [200, 'tx'],
      ['tx', 99],
      [200],
    ]) {
      assert.is(statusOf(judge({ ...ANSWER, resource }, mode)), 400, JSON.stringify(resource))
    }
  })

  test(`design §2 ${mode}: limits are named, and what is just within them passes`, () => {
    const limits = { resource: 3, hops: 2 }
    for (const [headers, limit] of [
      [{ ...GOOD, resource: Array(3).fill('a') }, undefined],
      [{ ...GOOD, resource: Array(4).fill('a') }, '1 to 3'],
      [{ ...BIND, endpoint: { method: 'GET', resource: Array(4).fill('a') } }, '1 to 3'],
      [{ ...GOOD, to: ['a', 'b'] }, undefined],
      [{ ...GOOD, to: ['a', 'b', 'c'] }, 'at most 2'],
      [{ ...GOOD, token: ['x'.repeat(256)] }, undefined],
      [{ ...GOOD, token: ['x'.repeat(257)] }, '256'],
    ] as [Headers, string | undefined][]) {
      const verdict = judge(headers, mode, limits)
      assert.is(statusOf(verdict), limit && 400, JSON.stringify(headers))
      if (limit && 'status' in verdict) assert.match(verdict.message, limit)
    }
  })

  test(`§1.1 ${mode}: 505 for versions that are not spoken; the transaction id is told, for the answer`, () => {
    for (const version of ['0.3', '0.7', '1.0', '0.6 ', '']) {
      const verdict = judge({ ...GOOD, protocol: ['JSTP', version], token: ['tx'] }, mode)
      assert.is(statusOf(verdict), 505, version)
      assert.is('transaction' in verdict && verdict.transaction, 'tx')
    }
    const none = [undefined, [], [''], [7], 'tx', ['x'.repeat(257)]]
    for (const token of none) {
      const verdict = judge({ ...GOOD, resource: 7, token }, mode)
      assert.ok('transaction' in verdict && verdict.transaction === undefined, JSON.stringify(token))
    }
  })
}

/** Its text can't be had: `String` of it throws. */
const stubborn = { toString: 1, valueOf: null }

/** What a header may hold: what it should, or nearly. */
const values: { [name: string]: Json[] } = {
  protocol: [['JSTP', '0.6'], ['jstp', '0.4', 'x'], ['JSTP', '9'], [stubborn, '0.6'], []],
  method: ['GET', 'bind', 'RELEASE', 'ANSWER', 'brew', '\u00df', ''],
  resource: [['a'], [200, 'tx', 'id'], ['tx', 200], [1, null, true], [], [stubborn]],
  endpoint: [{ method: 'get', resource: ['a', '...'] }, { method: '*', resource: [] }, []],
  timestamp: [1, -0.5, '1'],
  token: [[], ['tx'], ['tx', 'id'], [''], ['', 'id'], [stubborn]],
  to: [[], ['pi'], [['pi', 1, 'tcp']], [['pi', '1']], [['pi']], [[], 'pi'], ['']],
  host: [['pi'], []],
  from: ['me', ['own', 'a']],
  body: [1, { deep: [stubborn] }],
  hops: [0, 17, -1],
  expires: [0, 10, -1],
  observe: [true, 1],
  event: [false, 'no'],
  Method: ['GET'],
  constructor: [1],
}

const header = fc
  .constantFrom(...Object.keys(values))
  .chain((name) =>
    fc.tuple(fc.constant(name), fc.constantFrom(...(values[name] as Json[]), null, stubborn, 'x', [null])),
  )

/** What is right, with some headers changed. */
const headers = fc
  .tuple(fc.constantFrom<Headers>(GOOD, BIND, ANSWER), fc.array(header, { maxLength: 4 }))
  .map(([base, changes]): Headers => ({ ...base, ...Object.fromEntries(changes) }))

const anything = fc.oneof(
  { weight: 5, arbitrary: headers },
  { weight: 1, arbitrary: fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<Json>) },
)

test('§1.3 whatever an object holds, there is a verdict; what was repaired needs no more repair', () => {
  let passed = 0
  fc.assert(
    fc.property(anything, fc.constantFrom(...MODES), (headers, mode) => {
      const verdict = judge(headers, mode)
      if ('status' in verdict) return assert.ok([400, 405, 505].includes(verdict.status))
      passed++
      const { dispatch } = verdict
      if (dispatch.protocol)
        dispatch.protocol[0] = 'JSTP' // each channel writes it anew
      else dispatch.protocol = ['JSTP', '0.6']
      const { resource = [] } = dispatch
      if (dispatch.method === 'ANSWER' && resource.length === 2) dispatch.resource = [...resource, 'id']
      const again = taken(judge(dispatch as Headers, mode))
      assert.is(JSON.stringify(again.dispatch), JSON.stringify(dispatch))
      assert.is(again.repaired, dispatch.to !== undefined)
    }),
    { numRuns: 10_000 },
  )
  assert.ok(passed > 1000, `${passed} have passed`)
})

test('§4 an ANSWER of two elements is sent on with a third, through a gateway too', async () => {
  const stage = new Stage({ forward: { allow: [['10.0.0.1', 1, 'fake']] } })
  const asker = stage.pipe()
  const id = asker.ask('GET', ['a'], { to: [['10.0.0.1', 1, 'fake']] })
  await settle(stage)
  stage.net.last.say({ method: 'ANSWER', resource: [id, 200] })
  const [status, transaction, third] = asker.next().resource ?? []
  assert.equal([status, transaction], [200, id])
  assert.ok(typeof third === 'string' && third !== '')
})

test('§1.3 whatever an object holds, a channel takes it, and goes on', () => {
  const codec = jsonCodec()
  for (const mode of MODES) {
    const stage = new Stage({ mode })
    const [peer, watcher] = [stage.pipe({ codec }), stage.pipe()]
    watcher.bind('*', ['...'], { observe: true })
    fc.assert(
      fc.property(anything, (headers) => peer.raw(JSON.stringify(headers))),
      { numRuns: 3000 },
    )
    assert.equal([peer.closed, stage.counted('garbage')], [undefined, 0])
    watcher.take()
    peer.say({ ...GOOD, method: 'PUT', resource: ['end'], token: [] })
    assert.equal(watcher.next().resource, ['end'])
  }
})

test.run()
