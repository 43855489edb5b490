// The parts of the MQTT transport without a broker: how frames are wrapped and read, a conversation over a way that loses, repeats and
// mixes up whatever it likes, what an engine says of itself, and packets that are announced too long.

import { PassThrough } from 'node:stream'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodeOf, presenceOf, serviceOf } from '../../src/app/presence.ts'
import { jsonCodec } from '../../src/codec/json.ts'
import { TestClock } from '../../src/core/clock.ts'
import type { Dispatch } from '../../src/core/dispatch.ts'
import { type Env, nodeEnv } from '../../src/index.ts'
import {
  age,
  type Envelope,
  readAnswer,
  readHeading,
  unwrap,
  wrap,
} from '../../src/transports/mqtt-envelope.ts'
import { boundPackets } from '../../src/transports/mqtt-size.ts'
import { Talk } from '../../src/transports/mqtt-talk.ts'
import { signer } from './mqtt-kit.ts'

const codec = jsonCodec()
const NODE = 'a'.repeat(32)

function frameOf(dispatch: Partial<Dispatch>, tail = {}, version: '0.6' | '0.5' = '0.6'): string {
  const whole = { method: 'POST', resource: ['a'], timestamp: 1, ...dispatch }
  return codec.close(codec.stem(whole, version), tail, version) as string
}

test('an envelope goes round, and the frame in it is as it was', () => {
  const frame = frameOf({ body: { mqtt: 'x', text: '"}{,' } })
  const text = wrap(`d.${NODE}.talk.key.1.2.3`, frame)
  assert.type(JSON.parse(text), 'object')
  assert.equal(unwrap(text), { kind: 'd', node: NODE, talk: 'talk', fields: ['key', '1', '2', '3'], frame })
  assert.is(unwrap(wrap(`k.${NODE}.talk.key.1.`))?.frame, '')
  for (const bad of [
    '',
    '{}',
    '{"mqtt":"',
    `{"mqtt":"x.${NODE}.t"}`,
    '{"mqtt":"d.short.t"}',
    `{"mqtt":"d.${NODE}.ñ"}`,
  ])
    assert.is(unwrap(bad), undefined, bad)
})

const ODD = [
  ...[
    '"to":["other"]',
    ',"timestamp":1,"to":["other"],',
    '"token":["x"]}',
    ',"token":["x"],"expires":5}',
    ',"expires":7}',
  ],
  ...['\\', '\\"', ']', '}'],
]

test('what is read of a frame without parsing it is what parsing it would give, whatever stands in the body', () => {
  const rest = [undefined, ['c'], ['c', ['h', 1, 'tcp']]] as (Dispatch['to'] | undefined)[]
  const tokens = [undefined, ['id'], ['id', 'trig'], ['we"ird\\']]
  let count = 0
  for (const word of ODD)
    for (const more of rest)
      for (const token of tokens)
        for (const expires of [undefined, 700])
          for (const shape of [
            { resource: ['a', word, 1, null] },
            { method: 'BIND', endpoint: { method: '*', resource: [word] } },
          ]) {
            const resource = 'endpoint' in shape ? undefined : shape.resource
            const dispatch = {
              ...shape,
              resource,
              to: ['b', ...(more ?? [])],
              body: { [word]: [word, { x: word }] },
            }
            const frame = frameOf(dispatch as never, { token, hops: 3, expires })
            const { to: _to, ...without } = dispatch
            const found = readHeading(frame)
            assert.is(found.name, 'b')
            assert.equal(
              JSON.parse(found.frame),
              JSON.parse(frameOf({ ...without, to: more } as never, { token, hops: 3, expires })),
            )
            assert.is(found.id, token?.length === 1 ? token[0] : undefined, frame)
            assert.is(found.expires, expires)
            assert.is(found.method, 'method' in shape ? 'BIND' : 'POST')
            count++
          }
  assert.is(count, 9 * 3 * 4 * 2 * 2)
  // Without a hop, nothing in the body is taken for one.
  for (const word of ODD)
    assert.is(readHeading(frameOf({ body: { timestamp: 1, to: ['evil'], word } })).name, undefined)
  // Of another version: `host`.
  assert.is(readHeading(frameOf({ to: ['b'] }, { token: [] }, '0.5')).name, 'b')
})

test('answers are known, and time to live goes down', () => {
  assert.equal(readAnswer(frameOf({ method: 'ANSWER', resource: [404, 'x-1', 'y'] })), {
    status: 404,
    id: 'x-1',
  })
  assert.is(readAnswer(frameOf({ body: 'ANSWER' })), undefined)
  const frame = frameOf({ body: ',"expires":7}' }, { token: ['x'], expires: 1000 })
  assert.is(JSON.parse(age(frame, 300.4)).expires, 700)
  assert.is(JSON.parse(age(frame, 5000)).expires, 0)
  assert.is(age(frame, 0), frame)
  const plain = frameOf({ body: { expires: 1000 } })
  assert.is(age(plain, 300), plain)
})

/** A conversation in which each message may be lost, repeated or late. */
class Bad {
  readonly clock = new TestClock()
  readonly env: Env = { ...nodeEnv(), clock: this.clock }
  readonly got: { [side: string]: string[] } = { d: [], D: [] }
  readonly ends: string[] = []
  isUp = true
  loss = 0
  mayRead = true
  readonly random: () => number
  #talks: Talk[]
  #late: [Talk, Envelope][] = []

  constructor(random: () => number) {
    this.random = random
    const make = (isDialer: boolean, side: string): Talk =>
      new Talk(
        {
          node: NODE,
          boot: 'boot',
          most: 1 << 20,
          hasRoom: () => this.isUp,
          send: (_to, text) => this.#carry(isDialer ? 1 : 0, text),
          ...({} as { isUp: boolean }),
          get isUp() {
            return bad.isUp
          },
        },
        this.env,
        {
          mayRead: () => isDialer || this.mayRead,
          frame: (frame) => void (this.got[side] as string[]).push(frame),
          drained: () => {},
          ended: (why) => void this.ends.push(why),
        },
        { peer: NODE, name: 'talk', isDialer },
      )
    const bad = this
    this.#talks = [make(true, 'D'), make(false, 'd')]
    for (const talk of this.#talks) talk.accepted('key', 'boot', 1 << 20)
  }

  get dialer(): Talk {
    return this.#talks[0] as Talk
  }

  get served(): Talk {
    return this.#talks[1] as Talk
  }

  /** Lets a quarter of a second pass. */
  async step(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) {
      await new Promise(setImmediate)
      for (const [talk, envelope] of this.#late.splice(0)) this.#give(talk, envelope)
    }
    await this.clock.advance(250)
    for (const talk of this.#talks) talk.tick()
  }

  #carry(to: 0 | 1, text: string): void {
    const envelope = unwrap(text) as Envelope
    const talk = this.#talks[to] as Talk
    if (!this.isUp || this.random() < this.loss) return
    const isBad = this.loss > 0
    if (isBad && this.random() < 0.2) this.#late.push([talk, envelope])
    if (isBad && this.random() < 0.2) this.#late.unshift([talk, envelope])
    else this.#late.push([talk, envelope])
  }

  #give(talk: Talk, envelope: Envelope): void {
    if (envelope.kind.toLowerCase() === 'd') talk.data(envelope)
    else talk.confirmed(envelope.fields[1], envelope.fields[2])
  }
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1103515245 + 12345) % 2 ** 31
    return state / 2 ** 31
  }
}

const bodies = (frames: string[]) => frames.map((frame) => JSON.parse(frame).body)

for (const loss of [0, 0.1, 0.4]) {
  test(`a way that loses ${loss * 100} % and mixes up the rest: everything once, in its order, both ways`, async () => {
    const bad = new Bad(seeded(7))
    bad.loss = loss
    const total = 600
    let [sent, back] = [0, 0]
    for (let turn = 0; turn < 2000 && (bad.got.d?.length !== total || bad.got.D?.length !== total); turn++) {
      for (let i = 0; i < 20 && sent < total && !bad.dialer.isFull; i++)
        bad.dialer.write(frameOf({ body: sent++ }))
      for (let i = 0; i < 20 && back < total && !bad.served.isFull; i++)
        bad.served.write(frameOf({ body: back++ }))
      if (turn === 10) bad.isUp = false
      if (turn === 20) {
        bad.isUp = true
        bad.dialer.restored()
        bad.served.restored()
      }
      await bad.step()
    }
    const all = Array.from({ length: total }, (_, i) => i)
    assert.equal(bodies(bad.got.d as string[]), all)
    assert.equal(bodies(bad.got.D as string[]), all)
    for (let turn = 0; turn < 200 && !(bad.dialer.isIdle && bad.served.isIdle); turn++) await bad.step()
    assert.ok(bad.dialer.isIdle && bad.served.isIdle, 'all is confirmed in the end')
    assert.equal(bad.ends, [])
  })
}

test('who does not read is not written to without end; what could not be taken comes again', async () => {
  const bad = new Bad(seeded(1))
  bad.mayRead = false
  let count = 0
  while (!bad.dialer.isFull) bad.dialer.write(frameOf({ body: count++ }))
  assert.ok(count <= 1024, `${count}`)
  for (let turn = 0; turn < 20; turn++) await bad.step()
  assert.is(bad.got.d?.length, 0)
  bad.mayRead = true
  bad.served.resume()
  for (let turn = 0; turn < 40; turn++) await bad.step()
  assert.equal(
    bodies(bad.got.d as string[]),
    Array.from({ length: count }, (_, i) => i),
  )
})

test('silence for 30 s ends it; without a broker time does not count', async () => {
  const bad = new Bad(seeded(1))
  bad.loss = 1
  bad.dialer.write(frameOf({ body: 1 }))
  bad.isUp = false
  for (let turn = 0; turn < 200; turn++) await bad.step()
  assert.equal(bad.ends, [])
  bad.isUp = true
  bad.dialer.restored()
  for (let turn = 0; turn < 119; turn++) await bad.step()
  assert.equal(bad.ends, [])
  for (let turn = 0; turn < 3; turn++) await bad.step()
  assert.is(bad.ends[0], 'silent')
})

test('the time that a frame was held on its way is taken off its life', async () => {
  const bad = new Bad(seeded(1))
  const write = (body: number) => bad.dialer.write(frameOf({ body }, { token: ['x'], expires: 10_000 }))
  write(0)
  await bad.step()
  bad.isUp = false
  write(1)
  for (let turn = 0; turn < 16; turn++) await bad.step()
  bad.isUp = true
  bad.dialer.restored()
  await bad.step()
  const left = (bad.got.d as string[]).map((frame) => JSON.parse(frame).expires)
  assert.is(left[0], 10_000)
  assert.ok(left[1] <= 6000 && left[1] >= 5500, `${left}`)
})

test('presence: signed, of one run, and of nobody else', () => {
  const [a, b] = [presenceOf(signer('a'), 'run-1'), presenceOf(signer('b'), 'run-2')]
  const nodeA = nodeOf(signer('a').kid)
  const bytes = (text: string) => Buffer.from(text)
  const first = a.say(true)
  assert.equal(b.read(nodeA, bytes(first)), { boot: 'run-1', isOnline: true })
  assert.equal(b.read(nodeA, bytes(a.say(false))), { boot: 'run-1', isOnline: false })
  const second = a.say(true)
  assert.equal(b.read(nodeA, bytes(second)), { boot: 'run-1', isOnline: true })
  assert.is(b.read(nodeA, bytes(first)), undefined, 'an older one of the same run')
  assert.is(b.read(nodeOf(signer('c').kid), bytes(second)), undefined)
  assert.is(b.read(nodeA, bytes(second.replace('true', 'false'))), undefined)
  assert.is(b.read(nodeA, bytes(second.slice(0, -2))), undefined)
  assert.is(b.read(nodeA, bytes(`${' '.repeat(2000)}${second}`)), undefined)
  assert.match(nodeA, /^[0-9a-f]{32}$/)
  assert.is(serviceOf('home', 'docs'), serviceOf('home', 'docs'))
  assert.is.not(serviceOf('home', 'docs'), serviceOf('casa', 'docs'))
})

test('a packet that is announced too long ends the stream before it is gathered', async () => {
  const read = (bytes: number[], most: number) => {
    const stream = new PassThrough()
    let failure: Error | undefined
    stream.on('error', (error) => {
      failure = error
    })
    boundPackets(stream, most)
    for (const byte of bytes) stream.write(Buffer.from([byte]))
    return new Promise<Error | undefined>((resolve) => setImmediate(() => resolve(failure)))
  }
  assert.is(await read([0x30, 3, 1, 2, 3, 0x30, 0, 0x40, 2, 0, 1], 3), undefined)
  assert.match(
    ((await read([0x30, 0xff, 0xff, 0xff, 0x7f], 1000)) as Error).message,
    'a packet of 268435455 bytes',
  )
})

test.run()
