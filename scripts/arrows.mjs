// Which room may know which: the rules as data, and a small scanner that finds every import.

import { readdir, readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'

/**
 * One row per room, the first that fits a file counts. `own` is what of itself a room may import: the `room`, or only the
 * same `folder`. `node` tells whether Node's modules may be used: not in what runs in a page too.
 */
export const rooms = [
  { room: 'core', path: /^src\/core\//, may: [], own: 'room', node: false },
  { room: 'codec', path: /^src\/codec\//, may: ['core'], own: 'room', node: false },
  { room: 'identity', path: /^src\/identity\//, may: ['core'], own: 'room', node: true },
  { room: 'mesh', path: /^src\/mesh\//, may: ['core'], own: 'room', node: true },
  { room: 'update', path: /^src\/update\//, may: ['core', 'identity'], own: 'room', node: true },
  { room: 'device', path: /^src\/device\//, may: ['core'], own: 'room', node: false },
  { room: 'host', path: /^src\/host\//, may: ['core'], own: 'room', node: true },
  { room: 'firstboot', path: /^src\/firstboot\//, may: ['core', 'host'], own: 'room', node: true },
  {
    room: 'transports',
    path: /^src\/transports\/browser\b/,
    may: ['core', 'codec'],
    own: 'room',
    node: false,
  },
  { room: 'transports', path: /^src\/transports\//, may: ['core', 'codec'], own: 'room', node: true },
  { room: 'bridges', path: /^src\/bridges\//, may: ['core', 'device'], own: 'folder', node: true },
  { room: 'devices', path: /^devices\//, may: ['#device'], own: 'folder', node: false },
  {
    room: 'program',
    path: /^src\/(main\.ts$|cli\.ts$|index\.ts$|app\/|cli\/)/,
    may: 'all',
    own: 'room',
    node: true,
  },
  { room: 'page', path: /^src\/(browser(-identity)?\.ts$|web\/)/, may: 'all', own: 'room', node: false },
]

/** The only files that may import a package. `lazy`: only by `import()` where it is needed, for loading it does something. */
export const packages = [
  { name: 'cbor-x', path: /^src\/codec\/cbor\b/ },
  { name: 'ws', path: /^src\/transports\/ws\b/ },
  { name: '@abandonware/noble', path: /^src\/bridges\/ble\//, lazy: true },
  { name: '@noble/ciphers', path: /^src\/identity\/provider-web\b/ },
  { name: 'serialport', path: /^src\/bridges\/serial\//, lazy: true },
  { name: 'mqtt', path: /^src\/(bridges|transports)\/mqtt\b/, lazy: true },
  { name: 'aedes', path: /^src\/host\/broker\b/, lazy: true },
  { name: 'pino', path: /^src\/host\/log\b/ },
  { name: 'pino-pretty', path: /^src\/host\/log\b/ },
  { name: 'jsonc-parser', path: /^src\/host\/config\b/ },
  { name: 'age-encryption', path: /^src\/cli\/backup-file\b/, lazy: true },
  { name: '@noble/curves', path: /^src\/identity\/backup-key\b/ },
  { name: '@scure/base', path: /^src\/identity\/backup-key\b/ },
  { name: 'uqr', path: /^src\/(cli\/qr|web\/help)\b/ },
  { name: 'smol-toml', path: /^src\/firstboot\/toml\b/ },
]

/** Every arrow in src/ and devices/ that points where it must not: `{place, what, fix}`. */
export async function findWrongArrows(root) {
  const files = [...(await list(root, 'src')), ...(await list(root, 'devices'))]
  const problems = await Promise.all(files.map((file) => checkFile(root, file)))
  return problems.flat()
}

async function list(root, folder) {
  const names = await readdir(join(root, folder), { recursive: true }).catch(() => [])
  return names
    .filter((name) => /\.(ts|mjs|js)$/.test(name))
    .map((name) => `${folder}/${name}`)
    .sort()
}

async function checkFile(root, file) {
  const room = rooms.find(({ path }) => path.test(file))
  if (!room)
    return [
      {
        place: file,
        what: 'belongs to no room',
        fix: 'move it into one, or add a row to scripts/arrows.mjs',
      },
    ]
  const source = await readFile(join(root, file), 'utf8')
  return findImports(source).flatMap((found) => {
    const problem = judge(file, room, found)
    return problem ? [{ place: `${file}:${found.line}`, ...problem }] : []
  })
}

function judge(file, room, { target, lazy, typeOnly }) {
  if (target.startsWith('.')) return judgeFile(file, room, posix.join(posix.dirname(file), target))
  if (target.startsWith('#')) return judgeAlias(room, target)
  if (target.startsWith('node:')) return judgeNode(room, target)
  return judgePackage(file, target, { lazy, typeOnly })
}

function judgeFile(file, room, target) {
  if (room.may === 'all') return undefined
  const other = rooms.find(({ path }) => path.test(target))?.room ?? target
  if (other !== room.room) {
    if (room.may.includes(other)) return undefined
    return {
      what: `${room.room} imports ${other} (${target})`,
      fix: `${room.room} may import ${[...room.may, 'itself'].join(', ')} only: hand in what it needs from src/main.ts`,
    }
  }
  const folder = file
    .split('/')
    .slice(0, file.startsWith('devices/') ? 2 : 3)
    .join('/')
  if (room.own === 'room' || target.startsWith(`${folder}/`) || target === folder) return undefined
  return {
    what: `imports ${target}, which is not of its own folder`,
    fix: `each folder of ${room.room} stands alone: what two of them need belongs to src/device or src/core`,
  }
}

function judgeAlias({ room, may }, target) {
  if (may === 'all' || may.includes(target)) return undefined
  return {
    what: `${room} imports ${target}`,
    fix: `${target} is the door for devices/: import the file itself`,
  }
}

function judgeNode({ room, node }, target) {
  if (node) return undefined
  return {
    what: `${room} imports ${target}`,
    fix: 'it must run in a page too: hand in what does the work from outside',
  }
}

function judgePackage(file, target, { lazy, typeOnly }) {
  const rules = packages.filter(({ name }) => target === name || target.startsWith(`${name}/`))
  if (!rules.some(({ path }) => path.test(file))) {
    return {
      what: `imports the package ${target}`,
      fix:
        rules.length > 0
          ? `only ${rules[0].path.source} may`
          : 'no file may: see the table in scripts/arrows.mjs',
    }
  }
  if (!rules[0].lazy || lazy || typeOnly) return undefined
  return {
    what: `imports ${target} when it is loaded itself`,
    fix: `write await import('${target}') inside open(): loading it needs a radio, and throws without one`,
  }
}

const forms = [
  {
    pattern: /\b(?:import|export)\s+(type\s)?[^'"`;()]*?\bfrom\s*(['"])([^'"\n]+)\2/g,
    target: 3,
    typeOnly: 1,
  },
  { pattern: /\bimport\s*(['"])([^'"\n]+)\1/g, target: 2 },
  { pattern: /\b(?:import|require)\s*\(\s*(['"`])([^'"`\n]+)\1/g, target: 2, lazy: true },
]

/** Every import of a source: `{target, line, lazy, typeOnly}`. A template's text stands for all that it can name. */
export function findImports(source) {
  const code = blankComments(source)
  return forms.flatMap(({ pattern, target, lazy = false, typeOnly }) =>
    [...code.matchAll(pattern)].map((match) => ({
      target: match[target],
      line: code.slice(0, match.index).split('\n').length,
      lazy,
      typeOnly: Boolean(typeOnly && match[typeOnly]),
    })),
  )
}

/** Comments become spaces, so that lines stay lines; strings stay, for a `//` in them is no comment. */
function blankComments(source) {
  return source.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    (text) => (text.startsWith('/') ? text.replace(/[^\n]/g, ' ') : text),
  )
}
