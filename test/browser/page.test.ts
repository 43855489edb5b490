// heavy
// time limit: 120 s
// The page in a real browser, with real devices that are simulated: looked at, pressed, and left without an engine.

import type { BrowserContextOptions, Page } from 'playwright-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { JstpError, STATUS } from '../../src/core/status.ts'
import { runAxe } from './page-axe.ts'
import { buildPage, type PageEngine, quietProfile, startPageEngine } from './page-engine.ts'
import { card, PHONE, says, startTabs, type Tabs, until } from './page-tab.ts'

interface Scene {
  folder: string
  drop(): void
  engine: PageEngine
  tabs: Tabs
}

const BAD = '<img src=x onerror="globalThis.bad=1"><script>globalThis.bad=1</script>'

const test = suite('page', {} as Scene)

test.before(async (scene) => {
  const { folder, drop, first, all, limit } = await buildPage()
  console.log(`note: the page weighs ${first} bytes gzipped at first paint, ${all} in all (limit ${limit})`)
  assert.ok(all <= limit, `${all} > ${limit}`)
  Object.assign(scene, { folder, drop })
  scene.engine = await startPageEngine(folder, { devices: [[BAD, badProfile()]] })
  scene.tabs = await startTabs()
})

test.after.each(({ tabs, engine }) => {
  engine.coffee.fill()
  return tabs.clear()
})

test.after(async ({ tabs, engine, drop }) => {
  await tabs?.close()
  await engine?.stop()
  drop?.()
})

test('first paint: devices with their state, soon, and nothing from elsewhere', async ({ tabs, engine }) => {
  const page = await tabs.open('about:blank')
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  const start = performance.now()
  await page.goto(engine.url)
  await says(card(page, 'cafetera').getByRole('progressbar'), 'Ready')
  const ms = Math.round(performance.now() - start)
  const paint = await page.evaluate(
    () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
  )
  console.log(`note: first paint after ${Math.round(paint ?? 0)} ms, the state of the machine after ${ms} ms`)
  assert.is(await page.title(), 'cocina · hormiga')
  const foreign = asked.filter((url) => !url.startsWith(engine.url) && !url.startsWith('data:'))
  assert.equal(foreign, [])
  await says(page.locator('.link'), 'connected')
})

test('an espresso is made, its progress is seen, and in another tab too', async ({ tabs, engine }) => {
  const pages = await Promise.all([tabs.open(engine.url), tabs.open(engine.url)])
  const [page, other] = pages as [Page, Page]
  const drinks = engine.coffee.drinks.length
  const coffee = card(page, 'cafetera')
  await coffee.getByRole('radio', { name: 'Espresso', exact: true }).check({ force: true })
  await coffee.getByRole('slider', { name: 'Coffee' }).fill('30')
  await coffee.getByRole('button', { name: 'Make Espresso' }).click()
  await says(coffee.locator('.go .said'), 'taken (200)')
  for (const it of pages) {
    const ring = card(it, 'cafetera').getByRole('progressbar')
    await says(ring, /Brewing/)
    await until('progress', async () => Number(await ring.getAttribute('aria-valuenow')) > 20)
  }
  assert.is(engine.coffee.drinks.length, drinks + 1)
  assert.is(engine.coffee.drinks.at(-1)?.amounts.get(1), 30)
  for (const it of [page, other]) await says(card(it, 'cafetera').getByRole('progressbar'), 'Ready')
})

test('the stop button is in reach on every view, and stops', async ({ tabs, engine }) => {
  const page = await tabs.open(engine.url, { viewport: PHONE })
  const coffee = card(page, 'cafetera')
  await coffee.getByRole('button', { name: 'Make Espresso' }).click()
  await says(coffee.getByRole('progressbar'), /Brewing/)
  for (const view of ['Charts', 'Mesh', 'Inspector', 'Log', 'Help']) {
    await page.getByRole('link', { name: view }).click()
    await page.getByRole('heading', { name: view, level: 1 }).waitFor()
    assert.ok(await isReachable(page), view)
  }
  const before = engine.coffee.stops
  await page.getByRole('button', { name: 'Stop cafetera' }).click()
  await until('a stop', () => engine.coffee.stops > before)
  await says(page.locator('.stop-bar'), 'taken (200)')
  await page.getByRole('link', { name: 'Devices' }).click()
  await says(card(page, 'cafetera').getByRole('progressbar'), 'Ready')
})

test('no water: the alarm is told, a brew is refused with its reason, and both end', async ({
  tabs,
  engine,
}) => {
  const page = await tabs.open(engine.url)
  await says(card(page, 'cafetera').getByRole('progressbar'), 'Ready')
  engine.coffee.set({ water: 0 })
  await says(page.getByRole('alert'), 'cafetera: Empty water tank')
  await says(card(page, 'cafetera').getByRole('progressbar'), 'Alarm')
  await card(page, 'cafetera').getByRole('button', { name: 'Make Espresso' }).click()
  await says(card(page, 'cafetera').locator('.go .said'), /refused \(400\): .*fill the water tank/)
  await page.getByRole('link', { name: 'Charts' }).click()
  await says(page.getByRole('alert'), 'Empty water tank')
  engine.coffee.fill()
  await until('no alarm', async () => (await page.getByRole('alert').textContent()) === '')
})

test('what is set in one tab shows in the other; what is refused goes back', async ({ tabs, engine }) => {
  const [page, other] = (await Promise.all([tabs.open(engine.url), tabs.open(engine.url)])) as [Page, Page]
  await card(page, 'cafetera').getByRole('radio', { name: '3', exact: true }).first().check({ force: true })
  const theirs = card(other, 'cafetera').getByRole('radio', { name: '3', exact: true }).first()
  await until('profile 3', () => theirs.isChecked())
  await card(page, 'cafetera').getByText('Settings', { exact: true }).click()
  const settings = card(page, 'cafetera').locator('form.settings')
  await until('hardness', () => settings.getByRole('radio', { name: '2' }).first().isChecked())
  await settings.getByRole('switch', { name: 'Sounds' }).click()
  await settings.getByRole('button', { name: 'Save' }).click()
  await says(settings.locator('.said'), 'taken (200)')

  const stubborn = page.locator('article.device').last()
  await stubborn.getByRole('switch').click()
  await says(stubborn.locator('.settable .said'), 'refused (400): never')
  assert.is(await stubborn.getByRole('switch').isChecked(), false)
})

test('by keyboard alone: choose, move a slider, brew, stop', async ({ tabs, engine }) => {
  const page = await tabs.open(engine.url)
  await says(card(page, 'cafetera').getByRole('progressbar'), 'Ready')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  assert.is(await page.evaluate('document.activeElement.tagName'), 'H1', 'past the navigation')
  await tabTo(page, 'Espresso')
  await page.keyboard.press('ArrowRight')
  assert.is(await focused(page), 'Regular coffee')
  await tabTo(page, 'Coffee')
  for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowLeft')
  await tabTo(page, 'Make Regular coffee')
  const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')
  assert.is(outline, 'solid', 'where one is can be seen')
  await page.keyboard.press('Enter')
  await says(card(page, 'cafetera').getByRole('progressbar'), /Brewing/)
  assert.is(engine.coffee.drinks.at(-1)?.amounts.get(1), 175)
  await page.keyboard.press('Alt+Shift+S')
  assert.is(await focused(page), 'Stop cafetera')
  await page.keyboard.press('Space')
  await says(card(page, 'cafetera').getByRole('progressbar'), 'Ready')
})

test('HTML in the name, the values and the descriptions of a device is text', async ({ tabs, engine }) => {
  const page = await tabs.open(engine.url)
  await says(page.locator('article.device').last(), BAD)
  await says(page.locator('article.device').last().locator('.tile'), 'onerror=')
  for (const view of ['charts', 'mesh', 'inspector', 'log']) {
    engine.log({ time: Date.now(), level: 'warn', text: BAD, fields: { BAD } } as never)
    assert.is(await page.locator('img').count(), 0)
    await page.goto(`${engine.url}#${view}`)
    await page.locator(`main.${view}`).waitFor()
  }
  await says(page.locator('.records'), BAD)
  assert.is(await page.evaluate(() => (globalThis as { bad?: number }).bad), undefined)
  assert.is(await page.locator('img').count(), 0)
})

test('the inspector: filter by endpoint, look, and send again', async ({ tabs, engine }) => {
  const page = await tabs.open(`${engine.url}#inspector`)
  await says(page.locator('.wires'), 'engine/directory')
  await page.getByLabel('Filter by endpoint').fill('GET#cafetera')
  await until('one', async () => (await page.locator('.wire').count()) === 1)
  await page.locator('.wire').click()
  await says(page.locator('.detail pre'), '"cafetera"')
  await page.getByRole('button', { name: 'Fill in to send it again' }).click()
  await page.getByLabel('URI').fill('cafetera/state')
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await says(page.locator('.answers'), '"ready"')
  await page.getByLabel('URI').fill('cafetera/nothing')
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await says(page.locator('.answers'), '404')
  await page.getByLabel('Filter by endpoint').fill('PUT#engine/...')
  await says(page.locator('.wires'), 'engine/saturation')
  assert.not.match((await page.locator('.wires').textContent()) ?? '', 'cafetera')
})

test('the help says which engine this is, to be compared with its console', async ({ tabs, engine }) => {
  const page = await tabs.open(`${engine.url}#help`)
  await page.getByText('abcd efgh', { exact: true }).waitFor()
  await page.getByText('did:key:test').waitFor()
  await tabs.clear()
})

test('charts, mesh and log show what there is', async ({ tabs, engine }) => {
  const page = await tabs.open(`${engine.url}#charts`)
  for (const name of ['Processor', 'Memory']) {
    await until(name, async () => (await page.getByRole('region', { name }).locator('path.line').count()) > 0)
  }
  await page.locator('section.follow select').selectOption('cafetera/progress')
  await page.getByRole('region', { name: 'cafetera · progress' }).waitFor()
  await page.goto(`${engine.url}#mesh`)
  await says(page.getByRole('region', { name: 'Channels' }).locator('td'), 'ws')
  await says(page.getByRole('region', { name: 'This engine' }), /did:key/)
  engine.log({ time: Date.now(), level: 'warn', text: 'the milk is sour', fields: {} } as never)
  await page.goto(`${engine.url}#log`)
  await says(page.locator('.records'), 'the milk is sour')
  engine.log({ time: Date.now(), level: 'error', text: 'and the beans are out', fields: {} } as never)
  await says(page.locator('.records'), 'and the beans are out')
})

test('Spanish for who reads Spanish, and whoever chooses it', async ({ tabs, engine }) => {
  const page = await tabs.open(engine.url, { locale: 'es-ES' })
  await page.getByRole('heading', { name: 'Aparatos' }).waitFor()
  await says(card(page, 'cafetera').getByRole('progressbar'), 'Lista')
  assert.is(await page.getAttribute('html', 'lang'), 'es')
  await page.getByLabel('Idioma').selectOption('en')
  await page.getByRole('heading', { name: 'Devices' }).waitFor()
  await page.reload()
  await page.getByRole('heading', { name: 'Devices' }).waitFor()
})

/** `rule`: in other colours only that can be otherwise. */
const LOOKS: [name: string, options: BrowserContextOptions, views: string[], rule?: string][] = [
  ['light', {}, ['devices', 'charts', 'mesh', 'inspector', 'log', 'help']],
  ['dark', { colorScheme: 'dark' }, ['devices', 'charts', 'mesh', 'inspector'], 'color-contrast'],
  ['phone, Spanish', { viewport: PHONE, locale: 'es-ES' }, ['devices', 'charts', 'mesh', 'inspector']],
]

for (const [name, options, views, rule] of LOOKS) {
  test(`axe finds nothing, and nothing is wider than the screen: ${name}`, async ({ tabs, engine }) => {
    const page = await tabs.open(engine.url, options)
    await says(card(page, 'cafetera').getByRole('progressbar'), /Ready|Lista/i)
    for (const details of await card(page, 'cafetera').locator('summary').all()) await details.click()
    engine.coffee.set({ water: 0 })
    await page.locator('.alert').waitFor()
    for (const view of views) {
      if (view !== 'devices') await page.goto(`${engine.url}#${view}`)
      if (view === 'inspector') await page.locator('.wire').first().click()
      await page.locator(`main.${view}`).waitFor()
      await page.waitForTimeout(200)
      assert.equal((await runAxe(page, rule)).violations, [], view)
      const over = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
      assert.ok(over <= 0, `${view} is ${over} px wider than the screen`)
    }
  })
}

test('nothing has gone wrong in any of them', ({ tabs }) => {
  assert.equal(tabs.errors, [])
})

function badProfile() {
  return quietProfile(BAD, {
    points: {
      text: { methods: ['GET'], type: 'string', values: ['a'], description: BAD },
      more: { methods: ['GET'], type: 'object', description: BAD },
      stubborn: { methods: ['GET', 'PUT'], type: 'boolean', description: 'It stays as it is' },
    },
    actions: {
      go: { description: BAD, body: { what: { type: 'string', values: [BAD], description: BAD } } },
    },
    create: ({ set, heard }) => ({
      up() {
        heard()
        set('text', BAD)
        set('more', { [BAD]: BAD })
        set('stubborn', false)
      },
      data() {},
      down() {},
      close() {},
      write: { stubborn: () => Promise.reject(new JstpError(STATUS.BAD_DISPATCH, 'never')) },
    }),
  })
}

/** Whether the stop button can be pressed as it stands: on the screen, and under nothing. */
async function isReachable(page: Page): Promise<boolean> {
  const button = page.getByRole('button', { name: 'Stop cafetera' })
  const { x, y, width, height } = (await button.boundingBox()) as {
    x: number
    y: number
    width: number
    height: number
  }
  const at = `${x + width / 2}, ${y + height / 2}`
  return page.evaluate(`document.elementFromPoint(${at})?.closest('button')?.matches('.stop') === true`)
}

/** The name of what has the focus, as it is read aloud. */
function focused(page: Page): Promise<string> {
  return page.evaluate(`(() => {
    const at = document.activeElement
    const label = at.labels?.[0]
    return (label?.querySelector('span') ?? label ?? at).textContent.trim()
  })()`)
}

async function tabTo(page: Page, name: string): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab')
    if ((await focused(page)) === name) return
  }
  throw new Error(`Tab never comes to "${name}"`)
}

test.run()
