// `inject`: puts hormiga onto a card (or an image of one) with Raspberry Pi OS, before its first start. Everything goes into a
// folder of its own, but for the settings and one file that cloud-init looks for and Imager does not write.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { recognise } from './card-kind.mjs'
import { FlashError } from './errors.mjs'
import { openTarget } from './targets.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '../..')
const ARCH = 'arm64'
const FOLDER = 'hormiga'
/** Bytes that stay free: the system writes there too. */
const SLACK = 4 << 20
/** Last, so that a card that was taken out too early does nothing rather than half of it. */
const TRIGGER = 'vendor-data'

/**
 * @param options `{debs, settings, config, arch}`: paths; without `debs` those of scripts/deb
 * @returns what was done, as lines for people
 */
export function inject(path, { debs, settings, config, arch = ARCH }, packages = join(root, '.build/deb')) {
  const target = openTarget(path)
  const { kind, warnings } = recognise(target)
  const files = new Map()
  if (settings !== undefined) files.set('hormiga.toml', checked(settings, ['firstboot', '--check']))
  if (config !== undefined) files.set(`${FOLDER}/hormiga.json`, checked(config, ['check', '--config']))
  if (kind === 'raspberry-pi-os') addInstallation(files, debs ?? findPackages(packages, arch), arch)
  if (files.size === 0)
    throw new FlashError(
      'there is nothing to copy: this image has its packages already. Give --settings or --config.',
    )

  const before = new Map([...files.keys()].map((name) => [name, target.read(name)]))
  checkSpace(target, files, before)
  const stale = kind === 'raspberry-pi-os' ? staleOf(target, files) : []
  for (const name of stale) target.remove(name)
  const copied = [...files].filter(([name, bytes]) => !before.get(name)?.equals(bytes))
  for (const [name, bytes] of copied) target.write(name, bytes)
  for (const [name, bytes] of copied) {
    if (!target.read(name)?.equals(bytes))
      throw new FlashError(`${name} does not read as it was written: try another card.`)
  }
  return [
    `${target.where}: ${kind === 'appliance' ? 'the hormiga image' : 'Raspberry Pi OS with cloud-init, 64 bits'}`,
    ...warnings.map((warning) => `WARNING: ${warning}`),
    ...stale.map((name) => `  removed ${name}`),
    ...[...files.keys()].map((name) => line(name, files.get(name), copied)),
    ...next(target, kind, files),
  ]
}

function line(name, bytes, copied) {
  const isNew = copied.some(([other]) => other === name)
  return `  ${isNew ? 'copied ' : 'there already'} ${name}  ${(bytes.length / 1000).toFixed(1)} kB`
}

function next(target, kind, files) {
  const hasSettings = files.has('hormiga.toml') || target.read('hormiga.toml') !== undefined
  return [
    'Untouched: user-data, network-config, meta-data, cmdline.txt, config.txt.',
    'Next: eject the card properly, put it into the Pi, and give it power.',
    ...(kind === 'appliance'
      ? []
      : [
          'It must not have started from this card before. No network is needed: in about three minutes hormiga is installed and runs.',
        ]),
    `Its page is then at http://NAME.local:8080/, NAME being ${hasSettings ? '"name" in hormiga.toml, or else ' : ''}the host name of the card.`,
    'What went wrong stands on its screen, and in hormiga-report.txt on this partition.',
  ]
}

function addInstallation(files, paths, arch) {
  const sums = []
  for (const path of paths) {
    const bytes = readPackage(path, arch)
    files.set(`${FOLDER}/${basename(path)}`, bytes)
    sums.push(`${createHash('sha256').update(bytes).digest('hex')}  ${basename(path)}\n`)
  }
  requirePackage(paths, 'hormiga', 'node scripts/build.mjs && node scripts/deb --arch arm64')
  requirePackage(
    paths,
    'hormiga-node',
    'node scripts/deb --arch arm64 --node node-v20.….tar.xz --sha256 … (Raspberry Pi OS Lite has no Node, and without it the Pi would need a network)',
  )
  files.set(`${FOLDER}/SHA256SUMS`, Buffer.from(sums.join('')))
  for (const name of ['install.sh', 'hormiga-firstboot.service', 'hormiga-console.service']) {
    files.set(`${FOLDER}/${name}`, readFileSync(join(here, 'card', name)))
  }
  files.set(TRIGGER, readFileSync(join(here, 'card', TRIGGER)))
}

/** `hormiga_0.1.0-1_arm64.deb` */
function nameOf(path) {
  const [, name, arch] = /^(hormiga(?:-node)?)_[^_]+_(\w+)\.deb$/.exec(basename(path)) ?? []
  return { name, arch }
}

function readPackage(path, wanted) {
  const { name, arch } = nameOf(path)
  if (name === undefined)
    throw new FlashError(`${path}: only hormiga_….deb and hormiga-node_….deb can be installed this way.`)
  if (arch !== wanted)
    throw new FlashError(`${path} is for ${arch}: a Raspberry Pi with a system of 64 bits needs ${wanted}.`)
  if (!existsSync(path)) throw new FlashError(`${path}: there is no such file.`)
  const bytes = readFileSync(path)
  if (!bytes.subarray(0, 8).equals(Buffer.from('!<arch>\n')))
    throw new FlashError(`${path} is no Debian package.`)
  return bytes
}

function requirePackage(paths, wanted, make) {
  const found = paths.filter((path) => nameOf(path).name === wanted)
  if (found.length === 1) return
  throw new FlashError(
    found.length === 0
      ? `the package ${wanted} is missing. Make it: ${make}; or give it: --deb FILE`
      : `${found.join(' and ')} are the same package: give one of them with --deb.`,
  )
}

/** Of each package the newest file. */
function findPackages(folder, arch) {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => nameOf(name).arch === arch) : []
  const newest = new Map(names.sort(byVersion).map((name) => [nameOf(name).name, join(folder, name)]))
  return [...newest.values()]
}

function byVersion(a, b) {
  return a.localeCompare(b, 'en', { numeric: true })
}

function staleOf(target, files) {
  const names = target.names(FOLDER).map((name) => `${FOLDER}/${name}`)
  return names.filter((name) => name.endsWith('.deb') && !files.has(name))
}

/** Where the program is built its own eyes look at the file before it goes onto the card; else the device's will. */
function checked(path, words) {
  if (!existsSync(path)) throw new FlashError(`${path}: there is no such file.`)
  const program = join(root, 'dist/hormiga.js')
  if (existsSync(program)) {
    const { status, stderr } = spawnSync(process.execPath, [program, ...words, path], { encoding: 'utf8' })
    if (status !== 0) throw new FlashError(`${path} is not right:\n${stderr.trim()}`)
  }
  return readFileSync(path)
}

function checkSpace(target, files, before) {
  const more = ([name, bytes]) => bytes.length - (before.get(name)?.length ?? 0)
  const needed = [...files].reduce((sum, file) => sum + more(file), SLACK)
  const free = target.free()
  if (needed <= free) return
  const [need, have] = [needed, free].map((bytes) => (bytes / 1e6).toFixed(1))
  throw new FlashError(`${target.where} has ${have} MB free, and ${need} MB are needed.`)
}
