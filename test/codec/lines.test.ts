// Bytes to lines (spec §6): the same whatever the chunks, in linear time, in bounded memory.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { splitLines } from '../../src/codec/lines.ts'

type Event = ['line' | 'oversize' | 'garbage', string]

function split(chunks: Uint8Array[], limit = 1 << 20): Event[] {
  const events: Event[] = []
  const take = splitLines(limit, {
    line: (text) => events.push(['line', text]),
    garbage: (reason) => events.push(['garbage', reason]),
    oversize: (start) => events.push(['oversize', start]),
  })
  for (const chunk of chunks) take(chunk)
  return events
}

const bytes = (text: string) => new TextEncoder().encode(text)
const byByte = (whole: Uint8Array) => Array.from(whole, (byte) => Uint8Array.of(byte))

/** [title, input, lines] */
const cases: [string, string, string[]][] = [
  ['one line', 'a\n', ['a']],
  ['several lines', 'a\nb\nc\n', ['a', 'b', 'c']],
  ['an empty line', '\n\na\n', ['', '', 'a']],
  ['half a line', 'a\nhalf', ['a']],
  ['\\r\\n', 'a\r\n\r\nb\r\n', ['a', '', 'b']],
  ['\\r inside a line', 'a\rb\r\r\n', ['a\rb\r']],
  ['characters of many bytes', 'é€😀\nñ\n', ['é€😀', 'ñ']],
  ['a byte order mark', '\ufeffa\nb\n\ufeffc\n', ['\ufeffa', 'b', '\ufeffc']],
  ['NUL', '\0\0\n', ['\0\0']],
]

for (const [title, input, lines] of cases) {
  test(`§6 ${title}: whole, byte by byte and cut everywhere`, () => {
    const whole = bytes(input)
    const expected: Event[] = lines.map((line) => ['line', line])
    assert.equal(split([whole]), expected)
    assert.equal(split(byByte(whole)), expected)
    for (let at = 0; at <= whole.length; at++) {
      assert.equal(split([whole.subarray(0, at), whole.subarray(at)]), expected, `cut at ${at}`)
    }
  })
}

test('§1.3 a line that is no UTF-8 costs only itself', () => {
  const whole = Buffer.concat([bytes('good\n'), Buffer.from('fffe0a7b22c328220a', 'hex'), bytes('é\n')])
  const expected: Event[] = [
    ['line', 'good'],
    ['garbage', 'A line that is no UTF-8'],
    ['garbage', 'A line that is no UTF-8'],
    ['line', 'é'],
  ]
  assert.equal(split([whole]), expected)
  assert.equal(split(byByte(whole)), expected)
})

test('§9.5 a line over the limit is told once, with its start, and what comes after it is not read', () => {
  const input = bytes('12345\n123456\n1\n')
  const expected: Event[] = [
    ['line', '12345'],
    ['oversize', '12345'],
  ]
  assert.equal(split([input], 5), expected)
  assert.equal(split(byByte(input), 5), expected)
  assert.equal(split([bytes('123456')], 5), [['oversize', '12345']], 'before its end has come')
})

test('the start of a long line is 64 KiB', () => {
  const events = split([bytes('x'.repeat(200_000)), bytes('\n')], 100_000)
  assert.is(events.length, 1)
  assert.is(events[0]?.[1].length, 65_536)
})

test('whatever the bytes, the limit and the chunks: fed byte by byte and whole are the same', () => {
  const byte = fc.oneof(
    fc.constant(10),
    fc.constant(13),
    fc.constantFrom(...bytes('é😀a')),
    fc.integer({ min: 0, max: 255 }),
  )
  const property = fc.property(
    fc.array(byte, { maxLength: 300 }),
    fc.integer({ min: 1, max: 40 }),
    fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 6 }),
    (input, limit, cuts) => {
      const whole = Uint8Array.from(input)
      const edges = [0, ...cuts.filter((cut) => cut <= whole.length).sort((a, b) => a - b), whole.length]
      const chunks = edges.slice(1).map((edge, i) => whole.subarray(edges[i], edge))
      const expected = split(byByte(whole), limit)
      assert.equal(split([whole], limit), expected)
      assert.equal(split(chunks, limit), expected)
    },
  )
  fc.assert(property, { numRuns: 1000 })
})

test('the time for a long line grows with its length, not with its square', () => {
  const chunk = bytes('x'.repeat(1000))
  const time = (chunks: number) => {
    const start = process.cpuUsage()
    split(Array(chunks).fill(chunk), 1 << 30)
    const { user, system } = process.cpuUsage(start)
    return user + system
  }
  time(2000)
  const [short, long] = [time(2000), time(32_000)]
  assert.ok(long < 100 * Math.max(short, 500), `16 times the length took ${long} µs, ${short} µs before`)
})

test('what is kept of a chunk does not hold the chunk', () => {
  const chunk = bytes('a\nb')
  const events: string[] = []
  const take = splitLines(100, { line: (text) => events.push(text), garbage() {}, oversize() {} })
  take(chunk)
  chunk.fill(0x7a)
  take(bytes('\n'))
  assert.equal(events, ['a', 'b'])
})

test.run()
