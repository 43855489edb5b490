// §9.28 The power is cut between every step of a write, in every state that the disk may then be in: what is read
// afterwards is the old content or the new one, and after `write` has resolved only the new one.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TestClock } from '../../src/core/clock.ts'
import { Meters } from '../../src/core/meters.ts'
import type { Disk } from '../../src/host/disk.ts'
import { Store } from '../../src/host/store.ts'

/** Names and contents, as the disk has them after a power cut. */
type State = Record<string, string>

/** A change of names: it reaches the disk with the next `syncFolder`, before it, or, after a cut, not at all. */
type Change = (state: State) => void

class PowerCut extends Error {}

/** A disk that keeps what is safe apart from what is only remembered, and loses power at a given step. */
class CutDisk implements Disk {
  /** What a program sees. */
  seen: State
  #safe: State
  #pending: Change[] = []
  #contents = new Map<string, string[]>()
  #steps: number

  constructor(state: State, steps: number) {
    this.seen = { ...state }
    this.#safe = { ...state }
    this.#steps = steps
  }

  get stepsLeft(): number {
    return this.#steps
  }

  /** Every state in which a cut may leave the disk: any of the changes since the last `syncFolder`, in their order. */
  afterCut(): State[] {
    const states = new Map<string, State>()
    for (let chosen = 0; chosen < 1 << this.#pending.length; chosen++) {
      const state = { ...this.#safe }
      this.#pending.forEach((change, index) => {
        if (chosen & (1 << index)) change(state)
      })
      // Of contents that were not synced anything may be there.
      const open = Object.keys(state).filter((name) => this.#contents.has(name) && state[name] === UNSYNCED)
      const variants = open.length === 0 ? [''] : (this.#contents.get(open[0] as string) as string[])
      for (const variant of variants) {
        const whole = { ...state }
        for (const name of open) whole[name] = variant
        states.set(JSON.stringify(Object.entries(whole).sort()), whole)
      }
    }
    return [...states.values()]
  }

  #step(): void {
    if (this.#steps-- <= 0) throw new PowerCut()
  }

  async makeFolder(): Promise<undefined> {}

  async checkWritable(): Promise<void> {}

  async read(path: string): Promise<Uint8Array | undefined> {
    const content = this.seen[path]
    return content === undefined ? undefined : Buffer.from(content, 'latin1')
  }

  async writeSynced(path: string, bytes: Uint8Array): Promise<void> {
    const content = Buffer.from(bytes).toString('latin1')
    const half = content.slice(0, content.length / 2)
    this.#step()
    // Opened: the name is there, or an older file of that name has lost its content.
    this.#contents.set(path, ['', half, content, '\0'.repeat(content.length)])
    this.#change((state) => {
      state[path] = UNSYNCED
    })
    this.#step()
    // Synced: wherever the name leads to this file, the content is there.
    this.#contents.delete(path)
    this.#pending = this.#pending.slice(0, -1)
    this.#change((state) => {
      state[path] = content
    })
    this.#step()
  }

  async rename(from: string, to: string): Promise<void> {
    const content = this.seen[from] as string
    this.#change((state) => {
      delete state[from]
      state[to] = content
    })
    this.#step()
  }

  async syncFolder(): Promise<void> {
    this.#step()
    this.#safe = { ...this.seen }
    this.#pending = []
    this.#step()
  }

  #change(change: Change): void {
    change(this.seen)
    this.#pending.push(change)
  }
}

const UNSYNCED = '(not synced)'
const MANY = 1000
const nothing = () => {}
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }

function storeOn(disk: Disk): Store {
  return new Store({ directory: '/s', disk, clock: new TestClock(), log, meters: new Meters() })
}

async function readFrom(state: State): Promise<string | undefined> {
  const content = await storeOn(new CutDisk(state, MANY)).read('x')
  return content && Buffer.from(content).toString()
}

/** Writes until the power goes after so many steps. */
async function cutWrite(
  state: State,
  steps: number,
  content: string,
): Promise<{ states: State[]; done: boolean }> {
  const disk = new CutDisk(state, steps)
  const done = await storeOn(disk)
    .write('x', Buffer.from(content))
    .then(() => true)
    .catch((error) => {
      if (!(error.cause instanceof PowerCut)) throw error
      return false
    })
  return { states: disk.afterCut(), done }
}

/** Every state after a write that was cut somewhere, or was not; each with what must be read in it. */
async function everyCut(state: State, before: string | undefined, content: string): Promise<State[]> {
  const all: State[] = []
  for (let steps = 0; ; steps++) {
    const { states, done } = await cutWrite(state, steps, content)
    for (const after of states) {
      const found = await readFrom(after)
      const good = done ? [content] : [before, content]
      assert.ok(good.includes(found), `step ${steps}: found ${found} in ${JSON.stringify(after)}`)
    }
    all.push(...states)
    if (done) return all
  }
}

test('§9.28 a first write leaves nothing or the new content', async () => {
  const states = await everyCut({}, undefined, 'one')
  assert.ok(states.length >= 10, `only ${states.length} states`)
})

test('§9.28 three writes, each cut anywhere, leave the old or the new content', async () => {
  let count = 0
  const known = new Set<string>()
  let round: [State, string | undefined][] = [[{}, undefined]]
  for (const content of ['first', 'second one', 'third']) {
    const next: typeof round = []
    for (const [state, before] of round) {
      const states = await everyCut(state, before, content)
      count += states.length
      for (const after of states) {
        const key = JSON.stringify(Object.entries(after).sort())
        if (known.has(key)) continue
        known.add(key)
        next.push([after, await readFrom(after)])
      }
    }
    round = next
  }
  assert.ok(count > 200, `only ${count} states`)
})

test('§9.28 a torn file with its good copy beside it: a write cut anywhere loses neither', async () => {
  const disk = new CutDisk({}, MANY)
  const store = storeOn(disk)
  await store.write('x', Buffer.from('old'))
  await store.write('x', Buffer.from('current'))
  await everyCut({ ...disk.seen, '/s/x': 'torn' }, 'old', 'new')
})

test.run()
