// time limit: 120 s
// The C core, compiled with sanitizers, speaks byte for byte what firmware-bridge/vectors.json says, once in the size of
// an ATmega328P and once in that of a Linux process.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Dialogue, readVectors, run, sanitizers, strictC, withProbe, workFolder } from './bench.ts'

const vectors = readVectors()
const folder = workFolder('core')
const small = join(folder, 'small')
const large = join(folder, 'large')

test.before(() => {
  run('gcc', [
    ...strictC,
    ...sanitizers,
    '-DJL_MAXF=96',
    '-DJL_WINDOW=1',
    '-DJL_BINDS=10',
    'test/probe.c',
    '-o',
    small,
  ])
  run('gcc', [...strictC, ...sanitizers, 'test/probe.c', '-o', large])
})

test.after(() => rmSync(folder, { recursive: true, force: true }))

test('check: CRC-16/X-25', async () => {
  await withProbe(small, async (probe) => {
    for (const { data, crc } of vectors.crc) assert.is(await probe.ask(`crc ${data}`), crc, data)
  })
})

test('framing: every frame of the vectors is written and read, and with a check of 2 bytes each COBS case too', async () => {
  await withProbe(large, async (probe) => {
    await probe.ask('wait 1')
    for (const { name, frame, wire } of vectors.frames) {
      assert.is(await probe.ask(`frame ${frame}`), wire, name)
      assert.is(await probe.ask(`decode ${wire}`), frame, name)
      assert.is(await probe.ask(`decode ${flip(wire, 3)}`), 'damaged', name)
    }
    for (const { plain } of vectors.cobs) {
      const size = plain.length / 2
      if (size < 2 || size > 252) continue
      const wire = await probe.ask(`frame ${plain}`)
      const crc = await probe.ask(`crc ${plain}`)
      assert.is(wire, `00${cobs(Buffer.from(plain + crc.slice(2) + crc.slice(0, 2), 'hex'))}00`, plain)
      assert.is(await probe.ask(`decode ${wire}`), plain)
    }
    for (const { plain, coded } of vectors.cobs) assert.is(cobs(Buffer.from(plain, 'hex')), coded, plain)
  })
})

test('CBOR: every dispatch is read and written again without a byte of difference; cut short it is none', async () => {
  await withProbe(large, async (probe) => {
    await probe.ask('wait 1')
    let count = 0
    for (const { name, kind, frame } of vectors.frames) {
      const start = { DATA: 4, EVENT: 6 }[kind]
      if (!start) continue
      const cbor = frame.slice(start)
      assert.is(await probe.ask(`cbor ${cbor}`), cbor, name)
      assert.is(await probe.ask(`cbor ${cbor.slice(0, -2)}`), 'bad', name)
      assert.is(await probe.ask(`cbor ${cbor}00`), 'bad', name)
      count++
    }
    assert.ok(count > 20)
    const others = [
      'ff',
      '1c',
      '1bffffffffffffffff',
      '1a80000000',
      '3a80000000',
      '5f',
      '40',
      '4161',
      'c001',
      '9f00ff',
      'a1',
      '79ffff',
      '9a00000001',
      'f90000',
      'fb4035800000000000',
      'f8ff',
      'f4f4',
    ]
    for (const cbor of others) assert.is(await probe.ask(`cbor ${cbor}`), 'bad', cbor)
  })
})

test('receiving: damage costs what it touches and one NAK, text and noise never more', async () => {
  for (const { name, bytes, frames, damaged, text } of vectors.streams) {
    await withProbe(small, async (probe) => {
      await probe.ask('wait 1')
      await probe.ask(`in ${frameNamed('RST')}`)
      const pongs = frames.filter((frame) => frame === 'ca2a').length
      const expected = [...Array(pongs).fill(frameNamed('PONG'))]
      if (damaged + text.length > 0) expected.push(frameNamed('NAK first missing 0'))
      assert.equal(split(await probe.ask(`in ${bytes}`)).sort(), expected.sort(), name)
    })
  }
})

const both: [string, string, Dialogue[]][] = [
  ['ATmega328P', small, [...vectors.dialogues, ...vectors.windowOne]],
  ['Linux', large, vectors.windowThree],
]
for (const [size, program, dialogues] of both) {
  for (const { name, steps } of dialogues) {
    test(`${size}: ${name}`, () => hold(program, steps))
  }
}

/** Holds a dialogue; every byte the node sends must be expected, and the other way round. */
async function hold(program: string, steps: Dialogue['steps']): Promise<void> {
  await withProbe(program, async (probe) => {
    let sent = ''
    let at = 0
    // The first answer also brings the HELLO of the start, which only some dialogues are about.
    if (!('node' in (steps[0] ?? {})) && !('wait' in (steps[0] ?? {}))) await probe.ask('wait 1')
    else sent += await probe.ask('wait 0')
    for (const step of steps) {
      at++
      if ('host' in step) sent += await probe.ask(`in ${step.host}`)
      if ('wait' in step) sent += await probe.ask(`wait ${step.wait}`)
      if ('set' in step) sent += await probe.ask(step.set)
      if ('is' in step) {
        const [what = '', value] = step.is.split(' ')
        assert.is(await probe.ask(what), value, `step ${at}: ${step.is}`)
      }
      if ('node' in step) {
        assert.is(sent, step.node, `step ${at}`)
        sent = ''
      }
    }
    assert.is(sent, '', 'sent more than expected')
  })
}

function frameNamed(name: string): string {
  const found = vectors.frames.find((frame) => frame.name === name)
  if (!found) throw new Error(`vectors.json has no frame "${name}"`)
  return found.wire
}

/** The frames in what was sent, with their delimiters. */
function split(hex: string): string[] {
  const bodies = (hex.match(/../g) ?? []).join(' ').split('00')
  return bodies
    .map((body) => body.replaceAll(' ', ''))
    .filter(Boolean)
    .map((body) => `00${body}00`)
}

/** Hex with one bit of the byte at `at` flipped. */
function flip(hex: string, at: number): string {
  const bytes = Buffer.from(hex, 'hex')
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x40, at)
  return bytes.toString('hex')
}

/** Plain COBS, to compare with. */
function cobs(bytes: Buffer): string {
  const out: number[] = []
  let block: number[] = []
  let open = true
  const close = () => {
    out.push(block.length + 1, ...block)
    block = []
  }
  for (const byte of bytes) {
    open = true
    if (byte === 0) close()
    else block.push(byte)
    if (block.length === 254) {
      close()
      open = false
    }
  }
  if (open) close()
  return Buffer.from(out).toString('hex')
}

test.run()
