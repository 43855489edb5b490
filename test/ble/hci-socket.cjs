// Stands in for @abandonware/bluetooth-hci-socket in the peripheral's process: an H4 client of btvirt's unix socket.
// btvirt never splits badly, so this is the simplest reassembly there is; the product has its own.

const { EventEmitter } = require('node:events')
const Module = require('node:module')
const { connect } = require('node:net')

class HciSocket extends EventEmitter {
  #socket
  #rest = Buffer.alloc(0)

  bindRaw() {
    this.#socket ??= connect(process.env.HCI_PATH)
    this.#socket.on('data', (chunk) => this.#take(chunk))
    this.#socket.on('close', () => process.exit(0))
    this.#socket.on('error', () => process.exit(1))
    return 0
  }

  bindControl() {}
  start() {}
  stop() {}
  setFilter() {}

  isDevUp() {
    return true
  }

  write(packet) {
    this.#socket?.write(packet)
  }

  #take(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      const length = this.#rest[0] === 2 ? 5 + (this.#rest[3] | (this.#rest[4] << 8)) : 3 + this.#rest[2]
      if (!(this.#rest.length >= length)) return
      const packet = Buffer.from(this.#rest.subarray(0, length))
      this.#rest = this.#rest.subarray(length)
      this.emit('data', packet)
    }
  }
}

const load = Module._load
Module._load = function (id, ...rest) {
  return id === '@abandonware/bluetooth-hci-socket' ? HciSocket : load.call(this, id, ...rest)
}
