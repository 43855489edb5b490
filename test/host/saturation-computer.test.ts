// Processors, memory and heat of planted computers, with what control groups leave of them.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { toList } from '../../src/host/saturation/text.ts'
import { makePi, makeSampler } from './saturation-tree.ts'

const GROUP = '/sys/fs/cgroup'

test('CPU: the busy part of what has passed since the last look, in all and of each core', async () => {
  const computer = makePi()
  const { sample, next } = makeSampler(computer)
  const first = sample()
  assert.is(first.cpu.used, undefined, 'one look is no rate')
  assert.is(first.isWhole, false)
  assert.is(first.cpu.cores, 2)
  computer.ticks({ busy: 80, idle: 1020 }, { busy: 0, idle: 1100 })
  const { cpu, isWhole } = await next()
  assert.is(isWhole, true)
  assert.is(cpu.used, 0.4)
  assert.equal(cpu.each, [0.8, 0])
  assert.equal(cpu.load, [0.9, 0.7, 0.5])
})

test('CPU: waiting for a disk is idle, also when it runs backwards; what the host takes away is not', async () => {
  const computer = makePi()
  computer.ticks({ idle: 1000, wait: 500 })
  const { sample, next } = makeSampler(computer)
  sample()
  computer.ticks({ idle: 1040, wait: 540, steal: 20 })
  assert.is((await next()).cpu.used, 0.2)
  computer.ticks({ idle: 1040, wait: 530, steal: 20 })
  assert.is((await next()).cpu.used, undefined, 'nothing has passed')
})

test('CPU: a core that is plugged in or comes back counts from then on', async () => {
  const computer = makePi()
  const { sample, next } = makeSampler(computer)
  sample()
  computer.ticks({ busy: 50, idle: 1050 }, { idle: 1100 }, { busy: 90_000, idle: 10 })
  assert.equal((await next()).cpu.each, [0.5, 0, 0])
  computer.ticks({ busy: 100, idle: 1100 }, { idle: 1200 }, { busy: 90_100, idle: 10 })
  assert.equal((await next()).cpu.each, [0.5, 0, 1])
})

test('CPU: counters of 32 bits that start again', async () => {
  const computer = makePi()
  computer.ticks({ busy: 2 ** 32 - 30, idle: 1000 })
  const { sample, next } = makeSampler(computer)
  sample()
  computer.ticks({ busy: 20, idle: 1050 })
  assert.is((await next()).cpu.used, 0.5)
})

test('CPU: only the cores that this process may run on', async () => {
  const computer = makePi()
  computer.files['/proc/self/status'] = 'Name:\tnode\nCpus_allowed:\t2\nCpus_allowed_list:\t1\n'
  const { sample, next } = makeSampler(computer)
  sample()
  computer.ticks({ busy: 100, idle: 1000 }, { busy: 10, idle: 1090 })
  const { cpu } = await next()
  assert.is(cpu.cores, 1)
  assert.is(cpu.used, 0.1)
  assert.equal(toList('0-2,5'), [0, 1, 2, 5])
  assert.is(toList(''), undefined)
})

test('cgroup v2: a quota of half a core that is used up is a full processor', async () => {
  const computer = makePi()
  computer.mounts('179:2 / / rw overlay overlay', `0:30 / ${GROUP} ro cgroup2 cgroup`)
  computer.files['/proc/self/cgroup'] = '0::/\n'
  computer.files[`${GROUP}/cpu.max`] = '50000 100000\n'
  computer.files[`${GROUP}/cpu.stat`] = 'usage_usec 1000000\nuser_usec 900000\n'
  const { sample, next } = makeSampler(computer)
  sample()
  computer.ticks({ busy: 50, idle: 1050 }, { idle: 1100 })
  computer.files[`${GROUP}/cpu.stat`] = 'usage_usec 1450000\nuser_usec 1300000\n'
  const { cpu } = await next()
  assert.is(cpu.cores, 0.5)
  assert.is(cpu.used, 0.9)
  for (let second = 0; second < 12; second++) {
    const used = Number(/\d+/.exec(computer.files[`${GROUP}/cpu.stat`] as string)?.[0])
    computer.files[`${GROUP}/cpu.stat`] = `usage_usec ${used + 250_000}\n`
    const { cpu } = await next()
    assert.is(cpu.used, 0.5, `second ${second}: looking for limits anew loses nothing`)
  }
})

test('RAM: total and available as the kernel tells them; swap in bytes', () => {
  const { sample } = makeSampler(makePi())
  const { used, total, available, swap } = sample().ram
  assert.equal(
    { used, total, available, swap },
    { used: 0.4, total: 1_024_000_000, available: 614_400_000, swap: 1_024_000 },
  )
})

test('RAM: kernels that do not tell what is available', () => {
  const computer = makePi()
  computer.memory({ MemTotal: 1000, MemFree: 100, Buffers: 50, Cached: 250, SwapTotal: 0, SwapFree: 0 })
  assert.is(makeSampler(computer).sample().ram.used, 0.6)
})

test('cgroup v2: memory.max of a container is the total, and old pages of files are available', () => {
  const computer = makePi()
  computer.mounts('0:40 / / rw overlay overlay', `0:30 / ${GROUP} ro cgroup2 cgroup`)
  computer.files['/proc/self/cgroup'] = '0::/\n'
  computer.files[`${GROUP}/memory.max`] = '100000000\n'
  computer.files[`${GROUP}/memory.current`] = '80000000\n'
  computer.files[`${GROUP}/memory.stat`] = 'anon 40000000\ninactive_anon 1\ninactive_file 30000000\n'
  const { used, total, available } = makeSampler(computer).sample().ram
  assert.equal({ used, total, available }, { used: 0.5, total: 100_000_000, available: 50_000_000 })
})

test('cgroup v2: limits of every group around us hold, memory.high too, and the computer itself', () => {
  const computer = makePi()
  computer.mounts('179:2 / / rw ext4 /dev/mmcblk0p2', `0:30 / ${GROUP} rw cgroup2 cgroup2`)
  computer.files['/proc/self/cgroup'] = '0::/apps.slice/hormiga.service\n'
  const slice = `${GROUP}/apps.slice`
  const service = `${slice}/hormiga.service`
  computer.files[`${service}/memory.max`] = 'max\n'
  computer.files[`${service}/memory.high`] = '200000000\n'
  computer.files[`${service}/memory.current`] = '50000000\n'
  computer.files[`${slice}/memory.max`] = '400000000\n'
  computer.files[`${slice}/memory.current`] = '380000000\n'
  const tight = makeSampler(computer).sample().ram
  assert.equal([tight.total, tight.available], [200_000_000, 20_000_000])
  computer.memory({ MemTotal: 1_000_000, MemAvailable: 10_000, SwapTotal: 0, SwapFree: 0 })
  assert.is(makeSampler(computer).sample().ram.available, 10_240_000)
})

test('cgroup v2: a container that sees only its part of the tree, by a path told from outside', () => {
  for (const path of ['/docker/abc', '/../../docker/abc', '/']) {
    const computer = makePi()
    computer.mounts('0:40 / / rw overlay overlay', `0:30 /docker/abc ${GROUP} ro cgroup2 cgroup`)
    computer.files['/proc/self/cgroup'] = `1:name=systemd:/x\n0::${path}\n`
    computer.files[`${GROUP}/memory.max`] = '100000000\n'
    computer.files[`${GROUP}/memory.current`] = '50000000\n'
    assert.is(makeSampler(computer).sample().ram.total, 100_000_000, path)
    computer.files['/proc/self/cgroup'] = '0::/docker/abc/inner\n'
    computer.files[`${GROUP}/inner/memory.max`] = '70000000\n'
    computer.files[`${GROUP}/inner/memory.current`] = '50000000\n'
    assert.is(makeSampler(computer).sample().ram.total, 70_000_000, 'a group in the container')
  }
})

test('pressure: where the kernel has it, else absent', async () => {
  const computer = makePi()
  const { sample, next } = makeSampler(computer)
  assert.is(sample().cpu.pressure, undefined)
  assert.is(sample().ram.pressure, undefined)
  const text = (avg: string) =>
    `some avg10=${avg} avg60=0.50 avg300=0.10 total=1\nfull avg10=9.00 avg60=0 total=1\n`
  computer.files['/proc/pressure/cpu'] = text('2.50')
  computer.files['/proc/pressure/memory'] = text('50.00')
  const { cpu, ram } = await next()
  assert.equal([cpu.pressure, ram.pressure], [0.025, 0.5])
})

test('heat: a computer without sensors tells none, and no flags', () => {
  const { cpu } = makeSampler(makePi()).sample()
  assert.equal([cpu.temperature, cpu.throttled, cpu.undervoltage], [undefined, undefined, undefined])
})

test('heat: the zone of the processor, else its chip, else any zone; nonsense is left out', () => {
  const computer = makePi()
  const temperature = () => makeSampler(computer).sample().cpu.temperature
  computer.files['/sys/class/thermal/thermal_zone0/type'] = 'acpitz\n'
  computer.files['/sys/class/thermal/thermal_zone0/temp'] = '27800\n'
  assert.is(temperature(), 27.8)
  computer.files['/sys/class/hwmon/hwmon1/name'] = 'k10temp\n'
  computer.files['/sys/class/hwmon/hwmon1/temp1_input'] = '61000\n'
  assert.is(temperature(), 61)
  computer.files['/sys/class/thermal/thermal_zone1/type'] = 'cpu-thermal\n'
  computer.files['/sys/class/thermal/thermal_zone1/temp'] = '51234\n'
  assert.is(temperature(), 51.234)
  computer.files['/sys/class/thermal/thermal_zone1/temp'] = '-274000\n'
  assert.is(temperature(), undefined)
})

test('heat: the flags of a Pi, for this moment only', () => {
  const old = '/sys/devices/platform/soc/soc:firmware/get_throttled'
  const driver = '/sys/bus/platform/drivers/raspberrypi-firmware'
  for (const path of [old, `${driver}/soc@107c000000:firmware/get_throttled`]) {
    const computer = makePi()
    const flags = (text: string) => {
      computer.files[path] = `${text}\n`
      const { throttled, undervoltage } = makeSampler(computer).sample().cpu
      return [throttled, undervoltage]
    }
    assert.equal(flags('0'), [false, false])
    assert.equal(flags('50005'), [true, true], 'too little voltage and held back')
    assert.equal(flags('50000'), [false, false], 'both, but no longer')
    assert.equal(flags('1'), [false, true])
    assert.equal(flags('8'), [true, false], 'the soft limit of temperature')
  }
})

test('heat: the voltage alarm of the sensor, where the firmware tells nothing', () => {
  const computer = makePi()
  computer.files['/sys/class/hwmon/hwmon0/name'] = 'rpi_volt\n'
  for (const [alarm, expected] of [
    ['1', true],
    ['0', false],
  ] as const) {
    computer.files['/sys/class/hwmon/hwmon0/in0_lcrit_alarm'] = `${alarm}\n`
    const { throttled, undervoltage } = makeSampler(computer).sample().cpu
    assert.equal([throttled, undervoltage], [undefined, expected])
  }
})

test('after a suspend or a standstill the rates of that look are thrown away, those of the next are right', async () => {
  const standstills: ((rig: ReturnType<typeof makeSampler>) => Promise<void>)[] = [
    async ({ sleep }) => sleep(3_600_000),
    async ({ clock }) => clock.advance(60_000),
  ]
  for (const stand of standstills) {
    const computer = makePi()
    const rig = makeSampler(computer)
    rig.sample()
    await stand(rig)
    computer.ticks({ busy: 900, idle: 1000 }, { idle: 1000 })
    computer.traffic({ eth0: { rx: 900_000, tx: 900_000 } })
    rig.counts.dispatches = 1000
    const { isWhole, cpu, network, engine } = await rig.next()
    assert.is(isWhole, false)
    assert.equal([cpu.used, cpu.each, engine.rate], [undefined, undefined, undefined])
    assert.equal(network.eth0, { speed: 125_000_000, errors: 0 })
    computer.ticks({ busy: 1000, idle: 1000 }, { idle: 1100 })
    rig.counts.dispatches = 1850
    const after = await rig.next()
    assert.equal([after.cpu.used, after.engine.rate], [0.5, 850])
  }
})

test('a step of the wall clock is no suspend', async () => {
  const computer = makePi()
  const { clock, sample, next } = makeSampler(computer)
  sample()
  clock.wall = () => 0
  computer.ticks({ busy: 100, idle: 1000 }, { idle: 1100 })
  assert.is((await next()).cpu.used, 0.5)
})

test('macOS: what Node gives, the rest absent', async () => {
  const computer = makePi()
  computer.files = {}
  computer.platform = 'darwin'
  computer.disk('/', 0.25)
  let user = 100
  const core = () => ({ model: 'M', speed: 1, times: { user, nice: 0, sys: 0, idle: 1000 - user, irq: 0 } })
  computer.os = {
    cpus: () => [core(), core()],
    loadavg: () => [1, 2, 3],
    totalmem: () => 1000,
    freemem: () => 250,
  }
  const { sample, next } = makeSampler(computer)
  sample()
  user = 400
  const [first, second] = [await next(), await next()]
  assert.equal(first.cpu, {
    used: first.cpu.used,
    each: first.cpu.each,
    cores: 2,
    load: [1, 2, 3],
    pressure: undefined,
  })
  assert.equal(first.ram, { used: 0.75, total: 1000, available: 250, swap: undefined, pressure: undefined })
  assert.equal(first.network, {})
  assert.is(second.disk['/']?.used, 0.25)
})

test.run()
