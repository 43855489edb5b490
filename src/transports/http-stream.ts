// A BIND by HTTP: a response that goes on, with an event for every dispatch, until the client goes (spec §6, §9.8).

import type { ServerResponse } from 'node:http'
import type { Channel } from '../core/channel.ts'
import type { Cancel, Clock } from '../core/clock.ts'
import type { Dispatch } from '../core/dispatch.ts'
import type { Meters } from '../core/meters.ts'
import { JstpError, STATUS } from '../core/status.ts'
import type { Accept, Codec, Frame, Pipe } from '../core/transport.ts'
import type { Form } from './http-body.ts'
import { head, httpStatus, lineOf, refuse, say, statusOf, TYPES } from './http-reply.ts'
import { FULL } from './sockets.ts'

/** Milliseconds: a client that hears nothing for longer may take it for dead. */
const BEAT = 15_000
/** Beats after which a client that does not read is let go. */
const STUCK = 4

export interface StreamOptions {
  accept: Accept
  codec: Codec
  clock: Clock
  meters: Meters | undefined
  remote: string
  form: Exclude<Form, 'json'>
  /** The BIND, with this transaction id. */
  frame: string
  transaction: string
  /** Its answer is an event too. */
  whole: boolean
}

/** Binds, and sends what comes. A BIND that is refused is an ordinary response. */
export function openStream(response: ServerResponse, options: StreamOptions): void {
  new Streamed(response, options).begin()
}

class Streamed implements Pipe {
  readonly transport = 'http'
  readonly remote: string
  #response: ServerResponse
  #options: StreamOptions
  #channel: Channel | undefined
  #beat: Cancel | undefined
  #isFull = false
  #stuck = 0
  #isOver = false

  constructor(response: ServerResponse, options: StreamOptions) {
    this.#response = response
    this.#options = options
    this.remote = options.remote
  }

  begin(): void {
    const response = this.#response
    const { accept, codec, frame } = this.#options
    const channel = accept(this, codec)
    this.#channel = channel
    response.on('drain', () => this.#drained())
    response.once('close', () => this.#end('the stream is closed'))
    channel.receive(frame)
  }

  write(frame: Frame): boolean {
    if (this.#isOver) return true
    const text = frame as string
    if (!this.#response.headersSent) {
      const answer = JSON.parse(text) as Dispatch
      const isAnswer = answer.method === 'ANSWER' && answer.resource?.[1] === this.#options.transaction
      if (isAnswer && statusOf(answer) >= 400) return this.#refused(answer)
      this.#open()
      if (isAnswer && !this.#options.whole) return true
    }
    this.#response.write(lineOf(text, this.#options.form))
    this.#isFull ||= this.#response.writableLength > FULL
    return !this.#isFull
  }

  close(reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#beat?.()
    if (this.#response.headersSent) this.#response.end()
    else
      refuse(this.#response, new JstpError(STATUS.NOT_SPEAKING, reason), this.#options.clock, {
        Connection: 'close',
      })
  }

  #open(): void {
    // Proxies such as nginx would hold events back.
    head(this.#response, STATUS.OK, TYPES[this.#options.form], { 'X-Accel-Buffering': 'no' })
    this.#response.flushHeaders()
    this.#later()
  }

  #refused(answer: Dispatch): boolean {
    this.#isOver = true
    const { whole } = this.#options
    say(this.#response, httpStatus(statusOf(answer)), JSON.stringify(whole ? [answer] : answer.body) ?? '')
    return true
  }

  #drained(): void {
    if (!this.#isFull) return
    this.#isFull = false
    this.#stuck = 0
    this.#channel?.drained()
  }

  #later(): void {
    this.#beat = this.#options.clock.after(BEAT, () => {
      if (!this.#isFull) this.#response.write(this.#options.form === 'events' ? ':\n\n' : '\n')
      else if (++this.#stuck >= STUCK) {
        this.#options.meters?.count('drop.slow-channel')
        return void this.#response.destroy()
      }
      this.#later()
    })
  }

  #end(reason: string): void {
    this.#isOver = true
    this.#beat?.()
    this.#channel?.end(reason)
  }
}
