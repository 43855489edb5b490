// Where one case plays: its peers, listeners and HTTP exchanges, and one method for each verb of the step language.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { chunksOf } from './chunks.mjs'
import { HttpExchange } from './exchange.mjs'
import { Failure, show } from './failure.mjs'
import { Listener } from './listener.mjs'
import { TcpCborPeer, TcpPeer, WsPeer } from './peer.mjs'
import { difference, fill, fillText } from './template.mjs'

export class Stage {
  #peers = new Map()
  #listeners = new Map()
  #exchanges = new Map()

  constructor(options, caseId) {
    this.options = options
    this.vars = {
      case: `${caseId}-${randomUUID().slice(0, 8)}`,
      version: options.speak,
      engineHost: options.tcp.host,
      enginePort: options.tcp.port,
      relayPort: options.relayPort,
    }
  }

  peer(name) {
    if (!this.#peers.has(name)) throw new Error(`no peer ${name}`)
    return this.#peers.get(name)
  }

  async clear() {
    for (const exchange of this.#exchanges.values()) exchange.abort()
    const open = [...this.#peers.values(), ...this.#listeners.values()]
    await Promise.all(open.map((one) => one.close()))
  }

  // Channels

  async connect(names, { over = 'tcp', version = this.options.speak, protocols = [] } = {}) {
    const { tcp, ws, timeoutMs } = this.options
    const open = {
      tcp: () => TcpPeer.open(tcp, version, timeoutMs),
      'tcp-cbor': () => TcpCborPeer.open(tcp, version, timeoutMs),
      ws: () => WsPeer.open(ws, version, protocols),
    }
    for (const name of [names].flat()) {
      this.#peers.set(
        name,
        await open[over]().catch((error) => {
          throw new Failure(`a ${over} connection to the engine`, error.code ?? error.message)
        }),
      )
    }
  }

  close(name) {
    return this.peer(name).close()
  }

  reset(name) {
    return this.peer(name).reset()
  }

  pause(name) {
    this.peer(name).pause()
  }

  subprotocol(name, { is }) {
    const got = this.peer(name).subprotocol
    if (got !== is) throw new Failure(`subprotocol ${is || '(none)'}`, got || '(none)')
  }

  // Sending

  send(name, { dispatch, bare = false }) {
    const peer = this.peer(name)
    const filled = fill(dispatch, this.vars)
    peer.send(bare ? filled : peer.complete(filled))
  }

  /** Lines in one write: dispatches, texts, or lists of texts to be joined. Can be cut into chunks. */
  sendLines(name, { lines, end = '\n', ...cut }) {
    const peer = this.peer(name)
    const text = lines.map((line) => this.#lineText(line, peer) + end).join('')
    return this.#writeCut(peer, Buffer.from(text), cut)
  }

  #lineText(line, peer) {
    if (Array.isArray(line)) return line.map((part) => this.#lineText(part, peer)).join('')
    if (typeof line === 'string') return fillText(line, this.vars).replaceAll("'", '"')
    if ('$times' in line) return fill(line, this.vars)
    return JSON.stringify(peer.complete(fill(line, this.vars)))
  }

  /** One WebSocket text message. */
  sendText(name, { text }) {
    return this.peer(name).write(fillText(text, this.vars).replaceAll("'", '"'))
  }

  sendRaw(name, { hex, ...cut }) {
    return this.#writeCut(this.peer(name), Buffer.from(hex.replaceAll(' ', ''), 'hex'), cut)
  }

  async #writeCut(peer, bytes, { delayMs = 2, ...cut }) {
    for (const [index, chunk] of chunksOf(bytes, cut).entries()) {
      if (index > 0) await sleep(delayMs)
      await peer.write(chunk)
    }
  }

  /** One WebSocket message made of several frames. */
  async sendFragments(name, { dispatch, cutEvery }) {
    const peer = this.peer(name)
    const text = JSON.stringify(peer.complete(fill(dispatch, this.vars)))
    for (let at = 0; at < text.length; at += cutEvery) {
      await peer.write(text.slice(at, at + cutEvery), { fin: at + cutEvery >= text.length })
    }
  }

  async bind(name, { endpoint }) {
    const answer = await this.peer(name).bind(fill(endpoint, this.vars), this.options.settleMs)
    if (answer && answer.resource[0] !== 200) throw new Failure('200 to the BIND', show(answer))
  }

  // Receiving

  async expect(name, { dispatch, ...time }) {
    const got = await this.#next(name, dispatch, time)
    this.#compare(dispatch, got)
    return got
  }

  /** Several dispatches in any order. */
  async expectAll(name, { dispatches, ...time }) {
    const missing = [...dispatches]
    while (missing.length > 0) {
      const got = await this.#next(name, missing, time)
      const index = missing.findIndex((dispatch) => difference(dispatch, got, this.vars) === undefined)
      if (index === -1) throw new Failure(show(missing), show(got))
      missing.splice(index, 1)
    }
  }

  async silent(name, time = {}) {
    const got = await this.peer(name).inbox.next(this.#duration(time, this.options.quietMs))
    if (got) throw new Failure(`nothing at ${name}`, show(got.dispatch ?? got.garbage))
  }

  async closed(name, time = {}) {
    const { inbox } = this.peer(name)
    const deadline = Date.now() + this.#patience(time)
    while (Date.now() < deadline && !inbox.closed) await inbox.next(20)
    if (!inbox.closed) throw new Failure(`the engine to close the channel of ${name}`, 'an open channel')
  }

  /** Either an ANSWER 400 or the end of the channel. */
  async refused(name, time = {}) {
    const { inbox } = this.peer(name)
    const got = await inbox.next(this.#patience(time))
    const isRefusal = got ? got.dispatch?.resource?.[0] === 400 : inbox.closed
    if (!isRefusal) throw new Failure('an ANSWER 400 or a closed channel', got ? show(got) : 'neither')
  }

  async #next(name, expected, time) {
    const { inbox } = this.peer(name)
    const got = await inbox.next(this.#patience(time))
    if (got && 'dispatch' in got) return got.dispatch
    const instead = inbox.closed ? 'a closed channel' : 'nothing'
    throw new Failure(
      `at ${name} ${show(expected)}`,
      got ? `a line that is no dispatch: ${show(got.garbage)}` : instead,
    )
  }

  #compare(expected, got) {
    const path = difference(expected, got, this.vars)
    if (path !== undefined) throw new Failure(show(expected), `${show(got)} (see ${path})`)
  }

  #patience(time) {
    return this.#duration(time, 0) + this.options.timeoutMs
  }

  #duration({ ms, answerTimeouts }, otherwise) {
    if (answerTimeouts !== undefined) return answerTimeouts * this.options.answerTimeoutMs
    return ms ?? otherwise
  }

  // Several steps in one

  /** Two new peers get a dispatch through: the engine has survived. */
  async alive() {
    await this.connect(['(alive 1)', '(alive 2)'])
    const resource = [this.vars.case, 'alive']
    await this.bind('(alive 1)', { endpoint: { method: 'POST', resource } })
    this.send('(alive 2)', { dispatch: { method: 'POST', resource } })
    await this.expect('(alive 1)', { dispatch: { method: 'POST', resource } })
  }

  /** Binds a resource pattern, posts to every resource and compares which ones arrive. */
  async matches(pattern, { hits = [], misses = [] }) {
    await this.connect(['(pattern)', '(poster)'])
    const last = [this.vars.case, 'last']
    await this.bind('(pattern)', { endpoint: { method: 'POST', resource: pattern } })
    await this.bind('(pattern)', { endpoint: { method: 'PATCH', resource: last } })
    for (const resource of [...misses, ...hits])
      this.send('(poster)', { dispatch: { method: 'POST', resource } })
    this.send('(poster)', { dispatch: { method: 'PATCH', resource: last } })
    const arrived = await this.#postsUntilLast()
    const expected = hits.map((hit) => JSON.stringify(fill(hit, this.vars))).join(' ')
    if (arrived !== expected)
      throw new Failure(`for ${show(pattern)} only ${show(expected)}`, show(arrived || 'none'))
    await Promise.all([this.close('(pattern)'), this.close('(poster)')])
  }

  async #postsUntilLast() {
    const arrived = []
    for (;;) {
      const { method, resource } = await this.#next('(pattern)', 'the last dispatch', {})
      if (method.toUpperCase() === 'PATCH') return arrived.join(' ')
      arrived.push(JSON.stringify(resource))
    }
  }

  distinct(names) {
    const values = fill(names, this.vars)
    if (new Set(values).size < values.length) throw new Failure('distinct values', show(values))
  }

  wait(ms) {
    return sleep(ms)
  }

  fail(expected, got) {
    throw new Failure(expected, got)
  }

  // Being a host

  /** Listens where the engine is allowed to forward to, or at any other port. */
  async listen(name, { version = '0.6', anyPort = false } = {}) {
    const listener = new Listener(version)
    this.vars[`${name}Port`] = await listener.open(anyPort ? 0 : this.options.relayPort)
    this.#listeners.set(name, listener)
  }

  /** The engine has called the listener; from here on it is a peer. */
  async called(name, { times = 1 } = {}) {
    const listener = this.#listeners.get(name)
    await listener.waitForCalls(times, this.options.timeoutMs)
    if (listener.calls.length !== times)
      throw new Failure(`${times} connections to ${name}`, listener.calls.length)
    this.#peers.set(name, listener.calls[0])
  }

  async notCalled(name) {
    const listener = this.#listeners.get(name)
    await listener.waitForCalls(1, this.options.quietMs)
    if (listener.calls.length > 0) throw new Failure(`no connection to ${name}`, listener.calls.length)
  }

  // HTTP

  http(name, { request, headers = {}, json, text }) {
    const [method, path] = fillText(request, this.vars).split(' ')
    const type = json === undefined && text === undefined ? {} : { 'content-type': 'application/json' }
    const body = json === undefined ? text : JSON.stringify(fill(json, this.vars))
    const exchange = new HttpExchange(this.options.http, {
      method,
      path,
      headers: { ...type, ...headers },
      body,
    })
    this.#exchanges.set(name, exchange)
  }

  async response(name, { status, type, json, ...time }) {
    const got = await this.#exchanges.get(name).response(this.#patience(time))
    if (!got || got.error) throw new Failure(`HTTP ${show(status)}`, got?.error ?? 'no response')
    const path = difference(status, got.status, this.vars)
    if (path !== undefined) throw new Failure(`HTTP ${show(status)}`, `${got.status} ${show(got.text ?? '')}`)
    const gotType = String(got.headers['content-type'])
    if (type && !gotType.startsWith(type)) throw new Failure(type, gotType)
    if (json !== undefined) this.#compare(json, got.json)
  }

  async event(name, { dispatch }) {
    const got = await this.#exchanges.get(name).event(this.options.timeoutMs)
    if (!got) throw new Failure(`event ${show(dispatch)}`, 'none')
    this.#compare(dispatch, got.dispatch)
  }

  abort(name) {
    this.#exchanges.get(name).abort()
  }
}
