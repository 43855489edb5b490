// Debian's Chromium, without a window, and a small server for its pages. A page is a script: `/name` loads `/name.js`.
// What a script puts into `globalThis.app` a test can call.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { type BrowserContext, chromium, type Page } from 'playwright-core'

/** A name that is not of this machine, so that its pages are in no secure context; the browser asks no one for it. */
export const OTHER_HOST = 'kitchen.test'

export const PROGRAM = '/usr/bin/chromium'
export const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--host-resolver-rules=MAP ${OTHER_HOST} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1`,
]
const LOADED_MS = 5000

export interface Site {
  readonly port: number
  /** Errors that no page has caught: to be empty at the end. */
  readonly errors: string[]
  /** A new tab. */
  open(name: string, host?: string): Promise<Page>
  /** Closes all tabs: after each test, so that one that failed holds nothing. */
  clear(): Promise<void>
  close(): Promise<void>
}

/** @param files what the server has, by path; `/name.js` for the page `/name`. */
export async function startSite(files: { [path: string]: string | (() => string) }): Promise<Site> {
  const server = createServer(({ url = '/' }, response) => {
    const file = files[url]
    const isPage = !url.includes('.')
    response.setHeader('content-type', isPage ? 'text/html' : 'text/javascript')
    response.statusCode = isPage || file !== undefined ? 200 : 404
    if (isPage)
      response.end(
        `<!doctype html><link rel="icon" href="data:,"><script type="module" src="${url}.js"></script>`,
      )
    else response.end(typeof file === 'function' ? file() : (file ?? ''))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const profile = mkdtempSync(join(tmpdir(), 'hormiga-chromium-'))
  const browser = await launch(profile)
  const errors: string[] = []
  return {
    port,
    errors,
    async open(name, host = 'localhost') {
      const page = await browser.newPage()
      page.on('pageerror', (error) => errors.push(String(error.stack ?? error)))
      await page.goto(`http://${host}:${port}/${name}`)
      return page
    },
    async clear() {
      // The browser ends with its last tab, and its first is none of ours.
      await Promise.all(
        browser
          .pages()
          .slice(1)
          .map((page) => page.close()),
      )
    },
    async close() {
      await browser.close()
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function launch(profile: string): Promise<BrowserContext> {
  try {
    return await chromium.launchPersistentContext(profile, {
      executablePath: PROGRAM,
      headless: true,
      args: FLAGS,
    })
  } catch (error) {
    rmSync(profile, { recursive: true, force: true })
    throw new Error(
      `${PROGRAM} can't be started (sudo apt-get install chromium): ${(error as Error).message}`,
    )
  }
}

/** Calls what the page's script has put into `globalThis.app`. */
export async function call<T>(page: Page, name: string, ...args: unknown[]): Promise<T> {
  await page.waitForFunction('globalThis.app !== undefined', undefined, { timeout: LOADED_MS })
  return (await page.evaluate(
    ([method, values]) => {
      const { app } = globalThis as unknown as { app: Record<string, (...values: unknown[]) => unknown> }
      return app[method as string]?.(...(values as unknown[]))
    },
    [name, args] as const,
  )) as T
}

/** A script of test/ for a page: the kit is that of a page there, and the door is the one that the build makes. */
export async function bundlePage(entry: string, define: { [name: string]: string } = {}): Promise<string> {
  const stand = (file: string) => join(process.cwd(), 'test/browser', file)
  const kit: Plugin = {
    name: 'kit',
    setup(building) {
      building.onResolve({ filter: /\/kit\.ts$/ }, () => ({ path: stand('page-kit.ts') }))
      building.onResolve({ filter: /\/browser-identity\.ts$/ }, () => ({
        path: '/browser-identity.js',
        external: true,
      }))
      building.onResolve({ filter: /^node:/ }, () => ({ path: stand('page-node.ts') }))
    },
  }
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    define,
    inject: [stand('page-node.ts')],
    plugins: [kit],
    sourcemap: 'inline',
    logLevel: 'silent',
  })
  return outputFiles[0]?.text as string
}

interface Doors {
  bundlePages(root: string): Promise<{ path: string; contents: Uint8Array }[]>
}

/** The doors for pages as the build makes them, by the name of their file. */
export async function buildDoors(): Promise<{ [path: string]: string }> {
  const root = process.cwd()
  const script = pathToFileURL(join(root, 'scripts/build.mjs')).href
  const { bundlePages } = (await import(script)) as Doors
  const files = await bundlePages(root)
  return Object.fromEntries(
    files.map(({ path, contents }) => [path.replace(/^dist/, ''), Buffer.from(contents).toString('utf8')]),
  )
}
