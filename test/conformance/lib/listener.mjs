import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { TcpPeer } from './peer.mjs'

/** A TCP host that the engine may be asked to forward to. Who calls becomes a peer. */
export class Listener {
  calls = []
  #server

  constructor(version) {
    this.#server = createServer((socket) => this.calls.push(new TcpPeer(socket, version)))
  }

  async open(port) {
    await new Promise((resolve, reject) => {
      this.#server.on('error', reject)
      this.#server.listen(port, '127.0.0.1', resolve)
    })
    return this.#server.address().port
  }

  async waitForCalls(count, ms) {
    const deadline = Date.now() + ms
    while (this.calls.length < count && Date.now() < deadline) await sleep(5)
  }

  close() {
    this.#server.close()
    return Promise.all(this.calls.map((peer) => peer.close()))
  }
}
