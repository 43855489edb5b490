// needs dist
// time limit: 120 s
// The command line (design §8, §9.19): what it prints, where, and its exit codes.

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, Engine, endAll, hormiga, makeFolder, Program } from './rig.ts'

let engine: Engine

test.before(async () => {
  engine = new Engine(config({ devices: { cafetera: { profile: 'delonghi-ecam', simulated: true } } }))
  await engine.runs()
  while (!(await engine.get('cafetera')).online);
})

test.after(async () => {
  await engine.stop()
  endAll()
})

test('an answer is one line, status and body; the exit code tells whether it was 400 or more', async () => {
  const { code, out, err } = await engine.ask('get', 'cafetera/state')
  assert.match(out, /^200 \{"value":"off",.*\}\n$/)
  assert.is(err, '')
  assert.is(code, 0)
  const missing = await engine.ask('get', 'cafetera/nothing')
  assert.match(missing.out, /^404 \{"message":".*"\}\n$/)
  assert.is(missing.code, 1)
})

test('--json: one object a line with status, body, from and resource', async () => {
  const { out } = await engine.ask('get', 'cafetera/power', '--json')
  const answer = JSON.parse(out)
  assert.equal(Object.keys(answer), ['status', 'body', 'from', 'resource'])
  assert.is(answer.status, 200)
  assert.is(answer.body.value, false)
  assert.equal(answer.resource, ['cafetera', 'power'])
})

test('a body is JSON, else a string, and "-" reads it from standard input', async () => {
  const wrong = await engine.ask('put', 'cafetera/power', '{"a":')
  assert.match(JSON.parse(wrong.out.slice(4)).found, '{"a":')
  assert.match((await engine.ask('put', 'cafetera/profile', '-5')).out, /^400 .*"found":-5,"min":1/)
  const at = await engine.at()
  const piped = await hormiga(['put', 'cafetera/profile', '-', '--engine', at], { input: '9\n' })
  assert.match(piped.out, /^400 .*"found":9,/)
})

test('a URI with an address is dialed, by tcp and by WebSocket', async () => {
  const at = await engine.at()
  assert.match((await hormiga(['get', `jstp:GET#${at}:tcp//engine`])).out, /^200 \{"name":"hormiga"/)
  assert.match((await hormiga(['get', `${at}//engine`])).out, /^200 /)
  const http = await engine.at('http')
  assert.match((await hormiga(['get', `jstp:${http}:ws//cafetera/state`])).out, /^200 \{"value"/)
})

test('the name of the engine as a hop, as in its Thing Descriptions, goes to the local engine', async () => {
  assert.match((await engine.ask('get', 'jstp:GET#hormiga//cafetera/state')).out, /^200 \{"value"/)
  assert.match((await engine.ask('get', 'nobody//cafetera/state')).out, /^506 /)
})

test('a bare name asks the engine of the configuration in this folder', async () => {
  const folder = makeFolder()
  writeFileSync(join(folder, 'hormiga.json'), JSON.stringify({ listen: { tcp: await engine.at() } }))
  assert.match((await hormiga(['get', 'engine'], { cwd: folder })).out, /^200 /)
  writeFileSync(join(folder, 'hormiga.json'), '{ "lisen": {} }')
  assert.match(
    (await hormiga(['get', 'engine'], { cwd: folder })).err,
    /hormiga\.json has errors \(see: .* check\)/,
  )
})

test('an engine that is not running: exit code 1, nothing on standard output, how to start it', async () => {
  const stopped = await new Engine(config()).runs()
  const at = await stopped.at()
  await stopped.stop()
  for (const words of [
    ['get', 'cafetera'],
    ['bind', 'cafetera/...'],
    ['post', 'cafetera/brew', '{}', '--json'],
  ]) {
    const { code, out, err } = await hormiga([...words, '--engine', at])
    assert.is(code, 1)
    assert.is(out, '')
    assert.match(
      err,
      new RegExp(`^hormiga: no engine is running at ${at}\\. Start it .* run .*--engine HOST:PORT\n$`),
    )
  }
  assert.match((await hormiga(['get', `${at}//x`])).err, /^hormiga: Can't reach .*: nobody listens there/)
})

test('a host that never answers: exit code 1 at --timeout', async () => {
  const mute = createServer(() => {}).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  const { port } = mute.address() as AddressInfo
  const { code, out, ms } = await hormiga(['get', `127.0.0.1:${port}//x`, '--timeout', '500ms'])
  mute.close()
  assert.is(code, 1)
  assert.match(out, /^504 .*did not answer in time/)
  assert.ok(ms < 3000, `it took ${ms} ms`)
})

test('bind prints reports as they come and ends after --count, releasing what it bound', async () => {
  const words = ['bind', 'cafetera/state', '--count', '2', '--json', '--engine', await engine.at()]
  const watcher = new Program(process.execPath, ['dist/hormiga.js', ...words])
  while ((await engine.get('engine/counters')).sizes.subscriptions === 0);
  const put = await engine.ask('put', 'cafetera/power', 'on')
  assert.is(put.code, 0, put.out)
  assert.is(await watcher.end(), 0)
  const reports = watcher.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.equal(
    reports.map(({ body }) => body),
    ['starting', 'ready'],
  )
  assert.equal(reports[0].from, ['hormiga', 'cafetera'])
  assert.equal(reports[0].resource, ['cafetera', 'state'])
  assert.is((await engine.get('engine/counters')).sizes.subscriptions, 0)
})

test('bind: --count that is not reached within --timeout is exit code 1; a method pattern narrows it', async () => {
  const short = await engine.ask('bind', 'cafetera/...', '--count', '1000', '--timeout', '300ms')
  assert.is(short.code, 1)
  assert.match(short.err, /\d+ of 1000 came within 0\.3 s/)
  const narrow = await engine.ask('bind', 'jstp:BIND#DELETE#cafetera/...', '--timeout', '300ms')
  assert.is(narrow.code, 0)
  assert.is(narrow.out, '')
})

test('Ctrl+C: RELEASE is the last that the host hears', async () => {
  const heard: { method: string; endpoint: object; token: string[] }[] = []
  const host = createServer((socket) => {
    socket.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.trim().split('\n')) {
        const dispatch = JSON.parse(line)
        heard.push(dispatch)
        const answer = { protocol: ['JSTP', '0.6'], method: 'ANSWER', timestamp: 0 }
        const resource = [200, dispatch.token?.[0], 'x']
        if (dispatch.method === 'BIND') socket.write(`${JSON.stringify({ ...answer, resource })}\n`)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(host, 'listening')
  const { port } = host.address() as AddressInfo
  const watcher = new Program(process.execPath, ['dist/hormiga.js', 'bind', `127.0.0.1:${port}//chat/...`])
  while (heard.length === 0) await pause(20)
  await pause(100)
  assert.is(await watcher.end('SIGINT', 5000), 0)
  host.close()
  assert.equal(
    heard.map(({ method, endpoint }) => ({ method, endpoint })),
    ['BIND', 'RELEASE'].map((method) => ({ method, endpoint: { method: '*', resource: ['chat', '...'] } })),
  )
})

test('a pipe that is closed early, as by head, is no error', async () => {
  const shell = `node dist/hormiga.js get engine/directory --engine ${await engine.at()} --json | head -c 1`
  const program = new Program('/bin/bash', ['-c', `set -o pipefail; ${shell}`])
  assert.is(await program.end(), 0, program.err)
})

test('what is not understood is exit code 2, with what was probably meant', async () => {
  const cases: [words: string[], told: RegExp][] = [
    [[], /a command is needed/],
    [['gte', 'x'], /no command "gte". Did you mean: hormiga get\?/],
    [['scan'], /say what to scan: .*mqtt/],
    [['scan', 'mqqt'], /"mqqt" can't be scanned, only .*Did you mean: hormiga scan mqtt/],
    [['scan', 'mqtt', 'mqtt://ana:secreto@pi'], /--user NAME and --password-file FILE/],
    [['scan', 'mqtt', 'http://pi'], /"http:\/\/pi" is no broker: write mqtt:\/\/HOST:1883/],
    [['update'], /say what to do: hormiga update FILE/],
    [['get'], /a resource is needed/],
    [['get', 'x', '--jsno'], /no option --jsno here\. Did you mean --json\?/],
    [['get', 'x', '--timeout'], /--timeout needs a value: --timeout TIME/],
    [['get', 'x', '--timeout', 'soon'], /"soon" is no time/],
    [['get', 'x', '{}', '{}'], /quote a body/],
    [['get', 'jstp:a#b#c#d'], /is no JSTP URI/],
    [['get', 'jstp:POST#x'], /that is a URI for POST: hormiga post/],
    [['bind', 'x', '--count', '0'], /--count must be/],
    [['id', 'x'], /"x" is too much/],
    [['id', '--engine', '--new', 'x'], /different keys/],
    [['trust', 'frob'], /"trust frob" is none of list, add/],
    [['trust', 'add', 'x'], /write: trust add NAME DID/],
    [['trust', 'add', 'did:key:z6Mk', 'x'], /the name comes first/],
    [
      ['trust', 'add', 'x', 'did:key:z6Mk', '--allow', 'cafetera'],
      /--allow 'cafetera': write it as 'GET,BIND/,
    ],
    [['trust', 'grant', 'x', 'did:key:z6Mk', '--allow', 'GET a'], /--to NAME/],
    [['trust', 'pair', 'x'], /no pairing code/],
    [['get', 'x', '--as', 'key.pem'], /say which, with --key/],
    [['run', '--port', '1'], /are of the demo/],
    [['run', '--demo', '--config', 'x'], /--demo has no configuration/],
    [['run', 'hormiga.json'], /--config FILE/],
  ]
  for (const [words, told] of cases) {
    const { code, out, err } = await hormiga(words)
    assert.match(err, told)
    assert.is(code, 2, words.join(' '))
    assert.is(out, '')
  }
})

test('--help of the whole and of every command, and --version', async () => {
  const { code, out } = await hormiga(['--help'])
  assert.is(code, 0)
  const commands = [...out.matchAll(/^ {2}(\w+) {2,}/gm)].map(([, name]) => name as string)
  assert.equal(commands, [
    'run',
    'get',
    'post',
    'put',
    'patch',
    'delete',
    'bind',
    'top',
    'scan',
    'doctor',
    'backup',
    'restore',
    'update',
    'check',
    'id',
    'trust',
  ])
  for (const name of commands) {
    const help = await hormiga([name, '--help'])
    assert.is(help.code, 0)
    assert.match(help.out, new RegExp(`^hormiga ${name}\\b.*: `))
  }
  assert.match((await hormiga(['--version'])).out, /^\d+\.\d+\.\d+\n$/)
})

test('check: a summary, or every error with its place; and the schema', async () => {
  const folder = makeFolder()
  const file = join(folder, 'hormiga.json')
  writeFileSync(file, JSON.stringify(config({ devices: { cafetera: { profile: 'delonghi-ecam' } } })))
  const good = await hormiga(['check'], { cwd: folder })
  assert.is(good.code, 0)
  assert.match(
    good.out,
    /^ok: .*hormiga\.json; name hormiga; listens on tcp .*devices: cafetera \(delonghi-ecam\)\n$/,
  )
  writeFileSync(file, '{\n  "nmae": "x",\n  "devices": { "a": { "profile": "delongi-ecam" } }\n}')
  const bad = await hormiga(['check', '--config', file])
  assert.is(bad.code, 1)
  assert.is(bad.out, '')
  const [first = '', second = ''] = bad.err.split('\n')
  assert.match(first, /hormiga\.json:2:3: .*Did you mean "name"/)
  assert.match(second, /hormiga\.json:3:.*devices\.a\.profile: .*"delonghi-ecam"/)
  const schema = JSON.parse((await hormiga(['check', '--schema'])).out)
  assert.is(schema.properties.devices.additionalProperties.oneOf[0].properties.profile.const, 'delonghi-ecam')
})

test.run()
