// Whole engines whose peers go beyond their rights, pose as others, were revoked, or have a wrong clock (spec B12, T18, T19
// and T23 to T25).

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch, Element, Json } from '../../src/core/dispatch.ts'
import type { Request } from '../../src/core/owner.ts'
import { openKeystore } from '../../src/identity/keystore.ts'
import type { RightData } from '../../src/identity/rights.ts'
import { readTrust } from '../../src/identity/trust-file.ts'
import {
  bent,
  CLOSED,
  isAnswer,
  JumpyTown,
  LAVISH,
  lampOf,
  neighbours,
  reportsAt,
  secOf,
} from './engine-kit.ts'
import { type Party, Town, town, uriOf } from './engines.ts'
import { ALL, fileOf, kidOfSeed, MODES, SEEDS } from './parties.ts'

async function withRights(allow: RightData[]) {
  const key = await kidOfSeed(SEEDS.a)
  return town({ a: CLOSED, b: { ...CLOSED, knows: [{ key, name: 'a', allow }] } })
}

function narrow({ guard }: Party, key: Uint8Array, allow: RightData[]): void {
  guard.identity.retrust(readTrust(fileOf([{ key, name: 'a', allow }]), 'trust.json'))
}

/** Binds, or says with what status that was refused. */
async function statusOf(binding: Promise<unknown>): Promise<number> {
  return binding.then(
    () => 200,
    (error: { status: number }) => error.status,
  )
}

test('T18 a BIND that is too wide is 403; what is pushed is looked at again, so that a right can be taken away', async () => {
  const { place, a, b, far } = await withRights([{ method: ['BIND'], resource: ['lamp', 'level', '...'] }])
  const { lamp } = lampOf(b)
  const seen: Json[] = []
  const bind = (pattern: string) =>
    a.engine.bind(reportsAt(far, pattern), ({ dispatch }) => void seen.push(dispatch.resource as Json), {
      key: 'b',
    })
  for (const wide of ['...', 'lamp/...', 'lamp/*', 'lamp/:any', '*/level', 'lamp', 'sec/...', 'door'])
    assert.is(await statusOf(bind(wide)), 403, wide)
  assert.is(await statusOf(bind('lamp/level/...')), 200)
  for (const point of ['level', 'on', 'door']) lamp.report([point], 1)
  lamp.report(['level', 'left'], 1)
  await place.settle()
  assert.equal(seen.splice(0), [
    ['lamp', 'level'],
    ['lamp', 'level', 'left'],
  ])
  narrow(b, a.signer.kid, [{ method: ['BIND'], resource: ['lamp', 'level', 'left'] }])
  lamp.report(['level'], 2)
  lamp.report(['level', 'left'], 2)
  await place.settle()
  assert.equal(seen.splice(0), [['lamp', 'level', 'left']])
  narrow(b, a.signer.kid, [])
  lamp.report(['level', 'left'], 3)
  await place.settle()
  assert.equal(seen, [])
  await place.close()
})

/** Written down again, as plainly as the spec says it: what a rule covers. `*` after `...` adds nothing to it. */
function covers([first, ...pattern]: Element[], [next, ...resource]: Element[]): boolean {
  if (first === undefined) return next === undefined
  if (first === '...') {
    while (isWild(pattern[0])) pattern.shift()
    const here = covers(pattern, next === undefined ? [] : [next, ...resource])
    return here || (next !== undefined && covers([first, ...pattern], resource))
  }
  if (next === undefined) return false
  return (isWild(first) || String(first) === String(next)) && covers(pattern, resource)
}

function isWild(element: Element | undefined): boolean {
  return element === '*' || String(element).startsWith(':')
}

test('T18 property: pushed ⊆ allowed, whatever is allowed, bound and reported', async () => {
  const element = fc.constantFrom<Element>('x', 'y')
  const rest = fc.array(fc.oneof(element, fc.constantFrom<Element>('*', '...', ':n')), { maxLength: 3 })
  const both = fc.oneof(
    fc.tuple(rest, rest),
    rest.map((it) => [it, it] as const),
  )
  const points = fc.array(fc.array(element, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 })
  const { place, a, b, far } = await withRights(ALL)
  const { lamp } = lampOf(b)
  let granted = 0
  let pushed = 0
  const property = fc.asyncProperty(both, points, async ([allowed, bound], reported) => {
    narrow(b, a.signer.kid, [{ method: ['BIND'], resource: ['lamp', ...allowed] }])
    const seen: Element[][] = []
    const abort = new AbortController()
    const status = await statusOf(
      a.engine.bind(
        reportsAt(far, ['lamp', ...bound].join('/')),
        ({ dispatch }) => void seen.push(dispatch.resource ?? []),
        {
          key: 'b',
          signal: abort.signal,
        },
      ),
    )
    for (const point of reported) lamp.report(point, 1)
    await place.settle()
    abort.abort()
    await place.settle()
    if (status === 200) granted++
    else assert.is(status, 403)
    pushed += seen.length
    for (const resource of seen)
      assert.ok(covers(['lamp', ...allowed], resource), JSON.stringify([allowed, resource]))
    if (status !== 200) assert.equal(seen, [])
  })
  await fc.assert(property, { numRuns: 150 })
  assert.ok(granted > 20 && pushed > 20, `${granted} ${pushed}`)
  await place.close()
})

test('T19 three engines, all pairs, every mode: each is known by its own name, and nobody by another', async () => {
  const place = new Town()
  const people = await neighbours(place, ['a', 'b', 'c'])
  const lamps = people.map(lampOf)
  for (const [i, from] of people.entries()) {
    for (const [j, to] of people.entries()) {
      if (i === j) continue
      for (const mode of MODES) {
        const key = ['a', 'b', 'c'][j] as string
        const body = `${i} to ${j} by ${mode}`
        const answer = await from.engine.put(uriOf([to.hop], 'lamp/on'), { body, key, mode }).first()
        assert.equal([answer.status, answer.body], [200, `done ${body}`])
        assert.is(lamps[j]?.seen.at(-1)?.author, from.id)
      }
    }
  }
  assert.equal(
    lamps.map(({ done }) => done.size),
    [6, 6, 6],
  )
  await place.close()
})

test('T19 what C has signed or sealed for B is nothing to A, whoever brings it there', async () => {
  const place = new Town()
  const kept: string[] = []
  const [a, b, c] = (await neighbours(place, ['a', 'b', 'c'])) as [Party, Party, Party]
  let isOpen = false
  const tamper = bent((frame, raw) => {
    if (frame.sec !== undefined && !isAnswer(frame)) kept.push(String(raw))
    return isOpen ? [...kept, raw] : [raw]
  })
  const relay = await place.plain({ name: 'relay', tamper })
  const [atA, atB] = [lampOf(a), lampOf(b)]
  for (const mode of MODES)
    await c.engine.put(uriOf([relay.hop, b.hop], 'lamp/on'), { body: mode, key: 'b', mode }).first()
  assert.is(atB.done.size, MODES.length)
  isOpen = true
  const { engine } = await place.plain()
  await engine.get(uriOf([relay.hop, a.hop], 'sec/id'), { body: { nonce: 'AAAAAAAAAAAAAAAAAAAAAA' } }).first()
  await place.settle()
  assert.is(kept.length, MODES.length + 1, 'and the handshake')
  assert.equal([...atA.done], [])
  const {
    'sec.audience': audience = 0,
    'sec.prekey': prekey = 0,
    'sec.context': context = 0,
  } = a.meters.read()
  assert.ok(audience > 0 && prekey > 0 && context > 0, 'they did arrive')
  await place.close()
})

test('T19 orig: an event names its author and its server; bent, missing, foreign or repeated it names nobody', async () => {
  const place = new Town()
  let bend = (frame: Dispatch): Dispatch[] => [frame]
  const [a, b, c] = (await neighbours(place, ['a', 'b', 'c'])) as [Party, Party, Party]
  const relay = await place.plain({ name: 'relay', tamper: bent((frame) => bend(frame)) })
  const seen: Request[] = []
  const options = { key: 'b' }
  // Nobody owns `news`: what C puts there goes on to who is bound.
  await a.engine.bind(uriOf([b.hop], 'news/...'), (request) => void seen.push(request), options)
  const post = async (mode: (typeof MODES)[number], body: string, to = [b.hop]) => {
    c.engine.send('PUT', uriOf(to, 'news/today'), { body, key: 'b', mode })
    await place.settle()
    return seen.splice(0).map(({ dispatch, author, server }) => [dispatch.body, author, server])
  }
  assert.equal(await post('sign', 'signed'), [['signed', c.id, b.id]])
  // What can't be proven to others is the word of the server.
  assert.equal(await post('seal', 'sealed'), [['sealed', b.id, undefined]])
  assert.equal(await post('ctx', 'in a context'), [['in a context', b.id, undefined]])
  const far = [relay.hop, b.hop]
  bend = (frame) => [{ ...frame, sec: { ...secOf(frame), orig: 'x' } }]
  assert.equal(await post('sign', 'foreign', far), [])
  bend = (frame) => (frame.sec ? [{ ...frame, body: 'bent' }] : [frame])
  assert.equal(await post('sign', 'an outer body', far), [['an outer body', c.id, b.id]])
  bend = (frame) => [frame, frame, frame]
  assert.equal(await post('sign', 'repeated', far), [['repeated', c.id, b.id]])
  await place.close()
})

test('T23 a revoked key: within a second no question, no open context, no running subscription', async () => {
  const place = new Town()
  const [a, b, owner] = (await neighbours(place, ['a', 'b', 'c'])) as [Party, Party, Party]
  b.guard.identity.retrust(
    readTrust(
      fileOf([
        { key: a.signer.kid, name: 'a' },
        { key: owner.signer.kid, name: 'owner', issuer: true },
      ]),
      'trust.json',
    ),
  )
  const { lamp, done } = lampOf(b)
  const seen: Json[] = []
  await a.engine.bind(uriOf([b.hop], 'lamp/...'), ({ dispatch }) => void seen.push(dispatch.body as Json), {
    key: 'b',
  })
  for (const mode of MODES) {
    const { status } = await a.engine.put(uriOf([b.hop], 'lamp/on'), { body: mode, key: 'b', mode }).first()
    assert.is(status, 200)
  }
  lamp.report(['level'], 1)
  await place.settle()
  assert.equal(seen, [1])
  const told = await owner.guard.state({ revoked: [a.id], serial: 1, epoch: 0 }, { key: 'b', to: [b.hop] })
  assert.is(told.status, 200)
  const { contexts, feeds } = b.guard.identity.sizes
  assert.equal([contexts, feeds], [0, 0])
  lamp.report(['level'], 2)
  const asked = MODES.map((mode) =>
    a.engine.put(uriOf([b.hop], 'lamp/on'), { body: `late ${mode}`, key: 'b', mode }).all(),
  )
  await place.advance(900)
  lamp.report(['level'], 3)
  await place.settle()
  assert.equal(seen, [1])
  await place.advance(60_000)
  for (const answers of await Promise.all(asked)) {
    const authentic = answers.filter((it) => it.authentic !== false)
    assert.ok(
      authentic.every(({ status }) => status >= 400),
      JSON.stringify(answers),
    )
  }
  lamp.report(['level'], 4)
  await place.settle()
  assert.equal(seen, [1])
  assert.is(done.size, MODES.length)
  assert.is(lamp.watched(['level']), false)
  await place.close()
})

test('T24 a lower serial is refused, the same again changes nothing, a higher one counts', async () => {
  const place = new Town()
  const [b, owner] = (await neighbours(place, ['b', 'c'])) as [Party, Party]
  const keys = [{ key: owner.signer.kid, name: 'owner', issuer: true }]
  b.guard.identity.retrust(readTrust(fileOf(keys), 'trust.json'))
  const thief = { id: 'did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd' }
  const state = async (serial: number, revoked: string[]) => {
    const { status, body } = await owner.guard.state({ revoked, serial, epoch: 0 }, { key: 'b', to: [b.hop] })
    return [status, (body as { changed?: boolean }).changed]
  }
  assert.equal(await state(5, [thief.id]), [200, true])
  assert.equal(await state(5, [thief.id]), [200, false])
  assert.equal(await state(4, []), [403, undefined])
  assert.equal(await state(5, []), [403, undefined])
  assert.equal(await state(6, []), [200, true])
  await place.close()
})

test('T24 another board: there is no key, so no engine speaks for it; on its own board it does', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hormiga-board-'))
  try {
    const open = (serial: string) => openKeystore({ folder: join(folder, 'keys'), now: () => 0, serial })
    const first = open('10000000aaaaaaaa')
    const { kid } = first.signer
    first.close()
    assert.throws(() => open('10000000bbbbbbbb'), /board/)
    const again = open('10000000aaaaaaaa')
    assert.equal(again.signer.kid, kid)
    again.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('T25 1970, 2100, back and forth: questions, commands that want to be fresh, subscriptions, new contexts', async () => {
  const place = new JumpyTown()
  const key = await kidOfSeed(SEEDS.a)
  const allow = [
    ...ALL.slice(1),
    { method: ['GET'], resource: ['...'] },
    { method: ['PUT'], resource: ['...'], fresh: 30 },
  ]
  const options = { ...CLOSED, settings: LAVISH }
  const b = await place.engine(SEEDS.b, { name: 'b', knows: [{ key, name: 'a', allow }], ...options })
  const relay = await place.plain({ name: 'relay' })
  const a = await place.engine(SEEDS.a, { name: 'a', knows: [{ key: b.signer.kid, name: 'b' }], ...options })
  const far = [relay.hop, b.hop]
  const { lamp, done } = lampOf(b)
  const seen: Json[] = []
  const states: string[] = []
  await a.engine.bind(uriOf(far, 'lamp/...'), ({ dispatch }) => void seen.push(dispatch.body as Json), {
    key: 'b',
    onState: (state) => states.push(state),
  })
  const years = [1970, 2100, 2025, 1970, 2038, 2100, 1900]
  for (const [i, year] of years.entries()) {
    place.clock.said = Date.UTC(year, 0, 1)
    for (const mode of MODES) {
      const at = uriOf(far, 'lamp/on')
      assert.is((await a.engine.get(at, { key: 'b', mode }).first()).body, true, `${year} ${mode}`)
      const { status } = await a.engine.put(at, { key: 'b', mode, body: `${i} ${mode}` }).first()
      assert.is(status, 200, `${year} ${mode}`)
    }
    lamp.report(['level'], year)
    await place.settle()
    // New challenges, new contexts, beats in between.
    await place.advance(11 * 60_000)
  }
  assert.equal(seen, years)
  assert.equal(states, ['bound'])
  assert.ok([...done.values()].every((count) => count === 1))
  assert.is(done.size, years.length * MODES.length)
  await place.close()
})

test.run()
