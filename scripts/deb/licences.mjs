// The copyright file: our licence, and word for word those of all that is in the package besides.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DebError } from './tools.mjs'

/** @param folders of npm packages, from `root` */
export function copyrightText(root, folders) {
  const own = readFileSync(join(root, 'LICENSE'), 'utf8').trim()
  const others = [...new Set(folders)].sort().map((folder) => describe(root, folder))
  return [
    'hormiga',
    '',
    own,
    '',
    'It contains these npm packages, each under its own licence.',
    ...others.flatMap((text) => ['', '-'.repeat(100), text]),
    '',
  ].join('\n')
}

function describe(root, folder) {
  const { name, version, license, author, homepage } = JSON.parse(
    readFileSync(join(root, folder, 'package.json'), 'utf8'),
  )
  const file = readdirSync(join(root, folder)).find((name) => /^(licen[cs]e|copying)/i.test(name))
  if (!file && !license) throw new DebError(`${folder} says nowhere under which licence it is.`)
  const by = typeof author === 'object' ? author.name : author
  const text = file
    ? readFileSync(join(root, folder, file), 'utf8').trim()
    : `${by ? `Copyright ${by}. ` : ''}Licence as its package.json says: ${license}${homepage ? ` (${homepage})` : ''}`
  return `${name} ${version} (${license ?? 'see below'})\n\n${text.replaceAll('\r\n', '\n')}`
}
