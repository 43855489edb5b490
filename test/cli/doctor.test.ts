// needs dist
// `hormiga doctor` against planted faults: trees of files as a Raspberry Pi has them, ports and brokers that are not there.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bluetoothCheck } from '../../src/cli/doctor/bluetooth.ts'
import { BROKER } from '../../src/cli/doctor/broker.ts'
import { CARD, clockCheck, MEMORY, NETWORK, POWER } from '../../src/cli/doctor/computer.ts'
import { type Check, Machine } from '../../src/cli/doctor/machine.ts'
import { SERIAL } from '../../src/cli/doctor/serial.ts'
import { type Config, readConfig } from '../../src/host/config.ts'

const PROFILES = {
  'delonghi-ecam': { medium: 'ble' as const, options: {} },
  grbl: { medium: 'serial' as const, options: {} },
  'mqtt-discovery': { medium: 'mqtt' as const, options: {} },
}
const BLUETOOTH = bluetoothCheck((profile) => profile === 'delonghi-ecam')
const CAFETERA = { devices: { cafetera: { profile: 'delonghi-ecam' } } }
const NEW = Date.UTC(2030, 0)

const test = suite('doctor', { root: '' })
test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), 'hormiga-doctor-'))
})
test.after.each(({ root }) => rmSync(root, { recursive: true, force: true }))

/** Writes files below the folder. */
function plant(root: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}

const read = (config: object): Config => readConfig(JSON.stringify(config), '/h.json', PROFILES)

/** What a check finds, a line each: `fault found → fix`. */
async function look(check: Check, root: string, config: object = {}): Promise<string[]> {
  const findings = await check.look({ machine: new Machine(root), config: read(config) })
  return findings.map(({ state, found, fix }) => [state, found, ...(fix ? ['→', fix] : [])].join(' '))
}

async function says(check: Check, root: string, pattern: RegExp, config: object = {}): Promise<void> {
  const lines = await look(check, root, config)
  assert.ok(
    lines.some((line) => pattern.test(line)),
    `${pattern} is not in:\n${lines.join('\n')}`,
  )
}

test('Bluetooth: no adapter, and why', async ({ root }) => {
  await says(BLUETOOTH, root, /^fault .*no driver .* modprobe/, CAFETERA)
  plant(root, { 'proc/modules': 'hci_uart 61440 0 - Live\n' })
  await says(BLUETOOTH, root, /^fault there is no adapter in .* → plug one in/, CAFETERA)
  plant(root, { 'boot/firmware/config.txt': 'arm_64bit=1\ndtoverlay=disable-bt\n' })
  await says(BLUETOOTH, root, /^fault .*says "dtoverlay=disable-bt" → take that line out/, CAFETERA)
})

test('Bluetooth: a block, another program, rights, another adapter', async ({ root }) => {
  plant(root, {
    'sys/class/bluetooth/hci0/address': 'aa',
    'sys/class/rfkill/rfkill0/type': 'bluetooth\n',
    'sys/class/rfkill/rfkill0/name': 'hci0\n',
    'sys/class/rfkill/rfkill0/soft': '0\n',
    'sys/class/rfkill/rfkill0/hard': '0\n',
    'proc/7/cmdline': 'node\0/usr/lib/hormiga/hormiga.js\0run\0',
    'proc/7/comm': 'node\n',
    'proc/7/status': 'Name:\tnode\nCapEff:\t0000000000003000\n',
  })
  assert.equal(await look(BLUETOOTH, root, CAFETERA), ['ok hci0: not blocked, nobody else uses it'])
  plant(root, { 'proc/7/status': 'CapEff:\t0000000000002000\n', 'proc/9/comm': 'bluetoothd\n' })
  await says(BLUETOOTH, root, /^fault the engine \(process 7\) lacks CAP_NET_ADMIN .* → .*setcap/, CAFETERA)
  await says(BLUETOOTH, root, /^warning bluetoothd runs.* → sudo systemctl disable/, CAFETERA)
  plant(root, { 'sys/class/rfkill/rfkill0/soft': '1\n' })
  await says(BLUETOOTH, root, /^fault hci0 is blocked .* → sudo rfkill unblock bluetooth/, CAFETERA)
  plant(root, { 'sys/class/rfkill/rfkill0/hard': '1\n' })
  await says(BLUETOOTH, root, /^fault hci0 is blocked by a hardware switch/, CAFETERA)
  await says(BLUETOOTH, root, /^fault there is no hci3, but hci0/, {
    ...CAFETERA,
    bluetooth: { source: 'hci3' },
  })
})

test('Bluetooth is looked at only by who needs it', async ({ root }) => {
  assert.equal(await look(BLUETOOTH, root, {}), [])
  const simulated = { devices: { cafetera: { profile: 'delonghi-ecam', simulated: true } } }
  assert.equal(await look(BLUETOOTH, root, simulated), [])
  assert.equal(await look(BLUETOOTH, root, { ...CAFETERA, bluetooth: { source: 'tcp:h:1' } }), [])
})

test('serial: a port that is not there, is none, is the console, or has a name that changes', async ({
  root,
}) => {
  const robot = (port: string) => ({ devices: { robot: { profile: 'grbl', port } } })
  await says(SERIAL, root, /^fault robot: .*ttyUSB0 is not there.* → plug it in/, robot('/dev/ttyUSB0'))
  plant(root, { 'dev/ttyUSB0': '' })
  await says(SERIAL, root, /^fault robot: .* is not a serial port but a file/, robot('/dev/ttyUSB0'))
  await says(SERIAL, root, /^fault robot: usb:2341:0043 is not there/, robot('usb:2341:0043'))
  assert.equal(await look(SERIAL, root, {}), [])
})

test('serial: this computer’s own terminals, with the programs that take ports away', async ({ root }) => {
  plant(root, { 'proc/8/comm': 'ModemManager\n', 'proc/9/comm': 'brltty\n' })
  const robot = { devices: { robot: { profile: 'grbl', port: '/dev/ttyAMA0' } } }
  await says(SERIAL, root, /^warning ModemManager runs.* → sudo systemctl mask/, robot)
  await says(SERIAL, root, /^warning brltty runs.* → sudo apt remove brltty/, robot)
  const terminal = { devices: { robot: { profile: 'grbl', port: '/dev/tty' } } }
  await says(SERIAL, '/', /robot: /, terminal)
})

test('brokers: nobody listens, one that does, and a password that can’t be read', async ({ root }) => {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  const at = (more = {}) => ({ mqtt: { broker: `mqtt://127.0.0.1:${port}`, ...more } })
  await says(BROKER, '/', /^ok a broker listens at 127\.0\.0\.1/, at())
  await says(
    BROKER,
    '/',
    /^fault passwordFile: .*nowhere can't be read/,
    at({ passwordFile: `${root}/nowhere` }),
  )
  await new Promise((done) => server.close(done))
  await says(BROKER, '/', /^fault no broker answers at .*ECONNREFUSED.* → .*mosquitto/, at())
})

test('power: too weak now, too weak before, held back, hot, well, and a computer that does not tell', async ({
  root,
}) => {
  assert.equal(await look(POWER, root), ['unknown this computer tells neither voltage nor temperature'])
  const flags = 'sys/devices/platform/soc/soc:firmware/get_throttled'
  plant(root, {
    [flags]: '0\n',
    'sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
    'sys/class/thermal/thermal_zone0/temp': '51200\n',
  })
  assert.equal(await look(POWER, root), ['ok 51 °C'])
  plant(root, { [flags]: '50005\n', 'sys/class/thermal/thermal_zone0/temp': '84000\n' })
  await says(POWER, root, /^fault the supply is too weak now → use the supply/)
  await says(POWER, root, /^warning the processor is held back/)
  await says(POWER, root, /^warning the processor is at 84 °C/)
  plant(root, { [flags]: '10000\n' })
  await says(POWER, root, /^warning the supply was too weak at times/)
})

test('clock: older than the program, unvouched for, synchronized', async ({ root }) => {
  plant(root, { 'proc/uptime': '1 1\n' })
  await says(clockCheck(1000, NEW), root, /^fault the clock says 1970-01-01, .* → sudo timedatectl/)
  await says(clockCheck(NEW, NEW), root, /^warning .*nothing vouches/)
  plant(root, { 'run/systemd/timesync/synchronized': '' })
  await says(clockCheck(NEW, NEW), root, /^ok /)
})

test('card: read-only, with errors, worn out, well', async ({ root }) => {
  const mounts = (options: string) => ({
    'proc/mounts': `proc /proc proc rw 0 0\n/dev/mmcblk0p2 / ext4 ${options} 0 0\n`,
  })
  plant(root, { ...mounts('rw,noatime'), 'sys/fs/ext4/mmcblk0p2/errors_count': '0\n' })
  assert.equal(
    (await look(CARD, root)).map((line) => line.slice(0, 3)),
    ['ok '],
  )
  plant(root, {
    ...mounts('ro,noatime'),
    'sys/fs/ext4/mmcblk0p2/errors_count': '3\n',
    'sys/block/mmcblk0/device/life_time': '0x01 0x0a\n',
    'sys/block/mmcblk0/device/pre_eol_info': '0x01\n',
  })
  await says(CARD, root, /^fault \/ \(\/dev\/mmcblk0p2, ext4\) is mounted read-only/)
  await says(CARD, root, /^fault the file system of mmcblk0p2 has had 3 errors/)
  await says(CARD, root, /^warning the card mmcblk0 says that it is nearly worn out \(life_time 10/)
})

test('memory and network', async ({ root }) => {
  const memory = (available: number) => ({
    'proc/meminfo': `MemTotal: 1000 kB\nMemAvailable: ${available} kB\n`,
  })
  plant(root, { ...memory(500), 'proc/vmstat': 'oom_kill 0\n' })
  assert.equal(await look(MEMORY, root), ['ok 50 % of the memory is free'])
  plant(root, { ...memory(50), 'proc/vmstat': 'nr 1\noom_kill 2\n' })
  await says(MEMORY, root, /^warning only 5 % of the memory is free/)
  await says(MEMORY, root, /^warning the kernel has ended 2 programs/)
  const head = 'Iface\tDestination\tGateway\n'
  plant(root, { 'proc/net/route': `${head}eth0\t00000000\t0100A8C0\n` })
  assert.equal(await look(NETWORK, root), ['ok there is a way out of this network'])
  plant(root, {
    'proc/net/route': `${head}eth0\t0000A8C0\t00000000\n`,
    'sys/class/rfkill/rfkill1/type': 'wlan\n',
    'sys/class/rfkill/rfkill1/soft': '1\n',
  })
  await says(NETWORK, root, /^warning Wi-Fi is blocked .*until its country is set → sudo raspi-config/)
  await says(NETWORK, root, /^warning there is no default route/)
})

test('the command: a line for each finding, exit code 1 for a fault, and JSON', async ({ root }) => {
  const run = (...words: string[]) =>
    new Promise<[code: number, out: string]>((done) => {
      const program = [resolve('dist/hormiga.js'), 'doctor', '--config', join(root, 'h.json'), ...words]
      execFile(process.execPath, program, (error, out) => done([Number(error?.code ?? 0), out]))
    })
  plant(root, { 'h.json': '{ "nmae": "x" }' })
  const [code, out] = await run('--state', join(root, 'state'))
  assert.is(code, 1)
  assert.match(out, /FAULT {3}configuration: .*h\.json:1:3: nmae: .*Did you mean "name"\?\n +→ mend it/s)
  plant(root, { 'h.json': '{ "listen": { "tcp": "127.0.0.1:1" } }' })
  const [fails, json] = await run('--state', join(root, 'state'), '--json')
  assert.is(fails, 1)
  const findings: { check: string; state: string; fix?: string }[] = JSON.parse(json)
  assert.is(findings.find(({ check }) => check === 'engine')?.state, 'fault')
  for (const { state, fix } of findings) assert.is(fix !== undefined, ['warning', 'fault'].includes(state))
  plant(root, { 'h.json': '{ "listen": { "tcp": false } }' })
  assert.is((await run('--state', join(root, 'state')))[0], 0)
})

test.run()
