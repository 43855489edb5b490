// time limit: 120 s
// Whatever dies, hangs, drains and comes back, in any order (design §5): nothing that may not be done twice is done twice,
// every asker gets exactly one end, a subscriber gets nothing twice, and no table keeps anything.

import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch } from '../../src/core/dispatch.ts'
import type { Outbound } from '../../src/core/outbound.ts'
import { type Node, type Replica, Town } from './town.ts'

const METHODS = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']
const NAMES = ['one', 'two', 'three'] as const
const NOBODY = { subscriptions: new Map(), triggerings: new Map(), trigger() {} }

type Step =
  | { kind: 'ask'; method: string; expires: number | undefined }
  | { kind: 'pass'; ms: number }
  | { kind: 'kill' | 'start' | 'freeze' | 'thaw' | 'drain' | 'slow' | 'fast' | 'full'; who: number }
  | { kind: 'news' }

const who = fc.nat(NAMES.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      method: fc.constantFrom(...METHODS),
      expires: fc.option(fc.integer({ min: 1, max: 20_000 }), { nil: undefined, freq: 5 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(0, 1, 50, 900, 3000, 9000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('news' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('kill' as const, 'start', 'freeze', 'thaw', 'drain', 'slow', 'fast', 'full'),
      who,
    }),
  },
)

class Play {
  readonly town = new Town()
  readonly ends: { method: string; ends: number; late: number }[] = []
  readonly executed = new Map<string, number>()
  readonly news: number[] = []
  relay!: Node
  #replicas: (Replica | undefined)[] = []
  #slow = new Set<number>()
  #count = 0

  async open(announced: boolean): Promise<this> {
    const docs = {
      replicas: announced ? [] : NAMES.map((name) => [name, 1, 'memory'] as [string, number, string]),
      announced,
      retry: ['GET', 'PUT'],
    }
    this.relay = await this.town.node('relay', { services: { docs } })
    for (const index of NAMES.keys()) await this.#start(index, announced)
    await this.town.pass(500)
    this.relay.engine
      .bind('BIND#*#docs//news', ({ dispatch }) => void this.news.push(dispatch.body as number))
      .catch(() => {})
    await this.town.pass(100)
    return this
  }

  async step(step: Step, announced: boolean): Promise<void> {
    if (step.kind === 'pass') return this.town.pass(step.ms)
    if (step.kind === 'ask') return this.#ask(step.method, step.expires)
    if (step.kind === 'news') return this.#happen()
    const replica = this.#replicas[step.who]
    if (step.kind === 'start' && !replica) await this.#start(step.who, announced)
    else if (step.kind === 'slow') this.#slow.add(step.who)
    else if (step.kind === 'fast') this.#slow.delete(step.who)
    else if (step.kind === 'freeze') {
      replica?.freeze()
      this.town.clock.after(20_000, () => replica?.thaw())
    } else if (step.kind === 'thaw') replica?.thaw()
    else if (step.kind === 'drain') replica?.report({ draining: true })
    else if (step.kind === 'full') replica?.report({ state: 'critical', cause: 'disk', saturation: 1 })
    else if (step.kind === 'kill' && replica) {
      this.#replicas[step.who] = undefined
      await replica.kill()
    }
  }

  async end(): Promise<void> {
    await this.town.pass(60_000)
    for (const { method, ends, late } of this.ends) assert.equal([method, ends, late], [method, 1, 0])
    for (const [key, count] of this.executed) {
      if (!/^(GET|PUT) /.test(key)) assert.is(count, 1, `${key} was carried out ${count} times`)
    }
    assert.equal([...new Set(this.news)], this.news, 'no report comes twice')
    await this.relay.close()
    await this.town.end()
  }

  async #start(index: number, announced: boolean): Promise<void> {
    const peers: [string, number, string][] = [['relay', 1, 'memory']]
    const replica = await this.town.replica(
      NAMES[index] as string,
      announced ? { announce: ['docs'], peers } : {},
    )
    this.#replicas[index] = replica
    replica.serve = ({ dispatch: { method, body } }) => {
      const key = `${method} ${body}`
      this.executed.set(key, (this.executed.get(key) ?? 0) + 1)
      if (!this.#slow.has(index)) return replica.name
      return new Promise((resolve) => this.town.clock.after(2500, () => resolve(replica.name)))
    }
  }

  async #ask(method: string, expires: number | undefined): Promise<void> {
    const end = { method, ends: 0, late: 0 }
    this.ends.push(end)
    const asker = {
      open: 0,
      answered(_out: Outbound, final: boolean) {
        if (end.ends > 0) end.late++
        else if (final) end.ends++
      },
      ended() {
        if (end.ends > 0) end.late++
        else end.ends++
      },
    }
    const dispatch: Dispatch = {
      method,
      resource: ['docs', 'x'],
      timestamp: 1,
      body: this.#count++,
      to: ['docs'],
    }
    this.#give(this.relay, { ...dispatch, token: [this.town.uuid()], ...(expires && { expires }) }, asker)
  }

  /** Something that all replicas hear of. */
  async #happen(): Promise<void> {
    const number = this.#count++
    for (const replica of this.#replicas) {
      if (replica) {
        this.#give(
          replica,
          { method: 'PUT', resource: ['news'], timestamp: number, body: number },
          { open: 0, answered() {}, ended() {} },
        )
      }
    }
  }

  #give({ engine }: Node, dispatch: Dispatch, asker: object): void {
    ;(engine as unknown as { dispatch(...it: unknown[]): void }).dispatch(dispatch, asker, NOBODY)
  }
}

for (const announced of [false, true]) {
  test(`§5 any order of events, replicas ${announced ? 'that announce themselves' : 'of the configuration'}`, async () => {
    const steps = fc.array(step, { minLength: 5, maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        const play = await new Play().open(announced)
        for (const step of steps) await play.step(step, announced)
        await play.end()
      }),
      { numRuns: process.env.HORMIGA_LONG ? 3000 : 150, endOnFailure: true },
    )
  })
}

test.run()
