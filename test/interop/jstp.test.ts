// Against the real reference implementation, npm jstp@1.1.5 (spec §8): both ways, over both transports, and as gateways.

import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dispatch, Hop, Json } from '../../src/core/dispatch.ts'
import { Engine } from '../../src/index.ts'

const PEER = 'test/interop/peer.cjs'
const PATIENCE = 5000
const ANSWER_TIMEOUT = 400
const LABELS = ['tcp', 'ws'] as const

interface Told {
  event: string
  id?: string
  dispatch?: Dispatch
  answer?: Dispatch
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** One jstp@1.1.5. */
async function startPeer() {
  const ports = { tcp: await freePort(), ws: await freePort() }
  const child = fork(PEER, [String(ports.tcp), String(ports.ws)])
  const told: Told[] = []
  const waiting = new Set<() => void>()
  child.on('message', (message) => {
    told.push(message as Told)
    for (const check of waiting) check()
  })
  const heard = (wanted: (message: Told) => boolean) =>
    new Promise<Told>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not heard of jstp: ${JSON.stringify(told)}`)),
        PATIENCE,
      )
      const check = () => {
        const found = told.find(wanted)
        if (!found) return
        clearTimeout(timer)
        waiting.delete(check)
        resolve(found)
      }
      waiting.add(check)
      check()
    })
  await heard(({ event }) => event === 'ready')
  return {
    hop: (label: 'tcp' | 'ws'): Hop => ['127.0.0.1', ports[label], label],
    uri: (label: 'tcp' | 'ws') => `127.0.0.1:${ports[label]}:${label}`,
    tell: (command: string, details: object) => child.send({ command, ...details }),
    heard,
    stop: () => child.kill(),
  }
}

async function startEngine(options = {}) {
  const engine = new Engine({ name: 'uno', answerTimeout: ANSWER_TIMEOUT, ...options })
  const tcp = await engine.listen('tcp', { address: '127.0.0.1', port: 0 })
  const ws = await engine.listen('ws', { address: '127.0.0.1', port: 0 })
  const ports = { tcp: tcp.port, ws: ws.port }
  return {
    engine,
    hop: (label: 'tcp' | 'ws'): Hop => ['127.0.0.1', ports[label], label],
    uri: (label: 'tcp' | 'ws') => `127.0.0.1:${ports[label]}:${label}`,
  }
}

type Peer = Awaited<ReturnType<typeof startPeer>>
type Ours = Awaited<ReturnType<typeof startEngine>>

async function withBoth(run: (peer: Peer, ours: Ours) => Promise<void>, options = {}) {
  const peer = await startPeer()
  const ours = await startEngine(options)
  try {
    await run(peer, ours)
  } finally {
    await ours.engine.close(0)
    peer.stop()
  }
}

async function eventually(isTrue: () => boolean) {
  const end = Date.now() + PATIENCE
  while (!isTrue() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.ok(isTrue())
}

for (const label of LABELS) {
  test(`${label}: jstp binds to us, gets what is dispatched here, and its answer comes back`, () =>
    withBoth(async (peer, { engine, hop }) => {
      const endpoint = { method: 'POST', resource: ['clima', '*'] }
      peer.tell('bind', { endpoint, host: [hop(label)], answer: { ok: 1 } })
      await eventually(() => engine.sizes.subscriptions > 0)
      engine.send('POST', ['clima', 'untold'], { body: 7 })
      const { dispatch } = await peer.heard((message) => message.dispatch?.resource?.[1] === 'untold')
      assert.is(dispatch?.body, 7)
      const answers = await engine.post(['clima', 'asked'], { body: { n: 1 } }).all()
      assert.equal(
        answers.map(({ status, body }) => [status, body]),
        [[200, { ok: 1 }]],
      )
    }))

  test(`${label}: we bind to jstp and get what is dispatched there`, () =>
    withBoth(async (peer, { engine }) => {
      const got: Json[] = []
      const at = `BIND#POST#${peer.uri(label)}//robot/arm`
      const { confirmed } = await engine.bind(at, ({ dispatch }) => void got.push(dispatch.body as Json))
      assert.is(confirmed, false, 'jstp never confirms a BIND')
      peer.tell('send', { dispatch: { method: 'POST', resource: ['robot', 'arm'], body: { up: true } } })
      await eventually(() => got.length > 0)
      assert.equal(got, [{ up: true }])
    }))

  test(`${label}: jstp asks us and gets our answer`, () =>
    withBoth(async (peer, { engine, hop }) => {
      await engine.bind('GET#cafetera/:point', ({ params }) => ({ point: params.point as Json }))
      const dispatch = { method: 'GET', resource: ['cafetera', 'state'], host: [hop(label)], body: {} }
      peer.tell('ask', { id: 'q', dispatch })
      const { answer } = await peer.heard(({ event, id }) => event === 'answer' && id === 'q')
      assert.is(answer?.resource?.[0], 200)
      assert.equal(answer?.body, { point: 'state' })
      assert.is(answer?.protocol?.[1], '0.4')
    }))

  test(`${label}: we ask jstp and get its answer`, () =>
    withBoth(async (peer, { engine }) => {
      peer.tell('bind', { endpoint: { method: 'GET', resource: ['cafetera'] }, answer: { temp: 92.5 } })
      const answers = await engine.get(`jstp:${peer.uri(label)}//cafetera`).all()
      assert.equal(
        answers.map(({ status, body }) => [status, body]),
        [[200, { temp: 92.5 }]],
      )
      await eventually(() => engine.sizes.relays === 0)
    }))

  test(`${label}: through jstp to an engine of ours and back`, () =>
    withBoth(async (peer, { engine, uri }) => {
      await engine.bind('GET#clima/:city', ({ params }) => ({ city: params.city as Json, temp: 20 }))
      const asker = new Engine({ name: 'dos', speak: '0.4', answerTimeout: ANSWER_TIMEOUT })
      const { status, body } = await asker.get(`jstp:${peer.uri(label)},${uri(label)}//clima/madrid`).first()
      assert.equal([status, body], [200, { city: 'madrid', temp: 20 }])
      const got: Json[] = []
      await asker.bind(`BIND#PUT#${peer.uri(label)},${uri(label)}//clima/*`, ({ dispatch }) => {
        got.push(dispatch.body as Json)
      })
      engine.send('PUT', ['clima', 'lima'], { body: 18 })
      await eventually(() => got.length > 0)
      assert.equal(got, [18])
      await asker.close(0)
    }))

  test(`${label}: through us to jstp and back, for whom it is allowed`, async () => {
    const far = await startPeer()
    const forward = { allow: [far.hop(label)] }
    await withBoth(
      async (near, { hop }) => {
        far.tell('bind', { endpoint: { method: 'GET', resource: ['marte'] }, answer: { dust: true } })
        const host = [hop(label), far.hop(label)]
        near.tell('ask', {
          id: 'far',
          dispatch: { method: 'GET', resource: ['marte'], host, body: {}, token: [randomUUID()] },
        })
        const { answer } = await near.heard(({ id }) => id === 'far')
        assert.is(answer?.resource?.[0], 200)
        assert.equal(answer?.body, { dust: true })
      },
      { forward },
    )
    far.stop()
  })
}

test.run()
