// `update`: takes a signed package, tries its version out, and keeps it only if all goes at least as well as before. Nothing is
// fetched from anywhere. Root does it; who may only write to the engine's state folder hands the file over to root's unit.

import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { StartError } from '../app/failure.ts'
import { SystemClock } from '../core/clock.ts'
import { didOf } from '../identity/did.ts'
import { realKeyDisk } from '../identity/key-disk.ts'
import { isLocked, LockedError, takeLock } from '../identity/key-lock.ts'
import { readUpdateKeys } from '../update/keys.ts'
import { MOST, openUpdate, type Update, UpdateError } from '../update/package.ts'
import { goBack, settle, type TrialOptions, tryVersion } from '../update/trial.ts'
import { Versions } from '../update/versions.ts'
import { type Arguments, readDuration, UsageError } from './args.ts'
import { handOver, takeFromInbox } from './update-inbox.ts'
import { lookAt, type Places, placesOf, readRegular, restartEngine } from './update-machine.ts'

const TRIAL = 60_000
const SHORTEST = 3000
const LONGEST = 600_000

/** Debian's names of architectures, by Node's. */
const ARCH: Record<string, string> = { x64: 'amd64', arm64: 'arm64', arm: 'armhf' }

interface How {
  force: boolean
  time: number
}

export async function update({ options, rest }: Arguments): Promise<number> {
  const places = placesOf(options.root as string | undefined)
  const versions = new Versions({ ...places, folder: places.versions, wall: Date.now })
  const orders = ['rollback', 'status', 'settle', 'inbox'].filter((name) => options[name])
  const [file, more] = rest
  if (more !== undefined) throw new UsageError(`"${more}" is too much`)
  if (orders.length + (file === undefined ? 0 : 1) !== 1)
    throw new UsageError('say what to do: hormiga update FILE, --rollback or --status')
  const time = typeof options.trial === 'string' ? readDuration(options.trial) : TRIAL
  if (time < SHORTEST || time > LONGEST)
    throw new UsageError(`--trial must be from ${SHORTEST / 1000}s to ${LONGEST / 60_000}min`)
  const how = { force: options.force === true, time }
  try {
    if (options.settle) return settleStart(versions, places)
    if (versions.packaged === undefined)
      throw new StartError(
        `there is no ${places.packaged}: only what the package has installed can be updated`,
      )
    if (options.status) return showStatus(versions, places, options.json === true)
    if (process.getuid?.() !== 0 && options.root === undefined) {
      if (file !== undefined && !how.force) return await handOver(readPackage(file), places)
      throw new StartError('only root can do that: run it with sudo')
    }
    return await atWork(places, async (signal) => {
      const trial = trialOf(versions, places, signal)
      if (options.rollback) return rollback(versions, trial)
      if (file !== undefined) return take(readPackage(file), how, versions, places, trial)
      await endOldTrial(versions, trial)
      return takeFromInbox(places, (bytes) => take(bytes, { force: false, time }, versions, places, trial))
    })
  } catch (error) {
    throw error instanceof UpdateError || (error as NodeJS.ErrnoException).code !== undefined
      ? new StartError((error as Error).message)
      : error
  }
}

type Work = Omit<TrialOptions, 'time'>

function trialOf(versions: Versions, places: Places, signal: AbortSignal): Work {
  return {
    versions,
    clock: new SystemClock(),
    restart: restartEngine,
    look: () => lookAt(places),
    say,
    signal,
  }
}

/** One at a time, and not ended by a terminal that goes away. */
async function atWork(places: Places, work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  makeRun(places)
  const release = lock(places)
  const end = new AbortController()
  const keepAlive = setInterval(() => {}, 1 << 30)
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => end.abort())
  process.on('SIGHUP', () => {})
  process.stdout.removeAllListeners('error').on('error', () => {})
  process.stderr.on('error', () => {})
  try {
    return await work(end.signal)
  } finally {
    clearInterval(keepAlive)
    release()
  }
}

/** For all to read, whatever the umask of the unit. */
function makeRun({ run }: Places): void {
  mkdirSync(run, { recursive: true })
  chmodSync(run, 0o755)
}

function lock({ lock }: Places): () => void {
  try {
    return takeLock(realKeyDisk, lock, 'the update')
  } catch (error) {
    if (!(error instanceof LockedError)) throw error
    throw new StartError(`another update is at work (process ${error.holder}): see hormiga update --status`)
  }
}

function readPackage(file: string): Uint8Array {
  return readRegular(file, MOST)
}

/** Verifies it, installs it, tries it. @returns the exit code @throws {UpdateError} */
async function take(
  bytes: Uint8Array,
  how: How,
  versions: Versions,
  places: Places,
  work: Work,
): Promise<number> {
  const keys = readUpdateKeys(places.keys, places.owners)
  if (keys.length === 0) {
    throw new UpdateError(
      `no key may sign updates here: root writes those that may into ${places.keys}, one did:key a line`,
    )
  }
  const found = openUpdate(bytes, keys)
  say(`${found.version} for ${found.arch}, signed by ${found.key}`)
  await endOldTrial(versions, work)
  fits(found)
  versions.check(found, how.force)
  versions.install(found.version, found.files)
  for (const path of [places.starts, places.use]) rmSync(path, { force: true })
  return (await tryVersion(found.version, { ...work, time: how.time })) ? 0 : 1
}

function fits({ arch, node }: Update): void {
  const here = ARCH[process.arch]
  if (arch !== here) throw new UpdateError(`it is for ${arch}, and this machine is ${here ?? process.arch}`)
  const major = Number(process.versions.node.split('.')[0])
  if (node !== major) {
    throw new UpdateError(
      `it needs Node ${node}, and here is ${process.versions.node}: install hormiga-node first`,
    )
  }
}

/** Of an update that was killed. */
async function endOldTrial(versions: Versions, work: Work): Promise<void> {
  if (versions.trial) await goBack(versions.trial, 'its trial was cut off', work)
}

async function rollback(versions: Versions, work: Work): Promise<number> {
  if (versions.trial) {
    await endOldTrial(versions, work)
    return 0
  }
  const from = versions.nameOf(versions.current)
  const to = versions.rollback()
  say(`${versions.nameOf(to)} is in force, in place of ${from}`)
  await work.restart().catch((error: Error) => say(`the engine can't be restarted: ${error.message}`))
  versions.clean()
  return 0
}

/** Before every start of the engine, as root. */
function settleStart(versions: Versions, places: Places): number {
  const { lock, starts, use } = places
  makeRun(places)
  rmSync(use, { force: true })
  appendFileSync(starts, '.')
  const { trial } = versions
  try {
    settle(versions, readFileSync(starts).length - 1, isLocked(realKeyDisk, lock), say)
  } catch (error) {
    // After a power cut the card may be read-only until somebody sees to it.
    say(
      `the card can't be written, so ${versions.nameOf(trial?.from ?? null)} is started without that: ${error}`,
    )
    writeFileSync(use, versions.placeOf(trial?.from ?? null))
    chmodSync(use, 0o644)
  }
  return 0
}

function showStatus(versions: Versions, places: Places, asJson: boolean): number {
  const { current, packaged, previous, trial, last } = versions
  const keys = readUpdateKeys(places.keys, places.owners).map(didOf)
  if (asJson) {
    const status = { current, packaged, previous, trial: trial ?? null, last: last ?? null, keys }
    process.stdout.write(`${JSON.stringify(status)}\n`)
    return 0
  }
  const rows = [
    ['in force', versions.nameOf(current)],
    ['before it', current === null ? '-' : versions.nameOf(previous)],
    ['on trial', trial ? `${trial.to}, in place of ${versions.nameOf(trial.from)}` : '-'],
    ['last update', last ? `${last.version}, ${stamp(last.at)}: ${SAID[last.outcome]}: ${last.why}` : '-'],
    ['signed by', keys.join(', ') || `nobody: there is no key in ${places.keys}`],
  ]
  process.stdout.write(rows.map(([head, text]) => `${head?.padEnd(12)} ${text}\n`).join(''))
  return 0
}

const SAID = { kept: 'kept', back: 'not kept' }

function stamp(at: number): string {
  return new Date(at).toISOString().replace(/\..*/, 'Z')
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
