// A conversation that another engine has begun with this one, as a pipe.

import type { Channel } from '../core/channel.ts'
import type { Frame, Pipe } from '../core/transport.ts'
import { readAnswer, wrap } from './mqtt-envelope.ts'
import type { Node } from './mqtt-node.ts'
import { Talk } from './mqtt-talk.ts'

export interface ServedOptions {
  id: string
  node: string
  talk: string
  boot: string
  most: number
  where: string
}

/** Milliseconds for the other side to read what is left when we close. */
const CLOSING = 2000

export class Served implements Pipe {
  readonly transport: string
  readonly remote: string
  readonly id: string
  readonly talk: Talk
  channel: Channel | undefined
  /** Something has come in it. */
  isUsed = false
  #node: Node
  #closeAt: number | undefined
  #isOver = false
  #isFull = false

  constructor(node: Node, { id, node: peer, talk, boot, most, where }: ServedOptions) {
    const { env, label } = node.options
    this.#node = node
    this.id = id
    this.transport = label
    this.remote = `${peer.slice(0, 12)}@${where}`
    this.talk = new Talk(
      node,
      env,
      {
        frame: (frame) => this.#closeAt === undefined && this.channel?.receive(frame),
        // Whoever does not read our answers is not read.
        mayRead: () => !this.#isFull,
        drained: () => this.#drained(),
        ended: (why) => this.end(why === 'silent' ? 'nothing is heard of the other side' : why),
      },
      { peer, name: talk, isDialer: false },
    )
    this.talk.accepted(env.random.uuid(), boot, most)
  }

  /** Says yes, perhaps once more. */
  accept(): void {
    const { node, boot, options } = this.#node
    const { peer, name, key } = this.talk
    this.#node.send(peer, wrap(`A.${node}.${name}.${key}.${boot}.${options.limits.frame}`))
  }

  write(frame: Frame): boolean {
    if (this.#isOver || this.#closeAt !== undefined || typeof frame !== 'string') return true
    const item = this.talk.write(frame)
    if (!item) this.#tooBig(frame)
    this.#isFull = this.talk.isFull
    return !this.#isFull
  }

  #drained(): void {
    this.#isFull = false
    this.channel?.drained()
    if (!this.#isFull) this.talk.resume()
  }

  /** What was taken is still brought over, for a while. */
  close(_reason: string): void {
    if (this.#closeAt !== undefined || this.#isOver) return
    this.#closeAt = this.#node.options.env.clock.now() + CLOSING
    this.tick()
  }

  tick(): void {
    this.talk.tick()
    if (this.#closeAt === undefined) return
    if (this.talk.isIdle || this.#node.options.env.clock.now() >= this.#closeAt) this.finish('closed')
  }

  /** Ends it at once; the other side is told. */
  finish(reason: string): void {
    this.talk.tell('c')
    this.end(reason)
  }

  /** It is over. */
  end(reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#node.options.env.log.debug(`the conversation with ${this.remote} is over: ${reason}`)
    this.talk.end()
    this.#node.forget(this)
    this.channel?.end(reason)
  }

  /** An answer must not vanish: in its place goes one that says why. */
  #tooBig(frame: string): void {
    const { codec, env } = this.#node.options
    const answer = readAnswer(frame)
    if (!answer) return
    const { resource } = codec.decode(frame).headers as { resource: [number, string, string] }
    const message = `the answer is bigger than the ${this.talk.most} bytes that the way back takes`
    const small = {
      method: 'ANSWER',
      resource: [500, resource[1], resource[2]],
      timestamp: env.clock.wall(),
      body: { message, code: 'size' },
    }
    this.talk.write(codec.close(codec.stem(small, '0.6'), {}, '0.6') as string)
  }
}
