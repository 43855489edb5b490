// time limit: 90 s
// §9.28 The power is cut between every step of an update, in every state that the card may then be in: what starts afterwards is
// the old version or the new one, whole; keys and trust are as they were; and the update or a rollback can be done again.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Clock } from '../../src/core/clock.ts'
import { type Health, settle, tryVersion } from '../../src/update/trial.ts'
import { Versions } from '../../src/update/versions.ts'
import { CutDisk, everyCut, keyOf, type Tree } from './cut-disk.ts'

const FOLDER = '/var/lib/hormiga-versions'
const PACKAGED = '/usr/lib/hormiga/engine'
const PACKAGE = '0.1.0-1'

/** What no update may touch. */
const OURS: Tree = {
  '/etc': 'd',
  '/etc/hormiga': 'd',
  '/etc/hormiga/trust.json': 'ftrust',
  '/var': 'd',
  '/var/lib': 'd',
  '/var/lib/hormiga': 'd',
  '/var/lib/hormiga/keys': 'd',
  '/var/lib/hormiga/keys/identity.pem': 'fkey',
  '/usr': 'd',
  '/usr/lib': 'd',
  '/usr/lib/hormiga': 'd',
  ...folderTree(PACKAGED, PACKAGE),
}

/** The files of a version, as a package holds them. */
function filesOf(version: string): Map<string, Uint8Array> {
  const files = {
    'hormiga.js': `run ${version}`,
    'chunks/a.js': `chunk of ${version}`,
    VERSION: `${version}\n`,
  }
  return new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]))
}

function folderTree(place: string, version: string): Tree {
  const tree: Tree = { [place]: 'd', [`${place}/chunks`]: 'd', [`${place}/hormiga`]: 'lhormiga.js' }
  for (const [path, bytes] of filesOf(version)) tree[`${place}/${path}`] = `f${Buffer.from(bytes)}`
  return tree
}

/** A card where these updates were installed, the last one in force. */
function card(...updates: string[]): Tree {
  const [current, previous] = [updates.at(-1), updates.at(-2)]
  const tree: Tree = { ...OURS, [FOLDER]: 'd' }
  for (const version of updates.slice(-2)) Object.assign(tree, folderTree(`${FOLDER}/${version}`, version))
  if (current) tree[`${FOLDER}/current`] = `l${current}`
  if (previous) tree[`${FOLDER}/previous`] = `l${previous}`
  return tree
}

const on = (disk: CutDisk) =>
  new Versions({ folder: FOLDER, packaged: PACKAGED, wall: () => 1, disk: disk.versionDisk })

/** Time passes when it is waited for. */
function hasty(): Clock {
  let now = 0
  return {
    now: () => now,
    wall: () => now,
    after(ms, run) {
      now += ms
      queueMicrotask(run)
      return () => {}
    },
  }
}

const well = (boot: string): Health => ({ boot, devices: { cafetera: 'up' } })
const ill = (boot: string): Health => ({ boot, devices: { cafetera: 'failed' } })

/** An update as the command does it. */
async function update(
  disk: CutDisk,
  version: string,
  after: (boot: string) => Health | undefined,
): Promise<boolean> {
  let boot = 0
  const versions = on(disk)
  versions.check({ version, after: '0' }, false)
  versions.install(version, filesOf(version))
  return tryVersion(version, {
    versions,
    clock: hasty(),
    time: 3000,
    restart: async () => void boot++,
    look: async () => (boot === 0 ? well('0') : after(String(boot))),
    say() {},
    signal: new AbortController().signal,
  })
}

/** What `launch` starts: a version and all its files. */
function started(tree: Tree): string {
  const target = tree[`${FOLDER}/current`]?.slice(1)
  const place =
    target && tree[`${FOLDER}/${target}/hormiga.js`] !== undefined ? `${FOLDER}/${target}` : PACKAGED
  const version = tree[`${place}/VERSION`]?.slice(1).trim() as string
  const inPlace = Object.entries(tree).filter(([path]) => path === place || path.startsWith(`${place}/`))
  assert.equal(Object.fromEntries(inPlace), folderTree(place, version), `${place} is not whole`)
  return version
}

/** The start of the computer: what `ExecStartPre=` does. */
function bootUp(disk: CutDisk): void {
  if (disk.tree[`${FOLDER}/trial`] !== undefined) settle(on(disk), 0, false, () => {})
}

function same(tree: Tree): void {
  for (const path of Object.keys(OURS)) assert.is(tree[path], OURS[path], path)
}

const versionsIn = (tree: Tree) =>
  Object.keys(tree).filter((path) => dirname(path) === FOLDER && tree[path] === 'd')

let counted = 0
const shapes = new Map<string, Tree>()

/** Every state after a cut, and after a cut of the start that follows it. @param good what may be in force then */
async function checkAll(trees: Tree[], good: string[], again: (tree: Tree) => Promise<void>): Promise<void> {
  const seen = new Set<string>()
  const left = [...trees]
  for (let tree = left.pop(); tree; tree = left.pop()) {
    if (seen.has(keyOf(tree))) continue
    seen.add(keyOf(tree))
    counted++
    same(tree)
    const { cut, done } = await everyCut(tree, bootUp)
    left.push(...cut)
    for (const after of done) {
      assert.ok(good.includes(started(after)), `${started(after)} starts: ${JSON.stringify(after)}`)
      assert.is(after[`${FOLDER}/trial`], undefined)
      same(after)
      shapes.set(JSON.stringify([after[`${FOLDER}/current`], versionsIn(after)]), after)
      await again(after)
    }
  }
}

/** From whatever is left, the update can be done, and taken back. */
async function updateAgain(tree: Tree, version: string): Promise<void> {
  const disk = new CutDisk(tree)
  const before = started(tree)
  if (before !== version) assert.ok(await update(disk, version, well))
  assert.is(started(disk.tree), version)
  const versions = on(disk)
  const to = versions.previous ?? PACKAGE
  if (before !== version) assert.is(to, before)
  versions.rollback()
  versions.clean()
  assert.is(started(disk.tree), to)
  assert.ok(versionsIn(disk.tree).length <= 2)
  assert.not.ok(
    Object.keys(disk.tree).some((path) => path.startsWith(`${FOLDER}/.`)),
    'nothing half done is left',
  )
  same(disk.tree)
}

const CARDS: [name: string, Tree, before: string][] = [
  ['the first update', card(), PACKAGE],
  ['a second one', card('0.2.0-1'), '0.2.0-1'],
  ['a third one', card('0.2.0-1', '0.3.0-1'), '0.3.0-1'],
]
const NEW = '0.4.0-1'

for (const [name, tree, before] of CARDS) {
  test(`§9.28 ${name} that is kept: cut anywhere, the old version or the new one starts`, async () => {
    const { cut, done } = await everyCut(tree, async (disk) => assert.ok(await update(disk, NEW, well)))
    await checkAll(cut, [before, NEW], (after) => updateAgain(after, NEW))
    await checkAll(done, [NEW], (after) => updateAgain(after, NEW))
    for (const after of done) assert.ok(versionsIn(after).length <= 3)
  })

  test(`§9.28 ${name} that does worse: cut anywhere, the old version starts again`, async () => {
    const run = async (disk: CutDisk) => assert.not.ok(await update(disk, NEW, ill))
    const { cut, done } = await everyCut(tree, run)
    // Cut off, a trial goes back: the new one never starts a second time.
    await checkAll([...cut, ...done], [before], (after) => updateAgain(after, NEW))
  })
}

test('§9.28 a rollback by hand: cut anywhere, one of the two starts', async () => {
  for (const [tree, from, to] of [
    [card('0.2.0-1'), '0.2.0-1', PACKAGE],
    [card('0.2.0-1', '0.3.0-1'), '0.3.0-1', '0.2.0-1'],
  ] as const) {
    const run = (disk: CutDisk) => {
      on(disk).rollback()
      on(disk).clean()
    }
    const { cut, done } = await everyCut(tree, run)
    await checkAll(cut, [from, to], (after) => updateAgain(after, NEW))
    await checkAll(done, [to], (after) => updateAgain(after, NEW))
  }
})

test('§9.28 the real launcher starts in every state what is said here', () => {
  const root = mkdtempSync(join(tmpdir(), 'hormiga-cuts-'))
  try {
    for (const tree of shapes.values()) {
      rmSync(root, { recursive: true })
      materialize(root, tree)
      assert.is(launched(root), started(tree))
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

function materialize(root: string, tree: Tree): void {
  for (const path of Object.keys(tree).sort()) {
    const text = tree[path] as string
    if (text === 'd') mkdirSync(join(root, path), { recursive: true })
    else if (text.startsWith('l')) symlinkSync(text.slice(1), join(root, path))
    else writeFileSync(join(root, path), text.slice(1))
  }
}

/** Which version the package's script would have Node run. */
function launched(root: string): string {
  const script = readFileSync('scripts/deb/root/usr/lib/hormiga/launch', 'utf8')
  const launch = join(root, 'launch')
  writeFileSync(
    launch,
    script.replaceAll(/\/(?:usr\/lib|var\/lib|run)\/hormiga/g, (path) => root + path),
  )
  const node = join(root, 'usr/lib/hormiga-node/bin/node')
  mkdirSync(dirname(node), { recursive: true })
  writeFileSync(node, '#!/bin/sh\necho "$3"\n', { mode: 0o755 })
  const { stdout, stderr } = spawnSync('sh', [launch, 'run'], { encoding: 'utf8' })
  assert.match(stdout, root, stderr)
  return readFileSync(join(dirname(stdout.trim()), 'VERSION'), 'utf8').trim()
}

test('§9.28 that was more than 200 states', () => {
  console.log(
    `note: ${counted} states of the card after a power cut, ${shapes.size} of them started for real`,
  )
  assert.ok(counted > 200)
  assert.ok(shapes.size > 10)
})

test.run()
