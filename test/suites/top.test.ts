// needs dist
// time limit: 180 s
// heavy
// `hormiga top` (design §5, §8) on a real terminal and towards real engines: what is seen, what is asked, what is left.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Engine as Library } from '../../src/index.ts'
import { config, Engine, endAll, hormiga, makeFolder, Program } from './rig.ts'
import { cellsOf, Terminal } from './top-terminal.ts'

/** How a terminal is given back: colours off, lines that wrap, a cursor, the screen that was there before. */
const GIVEN_BACK = '\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l'
const SIGTERM = 15

let engine: Engine
let at: string

test.before(async () => {
  engine = await new Engine(config({ name: 'cocina' })).runs()
  at = await engine.at()
})

test.after(async () => {
  await engine.stop()
  endAll()
})

function start(...words: string[]): Program {
  return new Program(process.execPath, ['dist/hormiga.js', 'top', ...words])
}

interface Told {
  engine?: string
  at: string
  online: boolean
  since?: string
  service?: string
  saturation?: { state: string }
  replicas: { at: string; engine: string; share: number | null; given: number; standing: string }[]
}

/** The lines of JSON so far. */
function toldBy({ out }: Program): Told[] {
  return out
    .slice(0, out.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

async function until<T>(find: () => T | undefined | false, what: string, limit = 15_000): Promise<T> {
  for (const end = Date.now() + limit; ; await pause(20)) {
    const found = find()
    if (found) return found
    assert.ok(Date.now() < end, `never: ${what}`)
  }
}

test('a terminal: bars that live, at once right after a change of its size; q gives it back as it was', async () => {
  const terminal = new Terminal(['top', '--engine', at])
  const first = await terminal.shows(/● cocina .*[\s\S]*CPU +█*░+ +\d+ %/)
  assert.match(terminal.lines[0] ?? '', /^hormiga top {2}\d\d:\d\d:\d\d .*q ends$/)
  assert.match(first, /dispatches\/s · \d+ channels?/)
  await terminal.shows(/1 subscription/)
  const time = terminal.lines[0]
  await until(() => terminal.lines[0] !== time, 'a picture of the next second', 3000)
  terminal.resize(30, 40)
  await terminal.shows(/^hormiga top {2}.{8} +q ends$/m)
  await until(() => terminal.lines.every((line) => cellsOf(line) <= 40), 'lines of 40 cells', 2000)
  assert.match(terminal.text, /● cocina/)
  terminal.resize(5, 60)
  await until(() => terminal.lines.length <= 5, 'five lines', 2000)
  assert.match(terminal.text, /● cocina .*%/)
  terminal.press('q')
  assert.equal(await terminal.ended(), { code: 0, isSame: true })
  assert.ok(terminal.raw.endsWith(GIVEN_BACK))
})

test('Ctrl+C, SIGTERM and a failure give the terminal back too; the failure is read on it', async () => {
  const terminal = new Terminal(['top', '--engine', at])
  await terminal.shows(/● cocina/)
  terminal.press('\u0003')
  assert.equal(await terminal.ended(), { code: 0, isSame: true })
  assert.ok(terminal.raw.endsWith(GIVEN_BACK))

  const killed = new Terminal(['top', '--engine', at])
  await killed.shows(/● cocina/)
  killed.signal(SIGTERM)
  assert.equal(await killed.ended(), { code: 0, isSame: true })
  assert.ok(killed.raw.endsWith(GIVEN_BACK))

  const broken = 'data:text/javascript,setTimeout(()=>{throw(Error(`broken`))},1000)'
  const failed = new Terminal(['top', '--engine', at], { env: { NODE_OPTIONS: `--import=${broken}` } })
  const { code, isSame } = await failed.ended()
  assert.equal([code, isSame], [1, true])
  const [, after = ''] = failed.raw.split(GIVEN_BACK)
  assert.match(after, /Error: broken/)
})

test('Ctrl+Z where nothing can stop it, and SIGCONT: the picture is there again', async () => {
  const terminal = new Terminal(['top', '--engine', at])
  await terminal.shows(/● cocina/)
  const before = terminal.raw.length
  terminal.press('\u001a')
  await until(() => terminal.raw.slice(before).includes(GIVEN_BACK), 'the terminal given back')
  await until(() => terminal.raw.slice(before).includes('\u001b[?1049h'), 'and taken again')
  await terminal.shows(/● cocina/)
  terminal.press('q')
  assert.equal(await terminal.ended(), { code: 0, isSame: true })
})

test('NO_COLOR: the same without colours', async () => {
  const terminal = new Terminal(['top', '--engine', at], { env: { NO_COLOR: '1' } })
  await terminal.shows(/● cocina .*: /)
  terminal.press('q')
  await terminal.ended()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  assert.not.match(terminal.raw.replace(GIVEN_BACK, ''), /\u001b\[[\d;]*m/)
})

test('an engine that is killed is offline at once, and comes back by itself', async () => {
  let sala = await new Engine(config({ name: 'sala' })).runs()
  const where = await sala.at()
  const terminal = new Terminal(['top', '--engine', where])
  await terminal.shows(/● sala/)
  const lines = start('--json', '--engine', where)
  await until(() => toldBy(lines).at(-1)?.online, 'figures')
  sala.process.kill('SIGKILL')
  const killed = Date.now()
  await terminal.shows(/○ sala .*offline since \d\d:\d\d:\d\d\n {2}\S/)
  assert.ok(Date.now() - killed < 2000, `it took ${Date.now() - killed} ms`)
  const gone = await until(() => toldBy(lines).find(({ online }) => !online), 'a line that says so')
  assert.ok(Math.abs(Date.parse(gone.since as string) - killed) < 2000)
  await sala.stop()
  sala = await new Engine(config({ name: 'sala', listen: { tcp: where, http: false } })).runs()
  await terminal.shows(/● sala/)
  await until(() => toldBy(lines).at(-1)?.online, 'figures again')
  terminal.press('q')
  await terminal.ended()
  assert.is(await lines.end('SIGINT'), 0)
  await sala.stop()
})

test('--once: one picture; exit code 1 and how to start it where one that was asked for is not there', async () => {
  const { code, out, err, ms } = await hormiga(['top', '--once', '--engine', at])
  assert.is(code, 0, err)
  assert.match(out, /^hormiga top .*\n\n● cocina [^\n]*\n {2}CPU .* %.*\n {2}RAM [\s\S]*dispatches\/s/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these
  assert.not.match(out, /[\u0000-\u0009\u000b-\u001f]/)
  assert.ok(ms < 5000, `it took ${ms} ms`)
  const missing = await hormiga(['top', '--once', at, '127.0.0.1:1'])
  assert.is(missing.code, 1)
  assert.match(missing.out, /● cocina[\s\S]*○ 127\.0\.0\.1:1 .*offline since/)
  assert.match(missing.err, /^hormiga: not there: 127\.0\.0\.1:1\. An engine is started with: .* run\n$/)
  const wrong = await hormiga(['top', 'x/y'])
  assert.is(wrong.code, 2)
  assert.match(wrong.err, /"x\/y" is no engine: write HOST:PORT, or a name/)
})

test('--once --json: one document, the figures as the engine tells them', async () => {
  const { code, out } = await hormiga(['top', '--once', '--json', at])
  assert.is(code, 0)
  const { engines, services } = JSON.parse(out)
  assert.equal([engines.length, services], [1, []])
  const [{ engine: name, online, age, saturation }] = engines
  assert.equal([name, online], ['cocina', true])
  assert.ok(age >= 0 && age < 5000)
  assert.equal(Object.keys(saturation).slice(0, 5), ['cpu', 'ram', 'disk', 'network', 'engine'])
})

test('without a terminal: text every few seconds, no commands to a terminal in it', async () => {
  const text = start('--engine', at)
  await text.says(/● cocina/)
  await until(() => text.out.split('hormiga top').length > 2, 'a second text', 8000)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these
  assert.not.match(text.out, /[\u0000-\u0009\u000b-\u001f]/)
  assert.is(await text.end('SIGTERM'), 0)
})

test('§5 the replicas of a service are found and shown with their shares of the traffic', async () => {
  const replicas = await Promise.all(
    ['uno', 'dos'].map((name) =>
      new Engine(config({ name, listen: { tcp: '127.0.0.1:0', http: false } })).runs(),
    ),
  )
  const hops = await Promise.all(replicas.map(async (replica) => [...hopOf(await replica.at()), 'tcp']))
  const relay = await new Engine(
    config({ name: 'relay', services: { casa: { replicas: hops } }, forward: { allow: ['casa'] } }),
  ).runs()
  const client = new Library({ name: 'client' })
  const uri = `${await relay.at()}:tcp,casa//engine`
  const ask = async () => {
    for (let i = 0; i < 20; i++) assert.is((await client.get(uri).first()).status, 200)
  }
  await ask()
  const once = await hormiga(['top', '--once', '--json', '--engine', await relay.at()])
  const document: { engines: Told[]; services: Told[] } = JSON.parse(once.out)
  assert.equal(document.engines.map(({ engine: name }) => name).sort(), ['dos', 'relay', 'uno'])
  const [casa] = document.services
  assert.equal([casa?.service, casa?.replicas.length], ['casa', 2])
  assert.equal(
    casa?.replicas.map(({ engine: name }) => name),
    ['uno', 'dos'],
  )
  const sum = (numbers: number[]) => numbers.reduce((all, number) => all + number, 0)
  assert.ok(sum(casa?.replicas.map(({ given }) => given) ?? []) >= 20)
  assert.ok(Math.abs(sum(casa?.replicas.map(({ share }) => share ?? 0) ?? []) - 1) < 0.001)

  const terminal = new Terminal(['top', '--engine', await relay.at()], { rows: 60 })
  await terminal.shows(/● uno[\s\S]*● dos[\s\S]*service casa at relay/)
  const asking = setInterval(() => void ask(), 300)
  await terminal.shows(
    /service casa at relay +[\d.]+\/s\n {2}uno .* \d+ % .*\n {2}dos .* \d+ % .*\/s · \d open/,
  )
  replicas[1]?.process.kill('SIGKILL')
  await terminal.shows(/○ dos .*offline since[\s\S]*dos 127.* away/)
  await terminal.shows(/uno 127.* 100 % {2}(ok|warning|critical)/, 20_000)
  clearInterval(asking)
  terminal.press('q')
  await terminal.ended()
  await client.close(0)
  for (const one of [relay, ...replicas]) await one.stop()
})

test('§5 it is bound, not asked again and again; what an engine calls itself never steers the terminal', async () => {
  const evil = '\u001b]0;evil\u0007\u009b2J\u001b[2J\u202e厨房'
  const heard: string[] = []
  const hostile = new Library({ name: 'hostile' })
  const owner = hostile.own('engine')
  const figures = {
    state: evil,
    cause: evil,
    disk: { [evil]: { used: 0.5, state: 'critical' } },
    cpu: { used: 0.1 },
  }
  owner.handle('GET', ['saturation'], () => {
    heard.push('saturation')
    return figures
  })
  owner.handle('GET', [], () => {
    heard.push('engine')
    return { name: evil, id: evil }
  })
  owner.handle('GET', ['services'], () => [{ name: evil, replicas: [{ at: evil, standing: evil }] }])
  const { port } = await hostile.listen('tcp', { address: '127.0.0.1', port: 0 })
  const terminal = new Terminal(['top', '--engine', `127.0.0.1:${port}`])
  await terminal.shows(/厨房/)
  await until(() => owner.watched(['saturation']), 'a BIND')
  for (let used = 0.2; used < 0.6; used += 0.1) {
    owner.report(['saturation'], { ...figures, cpu: { used } })
    await terminal.shows(new RegExp(`CPU .* ${Math.round(used * 100)} %`))
  }
  await pause(1500)
  assert.equal(heard.sort(), ['engine', 'saturation'])
  terminal.press('q')
  assert.equal(await terminal.ended(), { code: 0, isSame: true })
  await until(() => !owner.watched(['saturation']), 'a RELEASE')
  for (const bad of ['\u001b]', '\u0007', '\u009b', '\u202e']) assert.not.ok(terminal.raw.includes(bad))
  await hostile.close(0)
})

test('§9.19 names of the trust file are sealed; what is missing is told with the command that gives it', async () => {
  const folder = makeFolder()
  const closed = await new Engine(config({ name: 'cerrada', access: [] })).runs()
  const where = await closed.at()
  const own = async (...words: string[]) => {
    const program = new Program('env', [
      `XDG_STATE_HOME=${folder}`,
      process.execPath,
      'dist/hormiga.js',
      ...words,
    ])
    program.process.stdin?.end()
    return { code: await program.end(), out: program.out, err: program.err }
  }
  const id = async (...words: string[]) => JSON.parse((await own('id', '--json', ...words)).out).id
  const clear = await own('top', '--once', where)
  assert.is(clear.code, 1)
  assert.match(clear.out, /○ 127\.0\.0\.1:\d+ .*offline since/)
  assert.match(clear.err, /that needs a key/)
  await own('trust', 'add', 'cerrada', await id('--state', join(closed.folder, 'state')), '--at', where)
  const unknown = await own('top', '--once', 'cerrada')
  assert.is(unknown.code, 1)
  assert.match(unknown.err, /cerrada does not know this key\. .*trust add/)
  const allow = ['--allow', 'GET,BIND engine/saturation']
  const file = ['--config', join(closed.folder, 'hormiga.json')]
  await own('trust', 'add', 'ana', await id(), ...allow, ...file)
  let known = await own('top', '--once', '--json', 'cerrada')
  for (const end = Date.now() + 3000; known.code !== 0 && Date.now() < end; ) {
    known = await own('top', '--once', '--json', 'cerrada')
  }
  assert.is(known.code, 0, known.err)
  assert.equal(
    JSON.parse(known.out).engines.map(({ engine: name, at }: Told) => [name, at]),
    [[null, 'cerrada']],
  )
  const terminal = new Terminal(['top', 'cerrada'], { env: { XDG_STATE_HOME: folder } })
  await terminal.shows(/● cerrada .*: [\s\S]*1 subscription/)
  terminal.press('q')
  assert.equal(await terminal.ended(), { code: 0, isSame: true })
  await closed.stop()
  rmSync(folder, { recursive: true, force: true })
})

function hopOf(place: string): [string, number] {
  const colon = place.lastIndexOf(':')
  return [place.slice(0, colon), Number(place.slice(colon + 1))]
}

test.run()
