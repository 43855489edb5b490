// A wire in front of a broker: it can be cut and joined again, it can swallow everything, and it can make the broker an old one
// that knows MQTT 3.1.1 only.

import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

const LOCAL = '127.0.0.1'
/** CONNACK of 3.1.1: "unacceptable protocol version". */
const TOO_NEW = Buffer.from([0x20, 0x02, 0x00, 0x01])

export class Gate {
  readonly port: number
  /** Refuses MQTT 5. */
  isOld = false
  /** Bytes are lost, but nobody is told. */
  isSilent = false
  /** Times that somebody was let in. */
  count = 0
  /** All that has passed, if it is kept. */
  readonly chunks: Buffer[] = []
  isKeeping = false
  #server: Server
  #sockets = new Set<Socket>()
  #isCut = false

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }

  static async to(port: number, options: { isOld?: boolean } = {}): Promise<Gate> {
    const server = createServer().listen(0, LOCAL)
    await once(server, 'listening')
    const gate = new Gate(server, (server.address() as { port: number }).port)
    gate.isOld = options.isOld ?? false
    server.on('connection', (near) => gate.#join(near, port))
    return gate
  }

  /** Nobody gets through, and whoever was through is out. */
  cut(): void {
    this.#isCut = true
    this.drop()
  }

  drop(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#isCut = false
    this.isSilent = false
  }

  close(): void {
    this.#server.close()
    this.drop()
  }

  #join(near: Socket, port: number): void {
    near.on('error', () => {})
    if (this.#isCut) return void near.destroy()
    near.setNoDelay(true)
    const far = connect({ port, host: LOCAL, noDelay: true })
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from)
      from.on('error', () => {})
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
    }
    this.count++
    let isFirst = true
    near.on('data', (chunk: Buffer) => {
      if (this.isKeeping) this.chunks.push(chunk)
      if (this.isSilent) return
      // Fixed header, then the name "MQTT" with its length, then the version.
      const isNew = isFirst && chunk[0] === 0x10 && chunk[chunk.indexOf('MQTT') + 4] === 5
      isFirst = false
      if (this.isOld && isNew) return void near.end(TOO_NEW)
      far.write(chunk)
    })
    far.on('data', (chunk: Buffer) => {
      if (this.isKeeping) this.chunks.push(chunk)
      if (!this.isSilent) near.write(chunk)
    })
  }
}
