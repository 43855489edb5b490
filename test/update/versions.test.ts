// Which version is newer, what may be installed, and when a trial ends well.

import { spawnSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compareHealth, settle } from '../../src/update/trial.ts'
import { compareVersions, isVersion } from '../../src/update/version.ts'
import { Versions } from '../../src/update/versions.ts'
import { CutDisk, type Tree } from './cut-disk.ts'

const ORDER = [
  '0~',
  '0.1.0~rc1-1',
  '0.1.0-1~x',
  '0.1.0-1',
  '0.1.0-1a',
  '0.1.0-2',
  '0.1.0-10',
  '0.1.0a-1',
  '0.1.0+git-1',
]
const MORE = [
  '0.1.1-1',
  '0.2-1',
  '0.02.1-1',
  '0.10.0-1',
  '1',
  '1-0',
  '1.0-1',
  '1.a-1',
  '1.+-1',
  '9.9.9-9',
  '10-1',
]

test('versions are ordered as dpkg orders them', () => {
  const all = [...ORDER, ...MORE]
  for (const a of ORDER)
    for (const b of ORDER) assert.is(Math.sign(compareVersions(a, b)), place(a, b), `${a} ${b}`)
  if (spawnSync('dpkg', ['--version']).status !== 0) return
  const script =
    'while read a b; do dpkg --compare-versions $a lt $b && echo -1 && continue; dpkg --compare-versions $a eq $b && echo 0 || echo 1; done'
  const pairs = all.flatMap((a, at) => all.slice(at + 1).map((b) => [a, b] as const))
  const input = pairs.map((pair) => `${pair.join(' ')}\n`).join('')
  const said = spawnSync('sh', ['-c', script], { input, encoding: 'utf8' }).stdout.trim().split('\n')
  assert.is(said.length, pairs.length)
  for (const [at, [a, b]] of pairs.entries())
    assert.is(Math.sign(compareVersions(a, b)), Number(said[at]), `${a} ${b}`)
})

function place(a: string, b: string): number {
  return Math.sign(ORDER.indexOf(a) - ORDER.indexOf(b))
}

test('a version is a name for a folder, and for nothing else', () => {
  for (const text of [...ORDER, ...MORE]) assert.ok(isVersion(text), text)
  for (const text of [
    '',
    '.',
    '..',
    'current',
    'v1',
    '1/2',
    '1 2',
    '1\n',
    '-1',
    '1-',
    '1-2-3/..',
    'x'.repeat(99),
    3,
  ]) {
    assert.not.ok(isVersion(text), String(text))
  }
})

function versions(tree: Tree): { versions: Versions; disk: CutDisk } {
  const base: Tree = { '/v': 'd', '/p': 'd', '/p/VERSION': 'f0.2.0-1\n', '/p/hormiga.js': 'f' }
  const disk = new CutDisk({ ...base, ...tree })
  return {
    disk,
    versions: new Versions({ folder: '/v', packaged: '/p', wall: () => 5, disk: disk.versionDisk }),
  }
}

const folder = (version: string): Tree => ({ [`/v/${version}`]: 'd', [`/v/${version}/hormiga.js`]: 'f' })

test('the newest of package and update wins; older ones are refused', () => {
  const { versions: fresh } = versions({})
  const check =
    (version: string, after = '0', force = false) =>
    () =>
      fresh.check({ version, after }, force)
  check('0.2.1-1')()
  assert.throws(check('0.2.0-1'), /0\.2\.0-1 is in force already/)
  assert.throws(check('0.2.0-1', '0', true), /in force already/)
  assert.throws(check('0.1.9-1'), /0\.1\.9-1 is not newer than 0\.2\.0-1, which is the package's: .*--force/)
  check('0.1.9-1', '0', true)()
  assert.throws(
    check('0.5.0-1', '0.3.0-1'),
    /replaces 0\.3\.0-1 or newer, and here is 0\.2\.0-1: install one between/,
  )
  const { versions: updated } = versions({ ...folder('0.3.0-1'), '/v/current': 'l0.3.0-1' })
  assert.throws(
    () => updated.check({ version: '0.2.5-1', after: '0' }, false),
    /not newer than 0\.3\.0-1, which is in force/,
  )
})

test('a rollback goes to the version before, and to the package where that is newer, or there is none', () => {
  const card = { ...folder('0.3.0-1'), ...folder('0.4.0-1'), '/v/current': 'l0.4.0-1' }
  assert.is(versions({ ...card, '/v/previous': 'l0.3.0-1' }).versions.rollback(), '0.3.0-1')
  assert.is(versions(card).versions.rollback(), null)
  assert.is(versions({ ...card, ...folder('0.1.0-1'), '/v/previous': 'l0.1.0-1' }).versions.rollback(), null)
  assert.is(versions({ ...card, '/v/previous': 'l0.9.0-1' }).versions.rollback(), null, 'a link to nothing')
  assert.throws(
    () => versions({}).versions.rollback(),
    /the package's version is in force: there is none before it/,
  )
})

test('without space nothing is written, and it says how much is needed', () => {
  const { versions: full, disk } = versions({})
  disk.space = 1 << 20
  const before = disk.tree
  const install = () => full.install('0.3.0-1', new Map([['hormiga.js', new Uint8Array(2_000_000)]]))
  assert.throws(install, /the card has 1\.0 MB free, and 18\.8 MB are needed/)
  assert.equal(disk.tree, before)
})

test('before a start: a trial that is watched goes on for three starts; one that nobody watches goes back', () => {
  const card = { ...folder('0.3.0-1'), '/v/current': 'l0.3.0-1', '/v/trial': 'f{"to":"0.3.0-1","from":null}' }
  for (const [starts, isWatched, current] of [
    [0, true, '0.3.0-1'],
    [2, true, '0.3.0-1'],
    [3, true, null],
    [0, false, null],
  ] as const) {
    const { versions: it } = versions(card)
    const said: string[] = []
    settle(it, starts, isWatched, (text) => said.push(text))
    assert.is(it.current, current)
    assert.is(it.trial === undefined, current === null)
    assert.is(said.length, current === null ? 1 : 0)
    assert.is(it.last?.outcome, current === null ? 'back' : undefined)
  }
})

test('no device may be worse than before; one that was as bad may stay so', () => {
  const of = (boot: string, devices: Record<string, string>) => ({ boot, devices })
  const before = of('1', { a: 'up', b: 'down', c: 'failed', d: 'silent' })
  const same = { a: 'up', b: 'connecting', c: 'failed', d: 'silent' }
  assert.is(compareHealth(before, of('2', same)), undefined)
  assert.is(compareHealth(before, of('2', { ...same, b: 'up', c: 'down', d: 'up', e: 'failed' })), undefined)
  assert.is(compareHealth(before, of('2', { ...same, a: 'silent' })), 'a was up and is silent')
  assert.is(
    compareHealth(before, of('2', { a: 'up', b: 'failed', c: 'failed' })),
    'b was down and is failed, d was silent and is missing',
  )
  assert.is(compareHealth(before, of('2', { ...same, a: 'well' })), 'a was up and is well')
  assert.is(compareHealth(before, of('1', same)), 'the engine was not restarted')
  assert.is(compareHealth(before, undefined), 'the engine does not answer')
  assert.is(compareHealth(undefined, of('2', {})), undefined)
})

test.run()
