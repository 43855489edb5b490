// The door for web pages: the same engine over the browser's WebSocket.
//
//   import { Engine } from 'hormiga/browser'
//   const engine = new Engine()
//   for await (const report of engine.reports('jstp:pi.local:8080//cafetera/...')) show(report)

import { SystemClock } from './core/clock.ts'
import { Door, type DoorOptions } from './core/door.ts'
import { type Env, SILENT } from './core/env.ts'
import { Meters } from './core/meters.ts'
import { browserWs } from './transports/browser-ws.ts'

export type { AskOptions, At, Binding, BindOptions } from './core/asking.ts'
export type { Dispatch, Element, Endpoint, Hop, Json } from './core/dispatch.ts'
export type { Handler, Owner, Request } from './core/owner.ts'
export { JstpError, STATUS } from './core/status.ts'
export type { Answer, AnswerStream, Stream } from './core/stream.ts'
export { formatUri, parseUri } from './core/uri.ts'

declare const crypto: { getRandomValues(bytes: Uint8Array): Uint8Array }

/** A UUID of version 4. `crypto.randomUUID` is missing on pages that came over plain http. */
function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** A JSTP engine in a page. Dials `ws` (`wss` on a page that came over https). */
export class Engine extends Door {
  constructor(options: DoorOptions = {}) {
    const random = { uuid, fraction: Math.random }
    const env: Env = { clock: new SystemClock(), log: SILENT, random, meters: new Meters() }
    super(env, { transports: [browserWs('ws'), browserWs('wss')], ...options }, 'ws')
  }
}
