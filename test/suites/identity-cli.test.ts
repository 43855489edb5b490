// needs dist
// time limit: 180 s
// Issue 3 from the command line: keys, trust, sealed get, put and bind between two real processes; what is missing is said
// together with the command that gives it.

import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Ended, Engine, endAll, makeFolder, Program } from './rig.ts'

/** Beyond loopback it would be the same: nobody may do anything without a key. */
const CONFIG = {
  name: 'cocina',
  listen: { tcp: '127.0.0.1:0', http: false },
  access: [],
  devices: { cafetera: { profile: 'delonghi-ecam', simulated: true } },
}

const home = makeFolder()
let engine: Engine
let at: string
let engineId: string

/** A command line with a state folder of its own. */
class Person {
  readonly folder: string
  readonly state: string

  constructor(name: string) {
    this.state = join(home, name)
    this.folder = join(this.state, 'hormiga/cli')
  }

  start(...words: string[]): Program {
    return new Program('env', [`XDG_STATE_HOME=${this.state}`, process.execPath, 'dist/hormiga.js', ...words])
  }

  async run(...words: string[]): Promise<Ended> {
    const start = performance.now()
    const program = this.start(...words)
    program.process.stdin?.end()
    const code = await program.end()
    return { code, out: program.out, err: program.err, ms: performance.now() - start }
  }

  /** What must succeed. */
  async does(...words: string[]): Promise<string> {
    const { code, out, err } = await this.run(...words)
    assert.is(code, 0, `${words.join(' ')}\n${out}${err}`)
    return out
  }

  async id(): Promise<string> {
    return JSON.parse(await this.does('id', '--json')).id
  }

  /** Knows the engine; the engine does not know him. */
  async knows(name = 'cocina'): Promise<this> {
    await this.does('trust', 'add', name, engineId, '--at', at)
    return this
  }

  /** And the engine lets him do that. */
  async may(...allow: string[]): Promise<this> {
    await this.knows()
    const rules = allow.flatMap((rule) => ['--allow', rule])
    await this.does('trust', 'add', `p${++people}`, await this.id(), ...rules, ...FILE())
    await this.until(200, 'get', 'cocina//engine')
    return this
  }

  /** Repeats a command until its answer has that status; not longer than a second and what a command takes. */
  async until(status: number, ...words: string[]): Promise<Ended> {
    for (const end = Date.now() + 1000; ; ) {
      const isLast = Date.now() > end
      const ended = await this.run(...words)
      if (ended.out.startsWith(`${status} `) || ended.out === `${status}\n`) return ended
      assert.not.ok(isLast, `${words.join(' ')}: still ${ended.out}${ended.err}`)
    }
  }
}

let people = 0
const FILE = () => ['--config', join(engine.folder, 'hormiga.json')]
const STATE = () => ['--state', join(engine.folder, 'state')]
const owner = new Person('owner')

test.before(async () => {
  engine = await new Engine(CONFIG).runs()
  at = await engine.at()
  engineId = JSON.parse(await owner.does('id', '--json', ...STATE())).id
})

test.after(async () => {
  await engine.stop()
  rmSync(home, { recursive: true, force: true })
  endAll()
})

test('§7 a key is made when it is first needed, by one of two at once, for its owner only', async () => {
  const ana = new Person('ana')
  const [one, two] = await Promise.all([ana.run('id'), ana.run('id')])
  assert.match(one.out, /^did:key:z6Mk\w+\nfingerprint ([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}\n$/)
  assert.is(one.out, two.out)
  assert.is((await ana.run('id')).out, one.out)
  assert.is(statSync(join(ana.folder, 'keys')).mode & 0o777, 0o700)
  assert.is(statSync(join(ana.folder, 'keys/identity.pem')).mode & 0o777, 0o600)
  assert.match((await ana.run('id', '--qr')).out, /▀/)
})

test('§9.19 id --new makes a key file that is never overwritten, and is refused when others can read it', async () => {
  const ana = new Person('ana')
  const file = join(home, 'extra.pem')
  const made = await ana.does('id', '--new', file)
  assert.is(await ana.does('id', '--as', file), made)
  assert.match((await ana.run('id', '--new', file)).err, /is there already/)
  chmodSync(file, 0o640)
  const { code, err } = await ana.run('id', '--as', file)
  assert.is(code, 1)
  assert.match(err, /can be read by others: chmod 600/)
})

test('B11 what is missing is told with the command that gives it: a key, trust, a right', async () => {
  const bea = new Person('bea')
  const clear = await bea.run('get', `${at}//cafetera/state`)
  assert.match(clear.out, /^401 /)
  assert.match(clear.err, /needs a key.*trust add NAME did:key:… --at/)

  await bea.knows()
  const unknown = await bea.run('get', 'cocina//cafetera/state')
  assert.is(unknown.code, 1)
  assert.match(unknown.out, /^401 .*"sec":"key"/)
  const follow = async ({ err }: Ended) => {
    const [, words = ''] = /hormiga (trust add \S+ did:key:\S+ --allow '[^']+')\n/.exec(err) ?? []
    const [, head = '', allow = ''] = /^(.*) --allow '(.*)'$/.exec(words) ?? []
    await bea.does(...head.split(' '), '--allow', allow, ...FILE())
  }
  await follow(unknown)
  assert.match((await bea.until(200, 'get', 'cocina//cafetera/state')).out, /"value"/)

  const refused = await bea.run('put', 'cocina//cafetera/power', 'on')
  assert.match(refused.out, /^403 /)
  assert.match(refused.err, /does not let it PUT cafetera\/power/)
  await follow(refused)
  await bea.until(200, 'put', 'cocina//cafetera/power', 'on')
  const bind = await bea.run('bind', 'cocina//cafetera/...', '--timeout', '2s')
  assert.is(bind.code, 1)
  assert.match(bind.err, /403 .*\n.*--allow 'BIND cafetera\/\.\.\.'/)
})

test('§9.19 a name in the URI is enough; --key seals any URI; the author is shown', async () => {
  const carl = await new Person('carl').may('GET ...')
  for (const words of [
    ['get', 'cocina//cafetera/state'],
    ['get', 'cafetera/state', '--key', 'cocina'],
    ['get', `${at}//cafetera/state`, '--key', engineId],
  ]) {
    const { out } = await carl.run(...words, '--json')
    assert.is(JSON.parse(out).author, engineId, words.join(' '))
  }
  assert.match((await carl.run('get', 'x', '--key', 'nobody')).err, /no "nobody" in .*trust add nobody/)
})

test('R19 towards a key that is known nothing goes in clear, whatever the relay says', async () => {
  const dora = await new Person('dora').knows()
  let seen = ''
  const relay = createServer((socket) => {
    socket.setEncoding('utf8').on('data', (text: string) => {
      seen += text
      for (const line of text.trim().split('\n')) {
        const [id] = JSON.parse(line).token ?? []
        if (id) socket.write(`{"method":"ANSWER","resource":[200,"${id}","x"],"body":"trust me"}\n`)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(relay, 'listening')
  const { port } = relay.address() as AddressInfo
  const words = [`127.0.0.1:${port},cocina//cafetera/power`, '"planted"', '--timeout', '2s']
  const { code, out } = await dora.run('put', ...words)
  relay.close()
  assert.is(code, 1)
  assert.not.match(out, /trust me/)
  assert.match(seen, /"resource":\["sec","id"\]/)
  assert.not.match(seen, /planted|power/)
})

test('§9.2 bind: reports come sealed; a second one with the same key is told to take another', async () => {
  const eva = await new Person('eva').may('GET ...', 'PUT,BIND cafetera/...')
  const watcher = eva.start('bind', 'cocina//cafetera/...', '--json')
  await pause(1000)
  const second = await eva.run('bind', 'cocina//cafetera/...')
  assert.is(second.code, 1)
  assert.match(second.err, /in use by another bind \(process \d+\).*id --new FILE.*--as FILE/)
  for (const profile of ['2', '1']) await eva.does('put', 'cocina//cafetera/profile', profile)
  await watcher.says(/"resource":\["cafetera"/)
  assert.is(await watcher.end('SIGINT'), 0)
  const [line = ''] = watcher.out.split('\n')
  assert.is(JSON.parse(line).author, engineId)
  assert.not.ok(existsSync(join(eva.folder, 'keys/lock')))
})

test('B9 a revoked key is refused within a second, and hears nothing more', async () => {
  const fay = await new Person('fay').may('GET ...', 'PUT,BIND cafetera/...')
  const gus = await new Person('gus').may('GET ...', 'PUT cafetera/profile')
  const watcher = fay.start('bind', 'cocina//cafetera/...')
  await pause(1000)
  await gus.does('put', 'cocina//cafetera/profile', '2')
  await watcher.says(/cafetera/)
  await owner.does('trust', 'revoke', await fay.id(), ...FILE())
  const { err } = await fay.until(401, 'get', 'cocina//engine')
  assert.match(err, /does not know this key/)
  const heard = watcher.out.length
  await gus.does('put', 'cocina//cafetera/profile', '3')
  await pause(500)
  assert.is(watcher.out.length, heard)
  await watcher.end('SIGINT')
  const again = await owner.run('trust', 'add', 'fay', await fay.id(), '--allow', 'GET ...', ...FILE())
  assert.match(again.err, /is revoked in this file/)
})

test('R17 pairing: both sides show both fingerprints, and nothing is trusted before two have said yes', async () => {
  const hal = new Person('hal')
  const prints = (text: string) => text.match(/^th\w+ .* ([0-9A-Z-]{19})$/gm)?.map((line) => line.slice(-19))
  for (const [here, there] of ['yn', 'ny', 'yy']) {
    // What was paired on one side only is of no use: the other side begins with another key.
    rmSync(hal.state, { recursive: true, force: true })
    const window = owner.start(
      'trust',
      'pair',
      '--name',
      `hal-${here}${there}`,
      '--allow',
      'GET cafetera/...',
      ...STATE(),
    )
    const code = await window.says(/^(jstp-pair:\S+)$/m)
    const knock = hal.start('trust', 'pair', code, '--at', at, '--name', 'kitchen')
    await Promise.all([window.says(/same two/), knock.says(/same two/)])
    assert.is(prints(window.out)?.length, 2)
    assert.equal(prints(window.out), prints(knock.out))
    assert.not.match((await hal.run('get', `${at}//cafetera/state`, '--key', engineId)).out, /^200/)
    knock.process.stdin?.end(`${there}\n`)
    if (there === 'n') assert.is(await knock.end(), 1)
    window.process.stdin?.end(`${here}\n`)
    assert.is(await window.end(), here === 'y' ? 0 : 1)
    // Who has said yes waits for two minutes for the other.
    if (there === 'y')
      assert.is(await knock.end(here === 'y' ? undefined : 'SIGTERM'), here === 'y' ? 0 : null)
    const { out } = await hal.run('get', 'kitchen//cafetera/state', '--timeout', '2s')
    assert.is(out.startsWith('200 '), here === 'y' && there === 'y', `${here}${there}: ${out}`)
  }
  const list = await owner.does('trust', 'list', ...FILE(), ...STATE())
  assert.match(list, /paired or granted since.*\n {2}hal-yy {2}did:key:/s)
})

test('R17 a code is good once; nobody who has not read it gets in', async () => {
  const ida = new Person('ida')
  const window = owner.start('trust', 'pair', '--name', 'x', ...STATE())
  const code = await window.says(/^(jstp-pair:\S+)$/m)
  const wrong = `${code.slice(0, -4)}AAAA`
  const { code: exit, err } = await ida.run('trust', 'pair', wrong, '--at', at, '--name', 'k')
  assert.is(exit, 1)
  assert.match(err, /code/)
  assert.is(await window.end('SIGINT'), 1)
  assert.match((await ida.run('trust', 'pair', code, '--at', at, '--name', 'k')).err, /code/)
})

test('B9 an issuer grants and revokes from afar; --as signs with the other key', async () => {
  const issuer = await new Person('issuer').knows()
  await issuer.does(
    'trust',
    'add',
    'issuer',
    await issuer.id(),
    '--allow',
    '*,BIND ...',
    '--issuer',
    ...FILE(),
  )
  await issuer.until(200, 'get', 'cocina//engine')
  const file = join(home, 'guest.pem')
  const guest = (await issuer.does('id', '--new', file)).split('\n')[0] as string
  assert.match((await issuer.run('get', 'cocina//cafetera/state', '--as', file)).out, /^401 /)
  await issuer.does('trust', 'grant', 'guest', guest, '--allow', 'GET cafetera/...', '--to', 'cocina')
  assert.match(await issuer.does('get', 'cocina//cafetera/state', '--as', file), /^200 /)
  assert.match((await issuer.run('get', 'cocina//engine', '--as', file)).out, /^403 /)
  await issuer.does('trust', 'revoke', guest, '--to', 'cocina')
  assert.match((await issuer.run('get', 'cocina//cafetera/state', '--as', file)).out, /^401 /)
  const own = await issuer.run('trust', 'rotate')
  assert.is(own.code, 1)
  assert.match(own.err, /rotated by another issuer only/)
})

test('B9 a grant of who is no issuer is refused, and its rights are missing', async () => {
  const jan = await new Person('jan').may('*,BIND ...')
  const { code, err } = await jan.run(
    'trust',
    'grant',
    'x',
    await owner.id(),
    '--allow',
    'GET ...',
    '--to',
    'cocina',
  )
  assert.is(code, 1)
  assert.match(err, /cocina has not: 403 .*an issuer there/)
})

test('B9 rotate: the new key has the rights of the old one', async () => {
  const kim = await new Person('kim').may('GET ...')
  const before = await kim.id()
  const out = await kim.does('trust', 'rotate')
  assert.is(await kim.id(), out.trim())
  assert.is.not(await kim.id(), before)
  assert.match(await kim.does('get', 'cocina//engine'), /^200 /)
})

test('B9 a trust file that can’t be read changes nothing and is told; without one nobody is trusted', async () => {
  const lea = await new Person('lea').may('GET ...')
  const file = join(engine.folder, 'trust.json')
  const good = readFileSync(file)
  const from = engine.err.length
  writeFileSync(file, '{"v":1,"keys":[{}]}')
  await engine.says(/trust stays as it was: .*keys\[0\]\.id/, 2000, from)
  assert.match(await lea.does('get', 'cocina//engine'), /^200 /)
  chmodSync(file, 0o666)
  writeFileSync(file, '{"v":1,"keys":[]}')
  await engine.says(/can be written by others/, 2000, from)
  assert.match(await lea.does('get', 'cocina//engine'), /^200 /)
  unlinkSync(file)
  await lea.until(401, 'get', 'cocina//engine')
  writeFileSync(file, good)
  await lea.until(200, 'get', 'cocina//engine')
})

test('R14 the control socket is for the owner of the state folder, and is on no listener', async () => {
  const path = join(engine.folder, 'state/control.sock')
  assert.is(statSync(path).mode & 0o777, 0o600)
  const mia = await new Person('mia').may('*,BIND ...', '* control/...')
  assert.match((await mia.run('get', 'cocina//control')).out, /^404 /)
  assert.match((await mia.run('post', 'cocina//control/pair', '{"name":"x"}')).out, /^404 /)
  const socket = connect(path)
  socket.write('{"method":"GET","resource":["control"],"token":["1"]}\n')
  const answer = await new Promise((resolve) => socket.once('data', (data) => resolve(String(data))))
  socket.destroy()
  assert.match(String(answer), /"fingerprint"/)
})

test('B3 R9 an engine keeps its key over restarts, alone, and refuses to start with one that others can read', async () => {
  const folder = makeFolder()
  const words = () => ['run', '--state', folder, '--config', join(folder, 'hormiga.json')]
  writeFileSync(join(folder, 'hormiga.json'), JSON.stringify(CONFIG))
  const start = () => new Engine(CONFIG, words().slice(1))
  const first = await start().runs()
  const id = JSON.parse(await owner.does('id', '--json', '--state', folder)).id
  const second = start()
  assert.is(await second.end(), 1)
  assert.match(second.err, /hormiga: .*keys is in use by process \d+.*a folder of its own/)
  await first.end('SIGKILL')
  const third = await start().runs()
  assert.is(JSON.parse(await owner.does('id', '--json', '--state', folder)).id, id)
  assert.is(await third.end('SIGTERM'), 0)
  assert.not.ok(existsSync(join(folder, 'control.sock')))
  chmodSync(join(folder, 'keys/identity.pem'), 0o644)
  const open = start()
  assert.is(await open.end(), 1)
  assert.match(open.err, /identity\.pem can be read by others: chmod 600/)
  chmodSync(join(folder, 'keys/identity.pem'), 0o600)
  writeFileSync(join(folder, 'keys/board'), 'another-board\n')
  const cloned = start()
  assert.is(await cloned.end(), 1)
  assert.match(cloned.err, /belongs to the board another-board/)
  for (const it of [first, second, third, open, cloned]) await it.stop()
  rmSync(folder, { recursive: true })
})

test('§9.15 rules of "access" can be for one listener only', async () => {
  const rule = { method: ['GET'], resource: ['engine'], listen: ['http'] }
  const some = await new Engine({
    ...CONFIG,
    listen: { tcp: '127.0.0.1:0', http: '127.0.0.1:0' },
    access: [rule],
  }).runs()
  assert.match(some.err, /no rule of \\"access\\" is for tcp/)
  assert.match((await owner.run('get', `${await some.at()}//engine`)).out, /^401 /)
  assert.match(
    (await owner.run('get', `${await some.at('http')}:ws//engine`)).out,
    /^200 .*"id":"did:key:z6Mk/,
  )
  assert.match((await owner.run('get', `${await some.at('http')}:ws//cafetera`)).out, /^401 /)
  await some.stop()
})

test.run()
