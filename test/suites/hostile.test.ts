// alone
// time limit: 90 s
// A hostile client and an honest one beside it, each in a process of its own, and so is the engine (spec B12, T20).

import { type ChildProcess, fork } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Hop, Json } from '../../src/core/dispatch.ts'
import { node } from '../identity/kit.ts'
import { Attacker, type Label } from './hostile-client.ts'
import { type Keyed, pause, signerOf, startKeyed, uriOf } from './relays-kit.ts'

const [A, B] = [0x00, 0x20]
const ROUNDS = 5
const BAD = 100_000
/** Milliseconds of each quiet part. */
const QUIET = 1500
const MOST_GROWTH = 64 << 20

interface Stats {
  rss: number
  sizes: Record<string, number>
}

/** Where it can be reached, and its challenge. */
interface Where {
  hop: Hop
  ports: Record<Label, number>
  ch: string
}

/** A process of ours: it is told something, and says something. */
class Role<Said> {
  #child: ChildProcess

  constructor(name: string) {
    this.#child = fork(fileURLToPath(import.meta.url), [name], { execArgv: ['--expose-gc'] })
  }

  async tell(what: Json): Promise<Said> {
    const said = new Promise<Said>((resolve, reject) => {
      this.#child.once('message', (message) => resolve(message as Said))
      this.#child.once('exit', (code) => reject(new Error(`it has ended with ${code}`)))
    })
    this.#child.send(what as object)
    return said
  }

  stop(): void {
    this.#child.removeAllListeners('exit')
    this.#child.kill('SIGKILL')
  }
}

async function beEngine(): Promise<void> {
  const knows = [{ key: signerOf(A).kid, name: 'a' }]
  const { engine, guard, hop } = await startKeyed(B, { name: 'b', knows, access: [] })
  engine.own('lamp').handle('GET', ['on'], () => true)
  const { port } = await engine.listen('ws', { address: '127.0.0.1', port: 0 })
  process.on('message', (what) => {
    const { ch } = guard.identity.describe() as { ch: string }
    if (what === 'where') return process.send?.({ hop, ports: { tcp: hop[1], ws: port }, ch })
    globalThis.gc?.()
    globalThis.gc?.()
    process.send?.({ rss: process.memoryUsage().rss, sizes: guard.identity.sizes })
  })
}

function beAttacker(): void {
  // It stands for another machine: what it computes is not to be taken from the engine.
  setPriority(constants.priority.PRIORITY_LOW)
  let attacker: Attacker
  process.on('message', async (what: (Where & { label: Label }) | number) => {
    if (typeof what === 'number') {
      await attacker.attack(what)
      const { sent, closed } = attacker
      return process.send?.({ sent, closed })
    }
    const { label, ports } = what
    const ch = node.fromText(what.ch) as Uint8Array
    attacker = new Attacker(label, ports[label], signerOf(A).kid, signerOf(B).kid, ch)
    process.send?.({})
  })
}

/** The times of questions in a context, one after the other, until that is over. All must be answered. */
async function times(asker: Keyed, hop: Hop, until: () => boolean): Promise<number[]> {
  const taken: number[] = []
  while (!until()) {
    const start = performance.now()
    const { status, body } = await asker.engine.get(uriOf([hop], 'lamp/on'), { key: 'b' }).first()
    taken.push(performance.now() - start)
    assert.equal([status, body], [200, true])
    await pause(1)
  }
  return taken.sort((one, other) => one - other)
}

function quantile(sorted: number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number
}

function median(values: number[]): number {
  return quantile(
    values.toSorted((one, other) => one - other),
    0.5,
  )
}

async function besiege(label: Label): Promise<void> {
  const engine = new Role<Stats & Where>('engine')
  const attacker = new Role<{ sent: number; closed: number }>('attacker')
  const where = await engine.tell('where')
  await attacker.tell({ ...where, label } as unknown as Json)
  const asker = await startKeyed(A, { name: 'a', knows: [{ key: signerOf(B).kid, name: 'b' }] })
  try {
    // Everything is compiled, and has its memory, before it is measured.
    const from = performance.now()
    await times(asker, where.hop, () => performance.now() - from > 1000)
    await attacker.tell(BAD / 10)
    const before = await engine.tell('stats')
    const p99: { quiet: number; loud: number }[] = []
    let [asked, told] = [0, { sent: 0, closed: 0 }]
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now()
      const quiet = await times(asker, where.hop, () => performance.now() - start > QUIET)
      let isOver = false
      const attack = attacker.tell(BAD / ROUNDS).then((said) => {
        isOver = true
        told = said
      })
      const loud = await times(asker, where.hop, () => isOver)
      await attack
      asked += quiet.length + loud.length
      p99.push({ quiet: quantile(quiet, 0.99), loud: quantile(loud, 0.99) })
    }
    const after = await engine.tell('stats')
    const growth = after.rss - before.rss
    const ratio = median(p99.map(({ quiet, loud }) => loud / quiet))
    console.log(
      `note: ${label}: ${told.sent} bad dispatches, thrown out ${told.closed} times, ${asked} honest questions answered; ` +
        `p99 ${median(p99.map(({ quiet }) => quiet)).toFixed(2)} ms quiet, ` +
        `${median(p99.map(({ loud }) => loud)).toFixed(2)} ms beside the attack, ratio ${ratio.toFixed(2)}; ` +
        `memory ${(growth / 2 ** 20).toFixed(1)} MiB more; ${JSON.stringify(after.sizes)}`,
    )
    assert.ok(told.sent >= BAD)
    assert.ok(growth < MOST_GROWTH, `${growth} bytes`)
    const { budgets, bad, ...tables } = after.sizes
    const { budgets: _, bad: __, ...tablesBefore } = before.sizes
    assert.equal(tables, tablesBefore, 'no table has grown')
    assert.ok((budgets as number) <= 8 && (bad as number) <= 8, 'only for connections that are open')
    assert.ok(ratio < 5, `p99 is ${ratio} times that of the quiet engine`)
  } finally {
    await asker.engine.close(0)
    engine.stop()
    attacker.stop()
  }
}

const role = process.argv[2]
if (role === 'engine') await beEngine()
else if (role === 'attacker') beAttacker()
else {
  for (const label of ['tcp', 'ws'] as const) {
    test(`T20 100,000 bad dispatches over ${label}: memory is bounded, every honest question is answered, p99 under 5 times`, () =>
      besiege(label))
  }
  test.run()
}
