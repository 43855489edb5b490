// heavy
// time limit: 60 s
// B3, R9: the key of a page. It stays in the browser, nobody takes it out, and one tab at a time speaks with it.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { didOf, fingerprint } from '../../src/identity/did.ts'
import { node } from '../identity/kit.ts'
import { kidOfSeed, SEEDS } from '../identity/parties.ts'
import { buildDoors, bundlePage, call, OTHER_HOST, type Site, startSite } from './chromium.ts'

interface Shown {
  id: string
  fingerprint: string
}

const test = suite('keys', { site: undefined as unknown as Site })

test.before(async (context) => {
  context.site = await startSite({
    ...(await buildDoors()),
    '/keys.js': await bundlePage('test/browser/page-keys.ts'),
    '/plain.js':
      "import { Engine } from './browser.js'\nglobalThis.app = { sizes: () => new Engine().sizes }\n",
  })
})

test.after(({ site }) => site?.close())
test.after.each(({ site }) => site.clear())

test('the key is made once, and is the same after a reload and in a later tab', async ({ site }) => {
  const page = await site.open('keys')
  const first = await call<Shown>(page, 'open')
  assert.match(first.id, /^did:key:z6Mk/)
  assert.match(first.fingerprint, /^([0-9A-Z]{4}-){3}[0-9A-Z]{4}$/)
  await page.reload()
  assert.equal(await call(page, 'open'), first)
  await page.close()
  const later = await site.open('keys')
  assert.equal(await call(later, 'open'), first)
  assert.is.not((await call<Shown>(later, 'open', 'panel')).id, first.id)
})

test('its private half can’t be taken out of the browser', async ({ site }) => {
  const page = await site.open('keys')
  await call(page, 'open')
  assert.equal(await call(page, 'takeOut', 'hormiga'), {
    type: 'private',
    extractable: false,
    formats: ['InvalidAccessError', 'InvalidAccessError', 'InvalidAccessError'],
  })
})

test('two tabs that start at once end with the same key', async ({ site }) => {
  const [one, two] = await Promise.all([site.open('keys'), site.open('keys')])
  for (let i = 0; i < 10; i++) {
    const name = `race ${i}`
    const kids = await Promise.all([call<string[]>(one, 'race', name), call<string[]>(two, 'race', name)])
    assert.is(new Set(kids.flat()).size, 1, name)
    assert.equal(await call(one, 'race', name), kids[1])
  }
})

test('R9 while a tab speaks with the key another is told so; when it is gone the other can', async ({
  site,
}) => {
  const [one, two] = await Promise.all([site.open('keys'), site.open('keys')])
  const first = await call<Shown>(one, 'open')
  assert.match(
    await call<string>(two, 'refusal'),
    /another tab speaks with the key "hormiga" already: close it/,
  )
  const waiting = call<Shown>(two, 'open')
  await call(one, 'close')
  assert.equal(await waiting, first)
})

test('R13 each load counts as some uptime', async ({ site }) => {
  const page = await site.open('keys')
  await call(page, 'open')
  const before = await call<number>(page, 'uptime')
  await page.reload()
  await call(page, 'open')
  assert.is((await call<number>(page, 'uptime')) - before, 60_000)
})

test('R17 an engine is pinned by its code, and stays so after a reload, until it is forgotten', async ({
  site,
}) => {
  const kid = await kidOfSeed(SEEDS.a)
  const id = didOf(kid)
  const code = `jstp-pair:${id}#${node.toText(node.random(16))}`
  const page = await site.open('keys')
  const own = await call<Shown>(page, 'open')
  assert.equal(await call(page, 'pin', code, 'cocina'), { id, fingerprint: await fingerprint(node, kid) })
  await page.reload()
  await call(page, 'open')
  assert.equal(await call(page, 'trusted'), [{ id, name: 'cocina', rights: 0 }])
  for (const bad of [
    '',
    'did:key:z6Mk',
    `jstp-pair:${id}`,
    code.replace(id, own.id),
    code.replace('z6Mk', 'z6Ml'),
  ]) {
    assert.match(await refusal(call(page, 'pin', bad, 'otra')), /no code of pairing|did:key/, bad)
  }
  assert.match(await refusal(call(page, 'pin', code, '')), /a name of 1 to 64 letters/)
  assert.is((await call<unknown[]>(page, 'trusted')).length, 1)
  await call(page, 'forget', 'cocina')
  await page.reload()
  await call(page, 'open')
  assert.equal(await call(page, 'trusted'), [])
})

test('a page that came by http from elsewhere has no WebCrypto: it is told, with what to do', async ({
  site,
}) => {
  const page = await site.open('keys', OTHER_HOST)
  const message = await call<string>(page, 'refusal')
  assert.match(message, /no WebCrypto: browsers give it only to pages that come over https or from localhost/)
  assert.match(message, /Serve the page over TLS, or open it as http:\/\/localhost/)
  await page.close()
  const plain = await site.open('plain', OTHER_HOST)
  assert.is(
    (await call<{ channels: number }>(plain, 'sizes')).channels,
    0,
    'the door without keys works there',
  )
})

test('a browser that keeps nothing, or is too old, is told by name', async ({ site }) => {
  const reasons = {
    storage: /keeps no key for this page \(not in this browser\): allow this site to store data/,
    Ed25519: /WebCrypto has no Ed25519: a newer version/,
    X25519: /WebCrypto has no X25519: a newer version/,
  }
  for (const [what, reason] of Object.entries(reasons)) {
    const page = await site.open('keys')
    await call(page, 'break', what)
    assert.match(await call<string>(page, 'refusal', `broken ${what}`), reason)
    // What failed holds nothing: the next try gets as far.
    assert.match(await call<string>(page, 'refusal', `broken ${what}`), reason)
    await page.close()
  }
  assert.equal(site.errors, [])
})

function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => '',
    (error: Error) => error.message,
  )
}

test.run()
