// A device that has just been made is right as it stands: types, format and arrows, and its simulator answers it.

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

const test = suite('new-device', { root: '' })

const copied = ['package.json', 'tsconfig.json', 'biome.json', '.gitignore', 'scripts', 'src']

test.before((context) => {
  context.root = mkdtempSync(join(tmpdir(), 'hormiga-new-device-'))
  for (const path of copied) cpSync(path, join(context.root, path), { recursive: true })
  symlinkSync(join(process.cwd(), 'node_modules'), join(context.root, 'node_modules'))
})

test.after(({ root }) => rmSync(root, { recursive: true, force: true }))

test('it is made once, under the name that was given', ({ root }) => {
  assert.is(run(root, 'node', 'scripts/new-device', 'acme-lamp').code, 0)
  assert.match(readFileSync(join(root, 'devices/acme-lamp/device.ts'), 'utf8'), "name: 'acme-lamp'")
  const again = run(root, 'node', 'scripts/new-device', 'acme-lamp')
  assert.is(again.code, 2)
  assert.match(again.output, 'there already; nothing was changed')
})

test('a name that cannot be a folder and a profile is refused', ({ root }) => {
  for (const name of ['', 'Lamp', '../lamp', 'lamp_1', '-lamp']) {
    assert.is(run(root, 'node', 'scripts/new-device', name).code, 2, name)
  }
  assert.not(existsSync(join(root, 'lamp')))
})

test('its types, its format and its arrows are right', ({ root }) => {
  const types = run(root, 'node_modules/.bin/tsc', '-p', '.', '--pretty', 'false').output
  assert.not.match(types, 'devices/acme-lamp')
  const format = run(root, 'node_modules/.bin/biome', 'check', '--error-on-warnings', 'devices/acme-lamp')
  assert.is(format.code, 0, format.output)
  const arrows = `import('./scripts/arrows.mjs').then(async ({ findWrongArrows }) => console.log(await findWrongArrows('.')))`
  assert.not.match(run(root, 'node', '-e', arrows).output, 'devices/acme-lamp')
})

test('what is set comes back from its simulator, and out of range or broken bytes do not', ({ root }) => {
  writeFileSync(join(root, 'try.ts'), tryIt)
  run(
    root,
    'node_modules/.bin/esbuild',
    'try.ts',
    '--bundle',
    '--format=esm',
    '--platform=node',
    '--outfile=try.mjs',
  )
  const { output } = run(root, 'node', 'try.mjs')
  assert.equal(JSON.parse(output), { values: [0, 50], broken: 1 })
})

const tryIt = `
import profile from './devices/acme-lamp/device.ts'

const values = []
let broken = 0
const simulator = await profile.simulate()
const write = async (bytes) => void simulator.write(bytes)
const driver = profile.create({ link: { write }, set: (_, value) => values.push(value), heard() {}, count: () => broken++ })
simulator.connect({ data: (bytes) => driver.data(bytes), gone() {} })
driver.up()
await driver.write.level(50, { write })
driver.data(Uint8Array.of(0x81, 101))
console.log(JSON.stringify({ values, broken }))
`

function run(root: string, command: string, ...args: string[]): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  return { code: status, output: stdout + stderr }
}

test.run()
