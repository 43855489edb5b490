// What a device is, as data: how it is recognised, what can be read, set and done. The directory, the checks of every
// body and the documentation come from here; only turning bytes into values is code (design §4).

import type { Clock } from '../core/clock.ts'
import type { Element, Json } from '../core/dispatch.ts'
import type { Log } from '../core/env.ts'
import type { Link } from './link.ts'
import type { Simulator } from './simulate.ts'

export type Type = 'boolean' | 'integer' | 'number' | 'string' | 'list' | 'object'

/** One value: of a point, of a field in an action's body, or of an option in the configuration. */
export interface Field {
  type: Type | Type[]
  description: string
  /** `ml`, `%`, `ms`, … as it is shown and named in errors. */
  unit?: string
  /** Smallest and largest number. */
  range?: [min: number, max: number]
  /** All that is allowed, where it is a short list. */
  values?: (string | number)[]
  /** Other words for a value: `{ on: true, off: false }`. */
  aliases?: Record<string, Json>
  /** What a string must match, as a regular expression of the whole. */
  pattern?: string
  /** The fields of an object. Any other is refused. */
  fields?: Record<string, Field>
  /** What each entry of an object is, where its names are free. */
  each?: Field
  /** In a body: it can't be left out. */
  required?: true
  /** Of an option: what it is when the configuration says nothing. */
  default?: Json
}

/** Something that can be read, set, or both. PATCH takes an object with only the fields to be changed. */
export interface Point extends Field {
  methods: ('GET' | 'PUT' | 'PATCH')[]
  /** It happens instead of having a value: every occurrence is reported, as `{ value, seq }` (design §9.3). */
  event?: true
}

/** Something to be done with a POST. */
export interface Action {
  description: string
  body?: Record<string, Field>
  /** Overtakes everything and is executed however often it is repeated: `stop` (design §9.7). */
  urgent?: true
  /** Of what is urgent: whether the thing itself obeys at once, or only after what it is at (design §9.10). */
  stop?: 'immediate' | 'queued'
}

/** What a thing has: the resources below its root. */
export type Shape = {
  /** By name; `pin/13` is the resource `["…","pin",13]`. */
  points: Record<string, Point>
  actions: Record<string, Action>
}

/** How a device shows itself. All that is given must hold. */
export interface Match {
  medium: 'ble' | 'serial'
  /** A service that it advertises. */
  service?: string
  /** A regular expression that its whole name matches. */
  name?: string
  /** How its address starts: `00:a0:50`. */
  address?: string
}

/** What a bridge has to open, so that bytes can flow. */
export type LinkNeeds = BleNeeds | SerialNeeds

export interface BleNeeds {
  medium: 'ble'
  service: string
  characteristic: string
  write: 'with-response' | 'without-response'
}

export interface SerialNeeds {
  medium: 'serial'
  /** Bits per second, unless the configuration says others. */
  speed: number
}

export interface Profile extends Shape {
  /** As in the configuration: the name of the folder. */
  name: string
  title: string
  match: Match[]
  link: LinkNeeds
  /** Milliseconds without a sign of life, link up, after which it no longer counts as online. */
  silence: number
  /** What the configuration can say about it. */
  options?: Record<string, Field>
  create(context: Context): Driver
  /** The same thing without the thing: behind `simulated: true`, in the demo and in the tests. */
  simulate(clock: Clock): Promise<Simulator>
}

/** What a driver works with. */
export interface Context {
  name: string
  /** For what no command asked for, e.g. polls. Commands write through `Command.write`. */
  link: Pick<Link, 'write'>
  clock: Clock
  log: Log
  options: Record<string, Json>
  /**
   * What this thing has besides the points of its profile, and what of its actions is otherwise here: by its configuration,
   * or by what it has said itself. Takes the place of what was declared before.
   * @throws {Error} for a name that can't be
   */
  declare(shape: Partial<Shape>): void
  /** Publishes a value: it is kept for GET, and reported when it has changed (events: always). */
  set(point: string, value: Json): void
  /** The thing has said something valid. */
  heard(): void
  /** Whether anybody watches or has asked lately: then polls are worth their while. */
  wanted(): boolean
  /** Adds to a counter of `["engine","devices"]`. Fixed words only. */
  count(word: string): void
}

/** A command on its way. */
export interface Command {
  /** True when its bytes may have reached the thing: from then on it is never sent again. */
  readonly reached: boolean
  /** True when the other side has confirmed its bytes. */
  readonly confirmed: boolean
  /** Milliseconds left to answer. */
  left(): number
  /** Writes, unless it is too late. */
  write(bytes: Uint8Array): Promise<void>
}

/** What a device folder makes of bytes. What it returns becomes the body of the answer, what it throws its status. */
export interface Driver {
  up(): void
  data(bytes: Uint8Array): void
  down(): void
  close(): void
  /** Brings the value of a point up to date (by `set`) before a GET is answered. Only for what isn't kept up to date. */
  read?: Record<string, () => Promise<void>>
  /** PUT and PATCH. The value has been checked against the profile. */
  write?: Record<string, (value: Json, command: Command) => Promise<Json | void>>
  /** POST. The body has been checked against the profile. */
  act?: Record<string, (body: Record<string, Json>, command: Command) => Promise<Json | void>>
}

/** What a bridge has seen of a device. */
export interface Seen {
  medium: Match['medium']
  services?: string[]
  name?: string
  address?: string
}

const NAME = /^[a-z][a-z0-9-]*$/
const POINT = /^[a-z][a-z0-9-]*(\/([a-z][a-z0-9-]*|\d{1,5}))*$/
/** Points that a thing may have. */
const POINTS = 1000
/** What GET of the root adds to the points. */
const RESERVED = ['online', 'age']

/** Checks that a profile is whole; the checks run when the device is loaded, so that a typo never waits for a dispatch. */
export function defineDevice(profile: Profile): Profile {
  const fail = (what: string) => {
    throw new Error(`device "${profile.name}": ${what}`)
  }
  if (!NAME.test(profile.name)) fail('its name must be lower-case words with hyphens')
  if (profile.match.some(({ service, name, address }) => !service && !name && !address))
    fail('a match is empty')
  checkShape(profile, fail)
  return profile
}

/** The shape of a thing with what it has declared. @throws {Error} when that can't be */
export function joinShapes({ points, actions }: Shape, declared: Partial<Shape>): Shape {
  const fail = (what: string) => {
    throw new Error(what)
  }
  for (const name of Object.keys(declared.points ?? {})) {
    if (Object.hasOwn(points, name)) fail(`"${name}" is a point of the profile already; choose another name`)
  }
  for (const name of Object.keys(declared.actions ?? {})) {
    if (!Object.hasOwn(actions, name)) fail(`the profile has no action "${name}"`)
  }
  const joined = { points: { ...points, ...declared.points }, actions: { ...actions, ...declared.actions } }
  const count = Object.keys(joined.points).length
  if (count > POINTS) fail(`${count} points; at most ${POINTS} are possible`)
  checkShape(joined, fail)
  return joined
}

/** The elements of a point below the root: `pin/13` is `['pin', 13]`. */
export function elementsOf(point: string): Element[] {
  return point.split('/').map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}

function checkShape({ points, actions }: Shape, fail: (what: string) => void): void {
  for (const name of [...Object.keys(points), ...Object.keys(actions)]) {
    const isAction = Object.hasOwn(actions, name)
    if (!(isAction ? NAME : POINT).test(name)) fail(`"${name}" must be lower-case words with hyphens`)
    if (RESERVED.includes(name)) fail(`"${name}" is a word of the kit`)
    if (isAction && Object.hasOwn(points, name)) fail(`"${name}" is a point and an action`)
  }
  for (const [name, point] of Object.entries(points)) {
    if (point.methods.length === 0) fail(`the point "${name}" has no method`)
    if (point.range && point.range[0] >= point.range[1]) fail(`the range of "${name}" is empty`)
  }
}

/** The profile for something that a bridge has seen; the most specific one where several match. */
export function matchProfile(profiles: Iterable<Profile>, seen: Seen): Profile | undefined {
  let best: Profile | undefined
  let most = 0
  for (const profile of profiles) {
    for (const match of profile.match) {
      const weight = specificity(match, seen)
      if (weight > most) {
        best = profile
        most = weight
      }
    }
  }
  return best
}

/** 0: no match. An address tells more than a name, a name more than a service. */
function specificity(match: Match, seen: Seen): number {
  if (match.medium !== seen.medium) return 0
  let weight = 0
  if (match.service) {
    if (!seen.services?.some((uuid) => bare(uuid) === bare(match.service ?? ''))) return 0
    weight += 1
  }
  if (match.name) {
    if (!new RegExp(`^(?:${match.name})$`).test(seen.name ?? '')) return 0
    weight += 100
  }
  if (match.address) {
    if (!bare(seen.address ?? '').startsWith(bare(match.address))) return 0
    weight += 1000 + bare(match.address).length
  }
  return weight
}

/** UUIDs and addresses come with and without hyphens, colons and capitals. */
function bare(id: string): string {
  return id.replace(/[-:]/g, '').toLowerCase()
}
