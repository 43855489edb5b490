// What plain HTTP answers so far: who is here, and what watchmen ask for. The rules for those who have no key hold for
// `["metrics"]` and `["health"]` as for any resource.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Access } from '../core/access.ts'
import { refuseOrigin, type WsOptions } from '../transports/ws.ts'

export interface Page {
  status: number
  type: string
  body: string
}

/** By its name, which is its path and its resource. */
export type Pages = Record<string, () => Page>

const TEXT = 'text/plain; charset=utf-8'

export interface PageOptions {
  name: string
  pages: Pages
  /** Whom to let in, by Origin and Host. */
  trusted: WsOptions
  /** What may be done without a key; `undefined`: everything. */
  access: Access | undefined
}

/** Answers one request. */
export function answerPage(
  request: IncomingMessage,
  response: ServerResponse,
  { name, pages, trusted, access }: PageOptions,
): void {
  const say = ({ status, type, body }: Page, headers = {}) => {
    response.writeHead(status, { 'Content-Type': type, ...headers })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  const tell = (status: number, text: string, headers = {}) =>
    say({ status, type: TEXT, body: `${text}\n` }, headers)
  const refusal = refuseOrigin(request, trusted)
  const path = request.url?.split('?')[0] ?? '/'
  const page = Object.hasOwn(pages, path.slice(1)) ? pages[path.slice(1)] : undefined
  const mayRead = () =>
    !access || access.permits({ method: 'GET', resource: [path.slice(1)], timestamp: Date.now() })
  if (refusal) tell(403, refusal)
  else if (path !== '/' && !page)
    tell(404, `there is nothing at ${JSON.stringify(path)}: JSTP is spoken by WebSocket at /`)
  else if (request.method !== 'GET' && request.method !== 'HEAD') tell(405, 'use GET', { Allow: 'GET, HEAD' })
  else if (page && !mayRead())
    tell(401, `GET ["${path.slice(1)}"] is not allowed here: see "access" in the configuration`)
  else if (page) say(page())
  else tell(200, `${name} is an engine for JSTP: connect to it by WebSocket, here, or by TCP`)
}
