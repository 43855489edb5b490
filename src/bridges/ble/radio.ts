// One controller that answers: noble's events turned into promises that always settle when their connection ends.
// Deadlines belong to whoever calls. One GATT operation at a time per device.

import type { Env } from '../../core/env.ts'
import { LinkError } from '../../device/link.ts'
import { type Advert, type BleTarget, type NobleAdvertisement, readAdvert } from './advert.ts'
import { type AttRefusal, loadNoble, type Noble } from './noble.ts'
import type { HciPort } from './port.ts'
import { normaliseUuid } from './uuid.ts'

// 30–50 ms between meetings, 4 s of silence until a connection counts as lost (noble's own 420 ms loses it to a
// microwave oven). Units of 1.25 ms and 10 ms.
const CONNECTION = { minInterval: 24, maxInterval: 40, latency: 0, timeout: 400 }
// Listening periods in units of 0.625 ms.
const SCAN_INTERVAL = 96
const SCAN_WINDOW = { gentle: 48, full: 96 }

const PAIRING_REASONS = [0x05, 0x08, 0x0c, 0x0f]
const REASONS: Record<number, string> = {
  1: 'invalid handle',
  2: 'reading is not permitted',
  3: 'writing is not permitted',
  4: 'invalid request',
  5: 'it wants a paired connection',
  6: 'it does not know the request',
  7: 'invalid offset',
  8: 'not authorised',
  9: 'its queue is full',
  10: 'no such attribute',
  12: 'the key is too short',
  13: 'the length is wrong',
  14: 'unlikely error',
  15: 'it wants an encrypted connection',
  17: 'it has no room',
  253: 'notifications are not configured',
  255: 'out of range',
}
const ENDS: Record<number, string> = {
  8: 'it went silent: out of range or without power',
  19: 'the device ended the connection',
  20: 'the device ended the connection: low resources',
  21: 'the device is switching off',
  22: 'we ended the connection',
  34: 'it went silent in mid-exchange',
  62: 'the connection could not be established: another app, phone or engine may hold the device, as most take one connection only',
}

/** The characteristic a link speaks through, as noble names it. */
export interface Found {
  service: string
  characteristic: string
  properties: string[]
}

export interface RadioEvents {
  advert(advert: Advert): void
  /** A notification or indication. */
  data(key: string, bytes: Buffer): void
  /** A connection that had been made is gone. */
  down(key: string, why: string): void
}

interface Waiting {
  event: string
  /** The ATT requests whose refusal is the refusal of this operation. */
  requests: readonly number[]
  take(args: unknown[]): void
  reject(error: Error): void
}

export class Radio {
  #noble: Noble
  #events: RadioEvents
  #waiting = new Map<string, Waiting>()
  #connecting: { key: string; resolve: () => void; reject: (error: Error) => void } | undefined
  #ending = new Map<string, { gone: Promise<void>; resolve: () => void }>()
  #failStart: (error: Error) => void = () => {}
  #mtu = new Map<string, number>()
  #hints = new Map<string, string>()

  /** The controller's own address, once `start` has resolved. */
  address = ''

  /** Throws if noble is not installed. `pinned` says which devices (keys) must not be forgotten. */
  constructor(port: HciPort, events: RadioEvents, env: Env, pinned: (key: string) => boolean) {
    this.#events = events
    this.#noble = loadNoble({
      port,
      env,
      pinned,
      refused: (key, refusal) => this.#refused(key, refusal),
    })
    const { bindings } = this.#noble
    bindings.on('discover', (_key, address, type, connectable, advertisement, rssi) => {
      events.advert(readAdvert(address, type, connectable, advertisement as NobleAdvertisement, rssi))
    })
    bindings.on('connect', (key: string | null, error: Error | null) => this.#connected(key, error))
    bindings.on('disconnect', (key: string, reason: number) => this.#disconnected(key, reason))
    bindings.on('addressChange', (address: string) => {
      this.address = address
    })
    bindings.on('onMtu', (key: string, mtu: number) => this.#mtu.set(key, mtu))
    for (const event of ['servicesDiscover', 'characteristicsDiscover', 'notify', 'write']) {
      bindings.on(event, (key: string, ...args: unknown[]) => this.#settle(key, event, args))
    }
    bindings.on('read', (key: string, _service, _characteristic, data: Buffer, isNotification: boolean) => {
      if (isNotification) events.data(key, data)
      else this.#settle(key, 'read', [data])
    })
  }

  /** How many devices are remembered. */
  get known(): number {
    return this.#noble.known()
  }

  /** One whole packet from the controller. Never throws. */
  packet(bytes: Buffer): void {
    this.#noble.packet(bytes)
  }

  /** Resolves when the controller has said who it is and is ready. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#failStart = reject
      this.#noble.bindings.on('stateChange', (state: string) => {
        if (state === 'poweredOn') resolve()
        else if (state === 'unsupported')
          reject(new Error('The Bluetooth adapter is too old: it knows no Low Energy'))
      })
    })
  }

  /** Listens for advertisements, or stops. Resolves when the controller has agreed. */
  async scan(how: 'full' | 'gentle' | 'off'): Promise<void> {
    const { hci } = this.#noble
    // Stopping what does not run is an error to some controllers and does no harm.
    await this.#command('leScanEnableSet', () => hci.setScanEnabled(false, true))
    if (how === 'off') return
    await this.#command('leScanParametersSet', () => hci.setScanParameters(SCAN_INTERVAL, SCAN_WINDOW[how]))
    const status = await this.#command('leScanEnableSet', () => hci.setScanEnabled(true, false))
    if (status) throw new Error(`The controller does not listen for advertisements (HCI status ${status})`)
  }

  /** Connects to a device whose advertisement was seen. One at a time; may wait for ever: `cancel`. */
  connect(key: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#connecting = { key, resolve, reject }
      this.#noble.bindings.connect(key, CONNECTION)
    })
  }

  /** Gives a pending `connect` up: it rejects when the controller has agreed, or resolves if it was too late. */
  cancel(key: string): void {
    this.#noble.bindings.cancelConnect(key)
  }

  /** Resolves when the connection is gone. */
  disconnect(key: string): Promise<void> {
    const { bindings } = this.#noble
    const ending = this.#ending.get(key)
    if (ending || bindings._handles[key] === undefined) return ending?.gone ?? Promise.resolve()
    let resolve = () => {}
    const gone = new Promise<void>((done) => {
      resolve = done
    })
    this.#ending.set(key, { gone, resolve })
    bindings.disconnect(key)
    return gone
  }

  /** Finds the target's characteristic. Rejects with a text that says what is there instead. */
  async discover(key: string, target: BleTarget): Promise<Found> {
    const { bindings } = this.#noble
    const service = normaliseUuid(target.service)
    const [services] = await this.#ask<[string[]]>(key, 'servicesDiscover', [], () =>
      bindings.discoverServices(key, []),
    )
    const foundService = services.find((uuid) => normaliseUuid(uuid) === service)
    if (foundService === undefined) throw new Error(missing('service', service, services))

    const wanted = normaliseUuid(target.characteristic)
    const [, characteristics] = await this.#ask<[string, { uuid: string; properties: string[] }[]]>(
      key,
      'characteristicsDiscover',
      [],
      () => bindings.discoverCharacteristics(key, foundService, []),
    )
    const found = characteristics.find(({ uuid }) => normaliseUuid(uuid) === wanted)
    if (!found) {
      throw new Error(
        missing(
          'characteristic',
          wanted,
          characteristics.map(({ uuid }) => uuid),
        ),
      )
    }
    return { service: foundService, characteristic: found.uuid, properties: found.properties }
  }

  /** Asks for notifications, or for indications where there are none. */
  async subscribe(key: string, { service, characteristic }: Found): Promise<void> {
    await this.#ask(key, 'notify', [0x08, 0x12], () =>
      this.#noble.bindings.notify(key, service, characteristic, true),
    )
  }

  async read(key: string, { service, characteristic }: Found): Promise<Uint8Array> {
    const [data] = await this.#ask<[Buffer]>(key, 'read', [0x0a, 0x0c], () =>
      this.#noble.bindings.read(key, service, characteristic),
    )
    return Uint8Array.from(data)
  }

  /**
   * With response: resolves when the device has answered; longer than one packet it becomes a long write. Without:
   * resolves when the controller has the bytes, in pieces of what one packet holds.
   */
  async write(
    key: string,
    { service, characteristic }: Found,
    bytes: Uint8Array,
    response: boolean,
  ): Promise<void> {
    const size = response ? Math.max(1, bytes.length) : (this.#mtu.get(key) ?? 23) - 3
    for (let at = 0; at === 0 || at < bytes.length; at += size) {
      const piece = Buffer.from(bytes.subarray(at, at + size))
      await this.#ask(key, 'write', [0x12, 0x16, 0x18], () =>
        this.#noble.bindings.write(key, service, characteristic, piece, !response),
      )
    }
  }

  /** Why the device's operation may be hanging, if it has said so: it wants to be paired. */
  hint(key: string): string | undefined {
    return this.#hints.get(key)
  }

  /** Takes everything off the port. What waits is rejected by its deadline or by `down`, which is not called again. */
  end(): void {
    this.#noble.end()
    this.#connecting?.reject(new Error('The Bluetooth adapter is gone'))
    this.#connecting = undefined
    this.#failStart(new Error('The Bluetooth adapter is gone'))
    for (const { resolve } of this.#ending.values()) resolve()
    for (const { reject } of this.#waiting.values())
      reject(new LinkError('lost', 'The Bluetooth adapter is gone'))
    this.#waiting.clear()
  }

  #command(event: string, send: () => void): Promise<unknown> {
    return new Promise((resolve) => {
      this.#noble.hci.once(event, resolve)
      send()
    })
  }

  #ask<T extends unknown[]>(
    key: string,
    event: string,
    requests: readonly number[],
    send: () => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(key, { event, requests, take: (args) => resolve(args as T), reject })
      send()
    })
  }

  #settle(key: string, event: string, args: unknown[]): void {
    const waiting = this.#waiting.get(key)
    if (waiting?.event !== event) return
    this.#waiting.delete(key)
    waiting.take(args)
  }

  #refused(key: string, { opcode, reason }: AttRefusal): void {
    const waiting = this.#waiting.get(key)
    if (!waiting?.requests.includes(opcode)) return
    const why = REASONS[reason] ?? `reason 0x${reason.toString(16)}`
    if (PAIRING_REASONS.includes(reason)) {
      // noble tries to pair now and sends the request again if that works: not settled yet.
      this.#hints.set(
        key,
        `The device refuses: ${why}. Pair it first with "bluetoothctl pair", if it can be paired`,
      )
      return
    }
    this.#waiting.delete(key)
    waiting.reject(new LinkError('refused', `The device refuses: ${why}`))
    // The rest of a long write is queued in noble and would be executed without its refused part.
    if (opcode === 0x16) this.#noble.bindings.disconnect(key)
  }

  #connected(key: string | null, error: Error | null): void {
    const attempt = this.#connecting
    // It was given up and has come after all.
    if (!error && key && attempt?.key !== key) return this.#noble.bindings.disconnect(key)
    if (!attempt) return
    this.#connecting = undefined
    if (error) attempt.reject(new Error(`${error.message}`))
    else attempt.resolve()
  }

  #disconnected(key: string, reason: number): void {
    const why = ENDS[reason] ?? `the connection ended (HCI reason ${reason})`
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    this.#mtu.delete(key)
    this.#hints.delete(key)
    waiting?.reject(new LinkError('lost', `The connection broke before the device had answered: ${why}`))
    this.#ending.get(key)?.resolve()
    this.#ending.delete(key)
    this.#events.down(key, why)
  }
}

function missing(what: string, wanted: string, there: string[]): string {
  return `The device has no ${what} ${wanted} (it has ${there.map(normaliseUuid).join(', ') || 'none'}): is it the right profile?`
}
