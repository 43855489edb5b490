// The first steps on a stranger's machine: every lack is either mended or told with its fix, and nothing is done twice.
// The machine's own programs are played by scripts of a line or two in a folder of their own.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

const test = suite('setup', { folder: '' })

const root = 'echo 0'
const user = 'echo 1000'
const oldNode = 'case $1 in -p) echo 18 ;; *) echo v18.20.4 ;; esac'
const offers = (version: string) => `echo "  Candidate: ${version}"`
/** Notes its arguments, and puts a Node 20 where it is asked for nodejs. */
const aptGet = `echo "$*" >> calls
case "$*" in *nodejs*) printf '#!/bin/sh\\necho 20\\n' > bin/node ;; esac`

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hormiga-setup-'))
  cpSync('scripts', join(context.folder, 'scripts'), { recursive: true })
  mkdirSync(join(context.folder, 'bin'))
})

test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

test('an old Node and no root: says what is there, what is needed and how to get it', ({ folder }) => {
  const { code, output } = setUp(folder, 'need_node', { node: oldNode, id: user, 'apt-get': aptGet })
  assert.is(code, 1)
  assert.match(output, /Node\.js 20 or later is needed; this machine has v18\.20\.4/)
  assert.match(output, /sudo apt-get install nodejs npm/)
  assert.is(calls(folder), '')
})

test('an old Node, and the system offers 20 or later: it is installed', ({ folder }) => {
  const fakes = { node: oldNode, id: root, 'apt-get': aptGet, 'apt-cache': offers('20.19.2+dfsg-1') }
  const { code, output } = setUp(folder, 'need_node', fakes)
  assert.is(code, 0, output)
  assert.match(calls(folder), /install -y --no-install-recommends nodejs npm/)
})

test('an old Node, and the system offers nothing newer: it is left alone, and the way is told', ({
  folder,
}) => {
  const fakes = { node: oldNode, id: root, 'apt-get': aptGet, 'apt-cache': offers('18.19.0+dfsg-6') }
  const { code, output } = setUp(folder, 'need_node', fakes)
  assert.is(code, 1)
  assert.match(output, /tar -C \/usr\/local --strip-components=1 -xf node-v20/)
  assert.is(calls(folder), '')
})

test('nothing is missing: nothing is installed, and no network is needed', ({ folder }) => {
  const commands = 'need_node && need_packages required sh:sh passwd:/etc/passwd'
  const { code, output } = setUp(folder, commands, { node: 'echo 20', id: root, 'apt-get': aptGet })
  assert.is(code, 0)
  assert.is(output, '')
  assert.is(calls(folder), '')
})

test('only what is missing is installed', ({ folder }) => {
  const fakes = { id: root, 'apt-get': aptGet }
  const { code } = setUp(folder, 'need_packages required sh:sh ants:/no/ants bees:no-such-bees', fakes)
  assert.is(code, 0)
  assert.match(calls(folder), /install -y --no-install-recommends ants bees\n/)
})

test('a system package is missing and no root: the command to be given is told', ({ folder }) => {
  const { code, output } = setUp(folder, 'need_packages required ants:/no/ants', { id: user })
  assert.is(code, 1)
  assert.match(output, /these system packages are missing: ants\n {2}install them: sudo apt-get install ants/)
})

test('apt-get does not work: its own words are shown', ({ folder }) => {
  const fakes = { id: root, 'apt-get': 'echo "E: no ants to be had"; exit 100' }
  const { code, output } = setUp(folder, 'need_packages required ants:/no/ants', fakes)
  assert.is(code, 1)
  assert.match(output, /E: no ants to be had/)
})

test('without an optional package it goes on, and says what for', ({ folder }) => {
  const { code, output } = setUp(folder, 'need_packages optional ants:/no/ants', { id: user })
  assert.is(code, 0)
  assert.match(output, /going on without ants/)
})

test('npm packages are installed when the lock file says other ones, and only then', ({ folder }) => {
  const npm =
    'echo "$*" >> calls; mkdir -p node_modules; cp package-lock.json node_modules/.package-lock.json'
  writeLock(folder, { '': {}, 'node_modules/ant': { version: '1.0.0' } })
  assert.is(setUp(folder, 'need_modules', { npm }).code, 0)
  assert.is(calls(folder).match(/^ci /gm)?.length, 1)
  setUp(folder, 'need_modules', { npm })
  assert.is(calls(folder).match(/^ci /gm)?.length, 1)
  writeLock(folder, { '': {}, 'node_modules/ant': { version: '1.0.1' } })
  setUp(folder, 'need_modules', { npm })
  assert.is(calls(folder).match(/^ci /gm)?.length, 2)
})

test('an optional npm package for another machine is not missed', ({ folder }) => {
  writeLock(folder, { '': {}, 'node_modules/other': { version: '1.0.0', optional: true } })
  assert.is(setUp(folder, 'need_modules', { npm: 'echo "$*" >> calls; exit 1' }).code, 0)
  assert.is(calls(folder), '')
})

test('npm ci does not work: says so and ends', ({ folder }) => {
  writeLock(folder, { '': {}, 'node_modules/ant': { version: '1.0.0' } })
  const { code, output } = setUp(folder, 'need_modules', { npm: 'exit 1' })
  assert.is(code, 1)
  assert.match(output, /npm ci did not work/)
})

test('an archive is fetched once; a wrong one is not kept, and without one it goes on and says so', ({
  folder,
}) => {
  const sum = createHash('sha512').update('good\n').digest('hex')
  const archive = join(folder, 'node_modules/.cache/hormiga/ant-1.0.0.tgz')
  const npm = (text: string) => `echo "$*" >> calls; echo ${text} > node_modules/.cache/hormiga/ant-1.0.0.tgz`
  const wrong = setUp(folder, `need_archive ant 1.0.0 ${sum}`, { npm: npm('bad') })
  assert.is(wrong.code, 0)
  assert.match(wrong.output, /going on without ant 1\.0\.0/)
  assert.not(existsSync(archive))
  setUp(folder, `need_archive ant 1.0.0 ${sum}`, { npm: npm('good') })
  assert.is(readFileSync(archive, 'utf8'), 'good\n')
  setUp(folder, `need_archive ant 1.0.0 ${sum}`, { npm: npm('bad') })
  assert.is(readFileSync(archive, 'utf8'), 'good\n')
  assert.is(calls(folder).match(/^pack .*ant@1\.0\.0$/gm)?.length, 2)
})

test('scripts/test and scripts/run tell an unknown option and a missing file', ({ folder }) => {
  assert.match(bash(folder, 'scripts/test --lnog').output, /unknown option --lnog/)
  assert.match(bash(folder, 'scripts/test --help').output, /N passed, N failed/)
  assert.match(bash(folder, 'scripts/run --help').output, /the demo/)
  assert.match(bash(folder, 'scripts/run no-such.json').output, /no-such\.json: no such configuration file/)
})

/** Runs commands of setup.sh on a machine that has these programs before all others. */
function setUp(folder: string, commands: string, programs: { [name: string]: string }) {
  for (const [name, lines] of Object.entries(programs)) {
    writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${lines}\n`)
    chmodSync(join(folder, 'bin', name), 0o755)
  }
  return bash(folder, `. scripts/setup.sh; ${commands}`)
}

function bash(folder: string, commands: string): { code: number | null; output: string } {
  const env = { ...process.env, PATH: `${folder}/bin:${process.env.PATH}` }
  const { status, stdout, stderr } = spawnSync('bash', ['-uc', commands], {
    cwd: folder,
    env,
    encoding: 'utf8',
  })
  return { code: status, output: stdout + stderr }
}

function calls(folder: string): string {
  const path = join(folder, 'calls')
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

function writeLock(folder: string, packages: object): void {
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages }))
}

test.run()
