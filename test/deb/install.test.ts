// needs dist
// time limit: 120 s
// The package in a small Debian of its own: installed, used, upgraded, removed, purged, and each of them again (issue 8).

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ARCH, makeDebs, makeFolder, NODE_SYSTEM, packNode, reversion, run, SmallDebian } from './kit.ts'

const UNIT = 'etc/systemd/system/multi-user.target.wants/hormiga.service'
const CONFIG = 'etc/hormiga/hormiga.json'
const VERSIONS = 'var/lib/hormiga-versions'
const NOT_ROOT = 'no right to make mount namespaces on this machine'

const work = makeFolder()
const install = suite('deb/install')
const mayMount = run('unshare', ['--mount', 'true']).code === 0
let engine = ''
let node = ''
let machine: SmallDebian

/** Stands in for systemd: writes down what it is told. */
const RECORDER = '#!/bin/sh\necho "$*" >> /tmp/systemctl\ncase $* in *is-enabled*) echo enabled ;; esac\n'

/** What systemd was told of the engine's unit since the last look, but for questions. */
function told(): string[] {
  const path = machine.in('tmp/systemctl')
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
  rmSync(path, { force: true })
  const orders = lines
    .map((line) => line.split(' ').filter((word) => !word.startsWith('--')))
    .filter(([order, ...units]) => order === 'daemon-reload' || units.includes('hormiga.service'))
    .map(([order]) => order as string)
    .filter((order) => !order.startsWith('is-'))
  // Reading the units again twice is no more than once.
  return orders.filter((order, at) => order !== orders[at - 1])
}

/** Everything of ours in the machine, but for hormiga-node and what dpkg and systemd keep about packages. */
function traces(): string[] {
  const out = machine.must([
    'find',
    '/',
    '-xdev',
    '-name',
    '*hormiga*',
    '-not',
    '-path',
    '/proc/*',
    '-not',
    '-path',
    '/tmp/*',
  ])
  return out
    .trim()
    .split('\n')
    .filter((path) => path && !path.includes('hormiga-node'))
}

/** A version that an update has put in force. */
function putUpdate(version: string): void {
  const folder = machine.in(`${VERSIONS}/${version}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'VERSION'), `${version}\n`)
  for (const name of ['hormiga.js', 'hormiga'])
    writeFileSync(join(folder, name), `console.log('update ${version}')\n`)
  rmSync(machine.in(`${VERSIONS}/current`), { force: true })
  machine.must(['ln', '-s', version, `/${VERSIONS}/current`])
}

function ok({ code, out, err }: { code: number | null; out: string; err: string }): void {
  assert.is(code, 0, `${out}${err}`)
}

install.after(() => {
  machine?.remove()
  rmSync(work, { recursive: true })
})

/** A test that needs a small Debian. */
function test(name: string, work: () => void): void {
  install(name, () => {
    if (mayMount) work()
    else console.log(`skip: ${NOT_ROOT}`)
  })
}

test('the packages are made, and a machine for them', () => {
  const files = makeDebs([
    '--arch',
    ARCH,
    '--out',
    work,
    '--compression',
    'none',
    ...packNode(process.execPath, NODE_SYSTEM, work),
  ])
  engine = files[0] as string
  node = files[1] as string
  machine = new SmallDebian()
})

test('without a Node it is not set up, and dpkg says what is missing; with ours it is', () => {
  const alone = machine.install(engine)
  assert.is.not(alone.code, 0)
  assert.match(alone.err, /hormiga depends on nodejs \(>= 20\) \| hormiga-node/)
  ok(machine.install(node))
  ok(machine.run(['dpkg', '--configure', '-a']))
  assert.match(machine.must(['dpkg', '-s', 'hormiga']), /Status: install ok installed/)
  assert.is(machine.must(['dpkg', '--verify', 'hormiga', 'hormiga-node']), '')
})

test("its user owns nothing but the state, and cannot log in; everything else is root's", () => {
  assert.match(machine.must(['getent', 'passwd', 'hormiga']), /:\/var\/lib\/hormiga:\/usr\/sbin\/nologin$/m)
  const owned = machine.must([
    'find',
    '/usr',
    '/etc',
    '/var/lib',
    '-xdev',
    '(',
    '-not',
    '-user',
    '0',
    '-o',
    '-perm',
    '/022',
    '-not',
    '-type',
    'l',
    ')',
    '-path',
    '*hormiga*',
  ])
  assert.is(owned, '')
  assert.is(readlinkSync(machine.in(UNIT)), '/lib/systemd/system/hormiga.service')
})

test('what is installed runs as its user, with the state that systemd would make, and answers', () => {
  ok(machine.run(['hormiga', 'check', '--config', `/${CONFIG}`]))
  machine.must(['install', '-d', '-m', '700', '-o', 'hormiga', '-g', 'hormiga', '/var/lib/hormiga'])
  const config = {
    listen: { tcp: '127.0.0.1:0', http: false },
    devices: { cafetera: { profile: 'delonghi-ecam', simulated: true } },
  }
  writeFileSync(machine.in('tmp/run.json'), JSON.stringify(config))
  const script = `
    /usr/lib/hormiga/launch run --config /tmp/run.json 2>/tmp/log & engine=$!
    for i in $(seq 100); do at=$(sed -n 's/.*listening on \\([0-9.:]*\\) by tcp.*/\\1/p' /tmp/log); [ -n "$at" ] && break; sleep 0.1; done
    hormiga get cafetera/state --engine "$at"; code=$?
    kill $engine; wait $engine; echo "ended $?"; cat /tmp/log; exit $code`
  machine.must(['chmod', '1777', '/tmp'])
  const ran = machine.run(['sh', '-c', script], {
    user: 'hormiga:hormiga',
    env: { STATE_DIRECTORY: '/var/lib/hormiga', HOME: '/var/lib/hormiga' },
  })
  ok(ran)
  assert.match(ran.out, /ended 0/)
  assert.match(ran.out, /hormiga runs|runs \(hormiga/)
  // Root's command line finds the engine's key where the engine has made it.
  assert.match(machine.must(['hormiga', 'id', '--engine', '--config', `/${CONFIG}`]), /did:key:z6Mk/)
  assert.is(statSync(machine.in('var/lib/hormiga/keys')).mode & 0o777, 0o700)
})

test('an upgrade keeps the configuration, the state, the user, and whether it starts', () => {
  mkdirSync(machine.in('run/systemd/system'), { recursive: true })
  writeFileSync(machine.in('usr/bin/systemctl'), RECORDER, { mode: 0o755 })
  writeFileSync(machine.in(CONFIG), '{ "name": "cocina" }\n')
  const key = traces().filter((path) => path.includes('keys'))
  const user = machine.must(['id', 'hormiga'])
  ok(machine.install(reversion(engine, '0.1.1-1')))
  assert.equal(told(), ['daemon-reload', 'restart'])
  assert.is(readFileSync(machine.in(CONFIG), 'utf8'), '{ "name": "cocina" }\n')
  assert.equal(
    traces().filter((path) => path.includes('keys')),
    key,
  )
  assert.is(machine.must(['id', 'hormiga']), user)
  assert.ok(lstatSync(machine.in(UNIT)).isSymbolicLink())
  // Switched off by its owner: so it stays.
  rmSync(machine.in(UNIT))
  ok(machine.install(reversion(engine, '0.1.2-1')))
  assert.not.ok(
    readdirSync(machine.in('etc/systemd/system/multi-user.target.wants')).includes('hormiga.service'),
  )
  told()
})

test('the newest of package and update wins, and a broken update never does', () => {
  const runs = () => machine.run(['hormiga', '--version']).out.trim()
  putUpdate('0.2.0-1')
  assert.is(runs(), 'update 0.2.0-1')
  ok(machine.install(reversion(engine, '0.1.3-1')))
  assert.is(runs(), 'update 0.2.0-1')
  rmSync(machine.in(`${VERSIONS}/0.2.0-1/hormiga.js`))
  assert.not.match(runs(), /update/)
  putUpdate('0.2.0-1')
  writeFileSync(machine.in(`${VERSIONS}/trial`), '{"to":"0.2.0-1","from":null}')
  ok(machine.install(reversion(engine, '0.2.0-1')))
  assert.not.match(runs(), /update/)
  assert.equal(readdirSync(machine.in(VERSIONS)), ['0.2.0-1'])
  // Half an update, as a power cut may leave it: a link to nothing.
  machine.must(['ln', '-s', 'gone', `/${VERSIONS}/current`])
  assert.not.match(runs(), /update/)
  ok(machine.install(reversion(engine, '0.2.0-1')))
  assert.not.ok(readdirSync(machine.in(VERSIONS)).includes('current'))
})

test('set-up that was cut short is made up for; done twice it changes nothing', () => {
  const before = traces()
  for (const file of [reversion(engine, '0.3.0-1'), reversion(engine, '0.3.0-1')]) {
    machine.must(['rm', '-rf', '/tmp/once'])
    ok(machine.install(file))
  }
  ok(machine.run(['dpkg', '--unpack', '--force-unsafe-io', '/tmp/hormiga_0.3.0-1_test.deb']))
  ok(machine.run(['dpkg', '--configure', '-a']))
  assert.equal(traces(), before)
})

test('removed, it is stopped and its settings and keys stay; installed again, they are in use', () => {
  told()
  ok(machine.run(['dpkg', '-r', 'hormiga']))
  assert.equal(told(), ['stop', 'daemon-reload'])
  assert.is(machine.run(['hormiga', '--version']).code, 127)
  assert.ok(existsSync(machine.in(CONFIG)))
  assert.ok(existsSync(machine.in('var/lib/hormiga/keys')))
  ok(machine.install(engine))
  assert.equal(told(), ['daemon-reload', 'restart'])
  assert.is(readFileSync(machine.in(CONFIG), 'utf8'), '{ "name": "cocina" }\n')
})

test('purged, nothing of it is left but a user that owns nothing; and again nothing', () => {
  ok(machine.run(['dpkg', '--purge', 'hormiga']))
  assert.equal(traces(), [])
  assert.is(machine.must(['find', '/', '-xdev', '-user', 'hormiga', '-not', '-path', '/tmp/*']), '')
  assert.ok(existsSync(machine.in('usr/lib/hormiga-node/bin/node')))
  ok(machine.install(engine))
  ok(machine.run(['dpkg', '--purge', 'hormiga', 'hormiga-node']))
  assert.equal(traces(), [])
})

install.run()
