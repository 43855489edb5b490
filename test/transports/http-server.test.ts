// Who may send (design §9.15), and what slow, endless and malformed requests can't do.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bench } from './http-kit.ts'

const HEAD = 'Host: localhost\r\n'
const GET = `GET /lamp HTTP/1.1\r\n${HEAD}\r\n`

const senders: [title: string, method: string, headers: Record<string, string>, status: number][] = [
  ['curl', 'POST', {}, 200],
  ['a page of ours', 'POST', { origin: 'http://localhost:8080', host: 'localhost:8080' }, 200],
  ['a page of ours by its name', 'POST', { origin: 'http://own.local', host: 'own.local' }, 200],
  ['a page that is listed', 'POST', { origin: 'https://panel.example' }, 200],
  ['a page of another site', 'POST', { origin: 'https://evil.example' }, 403],
  ['a page of another port', 'POST', { origin: 'http://localhost:3000', host: 'localhost:8080' }, 403],
  ['a page without an origin', 'POST', { origin: 'null' }, 403],
  ['a name that was bound to us', 'GET', { host: 'evil.example' }, 403],
  [
    'a name that was bound to us, with its own page',
    'POST',
    { host: 'evil.example', origin: 'http://evil.example' },
    403,
  ],
  ['a picture of another site', 'GET', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 403],
  ['a picture of another port', 'GET', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }, 403],
  [
    'a link of another site to a resource',
    'GET',
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
    403,
  ],
  ['an address that was typed', 'GET', { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }, 200],
]

for (const [title, method, headers, status] of senders) {
  bench(
    `§9.15 ${title}: ${status}`,
    async ({ bind, ask }) => {
      let triggered = 0
      await bind('*#lamp', () => void triggered++)
      const answer = await ask(method, '/lamp', { headers })
      assert.is(answer.status, status)
      assert.is(triggered, status === 200 ? 1 : 0)
    },
    { trusted: { origins: ['https://panel.example'] } },
  )
}

bench(
  'CORS is closed, but for pages that are listed',
  async ({ ask }) => {
    const asks = (origin: string) =>
      ask('OPTIONS', '/lamp', { headers: { origin, 'access-control-request-method': 'PUT' } })
    const listed = await asks('https://panel.example')
    assert.is(listed.status, 204)
    assert.is(listed.headers['access-control-allow-origin'], 'https://panel.example')
    assert.match(listed.headers['access-control-allow-methods'] as string, /PUT/)
    assert.is((await asks('https://evil.example')).status, 403)
    const plain = await ask('GET', '/lamp', { headers: { origin: 'https://panel.example' } })
    assert.is(plain.headers['access-control-allow-origin'], 'https://panel.example')
    const own = await ask('GET', '/lamp')
    assert.is(own.headers['access-control-allow-origin'], undefined)
    assert.match((await ask('OPTIONS', '/lamp')).headers.allow as string, /GET, HEAD, POST/)
  },
  { trusted: { origins: ['https://panel.example'] } },
)

bench('too many headers are a 431, too many bytes of them too', async ({ ask, raw }) => {
  const headers = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-${i}`, '1']))
  assert.is((await ask('GET', '/lamp', { headers })).status, 431)
  const client = raw()
  client.socket.write(`GET /lamp HTTP/1.1\r\n${HEAD}X: ${'x'.repeat(20_000)}`)
  await client.says(/^HTTP\/1\.1 431 [\s\S]*"message":"more than 16384 bytes of headers"/)
  await client.closed()
})

bench('an Origin behind thousands of short headers is seen all the same', async ({ raw }) => {
  const client = raw()
  client.socket.write(
    `POST /lamp HTTP/1.1\r\n${HEAD}${'a:\r\n'.repeat(2500)}Origin: http://evil.example\r\n\r\n`,
  )
  await client.says(/^HTTP\/1\.1 431 /)
})

bench('what is no HTTP is a 400; behind an answer that is under way it only ends', async ({ raw, bind }) => {
  for (const rubbish of [
    'hello\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00',
    `GET /a\x00b HTTP/1.1\r\n${HEAD}\r\n`,
  ]) {
    const client = raw()
    client.socket.write(rubbish)
    await client.says(/^HTTP\/1\.1 400 [\s\S]*no HTTP request/)
    await client.closed()
  }
  await bind('POST#lamp', () => {})
  const stream = raw()
  stream.socket.write(`GET /lamp HTTP/1.1\r\n${HEAD}Accept: text/event-stream\r\n\r\n`)
  await stream.says(/200 OK/)
  stream.socket.write('rubbish\r\n\r\n')
  await stream.closed()
  assert.not.match(stream.got, /400/)
})

bench(
  'two lengths, or a length and chunks, are a 400: nobody reads a second request in the first',
  async (kit) => {
    for (const lengths of [
      'Content-Length: 3\r\nContent-Length: 4\r\n',
      'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n',
      'Transfer-Encoding: x\r\n',
    ]) {
      const client = kit.raw()
      client.socket.write(`POST /lamp HTTP/1.1\r\n${HEAD}${lengths}\r\n0\r\n\r\n${GET}`)
      await client.says(/^HTTP\/1\.1 4\d\d /)
      await client.closed()
    }
  },
)

bench(
  'a head that does not come to its end is a 408, and so is a body',
  async ({ raw, bind, counted }) => {
    await bind('POST#lamp', () => {})
    const silent = raw()
    const slow = raw()
    slow.socket.write('GET /lamp HTTP/1.1\r\nHost: loc')
    const body = raw()
    body.socket.write(
      `POST /lamp HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n1`,
    )
    await slow.says(/^HTTP\/1\.1 408 [\s\S]*did not come in time/)
    await body.says(/^HTTP\/1\.1 408 /)
    await Promise.all([silent.closed(), slow.closed(), body.closed()])
    assert.ok(counted('refused.http') >= 3)
  },
  { headTime: 300, requestTime: 600 },
)

bench(
  'of too many that have said nothing the oldest goes, if it is a second old',
  async ({ raw, clock, until, counted, ask }) => {
    const first = Array.from({ length: 10 }, () => raw())
    await until('all are there', () => first.every(({ socket }) => !socket.connecting))
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.is(counted('drop.silent'), 0)
    await clock.advance(1000)
    const more = Array.from({ length: 10 }, () => raw())
    await until('the first have gone', () => first.every(({ isClosed }) => isClosed))
    assert.ok(more.every(({ isClosed }) => !isClosed))
    assert.is(counted('drop.silent'), 10)
    assert.is((await ask('GET', '/lamp')).status, 404)
  },
  { limits: { channels: 40 } },
)

bench(
  'who has said something and rests is not taken for silent',
  async ({ raw, clock, until, counted }) => {
    const resting = Array.from({ length: 10 }, () => raw())
    for (const { socket } of resting) socket.write(GET)
    await Promise.all(resting.map((client) => client.says(/404/)))
    await clock.advance(1000)
    const silent = Array.from({ length: 10 }, () => raw())
    await until('all are there', () => silent.every(({ socket }) => !socket.connecting))
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.is(counted('drop.silent'), 0)
  },
  { limits: { channels: 40 } },
)

bench(
  'when there are too many channels, who comes is told so',
  async ({ ask, stream, begin }) => {
    const streams = [await stream('/a'), await stream('/b')]
    assert.is((await ask('GET', '/lamp')).status, 503)
    assert.is((await begin('GET', '/c', { headers: { accept: 'text/event-stream' } })).statusCode, 503)
    assert.ok(streams.every(({ isOver }) => !isOver))
  },
  { limits: { channels: 2 }, connections: 10 },
)

bench(
  'a body that is declared too big is refused before it is read, also where it would wait',
  async ({ raw }) => {
    const head = (more: string) =>
      `POST /lamp HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 1073741824\r\n${more}\r\n`
    const eager = raw()
    eager.socket.write(head(''))
    await eager.says(/^HTTP\/1\.1 413 [\s\S]*Connection: close[\s\S]*limits\.frame/)
    const polite = raw()
    polite.socket.write(head('Expect: 100-continue\r\n'))
    await polite.says(/^HTTP\/1\.1 413 /)
    assert.not.match(polite.got, /100 Continue/)
  },
)

bench('who waits to be told to send is told', async ({ raw, bind }) => {
  await bind('POST#lamp', ({ dispatch }) => dispatch.body)
  const client = raw()
  client.socket.write(
    `POST /lamp HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n`,
  )
  await client.says(/100 Continue/)
  client.socket.write('42')
  await client.says(/200 OK[\s\S]*\r\n42\n/)
})

bench(
  'all bodies together are bounded too',
  async ({ raw, ask, bind }) => {
    await bind('POST#lamp', () => {})
    const head = `POST /lamp HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n`
    const senders = Array.from({ length: 30 }, () => raw())
    for (const { socket } of senders) socket.write(`${head}"${'x'.repeat(900)}`)
    let status = 200
    for (let tries = 0; status === 200 && tries < 100; tries++)
      status = (await ask('POST', '/lamp', { body: 'x'.repeat(980) })).status
    assert.is(status, 503)
    for (const { socket } of senders) socket.destroy()
    for (let tries = 0; status === 503 && tries < 100; tries++)
      status = (await ask('POST', '/lamp', { body: 'x'.repeat(980) })).status
    assert.is(status, 200)
  },
  { limits: { frame: 1200 } },
)

test.run()
