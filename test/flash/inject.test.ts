// `scripts/flash inject`: what it puts onto a card, what it leaves alone, and the cards that it does not touch.

import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { contents, fill, flash, makeFolder, makeImage, must, PI_OS, run, standIns, unpack } from './kit.ts'

const test = suite('flash/inject', { work: '' })
test.before.each((context) => {
  context.work = makeFolder()
})
test.after.each(({ work }) => rmSync(work, { recursive: true }))

const OURS = [
  'hormiga/SHA256SUMS',
  'hormiga/hormiga-console.service',
  'hormiga/hormiga-firstboot.service',
  'hormiga/hormiga-node_20.20.2-1_arm64.deb',
  'hormiga/hormiga_0.1.0-1_arm64.deb',
  'hormiga/install.sh',
  'vendor-data',
]

function inject(work: string, target: string, more: string[] = [], packages = standIns(work)) {
  return flash(['inject', target, ...packages.flatMap((path) => ['--deb', path]), ...more])
}

const piFolder = (work: string, files: Record<string, string> = PI_OS) => fill(join(work, 'bootfs'), files)

test('into a folder: our files, and those of Imager byte for byte as they were', ({ work }) => {
  const folder = piFolder(work)
  const { code, out, err } = inject(work, folder)
  assert.is(code, 0, err)
  const after = contents(folder)
  assert.equal(
    Object.keys(after).filter((name) => !(name in PI_OS)),
    OURS,
  )
  for (const [name, content] of Object.entries(PI_OS)) assert.is(after[name], content, name)
  assert.match(out, /copied {2}hormiga\/hormiga_0\.1\.0-1_arm64\.deb/)
  assert.match(out, /Untouched: user-data/)
  assert.match(out, /Next: eject the card/)
  assert.is(run('sh', ['-c', `cd ${folder}/hormiga && sha256sum --check --strict SHA256SUMS`]).code, 0)
  assert.match(after['vendor-data'] ?? '', /^#cloud-boothook\n#!\/bin\/sh\n/)
})

test('into an image: the same, and its file system stays whole', ({ work }) => {
  const image = makeImage(work, PI_OS)
  const { code, err } = inject(work, image)
  assert.is(code, 0, err)
  const after = contents(unpack(image, join(work, 'unpacked')))
  assert.equal(
    Object.keys(after).filter((name) => !(name in PI_OS)),
    OURS,
  )
  for (const [name, content] of Object.entries(PI_OS)) assert.is(after[name], content, name)
  const fat = join(work, 'fat-after')
  must('dd', [`if=${image}`, `of=${fat}`, 'bs=1M', 'skip=8', 'count=40', 'status=none'])
  must('fsck.vfat', ['-n', fat])
})

test('again it copies nothing; with a new version it replaces the old one', ({ work }) => {
  for (const target of [piFolder(work), makeImage(work, PI_OS)]) {
    inject(work, target)
    const again = inject(work, target)
    assert.is(again.code, 0, again.err)
    assert.not.match(again.out, /copied/)
    const newer = inject(work, target, [], standIns(work, '0.2.0-1'))
    assert.match(newer.out, /removed hormiga\/hormiga_0\.1\.0-1_arm64\.deb/)
    assert.match(newer.out, /copied {2}hormiga\/hormiga_0\.2\.0-1_arm64\.deb/)
    assert.match(newer.out, /there already hormiga\/hormiga-node/)
  }
})

test('settings and a configuration are looked at first, and lie beside', ({ work }) => {
  const folder = piFolder(work)
  const settings = join(work, 'my.toml')
  const config = join(work, 'my.json')
  writeFileSync(settings, 'name = "cocina"\n')
  writeFileSync(config, '{ "name": "cocina" }\n')
  const { code, err } = inject(work, folder, ['--settings', settings, '--config', config])
  assert.is(code, 0, err)
  assert.is(readFileSync(join(folder, 'hormiga.toml'), 'utf8'), 'name = "cocina"\n')
  assert.is(readFileSync(join(folder, 'hormiga/hormiga.json'), 'utf8'), '{ "name": "cocina" }\n')
  writeFileSync(settings, '[wifi]\nssid = "Casa"\n')
  const wrong = inject(work, folder, ['--settings', settings])
  assert.is(wrong.code, 1)
  assert.match(wrong.err, /wifi\.country: is missing/)
  writeFileSync(config, '{ "nmae": 1 }\n')
  assert.match(inject(work, folder, ['--config', config]).err, /nmae/)
})

test('on our own image it copies settings only', ({ work }) => {
  const folder = fill(join(work, 'own'), { 'hormiga-appliance': '1\n', 'config.txt': '' })
  const settings = join(work, 'my.toml')
  writeFileSync(settings, 'name = "cocina"\n')
  const { code, err } = flash(['inject', folder, '--settings', settings])
  assert.is(code, 0, err)
  assert.equal(Object.keys(contents(folder)), ['config.txt', 'hormiga-appliance', 'hormiga.toml'])
  assert.match(flash(['inject', folder]).err, /there is nothing to copy/)
})

/** Cards that it does not touch, and what it says of them. */
const REFUSED: [
  what: string,
  change: (files: Record<string, string>) => Record<string, string>,
  said: RegExp,
][] = [
  [
    'no Raspberry Pi',
    () => ({ 'photo.jpg': 'x' }),
    /has no config\.txt, no cmdline\.txt, no kernel8\.img.*named bootfs/,
  ],
  [
    'the system for 32 bits',
    (files) => ({ ...files, 'kernel7.img': 'x' }),
    /for 32 bits.*Raspberry Pi OS Lite \(64-bit\)/,
  ],
  [
    'Bookworm',
    without('user-data', 'meta-data', 'network-config'),
    /has no cloud-init: Bookworm.*November 2025/,
  ],
  [
    'Bookworm by Imager',
    (files) => ({ ...without('user-data', 'meta-data')(files), 'firstrun.sh': '#!/bin/bash\n' }),
    /firstrun\.sh is that of the older kind/,
  ],
  [
    'a foreign vendor-data',
    (files) => ({ ...files, 'vendor-data': '#cloud-config\npackages: [x]\n' }),
    /vendor-data of somebody else/,
  ],
]

function without(...names: string[]) {
  return (files: Record<string, string>) =>
    Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name)))
}

for (const [what, change, said] of REFUSED) {
  test(`not touched: ${what}`, ({ work }) => {
    const files = change(PI_OS)
    const folder = piFolder(work, files)
    const image = makeImage(work, files)
    const before = statSync(image).mtimeMs
    for (const target of [folder, image]) {
      const { code, err } = inject(work, target)
      assert.is(code, 1)
      assert.match(err, said)
    }
    assert.equal(contents(folder), files)
    assert.is(statSync(image).mtimeMs, before)
  })
}

test('a card without room is left as it is', ({ work }) => {
  const image = makeImage(work, PI_OS, 36)
  const packages = standIns(work)
  writeFileSync(packages[1] as string, `!<arch>\n${'x'.repeat(40e6)}`)
  const { code, err } = inject(work, image, [], packages)
  assert.is(code, 1)
  assert.match(err, /has \d+\.\d MB free, and 4\d\.\d MB are needed/)
  assert.not.ok(Object.keys(contents(unpack(image, join(work, 'after')))).some((name) => OURS.includes(name)))
})

test('what is no target, and no package', ({ work }) => {
  const folder = piFolder(work)
  const [engine = '', node = ''] = standIns(work)
  const say = (target: string, packages = [engine, node]) => inject(work, target, [], packages).err
  writeFileSync(join(work, 'x.img'), 'no image')
  writeFileSync(join(work, 'x.img.xz'), '')
  assert.match(say(join(work, 'none')), /no such folder or image/)
  assert.match(say(join(work, 'x.img')), /no image of a card/)
  assert.match(say(join(work, 'x.img.xz')), /unpack it first/)
  assert.match(say('/dev/null'), /is a device: give the folder/)
  assert.match(say(folder, [engine]), /hormiga-node is missing.*no Node/)
  assert.match(say(folder, [node]), /package hormiga is missing.*scripts\/deb/)
  assert.match(say(folder, [engine, node, join(work, 'hormiga_0.3.0-1_arm64.deb')]), /there is no such file/)
  assert.match(say(folder, [engine, engine, node]), /are the same package/)
  assert.match(say(folder, [join(work, 'hormiga_0.1.0-1_armhf.deb'), node]), /for armhf.*needs arm64/)
  assert.match(say(folder, [join(work, 'evil_1_arm64.deb'), node]), /only hormiga_….deb/)
  writeFileSync(engine, 'no package')
  assert.match(say(folder), /is no Debian package/)
  assert.equal(contents(folder), PI_OS)
  assert.is(flash([]).code, 2)
  assert.is(flash(['injcet', folder]).code, 2)
  assert.is(flash(['inject']).code, 2)
})

test('it warns of what would keep it from starting', ({ work }) => {
  const first = inject(work, piFolder(work, { ...PI_OS, 'firstrun.sh': '#!/bin/bash\n' }))
  assert.match(first.out, /WARNING: there is a firstrun\.sh: Raspberry Pi Imager 1/)
  mkdirSync(join(work, 'b'))
  const second = inject(
    work,
    fill(join(work, 'b'), { ...PI_OS, 'user-data': '#cloud-config\nvendor_data:\n  enabled: false\n' }),
  )
  assert.match(second.out, /WARNING: user-data says something about vendor_data/)
})

test.run()
