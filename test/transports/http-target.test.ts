// Paths and queries (spec §6, §9.8, design §9.16).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { JstpError } from '../../src/core/status.ts'
import { readTarget } from '../../src/transports/http-target.ts'

const resources: [string, string[]][] = [
  ['/cafetera', ['cafetera']],
  ['/caf%C3%A9/a%2Fb/%25/x%20y/+', ['café', 'a/b', '%', 'x y', '+']],
  ['/80/-1.5/true/null', ['80', '-1.5', 'true', 'null']],
  ['/cafetera/.../*/:name/%5C*', ['cafetera', '...', '*', ':name', '\\*']],
  ['/../..%2f..%2Fetc/%2e%2e', ['..', '../../etc', '..']],
  ['/__proto__/constructor', ['__proto__', 'constructor']],
  ['/a;b=c/d&e', ['a;b=c', 'd&e']],
  ['/a!"$~%23', ['a!"$~#']],
  ['/%F0%9F%90%9C', ['🐜']],
]

for (const [path, resource] of resources) {
  test(`§9.8 elements of a path are strings, percent-decoded one by one: ${path}`, () => {
    assert.equal(readTarget(path), { resource, body: undefined })
  })
}

const refused: [string, number, RegExp][] = [
  ['/', 400, /empty element/],
  ['//', 400, /empty element/],
  ['/a//b', 400, /empty element/],
  ['/a/', 400, /"\/" at the end/],
  ['/%', 400, /not percent-encoded/],
  ['/%zz', 400, /not percent-encoded/],
  ['/%c0%af', 400, /not percent-encoded/],
  ['/%ed%a0%80', 400, /not percent-encoded/],
  ['/a%00b', 400, /control character/],
  ['/a%0d%0aSet-Cookie', 400, /control character/],
  ['/café', 400, /plain ASCII/],
  ['http://evil.example/a', 400, /begins with/],
  ['*', 400, /begins with/],
  ['/a#b', 400, /"#"/],
  ['/a?x=%zz', 400, /not percent-encoded/],
  [`/${'a'.repeat(8192)}`, 414, /more than 8192 letters/],
]

for (const [path, status, message] of refused) {
  test(`a path that is refused with ${status}: ${path.slice(0, 30)}`, () => {
    try {
      readTarget(path)
    } catch (error) {
      assert.instance(error, JstpError)
      assert.is((error as JstpError).status, status)
      return assert.match((error as JstpError).message, message)
    }
    assert.unreachable('it was taken')
  })
}

const queries: [string, string | undefined][] = [
  ['', undefined],
  ['since=3600000&step=60', '{"since":3600000,"step":60}'],
  ['a=true&b=null&c=1.5&d=text&e=', '{"a":true,"b":null,"c":1.5,"d":"text","e":""}'],
  ['a=%7B%22x%22%3A1%7D&b=[1,2]', '{"a":{"x":1},"b":[1,2]}'],
  ['flag&&x=a+b', '{"flag":true,"x":"a b"}'],
  ['a=1&a=2&a=x', '{"a":[1,2,"x"]}'],
  ['id=12345678901234567890', '{"id":"12345678901234567890"}'],
  ['a=1%2C%22to%22%3A%5B%22x%22%5D', '{"a":"1,\\"to\\":[\\"x\\"]"}'],
  ['__proto__=1', '{"__proto__":1}'],
  ['a=b=c', '{"a":"b=c"}'],
]

for (const [query, body] of queries) {
  test(`§9.16 a query is a body, typed where it parses: ?${query}`, () => {
    assert.is(readTarget(`/a?${query}`).body, body)
  })
}

test.run()
