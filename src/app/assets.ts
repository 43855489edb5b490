// The files that the page is made of. Whoever may connect may have them: they are the same for everybody (design §9.29).

import type { IncomingMessage, ServerResponse } from 'node:http'
import { gunzipSync } from 'node:zlib'

export interface Asset {
  /** `text/html; charset=utf-8` */
  type: string
  /** As `encoding` says. */
  body: Uint8Array
  /** Changes with the body; without quotes. */
  etag: string
  encoding?: 'gzip'
  /** More headers, or others than ours, such as `Cache-Control` for a name that changes with its content. */
  headers?: Record<string, string>
}

/** What is at a path, which is `/` for the page itself, else begins with `/.hormiga/`; as it was sent, without the query. */
export type Assets = (path: string) => Asset | undefined

/** Only what comes from here runs, and no other site may frame it. */
const POLICY =
  "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Answers a GET or a HEAD. */
export function sendAsset(request: IncomingMessage, response: ServerResponse, asset: Asset): void {
  const { type, body, etag, encoding, headers } = asset
  const tag = `"${etag}"`
  const isZipped = encoding === 'gzip' && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))
  const all = {
    ETag: tag,
    Vary: 'Accept, Accept-Encoding, Origin',
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': POLICY,
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  }
  if (request.headers['if-none-match']?.split(/\s*,\s*/).some((known) => known.replace(/^W\//, '') === tag)) {
    response.writeHead(304, all).end()
    return
  }
  // Every browser takes gzip; for those that don't it is undone.
  const content = encoding === undefined || isZipped ? body : gunzipSync(body)
  response.writeHead(200, {
    'Content-Type': type,
    'Content-Length': content.length,
    ...(isZipped && { 'Content-Encoding': 'gzip' }),
    ...all,
  })
  response.end(request.method === 'HEAD' ? undefined : content)
}
