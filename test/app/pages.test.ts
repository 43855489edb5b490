// What plain HTTP answers besides resources, and the files of the page.

import { once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Asset } from '../../src/app/assets.ts'
import { answerPage } from '../../src/app/pages.ts'
import { Access } from '../../src/core/access.ts'

const PAGE = '<!doctype html><title>hormiga</title>'
const page: Asset = { type: 'text/html', body: gzipSync(PAGE), etag: 'abc', encoding: 'gzip' }
const script: Asset = {
  type: 'text/javascript',
  body: Buffer.from('1'),
  etag: 'def',
  headers: { 'Cache-Control': 'immutable' },
}
const assets = new Map([
  ['/', page],
  ['/.hormiga/app.js', script],
])
const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'accept-encoding': 'gzip, br' }

let server: Server
let rules: Access | undefined
let hasPage = true

test.before(async () => {
  server = createServer((request, response) => {
    const isPage = answerPage(request, response, {
      name: 'own',
      pages: { health: () => ({ status: 200, type: 'application/json', body: '{}' }) },
      assets: hasPage ? (path) => assets.get(path) : undefined,
      access: () => rules,
    })
    if (!isPage) response.writeHead(299).end('for the engine')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})

test.before.each(() => {
  rules = undefined
  hasPage = true
})

test.after(() => {
  server.close()
  server.closeAllConnections()
})

interface Got {
  status: number | undefined
  headers: IncomingHttpHeaders
  body: Buffer
}

async function ask(method: string, path: string, headers = {}): Promise<Got> {
  const { port } = server.address() as AddressInfo
  const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part)
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }
}

test('a browser gets the page at /, as it was compressed, and nothing else may run in it', async () => {
  const { status, headers, body } = await ask('GET', '/?source=pwa', BROWSER)
  assert.equal([status, headers['content-type'], headers['content-encoding']], [200, 'text/html', 'gzip'])
  assert.ok(body.equals(page.body))
  assert.is(headers['content-length'], String(body.length))
  assert.match(headers['content-security-policy'] as string, /default-src 'self'.*frame-ancestors 'none'/)
  assert.is(headers['x-content-type-options'], 'nosniff')
  assert.match(headers.vary as string, /Accept/)
  const head = await ask('HEAD', '/', BROWSER)
  assert.equal([head.headers['content-length'], head.body.length], [String(body.length), 0])
})

test('who does not take gzip gets it unpacked; who does not ask for HTML gets a line of text', async () => {
  const plain = await ask('GET', '/', { accept: 'text/html' })
  assert.equal([plain.body.toString(), plain.headers['content-encoding']], [PAGE, undefined])
  const curl = await ask('GET', '/', { accept: '*/*' })
  assert.match(curl.body.toString(), /^own is an engine for JSTP/)
  hasPage = false
  assert.match((await ask('GET', '/', BROWSER)).body.toString(), /^own is an engine/)
  assert.is((await ask('GET', '/.hormiga/app.js')).status, 404)
})

test('what has not changed is a 304', async () => {
  const { headers } = await ask('GET', '/', BROWSER)
  for (const known of [headers.etag, `W/${headers.etag}`, `"other", ${headers.etag}`]) {
    const again = await ask('GET', '/', { ...BROWSER, 'if-none-match': known })
    assert.equal([again.status, again.body.length, again.headers.etag], [304, 0, '"abc"'], known)
  }
  assert.is((await ask('GET', '/', { ...BROWSER, 'if-none-match': '"old"' })).status, 200)
})

test('below /.hormiga/ there are files and nothing else; headers of their own count', async () => {
  const { status, headers, body } = await ask('GET', '/.hormiga/app.js?v=1')
  assert.equal([status, body.toString(), headers['cache-control']], [200, '1', 'immutable'])
  for (const path of ['/.hormiga/', '/.hormiga/../app.js', '/.hormiga/%61pp.js', '/.hormiga/<script>']) {
    const none = await ask('GET', path)
    assert.equal([none.status, none.headers['content-type']], [404, 'text/plain; charset=utf-8'], path)
    assert.is(none.headers['x-content-type-options'], 'nosniff')
  }
  assert.equal((await ask('PUT', '/.hormiga/app.js')).status, 405)
})

test('resources, polls and what is POSTed to / are for the engine', async () => {
  const channel = { 'jstp-channel': 'x' }
  for (const [method, path, headers] of [
    ['GET', '/cafetera', BROWSER],
    ['GET', '/.hormiga', BROWSER],
    ['POST', '/', BROWSER],
    ['GET', '/', { ...BROWSER, ...channel }],
    ['GET', '/constructor', {}],
  ] as const) {
    assert.is((await ask(method, path, headers)).status, 299, `${method} ${path}`)
  }
})

test('the rules for who has no key hold for pages, not for the files of the page', async () => {
  rules = new Access([])
  const refused = await ask('GET', '/health')
  assert.equal([refused.status, /see "access"/.test(refused.body.toString())], [401, true])
  assert.is((await ask('GET', '/', BROWSER)).status, 200)
  rules = new Access([{ method: ['GET'], resource: ['health'] }])
  assert.is((await ask('GET', '/health')).status, 200)
  assert.is((await ask('POST', '/health')).status, 405)
})

test.run()
