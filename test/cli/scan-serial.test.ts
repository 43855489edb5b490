// needs dist
// `hormiga scan serial`: ports by names that stay, who has them, and what answers there.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { askPort } from '../../src/bridges/serial/index.ts'
import { scanText } from '../../src/cli/scan-serial.ts'
import { nodeEnv } from '../../src/index.ts'
import { Board } from '../bridges/serial/pty.ts'
import { run, workFolder } from '../firmware/bench.ts'

const folder = workFolder('scan')
test.after(() => rmSync(folder, { recursive: true, force: true }))

const children: ChildProcess[] = []
test.after(() => {
  for (const child of children) child.kill('SIGKILL')
})

/** The command line; exit code and output. */
function scan(...words: string[]) {
  const args = ['dist/hormiga.js', 'scan', 'serial', ...words]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000 })
  return { status, stdout, stderr }
}

/** A robot that is a process of this machine; its port. */
async function robot(): Promise<string> {
  const program = join(folder, 'robot')
  run('extras/build', ['linux', 'robot', program])
  const child = spawn(program, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [port] = await once(createInterface({ input: child.stdout }), 'line')
  return port
}

test('a port with our link is asked: its profile, its speed and its catalogue, and what to write', async () => {
  const port = await robot()
  const { status, stdout } = scan(port, '--ask')
  assert.is(status, 0, stdout)
  // Its process has the other end of the terminal open, as a serial monitor would.
  assert.match(stdout, /is in use by robot \(process \d+\)/)
  assert.match(stdout, /jstp-serial: "robot" at 115200 bit\/s, 7 resources/)
  assert.match(stdout, /motor\/0 +GET PUT BIND +%, -100 to 100/)
  assert.match(stdout, /button +GET BIND +event/)
  assert.ok(stdout.includes(`{"profile":"jstp-serial","port":"${port}"}`), stdout)
  assert.match(stdout, /get robot\/motor\/0/)
  const { ports } = JSON.parse(scan(port, '--ask', '--json').stdout)
  assert.is(ports[0].asked.entries[2].key, 'servo')
})

test('a board that says it is Grbl, and one that says nothing', async () => {
  const env = nodeEnv({ debug() {}, info() {}, warn() {}, error() {} })
  const alive = setInterval(() => {}, 1000)
  const board = new Board()
  const path = await board.plug()
  board.heard = () => board.say(Buffer.from("\r\nGrbl 1.1h ['$' for help]\r\n"))
  assert.equal(await askPort(path, env, 1500), { profile: 'grbl' })
  board.heard = () => {}
  const { cause } = await askPort(path, env, 4000)
  assert.match(cause ?? '', /no firmware with our link answers at any speed/)
  clearInterval(alive)
  await board.end()
})

test('a port that is not there, and one that is not asked', () => {
  const gone = scan('/dev/serial/by-id/usb-nothing', '--ask')
  assert.is(gone.status, 1)
  assert.match(gone.stdout, /is not there: is it plugged in\?/)
  const refused = scan('/dev/ttyUSB0')
  assert.is(refused.status, 2)
  assert.match(refused.stderr, /hormiga scan serial \/dev\/ttyUSB0 --ask/)
  assert.match(
    scan().stdout,
    /No serial port is there|The profile is what its firmware speaks|in the configuration/,
  )
})

test('what is told of boards: names that stay, who has them, which device they are', () => {
  const shown = { serial: ['grbl', 'jstp-serial'], isAsked: false, program: 'hormiga' }
  const id = '/dev/serial/by-id/usb-Arduino_758-if00'
  const text = scanText(
    [
      {
        id,
        path: '/dev/ttyACM0',
        vendor: '2341',
        product: '0043',
        serial: '758',
        title: 'Arduino\u001b[2J Uno',
      },
      {
        id: '/dev/ttyUSB0',
        path: '/dev/ttyUSB0',
        device: 'brazo',
        obstacle: '/dev/ttyUSB0 is in use by node (process 7): end it',
      },
    ],
    shown,
  )
  assert.ok(text.startsWith(`${id}\n  Arduino\\u001b[2J Uno, usb:2341:0043:758, /dev/ttyACM0\n`), text)
  assert.match(text, /the device "brazo" of the configuration\n {2}\/dev\/ttyUSB0 is in use by node/)
  assert.match(text, /The profile is what its firmware speaks: grbl, jstp-serial/)
  assert.ok(text.includes(`"port":"${id}"`), text)
  assert.match(scanText([], shown), /No serial port is there/)
})

test.run()
