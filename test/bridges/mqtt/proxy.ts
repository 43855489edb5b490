// What stands between the bridge and a broker in these tests: a wire that is cut, that goes silent, and one of old times.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

const wires = new Set<Wire>()

export function endWires(): void {
  for (const wire of wires) wire.close()
}

export class Wire {
  /** Versions in which a connection was greeted. */
  readonly greeted: number[] = []
  /** The oldest version of MQTT that it lets through; others are closed at once, as brokers of old times do. */
  readonly newest: 4 | 5
  #server: Server
  #sockets = new Set<Socket>()
  #isSilent = false

  private constructor(port: number, newest: 4 | 5) {
    this.newest = newest
    this.#server = createServer((inbound) => this.#join(inbound, port)).listen(0, '127.0.0.1')
    wires.add(this)
  }

  /** To the broker on that port. */
  static async to(port: number, newest: 4 | 5 = 5): Promise<Wire> {
    const wire = new Wire(port, newest)
    await once(wire.#server, 'listening')
    return wire
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Ends all connections, as a router that is switched off and on. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Carries nothing any more, in no direction, and tells nobody; what comes then is lost. */
  silence(is: boolean): void {
    this.#isSilent = is
  }

  close(): void {
    wires.delete(this)
    this.#server.close()
    this.cut()
  }

  #join(inbound: Socket, port: number): void {
    const outbound = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      this.#sockets.add(from)
      from.on('error', () => {})
      from.on('close', () => {
        this.#sockets.delete(from)
        if (!this.#isSilent) to.destroy()
      })
    }
    inbound.once('data', (chunk: Buffer) => {
      // The version stands behind the four letters of the protocol's name.
      const version = chunk[8] as number
      this.greeted.push(version)
      if (version > this.newest) return void inbound.destroy()
      this.#carry(outbound, chunk)
      inbound.on('data', (more: Buffer) => this.#carry(outbound, more))
    })
    outbound.on('data', (chunk: Buffer) => this.#carry(inbound, chunk))
  }

  #carry(to: Socket, chunk: Buffer): void {
    if (!this.#isSilent) to.write(chunk)
  }
}
