// What systemd hears from the program (design §7): said on time, never twice at once, and by systemd's own command for real.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemClock, TestClock } from '../../src/core/clock.ts'
import { notifySystemd } from '../../src/host/notify.ts'

const MINUTE = 60_000

function listen(env: Record<string, string>, answer: () => Promise<void> = async () => {}) {
  const clock = new TestClock()
  const said: string[] = []
  const warned: string[] = []
  const nothing = () => {}
  const log = {
    debug: nothing,
    info: nothing,
    warn: (text: string) => void warned.push(text),
    error: nothing,
  }
  const send = (words: string[]) => {
    said.push(words.join(' '))
    return answer()
  }
  const cancel = notifySystemd({ env, clock, log, send })
  return { clock, said, warned, cancel }
}

test('ready is said once, alive three times in the time of the watchdog, until it is ended', async () => {
  const { clock, said, cancel } = listen({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '120000000' })
  assert.equal(said, ['READY=1'])
  for (let i = 0; i < 3; i++) await clock.advance(40_000)
  assert.equal(said, ['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1'])
  cancel()
  await clock.advance(10 * MINUTE)
  assert.is(said.length, 4)
  assert.is(clock.pending, 0)
})

test('a unit without a watchdog hears only ready; without systemd nothing is said', async () => {
  const unit = listen({ NOTIFY_SOCKET: '/x' })
  await unit.clock.advance(10 * MINUTE)
  assert.equal(unit.said, ['READY=1'])
  const shell = listen({ WATCHDOG_USEC: '1000000' })
  await shell.clock.advance(10 * MINUTE)
  assert.equal(shell.said, [])
})

test('the next word waits for the one before; one that hangs is followed by none', async () => {
  let done = () => {}
  const slow = () =>
    new Promise<void>((resolve) => {
      done = resolve
    })
  const { clock, said } = listen({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '3000000' }, slow)
  await clock.advance(MINUTE)
  assert.equal(said, ['READY=1'])
  done()
  await clock.advance(1000)
  assert.equal(said, ['READY=1', 'WATCHDOG=1'])
})

test('a fault is logged once with its cause, and it is tried again', async () => {
  const fail = async () => {
    throw new Error('no such command')
  }
  const { clock, said, warned } = listen({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '3000000' }, fail)
  await clock.advance(5000)
  assert.is(said.length, 6)
  assert.equal(warned, [`systemd can't be told "READY=1": no such command`])
})

test("systemd-notify brings it to a socket like systemd's", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hormiga-notify-'))
  const socket = join(folder, 'notify')
  const systemd = spawn('python3', [
    '-uc',
    'import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint("open")\n' +
      'while True: print(s.recv(4096).decode())',
    socket,
  ])
  const before = process.env.NOTIFY_SOCKET
  process.env.NOTIFY_SOCKET = socket
  let cancel = () => {}
  try {
    let heard = ''
    systemd.stdout.setEncoding('utf8').on('data', (text: string) => {
      heard += text
    })
    await once(systemd.stdout, 'data')
    const warned: string[] = []
    const nothing = () => {}
    const log = {
      debug: nothing,
      info: nothing,
      warn: (text: string) => void warned.push(text),
      error: nothing,
    }
    const clock = new SystemClock()
    cancel = notifySystemd({ env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '300000' }, clock, log })
    for (let i = 0; i < 500 && !/READY=1[\s\S]*WATCHDOG=1/.test(heard); i++) {
      await new Promise<void>((resume) => void clock.after(20, resume))
    }
    assert.match(heard, /READY=1[\s\S]*WATCHDOG=1/)
    assert.equal(warned, [])
  } finally {
    cancel()
    if (before === undefined) delete process.env.NOTIFY_SOCKET
    else process.env.NOTIFY_SOCKET = before
    systemd.kill()
    await once(systemd, 'close')
    rmSync(folder, { recursive: true })
  }
})

test.run()
