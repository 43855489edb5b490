// heavy
// needs dist
// time limit: 150 s
// The unit under a real systemd (issue 8): ready, confined, watched, started anew when it dies or hangs, alive on a card that
// has become read-only.

import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { boot, mayBoot } from './boot.ts'
import { ARCH, makeDebs, makeFolder, NODE_SYSTEM, packNode, SmallDebian } from './kit.ts'

const NOT_ALLOWED = 'no right to make mount namespaces on this machine'
const LIMIT = 90_000

/** The unit's own limits are minutes: no test waits for them. The last line is tried from inside what the engine is locked into. */
const QUICK = `[Service]
WatchdogSec=3s
TimeoutAbortSec=1s
TimeoutStartSec=20s
RestartSec=500ms
ExecStartPost=-/bin/sh -c 'for place in /etc /usr /var/lib /var/lib/hormiga-versions /root /home /srv/anyone /var/lib/hormiga; do touch $$place/x && echo writes $$place; done; ls /root; mknod /var/lib/hormiga/n c 1 3; unshare -U true && echo makes namespaces'
`

const CONFIG = { devices: { cafetera: { profile: 'delonghi-ecam', simulated: true } } }

const SCRIPT = `
until_restarts() { for i in $(seq 200); do [ "$(systemctl show -P NRestarts hormiga)" = "$1" ] && [ "$(systemctl show -P SubState hormiga)" = running ] && return; sleep 0.1; done; }
pid() { systemctl show -P MainPID hormiga; }
state() { echo "$1: $(systemctl show -P ActiveState hormiga) $(systemctl show -P Result hormiga) restarts $(systemctl show -P NRestarts hormiga)"; }
ask() { echo "$1: $(hormiga get cafetera/state 2>&1)"; }
state started; ask started
grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp|Groups):' /proc/$(pid)/status
sleep 4; state watched
kill -9 $(pid); until_restarts 1; state killed
kill -STOP $(pid); until_restarts 2; state hung; ask hung
systemctl reload hormiga; sleep 0.5; state reloaded
systemctl stop hormiga; cp -a /var/lib/hormiga /run/kept; mount -t tmpfs -o mode=700 card /var/lib/hormiga; cp -a /run/kept/. /var/lib/hormiga
mount -o remount,ro /var/lib/hormiga; systemctl start hormiga; state readonly; ask readonly; systemctl stop hormiga
umount /var/lib/hormiga
install -D /usr/share/doc/hormiga/examples/no-devices.conf /etc/systemd/system/hormiga.service.d/no-devices.conf
systemctl daemon-reload; systemctl restart hormiga; state nodevices; ask nodevices
echo "nodevices $(grep CapBnd /proc/$(pid)/status)"
systemctl stop hormiga; echo "stopped: $(systemctl show -P ExecMainStatus hormiga)"
journalctl -u hormiga -o cat --no-pager
`

const work = makeFolder()
const test = suite('deb/systemd')
test.after(() => rmSync(work, { recursive: true }))

test('ready, confined, watched, restarted, and alive on a read-only card', () => {
  if (!mayBoot()) {
    console.log(`skip: ${NOT_ALLOWED}`)
    return
  }
  const node = packNode(process.execPath, NODE_SYSTEM, work)
  const files = makeDebs(['--arch', ARCH, '--out', work, '--compression', 'none', ...node])
  const machine = new SmallDebian()
  try {
    const installed = machine.install(...files.reverse())
    assert.is(installed.code, 0, installed.err)
    writeFileSync(machine.in('etc/hormiga/hormiga.json'), JSON.stringify(CONFIG))
    mkdirSync(machine.in('etc/systemd/system/hormiga.service.d'), { recursive: true })
    writeFileSync(machine.in('etc/systemd/system/hormiga.service.d/quick.conf'), QUICK)
    mkdirSync(machine.in('srv/anyone'), { recursive: true })
    chmodSync(machine.in('srv/anyone'), 0o777)
    check(boot(machine, SCRIPT, LIMIT))
  } finally {
    machine.remove()
  }
})

function check(said: string): void {
  const line = (start: string) =>
    said
      .split('\n')
      .find((it) => it.startsWith(start))
      ?.slice(start.length)
      .trim()
  const whole = (what: boolean, why: string) => assert.ok(what, `${why}\n${said}`)
  assert.is(line('started: active'), 'success restarts 0', said)
  whole(/^started: 200 /m.test(said), 'it answers')
  whole(!/^Uid:\t0\b/m.test(said) && /^Uid:/m.test(said), 'it is not root')
  // CAP_NET_RAW and CAP_NET_ADMIN, no more.
  whole(/^CapEff:\t0*3000$/m.test(said) && /^CapBnd:\t0*3000$/m.test(said), 'its capabilities')
  assert.is(line('NoNewPrivs:'), '1')
  assert.is(line('Seccomp:'), '2')
  whole(/^Groups:.*\b20\b/m.test(said), 'it is in dialout')
  assert.equal([...new Set(said.match(/^writes .*/gm))], ['writes /var/lib/hormiga'])
  whole(!said.includes('makes namespaces'), 'it makes no namespaces')
  assert.is(line('watched:'), 'active success restarts 0', said)
  assert.is(line('killed:'), 'active success restarts 1', said)
  assert.is(line('hung: active'), 'success restarts 2', said)
  assert.is(line('reloaded:'), 'active success restarts 2', said)
  whole(said.includes('"reloaded: '), 'it has reloaded')
  whole(/^readonly: active success/m.test(said), 'it runs on a read-only card')
  whole(/^readonly: 200 /m.test(said), 'it answers there')
  whole(/^nodevices: active success/m.test(said), 'it runs without devices')
  assert.match(line('nodevices CapBnd:') ?? '', /^0+$/)
  assert.is(line('stopped:'), '0')
}

test.run()
