// A stage for the core: an engine whose time, chance and log the test holds, and peers on fake pipes that the test plays.

import { jsonCodec } from '../../src/codec/json.ts'
import type { Rule } from '../../src/core/access.ts'
import type { Channel } from '../../src/core/channel.ts'
import { TestClock } from '../../src/core/clock.ts'
import type { Dispatch, Element, Json } from '../../src/core/dispatch.ts'
import { Door, type DoorOptions } from '../../src/core/door.ts'
import type { Env, Log } from '../../src/core/env.ts'
import { Meters } from '../../src/core/meters.ts'
import type { Accept, Codec, Frame, Pipe, Transport } from '../../src/core/transport.ts'

/** Some headers of a dispatch; protocol and timestamp are added where they are missing. */
export type Headers = { [name: string]: Json | undefined }

/** A status, and the body that came with it. */
export type Told = [status: number, body?: Json]

const CODEC = jsonCodec()
let stages = 0
let peers = 0

export class Stage {
  readonly clock = new TestClock()
  readonly meters = new Meters()
  /** `warn: text` for each line. */
  readonly lines: string[] = []
  readonly net = new Net()
  readonly env: Env
  readonly engine: Door
  #uuids = 0
  #seed = 1

  constructor(options: DoorOptions = {}, clock?: TestClock) {
    if (clock) this.clock = clock
    const prefix = (++stages).toString(16).padStart(8, '0')
    const random = {
      uuid: () => `${prefix}-0000-4000-8000-${(++this.#uuids).toString(16).padStart(12, '0')}`,
      fraction: () => {
        this.#seed = (this.#seed * 16807) % 2147483647
        return this.#seed / 2147483647
      },
    }
    this.env = { clock: this.clock, log: recorder(this.lines), random, meters: this.meters }
    this.engine = new Door(this.env, { name: 'own', transports: [this.net], ...options }, 'fake')
  }

  /** A peer that has connected to a listener at that address. */
  pipe({ version = '0.6', address = '127.0.0.1', codec = CODEC }: PeerOptions = {}): Peer {
    const peer = new Peer(version, 'fake')
    peer.channel = this.engine.acceptor(address)(peer, codec)
    return peer
  }

  /** `count` peers. */
  pipes(count: number): Peer[] {
    return Array.from({ length: count }, () => this.pipe())
  }

  /** All tables, and the timers that are set. */
  get left(): Record<string, number> {
    return { ...this.engine.sizes, timers: this.clock.pending }
  }

  counted(meter: string): number {
    return this.meters.read()[meter] ?? 0
  }
}

/** Everybody may do everything, hosts that are dialed, too. */
export const OPEN: Rule[] = [{ method: ['*'], resource: ['...'] }]

export const NOTHING_LEFT = { channels: 0, subscriptions: 0, transactions: 0, relays: 0, timers: 0 }

export interface PeerOptions {
  version?: string
  address?: string
  codec?: Codec
}

/** The other side of a channel. */
export class Peer implements Pipe {
  readonly transport: string
  readonly remote = 'the peer'
  readonly version: string
  /** What has come and was not taken yet. */
  heard: Dispatch[] = []
  frames: Frame[] = []
  closed: { reason: string; code: number | undefined } | undefined
  channel!: Channel
  #jammed = false
  #asked = 0
  #number = ++peers

  constructor(version: string, transport: string) {
    this.version = version
    this.transport = transport
  }

  write(frame: Frame): boolean {
    if (this.closed) throw new Error('written to after close')
    this.frames.push(frame)
    this.heard.push(JSON.parse(frame as string) as Dispatch)
    return !this.#jammed
  }

  close(reason: string, code?: number): void {
    this.closed = { reason, code }
  }

  /** Sends a dispatch. */
  say(headers: Headers): void {
    this.raw(JSON.stringify({ protocol: ['JSTP', this.version], timestamp: 1, ...this.#old(), ...headers }))
  }

  raw(text: string): void {
    this.channel.receive(text)
  }

  /** Sends a dispatch with a transaction id, which it returns. */
  ask(method: string, resource: Element[], more: Headers = {}): string {
    const id = this.#id()
    this.say({ method, resource, token: [id], ...more })
    return (more.token as string[] | undefined)?.[0] ?? id
  }

  /** Binds and takes in the answer, which must be 200. */
  bind(method: string, resource: Element[], more: Headers = {}): void {
    const [status] = this.subscribe('BIND', method, resource, more)[0] ?? [0]
    if (status !== 200) throw new Error(`BIND was answered ${status}`)
  }

  /** Sends a BIND or RELEASE. Returns the answers to it. */
  subscribe(method: string, pattern: string, resource: Element[], more: Headers = {}): Told[] {
    const id = this.#id()
    this.say({ method, endpoint: { method: pattern, resource }, token: [id], ...more })
    return this.told(id)
  }

  /** Answers a dispatch that has triggered. */
  answer({ token }: Dispatch, status = 200, more: Headers = {}): void {
    const [transaction, triggering] = token ?? []
    this.say({ method: 'ANSWER', resource: [status, transaction, triggering] as Element[], ...more })
  }

  /** Takes all that has come. */
  take(): Dispatch[] {
    return this.heard.splice(0)
  }

  /** Takes the next dispatch. */
  next(): Dispatch {
    const next = this.heard.shift()
    if (!next) throw new Error('nothing has come')
    return next
  }

  /** Takes the answers with that transaction id. */
  told(id: string): Told[] {
    const isTold = ({ method, resource }: Dispatch) => method === 'ANSWER' && resource?.[1] === id
    const answers = this.heard.filter(isTold)
    this.heard = this.heard.filter((dispatch) => !isTold(dispatch))
    return answers.map(({ resource, body }) =>
      body === undefined || body === null ? [resource?.[0] as number] : [resource?.[0] as number, body],
    )
  }

  /** The statuses of the answers with that transaction id. */
  statuses(id: string): number[] {
    return this.told(id).map(([status]) => status)
  }

  /** Takes no more: what is written is the last before `drain`. */
  jam(): void {
    this.#jammed = true
  }

  drain(): void {
    this.#jammed = false
    this.channel.drained()
  }

  /** The connection breaks. */
  cut(): void {
    this.channel.end('cut')
  }

  #id(): string {
    return `tx-${this.#number}-${++this.#asked}`
  }

  #old(): Headers {
    return this.version === '0.6' ? {} : { token: [] }
  }
}

/** A transport that dials peers which the test plays. */
export class Net implements Transport {
  readonly label: string
  /** Everything that was dialed and reached, in order. */
  readonly reached: (Peer & { at: string })[] = []
  /** `address:port` of everything that was dialed. */
  readonly dialed: string[] = []
  /** Reasons why addresses can't be reached; `hang`: no reply until the signal. */
  readonly down = new Map<string, string>()
  version = '0.6'

  constructor(label = 'fake') {
    this.label = label
  }

  async dial(address: string, port: number, accept: Accept, signal: AbortSignal): Promise<Channel> {
    const at = `${address}:${port}`
    this.dialed.push(at)
    const reason = this.down.get(at)
    if (reason === 'hang') {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }
    if (reason) throw new Error(reason)
    const peer = Object.assign(new Peer(this.version, this.label), { at })
    peer.channel = accept(peer, CODEC)
    this.reached.push(peer)
    return peer.channel
  }

  /** The last peer that was reached. */
  get last(): Peer {
    const peer = this.reached.at(-1)
    if (!peer) throw new Error('nobody was reached')
    return peer
  }
}

function recorder(lines: string[]): Log {
  const write = (level: string) => (text: string) => void lines.push(`${level}: ${text}`)
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** The body of an ANSWER that the engine has made. */
export function bodyOf(answer: { body?: Json } | undefined): { message: string; [name: string]: Json } {
  return { message: '', ...(answer?.body as { [name: string]: Json } | undefined) }
}

/** The token that a triggered dispatch must carry: the transaction id and an id of its own. */
export function tokenOf({ token = [] }: Dispatch): [transaction: string, triggering: string] {
  if (token.length !== 2) throw new Error(`a token of ${token.length}`)
  return token as [string, string]
}

/** A signal, and what listens to it. */
export function watched(): { signal: AbortSignal; listeners: Set<unknown>; abort: () => void } {
  const controller = new AbortController()
  const { signal } = controller
  const listeners = new Set<unknown>()
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (type: string, run: () => void) => {
    listeners.add(run)
    add(type, run)
  }
  signal.removeEventListener = (type: string, run: () => void) => {
    listeners.delete(run)
    remove(type, run)
  }
  return { signal, listeners, abort: () => controller.abort() }
}

/** Lets what is ready run, without time passing. */
export function settle(stage: Stage): Promise<void> {
  return stage.clock.advance(0)
}
