// Whether something is there: every parent must be up (C9.5), and each says so on a topic of its own.

import type { Availability, Gate } from './declaration.ts'
import type { Payload } from './payload.ts'

/** A gate that is listened to, shared by all who depend on it. */
export interface GateState<User> {
  gate: Gate
  /** `undefined`: it has said nothing so far. */
  up: boolean | undefined
  /** When it spoke last, as a count. */
  order: number
  users: Set<User>
}

/** What one user depends on: all of these must be up. */
export type Groups<User> = { mode: Availability['mode']; gates: GateState<User>[] }[]

export function isUp<User>(groups: Groups<User>): boolean {
  return groups.every(({ mode, gates }) => {
    if (gates.length === 0) return true
    if (mode === 'all') return gates.every(says)
    if (mode === 'any') return gates.some(says)
    return says(gates.reduce((last, gate) => (gate.order > last.order ? gate : last)))
  })
}

function says<User>({ up, gate }: GateState<User>): boolean {
  return up ?? gate.presumed
}

/** Where gates are listened to. */
interface GateRoutes<User> {
  add(topic: string, listener: GateState<User>, again: boolean): boolean
  remove(topic: string, listener: GateState<User>): void
}

export class Gates<User> {
  #routes: GateRoutes<User>
  #gates = new Map<string, GateState<User>>()
  #order = 0

  constructor(routes: GateRoutes<User>) {
    this.#routes = routes
  }

  get size(): number {
    return this.#gates.size
  }

  /** The states of what a user depends on; `undefined` when there is no room to listen to them. */
  hold(user: User, availability: Availability[]): Groups<User> | undefined {
    const groups: Groups<User> = []
    for (const { mode, gates } of availability) {
      const held: GateState<User>[] = []
      groups.push({ mode, gates: held })
      for (const gate of gates) {
        const state = this.#intern(gate)
        if (!state) {
          this.release(user, groups)
          return undefined
        }
        state.users.add(user)
        held.push(state)
      }
    }
    return groups
  }

  release(user: User, groups: Groups<User>): void {
    for (const state of groups.flatMap(({ gates }) => gates)) {
      state.users.delete(user)
      if (state.users.size > 0) continue
      this.#gates.delete(keyOf(state.gate))
      this.#routes.remove(state.gate.topic, state)
    }
  }

  /** True when it has said something. Even what it has said before may count anew, where the latest holds. */
  hear(state: GateState<User>, payload: Payload): boolean {
    const up = state.gate.read(payload)
    if (up === undefined) return false
    state.order = ++this.#order
    state.up = up
    return true
  }

  #intern(gate: Gate): GateState<User> | undefined {
    const known = this.#gates.get(keyOf(gate))
    if (known) return known
    const state: GateState<User> = { gate, up: undefined, order: 0, users: new Set() }
    if (!this.#routes.add(gate.topic, state, true)) return undefined
    this.#gates.set(keyOf(gate), state)
    return state
  }
}

function keyOf(gate: Gate): string {
  return `${gate.topic} ${gate.key}`
}
