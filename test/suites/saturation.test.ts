// time limit: 180 s
// alone
// The figures of this computer under load agree with tools that others have written, cost next to nothing, and start no
// process; what is given to Prometheus is what promtool takes.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { build } from 'esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemClock } from '../../src/core/clock.ts'
import { prometheus } from '../../src/host/saturation/index.ts'
import { Judge, THRESHOLDS } from '../../src/host/saturation/judge.ts'
import { metricsOf } from '../../src/host/saturation/metrics.ts'
import { meterProcess } from '../../src/host/saturation/process-meter.ts'
import { type Reading, Sampler } from '../../src/host/saturation/sampler.ts'
import { realSources } from '../../src/host/saturation/sources.ts'
import { compose } from '../../src/host/saturation/value.ts'

/** Other work on the same machine may fall between two looks: then another window is compared. */
const WINDOWS = 3
const SECONDS = 4
const TOLERANCE = 0.02
const LINK = 'hmgsat0'
const SPACE = 'hmgsat'

const folder = mkdtempSync(join(tmpdir(), 'saturation-'))
const children = new Set<ChildProcess>()

function start(command: string, words: string[]): ChildProcess {
  const child = spawn(command, words, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, LC_ALL: 'C' },
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

async function output(command: string, words: string[]): Promise<string> {
  const child = start(command, words)
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const [code] = await once(child, 'close')
  assert.is(code, 0, `${command} ${words.join(' ')}`)
  return text
}

function run(command: string, ...words: string[]): string {
  return execFileSync(command, words, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
}

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  removeLink()
  rmSync(folder, { recursive: true, force: true })
})

function makeSampler() {
  const clock = new SystemClock()
  const sources = realSources()
  const meter = meterProcess(clock)
  const counts = () => ({ channels: 0, subscriptions: 0, queued: 0 })
  const sampler = new Sampler({ sources, clock, meter, counts, disks: [], speeds: {} })
  const close = () => {
    meter.close()
    sources.close()
  }
  return { clock, sample: () => sampler.sample(), close }
}

/** Compares once, and again where it does not agree; what did not the last time. */
async function agree(
  compare: () => Promise<[what: string, ours: number, theirs: number, allowed: number][]>,
) {
  for (let window = 1; ; window++) {
    const pairs = await compare()
    const wrong = pairs.filter(([, ours, theirs, allowed]) => !(Math.abs(ours - theirs) <= allowed))
    if (wrong.length === 0) {
      for (const [what, ours, theirs] of pairs)
        console.log(`note: ${what}: ${short(ours)}, the tool ${short(theirs)}`)
      return
    }
    if (window === WINDOWS) {
      assert.equal(wrong, [], 'figures do not agree')
    }
  }
}

function short(value: number): string {
  return Math.abs(value) < 1000 ? value.toFixed(3) : String(Math.round(value))
}

test('under load: mpstat, vmstat, free, df and iostat say the same within 2 %', async () => {
  const load = start('stress-ng', [
    ...['--temp-path', folder, '--timeout', '60', '--quiet', '--cpu', '1', '--cpu-load', '30'],
    ...['--vm', '1', '--vm-bytes', '512M', '--vm-keep', '--hdd', '1', '--hdd-bytes', '64M'],
  ])
  const { sample, close } = makeSampler()
  await pause(3000)
  await agree(async () => {
    sample()
    const [mpstat, vmstat] = await Promise.all([
      output('mpstat', ['-P', 'ALL', '-o', 'JSON', String(SECONDS), '1']),
      output('vmstat', ['-n', String(SECONDS), '2']),
    ])
    const { cpu, isWhole } = sample()
    assert.ok(isWhole)
    const before = sample()
    const free = run('free', '-b', '-w')
    const df = run('df', '-B1', '--output=size,used,avail,itotal,iused', '/')
    const written = writtenByIostat(before)
    const after = sample()
    const cores = coresOfMpstat(mpstat)
    return [
      ['CPU used against mpstat', cpu.used ?? -1, cores.get('all') ?? -2, TOLERANCE],
      ...(cpu.each ?? []).map((used, core): [string, number, number, number] => {
        return [`core ${core} against mpstat`, used, cores.get(String(core)) ?? -2, TOLERANCE]
      }),
      ['CPU used against vmstat', cpu.used ?? -1, usedOfVmstat(vmstat), TOLERANCE],
      ...compareMemory(before, after, free),
      ...compareDisk(before, after, df),
      ...compareWritten(before, after, written),
    ]
  })
  close()
  load.kill()
})

/** The figure of the tool, moved into what ours was around it. */
function between(what: string, ours: [number, number], theirs: number): [string, number, number, number] {
  const nearest = Math.min(Math.max(theirs, Math.min(...ours)), Math.max(...ours))
  return [what, nearest, theirs, TOLERANCE * theirs]
}

function coresOfMpstat(json: string): Map<string, number> {
  const cores = JSON.parse(json).sysstat.hosts[0].statistics[0]['cpu-load']
  return new Map(
    cores.map(({ cpu, idle, iowait }: { cpu: string; idle: number; iowait: number }) => [
      cpu,
      (100 - idle - iowait) / 100,
    ]),
  )
}

function usedOfVmstat(text: string): number {
  const [names = [], values = []] = text
    .trim()
    .split('\n')
    .filter((_, line) => line === 1 || line === 3)
    .map(words)
  const value = (name: string) => Number(values[names.indexOf(name)])
  return (100 - value('id') - value('wa')) / 100
}

function compareMemory(before: Reading, after: Reading, text: string) {
  const [heads = [], memory = [], swap = []] = text.trim().split('\n').map(words)
  const value = (name: string) => Number(memory[heads.indexOf(name) + 1])
  const used = ({ ram }: Reading) => (ram.used as number) * (ram.total as number)
  const both = (read: (reading: Reading) => number): [number, number] => [read(before), read(after)]
  return [
    between(
      'RAM total against free',
      both(({ ram }) => ram.total as number),
      value('total'),
    ),
    between(
      'RAM available against free',
      both(({ ram }) => ram.available as number),
      value('available'),
    ),
    between('RAM used against free', both(used), value('total') - value('available')),
    between(
      'swap used against free',
      both(({ ram }) => ram.swap as number),
      Number(swap[2]),
    ),
  ]
}

function compareDisk(before: Reading, after: Reading, text: string) {
  const [size = 0, used = 0, free = 0, inodes = 0, inodesUsed = 0] = words(text.split('\n')[1] ?? '').map(
    Number,
  )
  const both = (key: 'used' | 'total' | 'free' | 'inodes'): [number, number] => {
    return [before.disk['/']?.[key] ?? Number.NaN, after.disk['/']?.[key] ?? Number.NaN]
  }
  return [
    between('disk size against df', both('total'), size),
    between('disk used against df', both('used'), used / (used + free)),
    between('disk free against df', both('free'), free),
    ...(inodes > 0 ? [between('inodes used against df', both('inodes'), inodesUsed / inodes)] : []),
  ]
}

/** Bytes, by the disk that `/` is on; `undefined` where it is on none. */
function writtenByIostat({ disk }: Reading): number | undefined {
  if (disk['/']?.written === undefined) return undefined
  const device = run('findmnt', '-no', 'SOURCE', '/').trim()
  const line = run('iostat', '-dkp', 'ALL')
    .split('\n')
    .map(words)
    .find(([name]) => `/dev/${name}` === device)
  return line && Number(line[6]) * 1024
}

function compareWritten(before: Reading, after: Reading, written: number | undefined) {
  if (written === undefined) return []
  const both: [number, number] = [before.disk['/']?.written as number, after.disk['/']?.written as number]
  return [between('bytes written against iostat', both, written)]
}

function words(line: string): string[] {
  return line.trim().split(/\s+/)
}

/** Two ends of a wire: one here, one in a room of its own. @throws where this user may not make them */
function makeLink(): void {
  removeLink()
  run('ip', 'netns', 'add', SPACE)
  run('ip', 'link', 'add', LINK, 'type', 'veth', 'peer', 'name', 'far', 'netns', SPACE)
  run('ip', 'addr', 'add', '10.213.77.1/30', 'dev', LINK)
  run('ip', 'link', 'set', LINK, 'up')
  run('ip', '-n', SPACE, 'addr', 'add', '10.213.77.2/30', 'dev', 'far')
  run('ip', '-n', SPACE, 'link', 'set', 'far', 'up')
}

function removeLink(): void {
  spawnSync('ip', ['link', 'del', LINK], { stdio: 'ignore' })
  spawnSync('ip', ['netns', 'del', SPACE], { stdio: 'ignore' })
}

/** Some 25 MB/s of datagrams to an address. */
function send(address: string): string {
  return `
    const socket = require('node:dgram').createSocket('udp4')
    const bytes = Buffer.alloc(1400)
    socket.on('error', () => {})
    setInterval(() => { for (let i = 0; i < 180; i++) socket.send(bytes, 9, '${address}') }, 10)`
}

test('under load: ip -s link says the same within 2 %, both ways', async () => {
  try {
    makeLink()
  } catch (error) {
    console.log('skip: no right to make network interfaces on this machine')
    console.log(String(error))
    return
  }
  const senders = [
    start('ip', ['netns', 'exec', SPACE, process.execPath, '-e', send('10.213.77.1')]),
    start(process.execPath, ['-e', send('10.213.77.2')]),
  ]
  const { clock, sample, close } = makeSampler()
  const count = () => JSON.parse(run('ip', '-s', '-j', 'link', 'show', 'dev', LINK))[0].stats64
  await pause(1500)
  await agree(async () => {
    sample()
    const [from, before] = [clock.now(), count()]
    await pause(SECONDS * 1000)
    const { network } = sample()
    const [seconds, after] = [(clock.now() - from) / 1000, count()]
    const { rx = -1, tx = -1, used = -1, speed = -1, errors } = network[LINK] ?? {}
    const theirs = (way: 'rx' | 'tx') => (after[way].bytes - before[way].bytes) / seconds
    const allowed = TOLERANCE * theirs('rx')
    return [
      ['bytes in per second against ip -s link', rx, theirs('rx'), allowed],
      ['bytes out per second against ip -s link', tx, theirs('tx'), TOLERANCE * theirs('tx')],
      [
        'part of the link against ip -s link',
        used,
        Math.max(theirs('rx'), theirs('tx')) / speed,
        TOLERANCE * used,
      ],
      ['errors', errors ?? -1, after.rx.errors + after.tx.errors, 0],
      ['there was a load, MB/s', Math.min(theirs('rx'), 1e6) / 1e6, 1, 0],
    ]
  })
  close()
  for (const sender of senders) sender.kill('SIGKILL')
  removeLink()
})

async function buildProbe(): Promise<string> {
  const probe = join(folder, 'probe.mjs')
  await build({
    entryPoints: ['test/suites/saturation-probe.ts'],
    outfile: probe,
    bundle: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'silent',
  })
  return probe
}

test('the cost at 1 Hz is at most half a percent of one core', async () => {
  const probe = await buildProbe()
  const measure = async (what: string) => JSON.parse(await output(process.execPath, [probe, '15', what]))
  let percent = Number.POSITIVE_INFINITY
  for (let window = 1; window <= WINDOWS && percent > 0.5; window++) {
    const [busy, idle] = await Promise.all([measure('sample'), measure('rest')])
    assert.ok(busy.samples >= 7, `${busy.samples} samples`)
    const micros = busy.micros - idle.micros
    percent = micros / busy.ms / 10
    const each = Math.round(micros / busy.samples)
    console.log(`note: saturation at 1 Hz costs ${percent.toFixed(3)} % of one core, ${each} µs each second`)
  }
  assert.ok(percent <= 0.5, `${percent} %`)
  const { sample, close } = makeSampler()
  for (let turn = 0; turn < 500; turn++) sample()
  const before = process.cpuUsage()
  for (let turn = 0; turn < 2000; turn++) sample()
  const { user, system } = process.cpuUsage(before)
  console.log(`note: one look costs ${Math.round((user + system) / 2000)} µs when it is warm`)
  close()
})

/** Processes that a probe starts, as strace sees it; threads are none. */
async function countProcesses(probe: string, what: string): Promise<number> {
  const log = join(folder, `${what}.strace`)
  const traced = 'trace=clone,clone3,fork,vfork,execve,execveat'
  await output('strace', ['-f', '-qq', '-e', traced, '-o', log, process.execPath, probe, '2', what])
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  assert.match(lines[0] as string, /execve\(.*node/, 'strace has seen the start')
  assert.ok(
    lines.some((line) => line.includes('CLONE_THREAD')),
    'and the threads of Node',
  )
  return lines.slice(1).filter((line) => !line.includes('CLONE_THREAD') && !line.includes('resumed>')).length
}

test('strace: no child process, neither by clone, fork nor execve', async () => {
  const probe = await buildProbe()
  assert.ok((await countProcesses(probe, 'spawn')) >= 2, 'one that starts a child is found out')
  assert.is(await countProcesses(probe, 'sample'), 0)
})

test('promtool takes what /metrics gives, without a complaint', async () => {
  const { sample, close } = makeSampler()
  sample()
  await pause(1000)
  const reading = sample()
  close()
  const saturation = compose(reading, new Judge(THRESHOLDS).judge(metricsOf(reading), 0), false)
  Object.assign(saturation.cpu, { temperature: 51.2, throttled: false, undervoltage: true })
  Object.assign(saturation.disk, {
    'odd "\\\n': { used: 1, total: 1, free: 0, written: 5, inodes: 0, readonly: true },
  })
  Object.assign(saturation.network, { wlan0: { used: 0, rx: 1, tx: 2, speed: 3, errors: 4 } })
  const text = prometheus({
    name: 'cocina',
    version: '0.1.0',
    uptime: 1234,
    saturation,
    meters: { 'drop.report': 1, 'refused.404': 2 },
    devices: { cafetera: { state: 'up', age: 1, counters: { broken: 0 } } },
  })
  const check = (input: string) => spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
  const { status, stdout, stderr } = check(text)
  assert.equal([status, stdout, stderr], [0, '', ''])
  assert.is.not(check(`${text}hormiga_x{a="b" 1\n`).status, 0, 'a broken line is found')
  assert.is.not(check(text.replace(/^# HELP hormiga_state .*\n/m, '')).status, 0, 'so is a missing help')
  const families = text.match(/^# TYPE /gm)?.length ?? 0
  console.log(`note: promtool has checked ${families} families of /metrics`)
  assert.ok(families > 35, `${families} families`)
})

test.run()
