// The trust store (spec B9, R4, R14, R15, R17): files, grants, revocations, rotations, pairing. T23 and what of T24 is not
// about the disk.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch, Json } from '../../src/core/dispatch.ts'
import { didOf } from '../../src/identity/did.ts'
import { pairMac, readPairCode } from '../../src/identity/pairing.ts'
import type { RightData } from '../../src/identity/rights.ts'
import { rotationInput } from '../../src/identity/statements.ts'
import { NO_TRUST, readTrust } from '../../src/identity/trust-file.ts'
import { hex, node } from './kit.ts'
import {
  ALL,
  answering,
  asAnswer,
  asFailure,
  asking,
  asRequest,
  fileOf,
  introduce,
  isDelivered,
  type Known,
  kidOfSeed,
  meet,
  open,
  openAll,
  type Party,
  party,
  protect,
  SEEDS,
  subscribe,
  telling,
} from './parties.ts'

/** An owner who may issue, a guest that nobody knows yet, an engine that knows the owner only. */
async function household(options: { allow?: RightData[]; more?: Known[] } = {}) {
  const keys = {
    owner: await kidOfSeed(SEEDS.a),
    engine: await kidOfSeed(SEEDS.b),
    guest: await kidOfSeed(SEEDS.c),
  }
  const knowsEngine = [{ key: keys.engine, name: 'engine' }]
  const owner = await party(SEEDS.a, { knows: knowsEngine })
  const guest = await party(SEEDS.c, { knows: knowsEngine })
  const { allow = ALL, more = [] } = options
  const engine = await party(SEEDS.b, {
    clock: owner.clock,
    knows: [{ key: keys.owner, name: 'owner', issuer: true, allow }, ...more],
  })
  return { owner, guest, engine }
}

/** The engine takes a statement: its status. */
async function state(from: Party, to: Party, body: Json): Promise<number> {
  const outer = (await from.identity.state(body)) as Dispatch
  const result = await open(to, outer, from.id)
  if (result.kind === 'reply') return result.reply.resource?.[0] as number
  const reply = asFailure(result, (result as { failure: string }).failure)
  return (reply?.resource?.[0] as number) ?? 0
}

const GET_X = { method: ['GET'], resource: ['x'] }

function grant(sub: Party, serial: number, allow: RightData[] = [GET_X], epoch = 0): Json {
  return { sub: sub.id, name: 'guest', allow, epoch, serial } as unknown as Json
}

async function mayGet(guest: Party, engine: Party): Promise<boolean> {
  const { outer } = await protect(guest, engine, asking(['x'], null, 'GET'), 'sign')
  return isDelivered(await openAll(engine, outer, guest.id))
}

test('B9 a slip in the file is told with its place, and never widens anything', () => {
  const key = fileOf([
    { key: hex('fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025'), name: 'a' },
  ]) as {
    keys: Json[]
  }
  const first = key.keys[0] as { [name: string]: Json }
  const weak = didOf(hex(`01${'00'.repeat(31)}`))
  const right = (more: object): Json => ({
    v: 1,
    keys: [{ ...first, allow: [{ method: ['GET'], resource: ['x'], ...more }] }],
  })
  const slips: [Json, RegExp][] = [
    [{ v: 2, keys: [] }, /"v" must be 1/],
    [[], /must be an object/],
    [{ v: 1, kyes: [] }, /"kyes" is unknown; known are v, keys/],
    [{ v: 1, keys: [first, first] }, /stands there twice/],
    [{ v: 1, keys: [{ ...first, id: 'did:key:z6Mk' }] }, /keys\[0\]\.id: must be a did:key/],
    [{ v: 1, keys: [{ ...first, id: weak }] }, /small order/],
    [{ v: 1, keys: [{ ...first, suites: [2] }] }, /suites/],
    [{ v: 1, keys: [{ ...first, issuer: { depth: 2 } }] }, /depth: must be 0 or 1/],
    [{ v: 1, keys: [{ ...first, issuer: true }] }, /issuer: must be an object/],
    [right({ mode: ['ctx'] }), /allow\[0\]\.mode: unknown/],
    [right({ modes: ['ctxt'] }), /modes: must be a list of sign, seal, ctx/],
    [right({ modes: [] }), /modes/],
    [right({ fresh: -1 }), /fresh/],
    [right({ public: 'yes' }), /public/],
    [right({ resource: [] }), /resource/],
    [right({ method: 'GET' }), /method: must be a list/],
    [{ v: 1, keys: [], revoked: [{ id: weak }] }, /small order/],
    [{ v: 1, keys: [], serial: -1 }, /serial: must count from 0/],
  ]
  for (const [file, message] of slips) assert.throws(() => readTrust(file, 'trust.json'), message)
  assert.is(readTrust(right({ fresh: 30 }), 'trust.json').keys[0]?.rights[0]?.data.fresh, 30)
  assert.equal(NO_TRUST.keys, [])
})

test('B3 the own key and weak keys are refused at enrolment', async () => {
  const key = await kidOfSeed(SEEDS.a)
  let message = ''
  await party(SEEDS.a, { knows: [{ key, name: 'me' }] }).catch((error) => {
    message = error.message
  })
  assert.match(message, /key of this engine itself/)
})

test('B9 a grant gives what the issuer has, and no more', async () => {
  const allow: RightData[] = [
    { method: ['GET', 'PUT'], resource: ['x', '...'], modes: ['sign', 'ctx'] },
    { method: ['BIND'], resource: ['x'], events: ['PUT'] },
    { method: ['PUT'], resource: ['door'], fresh: 30 },
  ]
  const { owner, guest, engine } = await household({ allow })
  const tooMuch: RightData[] = [
    { method: ['DELETE'], resource: ['x'], modes: ['ctx'] },
    { method: ['*'], resource: ['x'], modes: ['ctx'] },
    { method: ['GET'], resource: ['...'], modes: ['ctx'] },
    { method: ['GET'], resource: ['x'], modes: ['seal'] },
    { method: ['GET'], resource: ['x'] },
    { method: ['GET'], resource: ['x'], modes: ['ctx'], public: true },
    { method: ['BIND'], resource: ['x'], events: ['POST'] },
    { method: ['BIND'], resource: ['...'] },
    { method: ['PUT'], resource: ['door'] },
    { method: ['PUT'], resource: ['door'], fresh: 31 },
  ]
  let serial = 1
  for (const right of tooMuch) {
    assert.is(await state(owner, engine, grant(guest, serial++, [right])), 403, JSON.stringify(right))
  }
  assert.is(engine.saved.length, 0)
  const fine: RightData[] = [
    { method: ['GET'], resource: ['x', 'y'], modes: ['ctx'] },
    { method: ['BIND'], resource: ['x'] },
    { method: ['PUT'], resource: ['door'], fresh: 10 },
    { method: ['GET'], resource: ['x'], modes: ['sign'] },
  ]
  assert.is(await state(owner, engine, grant(guest, serial++, fine)), 200)
  await introduce(guest, engine)
  assert.is(await mayGet(guest, engine), true)
})

test('B9 who is no issuer grants nothing, nor does a granted key', async () => {
  const { owner, guest, engine } = await household()
  assert.is(await state(guest, engine, grant(guest, 1)), 401)
  assert.is(await state(owner, engine, grant(guest, 1)), 200)
  const friend = await party(SEEDS.d)
  assert.is(await state(guest, engine, grant(friend, 1)), 403)
  assert.is(await state(owner, engine, { ...(grant(friend, 2) as object), issuer: { depth: 1 } }), 403)
  assert.is(await state(owner, engine, grant(owner, 2)), 403, 'not for itself')
  assert.is(await state(owner, engine, grant(engine, 2)), 403, 'not for this engine')
})

test('T24 R14 serials rise strictly, per issuer; the same again changes nothing; epochs void', async () => {
  const { owner, guest, engine } = await household()
  assert.is(await state(owner, engine, grant(guest, 5)), 200)
  const saved = engine.saved.length
  assert.is(await state(owner, engine, grant(guest, 5)), 200)
  assert.is(engine.saved.length, saved, 'the same again')
  assert.is(await state(owner, engine, grant(guest, 5, [])), 403, 'another with the same serial')
  assert.is(await state(owner, engine, grant(guest, 4)), 403, 'a lower one')
  await introduce(guest, engine)
  assert.is(await mayGet(guest, engine), true)
  assert.is(await state(owner, engine, { revoked: [], epoch: 1, serial: 6 }), 200)
  assert.is(await mayGet(guest, engine), false, 'grants of the old epoch are void')
  assert.is(await state(owner, engine, grant(guest, 7, [GET_X], 0)), 403, 'and are not taken')
  assert.is(await state(owner, engine, grant(guest, 8, [GET_X], 1)), 200)
  engine.trust.resetSerial(owner.id)
  assert.is(await state(owner, engine, grant(guest, 1, [], 1)), 200, 'after a local reset')
})

test('T23 a revoked key is refused at once: requests, open contexts, subscriptions, handshakes', async () => {
  const { owner, guest, engine } = await household()
  await state(owner, engine, grant(guest, 1, ALL))
  await meet(guest, engine)
  const { feed } = await subscribe(guest, engine, ['x'])
  const waiting = (await protect(guest, engine, asking(['x']), 'ctx')).outer
  const signed = (await protect(guest, engine, asking(['x']), 'sign')).outer
  const hello = (await guest.identity.begin(engine.id, 'context')) as Dispatch
  assert.is(engine.identity.sizes.contexts, 1)
  assert.is(await state(owner, engine, { revoked: [guest.id], epoch: 0, serial: 2 }), 200)
  asFailure(await open(engine, waiting), 'context')
  asFailure(await open(engine, signed), 'key')
  asFailure(await open(engine, hello), 'key')
  assert.is(await engine.identity.event(feed, telling(['x'])), undefined)
  assert.is(engine.identity.sizes.contexts, 0)
  assert.is(engine.identity.sizes.feeds, 0)
  assert.is(await state(owner, engine, grant(guest, 3, ALL)), 200)
  asFailure(await open(engine, (await protect(guest, engine, asking(['x']), 'sign')).outer), 'key')
})

test('T23 who has stolen the key of B can act as B, not as A towards B', async () => {
  const { owner, engine } = await household()
  const thief = await party(SEEDS.b, { knows: [{ key: owner.signer.kid, name: 'owner' }] })
  const posing = {
    kid: owner.signer.kid,
    sign: (bytes: Uint8Array) => thief.signer.sign(bytes),
  }
  const forger = await party(SEEDS.d, { knows: [{ key: engine.signer.kid, name: 'engine' }] })
  await introduce(forger, engine)
  const hello = (await forger.identity.begin(engine.id, 'context')) as Dispatch
  const kid = node.toText(posing.kid)
  asFailure(await open(engine, { ...hello, sec: { ...(hello.sec as object), kid } as Json }), 'signature')
})

test('R4 revocation follows rotations and grants of the revoked key, from its serial on', async () => {
  const guestKey = await kidOfSeed(SEEDS.c)
  const { owner, guest, engine } = await household({
    more: [{ key: guestKey, name: 'guest', issuer: false }],
  })
  const next = await party(SEEDS.d, { knows: [{ key: engine.signer.kid, name: 'engine' }] })
  const proof = async (old: Party, fresh: Party, serial: number) =>
    node.toText(await fresh.signer.sign(rotationInput(old.signer.kid, fresh.signer.kid, serial)))
  const rotation = async (serial: number, more = {}): Promise<Json> => ({
    old: guest.id,
    new: next.id,
    serial,
    proof: await proof(guest, next, serial),
    ...more,
  })
  assert.is(
    await state(guest, engine, { ...((await rotation(1)) as object), proof: await proof(next, guest, 1) }),
    403,
  )
  assert.is(await state(guest, engine, await rotation(1, { now: true })), 403, 'at once needs an issuer')
  assert.is(await state(guest, engine, await rotation(1)), 200)
  await introduce(next, engine)
  await introduce(guest, engine)
  assert.is(await mayGet(next, engine), true, 'the new key has the rights')
  assert.is(await mayGet(guest, engine), true, 'and the old one for 30 days')
  assert.is(await state(owner, engine, { revoked: [{ id: guest.id, from: 2 }], epoch: 0, serial: 1 }), 200)
  assert.is(await mayGet(guest, engine), false)
  assert.is(await mayGet(next, engine), true, 'it rotated before')
  assert.is(await state(owner, engine, { revoked: [{ id: guest.id, from: 1 }], epoch: 0, serial: 2 }), 200)
  assert.is(await mayGet(next, engine), false)
})

test('B9 a rotated key ends after 30 days of uptime', async () => {
  const guestKey = await kidOfSeed(SEEDS.c)
  const { guest, engine } = await household({ more: [{ key: guestKey, name: 'guest' }] })
  const next = await party(SEEDS.d)
  const proof = node.toText(await next.signer.sign(rotationInput(guest.signer.kid, next.signer.kid, 1)))
  assert.is(await state(guest, engine, { old: guest.id, new: next.id, serial: 1, proof }), 200)
  await engine.clock.advance(29 * 86_400_000)
  engine.identity.tick()
  assert.ok(engine.trust.named(guest.id))
  await engine.clock.advance(86_400_001)
  engine.identity.tick()
  assert.is(engine.trust.named(guest.id), undefined)
  assert.is(engine.trust.named(next.id)?.name, 'guest')
})

test('R4 an issuer does not rotate itself, another issuer does', async () => {
  const second = await kidOfSeed(SEEDS.e)
  const { owner, engine } = await household({ more: [{ key: second, name: 'second', issuer: true }] })
  const other = await party(SEEDS.e, { knows: [{ key: engine.signer.kid, name: 'engine' }] })
  const next = await party(SEEDS.d)
  const proof = node.toText(await next.signer.sign(rotationInput(owner.signer.kid, next.signer.kid, 1)))
  const body = { old: owner.id, new: next.id, serial: 1, proof }
  assert.is(await state(owner, engine, body), 403)
  assert.is(await state(other, engine, { ...body, now: true }), 200)
  assert.is(engine.trust.named(owner.id), undefined)
  assert.is(engine.trust.named(next.id)?.isIssuer, true)
})

test('B9 onStale: what keys may do when revocations could not be fetched for a day', async () => {
  const key = await kidOfSeed(SEEDS.a)
  for (const [onStale, get, put] of [
    ['keep', true, true],
    ['readonly', true, false],
    ['deny', false, false],
  ] as const) {
    const knows = [{ key, name: 'owner', issuer: true }]
    const engine = await party(SEEDS.b, { knows, onStale })
    const owner = await party(SEEDS.a, {
      knows: [{ key: engine.signer.kid, name: 'engine' }],
      clock: engine.clock,
    })
    await engine.clock.advance(25 * 3_600_000)
    await introduce(owner, engine)
    const may = async (method: string) =>
      isDelivered(
        await openAll(engine, (await protect(owner, engine, asking(['x'], null, method), 'sign')).outer),
      )
    assert.is(await may('GET'), get)
    assert.is(await may('PUT'), put)
    engine.trust.fetched()
    assert.is(await may('PUT'), true)
  }
})

test('B9 the list of an issuer is taken from its own answer, and counts as fetched', async () => {
  const { owner, guest, engine } = await household()
  const knowing = { key: engine.signer.kid, name: 'engine' }
  const issuer = await party(SEEDS.a, { clock: owner.clock, knows: [knowing] })
  await state(owner, engine, grant(guest, 1))
  await owner.clock.advance(25 * 3_600_000)
  assert.is(engine.trust.isStale, true)
  await meet(engine, issuer)
  const made = await protect(engine, issuer, asking(['sec', 'revoked'], null, 'GET'), 'ctx')
  issuer.identity.retrust(
    readTrust(fileOf([{ ...knowing, allow: [{ method: ['GET'], resource: ['sec', 'revoked'] }] }]), ''),
  )
  const request = asRequest(await open(issuer, made.outer, engine.id))
  const list = { revoked: [guest.id], epoch: 0, serial: 2 }
  const reply = (await issuer.identity.answer(request, answering(request, 200, list))) as Dispatch
  const answer = asAnswer(await open(engine, reply, issuer.id))
  assert.equal(await engine.identity.revocations(answer), { done: true, changed: true })
  assert.is(engine.trust.named(guest.id), undefined)
  assert.is(engine.trust.isStale, false)
})

test('B9 learned keys are kept over a reboot', async () => {
  const { owner, guest, engine } = await household()
  await state(owner, engine, grant(guest, 1))
  const knows = [{ key: owner.signer.kid, name: 'owner', issuer: true }]
  const again = await party(SEEDS.b, { knows, learned: structuredClone(engine.saved.at(-1)) })
  assert.ok(again.trust.named(guest.id))
  assert.is(await state(owner, again, grant(guest, 1, [])), 403)
  const rolledBack = await party(SEEDS.b, { knows })
  assert.is(
    await state(owner, rolledBack, grant(guest, 1, [])),
    200,
    'the stated limit: an old card knows no better',
  )
})

test('R17 pairing: by a code that holds the key, once, within 120 s, confirmed on this side', async () => {
  const { guest, engine } = await household()
  const knock = async (from: Party, secret: Uint8Array) => {
    const mac = node.toText(await pairMac(node, secret, engine.signer.kid, from.signer.kid))
    const dispatch = { ...asking(['sec', 'pair'], { mac }, 'POST') }
    return open(engine, (await protect(from, engine, dispatch, 'sign')).outer, from.id)
  }
  await introduce(guest, engine)
  asFailure(await knock(guest, node.random(16)), 'key')
  const code = readPairCode(
    node,
    engine.identity.pairing.open(
      'panel',
      readTrust(fileOf([{ key: guest.signer.kid, name: 'x' }]), '').keys[0]?.rights ?? [],
    ),
  )
  assert.is(code?.id, engine.id)
  const secret = code?.secret as Uint8Array
  asFailure(await knock(guest, node.random(16)), 'right')
  const result = await knock(guest, secret)
  assert.is(result.kind, 'pairing')
  const { candidate, reply } = result as Extract<typeof result, { kind: 'pairing' }>
  assert.is(candidate.id, guest.id)
  assert.is(asAnswer(await open(guest, reply as Dispatch, engine.id)).status, 100)
  assert.is(engine.trust.named(guest.id), undefined, 'nothing before the yes')
  const late = await party(SEEDS.d, {
    knows: [{ key: engine.signer.kid, name: 'engine' }],
    clock: engine.clock,
  })
  await introduce(late, engine)
  asFailure(await knock(late, secret), 'right')
  assert.equal(engine.identity.pairing.confirm(), { done: true, changed: true })
  asRequest(await open(engine, (await protect(guest, engine, asking(['x']), 'sign')).outer))
  asFailure(await knock(late, secret), 'key')
  const second = readPairCode(node, engine.identity.pairing.open('panel', []))
  await engine.clock.advance(120_000)
  asFailure(await knock(late, second?.secret as Uint8Array), 'key')
  const third = readPairCode(node, engine.identity.pairing.open('panel', []))
  for (let i = 0; i < 5; i++) await knock(late, node.random(16))
  asFailure(await knock(late, third?.secret as Uint8Array), 'key')
})

test.run()
