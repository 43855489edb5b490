// time limit: 180 s
// Real ports through the real package, on pseudo terminals: opened, unplugged, busy, silent, stuck (design §4).

import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SerialLink } from '../../../src/bridges/serial/link.ts'
import { findPort, listPorts } from '../../../src/bridges/serial/port-find.ts'
import { startSerialNode } from '../../../src/bridges/serial/start.ts'
import { SystemClock } from '../../../src/core/clock.ts'
import { LinkError } from '../../../src/device/link.ts'
import { environment, Mcu, PatternOwner } from './kit.ts'
import { Board, FastClock, openFiles, until } from './pty.ts'

/** A link with what it has told. */
function watched(port: string, clock = new SystemClock()) {
  const warnings: string[] = []
  const silent = { debug() {}, info() {}, error() {}, warn: (text: string) => void warnings.push(text) }
  const link = new SerialLink({ port, speed: 115200 }, environment(clock, 1, silent))
  const told = { ups: 0, downs: [] as string[], data: Buffer.alloc(0) }
  link.open({
    up: () => void told.ups++,
    data: (bytes) => {
      told.data = Buffer.concat([told.data, bytes])
    },
    down: (cause) => void told.downs.push(cause),
  })
  return { link, told, warnings }
}

test('a pseudo terminal is a port: opened by a name that stays, bytes both ways', async () => {
  const board = new Board()
  await board.plug()
  let heard = ''
  board.heard = (bytes) => {
    heard += Buffer.from(bytes).toString()
  }
  const { link, told, warnings } = watched(board.id)
  await until('up', () => told.ups === 1)
  await link.write(Buffer.from('hola'))
  board.say(Buffer.from([0, 17, 19, 255]))
  await until('bytes', () => heard === 'hola' && told.data.length === 4)
  assert.equal([...told.data], [0, 17, 19, 255])
  await link.speed(250000)
  assert.is(link.status().speed, 250000)
  // The board's process has its own end of the terminal open, as a serial monitor would have it.
  await until('the other program named', () => warnings.length === 1)
  assert.match(warnings[0] as string, /python3.* \(process \d+\) has .* open too/)
  await link.close()
  await board.end()
})

test('a port that is not there: it says what is, and opens as soon as it is plugged in', async () => {
  const board = new Board()
  const { link, told } = watched(board.id)
  await until('told', () => told.downs.length === 1)
  assert.match(told.downs[0] as string, /is not there: is it plugged in\?/)
  let refused: unknown
  await link.write(Uint8Array.of(1)).catch((error) => {
    refused = error
  })
  assert.is((refused as LinkError).code, 'offline')
  await board.plug()
  await until('up', () => told.ups === 1, 1500)
  await link.close()
  await board.end()
})

test('unplugged: seen within 1 s; plugged in again: open again', async () => {
  const board = new Board()
  await board.plug()
  const { link, told } = watched(board.id)
  await until('up', () => told.ups === 1)
  await board.unplug()
  const ms = await until('down', () => told.downs.length === 1, 1000)
  assert.ok(ms < 1000, `${ms} ms`)
  await board.plug()
  await until('up again', () => told.ups === 2, 3000)
  await link.close()
  await board.end()
})

test('unplugged 100 times: 100 times up and asked, and neither a handle nor a timer is left', async () => {
  const board = new Board()
  const clock = new FastClock(10)
  const mcu = new Mcu(clock, (bytes) => board.say(bytes))
  board.heard = (bytes) => mcu.take(bytes)
  const owner = new PatternOwner()
  const env = environment(clock)
  const unopened = openFiles()
  const node = startSerialNode({
    name: 'robot',
    link: new SerialLink({ port: board.id, speed: 115200 }, env),
    speed: 115200,
    owner,
    env,
    answerTimeout: 10_000,
  })
  let before = 0
  let handles = 0
  let timers = 0
  for (let time = 0; time <= 100; time++) {
    await board.plug()
    mcu.start()
    await until('up', () => node.status().state === 'up')
    assert.is((await owner.ask('GET', 'sq', time)).body, time ** 2)
    if (time === 0) {
      await until('looked through all programs', () => process.getActiveResourcesInfo().every(isLasting))
      before = openFiles()
      handles = process.getActiveResourcesInfo().length
      timers = clock.pending
    }
    await board.unplug()
    // Terminals get their old names again: it is seen to be away before it is there again.
    await until('away', () => node.status().cause.includes('is not there'))
  }
  await board.plug()
  mcu.start()
  await until('up', () => node.status().state === 'up')
  await until('the files of before', () => openFiles() <= before)
  await until('the handles of before', () => process.getActiveResourcesInfo().length <= handles)
  assert.ok(clock.pending <= timers + 1, `${timers} timers before, ${clock.pending} now`)
  await node.close()
  mcu.stop()
  await until('no timer', () => clock.pending === 0)
  await until('no file', () => openFiles() <= unopened)
  await board.end()
})

/** Not what is over by itself. */
const isLasting = (kind: string) => kind !== 'FSReqPromise' && kind !== 'FSReqCallback'

test('a busy port: who has it is named, and it opens when that program ends', async () => {
  const board = new Board()
  const path = await board.plug()
  const locker = await lock(path)
  const { link, told } = watched(board.id)
  await until('told', () => told.downs.length === 1)
  assert.match(told.downs[0] as string, new RegExp(`is in use by .*python3.* \\(process ${locker.pid}\\)`))
  assert.match(told.downs[0] as string, /end it/)
  locker.kill('SIGKILL')
  await until('up', () => told.ups === 1, 4000)
  await link.close()
  await board.end()
})

test('ModemManager is told what to do about', async () => {
  const board = new Board()
  const path = await board.plug()
  const locker = await lock(path, 'ModemManager')
  const { link, told } = watched(path)
  await until('told', () => told.downs.length === 1)
  assert.match(told.downs[0] as string, /ModemManager .*systemctl mask/)
  locker.kill('SIGKILL')
  await link.close()
  await board.end()
})

test('two devices of one engine can not share a port', async () => {
  const board = new Board()
  await board.plug()
  const first = watched(board.id)
  await until('up', () => first.told.ups === 1)
  const second = watched(board.id)
  await until('told', () => second.told.downs.length === 1)
  assert.match(second.told.downs[0] as string, /in use by/)
  await second.link.close()
  await first.link.close()
  await board.end()
})

test('a board that takes no bytes: the write ends with a time-out, the port is opened anew', async () => {
  const board = new Board()
  await board.plug()
  const { link, told } = watched(board.id, new FastClock(20))
  await until('up', () => told.ups === 1)
  await board.deafen()
  const outcome = link.write(new Uint8Array(60_000)).catch((error: unknown) => error)
  const full = await link.write(new Uint8Array(10_000)).catch((error: unknown) => error)
  assert.is((full as LinkError).code, 'offline')
  const error = (await outcome) as LinkError
  assert.instance(error, LinkError)
  assert.is(error.code, 'timeout')
  assert.match(told.downs.at(-1) as string, /takes no bytes/)
  await until('open again', () => told.ups === 2)
  await link.close()
  await board.end()
})

test('something that is no port is refused in words', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hormiga-serial-'))
  writeFileSync(join(folder, 'file'), '')
  const { link, told } = watched(join(folder, 'file'))
  await until('told', () => told.downs.length === 1)
  assert.match(told.downs[0] as string, /is not a serial port/)
  await link.close()
  await rm(folder, { recursive: true })
})

test('ports are listed with the names that stay, and found by vendor, product and serial', async () => {
  const root = await mkdtemp(join(tmpdir(), 'hormiga-sys-'))
  const boards = [
    ['ttyUSB0', '1a86', '7523', undefined],
    ['ttyACM0', '2341', '0043', '758'],
    ['ttyACM1', '2341', '0043', '759'],
  ] as const
  await mkdir(join(root, 'dev/serial/by-id'), { recursive: true })
  for (const [name, vendor, product, serial] of boards) {
    const usb = join(root, 'sys/devices/usb', name)
    await mkdir(join(usb, 'interface'), { recursive: true })
    await mkdir(join(root, 'sys/class/tty', name), { recursive: true })
    await symlink(join(usb, 'interface'), join(root, 'sys/class/tty', name, 'device'))
    const files = { idVendor: vendor, idProduct: product, serial, product: `Board ${name}` }
    for (const [file, text] of Object.entries(files)) if (text) await writeFile(join(usb, file), `${text}\n`)
    await writeFile(join(root, 'dev', name), '')
  }
  await symlink('../../ttyACM0', join(root, 'dev/serial/by-id/usb-Arduino_758-if00'))
  const ports = await listPorts(root)
  assert.equal(
    ports.map(({ id }) => id),
    ['/dev/serial/by-id/usb-Arduino_758-if00', '/dev/ttyACM1', '/dev/ttyUSB0'],
  )
  assert.is(ports[0]?.title, 'Board ttyACM0')
  const wrong = async (spec: string) => findPort(spec, root).then(String, (error: Error) => error.message)
  assert.match(await wrong('usb:2341:0043'), /2 boards fit .*758.*759.*write the serial too/)
  assert.match(await wrong('usb:0403:6001'), /is not there.*There is: .*Board ttyUSB0/)
  await rm(root, { recursive: true })
})

test('a microcontroller behind a real port: found, asked, restarted, unplugged, silent', async () => {
  const board = new Board()
  const clock = new FastClock(4)
  const mcu = new Mcu(clock, (bytes) => board.say(bytes))
  board.heard = (bytes) => mcu.take(bytes)
  await board.plug()
  const owner = new PatternOwner()
  const env = environment(clock)
  const node = startSerialNode({
    name: 'robot',
    link: new SerialLink({ port: board.id, speed: 115200 }, env),
    fast: 500000,
    owner,
    env,
    answerTimeout: 10_000,
  })
  mcu.start()
  await until('up', () => node.status().state === 'up')
  assert.is(mcu.speed, 500000)
  assert.is(node.entries.length, 9)
  assert.equal((await owner.ask('PUT', 'servo/3', 45, 'a')).body, 45)
  for (let at = 0; at < 50; at++) assert.is((await owner.ask('GET', 'sq', at)).body, at * at)
  mcu.start()
  assert.is((await owner.ask('GET', 'sq', 5)).body, 25)
  await board.unplug()
  await until('down', () => node.status().state === 'down', 1000)
  mcu.stop()
  await board.plug()
  mcu.start()
  await until('up again', () => node.status().state === 'up', 4000)
  mcu.isDead = true
  await until('silent', () => node.status().state === 'silent', 8000)
  await node.close()
  mcu.stop()
  await board.end()
})

/** A program with a name that has the port and its lock. */
async function lock(path: string, name = ''): Promise<ChildProcess> {
  const program = `
import fcntl, os, sys, time
if ${JSON.stringify(name)}: open('/proc/self/comm', 'w').write(${JSON.stringify(name)})
fd = os.open(${JSON.stringify(path)}, os.O_RDWR | os.O_NOCTTY)
fcntl.flock(fd, fcntl.LOCK_EX)
print('locked', flush=True)
time.sleep(60)`
  const child = spawn('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => child.stdout?.once('data', resolve))
  return child
}

test.run()
