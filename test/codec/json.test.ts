// JSON frames: what is read, what is refused, what may be passed on as it came (spec §1, §6, §9.3, §9.5).

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { jsonCodec } from '../../src/codec/json.ts'
import type { Dispatch, Json, Version } from '../../src/core/dispatch.ts'

const codec = jsonCodec()

const OLD =
  '{"method":"POST","resource":["a"],"protocol":["JSTP","0.5"],"timestamp":1364220000000,"token":[],"referer":["hormiga","cocina"],"body":{"text":"x"}}'
const NEW = '{"protocol":["JSTP","0.6"],"method":"PUT","resource":["a"],"timestamp":1,"body":[1]}'

const deep = (depth: number) => `{"token":["t1"],"body":${'['.repeat(depth)}${']'.repeat(depth)}}`

test('§6 a text is a dispatch; what is no JSON object is garbage', () => {
  assert.equal(codec.decode(NEW).headers.body, [1])
  for (const text of ['', ' ', '{', 'null', '42', '"text"', '[]', 'true', '[object Object]', '{}x']) {
    assert.throws(() => codec.decode(text), undefined, text)
  }
  assert.throws(() => codec.decode(new Uint8Array(1)), /Bytes/)
})

test('§9.11 nesting over the limit is a fault, found without recursion, and the transaction id is found', () => {
  assert.is(codec.decode(deep(1023)).fault, undefined)
  const { fault, headers, plain } = codec.decode(deep(1024))
  assert.match(fault ?? '', 'deeper than 1024')
  assert.equal([headers.token, plain], [['t1'], false])
  assert.match(codec.decode(deep(500_000)).fault ?? '', 'deeper than 1024')
  assert.match(jsonCodec({ nesting: 3 }).decode('{"body":[[[]]]}').fault ?? '', 'deeper than 3')
})

test('brackets in strings and many lists beside each other are not deep', () => {
  const text = JSON.stringify({ body: `\\"${'['.repeat(5000)}\\` })
  assert.is(codec.decode(text).fault, undefined)
  assert.is(codec.decode(`{"body":[${'[],'.repeat(5000)}{}]}`).fault, undefined)
})

test('§9.3 a number that JSON cannot carry is a fault, however it is written', () => {
  const digits = '9'.repeat(400)
  for (const number of [
    '1e400',
    '-1E+400',
    '1e0000400',
    digits,
    `${'9'.repeat(250)}e99`,
    `[{"a":[${digits}]}]`,
  ]) {
    assert.match(codec.decode(`{"body":${number}}`).fault ?? '', 'too big', number)
  }
  const fine = '[1e308,1.7976931348623157e308,5e-324,9007199254740992,1e-400,"1e400"]'
  assert.is(codec.decode(`{"body":${fine}}`).fault, undefined)
})

test('a frame that is as we would write it is plain', () => {
  assert.ok(codec.decode(OLD).plain)
  assert.ok(codec.decode(NEW).plain)
  assert.ok(codec.decode(OLD.replace('"x"', '"\\u003a \\" \\\\"')).plain, 'escapes')
  assert.ok(codec.decode(NEW.replace('PUT', 'ANSWER').replace('["a"]', '[200,"t","g"]')).plain)
})

/** From a plain frame to one that is not: [what, text]. */
const changes: [string, string][] = [
  ['lower-case method', NEW.replace('PUT', 'put')],
  ['lower-case protocol', NEW.replace('JSTP', 'jstp')],
  ['unknown version', NEW.replace('0.6', '0.7')],
  ['implementation that is no string', NEW.replace('"0.6"', '"0.6",1')],
  ['no timestamp', NEW.replace('"timestamp":1,', '')],
  ['no resource', NEW.replace('"resource":["a"],', '')],
  ['name in upper case', NEW.replace('method', 'METHOD')],
  ['name of another version', NEW.replace('"body"', '"referer":[],"body"')],
  ['name of another version in 0.5', OLD.replace('referer', 'from')],
  ['no token in 0.5', OLD.replace('"token":[],', '')],
  ['transaction id', OLD.replace('"token":[]', '"token":["t"]')],
  ['empty token in 0.6', NEW.replace('"body"', '"token":[],"body"')],
  ['no referer in 0.5', OLD.replace('"referer":["hormiga","cocina"],', '')],
  ['referer that is no list', OLD.replace('["hormiga","cocina"]', '"x"')],
  ['no body in 0.5', OLD.replace(',"body":{"text":"x"}', '')],
  ['from null', NEW.replace('"body"', '"from":null,"body"')],
  ['to', NEW.replace('"body"', '"to":["x"],"body"')],
  ['host', OLD.replace('"body"', '"host":[],"body"')],
  ['endpoint', NEW.replace('"body"', '"endpoint":null,"body"')],
  ['hops', NEW.replace('"body"', '"hops":1,"body"')],
  ['expires', NEW.replace('"body"', '"expires":1,"body"')],
  ['answer of two elements', NEW.replace('PUT', 'ANSWER').replace('["a"]', '["t",200]')],
  ['key twice', NEW.replace('"body"', '"body":2,"body"')],
  ['key twice, once escaped', NEW.replace('"body"', '"\\u0062ody":2,"body"')],
  [
    'key twice, beside an escaped colon',
    NEW.replace('[1]', '"\\u003a"').replace('"body"', '"body":2,"body"'),
  ],
  ['key twice below', NEW.replace('[1]', '{"a":1,"a":2}')],
  ['a colon in a string, which looks like a pair that was lost', OLD.replace('"x"', '"12:30"')],
  ['line end', NEW.replace(',', ',\n')],
  ['space before', ` ${NEW}`],
  ['space after', `${NEW} `],
  ['space inside the brace', `{ ${NEW.slice(1)}`],
]

for (const [what, text] of changes) {
  test(`a frame is not plain with: ${what}`, () => {
    assert.ok(![OLD, NEW].includes(text), 'the change must take hold')
    assert.not(codec.decode(text).plain)
  })
}

test('a plain frame is passed on as it came, with what differs from receiver to receiver at its end', () => {
  const old = codec.close(codec.reuse(OLD), { hops: 1 }, '0.5')
  assert.is(old, OLD.replace(/}$/, ',"hops":1}'))
  assert.is(codec.close(codec.reuse(OLD), {}, '0.5'), OLD)
  assert.is(codec.close(codec.reuse(NEW), { token: ['t', 'g'], hops: 2, expires: 7 }, '0.6'), withTail(NEW))
  assert.throws(() => codec.close(codec.reuse(OLD), { token: ['t'] }, '0.5'), /no transaction id/)
})

function withTail(text: string): string {
  return text.replace(/}$/, ',"token":["t","g"],"hops":2,"expires":7}')
}

test('§1.2 token is always written for 0.4 and 0.5, and there once', () => {
  const dispatch: Dispatch = { method: 'GET', resource: ['a'], timestamp: 1, body: '"token":[]' }
  for (const version of ['0.4', '0.5'] as const) {
    const frame = codec.close(codec.stem(dispatch, version), {}, version) as string
    assert.equal((JSON.parse(frame) as Dispatch).token, [])
    assert.is(frame.split('"token":').length, 2)
    assert.equal(tokenOf(codec.close(codec.stem(dispatch, version), { token: ['t'] }, version) as string), [
      't',
    ])
  }
  assert.is(tokenOf(codec.close(codec.stem(dispatch, '0.6'), {}, '0.6') as string), undefined)
  assert.equal(tokenOf(codec.close(codec.stem(dispatch, '0.6'), { token: ['"'] }, '0.6') as string), ['"'])
})

function tokenOf(text: string): unknown {
  return (JSON.parse(text) as Dispatch).token
}

test('what is written is read again as it was, in every version', () => {
  const json = fc.jsonValue() as fc.Arbitrary<Json>
  const property = fc.property(
    fc.array(fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)), { minLength: 1 }),
    json,
    fc.dictionary(fc.constantFrom('X-A', '__proto__', 'x', 'ñ:'), json),
    fc.constantFrom<Version>('0.4', '0.5', '0.6'),
    (resource, body, extensions, version) => {
      const dispatch: Dispatch = { method: 'PUT', resource, timestamp: 1, from: ['a'], body, ...extensions }
      const { headers, fault } = codec.decode(
        codec.close(codec.stem(dispatch, version), { hops: 1 }, version),
      )
      assert.is(fault, undefined)
      const { protocol, token, hops, ...rest } = headers
      assert.equal([protocol, hops, token], [['JSTP', version], 1, version === '0.6' ? undefined : []])
      assert.is(JSON.stringify(sorted(rest)), JSON.stringify(sorted(JSON.parse(JSON.stringify(dispatch)))))
    },
  )
  fc.assert(property, { numRuns: 300 })
})

test('a plain frame is what would be written anew, header by header', () => {
  const property = fc.property(fc.jsonValue() as fc.Arbitrary<Json>, fc.boolean(), (body, isOld) => {
    const version = isOld ? '0.5' : '0.6'
    const rest = isOld ? { token: [], referer: [1] } : { from: { a: 1 } }
    const wire = {
      method: 'PUT',
      resource: ['r'],
      protocol: ['JSTP', version],
      timestamp: 1,
      ...rest,
      body,
      extra: [body],
    }
    const text = JSON.stringify(wire)
    const { headers, plain } = codec.decode(text)
    if (!plain) return
    const anew = codec.close(codec.stem(headers as unknown as Dispatch, version), {}, version) as string
    const reused = codec.close(codec.reuse(text), {}, version) as string
    assert.is(JSON.stringify(sorted(JSON.parse(reused))), JSON.stringify(sorted(JSON.parse(anew))))
  })
  fc.assert(property, { numRuns: 300 })
})

function sorted(headers: { [name: string]: unknown }): unknown {
  return Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1))
}

test.run()
