// The files of the page, as scripts/build.mjs has put them beside the program: each is read when it is first asked for, and kept.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Asset, Assets } from './assets.ts'

const BELOW = '/.hormiga/'
const INDEX = 'index.html'
const WORKER = 'sw.js'

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
}

/** A name with a hash in it never stands for anything else. */
const HASHED = /-[0-9A-Z]{8}\.\w+$/

/** @param folder default: `web`, beside the bundle or the folder of its chunks. Without one there is no page. */
export function pageFiles(folder = findFolder()): Assets | undefined {
  if (folder === undefined) return undefined
  const stored = new Map(readdirSync(folder).flatMap((name) => pathOf(name)))
  const files = new Map<string, Asset>()
  return (path) => {
    const name = stored.get(path)
    if (name === undefined) return undefined
    const asset = files.get(path) ?? readFile(folder, name)
    files.set(path, asset)
    return asset
  }
}

function findFolder(): string | undefined {
  return ['web', '../web']
    .map((name) => fileURLToPath(new URL(name, import.meta.url)))
    .find((folder) => existsSync(join(folder, `${INDEX}.gz`)))
}

/** `name.gz` is a file that is sent as it lies there. */
function pathOf(stored: string): [path: string, stored: string][] {
  const name = stored.replace(/\.gz$/, '')
  if (!TYPES[extname(name)]) return []
  return [[name === INDEX ? '/' : `${BELOW}${name}`, stored]]
}

function readFile(folder: string, stored: string): Asset {
  const name = stored.replace(/\.gz$/, '')
  const body = readFileSync(join(folder, stored))
  const etag = createHash('sha256').update(body).digest('hex').slice(0, 16)
  const headers: Record<string, string> = {}
  if (HASHED.test(name)) headers['Cache-Control'] = 'public, max-age=31536000, immutable'
  // It works for the page at "/", which is not below it.
  if (name === WORKER) headers['Service-Worker-Allowed'] = '/'
  const type = TYPES[extname(name)] as string
  return { type, body, etag, headers, ...(stored !== name && { encoding: 'gzip' as const }) }
}
