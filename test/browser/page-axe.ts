// What axe says of the page as it stands.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const SOURCE = readFileSync(createRequire(`${process.cwd()}/`).resolve('axe-core/axe.min.js'), 'utf8')

export interface AxeReport {
  /** Rule and element of each. */
  violations: string[]
  /** Rules that hold, and those about which axe can't tell. */
  passes: number
  incomplete: string[]
}

interface Found {
  id: string
  nodes: { html: string; failureSummary: string }[]
}

interface Axe {
  run(options: object): Promise<{ violations: Found[]; passes: Found[]; incomplete: Found[] }>
}

/** @param only one rule */
export async function runAxe(page: Page, only?: string): Promise<AxeReport> {
  await page.evaluate(SOURCE)
  const options = only ? { runOnly: { type: 'rule', values: [only] } } : {}
  return page.evaluate(async (options) => {
    const { axe } = globalThis as unknown as { axe: Axe }
    const { violations, passes, incomplete } = await axe.run(options)
    return {
      violations: violations.flatMap(({ id, nodes }) =>
        nodes.map((it) => `${id}: ${it.html.slice(0, 160)} ${it.failureSummary}`),
      ),
      passes: passes.length,
      incomplete: incomplete.map(({ id, nodes }) => `${id} (${nodes.length})`),
    }
  }, options)
}
