// The program as a whole, with a simulated coffee machine: its memory when idle, the time until it listens, its size.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { transform } from 'esbuild'
import { measureCore, projectRoot } from '../../build.mjs'
import { median, memoryOf, now, sleep } from '../measure.mjs'
import { accepts, freePort, runProgram, startProgram } from '../servers.mjs'

const settleMs = 2000
const starts = 5

/** Starts the program in a folder of its own. `stop` removes the folder, too. */
async function startHormiga() {
  const folder = mkdtempSync(join(tmpdir(), 'hormiga-bench-'))
  const config = join(folder, 'hormiga.json')
  const port = await freePort()
  const cafetera = { profile: 'delonghi-ecam', address: '00:a0:50:12:34:56', simulated: true }
  const listen = { tcp: `127.0.0.1:${port}` }
  writeFileSync(config, JSON.stringify({ name: 'bench', listen, devices: { cafetera } }))
  const begun = now()
  const program = startProgram([
    join(projectRoot, 'dist/hormiga.js'),
    ...['run', '--config', config, '--state', folder],
  ])
  const stop = async () => {
    await program.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await accepts(port, program)
  } catch (error) {
    await stop()
    throw error
  }
  return { pid: program.pid, ms: now() - begun, stop }
}

export const rss = {
  title: 'Memory of the idle program with a simulated coffee machine, and of Node alone (MB)',
  async round() {
    const bare = startProgram(['-e', 'setInterval(() => {}, 1 << 30)'])
    const engine = await startHormiga()
    await sleep(settleMs)
    const figures = { engine: memoryOf(engine.pid), node: memoryOf(bare.pid) }
    await engine.stop()
    await bare.stop()
    return figures
  },
  judged: [{ name: 'engine − node in MB', of: (r) => r.engine - r.node, most: 20 }],
}

export const start = {
  title: 'From start to listening, and `node -e 0` from start to end (ms)',
  async round() {
    const times = { engine: [], node: [] }
    for (let i = 0; i < starts; i++) {
      const engine = await startHormiga()
      times.engine.push(engine.ms)
      await engine.stop()
      const begun = now()
      await runProgram(['-e', '0'])
      times.node.push(now() - begun)
    }
    return { engine: median(times.engine), node: median(times.node) }
  },
  judged: [{ name: 'engine − node in ms', of: (r) => r.engine - r.node, most: 150 }],
}

export const size = {
  title: 'Size (kB)',
  once: true,
  async round() {
    // The build refuses a core that is too big; here that is a figure like any other.
    const core = await measureCore(projectRoot).catch(({ message }) => {
      console.error(`size: ${message}`)
      return { bytes: Number.NaN, gzip: Number.NaN }
    })
    const dist = join(projectRoot, 'dist')
    const files = readdirSync(dist, { recursive: true }).filter((name) =>
      /^(index|hormiga|chunks\/.*)\.js$/.test(name),
    )
    const minified = await Promise.all(
      files.map(async (name) => Buffer.from((await minify(join(dist, name))).code)),
    )
    return {
      'for Node, as built': sum(files.map((name) => readFileSync(join(dist, name)))),
      'for Node, minified': sum(minified),
      'for Node, minified and gzipped': sum(minified.map((code) => gzipSync(code, { level: 9 }))),
      'core for pages, minified': core.bytes / 1000,
      'core for pages, minified and gzipped': core.gzip / 1000,
      'library for pages, minified and gzipped':
        gzipSync(readFileSync(join(dist, 'browser.js'))).length / 1000,
    }
  },
  judged: [
    {
      name: 'core for pages, gzipped, in kB',
      of: (r) => r['core for pages, minified and gzipped'],
      most: 15.36,
    },
  ],
}

function minify(path) {
  return transform(readFileSync(path, 'utf8'), { minify: true, format: 'esm', target: 'node20' })
}

function sum(buffers) {
  return buffers.reduce((total, { length }) => total + length, 0) / 1000
}
