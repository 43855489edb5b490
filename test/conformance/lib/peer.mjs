// Raw clients. They know how to frame a dispatch and nothing else about JSTP.

import { randomUUID } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeCbor, decodeCborSequence, encodeCbor } from './cbor.mjs'
import { Inbox } from './inbox.mjs'

/** One end of a channel to the engine. */
class Peer {
  inbox = new Inbox()
  #answersToBind = new Map()

  constructor(version) {
    this.version = version
  }

  /** Adds the headers that every dispatch of this peer's version has to have. */
  complete(dispatch) {
    const given = new Set(Object.keys(dispatch).map((name) => name.toLowerCase()))
    const usual = { protocol: ['JSTP', this.version], timestamp: Date.now() }
    if (this.version !== '0.6') usual.token = []
    const missing = Object.entries(usual).filter(([name]) => !given.has(name))
    return { ...Object.fromEntries(missing), ...dispatch }
  }

  /** Binds and waits for the engine's answer; an engine that does not answer a BIND is given some time instead. */
  bind(endpoint, settleMs) {
    const transaction = randomUUID()
    const answered = new Promise((resolve) => this.#answersToBind.set(transaction, resolve))
    this.send(this.complete({ method: 'BIND', endpoint, token: [transaction] }))
    return Promise.race([answered, sleep(settleMs)])
  }

  received(dispatch) {
    const transaction = dispatch?.method === 'ANSWER' ? dispatch.resource?.[1] : undefined
    const resolve = this.#answersToBind.get(transaction)
    if (resolve) {
      this.#answersToBind.delete(transaction)
      resolve(dispatch)
    } else {
      this.inbox.push({ dispatch })
    }
  }

  receivedText(text) {
    let dispatch
    try {
      dispatch = JSON.parse(text)
    } catch {
      this.inbox.push({ garbage: text })
      return
    }
    this.received(dispatch)
  }
}

export class TcpPeer extends Peer {
  #socket
  #rest = []

  constructor(socket, version) {
    super(version)
    this.#socket = socket.setNoDelay(true)
    socket.on('data', (chunk) => this.arrived(chunk))
    socket.on('error', () => {})
    socket.on('close', () => this.inbox.close())
  }

  static async open({ host, port }, version, patienceMs) {
    return new this(await dial(host, port, Date.now() + patienceMs), version)
  }

  send(dispatch) {
    this.write(`${JSON.stringify(dispatch)}\n`)
  }

  /** Resolves once the bytes have left, so that two writes are two chunks. */
  write(bytes) {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()))
  }

  pause() {
    this.#socket.pause()
  }

  close() {
    return this.#closed(() => this.#socket.end())
  }

  reset() {
    return this.#closed(() => this.#socket.resetAndDestroy())
  }

  #closed(action) {
    if (this.#socket.destroyed) return Promise.resolve()
    const closed = new Promise((resolve) => this.#socket.once('close', resolve))
    action()
    return Promise.race([closed, sleep(500)]).then(() => this.#socket.destroy())
  }

  arrived(chunk) {
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#rest.push(chunk.subarray(start, end))
      this.receivedText(Buffer.concat(this.#rest.splice(0)).toString('utf8'))
      start = end + 1
    }
    if (start < chunk.length) this.#rest.push(chunk.subarray(start))
  }
}

/** Speaks CBOR items one after the other (RFC 8742) instead of lines. */
export class TcpCborPeer extends TcpPeer {
  #rest = Buffer.alloc(0)

  send(dispatch) {
    this.write(encodeCbor(dispatch))
  }

  arrived(chunk) {
    const { items, rest } = decodeCborSequence(Buffer.concat([this.#rest, chunk]))
    this.#rest = rest
    for (const item of items) this.received(item)
  }
}

/** Tries again while nobody listens: the engine may be starting. */
async function dial(host, port, deadline) {
  try {
    return await new Promise((resolve, reject) => {
      const socket = connectTcp({ host, port }, () => resolve(socket))
      socket.on('error', reject)
    })
  } catch (error) {
    if (Date.now() > deadline) throw error
    await sleep(50)
    return dial(host, port, deadline)
  }
}

export class WsPeer extends Peer {
  #socket
  #isBinary

  constructor(socket, version) {
    super(version)
    this.#socket = socket
    this.#isBinary = socket.protocol === 'jstp.cbor'
    this.subprotocol = socket.protocol
    socket.on('message', (bytes, isBinary) => this.#message(bytes, isBinary))
    socket.on('error', () => {})
    socket.on('close', () => this.inbox.close())
  }

  static async open(url, version, protocols) {
    const { WebSocket } = await import('ws')
    const socket = new WebSocket(url, protocols, { perMessageDeflate: false })
    return new Promise((resolve, reject) => {
      socket.on('open', () => resolve(new WsPeer(socket, version)))
      socket.on('error', reject)
    })
  }

  send(dispatch) {
    this.write(this.#isBinary ? encodeCbor(dispatch) : JSON.stringify(dispatch))
  }

  /** A text is a text message, bytes are a binary one. Given options, this can be part of a message. */
  write(data, options = {}) {
    return new Promise((resolve) => this.#socket.send(data, options, () => resolve()))
  }

  close() {
    return this.#closed(() => this.#socket.close())
  }

  reset() {
    return this.#closed(() => this.#socket.terminate())
  }

  #closed(action) {
    if (this.#socket.readyState === this.#socket.CLOSED) return Promise.resolve()
    const closed = new Promise((resolve) => this.#socket.once('close', resolve))
    action()
    return Promise.race([closed, sleep(500)]).then(() => this.#socket.terminate())
  }

  #message(bytes, isBinary) {
    if (!isBinary) return this.receivedText(bytes.toString('utf8'))
    try {
      return this.received(decodeCbor(bytes))
    } catch (error) {
      return this.inbox.push({ garbage: `${error.message}: ${bytes.toString('hex')}` })
    }
  }
}
