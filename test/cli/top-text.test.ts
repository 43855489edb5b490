// Text in cells: nothing that others say steers the terminal or makes a line longer than it is.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  bar,
  bytes,
  clean,
  clip,
  draw,
  duration,
  fit,
  flow,
  jsonLine,
  number,
  widthOf,
} from '../../src/cli/top-text.ts'

const CONTROL = /[\p{C}\p{Zl}\p{Zp}]/u

test('controls, escape sequences, marks of direction and line ends of others are taken out', () => {
  assert.is(clean('a\u001b[2Jb\u0007\u009b31m\u202ec\r\n\u2028d\u200b\ud800'), 'a[2Jb31mcd�')
  assert.is(draw([['\u001b]0;evil\u0007x', 'red']], 20, true), '\u001b[31m]0;evilx\u001b[0m')
})

test('wide letters count two cells, marks on letters none, flags one each half', () => {
  const widths = {
    abc: 3,
    añó: 3,
    厨房: 4,
    キッチン: 8,
    ｷｯﾁﾝ: 4,
    주방: 4,
    '☕': 2,
    '🐜': 2,
    'e\u0301\u0323': 1,
    '🇪🇸': 2,
    '█░': 2,
  }
  for (const [text, width] of Object.entries(widths)) assert.is(widthOf(clean(text)), width, text)
})

test('what is cut fits to the cell, a wide letter is never cut in half', () => {
  assert.is(clip('cafetera', 8), 'cafetera')
  assert.is(clip('cafetera', 5), 'cafe…')
  assert.is(clip('厨房厨房', 4), '厨…')
  assert.is(fit('厨房厨房', 4), '厨… ')
  assert.is(fit('7 %', 6, 'right'), '   7 %')
  assert.is(clip('x', 0), '')
})

test('whatever is said, a line is never wider than it may be, and has no controls but our colours', () => {
  const piece = fc.tuple(fc.string({ unit: 'binary' }), fc.constantFrom('red' as const, 'dim' as const))
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fc.nat(90), fc.boolean(), (line, width, color) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: our own colours are taken off
      const text = draw(line, width, color).replace(/\u001b\[[0-9;]+m/g, '')
      assert.ok(widthOf(text) <= width)
      assert.not.match(text, CONTROL)
    }),
  )
})

test('parts flow into as many lines as they need', () => {
  assert.equal(flow(['51 °C', 'load 0.9', '60 MB'], 18), ['51 °C · load 0.9', '60 MB'])
  assert.equal(flow([], 10), [])
})

test('a bar is as full as the ratio; what is not nothing shows', () => {
  assert.equal(bar(0.5, 10), ['█████', '░░░░░'])
  assert.equal(bar(0, 4), ['', '░░░░'])
  assert.equal(bar(0.01, 4), ['█', '░░░'])
  assert.equal(bar(7, 4), ['████', ''])
  assert.equal(bar(0.3, 0), ['', ''])
})

test('numbers are short', () => {
  assert.equal([0, 0.918, 9.996, 999.6, 12_345, 2e6].map(number), ['0', '0.92', '10', '1k', '12.3k', '2M'])
  assert.equal([812, 61_300_000, 7.9e9].map(bytes), ['812 B', '61.3 MB', '7.9 GB'])
  assert.equal([900, 59_999, 7_200_000, 1e9].map(duration), ['0 s', '59 s', '2 h', '11 days'])
})

test('a line of JSON has no control a terminal would obey', () => {
  const line = jsonLine({ name: '\u001b[2J\u009b2J\u2028\u007f' })
  assert.is(line, '{"name":"\\u001b[2J\\u009b2J\\u2028\\u007f"}')
  assert.is(JSON.parse(line).name, '\u001b[2J\u009b2J\u2028\u007f')
})

test.run()
