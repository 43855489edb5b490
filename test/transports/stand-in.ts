// What a transport sees of a channel: keeps all it is told, and lets a test wait for it.

import type { Channel } from '../../src/core/channel.ts'
import type { Json, Version } from '../../src/core/dispatch.ts'
import type { Accept, Codec, Frame, Pipe } from '../../src/core/transport.ts'

const PATIENCE = 5000

export class StandIn {
  codec: Codec
  readonly pipe: Pipe
  readonly frames: Frame[] = []
  readonly garbageReasons: string[] = []
  readonly starts: Frame[] = []
  readonly ends: string[] = []
  drains = 0
  #changed: (() => void)[] = []

  constructor(pipe: Pipe, codec: Codec) {
    this.pipe = pipe
    this.codec = codec
  }

  receive(frame: Frame): void {
    this.frames.push(frame)
    this.#change()
  }

  garbage(reason: string): void {
    this.garbageReasons.push(reason)
    this.#change()
  }

  /** Closes, as the real one does. */
  oversize(start: Frame): void {
    this.starts.push(start)
    this.pipe.close('over the limit', 1009)
    this.#change()
  }

  drained(): void {
    this.drains++
    this.#change()
  }

  end(reason: string): void {
    this.ends.push(reason)
    this.#change()
  }

  /** Sends a dispatch with this body. */
  say(body: Json, version: Version = '0.6'): boolean {
    const dispatch = { method: 'POST', resource: ['said'], timestamp: 1, body }
    return this.pipe.write(this.codec.close(this.codec.stem(dispatch, version), {}, version))
  }

  /** The bodies of what has come. */
  get heard(): (Json | undefined)[] {
    return this.frames.map((frame) => this.codec.decode(frame).headers.body)
  }

  /** Waits until something is true of this channel. */
  async until(what: string, isTrue: (channel: StandIn) => boolean): Promise<void> {
    const end = Date.now() + PATIENCE
    while (!isTrue(this)) {
      const left = end - Date.now()
      if (left <= 0) throw new Error(`waited ${PATIENCE} ms in vain: ${what}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#changed.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  hears(count: number): Promise<void> {
    return this.until(`${count} frames`, ({ frames }) => frames.length >= count)
  }

  ended(): Promise<void> {
    return this.until('the end', ({ ends }) => ends.length > 0)
  }

  #change(): void {
    for (const tell of this.#changed.splice(0)) tell()
  }
}

/** Makes stand-ins of what connects, and keeps them in order. */
export class Acceptor {
  readonly channels: StandIn[] = []
  #arrived: (() => void)[] = []

  readonly accept: Accept = (pipe, codec) => {
    const channel = new StandIn(pipe, codec)
    this.channels.push(channel)
    for (const tell of this.#arrived.splice(0)) tell()
    return channel as unknown as Channel
  }

  /** The one that connected as number `index`, counted from 0. */
  async at(index: number): Promise<StandIn> {
    while (!this.channels[index]) await new Promise<void>((resolve) => this.#arrived.push(resolve))
    return this.channels[index] as StandIn
  }
}

export function patient(): AbortSignal {
  return new AbortController().signal
}

/** The message of what a promise is rejected with. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('it was not refused')
}
