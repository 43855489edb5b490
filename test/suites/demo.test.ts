// needs dist
// time limit: 180 s
// The demo as its reader meets it: what it prints is pasted into a shell, and works.

import { connect } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Engine, endAll, Program } from './rig.ts'

let demo: Engine

test.before(async () => {
  demo = new Engine({}, ['--demo', '--port', '0', '--http-port', '0'])
  await demo.says(/Ctrl\+C ends the demo/)
})

test.after(async () => {
  await demo.stop()
  endAll()
})

/** The commands that the demo prints, in their order. */
function printed(): string[] {
  return [...demo.out.matchAll(/^ {2}(\S.*)$/gm)].map(([, command]) => command as string)
}

function paste(command: string | undefined): Program {
  assert.ok(command, `no such command in:\n${demo.out}`)
  // `exec`: a signal must reach the program, not only its shell.
  return new Program('/bin/sh', ['-c', `exec ${command}`])
}

test('commands for the machine and the robot and one for nc are printed, and nothing else is said', () => {
  assert.is(printed().length, 9, demo.out)
  assert.is(demo.err, '')
})

test('the state of the machine, pasted: it is on and ready', async () => {
  const program = paste(printed()[0])
  assert.is(await program.end(), 0)
  assert.match(program.out, /^200 \{"online":true,.*"state":"ready"/)
})

test('an espresso, pasted: taken at once, watched by reports until the machine is ready again', async () => {
  const [, bind, brew] = printed()
  const watcher = paste(bind)
  while ((await demo.get('engine/counters')).sizes.subscriptions === 0);
  const command = paste(brew)
  assert.is(await command.end(), 0, command.out + command.err)
  assert.match(command.out, /^200 \{"recipe":"espresso"/)
  const start = performance.now()
  await watcher.says(
    /cafetera\/state "brewing"(?:.|\n)*cafetera\/progress 48(?:.|\n)*cafetera\/state "ready"/,
    40_000,
  )
  const seconds = (performance.now() - start) / 1000
  assert.ok(seconds > 10 && seconds < 30, `an espresso takes about 20 s, not ${seconds}`)
  assert.is(await watcher.end('SIGINT'), 0)
  assert.is((await demo.get('engine/counters')).sizes.subscriptions, 0, 'it is released in the end')
})

test('the robot, pasted: it turns its servo, drives, sees the wall come nearer, stops, and may drive again', async () => {
  const robot = printed().filter((command) => command.includes(' robot/'))
  const said = [/^200 90$/m, /^200 50$/m, /^200 \{"value":\d+,"unit":"mm"/, /^200 true$/m, /^200 false$/m]
  assert.is(robot.length, said.length)
  for (const [at, command] of robot.entries()) {
    const program = paste(command)
    assert.is(await program.end(), 0, program.out + program.err)
    assert.match(program.out, said[at] as RegExp)
  }
  const state = (await demo.get('robot')) as Record<string, unknown>
  assert.equal([state['motor/0'], state.stop, state.online], [0, false, true])
  assert.ok((state.distance as number) < 1000, 'it has not moved')
})

test('the line for nc is plain JSON over TCP, and is answered so', async () => {
  const [, line, address, port] = /echo '(.*)' \| nc -w 1 (\S+) (\d+)$/.exec(printed()[8] as string) ?? []
  const socket = connect(Number(port), address)
  socket.write(`${line}\n`)
  let text = ''
  socket.setEncoding('utf8')
  for await (const piece of socket) {
    text += piece
    if (text.split('\n').length > 2) break
  }
  const [answer, last] = text.split('\n').map((part) => part && JSON.parse(part))
  assert.equal(answer.resource.slice(0, 2), [200, '1'])
  assert.is(answer.body.value, 'ready')
  assert.equal(last.resource.slice(0, 2), [101, '1'])
})

test('a second demo on a port that is taken ends with exit code 1 and says which option helps', async () => {
  const port = String(await demo.says(/nc -w 1 \S+ (\d+)/))
  const second = new Engine({}, ['--demo', '--port', port, '--http-port', '0'])
  assert.is(await second.end(), 1)
  assert.is(second.out, '')
  assert.match(second.err, new RegExp(`^hormiga: port ${port} is in use .*--port N\n$`))
  const http = String(await demo.says(/http:\/\/[^:]+:(\d+)/))
  const third = new Engine({}, ['--demo', '--port', '0', '--http-port', http])
  assert.is(await third.end(), 1)
  assert.match(third.err, /--http-port N\n$/)
  await second.stop()
  await third.stop()
})

test('Ctrl+C ends it with exit code 0', async () => {
  assert.is(await demo.end('SIGINT', 5000), 0)
})

test.run()
