// How the time of an engine is shared among its connections.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Reading, Turns } from '../../src/transports/turns.ts'

/** A connection whose every byte takes its time. */
class Slow implements Reading<Uint8Array> {
  readonly bytes: number[] = []
  isPaused = false
  pauses = 0
  #ms: number
  #log: string[]
  #name: string

  constructor(name: string, ms: number, log: string[]) {
    this.#name = name
    this.#ms = ms
    this.#log = log
  }

  take(piece: Uint8Array): void {
    assert.ok(piece.length > 0)
    this.bytes.push(...piece)
    this.#log.push(this.#name)
    for (const end = performance.now() + this.#ms; performance.now() < end; );
  }

  cut(chunk: Uint8Array, length: number): [Uint8Array, Uint8Array] {
    return [chunk.subarray(0, length), chunk.subarray(length)]
  }

  pause(): void {
    this.isPaused = true
    this.pauses++
  }

  resume(): void {
    this.isPaused = false
  }
}

const chunkOf = (length: number) => Uint8Array.from({ length }, (_, i) => i % 251)

async function turns(until: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !until(); turn++) await new Promise(setImmediate)
}

test('one that sends a few bytes is read at once, whatever the others have sent', async () => {
  const all = new Turns()
  const log: string[] = []
  const many = ['1', '2', '3'].map((name) => new Slow(name, 0.6, log))
  const ends = many.map((it) => all.join(it))
  for (const { read } of ends) read(chunkOf(256 << 10))
  assert.ok(log.length <= 4, `only as much as fits in a turn: ${log}`)
  const few = new Slow('few', 0, log)
  const { read } = all.join(few)
  let longest = 0
  for (let count = 0; many.some((it) => it.isPaused); count++) {
    const before = log.length
    await new Promise(setImmediate)
    longest = Math.max(longest, log.length - before)
    read(chunkOf(10))
    assert.is(few.bytes.length, 10 * (count + 1))
  }
  assert.ok(longest <= 6, `${longest} pieces between two turns`)
  for (const it of many) assert.equal(it.bytes, [...chunkOf(256 << 10)])
  const first = log.indexOf('2')
  const middle = log.filter((name) => name !== 'few').slice(first, first + 30)
  for (const name of ['1', '2', '3']) assert.ok(middle.filter((it) => it === name).length >= 8, `${middle}`)
})

test('every byte in its order, whatever is sent while it waits', async () => {
  const all = new Turns()
  const slow = new Slow('slow', 0.3, [])
  const { read } = all.join(slow)
  const sent: number[] = []
  for (const length of [1, 20_000, 3, 8192, 8193, 70_000, 1]) {
    const chunk = chunkOf(length)
    sent.push(...chunk)
    read(chunk)
  }
  assert.is(slow.isPaused, true)
  await turns(() => !slow.isPaused)
  assert.equal(slow.bytes, sent)
  read(chunkOf(7))
  assert.is(slow.bytes.length, sent.length + 7, 'and at once again')
})

test('what has come is read when its connection ends', async () => {
  const all = new Turns()
  const slow = new Slow('slow', 0.6, [])
  const { read, leave } = all.join(slow)
  read(chunkOf(256 << 10))
  leave()
  const { length } = slow.bytes
  assert.is(length, 256 << 10)
  await turns(() => !slow.isPaused)
  assert.is(slow.bytes.length, length)
})

test('alone, and quick, it is never made to wait', () => {
  const all = new Turns()
  const quick = new Slow('quick', 0, [])
  const { read } = all.join(quick)
  read(chunkOf(20_000))
  assert.is(quick.bytes.length, 20_000)
  assert.is(quick.pauses, 0)
})

test.run()
