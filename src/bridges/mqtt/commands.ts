// Commands to what is behind a broker: what to publish, and what proves that it was done (C9.3, design §9.25). An echo
// counts only when it is live and came after the broker had taken the command; one command at a time for each property.

import type { Json } from '../../core/dispatch.ts'
import { JstpError, STATUS } from '../../core/status.ts'
import { canonical, check } from '../../device/values.ts'
import type { Described, Outcome, Publication } from './declaration.ts'
import type { Held } from './held.ts'
import { isData } from './payload.ts'

/** What to publish. `confirm: 'none'`: nothing will tell what became of it. */
export interface Command extends Publication {
  id: number
  confirm: 'echo' | 'reply' | 'none'
}

interface Pending {
  id: number
  held: Held
  wanted: Json
  confirm: Command['confirm']
  /** The broker has taken it: what is heard from now on may be its echo. */
  published: boolean
}

export class PendingCommands {
  /** By property: one at a time. */
  #pending = new Map<string, Pending>()
  #byId = new Map<number, Pending>()
  #last = 0
  #settle: (command: number, outcome: Outcome) => void

  constructor(settle: (command: number, outcome: Outcome) => void) {
    this.#settle = settle
  }

  get size(): number {
    return this.#pending.size
  }

  /**
   * The command for a PUT. It is open until `settle` was called or `forget`.
   * @throws {JstpError} 404 not settable; 400 `range`, or `busy` while another is open for this property
   */
  begin(held: Held, body: Json | undefined, where: string): Command {
    const { setter, described } = held.property
    if (!setter) throw new JstpError(STATUS.NOT_FOUND, `${where} can't be set`)
    const wanted = check(described, body, where)
    const key = keyOf(held)
    if (this.#pending.has(key)) {
      throw new JstpError(
        STATUS.BAD_DISPATCH,
        `${where} is being set by somebody else; try again when that has ended`,
        {
          code: 'busy',
        },
      )
    }
    const id = ++this.#last
    const { topic, qos, confirm, encode } = setter
    const payload = encode(wanted, id)
    const pending = { id, held, wanted, confirm, published: false }
    this.#pending.set(key, pending)
    this.#byId.set(id, pending)
    return { id, topic, payload, qos, confirm }
  }

  /** The broker has taken it. */
  published(id: number): void {
    const pending = this.#byId.get(id)
    if (!pending) return
    pending.published = true
    if (pending.confirm === 'none') this.#end(pending, { is: 'sent' })
  }

  /** A live value of a property. */
  heard(held: Held, value: Json): void {
    const pending = this.#pending.get(keyOf(held))
    if (!pending?.published || pending.confirm === 'none') return
    if (isEcho(value, pending.wanted, held.property.described)) this.#end(pending, { is: 'confirmed', value })
  }

  /** The other side has answered the tag of a command. `error`: why it refused. */
  replied(tag: number, error?: string): void {
    const pending = this.#byId.get(tag)
    if (pending?.confirm !== 'reply') return
    this.#end(
      pending,
      error === undefined ? { is: 'confirmed', value: pending.wanted } : { is: 'refused', message: error },
    )
  }

  /** Nobody waits for it any more. */
  forget(id: number): void {
    const pending = this.#byId.get(id)
    if (pending) this.#remove(pending)
  }

  #end(pending: Pending, outcome: Outcome): void {
    this.#remove(pending)
    this.#settle(pending.id, outcome)
  }

  #remove({ id, held }: Pending): void {
    this.#byId.delete(id)
    this.#pending.delete(keyOf(held))
  }
}

function keyOf({ device, property }: Held): string {
  return `${device.id}/${property.id}`
}

/** Numbers come back rounded to the steps of the device; objects with more than was set. */
function isEcho(value: Json, wanted: Json, described: Described): boolean {
  if (typeof value === 'number' && typeof wanted === 'number') {
    const tolerance = described.step ? described.step / 2 : Math.abs(wanted) * 1e-6 + 1e-9
    return Math.abs(value - wanted) <= tolerance
  }
  if (isData(value) && isData(wanted)) {
    return Object.entries(wanted).every(
      ([key, part]) => Object.hasOwn(value, key) && isEcho(value[key] as Json, part, described),
    )
  }
  return canonical(value) === canonical(wanted)
}
