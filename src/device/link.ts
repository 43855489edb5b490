// The way to a thing, whatever the medium: a bridge opens it, a device speaks over it, a simulator stands behind it.

/** What went wrong on a link, and whether bytes may have reached the thing. */
export class LinkError extends Error {
  /**
   * - `offline` not connected, nothing was written
   * - `refused` the other side said no to the write
   * - `lost` the link broke in mid-write
   * - `timeout` no confirmation in time
   */
  readonly code: 'offline' | 'refused' | 'lost' | 'timeout'

  constructor(code: LinkError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LinkError'
    this.code = code
  }

  /** True when the thing may have received the bytes although no confirmation came. */
  get uncertain(): boolean {
    return this.code === 'lost' || this.code === 'timeout'
  }
}

/** What a link tells its device. */
export interface LinkEvents {
  /** Bytes can flow. Also after every reconnection. */
  up(): void
  /** Bytes have arrived, in pieces as the medium cut them. */
  data(bytes: Uint8Array): void
  /** The link is gone or could not be made; `cause` is for people and says what to do. The link tries again by itself. */
  down(cause: string): void
}

/** A link keeps itself alive from `open` to `close`: it connects, and reconnects with backoff. */
export interface Link {
  /** Starts connecting; returns at once. */
  open(events: LinkEvents): void
  /** Resolves when the other side has confirmed the bytes. Never queued while the link is down: `offline` at once. */
  write(bytes: Uint8Array): Promise<void>
  /** Ends it and frees what it held. */
  close(): Promise<void>
}
