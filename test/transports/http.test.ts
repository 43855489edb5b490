// The REST face (spec §6, §9.8; design §9.16): one resource, one request.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bench, type Sent, whole } from './http-kit.ts'

bench('§6 method is method, path is resource, JSON is body, and back', async ({ bind, ask }) => {
  const heard: unknown[] = []
  await bind('*#lamp/:point', ({ dispatch: { method, resource, body } }) => {
    heard.push([method, resource, body])
    return { did: method }
  })
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    const { status, headers, text } = await ask(method, '/lamp/on', { body: { é: [1, null] } })
    assert.equal([status, text], [200, `{"did":"${method}"}\n`])
    assert.is(headers['content-type'], 'application/json')
    assert.is(headers['cache-control'], 'no-store')
    assert.is(headers['x-content-type-options'], 'nosniff')
  }
  await ask('GET', '/lamp/80?since=60')
  assert.equal(heard.slice(0, 2), [
    ['GET', ['lamp', 'on'], { é: [1, null] }],
    ['POST', ['lamp', 'on'], { é: [1, null] }],
  ])
  assert.equal(heard.at(-1), ['GET', ['lamp', '80'], { since: 60 }])
})

bench('an answer without a body is empty; HEAD says how long that of GET is', async ({ bind, ask }) => {
  await bind('PUT#lamp', () => {})
  await bind('GET#lamp', () => 'on')
  const empty = await ask('PUT', '/lamp', { body: true })
  assert.equal([empty.status, empty.text, empty.headers['content-length']], [200, '', '0'])
  const head = await ask('HEAD', '/lamp')
  assert.equal([head.status, head.text, head.headers['content-length']], [200, '', '5'])
})

bench('§6 the status of the ANSWER is the status; what is none for HTTP is 502', async ({ bind, ask }) => {
  await bind('GET#say/:status', ({ params, answer }) => answer(Number(params.status), { said: true }))
  for (const [said, got] of [
    [200, 200],
    [204, 204],
    [299, 299],
    [404, 404],
    [418, 418],
    [506, 506],
    [100, 502],
    [150, 502],
    [600, 502],
  ]) {
    const { status } = await ask('GET', `/say/${said}`)
    assert.is(status, got, `${said}`)
  }
  assert.is((await ask('GET', '/nobody')).status, 404)
  assert.equal((await ask('GET', '/nobody')).json, { message: 'nothing here answers GET ["nobody"]' })
})

bench('§9.16 several answers are an array, its status the first below 400, else the first', async (kit) => {
  const { bind, ask } = kit
  await bind('*#a', ({ answer }) => answer(500, 'broken'))
  await bind('*#:any', () => 'fine')
  await bind('*#*', () => {})
  const good = await ask('GET', '/a')
  assert.is(good.status, 200)
  const items = good.json as { status: number; body?: unknown }[]
  assert.equal(
    items.toSorted((one, other) => one.status - other.status || (one.body ? -1 : 1)),
    [{ status: 200, body: 'fine' }, { status: 200 }, { status: 500, body: 'broken' }],
  )
  await bind('GET#b/x', ({ answer }) => answer(403, 1))
  await bind('GET#b/*', ({ answer }) => answer(501, 2))
  const bad = await ask('GET', '/b/x')
  assert.is(bad.status, (bad.json as { status: number }[])[0]?.status)
  assert.ok(bad.status >= 400)
})

bench(
  '§9.16 NDJSON: a line for each answer as it comes; what is bad waits for the first good one',
  async (kit) => {
    const { bind, begin } = kit
    let finish = () => {}
    await bind('GET#slow', ({ answer }) => answer(500, 'broken'))
    await bind('GET#:any', () => 'fast')
    await bind('GET#*', () => new Promise((resolve) => (finish = () => resolve('at last'))))
    const response = await begin('GET', '/slow', { headers: { accept: 'application/x-ndjson' } })
    assert.equal([response.statusCode, response.headers['content-type']], [200, 'application/x-ndjson'])
    finish()
    const { text } = await whole(response)
    assert.equal(text.split('\n').sort(), [
      '',
      '{"status":200,"body":"at last"}',
      '{"status":200,"body":"fast"}',
      '{"status":500,"body":"broken"}',
    ])
  },
)

bench(
  'a subscriber that does not answer is a 504, and leaves nothing behind',
  async ({ engine, bind, ask, clock }) => {
    await bind('GET#deaf', () => new Promise(() => {}))
    const asked = ask('GET', '/deaf')
    while (engine.sizes.transactions === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    await clock.advance(10_000)
    const { status, json } = await asked
    assert.equal([status, json], [504, { message: 'no answer in time', code: 'timeout' }])
  },
)

bench('a client that goes away leaves nothing behind', async ({ engine, bind, raw, until, clock }) => {
  await bind('GET#deaf', () => new Promise(() => {}))
  const client = raw()
  client.socket.write('GET /deaf HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await until('it is asked', () => engine.sizes.transactions === 1)
  assert.is(engine.channels()[0]?.transport, 'http')
  client.socket.destroy()
  await until('the channel is gone', () => engine.sizes.channels === 0)
  await clock.advance(10_000)
})

bench('requests of one connection are asked in their order, one after the other', async (kit) => {
  const { engine, bind, raw, counted } = kit
  const heard: unknown[] = []
  let first = (_: string) => {}
  await bind('PUT#lamp', ({ dispatch: { body } }) => {
    heard.push(body)
    if (body === 1) return new Promise<string>((resolve) => (first = resolve))
    return body as number
  })
  const put = (body: number) =>
    `PUT /lamp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n${body}`
  const client = raw()
  client.socket.write(put(1) + put(2) + put(3))
  await kit.until('the first is asked', () => heard.length === 1)
  first('one')
  await client.says(/"one"\n[\s\S]*\r\n2\n[\s\S]*\r\n3\n/)
  assert.equal(heard, [1, 2, 3])
  assert.is(engine.sizes.channels, 1, 'one connection is one channel')
  assert.is(counted('drop.http'), 0)
  const flood = raw()
  flood.socket.write('GET /deaf HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(10))
  await flood.says(/404[\s\S]*404/)
})

bench('what waits behind a client that has gone is not asked', async ({ bind, raw, until }) => {
  const heard: unknown[] = []
  await bind('GET#lamp/:n', ({ params }) => {
    heard.push(params.n)
    return new Promise(() => {})
  })
  const client = raw()
  client.socket.write([1, 2, 3].map((n) => `GET /lamp/${n} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(''))
  await until('the first is asked', () => heard.length === 1)
  client.socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(heard, ['1'])
})

bench(
  'who does not read his answer is let go after a minute',
  async ({ engine, bind, raw, until, clock, counted }) => {
    await bind('GET#big', () => 'x'.repeat(32 << 20))
    const client = raw()
    client.socket.pause()
    client.socket.write('GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await until('it is answered', () => engine.sizes.channels === 1)
    await clock.advance(60_000)
    assert.is(engine.sizes.channels, 1)
    await clock.advance(10_000)
    await until('it is gone', () => engine.sizes.channels === 0)
    assert.is(counted('drop.slow-channel'), 1)
  },
)

bench('more than 32 requests that wait on one connection close it', async ({ bind, raw }) => {
  await bind('GET#deaf', () => new Promise(() => {}))
  const client = raw()
  client.socket.write('GET /deaf HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(34))
  await client.closed()
})

const refused: [title: string, method: string, path: string, sent: Sent, status: number, message: RegExp][] =
  [
    ['another method', 'PROPFIND', '/a', {}, 405, /use GET, HEAD, POST/],
    [
      'a form',
      'POST',
      '/a',
      { text: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      /curl --json/,
    ],
    ['plain text', 'POST', '/a', { text: '{}', headers: { 'content-type': 'text/plain' } }, 415, /send JSON/],
    [
      'something compressed',
      'POST',
      '/a',
      { body: 1, headers: { 'content-encoding': 'gzip' } },
      415,
      /not compressed/,
    ],
    [
      'another charset',
      'POST',
      '/a',
      { text: '1', headers: { 'content-type': 'application/json; charset=latin1' } },
      415,
      /UTF-8/,
    ],
    [
      'nothing that is accepted',
      'GET',
      '/a',
      { headers: { accept: 'text/html, image/*' } },
      406,
      /none of what you accept/,
    ],
    [
      'something accepted with no weight',
      'GET',
      '/a',
      { headers: { accept: 'application/json;q=0' } },
      406,
      /none/,
    ],
    ['no JSON', 'POST', '/a', { text: '{"a":' }, 400, /no JSON/],
    ['two values', 'POST', '/a', { text: '1,"to":["x"]' }, 400, /no JSON/],
    ['a number that JSON does not carry', 'POST', '/a', { text: '1e400' }, 400, /too big/],
    [
      'what is nested too deeply',
      'POST',
      '/a',
      { text: `${'['.repeat(2000)}${']'.repeat(2000)}` },
      400,
      /Nested deeper/,
    ],
    ['a query and a body', 'POST', '/a?x=1', { body: 2 }, 400, /one of them/],
    ['too many elements', 'GET', `${'/a'.repeat(65)}`, {}, 400, /1 to 64/],
    [
      'a body over the limit',
      'POST',
      '/a',
      { text: 'x'.repeat(2000), headers: { 'content-type': 'application/json' } },
      413,
      /more than 1500 bytes/,
    ],
    [
      'a dispatch over the limit, though its body is not',
      'POST',
      '/a',
      { body: 'x'.repeat(1450) },
      413,
      /a dispatch of more than 1500 bytes/,
    ],
    [
      'a bad key',
      'POST',
      '/a',
      { body: 1, headers: { 'idempotency-key': 'x'.repeat(129) } },
      400,
      /Idempotency-Key/,
    ],
    ['POST to / that is no dispatch', 'POST', '/', { body: {} }, 415, /application\/jstp\+json/],
    ['PUT to /', 'PUT', '/', { body: {} }, 405, /use GET, POST/],
  ]

for (const [title, method, path, sent, status, message] of refused) {
  bench(
    `${title} is a ${status} that says why, and triggers nothing`,
    async ({ bind, ask }) => {
      let triggered = 0
      await bind('*#a', () => void triggered++)
      const answer = await ask(method, path, sent)
      assert.is(answer.status, status, answer.text)
      assert.match((answer.json as { message: string }).message, message)
      assert.is(triggered, 0)
      if (status === 405) assert.ok(answer.headers.allow)
    },
    { limits: { frame: title.includes('limit') ? 1500 : 10_000 } },
  )
}

bench('bytes that are no UTF-8, and a body that ends early, are refused', async ({ raw }) => {
  const head =
    'POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n'
  const client = raw()
  client.socket.write(Buffer.concat([Buffer.from(head), Buffer.from([0x22, 0xff, 0x22])]))
  await client.says(/400 Bad Request[\s\S]*in UTF-8/)
  const other = raw()
  other.socket.end(`${head}"`)
  await other.closed()
})

bench('what a client accepts best is what it gets', async ({ bind, ask }) => {
  await bind('GET#a', () => 1)
  const type = async (accept: string) =>
    (await ask('GET', '/a', { headers: { accept } })).headers['content-type']
  assert.is(await type('text/html,application/xhtml+xml;q=0.9,*/*;q=0.8'), 'application/json')
  assert.is(await type('application/json;q=0.5, application/x-ndjson'), 'application/x-ndjson')
  assert.is(await type('application/*'), 'application/json')
})

bench('a client that repeats a command names it: the same transaction id', async ({ bind, ask }) => {
  const ids: unknown[] = []
  await bind('POST#brew', ({ dispatch }) => void ids.push(dispatch.token?.[0]))
  for (let i = 0; i < 2; i++) await ask('POST', '/brew', { headers: { 'idempotency-key': 'order-7' } })
  await ask('POST', '/brew')
  assert.equal(ids.slice(0, 2), ['order-7', 'order-7'])
  assert.is.not(ids[2], 'order-7')
})

bench(
  '§9.15 a request is a stranger: what is not allowed is a 401 that says what is missing',
  async ({ bind, ask, begin }) => {
    let triggered = 0
    await bind('*#...', () => void triggered++)
    assert.is((await ask('GET', '/clima/hoy')).status, 200)
    const denied = await ask('PUT', '/clima/hoy', { body: 1 })
    assert.is(denied.status, 401)
    assert.match((denied.json as { message: string }).message, /without a key.*"access"/)
    assert.ok(denied.headers['www-authenticate'])
    const stream = await begin('GET', '/clima/...', { headers: { accept: 'text/event-stream' } })
    assert.is(stream.statusCode, 401)
    assert.match((await whole(stream)).text, /BIND is not allowed/)
    assert.is((await ask('GET', '/clima/...')).status, 200, 'a pattern in a GET is an element like any other')
    assert.is(triggered, 2)
  },
  { access: [{ method: ['GET'], resource: ['clima', '...'] }] },
)

bench('an answer that no JSON can carry is a 500, not a hang', async ({ bind, ask }) => {
  const knot: { [name: string]: unknown } = {}
  knot.self = knot
  await bind('GET#knot', () => knot as never)
  assert.is((await ask('GET', '/knot')).status, 500)
})

bench(
  'answers over the bound are dropped and counted',
  async ({ bind, ask, counted }) => {
    for (let i = 0; i < 6; i++) await bind(`GET#:n${'abcdef'[i]}`, () => 'x'.repeat(1000))
    const { json } = await ask('GET', '/big')
    const items = json as { status: number; body: unknown }[]
    assert.equal([items.length, counted('drop.answer')], [5, 2])
    assert.match(JSON.stringify(items.at(-1)), /2 more answers did not fit into 4096 bytes/)
  },
  { limits: { frame: 1024 } },
)

bench('an engine that stops says so', async ({ engine, bind, ask }) => {
  await bind('GET#deaf', () => new Promise(() => {}))
  const open = ask('GET', '/deaf')
  while (engine.sizes.transactions === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await engine.close(0)
  assert.is((await open).status, 502)
  assert.is((await ask('GET', '/a')).status, 502)
})

bench('pages come before resources, but have no body to read', async ({ ask }) => {
  assert.is((await ask('GET', '/page')).text, 'a page')
  assert.is((await ask('POST', '/page', { body: 1 })).status, 404)
})

test.run()
