// State on a real disk: where it is, that only its owner can read it, what is damaged, what a day may cost (design §7).

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import { Meters } from '../../src/core/meters.ts'
import { type Disk, realDisk } from '../../src/host/disk.ts'
import { chooseDirectory, openStore, type StoreError, type StoreOptions } from '../../src/host/store.ts'

const test = suite('store', { root: '' })
test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), 'hormiga-store-'))
})
test.after.each(({ root }) => rmSync(root, { recursive: true }))

async function open(root: string, options: Partial<StoreOptions> = {}) {
  const clock = new TestClock()
  const meters = new Meters()
  const warnings: string[] = []
  const nothing = () => {}
  const log = {
    debug: nothing,
    info: nothing,
    error: nothing,
    warn: (text: string) => void warnings.push(text),
  }
  const directory = join(root, 'state')
  const store = await openStore({ directory, clock, log, meters, ...options })
  return { store, clock, meters, warnings, directory }
}

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (content: Uint8Array | undefined) => content && Buffer.from(content).toString()
const refusal = (work: Promise<unknown>): Promise<StoreError> =>
  work.then(
    () => assert.unreachable(),
    (error) => error,
  )

test('§9.20 the folder: --state, else the configuration, else systemd, else /var/lib/hormiga for root, else XDG', () => {
  const env = { STATE_DIRECTORY: '/run/a:/run/b', XDG_STATE_HOME: '/x', HOME: '/home/pi' }
  const choose = (place: Partial<Parameters<typeof chooseDirectory>[0]>) =>
    chooseDirectory({ env, isRoot: false, ...place })
  assert.is(choose({ argument: '/one', config: '/two' }), '/one')
  assert.is(choose({ config: '/two' }), '/two')
  assert.is(choose({ isRoot: true }), '/run/a')
  assert.is(choose({ env: { HOME: '/root' }, isRoot: true }), '/var/lib/hormiga')
  assert.is(choose({ env: { XDG_STATE_HOME: '/x', HOME: '/home/pi' } }), '/x/hormiga')
  assert.is(choose({ env: { XDG_STATE_HOME: 'x', HOME: '/home/pi' } }), '/home/pi/.local/state/hormiga')
  assert.throws(() => choose({ env: {} }), /give one with --state DIR/)
})

test('what was written is read, by the next process too; only the owner can', async ({ root }) => {
  const { store, directory } = await open(root)
  assert.is(await store.read('keys'), undefined)
  await store.write('keys', bytes('one'))
  await store.write('keys', bytes('two'))
  await store.write('empty.bin', new Uint8Array())
  assert.is(text(await store.read('keys')), 'two')
  const next = await open(root)
  assert.is(text(await next.store.read('keys')), 'two')
  assert.is((await next.store.read('empty.bin'))?.length, 0)
  assert.equal(readdirSync(directory).sort(), ['empty.bin', 'keys', 'keys~'])
  assert.is(statSync(directory).mode & 0o777, 0o700)
  assert.is(statSync(join(directory, 'keys')).mode & 0o777, 0o600)
  assert.is(text(readFileSync(join(directory, 'keys')))?.split('\n')[1], 'two', 'people can read it too')
})

test('writes at the same time happen in their order, and a read sees those before it', async ({ root }) => {
  const { store } = await open(root)
  const writes = ['a', 'b', 'c'].map((word) => store.write('x', bytes(word)))
  assert.is(text(await store.read('x')), 'c')
  await Promise.all(writes)
})

test('every way to damage a file is noticed: the last good copy is read, and stays', async ({ root }) => {
  const { store, directory, warnings, meters } = await open(root)
  const path = join(directory, 'x')
  await store.write('x', bytes('old old old'))
  await store.write('x', bytes('new new new'))
  const whole = readFileSync(path)
  const damages: Buffer[] = [Buffer.alloc(0), Buffer.alloc(whole.length), Buffer.from('junk')]
  for (let length = 1; length < whole.length; length++) damages.push(whole.subarray(0, length))
  for (let at = 0; at < whole.length; at++) {
    const flipped = Buffer.from(whole)
    flipped[at] = (flipped[at] as number) ^ 1
    damages.push(flipped)
  }
  damages.push(Buffer.concat([whole, Buffer.from('!')]))
  for (const damage of damages) {
    writeFileSync(path, damage)
    assert.is(text(await store.read('x')), 'old old old')
  }
  assert.is(meters.read()['store.torn'], damages.length)
  assert.match(warnings[0] ?? '', /x is torn: the copy before it, .*x~, is used/)
  await store.write('x', bytes('newer'))
  writeFileSync(path, 'junk')
  assert.is(text(await store.read('x')), 'old old old', 'a torn file does not push out the good copy')
})

test('with no good copy left it says so, instead of starting anew without a word', async ({ root }) => {
  const { store, directory } = await open(root)
  await store.write('keys', bytes('a'))
  writeFileSync(join(directory, 'keys'), 'junk')
  const error = await refusal(store.read('keys'))
  assert.is(error.code, 'torn')
  assert.match(error.message, /keys is damaged.*remove .*keys and .*keys~ to start anew/)
})

test('a folder that cannot be used is an error that says what to do', async ({ root }) => {
  writeFileSync(join(root, 'file'), '')
  const error = await refusal(open(root, { directory: join(root, 'file/state') }))
  assert.is(error.code, 'unusable')
  assert.match(error.message, /the state folder .*file\/state can't be used: E.*--state DIR.*sudo install -d/)
  const plain = await refusal(open(root, { directory: join(root, 'file') }))
  assert.is(plain.code, 'unusable')
  const readOnly: Disk = {
    ...realDisk,
    checkWritable: async () => {
      throw new Error('EROFS: read-only file system')
    },
  }
  assert.match((await refusal(open(root, { disk: readOnly }))).message, /EROFS/)
})

test('a folder that nobody can make is refused', async ({ root }) => {
  const error = await refusal(open(root, { directory: '/proc/hormiga' }))
  assert.is(error.code, 'unusable')
  assert.match(error.message, /the state folder \/proc\/hormiga can't be used: E/)
})

test('the card takes no more than its bytes a day, in blocks of 4,096', async ({ root }) => {
  const { store, clock, meters } = await open(root, { cap: 3 * 4096 })
  await store.write('a', new Uint8Array(10))
  await store.write('a', new Uint8Array(4096))
  assert.equal(store.status.written, 3 * 4096)
  const error = await refusal(store.write('a', bytes('no')))
  assert.is(error.code, 'budget')
  assert.is((await store.read('a'))?.length, 4096)
  assert.is(store.status.refused, 1)
  assert.equal(meters.read(), { 'store.refused': 1, 'store.written': 3 * 4096 })
  await clock.advance(86_400_000)
  assert.is(store.status.written, 0)
  await store.write('a', bytes('yes'))
  assert.is(text(await store.read('a')), 'yes')
  assert.is(clock.pending, 0)
})

test('a disk that hangs: who waits is told after 10 s, and no more than 64 wait', async ({ root }) => {
  let go = () => {}
  const gate = new Promise<void>((done) => {
    go = done
  })
  const disk: Disk = {
    ...realDisk,
    writeSynced: (path, content) => gate.then(() => realDisk.writeSynced(path, content)),
  }
  const { store, clock, meters } = await open(root, { disk })
  const writes = Array.from({ length: 65 }, (_, at) =>
    refusal(store.write('a', bytes(String(at)))).catch(() => {}),
  )
  await clock.advance(10_000)
  const codes = (await Promise.all(writes)).map((error) => error?.code)
  assert.equal(codes, [...Array(64).fill('timeout'), 'busy'])
  assert.is(meters.read()['store.busy'], 1)
  go()
  await store.write('b', bytes('on')).catch((error) => assert.is(error.code, 'busy'))
  assert.is(text(await store.read('a')), '63')
  await store.write('b', bytes('again'))
  assert.is(clock.pending, 0)
})

test('a disk that says no leaves the old content, and the next write works', async ({ root }) => {
  let full = false
  const disk: Disk = {
    ...realDisk,
    writeSynced: async (path, content) => {
      if (full) throw new Error('ENOSPC: no space left on device')
      return realDisk.writeSynced(path, content)
    },
  }
  const { store } = await open(root, { disk })
  await store.write('a', bytes('old'))
  full = true
  const error = await refusal(store.write('a', bytes('new')))
  assert.is(error.code, 'failed')
  assert.match(error.message, /ENOSPC.*df /)
  assert.is(text(await store.read('a')), 'old')
  full = false
  await store.write('a', bytes('new'))
  assert.is(text(await store.read('a')), 'new')
})

test('names that lead elsewhere, or to copies, are refused', async ({ root }) => {
  const { store } = await open(root)
  for (const name of ['', '..', '../x', '/etc/passwd', 'a/b', 'a~', 'a.tmp', '.a', 'A', 'a\0'])
    assert.instance(await refusal(store.write(name, bytes('x'))), TypeError, name)
})

test.run()
