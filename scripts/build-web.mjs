// Builds the page: modules, style, drawings and the service worker, named by what is in them and zipped. What the first
// paint loads, and all but the keys, has a limit.

import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const source = 'src/web'
const base = '/.hormiga/'
/** Bytes, gzipped, that the page may weigh: HTML, style, icon and every module but that with keys. */
const limit = 60_000
const icons = ['icon.svg', 'icon-192.png', 'icon-512.png']
/** The module that brings keys, for engines that answer nobody else, and what only it needs. */
const keys = 'sealed'

const shared = {
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  minify: true,
  write: false,
  logLevel: 'silent',
}

/**
 * `{files: [{name, contents, gzip}], first, all, limit, inputs}`: bytes of the first paint and of all but the keys, and what it
 * was made of. Writes nothing.
 */
export async function bundleWeb(root) {
  const { outputFiles, metafile } = await build({
    ...shared,
    absWorkingDir: root,
    entryPoints: { app: `${source}/app.ts`, style: `${source}/style.css` },
    outdir: 'dist/web',
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    splitting: true,
    metafile: true,
  })
  const modules = outputFiles.map(({ path, contents }) => file(basename(path), contents))
  const find = (start) => modules.find(({ name }) => name.startsWith(`${start}-`)).name
  const start = loadedBy(metafile, `dist/web/${find('app')}`)
  const page = await readFile(join(root, source, 'index.html'), 'utf8')
  const html = file('index.html', toHtml(page, { app: find('app'), style: find('style'), start }))
  const fixed = await Promise.all(
    icons.map(async (name) => file(name, await readFile(join(root, source, 'icons', name)))),
  )
  const manifest = file('manifest.webmanifest', await readFile(join(root, source, 'manifest.webmanifest')))
  const kept = [...modules, html, ...fixed, manifest]
  const files = [...kept, await worker(root, kept)]
  const isFirst = ({ name }) => start.includes(name) || /^(app|style)-|^index|^icon\.svg/.test(name)
  const secret = keysOf(metafile)
  const first = sum(files.filter(isFirst))
  const all = sum(files.filter(({ name }) => !name.endsWith('.png') && !secret.has(name)))
  return { files, first, all, limit, inputs: metafile.inputs }
}

/** Puts the page into dist/web; what was there before goes last, for an engine may be starting from it. */
export async function writeWeb(root, { files }) {
  const folder = join(root, 'dist/web')
  await mkdir(folder, { recursive: true })
  const names = files.map(({ name, zipped }) => (zipped ? `${name}.gz` : name))
  await Promise.all(
    files.map(({ contents, zipped }, at) => writeFile(join(folder, names[at]), zipped ?? contents)),
  )
  const stale = (await readdir(folder)).filter((name) => !names.includes(name))
  await Promise.all(stale.map((name) => rm(join(folder, name), { force: true })))
}

function file(name, contents) {
  const bytes = typeof contents === 'string' ? Buffer.from(contents) : contents
  const zipped = name.endsWith('.png') ? undefined : gzipSync(bytes, { level: 9 })
  return { name, contents: bytes, zipped, gzip: (zipped ?? bytes).length }
}

/** The chunks that a module needs to begin, by their names. */
function loadedBy(metafile, path) {
  const direct = metafile.outputs[path].imports.filter(({ kind }) => kind === 'import-statement')
  return [...new Set(direct.flatMap((it) => [basename(it.path), ...loadedBy(metafile, it.path)]))]
}

/** The chunks that nothing loads but the module with keys. */
function keysOf(metafile) {
  const paths = Object.keys(metafile.outputs)
  const isSealed = (path) => basename(path).startsWith(`${keys}-`)
  const others = paths.filter((path) => !isSealed(path))
  const reached = new Set()
  const walk = (path) => {
    if (reached.has(path) || isSealed(path)) return
    reached.add(path)
    for (const it of metafile.outputs[path].imports) walk(it.path)
  }
  walk(others.find((path) => basename(path).startsWith('app-')))
  return new Set(
    paths.filter((path) => path.endsWith('.js') && !reached.has(path)).map((path) => basename(path)),
  )
}

function toHtml(page, { app, style, start }) {
  const preload = start.map((name) => `<link rel="modulepreload" href="${base}${name}">`).join('')
  return page
    .replace(`${base}app.js`, `${base}${app}`)
    .replace(`${base}style.css`, `${base}${style}`)
    .replace('</head>', `${preload}</head>`)
    .replace(/>\s+</g, '><')
}

/** It knows the names of all files, and is another one when any of them is. */
async function worker(root, files) {
  const names = files.map(({ name }) => (name === 'index.html' ? '/' : `${base}${name}`))
  const hash = createHash('sha256')
  for (const { contents } of files) hash.update(contents)
  const { outputFiles } = await build({
    ...shared,
    absWorkingDir: root,
    entryPoints: [`${source}/sw.ts`],
    define: { ASSETS: JSON.stringify(names), BUILD: JSON.stringify(hash.digest('hex').slice(0, 16)) },
  })
  return file('sw.js', outputFiles[0].contents)
}

function sum(files) {
  return files.reduce((all, { gzip }) => all + gzip, 0)
}
