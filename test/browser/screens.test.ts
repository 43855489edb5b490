// heavy
// time limit: 180 s
// Takes the pictures in test/browser/screenshots again (./scripts/test --long), for people to look at: what no command can judge
// (design §9.30).

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runAxe } from './page-axe.ts'
import { buildPage, type PageEngine, startPageEngine } from './page-engine.ts'
import { card, PHONE, says, startTabs, type Tabs } from './page-tab.ts'

interface Scene {
  drop(): void
  folder: string
  engine: PageEngine
  tabs: Tabs
}

const FOLDER = 'test/browser/screenshots'
const NAMES = [
  'desktop-light.png',
  'desktop-dark.png',
  'phone-dark-spanish.png',
  'alarm.png',
  'offline.png',
  'axe.md',
]
const DESK = { width: 1280, height: 860 }

const test = suite('screens', {} as Scene)

if (process.env.HORMIGA_LONG) {
  test.before(async (scene) => {
    const { folder, drop } = await buildPage()
    Object.assign(scene, { folder, drop })
    scene.engine = await startPageEngine(folder, { speed: 0.6 })
    scene.tabs = await startTabs()
  })

  test.after(async ({ tabs, drop }) => {
    await tabs?.close()
    drop?.()
  })

  test('desktop, telephone, alarm, offline', async ({ tabs, engine }) => {
    const open = async (options: BrowserContextOptions, hash = '') => {
      const page = await tabs.open(`${engine.url}${hash}`, { viewport: DESK, ...options })
      await page.locator('.link.is-open').waitFor()
      return page
    }
    const brew = async (page: Page) => {
      await card(page, 'cafetera').locator('button.primary').click()
      await card(page, 'cafetera')
        .getByText(/^(3[2-9]|[4-7]\d)\s%$/)
        .waitFor()
    }
    const dark = await open({ colorScheme: 'dark' }, '#charts')
    engine.report(20)
    await dark.locator('#span').selectOption('5')
    await dark.locator('section.follow select').selectOption('meter/value-3')
    await dark.waitForTimeout(70_000)
    await snap(dark, 'desktop-dark')
    engine.report(0)

    const light = await open({})
    const phone = await open({ viewport: PHONE, colorScheme: 'dark', locale: 'es-ES', deviceScaleFactor: 2 })
    await brew(light)
    await snap(light, 'desktop-light')
    await snap(phone, 'phone-dark-spanish')
    await writeReport(light)
    await light.goto(`${engine.url}#devices`)
    await says(card(light, 'cafetera').getByRole('progressbar'), 'Ready')

    engine.coffee.set({ water: 0 })
    engine.coffee.raise('descale')
    await light.locator('.alert').waitFor()
    await card(light, 'cafetera').locator('button.primary').click()
    await says(card(light, 'cafetera').locator('.go .said'), 'refused')
    await snap(light, 'alarm')

    await engine.stop()
    await light.locator('.offline p').waitFor()
    await snap(light, 'offline')
    assert.equal(tabs.errors, [])
  })
} else {
  test('the pictures are there', () => {
    console.log('skip: long: ./scripts/test --long runs it')
    for (const name of NAMES) assert.ok(existsSync(join(FOLDER, name)), name)
  })
}

/** What axe says of every view, beside the pictures. */
async function writeReport(page: Page): Promise<void> {
  const rows: string[] = []
  for (const view of ['devices', 'charts', 'mesh', 'inspector', 'log', 'help']) {
    await page.evaluate(`location.hash = '${view}'`)
    await page.locator(`main.${view}`).waitFor()
    await page.waitForTimeout(1000)
    const { violations, passes, incomplete } = await runAxe(page)
    rows.push(`| ${view} | ${violations.length} | ${passes} | ${incomplete.join(', ') || 'none'} |`)
  }
  const head =
    '| view | violations | rules that hold | rules axe cannot decide (elements) |\n| --- | --- | --- | --- |'
  const about = 'Written by `test/browser/screens.test.ts` (`./scripts/test --long`).'
  writeFileSync(join(FOLDER, 'axe.md'), `# The axe report\n\n${about}\n\n${head}\n${rows.join('\n')}\n`)
}

async function snap(page: Page, name: string): Promise<void> {
  await page.waitForTimeout(600)
  await page.screenshot({ path: join(FOLDER, `${name}.png`) })
}

test.run()
