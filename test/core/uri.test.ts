// JSTP URIs (spec §7).

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Hop } from '../../src/core/dispatch.ts'
import type { JstpError } from '../../src/core/status.ts'
import { formatUri, parseUri } from '../../src/core/uri.ts'

test('§7 the examples of the text', () => {
  assert.equal(parseUri('jstp:GET#localhost:33333:tcp,monje//user/80'), {
    method: 'GET',
    pattern: undefined,
    to: [['localhost', 33333, 'tcp'], 'monje'],
    resource: ['user', '80'],
    from: [],
  })
  assert.equal(parseUri('jstp:BIND#*#pi:33333:tcp//cafetera/...'), {
    method: 'BIND',
    pattern: '*',
    to: [['pi', 33333, 'tcp']],
    resource: ['cafetera', '...'],
    from: [],
  })
})

test('§7 the method, the scheme, the transport and the port may be absent', () => {
  assert.equal(parseUri('cafetera/state'), {
    method: undefined,
    pattern: undefined,
    to: [],
    resource: ['cafetera', 'state'],
    from: [],
  })
  assert.equal(parseUri('JSTP:/cafetera').resource, ['cafetera'])
  assert.equal(parseUri('pi:8080//a').to, [['pi', 8080, 'tcp']])
  assert.equal(parseUri('pi:8080//a', 'ws').to, [['pi', 8080, 'ws']])
  assert.equal(parseUri('cocina//a').to, ['cocina'])
  assert.equal(parseUri('[::1]:1:tcps//a').to, [['::1', 1, 'tcps']])
  assert.equal(parseUri('get#put#a').method, 'GET')
})

test('§7 elements are percent-encoded', () => {
  assert.equal(parseUri('caf%C3%A9/a%2Fb/%23/100%25').resource, ['café', 'a/b', '#', '100%'])
  assert.is(
    formatUri({ resource: ['a/b', 'ñ', 'x#;,?', 8, null, true] }),
    'jstp:a%2Fb/%C3%B1/x%23%3B%2C%3F/8/null/true',
  )
  assert.is(
    formatUri({ method: 'BIND', pattern: '*', resource: ['a', ':x', '...', '*'] }),
    'jstp:BIND#*#a/:x/.../*',
  )
})

test('§7 the emitter stands behind a semicolon', () => {
  assert.equal(parseUri('a;yo,tu').from, ['yo', 'tu'])
  assert.equal(parseUri('a;').from, [])
  assert.equal(parseUri('a;yo;tu').from, ['yo;tu'])
})

for (const [uri, why] of [
  ['', 'no resource'],
  ['jstp:', 'no resource'],
  ['pi:1//', 'no resource'],
  ['pi:0//a', 'port'],
  ['pi:65536//a', 'port'],
  ['pi:tcp//a', 'transport and no port'],
  ['pi:1:2//a', 'no address'],
  ['a b:c:d:e//a', 'no address'],
  [',//a', 'no address'],
  ['%E0%A4%A//a', 'percent'],
  ['a/%zz', 'percent'],
  ['#a', 'empty method'],
  ['A#B#C#d', 'METHOD#pattern'],
  [`a/${'b'.repeat(9000)}`, 'longer than'],
] as const) {
  test(`§7 ${JSON.stringify(uri.slice(0, 40))} is refused: ${why}`, () => {
    assert.throws(
      () => parseUri(uri),
      (error: JstpError) => error.status === 400 && error.message.includes(why) && error.message.length < 400,
    )
  })
}

const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }),
  fc.constantFrom('...', ':x', '*', '\\*', '%', 'a:b', '[', '#', '//'),
)
const hop: fc.Arbitrary<Hop> = fc.oneof(
  text,
  fc.tuple(
    fc.oneof(text, fc.constantFrom('::1', 'fe80::1%eth0', '10.0.0.1')),
    fc.integer({ min: 1, max: 65535 }),
    fc.constantFrom('tcp', 'ws', 'memory'),
  ),
)

test('§7 what is written is read again, elements as text', () => {
  fc.assert(
    fc.property(
      fc.record({
        method: fc.constantFrom(undefined, 'GET', 'BIND'),
        to: fc.array(hop, { maxLength: 3 }),
        resource: fc.array(fc.oneof(text, fc.integer(), fc.boolean()), { minLength: 1, maxLength: 4 }),
        from: fc.array(text, { maxLength: 2 }),
      }),
      fc.constantFrom(undefined, '*', 'PUT'),
      (uri, pattern) => {
        const whole = { ...uri, pattern: uri.method === 'BIND' ? pattern : undefined }
        assert.equal(parseUri(formatUri(whole)), { ...whole, resource: uri.resource.map(String) })
      },
    ),
    { numRuns: 2000 },
  )
})

test('§7 whatever is typed is read or refused, and what is read can be written and read again', () => {
  const typed = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.string({
      unit: fc.constantFrom(
        'jstp:',
        'GET',
        '#',
        '/',
        '//',
        ':',
        '1',
        '%41',
        '%',
        '[',
        ']',
        ',',
        ';',
        'a',
        '\\',
        ' ',
      ),
    }),
  )
  let read = 0
  fc.assert(
    fc.property(typed, (text) => {
      let uri: ReturnType<typeof parseUri>
      try {
        uri = parseUri(text)
      } catch (error) {
        assert.is((error as JstpError).status, 400, text)
        return
      }
      if (isEmpty(uri)) return // an empty element can be read, but not always be written
      read++
      assert.equal(parseUri(formatUri(uri)), uri)
    }),
    { numRuns: 5000 },
  )
  assert.ok(read > 500, `${read} were read`)
})

function isEmpty({ to, resource, from }: ReturnType<typeof parseUri>): boolean {
  return [...to.flat(), ...resource, ...from].includes('')
}

test.run()
