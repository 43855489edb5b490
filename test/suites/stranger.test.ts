// needs dist
// time limit: 300 s
// What a stranger does: a fresh clone, `./scripts/run`, the printed commands; and the library example of the README.

import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Engine, endAll, makeFolder, Program } from './rig.ts'

const INSTALL = 240_000

test.after(endAll)

test('a fresh clone: ./scripts/run installs, builds and shows the demo, and its first command works', async () => {
  const folder = makeFolder()
  const clone = join(folder, 'hormiga')
  execFileSync('git', ['clone', '--quiet', resolve('.'), clone])
  const demo = new Program(join(clone, 'scripts/run'), ['--port', '0', '--http-port', '0'], folder)
  await demo.says(/Ctrl\+C ends the demo/, INSTALL)
  assert.match(demo.out, /setup: installing the npm packages/)
  const command = /^ {2}(\S.* get cafetera .*)$/m.exec(demo.out)?.[1]
  assert.ok(command, demo.out)
  const get = new Program('/bin/sh', ['-c', `exec ${command}`], folder)
  assert.is(await get.end(), 0, get.err)
  assert.match(get.out, /^200 \{"online":true/)
  assert.is(await demo.end('SIGTERM'), 0)
  rmSync(folder, { recursive: true, force: true })
})

test('the library example of the README runs as it stands: an answer, a resource of its own, reports', async () => {
  const demo = new Engine({}, ['--demo', '--port', '0', '--http-port', '0'])
  const port = String(await demo.says(/nc -w 1 \S+ (\d+)/))
  const code = /## As a library\n+```js\n(.*?)```/s.exec(readFileSync('README.md', 'utf8'))?.[1]
  assert.ok(code, 'the README has an example')
  const file = resolve('.build/readme-example.mjs')
  writeFileSync(file, code.replaceAll('33333', port))
  const example = new Program(process.execPath, [file])
  await example.says(/200 \{[\s\S]*online: true/)
  for (let tries = 0; (await demo.get('engine/counters')).sizes.subscriptions === 0; tries++) {
    assert.ok(tries < 50, 'it never bound')
  }
  assert.is((await demo.ask('post', 'cafetera/brew', '{"recipe":"espresso"}')).code, 0)
  await example.says(/\[ 'cafetera', 'state' \] brewing/)
  await example.end('SIGKILL')
  await demo.stop()
})

test.run()
