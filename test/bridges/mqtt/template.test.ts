import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Payload } from '../../../src/bridges/mqtt/payload.ts'
import { applyTemplate, readHole, readTemplate } from '../../../src/bridges/mqtt/template.ts'
import type { Json } from '../../../src/core/dispatch.ts'

function render(template: string, payload: Json): Json | undefined {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  return applyTemplate(readTemplate(template), new Payload(new TextEncoder().encode(text)))
}

const UNDERSTOOD: [template: string, payload: Json, value: Json | undefined][] = [
  ['{{ value }}', 'ON', 'ON'],
  ['{{value}}', '21.5', '21.5'],
  ['{{ value | float }}', '21.5', 21.5],
  ['{{ value|int }}', '21.9', 21],
  ['{{ value_json.temperature}}', { temperature: 23.2 }, 23.2],
  ['{{ value_json.a.b }}', { a: { b: 1 } }, 1],
  ["{{ value_json['a'] }}", { a: 1 }, 1],
  ['{{ value_json["a b"].c }}', { 'a b': { c: 2 } }, 2],
  ['{{ value_json.a[0] }}', { a: [7, 8] }, 7],
  ["{{ value_json.get('a') }}", { a: 3 }, 3],
  ['{{ value_json.t | round(1) }}', { t: 21.26 }, 21.3],
  ['{{ value_json.t | float | round }}', { t: '21.6' }, 22],
  ['{{ value_json.x | default(5) }}', {}, 5],
  ["{{ value_json.x | default('none') }}", {}, 'none'],
  ['{{ value_json.x | is_defined }}', {}, undefined],
  ['{{ value_json.s | upper }}', { s: 'on' }, 'ON'],
  ['{{ value_json.s | lower }}', { s: 'ON' }, 'on'],
  ['{{ value_json.mv / 1000 }}', { mv: 3300 }, 3.3],
  ['{{ (value_json.t | float * 1.8 + 32) | round(1) }}', { t: 20 }, 68],
  ["{{ 'ON' if value_json.s == 'open' else 'OFF' }}", { s: 'open' }, 'ON'],
  ["{{ 'ON' if value_json.s == 'open' else 'OFF' }}", { s: 'shut' }, 'OFF'],
  ["{{ 'ON' if value_json.b else 'OFF' }}", { b: false }, 'OFF'],
  ['{% if value_json.n > 5 %}ON{% else %}OFF{% endif %}', { n: 6 }, 'ON'],
  ["{% if value == '1' %}ON{% elif value == '2' %}HALF{% else %}OFF{% endif %}", '2', 'HALF'],
  ['{% if value_json.t is defined %}{{ value_json.t }}{% endif %}', { t: 4 }, 4],
  ['{% if value_json.t is defined %}{{ value_json.t }}{% endif %}', {}, undefined],
  ['{{ value_json.a }}', 'no json', undefined],
  ['{{ value_json.constructor }}', {}, undefined],
  ['{{ value_json.__proto__ }}', {}, undefined],
  ['{{ value_json.a.length }}', { a: [1] }, undefined],
]

for (const [template, payload, value] of UNDERSTOOD) {
  test(`${template} of ${JSON.stringify(payload)}`, () => assert.equal(render(template, payload), value))
}

const REFUSED = [
  "{{ states('sensor.x') }}",
  '{{ now() }}',
  '{{ value_json.a.__class__() }}',
  '{% for x in value_json %}{{ x }}{% endfor %}',
  '{% set x = 1 %}{{ x }}',
  '{{ value | regex_replace("a","b") }}',
  '{{ value.split(",")[0] }}',
  '{{ value_json.a',
  '{{ 1 }} and {{ 2 }}',
  '{{ }}',
  `{{ ${'('.repeat(50)}1${')'.repeat(50)} }}`,
  `{{ value ${'+ 1 '.repeat(100)}}}`,
  `{{ '${'x'.repeat(600)}' }}`,
]

for (const template of REFUSED) {
  test(`refused with a reason: ${template.slice(0, 60)}`, () => {
    assert.throws(() => readTemplate(template), /template/)
  })
}

test('a command template is text around one hole', () => {
  assert.equal(readHole('{{ value }}'), { before: '', after: '' })
  assert.equal(readHole('{"temperature": {{ value | float }}}'), { before: '{"temperature": ', after: '}' })
  assert.equal(readHole('{"a":{"b":"{{ value }}"}}'), { before: '{"a":{"b":"', after: '"}}' })
  for (const template of [
    '{{ value * 2 }}',
    '{{ value }}{{ value }}',
    '{% if value %}1{% endif %}',
    'x',
    "{{ value | replace('a','b') }}",
  ])
    assert.throws(() => readHole(template), /command template/)
})

test('no text makes the reader fail in another way, or take long', () => {
  const pieces = fc.constantFrom(
    '{{',
    '}}',
    '{%',
    '%}',
    'if',
    'else',
    'endif',
    'value_json',
    'value',
    '.',
    '[',
    ']',
    '(',
    ')',
    '|',
    'int',
    "'a'",
    '1',
    '+',
    '==',
    ' ',
    'not',
    'is',
    'defined',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (words) => {
      try {
        render(words.join(' '), { a: [1] })
      } catch (error) {
        assert.match((error as Error).message, /^(the template|a template)/)
      }
      try {
        readHole(words.join(''))
      } catch (error) {
        assert.match((error as Error).message, /command template/)
      }
    }),
    { numRuns: 2000 },
  )
})

test.run()
