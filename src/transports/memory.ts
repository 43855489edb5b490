// Channels inside one process, for tests: the same frames, order and back-pressure as over a network, with no sockets.
// Every pair can be held, so that it fills, and cut.

import { jsonCodec } from '../codec/json.ts'
import type { Channel } from '../core/channel.ts'
import { LIMITS, type Limits } from '../core/limits.ts'
import type { Accept, Codec, Frame, Listening, Pipe, Transport } from '../core/transport.ts'
import { FULL, place } from './sockets.ts'

/** Two ends that were joined by `dial`. */
export interface MemoryPair {
  /** Where it was dialed to: `cocina:1`. */
  readonly name: string
  /** Frames stay under way, until `flow`. */
  hold(): void
  flow(): void
  /** Breaks it, as when somebody pulls the cable; what is under way is lost. */
  cut(reason: string): void
}

/** Where engines of one test meet. */
export interface MemoryHub {
  /** Open pairs, the oldest first. */
  readonly pairs: MemoryPair[]
  /** All engines of a test may share it, or have one each. */
  transport(options?: MemoryOptions): Transport
}

export interface MemoryOptions {
  limits?: Limits
  codec?: Codec
}

interface Listener {
  accept: Accept
  codec: Codec
  limits: Limits
}

export function memoryHub(): MemoryHub {
  const listeners = new Map<string, Listener>()
  const pairs: Pair[] = []
  let lastPort = 0

  function transport({ limits = LIMITS, codec = jsonCodec(limits) }: MemoryOptions = {}): Transport {
    return {
      label: 'memory',
      async listen({ address, port }, accept): Promise<Listening> {
        const own = port === 0 ? ++lastPort : port
        const name = place(address, own)
        if (listeners.has(name))
          throw new Error(`Can't listen on ${name}: port ${own} is in use. Set another one`)
        listeners.set(name, { accept, codec, limits })
        return { address, port: own, close: async () => void listeners.delete(name) }
      },
      async dial(address, port, accept, signal) {
        const name = place(address, port)
        await null
        if (signal.aborted) throw new Error(`Can't reach ${name} by memory: nobody needs it any more`)
        const listener = listeners.get(name)
        if (!listener) throw new Error(`Can't reach ${name} by memory: nobody listens there`)
        const pair = new Pair(name, () => pairs.splice(pairs.indexOf(pair), 1))
        pairs.push(pair)
        pair.far.channel = listener.accept(pair.far, listener.codec)
        pair.far.limits = listener.limits
        pair.near.channel = accept(pair.near, codec)
        pair.near.limits = limits
        return pair.near.channel
      },
    }
  }

  return { pairs, transport }
}

class Pair implements MemoryPair {
  readonly name: string
  readonly near: End
  readonly far: End
  isHeld = false
  isOpen = true
  #gone: () => void

  constructor(name: string, gone: () => void) {
    this.name = name
    this.#gone = gone
    this.near = new End(this, name)
    this.far = new End(this, 'the one who dialed')
  }

  hold(): void {
    this.isHeld = true
  }

  flow(): void {
    this.isHeld = false
    this.near.schedule()
    this.far.schedule()
  }

  cut(reason: string): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#gone()
    this.near.channel?.end(reason)
    this.far.channel?.end(reason)
  }

  /** The end that gets what `end` writes. */
  other(end: End): End {
    return end === this.near ? this.far : this.near
  }
}

class End implements Pipe {
  readonly transport = 'memory'
  readonly remote: string
  channel: Channel | undefined
  limits: Limits = LIMITS
  #pair: Pair
  #frames: Frame[] = []
  #waiting = 0
  #isFull = false
  #isScheduled = false
  #closing: string | undefined

  constructor(pair: Pair, remote: string) {
    this.#pair = pair
    this.remote = remote
  }

  write(frame: Frame): boolean {
    if (this.#closing !== undefined || !this.#pair.isOpen) return true
    this.#frames.push(frame)
    this.#waiting += frame.length
    this.#isFull ||= this.#waiting > FULL
    this.schedule()
    return !this.#isFull
  }

  close(reason: string): void {
    if (this.#closing !== undefined) return
    this.#closing = reason
    this.schedule()
  }

  schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    const { channel, limits } = this.#pair.other(this)
    while (this.#pair.isOpen && !this.#pair.isHeld) {
      const frame = this.#frames.shift()
      if (frame === undefined) break
      this.#waiting -= frame.length
      if (frame.length > limits.frame) channel?.oversize(frame.slice(0, FULL))
      else channel?.receive(frame)
    }
    if (this.#frames.length > 0 || !this.#pair.isOpen) return
    if (this.#closing !== undefined) return this.#pair.cut(this.#closing)
    if (!this.#isFull) return
    this.#isFull = false
    this.channel?.drained()
  }
}
