// What is at the other end of a port? It is opened, our link is looked for at every speed, and what it says meanwhile is
// looked at: for `hormiga scan serial --ask`.

import type { Env } from '../../core/env.ts'
import type { Entry } from './link/index.ts'
import { SPEEDS } from './link/index.ts'
import { SerialLink } from './link.ts'
import { Node } from './node.ts'

/** What has answered. */
export interface Asked {
  /** The profile that fits, if it is told by what was heard. */
  profile?: string
  /** Of a node with our link: what it calls itself, bits per second, and its resources. */
  name?: string
  speed?: number
  entries?: readonly Entry[]
  /** Why nothing more is known. */
  cause?: string
}

/** How firmware greets, by profile. */
const GREETINGS: [profile: string, greeting: RegExp][] = [
  ['grbl', /Grbl \d/],
  ['marlin', /Marlin|^start\r?$|echo:/m],
]
const HEARD = 4096

/** Asks for at most `ms` milliseconds. Never throws. */
export async function askPort(port: string, env: Env, ms: number): Promise<Asked> {
  const link = new SerialLink({ port, speed: SPEEDS[0] as number }, env)
  let heard = ''
  const listening = {
    write: (bytes: Uint8Array) => link.write(bytes),
    speed: (speed: number) => link.speed(speed),
    close: () => link.close(),
    open: (events: Parameters<SerialLink['open']>[0]) =>
      link.open({
        ...events,
        data(bytes) {
          if (heard.length < HEARD) heard += Buffer.from(bytes).toString('latin1')
          events.data(bytes)
        },
      }),
  }
  return new Promise((resolve) => {
    const end = async (asked: Asked) => {
      late()
      await node.close()
      resolve(asked)
    }
    const unknown = (cause: string) => {
      const profile = GREETINGS.find(([, greeting]) => greeting.test(heard))?.[0]
      return end(profile ? { profile } : { cause })
    }
    const node = new Node({ name: port, link: listening }, env, {
      up: () => {
        const { speed } = link.status()
        void end({ profile: 'jstp-serial', name: node.hello?.name, speed, entries: node.catalogue.entries })
      },
      state: (state, cause) => {
        if (state === 'down') void unknown(cause)
      },
      event() {},
      heard() {},
    })
    const late = env.clock.after(ms, () => void unknown(node.cause))
    node.open()
  })
}
