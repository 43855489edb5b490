// An HCI cable that can be cut: sits between the product and btvirt, sees every packet, and does wrong when told to.

import { rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Air } from './lab.ts'

/** Says what becomes of a packet: these bytes instead (several chunks allowed), or nothing. */
export type Filter = (packet: Buffer) => Buffer[] | Buffer | null

const same: Filter = (packet) => packet
const DISCONNECT_OPCODE = 0x0406
let count = 0

export class Cable {
  #server: Server | undefined
  #air: Air
  #host: Socket | undefined
  #controller: Socket | undefined
  /** The last connection that was made, as the controller numbers it. */
  #handle: Buffer | undefined
  #dropping = false
  /** It is being pulled out, nothing passes any more; to be called when the device has noticed. */
  #pulled: (() => void) | undefined
  readonly path: string
  /** Host → controller, and back. */
  toController: Filter = same
  toHost: Filter = same
  /** Connections made so far. */
  plugged = 0

  constructor(air: Air) {
    this.#air = air
    this.path = join(air.folder, `cable-${count++}`)
  }

  /** Plugs it in: from now on the source can be opened. */
  plug(): Promise<void> {
    const server = createServer((host) => {
      this.plugged++
      this.#host = host
      const controller = connect(this.#air.path)
      this.#controller = controller
      forward(host, controller, (packet) => this.toController(packet))
      forward(controller, host, (packet) => (this.#watch(packet) ? this.toHost(packet) : null))
    })
    this.#server = server
    return new Promise((ready) => server.listen(this.path, ready))
  }

  /** Pulls it out. The device notices, as it would by the silence; btvirt alone would not tell it. */
  async unplug(): Promise<void> {
    const handle = this.#handle
    if (handle && !this.#controller?.destroyed) {
      const told = new Promise<void>((done) => {
        this.#pulled = done
      })
      this.#controller?.write(disconnect(handle))
      await Promise.race([told, pause(300)])
    }
    this.#pulled = undefined
    this.#handle = undefined
    this.#host?.destroy()
    this.#controller?.destroy()
    rmSync(this.path, { force: true })
    return new Promise((done) => (this.#server ? this.#server.close(() => done()) : done()))
  }

  /** Puts bytes on the wire towards the host, as they are. False: wait for `drained`. */
  inject(bytes: Uint8Array): boolean {
    return this.#host?.write(bytes) ?? true
  }

  drained(): Promise<void> {
    return new Promise((done) => this.#host?.once('drain', done))
  }

  /** The device is out of range: its connection ends on both sides, and the host hears that it went silent. */
  drop(): void {
    if (!this.#handle) throw new Error('no connection was made through this cable')
    this.#dropping = true
    this.#controller?.write(disconnect(this.#handle))
  }

  /** Keeps the handle, and makes an end of our own look as one by silence. False: not for the host. */
  #watch(packet: Buffer): boolean {
    if (this.#pulled) {
      if (packet[0] === 4 && packet[1] === 0x05) this.#pulled()
      return false
    }
    if (packet[0] !== 4) return true
    const isConnected = packet[1] === 0x3e && (packet[3] === 0x01 || packet[3] === 0x0a)
    if (isConnected && packet[4] === 0) this.#handle = Buffer.from(packet.subarray(5, 7))
    if (packet[1] === 0x05) this.#handle = undefined
    if (!this.#dropping) return true
    if (packet[1] === 0x0f && packet.readUInt16LE(5) === DISCONNECT_OPCODE) return false
    if (packet[1] === 0x05) {
      packet[6] = 0x08
      this.#dropping = false
    }
    return true
  }

  /** No filters any more. */
  heal(): void {
    this.toController = same
    this.toHost = same
  }
}

function disconnect(handle: Buffer): Buffer {
  return Buffer.of(
    1,
    DISCONNECT_OPCODE & 0xff,
    DISCONNECT_OPCODE >> 8,
    3,
    handle[0] ?? 0,
    handle[1] ?? 0,
    0x13,
  )
}

function forward(from: Socket, to: Socket, filter: Filter): void {
  let rest: Buffer = Buffer.alloc(0)
  from.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const length = packetLength(rest)
      if (rest.length < length) return
      const packet = Buffer.from(rest.subarray(0, length))
      rest = rest.subarray(length)
      for (const piece of [filter(packet)].flat()) if (piece && !to.destroyed) to.write(piece)
    }
  })
  from.on('error', () => {})
  from.on('close', () => to.destroy())
}

function packetLength(bytes: Buffer): number {
  if (bytes[0] === 1) return bytes.length < 4 ? Number.POSITIVE_INFINITY : 4 + (bytes[3] ?? 0)
  if (bytes[0] === 2) return bytes.length < 5 ? Number.POSITIVE_INFINITY : 5 + bytes.readUInt16LE(3)
  return bytes.length < 3 ? Number.POSITIVE_INFINITY : 3 + (bytes[2] ?? 0)
}
