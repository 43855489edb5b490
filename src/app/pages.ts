// What plain HTTP answers besides resources: who is here, and what watchmen ask for. The rules for those who have no key
// hold for `["metrics"]` and `["health"]` as for any resource.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Access } from '../core/access.ts'
import { type Assets, sendAsset } from './assets.ts'

export interface Page {
  status: number
  type: string
  body: string
}

/** By its name, which is its path and its resource. */
export type Pages = Record<string, () => Page>

/** Below it is what the page is made of; never a resource. */
const ASSETS = '/.hormiga/'
const TEXT = 'text/plain; charset=utf-8'

export interface PageOptions {
  name: string
  pages: Pages
  assets: Assets | undefined
  /** What may be done without a key; `undefined`: everything. */
  access(): Access | undefined
}

/** Answers one request that has no body. `false`: it is for the engine. */
export function answerPage(
  request: IncomingMessage,
  response: ServerResponse,
  { name, pages, assets, access }: PageOptions,
): boolean {
  const { method, headers, url = '/' } = request
  const [path = '/'] = url.split('?', 1)
  const resource = path.slice(1)
  const page = Object.hasOwn(pages, resource) ? pages[resource] : undefined
  const isHome = path === '/'
  if (!page && !isHome && !path.startsWith(ASSETS)) return false

  const say = ({ status, type, body }: Page, more = {}) => {
    response.writeHead(status, { 'Content-Type': type, 'X-Content-Type-Options': 'nosniff', ...more })
    response.end(method === 'HEAD' ? undefined : body)
    return true
  }
  const tell = (status: number, text: string, more = {}) =>
    say({ status, type: TEXT, body: `${text}\n` }, more)

  const isRead = method === 'GET' || method === 'HEAD'
  // Whole dispatches and polls are for "/" too.
  if (isHome && (!isRead || headers['jstp-channel'] !== undefined)) return false
  if (!isRead) return tell(405, 'use GET', { Allow: 'GET, HEAD' })
  if (page) {
    const rules = access()
    const mayRead = !rules || rules.permits({ method: 'GET', resource: [resource], timestamp: Date.now() })
    if (mayRead) return say(page())
    return tell(401, `GET ["${resource}"] is not allowed here: see "access" in the configuration`)
  }
  const isWanted = !isHome || headers.accept?.includes('text/html')
  const asset = isWanted ? assets?.(path) : undefined
  if (asset) sendAsset(request, response, asset)
  else if (isHome) tell(200, `${name} is an engine for JSTP: GET /engine, or connect by WebSocket or TCP`)
  else tell(404, `there is nothing at ${JSON.stringify(path)}`)
  return true
}
