// A port that keeps itself open, in wound time, on ports that misbehave as no terminal of this machine would.

import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SerialLink } from '../../../src/bridges/serial/link.ts'
import type { OpenPort, PortEvents, PortHost } from '../../../src/bridges/serial/port.ts'
import { environment, pass, TestClock } from './kit.ts'

/** A machine with one port, and a link to it. */
function machine() {
  const clock = new TestClock()
  const env = environment(clock)
  const opened: { at: number; speed: number; events: PortEvents }[] = []
  const told = { ups: 0, downs: [] as string[] }
  const fake = {
    mark: '1' as string | undefined,
    open: (): Promise<OpenPort> => Promise.resolve(fake.port),
    port: { write: async () => {}, speed: async () => {}, close: async () => {} } as OpenPort,
  }
  const host: PortHost = {
    find: async (spec) => {
      if (fake.mark === undefined) throw new Error(`${spec} is not there`)
      return { path: '/dev/ttyUSB0', mark: fake.mark }
    },
    open: (_, speed, events) => {
      opened.push({ at: clock.now(), speed, events })
      return fake.open()
    },
    explain: async (path, { message }) => `${path} can't be opened: ${message}`,
    holders: async () => [],
  }
  const link = new SerialLink({ port: '/dev/serial/by-id/board', speed: 115_200 }, env, host)
  link.open({ up: () => void told.ups++, data: () => {}, down: (cause) => void told.downs.push(cause) })
  return { clock, env, fake, host, link, opened, told }
}

test('a port that can not be opened is tried again after 1, 2, 5 and then every 15 s, and told of once', async () => {
  const { clock, fake, link, opened, told } = machine()
  fake.open = () => Promise.reject(new Error('Input/output error'))
  await clock.advance(70_000)
  const pauses = opened.slice(1).map(({ at }, n) => at - (opened[n]?.at ?? 0))
  for (const [n, wanted] of [1000, 2000, 5000, 15_000, 15_000].entries()) {
    const pause = pauses[n] as number
    // A fifth of chance, and it is looked at every half second.
    assert.ok(pause >= wanted * 0.8 && pause <= wanted * 1.2 + 500, `${pause} ms instead of ${wanted}`)
  }
  assert.equal(told.downs, ["/dev/ttyUSB0 can't be opened: Input/output error"])
  await link.close()
  assert.is(clock.pending, 0)
})

test('plugged in anew it is opened at once, however often that failed before', async () => {
  const { clock, fake, link, opened, told } = machine()
  const { open } = fake
  fake.open = () => Promise.reject(new Error('Input/output error'))
  await clock.advance(30_000)
  fake.mark = undefined
  await clock.advance(1000)
  fake.mark = '2'
  fake.open = open
  const { length } = opened
  await clock.advance(500)
  assert.is(opened.length, length + 1)
  assert.is(told.ups, 1)
  await link.close()
})

test('another board under the same name is another port: seen within 1 s, opened at the first speed', async () => {
  const { clock, fake, link, opened, told } = machine()
  await clock.advance(100)
  await link.speed(500_000)
  fake.mark = '2'
  await clock.advance(1000)
  assert.match(told.downs[0] as string, /it was unplugged/)
  await clock.advance(2000)
  assert.is(told.ups, 2)
  assert.is(opened.at(-1)?.speed, 115_200)
  await link.close()
})

test('a port that never opens is given up after 5 s, and does no harm when it opens after all', async () => {
  const { clock, fake, link, told } = machine()
  let late: (port: OpenPort) => void = () => {}
  let closed = 0
  fake.open = () =>
    new Promise((resolve) => {
      late = resolve
    })
  await clock.advance(5100)
  assert.match(told.downs[0] as string, /did not open within 5 s/)
  late({ ...fake.port, close: async () => void closed++ })
  await clock.advance(10)
  assert.is(told.ups, 0)
  assert.is(closed, 1)
  await link.close()
})

test('a port that does not close is left after 2 s, and counted', async () => {
  const { clock, env, fake, link } = machine()
  await clock.advance(100)
  fake.port.close = () => new Promise(() => {})
  const before = clock.now()
  await pass(clock, link.close())
  assert.ok(clock.now() - before <= 2000)
  assert.is(env.meters.read()['serial.unclosed'], 1)
  assert.is(clock.pending, 0)
})

test('what a port says that was given up is not listened to', async () => {
  const { clock, fake, link, opened, told } = machine()
  await clock.advance(100)
  opened[0]?.events.gone('first')
  fake.mark = '2'
  await clock.advance(3000)
  assert.is(told.ups, 2)
  opened[0]?.events.gone('second')
  opened[0]?.events.data(Uint8Array.of(1))
  await clock.advance(100)
  assert.is(link.status().state, 'up')
  await link.close()
})

test('without the rights: which group has it, and how to get into it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hormiga-rights-'))
  const port = join(folder, 'port')
  writeFileSync(port, '', { mode: 0o600 })
  chmodSync(port, process.getuid?.() === 0 ? 0o600 : 0)
  chmodSync(folder, 0o755)
  const program = join(folder, 'why.mjs')
  await build({
    stdin: {
      contents: `import { obstacle } from './src/bridges/serial/port-why.ts'\nconsole.log(await obstacle(process.argv[2]))`,
      resolveDir: process.cwd(),
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    logLevel: 'error',
  })
  // Root may do everything: another user asks.
  const child = spawn(process.execPath, [program, port], { ...(process.getuid?.() === 0 && { uid: 65_534 }) })
  let said = ''
  child.stdout.on('data', (text) => {
    said += text
  })
  await new Promise((resolve) => child.once('close', resolve))
  assert.match(said, /this user may not use .*: it belongs to the group \S+; "sudo usermod -aG \S+ \$USER"/)
  rmSync(folder, { recursive: true })
})

test.run()
