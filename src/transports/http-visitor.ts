// Who may send an HTTP request: other sites may not, unless they are named; nor may a page that calls us by a strange name
// (design §9.15). Their browsers tell us where a request comes from.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { JstpError, STATUS } from '../core/status.ts'
import { say } from './http-reply.ts'
import { refuseOrigin, type WsOptions } from './ws.ts'

const HEADERS = 'Accept, Content-Type, Idempotency-Key, Jstp-Channel'
/** Seconds. */
const PREFLIGHT_AGE = '600'

/** Lets a listed page read what it gets. @throws {JstpError} 403 */
export function checkSender(request: IncomingMessage, response: ServerResponse, trusted: WsOptions): void {
  const refusal = refuseOrigin(request, trusted)
  if (refusal !== undefined) throw new JstpError(STATUS.FORBIDDEN, refusal)
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin === undefined) {
    // Pictures, frames and links of other sites carry no Origin. Whoever follows a link may come to the page itself.
    const isForeign = site === 'cross-site' || site === 'same-site'
    if (isForeign && !isVisit(request))
      throw new JstpError(
        STATUS.FORBIDDEN,
        'other sites may not use this one. Set http.origins if they should',
      )
  } else if (trusted.origins?.some((allowed) => allowed.toLowerCase() === origin.toLowerCase())) {
    response.setHeader('Access-Control-Allow-Origin', origin)
    response.setHeader('Access-Control-Expose-Headers', 'Jstp-Channel')
    response.setHeader('Vary', 'Origin')
  }
}

/** What a browser asks before it lets a listed page send. */
export function preflight({ headers }: IncomingMessage, response: ServerResponse, methods: string): void {
  const isAsked = response.hasHeader('Access-Control-Allow-Origin')
  if (!isAsked || headers['access-control-request-method'] === undefined)
    return say(response, 204, '', { Allow: methods })
  say(response, 204, '', {
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': HEADERS,
    'Access-Control-Max-Age': PREFLIGHT_AGE,
  })
}

function isVisit({ method, url, headers }: IncomingMessage): boolean {
  const isPage = url === '/' || url?.startsWith('/?')
  return method === 'GET' && isPage === true && headers['sec-fetch-mode'] === 'navigate'
}
