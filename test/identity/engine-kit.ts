// What the threats at whole engines share: relays that record and bend what they pass on, and a wall clock that jumps.

import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import type { Dispatch, Hop, Json } from '../../src/core/dispatch.ts'
import type { Owner, Request } from '../../src/core/owner.ts'
import type { Frame } from '../../src/core/transport.ts'
import { formatUri } from '../../src/core/uri.ts'
import { type EngineOfOptions, type Party, type Tamper, Town } from './engines.ts'
import { kidOfSeed, SEEDS } from './parties.ts'

/** So much that budgets are never what stops an attack. */
export const LAVISH = { verify: { rate: 1e9, burst: 1e9 }, bad: 1e9 }

/** Where nobody may do anything without a key. */
export const CLOSED: EngineOfOptions = { access: [], settings: LAVISH }

/** What a relay does to each dispatch: the same object, changed or not; others; none. */
export type Bend = (frame: Dispatch, raw: Frame) => (Dispatch | Frame)[]

export function bent(bend: Bend): Tamper {
  return (frame) =>
    bend(JSON.parse(String(frame)) as Dispatch, frame).map((it) =>
      typeof it === 'string' || it instanceof Uint8Array ? it : JSON.stringify(it),
    )
}

/** A URI to bind the reports there with. */
export function reportsAt(to: Hop[], path: string): string {
  return formatUri({ method: 'BIND', pattern: 'PUT', to, resource: path.split('/') })
}

export function isAnswer({ method }: Dispatch): boolean {
  return method === 'ANSWER'
}

/** Whether it is an event of a protected subscription. */
export function isEvent({ method, resource }: Dispatch): boolean {
  return method === 'POST' && resource?.[0] === 'sealed' && resource.length === 2
}

export function secOf({ sec }: Dispatch): { [name: string]: Json } {
  return sec as { [name: string]: Json }
}

/** What comes within half a minute of the test's clock, which goes on only until then. */
export async function inTime<T>(place: Town, coming: Promise<T>): Promise<T> {
  let isThere = false
  const seen = () => {
    isThere = true
  }
  coming.then(seen, seen)
  await place.settle()
  for (let second = 0; second < 30 && !isThere; second++) await place.advance(1000)
  assert.ok(isThere, 'it did not come')
  return coming
}

/** A lamp that counts what it was told to do, by the text in the body. */
export function lampOf({ engine }: Pick<Party, 'engine'>): {
  lamp: Owner
  done: Map<string, number>
  seen: Request[]
} {
  const lamp = engine.own('lamp')
  const done = new Map<string, number>()
  const seen: Request[] = []
  lamp.handle('PUT', ['on'], (request) => {
    const name = String(request.dispatch.body)
    done.set(name, (done.get(name) ?? 0) + 1)
    seen.push(request)
    return `done ${name}`
  })
  lamp.handle('GET', ['on'], () => true)
  return { lamp, done, seen }
}

/** Engines that allow each other everything, and know each other as `a`, `b`, `c`. */
export async function neighbours(
  place: Town,
  names: (keyof typeof SEEDS)[],
  options: EngineOfOptions = {},
): Promise<Party[]> {
  const keys = await Promise.all(names.map(async (name) => ({ name, key: await kidOfSeed(SEEDS[name]) })))
  const made: Party[] = []
  for (const name of names) {
    const knows = keys.filter((it) => it.name !== name)
    made.push(await place.engine(SEEDS[name], { name, knows, ...CLOSED, ...options }))
  }
  return made
}

/** Its wall clock says what the test wants; the other one goes on as ever. */
class JumpyClock extends TestClock {
  said = 0

  override wall(): number {
    return this.said
  }
}

export class JumpyTown extends Town {
  override readonly clock: JumpyClock = new JumpyClock()
}
