#!/usr/bin/env node
// Everything a machine can say about the source: types, arrows between the rooms, lengths, format and lint, and that the
// bundles for pages need no Node and stay small. Prints every problem with what to do; exits 1 if there is one.

import { spawnSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findWrongArrows } from './arrows.mjs'
import { bundleOwnPage, bundlePages, measureCore, projectRoot } from './build.mjs'

/** The most lines a file may have; the first row that fits counts. */
const lengths = [
  { path: /^src\/core\//, most: 250 },
  { path: /^(src|devices|test|scripts)\//, most: 400 },
]

const steps = [
  ['types', (root) => compile(root, 'tsconfig.json', 'correct the types')],
  [
    'core without a platform',
    (root) =>
      compile(
        root,
        'scripts/tsconfig.core.json',
        'core knows only ES2023: declare what it needs, or take it as an argument',
      ),
  ],
  ['types of the page', (root) => compile(root, 'scripts/tsconfig.web.json', 'correct the types')],
  ['arrows between the rooms', findWrongArrows],
  ['lengths', findLongFiles],
  ['format and lint', lint],
  ['bundle for pages', bundleForPages],
]

function compile(root, project, fix) {
  return runTool(root, ['tsc', '-p', project, '--pretty', 'false'], fix)
}

function lint(root) {
  const args = ['biome', 'check', '--colors=off', '--error-on-warnings', '--max-diagnostics=50', '.']
  return runTool(root, args, 'most of it is done by: npx biome check --write FILE')
}

/** What a tool of node_modules prints is one problem. */
function runTool(root, [tool, ...args], fix) {
  const { status, stdout, stderr, error } = spawnSync(join(root, 'node_modules/.bin', tool), args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  if (error) return [{ place: tool, what: `cannot be started (${error.message})`, fix: 'npm ci' }]
  if (status === 0) return []
  return [{ place: tool, what: `found:\n${`${stdout}${stderr}`.trim()}`, fix }]
}

async function findLongFiles(root) {
  const files = (
    await Promise.all(['src', 'devices', 'test', 'scripts'].map((folder) => listCode(root, folder)))
  ).flat()
  const problems = await Promise.all(files.map((file) => measure(root, file)))
  return problems.flat()
}

async function listCode(root, folder) {
  const names = await readdir(join(root, folder), { recursive: true }).catch(() => [])
  return names
    .filter((name) => /\.(ts|mjs|js)$/.test(name))
    .map((name) => `${folder}/${name}`)
    .sort()
}

async function measure(root, file) {
  const { most } = lengths.find(({ path }) => path.test(file))
  const lines = (await readFile(join(root, file), 'utf8')).trimEnd().split('\n').length
  if (lines <= most) return []
  return [
    {
      place: file,
      what: `has ${lines} lines, at most ${most} are allowed`,
      fix: 'split it by the nouns it owns',
    },
  ]
}

async function bundleForPages(root) {
  try {
    await bundlePages(root)
    await measureCore(root)
    await bundleOwnPage(root)
    return []
  } catch (error) {
    return [
      {
        place: 'src/browser.ts',
        what: error.message,
        fix: 'what a page loads may import only what runs in a page',
      },
    ]
  }
}

function print({ place, what, fix }) {
  console.log(`  ${place}: ${what}\n    → ${fix}`)
}

async function main(root) {
  let count = 0
  for (const [name, find] of steps) {
    const problems = await find(root)
    console.log(`check: ${name}: ${problems.length === 0 ? 'ok' : 'NOT OK'}`)
    problems.forEach(print)
    count += problems.length
  }
  return count === 0 ? 0 : 1
}

process.exit(await main(projectRoot))
