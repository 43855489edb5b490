// needs dist
// time limit: 180 s
// What the packages are (issue 8): the same bytes every time, without errors, for their architecture, and locked up well.

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ARCH, deb, EPOCH, makeDebs, makeFolder, must, NODE_SYSTEM, packNode, run } from './kit.ts'

/** Of an ELF header. */
const MACHINES: Record<string, number> = { amd64: 62, arm64: 183, armhf: 40 }
const TARBALL: Record<string, string> = { amd64: 'linux-x64', arm64: 'linux-arm64', armhf: 'linux-armv7l' }

const UNIT = 'scripts/deb/root/usr/lib/systemd/system/hormiga.service'
const NO_DEVICES = 'scripts/deb/root/usr/share/doc/hormiga/examples/no-devices.conf'

const work = makeFolder()
const packages: Record<string, string> = {}

const test = suite('deb/package')
test.after(() => rmSync(work, { recursive: true }))

function listed(file: string): string[] {
  const lines = must('dpkg-deb', ['-c', file]).trim().split('\n')
  return lines.map((line) => line.split(/\s+/)[5]?.slice(1) as string)
}

function unpack(arch: string): string {
  const to = join(work, `unpacked-${arch}`)
  must('dpkg-deb', ['-x', packages[arch] as string, to])
  return to
}

test('each architecture has a package; made again, elsewhere and by others, it has the same bytes', () => {
  const names = Object.keys(MACHINES)
  const files = makeDebs([...names.flatMap((arch) => ['--arch', arch]), '--out', join(work, 'first')])
  names.forEach((arch, i) => {
    packages[arch] = files[i] as string
  })
  const umask = process.umask(0o077)
  try {
    const [again] = makeDebs(['--arch', 'arm64', '--out', join(work, 'again')], {
      SOURCE_DATE_EPOCH: EPOCH,
      TZ: 'America/Caracas',
      LC_ALL: 'C',
      TMPDIR: work,
    })
    assert.ok(readFileSync(packages.arm64 as string).equals(readFileSync(again as string)))
  } finally {
    process.umask(umask)
  }
  for (const file of files)
    console.log(`note: ${file.slice(work.length + 7)} ${statSync(file).size} bytes (gzip)`)
})

test('the machine code in it is for its architecture, and nothing for another or for building is there', () => {
  for (const [arch, machine] of Object.entries(MACHINES)) {
    const paths = listed(packages[arch] as string)
    const native = paths.filter((path) => path.endsWith('.node'))
    assert.is(native.length, 2, native.join())
    const root = unpack(arch)
    for (const path of native) {
      const head = readFileSync(join(root, path))
      assert.is(head.readUInt16LE(18), machine, path)
      assert.not.ok(head.includes(process.cwd()), `${path} tells where it was compiled`)
    }
    assert.equal(
      paths.filter(
        (path) =>
          /\.(map|ts|cpp|h|gyp|cc|md)$|\/(test|examples)\/.*\.js$|node-gyp\/|\/nan\//.test(path) &&
          !/license\.md$/.test(path),
      ),
      [],
    )
  }
})

test('whoever owned the build owns nothing in it, and only what must be is executable', () => {
  const lines = must('dpkg-deb', ['-c', packages.arm64 as string])
    .trim()
    .split('\n')
  for (const line of lines) assert.match(line, /^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x|lrwxrwxrwx) root\/root /)
  const programs = lines.filter((line) => line.startsWith('-rwx')).map((line) => line.split(/\s+/)[5])
  assert.equal(programs, ['./usr/lib/hormiga/launch'])
})

test('an upgrade cut short leaves a whole engine: its parts are there before the file that names them', () => {
  const paths = listed(packages.arm64 as string)
  const main = paths.indexOf('/usr/lib/hormiga/engine/hormiga.js')
  const last = Math.max(...paths.flatMap((path, at) => (path.includes('/engine/chunks/') ? at : [])))
  assert.ok(last > 0 && last < main)
})

test('lintian finds no error, and nothing to warn of but a manual page and a bug number', () => {
  const [node] = makeDebs([
    '--arch',
    ARCH,
    '--out',
    join(work, 'node'),
    ...packNode('/bin/true', NODE_SYSTEM, work),
  ]).slice(1)
  const { out, err } = run(
    'lintian',
    [
      '--allow-root',
      '--tag-display-limit',
      '0',
      packages.arm64 as string,
      packages.armhf as string,
      packages.amd64 as string,
      node as string,
    ],
    { limit: 120_000 },
  )
  const tags = out.split('\n').filter((line) => /^[EW]:/.test(line))
  assert.equal(
    tags.filter((line) => !/^W: [\w-]+: (no-manual-page|initial-upload-closes-no-bugs)/.test(line)),
    [],
    `${out}${err}`,
  )
})

test('the licence of every package in it is in it', () => {
  const copyright = readFileSync(join(work, 'unpacked-arm64/usr/share/doc/hormiga/copyright'), 'utf8')
  const folders = [
    ...new Set(
      listed(packages.arm64 as string).flatMap(
        (path) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/package\.json$/.exec(path)?.[1] ?? [],
      ),
    ),
  ]
  assert.ok(folders.includes('@abandonware/noble'))
  for (const name of [...folders, 'ws', 'mqtt', 'cbor-x', 'serialport', 'pino']) {
    assert.ok(copyright.includes(`${name} `), name)
  }
})

test("Node 20 is needed, the system's or ours", () => {
  const fields = must('dpkg-deb', ['-f', packages.arm64 as string, 'Depends'])
  assert.match(fields, /nodejs \(>= 20\) \| hormiga-node, nodejs \(<< 21~\) \| hormiga-node/)
  // As dpkg itself reads it, for the Nodes of Debian 12, of Debian 13, of nodesource, and of a later Debian.
  for (const [version, isGood] of Object.entries({
    '18.20.4+dfsg-1~deb12u1': false,
    '20.19.2+dfsg-1': true,
    '20.20.2-1nodesource1': true,
    '24.2.0+dfsg-1': false,
  })) {
    const judged = ['ge 20', 'lt 21~'].every(
      (than) => run('dpkg', ['--compare-versions', version, ...than.split(' ')]).code === 0,
    )
    assert.is(judged, isGood, version)
  }
})

test('a Node of another architecture, of another version or with another sum is refused', () => {
  const options = packNode('/bin/true', NODE_SYSTEM, work)
  const other = ARCH === 'arm64' ? 'amd64' : 'arm64'
  const refused = (words: string[]) => {
    const { code, err } = deb(['--out', join(work, 'refused'), ...words])
    assert.is(code, 1)
    return err
  }
  assert.match(refused(['--arch', other, ...options]), /for \w+ it must be a node-v20/)
  assert.match(
    refused(['--arch', ARCH, ...options.slice(0, 3), '0'.repeat(64)]),
    /has the SHA-256 [0-9a-f]{64}, not 0{64}/,
  )
  const renamed = packNode('/bin/true', TARBALL[other] as string, work)
  assert.match(refused(['--arch', other, ...renamed]), /is not for \w+ \(ELF machine/)
  assert.equal(
    readdirSync(join(work, 'refused')).filter((name) => name.startsWith('hormiga-node')),
    [],
  )
})

test('the unit is locked up: exposure at most 2.5, and 1.5 where no device is needed', () => {
  const root = join(work, 'units')
  const place = join(root, 'etc/systemd/system')
  mkdirSync(join(place, 'hormiga.service.d'), { recursive: true })
  writeFileSync(join(place, 'hormiga.service'), readFileSync(UNIT))
  const judge = (threshold: number) => {
    const words = [
      'security',
      '--offline=true',
      `--root=${root}`,
      `--threshold=${threshold}`,
      '--no-pager',
      'hormiga.service',
    ]
    const { code, out, err } = run('systemd-analyze', words)
    // A key that is misspelt is told like one that is too new: only those two may be.
    const unknown = err
      .split('\n')
      .filter((line) => line && !/Unknown key '(RestartSteps|RestartMaxDelaySec)'/.test(line))
    assert.equal(unknown, [])
    const exposure = /exposure level for hormiga.service: ([\d.]+)/.exec(out)?.[1]
    assert.is(code, 0, `exposure ${exposure}`)
    return exposure
  }
  const whole = judge(25)
  writeFileSync(join(place, 'hormiga.service.d/no-devices.conf'), readFileSync(NO_DEVICES))
  console.log(`note: exposure ${whole}, without devices ${judge(15)}`)
})

test('the unit is not ordered after the network', () => {
  assert.not.match(readFileSync(UNIT, 'utf8'), /^(After|Wants|Requires)=.*network/m)
})

test.run()
