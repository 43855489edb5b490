// needs dist
// time limit: 120 s
// `hormiga update` with the real launcher and the real engine (issue 8): kept, taken back, cut off, done again.

import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ended, engineFiles, Machine, worseFiles } from './machine.ts'

const TRIAL = ['--trial', '5s']

const machine = new Machine('0.1.0-1')
const secret = () => readFileSync(machine.in('var/lib/hormiga/keys/identity.pem'), 'utf8')
let key = ''

/** Which version the engine that was started last is. */
const running = () => [...machine.log.matchAll(/this is (\S+)/g)].at(-1)?.[1]

test.after(() => machine.remove())

test('the package runs, and nothing is on trial', async () => {
  await machine.on()
  await machine.says(/cafetera: up/)
  key = secret()
  const { out, code } = await machine.update('--status')
  assert.is(code, 0)
  assert.match(out, /in force +0\.1\.0-1 \(the package's\)/)
  assert.match(out, /signed by +did:key:z6Mk/)
})

test('a version that does as well is kept', async () => {
  const { code, out } = await machine.update(machine.make('0.2.0-1'), ...TRIAL)
  assert.is(code, 0, out)
  assert.match(out, /before: the engine answers; cafetera up/)
  assert.match(out, /0\.2\.0-1 is kept/)
  assert.is(running(), '0.2.0-1')
  assert.is(machine.current, '0.2.0-1')
})

test('one whose engine does not start goes back by itself, after three starts', async () => {
  const from = machine.log.length
  const file = machine.make('0.3.0-1', engineFiles('0.3.0-1', 'process.exit(3)'))
  const { code, out } = await machine.update(file, '--trial', '20s')
  assert.is(code, 1, out)
  assert.match(out, /0\.3\.0-1 is not kept: it was started 3 times, and did not stay/)
  assert.is(machine.log.slice(from).match(/this is 0\.3\.0-1/g)?.length, 3)
  await machine.says(/this is 0\.2\.0-1.* runs \(hormiga/s, from)
  assert.is(machine.current, '0.2.0-1')
  assert.equal(machine.folders, ['0.2.0-1'])
})

test('one under which a device is worse than before goes back by itself', async () => {
  await machine.says(/this is 0\.2\.0-1(?!.*this is).*cafetera: up/s)
  const from = machine.log.length
  const { code, out } = await machine.update(machine.make('0.4.0-1', worseFiles('0.4.0-1')), ...TRIAL)
  assert.is(code, 1, out)
  assert.match(out, /0\.4\.0-1 is not kept: cafetera was up and is (down|connecting)/)
  await machine.says(/this is 0\.2\.0-1.*cafetera: up/s, from)
  assert.is(machine.current, '0.2.0-1')
})

test('the power is cut during the trial: the next start is the old version, and it can be done again', async () => {
  const file = machine.make('0.5.0-1')
  const from = machine.log.length
  machine.start(file, '--trial', '60s')
  await machine.says(/this is 0\.5\.0-1.* runs \(hormiga/s, from)
  await machine.cut()
  assert.is(machine.current, '0.5.0-1')
  await machine.on()
  assert.is(running(), '0.2.0-1')
  assert.match(
    (await machine.update('--status')).out,
    /last update +0\.5\.0-1, .*: not kept: its trial was cut off/,
  )
  const again = await machine.update(file, ...TRIAL)
  assert.is(again.code, 0, again.out)
  assert.is(running(), '0.5.0-1')
  assert.equal(machine.folders, ['0.2.0-1', '0.5.0-1'])
})

test('the power is cut while it is installed, at any time: nothing has changed', async () => {
  const file = machine.make('0.6.0-1')
  for (const wait of [250, 400]) {
    const child = machine.start(file, '--trial', '60s')
    await new Promise((done) => setTimeout(done, wait))
    await machine.cut()
    assert.ok(child.signalCode === 'SIGKILL')
    await machine.on()
    assert.is(running(), '0.5.0-1', `${wait} ms`)
  }
})

test('the update alone is killed: the next start of the engine goes back', async () => {
  const from = machine.log.length
  const child = machine.start(machine.make('0.7.0-1'), '--trial', '60s')
  await machine.says(/this is 0\.7\.0-1.* runs \(hormiga/s, from)
  child.kill('SIGKILL')
  await ended(child)
  machine.killEngine()
  await machine.says(/0\.7\.0-1 is not kept: its trial was cut off.*this is 0\.5\.0-1.* runs/s, from)
  assert.is(machine.current, '0.5.0-1')
})

test('ended by its user, or by a computer that is switched off: it goes back at once', async () => {
  const from = machine.log.length
  const child = machine.start(machine.make('0.7.0-1'), '--trial', '60s')
  const done = ended(child)
  await machine.says(/this is 0\.7\.0-1.* runs \(hormiga/s, from)
  child.kill('SIGTERM')
  const { code, out } = await done
  assert.is(code, 1)
  assert.match(out, /0\.7\.0-1 is not kept: its trial was ended/)
  await machine.says(/this is 0\.5\.0-1.* runs/s, from)
})

test('what may not be installed is refused before anything is touched', async () => {
  const before = machine.folders
  const file = machine.make('0.8.0-1')
  const bytes = readFileSync(file)
  bytes.writeUInt8(255 - bytes.readUInt8(bytes.length - 100), bytes.length - 100)
  writeFileSync(machine.in('changed.update'), bytes)
  const told = async (...words: string[]) => {
    const { code, out } = await machine.update(...words)
    assert.is(code, 1)
    return out
  }
  assert.match(await told(machine.in('changed.update')), /hormiga: its content was changed/)
  assert.match(await told(machine.make('0.4.0-1')), /0\.4\.0-1 is not newer than 0\.5\.0-1/)
  assert.match(await told(machine.in('nothing.update')), /hormiga: ENOENT/)
  assert.match(await told(machine.in('etc')), /is no plain file/)
  assert.match(
    await told('--status', '--root', machine.in('etc')),
    /only what the package has installed can be updated/,
  )
  machine.allow()
  assert.match(await told(file), /no key may sign updates here/)
  assert.equal(machine.folders, before)
})

test('a rollback by hand', async () => {
  const from = machine.log.length
  const { code, out } = await machine.update('--rollback')
  assert.is(code, 0, out)
  assert.match(out, /0\.2\.0-1 is in force, in place of 0\.5\.0-1/)
  await machine.says(/this is 0\.2\.0-1/, from)
  assert.equal(machine.folders, ['0.2.0-1'])
})

test('through all of it the key and the trust are the same', () => {
  assert.is(secret(), key)
  assert.is(readFileSync(machine.in('etc/hormiga/trust.json'), 'utf8'), '{ "v": 1, "keys": [] }\n')
})

test.run()
