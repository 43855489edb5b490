// A trial, by a clock that runs as it is waited for: what is kept, what goes back and why, and that it is said.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Health, tryVersion } from '../../src/update/trial.ts'
import { Versions } from '../../src/update/versions.ts'
import { CutDisk } from './cut-disk.ts'

const NEW = '0.3.0-1'
const CARD = {
  ...{ '/p': 'd', '/p/VERSION': 'f0.1.0-1\n', '/v': 'd', '/v/current': 'l0.2.0-1' },
  ...{ '/v/0.2.0-1': 'd', '/v/0.2.0-1/hormiga.js': 'f', [`/v/${NEW}`]: 'd', [`/v/${NEW}/hormiga.js`]: 'f' },
}

const up = (boot = '2'): Health => ({ boot, devices: { cafetera: 'up' } })

interface Story {
  /** What the engine says `second` seconds after it was started with the new version. */
  now(second: number): Health | undefined
  /** `null`: it did not answer. */
  before?: Health | null
  restart?(): Promise<void>
  /** What else happens then. */
  meanwhile?(second: number, versions: Versions, end: AbortController): void
}

async function tell({ now, before = up('1'), restart, meanwhile }: Story) {
  const disk = new CutDisk(CARD)
  const versions = new Versions({ folder: '/v', packaged: '/p', wall: () => 1, disk: disk.versionDisk })
  const end = new AbortController()
  let restarts = 0
  let second = 0
  let said = ''
  const kept = await tryVersion(NEW, {
    versions,
    time: 60_000,
    clock: {
      now: () => second * 1000,
      wall: () => 1,
      after(ms, run) {
        second += ms / 1000
        meanwhile?.(second, versions, end)
        queueMicrotask(run)
        return () => {}
      },
    },
    restart: restart ?? (async () => void restarts++),
    look: async () => (restarts === 0 ? (before ?? undefined) : now(second)),
    say: (text) => {
      said += `${text}\n`
    },
    signal: end.signal,
  })
  assert.is(versions.current, kept ? NEW : '0.2.0-1')
  assert.is(versions.trial, undefined)
  assert.is(versions.last?.outcome, kept ? 'kept' : 'back')
  return { kept, said, why: versions.last?.why, restarts, second, versions }
}

test('one that does as well is kept after 60 s, and the one before it stays', async () => {
  const { kept, second, said, restarts, versions } = await tell({ now: () => up() })
  assert.ok(kept)
  assert.is(second, 60)
  assert.is(restarts, 1)
  assert.is(versions.previous, '0.2.0-1')
  assert.match(
    said,
    /before: the engine answers; cafetera up\n0\.3\.0-1 is in force, on trial for 60 s, in place of 0\.2\.0-1/,
  )
  assert.match(
    said,
    /now: the engine answers; cafetera up\n0\.3\.0-1 is kept; the one before it is 0\.2\.0-1\n$/,
  )
})

test('a device may take its time, but not all of it', async () => {
  const after = (seconds: number) => (second: number) =>
    second < seconds ? { boot: '2', devices: { cafetera: 'connecting' } } : up()
  assert.ok((await tell({ now: after(40) })).kept)
  const late = await tell({ now: after(45) })
  assert.not.ok(late.kept)
  assert.is(late.why, 'it did not run steadily')
  assert.is(late.restarts, 2)
  const never = await tell({ now: after(61) })
  assert.is(never.why, 'cafetera was up and is connecting')
})

test('one that starts again and again is not kept, though it answers each time', async () => {
  const { kept, why } = await tell({ now: (second) => up(`boot ${Math.floor(second / 15)}`) })
  assert.not.ok(kept)
  assert.is(why, 'it did not run steadily')
})

test('an engine that did not answer before must answer now', async () => {
  assert.ok((await tell({ before: null, now: () => up() })).kept)
  const mute = await tell({ now: () => undefined })
  assert.not.ok(mute.kept)
  assert.is(mute.why, 'the engine does not answer')
  const same = await tell({ now: () => up('1') })
  assert.is(same.why, 'the engine was not restarted')
})

test('it goes back at once when the start of the engine has done so, when it is ended, and when nothing can be restarted', async () => {
  const back = await tell({
    now: () => undefined,
    meanwhile: (second, versions) => {
      if (second === 7 && versions.trial)
        versions.back(versions.trial, 'it was started 3 times, and did not stay')
    },
  })
  assert.is(back.second, 7)
  assert.is(back.restarts, 1, 'the engine is being started already')
  assert.match(back.said, /0\.3\.0-1 is not kept: it was started 3 times, and did not stay/)
  const ended = await tell({
    now: () => up(),
    meanwhile: (second, _versions, end) => second === 9 && end.abort(),
  })
  assert.is(ended.second, 9)
  assert.is(ended.why, 'its trial was ended')
  const stuck = await tell({ now: () => up(), restart: () => Promise.reject(new Error('no systemd here')) })
  assert.is(stuck.why, "the engine can't be restarted: no systemd here")
  assert.is(stuck.second, 0)
})

test.run()
