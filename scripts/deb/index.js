#!/usr/bin/env node
// Makes the Debian packages: `node scripts/deb --out DIR`. What is in them and where it goes on the device: README.md here.

import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { projectRoot } from '../build.mjs'
import { buildHormiga } from './hormiga.mjs'
import { buildNodePackage } from './node.mjs'
import { architectures, DebError, readEpoch } from './tools.mjs'

const names = Object.keys(architectures)

const usage = `node scripts/deb [OPTION…]   makes hormiga_VERSION_ARCH.deb from dist/
  --arch ARCH      ${names.join(', ')}; several times for more (default: arm64)
  --out DIR        where to (default: .build/deb)
  --dist DIR       what node scripts/build.mjs has made (default: dist)
  --node FILE|URL  makes hormiga-node too, from a node-v20.….tar.xz of nodejs.org for that one --arch
  --sha256 HEX     of that tarball, as SHASUMS256.txt beside it says
  --update-key DID its machines take updates signed by that did:key; several times for more (default: nobody's)
  --compression Z  as dpkg-deb names it: none while trying (default: xz)
SOURCE_DATE_EPOCH is the time of everything in them (default: of the last commit).`

async function main() {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string', multiple: true, default: ['arm64'] },
      out: { type: 'string', default: join(projectRoot, '.build/deb') },
      dist: { type: 'string', default: join(projectRoot, 'dist') },
      node: { type: 'string' },
      sha256: { type: 'string' },
      'update-key': { type: 'string', multiple: true, default: [] },
      compression: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return console.log(usage)
  const unknown = values.arch.find((arch) => !names.includes(arch))
  if (unknown !== undefined) return misused(`there is no architecture "${unknown}": ${names.join(', ')}.`)
  if (values.node !== undefined && (values.arch.length !== 1 || values.sha256 === undefined)) {
    return misused('--node is for one --arch, and needs its --sha256.')
  }
  const { compression, 'update-key': updateKeys } = values
  const wrong = updateKeys.find((key) => !/^did:key:z6Mk\w{44}$/.test(key))
  if (wrong !== undefined) return misused(`--update-key: "${wrong}" is no did:key:z6Mk…`)
  const common = { root: projectRoot, out: resolve(values.out), epoch: readEpoch(projectRoot), compression }
  for (const arch of values.arch)
    print(buildHormiga({ ...common, dist: resolve(values.dist), arch, updateKeys }))
  if (values.node === undefined) return
  const [arch] = values.arch
  print(await buildNodePackage({ ...common, arch, node: values.node, sha256: values.sha256 }))
}

function print({ file, bytes, sha256 }) {
  console.log(`${file}  ${(bytes / 1000).toFixed(1)} kB  sha256 ${sha256}`)
}

function misused(message) {
  console.error(`${message}\n${usage}`)
  process.exitCode = 2
}

function tell(error) {
  if (error.code?.startsWith('ERR_PARSE_ARGS')) return misused(error.message)
  console.error(error instanceof DebError ? `no package: ${error.message}` : error)
  process.exitCode = 1
}

await main().catch(tell)
