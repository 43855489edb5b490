// What the core asks of a codec and of a transport. One codec = one encoding, one transport = one label in `to`.

import type { Channel } from './channel.ts'
import type { Dispatch, Json, Version } from './dispatch.ts'

/** One dispatch as it travels: text or bytes, without the framing of the transport. */
export type Frame = string | Uint8Array

/** What a codec made of a frame, not judged yet. */
export interface Decoded {
  /** Native headers in lower case and under their 0.6 names; extensions as they were. */
  headers: { [name: string]: Json }
  /** The version that the frame declares, if it is a string at all. Not necessarily one that we speak. */
  version: string | undefined
  /** Why this can't be accepted even in quirks mode, e.g. the same header twice in different case, or 1e400. */
  fault?: string
  /** Why strict mode refuses it, e.g. both `host` and `to`. */
  slip?: string
  /**
   * True when the frame is, header by header, what `stem` would make of it for its version: then it may be
   * passed on as it is. Never with a transaction id, `to`, `hops` or `expires`.
   */
  plain: boolean
}

/** The headers that differ from receiver to receiver. */
export interface Tail {
  token?: string[]
  hops?: number
  expires?: number
}

export interface Codec {
  readonly name: 'json' | 'cbor'
  /** @throws {Error} when the frame is garbage: no dispatch can be read from it, so none can be answered. */
  decode(frame: Frame): Decoded
  /** All headers but those of `Tail`, in the names of `version`, without the end, so that one stem serves many. */
  stem(dispatch: Dispatch, version: Version): Frame
  /** The stem of a frame that was decoded as `plain`. */
  reuse(frame: Frame): Frame
  /** A whole frame. `version` decides whether an empty token is written. */
  close(stem: Frame, tail: Tail, version: Version): Frame
}

/** An open connection, as a transport gives it to the core. */
export interface Pipe {
  /** The label of the transport. */
  readonly transport: string
  /** The other side, for people: `192.168.1.20:51234`. */
  readonly remote: string
  /**
   * Takes a frame, to be sent with the others of this tick. `false`: taken, but full; nothing more before
   * `channel.drained()`.
   */
  write(frame: Frame): boolean
  /** Sends what was taken and closes. `code`: WebSocket's close code, where there is such a thing. */
  close(reason: string, code?: number): void
}

/** Makes a channel of a pipe. The transport then calls `receive`, `garbage`, `oversize`, `drained` and `end` on it. */
export type Accept = (pipe: Pipe, codec: Codec) => Channel

/** Where to listen. `port` 0: any free one. */
export interface ListenAt {
  address: string
  port: number
}

export interface Listening extends ListenAt {
  /** Stops listening; channels stay. */
  close(): Promise<void>
}

export interface Transport {
  /** As in `to`: `tcp`, `tcps`, `ws`, `wss`, `memory`. */
  readonly label: string
  listen?(at: ListenAt, accept: Accept): Promise<Listening>
  /** Connects and hands the pipe to `accept`. Rejects, with a reason for people, also when the signal aborts. */
  dial(address: string, port: number, accept: Accept, signal: AbortSignal): Promise<Channel>
}
