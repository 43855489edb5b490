// The contexts that are alive (spec B6, R7, R18): how many, how long, and which one is spoken in.

import type { Clock } from '../core/clock.ts'
import type { Context } from './context.ts'

const PER_KEY = 4
const ALL = 256
const UNCONFIRMED = 16
const HANDSHAKE = 30_000
const OVERLAP = 30_000
const FAILED = 2 ** 20
const ACTING = 20 * 60_000
const READING = 60 * 60_000
/** A sender gives up a context before any receiver would. */
const SENDING = ACTING - 10_000
const RENEW = 15 * 60_000

export class Contexts {
  #clock: Clock
  #mayAct: (key: string) => boolean
  #byId = new Map<string, Context>()
  #byKey = new Map<string, Context[]>()

  /** @param mayAct whether that key may do anything but read here: then its contexts live shorter. */
  constructor(clock: Clock, mayAct: (key: string) => boolean) {
    this.#clock = clock
    this.#mayAct = mayAct
  }

  get size(): number {
    return this.#byId.size
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  /** One that is alive, by the `i` under which we receive. */
  find(id: string): Context | undefined {
    const context = this.#byId.get(id)
    if (!context || this.#isAlive(context)) return context
    this.#drop(context)
    return undefined
  }

  /** `false`: no room. A key makes room only among its own. */
  add(context: Context): boolean {
    const { text } = context.peer
    const own = () => this.#byKey.get(text) ?? []
    const isRoom = () => {
      if (own().length >= PER_KEY || this.#byId.size >= ALL) return false
      return context.confirmed || this.#unconfirmed() < UNCONFIRMED
    }
    if (!isRoom()) this.tick()
    if (!isRoom()) {
      const list = own()
      const oldest =
        list.find(({ confirmed }) => !confirmed) ?? (list.length >= PER_KEY ? list[0] : undefined)
      if (oldest) this.#drop(oldest)
    }
    if (!isRoom()) return false
    this.#byId.set(context.id, context)
    this.#byKey.set(text, [...own(), context])
    if (context.confirmed) this.#retireOlder(context)
    return true
  }

  /** The other side has proven that it has the keys. */
  confirm(context: Context): void {
    context.confirmed = true
    this.#retireOlder(context)
  }

  /** The newest that can be sent in. */
  best(key: string): Context | undefined {
    const list = this.#byKey.get(key)
    if (!list) return undefined
    const now = this.#clock.now()
    for (let i = list.length - 1; i >= 0; i--) {
      const context = list[i] as Context
      const isYoung = now - context.created < SENDING && now < context.retires
      if (context.confirmed && isYoung && !context.send.isUsedUp) return context
    }
    return undefined
  }

  /** It works still, but it is time for a new one. */
  isAging({ created, send }: Context): boolean {
    return this.#clock.now() - created >= RENEW || send.next >= 2 ** 31
  }

  failed(context: Context): void {
    context.failed++
    if (context.failed >= FAILED) this.#drop(context)
  }

  /** All of a key: it is not trusted any more. */
  end(key: string): void {
    for (const context of this.#byKey.get(key) ?? []) this.#byId.delete(context.id)
    this.#byKey.delete(key)
  }

  tick(): void {
    for (const context of [...this.#byId.values()]) if (!this.#isAlive(context)) this.#drop(context)
  }

  /** Those who have a context. */
  keys(): string[] {
    return [...this.#byKey.keys()]
  }

  #isAlive({ created, confirmed, retires, peer }: Context): boolean {
    const now = this.#clock.now()
    const age = now - created
    if (now >= retires) return false
    return age < (confirmed ? (this.#mayAct(peer.text) ? ACTING : READING) : HANDSHAKE)
  }

  /** Only those that the same side began: else each side might end the one that the other keeps. */
  #retireOlder(newer: Context): void {
    const end = this.#clock.now() + OVERLAP
    for (const context of this.#byKey.get(newer.peer.text) ?? []) {
      if (context === newer) return
      if (context.isInitiator === newer.isInitiator) context.retires = Math.min(context.retires, end)
    }
  }

  #unconfirmed(): number {
    let count = 0
    for (const { confirmed } of this.#byId.values()) if (!confirmed) count++
    return count
  }

  #drop(context: Context): void {
    const { text } = context.peer
    this.#byId.delete(context.id)
    const rest = (this.#byKey.get(text) ?? []).filter((it) => it !== context)
    if (rest.length > 0) this.#byKey.set(text, rest)
    else this.#byKey.delete(text)
  }
}
