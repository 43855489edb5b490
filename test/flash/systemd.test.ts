// heavy
// needs dist
// time limit: 180 s
// The units of both ways under a real systemd: the installation waits for nobody and nobody waits for it in vain, the engine
// comes up with the settings of the card or, where they are hostile, without them, and the next start changes nothing.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { boot, mayBoot } from '../deb/boot.ts'
import { ARCH, makeDebs, NODE_SYSTEM, packNode, SmallDebian } from '../deb/kit.ts'
import { fill, flash, makeFolder, PI_OS } from './kit.ts'

const NOT_ALLOWED = 'no right to make mount namespaces on this machine'
const LIMIT = 80_000
const ISSUE = 'etc/issue.d/hormiga.issue'

/** In the place of cloud-init: it runs vendor-data as early as the real one, and is waited for by as much. */
const CLOUD_INIT = `[Unit]
DefaultDependencies=no
After=systemd-remount-fs.service
Before=sysinit.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /boot/firmware/vendor-data
ExecStart=/bin/sleep 1
[Install]
WantedBy=multi-user.target
`

const SCRIPT = `
for i in $(seq 300); do [ "$(systemctl is-active hormiga)" = active ] && [ -e /${ISSUE} ] && break; sleep 0.2; done
sleep 1
for unit in hormiga hormiga-firstboot hormiga-console; do
  echo "$unit: $(systemctl show -P ActiveState $unit) $(systemctl show -P Result $unit) restarts $(systemctl show -P NRestarts $unit)"
done
echo "name: $(hostname)"
echo "device: $(hormiga get cafetera/state 2>&1 | head -n 1)"
echo "engine: $(stat -c '%U %a' /var/lib/hormiga/keys)"
echo "jobs: $(systemctl list-jobs --no-legend | grep -c hormiga)"
journalctl -u hormiga-firstboot -u hormiga-console -o cat --no-pager
`

const SETTINGS = `name = "cocina"

[engine]
access = [{ method = ["GET"], resource = ["cafetera", "..."] }]

[engine.devices]
cafetera = { profile = "delonghi-ecam", simulated = true }
`

const work = makeFolder()
const systemd = suite('flash/systemd')
let debs: string[] = []

systemd.before(() => {
  if (!mayBoot()) return
  const node = packNode(process.execPath, NODE_SYSTEM, work)
  debs = makeDebs(['--arch', ARCH, '--out', work, '--compression', 'none', ...node])
})
systemd.after(() => rmSync(work, { recursive: true }))

function test(name: string, check: (machine: SmallDebian) => void): void {
  systemd(name, () => {
    if (!mayBoot()) {
      console.log(`skip: ${NOT_ALLOWED}`)
      return
    }
    const machine = new SmallDebian()
    try {
      // Every Debian has it; this small one has not.
      cpSync('/bin/hostname', machine.in('usr/bin/hostname'))
      writeFileSync(machine.in('etc/hostname'), 'raspberrypi\n')
      writeFileSync(machine.in('etc/hosts'), '127.0.0.1\tlocalhost\n')
      check(machine)
    } finally {
      machine.remove()
    }
  })
}

const has = (said: string, line: string) =>
  assert.ok(said.split('\n').includes(line), `"${line}" is missing in:\n${said}`)
const text = (machine: SmallDebian, path: string) =>
  existsSync(machine.in(path)) ? readFileSync(machine.in(path), 'utf8') : ''

/** As after a start that never was: what the test itself has put there goes. */
function startAgain(machine: SmallDebian): string {
  rmSync(machine.in('etc/systemd/system/multi-user.target.wants/task.service'))
  rmSync(machine.in('task.out'))
  return boot(machine, SCRIPT, LIMIT)
}

test('Raspberry Pi OS: installed and started at the first start, nothing done at the second', (machine) => {
  const card = fill(machine.in('boot/firmware'), PI_OS)
  const settings = join(work, 'hormiga.toml')
  writeFileSync(settings, SETTINGS)
  const packages = debs.flatMap((path) => ['--deb', path])
  const injected = flash(['inject', card, '--arch', ARCH, '--settings', settings, ...packages])
  assert.is(injected.code, 0, injected.err)
  mkdirSync(machine.in('etc/systemd/system/multi-user.target.wants'), { recursive: true })
  writeFileSync(machine.in('etc/systemd/system/cloud-init.service'), CLOUD_INIT)
  machine.must([
    'ln',
    '-s',
    '../cloud-init.service',
    '/etc/systemd/system/multi-user.target.wants/cloud-init.service',
  ])
  const first = boot(machine, SCRIPT, LIMIT)
  has(first, 'hormiga: active success restarts 0')
  has(first, 'hormiga-firstboot: active success restarts 0')
  has(first, 'hormiga-console: inactive success restarts 0')
  has(first, 'name: cocina')
  has(first, 'engine: hormiga 700')
  has(first, 'jobs: 0')
  assert.match(first, /^device: 200 \S+/m)
  assert.match(
    text(machine, ISSUE),
    /its page: http:\/\/cocina\.local:8080\/\nits fingerprint: ([0-9A-Z]{4}-){3}/,
  )
  const [issue, installed] = [text(machine, ISSUE), text(machine, 'var/lib/hormiga-firstboot/installed')]
  const second = startAgain(machine)
  has(second, 'hormiga: active success restarts 0')
  has(second, 'name: cocina')
  assert.not.match(second, /installing/)
  assert.equal(
    [text(machine, ISSUE), text(machine, 'var/lib/hormiga-firstboot/installed')],
    [issue, installed],
  )
})

test('our image: a hostile hormiga.toml does no harm, a good one holds before the engine starts', (machine) => {
  const installed = machine.install(...[...debs].reverse())
  assert.is(installed.code, 0, installed.err)
  cpSync('scripts/flash/root', machine.path, { recursive: true })
  cpSync(
    'scripts/flash/card/hormiga-console.service',
    machine.in('etc/systemd/system/hormiga-console.service'),
  )
  machine.must(['systemctl', 'enable', 'hormiga-firstboot.service', 'hormiga-console.service'])
  const path = machine.in('boot/firmware/hormiga.toml')
  writeFileSync(path, 'name = "$(reboot)"\n[engine]\nlisten = "everything"\n[wifi]\nssid = "x"\n')
  const hostile = boot(machine, SCRIPT, LIMIT)
  has(hostile, 'hormiga: active success restarts 0')
  has(hostile, 'name: raspberrypi')
  assert.match(hostile, /hormiga\.toml: name: expected a name/)
  assert.match(text(machine, ISSUE), /PROBLEMS.*wifi\.country: is missing/s)
  writeFileSync(path, SETTINGS)
  const good = startAgain(machine)
  has(good, 'hormiga: active success restarts 0')
  has(good, 'name: cocina')
  assert.match(good, /^device: 200 /m)
  assert.not.match(text(machine, ISSUE), /PROBLEMS/)
})

systemd.run()
