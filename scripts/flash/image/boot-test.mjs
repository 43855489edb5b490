// `scripts/flash/boot-test IMAGE`: starts a copy of an image in QEMU, four times, and says what held. Each start ends by itself
// and is ended after ten minutes. The copy has a unit more, which prints facts to the serial console (boot-test/).

import { spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { here, ImageError, need, run } from './tools.mjs'

const MINUTES = 10
const CARD = 4 * 2 ** 30
const SECTOR = 512
/** Goals (issue "Flash it to a Pi"). */
const MOST_RSS = 64 * 1024
const MOST_WRITES = 40

const folder = join(here, 'boot-test')

/** @returns how many checks failed */
export async function bootTest(image, { keep, say = console.log } = {}) {
  need('qemu-system-aarch64', 'mcopy', 'debugfs', 'sfdisk', 'xz')
  const work = keep ? resolve(keep) : mkdtempSync(join(tmpdir(), 'hormiga-boot-test-'))
  try {
    const check = checker(say)
    const card = openCard(image, join(work, 'card.img'))
    const epoch = lookInside(card, check)
    plant(card)
    const settings = { 'hormiga.toml': 'hormiga.toml', 'rpi-preseed.toml': 'rpi-preseed.toml' }
    const first = await boot(card, { work, name: 'first', settings, long: true, say })
    judgeFirst(first, card, epoch, check, say)
    const second = await boot(card, { work, name: 'second', say })
    judgeSame('second start', second, first, check)
    const hostile = await boot(card, {
      work,
      name: 'hostile',
      // A script is no TOML, and is not to be run either.
      settings: { 'hostile.toml': 'hormiga.toml', 'boot-report': 'rpi-preseed.toml' },
      say,
    })
    judgeSame('hostile settings', hostile, first, check)
    judgeHostile(hostile, card, check, say)
    const locked = await boot(card, { work, name: 'read-only', readOnly: true, say })
    check('write-protected card: engine up', locked.state === 'active', locked.state)
    check('write-protected card: /cafetera answers', locked.cafetera?.startsWith('200 '), locked.cafetera)
    check('write-protected card: same key', locked.key && locked.key === first.key)
    return check.failed()
  } finally {
    if (!keep) rmSync(work, { recursive: true, force: true })
  }
}

function checker(say) {
  const counts = { passed: 0, failed: 0 }
  const check = (what, isGood, found = '') => {
    counts[isGood ? 'passed' : 'failed']++
    say(`${isGood ? 'PASS' : 'FAIL'} ${what}${found === '' || found === undefined ? '' : `: ${found}`}`)
  }
  check.failed = () => {
    say(`${counts.passed} passed, ${counts.failed} failed`)
    return counts.failed
  }
  return check
}

/** Copies the image to a card of 4 GiB. @returns `{file, boot, root}`, the partitions as mtools and debugfs name them. */
function openCard(image, file) {
  if (image.endsWith('.xz')) run('bash', ['-c', 'xz --decompress --stdout "$0" > "$1"', image, file])
  else copyFileSync(image, file)
  const size = statSync(file).size
  const { partitiontable } = JSON.parse(run('sfdisk', ['--json', file]))
  const [boot, root] = partitiontable.partitions.map(({ start }) => start * SECTOR)
  if (size < CARD) truncateSync(file, CARD)
  return { file, size, boot: `${file}@@${boot}`, root: `${file}?offset=${root}` }
}

const debugfs = (card, command) =>
  run('debugfs', ['-w', '-R', command, card.root], { stdio: ['ignore', 'pipe', 'ignore'] })
const readBoot = (card, name) => run('mtype', ['-i', card.boot, `::${name}`])

function putOnBoot(card, from, name) {
  run('mcopy', ['-o', '-i', card.boot, from, `::${name}`])
}

/** What must not be in an image that many computers get. @returns its time, in seconds */
function lookInside(card, check) {
  const hostKeys = debugfs(card, 'ls -p /etc/ssh')
    .split('\n')
    .filter((line) => line.includes('ssh_host_'))
  check('no SSH host keys in the image', hostKeys.length === 0)
  check('no machine id in the image', debugfs(card, 'cat /etc/machine-id').trim() === '')
  check('no engine key in the image', !/key/.test(debugfs(card, 'ls -p /var/lib/hormiga')))
  check('root is locked in the image', /^root:[!*]/m.test(debugfs(card, 'cat /etc/shadow')))
  return Number.parseInt(
    /mtime: 0x([0-9a-f]+)/.exec(debugfs(card, 'stat /usr/lib/clock-epoch'))?.[1] ?? '0',
    16,
  )
}

function plant(card) {
  const unit = '/etc/systemd/system'
  debugfs(card, `write ${join(folder, 'boot-report')} /usr/local/sbin/boot-report`)
  debugfs(card, `write ${join(folder, 'boot-report.service')} ${unit}/boot-report.service`)
  debugfs(card, `symlink ${unit}/multi-user.target.wants/boot-report.service ../boot-report.service`)
  // The console is the report's.
  debugfs(card, `symlink ${unit}/serial-getty@ttyAMA0.service /dev/null`)
}

/** Starts the card and waits until it has switched itself off. @returns the facts that it reported */
async function boot(card, { work, name, settings = {}, long = false, readOnly = false, say }) {
  for (const [from, to] of Object.entries(settings)) putOnBoot(card, join(folder, from), to)
  debugfs(
    card,
    long ? 'write /dev/null /usr/local/etc/boot-report.long' : 'rm /usr/local/etc/boot-report.long',
  )
  const config = readBoot(card, 'config.txt')
  for (const key of ['kernel=', 'initramfs ']) {
    const file = new RegExp(`^${key}(\\S+)`, 'm').exec(config)?.[1]
    if (!file) throw new ImageError(`config.txt has no "${key}"`)
    run('mcopy', ['-o', '-i', card.boot, `::${file}`, join(work, key.trim().replace('=', ''))])
  }
  const line = readBoot(card, 'cmdline.txt').trim()
  const log = join(work, `${name}.log`)
  const began = Date.now()
  const ended = await qemu([
    ...[
      '-M',
      'virt,gic-version=2',
      '-cpu',
      'cortex-a53',
      '-smp',
      '2',
      '-m',
      '512',
      '-accel',
      'tcg,thread=multi',
    ],
    ...['-kernel', join(work, 'kernel'), '-initrd', join(work, 'initramfs')],
    // An emulated machine is slow; a Raspberry Pi has no clock that goes on without power.
    ...[
      '-append',
      `${readOnly ? line.replace(' rw ', ' ro ') : line} console=ttyAMA0 loglevel=4 systemd.default_device_timeout_sec=300`,
    ],
    ...['-rtc', 'base=2000-01-01T00:00:00'],
    ...[
      '-drive',
      `if=none,id=card,file=${card.file},format=raw,cache=unsafe,readonly=${readOnly ? 'on' : 'off'}`,
    ],
    ...['-device', 'virtio-blk-pci,drive=card', '-device', 'virtio-rng-pci'],
    ...['-nic', 'none', '-display', 'none', '-monitor', 'none', '-serial', `file:${log}`, '-no-reboot'],
  ])
  const text = readFileSync(log, 'utf8').replaceAll('\r', '')
  const facts = Object.fromEntries(
    [...text.matchAll(/^HORMIGA-REPORT (\S+) (.*)$/gm)].map(([, key, value]) => [key, value.trim()]),
  )
  say(
    `--- ${name}: ${Math.round((Date.now() - began) / 1000)} s, ${ended}, engine up ${facts['started-s']} s after the kernel`,
  )
  if (facts.end !== 'ok') say(text.split('\n').slice(-40).join('\n'))
  return facts
}

function qemu(words) {
  return new Promise((done, failed) => {
    const child = spawn('qemu-system-aarch64', words, { stdio: ['ignore', 'ignore', 'inherit'] })
    let how = 'switched itself off'
    const limit = setTimeout(() => {
      how = `ended after ${MINUTES} min`
      child.kill('SIGKILL')
    }, MINUTES * 60_000)
    child.on('error', failed)
    child.on('exit', () => {
      clearTimeout(limit)
      done(how)
    })
  })
}

function judgeFirst(facts, card, epoch, check, say) {
  check('first start: reported to its end', facts.end === 'ok')
  check(
    'engine up',
    facts.state === 'active' && facts.restarts === '0',
    `${facts.state}, ${facts.restarts} restarts`,
  )
  check('engine has the two capabilities and no other', facts.caps === '0000000000003000', facts.caps)
  check('/cafetera answers', facts.cafetera?.startsWith('200 '), facts.cafetera)
  check('hormiga get cafetera/state', facts.cli !== undefined && !/error|refused/i.test(facts.cli), facts.cli)
  check(
    'root grown',
    Number(facts['size-mib']) > 3500,
    `${facts['size-mib']} MiB of a card of ${CARD / 2 ** 20}, image ${card.size / 2 ** 20}`,
  )
  check('settings: name', facts.name === 'cocina', facts.name)
  check('settings: Wi-Fi with its country', facts.wifi?.endsWith('country ES'), facts.wifi)
  check(
    'settings: SSH',
    facts.ssh === 'active' && /^[1-9]/.test(facts['ssh-keys']),
    `${facts.ssh}, host keys made: ${facts['ssh-keys']}`,
  )
  check('settings: password gone from the card', !readBoot(card, 'hormiga.toml').includes('no es secreto'))
  check(
    "settings of Imager: account, with the other's SSH key",
    facts.account?.startsWith('/home/ana:/bin/bash') && facts.authorized?.length === 16,
    facts.account,
  )
  check('settings of Imager: hash gone from the card', !readBoot(card, 'rpi-preseed.toml').includes('$6$'))
  check('first boot told no problem', readBoot(card, 'hormiga-report.txt').includes('No problems.'))
  check('journal in RAM', facts.journal === 'ram', facts.journal)
  check(
    'root: noatime, commit=60',
    /noatime/.test(facts['root-options']) && /commit=60/.test(facts['root-options']),
    facts['root-options'],
  )
  check('boot partition read-only', /^ro,/.test(facts['boot-options'] ?? ''), facts['boot-options'])
  check(
    'clock at the time of the image at least',
    epoch > 0 && Number(facts.date) >= epoch,
    `${facts.date} ≥ ${epoch}`,
  )
  check('root account locked', facts['root-account'] === 'L', facts['root-account'])
  check('no unit failed', withoutWifi(facts.failed) === '', facts.failed)
  const rss = Number(facts['rss-kib'])
  check(
    `engine ≤ ${MOST_RSS / 1024} MiB after 60 s`,
    rss > 0 && rss <= MOST_RSS,
    `VmRSS ${(rss / 1024).toFixed(1)} MiB (${facts['rss-parts']})`,
  )
  check(
    'writes are counted',
    Number(facts['seen-sectors']) >= 128,
    `${facts['seen-sectors']} sectors of 64 KiB`,
  )
  const writes = Number.parseInt(facts['idle-sectors'] ?? 'NaN', 10) / 2 / 2
  check(
    `idle writes ≤ ${MOST_WRITES} KiB/min`,
    writes <= MOST_WRITES,
    `${writes} KiB/min (${facts['idle-sectors']})`,
  )
  for (const key of ['rss-where', 'command', 'memory-kib', 'engine-writes', 'waits', 'planted'])
    say(`     ${key}: ${facts[key]}`)
}

/** QEMU has no Wi-Fi. */
function withoutWifi(units = 'unknown') {
  return units.replace(/wpa_supplicant@\S+/, '').trim()
}

function judgeSame(what, facts, first, check) {
  check(`${what}: reported to its end`, facts.end === 'ok')
  check(
    `${what}: engine up, /cafetera answers`,
    facts.state === 'active' && facts.cafetera?.startsWith('200 '),
    facts.cafetera,
  )
  const keys = [
    'name',
    'size-mib',
    'machine-id',
    'key',
    'ssh-keys',
    'authorized',
    'config',
    'wifi',
    'settings',
  ]
  const changed = keys.filter((key) => !facts[key] || facts[key] !== first[key])
  check(
    `${what}: ${keys.join(', ')} unchanged`,
    changed.length === 0,
    changed.map((key) => `${key} was ${first[key]}, is ${facts[key]}`).join('; '),
  )
}

function judgeHostile(facts, card, check, say) {
  check('hostile settings: nothing was run', facts.planted === '', facts.planted)
  const report = readBoot(card, 'hormiga-report.txt')
  const problems = report.split(/\r?\n/).filter((line) => line.startsWith('  ! '))
  check(
    'hostile settings: each is told',
    ['rpi-preseed.toml', 'name', 'wifi', 'ssh', 'engine'].every((part) =>
      problems.some((line) => line.includes(part)),
    ),
    `${problems.length} problems`,
  )
  for (const problem of problems) say(`     ${problem.trim()}`)
}

async function main([image, option, keep]) {
  if (image === undefined || (option !== undefined && (option !== '--keep' || !keep))) {
    console.error(
      'scripts/flash/boot-test IMAGE [--keep DIR]   IMAGE: .img or .img.xz; --keep: the card and the consoles stay there',
    )
    return 2
  }
  return (await bootTest(resolve(image), { keep })) === 0 ? 0 : 1
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof ImageError)) throw error
  console.error(`boot-test: ${error.message}`)
  process.exitCode = 1
}
