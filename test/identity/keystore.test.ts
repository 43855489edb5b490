// Keys on disk (spec B3, R9, R13): permissions, links, owners, power cuts, cloned cards. T22 and T24.

import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type KeyDisk, realKeyDisk } from '../../src/identity/key-disk.ts'
import { openKeystore } from '../../src/identity/keystore.ts'
import { openWebSigner } from '../../src/identity/keystore-web.ts'
import { makePrekey, rotatingPrekeys, type StoredPrekeys } from '../../src/identity/prekeys.ts'
import { makeSeal, openSeal } from '../../src/identity/sign-seal.ts'
import { readTrustFile } from '../../src/identity/trust-disk.ts'
import { node, now, range, toHex, utf8, web } from './kit.ts'

const root = mkdtempSync(join(tmpdir(), 'hormiga-keys-'))
let count = 0
const fresh = () => join(root, `k${count++}`, 'keys')

test.after(() => rmSync(root, { recursive: true, force: true }))

const open = (folder: string, more: Partial<Parameters<typeof openKeystore>[0]> = {}) =>
  openKeystore({ folder, now: () => 0, serial: 'board-1', ...more })

function close(folder: string, more = {}) {
  open(folder, more).close()
}

function refusal(folder: string, more = {}): string {
  try {
    close(folder, more)
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

test('B3 the first boot makes the keys, the second finds them', () => {
  const folder = fresh()
  const first = open(folder)
  const { kid } = first.signer
  const { name } = first.prekeys.current
  first.close()
  assert.is(statSync(folder).mode & 0o777, 0o700)
  for (const file of ['identity.pem', 'prekeys.json', 'board', 'uptime']) {
    assert.is(statSync(join(folder, file)).mode & 0o777, 0o600, file)
  }
  assert.match(readFileSync(join(folder, 'identity.pem'), 'utf8'), /^-----BEGIN PRIVATE KEY-----/)
  assert.not.ok(existsSync(join(folder, 'lock')))
  const second = open(folder)
  assert.is(toHex(second.signer.kid), toHex(kid))
  assert.is(second.prekeys.current.name, name)
  second.close()
})

test('B3 what others could read, links, and files of another user are refused', () => {
  for (const file of ['identity.pem', 'prekeys.json']) {
    for (const mode of [0o640, 0o604, 0o666]) {
      const folder = fresh()
      close(folder)
      chmodSync(join(folder, file), mode)
      assert.match(refusal(folder), /can be read by others: chmod 600/)
    }
    const folder = fresh()
    close(folder)
    const path = join(folder, file)
    writeFileSync(join(root, 'elsewhere'), readFileSync(path), { mode: 0o600 })
    rmSync(path)
    symlinkSync(join(root, 'elsewhere'), path)
    assert.match(refusal(folder), /never read through links/)
  }
  const folder = fresh()
  close(folder)
  assert.match(refusal(folder, { user: 12345 }), /belongs to user 0, not to 12345 who runs this: chown/)
  chmodSync(folder, 0o750)
  assert.match(refusal(folder), /chmod 700/)
  const target = fresh()
  close(target)
  const link = join(root, 'link')
  symlinkSync(target, link)
  assert.match(refusal(link), /no folder of its own/)
})

test('B3 a broken key is told, never replaced, and its bytes are never shown', () => {
  const folder = fresh()
  close(folder)
  const path = join(folder, 'identity.pem')
  const text = readFileSync(path, 'utf8')
  const secret = text.split('\n')[1] as string
  writeFileSync(path, text.replace('-----END', '-----EMD'))
  const message = refusal(folder)
  assert.match(message, /is no private key/)
  assert.not(message.includes(secret.slice(0, 20)))
  assert.is(readFileSync(path, 'utf8').includes(secret), true)
  writeFileSync(join(folder, 'prekeys.json'), '{"v":1')
  writeFileSync(path, text)
  assert.match(refusal(folder), /prekeys\.json is no JSON/)
})

test('T24 another board: refused, not regenerated', () => {
  const folder = fresh()
  close(folder)
  const before = readFileSync(join(folder, 'identity.pem'))
  assert.match(refusal(folder, { serial: 'board-2' }), /belongs to the board board-1, and this is board-2/)
  assert.match(refusal(folder, { serial: undefined }), /board-1/)
  assert.equal(readFileSync(join(folder, 'identity.pem')), before)
  rmSync(join(folder, 'board'))
  assert.match(refusal(folder), /an unknown board/)
})

test('R9 one live process per identity; the lock of a dead one is no lock', () => {
  const folder = fresh()
  const first = open(folder)
  assert.match(refusal(folder), /is in use by process/)
  first.close()
  for (const dead of ['999999 1', '1 1', '', 'junk']) {
    writeFileSync(join(folder, 'lock'), dead, { mode: 0o600 })
    close(folder)
    assert.not.ok(existsSync(join(folder, 'lock')))
  }
})

test('R13 uptime is written every hour, and each boot counts as one', () => {
  const folder = fresh()
  const hour = 3_600_000
  let time = 0
  const first = open(folder, { now: () => time })
  assert.is(first.uptime(), hour)
  time = 5.5 * hour
  first.tick()
  assert.is(first.uptime(), 6.5 * hour)
  first.close()
  time = 0
  const second = open(folder, { now: () => time })
  assert.is(second.uptime(), 7.5 * hour)
  time = 0.9 * hour
  second.tick()
  assert.is(Number(readFileSync(join(folder, 'uptime'), 'utf8')), 7.5 * hour, 'not more often')
  second.close()
})

/** Notes what is done to the disk, and stops at a certain step as a power cut would. */
function cutAfter(steps: number): { disk: KeyDisk; done(): number } {
  let left = steps
  const step = <A extends unknown[], R>(run: (...args: A) => R) => {
    return (...args: A): R => {
      if (left-- <= 0) throw new Error('power cut')
      return run(...args)
    }
  }
  const { create, rename, remove, syncFolder, makeFolder } = realKeyDisk
  const torn = (path: string, content: Uint8Array) => {
    if (left === 1) {
      left = 0
      create(path, content.subarray(0, Math.floor(content.length / 2)))
      throw new Error('power cut')
    }
    create(path, content)
  }
  return {
    disk: {
      ...realKeyDisk,
      create: step(torn),
      rename: step(rename),
      remove: step(remove),
      syncFolder: step(syncFolder),
      makeFolder: step(makeFolder),
    },
    done: () => steps - left,
  }
}

test('B3 a power cut at any step of the first boot: the next boot has whole keys', () => {
  let cuts = 0
  for (let steps = 1; ; steps++) {
    const folder = fresh()
    const { disk } = cutAfter(steps)
    const message = refusal(folder, { disk })
    rmSync(join(folder, 'lock'), { force: true })
    const store = open(folder)
    const { kid } = store.signer
    store.close()
    const again = open(folder)
    assert.is(toHex(again.signer.kid), toHex(kid))
    again.close()
    if (message === '') break
    assert.match(message, /power cut/)
    cuts++
  }
  assert.ok(cuts > 10, String(cuts))
})

test('B3 prekeys: a new one after 7 days of uptime, the old one 7 days more, then wiped', () => {
  const day = 86_400_000
  let uptime = 0
  let kept: StoredPrekeys | undefined
  const make = () =>
    rotatingPrekeys(
      node,
      kept,
      () => uptime,
      (stored) => {
        kept = stored
      },
    )
  const prekeys = make()
  const first = prekeys.current.name
  uptime = 6.9 * day
  prekeys.tick()
  assert.is(prekeys.current.name, first)
  uptime = 7 * day
  prekeys.tick()
  const second = prekeys.current.name
  assert.is.not(second, first)
  assert.ok(prekeys.find(first))
  assert.ok(make().find(first), 'over a reboot as well')
  const old = kept?.previous?.secret as string
  uptime = 14 * day
  prekeys.tick()
  assert.is(prekeys.find(first), undefined)
  assert.ok(prekeys.find(second))
  assert.not(JSON.stringify(kept).includes(old))
  uptime = 40 * day
  const late = make()
  late.tick()
  assert.is(late.find(second), undefined, 'both were too old')
})

test('T22 a stolen card opens what was sealed to the prekeys on it, and nothing older', async () => {
  const day = 86_400_000
  let uptime = 0
  let kept: StoredPrekeys | undefined
  const prekeys = rotatingPrekeys(
    node,
    undefined,
    () => uptime,
    (stored) => {
      kept = stored
    },
  )
  const [author, engine] = [await node.signer(range(0, 32)), await node.signer(range(32, 32))]
  const recorded = []
  for (let week = 0; week < 4; week++) {
    uptime = week * 7 * day
    prekeys.tick()
    const { exchange, k } = prekeys.current
    const signing = { aud: engine.kid, b: range(0, 8), n: week, ch: undefined, p: utf8('{"secret":1}') }
    recorded.push((await makeSeal(node, author, signing, { x: exchange.publicKey, k }))?.sec)
  }
  const stolen = [kept?.current.secret, kept?.previous?.secret]
  const opened = []
  for (const sec of recorded) {
    let isOpen = false
    for (const secret of stolen) {
      const key = now(makePrekey(node, node.fromText(secret as string)))
      if (await openSeal(node, key.exchange, engine.kid, sec as NonNullable<typeof sec>)) isOpen = true
    }
    opened.push(isOpen)
  }
  assert.equal(opened, [false, false, true, true])
})

test('B9 the trust file: root’s, plain, not writable by others; none means nobody', () => {
  const folder = join(root, 'etc')
  realKeyDisk.makeFolder(folder)
  const path = join(folder, 'trust.json')
  assert.equal(readTrustFile(path).keys, [])
  writeFileSync(path, '{"v":1,"keys":[]}', { mode: 0o644 })
  assert.equal(readTrustFile(path).keys, [])
  chmodSync(path, 0o664)
  assert.throws(() => readTrustFile(path), /can be written by others: chmod go-w/)
  chmodSync(path, 0o644)
  assert.throws(() => readTrustFile(path, 12345), /must belong to user 12345/)
  writeFileSync(path, '{"v":1')
  assert.throws(() => readTrustFile(path), /is no JSON/)
  chmodSync(folder, 0o777)
  assert.throws(() => readTrustFile(path), /can be written by others/)
})

/** What of IndexedDB is used; everything happens one turn later, as there. */
function fakeIdb() {
  const kept = new Map<string, unknown>()
  const later = (run: () => unknown) => {
    const request = { result: undefined as unknown, error: undefined as unknown } as Record<string, unknown>
    queueMicrotask(() => {
      try {
        request.result = run()
        queueMicrotask(() => (request.onsuccess as (() => void) | undefined)?.())
      } catch (error) {
        request.error = error
        queueMicrotask(() => (request.onerror as (() => void) | undefined)?.())
      }
    })
    return request
  }
  const store = {
    get: (key: string) => later(() => kept.get(key)),
    add: (value: unknown, key: string) =>
      later(() => {
        if (kept.has(key)) throw new Error('ConstraintError')
        kept.set(key, value)
      }),
  }
  const database = {
    createObjectStore: () => store,
    transaction: () => ({ objectStore: () => store }),
    close() {},
  }
  return { kept, open: () => later(() => database) }
}

test('B3 a page keeps its key pair in IndexedDB, and it can’t be taken out', async () => {
  const idb = fakeIdb() as unknown as Parameters<typeof openWebSigner>[1] & {
    kept: Map<string, { privateKey: object }>
  }
  const [one, two] = await Promise.all([openWebSigner(web, idb), openWebSigner(web, idb)])
  assert.is(toHex(one.kid), toHex(two.kid))
  assert.is(toHex((await openWebSigner(web, idb)).kid), toHex(one.kid))
  const { privateKey } = idb.kept.get('identity') as { privateKey: object }
  assert.is((privateKey as { extractable: boolean }).extractable, false)
  assert.is(await web.verifier(one.kid).verify(utf8('x'), await one.sign(utf8('x'))), true)
})

test.run()
