// What one pipe of ours has with one engine behind the broker: the conversation of the moment, what was asked in it, and what was
// bound. When the other engine starts anew, what may be asked twice is asked again, and the rest is answered 502 (design §9.22).

import type { Json } from '../core/dispatch.ts'
import { type Heading, readAnswer } from './mqtt-envelope.ts'
import type { Dialer, Node } from './mqtt-node.ts'
import { type Item, Talk } from './mqtt-talk.ts'

/** Whom a name stands for: an engine, or any of those that serve something. */
export type Target = { node: string } | { service: string }

export interface WayOptions {
  name: string
  target: Target
  /** Milliseconds that somebody waits for an answer. */
  patience: number
  /** A frame has come. */
  receive(frame: string): void
  /** Says in the place of the other engine what became of a question. */
  answer(id: string, status: number, body: { [name: string]: Json }): void
  drained(): void
  /** The other engine, or what it knew of us, is another one than before. */
  renewed(node: string): void
  /** Nothing is left of it. */
  gone(): void
}

interface Asked {
  heading: Heading
  item: Item
  /** When nobody waits for it any more. */
  until: number
  /** It was asked once before, of a run of the engine that has ended. */
  isRepeated: boolean
}

/** Milliseconds for an engine to accept a conversation. */
const OPENING = 5000
const OPEN_EVERY = 1000
const BACKOFF = [0, 500, 1000, 2000, 5000, 15_000, 30_000]
/** Milliseconds without progress after which one that is full holds nobody else up. */
const STUCK = 5000
const ASKED = 20_000
const BOUND = 10_000
const CLOSING = 2000
/** Milliseconds after which one of a service is chosen anew. */
const SPENT = 30_000
/** What may be done twice. */
const REPEATABLE = new Set(['GET', 'PUT', 'DELETE', 'BIND', 'RELEASE'])

export class Way implements Dialer {
  talk: Talk
  #node: Node
  #options: WayOptions
  #asked = new Map<string, Asked>()
  /** What was bound, by its endpoint and what follows it in `to`. */
  #bound = new Map<string, { id: string | undefined; frame: string }>()
  #since: number
  #openAt: number
  #wantedAt: number
  #tries = 0
  /** It is not the first conversation. */
  #wasOpen = false
  #fullAt: number | undefined
  #closeAt: number | undefined

  constructor(node: Node, options: WayOptions) {
    this.#node = node
    this.#options = options
    this.#since = this.#now()
    this.#wantedAt = this.#since
    this.#openAt = this.#since
    if ('node' in options.target) node.watch(options.target.node)
    this.talk = this.#begin()
    this.#open()
  }

  /** It can't take more, and there is hope that it will. */
  get isFull(): boolean {
    if (!this.talk.isFull) this.#fullAt = undefined
    else this.#fullAt ??= this.#now()
    return this.#fullAt !== undefined && this.#now() - this.#fullAt < STUCK
  }

  /** Questions that are open. */
  get open(): number {
    return this.#asked.size
  }

  /** Of a service: it may be given up, so that its place is taken by whoever has room now. */
  get isSpent(): boolean {
    return this.#now() - this.#since >= SPENT && this.#asked.size + this.#bound.size === 0 && this.talk.isIdle
  }

  write(heading: Heading): void {
    const { id, method, expires, frame } = heading
    const isQuestion = id !== undefined && method !== 'ANSWER'
    const refuse = (status: number, message: string, code: string) => {
      if (isQuestion) this.#options.answer(id, status, { message, code })
      else this.#node.options.env.meters.count(`drop.mqtt`)
    }
    const { name } = this.#options
    if (this.#isOffline && expires === undefined)
      return refuse(502, `"${name}" is not at the broker`, 'unreachable')
    if ((this.talk.isFull && !this.isFull) || this.#asked.size >= ASKED)
      return refuse(502, `"${name}" does not read, and too much waits for it`, 'unreachable')
    const item = this.talk.write(frame, heading)
    if (!item)
      return refuse(400, `more than the ${this.talk.most} bytes that the way to "${name}" takes`, 'size')
    if (isQuestion) {
      const until = this.#now() + (expires ?? this.#options.patience)
      this.#asked.set(id, { heading, item, until, isRepeated: false })
    }
    if (method === 'BIND' || method === 'RELEASE') this.#note(heading)
    this.#node.wake()
  }

  accepted(node: string, key: string, boot: string, most: number): boolean {
    const { talk } = this
    if (talk.isOpen) return talk.peer === node && talk.key === key
    if ('service' in this.#options.target) {
      talk.peer = node
      this.#node.watch(node)
    } else if (talk.peer !== node) return false
    talk.accepted(key, boot, most)
    if (this.#wasOpen) this.#options.renewed(node)
    this.#wasOpen = true
    return true
  }

  /** There is a broker again, or the engine behind it: what was under way may be lost. */
  restored(): void {
    if (this.talk.isOpen) this.talk.restored()
    else {
      this.#wantedAt = this.#now()
      this.#openAt = this.#wantedAt
      this.#open()
    }
  }

  ended(why: string): void {
    const old = this.talk
    const { env, where } = this.#node.options
    if (old.isOpen && this.#closeAt === undefined)
      env.log.info(
        `the conversation with "${this.#options.name}" at ${where} is over (${why}); a new one is begun`,
      )
    this.#leaveTalk()
    const unread = old.end()
    if (this.#closeAt !== undefined) return this.#gone()
    const carried: { heading: Heading; isRepeated: boolean }[] = []
    const questions = new Set<Item>()
    for (const [id, { heading, item, isRepeated }] of this.#asked) {
      questions.add(item)
      if (this.#isOffline && !isRepeated && !item.published && heading.expires === undefined) {
        this.#refuse(id, heading)
        continue
      }
      if (!item.published) continue
      if (mayRepeat(heading)) carried.push({ heading, isRepeated: true })
      else {
        const message = `"${this.#options.name}" has gone: nobody can say whether it was carried out`
        this.#options.answer(id, 502, { message, code: 'uncertain' })
        this.#asked.delete(id)
      }
      if (isRepeated) this.#node.options.env.meters.count('mqtt.repeat')
    }
    const again = new Set(carried.map(({ heading }) => heading.id))
    const bound = [...this.#bound.values()].filter(({ id }) => id === undefined || !again.has(id))
    this.#tries = Math.min(this.#tries + 1, BACKOFF.length - 1)
    this.#wantedAt = this.#now()
    this.#openAt = this.#wantedAt + (BACKOFF[this.#tries - 1] as number)
    this.talk = this.#begin()
    for (const { frame } of bound) this.talk.write(quiet(frame))
    for (const { heading } of carried) this.#again(heading, true)
    for (const item of unread) {
      if (item.published || !item.heading || item.heading.method === 'ANSWER') continue
      if (!questions.has(item)) this.talk.write(item.frame, item.heading)
      else if (this.#asked.get(item.heading.id as string)?.item === item) this.#again(item.heading, false)
    }
    if (this.#bound.size > 0 || this.#asked.size > 0) {
      this.#node.wake()
      this.tick()
    } else if (this.talk.isIdle) this.finish()
  }

  tick(): void {
    const now = this.#now()
    for (const [id, { until, heading }] of this.#asked) {
      if (now < until) continue
      this.#asked.delete(id)
      // Without a time to live the engine itself has said by now that it took too long.
      if (heading.expires !== undefined)
        this.#options.answer(id, 504, { message: 'expired on its way', expired: true })
    }
    if (this.#closeAt !== undefined) {
      if (this.talk.isIdle || now >= this.#closeAt) this.finish()
      return
    }
    if (this.talk.isOpen) return this.talk.tick()
    if (!this.#node.isUp) return
    if (now - this.#wantedAt >= OPENING) this.#unanswered()
    if (now >= this.#openAt) this.#open()
  }

  /** Brings over what was taken, for a while. */
  close(): void {
    this.#closeAt = this.#now() + CLOSING
    this.#node.wake()
    this.tick()
  }

  /** Ends it at once; the other side is told. */
  finish(): void {
    this.#closeAt ??= this.#now()
    this.talk.tell('c')
    this.#leaveTalk()
    this.talk.end()
    this.#gone()
  }

  /** The broker is away for long: every question is answered. */
  fail(message: string): void {
    for (const [id, { heading, item }] of this.#asked) {
      const isUncertain = item.published && !mayRepeat(heading)
      this.#options.answer(id, 502, { message, code: isUncertain ? 'uncertain' : 'unreachable' })
    }
    this.#asked.clear()
    this.finish()
  }

  get #isOffline(): boolean {
    return this.talk.peer !== '' && this.#node.stateOf(this.talk.peer) === 'offline'
  }

  #now(): number {
    return this.#node.options.env.clock.now()
  }

  #begin(): Talk {
    const { target } = this.#options
    const { env } = this.#node.options
    const name = env.random.uuid().replaceAll('-', '').slice(0, 16)
    const talk: Talk = new Talk(
      this.#node,
      env,
      {
        mayRead: () => true,
        frame: (frame) => this.#frame(frame),
        drained: () => this.#options.drained(),
        ended: (why) => this.ended(why),
      },
      { peer: 'node' in target ? target.node : '', name, isDialer: true },
    )
    this.#node.dialers.set(name, this)
    this.#node.wake()
    return talk
  }

  #leaveTalk(): void {
    this.#node.dialers.delete(this.talk.name)
    if ('service' in this.#options.target && this.talk.peer !== '') this.#node.unwatch(this.talk.peer)
  }

  #open(): void {
    const { target } = this.#options
    this.#openAt = this.#now() + OPEN_EVERY
    const topic =
      'node' in target ? this.#node.topic(target.node, 'in') : this.#node.serviceTopic(target.service)
    this.#node.open(topic, this.talk.name)
  }

  /** Nobody accepts: who waits is told, unless there is time. */
  #unanswered(): void {
    for (const [id, { heading, isRepeated }] of this.#asked) {
      if (heading.expires === undefined && !isRepeated) this.#refuse(id, heading)
    }
    if (this.#asked.size === 0 && this.#bound.size === 0) this.finish()
  }

  /** It was never sent, and will not be. */
  #refuse(id: string, { method }: Heading): void {
    this.#asked.delete(id)
    if (method === 'BIND') this.#unbind(id)
    const message = `"${this.#options.name}" does not answer at the broker`
    this.#options.answer(id, 502, { message, code: 'unreachable' })
  }

  #frame(frame: string): void {
    this.#tries = 0
    const answer = this.#asked.size > 0 ? readAnswer(frame) : undefined
    if (answer && this.#asked.delete(answer.id) && answer.status >= 400 && answer.status !== 504)
      this.#unbind(answer.id)
    this.#options.receive(frame)
  }

  #again(heading: Heading, isRepeated: boolean): void {
    const id = heading.id as string
    const known = this.#asked.get(id)
    const item = this.talk.write(heading.frame, heading)
    if (known && item) this.#asked.set(id, { ...known, item, isRepeated: isRepeated || known.isRepeated })
  }

  /** Remembers a BIND, so that it can be said again; a protected one is said again by who protects it. */
  #note({ method, frame, id }: Heading): void {
    const { endpoint, to, sec } = JSON.parse(frame) as { [name: string]: Json }
    if (sec !== undefined) return
    const key = JSON.stringify([endpoint, to ?? null])
    if (method === 'RELEASE') this.#bound.delete(key)
    else if (this.#bound.size < BOUND) this.#bound.set(key, { id, frame })
  }

  #unbind(id: string): void {
    for (const [key, bound] of this.#bound) if (bound.id === id) this.#bound.delete(key)
  }

  #gone(): void {
    const { target, gone } = this.#options
    if ('node' in target) this.#node.unwatch(target.node)
    gone()
  }
}

/** What is protected is judged by who has protected it, when an engine that does not know him says so (identity, R3). */
function mayRepeat({ method, frame }: Heading): boolean {
  return REPEATABLE.has(method) || frame.includes('"sec":{')
}

/** A BIND that nobody waits for. */
function quiet(frame: string): string {
  const { token: _token, ...rest } = JSON.parse(frame) as { [name: string]: Json }
  return JSON.stringify(rest)
}
