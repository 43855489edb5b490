// A dispatch on its way out, to one channel or to a thousand: encoded once for each codec and version, and not at all
// where the frame that it came in can go on as it is. Only what differs from receiver to receiver is added each time.

import type { Clock } from './clock.ts'
import type { Dispatch, Version } from './dispatch.ts'
import type { Codec, Decoded, Frame } from './transport.ts'

/** The frame that a dispatch came in. */
export interface Source {
  codec: Codec['name']
  version: Version
  frame: Frame
  decoded: Decoded
}

interface Encoded {
  codec: Codec['name']
  version: Version
  stem: Frame
  /** The frame for receivers that get no token. */
  plain: Frame | undefined
  next: Encoded | undefined
}

export class Outbound {
  readonly dispatch: Dispatch
  /**
   * What may happen to it on a channel that is full (design §9.3): a `report` may be replaced by a newer one of its
   * resource, an `event` may be dropped at the last, what is `firm` may not be dropped without a word.
   */
  readonly kind: 'report' | 'event' | 'firm'
  #hops: number | undefined
  #source: Source | undefined
  #clock: Clock
  #since: number
  #encoded: Encoded | undefined

  /** `came`: it came from a channel, so that it is one hop further now. `source`: only if nothing was repaired. */
  constructor(dispatch: Dispatch, clock: Clock, came: boolean, source?: Source) {
    this.dispatch = dispatch
    this.kind = kindOf(dispatch)
    this.#hops = came ? (dispatch.hops ?? 0) + 1 : dispatch.hops
    // With `expires` a frame can't go on as it is; kept, it would hold its whole chunk in memory while this waits.
    this.#source = dispatch.expires === undefined ? source : undefined
    this.#clock = clock
    this.#since = dispatch.expires === undefined ? 0 : clock.now()
  }

  /** Milliseconds of life left; `undefined`: no end. Counted down for the time that we hold it. */
  get expires(): number | undefined {
    const { expires } = this.dispatch
    return expires === undefined
      ? undefined
      : Math.max(0, Math.round(expires - (this.#clock.now() - this.#since)))
  }

  frame(codec: Codec, version: Version, token?: string[]): Frame {
    const encoded = this.#encode(codec, version)
    const { expires } = this
    if (token || expires !== undefined)
      return codec.close(encoded.stem, { token, hops: this.#hops, expires }, version)
    encoded.plain ??= codec.close(encoded.stem, { hops: this.#hops }, version)
    return encoded.plain
  }

  /** The same ANSWER with another triggering id. */
  renamed(triggering: string): Outbound {
    const [status = null, transaction = null] = this.dispatch.resource ?? []
    const resource = [status, transaction, triggering]
    return new Outbound({ ...this.dispatch, resource, hops: this.#hops }, this.#clock, false)
  }

  #encode(codec: Codec, version: Version): Encoded {
    for (let encoded = this.#encoded; encoded; encoded = encoded.next) {
      if (encoded.codec === codec.name && encoded.version === version) return encoded
    }
    const source = this.#source
    const fits = source?.codec === codec.name && source.version === version && source.decoded.plain
    const stem = fits ? codec.reuse(source.frame) : codec.stem(this.dispatch, version)
    const encoded: Encoded = { codec: codec.name, version, stem, plain: undefined, next: this.#encoded }
    this.#encoded = encoded
    return encoded
  }
}

function kindOf({ method, token, from, resource, event }: Dispatch): Outbound['kind'] {
  const isReport =
    method === 'PUT' &&
    !token?.length &&
    Array.isArray(from) &&
    from.length === 2 &&
    from[1] === resource?.[0]
  if (!isReport || !resource) return 'firm'
  return event ? 'event' : 'report'
}
