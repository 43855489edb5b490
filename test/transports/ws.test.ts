// WebSocket: subprotocols, both kinds of messages, who may connect (spec §6, design §9.15).

import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { cborCodec } from '../../src/codec/cbor.ts'
import { TestClock } from '../../src/core/clock.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { Meters } from '../../src/core/meters.ts'
import type { Listening } from '../../src/core/transport.ts'
import { attachWs, type WsOptions, ws } from '../../src/transports/ws.ts'
import { Acceptor, patient, refusal } from './stand-in.ts'

const ANY = { address: '127.0.0.1', port: 0 }
const cbor = await cborCodec()
const binary = (body: string) =>
  cbor.close(
    cbor.stem({ method: 'PUT', resource: ['a'], timestamp: 1, body }, '0.6'),
    {},
    '0.6',
  ) as Uint8Array
const text = (body: string) => JSON.stringify({ protocol: ['JSTP', '0.6'], method: 'PUT', body })

interface Bench {
  acceptor: Acceptor
  listening: Listening
  raw(protocols?: string[], headers?: Record<string, string>): WebSocket
}

function bench(title: string, run: (bench: Bench) => Promise<void>, options: WsOptions = {}) {
  test(title, async () => {
    const acceptor = new Acceptor()
    const listening = (await ws(options).listen?.(ANY, acceptor.accept)) as Listening
    const sockets: WebSocket[] = []
    const raw = (protocols: string[] = [], headers: Record<string, string> = {}) => {
      const socket = new WebSocket(`ws://127.0.0.1:${listening.port}/`, protocols, { headers })
      socket.on('error', () => {})
      sockets.push(socket)
      return socket
    }
    try {
      await run({ acceptor, listening, raw })
    } finally {
      for (const socket of sockets) socket.terminate()
      await listening.close()
      await Promise.all(acceptor.channels.map((channel) => channel.ended()))
    }
  })
}

/** [offered, chosen] */
const offers: [string[], string][] = [
  [[], ''],
  [['jstp.json'], 'jstp.json'],
  [['jstp.cbor'], 'jstp.cbor'],
  [['mqtt', 'jstp.json'], 'jstp.json'],
  [['jstp.cbor', 'jstp.json'], 'jstp.cbor'],
]

bench(
  '§6 of the subprotocols that are offered, the first that we know is spoken',
  async ({ raw, acceptor }) => {
    for (const [index, [offered, chosen]] of offers.entries()) {
      const socket = raw(offered)
      await once(socket, 'open')
      const channel = await acceptor.at(index)
      assert.equal([socket.protocol, channel.codec.name], [chosen, chosen === 'jstp.cbor' ? 'cbor' : 'json'])
    }
  },
)

for (const [protocol, name] of [
  ['jstp.json', 'json'],
  ['jstp.cbor', 'cbor'],
] as const) {
  bench(`§6 ${protocol}: text is read as JSON, binary as CBOR, in their order`, async ({ raw, acceptor }) => {
    const socket = raw([protocol])
    await once(socket, 'open')
    const channel = await acceptor.at(0)
    for (const message of [text('1'), binary('2'), text('3'), binary('4'), text('5')]) socket.send(message)
    await channel.hears(5)
    assert.equal(channel.heard, ['1', '2', '3', '4', '5'])
    assert.is(channel.codec.name, name)
    channel.say('back')
    const [, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
    assert.is(isBinary, name === 'cbor')
  })
}

bench('a text that came on a CBOR channel is not passed on as it is', async ({ raw, acceptor }) => {
  const socket = raw(['jstp.cbor'])
  await once(socket, 'open')
  const channel = await acceptor.at(0)
  socket.send('{"protocol":["JSTP","0.6"],"method":"PUT","resource":["a"],"timestamp":1}')
  await channel.hears(1)
  assert.not(channel.codec.decode(channel.frames[0] as string).plain)
})

bench('a message in fragments is one frame, an empty one too', async ({ raw, acceptor }) => {
  const socket = raw()
  await once(socket, 'open')
  const channel = await acceptor.at(0)
  for (const part of ['"a', 'b', 'c"']) socket.send(part, { fin: part.endsWith('"') && part !== '"a' })
  socket.send('')
  await channel.hears(2)
  assert.equal(channel.frames, ['"abc"', ''])
})

bench(
  '§9.5 a message over the limit closes with 1009',
  async ({ raw, acceptor }) => {
    const socket = raw()
    await once(socket, 'open')
    socket.send('x'.repeat(1001))
    const [code] = await once(socket, 'close')
    const channel = await acceptor.at(0)
    assert.equal([code, channel.starts.length, channel.frames.length], [1009, 1, 0])
  },
  { limits: { ...LIMITS, frame: 1000 } },
)

bench('a text that is no UTF-8 is garbage', async ({ raw, acceptor }) => {
  const socket = raw()
  await once(socket, 'open')
  socket.send(Buffer.from('fffe', 'hex'), { binary: false })
  const channel = await acceptor.at(0)
  await channel.ended()
  assert.is(channel.garbageReasons.length, 1)
})

bench('a connection that breaks off ends its channel', async ({ raw, acceptor }) => {
  const socket = raw()
  await once(socket, 'open')
  socket.terminate()
  const channel = await acceptor.at(0)
  await channel.ended()
  assert.is(channel.ends.length, 1)
  assert.type(channel.pipe.write('nobody reads this'), 'boolean')
})

bench('the close code and reason reach the other side', async ({ raw, acceptor }) => {
  const socket = raw()
  await once(socket, 'open')
  const channel = await acceptor.at(0)
  channel.pipe.close('ñ'.repeat(100), 1008)
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
  assert.equal([code, reason.toString()], [1008, 'ñ'.repeat(61)])
})

const clock = new TestClock()

bench(
  'a side that is alive is asked every 30 s and stays; one that does not answer is closed',
  async ({ raw, acceptor, listening }) => {
    const socket = raw()
    await once(socket, 'open')
    const mute = connect(listening.port, '127.0.0.1')
    const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13'
    mute.write(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\r\n`,
    )
    const [alive, dead] = [await acceptor.at(0), await acceptor.at(1)]
    const ping = once(socket, 'ping')
    await clock.advance(30_001)
    await ping
    // The pong is on its way before this answer to it is.
    socket.send('"still here"')
    await alive.hears(1)
    await clock.advance(30_001)
    await dead.ended()
    assert.is(alive.ends.length, 0)
    alive.pipe.close('enough')
    await alive.ended()
    assert.is(clock.pending, 0)
    mute.destroy()
  },
  { clock },
)

/** [headers, options, allowed] */
const visitors: [Record<string, string>, WsOptions, boolean][] = [
  [{}, {}, true],
  [{ host: 'localhost:8080' }, {}, true],
  [{ host: '[::1]:8080' }, {}, true],
  [{ host: '192.168.1.20' }, {}, true],
  [{ host: 'cocina:80' }, { name: 'cocina' }, true],
  [{ host: 'COCINA.local' }, { name: 'cocina' }, true],
  [{ host: 'pi.example' }, { hosts: ['pi.example'] }, true],
  [{ host: 'evil.example' }, { name: 'cocina' }, false],
  [{ host: 'evil.example' }, {}, false],
  [{ host: '.local' }, {}, false],
  [{ host: '127.0.0.1.evil.example' }, {}, false],
  [{ host: 'localhost.evil.example' }, {}, false],
  [{ host: 'pi.local:80', origin: 'http://pi.local:80' }, { name: 'pi' }, true],
  [{ host: 'pi.local', origin: 'https://pi.local' }, { name: 'pi' }, true],
  [{ host: 'pi.local:80', origin: 'http://pi.local:81' }, { name: 'pi' }, false],
  [{ host: 'pi.local', origin: 'https://evil.example' }, { name: 'pi' }, false],
  [{ host: 'pi.local', origin: 'null' }, { name: 'pi' }, false],
  [
    { host: 'pi.local', origin: 'https://panel.example' },
    { name: 'pi', origins: ['https://panel.example'] },
    true,
  ],
]

for (const [headers, options, allowed] of visitors) {
  const title = `design §9.15 ${allowed ? 'let in' : 'refused'}: ${JSON.stringify(headers)} at ${JSON.stringify(options)}`
  bench(
    title,
    async ({ raw, acceptor }) => {
      const socket = raw([], headers)
      if (allowed) {
        await once(socket, 'open')
        await acceptor.at(0)
      } else {
        const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
        assert.equal([response.statusCode, acceptor.channels.length], [403, 0])
        response.resume()
      }
    },
    options,
  )
}

bench('plain HTTP is told what this port is', async ({ listening }) => {
  const [response] = (await once(get({ port: listening.port }), 'response')) as [IncomingMessage]
  assert.equal([response.statusCode, response.headers.upgrade], [426, 'websocket'])
  const [body] = (await once(response, 'data')) as [Buffer]
  assert.match(body.toString(), 'JSTP over WebSocket')
})

test('another path is not ours', async () => {
  const acceptor = new Acceptor()
  const listening = (await ws().listen?.(ANY, acceptor.accept)) as Listening
  const socket = new WebSocket(`ws://127.0.0.1:${listening.port}/other`).on('error', () => {})
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
  assert.is(response.statusCode, 404)
  response.resume()
  await listening.close()
})

test('attached to a server of somebody else, until it is detached', async () => {
  const server = createServer((_request, response) => response.end('the page')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const acceptor = new Acceptor()
  const counted = new Meters()
  const detach = attachWs(server, acceptor.accept, { limits: { ...LIMITS, channels: 1 }, meters: counted })
  const dialing = new Acceptor()
  await ws().dial('127.0.0.1', port, dialing.accept, patient())
  const message = await refusal(ws().dial('127.0.0.1', port, new Acceptor().accept, patient()))
  assert.match(message, '503')
  assert.equal(counted.read(), { 'drop.connection': 1 })
  const [page] = (await once(get({ port, agent: false }), 'response')) as [IncomingMessage]
  assert.is(page.statusCode, 200)
  page.resume()
  detach()
  assert.match(await refusal(ws().dial('127.0.0.1', port, new Acceptor().accept, patient())), "Can't reach")
  dialing.channels[0]?.pipe.close('enough')
  await (await acceptor.at(0)).ended()
  server.close()
})

test('a port that speaks no WebSocket can be given up', async () => {
  const server = createServer()
    .on('connection', () => {})
    .listen(0, '127.0.0.1')
  server.on('upgrade', () => {})
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const controller = new AbortController()
  const dialing = refusal(ws().dial('127.0.0.1', port, new Acceptor().accept, controller.signal))
  await once(server, 'upgrade')
  controller.abort()
  assert.match(await dialing, `Can't reach 127.0.0.1:${port} by ws: it took too long`)
  server.close()
})

test.run()
