// The packages that can't go into the bundle, as they are needed at run time: their JavaScript, and for one architecture
// their machine code. Nothing is compiled or fetched on the device.

import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { architectures, DebError, elfMachine, run, walk } from './tools.mjs'

/** noble is read as text while the program runs; the others have machine code. cbor-x runs without cbor-extract. */
const carried = ['@abandonware/noble', '@abandonware/bluetooth-hci-socket', '@serialport/bindings-cpp']

/** Dependencies for building and for other systems. */
const left = ['@mapbox/node-pre-gyp', 'nan', 'napi-thread-safe-callback', 'node-addon-api', 'node-gyp']

const kept = /(\.js|\.json|^licen[cs]e[^/]*)$/i
/** Tests, tools and what is for other systems. */
const notKept =
  /(^|\/)(\..*|node_modules|test|examples|build|prebuilds|mac|win|webbluetooth|websocket|distributed|ws-slave\.js|bin\.js|build-test\.js|optional\.js|test\.\w+\.js|package-lock\.json)(\/|$)/

const ABI = 115

/** Puts the packages for one architecture into `to`/node_modules. @returns their folders, from `root` */
export function carry(root, to, arch) {
  const folders = closure(root)
  for (const folder of folders) copyScripts(join(root, folder), join(to, folder))
  const serial = `prebuilds/${architectures[arch].serial}`
  const bindings = join('node_modules/@serialport/bindings-cpp', serial)
  place(join(root, bindings), join(to, bindings), arch)
  compileHci(root, join(to, 'node_modules/@abandonware/bluetooth-hci-socket/build/Release'), arch)
  return folders
}

/** The folders of the packages and all that they need, where npm has put them. */
function closure(root) {
  const found = new Set()
  const visit = (name, from) => {
    const folder = findPackage(root, name, from)
    if (found.has(folder)) return
    found.add(folder)
    const { dependencies = {} } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
    for (const other of Object.keys(dependencies)) if (!left.includes(other)) visit(other, folder)
  }
  for (const name of carried) visit(name, '.')
  return [...found].sort()
}

/** As Node looks for it: in the folder's own node_modules, then in those above. */
function findPackage(root, name, from) {
  for (let at = resolve(root, from); ; at = dirname(at)) {
    const folder = join(at, 'node_modules', name)
    if (existsSync(join(folder, 'package.json'))) return relative(root, folder)
    if (at === resolve(root)) throw new DebError(`${name} is not installed. Install it with: npm ci`)
  }
}

function copyScripts(from, to) {
  for (const path of walk(from)) {
    if (!kept.test(path) || notKept.test(path)) continue
    cpSync(join(from, path), join(to, path))
  }
}

/** A file of machine code, which must be for that architecture. */
function place(from, to, arch) {
  if (!existsSync(from))
    throw new DebError(`${from} is missing: the package has no machine code for ${arch}.`)
  const machine = elfMachine(readFileSync(from))
  if (machine !== architectures[arch].elf)
    throw new DebError(`${from} is not for ${arch} (ELF machine ${machine}).`)
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, to)
  chmodSync(to, 0o644)
  strip(to, arch)
}

export function strip(file, arch) {
  const { gnu } = architectures[arch]
  run(`${gnu}-strip`, ['--strip-unneeded', file], { fix: toolFix(arch) })
}

function toolFix(arch) {
  return `Install it: sudo apt-get install g++-${architectures[arch].gnu.replace('_', '-')}`
}

/** The kernel's Bluetooth socket has no ready-made machine code: this is what node-gyp would do, for another processor. */
function compileHci(root, folder, arch) {
  const { gnu } = architectures[arch]
  const include = nodeHeaders()
  const source = join(root, 'node_modules/@abandonware/bluetooth-hci-socket/src')
  const out = mkdtempSync(join(tmpdir(), 'hormiga-hci-'))
  const file = join(out, 'bluetooth_hci_socket.node')
  const defines = ['NODE_GYP_MODULE_NAME=bluetooth_hci_socket', 'USING_UV_SHARED=1', 'USING_V8_SHARED=1']
  defines.push('BUILDING_NODE_EXTENSION', '_FILE_OFFSET_BITS=64', '_LARGEFILE_SOURCE')
  try {
    run(
      `${gnu}-g++`,
      [
        ...['-shared', '-fPIC', '-pthread', '-O2', '-w', '-std=gnu++17', '-fno-rtti', '-fno-exceptions'],
        ...['-fstack-protector-strong', '-Wl,-z,relro,-z,now', '-Wl,-soname,bluetooth_hci_socket.node'],
        ...defines.map((define) => `-D${define}`),
        // No assertion tells where this was compiled.
        ...[`-ffile-prefix-map=${root}=.`, `-ffile-prefix-map=${include}=node`],
        ...[`-I${include}`, `-I${join(root, 'node_modules/nan')}`],
        ...['-o', file, join(source, 'BluetoothHciSocket.cpp')],
      ],
      { fix: toolFix(arch) },
    )
    place(file, join(folder, 'bluetooth_hci_socket.node'), arch)
  } finally {
    rmSync(out, { recursive: true })
  }
}

/** The headers of a Node 20, beside the one that runs. @throws {DebError} */
function nodeHeaders() {
  const folder = join(dirname(process.execPath), '../include/node')
  const text = existsSync(join(folder, 'node_version.h'))
    ? readFileSync(join(folder, 'node_version.h'), 'utf8')
    : ''
  if (new RegExp(`^#define NODE_MODULE_VERSION ${ABI}$`, 'm').test(text)) return folder
  throw new DebError(
    `${folder} has no headers of Node 20, which the Bluetooth socket is built with. Run this with Node 20 from nodejs.org or ` +
      'its Debian package, or install libnode-dev.',
  )
}
