// One engine more when all are critical, one less when there is little to do (design §5).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemClock } from '../../src/core/clock.ts'
import { type Ended, runCommand, type ServiceOptions } from '../../src/mesh/index.ts'
import { pair, type Replica, Town, watch } from './town.ts'

const CRITICAL = { state: 'critical', cause: 'cpu', saturation: 1 }
const OK = { state: 'ok', cause: 'cpu', saturation: 0.2 }

/** A service with one engine, and a command that starts a second one, which announces itself. */
async function small(options: Partial<NonNullable<ServiceOptions['scale']>> = {}, start = true) {
  const town = new Town()
  const runs: string[][] = []
  const one = await town.replica('one')
  let two: Replica | undefined
  const run = async (command: string[]): Promise<Ended> => {
    runs.push(command)
    if (command[1] === 'start' && start)
      two = await town.replica('two', { announce: ['docs'], peers: [['relay', 1, 'memory']] })
    if (command[1] === 'stop') await two?.close()
    return { code: 0, output: '' }
  }
  const scale = { command: ['ctl', 'start'], stop: ['ctl', 'stop'], drainAfter: 20_000, run, ...options }
  const docs = { replicas: [one.at], announced: true, scale }
  const relay = await town.node('relay', { services: { docs } })
  const ask = async (count: number) => {
    const seen = Array.from({ length: count }, () => watch(relay.ask('POST')))
    await town.pass(50)
    return seen.map(({ value }) => value?.[0]?.body)
  }
  await ask(1)
  await town.pass(1500)
  return { town, one, relay, runs, ask, two: () => two as Replica }
}

test('§5 all are critical: the command runs, the new engine joins and gets work at once', async () => {
  const { town, one, relay, runs, ask, two } = await small()
  assert.equal(runs, [])
  one.report({ ...CRITICAL, cause: 'disk' })
  await town.pass(500)
  assert.equal(runs, [['ctl', 'start']])
  assert.equal(new Set(await ask(20)), new Set(['two']), 'the full one gets nothing')
  assert.is(two().done.length, 20)
  assert.is(relay.counted('mesh.scale'), 1)
  await town.end()
})

test('§5 not all are critical: nothing is started', async () => {
  const runs: string[][] = []
  const run = async (command: string[]) => {
    runs.push(command)
    return { code: 0, output: '' }
  }
  const { town, one, two, relay } = await pair({ scale: { command: ['start'], run } })
  watch(relay.ask('GET'))
  await town.pass(500)
  one.report(CRITICAL)
  two.report({ state: 'warning', saturation: 0.9 })
  await town.pass(5000)
  assert.equal(runs, [])
  await one.kill()
  await town.pass(500)
  assert.equal(runs, [], 'one that is gone is not critical')
  two.report(CRITICAL)
  await town.pass(500)
  assert.equal(runs, [['start']], 'those that are there are')
  await town.end()
})

test('§5 a cool-down lies between two starts', async () => {
  const { town, one, runs } = await small({ coolDown: 30_000 }, false)
  one.report(CRITICAL)
  await town.pass(29_000)
  assert.is(runs.length, 1)
  await town.pass(3000)
  assert.is(runs.length, 2)
  one.report(OK)
  await town.pass(60_000)
  assert.is(runs.length, 2)
  await town.end()
})

test('§5 no second command while one runs', async () => {
  let end: ((ended: Ended) => void) | undefined
  let runs = 0
  const run = () => {
    runs++
    return new Promise<Ended>((resolve) => {
      end = resolve
    })
  }
  const { town, one, relay } = await small({ coolDown: 1000, run }, false)
  one.report(CRITICAL)
  await town.pass(20_000)
  assert.is(runs, 1)
  end?.({ code: 'no such program', output: 'oops' })
  await town.pass(1500)
  assert.is(runs, 2)
  assert.ok(
    relay.lines.some((line) => line === 'error: ctl for "docs" has failed (no such program): oops'),
    `${relay.lines}`,
  )
  assert.is(relay.counted('mesh.scale-failed'), 1)
  end?.({ code: 0, output: '' })
  await town.end()
})

test('§5 when the load has fallen for long it drains, its work and its BINDs move away, and it is stopped', async () => {
  const { town, one, relay, runs, ask, two } = await small()
  one.report({ ...CRITICAL, cause: 'disk' })
  await town.pass(500)
  const got: unknown[] = []
  const binding = watch(
    relay.engine.bind('BIND#*#docs//news', ({ dispatch }) => void got.push(dispatch.body)),
  )
  await town.pass(500)
  assert.is(two().engine.sizes.subscriptions > 1, true, 'bound at the new one')
  one.report(OK)
  two().serve = () => new Promise((resolve) => town.clock.after(4000, () => resolve('late')))
  await town.pass(18_000)
  assert.is(runs.length, 1)
  const slow = Array.from({ length: 20 }, () => watch(relay.ask('POST')))
  await town.pass(2500)
  assert.is(two().saturation.draining, true)
  assert.is(runs.length, 1, 'it still works')
  assert.equal(new Set(await ask(20)), new Set(['one']), 'nothing new for it')
  await town.pass(4000)
  assert.ok(slow.every(({ value }) => ['one', 'late'].includes(value?.[0]?.body as string)))
  assert.equal(runs.at(-1), ['ctl', 'stop'])
  one.engine.send('PUT', ['news'], { body: 'still there' })
  await town.pass(50)
  assert.equal(got, ['still there'])
  assert.is(relay.counted('mesh.moved'), 1)
  assert.is(relay.mesh.sizes.announced, 0)
  await town.pass(60_000)
  assert.is(runs.length, 2)
  binding.value?.release()
  await town.end()
})

test('§5 who was there before is never drained, nor where those who stay would have too much', async () => {
  const { town, one, runs, two } = await small({ drainAfter: 5000 })
  one.report(CRITICAL)
  await town.pass(500)
  one.report({ ...OK, saturation: 0.5 })
  two().report({ ...OK, saturation: 0.3 })
  await town.pass(20_000)
  assert.is(runs.length, 1, '0.8 for one is too much')
  two().report({ ...OK, saturation: 0.05 })
  await town.pass(20_000)
  assert.is(runs.length, 2)
  await town.pass(60_000)
  assert.equal([runs.length, one.saturation.draining], [2, false])
  await town.end()
})

test('§5 a command: its output and exit code, no shell, and none that can not be started', async () => {
  const clock = new SystemClock()
  const node = (code: string) => runCommand(clock, [process.execPath, '-e', code])
  assert.equal(await node('console.log(process.argv.length); console.error("$HOME")'), {
    code: 0,
    output: '1\n$HOME',
  })
  assert.equal(await node('process.exit(3)'), { code: 3, output: '' })
  assert.equal(await node('process.kill(process.pid, "SIGKILL")'), { code: 'SIGKILL', output: '' })
  assert.is((await node('console.log("x".repeat(1e5))')).output.length <= 2000, true)
  assert.match((await runCommand(clock, ['/nowhere/ctl'])).code as string, 'ENOENT')
  assert.match((await runCommand(clock, [])).code as string, /./)
})

test('§5 a command that does not end is ended after 30 s', async () => {
  const clock = new Town().clock
  const seen = watch(runCommand(clock, [process.execPath, '-e', 'setInterval(() => {}, 1000)']))
  await clock.advance(30_000)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(seen.value, { code: 'not done within 30 s', output: '' })
  assert.is(clock.pending, 0)
})

test.run()
