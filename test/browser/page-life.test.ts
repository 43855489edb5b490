// heavy
// needs dist
// time limit: 90 s
// The page and the built program: killed and started again while somebody looks, opened while there is no engine, and the
// example page of the README.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { config, Engine, endAll } from '../suites/rig.ts'
import { buildDoors } from './chromium.ts'
import { card, says, startTabs, type Tabs } from './page-tab.ts'

interface Scene {
  tabs: Tabs
}

const test = suite('page-life', {} as Scene)

test.before(async (scene) => {
  scene.tabs = await startTabs()
})

test.after.each(({ tabs }) => {
  endAll()
  return tabs.clear()
})

test.after(({ tabs }) => tabs?.close())

test('killed: the page says since when; started again: it goes on by itself', async ({ tabs }) => {
  const first = await new Engine(demo()).runs()
  const http = await first.at('http')
  const url = `http://localhost:${http.split(':')[1]}/`
  const page = await tabs.open(url)
  const coffee = card(page, 'cafetera')
  const power = coffee.getByRole('switch', { name: 'Power' })
  await says(coffee.getByRole('progressbar'), 'Off')
  await power.click()
  await says(coffee.getByRole('progressbar'), 'Starting')
  await first.end('SIGKILL')
  await says(page.locator('.offline'), /offline since \d\d:\d\d:\d\d/)
  await power.click()
  await says(coffee.locator('.settable .said').first(), 'not sent: the engine is offline')
  assert.is(await power.isChecked(), true, 'shown as it was known')
  const second = await new Engine({ ...demo(), listen: { tcp: '127.0.0.1:0', http } }).runs()
  await says(page.locator('.link'), 'connected')
  assert.is(await page.locator('.offline').textContent(), '')
  // The machine is another one now, and off.
  await says(coffee.getByRole('progressbar'), 'Off')
  await power.click()
  await says(coffee.locator('.settable .said').first(), 'taken (200)')
  await says(coffee.getByRole('progressbar'), 'Starting')
  assert.equal(tabs.errors, [])
  await second.stop()
  await first.stop()
})

test('opened again without an engine: the page is there, and says so; with one it goes on', async ({
  tabs,
}) => {
  const first = await new Engine(demo()).runs()
  const http = await first.at('http')
  const page = await tabs.open(`http://localhost:${http.split(':')[1]}/`, { serviceWorkers: 'allow' })
  await page.evaluate('navigator.serviceWorker.ready')
  await says(card(page, 'cafetera').getByRole('progressbar'), /Off|Ready/)
  const kept = await page.evaluate<string[]>(`(async () => {
    const names = await caches.keys()
    const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()))
    return requests.flat().map(({ url }) => new URL(url).pathname)
  })()`)
  assert.ok(kept.includes('/') && kept.length > 5)
  assert.ok(
    kept.every((path) => path === '/' || path.startsWith('/.hormiga/')),
    'nothing but the page is kept',
  )
  await first.end('SIGKILL')
  await page.reload()
  await says(page.locator('.offline'), /offline since/)
  const second = await new Engine({ ...demo(), listen: { tcp: '127.0.0.1:0', http } }).runs()
  await says(card(page, 'cafetera').getByRole('progressbar'), /Off|Ready/)
  await second.stop()
  await first.stop()
})

test('an engine that hangs is offline too, although its connection stands; and it can be installed', async ({
  tabs,
}) => {
  const engine = await new Engine(demo()).runs()
  const page = await tabs.open(`http://localhost:${(await engine.at('http')).split(':')[1]}/`)
  const session = await page.context().newCDPSession(page)
  const { installabilityErrors } = await session.send('Page.getInstallabilityErrors')
  const why = installabilityErrors.map(({ errorId }) => errorId)
  assert.equal(
    why.filter((it) => it !== 'in-incognito'),
    [],
    'every tab of a test is incognito, else it can be installed',
  )
  await says(page.locator('.link'), 'connected')
  engine.process.kill('SIGSTOP')
  await says(page.locator('.offline'), /offline since/)
  engine.process.kill('SIGCONT')
  await says(page.locator('.link'), 'connected')
  await engine.stop()
})

test('the page of 20 lines in the README runs as it stands there', async ({ tabs }) => {
  const readme = readFileSync('README.md', 'utf8')
  const section = readme.slice(readme.indexOf('## Your own page'))
  const text = /```html\n([\s\S]*?)```/.exec(section)?.[1] as string
  assert.ok(text.trim().split('\n').length <= 20, 'in 20 lines')
  const site = await serve(text, (await buildDoors())['/browser.js'] as string)
  const engine = await new Engine(
    config({ ...demo(), http: { origins: [`http://localhost:${site.port}`] } }),
  ).runs()
  const port = (await engine.at('http')).split(':')[1]
  const page = await tabs.open('about:blank')
  // The README has the port of the demo, which somebody else may have here.
  await page.addInitScript(`globalThis.WebSocket = class extends WebSocket {
    constructor(url) { super(url.replace(':8080/', ':${port}/')) }
  }`)
  await page.goto(`http://localhost:${site.port}/`)
  await says(page.locator('pre'), /"state": "off"|"state": "ready"/)
  await page.locator('button').first().click()
  await says(page.locator('output'), /^(200|400)/)
  assert.equal(tabs.errors, [])
  await engine.stop()
  site.close()
})

function demo() {
  return {
    name: 'cocina',
    listen: { tcp: '127.0.0.1:0', http: '127.0.0.1:0' },
    devices: { cafetera: { profile: 'delonghi-ecam', simulated: true } },
  }
}

/** A server as anybody has one, with that page and the library. */
async function serve(text: string, library: string): Promise<{ port: number; close(): void }> {
  const server = createServer(({ url = '/' }, response) => {
    const isLibrary = url.endsWith('.js')
    response.setHeader('content-type', isLibrary ? 'text/javascript' : 'text/html; charset=utf-8')
    response.end(isLibrary ? library : text)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return { port, close: () => void server.close() }
}

test.run()
