// A → the reference implementation as gateway → our engine as relay → B, over real sockets, with wires before and after
// each relay that keep every byte (spec B12, T15 and T17; issue 3).

import { randomBytes } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch, Element, Json } from '../../src/core/dispatch.ts'
import type { Request } from '../../src/core/owner.ts'
import type { Engine } from '../../src/index.ts'
import { ALL, MODES } from '../identity/parties.ts'
import {
  eventually,
  framesIn,
  type Keyed,
  type KeyedOptions,
  pause,
  signerOf,
  startCoffee,
  startGateway,
  startKeyed,
  startPlain,
  textsIn,
  uriOf,
  Wire,
} from './relays-kit.ts'

const [A, B] = [0x00, 0x20]

/** What is pushed in `sign` is for everybody: a rule has to say so. */
const PUBLIC = [...ALL, { method: ['BIND'], resource: ['...'], public: true }]

interface Road {
  a: Keyed
  b: Keyed
  relay: Engine
  /** A → gateway, gateway → relay, relay → B. */
  wires: Wire[]
  /** From A: through all of them. */
  far: ReturnType<typeof wayOf>
}

const wayOf = (wires: Wire[]) => wires.map(({ hop }) => hop)

async function withRoad(run: (road: Road) => Promise<void>, options: { b?: KeyedOptions } = {}) {
  const b = await startKeyed(B, {
    name: 'b',
    knows: [{ key: signerOf(A).kid, name: 'a', allow: PUBLIC }],
    ...options.b,
  })
  const last = await Wire.to(b.hop)
  const { engine: relay, hop } = await startPlain({ name: 'relay', forward: { allow: [last.hop] } })
  const middle = await Wire.to(hop)
  const gateway = await startGateway()
  const first = await Wire.to(gateway.hop)
  const a = await startKeyed(A, { name: 'a', speak: '0.4', knows: [{ key: signerOf(B).kid, name: 'b' }] })
  const wires = [first, middle, last]
  try {
    await run({ a, b, relay, wires, far: wayOf(wires) })
  } finally {
    for (const { engine } of [a, b]) await engine.close(0)
    await relay.close(0)
    gateway.stop()
    for (const wire of wires) wire.close()
  }
}

test('T17 sealed brew of /cafetera through jstp@1.1.5 and a relay of ours: answer and reports come back authentic', () =>
  withRoad(async ({ a, b, far }) => {
    const coffee = await startCoffee(b)
    for (const mode of MODES) {
      const seen: Request[] = []
      const binding = await a.engine.bind(uriOf(far, 'cafetera/*'), (it) => void seen.push(it), { key: 'b' })
      assert.is(binding.confirmed, true, mode)
      const { status, body, authentic } = await a.engine
        .post(uriOf(far, 'cafetera/brew'), { key: 'b', mode, body: { recipe: 'espresso' } })
        .first()
      assert.is(status, 200, JSON.stringify(body))
      assert.is((body as { recipe: string }).recipe, 'espresso')
      assert.is(authentic, undefined)
      await coffee.until('brewing')
      await coffee.until('ready')
      const last = ({ dispatch }: Request) => dispatch.resource?.[1] === 'state' && dispatch.body === 'ready'
      await eventually(`${mode}: the last report`, () => seen.some(last))
      const progress = seen.flatMap(({ dispatch }) =>
        dispatch.resource?.[1] === 'progress' ? [dispatch.body as number] : [],
      )
      const rising = progress.filter((it) => it > 0)
      assert.ok(rising.length >= 3, `${mode}: ${progress}`)
      assert.equal(
        rising,
        rising.toSorted((one, other) => one - other),
      )
      for (const { author, server, missed } of seen)
        assert.equal([author, server, missed], [b.id, undefined, undefined])
      binding.release()
      await eventually('released', () => b.guard.identity.sizes.feeds === 0)
    }
    await coffee.close()
  }))

test('T17 what is for everybody is bound in sign through jstp@1.1.5; sealed it can not be, and nothing is sent', () =>
  withRoad(async ({ a, b, far, wires }) => {
    const lamp = b.engine.own('lamp')
    const seen: Request[] = []
    // The old gateway knows no `...`: what is signed stands open, and it has to match it.
    const at = `BIND#PUT#${far.map((hop) => (hop as Element[]).join(':')).join(',')}//lamp/*`
    const binding = await a.engine.bind(at, (it) => void seen.push(it), { key: 'b', mode: 'sign' })
    for (let i = 0; i < 20; i++) lamp.report(['level'], i)
    await eventually('20 events', () => seen.length === 20)
    assert.equal(
      seen.map(({ dispatch, author }) => [dispatch.body, author]),
      Array.from({ length: 20 }, (_, i) => [i, b.id]),
    )
    binding.release()
    await eventually('released', () => b.guard.identity.sizes.feeds === 0)
    for (const wire of wires) wire.forget()
    const sealed = a.engine.bind(uriOf(far, 'lamp/...'), () => {}, { key: 'b', mode: 'seal' })
    const refused = await sealed.then(
      () => undefined,
      (error: { status: number }) => error,
    )
    assert.is(refused?.status, 400)
    assert.equal(
      wires.map(({ bytes }) => bytes.length),
      [0, 0, 0],
    )
  }))

test('T8 what jstp@1.1.5 loses where it cuts TCP into chunks is told by the next event, to the last one', () =>
  withRoad(async ({ a, b, far }) => {
    const lamp = b.engine.own('lamp')
    const seen: number[] = []
    let told = 0
    await a.engine.bind(
      uriOf(far, 'lamp/...'),
      ({ dispatch, missed = 0 }) => {
        seen.push(dispatch.body as number)
        told += missed
      },
      { key: 'b' },
    )
    const count = 2000
    for (let i = 0; i < count; i++) lamp.report(['level'], i)
    // So that the last is not one of those.
    await pause(500)
    lamp.report(['level'], count)
    await eventually('the last one', () => seen.at(-1) === count)
    assert.is(seen.length + told, count + 1)
    assert.equal(
      seen,
      seen.toSorted((one, other) => one - other),
    )
  }))

/** Values that relays could trip over. */
const CORPUS: Json[] = [
  ...[true, 0, -1.5e-7, 2 ** 53 - 1, 'ñ€😀', '', ' \t\n\r"\\/\u0000', '\u2028\ud83d\ude00[object Object]'],
  ...[[], {}, [[]], { a: null, ':': [1, { 'b c': 'x\ny' }] }, { constructor: 1, toString: null, '': 0 }],
  'x'.repeat(20_000),
]

test('T17 a golden corpus through jstp@1.1.5 and a relay: every body arrives and comes back as it was', () =>
  withRoad(async ({ a, b, far }) => {
    const taken: [string | undefined, Json | undefined][] = []
    b.engine.own('echo').handle('POST', ['...'], ({ dispatch, author }) => {
      taken.push([author, dispatch.body])
      return dispatch.body
    })
    for (const mode of MODES) {
      for (const body of CORPUS) {
        const answer = await a.engine.post(uriOf(far, 'echo/a:b/ñ'), { key: 'b', mode, body }).first()
        assert.equal(taken.pop(), [a.id, body], mode)
        assert.equal([answer.status, answer.body, answer.authentic], [200, body, undefined], mode)
      }
    }
    assert.is(taken.length, 0)
  }))

const secrets = (names: string[]) =>
  Object.fromEntries(names.map((name) => [name, `${name}-${randomBytes(9).toString('base64url')}`]))

/** Where a secret shows in what was recorded: as it is, encoded, or in any text of any frame, decoded. */
function findSecret(secret: Buffer, bytes: Buffer): string[] {
  const found: string[] = []
  const look = (where: string, text: string) => {
    if (text.includes(secret.toString('latin1'))) found.push(where)
    for (const code of ['hex', 'base64', 'base64url'] as const) {
      // Base64 of something in the middle depends on how many bytes stand before it.
      const shifts = code === 'hex' ? [0] : [0, 1, 2]
      for (const shift of shifts) {
        const whole = Buffer.concat([Buffer.alloc(shift), secret])
          .toString(code)
          .replaceAll('=', '')
        const middle = whole.slice(Math.ceil((shift * 4) / 3), -1)
        if (text.includes(middle)) found.push(`${where}, ${code}`)
        if (text.toLowerCase().includes(middle.toLowerCase()) && code === 'hex') found.push(where)
      }
    }
  }
  look('raw', bytes.toString('latin1'))
  for (const frame of framesIn(bytes)) {
    for (const text of textsIn(frame)) {
      look('text', Buffer.from(text).toString('latin1'))
      for (const code of ['hex', 'base64', 'base64url'] as const)
        look(`decoded ${code}`, Buffer.from(text, code).toString('latin1'))
    }
  }
  return found
}

/** A question, and in a context a subscription with a report, all of them with something to hide. */
async function speakOfSecrets(
  { a, b, far }: Road,
  mode: (typeof MODES)[number],
  secret: Record<string, string>,
) {
  const owner = b.engine.own(secret.root as string)
  owner.handle('POST', [secret.point as string], () => ({ [secret.name as string]: secret.answer as string }))
  const at = uriOf(far, `${secret.root}/${secret.point}`)
  const options = { key: 'b', mode, body: { say: secret.request as string } }
  for (let i = 0; i < 5; i++) {
    const { status, body } = await a.engine.post(at, options).first()
    assert.equal([status, body], [200, { [secret.name as string]: secret.answer }])
  }
  const missing = await a.engine.get(`${at}/${secret.missing}`, { key: 'b', mode }).first()
  assert.is(missing.status, 404)
  if (mode !== 'ctx') return
  const seen: Dispatch[] = []
  const bound = await a.engine.bind(`${at}/...`, ({ dispatch }) => void seen.push(dispatch), { key: 'b' })
  for (let i = 0; i < 5; i++)
    owner.report([secret.point as string, secret.leaf as string], secret.report as string)
  await eventually('the reports', () => seen.length === 5)
  assert.is(seen[0]?.body, secret.report)
  bound.release()
  await eventually('released', () => b.guard.identity.sizes.feeds === 0)
}

for (const mode of MODES) {
  const isOpen = mode === 'sign'
  test(`T15 all bytes before and after each relay, ${mode}: ${isOpen ? 'it is readable, and found' : 'no secret'}`, () =>
    withRoad(async (road) => {
      const secret = secrets(['root', 'point', 'leaf', 'name', 'request', 'answer', 'report', 'missing'])
      await speakOfSecrets(road, mode, secret)
      const told =
        mode === 'ctx' ? Object.keys(secret) : ['root', 'point', 'name', 'request', 'answer', 'missing']
      for (const { bytes } of road.wires) {
        assert.ok(framesIn(bytes).length > 10)
        for (const name of told) {
          const found = findSecret(Buffer.from(secret[name] as string), bytes)
          if (isOpen) assert.ok(found.length > 0, `${name}: a search that finds nothing proves nothing`)
          else assert.equal(found, [], name)
        }
        // Who asks: told by the handshake alone, which has to name both (B15, R21).
        const about = framesIn(bytes).filter(({ sec }) => (sec as { m?: string } | undefined)?.m !== 'sign')
        const rest = Buffer.from(about.map((frame) => JSON.stringify(frame)).join('\n'))
        for (const asker of [Buffer.from(road.a.id), Buffer.from(road.a.signer.kid)])
          assert.equal(findSecret(asker, mode === 'seal' ? bytes : rest), [])
      }
    }))
}

test.run()
