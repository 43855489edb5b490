// heavy
// needs dist
// time limit: 180 s
// Updates under a real systemd (issue 8): by root, handed over by the engine's user, taken back by the unit's own means, and after
// a power cut in the middle of a trial.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { didOf } from '../../src/identity/did.ts'
import { makeKeyFile } from '../../src/identity/keystore.ts'
import { makeUpdate, type UpdateFiles } from '../../src/update/package.ts'
import { boot, mayBoot } from '../deb/boot.ts'
import { ARCH, makeDebs, makeFolder, must, NODE_SYSTEM, packNode, run, SmallDebian } from '../deb/kit.ts'
import { engineFiles } from './machine.ts'

const NOT_ALLOWED = 'no right to make mount namespaces on this machine'
const LIMIT = 80_000

const QUICK = '[Service]\nRestartSec=500ms\n'
const QUICK_UPDATE = '[Service]\nExecStart=\nExecStart=/usr/lib/hormiga/launch update --inbox --trial 4s\n'
const CONFIG = { devices: { cafetera: { profile: 'delonghi-ecam', simulated: true } } }

const TOOLS = `
version() { journalctl -u hormiga -o cat --no-pager | sed -n 's/^this is //p' | tail -1; }
up() { for i in $(seq 200); do hormiga get engine/devices 2>/dev/null | grep -q '"state":"up"' && return; sleep 0.1; done; }
key() { sha256sum < /var/lib/hormiga/keys/identity.pem; }
`

const FIRST = `
up; echo "key $(key)"
hormiga update /u/0.2.0-1.update --trial 4s; up; echo "good: $? $(version)"
hormiga update /u/0.4.0-1.update --trial 30s; echo "fails: $?"; up; echo "fails runs $(version)"
setpriv --reuid nobody --regid nogroup --clear-groups hormiga update /u/0.5.0-1.update; echo "nobody: $?"
setpriv --reuid hormiga --regid hormiga --clear-groups hormiga update /u/0.5.0-1.update; echo "handed over: $?"; up; echo "handed over runs $(readlink /var/lib/hormiga-versions/current)"
setpriv --reuid hormiga --regid hormiga --clear-groups hormiga update /u/stranger.update; echo "stranger: $?"
setpriv --reuid hormiga --regid hormiga --clear-groups hormiga update /u/0.2.0-1.update; echo "older: $?"
ls /var/lib/hormiga/updates /var/lib/hormiga-versions
systemctl show -P Result hormiga-update.path
hormiga update /u/0.6.0-1.update --trial 60s &
for i in $(seq 200); do [ "$(version)" = 0.6.0-1 ] && break; sleep 0.1; done; up
echo "cut with $(version), $(readlink /var/lib/hormiga-versions/current)"
systemctl poweroff --force --force
`

const SECOND = `
up; echo "after the cut $(readlink /var/lib/hormiga-versions/current), key $(key)"
hormiga update --status
echo '{"to":"0.5.0-1","from":"0.2.0-1"}' > /var/lib/hormiga-versions/trial
mount --bind /var/lib/hormiga-versions /var/lib/hormiga-versions; mount -o remount,bind,ro /var/lib/hormiga-versions
systemctl restart hormiga; up; echo "read-only $(version), $(readlink /var/lib/hormiga-versions/current)"
umount /var/lib/hormiga-versions; rm /var/lib/hormiga-versions/trial; rm /run/hormiga-update/use
hormiga update --rollback; echo "rollback: $? $(readlink /var/lib/hormiga-versions/current)"
`

const work = makeFolder()
const test = suite('update/systemd')
test.after(() => rmSync(work, { recursive: true }))

test('kept, taken back, handed over, cut off', () => {
  if (!mayBoot()) {
    console.log(`skip: ${NOT_ALLOWED}`)
    return
  }
  const key = makeKeyFile(join(work, 'key'))
  const node = packNode(process.execPath, NODE_SYSTEM, work)
  const did = didOf(key.kid)
  const files = makeDebs([
    '--arch',
    ARCH,
    '--out',
    work,
    '--compression',
    'none',
    '--update-key',
    did,
    ...node,
  ])
  const machine = new SmallDebian()
  try {
    const installed = machine.install(...files.reverse())
    assert.is(installed.code, 0, installed.err)
    writeFileSync(machine.in('etc/hormiga/hormiga.json'), JSON.stringify(CONFIG))
    dropIn(machine, 'hormiga.service', QUICK)
    dropIn(machine, 'hormiga-update.service', QUICK_UPDATE)
    mkdirSync(machine.in('u'))
    const put = (files: UpdateFiles, version: string, signer = key, name = version) => {
      const bytes = makeUpdate({ version, arch: ARCH, node: 20, after: '0' }, files, signer)
      writeFileSync(machine.in(`u/${name}.update`), bytes)
    }
    for (const version of ['0.2.0-1', '0.6.0-1']) put(engineFiles(version), version)
    const built = [0, 1].map(() => buildUpdate('0.5.0-1'))
    assert.is(
      Buffer.compare(built[0] as Buffer, built[1] as Buffer),
      0,
      'built twice, the bytes are the same',
    )
    writeFileSync(machine.in('u/0.5.0-1.update'), built[0] as Buffer)
    put(engineFiles('0.4.0-1', 'process.exit(3)'), '0.4.0-1')
    put(engineFiles('0.9.0-1'), '0.9.0-1', makeKeyFile(join(work, 'stranger')), 'stranger')
    checkFirst(boot(machine, TOOLS + FIRST, LIMIT))
    for (const path of ['etc/systemd/system/multi-user.target.wants/task.service', 'task.out', 'task.err'])
      rmSync(machine.in(path))
    checkSecond(boot(machine, TOOLS + SECOND, LIMIT))
  } finally {
    machine.remove()
  }
})

/** As it is made for others. */
function buildUpdate(version: string): Buffer {
  const words = ['--arch', ARCH, '--version', version, '--key', join(work, 'key'), '--out', work]
  must(process.execPath, ['scripts/update/index.js', ...words])
  return readFileSync(join(work, `hormiga-${version}-${ARCH}.update`))
}

test('the unit for updates is locked up, and has no network', () => {
  const root = join(work, 'units')
  const place = join(root, 'etc/systemd/system')
  mkdirSync(place, { recursive: true })
  const unit = 'hormiga-update.service'
  const text = readFileSync(`scripts/deb/root/usr/lib/systemd/system/${unit}`, 'utf8')
  writeFileSync(join(place, unit), text)
  assert.match(text, /^PrivateNetwork=yes$/m)
  const words = ['security', '--offline=true', `--root=${root}`, '--threshold=20', '--no-pager', unit]
  const { code, out, err } = run('systemd-analyze', words)
  assert.is(err, '')
  assert.is(code, 0, out)
})

let secret = ''

function checkFirst(said: string): void {
  const has = (pattern: RegExp) => assert.ok(pattern.test(said), `${pattern} is not in:\n${said}`)
  secret = /^key (.*)$/m.exec(said)?.[1] as string
  has(/^good: 0 0\.2\.0-1$/m)
  has(/0\.4\.0-1 is not kept: it was started 3 times, and did not stay[\s\S]*^fails: 1$/m)
  has(/^fails runs 0\.2\.0-1$/m)
  has(/this takes root or the user of the engine/)
  has(/^nobody: 1$/m)
  has(/it is kept\nhanded over: 0\nhanded over runs 0\.5\.0-1$/m)
  has(/not installed: it is signed by did:key:\S+, which may not sign updates here\nstranger: 1$/m)
  has(/not installed: 0\.2\.0-1 is not newer than 0\.5\.0-1, which is in force[^\n]*\nolder: 1$/m)
  has(/-versions:\n0\.2\.0-1\n0\.5\.0-1\ncurrent\nlast\nprevious\n\n\/var\/lib\/hormiga\/updates:\nsuccess$/m)
  has(/^cut with 0\.6\.0-1, 0\.6\.0-1$/m)
}

function checkSecond(said: string): void {
  assert.ok(said.includes(`after the cut 0.5.0-1, key ${secret}`), said)
  assert.ok(/last update +0\.6\.0-1, .*: not kept: its trial was cut off/.test(said), said)
  assert.ok(/^read-only 0\.2\.0-1, 0\.5\.0-1$/m.test(said), said)
  assert.ok(/^rollback: 0 0\.2\.0-1$/m.test(said), said)
}

function dropIn(machine: SmallDebian, unit: string, text: string): void {
  const folder = machine.in(`etc/systemd/system/${unit}.d`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'quick.conf'), text)
}

test.run()
