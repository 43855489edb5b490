// One connection to one broker, that comes back by itself: MQTT 5, or 3.1.1 where the broker wants that. Every try is a new client
// of mqtt.js, which therefore never sends anything again by itself: what must arrive is the business of the conversations.

import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { IClientOptions, IPublishPacket, MqttClient } from 'mqtt'
import type { Cancel } from '../core/clock.ts'
import type { Env } from '../core/env.ts'
import { boundPackets } from './mqtt-size.ts'

export interface LinkSettings {
  host: string
  port: number
  isTls: boolean
  user?: string
  password?: string
  /** Certificates that are trusted instead of the usual ones, in PEM. */
  ca?: string
  /** A second connection with the same id ends the first. */
  clientId: string
  /** The most bytes of a packet that we take. */
  most: number
  /** The broker keeps what comes for us while we are away. */
  isLasting(): boolean
  /** What it says in our name when we are gone. */
  will(): Retained | undefined
}

export interface Retained {
  topic: string
  payload: string
}

export interface LinkEvents {
  /** Connected: nothing is subscribed. */
  up(): void
  /** `isOld`: it was there before we subscribed. */
  message(topic: string, payload: Uint8Array, isOld: boolean): void
  /** Room again after `publish` had none. */
  drained(): void
  /** Gone, or not reached. It tries again by itself. */
  down(cause: string): void
}

/** Properties of one message, for brokers of MQTT 5. */
export type Hints = NonNullable<IPublishPacket['properties']>

const GREETING = 10_000
const ANSWER = 10_000
const STEPS = [500, 1000, 2000, 5000, 15_000, 60_000]
/** Milliseconds after which a connection was a good one. */
const GOOD = 30_000
/** Closed so soon after the greeting, twice in a row: another client has our id (design §9.24). */
const SOON = 5000
/** Messages and bytes that the broker has not confirmed yet. */
const INFLIGHT = 200
const INFLIGHT_BYTES = 4 << 20
const SESSION_S = 3600
const WILL_DELAY_S = 10
const KEEPALIVE_S = 30
const RECEIVE = 20
const CLOSED = 'the broker has closed the connection'
const TAKEN_OVER = 0x8e
const ANOTHER =
  'another client uses our id: two engines have the same key, or somebody pretends to be this one'

export class Link {
  readonly settings: LinkSettings
  /** 4 is MQTT 3.1.1. */
  version: 4 | 5 = 5
  /** Of the last try. */
  cause = 'not connected yet'
  #env: Env
  #events: LinkEvents
  #client: MqttClient | undefined
  /** A greeting has succeeded. */
  #isProven = false
  /** The broker has said that it does not know MQTT 5. */
  #isOld = false
  #greetedAt: number | undefined
  #most = Number.POSITIVE_INFINITY
  #window = INFLIGHT
  #inflight = 0
  #bytes = 0
  #wasFull = false
  #failures = 0
  #soon = 0
  #isOver = false
  #timer: Cancel = () => {}

  constructor(settings: LinkSettings, env: Env, events: LinkEvents) {
    this.settings = settings
    this.#env = env
    this.#events = events
  }

  get isUp(): boolean {
    return this.#greetedAt !== undefined
  }

  /** Bytes of a payload that the broker takes, as it has said; some are left for topic and properties. */
  get most(): number {
    return Math.min(this.#most, this.settings.most)
  }

  /** Tries to connect now, unless it does so already. */
  connect(): void {
    if (this.#client || this.#isOver) return
    this.#timer()
    void this.#connect()
  }

  /** Whether one more message of that size may be published now. If not, `drained` comes. */
  hasRoom(): boolean {
    const isFull = this.#inflight >= this.#window || this.#bytes >= INFLIGHT_BYTES
    this.#wasFull ||= isFull
    return this.isUp && !isFull
  }

  /** QoS 1. What gets lost on the way is not known here. */
  publish(topic: string, payload: string, hints: Hints | undefined, retain = false): void {
    const client = this.#client
    if (!client || !this.isUp) return
    this.#inflight++
    this.#bytes += payload.length
    const properties = this.version === 5 ? hints : undefined
    client.publish(topic, payload, { qos: 1, retain, properties }, () => {
      if (client !== this.#client) return
      this.#inflight--
      this.#bytes -= payload.length
      if (!this.#wasFull || this.#inflight > this.#window / 2 || this.#bytes > INFLIGHT_BYTES / 2) return
      this.#wasFull = false
      this.#events.drained()
    })
  }

  /** Rejects when the broker refuses it, or says nothing for too long: then the connection is given up. */
  async subscribe(topics: string[]): Promise<void> {
    const client = this.#client
    if (!client || topics.length === 0) return
    const options = this.version === 5 ? ({ qos: 1, nl: true, rh: 1 } as const) : ({ qos: 1 } as const)
    // A shared subscription with `nl` is an error of protocol.
    const own = topics.filter((topic) => !topic.startsWith('$share/'))
    const shared = topics.filter((topic) => topic.startsWith('$share/'))
    const granted = await this.#answered(
      client,
      Promise.all([
        own.length > 0 ? client.subscribeAsync(own, options) : [],
        shared.length > 0 ? client.subscribeAsync(shared, { qos: 1 }) : [],
      ]),
    )
    const refused = granted.flat().find(({ qos }) => qos > 2)
    if (refused)
      throw new Error(`the broker does not let us subscribe ${refused.topic}: see its access rules`)
  }

  unsubscribe(topics: string[]): void {
    const client = this.#client
    if (client && this.isUp) this.#answered(client, client.unsubscribeAsync(topics)).catch(() => {})
  }

  /** Gives this connection up, and tries again later. */
  fail(cause: string): void {
    const client = this.#client
    if (client) this.#closed(client, cause, false)
    client?.stream?.destroy()
  }

  /** `last`: published before the goodbye. */
  async close(last?: Retained): Promise<void> {
    this.#isOver = true
    this.#timer()
    const client = this.#client
    const wasUp = this.isUp
    this.#client = undefined
    this.#greetedAt = undefined
    if (!client) return
    if (last && wasUp) {
      const said = client.publishAsync(last.topic, last.payload, { qos: 1, retain: true })
      await this.#answered(client, said).catch(() => {})
    }
    client.removeAllListeners('close')
    await Promise.race([
      client.endAsync(!wasUp),
      new Promise<void>((resolve) => void this.#env.clock.after(1000, resolve)),
    ]).catch(() => {})
    client.stream?.destroy()
  }

  async #connect(): Promise<void> {
    const { clientId, user, password, most } = this.settings
    const isLasting = this.settings.isLasting()
    const will = this.settings.will()
    const isFive = this.version === 5
    const options: IClientOptions = {
      protocolVersion: this.version,
      clientId,
      username: user,
      password,
      clean: !isLasting,
      keepalive: KEEPALIVE_S,
      reconnectPeriod: 0,
      connectTimeout: 2 * GREETING, // ours is sooner, and driven by our clock
      resubscribe: false,
      queueQoSZero: false,
      ...(will && {
        will: {
          topic: will.topic,
          payload: Buffer.from(will.payload),
          qos: 1,
          retain: true,
          ...(isFive && { properties: { willDelayInterval: WILL_DELAY_S } }),
        },
      }),
      ...(isFive && {
        properties: {
          receiveMaximum: RECEIVE,
          maximumPacketSize: most,
          ...(isLasting && { sessionExpiryInterval: SESSION_S }),
        },
      }),
    }
    let why = CLOSED
    let isFlip = false
    try {
      const { default: mqtt } = await import('mqtt')
      if (this.#isOver || this.#client) return
      const client = new mqtt.MqttClient(() => {
        const stream = this.#stream()
        // mqtt.js keeps some of them to itself.
        stream.on('error', (error) => {
          why = causeOf(error)
        })
        return stream
      }, options)
      this.#client = client
      this.#timer = this.#env.clock.after(GREETING, () => {
        why = `no answer within ${GREETING / 1000} s`
        client.stream.destroy()
      })
      client.on('connect', (packet) => this.#greeted(client, packet.properties))
      client.on('message', (topic, payload, { retain }) => {
        if (client === this.#client) this.#events.message(topic, payload, retain)
      })
      client.on('disconnect', ({ reasonCode = 0 }) => {
        why = reasonCode === TAKEN_OVER ? ANOTHER : `the broker has said goodbye (reason ${reasonCode})`
      })
      client.on('error', (error) => {
        why = causeOf(error)
        isFlip ||= isVersion(error)
      })
      client.on('close', () => this.#closed(client, why, isFlip))
    } catch (error) {
      this.#down((error as Error).message)
    }
  }

  #stream(): Duplex {
    const { host, port, isTls, ca, most } = this.settings
    const servername = /^[\d.]+$|:/.test(host) ? undefined : host
    const stream = isTls ? connectTls({ host, port, ca, servername }) : connectTcp({ host, port })
    stream.setNoDelay(true)
    boundPackets(stream, most + 4096)
    return stream
  }

  #greeted(client: MqttClient, given: { maximumPacketSize?: number; receiveMaximum?: number } = {}): void {
    if (client !== this.#client) return
    this.#timer()
    this.#greetedAt = this.#env.clock.now()
    this.#isProven = true
    this.#most = (given.maximumPacketSize ?? Number.POSITIVE_INFINITY) - 1024
    this.#window = Math.min(INFLIGHT, given.receiveMaximum ?? INFLIGHT)
    this.#inflight = 0
    this.#bytes = 0
    this.cause = ''
    this.#events.up()
  }

  #closed(client: MqttClient, why: string, isFlip: boolean): void {
    if (client !== this.#client) return
    this.#timer()
    this.#client = undefined
    client.end(true)
    const lasted = this.#greetedAt === undefined ? undefined : this.#env.clock.now() - this.#greetedAt
    // A broker of old times may just close when it is greeted in a version that it does not know.
    const isSilent = lasted === undefined && why === CLOSED && !this.#isProven
    this.#isOld ||= isFlip && this.version === 5
    const next = this.#isOld || (isSilent && this.version === 5) ? 4 : 5
    const isFallback = lasted === undefined && next === 4 && this.version === 5
    this.version = next
    if (isFallback) return void this.#connect()
    this.#soon = lasted !== undefined && lasted < SOON ? this.#soon + 1 : 0
    if (lasted !== undefined && lasted >= GOOD) this.#failures = 0
    this.#greetedAt = undefined
    this.#down(this.#soon >= 2 ? ANOTHER : why)
  }

  #down(cause: string): void {
    if (this.#isOver) return
    const { clock, random } = this.#env
    const step = STEPS[Math.min(this.#failures++, STEPS.length - 1)] as number
    this.#timer = clock.after(step * (0.8 + 0.4 * random.fraction()), () => this.connect())
    this.cause = cause
    this.#events.down(cause)
  }

  /** The outcome of something that the broker has to answer. One that does not is dropped. */
  #answered<T>(client: MqttClient, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const lost = () => reject(new Error('the connection broke before the broker had answered'))
      const cancel = this.#env.clock.after(ANSWER, () => {
        reject(new Error(`the broker has not answered within ${ANSWER / 1000} s`))
        client.stream.destroy()
      })
      client.once('close', lost)
      const done = () => {
        cancel()
        client.off('close', lost)
      }
      work.finally(done).then(resolve, reject)
    })
  }
}

function isVersion({ code }: Error & { code?: unknown }): boolean {
  return code === 132 || code === 1
}

function causeOf(error: Error & { code?: unknown }): string {
  const { code } = error
  if (typeof code === 'string' && /CERT|SELF_SIGNED|UNABLE_TO/.test(code)) {
    return `its certificate is not accepted (${error.message}): give the one of its authority as mqtt.tls.ca`
  }
  switch (code) {
    case 4:
    case 5:
    case 134:
    case 135:
      return 'the broker refuses user or password: see mqtt.user and mqtt.passwordFile'
    case 133:
    case 2:
      return 'the broker refuses our id'
    case 132:
    case 1:
      return 'the broker does not speak this version of MQTT'
    case 'ECONNREFUSED':
      return 'nobody listens there: is the broker running?'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'nobody knows that name'
    default:
      return error.message || String(code ?? 'it failed')
  }
}
