// heavy
// needs dist
// time limit: 180 s
// A card that inject has prepared, started: Debian's own cloud-init reads it, runs what the user has written and what is ours,
// and ours installs real packages without a network, and the engine runs with the settings of the card (issue 8).

import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ARCH, makeDebs } from '../deb/kit.ts'
import { fill, flash, makeFolder, makeImage, must, PI_OS, run, unpack } from './kit.ts'

const PACKAGES = 'node_modules/.cache/hormiga/cloud-init'
const NOT_ROOT = 'no right to make mount namespaces on this machine'
const SETTINGS = `name = "cocina"

[wifi]
ssid = "Casa"
password = "quite secret"
country = "ES"

[engine.devices]
cafetera = { profile = "delonghi-ecam", simulated = true }
`

const cloudInit = suite('flash/cloud-init')
const mayMount = run('unshare', ['--mount', '--uts', '--net', 'true']).code === 0
const work = makeFolder()
const out = join(work, 'out')

/** A test that needs the machine. */
function test(name: string, check: () => void): void {
  cloudInit(name, () => {
    if (mayMount) check()
    else console.log(`skip: ${NOT_ROOT}`)
  })
}

const read = (name: string) => (existsSync(join(out, name)) ? readFileSync(join(out, name), 'utf8') : '')
const lines = (name: string) => read(name).trim().split('\n').filter(Boolean)

/** How a step ended, and what it said where that is not 0. */
function ended(name: string): string {
  const code = lines('codes').find((line) => line.startsWith(`${name} `))
  return code === `${name} 0` ? '0' : `${code}:\n${read(name)}`
}

/** Stands for hormiga-node, which weighs 100 MB unpacked: the Node of this machine, by another name. */
function nodePackage(): string {
  const control = `Package: hormiga-node\nVersion: 20.0.0-1\nArchitecture: ${ARCH}\nMaintainer: x <x@x.invalid>\nDescription: x\n`
  const stage = fill(join(work, 'node'), { 'DEBIAN/control': control })
  mkdirSync(join(stage, 'usr/lib/hormiga-node/bin'), { recursive: true })
  symlinkSync(process.execPath, join(stage, 'usr/lib/hormiga-node/bin/node'))
  const path = join(work, `hormiga-node_20.0.0-1_${ARCH}.deb`)
  must('dpkg-deb', ['--root-owner-group', '-Znone', '-b', stage, path])
  return path
}

cloudInit.after(() => rmSync(work, { recursive: true }))

test('a card is prepared and started', () => {
  assert.ok(
    existsSync(join(PACKAGES, 'complete')),
    'cloud-init is missing: . scripts/setup.sh; need_cloud_init',
  )
  const debs = [...makeDebs(['--arch', ARCH, '--out', work, '--compression', 'none']), nodePackage()]
  const settings = join(work, 'hormiga.toml')
  writeFileSync(settings, SETTINGS)
  const image = makeImage(work, PI_OS, 64)
  const packages = debs.flatMap((path) => ['--deb', path])
  const { code, err } = flash(['inject', image, '--arch', ARCH, '--settings', settings, ...packages])
  assert.is(code, 0, err)
  mkdirSync(out)
  const words = [PACKAGES, unpack(image, join(work, 'card')), out]
  must(
    'unshare',
    ['--mount', '--uts', '--net', '--propagation', 'private', 'sh', 'test/flash/pi.sh', ...words],
    {
      limit: 150_000,
    },
  )
})

test('cloud-init runs ours first, and all that the user has written as well', () => {
  for (const step of ['local1', 'network1', 'config1', 'final1']) assert.is(ended(step), '0')
  assert.equal(lines('systemctl-early1'), [
    'daemon-reload',
    'enable hormiga-firstboot.service hormiga-console.service',
    'start --no-block hormiga-firstboot.service hormiga-console.service',
  ])
  assert.equal(lines('order1'), ['user'])
  assert.is(read('hostname1').trim(), 'cocina')
  assert.match(read('passwd1'), /^ana:/m)
  assert.is(
    read('hormiga-firstboot.service1'),
    readFileSync('scripts/flash/card/hormiga-firstboot.service', 'utf8'),
  )
})

test('it installs without a network, after a power cut in the middle, and waits for who has dpkg', () => {
  assert.is(ended('unpacked'), '0')
  assert.is(ended('install'), '0')
  assert.match(read('install'), /dpkg is busy: waiting \(try 1 of 20\)/)
  assert.is(read('status').match(/Status: install ok installed/g)?.length, 2)
  assert.match(read('systemctl2'), /^--quiet --system start hormiga\.service$/m)
  assert.match(read('systemctl2'), /^--no-block try-restart hormiga\.service$/m)
})

test('the settings of the card hold, and its password is on the card no more', () => {
  assert.match(read('hormiga-report.txt2'), /No problems/)
  assert.match(read('hormiga.json2'), /"name": "cocina"/)
  assert.match(
    read('hormiga.nmconnection2'),
    /ssid=67;97;115;97;\nhidden=false\n\n\[wifi-security\]\nkey-mgmt=wpa-psk\npsk=[0-9a-f]{64}\n/,
  )
  assert.not.match(read('hormiga.toml2'), /secret/)
  assert.match(read('hormiga.toml2'), /password = ""/)
})

test('the engine runs with them: its page answers to NAME.local, and strangers may do nothing', () => {
  assert.is(ended('engine'), '0')
  const said = read('engine')
  assert.match(said, /^\/ 200 text\/html/m)
  assert.match(said, /^\/cafetera 401 /m)
  assert.match(said, /^console 0$/m)
  assert.match(said, /^ended 0$/m)
  const issue = read('hormiga.issue')
  assert.match(issue, /its page: http:\/\/cocina\.local:8080\//)
  assert.match(issue, /its fingerprint: ([0-9A-Z]{4}-){3}[0-9A-Z]{4}\n/)
  assert.match(issue, /[▀▄█]{10}/)
})

test('the next start changes nothing; one after a cut in the early part puts it right', () => {
  assert.is(ended('local2'), '0')
  assert.is(ended('again'), '0')
  assert.is(read('after'), read('before'))
  assert.equal(lines('systemctl3'), [])
  assert.is(ended('cut'), '0')
  assert.ok(lines('systemctl4').includes('enable hormiga-firstboot.service hormiga-console.service'))
})

test('damaged packages and those for another processor are not installed, and the card says why', () => {
  assert.match(ended('damaged'), /^damaged 1:/)
  assert.match(read('damaged.txt'), /a package on the card is damaged\. Run scripts\/flash inject again/)
  assert.match(ended('foreign'), /^foreign 1:/)
  assert.match(read('foreign.txt'), /hormiga_9_s390x\.deb is for s390x, and this system is/)
})

cloudInit.run()
