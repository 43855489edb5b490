// The one kind of message that JSTP has (spec §1), in the names of version 0.6. Older names exist only in codec/versions.

/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** One element of a resource. */
export type Element = string | number | boolean | null

/** Where a dispatch goes next: an address, or the name of a virtual host. */
export type Hop = string | [address: string, port: number, transport: string]

/** A pattern for methods and resources (spec §2). */
export type Endpoint = {
  method: string
  resource: Element[]
}

export type Version = '0.4' | '0.5' | '0.6'

/** A dispatch. Headers not named here are extensions: they are kept untouched. */
export interface Dispatch {
  /** `["JSTP", version, ...implementation strings]`; the version is replaced on every channel. */
  protocol?: string[]
  /** In upper case. */
  method: string
  /** Absent in BIND and RELEASE. In an ANSWER: `[status, transaction id, triggering id]`. */
  resource?: Element[]
  /** In BIND and RELEASE only. */
  endpoint?: Endpoint
  /** Milliseconds since the epoch, set by the emitter. */
  timestamp: number
  /** `[]`, `[transaction id]` or `[transaction id, triggering id]`. */
  token?: string[]
  /** The hops still to go, next one first. */
  to?: Hop[]
  /** Information about the emitter. */
  from?: Json
  body?: Json
  /** How many engines it has passed (extension, spec §3). */
  hops?: number
  /** Milliseconds of life left (extension, design §2). */
  expires?: number
  /** In a BIND: to be triggered, but never waited for (extension). */
  observe?: boolean
  /** A report of something that happened, not of a value: every one counts (extension). */
  event?: boolean
  [extension: string]: Json | undefined
}

/** The transaction id, if an answer is wanted. */
export function transactionOf(dispatch: Dispatch): string | undefined {
  return dispatch.token?.[0]
}
