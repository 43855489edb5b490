// An HCI cable that can be cut: sits between the product and btvirt, sees every packet, and does wrong when told to.

import { rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Air } from './lab.ts'

/** Says what becomes of a packet: these bytes instead (several chunks allowed), or nothing. */
export type Filter = (packet: Buffer) => Buffer[] | Buffer | null

const same: Filter = (packet) => packet
let count = 0

export class Cable {
  #server: Server | undefined
  #air: Air
  #host: Socket | undefined
  #controller: Socket | undefined
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
      forward(controller, host, (packet) => this.toHost(packet))
    })
    this.#server = server
    return new Promise((ready) => server.listen(this.path, ready))
  }

  /** Pulls it out. */
  unplug(): Promise<void> {
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

  /** No filters any more. */
  heal(): void {
    this.toController = same
    this.toHost = same
  }
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
