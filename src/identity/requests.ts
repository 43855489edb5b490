// What we have asked and is not answered (spec B8): an answer counts only for one of these, and only in its protection.

import type { Dispatch } from '../core/dispatch.ts'
import { JstpError, STATUS } from '../core/status.ts'
import type { Context } from './context.ts'
import type { Peer } from './peers.ts'
import type { Exchange } from './provider.ts'
import type { Mode } from './rights.ts'

const OPEN = 10_000

export interface Pending {
  peer: Peer
  /** base64url */
  ref: string
  transaction: string
  mode: Mode
  /** Of `ctx`: the one it went out in. */
  context: Context | undefined
  /** Of `seal`: the key that the answer is sealed to, and its name as text. */
  rk: { exchange: Exchange; k: Uint8Array; name: string } | undefined
  /** As it was before it was protected. */
  dispatch: Dispatch
  /** How often it was protected again. */
  tries: number
  /** A one-time challenge to give back in the next try. */
  ch: string | undefined
  /** A stronger mode that the next try needs. */
  raise: Mode | undefined
}

/** What holds of a first try in `sign`. */
export const NEVER_TRIED = { context: undefined, rk: undefined, tries: 0, ch: undefined, raise: undefined }

export class Requests {
  #open = new Map<string, Pending>()
  #byKey = new Map<string, Pending>()
  #byTransaction = new Map<string, Set<Pending>>()

  get size(): number {
    return this.#open.size
  }

  /** @throws {JstpError} 500 when too many are open. */
  open(pending: Pending): void {
    if (this.#open.size >= OPEN) {
      throw new JstpError(STATUS.FAILED, `more than ${OPEN} protected requests are open`, { code: 'full' })
    }
    this.#open.set(keyOf(pending.peer, pending.ref), pending)
    if (pending.rk) this.#byKey.set(pending.rk.name, pending)
    const alike = this.#byTransaction.get(pending.transaction) ?? new Set<Pending>()
    this.#byTransaction.set(pending.transaction, alike.add(pending))
  }

  find(peer: Peer, ref: string): Pending | undefined {
    return this.#open.get(keyOf(peer, ref))
  }

  /** By the name of the one-time key. */
  sealedTo(name: string): Pending | undefined {
    return this.#byKey.get(name)
  }

  /** What an unprotected answer may be about. */
  about(transaction: string): Pending[] {
    return [...(this.#byTransaction.get(transaction) ?? [])]
  }

  /** No more answers are wanted, to none of the tries. */
  end({ peer, transaction }: Pending): void {
    for (const pending of this.about(transaction)) if (pending.peer === peer) this.#close(pending)
  }

  #close(pending: Pending): void {
    if (!this.#open.delete(keyOf(pending.peer, pending.ref))) return
    if (pending.rk) this.#byKey.delete(pending.rk.name)
    const alike = this.#byTransaction.get(pending.transaction)
    alike?.delete(pending)
    if (alike?.size === 0) this.#byTransaction.delete(pending.transaction)
  }
}

function keyOf({ text }: Peer, ref: string): string {
  return `${text} ${ref}`
}
