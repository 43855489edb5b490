// Every threat of the table (spec B12) has a test that begins with its number.

import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const THREATS = Array.from({ length: 26 }, (_, i) => `T${i + 1}`)
const TITLE = /\btest\(\s*['"`]((?:T\d+ )+)/g

test('every threat, from 1 to 26, has a test that begins with its number', () => {
  const files = (readdirSync('test', { recursive: true }) as string[]).filter((name) =>
    name.endsWith('.test.ts'),
  )
  const found = new Set<string>()
  for (const file of files) {
    for (const [, numbers = ''] of readFileSync(`test/${file}`, 'utf8').matchAll(TITLE))
      for (const number of numbers.trim().split(' ')) found.add(number)
  }
  assert.equal(
    THREATS.filter((threat) => !found.has(threat)),
    [],
    'missing',
  )
})

test.run()
