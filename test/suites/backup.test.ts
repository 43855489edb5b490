// needs dist
// time limit: 120 s
// One file with everything, and back again: by passphrase, by the key of another engine, with and without the identity,
// on the same machine and on a new one.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Engine, endAll, hormiga } from './rig.ts'

const SECRET = 'correct horse battery staple'
const CONFIG = { name: 'cocina', listen: { tcp: '127.0.0.1:0', http: false } }
const TRUST = { v: 1, serial: 1, keys: [], revoked: [] }

const test = suite('backup', { root: '' })
test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), 'hormiga-backup-'))
  writeFileSync(join(context.root, 'secret'), `${SECRET}\n`)
})
test.after.each(({ root }) => {
  endAll()
  rmSync(root, { recursive: true, force: true })
})

/** A machine: a folder for its configuration and its state. */
class Home {
  readonly config: string
  readonly state: string
  readonly #secret: string

  constructor(root: string, name: string) {
    mkdirSync(join(root, name))
    this.config = join(root, name, 'hormiga.json')
    this.state = join(root, name, 'state')
    this.#secret = join(root, 'secret')
  }

  /** Lets an engine live here for a moment; its did:key. */
  async live(): Promise<string> {
    const engine = await new Engine({}, ['--config', this.config, '--state', this.state]).runs()
    const { id } = await engine.get('engine')
    await engine.end('SIGTERM')
    return id
  }

  run(command: string, file: string, ...words: string[]) {
    const where = ['--config', this.config, '--state', this.state]
    return hormiga([command, file, ...where, ...words])
  }

  runSecret(command: string, file: string, ...words: string[]) {
    return this.run(command, file, '--passphrase-file', this.#secret, ...words)
  }

  write(): this {
    writeFileSync(this.config, JSON.stringify(CONFIG))
    writeFileSync(join(this.config, '../trust.json'), JSON.stringify(TRUST))
    return this
  }

  trust(): string {
    return readFileSync(join(this.config, '../trust.json'), 'utf8')
  }
}

test('a passphrase: all is back on a new machine, which has an identity of its own', async ({ root }) => {
  const old = new Home(root, 'old').write()
  const id = await old.live()
  const file = join(root, 'b.age')
  const made = await old.runSecret('backup', file)
  assert.is(made.code, 0, made.err)
  assert.match(made.out, /: config, trust.*The identity key is not in it/)
  assert.is(statSync(file).mode & 0o777, 0o600)
  assert.not.ok(readFileSync(file, 'latin1').includes('cocina'))

  const fresh = new Home(root, 'new')
  const back = await fresh.runSecret('restore', file)
  assert.is(back.code, 0, back.err)
  assert.equal(JSON.parse(readFileSync(fresh.config, 'utf8')), CONFIG)
  assert.equal(JSON.parse(fresh.trust()), TRUST)
  assert.is.not(await fresh.live(), id)
})

test('with the identity: the new machine is the old one', async ({ root }) => {
  const old = new Home(root, 'old').write()
  const id = await old.live()
  const file = join(root, 'b.age')
  assert.is((await old.runSecret('backup', file, '--with-identity')).code, 0)
  const fresh = new Home(root, 'new')
  const back = await fresh.runSecret('restore', file)
  assert.is(back.code, 0, back.err)
  assert.match(back.out, /never let the engine that it comes from run beside it/)
  assert.is(await fresh.live(), id)
})

test('the key of another engine opens it, and no other', async ({ root }) => {
  const old = new Home(root, 'old').write()
  await old.live()
  const friend = new Home(root, 'friend').write()
  const to = await friend.live()
  const stranger = new Home(root, 'stranger').write()
  await stranger.live()
  const file = join(root, 'b.age')
  assert.is((await old.run('backup', file, '--to', to)).code, 0)
  const refused = await stranger.run('restore', file)
  assert.is(refused.code, 1)
  assert.match(refused.err, /neither the passphrase nor the key of this engine opens it/)
  writeFileSync(join(friend.config, '../trust.json'), JSON.stringify({ ...TRUST, serial: 2 }))
  const told = await friend.run('restore', file)
  assert.match(told.err, /are there already, and are not the same: .*trust\.json.*--force/)
  assert.is((await friend.run('restore', file, '--force')).code, 0)
  assert.equal(JSON.parse(friend.trust()), TRUST)
})

test('what can’t be is said, and changes nothing', async ({ root }) => {
  const old = new Home(root, 'old').write()
  await old.live()
  const file = join(root, 'b.age')
  const fails = async (run: Promise<{ code: number | null; err: string }>, told: RegExp, code = 1) => {
    const ended = await run
    assert.is(ended.code, code, ended.err)
    assert.match(ended.err, told)
  }
  writeFileSync(join(root, 'short'), 'geheim')
  await fails(old.run('backup', file, '--passphrase-file', join(root, 'short')), /has 6 letters: it needs 12/)
  await fails(old.run('backup', file), /give it with --passphrase-file/, 2)
  await fails(old.run('backup', file, '--to', 'nobody'), /is no key .* and no name of your trust file/)
  assert.is((await old.runSecret('backup', file)).code, 0)
  await fails(old.runSecret('backup', file), /is there already: give another name/)
  writeFileSync(join(root, 'secret'), 'another passphrase\n')
  await fails(old.runSecret('restore', file), /neither the passphrase nor the key/)
  writeFileSync(join(root, 'secret'), `${SECRET}\n`)
  const torn = readFileSync(file)
  torn[torn.length - 5] = (torn[torn.length - 5] as number) ^ 1
  writeFileSync(file, torn)
  await fails(old.runSecret('restore', file), /can't be restored/)
  writeFileSync(file, 'rubbish')
  await fails(old.runSecret('restore', file), /it is no backup/)
  await fails(old.runSecret('restore', join(root, 'nowhere')), /no such file/)
})

test('while the engine runs nothing is restored', async ({ root }) => {
  const old = new Home(root, 'old').write()
  const engine = await new Engine({}, ['--config', old.config, '--state', old.state]).runs()
  const file = join(root, 'b.age')
  assert.is((await old.runSecret('backup', file)).code, 0, 'it can be saved meanwhile')
  const refused = await old.runSecret('restore', file, '--force')
  assert.is(refused.code, 1)
  assert.match(refused.err, /the engine runs: stop it first/)
  await engine.end('SIGTERM')
})

test.run()
