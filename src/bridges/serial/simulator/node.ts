// A microcontroller that isn't there: the node's end of the link, as firmware-bridge/LINK.md says. What it has and does are
// rows of a table, as in the C library.

import type { Cancel, Clock } from '../../../core/clock.ts'
import type { Element, Json } from '../../../core/dispatch.ts'
import { Arq } from '../link/arq.ts'
import { cborDecode, cborEncode } from '../link/cbor.ts'
import { encodeFrame, type Frame, OVERHEAD, Splitter } from '../link/frame.ts'

/** One resource; its place in the table is its alias. */
export interface Row {
  path: Element[]
  /** Of `CAN`, added up. */
  bits: number
  unit?: string
  range?: [min: number, max: number]
  /** Answers one of `METHOD`. With GET it only looks: it is also called for reports. */
  call(method: number, body: Json): [status: number, body: Json]
}

export const CAN = { GET: 1, POST: 2, PUT: 4, PATCH: 8, DELETE: 16, BIND: 32, EVENT: 64 }
export const METHOD = { GET: 1, POST: 2, PUT: 3, PATCH: 4, DELETE: 5, BIND: 6, RELEASE: 7, ANSWER: 8 }

export interface SimulatedNodeOptions {
  name: string
  rows: Row[]
  /** Bytes for the host. */
  send(bytes: Uint8Array): void
  /** The host has been silent for long: nothing may move on by itself. */
  makeSafe(): void
  /** 1 to 3. */
  window?: number
  /** It can't take a dispatch now. */
  isBusy?(): boolean
}

/** Bytes of a frame: as on an ATmega328P. */
const LARGEST = 96
/** Milliseconds from one HELLO to the next without a session, without a frame, and at a new speed. */
const BEACON = 1000
const SILENCE = 5000
const TRIAL = 1000
/** Milliseconds between two looks at what is bound, if the host doesn't say. */
const PERIOD = 100

export class SimulatedNode {
  /** Bits per second with which it starts, and those that it has now. */
  startSpeed = 115_200
  speed = 115_200
  boot = 0
  window: number
  /** Speeds that it can go to. */
  speeds = [115_200, 500_000, 250_000, 1_000_000, 57_600, 38_400, 9600]
  /** How often it was made safe. */
  safe = 0
  readonly rows: Row[]
  #clock: Clock
  #options: SimulatedNodeOptions
  #splitter: Splitter
  #arq: Arq
  #sid = 0
  #expected = 0
  #seq = 0
  #hasNakked = false
  #hasRefused = false
  /** Accepted while an answer is still out. */
  #queue: Uint8Array[] = []
  /** The last command, and what was answered. */
  #kept: { tx: number; content: string; status: number; answer: Uint8Array } | undefined
  #binds = new Map<number, { last: string; cancel: Cancel }>()
  #timers: Record<'beacon' | 'silence', Cancel> = { beacon() {}, silence() {} }

  constructor(clock: Clock, options: SimulatedNodeOptions) {
    this.#clock = clock
    this.#options = options
    this.rows = options.rows
    this.window = options.window ?? 1
    this.#splitter = new Splitter({
      frame: (frame) => this.#frame(frame),
      console: () => {},
      damaged: () => this.#sid !== 0 && this.#nak(),
    })
    this.#arq = new Arq(clock, {
      transmit: (number, repeated, payload) =>
        this.#write({ sid: this.#sid, type: 'data', number, repeated, next: this.#expected, payload }),
      room: () => this.#drain(),
      failed: () => this.#endSession(),
    })
  }

  /** Power comes, or comes back. */
  start(): void {
    this.stop()
    this.boot = (this.boot + 1) & 0xffff
    this.speed = this.startSpeed
    this.#kept = undefined
    this.#splitter.reset()
    this.#endSession()
  }

  /** Power goes: no timer stays. */
  stop(): void {
    this.#beginSession(0)
    for (const cancel of Object.values(this.#timers)) cancel()
  }

  /** Bytes from the host. */
  take(bytes: Uint8Array): void {
    this.#splitter.take(bytes)
  }

  /** How many resources somebody is bound to. */
  get bound(): number {
    return this.#binds.size
  }

  /** Something has happened: reported with what its GET answers, if somebody is bound. */
  happened(alias: number): void {
    if (this.#binds.has(alias)) this.#report(alias)
  }

  /** @param level 0 debug, 1 info, 2 warning, 3 error */
  log(level: number, text: string): void {
    if (this.#sid !== 0) this.#write({ sid: this.#sid, type: 'log', level, text })
  }

  /** 0: none. */
  #beginSession(sid: number): void {
    this.#timers.beacon()
    this.#sid = sid
    this.#expected = 0
    this.#seq = 0
    this.#hasNakked = false
    this.#hasRefused = false
    this.#queue = []
    this.#arq.reset(1)
    for (const { cancel } of this.#binds.values()) cancel()
    this.#binds.clear()
  }

  #endSession(): void {
    this.#beginSession(0)
    this.#beacon()
  }

  #beacon(): void {
    this.#hello()
    this.#timers.beacon = this.#clock.after(BEACON, () => this.#beacon())
  }

  #hello(): void {
    const { boot, window } = this
    const { name } = this.#options
    this.#write({
      sid: this.#sid,
      type: 'hello',
      version: 1,
      boot,
      maxFrame: LARGEST,
      window,
      cause: 1,
      name,
    })
  }

  #heard(patience = SILENCE): void {
    this.#timers.silence()
    this.#timers.silence = this.#clock.after(patience, () => {
      this.safe++
      this.#options.makeSafe()
      this.speed = this.startSpeed
      this.#endSession()
    })
  }

  #frame(frame: Frame): void {
    if (frame.type === 'rst') {
      if (frame.sid === 0) return
      this.#beginSession(frame.sid)
      this.#heard()
      return this.#hello()
    }
    if (this.#sid === 0 || frame.sid !== this.#sid) return this.#hello()
    this.#heard()
    switch (frame.type) {
      case 'data':
        this.#arq.acknowledge(frame.next)
        this.#drain()
        return this.#data(frame.number, frame.payload)
      case 'ack':
        this.#arq.acknowledge(frame.next)
        return this.#drain()
      case 'nak':
        this.#arq.missing(frame.next)
        return this.#drain()
      case 'ping':
        return this.#write({ sid: this.#sid, type: 'pong', payload: frame.payload })
      case 'setbaud':
        return this.#turn(frame.speed)
      default:
    }
  }

  #data(number: number, payload: Uint8Array): void {
    const ahead = (number - this.#expected) & 7
    if (ahead > 0) {
      if (ahead < this.window) this.#nak()
      else if (this.#arq.isOpen) this.#arq.repeat()
      else this.#acknowledge(true)
      return
    }
    if (this.#options.isBusy?.()) return this.#acknowledge(false)
    // The host, that has but one unacknowledged, repeats it.
    if (this.#arq.isOpen && this.window === 1) return
    if (this.#arq.isOpen && this.#queue.length >= this.window - 1) {
      this.#hasRefused = true
      return this.#acknowledge(false)
    }
    this.#expected = (this.#expected + 1) & 7
    this.#hasNakked = false
    if (!this.#arq.isOpen) return this.#execute(payload)
    this.#queue.push(Uint8Array.from(payload))
    this.#acknowledge(true)
  }

  /** Goes on with what had to wait for the answer before it. */
  #drain(): void {
    if (this.#sid === 0 || this.#arq.isOpen) return
    const first = this.#queue.shift()
    if (first) this.#execute(first)
    if (!this.#hasRefused) return
    this.#hasRefused = false
    this.#write({ sid: this.#sid, type: 'nak', next: this.#expected })
  }

  #execute(payload: Uint8Array): void {
    const answer = this.#answer(payload)
    if (answer) this.#arq.send(answer)
    else this.#acknowledge(true)
  }

  /** The bytes of the answer, if one is wanted. */
  #answer(payload: Uint8Array): Uint8Array | undefined {
    const dispatch = decode(payload)
    if (!dispatch) return undefined
    const { method, tx, resource, body } = dispatch
    const isCommand = method > METHOD.GET && method < METHOD.BIND && tx !== 0
    const content = Buffer.from(payload).toString('hex')
    if (isCommand && this.#kept?.tx === tx && this.#kept.content === content) return this.#kept.answer
    const [status, said] = this.#decide(method, resource, body)
    let answer = cborEncode([METHOD.ANSWER, tx, status, said])
    if (answer.length > LARGEST - OVERHEAD) answer = cborEncode([METHOD.ANSWER, tx, 500, null])
    if (tx === 0) return undefined
    // There is memory for one answer; of the one before its status is left.
    if (isCommand) this.#kept = { tx, content, status, answer }
    else if (this.#kept)
      this.#kept.answer = cborEncode([METHOD.ANSWER, this.#kept.tx, this.#kept.status, null])
    return answer
  }

  #decide(method: number, resource: Json, body: Json): [status: number, body: Json] {
    if (Array.isArray(resource) && resource.length === 0) {
      return method === METHOD.GET ? [200, this.#page(typeof body === 'number' ? body : 0)] : [405, null]
    }
    const key = Array.isArray(resource) ? resource.join('/') : undefined
    const alias =
      key === undefined ? Number(resource) : this.rows.findIndex(({ path }) => path.join('/') === key)
    const row = this.rows[alias]
    if (!row) return [404, null]
    const bit = method < METHOD.BIND ? 1 << (method - 1) : CAN.BIND
    if (!(row.bits & bit)) return [405, null]
    if (method >= METHOD.BIND) {
      this.#release(alias)
      if (method === METHOD.BIND) this.#bind(alias, Number(body) || PERIOD)
      return [200, null]
    }
    const isSet = (bit & (CAN.POST | CAN.PUT | CAN.PATCH)) !== 0
    if (row.range && isSet && !isWithin(body, row.range)) return [400, null]
    return row.call(method, body)
  }

  /** As many entries as fit into a frame. */
  #page(start: number): Json {
    const page: Json[] = []
    for (const [at, { path, bits, unit = '', range = [0, 0] }] of this.rows.slice(start).entries()) {
      page.push([start + at, path as Json[], bits, unit, ...range])
      if (cborEncode([METHOD.ANSWER, 0xffff, 200, page]).length <= LARGEST - OVERHEAD) continue
      page.pop()
      break
    }
    return page
  }

  #bind(alias: number, period: number): void {
    const isEvent = ((this.rows[alias] as Row).bits & CAN.EVENT) !== 0
    const look = () => {
      this.#report(alias)
      bind.cancel = this.#clock.after(period, look)
    }
    const bind = { last: '', cancel: isEvent ? () => {} : this.#clock.after(0, look) }
    this.#binds.set(alias, bind)
  }

  #release(alias: number): void {
    this.#binds.get(alias)?.cancel()
    this.#binds.delete(alias)
  }

  #report(alias: number): void {
    const bind = this.#binds.get(alias)
    const row = this.rows[alias]
    if (!bind || !row) return
    const [status, body] = row.call(METHOD.GET, null)
    const said = JSON.stringify(body)
    if (status !== 200 || (said === bind.last && !(row.bits & CAN.EVENT))) return
    bind.last = said
    const payload = cborEncode([METHOD.PATCH, 0, alias, body])
    this.#write({ sid: this.#sid, type: 'event', seq: this.#seq, payload })
    this.#seq = (this.#seq + 1) & 0xff
  }

  /** Back again if nothing is heard at the new speed. */
  #turn(speed: number): void {
    if (!this.speeds.includes(speed)) return
    this.#write({ sid: this.#sid, type: 'setbaud-ok', speed })
    this.#heard(TRIAL)
    this.speed = speed
  }

  #acknowledge(ready: boolean): void {
    this.#write({ sid: this.#sid, type: 'ack', next: this.#expected, ready })
  }

  #nak(): void {
    if (this.#hasNakked) return
    this.#hasNakked = true
    this.#write({ sid: this.#sid, type: 'nak', next: this.#expected })
  }

  #write(frame: Frame): void {
    this.#options.send(encodeFrame(frame))
  }
}

function isWithin(body: Json, [min, max]: [min: number, max: number]): boolean {
  return Number.isInteger(body) && (body as number) >= min && (body as number) <= max
}

/** `undefined`: it is no dispatch. */
function decode(payload: Uint8Array): { method: number; tx: number; resource: Json; body: Json } | undefined {
  let dispatch: Json
  try {
    dispatch = cborDecode(payload)
  } catch {
    return undefined
  }
  if (!Array.isArray(dispatch)) return undefined
  const [method, tx, ...rest] = dispatch
  if (typeof method !== 'number' || typeof tx !== 'number' || tx < 0 || tx > 0xffff) return undefined
  if (method < METHOD.GET || method > METHOD.RELEASE) return undefined
  // What to watch is for hosts; here a resource has one kind of report.
  const [resource, body = null] = method >= METHOD.BIND ? rest.slice(1) : rest
  return resource === undefined ? undefined : { method, tx, resource, body }
}
