// Endpoint patterns (spec §2): what they match, what their names take, when one contains another.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Element } from '../../src/core/dispatch.ts'
import { contains, type Mode, paramsOf, readEndpoint } from '../../src/core/endpoint.ts'
import type { JstpError } from '../../src/core/status.ts'
import { Table } from '../../src/core/table.ts'
import { literals, matches, namesOf, pattern, repair, resource } from './patterns.ts'
import { Stage } from './stage.ts'

const read = (elements: Element[], mode: Mode = 'quirks') =>
  readEndpoint({ method: 'GET', resource: elements }, mode)

/** Whether a pattern that is bound matches. */
function isMatch(elements: Element[], at: Element[]): boolean {
  const table = new Table<string>()
  table.add(read(elements), 'bound')
  return table.match('GET', at).length > 0
}

/** What the names take of a resource that the pattern matches; `undefined`: it does not match. */
function taken(elements: Element[], at: Element[]): Record<string, Element> | undefined {
  return isMatch(elements, at) ? { ...paramsOf(read(elements), at) } : undefined
}

const DOCUMENT: Element[] = ['path', '...', 'text', '...', ':extension']

test('§2 the examples of the text', () => {
  assert.equal(taken(DOCUMENT, ['path', 'folder', 'internal', 'text', 'value', 'txt']), { extension: 'txt' })
  assert.equal(taken(DOCUMENT, ['path', 'text', 'md']), { extension: 'md' })
  assert.is(taken(DOCUMENT, ['path', 'text']), undefined)
})

test('§2 a name takes one element, `*` is any one, a backslash makes the rest literal', () => {
  assert.equal(taken(['a', ':x', '*'], ['a', 1, null]), { x: 1 })
  assert.is(taken(['a', ':x'], ['a']), undefined)
  assert.equal(taken(['\\:x', '\\*', '\\...', '\\\\'], [':x', '*', '...', '\\']), {})
  assert.is(taken(['\\*'], ['a']), undefined)
  assert.equal(taken([':x1'], [':x1']), {}, 'only letters make a name')
})

test('§2 names before, between and after ellipses take what stands beside the shortest ones', () => {
  assert.equal(taken([':a', '...', ':z'], ['1', '2', '3', '4']), { a: '1', z: '4' })
  assert.equal(taken(['...', 'x', ':y', '...'], ['x', 'x', 'x', 'q']), { y: 'x' })
  assert.equal(taken(['...', ':y', 'x', '...'], ['1', '2', 'x', '3', 'x']), { y: '2' })
  assert.equal(taken(['...', ':y', '...'], ['1', '2']), { y: '1' }, '§9.3 exactly one element')
  assert.is(taken(['...', ':y', '...'], []), undefined)
})

test('§2 names are never mixed up with what every object has', () => {
  const params = paramsOf(read([':constructor']), ['x'])
  assert.equal([params.constructor, params.toString, '__proto__' in params], ['x', undefined, false])
})

test('§2 a number and its decimal text match, all else differs by type', () => {
  for (const [one, other, same] of [
    [8, '8', true],
    ['0.5', 0.5, true],
    ['08', 8, false],
    ['true', true, false],
    ['null', null, false],
    [0, false, false],
    ['', null, false],
  ] as [Element, Element, boolean][]) {
    assert.is(isMatch([one], [other]), same, JSON.stringify([one, other]))
    assert.is(isMatch([other], [one]), same)
  }
})

const illegal: [form: Element[], read: Element[]][] = [
  [['...', '*'], ['...']],
  [
    ['...', '*', 'a'],
    ['...', 'a'],
  ],
  [
    ['a', '...', '...', '...'],
    ['a', '...'],
  ],
  [
    [':', 'a'],
    ['*', 'a'],
  ],
]

for (const [form, repaired] of illegal) {
  test(`§2 ${JSON.stringify(form)} is illegal: 400 in strict mode, read as ${JSON.stringify(repaired)}`, () => {
    assert.is(read(form).id, read(repaired).id)
    assert.throws(
      () => read(form, 'strict'),
      (error: JstpError) => error.status === 400,
    )
    const stage = new Stage({ mode: 'strict' })
    const [status] = stage.pipe().subscribe('BIND', '*', form)[0] ?? []
    assert.equal([status, stage.engine.sizes.subscriptions], [400, 0])
  })
}

test('§2 a name between two ellipses is illegal in strict mode only', () => {
  assert.throws(() => read(['...', ':x', '...'], 'strict'), /between two/)
  assert.equal(read(['...', ':x', '...']).steps.length, 3)
})

test('§2 ids are equal for equal endpoints only', () => {
  const id = (elements: Element[], method = 'GET') =>
    readEndpoint({ method, resource: elements }, 'quirks').id
  assert.is(id(['a', 8]), id(['a', '8']))
  assert.is(id(['a'], 'get'), id(['a']))
  const different = [
    ['a'],
    ['*'],
    ['\\*'],
    [':x'],
    [':y'],
    ['...'],
    [null],
    ['null'],
    [true],
    ['a', 'b'],
    ['a,b'],
  ]
  assert.is(new Set(different.map((elements) => id(elements))).size, different.length)
  assert.is.not(id(['a'], '*'), id(['a']))
})

test('§2 names take what stands beside the shortest ellipses, as a slow and plain matcher finds them', () => {
  let named = 0
  fc.assert(
    fc.property(pattern, resource, (elements, at) => {
      const expected = namesOf(elements, at)
      assert.is(matches(elements, at), expected !== undefined)
      assert.equal(taken(elements, at), expected)
      if (expected && Object.keys(expected).length > 0) named++
    }),
    { numRuns: 20_000 },
  )
  assert.ok(named > 400, `${named} had names`)
})

test('§2 ids are equal for what reads the same, and for nothing else', () => {
  const key = (elements: Element[]) =>
    JSON.stringify(
      repair(elements).map((element) => {
        if (element === ':') return '*'
        return typeof element === 'number' ? String(element) : element
      }),
    )
  const few = fc.array(fc.constantFrom<Element>(...literals, '*', ':', ':x', '...', '\\*'), {
    minLength: 1,
    maxLength: 3,
  })
  let equal = 0
  fc.assert(
    fc.property(few, few, (one, other) => {
      assert.is(read(one).id === read(other).id, key(one) === key(other))
      if (key(one) === key(other)) equal++
    }),
    { numRuns: 5000 },
  )
  assert.ok(equal > 50, `${equal} were equal`)
})

test('access: what a pattern contains, it matches', () => {
  let contained = 0
  fc.assert(
    fc.property(
      pattern,
      pattern,
      fc.array(resource, { minLength: 20, maxLength: 20 }),
      (outer, inner, samples) => {
        if (!contains(read(outer), read(inner))) return
        contained++
        for (const at of samples) {
          if (matches(inner, at))
            assert.ok(matches(outer, at), `${JSON.stringify([outer, inner])} at ${JSON.stringify(at)}`)
        }
      },
    ),
    { numRuns: 20_000 },
  )
  assert.ok(contained > 500, `${contained} were contained`)
})

test('access: every pattern contains itself and is contained in `...`', () => {
  fc.assert(
    fc.property(pattern, (elements) => {
      assert.ok(contains(read(elements), read(elements)))
      assert.ok(contains(read(['...']), read(elements)))
    }),
  )
})

test('access: methods are contained like elements', () => {
  const of = (method: string) => readEndpoint({ method, resource: ['a'] }, 'quirks')
  assert.equal([contains(of('*'), of('GET')), contains(of('GET'), of('*'))], [true, false])
  assert.equal([contains(of('GET'), of('get')), contains(of('GET'), of('PUT'))], [true, false])
})

for (const [outer, inner, expected] of [
  [['a', '*'], ['a', 'b'], true],
  [['a', '*'], ['a', ':x'], true],
  [['a', '*'], ['a', '...'], false],
  [['a', '...'], ['a'], true],
  [['a', '...'], ['a', '...', 'b', '*'], true],
  [['a', '...'], ['...'], false],
  [['...', 'z'], ['a', '...'], false],
  [['a', 'b'], ['a', '*'], false],
  [['\\*'], ['*'], false],
  [['8'], [8], true],
] as [Element[], Element[], boolean][]) {
  test(`access: ${JSON.stringify(outer)} ${expected ? 'contains' : 'does not contain'} ${JSON.stringify(inner)}`, () => {
    assert.is(contains(read(outer), read(inner)), expected)
  })
}

test.run()
