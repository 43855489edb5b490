// One connection to another engine, whatever carries it: its codec, its version, its bounds. It can ask, and it can be
// triggered.

import type { Access } from './access.ts'
import type { Answerer, Asker, Triggering } from './answers.ts'
import { makeAnswer, OneAnswer } from './answers.ts'
import type { Dispatch, Version } from './dispatch.ts'
import type { Env } from './env.ts'
import type { Limits } from './limits.ts'
import type { Outbound } from './outbound.ts'
import type { Origin } from './owner.ts'
import { Queue } from './queue.ts'
import type { Remote } from './remote.ts'
import { STATUS } from './status.ts'
import type { Subscriber, Subscription } from './subscription.ts'
import type { Codec, Decoded, Frame, Pipe } from './transport.ts'

const GARBAGE_WINDOW = 60_000
const FORGIVEN = '[object Object]' // what jstp@1.1.5 sends in the place of a dispatch with a token (spec §1.3)

/** What a channel tells its engine. */
export interface ChannelEvents {
  received(channel: Channel, decoded: Decoded, frame: Frame): void
  /** A dispatch has waited here longer than it had to live. */
  expired(channel: Channel, token: string[] | undefined): void
  ended(channel: Channel): void
}

/** What a peer of the engine may know of a channel (`["engine", "peers"]`). */
export interface ChannelStatus {
  id: string
  transport: string
  remote: string
  version: Version
  codec: string
  subscriptions: number
  /** Frames waiting for a slow reader. */
  queued: number
}

export class Channel implements Asker, Answerer, Subscriber {
  readonly id: string
  /** Of what comes in here. */
  readonly origin: Origin
  readonly pipe: Pipe
  codec: Codec
  /** What the other side declared last. */
  version: Version = '0.6'
  /** A dispatch that could be read has come. */
  heard = false
  /** What came that was no dispatch, ever. */
  garbageCount = 0
  /** The pooled outbound connection that this is, if we dialed. */
  remote: Remote | undefined
  open = 0
  readonly triggerings = new Map<string, Triggering>()
  readonly subscriptions = new Map<string, Subscription>()
  closed = false
  /** What may be done here; `undefined`: everything. */
  access: Access | undefined
  #env: Env
  #limits: Limits
  #events: ChannelEvents
  #queue: Queue
  #full = false
  #garbageSince = 0
  #garbageRecent = 0

  constructor(id: string, pipe: Pipe, codec: Codec, env: Env, limits: Limits, events: ChannelEvents) {
    this.id = id
    this.origin = { channel: id }
    this.pipe = pipe
    this.codec = codec
    this.#env = env
    this.#limits = limits
    this.#events = events
    this.#queue = new Queue(limits.outbound, (kind) => env.meters.count(`drop.${kind}`))
  }

  get status(): ChannelStatus {
    const { id, pipe, version, codec, subscriptions } = this
    const { transport, remote } = pipe
    const queued = this.#queue.size
    return { id, transport, remote, version, codec: codec.name, subscriptions: subscriptions.size, queued }
  }

  // Called by the transport

  /** A frame has arrived, whole. */
  receive(frame: Frame): void {
    if (this.closed) return
    let decoded: Decoded
    try {
      decoded = this.codec.decode(frame)
    } catch (error) {
      if (typeof frame !== 'string' || !isForgiven(frame)) this.garbage((error as Error).message)
      return
    }
    this.#events.received(this, decoded, frame)
  }

  /** Something has arrived that is no frame or no dispatch. Too much of it in a minute closes the channel (§9.5). */
  garbage(reason: string): void {
    if (this.closed) return
    const now = this.#env.clock.now()
    if (this.#garbageRecent === 0 || now - this.#garbageSince > GARBAGE_WINDOW) {
      this.#garbageSince = now
      this.#garbageRecent = 0
      this.#env.log.warn(`what came from ${this.pipe.remote} is no dispatch: ${reason.slice(0, 200)}`, {
        channel: this.id,
      })
    }
    this.#env.meters.count('garbage')
    this.garbageCount++
    if (++this.#garbageRecent >= this.#limits.garbage) this.close('too much that is no dispatch', 1008)
  }

  /** A frame over the limit is arriving; `start` is what there is of it. Answers 400 if it can, and closes (§9.5). */
  oversize(start: Frame): void {
    if (this.closed) return
    this.#env.meters.count('oversize')
    const message = `a frame over the limit of ${this.#limits.frame} bytes`
    const text = typeof start === 'string' ? start : ''
    const id = /"token"\s*:\s*\[\s*"([^"\\]{1,256})"/.exec(text)?.[1]
    if (id) this.answered(makeAnswer(this.#env, STATUS.BAD_DISPATCH, id, { message, source: null }))
    this.close(message, 1009)
  }

  /** The pipe can take more. What is sent meanwhile waits behind what waits already. */
  drained(): void {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      const { frame, token, mortal } = next
      if (mortal?.expires === 0) this.#events.expired(this, token)
      else if (!this.pipe.write(mortal?.frame(this.codec, this.version, token) ?? frame)) return
    }
    this.#full = false
  }

  /** The connection is gone. */
  end(reason: string): void {
    if (this.closed) return
    this.closed = true
    this.#queue.clear()
    this.#env.log.debug(`${this.pipe.transport} channel to ${this.pipe.remote} closed: ${reason}`, {
      channel: this.id,
    })
    this.#events.ended(this)
  }

  // Called by the engine

  send(out: Outbound, token?: string[]): void {
    if (this.closed) return
    if (out.expires === 0) return this.#events.expired(this, token)
    const frame = out.frame(this.codec, this.version, token)
    if (!this.#full) return this.#write(frame)
    if (this.#queue.push(out, token, frame)) return
    this.#env.meters.count('drop.slow-channel')
    this.#env.log.warn(`${this.pipe.remote} does not read: its channel is closed`, { channel: this.id })
    this.close('you do not read what is sent to you', 1008)
  }

  /** Closes from our side. */
  close(reason: string, code?: number): void {
    if (this.closed) return
    this.pipe.close(reason, code)
    this.end(reason)
  }

  trigger(out: Outbound, _subscription: Subscription, triggering?: Triggering): void {
    this.send(out, triggering && [triggering.transaction.id, triggering.id])
  }

  answered(out: Outbound): void {
    this.send(out)
  }

  /** Who is told the answers to a dispatch from here. */
  askerOf(dispatch: Dispatch): Asker {
    const triggering = dispatch.token?.[1]
    return triggering && this.remote?.expects(dispatch) ? new OneAnswer(this, triggering) : this
  }

  ended(transaction: string, quiet = false): void {
    if (this.version === '0.6' && !quiet)
      this.send(makeAnswer(this.#env, STATUS.NO_MORE_ANSWERS, transaction))
  }

  #write(frame: Frame): void {
    if (!this.pipe.write(frame)) this.#full = true
  }
}

function isForgiven(text: string): boolean {
  const line = text.trim()
  return line === '' || line === FORGIVEN
}
