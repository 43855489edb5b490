// The history on the card, if its owner wants it: one file, written as seldom as its size and the flash budget want.

import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { Cancel, Clock } from '../core/clock.ts'
import type { Log } from '../core/env.ts'
import type { History, Saved } from './history.ts'
import type { Store } from './store.ts'

const FILE = 'history'
/** Bytes of the day's budget that are for it. */
const SHARE = 2_000_000
const DAY = 86_400_000
const SHORTEST = 900_000
/** Bytes of the file once it is unpacked. */
const MOST = 1 << 26

export interface HistoryFile {
  /** Writes it once more. */
  close(): Promise<void>
}

/** Takes back what was saved, and saves from now on. Never throws: what can't be is logged. */
export async function keepHistory(
  history: History,
  store: Store,
  clock: Clock,
  log: Log,
): Promise<HistoryFile> {
  let cancel: Cancel = () => {}
  try {
    const bytes = await store.read(FILE)
    if (bytes)
      restore(
        history,
        JSON.parse((await promisify(gunzip)(bytes, { maxOutputLength: MOST })).toString()),
        clock,
      )
  } catch (error) {
    log.warn(`the history of before is lost: ${(error as Error).message}`)
  }
  const write = async (): Promise<number> => {
    try {
      const text = JSON.stringify({ wall: clock.wall(), saved: history.save() })
      const bytes = await promisify(gzip)(text)
      await store.write(FILE, bytes)
      return bytes.length
    } catch (error) {
      log.warn(`the history is not saved: ${(error as Error).message}`)
      return SHARE
    }
  }
  const wait = (bytes: number) => {
    cancel = clock.after(Math.max(SHORTEST, (bytes / SHARE) * DAY), async () => wait(await write()))
  }
  wait(0)
  return {
    async close() {
      cancel()
      await write()
    },
  }
}

/** Without a clock that can be believed nobody knows how long ago it was: then it is as if no time had passed. */
function restore(history: History, { wall, saved }: { wall: number; saved: Saved }, clock: Clock): void {
  const ms = clock.wall() - wall
  history.restore(saved, ms >= 0 && ms < history.settings.keep ? ms : 0)
}
