#!/usr/bin/env node
// Runs test files and counts what really ran. uvu alone is not enough: it exits 0 when a `before` throws, when an
// `after.each` throws after a failed test and when `.run()` is forgotten, and it knows no time limit. So each file runs in
// a process of its own, with a limit, and its closing lines must say that every test passed and that there was one.

import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, stripVTControlCharacters } from 'node:util'
import { build } from 'esbuild'
import { buildNode, buildWeb, projectRoot } from './build.mjs'

const usage = `node scripts/runner.mjs [--built] [--failed N] [FILE…]
  FILE        test files (default: all test/**/*.test.ts)
  --built     dist/ is fresh; otherwise it is built when a file asks for it
  --failed N  how many steps before this one failed; the closing line counts them

A test file may say in its first 5 lines:
  // time limit: 120 s   instead of 60 s
  // heavy               no two of these run at once: an emulator, a browser, a whole computer
  // alone               nothing else runs at once: it measures
  // needs dist          runs the built program`

const defaultLimitS = 60
/** Files that run at once on the two cores that are counted on: many wait for most of their time. */
const lanes = { light: 3, heavy: 1 }
const outputLimit = 1_000_000
const skipList = 'scripts/skips.txt'

/** uvu's closing lines. They are always the last it prints. */
const closing = /\n {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)\n/g

/** A test that leaves itself out prints this; uvu's bullets may stand before it on the line. */
const skipLine = /^(?:.*[•✘] )?skip: (.+)$/gm

/** What a file wants to be read although it passes. */
const noteLine = /^(?:.*[•✘] )?note: (.+)$/gm

/** Bundles the files, runs them and prints a line for each; resolves to what was counted. */
export async function runTests(root, files, { built = false } = {}) {
  const tests = await Promise.all(files.map((file) => readHead(root, file)))
  if (!built && tests.some(({ needsDist }) => needsDist)) await Promise.all([buildNode(root), buildWeb(root)])
  const out = join(root, '.build/test', String(process.pid))
  process.on('exit', () => rmSync(out, { recursive: true, force: true }))
  await bundleTests(root, out, files)
  const allowed = readSkips(root)
  const results = []
  const run = async (test) => results.push(print(await runFile(root, out, test, allowed)))
  const those = (kind) => tests.filter((test) => test.kind === kind)
  await Promise.all([runAll(those('light'), lanes.light, run), runAll(those('heavy'), lanes.heavy, run)])
  await runAll(those('alone'), 1, run)
  return results
}

async function readHead(root, file) {
  const source = await readFile(join(root, file), 'utf8')
  const head = source.split('\n', 5).join('\n')
  const limit = /^\/\/ time limit: (\d+) s/m.exec(head)
  return {
    file,
    source,
    limitMs: Number(limit?.[1] ?? defaultLimitS) * 1000,
    kind: /^\/\/ (heavy|alone)\b/m.exec(head)?.[1] ?? 'light',
    needsDist: /^\/\/ needs dist/m.test(head),
  }
}

function bundleTests(root, out, files) {
  return build({
    absWorkingDir: root,
    entryPoints: files,
    outbase: root,
    outdir: out,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: true,
    logLevel: 'silent',
  })
}

function readSkips(root) {
  const lines = readFileSync(join(root, skipList), 'utf8').split('\n')
  return new Set(lines.map((line) => line.trim()).filter((line) => line && !line.startsWith('#')))
}

async function runAll(tests, width, run) {
  const rest = [...tests]
  const worker = async () => {
    for (let test = rest.shift(); test; test = rest.shift()) await run(test)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

async function runFile(root, out, test, allowed) {
  const start = performance.now()
  const bundle = join(out, test.file.replace(/\.ts$/, '.mjs'))
  const ended = await runProcess(root, bundle, test.limitMs)
  return {
    file: test.file,
    ms: performance.now() - start,
    output: ended.output,
    ...judge(test, ended, allowed),
  }
}

/** Ends with the process, or at the limit; whatever it has started ends with it. */
function runProcess(root, bundle, limitMs) {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['--enable-source-maps', bundle], {
      cwd: root,
      detached: true,
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let timedOut = false
    const take = (chunk) => {
      output = (output + chunk).slice(-outputLimit)
    }
    child.stdout.setEncoding('utf8').on('data', take)
    child.stderr.setEncoding('utf8').on('data', take)
    const timer = setTimeout(() => {
      timedOut = true
      endGroup(child.pid)
    }, limitMs)
    const forward = () => endGroup(child.pid)
    process.on('exit', forward)
    child.on('exit', () => endGroup(child.pid))
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      process.off('exit', forward)
      done({ code, signal, timedOut, output: stripVTControlCharacters(output) })
    })
  })
}

function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

/** What a run was worth: counts, and every reason why it does not pass. */
function judge(test, { code, signal, timedOut, output }, allowed) {
  const totals = [...output.matchAll(closing)].at(-1)
  const [total, ran, left] = totals ? totals.slice(1).map(Number) : [0, 0, 0]
  const reasons = [...output.matchAll(skipLine)].map(([, reason]) => reason.trim())
  const skipped = Math.max(left, reasons.length)
  const problems = [
    ...sourceProblems(test),
    ...endProblems({ code, signal, timedOut, totals, limitMs: test.limitMs, allPassed: total === ran }),
    ...(totals ? countProblems(total, ran, skipped) : []),
    ...skipProblems(left, reasons, allowed),
  ]
  const passed = Math.max(0, ran - (skipped - left))
  return { passed, skipped, problems, failed: problems.length === 0 ? 0 : Math.max(1, total - ran) }
}

function sourceProblems({ source }) {
  const suites = [...source.matchAll(/\bconst (\w+) = suite\(/g)].map(([, name]) => name)
  if (/^import \{[^}]*\btest\b[^}]*\} from 'uvu'/m.test(source)) suites.push('test')
  return suites.flatMap((name) => [
    ...(new RegExp(`^ *${name}\\.run\\(\\)`, 'm').test(source)
      ? []
      : [`${name}.run() is missing: its tests do not run.`]),
    ...(new RegExp(`^ *${name}\\.only\\(`, 'm').test(source)
      ? [`${name}.only() leaves the other tests out: make it ${name}().`]
      : []),
  ])
}

function endProblems({ code, signal, timedOut, totals, limitMs, allPassed }) {
  const limit = `${limitMs / 1000} s`
  if (timedOut && totals) {
    return [`did not end within ${limit} although its tests did: a server, socket or timer is still open.`]
  }
  if (timedOut) return [`was ended after ${limit}. A file that needs longer says so: // time limit: 120 s`]
  if (!totals)
    return [`ended (${signal ?? `exit code ${code}`}) without uvu's closing lines: nothing says what ran.`]
  if (code !== 0 && allPassed)
    return [`ended with ${signal ?? `exit code ${code}`} although its tests passed.`]
  return []
}

function countProblems(total, ran, skipped) {
  if (ran < total)
    return [
      `${ran} of ${total} passed. (Where no test is shown as failed, a hook threw, or something with \`details\` that are ` +
        'no text, such as a JstpError: uvu keeps silent about both.)',
    ]
  return total === 0 && skipped === 0 ? ['no test ran.'] : []
}

function skipProblems(left, reasons, allowed) {
  const unknown = reasons.filter((reason) => !allowed.has(reason))
  return [
    ...unknown.map((reason) => `skipped for a reason that is not in ${skipList}: ${reason}`),
    ...(left > reasons.length
      ? [
          `${left - reasons.length} skipped without a reason: print it as "skip: REASON", one of those in ${skipList}.`,
        ]
      : []),
  ]
}

function print(result) {
  const { file, passed, failed, skipped, ms, problems, output } = result
  const counts = `${passed} passed${failed ? `, ${failed} failed` : ''}${skipped ? `, ${skipped} skipped` : ''}`
  console.log(`${failed ? 'FAIL' : 'ok  '} ${file}  ${counts}  ${(ms / 1000).toFixed(1)} s`)
  if (failed === 0) {
    for (const [, note] of output.matchAll(noteLine)) console.log(`     ${note}`)
    return result
  }
  for (const line of output.trim().split('\n')) console.log(`     | ${line}`)
  for (const problem of problems) console.log(`     ${file}: ${problem}`)
  return result
}

/** Every test file under test/, by name. */
export async function findTests(root) {
  const entries = await readdir(join(root, 'test'), { recursive: true })
  return entries
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => `test/${path}`)
    .sort()
}

async function fromRoot(root, path) {
  const full = resolve(path)
  const known = await stat(full).then(
    (entry) => entry.isFile(),
    () => false,
  )
  if (!known) throw new UsageError(`${path}: no such test file`)
  return relative(root, full)
}

class UsageError extends Error {}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      built: { type: 'boolean', default: false },
      failed: { type: 'string', default: '0' },
      help: { type: 'boolean', default: false },
    },
  })
  return { ...values, failed: Number(values.failed), paths: positionals }
}

/** One line, alone: what ran and how it went. */
function printTotals(results, failedBefore) {
  const sum = (key) => results.reduce((all, result) => all + result[key], 0)
  const failed = sum('failed') + failedBefore
  const skipped = sum('skipped')
  console.log(`${sum('passed')} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`)
  return failed === 0 && results.length > 0 ? 0 : 1
}

async function main() {
  const { help, built, failed, paths } = readArguments()
  if (help) {
    console.log(usage)
    return 0
  }
  const root = projectRoot
  const files =
    paths.length > 0 ? await Promise.all(paths.map((path) => fromRoot(root, path))) : await findTests(root)
  try {
    return printTotals(await runTests(root, files, { built }), failed)
  } catch (error) {
    console.error(`the tests cannot be built: ${error.message}`)
    return printTotals([], failed + 1)
  }
}

function tell(error) {
  const isUsage = error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS')
  console.error(isUsage ? `${error.message}\n${usage}` : error)
  return isUsage ? 2 : 1
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))
if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) process.exit(await main().catch(tell))
