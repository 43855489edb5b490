// What every transport must do (spec §6). One suite over all of them; a new file in src/transports without an entry here
// fails it.

import { readdirSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import type { Channel } from '../../src/core/channel.ts'
import type { Listening, Transport } from '../../src/core/transport.ts'
import { browserWs, type Socket } from '../../src/transports/browser-ws.ts'
import { memoryHub } from '../../src/transports/memory.ts'
import { tcp, tcps } from '../../src/transports/tcp.ts'
import { ws, wss } from '../../src/transports/ws.ts'
import { makeCertificates } from './certificates.ts'
import { Acceptor, patient, refusal, type StandIn } from './stand-in.ts'

interface Subject {
  file: string
  make(): { listener: Transport; dialer: Transport }
  /** What an error about listening names, so that people know what to change. */
  key: string
}

/** Files in src/transports that are no transport. */
const HELPERS = ['sockets.ts', 'turns.ts']

const certificates = makeCertificates()
const page = () => browserWs('ws', { connect: (url) => new WebSocket(url) as unknown as Socket })

const subjects: Record<string, Subject> = {
  tcp: same('tcp.ts', 'listen.tcp', () => tcp()),
  'tcp in CBOR': same('tcp.ts', 'listen.tcp', () => tcp({ encoding: 'cbor' })),
  tcps: same('tcp.ts', 'listen.tcp', () => tcps(certificates)),
  ws: same('ws.ts', 'listen.http', () => ws()),
  'ws in CBOR': same('ws.ts', 'listen.http', () => ws({ encoding: 'cbor' })),
  wss: same('ws.ts', 'listen.http', () => wss(certificates)),
  'ws in a page': {
    file: 'browser-ws.ts',
    key: 'listen.http',
    make: () => ({ listener: ws(), dialer: page() }),
  },
  memory: {
    file: 'memory.ts',
    key: 'port',
    make: () => {
      const hub = memoryHub()
      return { listener: hub.transport(), dialer: hub.transport() }
    },
  },
}

test('every transport is in this suite', () => {
  // HTTP carries questions and event streams, not one dispatch after the other; MQTT has a broker between, and names: they
  // have suites of their own.
  const files = readdirSync('src/transports').filter(
    (name) => !HELPERS.includes(name) && !/^(http|mqtt)/.test(name),
  )
  const known = new Set(Object.values(subjects).map(({ file }) => file))
  assert.equal(
    files.filter((name) => !known.has(name)),
    [],
    'add it to `subjects`, or to HELPERS if it is no transport',
  )
})

for (const [name, subject] of Object.entries(subjects)) {
  /** Runs with two channels that are joined. */
  const joined = (title: string, run: (pair: Joined) => Promise<void>) => {
    test(`${name}: ${title}`, async () => {
      const pair = await join(subject)
      try {
        await run(pair)
        assert.ok(pair.near.ends.length <= 1 && pair.far.ends.length <= 1, 'told twice that it ended')
      } finally {
        await part(pair)
      }
    })
  }

  joined('a frame goes each way', async ({ near, far }) => {
    near.say('there')
    await far.hears(1)
    far.say('back')
    await near.hears(1)
    assert.equal([far.heard, near.heard], [['there'], ['back']])
  })

  joined('frames keep their order, those of one tick and those of later ones', async ({ near, far }) => {
    for (let i = 0; i < 500; i++) {
      near.say(i)
      if (i % 100 === 0) await null
    }
    await far.hears(500)
    assert.equal(far.heard, [...Array(500).keys()])
  })

  joined('a frame of 200 kB arrives whole', async ({ near, far }) => {
    const text = 'x'.repeat(200_000)
    near.say(text)
    await far.hears(1)
    assert.ok(far.heard[0] === text)
  })

  joined('characters of many bytes survive, wherever they are cut', async ({ near, far }) => {
    const text = 'ñ€😀'.repeat(50_000)
    far.say(text)
    far.say('\u2028 \ufeff \u0000')
    await near.hears(2)
    assert.ok(near.heard[0] === text)
    assert.is(near.heard[1], '\u2028 \ufeff \u0000')
  })

  joined('closing sends what was taken, and ends both sides', async ({ near, far }) => {
    near.say('last words')
    near.pipe.close('enough')
    near.pipe.close('enough')
    await Promise.all([near.ended(), far.ended()])
    assert.equal(far.heard, ['last words'])
    assert.type(near.pipe.write('"too late"'), 'boolean')
  })

  joined('the side that listens can close, too', async ({ near, far }) => {
    far.say('bye')
    far.pipe.close('enough', 1001)
    await Promise.all([near.ended(), far.ended()])
    assert.equal(near.heard, ['bye'])
  })

  joined('a full pipe says so, and says when it is not any more', async ({ near, far }) => {
    const text = 'x'.repeat(50_000)
    let count = 1
    while (near.say(text)) if (++count > 2000) throw new Error('100 MB were taken without a word')
    assert.is(near.drains, 0)
    await near.until('drained', ({ drains }) => drains === 1)
    await far.hears(count)
    assert.ok(near.say('more'))
    await far.hears(count + 1)
    assert.is(near.drains, 1)
  })

  joined('when listening stops, channels stay', async ({ near, far, listening, dialer }) => {
    await listening.close()
    near.say('still here')
    await far.hears(1)
    const { accept } = new Acceptor()
    assert.match(
      await refusal(dialer.dial(listening.address, listening.port, accept, patient())),
      "Can't reach",
    )
    await listening.close()
  })

  joined('a port that is in use is told with what to change', async ({ listening, listener }) => {
    const message = await refusal(listener.listen?.(listening, new Acceptor().accept) ?? Promise.resolve())
    assert.match(message, `Can't listen on ${listening.address}:${listening.port}`)
    assert.match(message, 'in use')
    assert.match(message, subject.key)
  })

  joined('pipes know who is there', async ({ near, far, listening, listener, dialer }) => {
    assert.is(near.pipe.remote, `${listening.address}:${listening.port}`)
    assert.ok(far.pipe.remote.length > 0)
    assert.equal([near.pipe.transport, far.pipe.transport], [dialer.label, listener.label])
  })

  test(`${name}: a dial that nobody takes is rejected with where and why`, async () => {
    const pair = await join(subject)
    const { address, port } = pair.listening
    await part(pair)
    const acceptor = new Acceptor()
    const message = await refusal(pair.dialer.dial(address, port, acceptor.accept, patient()))
    assert.match(message, `Can't reach ${address}:${port} by ${pair.dialer.label}: `)
    assert.is(acceptor.channels.length, 0)
  })

  test(`${name}: a dial can be given up`, async () => {
    const pair = await join(subject)
    const { address, port } = pair.listening
    const acceptor = new Acceptor()
    const controller = new AbortController()
    const dialing = refusal(pair.dialer.dial(address, port, acceptor.accept, controller.signal))
    controller.abort()
    assert.match(await dialing, `Can't reach ${address}:${port}`)
    assert.match(
      await refusal(pair.dialer.dial(address, port, acceptor.accept, AbortSignal.abort())),
      "Can't reach",
    )
    assert.is(acceptor.channels.length, 0)
    await part(pair)
  })
}

test('nothing is left open', async () => {
  const isSocket = (name: string) => /^(TCP|TLS|Pipe(Connect|Server))/.test(name)
  for (let turn = 0; turn < 100 && process.getActiveResourcesInfo().some(isSocket); turn++) {
    await new Promise(setImmediate)
  }
  assert.equal(process.getActiveResourcesInfo().filter(isSocket), [])
})

test.run()

interface Joined {
  near: StandIn
  far: StandIn
  listening: Listening
  listener: Transport
  dialer: Transport
  acceptor: Acceptor
}

function same(file: string, key: string, make: () => Transport): Subject {
  return { file, key, make: () => ({ listener: make(), dialer: make() }) }
}

async function join(subject: Subject): Promise<Joined> {
  const { listener, dialer } = subject.make()
  const acceptor = new Acceptor()
  const listening = await (listener.listen as NonNullable<Transport['listen']>)(
    { address: '127.0.0.1', port: 0 },
    acceptor.accept,
  )
  const dialing = new Acceptor()
  const channel: Channel = await dialer.dial(listening.address, listening.port, dialing.accept, patient())
  const near = dialing.channels[0] as StandIn
  assert.ok(channel === (near as unknown as Channel), 'dial returns what accept made')
  const far = await acceptor.at(0)
  // Over TCP the first byte of the one who dialed tells what both speak.
  near.say('hello')
  await far.hears(1)
  far.frames.length = 0
  return { near, far, listening, listener, dialer, acceptor }
}

async function part({ near, acceptor, listening }: Joined): Promise<void> {
  await listening.close()
  near.pipe.close('the test is over')
  await Promise.all([near, ...acceptor.channels].map((channel) => channel.ended()))
}
