// Channels for clients without sockets: dispatches are POSTed to them, what comes back waits for a GET that waits for it.
// They end when nobody asks any more.

import type { ServerResponse } from 'node:http'
import type { Channel } from '../core/channel.ts'
import type { Cancel, Clock } from '../core/clock.ts'
import type { Meters } from '../core/meters.ts'
import type { Accept, Codec, Frame, Pipe } from '../core/transport.ts'
import { JSTP } from './http-body.ts'
import { say } from './http-reply.ts'
import { FULL } from './sockets.ts'

/** Milliseconds that a poll waits: less than proxies allow. */
const WAIT = 25_000
/** Milliseconds without a poll. */
const IDLE = 60_000
const MOST = 256

export interface MailboxesOptions {
  accept: Accept
  codec: Codec
  clock: Clock
  meters: Meters | undefined
}

export class Mailboxes {
  #options: MailboxesOptions
  /** The one that was asked for longest ago is the first. */
  #boxes = new Map<string, Mailbox>()

  constructor(options: MailboxesOptions) {
    this.#options = options
  }

  /** `id`: not to be guessed, for who knows it may read. */
  open(id: string, remote: string): Mailbox {
    if (this.#boxes.size >= MOST) {
      this.#options.meters?.count('drop.mailbox')
      this.#boxes.values().next().value?.hangUp('too many wait for polls')
    }
    const box = new Mailbox(this.#options, remote, () => void this.#boxes.delete(id))
    if (box.isOpen) this.#boxes.set(id, box)
    return box
  }

  find(id: string): Mailbox | undefined {
    const box = this.#boxes.get(id)
    if (!box) return undefined
    this.#boxes.delete(id)
    this.#boxes.set(id, box)
    return box
  }
}

export class Mailbox implements Pipe {
  readonly transport = 'http'
  readonly remote: string
  #clock: Clock
  #channel: Channel
  #closed: () => void
  #frames: string[] = []
  #length = 0
  #poll: ServerResponse | undefined
  #timer: Cancel
  #isScheduled = false

  constructor({ accept, codec, clock }: MailboxesOptions, remote: string, closed: () => void) {
    this.#clock = clock
    this.remote = remote
    this.#closed = closed
    this.#timer = clock.after(IDLE, () => this.hangUp('nobody polls'))
    this.#channel = accept(this, codec)
  }

  get isOpen(): boolean {
    return !this.#channel.closed
  }

  receive(frame: string): void {
    this.#channel.receive(frame)
  }

  /** Answers when something has come, or nothing for long. One at a time: an earlier one is answered at once. */
  poll(response: ServerResponse): void {
    this.#flush()
    this.#poll = response
    this.#timer()
    this.#timer = this.#clock.after(WAIT, () => this.#flush())
    response.once('close', () => {
      if (this.#poll !== response) return
      this.#poll = undefined
      this.#rest()
    })
    this.#channel.drained()
    if (this.#frames.length > 0) this.#schedule()
  }

  /** Without a poll one frame is too much already: the channel keeps what follows, within its bounds. */
  write(frame: Frame): boolean {
    this.#frames.push(frame as string)
    this.#length += frame.length
    if (!this.#poll) return false
    this.#schedule()
    return this.#length < FULL
  }

  /** The engine closes it. */
  close(): void {
    this.#closed()
    this.#flush()
    this.#timer()
  }

  /** From our side. */
  hangUp(reason: string): void {
    this.#channel.close(reason)
  }

  /** Frames of one tick go out together. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    process.nextTick(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const response = this.#poll
    if (!response) return
    this.#poll = undefined
    this.#rest()
    const frames = this.#frames.splice(0)
    this.#length = 0
    say(response, 200, `[${frames.join(',\n')}]`, { 'Content-Type': JSTP })
  }

  #rest(): void {
    this.#timer()
    this.#timer = this.#clock.after(IDLE, () => this.hangUp('nobody polls'))
  }
}
