#!/usr/bin/env node
// Builds dist/: the program and the library for Node (sharing their chunks), the page's library, the declarations.
// What a configuration may not use is a chunk of its own: each `import()` in the source loads when it is reached.

import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { bundleWeb, writeWeb } from './build-web.mjs'

const usage = `node scripts/build.mjs [--quick]
  --quick   only the bundles for Node and the page: no page library, no declarations`

/** Packages that are machine code or that other packages only try to load. Everything else goes into the bundle. */
const native = [
  '@abandonware/bluetooth-hci-socket',
  '@serialport/bindings-cpp',
  'usb',
  'cbor-extract',
  'bufferutil',
  'utf-8-validate',
  '*.node',
]

const nodeEntries = { hormiga: 'src/cli.ts', index: 'src/index.ts' }

/** The doors for pages. `limit`: the most bytes that one may weigh, minified and gzipped. */
const pages = [
  { path: 'dist/browser.js', entry: 'src/browser.ts', what: 'the page library' },
  {
    path: 'dist/browser-identity.js',
    entry: 'src/browser-identity.ts',
    what: 'the page library with keys',
    limit: 53_000,
  },
]
const core = { entry: 'src/core/door.ts', what: 'the core for pages', limit: 15_000 }

const forPages = { platform: 'browser', target: 'es2022', minify: true, write: false, outdir: 'dist' }

/** A cause that is told without a stack: the message says what to do. */
class BuildError extends Error {}

export const projectRoot = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')

/**
 * The program and the library for Node, with splitting. Takes from `import()` of a CommonJS package its `default` only: esbuild gives
 * such a chunk no other names, though Node does.
 */
export async function buildNode(root) {
  await requireFiles(root, Object.values(nodeEntries))
  const { metafile } = await bundle(root, {
    entryPoints: nodeEntries,
    outdir: 'dist',
    chunkNames: 'chunks/[name]-[hash]',
    platform: 'node',
    target: 'node20',
    splitting: true,
    sourcemap: true,
    // The source stays in memory while the program runs: this saves 1.6 MB of it. Names stay, for stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    // jsonc-parser's CommonJS build cannot be bundled; its module build can.
    mainFields: ['module', 'main'],
    external: native,
    // Installed, there is no folder to look into.
    define: { DEVICE_SETTINGS: JSON.stringify(await deviceSettings(root)) },
    // CommonJS packages inside the bundle ask for Node's own modules with require(). The name is none of esbuild's own.
    banner: {
      js: "import { createRequire as makeRequire$ } from 'node:module'; const require = makeRequire$(import.meta.url);",
    },
  })
  await makeProgram(join(root, 'dist/hormiga.js'))
  await removeStaleChunks(root, Object.keys(metafile.outputs))
  await writePackages(root, 'packages.json', metafile)
  return metafile
}

/** The folders of the npm packages that went into a bundle: whoever passes it on passes their licences on. */
async function writePackages(root, name, { inputs }) {
  const folders = Object.keys(inputs).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
  )
  await writeFile(join(root, 'dist', name), `${JSON.stringify([...new Set(folders)].sort(), undefined, 2)}\n`)
}

/** The libraries for pages: `{path, contents, bytes, gzip, limit}`. A module of Node's in one fails the build. */
export async function bundlePages(root) {
  return Promise.all(pages.map(async (page) => ({ ...page, ...(await bundlePage(root, page)) })))
}

/** The core alone, as a page loads it. */
export async function measureCore(root) {
  return { ...core, ...(await bundlePage(root, core)) }
}

/** The page itself: `{files, first, all, limit}`. */
export async function bundleOwnPage(root) {
  const web = await bundleWeb(root).catch(asBuildError)
  if (web.all <= web.limit) return web
  throw new BuildError(
    `the page is ${web.all} bytes gzipped, over its limit of ${web.limit}. ` +
      `Find what grew with: npx esbuild src/web/app.ts --bundle --minify --format=esm --analyze`,
  )
}

/** Puts the page beside the program. */
export async function buildWeb(root) {
  const web = await bundleOwnPage(root)
  await writeWeb(root, web)
  await writePackages(root, 'packages-web.json', web)
  return web
}

async function bundlePage(root, { entry, what, limit = Infinity }) {
  await requireFiles(root, [entry])
  const { outputFiles } = await bundle(root, { ...forPages, entryPoints: [entry] })
  const { contents } = outputFiles[0]
  const gzip = gzipSync(contents, { level: 9 }).length
  if (gzip > limit) {
    throw new BuildError(
      `${what} is ${gzip} bytes gzipped, over its limit of ${limit}. ` +
        `Find what grew with: npx esbuild ${entry} --bundle --minify --format=esm --analyze`,
    )
  }
  return { contents, bytes: contents.length, gzip }
}

async function bundle(root, options) {
  try {
    return await build({
      absWorkingDir: root,
      bundle: true,
      format: 'esm',
      metafile: true,
      logLevel: 'silent',
      ...options,
    })
  } catch (error) {
    return asBuildError(error)
  }
}

/** @throws {BuildError} */
function asBuildError(error) {
  throw new BuildError((error.errors ?? [error]).map(toLine).join('\n'))
}

function toLine({ location, text, message }) {
  const place = location ? `${location.file}:${location.line}: ` : ''
  return `${place}${text ?? message}`
}

async function requireFiles(root, paths) {
  for (const path of paths) {
    if (!(await exists(join(root, path))))
      throw new BuildError(`${path} is missing, and the build starts from it.`)
  }
}

/** Every folder of devices/ with a device.ts is a device. */
async function deviceNames(root) {
  const names = await readdir(join(root, 'devices'), { recursive: true }).catch(() => [])
  return names.flatMap((name) => /^([^/]+)\/device\.ts$/.exec(name)?.[1] ?? []).sort()
}

/** What the configuration can say of every device: `{name: {medium, options}}`, out of its profile. */
async function deviceSettings(root) {
  const names = await deviceNames(root)
  const imports = names.map((name, index) => `import p${index} from './devices/${name}/device.ts'`)
  const entries = names.map((name, index) => `${JSON.stringify(name)}: p${index}`)
  const contents = `${imports.join('\n')}\nexport default { ${entries.join(', ')} }`
  const { outputFiles } = await bundle(root, {
    stdin: { contents, resolveDir: root },
    platform: 'node',
    write: false,
    outdir: 'dist',
  })
  const code = Buffer.from(outputFiles[0].contents).toString('base64')
  const { default: profiles } = await import(`data:text/javascript;base64,${code}`)
  return Object.fromEntries(
    Object.entries(profiles).map(([name, { link, options = {} }]) => [
      name,
      { medium: link.medium, options },
    ]),
  )
}

async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function makeProgram(path) {
  const text = await readFile(path, 'utf8')
  if (!text.startsWith('#!/usr/bin/env node\n')) {
    throw new BuildError(
      'src/cli.ts: its first line must be #!/usr/bin/env node, so that the program can be started.',
    )
  }
  await chmod(path, 0o755)
}

async function removeStaleChunks(root, outputs) {
  const current = new Set(outputs)
  for (const name of await readdir(join(root, 'dist/chunks')).catch(() => [])) {
    if (!current.has(`dist/chunks/${name}`)) await rm(join(root, 'dist/chunks', name))
  }
}

function buildDeclarations(root) {
  const tsc = join(root, 'node_modules/.bin/tsc')
  const { status, stdout, error } = spawnSync(
    tsc,
    ['-p', 'scripts/tsconfig.types.json', '--pretty', 'false'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  )
  if (error) throw new BuildError(`${relative(root, tsc)}: ${error.message}. Install it with: npm ci`)
  if (status !== 0) throw new BuildError(`the declarations cannot be made:\n${stdout.trim()}`)
}

function printNodeSizes({ outputs }) {
  const rows = Object.entries(outputs).filter(([path]) => path.endsWith('.js'))
  for (const [path, { bytes }] of rows.filter(([path]) => !path.includes('/chunks/'))) print(path, bytes)
  const chunks = rows.filter(([path]) => path.includes('/chunks/')).map(([, { bytes }]) => bytes)
  const sum = chunks.reduce((all, bytes) => all + bytes, 0)
  print(`dist/chunks/ (${chunks.length}, loaded on demand or shared)`, sum)
}

function sumOf(files) {
  return files.reduce((all, { contents }) => all + contents.length, 0)
}

function print(what, bytes, gzip) {
  console.log(`  ${what}: ${kB(bytes)}${gzip ? `, ${kB(gzip)} gzipped` : ''}`)
}

function kB(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`
}

async function main() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(usage)
  const root = projectRoot
  console.log('build:')
  printNodeSizes(await buildNode(root))
  const web = await buildWeb(root)
  print(`dist/web (limit ${kB(web.limit)} gzipped; at first ${kB(web.first)})`, sumOf(web.files), web.all)
  if (values.quick) return
  await mkdir(join(root, 'dist'), { recursive: true })
  for (const { path, contents, bytes, gzip, limit } of await bundlePages(root)) {
    await writeFile(join(root, path), contents)
    print(`${path}${limit ? ` (limit ${kB(limit)} gzipped)` : ''}`, bytes, gzip)
  }
  const { bytes, gzip, limit } = await measureCore(root)
  print(`the core of them (limit ${kB(limit)} gzipped)`, bytes, gzip)
  buildDeclarations(root)
  console.log('  dist/types: declarations')
}

function tell(error) {
  const isUsage = error.code?.startsWith('ERR_PARSE_ARGS')
  console.error(
    error instanceof BuildError
      ? `build failed: ${error.message}`
      : isUsage
        ? `${error.message}\n${usage}`
        : error,
  )
  process.exitCode = isUsage ? 2 : 1
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) await main().catch(tell)
