// The door for Node programs: an engine with the transports of Node.
//
//   import { Engine } from 'hormiga'
//   const engine = new Engine({ name: 'app' })
//   const answer = await engine.get('jstp:GET#localhost:33333:tcp//cafetera').first()

import { randomUUID } from 'node:crypto'
import { SystemClock } from './core/clock.ts'
import { Door, type DoorOptions } from './core/door.ts'
import { type Env, type Log, SILENT } from './core/env.ts'
import { Meters } from './core/meters.ts'
import { tcp } from './transports/tcp.ts'
import { ws } from './transports/ws.ts'

export type { Rule } from './core/access.ts'
export type { AskOptions, At, Binding, BindOptions } from './core/asking.ts'
export type { Dispatch, Element, Endpoint, Hop, Json } from './core/dispatch.ts'
export type { DoorOptions } from './core/door.ts'
export type { Env, Log } from './core/env.ts'
export type { Handler, Owner, Request } from './core/owner.ts'
export { JstpError, STATUS } from './core/status.ts'
export type { Answer, AnswerStream, Stream } from './core/stream.ts'
export { formatUri, parseUri } from './core/uri.ts'

/** What the engine needs of this machine. */
export function nodeEnv(log: Log = SILENT): Env {
  const random = { uuid: randomUUID, fraction: Math.random }
  return { clock: new SystemClock(), log, random, meters: new Meters() }
}

/** A JSTP engine. Speaks `tcp` and `ws` unless other transports are given. */
export class Engine extends Door {
  constructor(options: DoorOptions & { env?: Env } = {}) {
    const { env = nodeEnv(), ...rest } = options
    super(env, { transports: [tcp(), ws()], ...rest }, 'tcp')
  }
}
