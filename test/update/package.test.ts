// An update package (issue 8): taken as it was made; altered, torn, signed by a stranger or made to do harm it is refused, and
// says why.

import { createHash } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { didOf } from '../../src/identity/did.ts'
import type { Signer } from '../../src/identity/provider.ts'
import { nodeProvider } from '../../src/identity/provider-node.ts'
import { readUpdateKeys } from '../../src/update/keys.ts'
import { MOST, makeUpdate, openUpdate, UpdateError, type UpdateFiles } from '../../src/update/package.ts'

const signer = nodeProvider.signer(Buffer.alloc(32, 7)) as Signer
const stranger = nodeProvider.signer(Buffer.alloc(32, 8)) as Signer
const FACTS = { version: '0.2.0-1', arch: 'arm64', node: 20, after: '0.1.0' }
const FILES: UpdateFiles = new Map(
  Object.entries({
    'hormiga.js': 'program',
    'chunks/a-1.js': 'a',
    'node_modules/@serialport/bindings-cpp/prebuilds/x.node': '\0\x7f',
    VERSION: '0.2.0-1\n',
    empty: '',
  }).map(([path, text]) => [path, Buffer.from(text)]),
)
const whole = makeUpdate(FACTS, FILES, signer)

function refusal(bytes: Uint8Array, keys = [signer.kid]): string {
  try {
    openUpdate(bytes, keys)
  } catch (error) {
    if (error instanceof UpdateError) return error.message
    throw error
  }
  throw new Error('it was taken')
}

/** Signed as it should be, whatever is in it. */
function forge(list: unknown, content: string, header: object = {}): Uint8Array {
  const text = typeof list === 'string' ? list : JSON.stringify(list)
  const plain = Buffer.from(`${text}\n${content}`)
  const payload = gzipSync(plain)
  const line = JSON.stringify({
    format: 'hormiga-update-1',
    ...FACTS,
    size: payload.length,
    unpacked: plain.length,
    sha256: createHash('sha256').update(payload).digest('hex'),
    key: didOf(signer.kid),
    ...header,
  })
  const signature = signer.sign(Buffer.from(`hormiga update\n${line}`)) as Uint8Array
  return Buffer.concat([Buffer.from(`${line}\n${nodeProvider.toText(signature)}\n`), payload])
}

test('what was made is what is read, and the same bytes whenever it is made', () => {
  const update = openUpdate(whole, [stranger.kid, signer.kid])
  const { files, ...facts } = update
  assert.equal(facts, { ...FACTS, key: didOf(signer.kid) })
  assert.equal([...files.keys()].sort(), [...FILES.keys()].sort())
  for (const [path, bytes] of FILES) assert.is(Buffer.compare(files.get(path) as Uint8Array, bytes), 0, path)
  const reversed = new Map([...FILES].reverse())
  assert.is(Buffer.compare(makeUpdate(FACTS, reversed, signer), whole), 0)
})

test('cut short anywhere, or longer, it is refused', () => {
  for (let length = 0; length < whole.length; length++) refusal(whole.subarray(0, length))
  assert.match(refusal(whole.subarray(0, -1)), /cut short or has something added: \d+ bytes of \d+/)
  assert.match(refusal(Buffer.concat([whole, Buffer.from('x')])), /cut short or has something added/)
  assert.match(refusal(Buffer.from('')), /no update of hormiga/)
  assert.match(refusal(Buffer.alloc(MOST + 1)), /more than the 16777216 allowed/)
})

test('with any byte changed it is refused', () => {
  for (let at = 0; at < whole.length; at++) {
    const bytes = Buffer.from(whole)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    refusal(bytes)
  }
})

test('signed by a key that is not listed, or for another purpose, it is refused', () => {
  assert.match(
    refusal(makeUpdate(FACTS, FILES, stranger)),
    /signed by did:key:z6Mk\w+, which may not sign updates here/,
  )
  assert.match(refusal(whole, []), /may not sign updates here/)
  // Its own signature under the name of the key that is listed.
  const text = Buffer.from(makeUpdate(FACTS, FILES, stranger)).toString('latin1')
  const posing = Buffer.from(text.replace(didOf(stranger.kid), didOf(signer.kid)), 'latin1')
  assert.match(refusal(posing), /its signature is not one of did:key/)
  const [line] = text.split('\n')
  const plain = nodeProvider.toText(signer.sign(Buffer.from(line as string)) as Uint8Array)
  const other = Buffer.concat([
    Buffer.from(`${line?.replace(didOf(stranger.kid), didOf(signer.kid))}\n${plain}\n`),
  ])
  assert.match(refusal(other), /its signature/)
  assert.match(refusal(whole, [Buffer.alloc(32)]), /may not sign/)
})

test('a path that leads out of its folder is never taken, though it is signed', () => {
  const good = [
    ['hormiga.js', 1],
    ['VERSION', 8],
  ]
  const bad = [
    '../x',
    'a/../../x',
    '/etc/x',
    'a//x',
    './x',
    '.x',
    'a/.x',
    '',
    'a/',
    'a\\x',
    'a\0',
    'x'.repeat(201),
    7,
  ]
  for (const path of bad) {
    const told = refusal(forge([...good, [path, 1]], 'x0.2.0-1\nx'))
    assert.match(told, /a file in it has a name or a size that can't be/, String(path))
  }
  assert.match(refusal(forge([...good, ['hormiga.js', 1]], 'x0.2.0-1\nx')), /can't be/)
  assert.match(
    refusal(forge([...good, ['hormiga.js/x', 1]], 'x0.2.0-1\nx')),
    /two things in it want the name/,
  )
  assert.match(refusal(forge([...good, ['hormiga', 1]], 'x0.2.0-1\nx')), /two things in it want the name/)
  openUpdate(forge(good, 'x0.2.0-1\n'), [signer.kid])
})

test('what does not fit together is refused, though it is signed', () => {
  const list = [
    ['hormiga.js', 1],
    ['VERSION', 8],
  ]
  const cases: [bytes: Uint8Array, told: RegExp][] = [
    [forge(list, 'x0.2.0-1\nmore'), /list of files does not fit/],
    [forge(list, 'x'), /list of files does not fit/],
    [forge([['VERSION', 8]], '0.2.0-1\n'), /there is no version 0\.2\.0-1 in it/],
    [forge(list, 'x0.3.0-1\n'), /there is no version 0\.2\.0-1 in it/],
    [forge('{"a":1}', ''), /no list of files/],
    [forge('[', ''), /no list of files/],
    [forge([['VERSION', -1]], ''), /can't be/],
    [forge([['VERSION', 1.5]], ''), /can't be/],
    [forge(list, 'x0.2.0-1\n', { unpacked: 10 }), /can't be unpacked/],
    [forge(list, 'x0.2.0-1\n', { unpacked: 1 << 30 }), /says what no update can/],
    [forge(list, 'x0.2.0-1\n', { version: '../../etc' }), /says what no update can/],
    [forge(list, 'x0.2.0-1\n', { version: 'current' }), /says what no update can/],
    [forge(list, 'x0.2.0-1\n', { version: 2 }), /says what no update can/],
    [forge(list, 'x0.2.0-1\n', { format: 'hormiga-update-2' }), /its format is "hormiga-update-2"/],
    [Buffer.from('null\n'), /no update of hormiga/],
    [Buffer.from(`${'{'.repeat(5000)}\n`), /no update of hormiga/],
  ]
  for (const [bytes, told] of cases) assert.match(refusal(bytes), told)
  const bomb = forge([['hormiga.js', 60_000_000]], '\0'.repeat(60_000_000), { unpacked: 1000 })
  assert.match(refusal(bomb), /can't be unpacked/)
})

test("keys that may sign are in a file of root's", () => {
  const folder = mkdtempSync(join(tmpdir(), 'hormiga-keys-'))
  const path = join(folder, 'update-keys')
  const owner = process.getuid?.() ?? 0
  const keys = (text: string) => {
    writeFileSync(path, text)
    return readUpdateKeys(path, [owner])
  }
  try {
    assert.equal(readUpdateKeys(path, [owner]), [])
    assert.equal(keys('# nobody\n\n'), [])
    const two = keys(`${didOf(signer.kid)} builder # of 2026\n  ${didOf(stranger.kid)}\n`)
    assert.equal(two.map(didOf), [didOf(signer.kid), didOf(stranger.kid)])
    assert.throws(() => keys('\ndid:key:z6Mkx\n'), /update-keys:2: "did:key:z6Mkx" is no did:key/)
    assert.throws(() => keys(`${didOf(Buffer.alloc(32))}\n`), /is no did:key of an Ed25519 key/)
    assert.throws(() => readUpdateKeys(path, [owner + 1]), /must belong to root/)
    chmodSync(path, 0o666)
    assert.throws(() => readUpdateKeys(path, [owner]), /can be written by others/)
    rmSync(path)
    symlinkSync('/etc/passwd', path)
    assert.throws(() => readUpdateKeys(path, [owner]), /no plain file/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()
