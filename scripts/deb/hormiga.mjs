// The package hormiga: the engine's folder, which an update package holds too, and what the system must know of it.

import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { carry } from './carried.mjs'
import { copyrightText } from './licences.mjs'
import { pack } from './pack.mjs'
import { DebError, walk } from './tools.mjs'

const here = dirname(fileURLToPath(import.meta.url))

/** What of dist/ is for other programs: the library, the page's library, declarations, maps. */
const notProgram = /^(index\.js|browser[^/]*\.js|types|packages[^/]*\.json|.*\.map)$/

const description = `JSTP engine for Raspberry-Pi-class computers
Gives things that speak their own languages one: coffee machines by
Bluetooth, boards by serial ports, sensors by MQTT. Every point of theirs
is a resource to read, set and follow, over TCP, HTTP or WebSocket, from a
shell, a program or a page.`

/** The version of the package: of package.json, first made by us. */
export function versionOf(root) {
  return `${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}-1`
}

/**
 * Fills a folder with a version of the engine for one architecture: hormiga.js, chunks/, node_modules/ and VERSION.
 * @param dist what scripts/build.mjs has made
 * @returns the folders of all npm packages in it, from `root`
 */
export function stageEngine({ root, dist, to, arch, version }) {
  const bundled = ['packages.json', 'packages-web.json'].flatMap((name) => {
    const file = join(dist, name)
    if (!existsSync(file)) throw new DebError(`${file} is missing. Build it with: node scripts/build.mjs`)
    return JSON.parse(readFileSync(file, 'utf8'))
  })
  cpSync(dist, to, { recursive: true, filter: (path) => !notProgram.test(relative(dist, path)) })
  // Started by `launch` with the Node that it finds, never by itself.
  const main = join(to, 'hormiga.js')
  writeFileSync(main, readFileSync(main, 'utf8').replace(/^#!.*\n/, ''))
  chmodSync(main, 0o644)
  // By this name the program tells others how to call it.
  symlinkSync('hormiga.js', join(to, 'hormiga'))
  writeFileSync(join(to, 'package.json'), '{ "type": "module" }\n')
  writeFileSync(join(to, 'VERSION'), `${version}\n`)
  return [...bundled, ...carry(root, to, arch)]
}

/**
 * Makes hormiga_VERSION_ARCH.deb in `out`.
 * @param updateKeys did:keys whose updates its machines take
 * @returns `{file, bytes, sha256}`
 */
export function buildHormiga({
  root,
  dist,
  out,
  arch,
  epoch,
  version = versionOf(root),
  compression,
  updateKeys = [],
}) {
  const stage = mkdtempSync(join(tmpdir(), 'hormiga-deb-'))
  try {
    cpSync(join(here, 'root'), stage, { recursive: true })
    cpSync(join(here, 'control'), join(stage, 'DEBIAN'), { recursive: true })
    appendFileSync(join(stage, 'etc/hormiga/update-keys'), updateKeys.map((key) => `${key}\n`).join(''))
    const engine = join(stage, 'usr/lib/hormiga/engine')
    mkdirSync(engine, { recursive: true })
    mkdirSync(join(stage, 'var/lib/hormiga-versions'), { recursive: true })
    mkdirSync(join(stage, 'usr/bin'), { recursive: true })
    symlinkSync('../lib/hormiga/launch', join(stage, 'usr/bin/hormiga'))
    const packages = stageEngine({ root, dist, to: engine, arch, version })
    writeFileSync(join(stage, 'usr/share/doc/hormiga/copyright'), copyrightText(root, packages))
    const fields = {
      Package: 'hormiga',
      Version: version,
      Architecture: arch,
      Section: 'net',
      Priority: 'optional',
      // The Bluetooth socket is tied to Node 20; systemd makes the user.
      Depends:
        'nodejs (>= 20) | hormiga-node, nodejs (<< 21~) | hormiga-node, ' +
        `libc6 (>= ${libcFor(engine)}), libstdc++6 (>= 9), systemd (>= 247)`,
      Suggests: 'bluez, hormiga-node',
      Description: description,
    }
    return pack({ stage, out, fields, changes: 'As the source of this version says.', epoch, compression })
  } finally {
    rmSync(stage, { recursive: true })
  }
}

/** The oldest C library that its machine code runs with: what it was compiled with asks for it. */
function libcFor(engine) {
  const files = walk(engine).filter((path) => path.endsWith('.node'))
  const symbols = files.flatMap((path) => readFileSync(join(engine, path), 'latin1').match(/\bGLIBC_2\.\d+/g))
  return `2.${Math.max(...symbols.map((symbol) => Number(symbol.split('.')[1])))}`
}
