// One connection to another engine, whatever carries it: its codec, its version, its bounds.

import type { Codec, Frame, Pipe } from './transport.ts'

/** To be written by the core's author; transports use only these members. */
export class Channel {
  codec: Codec
  readonly pipe: Pipe

  constructor(pipe: Pipe, codec: Codec) {
    this.pipe = pipe
    this.codec = codec
  }

  /** A frame has arrived, whole. */
  receive(_frame: Frame): void {}
  /** Bytes have arrived that are no frame (invalid UTF-8, a bad CBOR item). */
  garbage(_reason: string): void {}
  /** A frame over the limit is arriving; `start` is what there is of it. Answers 400 if it can, and closes. */
  oversize(_start: Frame): void {}
  /** The pipe can take more. */
  drained(): void {}
  /** The connection is gone. */
  end(_reason: string): void {}
}
