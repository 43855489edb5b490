// A small Debian started as a machine is: by its own systemd, in namespaces and a control group of its own.

import { existsSync, mkdirSync, readFileSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, type SmallDebian } from './kit.ts'

const UNIFIED = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((path) =>
  existsSync(join(path, 'cgroup.procs')),
)

/** Between namespaces and systemd: what a container manager does. $0: the root folder. $1: its control group. */
const START = `
echo $$ > "$1/cgroup.procs" && exec unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child --propagation private sh -ec '
cd "$0"
mount --bind . . && cd "$0"
mount -t proc proc proc; mount -t sysfs sysfs sys -o ro; mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run -o mode=755; mount -t tmpfs tmpfs dev -o mode=755
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mkdir dev/pts dev/shm; ln -s pts/ptmx dev/ptmx
ip link set lo up
pivot_root . old && umount -l old
exec env -i container=lxc PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --show-status=0
' "$0"`

/** Starts with the machine, after the engine has said that it is ready, or has failed; switches the machine off. */
const TASK = `[Unit]
After=hormiga.service
[Service]
Type=oneshot
TimeoutStartSec=infinity
StandardOutput=file:/task.out
StandardError=file:/task.err
ExecStart=/bin/sh /task
ExecStopPost=/bin/sh -c 'systemctl poweroff --force --force >/dev/null 2>&1'
[Install]
WantedBy=multi-user.target
`

/** Whether this machine lets a test do that. */
export function mayBoot(): boolean {
  if (!UNIFIED || run('unshare', ['--mount', '--pid', '--net', '--cgroup', '--fork', 'true']).code !== 0)
    return false
  try {
    mkdirSync(join(UNIFIED, `hormiga-test-${process.pid}`))
    rmdirSync(join(UNIFIED, `hormiga-test-${process.pid}`))
    return true
  } catch {
    return false
  }
}

/** Starts the machine, runs the shell script in it, and switches it off. @returns what the script printed */
export function boot(machine: SmallDebian, script: string, limit: number): string {
  for (const folder of ['sys', 'old', 'etc/systemd/system/multi-user.target.wants']) {
    mkdirSync(machine.in(folder), { recursive: true })
  }
  writeFileSync(machine.in('etc/machine-id'), '')
  writeFileSync(machine.in('task'), script)
  writeFileSync(machine.in('etc/systemd/system/task.service'), TASK)
  symlinkSync('../task.service', machine.in('etc/systemd/system/multi-user.target.wants/task.service'))
  writeFileSync(
    machine.in('etc/systemd/system/default.target'),
    '[Unit]\nRequires=multi-user.target\nAfter=multi-user.target\n',
  )
  const group = join(UNIFIED as string, `hormiga-test-${process.pid}`)
  mkdirSync(group)
  try {
    const ended = run('sh', ['-c', START, machine.path, group], { limit })
    const read = (name: string) =>
      existsSync(machine.in(name)) ? readFileSync(machine.in(name), 'utf8') : ''
    if (read('task.out') === '')
      throw new Error(`it never ran the script:\n${ended.out}${ended.err}${read('task.err')}`)
    return read('task.out') + read('task.err')
  } finally {
    removeGroup(group)
  }
}

/** Ends all that is in a control group, and removes it. A process that is ending still holds it for a moment. */
function removeGroup(path: string): void {
  const kill = join(path, 'cgroup.kill')
  if (existsSync(kill)) writeFileSync(kill, '1')
  for (let tries = 0; existsSync(path); tries++) {
    const { code, err } = run('find', [path, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+'])
    if (code !== 0 && tries === 50) throw new Error(`${path} can't be removed: ${err}`)
    if (code !== 0) run('sleep', ['0.1'])
  }
}
