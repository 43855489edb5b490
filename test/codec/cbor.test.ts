// CBOR frames (spec §9.7), and bytes to items (RFC 8742).

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cborCodec, startsCbor } from '../../src/codec/cbor.ts'
import { splitItems } from '../../src/codec/items.ts'
import type { Dispatch, Json, Version } from '../../src/core/dispatch.ts'

const codec = await cborCodec()
const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))
const text = (word: string) => (0x60 + word.length).toString(16) + Buffer.from(word).toString('hex')

/** [what, hex, headers] */
const fine: [string, string, object][] = [
  ['an empty map', 'a0', {}],
  ['an indefinite map', `bf${text('a')}01ff`, { a: 1 }],
  ['an indefinite list', `a1${text('a')}9f0102ff`, { a: [1, 2] }],
  ['a length with more bytes than needed', `b80178${'01'}6101`, { a: 1 }],
  ['2^53', `a1${text('a')}1b0020000000000000`, { a: 9007199254740992 }],
  ['-2^53', `a1${text('a')}3b001fffffffffffff`, { a: -9007199254740992 }],
  ['a small 64-bit integer', `a1${text('a')}1b0000000000000001`, { a: 1 }],
  ['half and single floats', `a1${text('a')}82f93e00fa3fc00000`, { a: [1.5, 1.5] }],
  ['true, false, null', `a1${text('a')}83f5f4f6`, { a: [true, false, null] }],
  ['old names', `a1${text('host')}80`, { to: [] }],
]

for (const [what, frame, headers] of fine) {
  test(`§9.7 read: ${what}`, () => {
    const decoded = codec.decode(hex(frame))
    assert.equal(decoded.headers, headers)
    assert.equal([decoded.fault, decoded.plain], [undefined, false])
  })
}

/** [what, hex, part of the fault] */
const faults: [string, string, string][] = [
  ['2^53 + 1', `a1${text('a')}1b0020000000000001`, 'beyond 2^53'],
  ['2^64 - 1', `a1${text('a')}1bffffffffffffffff`, 'beyond 2^53'],
  ['-2^53 - 1', `a1${text('a')}3b0020000000000000`, 'beyond -2^53'],
  ['a tag', `a1${text('a')}c101`, 'tag'],
  ['a bignum', `a1${text('a')}c24101`, 'tag'],
  ['a shared structure of cbor-x', `a1${text('a')}d9dfff8301810201`, 'tag'],
  ['NaN', `a1${text('a')}f97e00`, 'not finite'],
  ['Infinity', `a1${text('a')}fb7ff0000000000000`, 'not finite'],
  ['a byte string', `a1${text('a')}4101`, 'byte string'],
  ['a byte string in a list', `a1${text('a')}814101`, 'byte string'],
  ['undefined', `a1${text('a')}f7`, 'simple'],
  ['another simple value', `a1${text('a')}f820`, 'simple'],
  ['a string in pieces', `a1${text('a')}7f6161ff`, 'in pieces'],
  ['a key twice', `a2${text('a')}01${text('a')}02`, 'twice'],
  ['a key twice below', `a1${text('b')}a2${text('a')}01${text('a')}02`, 'twice'],
  ['a header twice, in different case', `a2${text('to')}80${text('TO')}80`, 'twice'],
  ['a key that is a number', 'a10101', 'no text'],
  ['a key __proto__', `a1${text('__proto__')}a1${text('x')}01`, '__proto__'],
  ['a key __proto__ below', `a1${text('b')}a1${text('__proto__')}01`, '__proto__'],
  ['nesting', `a1${text('a')}${'81'.repeat(1024)}01`, 'deeper than 1024'],
  ['a lot of nesting', `a1${text('a')}${'81'.repeat(300_000)}01`, 'deeper than 1024'],
]

for (const [what, frame, part] of faults) {
  test(`§9.7 a fault, not garbage: ${what}`, () => {
    assert.match(codec.decode(hex(frame)).fault ?? '', part)
    assert.is(({} as { x?: number }).x, undefined)
  })
}

test('nesting up to the limit is fine', () => {
  assert.is(codec.decode(hex(`a1${text('a')}${'81'.repeat(1023)}01`)).fault, undefined)
})

test('§1.3 the transaction id is found beside a fault', () => {
  const token = `${text('token')}81${text('t01')}`
  for (const frame of [
    `a2${token}${text('b')}c101`,
    `a2${text('b')}c101${token}`,
    `a2${token}${text('b')}4101`,
  ]) {
    assert.equal(codec.decode(hex(frame)).headers.token, ['t01'])
  }
})

test('§9.7 byte strings are let through in sec', () => {
  const { headers, fault } = codec.decode(hex(`a1${text('sec')}a1${text('i')}420102`))
  assert.is(fault, undefined)
  assert.equal([...(headers.sec as unknown as { i: Uint8Array }).i], [1, 2])
})

const garbage: [string, string][] = [
  ['nothing', ''],
  ['no map', '8101'],
  ['a map cut short', `a1${text('a')}`],
  ['an indefinite map with no end', `bf${text('a')}01`],
  ['bytes after the map', 'a0a0'],
  ['a reserved length', `a1${text('a')}1c`],
  ['a stray break', `a1${text('a')}ff`],
  ['a break after half a pair', `bf${text('a')}ff`],
]

for (const [what, frame] of garbage) {
  test(`§1.3 garbage: ${what}`, () => assert.throws(() => codec.decode(hex(frame))))
}

test('text is no CBOR', () => assert.throws(() => codec.decode('{}'), /Text/))

test('§9.7 numbers survive: integers to 2^53 and every float', () => {
  const body = [9007199254740991, -9007199254740991, 9007199254740992, 4294967295, 4294967296, -4294967297]
  body.push(0.1, 5e-324, 1e300, 1.7976931348623157e308, -1.5, 0)
  const dispatch = { method: 'PUT', resource: ['a'], timestamp: 1700000000000, body }
  const { headers } = codec.decode(codec.close(codec.stem(dispatch, '0.6'), {}, '0.6'))
  assert.equal([headers.body, headers.timestamp], [body, 1700000000000])
})

test('what is written is read again as it was, in every version', () => {
  const json = fc.jsonValue({ noUnicodeString: false } as object) as fc.Arbitrary<Json>
  const property = fc.property(json, fc.constantFrom<Version>('0.4', '0.5', '0.6'), (value, version) => {
    const body = JSON.parse(JSON.stringify(value).replaceAll('"__proto__"', '"proto"')) as Json
    const dispatch: Dispatch = {
      method: 'PUT',
      resource: ['a', null, 1.5],
      timestamp: 1,
      from: ['a'],
      body,
      X: [body],
    }
    const tail = { token: ['t', 'g'], hops: 1, expires: 70_000 }
    const { headers, fault } = codec.decode(codec.close(codec.stem(dispatch, version), tail, version))
    assert.is(fault, undefined)
    assert.equal(headers, { protocol: ['JSTP', version], ...dispatch, ...tail })
  })
  fc.assert(property, { numRuns: 300 })
})

test('what JSON would not carry is written as JSON would', () => {
  const body = { gone: undefined, nan: Number.NaN, date: new Date(0), list: [undefined] } as unknown as Json
  const { headers, fault } = codec.decode(
    codec.close(codec.stem({ method: 'PUT', resource: ['a'], timestamp: 1, body }, '0.6'), {}, '0.6'),
  )
  assert.is(fault, undefined)
  assert.equal(headers.body, { nan: null, date: '1970-01-01T00:00:00.000Z', list: [null] })
})

test('§1.2 token is always written for 0.4 and 0.5', () => {
  const dispatch = { method: 'PUT', resource: ['a'], timestamp: 1 }
  const read = (version: Version) =>
    codec.decode(codec.close(codec.stem(dispatch, version), {}, version)).headers
  assert.equal([read('0.4').token, read('0.5').body, read('0.6').token], [[], null, undefined])
})

test('a first byte tells CBOR from JSON', () => {
  assert.equal([0xa0, 0xbf, 0x9f, 0xc0, 0x7b, 0x20, 0x0a].map(startsCbor), [
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ])
})

type Event = [string, string]

function split(chunks: Uint8Array[], limit = 1 << 20): Event[] {
  const events: Event[] = []
  const take = splitItems(limit, {
    item: (bytes) => events.push(['item', Buffer.from(bytes).toString('hex')]),
    malformed: (reason) => events.push(['malformed', reason]),
    oversize: (start) => events.push(['oversize', Buffer.from(start).toString('hex')]),
  })
  for (const chunk of chunks) take(chunk)
  return events
}

const byByte = (whole: Uint8Array) => Array.from(whole, (byte) => Uint8Array.of(byte))

test('§9.7 items one after the other, whatever the chunks', () => {
  const items = [...fine.map(([, frame]) => frame), ...faults.slice(0, -1).map(([, frame]) => frame)]
  const whole = hex(items.join(''))
  const expected: Event[] = items.map((item) => ['item', item])
  assert.equal(split([whole]), expected)
  assert.equal(split(byByte(whole)), expected)
  assert.equal(split([whole.subarray(0, 100), whole.subarray(100)]), expected)
})

test('after bytes that are no CBOR nothing is read', () => {
  const whole = hex('a0ff1ca0')
  assert.equal(split([whole]), [
    ['item', 'a0'],
    ['malformed', 'A stray CBOR break'],
  ])
  assert.equal(split(byByte(whole)), split([whole]))
  assert.equal(split([hex('bf6161ff')]), [['malformed', 'A stray CBOR break']])
})

test('§9.5 an item over the limit is told once, with its start', () => {
  const whole = hex(`a0a1${text('a')}${text('12345')}a0`)
  for (const chunks of [[whole], byByte(whole)]) {
    assert.equal(
      split(chunks, 5).map(([event]) => event),
      ['item', 'oversize'],
    )
  }
})

test('whatever the bytes: fed byte by byte and whole are the same', () => {
  const byte = fc.oneof(
    fc.constantFrom(0xa1, 0xbf, 0xff, 0x61, 0x82, 0x9f, 0xf9, 0x18),
    fc.integer({ min: 0, max: 255 }),
  )
  const property = fc.property(
    fc.array(byte, { maxLength: 60 }),
    fc.integer({ min: 1, max: 40 }),
    (input, limit) => {
      const whole = Uint8Array.from(input)
      assert.equal(split([whole], limit), split(byByte(whole), limit))
    },
  )
  fc.assert(property, { numRuns: 2000 })
})

test('no bytes break the decoder: a dispatch, a fault or garbage', () => {
  const byte = fc.oneof(fc.constantFrom(0xbf, 0xff, 0x61, 0x82, 0x9f, 0xa1), fc.integer({ min: 0, max: 255 }))
  const property = fc.property(fc.array(byte, { maxLength: 40 }), (input) => {
    try {
      assert.type(codec.decode(Uint8Array.from([0xa1, 0x61, 0x61, ...input])).headers, 'object')
    } catch (error) {
      assert.not.instance(error, RangeError)
    }
  })
  fc.assert(property, { numRuns: 2000 })
})

test.run()
