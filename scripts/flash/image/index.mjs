// `node scripts/flash image`: makes the image of a card for a computer that is hormiga's alone. What is in it and how it was
// tried: README.md here.

import { createHash } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { projectRoot } from '../../build.mjs'
import { buildHormiga } from '../../deb/hormiga.mjs'
import { buildNodePackage } from '../../deb/node.mjs'
import { DebError, readEpoch } from '../../deb/tools.mjs'
import { makeBase, readMirrors } from './base.mjs'
import { manifestOf } from './manifest.mjs'
import { here, ImageError, inNamespace, need, run } from './tools.mjs'

export const usage = `node scripts/flash image [OPTION…]   makes hormiga-VERSION-arm64.img.xz, and os_list.json for Raspberry Pi Imager
  --out DIR     where to (default: .build/flash)
  --deb FILE    a package that is in it, several times for more (default: hormiga, made from dist/)
  --node FILE|URL and --sha256 HEX: hormiga-node too, as scripts/deb makes it, and then no Node of Debian's. The engine
                takes 55 MB of memory with it, and 68 with Debian's, which is built without a snapshot
  --base FILE   the base system that an earlier run has left in DIR/base.tar: a minute instead of a quarter of an hour or more
  --mirror URL  where Debian is fetched from (default: from where this machine's apt does)
  --url URL     where hormiga-VERSION-arm64.img.xz will be found, for os_list.json (default: in DIR)
  --raw         the image as it is, for boot-test: not compressed, no os_list.json
SOURCE_DATE_EPOCH is the time of everything in it (default: of the last commit).`

/** @returns exit code */
export async function image(words) {
  const { values } = parseArgs({
    args: words,
    options: {
      out: { type: 'string', default: join(projectRoot, '.build/flash') },
      deb: { type: 'string', multiple: true },
      node: { type: 'string' },
      sha256: { type: 'string' },
      base: { type: 'string' },
      mirror: { type: 'string' },
      url: { type: 'string' },
      raw: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    console.log(usage)
    return 0
  }
  try {
    await make({ ...values, out: resolve(values.out) })
    return 0
  } catch (error) {
    if (!(error instanceof ImageError || error instanceof DebError)) throw error
    console.error(`no image: ${error.message}`)
    return 1
  }
}

async function make({ out, ...options }) {
  need('mkfs.vfat', 'mcopy', 'mke2fs', 'debugfs', 'dumpe2fs', 'sfdisk', 'xz', 'tar', 'dpkg-query', 'unshare')
  if (process.arch !== 'arm64') need('qemu-aarch64-static')
  const epoch = readEpoch(projectRoot)
  const base = resolve(options.base ?? join(out, 'base.tar'))
  if (options.base !== undefined && !existsSync(base)) throw new ImageError(`--base: there is no ${base}`)
  mkdirSync(out, { recursive: true })
  const debs = await packagesOf(out, epoch, options)
  const version = versionOf(debs)
  if (options.base === undefined) {
    need('mmdebstrap', 'arch-test')
    makeBase({ to: base, mirrors: readMirrors(options.mirror), epoch })
  }

  const name = `hormiga-${version}-arm64`
  const raw = join(out, `${name}.img`)
  const system = { base, debs, to: raw, list: join(out, `${name}.packages`), epoch }
  inNamespace(['node', join(here, 'inside.mjs'), JSON.stringify(system)])
  const image = await measure(raw)
  tell(raw, image)
  if (options.raw) return
  // Blocks of a size of their own: the bytes are the same whatever the number of threads.
  run('xz', ['--force', '-9', '--threads=2', '--block-size=268435456', raw], { stdio: 'inherit' })
  const packed = { file: `${raw}.xz`, ...(await measure(`${raw}.xz`)) }
  tell(packed.file, packed)
  const url = options.url ?? pathToFileURL(packed.file).href
  const list = manifestOf({ version, image, packed, url, epoch })
  const path = join(out, 'os_list.json')
  writeFileSync(`${path}.new`, `${JSON.stringify(list, undefined, 2)}\n`)
  renameSync(`${path}.new`, path)
  console.log(`For Raspberry Pi Imager: rpi-imager --repo ${path}`)
}

async function packagesOf(out, epoch, { deb, node, sha256 }) {
  const common = { root: projectRoot, out, arch: 'arm64', epoch }
  const own = deb ?? [buildHormiga({ ...common, dist: join(projectRoot, 'dist') }).file]
  const nodes = node === undefined ? [] : [(await buildNodePackage({ ...common, node, sha256 })).file]
  return [...own.map((path) => resolve(path)), ...nodes]
}

function versionOf(debs) {
  for (const deb of debs) {
    const text = run('dpkg-deb', ['--field', deb, 'Package', 'Version', 'Architecture'])
    const [name, version, arch] = text.split('\n').map((line) => line.replace(/^\w+: /, ''))
    if (arch !== 'arm64' && arch !== 'all')
      throw new ImageError(`${basename(deb)} is for ${arch}, and the image for arm64.`)
    if (name === 'hormiga') return version
  }
  throw new ImageError(
    'none of the packages is hormiga. Make it with: node scripts/deb --arch arm64 --out DIR',
  )
}

async function measure(file) {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return { bytes: statSync(file).size, sha256: hash.digest('hex') }
}

function tell(file, { bytes, sha256 }) {
  console.log(`${file}  ${(bytes / 1e6).toFixed(1)} MB  sha256 ${sha256}`)
}
