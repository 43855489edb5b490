#!/usr/bin/env node
// Makes signed updates: `node scripts/update --key FILE --out DIR`. What is in them is the version folder of the Debian package,
// from the same staging (scripts/deb/README.md).

import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { projectRoot } from '../build.mjs'
import { stageEngine, versionOf } from '../deb/hormiga.mjs'
import { architectures, DebError, walk } from '../deb/tools.mjs'

const names = Object.keys(architectures)
/** The machine code in it is tied to it. */
const NODE = 20

const usage = `node scripts/update --key FILE [OPTION…]   makes hormiga-VERSION-ARCH.update from dist/
  --key FILE       signs with it: hormiga id --new FILE makes one. Devices take updates of the keys in /etc/hormiga/update-keys
  --arch ARCH      ${names.join(', ')}; several times for more (default: arm64)
  --out DIR        where to (default: .build/deb)
  --dist DIR       what node scripts/build.mjs has made (default: dist)
  --version V      of the update (default: that of the Debian package)
  --after V        the oldest version that it may replace (default: 0)`

async function main() {
  const { values } = parseArgs({
    options: {
      key: { type: 'string' },
      arch: { type: 'string', multiple: true, default: ['arm64'] },
      out: { type: 'string', default: join(projectRoot, '.build/deb') },
      dist: { type: 'string', default: join(projectRoot, 'dist') },
      version: { type: 'string', default: versionOf(projectRoot) },
      after: { type: 'string', default: '0' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return console.log(usage)
  const unknown = values.arch.find((arch) => !names.includes(arch))
  if (unknown !== undefined) return misused(`there is no architecture "${unknown}": ${names.join(', ')}.`)
  if (values.key === undefined) return misused('a --key is needed: nobody takes what is not signed.')
  const { makeUpdate, readKeyFile, didOf } = await loadFormat()
  const signer = readKeyFile(values.key)
  const { version, after } = values
  const out = resolve(values.out)
  mkdirSync(out, { recursive: true })
  for (const arch of values.arch) {
    const files = stage(resolve(values.dist), arch, version)
    const bytes = makeUpdate({ version, arch, node: NODE, after }, files, signer)
    const file = join(out, `hormiga-${version}-${arch}.update`)
    writeFileSync(file, bytes)
    console.log(`${file}  ${(bytes.length / 1000).toFixed(1)} kB  signed by ${didOf(signer.kid)}`)
  }
}

/** The files of a version folder. Its only link, `hormiga`, is made where it is installed. */
function stage(dist, arch, version) {
  const to = mkdtempSync(join(tmpdir(), 'hormiga-update-'))
  try {
    stageEngine({ root: projectRoot, dist, to, arch, version })
    const paths = walk(to).filter((path) => lstatSync(join(to, path)).isFile())
    return new Map(paths.map((path) => [path, readFileSync(join(to, path))]))
  } finally {
    rmSync(to, { recursive: true })
  }
}

/** The program's own: whoever writes the format is whoever reads it. */
async function loadFormat() {
  const contents = `export { makeUpdate } from './src/update/package.ts'
    export { readKeyFile } from './src/identity/keystore.ts'
    export { didOf } from './src/identity/did.ts'`
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: projectRoot, loader: 'ts' },
    ...{ bundle: true, write: false, format: 'esm', platform: 'node', logLevel: 'silent' },
  })
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`)
}

function misused(message) {
  console.error(`${message}\n${usage}`)
  process.exitCode = 2
}

function tell(error) {
  if (error.code?.startsWith('ERR_PARSE_ARGS')) return misused(error.message)
  const isTold = error instanceof DebError || error.code === undefined
  console.error(isTold ? `no update: ${error.message}` : error)
  process.exitCode = 1
}

await main().catch(tell)
