// The bytes of the link, as the C library has them too: firmware-bridge/vectors.json.

import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cborDecode, cborEncode } from '../../../src/bridges/serial/link/cbor.ts'
import { cobsDecode, cobsEncode } from '../../../src/bridges/serial/link/cobs.ts'
import { crcOf } from '../../../src/bridges/serial/link/crc.ts'
import { decodeFrame, encodeFrame, type Frame, Splitter } from '../../../src/bridges/serial/link/frame.ts'
import type { Json } from '../../../src/core/dispatch.ts'

interface VectorFrame {
  name: string
  kind: string
  sid: number
  frame: string
  crc: string
  wire: string
  [field: string]: Json
}

const vectors = JSON.parse(readFileSync('firmware-bridge/vectors.json', 'utf8')) as {
  crc: { data: string; crc: string }[]
  cobs: { plain: string; coded: string }[]
  frames: VectorFrame[]
  streams: { name: string; bytes: string; frames: string[]; damaged: number; text: string[] }[]
}

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))
const hex = (data: Uint8Array) => Buffer.from(data).toString('hex')

/** What `fields` of a vector mean in our words. */
function meant(vector: VectorFrame): Frame {
  const { kind, sid } = vector
  const number = (field: string) => vector[field] as number
  switch (kind) {
    case 'RST':
      return { sid, type: 'rst' }
    case 'HELLO':
      return {
        sid,
        type: 'hello',
        version: number('version'),
        boot: number('boot'),
        maxFrame: number('maxFrame'),
        window: number('window'),
        cause: number('cause'),
        name: vector.node as string,
      }
    case 'ACK':
      return { sid, type: 'ack', next: number('ack'), ready: vector.ready as boolean }
    case 'NAK':
      return { sid, type: 'nak', next: number('ack') }
    case 'PING':
    case 'PONG':
      return { sid, type: kind === 'PING' ? 'ping' : 'pong', payload: bytes(vector.opaque as string) }
    case 'SETBAUD':
    case 'SETBAUD-OK':
      return { sid, type: kind === 'SETBAUD' ? 'setbaud' : 'setbaud-ok', speed: number('speed') }
    case 'ERROR':
      return { sid, type: 'error', code: number('code') }
    case 'LOG':
      return { sid, type: 'log', level: number('level'), text: vector.text as string }
    case 'EVENT':
      return { sid, type: 'event', seq: number('seq'), payload: cborEncode(vector.dispatch as Json) }
    default:
      return {
        sid,
        type: 'data',
        number: number('number'),
        repeated: vector.repeated as boolean,
        next: number('ack'),
        payload: cborEncode(vector.dispatch as Json),
      }
  }
}

test('CRC-16/X-25', () => {
  for (const { data, crc } of vectors.crc) {
    assert.is(crcOf(bytes(data)).toString(16).padStart(4, '0'), crc, data)
  }
})

test('COBS there and back', () => {
  for (const { plain, coded } of vectors.cobs) {
    assert.is(hex(cobsEncode(bytes(plain))), coded)
    assert.is(hex(cobsDecode(bytes(coded)) ?? Uint8Array.of()), plain)
  }
})

test('every frame there and back, its dispatch too', () => {
  assert.ok(vectors.frames.length >= 40)
  for (const vector of vectors.frames) {
    const frame = meant(vector)
    assert.is(hex(encodeFrame(frame)), vector.wire, vector.name)
    const decoded = decodeFrame(bytes(vector.wire).subarray(1, -1))
    assert.equal(decoded && plain(decoded), plain(frame), vector.name)
    if (decoded && 'payload' in decoded && 'dispatch' in vector) {
      assert.equal(cborDecode(decoded.payload), vector.dispatch, vector.name)
    }
  }
})

test('streams: frames, damage and console text, however the bytes are cut', () => {
  for (const stream of vectors.streams) {
    for (const step of [1, 2, 3, 7, 1000]) {
      const found = split(bytes(stream.bytes), step)
      assert.equal(found, { frames: stream.frames, damaged: stream.damaged, text: stream.text }, stream.name)
    }
  }
})

test('text of any length is passed on in pieces, and what comes after it is found', () => {
  const ping = vectors.frames.find(({ kind }) => kind === 'PING') as VectorFrame
  const long = Buffer.from('x'.repeat(2000))
  const { frames, text, damaged } = split(Buffer.concat([long, bytes(ping.wire)]), 100)
  assert.equal(frames, [ping.frame])
  assert.is(text.join('').length, 2000)
  assert.is(damaged, 0)
})

test('CBOR: what can be said comes back, floats as the shortest number of 32 bits', () => {
  const value = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.integer({ min: -0x80000000, max: 0x7fffffff }),
      fc.float({ noNaN: true, noDefaultInfinity: true }).map((float) => Math.fround(float) + 0),
      fc.string({ unit: 'grapheme' }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 5 }),
    ),
  })).value
  fc.assert(
    fc.property(value, (json) => {
      const back = cborDecode(cborEncode(json))
      assert.equal(cborEncode(back), cborEncode(json))
    }),
    { numRuns: 300, seed: 6 },
  )
  for (const number of [21.1, 21.5, -0.001, 1e10 + 0.5, 12.345678]) {
    assert.is(Math.fround(cborDecode(cborEncode(number)) as number), Math.fround(number))
  }
  assert.is(cborDecode(cborEncode(21.1)), 21.1)
  assert.throws(() => cborEncode(2 ** 40 + 1), /32 bits/)
  assert.throws(() => cborEncode(1e300 + 0.5), /32/)
})

test('CBOR: bytes that mean nothing are refused, whatever they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (random) => {
      try {
        cborDecode(random)
      } catch (error) {
        assert.is((error as Error).constructor.name, 'CborError')
      }
    }),
    { numRuns: 2000, seed: 6 },
  )
  // Tag, bytes, no length, an array of 4 billion, a text that ends early, something behind it.
  for (const wrong of ['c000', '41ff', '9fff', '9affffffff', '6261', '0000', '']) {
    assert.throws(() => cborDecode(bytes(wrong)), undefined, wrong)
  }
  assert.equal(Object.keys(cborDecode(bytes('a1695f5f70726f746f5f5f01')) as object), ['__proto__'])
})

function split(data: Uint8Array, step: number) {
  const found = { frames: [] as string[], damaged: 0, text: [] as string[] }
  const splitter = new Splitter({
    // Without zeros around and without its check.
    frame: (frame) =>
      found.frames.push(hex(cobsDecode(encodeFrame(frame).subarray(1, -1)) ?? data).slice(0, -4)),
    console: (text) => found.text.push(text),
    damaged: () => found.damaged++,
  })
  for (let at = 0; at < data.length; at += step) splitter.take(data.subarray(at, at + step))
  return found
}

function plain(frame: Frame): unknown {
  return JSON.parse(JSON.stringify(frame, (_, value) => (value instanceof Uint8Array ? hex(value) : value)))
}

test.run()
