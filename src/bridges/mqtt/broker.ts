// A connection to one broker that keeps itself alive: MQTT 5, or 3.1.1 where the broker wants that (part D). Every attempt
// is a new client with a clean session, so that nothing is ever sent twice by a library that remembers.

import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { IClientOptions, IPublishPacket, MqttClient } from 'mqtt'
import type { Cancel } from '../../core/clock.ts'
import type { Env } from '../../core/env.ts'
import { LinkError } from '../../device/link.ts'
import { INVENTORY, type Publication } from './declaration.ts'
import type { Message } from './payload.ts'
import { limitPackets } from './size-guard.ts'

export interface BrokerSettings {
  /** `mqtt://host:1883` or `mqtts://host:8883`. */
  url: string
  user?: string
  password?: string
  /** Certificates that are trusted instead of the usual ones, as PEM. */
  ca?: string
  /** One connection only: a second one with the same id ends the first. */
  clientId: string
  /** What the broker tells everybody, and keeps, when we are gone without a word. */
  will?: { topic: string; payload: string }
  /** Seconds of silence after which the broker is asked whether it is still there; default: 30. */
  keepalive?: number
}

export interface BrokerEvents {
  /** `version`: 4 is MQTT 3.1.1. Also after every reconnection; nothing is subscribed then. */
  up(version: 4 | 5): void
  message(message: Message): void
  /** `cause` is for people. It tries again by itself. */
  down(cause: string): void
}

/** Milliseconds for the connection with its greeting, and for the answer to anything after it. */
const GREETING = 10_000
const ANSWER = 10_000
const STEPS = [1000, 2000, 5000, 15_000, 60_000]
/** Milliseconds after which a connection was a good one. */
const GOOD = 30_000
/** A close so soon after the greeting, twice in a row, is another client with our id (design §9.24). */
const SOON = 5000
/** Publications that the broker has not confirmed yet. */
const INFLIGHT = 200
const KEEPALIVE_S = 30
const PACKET = INVENTORY + 1024

export class Broker {
  #settings: BrokerSettings
  #env: Env
  #events: BrokerEvents | undefined
  #client: MqttClient | undefined
  #version: 4 | 5 = 5
  /** The version with which a greeting has succeeded. */
  #proven: 4 | 5 | undefined
  #greetedAt: number | undefined
  #failures = 0
  #soon = 0
  #inflight = 0
  #timer: Cancel = () => {}

  constructor(settings: BrokerSettings, env: Env) {
    this.#settings = settings
    this.#env = env
  }

  /** Starts connecting; returns at once. */
  open(events: BrokerEvents): void {
    this.#events = events
    this.#connect()
  }

  get isUp(): boolean {
    return this.#greetedAt !== undefined
  }

  /** How many of the topics the broker has refused. @throws {LinkError} */
  async subscribe(topics: string[], qos: 0 | 1): Promise<number> {
    const client = this.#ready()
    const options = this.#version === 5 ? { qos, nl: true, rap: false, rh: 0 } : { qos }
    const granted = client.subscribeAsync(topics, options).then(
      (all) => all.map(({ qos }) => qos),
      (error: Error & { packet?: { granted?: number[] } }) => {
        // Where one is refused, the others of the slice are granted all the same.
        if (error.packet?.granted) return error.packet.granted
        throw error
      },
    )
    return (await this.#answered(client, granted)).filter((qos) => qos > 2).length
  }

  /** @throws {LinkError} */
  async unsubscribe(topics: string[]): Promise<void> {
    const client = this.#ready()
    await this.#answered(client, client.unsubscribeAsync(topics))
  }

  /**
   * Resolves when the broker has taken it (QoS 1) or it was written (QoS 0). Never queued.
   * @param retain the broker keeps it. Never for commands (C1).
   * @param taken called then at once, before anything that came in the same piece is read
   * @throws {LinkError} `offline` nothing was sent; `lost` or `timeout`: it may have been
   */
  async publish(
    { topic, payload, qos, retain = false }: Publication & { retain?: boolean },
    taken: () => void = () => {},
  ): Promise<void> {
    const client = this.#ready()
    if (this.#inflight >= INFLIGHT)
      throw new LinkError('offline', `${INFLIGHT} publications wait for the broker already`)
    this.#inflight++
    try {
      const bytes = typeof payload === 'string' ? payload : Buffer.from(payload)
      const answer = new Promise<void>((resolve, reject) => {
        client.publish(topic, bytes, { qos, retain }, (error) => {
          if (error) return reject(error)
          taken()
          resolve()
        })
      })
      await this.#answered(client, answer)
    } finally {
      this.#inflight--
    }
  }

  async close(): Promise<void> {
    this.#timer()
    this.#events = undefined
    const client = this.#client
    this.#client = undefined
    this.#greetedAt = undefined
    await client?.endAsync(true)
  }

  #ready(): MqttClient {
    if (!this.#client || this.#greetedAt === undefined)
      throw new LinkError('offline', 'not connected to the broker')
    return this.#client
  }

  async #connect(): Promise<void> {
    const { clientId, user, password, will, keepalive = KEEPALIVE_S } = this.#settings
    const options: IClientOptions = {
      protocolVersion: this.#version,
      clientId,
      username: user,
      password,
      clean: true,
      keepalive,
      reconnectPeriod: 0,
      connectTimeout: 2 * GREETING, // ours is sooner, and driven by our clock
      resubscribe: false,
      queueQoSZero: false,
      ...(will && { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true } }),
      ...(this.#version === 5 && { properties: { receiveMaximum: 100, maximumPacketSize: PACKET } }),
    }
    let why = CLOSED
    let isFlip = false
    try {
      const { default: mqtt } = await import('mqtt')
      if (!this.#events) return
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
      client.on('connect', () => this.#greeted(client))
      client.on('message', (topic, payload, packet) => this.#message(client, topic, payload, packet))
      client.on('disconnect', (packet) => {
        why =
          packet.reasonCode === 0x8e
            ? ANOTHER
            : `the broker has said goodbye (reason ${packet.reasonCode ?? 0})`
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
    const { url, ca } = this.#settings
    const { protocol, hostname, port } = new URL(url)
    const host = hostname.replace(/^\[|\]$/g, '')
    const isTls = protocol === 'mqtts:'
    const stream = isTls
      ? connectTls({
          host,
          port: Number(port || 8883),
          ca,
          servername: /^[\d.]+$|:/.test(host) ? undefined : host,
        })
      : connectTcp({ host, port: Number(port || 1883) })
    stream.setNoDelay(true)
    limitPackets(stream, () => PACKET)
    return stream
  }

  #greeted(client: MqttClient): void {
    if (client !== this.#client) return
    this.#timer()
    this.#greetedAt = this.#env.clock.now()
    this.#proven = this.#version
    this.#events?.up(this.#version)
  }

  #message(client: MqttClient, topic: string, payload: Uint8Array, { retain, qos }: IPublishPacket): void {
    if (client === this.#client) this.#events?.message({ topic, payload, retained: retain, qos })
  }

  #closed(client: MqttClient, why: string, isFlip: boolean): void {
    if (client !== this.#client) return
    this.#timer()
    this.#client = undefined
    client.end(true)
    const lasted = this.#greetedAt === undefined ? undefined : this.#env.clock.now() - this.#greetedAt
    // A broker of old times closes when it is greeted in a version that it doesn't know.
    const isSilent = lasted === undefined && (why === CLOSED || why === HUNG_UP)
    if (lasted === undefined && (isFlip || (isSilent && !this.#proven))) {
      this.#version = this.#version === 5 ? 4 : 5
      // To greet it in the older words belongs to the same attempt.
      if (this.#version === 4) return void this.#connect()
    }
    this.#soon = lasted !== undefined && lasted < SOON ? this.#soon + 1 : 0
    if (lasted !== undefined && lasted >= GOOD) this.#failures = 0
    this.#greetedAt = undefined
    this.#down(this.#soon >= 2 ? ANOTHER : why)
  }

  #down(cause: string): void {
    const { clock, random } = this.#env
    const step = STEPS[Math.min(this.#failures++, STEPS.length - 1)] as number
    this.#timer = clock.after(step * (0.8 + 0.4 * random.fraction()), () => this.#connect())
    this.#events?.down(`${this.#settings.url.replace(/\/\/[^@/]*@/, '//')}: ${cause}`)
  }

  /** The outcome of something that the broker has to answer. One that doesn't is dropped. */
  #answered<T>(client: MqttClient, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const lost = () => reject(new LinkError('lost', 'the connection broke before the broker had answered'))
      const cancel = this.#env.clock.after(ANSWER, () => {
        reject(new LinkError('timeout', `the broker has not answered within ${ANSWER / 1000} s`))
        client.stream.destroy()
      })
      client.once('close', lost)
      const done = () => {
        cancel()
        client.off('close', lost)
      }
      work
        .finally(done)
        .then(resolve, (error: Error) => reject(new LinkError('lost', error.message, { cause: error })))
    })
  }
}

const CLOSED = 'the broker has closed the connection'
const HUNG_UP = 'the broker has hung up; with TLS it is mqtts://, without mqtt://, each on a port of its own'
const ANOTHER = 'another client uses our id: give this device another name, or end the other program'

function isVersion(error: Error & { code?: unknown }): boolean {
  return error.code === 132 || error.code === 1
}

function causeOf(error: Error & { code?: unknown }): string {
  switch (error.code) {
    case 4:
    case 5:
    case 134:
    case 135:
      return 'the broker refuses user or password'
    case 133:
    case 2:
      return 'the broker refuses our id'
    case 132:
    case 1:
      return 'the broker does not speak this version of MQTT'
    case 'ECONNREFUSED':
      return 'nobody listens there; is the broker running?'
    case 'ECONNRESET':
      return HUNG_UP
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'there is no such host'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return 'there is no way to that host now'
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'EPROTO':
      return 'it speaks no TLS there: mqtt:// is without, on port 1883'
    default:
      return /CERT|SELF_SIGNED|UNABLE_TO/.test(String(error.code))
        ? `its certificate is not accepted (${error.message}): "tls": { "ca": … } trusts its authority`
        : error.message || String(error.code ?? 'it failed')
  }
}
