// Brings a device to life: its link, its driver, its resources, and the state that supervision shows of it.

import type { Cancel, Clock } from '../core/clock.ts'
import type { Json } from '../core/dispatch.ts'
import type { Log } from '../core/env.ts'
import type { Owner } from '../core/owner.ts'
import { JstpError, STATUS } from '../core/status.ts'
import { expose } from './expose.ts'
import type { Link } from './link.ts'
import { Points } from './points.ts'
import { type Context, type Driver, joinShapes, type Profile, type Shape } from './profile.ts'
import { checkFields } from './values.ts'

/** Milliseconds that a GET counts as interest in fresh values. */
const INTEREST = 10_000

/**
 * - `connecting` not connected so far
 * - `up` connected, and it speaks
 * - `silent` connected, but it has said nothing for longer than its profile allows
 * - `down` the connection is lost, or could not be made
 * - `closed` ended by us
 */
export type DeviceState = 'connecting' | 'up' | 'silent' | 'down' | 'closed'

/** What `["engine","devices"]` shows of a device. */
export type DeviceStatus = {
  name: string
  profile: string
  medium: string
  state: DeviceState
  /** Why, for people. */
  cause: string
  /** When it came into this state, ms since the epoch. */
  since: number
  /** When it was last heard, ms since the epoch; null: never. */
  lastSeen: number | null
  /** Milliseconds since then; null: never. */
  age: number | null
  /** What its driver counts: broken frames, missing replies. */
  counters: Record<string, number>
}

export interface DeviceOptions {
  /** The root of its resources, e.g. `cafetera`. */
  name: string
  profile: Profile
  link: Link
  owner: Owner
  clock: Clock
  log: Log
  /** Milliseconds in which the engine wants answers. */
  answerTimeout: number
  /** What the configuration says for the profile's `options`. */
  options?: Record<string, Json>
  /** Called at every change of `state`. */
  onChange?(status: DeviceStatus): void
}

export interface Device {
  status(): DeviceStatus
  /** Ends the driver and the link and gives the root back. */
  close(): Promise<void>
}

/** A device of a profile. */
export interface ProfiledDevice extends Device {
  /** What it has at present: its profile, and what it has declared. */
  shape(): Shape
}

/**
 * @throws {JstpError} when `options` has something that the profile doesn't know
 * @throws {Error} when the configuration makes points that can't be
 */
export function startDevice(device: DeviceOptions): ProfiledDevice {
  const { name, profile, link, owner, clock, log } = device
  const options = withDefaults(profile, device.options, name)
  let shape: Shape = profile
  let bind = () => {}
  const points = new Points(() => shape, owner, clock)
  const counters: Record<string, number> = {}
  let state: DeviceState = 'connecting'
  let cause = 'not connected yet'
  let since = clock.wall()
  /** Last sign of life, by the clock that never jumps and by the one for stamps. */
  let heard: { at: number; stamp: number } | undefined
  let askedAt = -Infinity
  let watchdog: Cancel = () => {}

  const age = () => (heard ? Math.round(clock.now() - heard.at) : null)
  const status = (): DeviceStatus => ({
    name,
    profile: profile.name,
    medium: profile.link.medium,
    state,
    cause,
    since,
    lastSeen: heard?.stamp ?? null,
    age: age(),
    counters: { ...counters },
  })

  const become = (next: DeviceState, why: string) => {
    const changed = next !== state
    cause = why
    if (!changed) return
    state = next
    since = clock.wall()
    log.info(`${name}: ${next}: ${why}`, { device: name, state: next })
    device.onChange?.(status())
  }

  /** Starts to wait for the next sign of life. */
  const watch = () => {
    watchdog()
    watchdog = clock.after(profile.silence, () => {
      points.lose()
      become(
        'silent',
        `connected, but it has said nothing for ${Math.round(profile.silence / 1000)} s; if it stays so, ` +
          'switch it off and on at its mains switch',
      )
    })
  }

  const context: Context = {
    name,
    link,
    clock,
    log,
    options,
    declare(declared) {
      shape = joinShapes(profile, declared)
      bind()
    },
    set: (point, value) => points.set(point, value),
    heard() {
      heard = { at: clock.now(), stamp: clock.wall() }
      watch()
      if (state === 'silent') become('up', 'it speaks again')
    },
    wanted: () => clock.now() - askedAt < INTEREST || points.watched(),
    count: (word) => {
      counters[word] = (counters[word] ?? 0) + 1
    },
  }
  const driver: Driver = profile.create(context)

  bind = expose({
    name,
    shape: () => shape,
    driver,
    points,
    link,
    owner,
    clock,
    answerTimeout: device.answerTimeout,
    online: () => state === 'up',
    age,
    offline: () =>
      new JstpError(STATUS.FAILED, `${name} is offline: ${cause}`, {
        code: 'offline',
        lastSeen: heard?.stamp ?? null,
      }),
    asked: () => {
      askedAt = clock.now()
    },
  })

  link.open({
    up() {
      become('up', 'connected')
      watch()
      driver.up()
    },
    data: (bytes) => driver.data(bytes),
    down(why) {
      watchdog()
      driver.down()
      points.lose()
      become('down', why)
    },
  })

  return {
    status,
    shape: () => shape,
    async close() {
      watchdog()
      driver.close()
      become('closed', 'ended by this engine')
      owner.close()
      await link.close()
    },
  }
}

function withDefaults(profile: Profile, given: Record<string, Json> | undefined, name: string) {
  const fields = profile.options ?? {}
  const options = checkFields(fields, given, `devices/${name}`)
  for (const [key, field] of Object.entries(fields)) options[key] ??= field.default ?? null
  return options
}
