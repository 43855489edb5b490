// What a dispatch must look like, in both modes and all versions (spec §1, §9.3, §9.4).

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fromWire, toWire } from '../../src/codec/versions.ts'
import type { Dispatch, Json, Version } from '../../src/core/dispatch.ts'
import { bodyOf, type Headers, Stage } from './stage.ts'

const GOOD = { protocol: ['JSTP', '0.6'], method: 'GET', resource: ['a'], timestamp: 1, token: ['tx'] }
const ENDPOINT = { method: 'GET', resource: ['a'] }
const BIND = { ...GOOD, method: 'BIND', endpoint: ENDPOINT, resource: undefined }

/** The statuses that a raw dispatch is answered with, and whether it has triggered. */
function judge(headers: Headers, mode: 'strict' | 'quirks') {
  const { engine, pipe, heard } = watched(mode)
  pipe.raw(JSON.stringify(headers))
  const answers = pipe.heard.filter(({ method }) => method === 'ANSWER')
  return { engine, statuses: answers.map(({ resource }) => resource?.[0]), answers, heard }
}

function watched(mode: 'strict' | 'quirks') {
  const stage = new Stage({ mode })
  const watcher = stage.pipe()
  watcher.bind('*', ['...'], { observe: true })
  return { engine: stage.engine, stage, pipe: stage.pipe(), heard: watcher.heard }
}

const malformed: [why: string, headers: Headers][] = [
  ['no method', { ...GOOD, method: undefined }],
  ['a method that is no string', { ...GOOD, method: 7 }],
  ['an empty method', { ...GOOD, method: '' }],
  ['no resource', { ...GOOD, resource: undefined }],
  ['an empty resource', { ...GOOD, resource: [] }],
  ['a resource that is no list', { ...GOOD, resource: 'a' }],
  ['an object in a resource', { ...GOOD, resource: [{}] }],
  ['a list in a resource', { ...GOOD, resource: ['a', []] }],
  ['a protocol that is no list', { ...GOOD, protocol: 'JSTP/0.6' }],
  ['another protocol', { ...GOOD, protocol: ['HTTP', '0.6'] }],
  ['a version that is no string', { ...GOOD, protocol: ['JSTP', 0.6] }],
  ['an implementation that is no string', { ...GOOD, protocol: ['JSTP', '0.6', 1] }],
  ['a timestamp that is no number', { ...GOOD, timestamp: 'now' }],
  ['a token of three', { ...GOOD, token: ['tx', 'b', 'c'] }],
  ['a triggering id that is no string', { ...GOOD, token: ['tx', 2] }],
  ['an id that is too long', { ...GOOD, token: ['tx', 'x'.repeat(257)] }],
  ['a to that is no list', { ...GOOD, to: 'pi' }],
  ['an empty name in to', { ...GOOD, to: [''] }],
  ['port 0 in to', { ...GOOD, to: [['pi', 0, 'fake']] }],
  ['port 65536 in to', { ...GOOD, to: [['pi', 65536, 'fake']] }],
  ['half a port in to', { ...GOOD, to: [['pi', 1.5, 'fake']] }],
  ['a hop of four', { ...GOOD, to: [['pi', 1, 'fake', 'x']] }],
  ['more hops than a dispatch may take', { ...GOOD, to: Array(17).fill('own') }],
  ['no endpoint in a BIND', { ...BIND, endpoint: undefined }],
  ['an endpoint without method', { ...BIND, endpoint: { resource: ['a'] } }],
  ['an endpoint without resource', { ...BIND, endpoint: { method: 'GET' } }],
  ['an endpoint with an empty resource', { ...BIND, endpoint: { method: 'GET', resource: [] } }],
  ['an endpoint with an object in it', { ...BIND, endpoint: { method: 'GET', resource: [{}] } }],
  ['hops below 0', { ...GOOD, hops: -1 }],
  ['expires that is no number', { ...GOOD, expires: 'soon' }],
  ['expires below 0', { ...GOOD, expires: -1 }],
  ['observe that is no flag', { ...BIND, observe: 1 }],
  ['event that is no flag', { ...GOOD, event: 'yes' }],
]

for (const mode of ['strict', 'quirks'] as const) {
  for (const [why, headers] of malformed) {
    test(`§1.3 ${mode}: ${why} is answered 400 and triggers nothing`, () => {
      const { statuses, answers, heard } = judge(headers, mode)
      assert.equal([statuses, heard.length], [[400], 0])
      const { message, source } = bodyOf(answers[0])
      assert.ok(message.length > 10)
      assert.is((source as Headers).timestamp, headers.timestamp)
    })
  }
}

const slips: [why: string, headers: Headers, repaired: Headers][] = [
  ['no protocol', { ...GOOD, protocol: undefined }, {}],
  ['no timestamp', { ...GOOD, timestamp: undefined }, { timestamp: 1_700_000_000_000 }],
  ['a null header', { ...GOOD, to: null }, {}],
  ['an endpoint in a GET', { ...GOOD, endpoint: ENDPOINT }, { endpoint: undefined }],
  ['both host and to', { ...GOOD, to: ['own'], host: ['other'] }, {}],
  ['a port as a string', { ...GOOD, to: [['10.0.0.1', '99', 'fake']] }, {}],
  ['a hop without transport', { ...GOOD, to: [['10.0.0.1', 99]] }, {}],
]

for (const [why, headers] of slips) {
  test(`§1.3 strict: ${why} is answered 400 with the source`, () => {
    const { statuses, answers, heard } = judge(headers, 'strict')
    assert.equal([statuses, heard.length], [[400], 0])
    assert.ok(bodyOf(answers[0]).source)
  })
}

for (const [why, headers, repaired] of slips.filter(([, { to }]) => !Array.isArray(to))) {
  test(`§1.3 quirks: ${why} is repaired`, () => {
    const { statuses, heard } = judge(headers, 'quirks')
    assert.equal([statuses, heard.length], [[404], 1])
    const [dispatch] = heard
    assert.equal(dispatch?.protocol, ['JSTP', '0.6'])
    for (const [name, value] of Object.entries(repaired)) assert.equal(dispatch?.[name], value, name)
    assert.is(dispatch?.to, undefined)
  })
}

test('§1.3 quirks: a resource in a BIND is dropped, strict refuses it', () => {
  assert.equal(judge({ ...BIND, resource: ['b'] }, 'quirks').statuses, [200])
  assert.equal(judge({ ...BIND, resource: ['b'] }, 'strict').statuses, [400])
})

test('§1.3 quirks: a port as a string and a missing transport are read; they lead to the gateway', () => {
  const { statuses, answers } = judge({ ...GOOD, to: [['10.0.0.1', '99', 'fake']] }, 'quirks')
  assert.equal(statuses, [506])
  assert.match(bodyOf(answers[0]).message, 'fake:10.0.0.1:99')
  assert.equal(judge({ ...GOOD, to: [['10.0.0.1', 99]] }, 'quirks').statuses, [409])
  assert.equal(judge({ ...GOOD, to: [['own']] }, 'quirks').statuses, [404])
})

test('§9.11 strict: lower-case methods, no token and an empty token are fine', () => {
  for (const token of [undefined, []]) {
    const { statuses, heard } = judge({ ...GOOD, method: 'get', token }, 'strict')
    assert.equal([statuses, heard[0]?.method, heard[0]?.token], [[], 'GET', undefined])
  }
})

test('§9.3 methods are delivered in upper case, `body: null` is kept', () => {
  const { heard } = judge({ ...GOOD, method: 'pAtCh', body: null }, 'quirks')
  assert.equal([heard[0]?.method, heard[0]?.body], ['PATCH', null])
})

test('§9.3 an unknown method is legal in quirks mode and 405 in strict mode', () => {
  assert.equal(judge({ ...GOOD, method: 'brew' }, 'quirks').heard[0]?.method, 'BREW')
  const { statuses, heard } = judge({ ...GOOD, method: 'brew' }, 'strict')
  assert.equal([statuses, heard.length], [[405], 0])
})

test('§9.3 an empty transaction id asks for nothing in quirks mode and is 400 in strict mode', () => {
  assert.equal(judge({ ...GOOD, token: [''] }, 'quirks').heard.length, 1)
  const { heard, engine } = judge({ ...GOOD, token: [''] }, 'strict')
  assert.equal([heard.length, engine.sizes.transactions], [0, 0])
})

test('§1 unknown headers are kept untouched', () => {
  const extension = { deep: [{ er: null }], text: 'ñ' }
  const { heard } = judge({ ...GOOD, 'X-Mine': extension, sec: 1 }, 'quirks')
  assert.equal([heard[0]?.['X-Mine'], heard[0]?.sec], [extension, 1])
})

test('§1 native header names have no case', () => {
  const { METHOD, Resource, ...rest } = { ...GOOD, METHOD: 'GET', Resource: ['a'] }
  const { method, resource, ...others } = rest
  const { statuses, heard } = judge({ ...others, METHOD, Resource }, 'strict')
  assert.equal([statuses, heard[0]?.resource], [[404], ['a']])
})

test('§9.3 the same header twice in different case is 400, in quirks mode too', () => {
  for (const mode of ['strict', 'quirks'] as const) {
    assert.equal(judge({ ...GOOD, Method: 'PUT' }, mode).statuses, [400])
  }
})

test('§9.3 a number that JSON can not carry is 400', () => {
  const { pipe, heard } = watched('quirks')
  pipe.raw(JSON.stringify({ ...GOOD, body: 'N' }).replace('"N"', '1e400'))
  assert.equal([pipe.statuses('tx'), heard.length], [[400], 0])
})

test('§1.4 timestamp, protocol strings and from pass unchanged', () => {
  const { heard } = judge(
    { ...GOOD, protocol: ['jstp', '0.6', 'mine', '3'], timestamp: 0.5, from: { a: 1 } },
    'quirks',
  )
  const { protocol, timestamp, from } = heard[0] ?? {}
  assert.equal([protocol, timestamp, from], [['JSTP', '0.6', 'mine', '3'], 0.5, { a: 1 }])
})

test('§1.1 other versions are answered 505, in the last good version of the channel', () => {
  for (const version of ['0.3', '0.7', '1.0', '0.60']) {
    const { statuses, answers, heard } = judge({ ...GOOD, protocol: ['JSTP', version] }, 'quirks')
    assert.equal([statuses, heard.length, answers[0]?.protocol?.[1]], [[505], 0, '0.6'])
  }
  const { pipe } = watched('quirks')
  pipe.say({ ...GOOD, protocol: ['JSTP', '0.4'], token: [] })
  pipe.say({ ...GOOD, protocol: ['JSTP', '9.9'] })
  const answer = pipe.next()
  assert.equal([answer.resource?.[0], answer.protocol], [505, ['JSTP', '0.4']])
})

test('§1.1 a channel speaks what its peer declared last', () => {
  const { pipe, stage } = watched('quirks')
  pipe.bind('GET', ['a'])
  const asker = stage.pipe()
  for (const version of ['0.4', '0.5', '0.6']) {
    pipe.say({ ...GOOD, protocol: ['JSTP', version], resource: ['other'], token: [] })
    asker.say({ ...GOOD, token: [] })
    assert.equal(pipe.next().protocol, ['JSTP', version])
  }
})

test('§1.2 a 0.4 or 0.5 peer always gets token, referer and body, and host for to', () => {
  for (const version of ['0.4', '0.5']) {
    const stage = new Stage()
    const old = stage.pipe({ version })
    old.say({ method: 'BIND', endpoint: { method: '*', resource: ['...'] } })
    const { engine } = stage
    engine.send('POST', ['a'])
    const { token, referer, body } = old.next()
    assert.equal([token, referer, body], [[], [], null])
    stage.pipe().ask('POST', ['a'])
    assert.is(old.next().token?.length, 2)
  }
})

test('§1.2 a 0.4 peer may say host and referer', () => {
  const stage = new Stage()
  const watcher = stage.pipe()
  watcher.bind('*', ['...'])
  stage.pipe({ version: '0.4' }).say({ method: 'POST', resource: ['a'], host: ['own'], referer: ['me'] })
  const { from, to, host, referer } = watcher.next()
  assert.equal([from, to, host, referer], [['me'], undefined, undefined, undefined])
})

test('§1.3 garbage gets no answer, and the good lines beside it are heard', () => {
  const { pipe, heard, stage } = watched('quirks')
  for (const text of ['{', 'null', '7', '[]', '{"method":"GET"', '\u0000']) {
    pipe.raw(text)
    pipe.say({ ...GOOD, token: [] })
  }
  assert.equal([heard.length, pipe.heard.length, stage.counted('garbage')], [6, 0, 6])
  assert.is(stage.lines.filter((line) => line.startsWith('warn')).length, 1, 'one line a minute')
})

/** Headers that have a name of their own in some version. */
const NATIVE = new Set(
  'protocol method resource endpoint timestamp token to host from referer body'.split(' '),
)

const name = fc
  .oneof(
    fc.constantFrom('X-Trace', 'Hops', 'EXPIRES', 'sec', 'hostess', '__proto__', 'toString', 'observe', ''),
    fc.string(),
  )
  .filter((it) => !NATIVE.has(it.toLowerCase()) && it !== 'hops' && it !== 'expires')
const value = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>
const optional = (arbitrary: fc.Arbitrary<Json>) => fc.option(arbitrary, { nil: undefined })
const dispatches = fc
  .tuple(
    fc.record({
      protocol: fc.constantFrom<Json | undefined>(undefined, ['JSTP', '0.5'], ['JSTP', '0.6', 'mine', '3']),
      method: fc.constantFrom('GET', 'ANSWER', 'BREW'),
      resource: fc.constantFrom<Json>(['a'], [200, 'tx', null, true]),
      timestamp: fc.integer(),
      token: optional(fc.constant(['tx'])),
      to: optional(fc.constantFrom<Json>([], ['pi'], [['pi', 1, 'tcp'], 'own'])),
      from: optional(fc.oneof(value, fc.constant<Json>(['own', 'a']))),
      body: optional(value),
      hops: optional(fc.nat(16)),
      expires: optional(fc.nat()),
    }),
    fc.dictionary(name, value, { maxKeys: 3 }),
  )
  .map(([native, extensions]) => ({ ...native, ...JSON.parse(JSON.stringify(extensions)) }) as Headers)

/** What must come out on the other side: what a 0.4/0.5 peer gets in any case is there, what `close` adds is not. */
function expected(headers: Headers, version: string): Headers {
  const { token, hops, expires, protocol, to, from, body, ...rest } = headers
  const isOld = version !== '0.6'
  const list = Array.isArray(from) ? from : from === undefined || from === null ? [] : [from]
  return {
    ...rest,
    protocol: ['JSTP', version, ...((protocol as string[] | undefined) ?? []).slice(2)],
    to: Array.isArray(to) && to.length > 0 ? to : undefined,
    from: isOld ? list : from,
    body: isOld ? (body ?? null) : body,
  }
}

function sorted(headers: Headers): string {
  const entries = Object.entries(headers).filter(([, it]) => it !== undefined)
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

test('§1.1 what is written in the names of a version is read as the same dispatch, in every version', () => {
  fc.assert(
    fc.property(dispatches, fc.constantFrom<Version>('0.4', '0.5', '0.6'), (headers, version) => {
      const wire = JSON.stringify(toWire(headers as Dispatch, version))
      const read = fromWire(JSON.parse(wire))
      assert.is(sorted(read.headers), sorted(expected(headers, version)))
      assert.equal([read.version, read.slip, read.fault], [version, undefined, undefined])
    }),
    { numRuns: 3000 },
  )
})

test.run()
