// needs dist
// time limit: 180 s
// The program from start to end (design §7): what keeps it from starting, what does not, signals, and its own resources.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, Engine, endAll, hormiga, makeFolder, Program } from './rig.ts'

const CAFETERA = { profile: 'delonghi-ecam', simulated: true }

test.after.each(endAll)

/** Starts one that can't: exit code 1, and what it said. */
async function refused(written: object | string, words?: string[]): Promise<string> {
  const engine = new Engine(written, words)
  assert.is(await engine.end(), 1, engine.err)
  assert.is(engine.out, '')
  await engine.stop()
  return engine.err
}

test('a port that is taken: exit code 1, and the key that helps', async () => {
  const first = await new Engine(config()).runs()
  const at = await first.at()
  const told = await refused({ listen: { tcp: at } })
  const last = told.trim().split('\n').at(-1) as string
  assert.match(last, new RegExp(`^hormiga: Can't listen on ${at}: .* is in use .* listen\\.tcp$`))
  assert.match(await refused({ listen: { tcp: false, http: at } }), /is in use .* listen\.http/)
  assert.is((await first.ask('get', 'engine')).code, 0, 'the first one lives')
  await first.stop()
})

test('a configuration that is wrong: exit code 1, every error with its line', async () => {
  assert.match(await refused('{\n  "name": "x",\n  "listen" {}\n}'), /hormiga\.json:3:\d+: invalid JSON/)
  const device = { profile: 'delongi-ecam' }
  assert.match(await refused({ devices: { a: device } }), /devices\.a\.profile: .*"delonghi-ecam"/)
  const twice =
    '{ "devices": {\n  "a": { "profile": "delonghi-ecam" },\n  "a": { "profile": "delonghi-ecam" }\n} }'
  assert.match(await refused(twice), /:3:3: devices\.a: it is there twice, on lines 2 and 3/)
  assert.match(await refused({}, ['--config', '/nowhere/hormiga.json']), /there is no such file/)
  const missing = {
    listen: { tcp: false, http: false, tcps: '127.0.0.1:0', tls: { key: 'k.pem', cert: 'c.pem' } },
  }
  assert.match(await refused(missing), /listen\.tls\.key: ENOENT/)
})

test('a state folder that cannot be written: a warning; but if --state names it: exit code 1', async () => {
  const file = join(makeFolder(), 'file')
  writeFileSync(file, '')
  const told = await refused(config(), ['--state', join(file, 'state'), '--config', configFile()])
  assert.match(told, new RegExp(`hormiga: the state folder ${file}/state can't be used: .*--state DIR`))
  const engine = new Engine({}, ['--config', configFile({ state: join(file, 'state') })])
  await engine.runs()
  assert.match(engine.err, /"level":"warn".*the state folder .* can't be used/)
  await engine.stop()
})

test('an adapter that is missing: that device says why, the engine and the other device live', async () => {
  const bluetooth = { source: 'unix:/nowhere/bluetooth.sock' }
  const devices = { real: { profile: 'delonghi-ecam', address: '00:a0:50:12:34:56' }, cafetera: CAFETERA }
  const engine = await new Engine(config({ bluetooth, devices })).runs()
  await until(async () => (await engine.get('engine/devices')).cafetera.state === 'up')
  await until(async () => (await engine.get('engine/devices')).real.state === 'down')
  const { real } = await engine.get('engine/devices')
  assert.match(real.cause, '/nowhere/bluetooth.sock')
  assert.match((await engine.get('engine/bluetooth')).state, /failed|opening/)
  assert.match((await engine.ask('post', 'real/stop')).out, /^500 .*"code":"offline"/)
  assert.match((await engine.ask('get', 'cafetera/state')).out, /^200 /)
  assert.is(await engine.end('SIGTERM', 6000), 0)
  await engine.stop()
})

test('SIGTERM: what is open when the time is up is answered 502, and so is what comes after it', async () => {
  const engine = await new Engine(config()).runs()
  const [address, port] = (await engine.at()).split(':')
  const [silent, asker] = [0, 1].map(() => connect(Number(port), address).setEncoding('utf8'))
  silent?.write('{"method":"BIND","endpoint":{"method":"*","resource":["chat"]}}\n')
  await until(async () => (await engine.get('engine/counters')).sizes.subscriptions === 1)
  let heard = ''
  asker?.on('data', (text) => {
    heard += text
  })
  asker?.write('{"method":"POST","resource":["chat"],"token":["open"]}\n')
  await until(async () => (await engine.get('engine/counters')).sizes.transactions === 2)
  const ended = engine.end('SIGTERM', 6000)
  await engine.says(/SIGTERM/)
  asker?.write('{"method":"GET","resource":["engine"],"token":["late"]}\n')
  assert.is(await ended, 0)
  const answers = heard
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).resource.slice(0, 2))
  assert.equal(answers.slice(0, 2), [
    [502, 'late'],
    [502, 'open'],
  ])
  silent?.destroy()
  asker?.destroy()
  await engine.stop()
})

test('SIGTERM ends it with exit code 0 within 5 s, whoever is connected or bound', async () => {
  const engine = await new Engine(config({ devices: { cafetera: CAFETERA } })).runs()
  const at = await engine.at()
  const [address, port] = at.split(':')
  const idle = connect(Number(port), address)
  const web = connect(Number((await engine.at('http')).split(':')[1]), address)
  web.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const watcher = new Program(process.execPath, ['dist/hormiga.js', 'bind', 'chat', '--engine', at])
  await until(async () => (await engine.get('engine/counters')).sizes.subscriptions === 1)
  for (const socket of [idle, web]) socket.on('error', () => {})
  const start = performance.now()
  assert.is(await engine.end('SIGTERM', 6000), 0)
  assert.ok(performance.now() - start < 5000)
  idle.destroy()
  web.destroy()
  await watcher.end('SIGKILL')
  await engine.stop()
})

test('SIGHUP adds, changes and removes devices and leaves the others alone', async () => {
  const engine = await new Engine(config({ devices: { kept: CAFETERA, gone: CAFETERA } })).runs()
  await until(async () => (await engine.get('engine/devices')).kept.state === 'up')
  const { since } = (await engine.get('engine/devices')).kept
  const devices = { kept: CAFETERA, added: CAFETERA }
  await engine.reload(config({ devices }), /reloaded: new device added, device gone is gone/)
  assert.equal(Object.keys(await engine.get('engine/devices')).sort(), ['added', 'kept'])
  assert.is((await engine.get('engine/devices')).kept.since, since)
  assert.match((await engine.ask('get', 'gone')).out, /^404 /)
  assert.match((await engine.ask('get', 'added')).out, /^200 /)
  const changed = { kept: CAFETERA, added: { ...CAFETERA, poll: 1000 } }
  await engine.reload(config({ devices: changed }), /reloaded: device added changed/)
  await engine.reload(config({ devices: {} }), /device kept is gone/)
  assert.equal(await engine.get('engine/devices'), {})
  await engine.stop()
})

test('SIGHUP: a configuration that is wrong changes nothing, and what needs a restart is said', async () => {
  const engine = await new Engine(config({ devices: { cafetera: CAFETERA } })).runs()
  await engine.reload('{ "devices": 5 }', /not reloaded, all stays as it was: .*devices: found 5/)
  assert.match((await engine.ask('get', 'cafetera')).out, /^200 /)
  const next = config({ name: 'other', log: { level: 'debug', format: 'pretty' } })
  await engine.reload(next, /only in effect after a restart: name, log\.format/)
  assert.is((await engine.get('engine')).name, 'hormiga')
  await engine.says(/"level":"debug"/)
  await engine.reload(next, /only in effect after a restart: name, log\.format/)
  await engine.stop()
})

test('SIGHUP: access holds at once, for channels that are open too', async () => {
  const engine = await new Engine(config()).runs()
  const [address, port] = (await engine.at()).split(':')
  const socket = connect(Number(port), address).setEncoding('utf8')
  const ask = async () => {
    socket.write('{"method":"GET","resource":["engine"],"token":["1"]}\n')
    const [text] = await once(socket, 'data')
    return JSON.parse(text.split('\n')[0]).resource[0]
  }
  assert.is(await ask(), 200)
  await engine.reload(config({ access: [] }), /reloaded: access/)
  await pause(50)
  assert.is(await ask(), 401)
  await engine.reload(config({ access: [{ method: ['GET'], resource: ['engine'] }] }), /reloaded: access/)
  assert.is(await ask(), 200)
  socket.destroy()
  await engine.stop()
})

test('SIGHUP moves a listener; one that cannot be had leaves the old one', async () => {
  const engine = await new Engine({ listen: { tcp: '127.0.0.1:0' } }).runs()
  await engine.reload({ listen: { tcp: '127.0.0.2:0' } }, /reloaded: listen\.tcp/)
  const moved = /listening on (127\.0\.0\.2:\d+) by tcp/.exec(engine.err)?.[1] as string
  assert.is((await hormiga(['get', 'engine', '--engine', moved])).code, 0)
  await engine.reload(
    { listen: { tcp: '192.0.2.1:0' } },
    /listen\.tcp stays as it was: .*no address 192\.0\.2\.1/,
  )
  await engine.says(/stays as it was(?:.|\n)*listening on 127\.0\.0\.2/)
  await engine.stop()
})

test('beyond loopback nobody may do anything without access, and that is said', async () => {
  const engine = await new Engine({ listen: { tcp: '0.0.0.0:0' } }).runs()
  assert.match(engine.err, /"level":"warn".*0\.0\.0\.0 is not loopback: without \\"access\\"/)
  assert.match((await engine.ask('get', 'engine')).out, /^401 /)
  await engine.stop()
})

test('HTTP: a page of text at /, and only for names and pages of its own', async () => {
  const engine = await new Engine(config({ http: { hosts: ['casa.example'] } })).runs()
  const at = await engine.at('http')
  const status = async (path: string, headers = {}, method = 'GET') => {
    const sent = request(`http://${at}${path}`, { headers, method }).end()
    const [response] = await once(sent, 'response')
    response.resume()
    return response.statusCode
  }
  assert.is(await status('/'), 200)
  assert.is(await status('/', {}, 'POST'), 415)
  assert.is(await status('/other'), 404)
  assert.is(await status('/', { Host: 'evil.example' }), 403)
  assert.is(await status('/', { Host: 'casa.example' }), 200)
  assert.is(await status('/', { Origin: 'https://evil.example' }), 403)
  await engine.stop()
})

test('HTTP: /metrics for Prometheus and /health for watchmen, by the rules for who has no key', async () => {
  const engine = await new Engine(config({ devices: { cafetera: CAFETERA } })).runs()
  const read = async (at: string, path: string) => {
    const response = await fetch(`http://${at}${path}`)
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      text: await response.text(),
    }
  }
  const at = await engine.at('http')
  await until(async () => (await read(at, '/health')).status === 200)
  assert.is(JSON.parse((await read(at, '/health')).text).devices.cafetera.ok, true)
  const metrics = await read(at, '/metrics')
  assert.match(metrics.type as string, /^text\/plain; version=0\.0\.4/)
  assert.match(metrics.text, /^hormiga_device_up\{device="cafetera".*\} 1$/m)
  assert.match(metrics.text, /^hormiga_uptime_seconds [0-9.]+$/m)
  await engine.stop()
  const closed = await new Engine(config({ access: [{ method: ['GET'], resource: ['health'] }] })).runs()
  assert.is((await read(await closed.at('http'), '/health')).status, 200)
  assert.is((await read(await closed.at('http'), '/metrics')).status, 401)
  await closed.stop()
})

test('["engine"] and what is below it', async () => {
  const engine = await new Engine(config({ name: 'cocina', devices: { cafetera: CAFETERA } })).runs()
  const { name, version, boot, uptime, transports } = await engine.get('engine')
  assert.is(name, 'cocina')
  assert.match(version, /^\d+\.\d+\.\d+$/)
  assert.match(boot, /^[0-9a-f-]{36}$/)
  assert.ok(uptime > 0)
  assert.equal(Object.keys(transports), ['tcp', 'ws'])
  assert.is((await engine.get('engine')).boot, boot)
  const { ram, state } = await engine.get('engine/saturation')
  assert.ok(ram.used > 0 && ram.used < 1)
  assert.match(state, /^(ok|warning|critical)$/)
  assert.match((await engine.get('engine/clock')).state, /^(unsynced|synced|stepped)$/)
  assert.is((await engine.get('engine/peers'))[0].transport, 'tcp')
  assert.equal(Object.keys(await engine.get('engine/counters')), ['meters', 'sizes', 'store'])
  assert.ok((await engine.get('engine/log')).some(({ text }: { text: string }) => /listening/.test(text)))
  assert.match((await engine.ask('put', 'engine/devices', '{}')).out, /^404 /)
  const directory: { resource: string[]; methods: string[] }[] = await engine.get('engine/directory')
  for (const { resource, methods } of directory) {
    if (!methods.includes('GET')) continue
    const { out } = await engine.ask('get', resource.join('/'))
    assert.match(out, /^(200|500 .*offline)/, `${resource.join('/')} is listed, and answers`)
  }
  const things: { title: string; properties: object }[] = await engine.get('engine/things')
  assert.equal(
    things.map(({ title }) => title),
    ['The engine cocina', "De'Longhi ECAM coffee machine"],
  )
  await engine.stop()
})

test('["engine","log"] and ["engine","devices"] are reported to who is bound', async () => {
  const engine = await new Engine(config({ devices: { cafetera: CAFETERA } })).runs()
  const words = ['bind', 'engine/...', '--json', '--engine', await engine.at()]
  const watcher = new Program(process.execPath, ['dist/hormiga.js', ...words])
  await until(async () => (await engine.get('engine/counters')).sizes.subscriptions === 1)
  await engine.reload(config({ devices: { cafetera: CAFETERA, second: CAFETERA } }), /reloaded/)
  await watcher.says(/"second: up: connected"/)
  await watcher.says(/\{"method":"PUT","body":\{.*"second":.*"resource":\["engine","devices"\]/)
  await watcher.says(/"resource":\["engine","counters"\]/)
  const reports = watcher.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.ok(reports.every(({ from }) => from[0] === 'hormiga' && from[1] === 'engine'))
  assert.is(await watcher.end('SIGTERM'), 0)
  await engine.stop()
})

test('installed without its sources it knows its devices', async () => {
  const folder = makeFolder()
  cpSync('dist', join(folder, 'dist'), { recursive: true })
  cpSync('package.json', join(folder, 'package.json'))
  const program = new Program(
    process.execPath,
    [join(folder, 'dist/hormiga.js'), 'check', '--schema'],
    folder,
  )
  assert.is(await program.end(), 0)
  assert.match(program.out, '"const": "delonghi-ecam"')
})

test('it starts fast and stays small: ratios to a bare node in the same run', async () => {
  const bare = await time(() => once(spawn(process.execPath, ['-e', '0']), 'exit'))
  const started: Engine[] = []
  const start = await time(async () => {
    started.push(new Engine(config()))
    await started.at(-1)?.at('http')
  })
  const engine = started[0] as Engine
  const idle = new Program(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'])
  await pause(1500)
  const rss = { bare: residentMB(idle.process.pid), engine: residentMB(engine.process.pid) }
  console.log(`note: start to listening ${start.toFixed(0)} ms, bare node ${bare.toFixed(0)} ms`)
  console.log(`note: idle ${rss.engine.toFixed(1)} MB, bare node ${rss.bare.toFixed(1)} MB`)
  assert.ok(rss.engine - rss.bare < 20, `${rss.engine} MB, ${rss.bare} MB`)
  await Promise.all(started.map((one) => one.stop()))
})

function configFile(more = {}): string {
  const file = join(makeFolder(), 'hormiga.json')
  writeFileSync(file, JSON.stringify(config(more)))
  return file
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 15_000; Date.now() < end; await pause(50)) if (await holds()) return
  throw new Error('it never came to hold')
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let turn = 0; turn < 3; turn++) {
    const start = performance.now()
    await work()
    times.push(performance.now() - start)
  }
  return times.sort((a, b) => a - b)[1] as number
}

function residentMB(pid: number | undefined): number {
  if (!existsSync(`/proc/${pid}/status`)) throw new Error(`there is no process ${pid}`)
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

test.run()
