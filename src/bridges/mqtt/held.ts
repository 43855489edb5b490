// A device behind a broker and its properties, with what is known of them.

import type { Json } from '../../core/dispatch.ts'
import type { Groups } from './availability.ts'
import { type Declaration, type Property, type Reading, type Source, TRUST } from './declaration.ts'

/** A property and what is known of it. */
export interface Held {
  readonly device: HeldDevice
  property: Property
  value: Json | undefined
  /** `value` as text, to tell a change. */
  text: string
  heardAt: number
  /** It came from the memory of the broker. */
  retained: boolean
  /** The connection in which it was heard. */
  session: number
  /** Occurrences of an event so far. */
  seq: number
  groups: Groups<Held>
  listening: Listening[]
  expired: boolean
}

export interface HeldDevice {
  readonly id: string
  /** What its id was made of. */
  readonly identity: string
  declarations: Map<string, Declaration>
  held: Map<string, Held>
  online: boolean
}

/** A property that listens to a topic. */
export interface Listening {
  held: Held
  reading: Reading
}

/** The source whose declarations count. */
export function bestOf(device: HeldDevice): Source {
  let best = TRUST.length - 1
  for (const { source } of device.declarations.values()) best = Math.min(best, TRUST.indexOf(source))
  return TRUST[best] as Source
}

/** What must be the same for a value to stay when a property is declared anew. */
export function typeOf({ described, event }: Property): Json {
  return [described.type, event ?? false]
}
