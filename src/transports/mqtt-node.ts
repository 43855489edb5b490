// This engine at one broker: its inbox, what it says of itself, whom it watches, and the conversations that others have begun with it.
//
//   jstp/1/R/N/in                          the inbox of N
//   jstp/1/R/N/st                          whether N is there: signed, retained, and the same words as its will
//   $share/S/jstp/1/R/svc/S/in             where one of those that serve S takes a new conversation

import { isUtf8 } from 'node:buffer'
import type { Channel } from '../core/channel.ts'
import type { Cancel } from '../core/clock.ts'
import type { Env } from '../core/env.ts'
import type { Limits } from '../core/limits.ts'
import type { Accept, Codec } from '../core/transport.ts'
import { type Envelope, numberIn, unwrap, wrap } from './mqtt-envelope.ts'
import { hintsOf } from './mqtt-hints.ts'
import { Link, type LinkSettings } from './mqtt-link.ts'
import { Served } from './mqtt-served.ts'
import type { Carrier, Item, Talk } from './mqtt-talk.ts'

/** What an engine says of itself, signed; made and read by who has the keys. */
export interface Presence {
  say(isOnline: boolean): string
  /** `undefined`: that node has not said so. */
  read(node: string, payload: Uint8Array): { boot: string; isOnline: boolean } | undefined
}

export interface NodeOptions {
  env: Env
  limits: Limits
  codec: Codec
  /** `home` */
  realm: string
  /** Our own number: 32 hex digits. */
  node: string
  /** A name for this run of the program. */
  boot: string
  presence: Presence
  link: Pick<LinkSettings, 'host' | 'port' | 'isTls' | 'user' | 'password' | 'ca'>
  /** `broker.local:1883` */
  where: string
  label: string
}

/** A conversation of ours with somebody, from the side that began it. */
export interface Dialer {
  readonly talk: Talk
  /** Somebody accepts. `false`: somebody else has before. */
  accepted(node: string, key: string, boot: string, most: number): boolean
  ended(why: 'lost' | 'closed' | 'silent'): void
  /** There is a broker again, or the other engine. */
  restored(): void
  tick(): void
}

const TICK = 250
const ROOT = 'jstp/1'
/** Conversations that others may have with us. */
const SERVED = 1000
/** Of one of them. */
const SERVED_EACH = 16
/** Nodes whose last run is remembered. */
const REMEMBERED = 1000
/** Replies to what nobody knows, in a second. */
const STRANGERS = 50

export class Node implements Carrier {
  readonly options: NodeOptions
  readonly node: string
  readonly boot: string
  readonly link: Link
  /** Whether the broker knows that we have left. */
  closed: Promise<void> | undefined
  /** By the name of their conversation. */
  readonly dialers = new Map<string, Dialer>()
  #served = new Map<string, Served>()
  #accept: Accept | undefined
  #services: string[] = []
  #users = 0
  #isReady = false
  #joining: { resolve(): void; reject(error: Error): void }[] = []
  #peers = new Map<string, { users: number; state: 'unknown' | 'online' | 'offline'; boot: string }>()
  /** The runs that nodes were seen alive in last: a will is believed of no other. */
  #boots = new Map<string, string>()
  #tick: Cancel | undefined
  #strangersAt = 0
  #strangers = 0
  #told = ''
  #gone: () => void

  /** `gone`: nobody needs it any more. */
  constructor(options: NodeOptions, gone: () => void) {
    this.options = options
    this.node = options.node
    this.boot = options.boot
    this.#gone = gone
    const { env, link, limits, presence } = options
    const settings: LinkSettings = {
      ...link,
      clientId: `h-${options.node}-t`,
      most: limits.frame + 1024,
      isLasting: () => this.#accept !== undefined,
      will: () => ({ topic: this.topic(this.node, 'st'), payload: presence.say(false) }),
    }
    this.link = new Link(settings, env, {
      up: () => void this.#greet(),
      message: (topic, payload, isOld) => this.#message(topic, payload, isOld),
      drained: () => this.#pump(),
      down: (cause) => this.#down(cause),
    })
  }

  get isUp(): boolean {
    return this.#isReady
  }

  get most(): number {
    return this.link.most
  }

  topic(node: string, leaf: 'in' | 'st'): string {
    return `${ROOT}/${this.options.realm}/${node}/${leaf}`
  }

  /** Where a conversation with one of those that serve it begins. */
  serviceTopic(service: string): string {
    return `${ROOT}/${this.options.realm}/svc/${service}/in`
  }

  /** Connects, and keeps connected until `leave`. Rejects with the reason why this try did not work. */
  join(): Promise<void> {
    this.#users++
    if (this.#isReady) return Promise.resolve()
    this.link.connect()
    return new Promise((resolve, reject) => this.#joining.push({ resolve, reject }))
  }

  /** As `join`, for who can wait for as long as it takes. */
  stay(): void {
    this.#users++
    this.link.connect()
  }

  leave(): void {
    if (--this.#users === 0) this.#end()
  }

  /** Takes what others begin. `services`: under these numbers, too. */
  serve(accept: Accept, services: string[]): void {
    this.#accept = accept
    this.share(services)
  }

  /** From now on it takes new conversations for these services, and for no others. */
  share(services: string[]): void {
    const before = this.#services
    this.#services = services
    if (!this.#isReady || before === services) return
    const added = services.filter((it) => !before.includes(it))
    const removed = before.filter((it) => !services.includes(it))
    if (removed.length > 0) this.link.unsubscribe(removed.map((it) => this.#shared(it)))
    this.#subscribe(added.map((it) => this.#shared(it)))
  }

  /** Begins nothing new; conversations stay. */
  unserve(): void {
    this.share([])
    this.#accept = undefined
  }

  hasRoom(): boolean {
    return this.#isReady && this.link.hasRoom()
  }

  send(to: string, payload: string, item?: Item): void {
    this.link.publish(
      this.topic(to, 'in'),
      payload,
      this.link.version === 5 ? hintsOf(item, this.topic(this.node, 'in')) : undefined,
    )
  }

  /** Asks to begin a conversation, at an inbox or at a service. */
  open(topic: string, talk: string): void {
    const { limits } = this.options
    const head = `o.${this.node}.${talk}.${this.boot}.${limits.frame}`
    if (this.#isReady) this.link.publish(topic, wrap(head), { messageExpiryInterval: 5 })
  }

  /** Tells somebody that this conversation is not known here, or over: only where there is no `Talk`. */
  refuse(kind: 'r' | 'R' | 'c', to: string, talk: string, key: string): void {
    if (this.#isReady) this.send(to, wrap(`${kind}.${this.node}.${talk}.${key}`))
  }

  /** Listens to what that node says of itself, until `unwatch`. */
  watch(node: string): void {
    const known = this.#peers.get(node)
    if (known) known.users++
    else {
      this.#peers.set(node, { users: 1, state: 'unknown', boot: this.#boots.get(node) ?? '' })
      if (this.#isReady) this.#subscribe([this.topic(node, 'st')])
    }
  }

  unwatch(node: string): void {
    const known = this.#peers.get(node)
    if (!known || --known.users > 0) return
    this.#peers.delete(node)
    this.link.unsubscribe([this.topic(node, 'st')])
  }

  stateOf(node: string): 'unknown' | 'online' | 'offline' {
    return this.#peers.get(node)?.state ?? 'unknown'
  }

  /** Something is under way: time is looked at from now on. */
  wake(): void {
    this.#tick ??= this.options.env.clock.after(TICK, () => this.#ticked())
  }

  forget(served: Served): void {
    if (!this.#served.delete(served.id)) return
    if (served.isUsed) this.unwatch(served.talk.peer)
    this.leave()
  }

  #shared(service: string): string {
    return `$share/${service}/${this.serviceTopic(service)}`
  }

  #subscribe(topics: string[]): void {
    this.link.subscribe(topics).catch((error: Error) => this.#warn(error.message))
  }

  async #greet(): Promise<void> {
    const { link } = this
    const { env, presence } = this.options
    const watched = [...this.#peers.keys()].map((node) => this.topic(node, 'st'))
    const shared = this.#services.map((it) => this.#shared(it))
    try {
      await link.subscribe([this.topic(this.node, 'in'), ...watched, ...shared])
    } catch (error) {
      return link.fail((error as Error).message)
    }
    if (!link.isUp) return
    this.#isReady = true
    this.#told = ''
    env.log.info(
      `connected to the broker ${this.options.where} by MQTT ${link.version === 5 ? '5' : '3.1.1'}`,
    )
    link.publish(this.topic(this.node, 'st'), presence.say(true), undefined, true)
    for (const { resolve } of this.#joining.splice(0)) resolve()
    for (const dialer of [...this.dialers.values()]) dialer.restored()
    for (const { talk } of this.#served.values()) talk.restored()
  }

  #down(cause: string): void {
    this.#isReady = false
    this.#warn(`${cause}; it is tried again`)
    const { where, label } = this.options
    for (const { reject } of this.#joining.splice(0)) {
      this.#users--
      reject(new Error(`Can't reach ${where} by ${label}: ${cause}`))
    }
    for (const state of this.#peers.values()) state.state = 'unknown'
    if (this.#users === 0) this.#end()
  }

  #end(): void {
    const last = { topic: this.topic(this.node, 'st'), payload: this.options.presence.say(false) }
    this.#tick?.()
    this.#isReady = false
    this.closed = this.link.close(last)
    this.#gone()
  }

  #warn(text: string): void {
    if (this.#told === text) return
    this.#told = text
    this.options.env.log.warn(`the broker ${this.options.where}: ${text}`)
  }

  #pump(): void {
    for (const { talk } of [...this.dialers.values(), ...this.#served.values()]) talk.pump()
  }

  #ticked(): void {
    this.#tick = undefined
    for (const dialer of [...this.dialers.values()]) dialer.tick()
    for (const served of [...this.#served.values()]) served.tick()
    if (this.dialers.size + this.#served.size > 0) this.wake()
  }

  #message(topic: string, payload: Uint8Array, isOld: boolean): void {
    const { meters } = this.options.env
    const own = `${ROOT}/${this.options.realm}/`
    if (topic.endsWith('/st') && topic.startsWith(own)) {
      return this.#heard(topic.slice(own.length, -'/st'.length), payload, isOld)
    }
    // Nobody of ours keeps a word for who comes later.
    if (isOld) return meters.count('mqtt.retained')
    const envelope = isUtf8(payload) ? unwrap(payload.toString()) : undefined
    if (!envelope) return meters.count('mqtt.garbage')
    const { kind } = envelope
    if (kind === 'o') this.#begin(envelope)
    else if (kind === 'A') this.#accepted(envelope)
    else if (kind === kind.toLowerCase()) this.#forServed(envelope)
    else this.#forDialer(envelope)
  }

  #heard(node: string, payload: Uint8Array, isOld: boolean): void {
    const known = this.#peers.get(node)
    if (!known || payload.length === 0) return
    const said = this.options.presence.read(node, payload)
    if (!said) return this.options.env.meters.count('mqtt.presence.refused')
    // A will says nothing but the end of the run that it was made in, and that must have been seen alive (design §9.23).
    if (!said.isOnline && said.boot !== known.boot) return
    known.state = said.isOnline ? 'online' : 'offline'
    known.boot = said.boot
    this.#boots.delete(node)
    this.#boots.set(node, said.boot)
    if (this.#boots.size > REMEMBERED) this.#boots.delete(this.#boots.keys().next().value as string)
    const dialers = [...this.dialers.values()].filter(({ talk }) => talk.peer === node)
    const served = [...this.#served.values()].filter(({ talk }) => talk.peer === node)
    // One that has just come back may have missed something, or everything; one that was there has missed nothing.
    const isBack = ({ talk }: { talk: Talk }) => !isOld || talk.peerBoot !== said.boot
    for (const dialer of dialers) {
      if (!said.isOnline) dialer.ended('lost')
      else if (isBack(dialer)) dialer.restored()
    }
    for (const one of served) {
      if (!said.isOnline) one.end('the other engine has gone')
      else if (isBack(one)) one.talk.restored()
    }
  }

  #begin({ node, talk, fields: [boot = '', mostText] }: Envelope): void {
    const most = numberIn(mostText)
    const id = `${node}.${talk}`
    const known = this.#served.get(id)
    const { env } = this.options
    if (known) return known.accept()
    if (!this.#accept || most === undefined || node === this.node) return env.meters.count('mqtt.refused')
    // Anybody can say that he is `node`: only conversations in which nothing was ever said make room for another.
    const all = [...this.#served.values()]
    const own = all.filter((it) => it.talk.peer === node)
    const crowded = own.length >= SERVED_EACH ? own : all.length >= SERVED ? all : undefined
    const unused = crowded?.find((it) => !it.isUsed)
    if (crowded && !unused) return env.meters.count('mqtt.refused')
    unused?.end('nothing was said in it')
    const served = new Served(this, { id, node, talk, boot, most, where: this.options.where })
    this.#served.set(id, served)
    this.#users++
    this.wake()
    served.channel = this.#accept(served, this.options.codec) as Channel
    served.accept()
  }

  #accepted({ node, talk, fields: [key = '', boot = '', mostText] }: Envelope): void {
    const most = numberIn(mostText)
    const dialer = this.dialers.get(talk)
    if (most === undefined || key === '') return this.options.env.meters.count('mqtt.garbage')
    if (!dialer) return this.#stranger('r', node, talk, key)
    if (!dialer.accepted(node, key, boot, most)) this.refuse('c', node, talk, key)
  }

  #forServed(envelope: Envelope): void {
    const { kind, node, talk, fields } = envelope
    const served = this.#served.get(`${node}.${talk}`)
    if (!served || served.talk.key !== fields[0]) {
      if (kind === 'd' || kind === 'k') this.#stranger('R', node, talk, fields[0] ?? '')
    } else if (kind === 'd') {
      if (!served.isUsed) this.watch(node)
      served.isUsed = true
      served.talk.data(envelope)
    } else if (kind === 'k') served.talk.confirmed(fields[1], fields[2])
    else
      served.end(kind === 'c' ? 'the other side has closed it' : 'the other side does not know it any more')
  }

  #forDialer(envelope: Envelope): void {
    const { kind, node, talk, fields } = envelope
    const dialer = this.dialers.get(talk)
    if (!dialer || dialer.talk.peer !== node || dialer.talk.key !== fields[0]) {
      if (kind === 'D' || kind === 'K') this.#stranger('r', node, talk, fields[0] ?? '')
    } else if (kind === 'D') dialer.talk.data(envelope)
    else if (kind === 'K') dialer.talk.confirmed(fields[1], fields[2])
    else dialer.ended(kind === 'C' ? 'closed' : 'lost')
  }

  /** What is meant for an earlier run of this program, or for nobody: whoever sends it is told, but not without end. */
  #stranger(kind: 'r' | 'R', node: string, talk: string, key: string): void {
    const { clock, meters } = this.options.env
    const now = clock.now()
    if (now - this.#strangersAt > 1000) {
      this.#strangersAt = now
      this.#strangers = 0
    }
    meters.count('mqtt.unknown')
    if (++this.#strangers <= STRANGERS && /^[0-9A-Za-z-]{1,64}$/.test(key)) this.refuse(kind, node, talk, key)
  }
}
