// heavy
// time limit: 180 s
// The firmware as Debian's compiler makes it for an ATmega328P: how much flash and memory it takes, and what it does,
// instruction by instruction in an emulator, over a cable that damages bytes.

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { run, workFolder } from './bench.ts'
import { type Cable, encode, Host, noisyCable } from './host.ts'
import { clockHz, Uno } from './uno.ts'

const flashLimit = 4096
const memoryLimit = 600
const msCycles = clockHz / 1000

const folder = workFolder('avr')
test.after(() => rmSync(folder, { recursive: true, force: true }))

const hexOf = (sketch: string): string => {
  const out = join(folder, sketch.replaceAll(/\W/g, '-'))
  run('extras/build', ['avr', sketch, out])
  return readFileSync(`${out}.hex`, 'utf8')
}

/** Flash and static memory, as avr-size tells them. */
function sizeOf(elf: string): { flash: number; memory: number } {
  const [text = 0, data = 0, bss = 0] = (run('avr-size', [elf]).split('\n')[1] ?? '')
    .trim()
    .split(/\s+/)
    .map(Number)
  return { flash: text + data, memory: data + bss }
}

/** A board with a program and a host at the other end of the cable, both in the board's time. */
function onCable(hex: string, out: Cable = (byte) => [byte], back: Cable = out) {
  const uno = new Uno(hex)
  const start = uno.cpu.cycles
  const host = new Host({
    now: () => (uno.cpu.cycles - start) / msCycles,
    write: (bytes) => uno.send(Buffer.from([...bytes].flatMap(out))),
    pass: (ms) => uno.run(ms * msCycles),
  })
  uno.onByte = (byte) => {
    for (const arrived of back(byte)) host.receive(arrived)
  }
  return { uno, host }
}

const statsOf = async (host: Host) => (await host.ask(1, ['stats']))[1] as { commands: number; free: number }

test('core and board take at most 4 KB of flash and 600 bytes of memory', () => {
  hexOf('test/smallest.c')
  const empty = join(folder, 'empty')
  writeFileSync(`${empty}.c`, 'int main(void) { for (;;) {} }\n')
  run('avr-gcc', ['-Os', '-mmcu=atmega328p', `${empty}.c`, '-o', `${empty}.elf`])
  const node = sizeOf(join(folder, 'test-smallest-c.elf'))
  const nothing = sizeOf(`${empty}.elf`)
  const flash = node.flash - nothing.flash
  const memory = node.memory - nothing.memory
  console.log(
    `note: link and board on an ATmega328P: ${flash} B flash, ${memory} B memory (smallest node, less an empty program)`,
  )
  assert.ok(flash <= flashLimit, `${flash} B of flash, at most ${flashLimit}`)
  assert.ok(memory <= memoryLimit, `${memory} B of memory, at most ${memoryLimit}`)
})

test('catalogue, GET, PUT, POST, limits, BIND: the robot does what is asked', async () => {
  const { uno, host } = onCable(hexOf('robot'))
  await host.connect()
  assert.is(host.name, 'robot')
  const rows: unknown[][] = []
  for (let page: unknown[][] = [[]]; page.length > 0; rows.push(...page)) {
    page = (await host.ask(1, [], rows.length))[1] as unknown[][]
  }
  assert.equal(rows[2], [2, ['servo'], 37, 'deg', 0, 180])
  assert.equal(
    rows.map(([alias]) => alias),
    [0, 1, 2, 3, 4, 5, 6],
  )
  assert.equal(await host.ask(3, ['servo'], 45), [200, 45])
  assert.is(uno.pulse, 544 + 465)
  assert.equal(await host.ask(3, ['servo'], 181), [400, null])
  assert.equal(await host.ask(3, ['motor', 0], 50), [200, 50])
  assert.equal(await host.ask(3, ['motor', 1], -100), [200, -100])
  assert.equal(uno.motors, [127, 255])
  assert.equal(await host.ask(6, ['motor', 0], 20), [200, null])
  assert.equal(await host.ask(2, ['stop']), [200, true])
  assert.equal(uno.motors, [0, 0])
  await host.idle(50)
  assert.equal(host.events, [
    [4, 0, 0, 50],
    [4, 0, 0, 0],
  ])
  assert.equal(await host.ask(3, ['motor', 0], 50), [400, 'stopped'])
  assert.equal(await host.ask(3, ['stop'], false), [200, false])
  assert.equal(await host.ask(1, ['nada']), [404, null])
  assert.is((await statsOf(host)).commands, 5)
  assert.is(uno.overruns, 0)
})

test('the emergency stop button stops the motors without the host, and is reported', async () => {
  const { uno, host } = onCable(hexOf('robot'))
  await host.connect()
  await host.ask(6, ['button'])
  await host.ask(3, ['motor', 0], 80)
  assert.is(uno.motors[0], 204)
  uno.portD.setPin(3, false)
  await host.idle(5)
  assert.equal(uno.motors, [0, 0])
  assert.equal(host.events, [[4, 0, 5, 1]])
  assert.equal(await host.ask(3, ['stop'], false), [400, null])
  uno.portD.setPin(3, true)
  assert.equal(await host.ask(3, ['stop'], false), [200, false])
})

test('silence: the motors are off 5 s after the last good frame, noise or not', async () => {
  const { uno, host } = onCable(hexOf('robot'))
  await host.connect()
  await host.ask(3, ['motor', 0], 80)
  uno.run(4900 * msCycles)
  assert.is(uno.motors[0], 204)
  uno.send(Buffer.from('00c3c3c300', 'hex'))
  uno.run(150 * msCycles)
  assert.equal(uno.motors, [0, 0])
  await host.connect()
  assert.equal(await host.ask(1, ['motor', 0]), [200, 0])
})

test('a reset in the middle of a command: up again with a new boot id, motors off', async () => {
  const { uno, host } = onCable(hexOf('robot'))
  await host.connect()
  const { boot } = host
  await host.ask(3, ['motor', 0], 80)
  host.start(3, ['servo'], 10)
  uno.run(1 * msCycles)
  uno.reset()
  assert.equal(uno.motors, [0, 0])
  await host.connect()
  assert.is.not(host.boot, boot)
  assert.is((await statsOf(host)).commands, 0)
})

test('the speed changes, and comes back when the new one does not work', async () => {
  const { uno, host } = onCable(hexOf('robot'))
  await host.connect()
  const slow = uno.cyclesPerByte
  assert.ok(await host.setSpeed(1_000_000))
  await host.idle(5)
  assert.is(uno.cyclesPerByte, 160)
  assert.ok(await host.ping())
  assert.equal(await host.ask(3, ['servo'], 5), [200, 5])
  assert.ok(await host.setSpeed(500_000))
  await host.idle(1005)
  assert.is(uno.cyclesPerByte, slow)
  await host.connect()
  assert.equal(await host.ask(1, ['servo']), [200, 5])
  assert.not.ok(await host.setSpeed(230_400))
})

test('a GET by its path and the answer, 28 bytes, take at most 2.6 ms at 115200 and 0.40 ms at 1 M, wire and chip', async () => {
  for (const [speed, limit] of [
    [115_200, 2.6],
    [1_000_000, 0.4],
  ] as const) {
    const { uno, host } = onCable(hexOf('test/smallest.c'))
    await host.connect()
    if (speed !== 115_200) assert.ok(await host.setSpeed(speed))
    await host.idle(5)
    let bytes = 0
    let ended = 0
    uno.onByte = () => {
      bytes++
      ended = uno.cpu.cycles
    }
    const request = encode(Buffer.from([0x00, host.session, ...Buffer.from('83010581636c6564', 'hex')]))
    assert.is(request.length, 15)
    const begun = uno.cpu.cycles
    uno.send(request)
    uno.run(10 * msCycles)
    assert.is(bytes, 13)
    const ms = (ended - begun) / msCycles
    const chip = ((ended - begun - 28 * uno.cyclesPerByte) / clockHz) * 1e6
    console.log(
      `note: an exchange at ${speed} takes ${ms.toFixed(3)} ms, of which the chip takes ${chip.toFixed(0)} µs`,
    )
    assert.ok(ms <= limit, `${ms} ms at ${speed}`)
  }
})

test('3 % damaged bytes both ways, 300 requests: no wrong answer, no command lost or doubled', async () => {
  const { uno, host } = onCable(hexOf('robot'), noisyCable(0.03, 1), noisyCable(0.03, 2))
  await host.connect()
  let commands = 0
  for (let n = 0; n < 300; n++) {
    const angle = (n * 37) % 181
    if (n % 3 === 2) assert.equal(await host.ask(1, ['servo']), [200, ((n - 1) * 37) % 181])
    else {
      assert.equal(await host.ask(3, ['servo'], angle), [200, angle])
      commands++
    }
  }
  const stats = await statsOf(host)
  assert.is(stats.commands, commands)
  const { damaged, repeated, naks, sessions } = host.counts
  console.log(
    `note: 3 % noise: ${repeated} repeats, ${damaged} damaged frames seen by the host, ${naks} NAKs, ${sessions} sessions; ` +
      `${stats.free} B of the chip's memory were never used`,
  )
  assert.ok(damaged > 20 && repeated > 20, 'the cable was quieter than it should be')
  assert.ok(stats.free > 200, 'the stack comes near the variables')
  assert.is(uno.overruns, 0)
})

test.run()
