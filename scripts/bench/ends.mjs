// Whole engines at the other end, with keys and without: requests under protection, and a hundred subscribers.

import { now, percentile, sleep } from './measure.mjs'
import { importParties, subscribers } from './parties.mjs'
import { counted, inTurns } from './turns.mjs'

const underWay = 64
const requests = { turns: 6, count: 1000 }
const lone = { turns: 10, count: 100 }
/** Dispatches that are published at once, each to everybody. */
const batch = 5
/** An engine tells no more than 20 strangers a second who it is. */
const INTRODUCTION = 50
const deliveries = { turns: 4, count: 5000 }

/** `plain`, `guarded`: where the engines of one process listen, without a key and with one. */
export async function measureSealed(plain, guarded, bundle) {
  const parties = await importParties(bundle)
  const key = parties.idOf(0)
  return {
    ...(await requesting(parties, guarded, key)),
    ...(await publishing(parties, plain, guarded, key)),
  }
}

/** Both in turns at the engine that has a key. */
async function requesting(parties, server, key) {
  const at = uriOf(server, 'cafetera')
  const clients = [parties.engine(), parties.engine(subscribers[0], [0])]
  const asks = [() => clients[0].get(at).first(), () => clients[1].get(at, { key }).first()]
  const loads = asks.map((ask) => counted(server.pid, (count, done, fail) => pump(ask, count, done, fail)))
  const times = [[], []]
  try {
    const { first, second } = await inTurns(loads, requests)
    for (let turn = 0; turn < lone.turns; turn++) {
      for (const which of [0, 1]) times[which].push(await p50(asks[which]))
    }
    return {
      'clear request µs': first,
      'sealed request µs': second,
      // Where the system puts two processes makes more difference than they do: the best turn counts, as in `rtt`.
      'clear p50': Math.min(...times[0]),
      'sealed p50': Math.min(...times[1]),
    }
  } finally {
    await close(clients)
  }
}

function pump(ask, count, done, fail) {
  let begun = 0
  let ended = 0
  const fire = async () => {
    begun++
    const { status } = await ask()
    if (status !== 200) throw new Error(`a request was answered with ${status}`)
    if (++ended === count) done()
    else if (begun < count) fire().catch(fail)
  }
  while (begun < Math.min(underWay, count)) fire().catch(fail)
}

/** In µs. */
async function p50(ask) {
  const times = []
  for (let i = 0; i < lone.count; i++) {
    const begun = now()
    await ask()
    times.push((now() - begun) * 1000)
  }
  return percentile(times, 0.5)
}

async function publishing(parties, plain, guarded, key) {
  const clear = subscribers.map(() => parties.engine())
  const sealed = subscribers.map((number) => parties.engine(number, [0]))
  try {
    const loads = [await audience(clear, plain, 'plain'), await audience(sealed, guarded, 'guarded', key)]
    const { first, second } = await inTurns(loads, deliveries)
    return { 'clear delivery µs': first, 'sealed delivery µs': second }
  } finally {
    await close([...clear, ...sealed])
  }
}

/** Binds these engines to what the server publishes. */
async function audience(engines, server, name, key) {
  let received = 0
  let onEvent = () => {}
  const hear = () => {
    received++
    onEvent()
  }
  for (const engine of engines) {
    const { confirmed } = await engine.bind(uriOf(server, 'cafetera/estado'), hear, { key, observe: true })
    if (!confirmed) throw new Error('a subscriber was not bound')
    if (key) await sleep(INTRODUCTION)
  }
  return counted(server.pid, (count, done, fail) => {
    received = 0
    let published = 0
    const publish = () => {
      published += batch * engines.length
      server.ask('publish', { name, count: batch }).catch(fail)
    }
    onEvent = () => {
      if (received === count) done()
      else if (received === published) publish()
    }
    publish()
  })
}

function close(engines) {
  return Promise.all(engines.map((engine) => engine.close(0)))
}

function uriOf({ port }, path) {
  return `jstp:PUT#127.0.0.1:${port}:tcp//${path}`
}
