// One dispatch for many (design §2): encoded once for each codec and version, and not at all where its frame can go on.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { jsonCodec } from '../../src/codec/json.ts'
import type { Codec } from '../../src/core/transport.ts'
import { type Peer, Stage } from './stage.ts'

/** A codec that counts what is encoded and what goes on as it came. */
function counting() {
  const codec = jsonCodec()
  const counts = { stem: 0, reuse: 0, close: 0 }
  const counted: Codec = {
    ...codec,
    stem: (dispatch, version) => {
      counts.stem++
      return codec.stem(dispatch, version)
    },
    reuse: (frame) => {
      counts.reuse++
      return codec.reuse(frame)
    },
    close: (stem, tail, version) => {
      counts.close++
      return codec.close(stem, tail, version)
    },
  }
  return { codec: counted, counts }
}

/** An emitter and subscribers of `a`, half of whom speak 0.4. */
function crowd() {
  const stage = new Stage()
  const { codec, counts } = counting()
  const emitter = stage.pipe({ codec })
  const readers = Array.from({ length: 20 }, (_, i): Peer => {
    const reader = stage.pipe({ codec, version: i % 2 ? '0.4' : '0.6' })
    reader.say({ method: 'BIND', endpoint: { method: 'PUT', resource: ['a'] } })
    return reader
  })
  Object.assign(counts, { stem: 0, reuse: 0, close: 0 })
  return { stage, emitter, readers, counts }
}

test('§2 what nobody wants answered is encoded once for each version, and one frame serves all', () => {
  const { stage, readers, counts } = crowd()
  stage.engine.send('PUT', ['a'], { body: 'x: "y"' })
  assert.equal(counts, { stem: 2, reuse: 0, close: 2 })
  for (const [i, reader] of readers.entries()) {
    const { protocol, body, token } = reader.next()
    assert.equal([protocol?.[1], body, token], i % 2 ? ['0.4', 'x: "y"', []] : ['0.6', 'x: "y"', undefined])
  }
})

test('§2 the frame of a dispatch goes on as it came to those who speak its version', () => {
  const { emitter, readers, counts } = crowd()
  emitter.say({ method: 'PUT', resource: ['a'], body: 5 })
  assert.equal(counts, { stem: 1, reuse: 1, close: 2 })
  assert.equal(
    readers.map((reader) => reader.next().body),
    readers.map(() => 5),
  )
})

test('§2 with a transaction id only the token is written anew for each', () => {
  const { emitter, readers, counts } = crowd()
  emitter.ask('PUT', ['a'], { body: 5 })
  assert.equal(counts, { stem: 2, reuse: 0, close: 20 })
  const tokens = readers.map((reader) => reader.next().token?.join())
  assert.is(new Set(tokens).size, 20)
})

test('§9.12 what has a time to live is never sent on as it came', async () => {
  const { emitter, readers, counts, stage } = crowd()
  emitter.say({ method: 'PUT', resource: ['a'], expires: 50 })
  assert.equal([counts.reuse, counts.stem], [0, 2])
  assert.equal(new Set(readers.map((reader) => reader.next().expires)), new Set([50]))
  await stage.clock.advance(100)
})

test.run()
