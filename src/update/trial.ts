// A new version is in force on trial: the engine is started with it and watched, and unless it does at least as well as the
// one before, that one is in force again. What cuts a trial off ends it the same way, at the next start (`settle`).

import type { Clock } from '../core/clock.ts'
import type { Trial, Versions, Which } from './versions.ts'

/** What a running engine says of itself. */
export interface Health {
  /** Of this run of the engine. */
  boot: string
  /** State of every configured device. */
  devices: Record<string, string>
}

export interface TrialOptions {
  versions: Versions
  clock: Clock
  /** Starts the engine anew, with the version that is in force then. Rejects when that can't even be tried. */
  restart(): Promise<void>
  /** `undefined`: the engine does not answer. */
  look(): Promise<Health | undefined>
  /** Says what is done, and why. */
  say(text: string): void
  /** Milliseconds that the new version is watched. */
  time: number
  /** Ends the trial. */
  signal: AbortSignal
}

const PERIOD = 1000
/** Milliseconds at the end of the trial in which all must be well without a break; a third of a shorter trial. */
const STEADY = 20_000
/** How often a version on trial may be started. */
const STARTS = 3

/** From the worst to the best; a state that nobody knows is as bad as a device that is missing. */
const RANKS: Record<string, number> = { failed: 0, connecting: 1, down: 1, silent: 2, up: 3 }

/** Puts an installed version in force and watches it. @returns whether it stays */
export async function tryVersion(version: string, options: TrialOptions): Promise<boolean> {
  const { versions, say } = options
  const before = await options.look()
  say(before ? `before: ${describe(before)}` : 'before: the engine does not answer')
  const trial = versions.begin(version)
  say(
    `${version} is in force, on trial for ${options.time / 1000} s, in place of ${versions.nameOf(trial.from)}`,
  )
  const fault = await watch(trial, before, options)
  if (fault === undefined && versions.keep(trial, 'it does as well as the one before')) {
    versions.clean()
    say(`${version} is kept; the one before it is ${versions.nameOf(versions.previous)}`)
    return true
  }
  await goBack(trial, fault ?? 'it was taken out of force', options)
  return false
}

/** Ends a trial that nobody watches any more. @returns which is in force again */
export async function goBack(
  trial: Trial,
  why: string,
  options: Pick<TrialOptions, 'versions' | 'restart' | 'say'>,
): Promise<Which> {
  const { versions, say } = options
  say(`${trial.to} is not kept: ${why}`)
  // A start of the engine may have seen to it.
  const isOurs = versions.trial?.to === trial.to
  if (isOurs) versions.back(trial, why)
  say(`${versions.nameOf(versions.current)} is in force again`)
  if (isOurs) {
    await options.restart().catch((error: Error) => say(`the engine can't be restarted: ${error.message}`))
  }
  versions.clean()
  return versions.current
}

/**
 * Before every start of the engine: ends a trial that was cut off, or whose version does not start.
 * @param starts how often it was started before. @param isWatched whether an update is at work
 */
export function settle(
  versions: Versions,
  starts: number,
  isWatched: boolean,
  say: (text: string) => void,
): void {
  const { trial } = versions
  if (!trial || (isWatched && starts < STARTS)) return
  const why = isWatched
    ? `it was started ${starts} times, and did not stay`
    : 'its trial was cut off, by a power cut or a restart of the computer'
  versions.back(trial, why)
  say(`${trial.to} is not kept: ${why}. ${versions.nameOf(versions.current)} is in force again`)
}

/** What is worse than before; `undefined`: nothing. */
export function compareHealth(before: Health | undefined, now: Health | undefined): string | undefined {
  if (!now) return 'the engine does not answer'
  if (now.boot === before?.boot) return 'the engine was not restarted'
  const worse = Object.entries(before?.devices ?? {}).flatMap(([name, state]) => {
    const next = now.devices[name] ?? 'missing'
    return (RANKS[next] ?? 0) < (RANKS[state] ?? 0) ? [`${name} was ${state} and is ${next}`] : []
  })
  return worse.length > 0 ? worse.join(', ') : undefined
}

/** @returns why it can't stay; `undefined`: it can */
async function watch(
  trial: Trial,
  before: Health | undefined,
  options: TrialOptions,
): Promise<string | undefined> {
  const { versions, clock, say, time, signal } = options
  try {
    await options.restart()
  } catch (error) {
    return `the engine can't be restarted: ${(error as Error).message}`
  }
  const end = clock.now() + time
  const steady = Math.min(STEADY, time / 3)
  let fault: string | undefined = 'it was not watched'
  let since = clock.now()
  let boot: string | undefined
  while (clock.now() < end) {
    await pause(clock, PERIOD, signal)
    if (signal.aborted) return 'its trial was ended'
    if (versions.trial?.to !== trial.to) return versions.last?.why ?? 'it was taken out of force'
    const now = await options.look()
    const found = compareHealth(before, now)
    if (found !== fault) say(found === undefined ? `now: ${describe(now as Health)}` : `now: ${found}`)
    if (found !== undefined || fault !== undefined || now?.boot !== boot) since = clock.now()
    fault = found
    boot = now?.boot
  }
  if (fault !== undefined) return fault
  return clock.now() - since < steady ? 'it did not run steadily' : undefined
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const end = () => {
      cancel()
      signal.removeEventListener('abort', end)
      done()
    }
    const cancel = clock.after(ms, end)
    signal.addEventListener('abort', end)
  })
}

function describe({ devices }: Health): string {
  const states = Object.entries(devices).map(([name, state]) => `${name} ${state}`)
  return `the engine answers; ${states.join(', ') || 'no devices'}`
}
