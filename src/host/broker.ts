// The broker inside (design §9.24): MQTT 3.1.1 for a small home without another program. Sensors, Home Assistant and the
// inbox of this one engine meet there. It keeps no sessions, and everything that it does keep has a bound.

import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import type { Aedes, AedesOptions, Client } from 'aedes'
import type { Env } from '../core/env.ts'

export interface BrokerLimits {
  /** Connections. */
  clients: number
  /** Bytes of a packet, and of one before the client was let in. */
  packet: number
  greeting: number
  /** Messages that are remembered, and bytes of them with their topics. */
  retained: number
  retainedBytes: number
  /** Subscriptions of one client, and of all. */
  perClient: number
  subscriptions: number
  /** Bytes that wait for one client that does not read, and for all of them. */
  queue: number
  queues: number
}

export const BROKER_LIMITS: BrokerLimits = {
  clients: 250,
  packet: 1 << 20,
  greeting: 128 << 10,
  retained: 20_000,
  retainedBytes: 16 << 20,
  perClient: 20_000,
  subscriptions: 30_000,
  queue: 256 << 10,
  queues: 16 << 20,
}

export interface EmbeddedBrokerOptions {
  /** Without both of them everybody is let in. */
  user?: string
  password?: string
  env: Env
  limits?: Partial<BrokerLimits>
  /** Ends a stream on which a packet begins that is longer than what is allowed then. */
  limitPackets(stream: Socket, most: () => number): void
}

/** Milliseconds until a connection must have said who it is, and between two lines in the log about one thing. */
const GREETING = 10_000
const QUIET = 60_000
/** Milliseconds that a client may take for a message as big as its whole queue. */
const DRAIN = 10_000
/** Messages of QoS 2 that a client has not ended, and bytes of one. */
const OPEN_QOS2 = 10
const QOS2 = 16 << 10
const WILL = 64 << 10
const CLIENT_ID = 256
/** Bytes around a payload and its topic. */
const AROUND = 16

/** What is counted, as `broker.…`. */
type Refused =
  | 'credentials'
  | 'id'
  | 'will'
  | 'client'
  | 'queue'
  | 'retained'
  | 'subscription'
  | 'topic'
  | 'qos2'

export class EmbeddedBroker {
  /** To be made to listen by whoever knows where. */
  readonly server: Server
  #options: EmbeddedBrokerOptions
  #limits: BrokerLimits
  #aedes: Aedes
  #sockets = new Set<Socket>()
  /** Bytes of what is remembered, by topic. */
  #retained = new Map<string, number>()
  #retainedBytes = 0
  #perClient = new Map<Client, number>()
  #subscriptions = 0
  #told = new Map<Refused, number>()

  /** Loads what it needs; listens nowhere yet. */
  static async create(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
    const { Aedes } = await import('aedes')
    const broker = new EmbeddedBroker(options, (settings) => new Aedes(settings))
    await broker.#aedes.listen()
    return broker
  }

  private constructor(options: EmbeddedBrokerOptions, make: (settings: AedesOptions) => Aedes) {
    this.#options = options
    this.#limits = { ...BROKER_LIMITS, ...options.limits }
    this.#aedes = make({
      // Who does not read is dropped from (#forward); nobody waits for him.
      concurrency: 0,
      connectTimeout: GREETING,
      drainTimeout: DRAIN,
      maxInflightInbound: OPEN_QOS2,
      preConnect: (_client, packet, done) => {
        const { clientId, will } = packet
        if (clientId.length > CLIENT_ID) return done(this.#refuse('id', 'a client id is too long'), false)
        if (will && will.payload.length > WILL) return done(this.#refuse('will', 'a will is too long'), false)
        // It answers "no session present", and every client subscribes anew then.
        packet.clean = true
        done(null, true)
      },
      authenticate: (client, user, password, done) => {
        if (this.#isKnown(user, password)) return done(null, true)
        const error = this.#refuse('credentials', `user or password are wrong, of ${remote(client)}`)
        done(Object.assign(error, { returnCode: BAD_CREDENTIALS }), null)
      },
      authorizePublish: (_client, packet, done) => done(this.#publication(packet)),
      authorizeSubscribe: (client, subscription, done) =>
        done(null, this.#maySubscribe(client, subscription.topic) ? subscription : null),
      authorizeForward: (client, packet) => (this.#forward(client, packet) ? packet : null),
    })
    this.#aedes.on('unsubscribe', (_topics, client) => this.#count(client, subscribed(client)))
    this.#aedes.on('clientDisconnect', (client) => this.#count(client, 0))
    this.#aedes.on('clientError', (client, error) => {
      options.env.log.debug(`broker: ${client.id}: ${error.message}`)
    })
    this.server = createServer(
      { noDelay: true, keepAlive: true, highWaterMark: this.#limits.queue },
      (socket) => this.#accept(socket),
    )
    this.server.maxConnections = this.#limits.clients
    this.server.on('drop', () => this.#refuse('client', `${this.#limits.clients} clients are connected`))
  }

  get sizes(): { clients: number; subscriptions: number; retained: number; retainedBytes: number } {
    return {
      clients: this.#aedes.connectedClients,
      subscriptions: this.#subscriptions,
      retained: this.#retained.size,
      retainedBytes: this.#retainedBytes,
    }
  }

  async close(): Promise<void> {
    if (this.server.listening) this.server.close()
    await new Promise<void>((resolve) => this.#aedes.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    const client = this.#aedes.handle(socket)
    const { greeting, packet } = this.#limits
    this.#options.limitPackets(socket, () => (client.connected ? packet : greeting))
  }

  #isKnown(user: string | undefined, password: Uint8Array | undefined): boolean {
    const { user: ourUser, password: ourPassword } = this.#options
    if (ourUser === undefined && ourPassword === undefined) return true
    const isUser = isSame(user ?? '', ourUser ?? '')
    return isSame(password ?? '', ourPassword ?? '') && isUser
  }

  /** Why it can't be published, which ends its client. What there is no room to remember is told to who is there only. */
  #publication(packet: Said & { qos: number }): Error | null {
    const { topic, payload, retain, qos } = packet
    if (topic.startsWith('$')) return this.#refuse('topic', `"${topic.slice(0, 80)}" is not for clients`)
    if (qos === 2 && payload.length > QOS2)
      return this.#refuse('qos2', `with QoS 2 a message has at most ${QOS2} bytes`)
    if (retain && !this.#remember(topic, payload.length)) packet.retain = false
    return null
  }

  #remember(topic: string, bytes: number): boolean {
    const before = this.#retained.get(topic)
    const size = bytes === 0 ? 0 : topic.length + bytes
    const all = this.#retainedBytes - (before ?? 0) + size
    const isRoom = before !== undefined || this.#retained.size < this.#limits.retained
    if (size > 0 && (all > this.#limits.retainedBytes || !isRoom)) {
      const { size: topics } = this.#retained
      this.#refuse(
        'retained',
        `no room to remember more than ${topics} topics (${this.#retainedBytes} bytes)`,
      )
      return false
    }
    this.#retainedBytes = all
    if (size > 0) this.#retained.set(topic, size)
    else this.#retained.delete(topic)
    return true
  }

  #maySubscribe(client: Client, filter: string): boolean {
    // It has no shared subscriptions, and what it says of itself names its clients.
    if (filter.startsWith('$')) {
      this.#refuse('subscription', `"${filter.slice(0, 80)}" can't be subscribed here`)
      return false
    }
    if (Object.hasOwn(subscriptionsOf(client), filter)) return true
    const count = this.#perClient.get(client) ?? 0
    if (count >= this.#limits.perClient || this.#subscriptions >= this.#limits.subscriptions) {
      this.#refuse('subscription', `${remote(client)} has ${count} subscriptions of ${this.#subscriptions}`)
      return false
    }
    this.#count(client, count + 1)
    return true
  }

  #count(client: Client, count: number): void {
    this.#subscriptions += count - (this.#perClient.get(client) ?? 0)
    if (count > 0) this.#perClient.set(client, count)
    else this.#perClient.delete(client)
  }

  /** Whether a message goes to a client now: else it would wait in memory, and everybody else with it. */
  #forward(client: Client, { topic, payload, retain }: Said): boolean {
    const waiting = (client.conn as Socket).writableLength
    // Nothing waits; or it is what is remembered, of which the next is only read when this one is gone.
    if (waiting === 0 || (retain && waiting < this.#limits.queue)) return true
    const isRoom = waiting + topic.length + payload.length + AROUND < this.#limits.queue
    if (isRoom && (waiting < SMALL || this.#waiting() < this.#limits.queues)) return true
    this.#refuse('queue', `${remote(client)} does not read: what is said meanwhile is lost for it`)
    return false
  }

  #waiting(): number {
    let sum = 0
    for (const { writableLength } of this.#sockets) sum += writableLength
    return sum
  }

  /** Counts it, and says it from time to time. */
  #refuse(what: Refused, why: string): Error {
    const { clock, log, meters } = this.#options.env
    meters.count(`broker.${what}`)
    const last = this.#told.get(what)
    if (last === undefined || clock.now() - last >= QUIET) {
      this.#told.set(what, clock.now())
      log.warn(`broker: ${why}`)
    }
    return new Error(why)
  }
}

interface Said {
  topic: string
  payload: string | Uint8Array
  retain: boolean
}

/** As in CONNACK. */
const BAD_CREDENTIALS = 4
/** Bytes of a queue that are always allowed. */
const SMALL = 16 << 10

/** Takes as long for every wrong one. */
function isSame(given: string | Uint8Array, ours: string): boolean {
  const hash = (text: string | Uint8Array) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(given), hash(ours))
}

function subscriptionsOf(client: Client): object {
  return (client as Client & { subscriptions: object }).subscriptions
}

function subscribed(client: Client): number {
  return Object.keys(subscriptionsOf(client)).length
}

function remote(client: Client): string {
  const { remoteAddress, remotePort } = client.conn as Socket
  return client.id
    ? `${client.id.slice(0, 64)} (${remoteAddress}:${remotePort})`
    : `${remoteAddress}:${remotePort}`
}
