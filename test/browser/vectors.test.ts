// heavy
// time limit: 60 s
// The vectors of test/identity on a page's provider where it counts: on the cryptography of a real browser.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { Page } from 'playwright-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bundlePage, type Site, startSite } from './chromium.ts'

const test = suite('vectors', { site: undefined as unknown as Site })

const FOLDER = process.env.HORMIGA_WYCHEPROOF
/** How many tests each file has for one provider, at least. */
const COUNTS = { vectors: 4, providers: FOLDER ? 14 : 10 }
const CLOSING = /Total: +(\d+)\s+Passed: +(\d+)\s+Skipped: +(\d+)/

test.before(async (context) => {
  const define = { 'process.env.HORMIGA_WYCHEPROOF': FOLDER ? '"/wycheproof"' : 'undefined' }
  const files: { [path: string]: string | (() => string) } = {}
  for (const name of Object.keys(COUNTS)) {
    files[`/${name}.js`] = await bundlePage(`test/identity/${name}.test.ts`, define)
  }
  for (const name of FOLDER ? readdirSync(FOLDER) : []) {
    files[`/wycheproof/${name}`] = () => readFileSync(join(FOLDER as string, name), 'utf8')
  }
  context.site = await startSite(files)
})

test.after(({ site }) => site?.close())

for (const [name, count] of Object.entries(COUNTS)) {
  test(`test/identity/${name}.test.ts passes in Chromium`, async ({ site }) => {
    const { text, total, passed } = await results(await site.open('empty'), site, name)
    assert.is(passed, total, text)
    assert.ok(total >= count, text)
    for (const [line] of text.matchAll(/Wycheproof .*\{.*/g)) console.log(`note: Chromium: ${line}`)
    assert.equal(site.errors, [])
  })
}

/** What uvu says in the page. */
async function results(page: Page, { port }: Site, name: string) {
  let text = ''
  const closed = new Promise<RegExpExecArray>((done) => {
    page.on('console', (message) => {
      text += `${stripVTControlCharacters(message.text())}\n`
      const totals = CLOSING.exec(text)
      if (totals) done(totals)
    })
  })
  await page.goto(`http://localhost:${port}/${name}`)
  const [, total, passed] = await closed
  return { text, total: Number(total), passed: Number(passed) }
}

test.run()
