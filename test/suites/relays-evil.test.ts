// heavy
// time limit: 60 s
// A relay that alters, replays, delays, reorders, drops and forges at random, for thousands of dispatches: nothing but
// availability may suffer, and that comes back by itself (spec B12, T2 to T13 and T17 at once; issue 3).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import type { Request } from '../../src/core/owner.ts'
import { MODES } from '../identity/parties.ts'
import { Evil, FORGED } from './relays-evil.ts'
import {
  eventually,
  fastEnv,
  type Keyed,
  pause,
  signerOf,
  startKeyed,
  startPlain,
  uriOf,
  Wire,
} from './relays-kit.ts'

const [A, B] = [0x00, 0x20]
const COMMANDS = 3000
const AT_ONCE = 40
/** The engines live so much faster than the clock on the wall. */
const HASTE = 10
const ANSWER_TIMEOUT = 3000

/** What B was asked and has said, and what A was shown of it. */
class Ledger {
  readonly sent = new Map<number, string>()
  readonly done = new Map<number, { count: number; said: string }>()
  readonly reported = new Map<number, string>()
  readonly faults: string[] = []
  shown = { answers: 0, doubtful: 0, failed: 0, events: 0, missed: 0 }
  #last = -1
  #marks = 0

  serve({ engine }: Keyed, author: string) {
    const lamp = engine.own('lamp')
    lamp.handle('PUT', ['on'], (request) => this.#carryOut(request, author))
    return lamp
  }

  /** A fresh word. */
  mark(): string {
    return `said-${++this.#marks}-${Math.random()}`
  }

  answered(id: number, status: number, body: Json | undefined, isDoubtful: boolean): void {
    if (isDoubtful) return void this.shown.doubtful++
    const text = JSON.stringify(body ?? null)
    if (status === 200) {
      this.shown.answers++
      if (body !== this.done.get(id)?.said) this.faults.push(`an answer that B never gave: ${text}`)
    } else {
      // Our own engine's word, or an authentic 401: the forger leaves its name everywhere.
      this.shown.failed++
      if (text.includes(FORGED) || ![401, 500, 502, 504].includes(status))
        this.faults.push(`shown as authentic: ${status} ${text}`)
    }
  }

  heard({ dispatch, author, server, missed = 0 }: Request, id: string): void {
    this.shown.events++
    this.shown.missed += missed
    const { n, mark } = dispatch.body as { n: number; mark: string }
    if (author !== id || server !== undefined) this.faults.push(`an event by ${author} and ${server}`)
    if (this.reported.get(n) !== mark)
      this.faults.push(`an event that B never sent: ${JSON.stringify(dispatch)}`)
    if (n <= this.#last) this.faults.push(`event ${n} came after ${this.#last}`)
    this.#last = n
  }

  #carryOut({ dispatch, author }: Request, expected: string): string {
    const { id, mark } = dispatch.body as { id: number; mark: string }
    const count = (this.done.get(id)?.count ?? 0) + 1
    const said = this.mark()
    this.done.set(id, { count, said })
    if (count > 1) this.faults.push(`command ${id} was carried out ${count} times`)
    if (author !== expected) this.faults.push(`command ${id} was carried out for ${author}`)
    if (this.sent.get(id) !== mark) this.faults.push(`command ${id} was never sent like that`)
    return said
  }
}

const ends: (() => Promise<void>)[] = []

test.after(async () => {
  for (const end of ends) await end()
})

const seed = Number(process.env.HORMIGA_SEED ?? Math.floor(Math.random() * 2 ** 31))

test(`an evil relay does harm to availability only (HORMIGA_SEED=${seed})`, async () => {
  const evil = new Evil(seed)
  const options = { answerTimeout: ANSWER_TIMEOUT, access: [] }
  const b = await startKeyed(B, {
    name: 'b',
    env: fastEnv(HASTE),
    knows: [{ key: signerOf(A).kid, name: 'a' }],
    // So much that is bad comes by this way that what is good would have to wait for its turn.
    settings: { verify: { rate: 1e6, burst: 1e6 } },
    ...options,
  })
  const last = await Wire.to(b.hop, evil.meddle)
  const { engine: relay, hop } = await startPlain({
    name: 'relay',
    env: fastEnv(HASTE),
    forward: { allow: [last.hop] },
  })
  const first = await Wire.to(hop, evil.meddle)
  const a = await startKeyed(A, {
    name: 'a',
    env: fastEnv(HASTE),
    knows: [{ key: signerOf(B).kid, name: 'b' }],
    settings: { verify: { rate: 1e6, burst: 1e6 } },
    ...options,
  })
  ends.push(async () => {
    for (const { engine } of [a, b]) await engine.close(0)
    await relay.close(0)
    for (const wire of [first, last]) wire.close()
  })
  const far = [first.hop, last.hop]
  const ledger = new Ledger()
  const lamp = ledger.serve(b, a.id)

  let next = 0
  const command = async () => {
    const id = next++
    const mark = ledger.mark()
    ledger.sent.set(id, mark)
    const mode = MODES[id % 3]
    const stream = a.engine.put(uriOf(far, 'lamp/on'), { key: 'b', mode, body: { id, mark } })
    let isGood = false
    for await (const { status, body, authentic } of stream) {
      ledger.answered(id, status, body, authentic === false)
      if (status === 200 && authentic !== false) isGood = true
    }
    return isGood
  }
  const states: string[] = []
  // The first BIND needs a way that is open.
  evil.isEvil = false
  const bound = await a.engine.bind(uriOf(far, 'lamp/...'), (request) => ledger.heard(request, b.id), {
    key: 'b',
    onState: (state) => states.push(state),
  })
  evil.isEvil = true
  let ticks = 0
  const tick = () => {
    const mark = ledger.mark()
    ledger.reported.set(ticks, mark)
    lamp.report(['tick'], { n: ticks++, mark })
  }
  const worker = async () => {
    while (next < COMMANDS) {
      tick()
      await command()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const { answers, events } = ledger.shown
  const executed = [...ledger.done.values()].length
  const from = performance.now()
  evil.isEvil = false
  const within = (60_000 / HASTE) * (process.env.CI ? 2 : 1)
  const heard = () => ledger.shown.events
  const before = heard()
  await eventually(
    `${seed}: events again`,
    async () => {
      tick()
      await pause(50)
      return heard() > before
    },
    within,
  )
  await eventually(
    `${seed}: commands in every mode again`,
    async () => (await Promise.all([command(), command(), command()])).every(Boolean),
    within - (performance.now() - from),
  )
  const healed = (performance.now() - from) * HASTE
  for (let i = 0; i < 30; i++) assert.ok(await command(), `${seed}: and it stays so`)
  console.log(
    `note: ${COMMANDS} commands, ${executed} carried out, ${answers} answered, ${events} events of ${ticks}, ` +
      `${states.filter((state) => state === 'stale').length} times stale; ${JSON.stringify(evil.done)}; ` +
      `well again after ${(healed / 1000).toFixed(1)} s`,
  )
  assert.equal(ledger.faults, [], `HORMIGA_SEED=${seed}`)
  for (const defence of ['signature', 'sealed', 'replay', 'shape', 'key', 'context', 'prekey', 'stray'])
    assert.ok(a.counted(`sec.${defence}`) + b.counted(`sec.${defence}`) > 0, `${defence} was never needed`)
  assert.ok(executed > COMMANDS / 20, 'enough went through to prove something')
  for (const count of Object.values(evil.done)) assert.ok(count > 50, JSON.stringify(evil.done))
  bound.release()
})

test.run()
