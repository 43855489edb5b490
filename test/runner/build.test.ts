// The build: one program that loads on demand, a library with its types, a page library without Node.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { makeStub, type Stub } from './stub.ts'

const test = suite('build', { stub: undefined as unknown as Stub })

test.before.each((context) => {
  context.stub = makeStub()
})

test.after.each(({ stub }) => stub.remove())

test('the program finds devices by folder, and loads only the one it is asked for', ({ stub }) => {
  assert.is(build(stub, '--quick').code, 0)
  assert.is(stub.run('dist/hormiga.js', 'lamp').output, '1 the lamp itself\n')
  assert.is(stub.run('dist/hormiga.js', 'fan').output, '1 the fan itself\n')
  const program = readFileSync(join(stub.root, 'dist/hormiga.js'), 'utf8')
  assert.not.match(program, /the lamp itself|the fan itself/)
  assert.ok(statSync(join(stub.root, 'dist/hormiga.js')).mode & 0o111, 'can be started')
})

test('a new device needs no list: its folder is enough', ({ stub }) => {
  stub.write(
    'devices/radio/device.ts',
    "import { device } from '#device'\nexport default device('a radio')\n",
  )
  build(stub, '--quick')
  assert.is(stub.run('dist/hormiga.js', 'radio').output, '1 a radio\n')
})

test('CommonJS packages work inside the bundle, shared by both doors and loaded on demand', ({ stub }) => {
  const program =
    "import { WebSocketServer } from 'ws'\nimport pino from 'pino'\nconsole.log(typeof WebSocketServer, typeof pino"
  stub.write('src/index.ts', `${program})\n`)
  const demand =
    "(await import('cbor-x')).decode(Uint8Array.of(1)), typeof (await import('pino-pretty')).default"
  stub.write('src/cli.ts', `#!/usr/bin/env node\nimport './index.ts'\n${program}, ${demand})\n`)
  build(stub, '--quick')
  stub.remove('node_modules')
  assert.is(stub.run('dist/hormiga.js').output, 'function function\nfunction function 1 function\n')
})

test('chunks of an earlier build are removed', ({ stub }) => {
  stub.write('dist/chunks/old-ABCDEFGH.js', '')
  build(stub, '--quick')
  assert.not(existsSync(join(stub.root, 'dist/chunks/old-ABCDEFGH.js')))
  assert.ok(readdirSync(join(stub.root, 'dist/chunks')).length > 0)
})

test('a program that uses the library gets code and types by the name of the package', ({ stub }) => {
  const { code, output } = build(stub)
  assert.is(code, 0, output)
  const program = "import { Engine, load } from 'hormiga'\n"
  stub.write('use/use.mjs', `${program}console.log(new Engine().count, await load('fan'))\n`)
  assert.is(stub.run('use/use.mjs').output, '1 the fan itself\n')
  stub.write('use/use.ts', `${program}export const text: string = new Engine().count\nvoid load\n`)
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    skipLibCheck: true,
    types: ['node'],
    noEmit: true,
  }
  stub.write('use/tsconfig.json', JSON.stringify({ compilerOptions }))
  const { output: found } = stub.run('node_modules/typescript/bin/tsc', '-p', 'use', '--pretty', 'false')
  assert.match(found, /use\.ts\(2,14\): error TS2322: Type 'number' is not assignable to type 'string'/)
  assert.not.match(found, /TS7016|TS2307/)
})

test('the sizes are printed', ({ stub }) => {
  const { output } = build(stub)
  assert.match(output, /dist\/hormiga\.js: \d+\.\d kB/)
  assert.match(output, /dist\/browser\.js: \d+\.\d kB, \d+\.\d kB gzipped/)
  assert.match(output, /dist\/browser-identity\.js \(limit \d+\.\d kB gzipped\): \d+\.\d kB/)
  assert.match(output, /the core of them \(limit 15\.0 kB gzipped\)/)
})

test("a module of Node's in the page library fails the build and is named", ({ stub }) => {
  stub.write(
    'src/browser.ts',
    "export { Engine } from './core/door.ts'\nexport { readFile } from 'node:fs'\n",
  )
  const { code, output } = build(stub)
  assert.is(code, 1)
  assert.match(output, /src\/browser\.ts:2: Could not resolve "node:fs"/)
})

test('a core that has grown over its limit fails the build', ({ stub }) => {
  const noise = Array.from({ length: 4000 }, (_, n) =>
    Math.sin(n + 1)
      .toString(36)
      .slice(3),
  ).join('')
  stub.write('src/core/door.ts', `export class Engine {\n  readonly text = '${noise}'\n}\n`)
  const { code, output } = build(stub)
  assert.is(code, 1)
  assert.match(output, /the core for pages is \d+ bytes gzipped, over its limit of 15000/)
})

test('an entry that is missing is named', ({ stub }) => {
  stub.remove('src/cli.ts')
  const { code, output } = build(stub)
  assert.is(code, 1)
  assert.match(output, /build failed: src\/cli\.ts is missing/)
})

test('a program without its first line is refused', ({ stub }) => {
  stub.write('src/cli.ts', 'console.log(1)\n')
  assert.match(build(stub).output, /src\/cli\.ts: its first line must be #!\/usr\/bin\/env node/)
})

function build(stub: Stub, ...args: string[]): { code: number | null; output: string } {
  return stub.run('scripts/build.mjs', ...args)
}

test.run()
