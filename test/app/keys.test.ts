// Keys beside the engine's own (spec B3, R9): without the lock, in files, and how an engine is reached by its key.

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import { didOf } from '../../src/identity/did.ts'
import { type KeyDisk, realKeyDisk } from '../../src/identity/key-disk.ts'
import { LockedError, takeLock } from '../../src/identity/key-lock.ts'
import { makeKeyFile, openKeystore, openSigner, peekKid, readKeyFile } from '../../src/identity/keystore.ts'
import { readTrust } from '../../src/identity/trust-file.ts'

const root = mkdtempSync(join(tmpdir(), 'hormiga-signer-'))
let count = 0
const fresh = () => join(root, `k${count++}`)

test.after(() => rmSync(root, { recursive: true }))

test('R9 the key alone takes no lock, and is the one of the key store', () => {
  const folder = fresh()
  assert.is(peekKid(folder), undefined)
  const { kid } = openSigner({ folder, serial: 'b' })
  assert.equal(openSigner({ folder, serial: 'b' }).kid, kid)
  const store = openKeystore({ folder, now: () => 0, serial: 'b' })
  assert.equal(store.signer.kid, kid)
  assert.equal(openSigner({ folder, serial: 'b' }).kid, kid, 'while another process has it')
  assert.equal(peekKid(folder), kid)
  store.close()
  assert.throws(() => openSigner({ folder, serial: 'c' }), /belongs to the board b/)
  chmodSync(join(folder, 'identity.pem'), 0o640)
  assert.throws(() => openSigner({ folder, serial: 'b' }), /can be read by others/)
})

test('B3 a key file: for its owner only, never overwritten, and its bytes in no error', () => {
  const path = fresh()
  const { kid } = makeKeyFile(path)
  assert.is(statSync(path).mode & 0o777, 0o600)
  assert.equal(readKeyFile(path).kid, kid)
  assert.throws(() => makeKeyFile(path), /is there already/)
  chmodSync(path, 0o604)
  assert.throws(() => readKeyFile(path), /can be read by others: chmod 600/)
  assert.throws(() => readKeyFile(`${path}x`), /there is no/)
  assert.match(readFileSync(path, 'utf8'), /^-----BEGIN PRIVATE KEY-----/)
})

test('R9 a lock is never there without its holder in it', () => {
  const path = fresh()
  const seen: string[] = []
  const disk: KeyDisk = {
    ...realKeyDisk,
    link(from, to) {
      seen.push(Buffer.from(realKeyDisk.read(from)).toString())
      realKeyDisk.link(from, to)
    },
  }
  const release = takeLock(disk, path, 'it')
  assert.match(String(seen[0]), new RegExp(`^${process.pid} `))
  assert.throws(
    () => takeLock(realKeyDisk, path, 'it'),
    (error: Error) => error instanceof LockedError,
  )
  release()
  takeLock(realKeyDisk, path, 'it')()
})

test('R13 what can’t be written later on is told and ends nothing; at start it is an error', () => {
  const folder = fresh()
  let isFull = false
  const disk: KeyDisk = {
    ...realKeyDisk,
    create(path, content) {
      if (isFull) throw new Error('ENOSPC')
      realKeyDisk.create(path, content)
    },
  }
  const told: string[] = []
  let time = 0
  const options = { folder, now: () => time, disk, failed: (error: Error) => void told.push(error.message) }
  const store = openKeystore(options)
  isFull = true
  time = 8 * 86_400_000
  store.tick()
  store.saveLearned({} as never)
  assert.equal(told, ['ENOSPC', 'ENOSPC', 'ENOSPC'])
  isFull = false
  store.close()
  isFull = true
  assert.throws(() => openKeystore(options), /ENOSPC/)
})

test('B9 "at" says how an engine is reached, in the form of "to", and is read strictly', () => {
  const id = didOf(makeKeyFile(fresh()).kid)
  const read = (at: Json) => readTrust({ v: 1, keys: [{ id, name: 'cocina', at }] }, 't').keys[0]?.at
  assert.equal(read([['192.168.1.20', 33333, 'tcp']]), [['192.168.1.20', 33333, 'tcp']])
  assert.equal(read([['fe80::1', 1, 'ws'], 'cocina']), [['fe80::1', 1, 'ws'], 'cocina'])
  const wrong: Json[] = [
    [],
    'cocina',
    {},
    [['a', 0, 'tcp']],
    [['a', 65_536, 'tcp']],
    [['a', 1.5, 'tcp']],
    [['a', 1]],
    [['a', 1, 'tcp', 1]],
    [['a b', 1, 'tcp']],
    [['', 1, 'tcp']],
    [['a', '1', 'tcp']],
    [['a', 1, 'TCP']],
    [[['a'], 1, 'tcp']],
    ['a//b'],
    [null],
    Array(17).fill('a'),
  ]
  for (const at of wrong) assert.throws(() => read(at), /keys\[0\]\.at/, JSON.stringify(at))
})

test.run()
