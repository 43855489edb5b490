// Files on a real disk: replaced as a whole, with the rights that they are to have, and what was there wiped where it is asked.

import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Machine, realMachine, replaceFile } from '../../src/firstboot/machine.ts'

const test = suite('firstboot/machine', { root: '', machine: undefined as unknown as Machine })
test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), 'hormiga-firstboot-'))
  context.machine = realMachine(context.root)
})
test.after.each(({ root }) => rmSync(root, { recursive: true }))

const mode = (path: string) => statSync(path).mode & 0o777

test('a file and its folders are made; the same content is not written again', async ({ root, machine }) => {
  await replaceFile(machine, '/etc/a/b', 'one', { mode: 0o600 })
  assert.is(readFileSync(join(root, 'etc/a/b'), 'utf8'), 'one')
  assert.is(mode(join(root, 'etc/a/b')), 0o600)
  assert.is(mode(join(root, 'etc/a')), 0o755)
  const before = statSync(join(root, 'etc/a/b')).ino
  await replaceFile(machine, '/etc/a/b', 'one')
  assert.is(statSync(join(root, 'etc/a/b')).ino, before)
  await replaceFile(machine, '/etc/a/b', 'on')
  assert.is(readFileSync(join(root, 'etc/a/b'), 'utf8'), 'on')
  assert.is(mode(join(root, 'etc/a/b')), 0o644)
  assert.equal(readdirSync(join(root, 'etc/a')), ['b'])
})

test('a leftover or a link in the way is not written through, and its rights do not stay', async ({
  root,
  machine,
}) => {
  writeFileSync(join(root, 'other'), 'untouched')
  symlinkSync('other', join(root, 'a.new'))
  await replaceFile(machine, '/a', 'secret', { mode: 0o600 })
  assert.is(readFileSync(join(root, 'other'), 'utf8'), 'untouched')
  assert.is(mode(join(root, 'a')), 0o600)
  writeFileSync(join(root, 'b.new'), 'half')
  chmodSync(join(root, 'b.new'), 0o666)
  await replaceFile(machine, '/b', 'secret', { mode: 0o600 })
  assert.is(mode(join(root, 'b')), 0o600)
})

test('with `wipe` nothing of the old content stays where it was', async ({ root, machine }) => {
  writeFileSync(join(root, 'a'), 'password = "12345678"')
  linkSync(join(root, 'a'), join(root, 'where-it-was'))
  await replaceFile(machine, '/a', 'password = ""', { wipe: true })
  assert.is(readFileSync(join(root, 'a'), 'utf8'), 'password = ""')
  assert.ok(readFileSync(join(root, 'where-it-was')).every((byte) => byte === 0))
})

test('reading is bounded, and a folder is no file', async ({ root, machine }) => {
  writeFileSync(join(root, 'a'), 'x'.repeat(1000))
  assert.is((await machine.read('/a', 100))?.length, 101)
  assert.is((await machine.read('/a', 5000))?.length, 1000)
  assert.is(await machine.read('/b', 100), undefined)
  assert.is(await machine.read('/a/b', 100), undefined)
  mkdirSync(join(root, 'c'))
  const refusal = await machine.read('/c', 100).then(String, (error: Error) => error.message)
  assert.match(refusal, /is no file/)
})

test('a command that is not there, fails, or prints', async () => {
  const machine = realMachine()
  assert.is((await machine.run(['no-such-command-of-hormiga'])).code, -1)
  assert.is((await machine.run(['false'])).code, 1)
  assert.equal(await machine.run(['cat'], { input: 'a; reboot\n' }), { code: 0, out: 'a; reboot\n' })
  assert.equal(await machine.run(['echo', '$(reboot)', '`x`']), { code: 0, out: '$(reboot) `x`\n' })
})

test.run()
