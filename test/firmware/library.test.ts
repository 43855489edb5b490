// What a newcomer meets: the library installs from a zip (the Arduino IDE's rules), its first sketch is the one in the README
// and compiles, and so do the other sketches as C++ and as C.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { home, run, workFolder } from './bench.ts'

const folder = workFolder('library')
test.after(() => rmSync(folder, { recursive: true, force: true }))

const examples = readdirSync(join(home, 'examples'))
const text = (path: string) => readFileSync(join(home, path), 'utf8')

test('library.properties has what the IDE asks for', () => {
  const fields = new Map(
    text('library.properties')
      .trim()
      .split('\n')
      .map((line) => line.split('=', 2) as [string, string]),
  )
  const needed = [
    'name',
    'version',
    'author',
    'maintainer',
    'sentence',
    'paragraph',
    'category',
    'url',
    'architectures',
  ]
  for (const name of needed) assert.ok(fields.get(name), name)
  assert.match(fields.get('name') ?? '', /^[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}$/)
  assert.match(fields.get('version') ?? '', /^\d+\.\d+\.\d+$/)
  assert.ok(existsSync(join(home, 'src', fields.get('includes') ?? '')))
  for (const name of examples) assert.ok(existsSync(join(home, 'examples', name, `${name}.ino`)), name)
})

test('every public name is in the keywords, and no other', () => {
  const header = text('src/jstp_link.h')
  const names = text('keywords.txt')
    .trim()
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '')
  for (const name of names) assert.match(header, new RegExp(`\\b${name}\\b`), name)
  const declared = [...header.matchAll(/^(?:void|bool|float) (jl_\w+)\(/gm)].map(([, name]) => name ?? '')
  const missing = declared.filter(
    (name) => !name.startsWith('jl_hal_') && name !== 'jl_begin' && !names.includes(name),
  )
  assert.equal(missing, [])
})

test('the README shows the sketch "servo" as it is', () => {
  const shown = /```cpp\n([\s\S]*?)```/.exec(text('README.md'))?.[1] ?? ''
  assert.is(shown.replaceAll(/^ {3}/gm, '').trimEnd(), text('examples/servo/servo.ino').trimEnd())
})

test('"servo" compiles against a Servo library with the usual names', () => {
  const stub = join(folder, 'stub')
  mkdirSync(stub, { recursive: true })
  writeFileSync(
    join(stub, 'Servo.h'),
    'class Servo { public: unsigned char attach(int) { return 0; } void write(int) {} int read() { return 0; } };\n',
  )
  const args = [
    '-x',
    'c++',
    '-std=gnu++11',
    '-fsyntax-only',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-Isrc',
    `-I${stub}`,
  ]
  run('g++', [...args, 'examples/servo/servo.ino'])
})

for (const name of ['robot', 'sensor']) {
  test(`"${name}" compiles as the IDE does it, as C, and for Linux`, () => {
    const sketch = `examples/${name}/${name}.ino`
    const warnings = ['-Wall', '-Wextra', '-Werror', '-Isrc']
    const avr = ['-Os', '-mmcu=atmega328p', '-DF_CPU=16000000UL', ...warnings]
    run('avr-g++', [
      '-x',
      'c++',
      '-std=gnu++11',
      '-fno-exceptions',
      ...avr,
      '-c',
      sketch,
      '-o',
      join(folder, 'a.o'),
    ])
    run('extras/build', ['avr', name, join(folder, name)])
    run('extras/build', ['linux', name, join(folder, `${name}-linux`)])
    assert.ok(existsSync(join(folder, `${name}.hex`)))
  })
}

test('the library itself compiles without a warning for the AVR and for the host', () => {
  const warnings = ['-std=gnu99', '-Wall', '-Wextra', '-Werror', '-c']
  for (const file of readdirSync(join(home, 'src')).filter((name) => name.endsWith('.c'))) {
    const out = join(folder, 'b.o')
    run('avr-gcc', [...warnings, '-Os', '-mmcu=atmega328p', '-DF_CPU=16000000UL', `src/${file}`, '-o', out])
    run('gcc', [...warnings, '-O2', `src/${file}`, '-o', out])
  }
})

test.run()
