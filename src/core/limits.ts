// Every bound of the engine (design §2). All can be set in the configuration.

export interface Limits {
  /** Bytes of one frame. */
  frame: number
  /** Lists and objects inside each other. */
  nesting: number
  /** Elements of a resource or a pattern. */
  resource: number
  /** Subscriptions of one channel. */
  subscriptions: number
  /** Transactions open for one channel. */
  transactions: number
  channels: number
  /** Bytes waiting for one channel that does not read. */
  outbound: number
  /** Frames in a minute that are no dispatch, before the channel is closed. */
  garbage: number
  /** How many engines a dispatch may pass. */
  hops: number
}

export const LIMITS: Limits = {
  frame: 1 << 20,
  nesting: 1024,
  resource: 64,
  subscriptions: 10_000,
  transactions: 10_000,
  channels: 10_000,
  outbound: 1 << 20,
  garbage: 100,
  hops: 16,
}
