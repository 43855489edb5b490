// heavy
// time limit: 90 s
// A browser that the engine does not know (design §9.29): it gets the page and is told how to pair; once somebody at the
// engine has said yes, the same page goes on, sealed, and remembers it.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import { Guard } from '../../src/identity/guard.ts'
import type { Candidate } from '../../src/identity/pairing.ts'
import { lastingPrekeys, type Prekeys } from '../../src/identity/prekeys.ts'
import type { Signer } from '../../src/identity/provider.ts'
import { nodeProvider } from '../../src/identity/provider-node.ts'
import { Trust } from '../../src/identity/trust.ts'
import { NO_TRUST, readRights } from '../../src/identity/trust-file.ts'
import { OTHER_HOST } from './chromium.ts'
import { buildPage, type PageEngine, startPageEngine } from './page-engine.ts'
import { card, says, startTabs, type Tabs, until } from './page-tab.ts'

interface Scene {
  drop(): void
  engine: PageEngine
  tabs: Tabs
  guard: Guard
  knocked: Candidate[]
}

const ALL = [
  { method: ['*'], resource: ['...'] },
  { method: ['BIND'], resource: ['...'] },
]

const test = suite('page-pair', {} as Scene)

test.before(async (scene) => {
  const { folder, drop } = await buildPage()
  const signer = nodeProvider.signer() as Signer
  const trust = new Trust(nodeProvider, signer.kid, { file: NO_TRUST, uptime: () => performance.now() })
  const prekeys = lastingPrekeys(nodeProvider) as Prekeys
  scene.knocked = []
  const onPairing = (candidate: Candidate) => void scene.knocked.push(candidate)
  scene.guard = new Guard({ provider: nodeProvider, signer, trust, prekeys, onPairing })
  scene.drop = drop
  scene.engine = await startPageEngine(folder, { guard: scene.guard, isClosed: true })
  scene.tabs = await startTabs()
})

test.after(async ({ tabs, engine, drop }) => {
  await tabs?.close()
  await engine?.stop()
  drop?.()
})

test('a stranger sees the page, how to pair, and nothing of the devices', async ({ tabs, engine }) => {
  const page = await tabs.open(engine.url)
  await page.getByRole('heading', { name: 'This engine does not know you' }).waitFor()
  assert.is(await page.locator('article').count(), 0)
  await page.getByLabel(/It prints a code/).fill('jstp-pair:nonsense')
  await page.getByRole('button', { name: 'Pair' }).click()
  await says(page.locator('.pairing .said'), 'is no code of pairing')
  await tabs.clear()
})

test('over plain http from elsewhere it says why no key can be made, and what helps', async ({
  tabs,
  engine,
}) => {
  const page = await tabs.open(`http://${OTHER_HOST}:${engine.port}/`)
  await says(page.locator('.pairing'), `ssh -L ${engine.port}:localhost:${engine.port} ${OTHER_HOST}`)
  await page.goto(`http://${OTHER_HOST}:${engine.port}/#help`)
  await says(page.locator('main'), 'browsers install pages only over https, or from localhost')
  await page.getByRole('img', { name: `QR code of http://${OTHER_HOST}:${engine.port}` }).waitFor()
  await tabs.clear()
})

test('paired: it goes on sealed, with its stop button, and after a reload too', async (scene) => {
  const { tabs, engine, guard, knocked } = scene
  const page = await tabs.open(engine.url)
  const sent: string[] = []
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))))
  const code = guard.identity.pairing.open('browser', readRights(ALL as unknown as Json, 'rights'))
  await page.getByLabel(/It prints a code/).fill(code)
  await page.getByRole('button', { name: 'Pair' }).click()
  await until('somebody knocks', () => knocked.length > 0)
  await says(page.locator('.prints'), (knocked[0] as Candidate).fingerprint)
  assert.equal(guard.identity.pairing.confirm(), { done: true, changed: true })
  guard.identity.retrust()
  await says(card(page, 'cafetera').getByRole('progressbar'), 'Ready')
  await page.reload()
  await says(card(page, 'cafetera').getByRole('progressbar'), 'Ready')
  sent.length = 0
  await card(page, 'cafetera').getByRole('button', { name: 'Make Espresso' }).click()
  await says(card(page, 'cafetera').getByRole('progressbar'), /Brewing/)
  await page.getByRole('button', { name: 'Stop cafetera' }).click()
  await says(page.locator('.stop-bar'), 'taken (200)')
  assert.not.match(sent.join('\n'), 'espresso', 'nothing of it can be read on the way')
  await page.getByRole('link', { name: 'Inspector' }).click()
  await page.getByLabel('Filter by endpoint').fill('POST#cafetera/brew')
  await says(page.locator('.wires'), 'espresso')
  const second = await page.context().newPage()
  await second.goto(engine.url)
  await says(second.locator('.pairing'), 'another tab speaks with the key')
  await page.close()
  await second.getByRole('button', { name: 'Try now' }).click()
  await says(card(second, 'cafetera').getByRole('progressbar'), 'Ready')
  assert.equal(tabs.errors, [])
})

test.run()
