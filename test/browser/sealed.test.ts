// heavy
// time limit: 90 s
// A page pairs with an engine, opens a context, and gets sealed answers and reports, through a relay that copies all of it.

import type { Page } from 'playwright-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import type { RightData } from '../../src/identity/rights.ts'
import { buildDoors, bundlePage, call, type Site, startSite } from './chromium.ts'
import { type Kitchen, startKitchen, startSensor } from './kitchen.ts'
import type { Report, Said } from './page-panel.ts'
import { type Relay, shows, startRelay } from './relay.ts'

interface Scene {
  site: Site
  relay: Relay
  kitchen: Kitchen
  page: Page
}

const SECRET = 'the-cake-is-in-the-oven'
const RIGHTS: RightData[] = [
  { method: ['GET', 'PUT'], resource: ['lamp', '...'] },
  { method: ['BIND'], resource: ['lamp', '...'] },
  { method: ['BIND'], resource: ['news', '...'] },
]
const NEWS = 20
const COUNT = 1000
const PATIENCE_MS = 25_000

const test = suite('sealed', {} as Scene)

test.before(async (scene) => {
  scene.site = await startSite({
    ...(await buildDoors()),
    '/panel.js': await bundlePage('test/browser/page-panel.ts'),
  })
  scene.relay = await startRelay()
  await cook(scene)
  scene.page = await scene.site.open('panel')
})

test.after(async ({ site, relay, kitchen }) => {
  await site?.close()
  await relay?.close()
  await kitchen?.stop()
})

test('R17 a page pairs by a code, when somebody at the engine says yes', async ({ page, relay, kitchen }) => {
  const own = await call<{ id: string; fingerprint: string }>(page, 'open')
  const code = kitchen.offer('panel', RIGHTS)
  const pinned = await call<{ id: string }>(page, 'pin', code, 'cocina', [['localhost', relay.port, 'ws']])
  assert.is(pinned.id, kitchen.id)
  assert.equal(await call(page, 'pair', code), { ...pinned, own: own.fingerprint })
  assert.equal(
    kitchen.knocked.map(({ id, fingerprint }) => ({ id, fingerprint })),
    [own],
  )
  assert.equal(kitchen.guard.identity.pairing.confirm(), { done: true, changed: true })
  assert.not.ok(shows(relay.seen, code.split('#')[1] as string), 'the code never travels')
})

test('it asks in a context, and hears what only the two of them know', async ({ page, kitchen, relay }) => {
  relay.seen.length = 0
  assert.equal(await ask(page, 'GET', 'lamp'), {
    status: 200,
    body: { on: true, note: SECRET },
    authentic: true,
  })
  const { id } = await call<{ id: string }>(page, 'whoami')
  const put = await ask(page, 'PUT', 'lamp/level', { body: `${SECRET}?` })
  assert.equal(put.body, { level: `${SECRET}?`, author: id })
  assert.is(kitchen.guard.identity.sizes.contexts, 1)
  assert.is((await ask(page, 'DELETE', 'lamp')).status, 403, 'what it has no right to')
  assert.is(await call(page, 'bind', 'PUT#engine/...', 'cocina'), 403)
  assert.not.ok(shows(relay.seen, SECRET))
  assert.not.ok(shows(relay.seen, '"lamp"'), 'nor what it is about')
  await ask(page, 'PUT', 'lamp/level', { mode: 'sign', body: SECRET })
  assert.ok(shows(relay.seen, SECRET), 'where nothing is sealed it shows')
})

test('R8 reports come sealed, in order, each once', async ({ page, kitchen, relay }) => {
  relay.seen.length = 0
  assert.is(await call(page, 'bind', 'PUT#lamp/...', 'cocina'), 200)
  // Meanwhile the page asks as well: answers and reports share the channel.
  const answers = Promise.all(Array.from({ length: 20 }, () => ask(page, 'GET', 'lamp')))
  for (let i = 0; i < COUNT; i++) {
    kitchen.lamp.report(['button'], `${SECRET} ${i}`, { event: true })
    if (i % 50 === 0) await new Promise(setImmediate)
  }
  assert.ok((await answers).every(({ status }) => status === 200))
  const reports = await reportsOf(page, (all) => all.length >= COUNT)
  assert.equal(
    reports.map(({ body }) => body),
    Array.from({ length: COUNT }, (_, i) => `${SECRET} ${i}`),
  )
  assert.ok(reports.every(({ author, missed }) => author === kitchen.id && missed === 0))
  assert.equal(reports[0]?.resource, ['lamp', 'button'])
  await call(page, 'clear')
  for (let i = 0; i < COUNT; i++) kitchen.lamp.report(['level'], i)
  const levels = (await reportsOf(page, (all) => all.at(-1)?.body === COUNT - 1)).map(
    ({ body }) => body as number,
  )
  assert.is(levels.at(-1), COUNT - 1)
  assert.equal(
    levels,
    [...new Set(levels)].sort((a, b) => a - b),
  )
  assert.not.ok(shows(relay.seen, SECRET))
})

test('T19 what a third key has signed is told apart, and nothing overtakes it', async ({ page, kitchen }) => {
  const { engine, id } = startSensor(kitchen, [{ method: ['PUT'], resource: ['news', '...'] }])
  const order: Json[] = []
  await kitchen.engine.bind('PUT#news/...', ({ dispatch: { body = null }, author = kitchen.id }) => {
    order.push([body, author])
    if (author === id) setImmediate(() => kitchen.engine.send('PUT', 'news/heat', { body: -Number(body) }))
  })
  await call(page, 'pin', `jstp-pair:${id}#${'A'.repeat(22)}`, 'sensor')
  await call(page, 'clear')
  assert.is(await call(page, 'bind', 'PUT#news/...', 'cocina'), 200)
  await call(page, 'slow', 20)
  for (let i = 0; i < NEWS; i++) engine.send('PUT', 'news/heat', { key: 'cocina', mode: 'sign', body: i })
  const reports = await reportsOf(page, (all) => all.length >= 2 * NEWS)
  await engine.close(0)
  assert.is(new Set(reports.map(({ author }) => author)).size, 2)
  assert.equal(
    reports.map(({ body, author }) => [body, author]),
    order,
  )
})

test('T5 T8 a relay that sends all of it twice changes nothing, and what it drops is told', async (scene) => {
  const { page, kitchen, relay } = scene
  await call(page, 'clear')
  kitchen.levels.length = 0
  relay.pass = (text) => [text, text]
  assert.is((await ask(page, 'PUT', 'lamp/level', { body: 3 })).status, 200)
  for (const i of [0, 1, 2]) kitchen.lamp.report(['button'], i, { event: true })
  await reportsOf(page, (all) => all.length >= 3)
  let dropped = 0
  relay.pass = (text, to) => {
    if (to === 'engine') return [text]
    dropped++
    return []
  }
  for (const i of [3, 4]) kitchen.lamp.report(['button'], i, { event: true })
  while (dropped < 2) await new Promise(setImmediate)
  relay.pass = (text) => [text]
  kitchen.lamp.report(['button'], 5, { event: true })
  const reports = await reportsOf(page, (all) => all.some(({ body }) => body === 5))
  assert.equal(
    reports.map(({ body, missed }) => [body, missed]),
    [
      [0, 0],
      [1, 0],
      [2, 0],
      [5, 2],
    ],
  )
  assert.equal(kitchen.levels, [3])
})

test('after the engine was started again the page is bound again by itself', async (scene) => {
  const { page, kitchen } = scene
  await call(page, 'clear')
  await kitchen.stop()
  await cook(scene, kitchen)
  for (const at of ['PUT#lamp/...', 'PUT#news/...']) {
    const isBack = `globalThis.app.states('${at}').join() === 'bound,stale,bound'`
    await page.waitForFunction(isBack, undefined, { timeout: PATIENCE_MS })
  }
  scene.kitchen.lamp.report(['level'], 7)
  const reports = await reportsOf(page, (all) => all.length > 0)
  assert.equal(reports, [{ resource: ['lamp', 'level'], body: 7, author: kitchen.id, missed: 0 }])
  assert.is((await ask(page, 'GET', 'lamp')).status, 200)
})

test('after a reload the page is trusted still, in a new context', async ({ page, kitchen, relay }) => {
  await page.reload()
  await call(page, 'open')
  relay.seen.length = 0
  const before = kitchen.guard.identity.sizes.contexts as number
  assert.equal(await ask(page, 'GET', 'lamp'), {
    status: 200,
    body: { on: true, note: SECRET },
    authentic: true,
  })
  assert.is(kitchen.guard.identity.sizes.contexts, before + 1)
  assert.is(await call(page, 'bind', 'PUT#lamp/...', 'cocina'), 200)
  kitchen.lamp.report(['level'], 8)
  const reports = await reportsOf(page, (all) => all.length > 0)
  assert.equal(
    reports.map(({ body }) => body),
    [8],
  )
  assert.not.ok(shows(relay.seen, SECRET))
})

test('R17 another key: its code is not taken twice, and it may do nothing', async ({
  site,
  relay,
  kitchen,
}) => {
  const page = await site.open('panel')
  await call(page, 'open', 'stranger')
  const code = kitchen.offer('panel', RIGHTS)
  const wrong = `${code.slice(0, -22)}${'A'.repeat(22)}`
  await call(page, 'pin', code, 'cocina', [['localhost', relay.port, 'ws']])
  assert.match(await refusal(call(page, 'pair', wrong)), /the code was not accepted/)
  assert.is(kitchen.knocked.length, 0)
  for (const mode of ['sign', undefined] as const) {
    assert.is((await ask(page, 'GET', 'lamp', { mode })).status, 401)
  }
  const clear = await call<Said>(page, 'ask', 'GET', `jstp:localhost:${relay.port}:ws//lamp`, {})
  assert.is(clear.status, 401)
  assert.equal((clear.body as { sec: string }).sec, 'required')
  assert.is(await call(page, 'bind', 'PUT#lamp/...', 'cocina'), 401)
  assert.equal(site.errors, [])
})

/** An engine, at the end of the relay. */
async function cook(scene: Scene, before?: Kitchen): Promise<void> {
  const { site, relay } = scene
  const state = { on: true, note: SECRET }
  scene.kitchen = await startKitchen(`http://localhost:${site.port}`, state, before?.learned)
  relay.to(scene.kitchen.port)
}

function ask(
  page: Page,
  method: string,
  at: string,
  options: { mode?: 'sign'; body?: Json } = {},
): Promise<Said> {
  return call<Said>(page, 'ask', method, at, { key: 'cocina', ...options })
}

function refusal(calling: Promise<unknown>): Promise<string> {
  return calling.then(
    () => '',
    (error: Error) => error.message,
  )
}

/** What the page has heard, when it is as it should be. */
async function reportsOf(page: Page, isEnough: (reports: Report[]) => boolean): Promise<Report[]> {
  const end = performance.now() + PATIENCE_MS
  for (;;) {
    const reports = await call<Report[]>(page, 'reports')
    if (isEnough(reports) || performance.now() > end) return reports
    await page.waitForTimeout(50)
  }
}

test.run()
