// Requests to a microcontroller and their answers, over all its sessions and reboots: nothing is executed twice, a stop
// overtakes everything, and every request ends (LINK.md 3, "Once only"; design §9.26).

import type { Cancel, Clock } from '../../../core/clock.ts'
import type { Element, Json } from '../../../core/dispatch.ts'
import { JstpError, STATUS } from '../../../core/status.ts'
import { LinkError } from '../../../device/link.ts'
import { outOfRange } from '../../../device/values.ts'
import type { Method } from './catalogue.ts'
import { CborError, cborEncode } from './cbor.ts'

/** Requests that wait to be sent, and that wait for their answer. */
const QUEUE = 32
const OPEN = 64
/** Milliseconds that a stop waits for room in the session. */
const STOP = 100

const NUMBERS = { GET: 1, POST: 2, PUT: 3, PATCH: 4, DELETE: 5, BIND: 6, RELEASE: 7 }
export const ANSWER = 8

export interface Ask {
  method: Method | 'BIND' | 'RELEASE'
  path: Element[]
  body?: Json
  /** Milliseconds until it is given up. */
  ms: number
  /** It overtakes what waits, and whatever would move something after it is given up. */
  urgent?: boolean
  /** It is about the link itself, and goes before what people ask. */
  internal?: boolean
  /** Called when its bytes may have reached the other side. */
  reached?(): void
}

export interface Reply {
  status: number
  body: Json
}

/** What requests need of a session. */
export interface Sender {
  readonly isUp: boolean
  readonly hasRoom: boolean
  readonly room: number
  send(payload: Uint8Array): void
  restart(cause: string): void
}

interface Open {
  ask: Ask
  tx: number
  /** Its bytes may have reached the other side. */
  sent: boolean
  /** Executing it once more would do harm: a stop came after it. */
  stopped: boolean
  resolve(reply: Reply): void
  reject(error: unknown): void
  cancel: Cancel
}

export class Requests {
  #clock: Clock
  #sender: Sender
  #aliasOf: (path: Element[]) => number | undefined
  #tx: number
  /** In the order in which they will be sent. */
  #queue: Open[] = []
  /** Sent and not answered, in the order in which they were sent. */
  #open = new Map<number, Open>()
  /** The last one sent: the other side keeps its answer. */
  #last = 0
  #hurry: Cancel | undefined

  /** @param start a random number from 0 up to 1: where the transactions of this life begin */
  constructor(clock: Clock, sender: Sender, start: number, aliasOf: (path: Element[]) => number | undefined) {
    this.#clock = clock
    this.#sender = sender
    this.#aliasOf = aliasOf
    this.#tx = Math.floor(start * 0xffff)
  }

  get size(): number {
    return this.#queue.length + this.#open.size
  }

  /**
   * @throws {LinkError} `offline`: not sent; `timeout`: sent, and not answered in time; `lost`: sent, and the other side
   * has restarted before it answered
   * @throws {JstpError} 400 `range`, 400 `busy`, 500 `not-executed`
   */
  ask(ask: Ask): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const open: Open = {
        ask,
        tx: 0,
        sent: false,
        stopped: false,
        resolve,
        reject,
        cancel: this.#clock.after(ask.ms, () => this.#late(open)),
      }
      if (ask.urgent) this.#stop()
      else if (this.#queue.length >= QUEUE || this.#open.size >= OPEN) {
        open.cancel()
        return reject(
          new JstpError(STATUS.BAD_DISPATCH, `not executed: ${this.size} requests wait for it already`, {
            code: 'busy',
          }),
        )
      }
      // Before all that matters less, after all that matters as much.
      const at = this.#queue.findIndex((other) => weight(other.ask) < weight(ask))
      this.#queue.splice(at < 0 ? this.#queue.length : at, 0, open)
      this.pump()
      if (ask.urgent && !open.sent) this.#rush(open)
    })
  }

  /** Sends what there is room for. */
  pump(): void {
    while (this.#queue.length > 0 && this.#sender.hasRoom) this.#send(this.#queue.shift() as Open)
    if (!this.#queue.some(({ ask }) => ask.urgent)) this.#relax()
  }

  /** A new session: what was sent in an old one is asked again if that does no harm. */
  up(isReboot: boolean): void {
    const sent = [...this.#open.values()]
    this.#open.clear()
    // A stop goes first, and then the other side no longer knows what came after it.
    const isStopped = !isReboot && sent.some(({ ask }) => ask.urgent)
    const again: Open[] = []
    for (const open of sent) {
      const { method } = open.ask
      // Of one boot, the other side knows the last request and its answer; anything before it could be done again.
      const isSafe = isReboot ? isIdempotent(method) : open.tx === this.#last && !isBinding(method)
      if (method === 'GET' || open.ask.urgent || (isSafe && !open.stopped && !isStopped)) again.push(open)
      else
        this.#end(open, () =>
          open.reject(
            new LinkError(
              'lost',
              isReboot
                ? 'the microcontroller restarted before it answered'
                : 'the link broke before the answer, and whether it was executed can no longer be found out',
            ),
          ),
        )
    }
    // The last one first: the other side forgets its answer with the next request.
    const last = again.findIndex(({ tx }) => tx === this.#last)
    if (!isReboot && last > 0) again.unshift(...again.splice(last, 1))
    again.sort((a, b) => Number(b.ask.urgent ?? false) - Number(a.ask.urgent ?? false))
    this.#queue.unshift(...again)
  }

  /**
   * What was not sent won't be: nobody waits for a connection (design §9.6).
   * @param isHopeless also a stop
   */
  offline(cause: string, isHopeless: boolean): void {
    const stays = ({ sent, ask }: Open) => sent || (ask.urgent && !isHopeless)
    const fresh = this.#queue.filter((open) => !stays(open))
    this.#queue = this.#queue.filter(stays)
    for (const open of fresh) this.#end(open, () => open.reject(new LinkError('offline', cause)))
  }

  /** An answer has come. `false`: nobody waits for it. */
  take(tx: number, reply: Reply): boolean {
    const open = this.#open.get(tx)
    if (!open) return false
    this.#open.delete(tx)
    this.#end(open, () => open.resolve(reply))
    return true
  }

  close(): void {
    this.#relax()
    for (const open of [...this.#queue.splice(0), ...this.#open.values()]) {
      this.#end(open, () =>
        open.reject(
          open.sent
            ? new LinkError('lost', 'this engine has ended the link before the answer')
            : new LinkError('offline', 'this engine has ended the link'),
        ),
      )
    }
    this.#open.clear()
  }

  #send(open: Open): void {
    if (!open.sent) open.tx = this.#nextTx()
    let payload: Uint8Array
    try {
      payload = cborEncode(this.#dispatchOf(open))
      if (payload.length > this.#sender.room) throw new CborError(this.#tooLong(payload.length))
    } catch (error) {
      if (!(error instanceof CborError)) throw error
      return this.#end(open, () => open.reject(outOfRange(`${open.ask.path.join('/')}: ${error.message}`)))
    }
    open.sent = true
    this.#last = open.tx
    this.#open.set(open.tx, open)
    open.ask.reached?.()
    this.#sender.send(payload)
  }

  #tooLong(bytes: number): string {
    return `with this body the request has ${bytes} bytes; the microcontroller takes ${this.#sender.room}`
  }

  #dispatchOf({ ask, tx }: Open): Json {
    const { method, path, body } = ask
    const number = NUMBERS[method]
    const more = body === undefined ? [] : [body]
    if (method === 'BIND' || method === 'RELEASE') return [number, tx, 0, path, ...more]
    return [number, tx, this.#aliasOf(path) ?? path, ...more]
  }

  /** From 1 to 65535, none that is open. */
  #nextTx(): number {
    do this.#tx = (this.#tx % 0xffff) + 1
    while (this.#open.has(this.#tx) || this.#queue.some(({ tx }) => tx === this.#tx))
    return this.#tx
  }

  /** After a stop nothing may move that was asked before it. */
  #stop(): void {
    for (const open of this.#open.values()) open.stopped = true
    const overtaken = this.#queue.filter(({ ask }) => !ask.urgent && ask.method !== 'GET' && !ask.internal)
    this.#queue = this.#queue.filter((open) => !overtaken.includes(open))
    for (const open of overtaken) {
      const error = open.sent
        ? new LinkError('lost', 'a stop came before its answer')
        : new JstpError(STATUS.FAILED, 'not executed: a stop has overtaken it', { code: 'not-executed' })
      this.#end(open, () => open.reject(error))
    }
  }

  /** What the other side has not acknowledged stands before a stop: a new session is the way round it. */
  #rush(open: Open): void {
    this.#hurry ??= this.#clock.after(Math.min(STOP, open.ask.ms / 2), () => {
      this.#relax()
      if (this.#sender.isUp) this.#sender.restart('a stop does not wait for what was sent before it')
    })
  }

  #relax(): void {
    this.#hurry?.()
    this.#hurry = undefined
  }

  #late(open: Open): void {
    this.#queue = this.#queue.filter((other) => other !== open)
    if (this.#open.get(open.tx) === open) this.#open.delete(open.tx)
    open.reject(
      open.sent
        ? new LinkError('timeout', `no answer within ${Math.round(open.ask.ms)} ms`)
        : new LinkError('offline', `it could not be sent within ${Math.round(open.ask.ms)} ms`),
    )
  }

  #end(open: Open, settle: () => void): void {
    open.cancel()
    settle()
  }
}

function weight({ urgent, internal }: Ask): number {
  return urgent ? 2 : internal ? 1 : 0
}

/** A new session has none, and a repeat would be answered from memory: they are asked for anew. */
function isBinding(method: Ask['method']): boolean {
  return method === 'BIND' || method === 'RELEASE'
}

function isIdempotent(method: Ask['method']): boolean {
  return method === 'GET' || method === 'PUT' || method === 'DELETE'
}
