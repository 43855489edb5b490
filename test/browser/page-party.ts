// One of the parties of test/identity, alive in a page: what it makes and what it finds goes to and from the test as text.

import type { Dispatch, Element } from '../../src/core/dispatch.ts'
import type { Opened, Result } from '../../src/identity/arrived.ts'
import type { Feed } from '../../src/identity/feeds.ts'
import type { Mode } from '../../src/identity/rights.ts'
import { answering, type Party, party } from '../identity/parties.ts'
import { web } from './page-kit.ts'

let self: Party
let request: Opened
let feed: Feed

/** What a test can see of a result. */
export type Seen = { kind: string; author?: string; dispatch?: Dispatch; reply?: Dispatch; failure?: string }

const app = {
  async make(seed: number, other: Uint8Array): Promise<string> {
    self = await party(seed, { provider: web, knows: [{ key: Uint8Array.from(other), name: 'node' }] })
    return self.id
  },

  begin: (need: 'id' | 'context') => self.identity.begin('node', need),

  async protect(dispatch: Dispatch, mode: Mode): Promise<Dispatch> {
    const made = await self.identity.protect(dispatch, { key: 'node', mode })
    if (made.kind !== 'outer') throw new Error(`needs ${made.need}`)
    return made.outer
  },

  async open(outer: Dispatch): Promise<Seen[]> {
    const results = await self.identity.open(outer, { channel: 'c1', isRelay: false })
    for (const result of results) if (result.kind === 'request') request = result
    return results.map(see)
  },

  answer: () => self.identity.answer(request, answering(request)),

  async subscribed(): Promise<void> {
    feed = await self.identity.subscribed(request)
  },

  event: (resource: Element[], body: number) =>
    self.identity.event(feed, { method: 'PUT', resource, timestamp: 1764037200123, body }),
}

function see(result: Result): Seen {
  const { kind, author, dispatch, reply, failure } = result as Result & Seen
  return { kind, author, dispatch, reply, failure }
}

Object.assign(globalThis, { app })

export type App = typeof app
