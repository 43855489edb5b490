// Roots that belong to somebody (design §9.1): `engine`, `sec` and every device. Only the owner answers there, and
// subscribers get only what the owner reports, so that nobody can forge a report.

import type { Dispatch, Element, Json } from './dispatch.ts'

/** Where a dispatch came from. */
export interface Origin {
  /** The channel that it came in by (`undefined`: from inside this process). Tells two askers apart, no more. */
  channel?: string
  /** did:key of who has signed it; `undefined`: nobody. */
  author?: string
  /** did:key of who has pushed it, for a protected event. */
  server?: string
  /** Protected events that were lost before this one. */
  missed?: number
  /** Signed for everybody, and perhaps held back for any time. */
  stale?: boolean
  /** What the guard needs to prove it to others. */
  proof?: unknown
}

/** A dispatch that has triggered a handler or a callback. */
export interface Request extends Omit<Origin, 'proof'> {
  dispatch: Dispatch
  /** What the `:names` of the pattern took. */
  params: Record<string, Element>
  /** Answers with any status. Once only: later answers are ignored. Harmless when no answer was asked for. */
  answer(status: number, body?: Json): void
}

/** What it returns becomes the body of an ANSWER 200; what it throws becomes a 500 (a `JstpError`: its own status). */
export type Handler = (request: Request) => Json | void | Promise<Json | void>

export interface Owner {
  readonly root: string
  /** Sets the handler for one method and one point, e.g. `('PUT', ['power'], …)`. Patterns as in spec §2. */
  handle(method: string, point: Element[], handler: Handler): void
  /** Dispatches `PUT [root, ...point]` with this body to all who are bound. `event`: every one counts. */
  report(point: Element[], value: Json, options?: { event?: boolean }): void
  /** Whether a report of this point would reach anybody now. */
  watched(point: Element[]): boolean
  /** Gives the root back. */
  close(): void
}
