// TCP with raw sockets at the other end (spec §6, §9.5, §9.7).

import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cborCodec } from '../../src/codec/cbor.ts'
import { TestClock } from '../../src/core/clock.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { Meters } from '../../src/core/meters.ts'
import type { Listening } from '../../src/core/transport.ts'
import { type TcpOptions, tcp, tcps } from '../../src/transports/tcp.ts'
import { makeCertificates } from './certificates.ts'
import { Acceptor, patient, refusal } from './stand-in.ts'

const ANY = { address: '127.0.0.1', port: 0 }

interface Bench {
  acceptor: Acceptor
  listening: Listening
  /** Connects a raw socket. */
  raw(): Promise<Socket>
}

function bench(title: string, run: (bench: Bench) => Promise<void>, options: TcpOptions = {}) {
  test(title, async () => {
    const acceptor = new Acceptor()
    const listening = (await tcp(options).listen?.(ANY, acceptor.accept)) as Listening
    const sockets: Socket[] = []
    const raw = async () => {
      const socket = connect({ port: listening.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
      socket.on('error', () => {})
      sockets.push(socket)
      await once(socket, 'connect')
      return socket
    }
    try {
      await run({ acceptor, listening, raw })
    } finally {
      for (const socket of sockets) socket.destroy()
      await listening.close()
      await Promise.all(acceptor.channels.map((channel) => channel.ended()))
    }
  })
}

const write = (socket: Socket, data: string | Uint8Array) =>
  new Promise<void>((resolve) => socket.write(data, () => resolve()))

bench('§6 a chunk boundary may fall inside a character', async ({ acceptor, raw }) => {
  const socket = await raw()
  const channel = await acceptor.at(0)
  for (const byte of Buffer.from('"é€😀"\r\n"b"\n')) await write(socket, Uint8Array.of(byte))
  await channel.hears(2)
  assert.equal(channel.frames, ['"é€😀"', '"b"'])
})

bench('§1.3 a line that is no UTF-8 costs only itself', async ({ acceptor, raw }) => {
  const socket = await raw()
  const channel = await acceptor.at(0)
  await write(
    socket,
    Buffer.concat([Buffer.from('"a"\n'), Buffer.from('fffe0a', 'hex'), Buffer.from('"b"\n')]),
  )
  await channel.hears(2)
  assert.equal([channel.frames, channel.garbageReasons.length], [['"a"', '"b"'], 1])
})

bench('frames of one tick go out in one write', async ({ acceptor, raw }) => {
  const socket = await raw()
  const channel = await acceptor.at(0)
  const chunks: string[] = []
  socket.setEncoding('utf8').on('data', (text: string) => chunks.push(text))
  for (let i = 0; i < 100; i++) channel.pipe.write(`${i}`)
  while (chunks.join('').split('\n').length <= 100) await once(socket, 'data')
  assert.is(chunks.length, 1)
})

bench('§9.7 a first byte of a CBOR map makes it a CBOR channel, cut anywhere', async ({ acceptor, raw }) => {
  const cbor = await cborCodec()
  const frame = (body: number) =>
    cbor.close(
      cbor.stem({ method: 'PUT', resource: ['a'], timestamp: 1, body }, '0.6'),
      {},
      '0.6',
    ) as Uint8Array
  const socket = await raw()
  const channel = await acceptor.at(0)
  for (const byte of frame(1)) await write(socket, Uint8Array.of(byte))
  await write(socket, Buffer.concat([frame(2), frame(3)]))
  await channel.hears(3)
  assert.equal(channel.heard, [1, 2, 3])
  assert.is(channel.codec.name, 'cbor')
  channel.say('back')
  const [reply] = (await once(socket, 'data')) as [Buffer]
  assert.is(cbor.decode(reply).headers.body, 'back')
})

bench(
  'bytes in between that are no CBOR close the channel: nobody knows where to go on',
  async ({ acceptor, raw }) => {
    const socket = await raw()
    const channel = await acceptor.at(0)
    await write(socket, Uint8Array.of(0xa0, 0xff, 0xa0))
    await channel.ended()
    assert.equal([channel.frames.length, channel.garbageReasons], [1, ['A stray CBOR break']])
  },
)

bench(
  '§9.5 a line over the limit costs that channel only, and the answer to it still arrives',
  async ({ acceptor, raw }) => {
    const [long, other] = [await raw(), await raw()]
    const [channel, beside] = [await acceptor.at(0), await acceptor.at(1)]
    const ended = once(long, 'end')
    const chunks: string[] = []
    long.setEncoding('utf8').on('data', (text: string) => chunks.push(text))
    await write(long, `{"token":["t"],"body":"${'x'.repeat(2000)}`)
    await channel.until('oversize', ({ starts }) => starts.length === 1)
    await write(long, `${'x'.repeat(100_000)}"}\n"after"\n`)
    await ended
    long.end()
    await channel.ended()
    assert.match(String(channel.starts[0]), '{"token":["t"]')
    assert.equal([channel.frames, channel.starts.length], [[], 1])
    await write(other, '"fine"\n')
    await beside.hears(1)
  },
  { limits: { ...LIMITS, frame: 1000 } },
)

bench('a connection that is reset ends its channel, and no more', async ({ acceptor, raw }) => {
  const socket = await raw()
  const channel = await acceptor.at(0)
  await write(socket, '"a"\n')
  await channel.hears(1)
  socket.resetAndDestroy()
  await channel.ended()
  assert.match(channel.ends[0] ?? '', /ECONNRESET/)
  assert.type(channel.pipe.write('"nobody reads this"'), 'boolean')
  assert.is(channel.ends.length, 1)
})

bench('a side that ends still gets what was said until we knew it', async ({ acceptor, raw }) => {
  const socket = await raw()
  const channel = await acceptor.at(0)
  channel.end = (reason) => {
    channel.pipe.write('"answer"')
    channel.ends.push(reason)
  }
  const reply = new Promise((resolve) => socket.once('data', resolve).once('end', () => resolve('nothing')))
  socket.end('"question"\n')
  assert.is(String(await reply), '"answer"\n')
  assert.equal(channel.ends, ['the other side has closed it'])
})

const clock = new TestClock()

bench(
  'a side that does not read cannot keep a closed channel open: 2 s',
  async ({ acceptor, raw }) => {
    const socket = await raw()
    socket.pause()
    const channel = await acceptor.at(0)
    while (channel.pipe.write('x'.repeat(100_000))) await new Promise(setImmediate)
    channel.pipe.close('you do not read')
    await clock.advance(1900)
    assert.is(channel.ends.length, 0)
    await clock.advance(200)
    await channel.ended()
    assert.is(clock.pending, 0)
  },
  { clock },
)

const meters = new Meters()

bench(
  'connections over the limit are dropped and counted',
  async ({ acceptor, raw }) => {
    await raw()
    await acceptor.at(0)
    const dropped = await raw()
    await once(dropped.resume(), 'end')
    assert.equal([acceptor.channels.length, meters.read()], [1, { 'drop.connection': 1 }])
  },
  { limits: { ...LIMITS, channels: 1 }, meters },
)

test('a thousand connections that come and are reset leave nothing', async () => {
  const acceptor = new Acceptor()
  const listening = (await tcp().listen?.(ANY, acceptor.accept)) as Listening
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const socket = connect(listening.port, '127.0.0.1').on('error', () => {})
        await once(socket, 'connect')
        socket.write(i % 2 ? '"half' : '"whole"\n')
        if (i % 3 === 0) await once(socket.end(), 'finish')
        socket.resetAndDestroy()
      }),
    )
  }
  await listening.close()
  await Promise.all(acceptor.channels.map((channel) => channel.ended()))
  assert.is(acceptor.channels.filter(({ ends }) => ends.length !== 1).length, 0)
})

test('an address that is not ours, or a low port without rights, is told with what to change', async () => {
  const { accept } = new Acceptor()
  const elsewhere = await refusal(
    tcp().listen?.({ address: '192.0.2.1', port: 0 }, accept) as Promise<unknown>,
  )
  assert.match(elsewhere, 'this machine has no address 192.0.2.1')
  assert.match(elsewhere, 'listen.tcp')
})

test('a name that nobody knows is told as such', async () => {
  const message = await refusal(tcp().dial('no.such.host.invalid', 1, new Acceptor().accept, patient()))
  assert.match(message, "Can't reach no.such.host.invalid:1 by tcp: nobody knows that name")
})

test('tcps: a certificate of unknown origin is refused, and told with what to do', async () => {
  const certificates = makeCertificates()
  const acceptor = new Acceptor()
  const listening = (await tcps(certificates).listen?.(ANY, acceptor.accept)) as Listening
  const message = await refusal(tcps().dial('127.0.0.1', listening.port, acceptor.accept, patient()))
  assert.match(message, 'its certificate is not accepted')
  assert.match(message, '`ca`')
  await listening.close()
})

test('tcps: to listen without a certificate is refused', async () => {
  assert.match(
    await refusal(tcps().listen?.(ANY, new Acceptor().accept) as Promise<unknown>),
    'a key and a certificate',
  )
})

test('tcps: a side that says nothing, or speaks no TLS, can be given up', async () => {
  const mute: Server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  const { port } = mute.address() as { port: number }
  const controller = new AbortController()
  const dialing = refusal(tcps().dial('127.0.0.1', port, new Acceptor().accept, controller.signal))
  await once(mute, 'connection')
  controller.abort()
  assert.match(await dialing, "Can't reach 127.0.0.1")
  mute.close()
  await once(mute, 'close')
})

test.run()
