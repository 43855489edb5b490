// scripts/check finds what it is there to find: each violation is planted in a project in which everything is right.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { makeStub, type Stub } from './stub.ts'

const test = suite('check', { stub: undefined as unknown as Stub })

test.before.each((context) => {
  context.stub = makeStub()
})

test.after.each(({ stub }) => stub.remove())

test('a project in which everything is right passes', ({ stub }) => {
  const { code, output } = stub.run('scripts/check.mjs')
  assert.is(code, 0, output)
  assert.not.match(output, /NOT OK/)
})

/** File, one import in it, and what is said about it. */
const arrows: [file: string, line: string, says: RegExp][] = [
  ['src/core/a.ts', "import '../codec/json.ts'", /core imports codec/],
  ['src/core/b.ts', "import 'node:fs'", /core imports node:fs/],
  ['src/core/c.ts', "export * from 'ws'", /imports the package ws/],
  ['src/core/d.ts', "export type { device } from '../device/index.ts'", /core imports device/],
  ['src/core/e.ts', `export const e = import('../../devices/lamp/device.ts')`, /core imports devices/],
  ['src/core/f.ts', 'export const f = import(`../../devices/lamp/device.ts`)', /core imports devices/],
  ['src/codec/a.ts', "import '../transports/browser-ws.ts'", /codec imports transports/],
  ['src/device/a.ts', "import '../codec/json.ts'", /device imports codec/],
  ['src/host/a.ts', "import '../device/index.ts'", /host imports device/],
  ['src/host/b.ts', "import 'pino'", /imports the package pino/],
  ['src/transports/a.ts', "import '../device/index.ts'", /transports imports device/],
  ['src/transports/b.ts', "import '../bridges/ble/link.ts'", /transports imports bridges/],
  ['src/transports/browser-a.ts', "import 'node:net'", /transports imports node:net/],
  ['src/transports/c.ts', "import { WebSocket } from 'ws'", /imports the package ws/],
  ['src/bridges/ble/a.ts', "import '../../transports/tcp.ts'", /bridges imports transports/],
  ['src/bridges/ble/b.ts', "import '../serial/port.ts'", /not of its own folder/],
  ['src/bridges/ble/c.ts', "import noble from '@abandonware/noble'", /when it is loaded itself/],
  ['src/bridges/ble/d.ts', "import '../../main.ts'", /bridges imports program/],
  ['devices/lamp/a.ts', "import '../../src/device/index.ts'", /devices imports device/],
  ['devices/lamp/b.ts', "import '../fan/device.ts'", /not of its own folder/],
  ['devices/lamp/c.ts', "import 'node:fs'", /devices imports node:fs/],
  ['src/index2.ts', '', /belongs to no room/],
]

const allowed: [file: string, line: string][] = [
  ['src/core/z.ts', "import './door.ts' // import '../codec/json.ts'"],
  ['src/core/y.ts', "/* import 'ws' */ export const url = 'jstp://x' // import 'ws'"],
  ['src/codec/cbor.ts', "export const cbor = () => import('cbor-x')"],
  ['src/transports/ws.ts', "import 'node:http'\nimport 'ws'\nimport '../codec/json.ts'"],
  ['src/bridges/ble/z.ts', "export const open = () => import('@abandonware/noble/with-bindings')"],
  ['src/bridges/ble/y.ts', "import type { Peripheral } from '@abandonware/noble'\nimport './z.ts'"],
  ['src/bridges/ble/x.ts', "import '../../core/door.ts'\nimport '../../device/index.ts'"],
  ['src/host/config.ts', "import { parse } from 'jsonc-parser'"],
  ['devices/lamp/z.ts', "import { device } from '#device'\nimport './device.ts'"],
]

test('arrows between the rooms: every wrong one is found with its line, and no right one', ({ stub }) => {
  for (const [file, line] of [...arrows, ...allowed]) stub.write(file, `// A file.\n\n${line}\n`)
  const { code, output } = stub.run('scripts/check.mjs')
  const lines = output.split('\n')
  assert.is(code, 1)
  for (const [file, , says] of arrows) {
    const found = lines.filter((line) => line.startsWith(`  ${file}:`))
    assert.is(found.length, 1, `${file}: ${found.length} problems found instead of one`)
    assert.match(found[0] ?? '', says)
    if (file !== 'src/index2.ts') assert.match(found[0] ?? '', `${file}:3: `)
  }
  for (const [file] of allowed)
    assert.not(
      lines.some((line) => line.startsWith(`  ${file}:`)),
      file,
    )
})

test('types, lengths, format and lint: each is found and named', ({ stub }) => {
  stub.write('src/host/wrong.ts', "// Wrong.\n\nexport const count: number = 'one'\n")
  stub.write('src/core/node.ts', '// Node.\n\nexport const size = Buffer.byteLength("x")\n')
  stub.write('src/core/long.ts', `// Long.\n${'\n'.repeat(249)}export {}\n`)
  stub.write('src/host/long.ts', `// Long.\n${'\n'.repeat(399)}export {}\n`)
  stub.write('src/host/ugly.ts', '// Ugly.\n\nexport const a = {b:1};\n')
  stub.write(
    'src/host/lint.ts',
    '// Lint.\n\nexport function f() {\n  const unused: any = 1\n  debugger\n}\n',
  )
  const { code, output } = stub.run('scripts/check.mjs')
  assert.is(code, 1)
  assert.match(output, /src\/host\/wrong\.ts\(3,14\): error TS2322/)
  assert.match(output, /src\/core\/node\.ts\(3,21\): error TS2\d+: Cannot find name 'Buffer'/)
  assert.match(output, /src\/core\/long\.ts: has 251 lines, at most 250/)
  assert.match(output, /src\/host\/long\.ts: has 401 lines, at most 400/)
  assert.match(output, /src\/host\/ugly\.ts format/)
  assert.match(output, /src\/host\/lint\.ts:\d+:\d+ lint\/suspicious\/noExplicitAny/)
  assert.match(output, /src\/host\/lint\.ts:\d+:\d+ lint\/suspicious\/noDebugger/)
})

test("Node's modules do not get into what a page loads", ({ stub }) => {
  stub.write('src/codec/json.ts', "// Codec.\n\nexport { readFile as encode } from 'node:fs'\n")
  const { code, output } = stub.run('scripts/check.mjs')
  assert.is(code, 1)
  assert.match(output, /bundle for pages: NOT OK/)
  assert.match(output, /src\/codec\/json\.ts:3: Could not resolve "node:fs"/)
})

test.run()
