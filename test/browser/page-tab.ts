// Tabs of Debian's Chromium for the page: with a language, a size and a colour scheme, and what goes wrong in them.

import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core'
import { FLAGS, PROGRAM } from './chromium.ts'

/** Milliseconds for what should come soon, on a machine that is busy. */
export const PATIENCE = 15_000

export const PHONE = { width: 390, height: 844 }

export interface Tabs {
  readonly browser: Browser
  /** What no page has caught or what its policy has refused: to be empty at the end. */
  readonly errors: string[]
  open(url: string, options?: BrowserContextOptions): Promise<Page>
  /** Closes all tabs: after each test. */
  clear(): Promise<void>
  close(): Promise<void>
}

export async function startTabs(flags: string[] = []): Promise<Tabs> {
  const browser = await chromium.launch({ executablePath: PROGRAM, args: [...FLAGS, ...flags] })
  const errors: string[] = []
  return {
    browser,
    errors,
    async open(url, options = {}) {
      const context = await browser.newContext({ locale: 'en-GB', serviceWorkers: 'block', ...options })
      context.setDefaultTimeout(PATIENCE)
      const page = await context.newPage()
      page.on('pageerror', (error) => errors.push(String(error.stack ?? error)))
      page.on('console', (message) => {
        if (/Content Security Policy|Refused to/.test(message.text())) errors.push(message.text())
      })
      await page.goto(url)
      return page
    },
    async clear() {
      await Promise.all(browser.contexts().map((context) => context.close()))
    },
    close: () => browser.close(),
  }
}

/** The card of a device. */
export function card(page: Page, name: string): Locator {
  return page.locator('article.device', { has: page.getByRole('heading', { name, exact: true }) })
}

/** Waits until that element says it. */
export async function says(locator: Locator, text: string | RegExp): Promise<void> {
  await locator.filter({ hasText: text }).first().waitFor({ timeout: PATIENCE })
}

/** Waits until it is so. */
export async function until(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
  for (
    const end = Date.now() + PATIENCE;
    !(await look());
    await new Promise((done) => setTimeout(done, 50))
  ) {
    if (Date.now() > end) throw new Error(`never: ${what}`)
  }
}
