// The connections of this process, by where they go: whether there is one, and why not. An observer is not told when its
// connection ends, for the engine makes a new one by itself; who looks on wants to know at once.

import type { Channel } from '../core/channel.ts'
import type { Hop } from '../core/dispatch.ts'
import { nameOf } from '../core/route.ts'
import type { Transport } from '../core/transport.ts'

export class Links {
  #open = new Map<string, Channel[]>()
  #failures = new Map<string, string>()

  /** The same transport, whose connections are known here. */
  watch(transport: Transport): Transport {
    const { label } = transport
    return {
      ...transport,
      dial: async (address, port, accept, signal) => {
        const name = nameOf({ address, port, transport: label })
        try {
          const channel = await transport.dial(address, port, accept, signal)
          this.#open.set(name, [...this.#channels(name), channel])
          this.#failures.delete(name)
          return channel
        } catch (error) {
          this.#failures.set(name, (error as Error).message)
          throw error
        }
      },
    }
  }

  /** Whether there is a connection to where that way begins. */
  isConnected(to: Hop[]): boolean {
    return this.#channels(startOf(to)).length > 0
  }

  /** Why it could not be connected the last time, for people. */
  failureOf(to: Hop[]): string | undefined {
    return this.#failures.get(startOf(to))
  }

  #channels(name: string): Channel[] {
    return this.#open.get(name)?.filter(({ closed }) => !closed) ?? []
  }
}

function startOf([hop]: Hop[]): string {
  if (!Array.isArray(hop)) return ''
  const [address, port, transport] = hop
  return nameOf({ address, port, transport })
}
