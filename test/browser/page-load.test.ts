// alone
// time limit: 90 s
// A thousand reports a second do not freeze the page (design §9.30): against a blank page in the same run, and with the
// heap as flat as before.

import type { CDPSession, Page } from 'playwright-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buildPage, type PageEngine, startPageEngine } from './page-engine.ts'
import { card, says, startTabs, type Tabs, until } from './page-tab.ts'

interface Scene {
  drop(): void
  engine: PageEngine
  tabs: Tabs
}

const RATE = 1000
const WINDOW_MS = 1000
const TURNS = 3
const LEAST = 0.85
const LONGEST_MS = 200
/** Bytes that the heap may have grown by, after all garbage is collected, in as long as a turn of two windows takes. */
const GROWTH = 1_500_000

const test = suite('page-load', {} as Scene)

test.before(async (scene) => {
  const { folder, drop } = await buildPage()
  scene.drop = drop
  scene.engine = await startPageEngine(folder)
  scene.tabs = await startTabs(['--js-flags=--expose-gc'])
})

test.after(async ({ tabs, engine, drop }) => {
  await tabs?.close()
  await engine?.stop()
  drop?.()
})

test(`${RATE} reports a second: frames, tasks, heap`, async ({ tabs, engine }) => {
  const blank = await tabs.open('about:blank')
  const page = await tabs.open(engine.url)
  const session = await page.context().newCDPSession(page)
  await says(card(page, 'meter').locator('.tile').first(), 'V')
  engine.report(RATE)
  await until('reports in the page', async () =>
    /[1-9]/.test((await card(page, 'meter').locator('.value').first().textContent()) ?? ''),
  )
  // Buffers fill, and the compiler warms up.
  await watch(page)
  const rows: { view: string; ratio: number; blank: number; frames: number; longest: number }[] = []
  const heaps: number[] = []
  for (const view of ['devices', 'inspector']) {
    await page.evaluate(`location.hash = '${view}'`)
    await page.locator(`main.${view}`).waitFor()
    await watch(page)
    const ratios: number[] = []
    for (let turn = 0; turn < TURNS; turn++) {
      const empty = await watch(blank)
      const full = await watch(page)
      ratios.push(full.frames / empty.frames)
      rows.push({ view, ratio: full.frames / empty.frames, blank: empty.frames, ...full })
      heaps.push(await heapOf(session))
    }
    const ratio = median(ratios)
    const longest = Math.max(...rows.filter((it) => it.view === view).map((it) => it.longest))
    const counted = rows.filter((it) => it.view === view)
    const frames = counted.map((it) => `${it.frames}/${it.blank}`).join(' ')
    console.log(
      `note: ${view}: frames/blank ${frames} (median ${ratio.toFixed(2)}), longest task ${longest} ms`,
    )
    assert.ok(ratio >= LEAST, `${view}: ${ratio.toFixed(2)} of the frames of a blank page`)
    assert.ok(longest <= LONGEST_MS, `${view}: a task of ${longest} ms`)
  }
  const mb = heaps.map((it) => (it / 1e6).toFixed(1)).join(' ')
  console.log(`note: heap after forced collection, MB: ${mb}`)
  const [first, second, third, ...rest] = heaps as [number, number, number, ...number[]]
  const before = Math.max(first, second, third)
  const after = Math.min(...rest)
  assert.ok(after - before < GROWTH, `the heap grew from ${before} to ${after} bytes`)
  const seen = await page.evaluate<string>("document.querySelector('.inspect > .sub').textContent")
  assert.match(seen, /seen/)
})

/** Frames in a while, and the longest task. */
async function watch(page: Page): Promise<{ frames: number; longest: number }> {
  await page.bringToFront()
  return page.evaluate(`new Promise((done) => {
    let frames = 0
    let longest = 0
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, Math.round(duration))
    })
    observer.observe({ entryTypes: ['longtask'] })
    const end = performance.now() + ${WINDOW_MS}
    const count = () => {
      frames++
      if (performance.now() < end) return requestAnimationFrame(count)
      observer.disconnect()
      done({ frames, longest })
    }
    requestAnimationFrame(count)
  })`)
}

async function heapOf(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  return usedSize
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
}

test.run()
