// A staged folder becomes a .deb, the same bytes whenever and wherever it is made.

import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { level, run, walk } from './tools.mjs'

const maintainer = 'hormiga maintainers <maintainers@hormiga.invalid>'

/**
 * @param fields of the control file; Installed-Size and Maintainer are added
 * @param compression as dpkg-deb names it
 * @returns `{file, bytes, sha256}`
 */
export function pack({ stage, out, fields, changes, epoch, compression = 'xz' }) {
  const { Package: name, Version: version, Architecture: arch } = fields
  writeChangelog(stage, { name, version, changes, epoch })
  const control = join(stage, 'DEBIAN')
  mkdirSync(control, { recursive: true })
  const paths = walk(stage).filter((path) => !path.startsWith('DEBIAN'))
  const files = paths.filter((path) => lstatSync(join(stage, path)).isFile())
  const sums = files.map((path) => `${digest('md5', join(stage, path))}  ${path}\n`)
  writeFileSync(join(control, 'md5sums'), sums.join(''))
  const settings = files.filter((path) => path.startsWith('etc/')).map((path) => `/${path}\n`)
  if (settings.length > 0) writeFileSync(join(control, 'conffiles'), settings.join(''))
  writeFileSync(
    join(control, 'control'),
    controlText({ ...fields, 'Installed-Size': kibibytes(stage, paths) }),
  )
  level(stage, epoch)
  mkdirSync(out, { recursive: true })
  const file = join(out, `${name}_${version}_${arch}.deb`)
  // With more threads the compressed bytes would depend on the builder's memory.
  run('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--threads-max=1', '--build', stage, file], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
    fix: 'Install it: sudo apt-get install dpkg',
  })
  return { file, bytes: statSync(file).size, sha256: digest('sha256', file) }
}

function controlText({ Description: description, ...fields }) {
  const [title, ...lines] = description.trim().split('\n')
  return [
    ...Object.entries({ ...fields, Maintainer: maintainer }).map(([key, value]) => `${key}: ${value}`),
    `Description: ${title}`,
    ...lines.map((line) => ` ${line || '.'}`),
    '',
  ].join('\n')
}

/** As Debian counts: every file in whole KiB, everything else as one. */
function kibibytes(stage, paths) {
  const sizes = paths.map((path) => lstatSync(join(stage, path)))
  return sizes.reduce((sum, facts) => sum + (facts.isFile() ? Math.ceil(facts.size / 1024) : 1), 0)
}

function writeChangelog(stage, { name, version, changes, epoch }) {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000')
  const text = `${name} (${version}) stable; urgency=medium\n\n  * ${changes}\n\n -- ${maintainer}  ${date}\n`
  const folder = join(stage, 'usr/share/doc', name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'changelog.Debian.gz'), gzipSync(text, { level: 9 }))
}

function digest(algorithm, file) {
  return createHash(algorithm).update(readFileSync(file)).digest('hex')
}
