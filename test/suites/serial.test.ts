// heavy
// needs dist
// time limit: 120 s
// A robot at a serial port, from the configuration to the command line: the built program, and our firmware as a process.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { run, workFolder } from '../firmware/bench.ts'
import { config, Engine, endAll, Program } from './rig.ts'

const folder = workFolder('suite')
const robots: ChildProcess[] = []

test.after(() => {
  endAll()
  for (const robot of robots) robot.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

async function startRobot(): Promise<string> {
  const program = join(folder, 'robot')
  run('extras/build', ['linux', 'robot', program])
  const child = spawn(program, { stdio: ['ignore', 'pipe', 'inherit'] })
  robots.push(child)
  const [port] = await once(createInterface({ input: child.stdout }), 'line')
  return port
}

const up = async (engine: Engine) => {
  for (let tries = 0; (await engine.get('engine/devices')).robot.state !== 'up'; tries++) {
    assert.ok(tries < 40, engine.err)
    await pause(250)
  }
}

test('configured, driven, watched, stopped, unplugged: by the command line alone', async () => {
  const port = await startRobot()
  const devices = { robot: { profile: 'jstp-serial', port, fast: 500_000 } }
  const engine = await new Engine(config({ devices })).runs()
  await up(engine)
  assert.match((await engine.ask('put', 'robot/servo', '90')).out, /^200 90$/m)
  const range = await engine.ask('put', 'robot/servo', '200')
  assert.is(range.code, 1)
  assert.match(range.out, /^400 .*0 to 180 deg/)
  const listed = await engine.get('engine/directory')
  const servo = listed.find(({ resource }: { resource: string[] }) => resource.join('/') === 'robot/servo')
  assert.equal(servo.range, [0, 180])
  const words = ['bind', 'robot/distance', '--count', '3', '--engine', await engine.at()]
  const watcher = new Program(process.execPath, ['dist/hormiga.js', ...words])
  await engine.ask('put', 'robot/motor/0', '100')
  assert.is(await watcher.end(), 0, watcher.err)
  assert.match(watcher.out, /robot\/distance \d+/)
  assert.match((await engine.ask('post', 'robot/stop')).out, /^200 true/)
  assert.match((await engine.ask('put', 'robot/motor/0', '1')).out, /^400 .*stopped/)
  const { robot } = await engine.get('engine/devices')
  assert.is(robot.profile, 'jstp-serial')
  robots[0]?.kill('SIGKILL')
  for (let tries = 0; (await engine.get('engine/devices')).robot.state === 'up'; tries++)
    assert.ok(tries < 40)
  assert.match((await engine.ask('get', 'robot')).out, /^200 \{"online":false/)
  assert.match((await engine.ask('put', 'robot/servo', '1')).out, /^500 .*"code":"offline"/)
  assert.is(await engine.end('SIGTERM', 6000), 0)
  await engine.stop()
})

test.run()
