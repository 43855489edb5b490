// A simulator is a thing without the thing: bytes in, bytes out, for any medium. Behind `simulatedLink` it serves
// `simulated: true`; the same object can be carried by a real BLE peripheral, a serial port or a broker.

import type { Cancel, Clock } from '../core/clock.ts'
import { type Link, LinkError, type LinkEvents } from './link.ts'

/** Milliseconds from a write to its confirmation: about one connection interval of BLE. */
const LATENCY = 15
/** Milliseconds between tries to reach a simulator that is away. */
const RETRY = 1000

/** Whoever carries the bytes of a simulator: a link in this process, or a peripheral on a radio. */
export interface Carrier {
  /** The thing says something, in pieces as its medium would cut them. */
  data(bytes: Uint8Array): void
  /** The thing is gone: out of range, unplugged. */
  gone(cause: string): void
}

export interface Simulator {
  /** A host has connected. False: the thing is away, nobody can. */
  connect(carrier: Carrier): boolean
  /** The host has disconnected. The thing goes on with what it does. */
  disconnect(): void
  /** Bytes from the host. False: they were not confirmed (the thing went away, before or after it took them). */
  write(bytes: Uint8Array): boolean
  /** The end of it: no timer stays. */
  close(): void
}

/** A link to a simulator: it connects, breaks and comes back as one over a radio does. */
export function simulatedLink(simulator: Simulator, clock: Clock): Link {
  let events: LinkEvents | undefined
  let connected = false
  let cancel: Cancel = () => {}

  const carrier: Carrier = {
    data: (bytes) => {
      if (connected) events?.data(bytes)
    },
    gone: (cause) => {
      if (!connected) return
      connected = false
      cancel = clock.after(RETRY, connect)
      events?.down(cause)
    },
  }

  function connect() {
    if (!events) return
    connected = simulator.connect(carrier)
    if (connected) return events.up()
    cancel = clock.after(RETRY, connect)
    events.down('the simulator is away; it is tried again every second')
  }

  return {
    open(given) {
      events = given
      cancel = clock.after(0, connect)
    },
    write(bytes) {
      if (!connected) return Promise.reject(new LinkError('offline', 'the simulator is not connected'))
      return new Promise((resolve, reject) => {
        clock.after(LATENCY, () => {
          if (connected && simulator.write(bytes)) return resolve()
          reject(new LinkError('lost', 'the simulator went away before it confirmed the write'))
        })
      })
    },
    async close() {
      cancel()
      if (connected) simulator.disconnect()
      connected = false
      events = undefined
      simulator.close()
    },
  }
}
